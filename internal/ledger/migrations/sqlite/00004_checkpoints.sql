-- A checkpoint's last_id needs no horizon: every entry with an id up to last_id is among
-- the first size entries of the tree, whichever transaction wrote it.

-- +goose Up

ALTER TABLE checkpoints DROP COLUMN horizon;
