-- The ledger on SQLite: the same tables as in ../postgres, in the same order.
-- Amounts are whole minor units. Times are Unix milliseconds UTC; 0 is never.
-- STRICT makes SQLite refuse what is not a whole number where one belongs.
--
--  1. Moves          which changes of state an order may make
--  2. Data keys      what personal data is encrypted with
--  3. Books          a merchant's balances
--  4. Orders         orders, attempts to send them, proposals for those in review, stops
--  5. Audit          everything that was done, chained by hashes, and its checkpoints
--  6. Decisions      what one person signed about many orders
--  7. Transfers      amounts moved, the adjustments that people book, days that are closed
--  8. The gateway    callbacks, breakers, records, statements, snapshots, discrepancies
--  9. Events         what finance systems are told, and their webhooks
-- 10. Batches        files of payouts
-- 11. The system     restores, compared workflows, what workers know, sessions that ended
--
-- A column data_key has the row's own key, wrapped with the data key of that name: see
-- docs/decisions/0013-personal-data.md. The texts of such a row begin with "enc1.". '' is a
-- row in clear.

-- +goose Up
-- +goose StatementBegin

-- 1. Moves -------------------------------------------------------------------

-- The state table of package order, for the trigger orders_move: whatever
-- is not listed is forbidden.
CREATE TABLE moves (
    kind       TEXT    NOT NULL,
    from_state TEXT    NOT NULL,
    to_state   TEXT    NOT NULL,
    PRIMARY KEY (kind, from_state, to_state)
) STRICT;

INSERT INTO moves (kind, from_state, to_state) VALUES
    ('deposit', 'created', 'awaiting_approval'),
    ('deposit', 'created', 'submitting'),
    ('deposit', 'created', 'rejected'),
    ('deposit', 'created', 'cancelled'),
    ('deposit', 'created', 'scheduled'),
    ('deposit', 'awaiting_approval', 'created'),
    ('deposit', 'awaiting_approval', 'rejected'),
    ('deposit', 'awaiting_approval', 'cancelled'),
    ('deposit', 'awaiting_approval', 'scheduled'),
    ('deposit', 'scheduled', 'awaiting_approval'),
    ('deposit', 'scheduled', 'created'),
    ('deposit', 'scheduled', 'rejected'),
    ('deposit', 'scheduled', 'cancelled'),
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
    ('withdrawal', 'created', 'scheduled'),
    ('withdrawal', 'awaiting_approval', 'awaiting_funds'),
    ('withdrawal', 'awaiting_approval', 'reserved'),
    ('withdrawal', 'awaiting_approval', 'failed'),
    ('withdrawal', 'awaiting_approval', 'rejected'),
    ('withdrawal', 'awaiting_approval', 'cancelled'),
    ('withdrawal', 'awaiting_approval', 'scheduled'),
    ('withdrawal', 'scheduled', 'awaiting_approval'),
    ('withdrawal', 'scheduled', 'awaiting_funds'),
    ('withdrawal', 'scheduled', 'reserved'),
    ('withdrawal', 'scheduled', 'failed'),
    ('withdrawal', 'scheduled', 'rejected'),
    ('withdrawal', 'scheduled', 'cancelled'),
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

-- 2. Data keys ---------------------------------------------------------------

