-- Why payouts were stopped is a person's sentence, and is encrypted as other such texts are:
-- docs/decisions/0013-personal-data.md. The same column as in ../sqlite.

-- +goose Up

ALTER TABLE stops ADD COLUMN data_key TEXT NOT NULL DEFAULT ''; -- of why

-- The key of a stop that has ended may be wrapped again. stops_content protects the rest.
DROP TRIGGER stops_stay_ended ON stops;

CREATE TRIGGER stops_stay_ended BEFORE UPDATE OF proposer, ended_by, ended_at ON stops
    FOR EACH ROW WHEN (OLD.ended_at > 0) EXECUTE FUNCTION refuse('a stop ends once');

CREATE TRIGGER stops_data_key BEFORE INSERT OR UPDATE OF data_key ON stops
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();
