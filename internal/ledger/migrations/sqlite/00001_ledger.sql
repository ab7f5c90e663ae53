-- The ledger on SQLite: the same tables as in ../postgres, in the same order.
-- Amounts are whole minor units. Times are Unix milliseconds UTC; 0 is never.
-- STRICT makes SQLite refuse what is not a whole number where one belongs.
--
--  1. Moves          which changes of state an order may make
--  2. Books          a merchant's balances
--  3. Orders         orders, their submissions, proposals for those in review
--  4. Audit          everything that was done, chained by hashes
--  5. Transfers      amounts moved, and the adjustments that people book
--  6. The gateway    callbacks, breakers, records, snapshots, discrepancies
--  7. The system     restores, compared workflows, what workers know

-- +goose Up

-- 1. Moves -------------------------------------------------------------------

-- The state table of package order, for the trigger orders_move: whatever
-- is not listed is forbidden.
CREATE TABLE moves (
    kind       TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    PRIMARY KEY (kind, from_state, to_state)
) STRICT;

INSERT INTO moves (kind, from_state, to_state) VALUES
    ('deposit', 'created', 'awaiting_approval'),
    ('deposit', 'created', 'submitting'),
    ('deposit', 'created', 'rejected'),
    ('deposit', 'created', 'cancelled'),
    ('deposit', 'awaiting_approval', 'created'),
    ('deposit', 'awaiting_approval', 'rejected'),
    ('deposit', 'awaiting_approval', 'cancelled'),
    ('deposit', 'submitting', 'submitted'),
    ('deposit', 'submitting', 'unknown'),
    ('deposit', 'submitting', 'failed'),
    ('deposit', 'submitting', 'succeeded'),
    ('deposit', 'submitting', 'partially_paid'),
    ('deposit', 'submitting', 'expired'),
    ('deposit', 'submitting', 'in_review'),
    ('deposit', 'submitting', 'cancelled'),
    ('deposit', 'unknown', 'submitting'),
    ('deposit', 'unknown', 'submitted'),
    ('deposit', 'unknown', 'succeeded'),
    ('deposit', 'unknown', 'partially_paid'),
    ('deposit', 'unknown', 'failed'),
    ('deposit', 'unknown', 'expired'),
    ('deposit', 'unknown', 'in_review'),
    ('deposit', 'submitted', 'succeeded'),
    ('deposit', 'submitted', 'partially_paid'),
    ('deposit', 'submitted', 'failed'),
    ('deposit', 'submitted', 'expired'),
    ('deposit', 'submitted', 'in_review'),
    ('deposit', 'in_review', 'succeeded'),
    ('deposit', 'in_review', 'partially_paid'),
    ('deposit', 'in_review', 'failed'),
    ('deposit', 'in_review', 'expired'),
    ('deposit', 'succeeded', 'refunded'),
    ('deposit', 'partially_paid', 'refunded'),
    ('deposit', 'expired', 'refunded'),
    ('withdrawal', 'created', 'awaiting_approval'),
    ('withdrawal', 'created', 'awaiting_funds'),
    ('withdrawal', 'created', 'reserved'),
    ('withdrawal', 'created', 'failed'),
    ('withdrawal', 'created', 'rejected'),
    ('withdrawal', 'created', 'cancelled'),
    ('withdrawal', 'awaiting_approval', 'awaiting_funds'),
    ('withdrawal', 'awaiting_approval', 'reserved'),
    ('withdrawal', 'awaiting_approval', 'failed'),
    ('withdrawal', 'awaiting_approval', 'rejected'),
    ('withdrawal', 'awaiting_approval', 'cancelled'),
    ('withdrawal', 'awaiting_funds', 'reserved'),
    ('withdrawal', 'awaiting_funds', 'failed'),
    ('withdrawal', 'awaiting_funds', 'cancelled'),
    ('withdrawal', 'reserved', 'submitting'),
    ('withdrawal', 'reserved', 'cancelled'),
    ('withdrawal', 'submitting', 'submitted'),
    ('withdrawal', 'submitting', 'unknown'),
    ('withdrawal', 'submitting', 'failed'),
    ('withdrawal', 'submitting', 'succeeded'),
    ('withdrawal', 'submitting', 'in_review'),
    ('withdrawal', 'submitting', 'cancelled'),
    ('withdrawal', 'unknown', 'submitting'),
    ('withdrawal', 'unknown', 'submitted'),
    ('withdrawal', 'unknown', 'succeeded'),
    ('withdrawal', 'unknown', 'failed'),
    ('withdrawal', 'unknown', 'in_review'),
    ('withdrawal', 'submitted', 'succeeded'),
    ('withdrawal', 'submitted', 'failed'),
    ('withdrawal', 'submitted', 'in_review'),
    ('withdrawal', 'in_review', 'succeeded'),
    ('withdrawal', 'in_review', 'failed'),
    ('withdrawal', 'succeeded', 'refunded');

