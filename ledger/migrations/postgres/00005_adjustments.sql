-- What people book by hand, always two of them: money that moved at the gateway
-- and belongs to no order. A transfer belongs to an order, to an adjustment, or
-- to the opening of the books.

-- +goose Up

CREATE TABLE adjustments (
    id          BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant    TEXT    NOT NULL CHECK (merchant <> ''),
    ref         TEXT    NOT NULL CHECK (ref <> ''), -- the first person's own
    currency    TEXT    NOT NULL CHECK (length(currency) = 3),
    kind        TEXT    NOT NULL CONSTRAINT adjustments_kind CHECK (kind IN (
        'top_up', 'settlement', 'fee', 'fee_refund', 'frozen_paid', 'frozen_returned', 'correction_in', 'correction_out'
    )),
    amount      BIGINT  NOT NULL CHECK (amount > 0),
    actor       TEXT    NOT NULL CHECK (actor <> ''),
    why         TEXT    NOT NULL CHECK (why <> ''),
    evidence    TEXT    NOT NULL CHECK (evidence <> ''),
    proposed_at BIGINT  NOT NULL,
    state       TEXT    NOT NULL CONSTRAINT adjustments_state CHECK (state IN ('proposed', 'booked', 'rejected')),
    decided_by  TEXT    NOT NULL DEFAULT '',
    decided_at  BIGINT  NOT NULL DEFAULT 0,
    decided_why TEXT    NOT NULL DEFAULT '',
    UNIQUE (merchant, ref),
    CONSTRAINT adjustments_decided CHECK (
        CASE state WHEN 'proposed' THEN decided_by = '' AND decided_at = 0 ELSE decided_by <> '' AND decided_at > 0 END
    ),
    CONSTRAINT adjustments_two_persons CHECK (state <> 'booked' OR lower(trim(decided_by)) <> lower(trim(actor)))
);

CREATE INDEX adjustments_open ON adjustments (proposed_at, id) WHERE state = 'proposed';

CREATE TRIGGER adjustments_content BEFORE UPDATE OF
    id, merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at ON adjustments
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an adjustment never changes');

CREATE TRIGGER adjustments_stay_decided BEFORE UPDATE ON adjustments
    FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION refuse('an adjustment is decided once');

CREATE TRIGGER adjustments_begin BEFORE INSERT ON adjustments
    FOR EACH ROW WHEN (NEW.state <> 'proposed') EXECUTE FUNCTION refuse('an adjustment begins as a proposal');

CREATE TRIGGER adjustments_kept BEFORE DELETE ON adjustments
    FOR EACH ROW EXECUTE FUNCTION refuse('adjustments are kept');

CREATE TRIGGER adjustments_not_emptied BEFORE TRUNCATE ON adjustments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('adjustments are kept');

ALTER TABLE transfers ADD COLUMN adjustment_id BIGINT REFERENCES adjustments (id)
    CONSTRAINT transfers_of_one CHECK (adjustment_id IS NULL OR order_id IS NULL);

DROP INDEX transfers_opening;
CREATE UNIQUE INDEX transfers_opening ON transfers (merchant, currency, reason) WHERE order_id IS NULL AND adjustment_id IS NULL;
CREATE UNIQUE INDEX transfers_adjustment ON transfers (adjustment_id) WHERE adjustment_id IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION transfers_adjusted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM adjustments a
        WHERE a.id = NEW.adjustment_id AND a.state = 'booked' AND a.merchant = NEW.merchant AND a.currency = NEW.currency
            AND a.amount = NEW.amount AND NEW.reason = 'adjust_' || a.kind
    ) THEN
        RAISE EXCEPTION 'a transfer of an adjustment is what two persons have decided' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER transfers_adjusted BEFORE INSERT ON transfers
    FOR EACH ROW WHEN (NEW.adjustment_id IS NOT NULL) EXECUTE FUNCTION transfers_adjusted();

-- Which merchants' latest snapshot drifts, and since when.
CREATE INDEX snapshots_books ON snapshots (merchant, currency, id);
CREATE INDEX snapshots_not_drifting ON snapshots (merchant, currency, id) WHERE verdict <> 'drift';
