-- What a second person, an operator and a policy need: the audit, approvals,
-- waiting for funds, daily totals, proposals, breakers and closed
-- discrepancies. Migration 3, which is in Go because SQL on SQLite cannot
-- hash, fills beneficiaries and the audit of orders that are there already;
-- migration 4 puts the guards up.

-- +goose Up

DELETE FROM moves WHERE kind = 'deposit' AND from_state = 'awaiting_approval' AND to_state = 'submitting';
INSERT INTO moves (kind, from_state, to_state) VALUES ('deposit', 'awaiting_approval', 'created');

-- The orders opened on one day (UTC, days since 1970) that have not failed, been
-- rejected or cancelled, or expired: what daily limits are compared with.
ALTER TABLE books ADD COLUMN day BIGINT NOT NULL DEFAULT 0;
ALTER TABLE books ADD COLUMN day_withdrawals BIGINT NOT NULL DEFAULT 0;
ALTER TABLE books ADD COLUMN day_deposits BIGINT NOT NULL DEFAULT 0;

UPDATE books SET day = COALESCE((
    SELECT MAX(o.created_at) / 86400000 FROM orders o WHERE o.merchant = books.merchant AND o.currency = books.currency), 0);
UPDATE books SET
    day_withdrawals = COALESCE((
        SELECT SUM(o.amount) FROM orders o
        WHERE o.merchant = books.merchant AND o.currency = books.currency AND o.kind = 'withdrawal'
            AND o.created_at >= books.day * 86400000 AND o.state NOT IN ('failed', 'rejected', 'expired', 'cancelled')), 0),
    day_deposits = COALESCE((
        SELECT SUM(o.amount) FROM orders o
        WHERE o.merchant = books.merchant AND o.currency = books.currency AND o.kind = 'deposit'
            AND o.created_at >= books.day * 86400000 AND o.state NOT IN ('failed', 'rejected', 'expired', 'cancelled')), 0);

ALTER TABLE orders ADD COLUMN beneficiary TEXT NOT NULL DEFAULT ''; -- order.Request.Beneficiary
ALTER TABLE orders ADD COLUMN approve_before BIGINT NOT NULL DEFAULT 0; -- 0: needs no approval
ALTER TABLE orders ADD COLUMN waits_for_funds BIGINT NOT NULL DEFAULT 0 CHECK (waits_for_funds IN (0, 1)); -- when it comes short
ALTER TABLE orders ADD COLUMN audit_entries BIGINT NOT NULL DEFAULT 0; -- of its chain: how many,
ALTER TABLE orders ADD COLUMN audit_head BYTEA NOT NULL DEFAULT ''; -- and the hash of the last

CREATE INDEX orders_beneficiary ON orders (merchant, beneficiary, created_at) WHERE beneficiary <> '';

-- Everything that was done, and asked for and refused. Each entry's hash covers
-- its fields and the hash of the entry before it in its chain. An order has a
-- chain of its own, whose head is in its row; all else is in chains named
-- 'other', whose heads are in the table below: without number those of a
-- merchant, with number those of orders that we do not have.
CREATE TABLE audit (
    merchant     TEXT NOT NULL,
    number       TEXT NOT NULL,
    chain        TEXT NOT NULL CHECK (chain IN ('order', 'other')),
    seq          BIGINT NOT NULL CHECK (seq > 0),
    at           BIGINT NOT NULL,
    actor        TEXT NOT NULL CHECK (actor <> ''),
    action       TEXT NOT NULL CHECK (action <> ''),
    source       TEXT NOT NULL,
    evidence     TEXT NOT NULL,
    before_state TEXT NOT NULL, -- '' at the beginning
    after_state  TEXT NOT NULL,
    outcome      TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
    code         TEXT NOT NULL,
    text         TEXT NOT NULL,
    paid         BIGINT NOT NULL, -- of the order, then
    fee          BIGINT NOT NULL,
    mark         TEXT NOT NULL, -- of an action: tells a retry from a second one
    hash         BYTEA NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (merchant, number, chain, seq),
    CONSTRAINT audit_operator CHECK (
        outcome = 'refused' OR source <> 'operator'
        OR (actor <> 'system' AND (evidence <> '' OR action NOT IN ('settle', 'resolve')))
    ),
    CONSTRAINT audit_refused CHECK (outcome = 'done' OR (before_state = after_state AND code <> ''))
);

CREATE TABLE chains (
    merchant TEXT NOT NULL,
    number   TEXT NOT NULL,
    entries  BIGINT NOT NULL,
    head     BYTEA NOT NULL,
    PRIMARY KEY (merchant, number)
);

-- What one person proposes for an order in review, until another confirms it.
CREATE TABLE proposals (
    order_id BIGINT PRIMARY KEY REFERENCES orders (id),
    state    TEXT NOT NULL,
    paid     BIGINT NOT NULL,
    fee      BIGINT NOT NULL,
    actor    TEXT NOT NULL CHECK (actor <> ''),
    why      TEXT NOT NULL,
    evidence TEXT NOT NULL,
    at       BIGINT NOT NULL
);

-- Merchants whose orders are not submitted, because the gateway refuses every
-- call of theirs.
CREATE TABLE breakers (
    merchant    TEXT PRIMARY KEY CHECK (merchant <> ''),
    since       BIGINT NOT NULL,
    reason_code TEXT NOT NULL,
    reason_text TEXT NOT NULL,
    probe_at    BIGINT NOT NULL
);

ALTER TABLE discrepancies ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0; -- 0: open
ALTER TABLE discrepancies ADD COLUMN closed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE discrepancies ADD COLUMN closed_why TEXT NOT NULL DEFAULT '';

CREATE INDEX discrepancies_open ON discrepancies (at, id) WHERE closed_at = 0;