-- 2. Books -------------------------------------------------------------------

-- One row per merchant and currency, one column per account. A single row
-- makes a reservation one conditional UPDATE and leaves nothing to deadlock
-- over; the checks hold whatever writes here.
CREATE TABLE books (
    merchant        TEXT    NOT NULL CHECK (merchant <> ''),
    currency        TEXT    NOT NULL CHECK (length(currency) = 3),
    opening         INTEGER NOT NULL,
    available       INTEGER NOT NULL,
    in_flight       INTEGER NOT NULL,
    paid_out        INTEGER NOT NULL DEFAULT 0,
    received        INTEGER NOT NULL DEFAULT 0,
    fees            INTEGER NOT NULL DEFAULT 0,
    settled         INTEGER NOT NULL DEFAULT 0,
    suspense        INTEGER NOT NULL DEFAULT 0,
    opened_at       INTEGER NOT NULL,

    -- The orders opened on one day (UTC, days since 1970) that have not failed,
    -- been rejected or cancelled, or expired. Daily limits are compared with it.
    day             INTEGER NOT NULL DEFAULT 0,
    day_withdrawals INTEGER NOT NULL DEFAULT 0,
    day_deposits    INTEGER NOT NULL DEFAULT 0,

    -- What fees add up to beyond what is booked, in millionths of a minor unit.
    fee_rest        INTEGER NOT NULL DEFAULT 0 CHECK (fee_rest >= 0),

    PRIMARY KEY (merchant, currency),
    CONSTRAINT books_balance CHECK (
        opening + available + in_flight + paid_out + received + fees + settled + suspense = 0
    ),
    CONSTRAINT books_in_flight CHECK (in_flight >= 0)
) STRICT;

-- 3. Orders ------------------------------------------------------------------

CREATE TABLE orders (
    id              INTEGER PRIMARY KEY,

    -- The content. It never changes.
    merchant        TEXT    NOT NULL CHECK (merchant <> ''),
    number          TEXT    NOT NULL CHECK (number <> ''),
    folded          TEXT    NOT NULL DEFAULT '', -- the number in small letters
    kind            TEXT    NOT NULL CHECK (kind IN ('deposit', 'withdrawal')),
    country         TEXT    NOT NULL,
    way             TEXT    NOT NULL,
    currency        TEXT    NOT NULL CHECK (length(currency) = 3),
    amount          INTEGER NOT NULL CHECK (amount > 0),
    beneficiary     TEXT    NOT NULL DEFAULT '', -- order.Request.Beneficiary
    fingerprint     TEXT    NOT NULL CHECK (fingerprint <> ''),
    request         TEXT    NOT NULL, -- JSON, whole; holds personal data
    created_at      INTEGER NOT NULL,

    -- The terms that it was opened on. They never change.
    approve_before  INTEGER NOT NULL DEFAULT 0, -- 0: needs no approval
    waits_for_funds INTEGER NOT NULL DEFAULT 0 CHECK (waits_for_funds IN (0, 1)), -- when the balance does not cover it
    funds_before    INTEGER NOT NULL DEFAULT 0, -- 0: does not wait for funds
    horizon         INTEGER NOT NULL DEFAULT 0, -- milliseconds; 0: the worker's setting

    -- Where it stands.
    state           TEXT    NOT NULL,
    gateway_id      TEXT    NOT NULL DEFAULT '',
    paid            INTEGER NOT NULL DEFAULT 0,
    fee             INTEGER NOT NULL DEFAULT 0 CHECK (fee >= 0),
    fee_text        TEXT    NOT NULL DEFAULT '', -- the gateway's own, where it is finer than the currency
    reason_code     TEXT    NOT NULL DEFAULT '',
    reason_text     TEXT    NOT NULL DEFAULT '',
    instructions    TEXT    NOT NULL DEFAULT '', -- JSON
    attempts        INTEGER NOT NULL DEFAULT 0,
    updated_at      INTEGER NOT NULL,

    -- The workflow run that opened the order, or has driven it since.
    run             TEXT    NOT NULL DEFAULT '',
    -- From when on the next create asks the gateway first, because what was sent
    -- before may not be on record. 0: it need not.
    ask_first       INTEGER NOT NULL DEFAULT 0,

    -- The order's chain of the audit: its length, and the hash of its last entry.
    audit_entries   INTEGER NOT NULL DEFAULT 0,
    audit_head      BLOB    NOT NULL DEFAULT x'',

    UNIQUE (merchant, number),
    CONSTRAINT orders_state CHECK (state IN (
        'created', 'awaiting_approval', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review',
        'succeeded', 'partially_paid', 'failed', 'rejected', 'expired', 'cancelled', 'refunded'
    )),
    CONSTRAINT orders_paid CHECK (
        CASE state
            WHEN 'succeeded' THEN paid = amount
            WHEN 'refunded' THEN paid = amount OR (kind = 'deposit' AND paid > 0 AND paid < amount)
            WHEN 'partially_paid' THEN paid > 0 AND paid < amount
            WHEN 'expired' THEN paid >= 0 AND paid <= amount
            ELSE paid = 0
        END
    )
) STRICT;

