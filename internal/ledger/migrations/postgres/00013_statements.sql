-- Statements: files that a person exported from the gateway's portal. A page of lines is
-- stored at a time; a statement is compared once every line is there. Lines are not in
-- gateway_records: the gateway did not tell them itself, and they never replace what it
-- told.

-- +goose Up

CREATE TABLE statements (
    id               TEXT   PRIMARY KEY CHECK (length(id) = 16), -- of the fingerprint
    merchant         TEXT   NOT NULL CHECK (merchant <> ''),
    fingerprint      TEXT   NOT NULL CHECK (length(fingerprint) = 64), -- over merchant, profile and file
    file             TEXT   NOT NULL CHECK (length(file) = 64), -- the SHA-256 of the file
    content          TEXT   NOT NULL CHECK (length(content) = 64), -- over the lines
    profile          TEXT   NOT NULL,
    line_count       BIGINT NOT NULL CHECK (line_count > 0),
    paid_deposits    BIGINT NOT NULL,
    paid_withdrawals BIGINT NOT NULL,
    from_at          BIGINT NOT NULL, -- the time of the first line
    to_at            BIGINT NOT NULL CHECK (to_at >= from_at), -- and of the last
    state            TEXT   NOT NULL CHECK (state IN ('storing', 'matching', 'matched', 'broken')),
    imported_by      TEXT   NOT NULL,
    matched          BIGINT NOT NULL DEFAULT 0, -- the last line that was compared
    compared         BIGINT NOT NULL DEFAULT 0, -- lines whose order has ended
    asked            BIGINT NOT NULL DEFAULT 0, -- orders that the gateway was asked about
    unanswered       BIGINT NOT NULL DEFAULT 0,
    settled          BIGINT NOT NULL DEFAULT 0, -- orders that its answer settled
    absent           BIGINT NOT NULL DEFAULT 0, -- paid orders of its time that it does not have
    created_at       BIGINT NOT NULL,
    changed_at       BIGINT NOT NULL,
    CONSTRAINT statements_id CHECK (substr(fingerprint, 1, 16) = id),
    CONSTRAINT statements_matched CHECK (matched BETWEEN 0 AND line_count)
);

CREATE INDEX statements_listed ON statements (merchant, created_at, id);

CREATE TRIGGER statements_content BEFORE UPDATE OF
    id, merchant, fingerprint, file, content, profile, line_count, paid_deposits, paid_withdrawals, from_at, to_at, imported_by, created_at ON statements
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of a statement never changes');

CREATE TRIGGER statements_stay_ended BEFORE UPDATE OF state ON statements
    FOR EACH ROW WHEN (OLD.state IN ('matched', 'broken') OR NEW.state = 'storing')
    EXECUTE FUNCTION refuse('a statement ends once');

CREATE TRIGGER statements_kept BEFORE DELETE ON statements
    FOR EACH ROW EXECUTE FUNCTION refuse('statements are kept');

CREATE TRIGGER statements_not_emptied BEFORE TRUNCATE ON statements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('statements are kept');

CREATE TABLE statement_lines (
    statement  TEXT   NOT NULL REFERENCES statements (id),
    seq        BIGINT NOT NULL CHECK (seq > 0), -- from 1, in the sequence of the file
    line       BIGINT NOT NULL,                 -- of the file
    merchant   TEXT   NOT NULL,
    gateway_id TEXT   NOT NULL, -- '': the statement does not tell it
    number     TEXT   NOT NULL, -- '': the statement does not tell it
    kind       BIGINT NOT NULL, -- as in gateway_records
    state      BIGINT NOT NULL,
    currency   TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    paid       BIGINT NOT NULL, -- -2: the statement does not tell it
    fee        BIGINT NOT NULL,
    at         BIGINT NOT NULL, -- the gateway's time
    PRIMARY KEY (statement, seq),
    CONSTRAINT statement_lines_reference CHECK (gateway_id <> '' OR number <> '')
);

CREATE INDEX statement_lines_number ON statement_lines (merchant, number, gateway_id);
CREATE INDEX statement_lines_gateway_id ON statement_lines (merchant, gateway_id) WHERE gateway_id <> '';

CREATE TRIGGER statement_lines_content BEFORE UPDATE ON statement_lines
    FOR EACH ROW EXECUTE FUNCTION refuse('lines of statements are append-only');

CREATE TRIGGER statement_lines_kept BEFORE DELETE ON statement_lines
    FOR EACH ROW EXECUTE FUNCTION refuse('lines of statements are append-only');

CREATE TRIGGER statement_lines_not_emptied BEFORE TRUNCATE ON statement_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('lines of statements are append-only');
