-- Webhooks: endpoints of finance systems that events are sent to, and the deliveries that
-- failed. A delivery that succeeds at once has no row: the endpoint's position passes it.
-- See docs/decisions. The same tables as in ../sqlite.

-- +goose Up

CREATE TABLE webhook_endpoints (
    id              TEXT    PRIMARY KEY CHECK (id <> ''),
    merchants       TEXT    NOT NULL,                      -- JSON list; []: all
    types           TEXT    NOT NULL,                      -- JSON list of types of events; []: all
    url             TEXT    NOT NULL CHECK (url <> ''),    -- encrypted with data_key, like both secrets
    secret          TEXT    NOT NULL CHECK (secret <> ''),
    previous_secret TEXT    NOT NULL DEFAULT '',           -- signs, too, until previous_until
    previous_until  BIGINT  NOT NULL DEFAULT 0,
    data_key        TEXT    NOT NULL DEFAULT '',
    state           TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
    state_at        BIGINT  NOT NULL,
    position        BIGINT  NOT NULL CHECK (position >= 0), -- every event up to it is delivered, or has a row in webhook_deliveries
    replay_from     BIGINT  NOT NULL DEFAULT -1,           -- the position that a worker goes back to; -1: none
    retry_now       BIGINT  NOT NULL DEFAULT 0 CHECK (retry_now IN (0, 1)), -- 1: a worker tries again at once what has failed
    failing_since   BIGINT  NOT NULL DEFAULT 0,            -- no try has succeeded since; 0: the last one did
    tried_at        BIGINT  NOT NULL DEFAULT 0,            -- the last failed try
    problem         TEXT    NOT NULL DEFAULT '',           -- of that try
    created_by      TEXT    NOT NULL CHECK (created_by <> ''),
    created_at      BIGINT  NOT NULL,
    changed_by      TEXT    NOT NULL DEFAULT '',           -- who last changed it; '' for the deliverer
    changed_at      BIGINT  NOT NULL,
    lease_owner     TEXT    NOT NULL DEFAULT '',
    lease_until     BIGINT  NOT NULL DEFAULT 0,
    fence           BIGINT  NOT NULL DEFAULT 0             -- counts leases: who has an older one writes nothing
);

CREATE TABLE webhook_deliveries (
    endpoint TEXT    NOT NULL REFERENCES webhook_endpoints (id),
    position BIGINT  NOT NULL,  -- events.position
    event_id TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    merchant TEXT    NOT NULL,
    number   TEXT    NOT NULL,  -- of the order; '': of none
    state    TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up', 'replayed')),
    tries    BIGINT  NOT NULL,
    rung     BIGINT  NOT NULL,  -- of the ladder: which pause comes next
    next_try BIGINT  NOT NULL,
    status   BIGINT  NOT NULL,  -- of HTTP, of the last try; 0: no answer
    why      TEXT    NOT NULL,  -- of the last try's failure
    first_at BIGINT  NOT NULL,
    at       BIGINT  NOT NULL,  -- when the row last changed
    PRIMARY KEY (endpoint, position)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_try) WHERE state = 'pending';

CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint, merchant, number, position) WHERE state = 'pending';

CREATE TRIGGER webhook_endpoints_content BEFORE UPDATE OF id, merchants, types, url, created_by, created_at ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION refuse('the content of a webhook endpoint never changes');

CREATE TRIGGER webhook_endpoints_kept BEFORE DELETE ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION refuse('webhook endpoints are kept');

CREATE TRIGGER webhook_endpoints_not_emptied BEFORE TRUNCATE ON webhook_endpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('webhook endpoints are kept');

CREATE TRIGGER webhook_deliveries_kept BEFORE DELETE ON webhook_deliveries
    FOR EACH ROW EXECUTE FUNCTION refuse('webhook deliveries are kept');

CREATE TRIGGER webhook_deliveries_not_emptied BEFORE TRUNCATE ON webhook_deliveries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('webhook deliveries are kept');

CREATE TRIGGER webhook_endpoints_data_key BEFORE INSERT OR UPDATE OF data_key ON webhook_endpoints
    FOR EACH ROW WHEN (NEW.data_key <> '') EXECUTE FUNCTION data_key_in_use();
