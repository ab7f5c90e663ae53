-- Decisions over lists of orders: each signed envelope is kept once, and the audit
-- entry of each order refers to its hash. The same columns as in ../sqlite.

-- +goose Up

CREATE TABLE decisions (
    hash     TEXT   PRIMARY KEY CHECK (length(hash) = 64), -- of the envelope's canonical bytes
    signed   TEXT   NOT NULL CHECK (signed <> ''),         -- JSON with the envelope and its signature
    data_key TEXT   NOT NULL DEFAULT '',                   -- as in 00006
    at       BIGINT NOT NULL
);

-- Only the row's key may be wrapped again.
CREATE TRIGGER decisions_never_change BEFORE UPDATE OF hash, signed, at ON decisions
    FOR EACH ROW EXECUTE FUNCTION refuse('decisions are append-only');

CREATE TRIGGER decisions_kept BEFORE DELETE ON decisions
    FOR EACH ROW EXECUTE FUNCTION refuse('decisions are append-only');

CREATE TRIGGER decisions_not_emptied BEFORE TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('decisions are append-only');

CREATE TRIGGER decisions_data_key BEFORE INSERT OR UPDATE OF data_key ON decisions
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();

-- What was signed and what was done by it, in minor units. The signer writes the totals,
-- and the limit of the signer applies to them. So no more is done than they say.
CREATE TABLE decision_totals (
    decision TEXT   NOT NULL REFERENCES decisions (hash),
    currency TEXT   NOT NULL,
    total    BIGINT NOT NULL CHECK (total > 0),
    done     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (decision, currency),
    CONSTRAINT decision_totals_done CHECK (done BETWEEN 0 AND total)
);

CREATE TRIGGER decision_totals_content BEFORE UPDATE ON decision_totals
    FOR EACH ROW WHEN (NEW.decision <> OLD.decision OR NEW.currency <> OLD.currency OR NEW.total <> OLD.total OR NEW.done < OLD.done)
    EXECUTE FUNCTION refuse('the totals of a decision never change');

CREATE TRIGGER decision_totals_kept BEFORE DELETE ON decision_totals
    FOR EACH ROW EXECUTE FUNCTION refuse('the totals of a decision are kept');

CREATE TRIGGER decision_totals_not_emptied BEFORE TRUNCATE ON decision_totals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the totals of a decision are kept');
