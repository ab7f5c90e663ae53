-- What people book by hand, always two of them: money that moved at the gateway
-- and belongs to no order. A transfer belongs to an order, to an adjustment, or
-- to the opening of the books.

-- +goose Up

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

ALTER TABLE transfers ADD COLUMN adjustment_id INTEGER REFERENCES adjustments (id)
    CONSTRAINT transfers_of_one CHECK (adjustment_id IS NULL OR order_id IS NULL);

DROP INDEX transfers_opening;
CREATE UNIQUE INDEX transfers_opening ON transfers (merchant, currency, reason) WHERE order_id IS NULL AND adjustment_id IS NULL;
CREATE UNIQUE INDEX transfers_adjustment ON transfers (adjustment_id) WHERE adjustment_id IS NOT NULL;

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

-- Which merchants' latest snapshot drifts, and since when.
CREATE INDEX snapshots_books ON snapshots (merchant, currency, id);
CREATE INDEX snapshots_not_drifting ON snapshots (merchant, currency, id) WHERE verdict <> 'drift';
