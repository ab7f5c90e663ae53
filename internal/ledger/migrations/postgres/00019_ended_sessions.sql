-- Sessions of people's pages that were logged out before they were over. Every api process
-- refuses copies of them. The same columns as in ../sqlite.

-- +goose Up

CREATE TABLE ended_sessions (
    session TEXT    PRIMARY KEY CHECK (length(session) = 64), -- SHA-256 of its id
    over_at BIGINT  NOT NULL                                  -- when it would be over anyway; the row may go then
);

CREATE INDEX ended_sessions_over ON ended_sessions (over_at);

CREATE TRIGGER ended_sessions_constant BEFORE UPDATE ON ended_sessions
    FOR EACH ROW EXECUTE FUNCTION refuse('a session ends once');

CREATE TRIGGER ended_sessions_kept BEFORE DELETE ON ended_sessions
    FOR EACH ROW WHEN (OLD.over_at > EXTRACT(EPOCH FROM statement_timestamp()) * 1000)
    EXECUTE FUNCTION refuse('a log-out is kept until the session is over');

CREATE TRIGGER ended_sessions_not_emptied BEFORE TRUNCATE ON ended_sessions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a log-out is kept until the session is over');
