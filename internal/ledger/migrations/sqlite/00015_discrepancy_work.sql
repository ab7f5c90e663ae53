-- Discrepancies as work: who deals with one, what was said last, and the money at stake.

-- +goose Up

ALTER TABLE discrepancies ADD COLUMN state TEXT NOT NULL DEFAULT 'open' CONSTRAINT discrepancies_state CHECK (state IN (
    'open', 'assigned', 'explained', 'waiting', 'accepting', 'accepted', 'healed'
));
ALTER TABLE discrepancies ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE discrepancies ADD COLUMN said TEXT NOT NULL DEFAULT ''; -- the last explanation
ALTER TABLE discrepancies ADD COLUMN said_by TEXT NOT NULL DEFAULT '';
ALTER TABLE discrepancies ADD COLUMN wait_until INTEGER NOT NULL DEFAULT 0; -- of state waiting; 0: no end
ALTER TABLE discrepancies ADD COLUMN accepted_by TEXT NOT NULL DEFAULT ''; -- the first of two persons
ALTER TABLE discrepancies ADD COLUMN currency TEXT NOT NULL DEFAULT ''; -- '': the stake is unknown
ALTER TABLE discrepancies ADD COLUMN stake INTEGER NOT NULL DEFAULT 0 CHECK (stake >= 0);
ALTER TABLE discrepancies ADD COLUMN delta INTEGER NOT NULL DEFAULT 0; -- the gateway's amount minus ours; 0: no amount differs
ALTER TABLE discrepancies ADD COLUMN reminded_at INTEGER NOT NULL DEFAULT 0; -- the last act or reminder; 0: none

UPDATE discrepancies SET state = CASE closed_by WHEN 'system' THEN 'healed' ELSE 'accepted' END WHERE closed_at > 0;

-- +goose StatementBegin
CREATE TRIGGER discrepancies_closed BEFORE UPDATE OF state, closed_at ON discrepancies
WHEN (NEW.closed_at > 0) <> (NEW.state IN ('accepted', 'healed'))
BEGIN
    SELECT RAISE(ABORT, 'a discrepancy that is accepted or healed is closed');
END;
-- +goose StatementEnd
