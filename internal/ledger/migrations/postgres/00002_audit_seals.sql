-- Seals, signed actions and checkpoints of the audit, and the rosters that were in
-- force. Everything here is append-only.

-- +goose Up

-- id increases, with gaps. It is assigned before the commit, so an entry may become
-- visible after an entry with a higher id.
ALTER TABLE audit
    ADD COLUMN id       BIGINT GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_id UNIQUE,
    ADD COLUMN seal     BYTEA  NOT NULL DEFAULT '', -- a signature over the hash; '': none
    ADD COLUMN envelope TEXT   NOT NULL DEFAULT ''; -- JSON of the signed action; '': it was not signed

-- The entries in the order in which they were added to the Merkle tree. The hash is
-- the entry's at that time.
CREATE TABLE audit_tree (
    position BIGINT PRIMARY KEY CHECK (position >= 0), -- without gaps
    merchant TEXT   NOT NULL,
    number   TEXT   NOT NULL,
    chain    TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    hash     BYTEA  NOT NULL CHECK (length(hash) = 32),
    CONSTRAINT audit_tree_entry UNIQUE (merchant, number, chain, seq)
);

CREATE TRIGGER audit_tree_never_changes BEFORE UPDATE ON audit_tree
    FOR EACH ROW EXECUTE FUNCTION refuse('the tree of the audit is append-only');

CREATE TRIGGER audit_tree_kept BEFORE DELETE ON audit_tree
    FOR EACH ROW EXECUTE FUNCTION refuse('the tree of the audit is append-only');

CREATE TRIGGER audit_tree_not_emptied BEFORE TRUNCATE ON audit_tree
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the tree of the audit is append-only');

-- The hashes of the tree's nodes, by their index in golang.org/x/mod/sumdb/tlog.
CREATE TABLE audit_tree_hashes (
    idx  BIGINT PRIMARY KEY CHECK (idx >= 0),
    hash BYTEA  NOT NULL CHECK (length(hash) = 32)
);

CREATE TRIGGER audit_tree_hashes_never_change BEFORE UPDATE ON audit_tree_hashes
    FOR EACH ROW EXECUTE FUNCTION refuse('the tree of the audit is append-only');

CREATE TRIGGER audit_tree_hashes_kept BEFORE DELETE ON audit_tree_hashes
    FOR EACH ROW EXECUTE FUNCTION refuse('the tree of the audit is append-only');

CREATE TRIGGER audit_tree_hashes_not_emptied BEFORE TRUNCATE ON audit_tree_hashes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the tree of the audit is append-only');

-- Signed roots of the tree. Every entry with an id up to last_id that was written by
-- a transaction before horizon is among the first size entries of the tree.
CREATE TABLE checkpoints (
    size    BIGINT PRIMARY KEY CHECK (size >= 0),
    at      BIGINT NOT NULL,
    note    TEXT   NOT NULL CHECK (note <> ''), -- a C2SP checkpoint
    last_id BIGINT NOT NULL,
    horizon BIGINT NOT NULL -- the next transaction's id; 0 on SQLite, where one transaction writes at a time
);

CREATE TRIGGER checkpoints_never_change BEFORE UPDATE ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse('checkpoints are append-only');

CREATE TRIGGER checkpoints_kept BEFORE DELETE ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse('checkpoints are append-only');

CREATE TRIGGER checkpoints_not_emptied BEFORE TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('checkpoints are append-only');

-- The rosters that came into force, whole.
CREATE TABLE rosters (
    hash       TEXT   PRIMARY KEY CHECK (length(hash) = 64), -- SHA-256 of the text, in hex
    text       TEXT   NOT NULL,
    signatures TEXT   NOT NULL, -- '': it was the first
    at         BIGINT NOT NULL,
    replaces   TEXT   NOT NULL  -- the hash of the roster before; '': it was the first
);

CREATE TRIGGER rosters_never_change BEFORE UPDATE ON rosters
    FOR EACH ROW EXECUTE FUNCTION refuse('rosters are append-only');

CREATE TRIGGER rosters_kept BEFORE DELETE ON rosters
    FOR EACH ROW EXECUTE FUNCTION refuse('rosters are append-only');

CREATE TRIGGER rosters_not_emptied BEFORE TRUNCATE ON rosters
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('rosters are append-only');
