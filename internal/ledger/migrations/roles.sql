-- The database roles of a ledger on PostgreSQL: what each process may do.
--
-- `worker migrate --roles` applies it, after the migrations, to the schema that the
-- session's search_path names first. It may be applied again at any time, and must be
-- after every migration. The first time it needs a login that may make roles and owns
-- the tables; later the login for migrations is enough. By hand:
--
--     psql -v ON_ERROR_STOP=1 --single-transaction -f roles.sql "$URL"
--
-- The roles have no password and cannot log in;
-- make a login for each process, and one for migrations that becomes the owner:
--
--     CREATE ROLE worker_1 LOGIN PASSWORD '…' IN ROLE payouts_worker;
--     CREATE ROLE migrate_1 LOGIN PASSWORD '…' IN ROLE payouts_migrate;
--     ALTER ROLE migrate_1 SET role = 'payouts_migrate';
--
-- What is not granted here is refused. A table that this file does not name is
-- readable and writable for its owner only.

-- 1. The roles ---------------------------------------------------------------

-- payouts_migrate   owns the tables; no process but `worker migrate` uses it
-- payouts_worker    writes what happens to orders
-- payouts_receiver  stores callbacks, and reads orders to pass callbacks on
-- payouts_api       reads, registers webhook endpoints, and keeps log-outs; what else it asks for, a worker writes
-- payouts_reader    reads
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['payouts_migrate', 'payouts_worker', 'payouts_receiver', 'payouts_api', 'payouts_reader'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- somebody else has made it at the same moment
        END;
    END LOOP;
    -- Whoever hands the tables over must be a member of their new owner.
    IF NOT pg_has_role(current_user, 'payouts_migrate', 'MEMBER') THEN
        EXECUTE format('GRANT payouts_migrate TO %I', current_user);
    END IF;
END $$;

-- 2. The schema --------------------------------------------------------------

DO $$
DECLARE
    schema TEXT := current_schema();
    owned  RECORD;
BEGIN
    -- Before version 15, PostgreSQL lets everybody create tables in the schema public.
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', schema);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO payouts_migrate', schema);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO payouts_worker, payouts_receiver, payouts_api, payouts_reader', schema);
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM payouts_worker, payouts_receiver, payouts_api, payouts_reader', schema);

    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, payouts_worker, payouts_receiver, payouts_api, payouts_reader', schema);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM PUBLIC, payouts_worker, payouts_receiver, payouts_api, payouts_reader', schema);

    FOR owned IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = schema::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %I.%I OWNER TO payouts_migrate', schema, owned.relname);
    END LOOP;
    FOR owned IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = schema::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO payouts_migrate', owned.name);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', owned.name);
    END LOOP;
END $$;

-- 3. Reading -----------------------------------------------------------------

GRANT SELECT ON
    adjustments, audit, audit_tree, audit_tree_hashes, batch_rows, batches, books, breakers, chains, checkpoints, closed_days, compared_workflows,
    data_keys, decision_totals, decisions, discrepancies, ended_sessions, event_relay, events, gateway_ids, gateway_records, inbox, known, ledger_schema, moves,
    order_metadata, orders, proposals, reconciled, refusal_counts, restores, rosters, snapshots, statement_lines, statements, stops, submissions, transfers,
    webhook_deliveries, webhook_endpoints
TO payouts_worker, payouts_api, payouts_reader;

GRANT SELECT ON data_keys, inbox, ledger_schema, orders TO payouts_receiver;

-- 4. Writing -----------------------------------------------------------------

-- Nobody but the owner may delete or truncate. One exception is a merchant's
-- breaker, which is deleted when it closes; the audit keeps what happened. The other is
-- the log-out of a session that is over. The
-- tables moves and ledger_schema are constant between migrations.
GRANT INSERT ON
    adjustments, audit, audit_tree, audit_tree_hashes, batch_rows, batches, books, breakers, chains, checkpoints, closed_days, compared_workflows,
    data_keys, decision_totals, decisions, discrepancies, events, gateway_ids, gateway_records, known, order_metadata, orders,
    proposals, reconciled, refusal_counts, restores, rosters, snapshots, statement_lines, statements, stops, submissions, transfers, webhook_deliveries, webhook_endpoints
TO payouts_worker;

GRANT UPDATE ON
    adjustments, books, breakers, chains, compared_workflows, data_keys, discrepancies, event_relay, gateway_records, known,
    order_metadata, orders, proposals, reconciled, refusal_counts, stops, submissions, webhook_deliveries, webhook_endpoints
TO payouts_worker;

GRANT DELETE ON breakers TO payouts_worker;

-- Of a callback, only what becomes of it may change. What came never does; it is erased
-- with its key.
GRANT UPDATE (status, problem, problem_at, told_at, data_key) ON inbox TO payouts_worker;

-- Of a decision, only what was done by it, and the data key that its row's key is
-- wrapped with.
-- Of a batch, only how it stands, and of a row what became of it.
GRANT UPDATE (state, changed_at, changed_by, data_key) ON batches TO payouts_worker;
GRANT UPDATE (request, outcome, code, text, at) ON batch_rows TO payouts_worker;
-- Of a statement, only how far it is compared.
GRANT UPDATE (state, matched, compared, asked, unanswered, settled, absent, changed_at) ON statements TO payouts_worker;

GRANT UPDATE (data_key) ON decisions TO payouts_worker;
GRANT UPDATE (done) ON decision_totals TO payouts_worker;

GRANT INSERT ON data_keys, inbox TO payouts_receiver;
GRANT UPDATE (status, received, last_at, problem, problem_at, told_at) ON inbox TO payouts_receiver;

-- The api registers webhook endpoints, and writes what their owners ask for: another secret,
-- a pause, a replay. What was delivered is the worker's. An endpoint's secret is encrypted
-- with a data key of the api's, which the ledger records.
GRANT INSERT ON data_keys, webhook_endpoints TO payouts_api;
GRANT UPDATE (
    secret, previous_secret, previous_until, state, state_at, replay_from, retry_now, failing_since, changed_by, changed_at
) ON webhook_endpoints TO payouts_api;

-- The api keeps which sessions of people's pages were logged out. The schema lets a row go
-- only when the session would be over.
GRANT INSERT, DELETE ON ended_sessions TO payouts_api;
