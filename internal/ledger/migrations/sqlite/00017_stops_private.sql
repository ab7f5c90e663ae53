-- Why payouts were stopped is a person's sentence, and is encrypted as other such texts are:
-- docs/decisions/0013-personal-data.md. The same column as in ../postgres.

-- +goose Up

ALTER TABLE stops ADD COLUMN data_key TEXT NOT NULL DEFAULT ''; -- of why

-- The key of a stop that has ended may be wrapped again. stops_content protects the rest.
DROP TRIGGER stops_stay_ended;

-- +goose StatementBegin
CREATE TRIGGER stops_stay_ended BEFORE UPDATE OF proposer, ended_by, ended_at ON stops
WHEN OLD.ended_at > 0
BEGIN
    SELECT RAISE(ABORT, 'a stop ends once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stops_data_key BEFORE INSERT ON stops
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stops_data_key_changed BEFORE UPDATE OF data_key ON stops
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd
