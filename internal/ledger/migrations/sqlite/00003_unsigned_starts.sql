-- With a roster, an order whose start is not signed needs the approval of two
-- persons.

-- +goose Up

ALTER TABLE orders ADD COLUMN approvals INTEGER NOT NULL DEFAULT 1 CHECK (approvals IN (1, 2));

-- +goose StatementBegin
CREATE TRIGGER orders_approvals BEFORE UPDATE OF approvals ON orders
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd

-- Each roster has one successor.
CREATE UNIQUE INDEX rosters_replaces ON rosters (replaces);
