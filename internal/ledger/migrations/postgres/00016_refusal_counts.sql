-- How often people were refused with a code. The audit has the first refusals of each code
-- one by one, and later ones by their number. The same columns as in ../sqlite.

-- +goose Up

CREATE TABLE refusal_counts (
    merchant TEXT    NOT NULL,                      -- '': of the installation
    number   TEXT    NOT NULL,                      -- of an order that the ledger has; '': of all else
    chain    TEXT    NOT NULL CHECK (chain IN ('order', 'other')),
    code     TEXT    NOT NULL CHECK (code <> ''),
    since    BIGINT  NOT NULL,                      -- when counting began: of an order once, of all else each day
    times    BIGINT  NOT NULL CHECK (times > 0),
    PRIMARY KEY (merchant, number, chain, code)
);

CREATE TRIGGER refusal_counts_grow BEFORE UPDATE ON refusal_counts
    FOR EACH ROW WHEN (
        NEW.merchant <> OLD.merchant OR NEW.number <> OLD.number OR NEW.chain <> OLD.chain OR NEW.code <> OLD.code
        OR NOT (NEW.times = OLD.times + 1 AND NEW.since = OLD.since OR NEW.times = 1 AND NEW.since > OLD.since AND OLD.chain = 'other')
    ) EXECUTE FUNCTION refuse('refusals are counted one by one');

CREATE TRIGGER refusal_counts_kept BEFORE DELETE ON refusal_counts
    FOR EACH ROW EXECUTE FUNCTION refuse('refusals are counted one by one');

CREATE TRIGGER refusal_counts_not_emptied BEFORE TRUNCATE ON refusal_counts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('refusals are counted one by one');
