-- Keyed hashes of the metadata of orders, to filter lists by. The metadata itself is
-- in the order's request. The same columns as in ../postgres.

-- +goose Up

-- hash is as orders.beneficiary is: of a key and its value, with the data key. '' is
-- one of an order that was erased.
CREATE TABLE order_metadata (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    place    INTEGER NOT NULL CHECK (place > 0), -- among the order's keys, which are sorted
    merchant TEXT    NOT NULL CHECK (merchant <> ''),
    hash     TEXT    NOT NULL,
    PRIMARY KEY (order_id, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX order_metadata_hash ON order_metadata (hash, merchant, order_id) WHERE hash <> '';

-- Only the hash may change: with the data key, or when the order is erased.
-- +goose StatementBegin
CREATE TRIGGER order_metadata_content BEFORE UPDATE ON order_metadata
WHEN NEW.order_id <> OLD.order_id OR NEW.place <> OLD.place OR NEW.merchant <> OLD.merchant OR OLD.hash = '' AND NEW.hash <> ''
BEGIN
    SELECT RAISE(ABORT, 'the metadata of an order never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER order_metadata_kept BEFORE DELETE ON order_metadata
BEGIN
    SELECT RAISE(ABORT, 'the metadata of orders is kept');
END;
-- +goose StatementEnd
