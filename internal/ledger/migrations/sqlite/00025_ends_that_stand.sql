-- What has ended stays ended, and a callback begins at its beginning. The same as in
-- ../postgres, but for inbox_done: SQLite has no roles.

-- +goose Up

-- A time below 0 would be no end to the program, and none of a stop in force to the schema.
-- +goose StatementBegin
CREATE TRIGGER stops_end BEFORE UPDATE OF ended_at ON stops
WHEN NEW.ended_at < 0
BEGIN
    SELECT RAISE(ABORT, 'a stop ends at a time');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stops_begin_at_a_time BEFORE INSERT ON stops
WHEN NEW.ended_at < 0
BEGIN
    SELECT RAISE(ABORT, 'a stop ends at a time');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER inbox_begins BEFORE INSERT ON inbox
WHEN NEW.status <> 'stored'
BEGIN
    SELECT RAISE(ABORT, 'a callback begins as stored');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER inbox_stays_done BEFORE UPDATE OF status ON inbox
WHEN OLD.status = 'done' AND NEW.status <> 'done'
BEGIN
    SELECT RAISE(ABORT, 'a callback is handled once');
END;
-- +goose StatementEnd
