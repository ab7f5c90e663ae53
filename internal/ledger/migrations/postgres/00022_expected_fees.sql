-- The fee on top that is expected of a withdrawal, and reserved with its amount: a term of
-- the order's opening, as are its deadlines. 0: none is known. The same column as in
-- ../sqlite.

-- +goose Up

ALTER TABLE orders ADD COLUMN expected_fee BIGINT NOT NULL DEFAULT 0 CHECK (expected_fee >= 0);

CREATE TRIGGER orders_expected_fee BEFORE UPDATE OF expected_fee ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');