-- One number, however it is capitalised; one order per order of the gateway.
CREATE UNIQUE INDEX orders_folded ON orders (merchant, folded) WHERE folded <> '';
CREATE UNIQUE INDEX orders_gateway_id ON orders (merchant, gateway_id) WHERE gateway_id <> '';

CREATE INDEX orders_created ON orders (created_at, id);
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);
-- Counts of the orders in a state that need a person.
CREATE INDEX orders_state ON orders (state, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);
CREATE INDEX orders_ended ON orders (merchant, updated_at, id)
    WHERE state IN ('succeeded', 'partially_paid', 'failed', 'expired', 'refunded');
CREATE INDEX orders_beneficiary ON orders (merchant, beneficiary, created_at) WHERE beneficiary <> '';

-- +goose StatementBegin
CREATE TRIGGER orders_move BEFORE UPDATE OF state ON orders
WHEN OLD.state <> NEW.state AND NOT EXISTS (
    SELECT 1 FROM moves WHERE kind = OLD.kind AND from_state = OLD.state AND to_state = NEW.state
)
BEGIN
    SELECT RAISE(ABORT, 'the state table does not allow this change of state');
END;
-- +goose StatementEnd

-- An order that was tried to be sent may be cancelled as long as the gateway
-- cannot have heard of it.
-- +goose StatementBegin
CREATE TRIGGER orders_cancel BEFORE UPDATE OF state ON orders
WHEN OLD.state = 'submitting' AND NEW.state = 'cancelled'
    AND EXISTS (SELECT 1 FROM submissions WHERE order_id = OLD.id AND outcome NOT IN ('unsent', 'paused'))
BEGIN
    SELECT RAISE(ABORT, 'an order that the gateway may have heard of is not cancelled');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, folded, kind, country, way, currency, amount, beneficiary, fingerprint, request, created_at,
    approve_before, waits_for_funds, funds_before, horizon ON orders
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER orders_kept BEFORE DELETE ON orders
BEGIN
    SELECT RAISE(ABORT, 'orders are kept');
END;
-- +goose StatementEnd

-- One row per create that was about to be sent, written before it is sent and
-- completed after. An empty outcome is an attempt whose end nobody wrote down.
CREATE TABLE submissions (
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    attempt     INTEGER NOT NULL CHECK (attempt > 0),
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL DEFAULT 0,
    outcome     TEXT    NOT NULL DEFAULT '' CHECK (outcome IN ('', 'accepted', 'refused', 'ambiguous', 'paused', 'unsent')),
    reason_code TEXT    NOT NULL DEFAULT '',
    reason_text TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, attempt)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER submissions_kept BEFORE DELETE ON submissions
BEGIN
    SELECT RAISE(ABORT, 'submissions are kept');
END;
-- +goose StatementEnd

-- What one person proposes for an order in review, until another confirms it.
CREATE TABLE proposals (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id),
    state    TEXT    NOT NULL,
    paid     INTEGER NOT NULL,
    fee      INTEGER NOT NULL,
    actor    TEXT    NOT NULL CHECK (actor <> ''),
    why      TEXT    NOT NULL,
    evidence TEXT    NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

-- 4. Audit -------------------------------------------------------------------

