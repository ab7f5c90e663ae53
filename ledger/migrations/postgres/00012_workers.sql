-- What some worker knows: the merchants that it is configured with, and the
-- profiles of countries that it was built with. A worker that lacks one of them
-- leaves the order to another worker.

-- +goose Up

CREATE TABLE known (
    kind     TEXT NOT NULL CHECK (kind IN ('merchant', 'profile')),
    name     TEXT NOT NULL CHECK (name <> ''), -- the merchant's number; the profile's country
    value    TEXT NOT NULL,                    -- the merchant's country; the profile's SHA-256
    first_at BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL, -- when a worker last said so
    PRIMARY KEY (kind, name, value)
);
