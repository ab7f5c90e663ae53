-- Up to which start of an order's workflow Temporal has been compared with the
-- orders. An older copy of the ledger that is restored has an older one, so what
-- it lost is compared again.

-- +goose Up

CREATE TABLE compared_workflows (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    up_to BIGINT NOT NULL, -- milliseconds
    at    BIGINT NOT NULL
);
