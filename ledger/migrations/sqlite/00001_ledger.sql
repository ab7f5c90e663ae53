-- The ledger on SQLite. The same tables as in ../postgres, in the same order.
-- Amounts are whole minor units, times are Unix milliseconds UTC. STRICT makes
-- SQLite refuse what is not a whole number where one belongs.

-- +goose Up

-- The transition table of package order, for the trigger below: whatever is
-- not listed is forbidden.
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
    ('deposit', 'awaiting_approval', 'submitting'),
    ('deposit', 'awaiting_approval', 'rejected'),
    ('deposit', 'awaiting_approval', 'cancelled'),
    ('deposit', 'submitting', 'submitted'),
    ('deposit', 'submitting', 'unknown'),
    ('deposit', 'submitting', 'failed'),
    ('deposit', 'submitting', 'succeeded'),
    ('deposit', 'submitting', 'partially_paid'),
    ('deposit', 'submitting', 'expired'),
    ('deposit', 'submitting', 'in_review'),
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

-- One row per merchant and currency, one column per account. A single row
-- makes a reservation one conditional UPDATE and leaves nothing to deadlock
-- over; the checks hold whatever writes here.
CREATE TABLE books (
    merchant  TEXT    NOT NULL CHECK (merchant <> ''),
    currency  TEXT    NOT NULL CHECK (length(currency) = 3),
    opening   INTEGER NOT NULL,
    available INTEGER NOT NULL,
    in_flight INTEGER NOT NULL,
    paid_out  INTEGER NOT NULL DEFAULT 0,
    received  INTEGER NOT NULL DEFAULT 0,
    fees      INTEGER NOT NULL DEFAULT 0,
    settled   INTEGER NOT NULL DEFAULT 0,
    suspense  INTEGER NOT NULL DEFAULT 0,
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (merchant, currency),
    CONSTRAINT books_balance CHECK (
        opening + available + in_flight + paid_out + received + fees + settled + suspense = 0
    ),
    CONSTRAINT books_in_flight CHECK (in_flight >= 0)
) STRICT;

CREATE TABLE orders (
    id           INTEGER PRIMARY KEY,
    merchant     TEXT    NOT NULL CHECK (merchant <> ''),
    number       TEXT    NOT NULL CHECK (number <> ''),
    kind         TEXT    NOT NULL CHECK (kind IN ('deposit', 'withdrawal')),
    country      TEXT    NOT NULL,
    way          TEXT    NOT NULL,
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    amount       INTEGER NOT NULL CHECK (amount > 0),
    fingerprint  TEXT    NOT NULL CHECK (fingerprint <> ''),
    request      TEXT    NOT NULL, -- JSON, whole; holds personal data
    state        TEXT    NOT NULL,
    gateway_id   TEXT    NOT NULL DEFAULT '',
    paid         INTEGER NOT NULL DEFAULT 0,
    fee          INTEGER NOT NULL DEFAULT 0 CHECK (fee >= 0),
    reason_code  TEXT    NOT NULL DEFAULT '',
    reason_text  TEXT    NOT NULL DEFAULT '',
    instructions TEXT    NOT NULL DEFAULT '', -- JSON
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    UNIQUE (merchant, number),
    CONSTRAINT orders_state CHECK (state IN (
        'created', 'awaiting_approval', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review',
        'succeeded', 'partially_paid', 'failed', 'rejected', 'expired', 'cancelled', 'refunded'
    )),
    CONSTRAINT orders_paid CHECK (
        CASE state
            WHEN 'succeeded' THEN paid = amount
            WHEN 'refunded' THEN paid = amount
            WHEN 'partially_paid' THEN paid > 0 AND paid < amount
            WHEN 'expired' THEN paid >= 0 AND paid <= amount
            ELSE paid = 0
        END
    )
) STRICT;

CREATE INDEX orders_created ON orders (created_at, id);
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);

