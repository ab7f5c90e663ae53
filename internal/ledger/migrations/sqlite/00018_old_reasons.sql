-- Why payouts were stopped before schema version 17 stands in stops in clear: `worker rekey`
-- encrypts it. Why an older copy was restored is in the installation's audit; what restores
-- had of it goes. The same as in ../postgres.

-- +goose Up

DROP TRIGGER stops_content;

-- +goose StatementBegin
CREATE TRIGGER stops_content BEFORE UPDATE OF id, merchant, country, at, actor ON stops
BEGIN
    SELECT RAISE(ABORT, 'the content of a stop never changes');
END;
-- +goose StatementEnd

-- A reason is encrypted once, and then never changes.
-- +goose StatementBegin
CREATE TRIGGER stops_why BEFORE UPDATE OF why ON stops
WHEN OLD.data_key <> '' OR NEW.data_key = '' OR substr(NEW.why, 1, 5) <> 'enc1.'
BEGIN
    SELECT RAISE(ABORT, 'the content of a stop never changes');
END;
-- +goose StatementEnd

DROP TRIGGER restores_never_change;

UPDATE restores SET why = 'see the audit of the installation';

-- +goose StatementBegin
CREATE TRIGGER restores_never_change BEFORE UPDATE ON restores
BEGIN
    SELECT RAISE(ABORT, 'restores are kept');
END;
-- +goose StatementEnd