-- The data keys that something is encrypted with. The proof shows whether a process
-- has the same key under that name. A process needs no key that is retired.
CREATE TABLE data_keys (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    proof      TEXT    NOT NULL,
    first_at   INTEGER NOT NULL,
    retired_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER data_keys_kept BEFORE DELETE ON data_keys
BEGIN SELECT RAISE(ABORT, 'the names of data keys are kept'); END;

-- The triggers named data_key refuse a retired key. A process that still has one first
-- would write rows that others cannot read.

-- 3. Books -------------------------------------------------------------------

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

-- 4. Orders ------------------------------------------------------------------

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
    approvals       INTEGER NOT NULL DEFAULT 1 CHECK (approvals IN (1, 2)), -- with a roster, an order whose start is not signed needs two persons
    approve_before  INTEGER NOT NULL DEFAULT 0, -- 0: needs no approval
    not_before      INTEGER NOT NULL DEFAULT 0, -- when a scheduled order is released; 0: it is none
    waits_for_funds INTEGER NOT NULL DEFAULT 0 CHECK (waits_for_funds IN (0, 1)), -- when the balance does not cover it
    funds_before    INTEGER NOT NULL DEFAULT 0, -- 0: does not wait for funds
    horizon         INTEGER NOT NULL DEFAULT 0, -- milliseconds; 0: the worker's setting
    expected_fee    INTEGER NOT NULL DEFAULT 0 CHECK (expected_fee >= 0), -- the fee on top of a withdrawal, reserved with its amount; 0: none is known

    -- Where it stands.
    state           TEXT    NOT NULL,
    released_at     INTEGER NOT NULL DEFAULT 0, -- when a scheduled order was released; from then on it counts for daily limits
    gateway_id      TEXT    NOT NULL DEFAULT '',
    paid            INTEGER NOT NULL DEFAULT 0,
    fee             INTEGER NOT NULL DEFAULT 0 CHECK (fee >= 0),
    fee_text        TEXT    NOT NULL DEFAULT '', -- the gateway's own, where it is finer than the currency
    reason_code     TEXT    NOT NULL DEFAULT '',
    reason_text     TEXT    NOT NULL DEFAULT '',
    instructions    TEXT    NOT NULL DEFAULT '', -- JSON
    attempts        INTEGER NOT NULL DEFAULT 0,
    updated_at      INTEGER NOT NULL,

    -- When it ended; 0 while it is open. Unlike the state, it changes once: an update of an
    -- order that does not end it writes no entry in any index.
    ended_at        INTEGER NOT NULL GENERATED ALWAYS AS (CASE WHEN state IN (
        'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
    ) THEN 0 ELSE updated_at END) VIRTUAL,

    -- The workflow run that opened the order, or has driven it since.
    run             TEXT    NOT NULL DEFAULT '',
    -- From when on the next create asks the gateway first, because what was sent
    -- before may not be on record. 0: it need not.
    ask_first       INTEGER NOT NULL DEFAULT 0,

    -- The order's chain of the audit: its length, and the hash of its last entry.
    audit_entries   INTEGER NOT NULL DEFAULT 0,
    audit_head      BLOB    NOT NULL DEFAULT x'',

    data_key        TEXT    NOT NULL DEFAULT '', -- also of its audit, submissions and proposals
    erased_at       INTEGER NOT NULL DEFAULT 0,  -- when its first key was destroyed; 0: never

    UNIQUE (merchant, number),
    CONSTRAINT orders_state CHECK (state IN (
        'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review',
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

-- One number, however it is capitalised.
CREATE UNIQUE INDEX orders_folded ON orders (merchant, folded) WHERE folded <> '';
CREATE INDEX orders_created ON orders (created_at, id);
CREATE INDEX orders_beneficiary ON orders (merchant, beneficiary, created_at) WHERE beneficiary <> '';
CREATE INDEX orders_released ON orders (merchant, beneficiary, released_at) WHERE released_at > 0;
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE ended_at = 0;
CREATE INDEX orders_ended ON orders (merchant, ended_at, id) WHERE ended_at > 0;

CREATE TRIGGER orders_move BEFORE UPDATE OF state ON orders
WHEN OLD.state <> NEW.state AND NOT EXISTS (
    SELECT 1 FROM moves WHERE kind = OLD.kind AND from_state = OLD.state AND to_state = NEW.state
)
BEGIN SELECT RAISE(ABORT, 'the state table does not allow this change of state'); END;

-- An order that was tried to be sent may be cancelled as long as the gateway
-- cannot have heard of it.
CREATE TRIGGER orders_cancel BEFORE UPDATE OF state ON orders
WHEN OLD.state = 'submitting' AND NEW.state = 'cancelled'
    AND EXISTS (SELECT 1 FROM submissions WHERE order_id = OLD.id AND outcome NOT IN ('unsent', 'paused'))
BEGIN SELECT RAISE(ABORT, 'an order that the gateway may have heard of is not cancelled'); END;

-- What is in clear may become encrypted. A payee's hash changes with the key only.
CREATE TRIGGER orders_private BEFORE UPDATE OF request, fingerprint, beneficiary ON orders
WHEN NOT (NEW.request = OLD.request OR substr(OLD.request, 1, 5) <> 'enc1.' AND substr(NEW.request, 1, 5) = 'enc1.')
    OR NOT (NEW.fingerprint = OLD.fingerprint OR substr(OLD.fingerprint, 1, 5) <> 'enc1.' AND substr(NEW.fingerprint, 1, 5) = 'enc1.')
    OR NOT (NEW.beneficiary = OLD.beneficiary OR NEW.data_key <> OLD.data_key AND OLD.beneficiary <> '')
BEGIN SELECT RAISE(ABORT, 'the content of an order never changes'); END;

CREATE TRIGGER orders_stay_erased BEFORE UPDATE OF erased_at ON orders
WHEN NEW.erased_at < OLD.erased_at
BEGIN SELECT RAISE(ABORT, 'an order that was erased stays erased'); END;

CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, folded, kind, country, way, currency, amount, created_at,
    approvals, not_before, waits_for_funds, horizon, expected_fee ON orders
BEGIN SELECT RAISE(ABORT, 'the content of an order never changes'); END;

-- The deadlines of a scheduled order begin with its release, which happens once.
CREATE TRIGGER orders_released BEFORE UPDATE OF released_at, approve_before, funds_before ON orders
WHEN OLD.not_before = 0 OR OLD.released_at > 0 OR NEW.released_at = 0
BEGIN SELECT RAISE(ABORT, 'the content of an order never changes'); END;

CREATE TRIGGER orders_data_key BEFORE INSERT ON orders
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER orders_data_key_changed BEFORE UPDATE OF data_key ON orders
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER orders_kept BEFORE DELETE ON orders
BEGIN SELECT RAISE(ABORT, 'orders are kept'); END;

-- The gateway's orders, each of one of ours. Triggers of the orders write it.
CREATE TABLE gateway_ids (
    merchant   TEXT    NOT NULL,
    gateway_id TEXT    NOT NULL,
    order_id   INTEGER NOT NULL,
    CONSTRAINT orders_gateway_id PRIMARY KEY (merchant, gateway_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER orders_gateway_id AFTER INSERT ON orders WHEN NEW.gateway_id <> ''
BEGIN
    INSERT INTO gateway_ids (merchant, gateway_id, order_id) VALUES (NEW.merchant, NEW.gateway_id, NEW.id);
END;

CREATE TRIGGER orders_gateway_id_changed AFTER UPDATE OF gateway_id ON orders WHEN NEW.gateway_id <> OLD.gateway_id
BEGIN
    DELETE FROM gateway_ids WHERE merchant = OLD.merchant AND gateway_id = OLD.gateway_id;
    INSERT INTO gateway_ids (merchant, gateway_id, order_id) SELECT NEW.merchant, NEW.gateway_id, NEW.id WHERE NEW.gateway_id <> '';
END;

CREATE TRIGGER gateway_ids_never_change BEFORE UPDATE ON gateway_ids
BEGIN SELECT RAISE(ABORT, 'the ids of the gateway''s orders are kept'); END;

CREATE TRIGGER gateway_ids_kept BEFORE DELETE ON gateway_ids
WHEN EXISTS (SELECT 1 FROM orders WHERE id = OLD.order_id AND gateway_id = OLD.gateway_id)
BEGIN SELECT RAISE(ABORT, 'the ids of the gateway''s orders are kept'); END;

-- Keyed hashes of the metadata of orders, to filter lists by. The metadata itself is in the
-- order's request. A hash is as orders.beneficiary is: of a key and its value, with the data
-- key. '' is one of an order that was erased.
CREATE TABLE order_metadata (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    place    INTEGER NOT NULL CHECK (place > 0), -- among the order's keys, which are sorted
    merchant TEXT    NOT NULL CHECK (merchant <> ''),
    hash     TEXT    NOT NULL,
    PRIMARY KEY (order_id, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX order_metadata_hash ON order_metadata (hash, merchant, order_id) WHERE hash <> '';

-- Only the hash may change: with the data key, or when the order is erased.
CREATE TRIGGER order_metadata_content BEFORE UPDATE ON order_metadata
WHEN NEW.order_id <> OLD.order_id OR NEW.place <> OLD.place OR NEW.merchant <> OLD.merchant OR OLD.hash = '' AND NEW.hash <> ''
BEGIN SELECT RAISE(ABORT, 'the metadata of an order never changes'); END;

CREATE TRIGGER order_metadata_kept BEFORE DELETE ON order_metadata
BEGIN SELECT RAISE(ABORT, 'the metadata of orders is kept'); END;

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

-- No attempt begins that a stop holds back, whatever the worker knows.
CREATE TRIGGER submissions_stopped BEFORE INSERT ON submissions
WHEN NEW.ended_at = 0 AND EXISTS (
    SELECT 1 FROM orders o JOIN stops s ON s.ended_at = 0
        AND (s.merchant = o.merchant OR s.country = o.country OR (s.merchant = '' AND s.country = ''))
    WHERE o.id = NEW.order_id AND o.kind = 'withdrawal'
)
BEGIN SELECT RAISE(ABORT, 'payouts are stopped'); END;

-- No attempt begins before its time, whatever the worker's clock says.
CREATE TRIGGER submissions_not_before BEFORE INSERT ON submissions
WHEN NEW.ended_at = 0 AND EXISTS (SELECT 1 FROM orders WHERE id = NEW.order_id AND not_before > NEW.started_at)
BEGIN SELECT RAISE(ABORT, 'the order is not sent before its time'); END;

-- What was written about an attempt never changes.
CREATE TRIGGER submissions_begin BEFORE UPDATE OF order_id, attempt, started_at ON submissions
BEGIN SELECT RAISE(ABORT, 'the beginning of an attempt never changes'); END;

CREATE TRIGGER submissions_stay_ended BEFORE UPDATE ON submissions
WHEN OLD.outcome <> ''
BEGIN SELECT RAISE(ABORT, 'an attempt ends once'); END;

CREATE TRIGGER submissions_kept BEFORE DELETE ON submissions
BEGIN SELECT RAISE(ABORT, 'submissions are kept'); END;

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

-- A person holds the withdrawals of a merchant, of a country or of everybody back. Two
-- persons resume them.
CREATE TABLE stops (
    id       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    merchant TEXT    NOT NULL, -- '': not of one merchant
    country  TEXT    NOT NULL, -- '': not of one country; if both are '': of all
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL CHECK (actor <> ''),
    why      TEXT    NOT NULL CHECK (why <> ''),
    data_key TEXT    NOT NULL DEFAULT '', -- of why
    proposer TEXT    NOT NULL DEFAULT '', -- the first of the two who resume
    ended_by TEXT    NOT NULL DEFAULT '', -- the second
    ended_at INTEGER NOT NULL DEFAULT 0,  -- 0: in force
    CONSTRAINT stops_scope CHECK (merchant = '' OR country = ''),
    -- A time below 0 would be no end to the program, and none of a stop in force here.
    CONSTRAINT stops_end CHECK (ended_at >= 0),
    CONSTRAINT stops_ended CHECK (CASE ended_at WHEN 0 THEN ended_by = '' ELSE ended_by <> '' AND proposer <> '' END),
    CONSTRAINT stops_two_persons CHECK (ended_at = 0 OR lower(trim(ended_by)) <> lower(trim(proposer)))
) STRICT;

CREATE UNIQUE INDEX stops_in_force ON stops (merchant, country) WHERE ended_at = 0;

CREATE TRIGGER stops_begin BEFORE INSERT ON stops
WHEN NEW.ended_at > 0 OR NEW.proposer <> ''
BEGIN SELECT RAISE(ABORT, 'a stop begins in force'); END;

-- The key of a stop that has ended may be wrapped again.
CREATE TRIGGER stops_stay_ended BEFORE UPDATE OF proposer, ended_by, ended_at ON stops
WHEN OLD.ended_at > 0
BEGIN SELECT RAISE(ABORT, 'a stop ends once'); END;

CREATE TRIGGER stops_content BEFORE UPDATE OF id, merchant, country, at, actor ON stops
BEGIN SELECT RAISE(ABORT, 'the content of a stop never changes'); END;

-- A reason that is in clear is encrypted once, and then never changes.
CREATE TRIGGER stops_why BEFORE UPDATE OF why ON stops
WHEN OLD.data_key <> '' OR NEW.data_key = '' OR substr(NEW.why, 1, 5) <> 'enc1.'
BEGIN SELECT RAISE(ABORT, 'the content of a stop never changes'); END;

CREATE TRIGGER stops_data_key BEFORE INSERT ON stops
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER stops_data_key_changed BEFORE UPDATE OF data_key ON stops
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER stops_kept BEFORE DELETE ON stops
BEGIN SELECT RAISE(ABORT, 'stops are kept'); END;

-- 5. Audit -------------------------------------------------------------------

-- Everything that was done, and asked for and refused. Append-only. Each entry's
-- hash covers its fields and the hash of the entry before it in its chain. An
-- order has a chain of its own, whose head is in its row; all else is in chains
-- named 'other', whose heads are in the table chains: without number those of a
-- merchant, with number those of orders that we do not have.
CREATE TABLE audit (
    -- It increases, with gaps, and is never used twice. It is assigned before the commit, so
    -- an entry may become visible after an entry with a higher id.
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
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
    seal         BLOB    NOT NULL DEFAULT x'', -- a signature over the hash; '': none
    envelope     TEXT    NOT NULL DEFAULT '', -- JSON of the signed action; '': it was not signed
    UNIQUE (merchant, number, chain, seq),
    CONSTRAINT audit_operator CHECK (
        outcome = 'refused' OR source <> 'operator'
        OR (actor <> 'system' AND (evidence <> '' OR action NOT IN ('settle', 'resolve')))
    ),
    CONSTRAINT audit_refused CHECK (outcome = 'done' OR (before_state = after_state AND code <> ''))
) STRICT;

-- Refused starts, to find one by the order's number.
CREATE INDEX audit_refused_starts ON audit (evidence) WHERE action = 'refuse_start';

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- The heads of the chains that are not an order's.
CREATE TABLE chains (
    merchant  TEXT    NOT NULL,
    number    TEXT    NOT NULL,
    entries   INTEGER NOT NULL,
    head      BLOB    NOT NULL,
    data_key  TEXT    NOT NULL DEFAULT '',
    erased_at INTEGER NOT NULL DEFAULT 0, -- when its first key was destroyed; 0: never
    PRIMARY KEY (merchant, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER chains_data_key BEFORE INSERT ON chains
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER chains_data_key_changed BEFORE UPDATE OF data_key ON chains
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER chains_kept BEFORE DELETE ON chains
BEGIN SELECT RAISE(ABORT, 'the heads of the audit are kept'); END;

-- How often people were refused with a code. The audit has the first refusals of each code
-- one by one, and later ones by their number.
CREATE TABLE refusal_counts (
    merchant TEXT    NOT NULL, -- '': of the installation
    number   TEXT    NOT NULL, -- of an order that the ledger has; '': of all else
    chain    TEXT    NOT NULL CHECK (chain IN ('order', 'other')),
    code     TEXT    NOT NULL CHECK (code <> ''),
    since    INTEGER NOT NULL, -- when counting began: of an order once, of all else each day
    times    INTEGER NOT NULL CHECK (times > 0),
    PRIMARY KEY (merchant, number, chain, code)
) STRICT;

CREATE TRIGGER refusal_counts_grow BEFORE UPDATE ON refusal_counts
WHEN NEW.merchant <> OLD.merchant OR NEW.number <> OLD.number OR NEW.chain <> OLD.chain OR NEW.code <> OLD.code
    OR NOT (NEW.times = OLD.times + 1 AND NEW.since = OLD.since OR NEW.times = 1 AND NEW.since > OLD.since AND OLD.chain = 'other')
BEGIN SELECT RAISE(ABORT, 'refusals are counted one by one'); END;

CREATE TRIGGER refusal_counts_kept BEFORE DELETE ON refusal_counts
BEGIN SELECT RAISE(ABORT, 'refusals are counted one by one'); END;

-- The entries in the order in which they were added to the Merkle tree. The hash is
-- the entry's at that time.
CREATE TABLE audit_tree (
    position INTEGER NOT NULL PRIMARY KEY CHECK (position >= 0), -- without gaps
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    chain    TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    CONSTRAINT audit_tree_entry UNIQUE (merchant, number, chain, seq)
) STRICT;

CREATE TRIGGER audit_tree_never_changes BEFORE UPDATE ON audit_tree
BEGIN SELECT RAISE(ABORT, 'the tree of the audit is append-only'); END;

CREATE TRIGGER audit_tree_kept BEFORE DELETE ON audit_tree
BEGIN SELECT RAISE(ABORT, 'the tree of the audit is append-only'); END;

-- The hashes of the tree's nodes, by their index in golang.org/x/mod/sumdb/tlog.
CREATE TABLE audit_tree_hashes (
    idx  INTEGER NOT NULL PRIMARY KEY CHECK (idx >= 0),
    hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_tree_hashes_never_change BEFORE UPDATE ON audit_tree_hashes
BEGIN SELECT RAISE(ABORT, 'the tree of the audit is append-only'); END;

CREATE TRIGGER audit_tree_hashes_kept BEFORE DELETE ON audit_tree_hashes
BEGIN SELECT RAISE(ABORT, 'the tree of the audit is append-only'); END;

-- Signed roots of the tree. Every entry with an id up to last_id is among the first size
-- entries of the tree.
CREATE TABLE checkpoints (
    size    INTEGER NOT NULL PRIMARY KEY CHECK (size >= 0),
    at      INTEGER NOT NULL,
    note    TEXT    NOT NULL CHECK (note <> ''), -- a C2SP checkpoint
    last_id INTEGER NOT NULL
) STRICT;

CREATE TRIGGER checkpoints_never_change BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

CREATE TRIGGER checkpoints_kept BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

-- The rosters that came into force, whole.
CREATE TABLE rosters (
    hash       TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64), -- SHA-256 of the text, in hex
    text       TEXT    NOT NULL,
    signatures TEXT    NOT NULL, -- '': it was the first
    at         INTEGER NOT NULL,
    replaces   TEXT    NOT NULL  -- the hash of the roster before; '': it was the first
) STRICT;

-- Each roster has one successor.
CREATE UNIQUE INDEX rosters_replaces ON rosters (replaces);

CREATE TRIGGER rosters_never_change BEFORE UPDATE ON rosters
BEGIN SELECT RAISE(ABORT, 'rosters are append-only'); END;

CREATE TRIGGER rosters_kept BEFORE DELETE ON rosters
BEGIN SELECT RAISE(ABORT, 'rosters are append-only'); END;

-- 6. Decisions ---------------------------------------------------------------

-- Decisions over lists of orders: each signed envelope is kept once, and the audit
-- entry of each order refers to its hash.
CREATE TABLE decisions (
    hash     TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64), -- of the envelope's canonical bytes
    signed   TEXT    NOT NULL CHECK (signed <> ''), -- JSON with the envelope and its signature
    data_key TEXT    NOT NULL DEFAULT '',
    at       INTEGER NOT NULL
) STRICT;

-- Only the row's key may be wrapped again.
CREATE TRIGGER decisions_never_change BEFORE UPDATE OF hash, signed, at ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;

CREATE TRIGGER decisions_data_key BEFORE INSERT ON decisions
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER decisions_data_key_changed BEFORE UPDATE OF data_key ON decisions
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER decisions_kept BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;

-- What was signed and what was done by it, in minor units. The signer writes the totals,
-- and the limit of the signer applies to them. So no more is done than they say.
CREATE TABLE decision_totals (
    decision TEXT    NOT NULL REFERENCES decisions (hash),
    currency TEXT    NOT NULL,
    total    INTEGER NOT NULL CHECK (total > 0),
    done     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (decision, currency),
    CONSTRAINT decision_totals_done CHECK (done BETWEEN 0 AND total)
) STRICT;

CREATE TRIGGER decision_totals_content BEFORE UPDATE ON decision_totals
WHEN NEW.decision <> OLD.decision OR NEW.currency <> OLD.currency OR NEW.total <> OLD.total OR NEW.done < OLD.done
BEGIN SELECT RAISE(ABORT, 'the totals of a decision never change'); END;

CREATE TRIGGER decision_totals_kept BEFORE DELETE ON decision_totals
BEGIN SELECT RAISE(ABORT, 'the totals of a decision are kept'); END;

-- 7. Transfers ---------------------------------------------------------------

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
    data_key    TEXT    NOT NULL DEFAULT '',
    UNIQUE (merchant, ref),
    CONSTRAINT adjustments_decided CHECK (
        CASE state WHEN 'proposed' THEN decided_by = '' AND decided_at = 0 ELSE decided_by <> '' AND decided_at > 0 END
    ),
    CONSTRAINT adjustments_two_persons CHECK (state <> 'booked' OR lower(trim(decided_by)) <> lower(trim(actor)))
) STRICT;

CREATE INDEX adjustments_open ON adjustments (proposed_at, id) WHERE state = 'proposed';

CREATE TRIGGER adjustments_content BEFORE UPDATE OF
    id, merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at ON adjustments
BEGIN SELECT RAISE(ABORT, 'the content of an adjustment never changes'); END;

CREATE TRIGGER adjustments_begin BEFORE INSERT ON adjustments
WHEN NEW.state <> 'proposed'
BEGIN SELECT RAISE(ABORT, 'an adjustment begins as a proposal'); END;

-- A decided adjustment never changes. Its key may be wrapped again. adjustments_content
-- protects the other columns.
CREATE TRIGGER adjustments_stay_decided BEFORE UPDATE OF state, decided_by, decided_at, decided_why ON adjustments
WHEN OLD.state <> 'proposed'
BEGIN SELECT RAISE(ABORT, 'an adjustment is decided once'); END;

CREATE TRIGGER adjustments_data_key BEFORE INSERT ON adjustments
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER adjustments_data_key_changed BEFORE UPDATE OF data_key ON adjustments
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER adjustments_kept BEFORE DELETE ON adjustments
BEGIN SELECT RAISE(ABORT, 'adjustments are kept'); END;

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

CREATE TRIGGER transfers_adjusted BEFORE INSERT ON transfers
WHEN NEW.adjustment_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM adjustments a
    WHERE a.id = NEW.adjustment_id AND a.state = 'booked' AND a.merchant = NEW.merchant AND a.currency = NEW.currency
        AND a.amount = NEW.amount AND NEW.reason = 'adjust_' || a.kind
)
BEGIN SELECT RAISE(ABORT, 'a transfer of an adjustment is what two persons have decided'); END;

CREATE TRIGGER transfers_never_change BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;

CREATE TRIGGER transfers_kept BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;

-- Days that a person has closed. What is booked later belongs to a later day.
CREATE TABLE closed_days (
    merchant  TEXT    NOT NULL CHECK (merchant <> ''),
    currency  TEXT    NOT NULL CHECK (length(currency) = 3),
    day       TEXT    NOT NULL CHECK (length(day) = 10), -- YYYY-MM-DD
    zone      TEXT    NOT NULL CHECK (zone <> ''), -- an IANA name
    begins    INTEGER NOT NULL,
    ends      INTEGER NOT NULL CHECK (ends > begins),
    figures   TEXT    NOT NULL CHECK (figures <> ''), -- canonical JSON; names nobody
    hash      TEXT    NOT NULL CHECK (length(hash) = 64), -- SHA-256 of the figures
    previous  TEXT    NOT NULL, -- the hash of the day before; '' for the first
    closed_by TEXT    NOT NULL CHECK (closed_by <> ''),
    closed_at INTEGER NOT NULL CHECK (closed_at >= ends),
    proof     TEXT    NOT NULL, -- the signed envelope, JSON; '' without a roster
    PRIMARY KEY (merchant, currency, day)
) STRICT;

-- The closings of a merchant in a currency are a chain without gaps.
CREATE TRIGGER closed_days_chain BEFORE INSERT ON closed_days
WHEN CASE WHEN EXISTS (SELECT 1 FROM closed_days WHERE merchant = NEW.merchant AND currency = NEW.currency)
    THEN NOT EXISTS (
        SELECT 1 FROM closed_days c WHERE c.merchant = NEW.merchant AND c.currency = NEW.currency AND c.ends = NEW.begins AND c.hash = NEW.previous
            AND c.ends = (SELECT MAX(ends) FROM closed_days WHERE merchant = NEW.merchant AND currency = NEW.currency)
    )
    ELSE NEW.previous <> '' END
BEGIN SELECT RAISE(ABORT, 'a day is closed after the day before'); END;

CREATE TRIGGER closed_days_never_change BEFORE UPDATE ON closed_days
BEGIN SELECT RAISE(ABORT, 'a closed day never changes'); END;

CREATE TRIGGER closed_days_kept BEFORE DELETE ON closed_days
BEGIN SELECT RAISE(ABORT, 'closed days are kept'); END;

-- 8. The gateway -------------------------------------------------------------

-- Verified callbacks, as they came. The id is the fingerprint of what one says; another
-- one if somebody had stored something else under it.
CREATE TABLE inbox (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    merchant   TEXT    NOT NULL,
    number     TEXT    NOT NULL,
    callback   TEXT    NOT NULL, -- JSON; '': the body says it
    body       BLOB    NOT NULL,
    -- The gateway's signature of the body, which a worker verifies again before it books
    -- anything. It is encrypted like the body, because it could confirm a guess of what was
    -- erased.
    signature  BLOB    NOT NULL DEFAULT x'',
    data_key   TEXT    NOT NULL DEFAULT '',
    status     TEXT    NOT NULL CHECK (status IN ('stored', 'unmatched', 'signalled', 'late', 'done')),
    received   INTEGER NOT NULL CHECK (received > 0), -- how many times
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    problem    TEXT    NOT NULL DEFAULT '', -- why it cannot be passed on, for a reason of its own;
    problem_at INTEGER NOT NULL DEFAULT 0,  -- since when; and
    told_at    INTEGER NOT NULL DEFAULT 0   -- when passing it on was last tried
) STRICT;

CREATE INDEX inbox_order ON inbox (merchant, number);
CREATE INDEX inbox_problems ON inbox (problem_at, id) WHERE problem_at > 0;

-- Only callbacks that are not handled are looked for by their status.
CREATE INDEX inbox_status ON inbox (status, first_at) WHERE status <> 'done';

CREATE TRIGGER inbox_begins BEFORE INSERT ON inbox
WHEN NEW.status <> 'stored'
BEGIN SELECT RAISE(ABORT, 'a callback begins as stored'); END;

CREATE TRIGGER inbox_stays_done BEFORE UPDATE OF status ON inbox
WHEN OLD.status = 'done' AND NEW.status <> 'done'
BEGIN SELECT RAISE(ABORT, 'a callback is handled once'); END;

CREATE TRIGGER inbox_data_key BEFORE INSERT ON inbox
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER inbox_data_key_changed BEFORE UPDATE OF data_key ON inbox
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

-- Merchants whose orders are not submitted, because the gateway refuses every
-- call of theirs.
CREATE TABLE breakers (
    merchant    TEXT    NOT NULL PRIMARY KEY CHECK (merchant <> ''),
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
    merchant TEXT    NOT NULL PRIMARY KEY CHECK (merchant <> ''),
    up_to    INTEGER NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

-- Statements: files that a person exported from the gateway's portal. A page of lines is
-- stored at a time; a statement is compared once every line is there. Lines are not in
-- gateway_records: the gateway did not tell them itself, and they never replace what it
-- told.
CREATE TABLE statements (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- of the fingerprint
    merchant         TEXT    NOT NULL CHECK (merchant <> ''),
    fingerprint      TEXT    NOT NULL CHECK (length(fingerprint) = 64), -- over merchant, profile and file
    file             TEXT    NOT NULL CHECK (length(file) = 64), -- the SHA-256 of the file
    content          TEXT    NOT NULL CHECK (length(content) = 64), -- over the lines
    profile          TEXT    NOT NULL,
    line_count       INTEGER NOT NULL CHECK (line_count > 0),
    paid_deposits    INTEGER NOT NULL,
    paid_withdrawals INTEGER NOT NULL,
    from_at          INTEGER NOT NULL, -- the time of the first line
    to_at            INTEGER NOT NULL CHECK (to_at >= from_at), -- and of the last
    state            TEXT    NOT NULL CHECK (state IN ('storing', 'matching', 'matched', 'broken')),
    imported_by      TEXT    NOT NULL,
    matched          INTEGER NOT NULL DEFAULT 0, -- the last line that was compared
    compared         INTEGER NOT NULL DEFAULT 0, -- lines whose order has ended
    asked            INTEGER NOT NULL DEFAULT 0, -- orders that the gateway was asked about
    unanswered       INTEGER NOT NULL DEFAULT 0,
    settled          INTEGER NOT NULL DEFAULT 0, -- orders that its answer settled
    absent           INTEGER NOT NULL DEFAULT 0, -- paid orders of its time that it does not have
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    CONSTRAINT statements_id CHECK (substr(fingerprint, 1, 16) = id),
    CONSTRAINT statements_matched CHECK (matched BETWEEN 0 AND line_count)
) STRICT;

CREATE INDEX statements_listed ON statements (merchant, created_at, id);

CREATE TRIGGER statements_content BEFORE UPDATE OF
    id, merchant, fingerprint, file, content, profile, line_count, paid_deposits, paid_withdrawals, from_at, to_at, imported_by, created_at ON statements
BEGIN SELECT RAISE(ABORT, 'the content of a statement never changes'); END;

CREATE TRIGGER statements_stay_ended BEFORE UPDATE OF state ON statements
WHEN OLD.state IN ('matched', 'broken') OR NEW.state = 'storing'
BEGIN SELECT RAISE(ABORT, 'a statement ends once'); END;

CREATE TRIGGER statements_kept BEFORE DELETE ON statements
BEGIN SELECT RAISE(ABORT, 'statements are kept'); END;

CREATE TABLE statement_lines (
    statement  TEXT    NOT NULL REFERENCES statements (id),
    seq        INTEGER NOT NULL CHECK (seq > 0), -- from 1, in the sequence of the file
    line       INTEGER NOT NULL, -- of the file
    merchant   TEXT    NOT NULL,
    gateway_id TEXT    NOT NULL, -- '': the statement does not tell it
    number     TEXT    NOT NULL, -- '': the statement does not tell it
    kind       INTEGER NOT NULL, -- as in gateway_records
    state      INTEGER NOT NULL,
    currency   TEXT    NOT NULL,
    amount     INTEGER NOT NULL,
    paid       INTEGER NOT NULL, -- -2: the statement does not tell it
    fee        INTEGER NOT NULL,
    at         INTEGER NOT NULL, -- the gateway's time
    PRIMARY KEY (statement, seq),
    CONSTRAINT statement_lines_reference CHECK (gateway_id <> '' OR number <> '')
) STRICT;

CREATE INDEX statement_lines_number ON statement_lines (merchant, number, gateway_id);
CREATE INDEX statement_lines_gateway_id ON statement_lines (merchant, gateway_id) WHERE gateway_id <> '';

CREATE TRIGGER statement_lines_content BEFORE UPDATE ON statement_lines
BEGIN SELECT RAISE(ABORT, 'lines of statements are append-only'); END;

CREATE TRIGGER statement_lines_kept BEFORE DELETE ON statement_lines
BEGIN SELECT RAISE(ABORT, 'lines of statements are append-only'); END;

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

-- Differences between our books and the gateway's word, each once, as work: who deals with
-- one, what was said last, and the money at stake. The order need not be one of ours.
CREATE TABLE discrepancies (
    id          INTEGER PRIMARY KEY,

    -- What it is about. It never changes.
    merchant    TEXT    NOT NULL,
    number      TEXT    NOT NULL,
    code        TEXT    NOT NULL CHECK (code <> ''),
    mark        TEXT    NOT NULL, -- what tells two of the same code apart

    -- When and with what it was opened. It changes only if it was healed and opens again.
    detail      TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    currency    TEXT    NOT NULL DEFAULT '', -- '': the stake is unknown
    stake       INTEGER NOT NULL DEFAULT 0 CHECK (stake >= 0),
    delta       INTEGER NOT NULL DEFAULT 0, -- the gateway's amount minus ours; 0: no amount differs

    -- Where it stands. How it was closed changes only if it was healed and opens again.
    state       TEXT    NOT NULL DEFAULT 'open' CONSTRAINT discrepancies_state CHECK (state IN (
        'open', 'assigned', 'explained', 'waiting', 'accepting', 'accepted', 'healed'
    )),
    assignee    TEXT    NOT NULL DEFAULT '',
    said        TEXT    NOT NULL DEFAULT '', -- the last explanation
    said_by     TEXT    NOT NULL DEFAULT '',
    wait_until  INTEGER NOT NULL DEFAULT 0,  -- of state waiting; 0: no end
    accepted_by TEXT    NOT NULL DEFAULT '', -- the first of two persons
    closed_at   INTEGER NOT NULL DEFAULT 0,  -- 0: open
    closed_by   TEXT    NOT NULL DEFAULT '',
    closed_why  TEXT    NOT NULL DEFAULT '',
    data_key    TEXT    NOT NULL DEFAULT '', -- of said and closed_why
    seen_at     INTEGER NOT NULL DEFAULT 0,  -- when a comparison of transactions last met with it; 0: none did
    reminded_at INTEGER NOT NULL DEFAULT 0,  -- the last act or reminder; 0: none
    UNIQUE (merchant, number, code, mark),
    CONSTRAINT discrepancies_closed CHECK ((closed_at > 0) = (state IN ('accepted', 'healed')))
) STRICT;

CREATE INDEX discrepancies_open ON discrepancies (at, id) WHERE closed_at = 0;
CREATE INDEX discrepancies_seen ON discrepancies (merchant, seen_at) WHERE closed_at = 0;

CREATE TRIGGER discrepancies_content BEFORE UPDATE OF id, merchant, number, code, mark ON discrepancies
BEGIN SELECT RAISE(ABORT, 'what a discrepancy is about never changes'); END;

CREATE TRIGGER discrepancies_opening BEFORE UPDATE OF detail, at, currency, stake, delta ON discrepancies
WHEN OLD.state <> 'healed' OR NEW.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'the opening of a discrepancy never changes'); END;

CREATE TRIGGER discrepancies_stay_closed BEFORE UPDATE OF
    state, assignee, said, said_by, wait_until, accepted_by, closed_at, closed_by, closed_why ON discrepancies
WHEN OLD.closed_at > 0 AND (OLD.state <> 'healed' OR NEW.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a discrepancy is closed once'); END;

CREATE TRIGGER discrepancies_data_key BEFORE INSERT ON discrepancies
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER discrepancies_data_key_changed BEFORE UPDATE OF data_key ON discrepancies
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER discrepancies_kept BEFORE DELETE ON discrepancies
BEGIN SELECT RAISE(ABORT, 'discrepancies are closed, not deleted'); END;

-- 9. Events ------------------------------------------------------------------

-- The places of events. An event is an entry of the audit, so it is written in the
-- transaction of what it tells. It gets its place after that transaction has committed.
CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY CHECK (position > 0), -- from 1, without gaps
    merchant TEXT    NOT NULL CHECK (merchant <> ''),
    audit_id INTEGER NOT NULL CONSTRAINT events_entry UNIQUE -- audit.id
) STRICT;

CREATE INDEX events_merchant ON events (merchant, position);

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TRIGGER events_kept BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- Every event among the entries with an id up to last_id has its place. One row.
CREATE TABLE event_relay (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    last_id INTEGER NOT NULL
) STRICT;

INSERT INTO event_relay (one, last_id) VALUES (1, 0);

-- Endpoints of finance systems that events are sent to: see
-- docs/decisions/0015-workers-deliver-webhooks.md.
CREATE TABLE webhook_endpoints (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    merchants       TEXT    NOT NULL, -- JSON list; []: all
    types           TEXT    NOT NULL, -- JSON list of types of events; []: all
    url             TEXT    NOT NULL CHECK (url <> ''), -- encrypted with data_key, like both secrets
    secret          TEXT    NOT NULL CHECK (secret <> ''),
    previous_secret TEXT    NOT NULL DEFAULT '', -- signs, too, until previous_until
    previous_until  INTEGER NOT NULL DEFAULT 0,
    data_key        TEXT    NOT NULL DEFAULT '',
    state           TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
    state_at        INTEGER NOT NULL,
    position        INTEGER NOT NULL CHECK (position >= 0), -- every event up to it is delivered, or has a row in webhook_deliveries
    replay_from     INTEGER NOT NULL DEFAULT -1, -- the position that a worker goes back to; -1: none
    retry_now       INTEGER NOT NULL DEFAULT 0 CHECK (retry_now IN (0, 1)), -- 1: a worker tries again at once what has failed
    failing_since   INTEGER NOT NULL DEFAULT 0,  -- no try has succeeded since; 0: the last one did
    tried_at        INTEGER NOT NULL DEFAULT 0,  -- the last failed try
    problem         TEXT    NOT NULL DEFAULT '', -- of that try
    created_by      TEXT    NOT NULL CHECK (created_by <> ''),
    created_at      INTEGER NOT NULL,
    changed_by      TEXT    NOT NULL DEFAULT '', -- who last changed it; '' for the deliverer
    changed_at      INTEGER NOT NULL,
    lease_owner     TEXT    NOT NULL DEFAULT '',
    lease_until     INTEGER NOT NULL DEFAULT 0,
    fence           INTEGER NOT NULL DEFAULT 0   -- counts leases: who has an older one writes nothing
) STRICT;

CREATE TRIGGER webhook_endpoints_content BEFORE UPDATE OF id, merchants, types, url, created_by, created_at ON webhook_endpoints
BEGIN SELECT RAISE(ABORT, 'the content of a webhook endpoint never changes'); END;

CREATE TRIGGER webhook_endpoints_data_key BEFORE INSERT ON webhook_endpoints
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER webhook_endpoints_data_key_changed BEFORE UPDATE OF data_key ON webhook_endpoints
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER webhook_endpoints_kept BEFORE DELETE ON webhook_endpoints
BEGIN SELECT RAISE(ABORT, 'webhook endpoints are kept'); END;

-- The deliveries that failed. A delivery that succeeds at once has no row: the endpoint's
-- position passes it.
CREATE TABLE webhook_deliveries (
    endpoint TEXT    NOT NULL REFERENCES webhook_endpoints (id),
    position INTEGER NOT NULL, -- events.position
    event_id TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL, -- of the order; '': of none
    state    TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up', 'replayed')),
    tries    INTEGER NOT NULL,
    rung     INTEGER NOT NULL, -- of the ladder: which pause comes next
    next_try INTEGER NOT NULL,
    status   INTEGER NOT NULL, -- of HTTP, of the last try; 0: no answer
    why      TEXT    NOT NULL, -- of the last try's failure
    first_at INTEGER NOT NULL,
    at       INTEGER NOT NULL, -- when the row last changed
    PRIMARY KEY (endpoint, position)
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_try) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint, merchant, number, position) WHERE state = 'pending';

CREATE TRIGGER webhook_deliveries_kept BEFORE DELETE ON webhook_deliveries
BEGIN SELECT RAISE(ABORT, 'webhook deliveries are kept'); END;

-- 10. Batches ----------------------------------------------------------------

-- Files of payouts. A page of rows is stored at a time; a batch runs once every row is
-- there. A row's order is the one of its merchant and number.
CREATE TABLE batches (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- of the fingerprint
    merchant     TEXT    NOT NULL CHECK (merchant <> ''),
    fingerprint  TEXT    NOT NULL CHECK (length(fingerprint) = 64), -- over the merchant and the rows
    name         TEXT    NOT NULL,
    header       TEXT    NOT NULL, -- of the file: a JSON list
    row_count    INTEGER NOT NULL CHECK (row_count > 0),
    totals       TEXT    NOT NULL, -- a JSON list of amounts
    state        TEXT    NOT NULL CHECK (state IN ('storing', 'running', 'paused', 'cancelled', 'completed', 'broken')),
    requested_by TEXT    NOT NULL,
    data_key     TEXT    NOT NULL DEFAULT '', -- also of the rows
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    changed_by   TEXT    NOT NULL DEFAULT '', -- who paused, resumed or cancelled it last
    CONSTRAINT batches_id CHECK (substr(fingerprint, 1, 16) = id)
) STRICT;

CREATE INDEX batches_listed ON batches (merchant, created_at, id);

CREATE TRIGGER batches_content BEFORE UPDATE OF id, merchant, fingerprint, name, header, row_count, totals, requested_by, created_at ON batches
BEGIN SELECT RAISE(ABORT, 'the content of a batch never changes'); END;

CREATE TRIGGER batches_stay_ended BEFORE UPDATE OF state ON batches
WHEN OLD.state IN ('cancelled', 'completed', 'broken') OR NEW.state = 'storing'
BEGIN SELECT RAISE(ABORT, 'a batch ends once'); END;

CREATE TRIGGER batches_data_key BEFORE INSERT ON batches
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER batches_data_key_changed BEFORE UPDATE OF data_key ON batches
WHEN NEW.data_key <> '' AND EXISTS (SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0)
BEGIN SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE'); END;

CREATE TRIGGER batches_kept BEFORE DELETE ON batches
BEGIN SELECT RAISE(ABORT, 'batches are kept'); END;

CREATE TABLE batch_rows (
    batch    TEXT    NOT NULL REFERENCES batches (id),
    seq      INTEGER NOT NULL CHECK (seq > 0), -- from 1, in the sequence of the file
    line     INTEGER NOT NULL, -- of the file
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL CHECK (number <> ''),
    currency TEXT    NOT NULL,
    amount   INTEGER NOT NULL CHECK (amount > 0), -- in minor units
    request  TEXT    NOT NULL, -- JSON; '' once the order has it
    outcome  TEXT    NOT NULL DEFAULT '' CHECK (outcome IN ('', 'begun', 'started', 'ended', 'refused')),
    code     TEXT    NOT NULL DEFAULT '', -- why it was refused
    text     TEXT    NOT NULL DEFAULT '',
    at       INTEGER NOT NULL, -- of the outcome
    PRIMARY KEY (batch, seq),
    CONSTRAINT batch_rows_number UNIQUE (batch, number)
) STRICT;

CREATE INDEX batch_rows_outcome ON batch_rows (batch, outcome, seq);

CREATE TRIGGER batch_rows_content BEFORE UPDATE OF batch, seq, line, merchant, number, currency, amount ON batch_rows
BEGIN SELECT RAISE(ABORT, 'the content of a row never changes'); END;

-- A row is begun before its order is started. What was begun is started or refused.
CREATE TRIGGER batch_rows_moves BEFORE UPDATE OF outcome, request ON batch_rows
WHEN NOT (NEW.outcome = OLD.outcome AND NEW.request = OLD.request
            OR OLD.outcome = '' AND NEW.outcome = 'begun' AND NEW.request = OLD.request
            OR OLD.outcome = 'begun' AND NEW.outcome = 'started' AND NEW.request = OLD.request
            OR OLD.outcome = 'started' AND NEW.outcome IN ('started', 'ended') AND NEW.request IN (OLD.request, '')
            OR OLD.outcome IN ('begun', 'started') AND NEW.outcome = 'refused' AND NEW.request = OLD.request)
BEGIN SELECT RAISE(ABORT, 'a row does not move back'); END;

CREATE TRIGGER batch_rows_kept BEFORE DELETE ON batch_rows
BEGIN SELECT RAISE(ABORT, 'batches are kept'); END;

-- 11. The system -------------------------------------------------------------

-- Older copies of the ledger that were restored, and when what they lost had been
-- dealt with. The last row counts. Why is in the installation's audit.
CREATE TABLE restores (
    id    INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    actor TEXT    NOT NULL CHECK (actor <> ''),
    ended INTEGER NOT NULL CHECK (ended IN (0, 1))
) STRICT;

CREATE TRIGGER restores_never_change BEFORE UPDATE ON restores
BEGIN SELECT RAISE(ABORT, 'restores are kept'); END;

CREATE TRIGGER restores_kept BEFORE DELETE ON restores
BEGIN SELECT RAISE(ABORT, 'restores are kept'); END;

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
    value    TEXT    NOT NULL, -- the merchant's country; the profile's SHA-256
    first_at INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL, -- when a worker last said so
    PRIMARY KEY (kind, name, value)
) STRICT;

-- Sessions of people's pages that were logged out before they were over. Every api process
-- refuses copies of them.
CREATE TABLE ended_sessions (
    session TEXT    NOT NULL PRIMARY KEY CHECK (length(session) = 64), -- SHA-256 of its id
    over_at INTEGER NOT NULL -- when it would be over anyway; the row may go then
) STRICT;

CREATE INDEX ended_sessions_over ON ended_sessions (over_at);

CREATE TRIGGER ended_sessions_constant BEFORE UPDATE ON ended_sessions
BEGIN SELECT RAISE(ABORT, 'a session ends once'); END;

-- +goose StatementEnd
