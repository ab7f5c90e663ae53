-- The gateway's signature of a callback, so that a worker verifies it again before it books
-- anything. Encrypted with the callback's key like its body, because it could confirm a guess
-- of what was erased. The same as in ../postgres.

-- +goose Up

ALTER TABLE inbox ADD COLUMN signature BLOB NOT NULL DEFAULT x''; -- empty: the callback is from before
