-- Keyed hashes of the metadata of orders, to filter lists by. The metadata itself is
-- in the order's request. And orders that are sent at a time. The same columns as in ../sqlite.

-- +goose Up

-- hash is as orders.beneficiary is: of a key and its value, with the data key. '' is
-- one of an order that was erased.
CREATE TABLE order_metadata (
    order_id BIGINT NOT NULL REFERENCES orders (id),
    place    BIGINT NOT NULL CHECK (place > 0), -- among the order's keys, which are sorted
    merchant TEXT   NOT NULL CHECK (merchant <> ''),
    hash     TEXT   NOT NULL,
    PRIMARY KEY (order_id, place)
);

CREATE INDEX order_metadata_hash ON order_metadata (hash, merchant, order_id) WHERE hash <> '';

-- Only the hash may change: with the data key, or when the order is erased.
CREATE TRIGGER order_metadata_content BEFORE UPDATE ON order_metadata
    FOR EACH ROW WHEN (
        NEW.order_id <> OLD.order_id OR NEW.place <> OLD.place OR NEW.merchant <> OLD.merchant OR OLD.hash = '' AND NEW.hash <> ''
    ) EXECUTE FUNCTION refuse('the metadata of an order never changes');

CREATE TRIGGER order_metadata_kept BEFORE DELETE ON order_metadata
    FOR EACH ROW EXECUTE FUNCTION refuse('the metadata of orders is kept');

CREATE TRIGGER order_metadata_not_emptied BEFORE TRUNCATE ON order_metadata
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the metadata of orders is kept');

-- Orders that are sent at a time ----------------------------------------------

INSERT INTO moves (kind, from_state, to_state) VALUES
    ('deposit', 'created', 'scheduled'),
    ('deposit', 'awaiting_approval', 'scheduled'),
    ('deposit', 'scheduled', 'awaiting_approval'),
    ('deposit', 'scheduled', 'created'),
    ('deposit', 'scheduled', 'rejected'),
    ('deposit', 'scheduled', 'cancelled'),
    ('withdrawal', 'created', 'scheduled'),
    ('withdrawal', 'awaiting_approval', 'scheduled'),
    ('withdrawal', 'scheduled', 'awaiting_approval'),
    ('withdrawal', 'scheduled', 'awaiting_funds'),
    ('withdrawal', 'scheduled', 'reserved'),
    ('withdrawal', 'scheduled', 'failed'),
    ('withdrawal', 'scheduled', 'rejected'),
    ('withdrawal', 'scheduled', 'cancelled');

ALTER TABLE orders ADD COLUMN not_before BIGINT NOT NULL DEFAULT 0;  -- when a scheduled order is released; 0: it is none
ALTER TABLE orders ADD COLUMN released_at BIGINT NOT NULL DEFAULT 0; -- when it was released; from then on it counts for daily limits

ALTER TABLE orders DROP CONSTRAINT orders_state;
ALTER TABLE orders ADD CONSTRAINT orders_state CHECK (state IN (
    'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review',
    'succeeded', 'partially_paid', 'failed', 'rejected', 'expired', 'cancelled', 'refunded'
));

DROP INDEX orders_open;
DROP INDEX orders_state;
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);
CREATE INDEX orders_state ON orders (state, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);
CREATE INDEX orders_released ON orders (merchant, beneficiary, released_at) WHERE released_at > 0;

DROP TRIGGER orders_content ON orders;

CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, folded, kind, country, way, currency, amount, created_at,
    waits_for_funds, horizon, not_before ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');

-- The deadlines of a scheduled order begin with its release, which happens once.
CREATE TRIGGER orders_released BEFORE UPDATE OF released_at, approve_before, funds_before ON orders
    FOR EACH ROW WHEN (OLD.not_before = 0 OR OLD.released_at > 0 OR NEW.released_at = 0)
    EXECUTE FUNCTION refuse('the content of an order never changes');

-- No attempt begins before its time, whatever the worker's clock says.
-- +goose StatementBegin
CREATE FUNCTION submissions_not_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM orders WHERE id = NEW.order_id AND not_before > NEW.started_at) THEN
        RAISE EXCEPTION 'the order is not sent before its time' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER submissions_not_before BEFORE INSERT ON submissions
    FOR EACH ROW WHEN (NEW.ended_at = 0) EXECUTE FUNCTION submissions_not_before();
