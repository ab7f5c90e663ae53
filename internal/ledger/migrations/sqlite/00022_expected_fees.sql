-- The fee on top that is expected of a withdrawal, and reserved with its amount. The same
-- column as in ../postgres.

-- +goose Up

ALTER TABLE orders ADD COLUMN expected_fee INTEGER NOT NULL DEFAULT 0 CHECK (expected_fee >= 0);

-- +goose StatementBegin
CREATE TRIGGER orders_expected_fee BEFORE UPDATE OF expected_fee ON orders
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd
