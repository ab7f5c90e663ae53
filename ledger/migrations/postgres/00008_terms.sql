-- The deadlines of an order are on record from its opening on, and never judged
-- by later settings.

-- +goose Up

ALTER TABLE orders ADD COLUMN funds_before BIGINT NOT NULL DEFAULT 0; -- 0: does not wait for funds, or was opened before this was kept
ALTER TABLE orders ADD COLUMN horizon BIGINT NOT NULL DEFAULT 0; -- milliseconds; 0: was opened before this was kept

CREATE TRIGGER orders_terms BEFORE UPDATE OF funds_before, horizon ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');
