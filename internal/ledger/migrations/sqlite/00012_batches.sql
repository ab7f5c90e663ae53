-- Files of payouts. A page of rows is stored at a time; a batch runs once every row is
-- there. A row's order is the one of its merchant and number. The same columns as in
-- ../postgres.

-- +goose Up

CREATE TABLE batches (
    id           TEXT   PRIMARY KEY NOT NULL CHECK (length(id) = 16), -- of the fingerprint
    merchant     TEXT   NOT NULL CHECK (merchant <> ''),
    fingerprint  TEXT   NOT NULL CHECK (length(fingerprint) = 64), -- over the merchant and the rows
    name         TEXT   NOT NULL,
    header       TEXT   NOT NULL, -- of the file: a JSON list
    row_count    INTEGER NOT NULL CHECK (row_count > 0),
    totals       TEXT   NOT NULL, -- a JSON list of amounts
    state        TEXT   NOT NULL CHECK (state IN ('storing', 'running', 'paused', 'cancelled', 'completed', 'broken')),
    requested_by TEXT   NOT NULL,
    data_key     TEXT   NOT NULL DEFAULT '', -- as in 00006; also of the rows
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    changed_by   TEXT   NOT NULL DEFAULT '', -- who paused, resumed or cancelled it last
    CONSTRAINT batches_id CHECK (substr(fingerprint, 1, 16) = id)
) STRICT;

CREATE INDEX batches_listed ON batches (merchant, created_at, id);

-- +goose StatementBegin
CREATE TRIGGER batches_content BEFORE UPDATE OF id, merchant, fingerprint, name, header, row_count, totals, requested_by, created_at ON batches
BEGIN
    SELECT RAISE(ABORT, 'the content of a batch never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batches_stay_ended BEFORE UPDATE OF state ON batches
WHEN OLD.state IN ('cancelled', 'completed', 'broken') OR NEW.state = 'storing'
BEGIN
    SELECT RAISE(ABORT, 'a batch ends once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batches_kept BEFORE DELETE ON batches
BEGIN
    SELECT RAISE(ABORT, 'batches are kept');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batches_data_key BEFORE INSERT ON batches
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batches_data_key_changed BEFORE UPDATE OF data_key ON batches
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

CREATE TABLE batch_rows (
    batch    TEXT   NOT NULL REFERENCES batches (id),
    seq      INTEGER NOT NULL CHECK (seq > 0), -- from 1, in the sequence of the file
    line     INTEGER NOT NULL,                 -- of the file
    merchant TEXT   NOT NULL,
    number   TEXT   NOT NULL CHECK (number <> ''),
    currency TEXT   NOT NULL,
    amount   INTEGER NOT NULL CHECK (amount > 0), -- in minor units
    request  TEXT   NOT NULL,                 -- JSON; '' once the order has it
    outcome  TEXT   NOT NULL DEFAULT '' CHECK (outcome IN ('', 'begun', 'started', 'ended', 'refused')),
    code     TEXT   NOT NULL DEFAULT '',      -- why it was refused
    text     TEXT   NOT NULL DEFAULT '',
    at       INTEGER NOT NULL,                 -- of the outcome
    PRIMARY KEY (batch, seq),
    CONSTRAINT batch_rows_number UNIQUE (batch, number)
) STRICT;

CREATE INDEX batch_rows_outcome ON batch_rows (batch, outcome, seq);

-- +goose StatementBegin
CREATE TRIGGER batch_rows_content BEFORE UPDATE OF batch, seq, line, merchant, number, currency, amount ON batch_rows
BEGIN
    SELECT RAISE(ABORT, 'the content of a row never changes');
END;
-- +goose StatementEnd

-- A row is begun before its order is started. What was begun is started or refused.
-- +goose StatementBegin
CREATE TRIGGER batch_rows_moves BEFORE UPDATE OF outcome, request ON batch_rows
WHEN NOT (NEW.outcome = OLD.outcome AND NEW.request = OLD.request
            OR OLD.outcome = '' AND NEW.outcome = 'begun' AND NEW.request = OLD.request
            OR OLD.outcome = 'begun' AND NEW.outcome = 'started' AND NEW.request = OLD.request
            OR OLD.outcome = 'started' AND NEW.outcome IN ('started', 'ended') AND NEW.request IN (OLD.request, '')
            OR OLD.outcome IN ('begun', 'started') AND NEW.outcome = 'refused' AND NEW.request = OLD.request)
BEGIN
    SELECT RAISE(ABORT, 'a row does not move back');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batch_rows_kept BEFORE DELETE ON batch_rows
BEGIN
    SELECT RAISE(ABORT, 'batches are kept');
END;
-- +goose StatementEnd
