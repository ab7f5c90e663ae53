-- What migrations 2 and 3 have filled never changes from here on. The audit has
-- taken the place of the history.

-- +goose Up

DROP TABLE history;
DROP TRIGGER orders_content ON orders;

CREATE TRIGGER orders_content BEFORE UPDATE OF
    id, merchant, number, kind, country, way, currency, amount, fingerprint, request, created_at,
    beneficiary, approve_before, waits_for_funds ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of an order never changes');

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('the audit is append-only');

CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('the audit is append-only');

CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the audit is append-only');

CREATE TRIGGER chains_kept BEFORE DELETE ON chains
    FOR EACH ROW EXECUTE FUNCTION refuse('the heads of the audit are kept');

CREATE TRIGGER chains_not_emptied BEFORE TRUNCATE ON chains
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the heads of the audit are kept');

CREATE TRIGGER discrepancies_kept BEFORE DELETE ON discrepancies
    FOR EACH ROW EXECUTE FUNCTION refuse('discrepancies are closed, not deleted');

CREATE TRIGGER discrepancies_not_emptied BEFORE TRUNCATE ON discrepancies
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('discrepancies are closed, not deleted');
