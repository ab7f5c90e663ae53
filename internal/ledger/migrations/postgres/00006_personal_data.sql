-- Personal data is encrypted: docs/decisions/0013-personal-data.md. A row that has a
-- data_key has encrypted texts, which begin with "enc1.". '' is a row in clear. The
-- same columns as in ../sqlite.

-- +goose Up

ALTER TABLE orders ADD COLUMN data_key TEXT NOT NULL DEFAULT '';        -- also of its audit, submissions and proposals
ALTER TABLE orders ADD COLUMN erased_at BIGINT NOT NULL DEFAULT 0;      -- when its first key was destroyed; 0: never
ALTER TABLE chains ADD COLUMN data_key TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox ADD COLUMN data_key TEXT NOT NULL DEFAULT '';
ALTER TABLE adjustments ADD COLUMN data_key TEXT NOT NULL DEFAULT '';
ALTER TABLE discrepancies ADD COLUMN data_key TEXT NOT NULL DEFAULT ''; -- of closed_why

-- The data keys that something is encrypted with. The proof shows whether a process
-- has the same key under that name. A process needs no key that is retired.
CREATE TABLE data_keys (
    id         TEXT   PRIMARY KEY CHECK (id <> ''),
    proof      TEXT   NOT NULL,
    first_at   BIGINT NOT NULL,
    retired_at BIGINT NOT NULL DEFAULT 0
);

CREATE TRIGGER data_keys_kept BEFORE DELETE ON data_keys
    FOR EACH ROW EXECUTE FUNCTION refuse('the names of data keys are kept');

CREATE TRIGGER data_keys_not_emptied BEFORE TRUNCATE ON data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the names of data keys are kept');

DROP TRIGGER orders_content ON orders;

CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, folded, kind, country, way, currency, amount, created_at,
    approve_before, waits_for_funds, funds_before, horizon ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');

-- What is in clear may become encrypted. A payee's hash changes with the key only.
CREATE TRIGGER orders_private BEFORE UPDATE OF request, fingerprint, beneficiary ON orders
    FOR EACH ROW WHEN (
        NOT (NEW.request = OLD.request OR substr(OLD.request, 1, 5) <> 'enc1.' AND substr(NEW.request, 1, 5) = 'enc1.')
        OR NOT (NEW.fingerprint = OLD.fingerprint OR substr(OLD.fingerprint, 1, 5) <> 'enc1.' AND substr(NEW.fingerprint, 1, 5) = 'enc1.')
        OR NOT (NEW.beneficiary = OLD.beneficiary OR NEW.data_key <> OLD.data_key AND OLD.beneficiary <> '')
    ) EXECUTE FUNCTION refuse('the content of an order never changes');

CREATE TRIGGER orders_stay_erased BEFORE UPDATE OF erased_at ON orders
    FOR EACH ROW WHEN (NEW.erased_at < OLD.erased_at) EXECUTE FUNCTION refuse('an order that was erased stays erased');