-- +goose StatementBegin
CREATE TRIGGER orders_move BEFORE UPDATE OF state ON orders
WHEN OLD.state <> NEW.state AND NOT EXISTS (
    SELECT 1 FROM moves WHERE kind = OLD.kind AND from_state = OLD.state AND to_state = NEW.state
)
BEGIN
    SELECT RAISE(ABORT, 'the table of moves does not allow this change of state');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, kind, country, way, currency, amount, fingerprint, request, created_at ON orders
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

-- Every change of state, with the proof it was made on. Append-only.
CREATE TABLE history (
    id          INTEGER PRIMARY KEY,
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    from_state  TEXT    NOT NULL,
    to_state    TEXT    NOT NULL,
    source      TEXT    NOT NULL CHECK (source <> ''),
    evidence    TEXT    NOT NULL DEFAULT '',
    actor       TEXT    NOT NULL DEFAULT '',
    reason_code TEXT    NOT NULL DEFAULT '',
    reason_text TEXT    NOT NULL DEFAULT '',
    at          INTEGER NOT NULL,
    CONSTRAINT history_operator CHECK (source <> 'operator' OR (actor <> '' AND evidence <> ''))
) STRICT;

CREATE INDEX history_order ON history (order_id, id);

-- +goose StatementBegin
CREATE TRIGGER history_never_changes BEFORE UPDATE ON history
BEGIN
    SELECT RAISE(ABORT, 'history is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER history_kept BEFORE DELETE ON history
BEGIN
    SELECT RAISE(ABORT, 'history is append-only');
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

-- Amounts moved from one account to another. Append-only: a mistake is undone
-- by another transfer. An order makes each of its transfers once, and so do
-- books when they are opened.
CREATE TABLE transfers (
    id           INTEGER PRIMARY KEY,
    order_id     INTEGER REFERENCES orders (id),
    merchant     TEXT    NOT NULL,
    currency     TEXT    NOT NULL,
    reason       TEXT    NOT NULL CHECK (reason <> ''),
    from_account TEXT    NOT NULL,
    to_account   TEXT    NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount > 0),
    at           INTEGER NOT NULL,
    CONSTRAINT transfers_accounts CHECK (
        from_account <> to_account
        AND from_account IN ('opening', 'available', 'in_flight', 'paid_out', 'received', 'fees', 'settled', 'suspense')
        AND to_account IN ('opening', 'available', 'in_flight', 'paid_out', 'received', 'fees', 'settled', 'suspense')
    )
) STRICT;

CREATE UNIQUE INDEX transfers_order ON transfers (order_id, reason) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX transfers_opening ON transfers (merchant, currency, reason) WHERE order_id IS NULL;

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

-- Verified callbacks, as they came. The id is the fingerprint of what one says.
CREATE TABLE inbox (
    id       TEXT    PRIMARY KEY CHECK (id <> ''),
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    callback TEXT    NOT NULL, -- JSON
    body     BLOB    NOT NULL,
    status   TEXT    NOT NULL CHECK (status IN ('stored', 'unmatched', 'signalled', 'late', 'done')),
    received INTEGER NOT NULL CHECK (received > 0),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX inbox_order ON inbox (merchant, number);
CREATE INDEX inbox_status ON inbox (status, first_at, id);

-- Differences between our books and the gateway's word, each once. The order
-- need not be one of ours.
CREATE TABLE discrepancies (
    id       INTEGER PRIMARY KEY,
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    code     TEXT    NOT NULL CHECK (code <> ''),
    mark     TEXT    NOT NULL, -- what tells two of the same code apart
    detail   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    UNIQUE (merchant, number, code, mark)
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
    drift                  INTEGER NOT NULL,
    verdict                TEXT    NOT NULL CHECK (verdict IN ('agreed', 'unsettled', 'drift')),
    CONSTRAINT snapshots_drift CHECK (drift = gateway_available + gateway_frozen - ledger_available - ledger_in_flight)
) STRICT;

CREATE INDEX snapshots_merchant ON snapshots (merchant, id);
