-- Data keys are replaced in rows that exist (worker rekey), and orders are erased: see
-- docs/decisions/0013-personal-data.md. The same as in ../sqlite.

-- +goose Up

ALTER TABLE chains ADD COLUMN erased_at BIGINT NOT NULL DEFAULT 0; -- when its first key was destroyed; 0: never

-- A decided adjustment never changes. Its key may be wrapped again. adjustments_content
-- protects the other columns.
DROP TRIGGER adjustments_stay_decided ON adjustments;

CREATE TRIGGER adjustments_stay_decided BEFORE UPDATE OF state, decided_by, decided_at, decided_why ON adjustments
    FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION refuse('an adjustment is decided once');

-- A process that still has a retired key first would write rows that others cannot read.
-- +goose StatementBegin
CREATE FUNCTION data_key_in_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM data_keys WHERE id = split_part(NEW.data_key, ':', 1) AND retired_at > 0) THEN
        RAISE EXCEPTION 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER orders_data_key BEFORE INSERT OR UPDATE OF data_key ON orders
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();

CREATE TRIGGER chains_data_key BEFORE INSERT OR UPDATE OF data_key ON chains
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();

CREATE TRIGGER inbox_data_key BEFORE INSERT OR UPDATE OF data_key ON inbox
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();

CREATE TRIGGER adjustments_data_key BEFORE INSERT OR UPDATE OF data_key ON adjustments
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();

CREATE TRIGGER discrepancies_data_key BEFORE INSERT OR UPDATE OF data_key ON discrepancies
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();
