-- The deadlines of an order are on record from its opening on, and never judged
-- by later settings.

-- +goose Up

ALTER TABLE orders ADD COLUMN funds_before BIGINT NOT NULL DEFAULT 0; -- 0: does not wait for funds, or was opened before this was kept
ALTER TABLE orders ADD COLUMN horizon BIGINT NOT NULL DEFAULT 0; -- milliseconds; 0: was opened before this was kept

CREATE TRIGGER orders_terms BEFORE UPDATE OF funds_before, horizon ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');

-- An order that was tried to be sent may be cancelled as long as the gateway
-- cannot have heard of it.
INSERT INTO moves (kind, from_state, to_state) VALUES ('deposit', 'submitting', 'cancelled'), ('withdrawal', 'submitting', 'cancelled');

-- +goose StatementBegin
CREATE FUNCTION orders_cancel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM submissions WHERE order_id = OLD.id AND outcome NOT IN ('unsent', 'paused')) THEN
        RAISE EXCEPTION 'an order that the gateway may have heard of is not cancelled' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER orders_cancel BEFORE UPDATE OF state ON orders
    FOR EACH ROW WHEN (OLD.state = 'submitting' AND NEW.state = 'cancelled') EXECUTE FUNCTION orders_cancel();

-- The workflow run that opened an order, or drives it since; and from when on its
-- next create asks the gateway first, because what was sent before may not be on
-- record. 0: it need not.
ALTER TABLE orders ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN ask_first BIGINT NOT NULL DEFAULT 0;

-- Older copies of the ledger that were restored, and when what they lost had been
-- dealt with. The last row counts.
CREATE TABLE restores (
    id    BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    BIGINT NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    why   TEXT NOT NULL CHECK (why <> ''),
    ended BIGINT NOT NULL CHECK (ended IN (0, 1))
);

CREATE TRIGGER restores_never_change BEFORE UPDATE ON restores
    FOR EACH ROW EXECUTE FUNCTION refuse('restores are kept');

CREATE TRIGGER restores_kept BEFORE DELETE ON restores
    FOR EACH ROW EXECUTE FUNCTION refuse('restores are kept');

CREATE TRIGGER restores_not_emptied BEFORE TRUNCATE ON restores
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('restores are kept');
