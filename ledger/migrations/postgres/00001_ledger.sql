-- The ledger on PostgreSQL. The same tables as in ../sqlite, in the same order.
-- Amounts are whole minor units, times are Unix milliseconds UTC.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd

-- The transition table of package order, for the trigger below: whatever is
-- not listed is forbidden.
CREATE TABLE moves (
    kind       TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    PRIMARY KEY (kind, from_state, to_state)
);

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
    opening   BIGINT  NOT NULL,
    available BIGINT  NOT NULL,
    in_flight BIGINT  NOT NULL,
    paid_out  BIGINT  NOT NULL DEFAULT 0,
    received  BIGINT  NOT NULL DEFAULT 0,
    fees      BIGINT  NOT NULL DEFAULT 0,
    settled   BIGINT  NOT NULL DEFAULT 0,
    suspense  BIGINT  NOT NULL DEFAULT 0,
    opened_at BIGINT  NOT NULL,
    PRIMARY KEY (merchant, currency),
    CONSTRAINT books_balance CHECK (
        opening + available + in_flight + paid_out + received + fees + settled + suspense = 0
    ),
    CONSTRAINT books_in_flight CHECK (in_flight >= 0)
) WITH (fillfactor = 20); -- few rows, each updated with every order: its versions stay on its page

CREATE TABLE orders (
    id           BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant     TEXT    NOT NULL CHECK (merchant <> ''),
    number       TEXT    NOT NULL CHECK (number <> ''),
    kind         TEXT    NOT NULL CHECK (kind IN ('deposit', 'withdrawal')),
    country      TEXT    NOT NULL,
    way          TEXT    NOT NULL,
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    amount       BIGINT  NOT NULL CHECK (amount > 0),
    fingerprint  TEXT    NOT NULL CHECK (fingerprint <> ''),
    request      TEXT    NOT NULL, -- JSON, whole; holds personal data
    state        TEXT    NOT NULL,
    gateway_id   TEXT    NOT NULL DEFAULT '',
    paid         BIGINT  NOT NULL DEFAULT 0,
    fee          BIGINT  NOT NULL DEFAULT 0 CHECK (fee >= 0),
    reason_code  TEXT    NOT NULL DEFAULT '',
    reason_text  TEXT    NOT NULL DEFAULT '',
    instructions TEXT    NOT NULL DEFAULT '', -- JSON
    attempts     BIGINT  NOT NULL DEFAULT 0,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
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
);

CREATE INDEX orders_created ON orders (created_at, id);
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE state IN (
    'created', 'awaiting_approval', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
);

-- +goose StatementBegin
CREATE FUNCTION orders_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM moves WHERE kind = OLD.kind AND from_state = OLD.state AND to_state = NEW.state) THEN
        RAISE EXCEPTION 'the table of moves does not allow this change of state' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER orders_move BEFORE UPDATE OF state ON orders
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION orders_move();

CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, kind, country, way, currency, amount, fingerprint, request, created_at ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');

CREATE TRIGGER orders_kept BEFORE DELETE ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('orders are kept');

CREATE TRIGGER orders_not_emptied BEFORE TRUNCATE ON orders
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('orders are kept');

-- Every change of state, with the proof it was made on. Append-only.
CREATE TABLE history (
    id          BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    BIGINT  NOT NULL REFERENCES orders (id),
    from_state  TEXT    NOT NULL,
    to_state    TEXT    NOT NULL,
    source      TEXT    NOT NULL CHECK (source <> ''),
    evidence    TEXT    NOT NULL DEFAULT '',
    actor       TEXT    NOT NULL DEFAULT '',
    reason_code TEXT    NOT NULL DEFAULT '',
    reason_text TEXT    NOT NULL DEFAULT '',
    at          BIGINT  NOT NULL,
    CONSTRAINT history_operator CHECK (source <> 'operator' OR (actor <> '' AND evidence <> ''))
);

CREATE INDEX history_order ON history (order_id, id);

CREATE TRIGGER history_never_changes BEFORE UPDATE ON history
    FOR EACH ROW EXECUTE FUNCTION refuse('history is append-only');

CREATE TRIGGER history_kept BEFORE DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION refuse('history is append-only');

CREATE TRIGGER history_not_emptied BEFORE TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('history is append-only');

