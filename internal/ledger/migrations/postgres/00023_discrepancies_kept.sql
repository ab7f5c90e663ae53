-- What a discrepancy is about never changes. When and with what it was opened changes only if
-- it was healed and opens again, and so does how it was closed. The same as in ../sqlite.

-- +goose Up

CREATE TRIGGER discrepancies_content BEFORE UPDATE OF id, merchant, number, code, mark ON discrepancies
    FOR EACH ROW EXECUTE FUNCTION refuse('what a discrepancy is about never changes');

CREATE TRIGGER discrepancies_opening BEFORE UPDATE OF detail, at, currency, stake, delta ON discrepancies
    FOR EACH ROW WHEN (OLD.state <> 'healed' OR NEW.state <> 'open')
    EXECUTE FUNCTION refuse('the opening of a discrepancy never changes');

CREATE TRIGGER discrepancies_stay_closed BEFORE UPDATE OF
    state, assignee, said, said_by, wait_until, accepted_by, closed_at, closed_by, closed_why ON discrepancies
    FOR EACH ROW WHEN (OLD.closed_at > 0 AND (OLD.state <> 'healed' OR NEW.state <> 'open'))
    EXECUTE FUNCTION refuse('a discrepancy is closed once');
