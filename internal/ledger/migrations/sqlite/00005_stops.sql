-- Stops: a person holds the withdrawals of a merchant, of a country or of everybody
-- back. Two persons resume them. The same tables as in ../postgres.

-- +goose Up

CREATE TABLE stops (
    id       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    merchant TEXT    NOT NULL, -- '': not of one merchant
    country  TEXT    NOT NULL, -- '': not of one country; if both are '': of all
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL CHECK (actor <> ''),
    why      TEXT    NOT NULL CHECK (why <> ''),
    proposer TEXT    NOT NULL DEFAULT '', -- the first of the two who resume
    ended_by TEXT    NOT NULL DEFAULT '', -- the second
    ended_at INTEGER NOT NULL DEFAULT 0,  -- 0: in force
    CONSTRAINT stops_scope CHECK (merchant = '' OR country = ''),
    CONSTRAINT stops_ended CHECK (CASE ended_at WHEN 0 THEN ended_by = '' ELSE ended_by <> '' AND proposer <> '' END),
    CONSTRAINT stops_two_persons CHECK (ended_at = 0 OR lower(trim(ended_by)) <> lower(trim(proposer)))
) STRICT;

CREATE UNIQUE INDEX stops_in_force ON stops (merchant, country) WHERE ended_at = 0;

-- +goose StatementBegin
CREATE TRIGGER stops_content BEFORE UPDATE OF id, merchant, country, at, actor, why ON stops
BEGIN
    SELECT RAISE(ABORT, 'the content of a stop never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stops_stay_ended BEFORE UPDATE ON stops
WHEN OLD.ended_at > 0
BEGIN
    SELECT RAISE(ABORT, 'a stop ends once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stops_begin BEFORE INSERT ON stops
WHEN NEW.ended_at > 0 OR NEW.proposer <> ''
BEGIN
    SELECT RAISE(ABORT, 'a stop begins in force');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stops_kept BEFORE DELETE ON stops
BEGIN
    SELECT RAISE(ABORT, 'stops are kept');
END;
-- +goose StatementEnd

-- No attempt begins that a stop holds back, whatever the worker knows.
-- +goose StatementBegin
CREATE TRIGGER submissions_stopped BEFORE INSERT ON submissions
WHEN NEW.ended_at = 0 AND EXISTS (
    SELECT 1 FROM orders o JOIN stops s ON s.ended_at = 0
        AND (s.merchant = o.merchant OR s.country = o.country OR (s.merchant = '' AND s.country = ''))
    WHERE o.id = NEW.order_id AND o.kind = 'withdrawal'
)
BEGIN
    SELECT RAISE(ABORT, 'payouts are stopped');
END;
-- +goose StatementEnd
