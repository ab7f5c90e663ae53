-- What is paid and then returned can be booked whichever end it had; one order
-- of the gateway belongs to one of ours; numbers that differ in capitals only are
-- one number; a callback that cannot be passed on says why.

-- +goose Up

INSERT INTO moves (kind, from_state, to_state) VALUES
    ('deposit', 'partially_paid', 'refunded'),
    ('deposit', 'expired', 'refunded');

ALTER TABLE orders DROP CONSTRAINT orders_paid;
ALTER TABLE orders ADD CONSTRAINT orders_paid CHECK (
    CASE state
        WHEN 'succeeded' THEN paid = amount
        WHEN 'refunded' THEN paid = amount OR (kind = 'deposit' AND paid > 0 AND paid < amount)
        WHEN 'partially_paid' THEN paid > 0 AND paid < amount
        WHEN 'expired' THEN paid >= 0 AND paid <= amount
        ELSE paid = 0
    END
);

-- Of orders that share one of the gateway's, the oldest keeps it. The others say
-- so to a person.
INSERT INTO discrepancies (merchant, number, code, mark, detail, at)
SELECT o.merchant, o.number, 'GATEWAY_ORDER_SHARED', o.gateway_id,
    'gateway order ' || o.gateway_id || ' belongs to order ' || f.number || ', and was on record for this one, too', o.updated_at
FROM orders o JOIN orders f ON f.id = (
    SELECT MIN(x.id) FROM orders x WHERE x.merchant = o.merchant AND x.gateway_id = o.gateway_id AND x.gateway_id <> '')
WHERE o.gateway_id <> '' AND f.id < o.id
ON CONFLICT (merchant, number, code, mark) DO NOTHING;

UPDATE orders SET gateway_id = '' WHERE gateway_id <> '' AND EXISTS (
    SELECT 1 FROM orders x WHERE x.merchant = orders.merchant AND x.gateway_id = orders.gateway_id AND x.id < orders.id);

DROP INDEX orders_gateway_id;
CREATE UNIQUE INDEX orders_gateway_id ON orders (merchant, gateway_id) WHERE gateway_id <> '';

-- The number in small letters. Empty: an order from before that has a twin.
ALTER TABLE orders ADD COLUMN folded TEXT NOT NULL DEFAULT '';

UPDATE orders SET folded = lower(number) WHERE NOT EXISTS (
    SELECT 1 FROM orders x WHERE x.merchant = orders.merchant AND lower(x.number) = lower(orders.number) AND x.id < orders.id);

CREATE UNIQUE INDEX orders_folded ON orders (merchant, folded) WHERE folded <> '';

-- +goose StatementBegin
CREATE TRIGGER orders_folded_stays BEFORE UPDATE OF folded ON orders
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd

-- The fee in the gateway's own words where it is finer than the currency, and
-- what such fees add up to beyond what is booked, in millionths of a minor unit.
ALTER TABLE orders ADD COLUMN fee_text TEXT NOT NULL DEFAULT '';
ALTER TABLE books ADD COLUMN fee_rest INTEGER NOT NULL DEFAULT 0 CHECK (fee_rest >= 0);

-- Why a callback cannot be passed on, for reasons of its own, since when, and
-- when somebody last looked after it.
ALTER TABLE inbox ADD COLUMN problem TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox ADD COLUMN problem_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN told_at INTEGER NOT NULL DEFAULT 0;

CREATE INDEX inbox_problems ON inbox (problem_at, id) WHERE problem_at > 0;

-- Of the open orders, what was sent: nothing else explains a difference. What fees
-- were finer than is booked explains one, too. A difference that nothing explains
-- is drift when the comparison before has shown the same.
ALTER TABLE snapshots ADD COLUMN sent_withdrawal_amount INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN sent_deposit_amount INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN fee_rest INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN unexplained INTEGER NOT NULL DEFAULT 0 CHECK (unexplained IN (0, 1));
