-- With a roster, an order whose start is not signed needs the approval of two
-- persons.

-- +goose Up

ALTER TABLE orders ADD COLUMN approvals BIGINT NOT NULL DEFAULT 1 CHECK (approvals IN (1, 2));

CREATE TRIGGER orders_approvals BEFORE UPDATE OF approvals ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');

-- Each roster has one successor.
CREATE UNIQUE INDEX rosters_replaces ON rosters (replaces);
