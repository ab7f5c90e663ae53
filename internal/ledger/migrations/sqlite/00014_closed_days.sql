-- Days that a person has closed. A row never changes: what is booked later belongs to a
-- later day. The same columns as in ../postgres.

-- +goose Up

CREATE TABLE closed_days (
    merchant  TEXT    NOT NULL CHECK (merchant <> ''),
    currency  TEXT    NOT NULL CHECK (length(currency) = 3),
    day       TEXT    NOT NULL CHECK (length(day) = 10), -- YYYY-MM-DD
    zone      TEXT    NOT NULL CHECK (zone <> ''),       -- an IANA name
    begins    INTEGER NOT NULL,
    ends      INTEGER NOT NULL CHECK (ends > begins),
    figures   TEXT    NOT NULL CHECK (figures <> ''),    -- canonical JSON; names nobody
    hash      TEXT    NOT NULL CHECK (length(hash) = 64), -- SHA-256 of the figures
    previous  TEXT    NOT NULL,                          -- the hash of the day before; '' for the first
    closed_by TEXT    NOT NULL CHECK (closed_by <> ''),
    closed_at INTEGER NOT NULL CHECK (closed_at >= ends),
    proof     TEXT    NOT NULL,                          -- the signed envelope, JSON; '' without a roster
    PRIMARY KEY (merchant, currency, day)
) STRICT;

-- The closings of a merchant in a currency are a chain without gaps.
-- +goose StatementBegin
CREATE TRIGGER closed_days_chain BEFORE INSERT ON closed_days
WHEN CASE WHEN EXISTS (SELECT 1 FROM closed_days WHERE merchant = NEW.merchant AND currency = NEW.currency)
    THEN NOT EXISTS (
        SELECT 1 FROM closed_days c WHERE c.merchant = NEW.merchant AND c.currency = NEW.currency AND c.ends = NEW.begins AND c.hash = NEW.previous
            AND c.ends = (SELECT MAX(ends) FROM closed_days WHERE merchant = NEW.merchant AND currency = NEW.currency)
    )
    ELSE NEW.previous <> '' END
BEGIN
    SELECT RAISE(ABORT, 'a day is closed after the day before');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER closed_days_never_change BEFORE UPDATE ON closed_days
BEGIN
    SELECT RAISE(ABORT, 'a closed day never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER closed_days_kept BEFORE DELETE ON closed_days
BEGIN
    SELECT RAISE(ABORT, 'closed days are kept');
END;
-- +goose StatementEnd
