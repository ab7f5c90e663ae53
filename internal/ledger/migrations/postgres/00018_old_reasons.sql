-- Why payouts were stopped before schema version 17 stands in stops in clear: `worker rekey`
-- encrypts it. Why an older copy was restored is in the installation's audit; what restores
-- had of it goes. The same as in ../sqlite.

-- +goose Up

DROP TRIGGER stops_content ON stops;

CREATE TRIGGER stops_content BEFORE UPDATE OF id, merchant, country, at, actor ON stops
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of a stop never changes');

-- A reason is encrypted once, and then never changes.
CREATE TRIGGER stops_why BEFORE UPDATE OF why ON stops
    FOR EACH ROW WHEN (OLD.data_key <> '' OR NEW.data_key = '' OR substr(NEW.why, 1, 5) <> 'enc1.')
    EXECUTE FUNCTION refuse('the content of a stop never changes');

DROP TRIGGER restores_never_change ON restores;

UPDATE restores SET why = 'see the audit of the installation';

CREATE TRIGGER restores_never_change BEFORE UPDATE ON restores
    FOR EACH ROW EXECUTE FUNCTION refuse('restores are kept');
