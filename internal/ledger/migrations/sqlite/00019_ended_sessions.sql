-- Sessions of people's pages that were logged out before they were over. Every api process
-- refuses copies of them. The same columns as in ../postgres.

-- +goose Up

CREATE TABLE ended_sessions (
    session TEXT    PRIMARY KEY CHECK (length(session) = 64), -- SHA-256 of its id
    over_at INTEGER NOT NULL                                  -- when it would be over anyway; the row may go then
) STRICT;

CREATE INDEX ended_sessions_over ON ended_sessions (over_at);

-- +goose StatementBegin
CREATE TRIGGER ended_sessions_constant BEFORE UPDATE ON ended_sessions
BEGIN
    SELECT RAISE(ABORT, 'a session ends once');
END;
-- +goose StatementEnd