-- One row per create that was about to be sent, written before it is sent and
-- completed after. An empty outcome is an attempt whose end nobody wrote down.
CREATE TABLE submissions (
    order_id    BIGINT  NOT NULL REFERENCES orders (id),
    attempt     BIGINT  NOT NULL CHECK (attempt > 0),
    started_at  BIGINT  NOT NULL,
    ended_at    BIGINT  NOT NULL DEFAULT 0,
    outcome     TEXT    NOT NULL DEFAULT '' CHECK (outcome IN ('', 'accepted', 'refused', 'ambiguous', 'paused', 'unsent')),
    reason_code TEXT    NOT NULL DEFAULT '',
    reason_text TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, attempt)
);

CREATE TRIGGER submissions_kept BEFORE DELETE ON submissions
    FOR EACH ROW EXECUTE FUNCTION refuse('submissions are kept');

CREATE TRIGGER submissions_not_emptied BEFORE TRUNCATE ON submissions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('submissions are kept');

-- Amounts moved from one account to another. Append-only: a mistake is undone
-- by another transfer. An order makes each of its transfers once, and so do
-- books when they are opened.
CREATE TABLE transfers (
    id           BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id     BIGINT  REFERENCES orders (id),
    merchant     TEXT    NOT NULL,
    currency     TEXT    NOT NULL,
    reason       TEXT    NOT NULL CHECK (reason <> ''),
    from_account TEXT    NOT NULL,
    to_account   TEXT    NOT NULL,
    amount       BIGINT  NOT NULL CHECK (amount > 0),
    at           BIGINT  NOT NULL,
    CONSTRAINT transfers_accounts CHECK (
        from_account <> to_account
        AND from_account IN ('opening', 'available', 'in_flight', 'paid_out', 'received', 'fees', 'settled', 'suspense')
        AND to_account IN ('opening', 'available', 'in_flight', 'paid_out', 'received', 'fees', 'settled', 'suspense')
    )
);

CREATE UNIQUE INDEX transfers_order ON transfers (order_id, reason) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX transfers_opening ON transfers (merchant, currency, reason) WHERE order_id IS NULL;

CREATE TRIGGER transfers_never_change BEFORE UPDATE ON transfers
    FOR EACH ROW EXECUTE FUNCTION refuse('transfers are append-only');

CREATE TRIGGER transfers_kept BEFORE DELETE ON transfers
    FOR EACH ROW EXECUTE FUNCTION refuse('transfers are append-only');

CREATE TRIGGER transfers_not_emptied BEFORE TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('transfers are append-only');

-- Verified callbacks, as they came. The id is the fingerprint of what one says.
CREATE TABLE inbox (
    id       TEXT    PRIMARY KEY CHECK (id <> ''),
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    callback TEXT    NOT NULL, -- JSON
    body     BYTEA   NOT NULL,
    status   TEXT    NOT NULL CHECK (status IN ('stored', 'unmatched', 'signalled', 'late', 'done')),
    received BIGINT  NOT NULL CHECK (received > 0),
    first_at BIGINT  NOT NULL,
    last_at  BIGINT  NOT NULL
);

CREATE INDEX inbox_order ON inbox (merchant, number);
CREATE INDEX inbox_status ON inbox (status, first_at, id);

-- Differences between our books and the gateway's word, each once. The order
-- need not be one of ours.
CREATE TABLE discrepancies (
    id       BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    code     TEXT    NOT NULL CHECK (code <> ''),
    mark     TEXT    NOT NULL, -- what tells two of the same code apart
    detail   TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    UNIQUE (merchant, number, code, mark)
);

-- The gateway's balance beside ours, at one moment.
CREATE TABLE snapshots (
    id                     BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant               TEXT    NOT NULL,
    currency               TEXT    NOT NULL,
    at                     BIGINT  NOT NULL,
    gateway_available      BIGINT  NOT NULL,
    gateway_frozen         BIGINT  NOT NULL,
    ledger_available       BIGINT  NOT NULL,
    ledger_in_flight       BIGINT  NOT NULL,
    open_withdrawals       BIGINT  NOT NULL,
    open_withdrawal_amount BIGINT  NOT NULL,
    open_deposits          BIGINT  NOT NULL,
    open_deposit_amount    BIGINT  NOT NULL,
    drift                  BIGINT  NOT NULL,
    verdict                TEXT    NOT NULL CHECK (verdict IN ('agreed', 'unsettled', 'drift')),
    CONSTRAINT snapshots_drift CHECK (drift = gateway_available + gateway_frozen - ledger_available - ledger_in_flight)
);

CREATE INDEX snapshots_merchant ON snapshots (merchant, id);
