-- Webhooks: endpoints of finance systems that events are sent to, and the deliveries that
-- failed. A delivery that succeeds at once has no row: the endpoint's position passes it.
-- See docs/decisions. The same tables as in ../postgres.

-- +goose Up

CREATE TABLE webhook_endpoints (
    id              TEXT    PRIMARY KEY NOT NULL CHECK (id <> ''),
    merchants       TEXT    NOT NULL,                      -- JSON list; []: all
    types           TEXT    NOT NULL,                      -- JSON list of types of events; []: all
    url             TEXT    NOT NULL CHECK (url <> ''),    -- encrypted with data_key, like both secrets
    secret          TEXT    NOT NULL CHECK (secret <> ''),
    previous_secret TEXT    NOT NULL DEFAULT '',           -- signs, too, until previous_until
    previous_until  INTEGER NOT NULL DEFAULT 0,
    data_key        TEXT    NOT NULL DEFAULT '',
    state           TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
    state_at        INTEGER NOT NULL,
    position        INTEGER NOT NULL CHECK (position >= 0), -- every event up to it is delivered, or has a row in webhook_deliveries
    replay_from     INTEGER NOT NULL DEFAULT -1,           -- the position that a worker goes back to; -1: none
    retry_now       INTEGER NOT NULL DEFAULT 0 CHECK (retry_now IN (0, 1)), -- 1: a worker tries again at once what has failed
    failing_since   INTEGER NOT NULL DEFAULT 0,            -- no try has succeeded since; 0: the last one did
    tried_at        INTEGER NOT NULL DEFAULT 0,            -- the last failed try
    problem         TEXT    NOT NULL DEFAULT '',           -- of that try
    created_by      TEXT    NOT NULL CHECK (created_by <> ''),
    created_at      INTEGER NOT NULL,
    changed_by      TEXT    NOT NULL DEFAULT '',           -- who last changed it; '' for the deliverer
    changed_at      INTEGER NOT NULL,
    lease_owner     TEXT    NOT NULL DEFAULT '',
    lease_until     INTEGER NOT NULL DEFAULT 0,
    fence           INTEGER NOT NULL DEFAULT 0             -- counts leases: who has an older one writes nothing
) STRICT;

CREATE TABLE webhook_deliveries (
    endpoint TEXT    NOT NULL REFERENCES webhook_endpoints (id),
    position INTEGER NOT NULL,  -- events.position
    event_id TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,  -- of the order; '': of none
    state    TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up', 'replayed')),
    tries    INTEGER NOT NULL,
    rung     INTEGER NOT NULL,  -- of the ladder: which pause comes next
    next_try INTEGER NOT NULL,
    status   INTEGER NOT NULL,  -- of HTTP, of the last try; 0: no answer
    why      TEXT    NOT NULL,  -- of the last try's failure
    first_at INTEGER NOT NULL,
    at       INTEGER NOT NULL,  -- when the row last changed
    PRIMARY KEY (endpoint, position)
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_try) WHERE state = 'pending';

CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint, merchant, number, position) WHERE state = 'pending';

-- +goose StatementBegin
CREATE TRIGGER webhook_endpoints_content BEFORE UPDATE OF id, merchants, types, url, created_by, created_at ON webhook_endpoints
BEGIN
    SELECT RAISE(ABORT, 'the content of a webhook endpoint never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER webhook_endpoints_kept BEFORE DELETE ON webhook_endpoints
BEGIN
    SELECT RAISE(ABORT, 'webhook endpoints are kept');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER webhook_deliveries_kept BEFORE DELETE ON webhook_deliveries
BEGIN
    SELECT RAISE(ABORT, 'webhook deliveries are kept');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER webhook_endpoints_data_key BEFORE INSERT ON webhook_endpoints
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER webhook_endpoints_data_key_changed BEFORE UPDATE OF data_key ON webhook_endpoints
WHEN NEW.data_key <> '' AND EXISTS (
    SELECT 1 FROM data_keys WHERE id = substr(NEW.data_key, 1, instr(NEW.data_key, ':') - 1) AND retired_at > 0
)
BEGIN
    SELECT RAISE(ABORT, 'this data key is retired: start the process again with a newer one first in PAYOUTS_DATA_KEY_FILE');
END;
-- +goose StatementEnd
