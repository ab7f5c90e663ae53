-- Statements: files that a person exported from the gateway's portal. A page of lines is
-- stored at a time; a statement is compared once every line is there. Lines are not in
-- gateway_records: the gateway did not tell them itself, and they never replace what it
-- told. The same columns as in ../postgres.

-- +goose Up

CREATE TABLE statements (
    id               TEXT   PRIMARY KEY NOT NULL CHECK (length(id) = 16), -- of the fingerprint
    merchant         TEXT   NOT NULL CHECK (merchant <> ''),
    fingerprint      TEXT   NOT NULL CHECK (length(fingerprint) = 64), -- over merchant, profile and file
    file             TEXT   NOT NULL CHECK (length(file) = 64), -- the SHA-256 of the file
    content          TEXT   NOT NULL CHECK (length(content) = 64), -- over the lines
    profile          TEXT   NOT NULL,
    line_count       INTEGER NOT NULL CHECK (line_count > 0),
    paid_deposits    INTEGER NOT NULL,
    paid_withdrawals INTEGER NOT NULL,
    from_at          INTEGER NOT NULL, -- the time of the first line
    to_at            INTEGER NOT NULL CHECK (to_at >= from_at), -- and of the last
    state            TEXT   NOT NULL CHECK (state IN ('storing', 'matching', 'matched', 'broken')),
    imported_by      TEXT   NOT NULL,
    matched          INTEGER NOT NULL DEFAULT 0, -- the last line that was compared
    compared         INTEGER NOT NULL DEFAULT 0, -- lines whose order has ended
    asked            INTEGER NOT NULL DEFAULT 0, -- orders that the gateway was asked about
    unanswered       INTEGER NOT NULL DEFAULT 0,
    settled          INTEGER NOT NULL DEFAULT 0, -- orders that its answer settled
    absent           INTEGER NOT NULL DEFAULT 0, -- paid orders of its time that it does not have
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    CONSTRAINT statements_id CHECK (substr(fingerprint, 1, 16) = id),
    CONSTRAINT statements_matched CHECK (matched BETWEEN 0 AND line_count)
) STRICT;

CREATE INDEX statements_listed ON statements (merchant, created_at, id);

-- +goose StatementBegin
CREATE TRIGGER statements_content BEFORE UPDATE OF
    id, merchant, fingerprint, file, content, profile, line_count, paid_deposits, paid_withdrawals, from_at, to_at, imported_by, created_at ON statements
BEGIN
    SELECT RAISE(ABORT, 'the content of a statement never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statements_stay_ended BEFORE UPDATE OF state ON statements
WHEN OLD.state IN ('matched', 'broken') OR NEW.state = 'storing'
BEGIN
    SELECT RAISE(ABORT, 'a statement ends once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statements_kept BEFORE DELETE ON statements
BEGIN
    SELECT RAISE(ABORT, 'statements are kept');
END;
-- +goose StatementEnd

CREATE TABLE statement_lines (
    statement  TEXT   NOT NULL REFERENCES statements (id),
    seq        INTEGER NOT NULL CHECK (seq > 0), -- from 1, in the sequence of the file
    line       INTEGER NOT NULL,                 -- of the file
    merchant   TEXT   NOT NULL,
    gateway_id TEXT   NOT NULL, -- '': the statement does not tell it
    number     TEXT   NOT NULL, -- '': the statement does not tell it
    kind       INTEGER NOT NULL, -- as in gateway_records
    state      INTEGER NOT NULL,
    currency   TEXT   NOT NULL,
    amount     INTEGER NOT NULL,
    paid       INTEGER NOT NULL, -- -2: the statement does not tell it
    fee        INTEGER NOT NULL,
    at         INTEGER NOT NULL, -- the gateway's time
    PRIMARY KEY (statement, seq),
    CONSTRAINT statement_lines_reference CHECK (gateway_id <> '' OR number <> '')
) STRICT;

CREATE INDEX statement_lines_number ON statement_lines (merchant, number, gateway_id);
CREATE INDEX statement_lines_gateway_id ON statement_lines (merchant, gateway_id) WHERE gateway_id <> '';

-- +goose StatementBegin
CREATE TRIGGER statement_lines_content BEFORE UPDATE ON statement_lines
BEGIN
    SELECT RAISE(ABORT, 'lines of statements are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statement_lines_kept BEFORE DELETE ON statement_lines
BEGIN
    SELECT RAISE(ABORT, 'lines of statements are append-only');
END;
-- +goose StatementEnd
