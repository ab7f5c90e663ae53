-- The places of events. An event is an entry of the audit, so it is written in the
-- transaction of what it tells. It gets its place after that transaction has committed.
-- The same tables as in ../sqlite.

-- +goose Up

CREATE TABLE events (
    position BIGINT PRIMARY KEY CHECK (position > 0), -- from 1, without gaps
    merchant TEXT   NOT NULL CHECK (merchant <> ''),
    audit_id BIGINT NOT NULL CONSTRAINT events_entry UNIQUE -- audit.id
);

CREATE INDEX events_merchant ON events (merchant, position);

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse('events are append-only');

CREATE TRIGGER events_kept BEFORE DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse('events are append-only');

CREATE TRIGGER events_not_emptied BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('events are append-only');

-- Every event among the entries with an id up to last_id has its place. One row.
CREATE TABLE event_relay (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    last_id BIGINT NOT NULL
);

INSERT INTO event_relay (one, last_id) VALUES (1, 0);
