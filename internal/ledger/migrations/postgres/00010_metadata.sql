-- Keyed hashes of the metadata of orders, to filter lists by. The metadata itself is
-- in the order's request. The same columns as in ../sqlite.

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
