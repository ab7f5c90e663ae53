-- What the gateway says of its transactions, one by one, and up to when that has
-- been compared with the orders.

-- +goose Up

-- The newest word on each of the gateway's orders, from its history or from a
-- query. Who paid and who was paid is never kept. Amounts are minor units, -1
-- where the gateway's text could not be read.
CREATE TABLE gateway_records (
    merchant   TEXT    NOT NULL CHECK (merchant <> ''),
    gateway_id TEXT    NOT NULL CHECK (gateway_id <> ''),
    number     TEXT    NOT NULL, -- '': the gateway left it out, and we know no order of that gateway_id
    kind       INTEGER NOT NULL, -- the gateway's bizType: 1 deposit, 2 withdrawal, 3 and 4 the merchant's own
    state      INTEGER NOT NULL, -- the gateway's
    currency   TEXT    NOT NULL,
    amount     INTEGER NOT NULL, -- what was asked for
    paid       INTEGER NOT NULL, -- what moved, the fee not counted; 0 unless it says paid
    fee        INTEGER NOT NULL,
    created_at INTEGER NOT NULL, -- at the gateway; 0: not told
    source     TEXT    NOT NULL CHECK (source IN ('history', 'query')), -- of the first word: history, once it was listed there
    first_at   INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (merchant, gateway_id)
) STRICT;

CREATE INDEX gateway_records_number ON gateway_records (merchant, number, gateway_id);

-- Up to when a merchant's transactions have been compared, without a gap.
CREATE TABLE reconciled (
    merchant TEXT   PRIMARY KEY CHECK (merchant <> ''),
    up_to    INTEGER NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

-- The orders that ended in a span of time, and the order of a gateway's id.
CREATE INDEX orders_ended ON orders (merchant, updated_at, id)
    WHERE state IN ('succeeded', 'partially_paid', 'failed', 'expired', 'refunded');
CREATE INDEX orders_gateway_id ON orders (merchant, gateway_id) WHERE gateway_id <> '';

-- When a comparison of transactions last met with it; 0: none did.
ALTER TABLE discrepancies ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX discrepancies_seen ON discrepancies (merchant, seen_at) WHERE closed_at = 0;