-- Everything that was done, and asked for and refused. Append-only. Each entry's
-- hash covers its fields and the hash of the entry before it in its chain. An
-- order has a chain of its own, whose head is in its row; all else is in chains
-- named 'other', whose heads are in the table chains: without number those of a
-- merchant, with number those of orders that we do not have.
CREATE TABLE audit (
    merchant     TEXT    NOT NULL,
    number       TEXT    NOT NULL,
    chain        TEXT    NOT NULL CHECK (chain IN ('order', 'other')),
    seq          INTEGER NOT NULL CHECK (seq > 0),
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL CHECK (actor <> ''),
    action       TEXT    NOT NULL CHECK (action <> ''),
    source       TEXT    NOT NULL,
    evidence     TEXT    NOT NULL,
    before_state TEXT    NOT NULL, -- '' at the beginning
    after_state  TEXT    NOT NULL,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('done', 'refused')),
    code         TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    paid         INTEGER NOT NULL, -- of the order, then
    fee          INTEGER NOT NULL,
    mark         TEXT    NOT NULL, -- of an action: tells a retry from a second one
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (merchant, number, chain, seq),
    CONSTRAINT audit_operator CHECK (
        outcome = 'refused' OR source <> 'operator'
        OR (actor <> 'system' AND (evidence <> '' OR action NOT IN ('settle', 'resolve')))
    ),
    CONSTRAINT audit_refused CHECK (outcome = 'done' OR (before_state = after_state AND code <> ''))
) STRICT, WITHOUT ROWID;

-- Refused starts, to find one by the order's number.
CREATE INDEX audit_refused_starts ON audit (evidence) WHERE action = 'refuse_start';

-- +goose StatementBegin
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
-- +goose StatementEnd

