-- An update of an order that does not end it writes no entry in any index: PostgreSQL
-- keeps the new version on the row's page, if no indexed column changes. The same tables
-- as in ../sqlite.

-- +goose Up

-- When the order ended; 0 while it is open. Unlike the state, it changes once.
ALTER TABLE orders ADD COLUMN ended_at BIGINT NOT NULL GENERATED ALWAYS AS (CASE WHEN state IN (
    'created', 'awaiting_approval', 'scheduled', 'awaiting_funds', 'reserved', 'submitting', 'unknown', 'submitted', 'in_review'
) THEN 0 ELSE updated_at END) STORED;

DROP INDEX orders_open;
DROP INDEX orders_state;
DROP INDEX orders_ended;
CREATE INDEX orders_open ON orders (merchant, currency, created_at, id) WHERE ended_at = 0;
CREATE INDEX orders_ended ON orders (merchant, ended_at, id) WHERE ended_at > 0;

-- Room for the versions of the rows of a page.
ALTER TABLE orders SET (fillfactor = 70);

-- The gateway's orders, each of one of ours. Triggers of the orders write it.
DROP INDEX orders_gateway_id;
CREATE TABLE gateway_ids (
    merchant   TEXT   NOT NULL,
    gateway_id TEXT   NOT NULL,
    order_id   BIGINT NOT NULL,
    CONSTRAINT orders_gateway_id PRIMARY KEY (merchant, gateway_id)
);

INSERT INTO gateway_ids (merchant, gateway_id, order_id) SELECT merchant, gateway_id, id FROM orders WHERE gateway_id <> '';

-- +goose StatementBegin
CREATE FUNCTION orders_gateway_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.gateway_id <> '' THEN
        DELETE FROM gateway_ids WHERE merchant = OLD.merchant AND gateway_id = OLD.gateway_id;
    END IF;
    IF NEW.gateway_id <> '' THEN
        INSERT INTO gateway_ids (merchant, gateway_id, order_id) VALUES (NEW.merchant, NEW.gateway_id, NEW.id);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER orders_gateway_id AFTER INSERT ON orders
    FOR EACH ROW WHEN (NEW.gateway_id <> '') EXECUTE FUNCTION orders_gateway_id();

CREATE TRIGGER orders_gateway_id_changed AFTER UPDATE OF gateway_id ON orders
    FOR EACH ROW WHEN (NEW.gateway_id <> OLD.gateway_id) EXECUTE FUNCTION orders_gateway_id();

CREATE TRIGGER gateway_ids_never_change BEFORE UPDATE ON gateway_ids
    FOR EACH ROW EXECUTE FUNCTION refuse('the ids of the gateway''s orders are kept');

-- +goose StatementBegin
CREATE FUNCTION gateway_ids_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM orders WHERE id = OLD.order_id AND gateway_id = OLD.gateway_id) THEN
        RAISE EXCEPTION 'the ids of the gateway''s orders are kept' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd

CREATE TRIGGER gateway_ids_kept BEFORE DELETE ON gateway_ids
    FOR EACH ROW EXECUTE FUNCTION gateway_ids_kept();

CREATE TRIGGER gateway_ids_not_emptied BEFORE TRUNCATE ON gateway_ids
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the ids of the gateway''s orders are kept');

-- Only callbacks that are not handled are looked for by their status.
DROP INDEX inbox_status;
CREATE INDEX inbox_status ON inbox (status, first_at) WHERE status <> 'done';
