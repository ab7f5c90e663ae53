-- The places of events. An event is an entry of the audit, so it is written in the
-- transaction of what it tells. It gets its place after that transaction has committed.
-- The same tables as in ../postgres.

-- +goose Up

CREATE TABLE events (
    position INTEGER PRIMARY KEY NOT NULL CHECK (position > 0), -- from 1, without gaps
    merchant TEXT    NOT NULL CHECK (merchant <> ''),
    audit_id INTEGER NOT NULL UNIQUE -- audit.id
) STRICT;

CREATE INDEX events_merchant ON events (merchant, position);

-- +goose StatementBegin
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER events_kept BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
-- +goose StatementEnd

-- Every event among the entries with an id up to last_id has its place. One row.
CREATE TABLE event_relay (
    one     INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    last_id INTEGER NOT NULL
) STRICT;

INSERT INTO event_relay (one, last_id) VALUES (1, 0);
