-- Data keys are replaced in rows that exist (worker rekey), and orders are erased: see
-- docs/decisions/0013-personal-data.md. The same as in ../postgres.

-- +goose Up

ALTER TABLE chains ADD COLUMN erased_at INTEGER NOT NULL DEFAULT 0; -- when its first key was destroyed; 0: never

-- A decided adjustment never changes. Its key may be wrapped again. adjustments_content
-- protects the other columns.
DROP TRIGGER adjustments_stay_decided;

-- +goose StatementBegin
CREATE TRIGGER adjustments_stay_decided BEFORE UPDATE OF state, decided_by, decided_at, decided_why ON adjustments
WHEN OLD.state <> 'proposed'
BEGIN
    SELECT RAISE(ABORT, 'an adjustment is decided once');
END;
-- +goose StatementEnd

-- A process that still has a retired key first would write rows that others cannot read.

-- +goose StatementBegin
CREATE TRIGGER orders_data_key BEFORE INSERT ON orders
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER orders_data_key_changed BEFORE UPDATE OF data_key ON orders
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER chains_data_key BEFORE INSERT ON chains
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER chains_data_key_changed BEFORE UPDATE OF data_key ON chains
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER inbox_data_key BEFORE INSERT ON inbox
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER inbox_data_key_changed BEFORE UPDATE OF data_key ON inbox
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER adjustments_data_key BEFORE INSERT ON adjustments
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER adjustments_data_key_changed BEFORE UPDATE OF data_key ON adjustments
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER discrepancies_data_key BEFORE INSERT ON discrepancies
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER discrepancies_data_key_changed BEFORE UPDATE OF data_key ON discrepancies
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd
