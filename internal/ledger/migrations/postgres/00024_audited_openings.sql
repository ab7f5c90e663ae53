-- The opening of books is audited. Books from before have no entry: unaudited_books has which
-- there were, and how they were opened. Nobody adds a row later, so books without an entry that
-- are not there were not opened by a worker. And an attempt that has ended never changes. The
-- same as in ../sqlite.

-- +goose Up

CREATE TABLE unaudited_books (
    merchant  TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    opened_at BIGINT NOT NULL,
    available BIGINT NOT NULL, -- what was booked at the opening, from opening to available
    frozen    BIGINT NOT NULL, -- to in_flight
    PRIMARY KEY (merchant, currency)
);

INSERT INTO unaudited_books (merchant, currency, opened_at, available, frozen)
SELECT b.merchant, b.currency, b.opened_at,
    COALESCE(SUM(CASE WHEN f.reason <> 'opening_available' THEN 0 WHEN f.from_account = 'opening' THEN f.amount ELSE -f.amount END), 0),
    COALESCE(SUM(CASE f.reason WHEN 'opening_frozen' THEN f.amount ELSE 0 END), 0)
FROM books b LEFT JOIN transfers f ON f.merchant = b.merchant AND f.currency = b.currency AND f.order_id IS NULL AND f.adjustment_id IS NULL
GROUP BY b.merchant, b.currency, b.opened_at;

CREATE TRIGGER unaudited_books_constant BEFORE INSERT OR UPDATE OR DELETE ON unaudited_books
    FOR EACH ROW EXECUTE FUNCTION refuse('the openings from before schema version 24 are known');

CREATE TRIGGER unaudited_books_not_emptied BEFORE TRUNCATE ON unaudited_books
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the openings from before schema version 24 are known');

CREATE TRIGGER submissions_begin BEFORE UPDATE OF order_id, attempt, started_at ON submissions
    FOR EACH ROW EXECUTE FUNCTION refuse('the beginning of an attempt never changes');

CREATE TRIGGER submissions_stay_ended BEFORE UPDATE ON submissions
    FOR EACH ROW WHEN (OLD.outcome <> '') EXECUTE FUNCTION refuse('an attempt ends once');