CREATE TABLE chains (
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    entries  INTEGER NOT NULL,
    head     BLOB    NOT NULL,
    PRIMARY KEY (merchant, number)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER chains_kept BEFORE DELETE ON chains
BEGIN
    SELECT RAISE(ABORT, 'the heads of the audit are kept');
END;
-- +goose StatementEnd

-- 5. Transfers ---------------------------------------------------------------

-- What people book by hand, always two of them: money that moved at the gateway
-- and belongs to no order.
CREATE TABLE adjustments (
    id          INTEGER PRIMARY KEY,
    merchant    TEXT    NOT NULL CHECK (merchant <> ''),
    ref         TEXT    NOT NULL CHECK (ref <> ''), -- the first person's own
    currency    TEXT    NOT NULL CHECK (length(currency) = 3),
    kind        TEXT    NOT NULL CONSTRAINT adjustments_kind CHECK (kind IN (
        'top_up', 'settlement', 'fee', 'fee_refund', 'frozen_paid', 'frozen_returned', 'correction_in', 'correction_out'
    )),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    actor       TEXT    NOT NULL CHECK (actor <> ''),
    why         TEXT    NOT NULL CHECK (why <> ''),
    evidence    TEXT    NOT NULL CHECK (evidence <> ''),
    proposed_at INTEGER NOT NULL,
    state       TEXT    NOT NULL CONSTRAINT adjustments_state CHECK (state IN ('proposed', 'booked', 'rejected')),
    decided_by  TEXT    NOT NULL DEFAULT '',
    decided_at  INTEGER NOT NULL DEFAULT 0,
    decided_why TEXT    NOT NULL DEFAULT '',
    UNIQUE (merchant, ref),
    CONSTRAINT adjustments_decided CHECK (
        CASE state WHEN 'proposed' THEN decided_by = '' AND decided_at = 0 ELSE decided_by <> '' AND decided_at > 0 END
    ),
    CONSTRAINT adjustments_two_persons CHECK (state <> 'booked' OR lower(trim(decided_by)) <> lower(trim(actor)))
) STRICT;

CREATE INDEX adjustments_open ON adjustments (proposed_at, id) WHERE state = 'proposed';

-- +goose StatementBegin
CREATE TRIGGER adjustments_content BEFORE UPDATE OF
    id, merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at ON adjustments
BEGIN
    SELECT RAISE(ABORT, 'the content of an adjustment never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER adjustments_stay_decided BEFORE UPDATE ON adjustments
WHEN OLD.state <> 'proposed'
BEGIN
    SELECT RAISE(ABORT, 'an adjustment is decided once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER adjustments_begin BEFORE INSERT ON adjustments
WHEN NEW.state <> 'proposed'
BEGIN
    SELECT RAISE(ABORT, 'an adjustment begins as a proposal');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER adjustments_kept BEFORE DELETE ON adjustments
BEGIN
    SELECT RAISE(ABORT, 'adjustments are kept');
END;
-- +goose StatementEnd

-- Amounts moved from one account to another. Append-only: a mistake is undone
-- by another transfer. Each belongs to an order, to an adjustment, or to the
-- opening of the books. An order makes each of its transfers once, an adjustment
-- its only one, and so do books when they are opened.
CREATE TABLE transfers (
    id            INTEGER PRIMARY KEY,
    order_id      INTEGER REFERENCES orders (id),
    adjustment_id INTEGER REFERENCES adjustments (id)
        CONSTRAINT transfers_of_one CHECK (adjustment_id IS NULL OR order_id IS NULL),
    merchant      TEXT    NOT NULL,
    currency      TEXT    NOT NULL,
    reason        TEXT    NOT NULL CHECK (reason <> ''),
    from_account  TEXT    NOT NULL,
    to_account    TEXT    NOT NULL,
    amount        INTEGER NOT NULL CHECK (amount > 0),
    at            INTEGER NOT NULL,
    CONSTRAINT transfers_accounts CHECK (
        from_account <> to_account
        AND from_account IN ('opening', 'available', 'in_flight', 'paid_out', 'received', 'fees', 'settled', 'suspense')
        AND to_account IN ('opening', 'available', 'in_flight', 'paid_out', 'received', 'fees', 'settled', 'suspense')
    )
) STRICT;

CREATE UNIQUE INDEX transfers_order ON transfers (order_id, reason) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX transfers_adjustment ON transfers (adjustment_id) WHERE adjustment_id IS NOT NULL;
CREATE UNIQUE INDEX transfers_opening ON transfers (merchant, currency, reason) WHERE order_id IS NULL AND adjustment_id IS NULL;

-- +goose StatementBegin
CREATE TRIGGER transfers_adjusted BEFORE INSERT ON transfers
WHEN NEW.adjustment_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM adjustments a
    WHERE a.id = NEW.adjustment_id AND a.state = 'booked' AND a.merchant = NEW.merchant AND a.currency = NEW.currency
        AND a.amount = NEW.amount AND NEW.reason = 'adjust_' || a.kind
)
BEGIN
    SELECT RAISE(ABORT, 'a transfer of an adjustment is what two persons have decided');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transfers_never_change BEFORE UPDATE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transfers_kept BEFORE DELETE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;
-- +goose StatementEnd

-- 6. The gateway -------------------------------------------------------------

-- Verified callbacks, as they came. The id is the fingerprint of what one says.
CREATE TABLE inbox (
    id         TEXT    PRIMARY KEY CHECK (id <> ''),
    merchant   TEXT    NOT NULL,
    number     TEXT    NOT NULL,
    callback   TEXT    NOT NULL, -- JSON
    body       BLOB    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('stored', 'unmatched', 'signalled', 'late', 'done')),
    received   INTEGER NOT NULL CHECK (received > 0), -- how many times
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    problem    TEXT    NOT NULL DEFAULT '', -- why it cannot be passed on, for a reason of its own;
    problem_at INTEGER NOT NULL DEFAULT 0,  -- since when; and
    told_at    INTEGER NOT NULL DEFAULT 0   -- when passing it on was last tried
) STRICT;

CREATE INDEX inbox_order ON inbox (merchant, number);
CREATE INDEX inbox_status ON inbox (status, first_at, id);
CREATE INDEX inbox_problems ON inbox (problem_at, id) WHERE problem_at > 0;

-- Merchants whose orders are not submitted, because the gateway refuses every
-- call of theirs.
CREATE TABLE breakers (
    merchant    TEXT    PRIMARY KEY CHECK (merchant <> ''),
    since       INTEGER NOT NULL,
    reason_code TEXT    NOT NULL,
    reason_text TEXT    NOT NULL,
    probe_at    INTEGER NOT NULL
) STRICT;

-- The newest word on each of the gateway's orders, from its history or from a
-- query. Who paid and who was paid is never kept. Amounts are -1 where the
-- gateway's text could not be read.
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
    merchant TEXT    PRIMARY KEY CHECK (merchant <> ''),
    up_to    INTEGER NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

-- The gateway's balance beside ours, at one moment.
CREATE TABLE snapshots (
    id                     INTEGER PRIMARY KEY,
    merchant               TEXT    NOT NULL,
    currency               TEXT    NOT NULL,
    at                     INTEGER NOT NULL,
    gateway_available      INTEGER NOT NULL,
    gateway_frozen         INTEGER NOT NULL,
    ledger_available       INTEGER NOT NULL,
    ledger_in_flight       INTEGER NOT NULL,
    open_withdrawals       INTEGER NOT NULL,
    open_withdrawal_amount INTEGER NOT NULL,
    open_deposits          INTEGER NOT NULL,
    open_deposit_amount    INTEGER NOT NULL,

    -- What explains a difference: open orders that were sent, and fees that were
    -- finer than is booked. A difference that nothing explains is drift when the
    -- comparison before has shown the same.
    sent_withdrawal_amount INTEGER NOT NULL DEFAULT 0,
    sent_deposit_amount    INTEGER NOT NULL DEFAULT 0,
    fee_rest               INTEGER NOT NULL DEFAULT 0,
    unexplained            INTEGER NOT NULL DEFAULT 0 CHECK (unexplained IN (0, 1)),
    drift                  INTEGER NOT NULL,
    verdict                TEXT    NOT NULL CHECK (verdict IN ('agreed', 'unsettled', 'drift')),
    CONSTRAINT snapshots_drift CHECK (drift = gateway_available + gateway_frozen - ledger_available - ledger_in_flight)
) STRICT;

CREATE INDEX snapshots_merchant ON snapshots (merchant, id);
-- Which merchants' latest snapshot drifts, and since when.
CREATE INDEX snapshots_books ON snapshots (merchant, currency, id);
CREATE INDEX snapshots_not_drifting ON snapshots (merchant, currency, id) WHERE verdict <> 'drift';

-- Differences between our books and the gateway's word, each once. The order
-- need not be one of ours.
CREATE TABLE discrepancies (
    id         INTEGER PRIMARY KEY,
    merchant   TEXT    NOT NULL,
    number     TEXT    NOT NULL,
    code       TEXT    NOT NULL CHECK (code <> ''),
    mark       TEXT    NOT NULL, -- what tells two of the same code apart
    detail     TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL DEFAULT 0, -- when a comparison of transactions last met with it; 0: none did
    closed_at  INTEGER NOT NULL DEFAULT 0, -- 0: open
    closed_by  TEXT    NOT NULL DEFAULT '',
    closed_why TEXT    NOT NULL DEFAULT '',
    UNIQUE (merchant, number, code, mark)
) STRICT;

CREATE INDEX discrepancies_open ON discrepancies (at, id) WHERE closed_at = 0;
CREATE INDEX discrepancies_seen ON discrepancies (merchant, seen_at) WHERE closed_at = 0;

-- +goose StatementBegin
CREATE TRIGGER discrepancies_kept BEFORE DELETE ON discrepancies
BEGIN
    SELECT RAISE(ABORT, 'discrepancies are closed, not deleted');
END;
-- +goose StatementEnd

-- 7. The system --------------------------------------------------------------

-- Older copies of the ledger that were restored, and when what they lost had been
-- dealt with. The last row counts.
CREATE TABLE restores (
    id    INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    actor TEXT    NOT NULL CHECK (actor <> ''),
    why   TEXT    NOT NULL CHECK (why <> ''),
    ended INTEGER NOT NULL CHECK (ended IN (0, 1))
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER restores_never_change BEFORE UPDATE ON restores
BEGIN
    SELECT RAISE(ABORT, 'restores are kept');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER restores_kept BEFORE DELETE ON restores
BEGIN
    SELECT RAISE(ABORT, 'restores are kept');
END;
-- +goose StatementEnd

-- Up to which start of an order's workflow Temporal has been compared with the
-- orders. An older copy of the ledger that is restored has an older one, so what
-- it lost is compared again.
CREATE TABLE compared_workflows (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    up_to INTEGER NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

-- What some worker knows: the merchants that it is configured with, and the
-- profiles of countries that it was built with. A worker that lacks one of them
-- leaves the order to another worker.
CREATE TABLE known (
    kind     TEXT    NOT NULL CHECK (kind IN ('merchant', 'profile')),
    name     TEXT    NOT NULL CHECK (name <> ''), -- the merchant's number; the profile's country
    value    TEXT    NOT NULL,                    -- the merchant's country; the profile's SHA-256
    first_at INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL,                    -- when a worker last said so
    PRIMARY KEY (kind, name, value)
) STRICT;
