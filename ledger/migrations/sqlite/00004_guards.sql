-- What migrations 2 and 3 have filled never changes from here on. The audit has
-- taken the place of the history.

-- +goose Up

DROP TABLE history;
DROP TRIGGER orders_content;

-- +goose StatementBegin
CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, kind, country, way, currency, amount, fingerprint, request, created_at,
    beneficiary, approve_before, waits_for_funds ON orders
BEGIN
    SELECT RAISE(ABORT, 'the content of an order never changes');
END;
-- +goose StatementEnd

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

-- +goose StatementBegin
CREATE TRIGGER chains_kept BEFORE DELETE ON chains
BEGIN
    SELECT RAISE(ABORT, 'the heads of the audit are kept');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER discrepancies_kept BEFORE DELETE ON discrepancies
BEGIN
    SELECT RAISE(ABORT, 'discrepancies are closed, not deleted');
END;
-- +goose StatementEnd
