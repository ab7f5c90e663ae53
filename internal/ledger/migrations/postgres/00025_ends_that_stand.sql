-- What has ended stays ended, and a callback begins at its beginning. The same as in ../sqlite,
-- but for inbox_done: SQLite has no roles.

-- +goose Up

-- A time below 0 would be no end to the program, and none of a stop in force to the schema.
CREATE TRIGGER stops_end BEFORE INSERT OR UPDATE OF ended_at ON stops
    FOR EACH ROW WHEN (NEW.ended_at < 0) EXECUTE FUNCTION refuse('a stop ends at a time');

CREATE TRIGGER inbox_begins BEFORE INSERT ON inbox
    FOR EACH ROW WHEN (NEW.status <> 'stored') EXECUTE FUNCTION refuse('a callback begins as stored');

CREATE TRIGGER inbox_stays_done BEFORE UPDATE OF status ON inbox
    FOR EACH ROW WHEN (OLD.status = 'done' AND NEW.status <> 'done') EXECUTE FUNCTION refuse('a callback is handled once');

-- Who passes callbacks on does not handle them. The right to change data_key, which a worker
-- has and a receiver has not, tells them apart.
-- +goose StatementBegin
CREATE FUNCTION inbox_done() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_column_privilege(TG_RELID, 'data_key', 'UPDATE') THEN
        RAISE EXCEPTION 'a worker says that a callback is handled' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER inbox_done BEFORE UPDATE OF status ON inbox
    FOR EACH ROW WHEN (NEW.status = 'done' AND OLD.status <> 'done') EXECUTE FUNCTION inbox_done();
