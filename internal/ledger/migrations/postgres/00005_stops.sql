-- Stops: a person holds the withdrawals of a merchant, of a country or of everybody
-- back. Two persons resume them.

-- +goose Up

CREATE TABLE stops (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant TEXT   NOT NULL, -- '': not of one merchant
    country  TEXT   NOT NULL, -- '': not of one country; if both are '': of all
    at       BIGINT NOT NULL,
    actor    TEXT   NOT NULL CHECK (actor <> ''),
    why      TEXT   NOT NULL CHECK (why <> ''),
    proposer TEXT   NOT NULL DEFAULT '', -- the first of the two who resume
    ended_by TEXT   NOT NULL DEFAULT '', -- the second
    ended_at BIGINT NOT NULL DEFAULT 0,  -- 0: in force
    CONSTRAINT stops_scope CHECK (merchant = '' OR country = ''),
    CONSTRAINT stops_ended CHECK (CASE ended_at WHEN 0 THEN ended_by = '' ELSE ended_by <> '' AND proposer <> '' END),
    CONSTRAINT stops_two_persons CHECK (ended_at = 0 OR lower(trim(ended_by)) <> lower(trim(proposer)))
);

CREATE UNIQUE INDEX stops_in_force ON stops (merchant, country) WHERE ended_at = 0;

CREATE TRIGGER stops_content BEFORE UPDATE OF id, merchant, country, at, actor, why ON stops
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of a stop never changes');

CREATE TRIGGER stops_stay_ended BEFORE UPDATE ON stops
    FOR EACH ROW WHEN (OLD.ended_at > 0) EXECUTE FUNCTION refuse('a stop ends once');

CREATE TRIGGER stops_begin BEFORE INSERT ON stops
    FOR EACH ROW WHEN (NEW.ended_at > 0 OR NEW.proposer <> '') EXECUTE FUNCTION refuse('a stop begins in force');

CREATE TRIGGER stops_kept BEFORE DELETE ON stops
    FOR EACH ROW EXECUTE FUNCTION refuse('stops are kept');

CREATE TRIGGER stops_not_emptied BEFORE TRUNCATE ON stops
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('stops are kept');

-- No attempt begins that a stop holds back, whatever the worker knows. The function
-- reads what was committed before it runs.
-- +goose StatementBegin
CREATE FUNCTION submissions_stopped() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM orders o JOIN stops s ON s.ended_at = 0
            AND (s.merchant = o.merchant OR s.country = o.country OR (s.merchant = '' AND s.country = ''))
        WHERE o.id = NEW.order_id AND o.kind = 'withdrawal'
    ) THEN
        RAISE EXCEPTION 'payouts are stopped' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER submissions_stopped BEFORE INSERT ON submissions
    FOR EACH ROW WHEN (NEW.ended_at = 0) EXECUTE FUNCTION submissions_stopped();
