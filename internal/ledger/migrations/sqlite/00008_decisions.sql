-- Decisions over lists of orders: each signed envelope is kept once, and the audit
-- entry of each order refers to its hash. The same columns as in ../postgres.

-- +goose Up

CREATE TABLE decisions (
    hash     TEXT    PRIMARY KEY NOT NULL CHECK (length(hash) = 64), -- of the envelope's canonical bytes
    signed   TEXT    NOT NULL CHECK (signed <> ''),                  -- JSON with the envelope and its signature
    data_key TEXT    NOT NULL DEFAULT '',                            -- as in 00006
    at       INTEGER NOT NULL
) STRICT;

-- Only the row's key may be wrapped again.
-- +goose StatementBegin
CREATE TRIGGER decisions_never_change BEFORE UPDATE OF hash, signed, at ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER decisions_kept BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER decisions_data_key BEFORE INSERT ON decisions
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER decisions_data_key_changed BEFORE UPDATE OF data_key ON decisions
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- What was signed and what was done by it, in minor units. The signer writes the totals,
-- and the limit of the signer applies to them. So no more is done than they say.
CREATE TABLE decision_totals (
    decision TEXT    NOT NULL REFERENCES decisions (hash),
    currency TEXT    NOT NULL,
    total    INTEGER NOT NULL CHECK (total > 0),
    done     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (decision, currency),
    CONSTRAINT decision_totals_done CHECK (done BETWEEN 0 AND total)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER decision_totals_content BEFORE UPDATE ON decision_totals
WHEN NEW.decision <> OLD.decision OR NEW.currency <> OLD.currency OR NEW.total <> OLD.total OR NEW.done < OLD.done
BEGIN
    SELECT RAISE(ABORT, 'the totals of a decision never change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER decision_totals_kept BEFORE DELETE ON decision_totals
BEGIN
    SELECT RAISE(ABORT, 'the totals of a decision are kept');
END;
-- +goose StatementEnd
