-- Keyed hashes of the metadata of orders, to filter lists by. The metadata itself is
-- in the order's request. And orders that are sent at a time. The same columns as in ../postgres.

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

ALTER TABLE orders ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;  -- when a scheduled order is released; 0: it is none
ALTER TABLE orders ADD COLUMN released_at INTEGER NOT NULL DEFAULT 0; -- when it was released; from then on it counts for daily limits

-- SQLite has no statement that changes a CHECK. The text of the table may be changed
-- where the stored rows stay as they are: https://www.sqlite.org/lang_altertable.html
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''created'', ''awaiting_approval'', ''awaiting_funds''', '''created'', ''awaiting_approval'', ''scheduled'', ''awaiting_funds''')
    WHERE type = 'table' AND name = 'orders';
PRAGMA writable_schema = RESET;

DROP INDEX orders_open;
DROP INDEX orders_state;
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);
CREATE INDEX orders_state ON orders (state, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);
CREATE INDEX orders_released ON orders (merchant, beneficiary, released_at) WHERE released_at > 0;

DROP TRIGGER orders_content;

-- +goose StatementBegin
CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, folded, kind, country, way, currency, amount, created_at,
    waits_for_funds, horizon, not_before ON orders
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd

-- The deadlines of a scheduled order begin with its release, which happens once.
-- +goose StatementBegin
CREATE TRIGGER orders_released BEFORE UPDATE OF released_at, approve_before, funds_before ON orders
WHEN OLD.not_before = 0 OR OLD.released_at > 0 OR NEW.released_at = 0
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd

-- No attempt begins before its time, whatever the worker's clock says.
-- +goose StatementBegin
CREATE TRIGGER submissions_not_before BEFORE INSERT ON submissions
WHEN NEW.ended_at = 0 AND EXISTS (SELECT 1 FROM orders WHERE id = NEW.order_id AND not_before > NEW.started_at)
BEGIN
    SELECT RAISE(ABORT, 'the order is not sent before its time');
END;
-- +goose StatementEnd
