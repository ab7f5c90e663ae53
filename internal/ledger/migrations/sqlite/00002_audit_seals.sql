-- Seals, signed actions and checkpoints of the audit, and the rosters that were in
-- force. Everything here is append-only. The same tables as in ../postgres.

-- +goose Up

-- SQLite can add no increasing column to a table, so the table is made again. An id is
-- never used twice, also not after its entry was deleted.
CREATE TABLE audit_2 (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    merchant     TEXT    NOT NULL,
    number       TEXT    NOT NULL,
    chain        TEXT    NOT NULL CHECK (chain IN ('order', 'other')),
    seq          INTEGER NOT NULL CHECK (seq > 0),
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL CHECK (actor <> ''),
    action       TEXT    NOT NULL CHECK (action <> ''),
    source       TEXT    NOT NULL,
    evidence     TEXT    NOT NULL,
    before_state TEXT    NOT NULL, -- '' at the beginning
    after_state  TEXT    NOT NULL,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('done', 'refused')),
    code         TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    paid         INTEGER NOT NULL, -- of the order, then
    fee          INTEGER NOT NULL,
    mark         TEXT    NOT NULL, -- of an action: tells a retry from a second one
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    seal         BLOB    NOT NULL DEFAULT x'', -- a signature over the hash; '': none
    envelope     TEXT    NOT NULL DEFAULT '',  -- JSON of the signed action; '': it was not signed
    UNIQUE (merchant, number, chain, seq),
    CONSTRAINT audit_operator CHECK (
        outcome = 'refused' OR source <> 'operator'
        OR (actor <> 'system' AND (evidence <> '' OR action NOT IN ('settle', 'resolve')))
    ),
    CONSTRAINT audit_refused CHECK (outcome = 'done' OR (before_state = after_state AND code <> ''))
) STRICT;

INSERT INTO audit_2 (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
    outcome, code, text, paid, fee, mark, hash)
SELECT merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
    outcome, code, text, paid, fee, mark, hash
FROM audit ORDER BY at, merchant, number, chain, seq;

DROP TABLE audit;

ALTER TABLE audit_2 RENAME TO audit;

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

-- The entries in the order in which they were added to the Merkle tree. The hash is
-- the entry's at that time.
CREATE TABLE audit_tree (
    position INTEGER PRIMARY KEY NOT NULL CHECK (position >= 0), -- without gaps
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    chain    TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    CONSTRAINT audit_tree_entry UNIQUE (merchant, number, chain, seq)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_tree_never_changes BEFORE UPDATE ON audit_tree
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_tree_kept BEFORE DELETE ON audit_tree
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append-only');
END;
-- +goose StatementEnd

-- The hashes of the tree's nodes, by their index in golang.org/x/mod/sumdb/tlog.
CREATE TABLE audit_tree_hashes (
    idx  INTEGER PRIMARY KEY NOT NULL CHECK (idx >= 0),
    hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_tree_hashes_never_change BEFORE UPDATE ON audit_tree_hashes
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_tree_hashes_kept BEFORE DELETE ON audit_tree_hashes
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append-only');
END;
-- +goose StatementEnd

-- Signed roots of the tree. Every entry with an id up to last_id that was written by
-- a transaction before horizon is among the first size entries of the tree.
CREATE TABLE checkpoints (
    size    INTEGER PRIMARY KEY NOT NULL CHECK (size >= 0),
    at      INTEGER NOT NULL,
    note    TEXT    NOT NULL CHECK (note <> ''), -- a C2SP checkpoint
    last_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL -- the next transaction's id; 0 on SQLite, where one transaction writes at a time
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER checkpoints_never_change BEFORE UPDATE ON checkpoints
BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER checkpoints_kept BEFORE DELETE ON checkpoints
BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;
-- +goose StatementEnd

-- The rosters that came into force, whole.
CREATE TABLE rosters (
    hash       TEXT    PRIMARY KEY NOT NULL CHECK (length(hash) = 64), -- SHA-256 of the text, in hex
    text       TEXT    NOT NULL,
    signatures TEXT    NOT NULL, -- '': it was the first
    at         INTEGER NOT NULL,
    replaces   TEXT    NOT NULL  -- the hash of the roster before; '': it was the first
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER rosters_never_change BEFORE UPDATE ON rosters
BEGIN
    SELECT RAISE(ABORT, 'rosters are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rosters_kept BEFORE DELETE ON rosters
BEGIN
    SELECT RAISE(ABORT, 'rosters are append-only');
END;
-- +goose StatementEnd
