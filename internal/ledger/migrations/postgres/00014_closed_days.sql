-- Days that a person has closed. A row never changes: what is booked later belongs to a
-- later day. The same columns as in ../sqlite.

-- +goose Up

CREATE TABLE closed_days (
    merchant  TEXT   NOT NULL CHECK (merchant <> ''),
    currency  TEXT   NOT NULL CHECK (length(currency) = 3),
    day       TEXT   NOT NULL CHECK (length(day) = 10), -- YYYY-MM-DD
    zone      TEXT   NOT NULL CHECK (zone <> ''),       -- an IANA name
    begins    BIGINT NOT NULL,
    ends      BIGINT NOT NULL CHECK (ends > begins),
    figures   TEXT   NOT NULL CHECK (figures <> ''),    -- canonical JSON; names nobody
    hash      TEXT   NOT NULL CHECK (length(hash) = 64), -- SHA-256 of the figures
    previous  TEXT   NOT NULL,                          -- the hash of the day before; '' for the first
    closed_by TEXT   NOT NULL CHECK (closed_by <> ''),
    closed_at BIGINT NOT NULL CHECK (closed_at >= ends),
    proof     TEXT   NOT NULL,                          -- the signed envelope, JSON; '' without a roster
    PRIMARY KEY (merchant, currency, day)
);

-- The closings of a merchant in a currency are a chain without gaps.
-- +goose StatementBegin
CREATE FUNCTION closed_days_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last RECORD;
BEGIN
    SELECT ends, hash INTO last FROM closed_days WHERE merchant = NEW.merchant AND currency = NEW.currency ORDER BY ends DESC LIMIT 1;
    IF FOUND AND (NEW.begins <> last.ends OR NEW.previous <> last.hash) OR NOT FOUND AND NEW.previous <> '' THEN
        RAISE EXCEPTION 'a day is closed after the day before' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER closed_days_chain BEFORE INSERT ON closed_days
    FOR EACH ROW EXECUTE FUNCTION closed_days_chain();

CREATE TRIGGER closed_days_never_change BEFORE UPDATE ON closed_days
    FOR EACH ROW EXECUTE FUNCTION refuse('a closed day never changes');

CREATE TRIGGER closed_days_kept BEFORE DELETE ON closed_days
    FOR EACH ROW EXECUTE FUNCTION refuse('closed days are kept');

CREATE TRIGGER closed_days_not_emptied BEFORE TRUNCATE ON closed_days
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('closed days are kept');
