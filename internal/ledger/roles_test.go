package ledger

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What each role may do, besides nothing. A new table has to be decided about here
// and in migrations/roles.sql.
var (
	roleNames = []string{"payouts_worker", "payouts_receiver", "payouts_api", "payouts_reader"}
	granted   = map[string]map[string]string{
		"adjustments":        {"payouts_worker": "SELECT INSERT UPDATE"},
		"audit":              {"payouts_worker": "SELECT INSERT"},
		"audit_tree":         {"payouts_worker": "SELECT INSERT"},
		"audit_tree_hashes":  {"payouts_worker": "SELECT INSERT"},
		"batch_rows":         {"payouts_worker": "SELECT INSERT"}, // columns: see below
		"batches":            {"payouts_worker": "SELECT INSERT"}, // columns: see below
		"books":              {"payouts_worker": "SELECT INSERT UPDATE"},
		"breakers":           {"payouts_worker": "SELECT INSERT UPDATE DELETE"},
		"chains":             {"payouts_worker": "SELECT INSERT UPDATE"},
		"checkpoints":        {"payouts_worker": "SELECT INSERT"},
		"data_keys":          {"payouts_worker": "SELECT INSERT UPDATE", "payouts_receiver": "SELECT INSERT", "payouts_api": "INSERT"},
		"closed_days":        {"payouts_worker": "SELECT INSERT"},
		"compared_workflows": {"payouts_worker": "SELECT INSERT UPDATE"},
		"decision_totals":    {"payouts_worker": "SELECT INSERT"}, // columns: see below
		"decisions":          {"payouts_worker": "SELECT INSERT"}, // columns: see below
		"discrepancies":      {"payouts_worker": "SELECT INSERT UPDATE"},
		"ended_sessions":     {"payouts_worker": "SELECT", "payouts_api": "INSERT DELETE"},
		"event_relay":        {"payouts_worker": "SELECT UPDATE"},
		"events":             {"payouts_worker": "SELECT INSERT"},
		"gateway_ids":        {"payouts_worker": "SELECT INSERT"},
		"gateway_records":    {"payouts_worker": "SELECT INSERT UPDATE"},
		"inbox":              {"payouts_worker": "SELECT", "payouts_receiver": "SELECT INSERT"}, // columns: see below
		"known":              {"payouts_worker": "SELECT INSERT UPDATE"},
		"ledger_schema":      {"payouts_worker": "SELECT", "payouts_receiver": "SELECT"},
		"moves":              {"payouts_worker": "SELECT"},
		"order_metadata":     {"payouts_worker": "SELECT INSERT UPDATE"},
		"orders":             {"payouts_worker": "SELECT INSERT UPDATE", "payouts_receiver": "SELECT"},
		"proposals":          {"payouts_worker": "SELECT INSERT UPDATE"},
		"stops":              {"payouts_worker": "SELECT INSERT UPDATE"},
		"reconciled":         {"payouts_worker": "SELECT INSERT UPDATE"},
		"refusal_counts":     {"payouts_worker": "SELECT INSERT UPDATE"},
		"restores":           {"payouts_worker": "SELECT INSERT"},
		"rosters":            {"payouts_worker": "SELECT INSERT"},
		"snapshots":          {"payouts_worker": "SELECT INSERT"},
		"statement_lines":    {"payouts_worker": "SELECT INSERT"},
		"statements":         {"payouts_worker": "SELECT INSERT"}, // columns: see below
		"submissions":        {"payouts_worker": "SELECT INSERT UPDATE"},
		"transfers":          {"payouts_worker": "SELECT INSERT"},
		"webhook_deliveries": {"payouts_worker": "SELECT INSERT UPDATE"},
		"webhook_endpoints":  {"payouts_worker": "SELECT INSERT UPDATE", "payouts_api": "INSERT"}, // columns: see below
	}
	// Tables of which only some columns may be updated.
	grantedColumns = map[string]map[string][]string{
		"batch_rows":      {"payouts_worker": {"request", "outcome", "code", "text", "at"}},
		"batches":         {"payouts_worker": {"state", "changed_at", "changed_by", "data_key"}},
		"decision_totals": {"payouts_worker": {"done"}},
		"decisions":       {"payouts_worker": {"data_key"}},
		"inbox": {
			"payouts_worker":   {"status", "problem", "problem_at", "told_at", "data_key"},
			"payouts_receiver": {"status", "received", "last_at", "problem", "problem_at", "told_at"},
		},
		"statements": {"payouts_worker": {"state", "matched", "compared", "asked", "unanswered", "settled", "absent", "changed_at"}},
		"webhook_endpoints": {
			"payouts_worker": {
				"id", "merchants", "types", "url", "secret", "previous_secret", "previous_until", "data_key", "state", "state_at", "position",
				"replay_from", "retry_now", "failing_since", "tried_at", "problem", "created_by", "created_at", "changed_by", "changed_at",
				"lease_owner", "lease_until", "fence",
			},
			"payouts_api": {
				"secret", "previous_secret", "previous_until", "state", "state_at", "replay_from", "retry_now", "failing_since", "changed_by", "changed_at",
			},
		},
	}
)

// withRoles is a migrated ledger with its roles, and its owner's connection.
func withRoles(t *testing.T) (url string, owner *sqlx.DB) {
	t.Helper()
	url = tables.Postgres(t)
	owner, err := sqlx.Open("postgres", url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, owner.Close()) })
	for range 2 { // it may be applied again
		require.NoError(t, opened(t, url).GrantRoles(t.Context()))
	}
	return url, owner
}

// as is the URL of sessions that have a role from their beginning.
func as(t *testing.T, address, role string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	query := parsed.Query()
	query.Set("options", "-c role="+role)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// tries runs a statement in a role, and undoes it. It returns PostgreSQL's code of the
// failure; "" for none.
func tries(t *testing.T, owner *sqlx.DB, role, statement string) string {
	t.Helper()
	begun, err := owner.Beginx()
	require.NoError(t, err)
	defer func() { _ = begun.Rollback() }()
	_, err = begun.Exec("SET LOCAL ROLE " + role)
	require.NoError(t, err)
	_, err = begun.Exec(statement)
	var failure *pq.Error
	if err == nil {
		return ""
	}
	require.ErrorAs(t, err, &failure, statement)
	return string(failure.Code)
}

const insufficientPrivilege = "42501"

// Every statement of every role on every table is tried: what is granted is not
// refused for want of a right, and all else is.
func TestRolesOnTables(t *testing.T) {
	t.Parallel()
	_, owner := withRoles(t)
	var tables []string
	require.NoError(t, owner.Select(&tables, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"))
	for _, table := range tables {
		grants, decided := granted[table]
		require.True(t, decided, "nobody has decided who may use the table %s", table)
		var column string
		require.NoError(t, owner.Get(&column, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'NO' ORDER BY ordinal_position LIMIT 1`, table))
		statements := map[string]string{
			"SELECT":   fmt.Sprintf("SELECT %s FROM %s LIMIT 0", column, table),
			"INSERT":   "INSERT INTO " + table + " DEFAULT VALUES",
			"UPDATE":   fmt.Sprintf("UPDATE %s SET %s = %[2]s WHERE false", table, column),
			"DELETE":   fmt.Sprintf("DELETE FROM %s WHERE false", table),
			"TRUNCATE": "TRUNCATE " + table,
		}
		for _, role := range roleNames {
			may := strings.Fields(grants[role])
			if role == "payouts_api" || role == "payouts_reader" {
				may = append(may, "SELECT")
			}
			for verb, statement := range statements {
				code := tries(t, owner, role, statement)
				if slices.Contains(may, verb) {
					assert.NotEqual(t, insufficientPrivilege, code, "%s: %s", role, statement)
				} else {
					assert.Equal(t, insufficientPrivilege, code, "%s: %s", role, statement)
				}
			}
		}
	}
}

// Of a callback, only what becomes of it may change.
func TestRolesOnColumns(t *testing.T) {
	t.Parallel()
	_, owner := withRoles(t)
	for table, roles := range grantedColumns {
		var columns []string
		require.NoError(t, owner.Select(&columns, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = $1`, table))
		for _, role := range roleNames {
			for _, column := range columns {
				want := insufficientPrivilege
				if slices.Contains(roles[role], column) {
					want = ""
				}
				statement := fmt.Sprintf("UPDATE %s SET %s = %[2]s WHERE false", table, column)
				assert.Equal(t, want, tries(t, owner, role, statement), "%s: %s", role, statement)
			}
		}
	}
}

// No role gets around the guards of the schema.
func TestRolesOnTheSchema(t *testing.T) {
	t.Parallel()
	_, owner := withRoles(t)
	for _, statement := range []string{
		"CREATE TABLE more (id BIGINT)",
		"DROP TABLE audit",
		"DROP TRIGGER audit_kept ON audit",
		"ALTER TABLE audit DISABLE TRIGGER ALL",
		"ALTER TABLE orders DROP CONSTRAINT orders_paid",
		"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
		"CREATE TRIGGER mine BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse('x')",
		"CREATE RULE mine AS ON DELETE TO orders DO INSTEAD NOTHING",
		"SET session_replication_role = 'replica'",
		"CREATE ROLE mallory",
		"ALTER ROLE payouts_reader LOGIN",
		"ALTER TABLE audit OWNER TO payouts_worker",
		"COPY orders TO PROGRAM 'cat'",
	} {
		for _, role := range roleNames {
			assert.Equal(t, insufficientPrivilege, tries(t, owner, role, statement), "%s: %s", role, statement)
		}
	}
	var owners []string
	require.NoError(t, owner.Select(&owners, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = current_schema()"))
	assert.Equal(t, []string{"payouts_migrate"}, owners)
	for _, role := range roleNames {
		var member bool
		require.NoError(t, owner.Get(&member, "SELECT pg_has_role($1, 'payouts_migrate', 'MEMBER')", role))
		assert.False(t, member, role)
	}
}

// A receiver passes callbacks on. It neither says that one is handled, nor writes one that is.
func TestRolesOfCallbacks(t *testing.T) {
	t.Parallel()
	address, owner := withRoles(t)
	_, _, err := opened(t, as(t, address, "payouts_receiver")).StoreCallback(t.Context(), callbackFor(request(order.Withdrawal, "W1", "100"), "P1"), []byte("{}"), "", nil)
	require.NoError(t, err)
	for role, code := range map[string]string{"payouts_receiver": insufficientPrivilege, "payouts_worker": ""} {
		require.Equal(t, code, tries(t, owner, role, "UPDATE inbox SET status = 'done'"), role)
	}
	for _, status := range []InboxStatus{Unmatched, Signalled, Late} {
		require.Empty(t, tries(t, owner, "payouts_receiver", "UPDATE inbox SET status = '"+string(status)+"'"))
	}
	const restricted = "23001"
	require.Equal(t, restricted, tries(t, owner, "payouts_receiver",
		"INSERT INTO inbox (id, merchant, number, callback, body, status, received, first_at, last_at) VALUES ('x', 'M', 'W1', '{}', '', 'done', 1, 1, 1)"))
}

// An order goes its way under the worker's role, and its callback under the
// receiver's.
func TestRolesAtWork(t *testing.T) {
	t.Parallel()
	address, _ := withRoles(t)
	worker, receiver := opened(t, as(t, address, "payouts_worker")), opened(t, as(t, address, "payouts_receiver"))
	require.NoError(t, worker.Migrate(t.Context()), "a schema that is new enough needs no owner")
	require.NoError(t, worker.Ready(t.Context(), DriveOrders))
	require.NoError(t, receiver.Ready(t.Context(), TakeCallbacks))
	worker.books(t, "10000", "0")
	r := request(order.Withdrawal, "W1", "100")
	open(t, worker, r)
	submit(t, worker, r.Key(), Answer{Outcome: Accepted, GatewayID: "P1"})

	id, first, err := receiver.StoreCallback(t.Context(), callbackFor(r, "P1"), []byte("{}"), "", nil)
	require.NoError(t, err)
	require.True(t, first)
	_, err = receiver.Order(t.Context(), r.Key())
	require.NoError(t, err)
	require.NoError(t, receiver.MarkCallback(t.Context(), id, Signalled))
	require.NoError(t, receiver.ProblemCallback(t.Context(), id, "x"))
	_, err = receiver.PendingCallbacks(t.Context(), 10, 0)
	require.NoError(t, err)
	_, err = receiver.InboxCounts(t.Context())
	require.NoError(t, err)

	settle(t, worker, r.Key(), paid("100", "2"))
	require.NoError(t, worker.MarkCallback(t.Context(), id, Done))
	require.Equal(t, order.Succeeded, worker.current(t, r.Key()).State)
	worker.clean(t)
}

// Data keys are replaced under the worker's role, and under no other but the owner's.
func TestRolesOfRekey(t *testing.T) {
	t.Parallel()
	address, _ := withRoles(t)
	worker := opened(t, as(t, address, "payouts_worker"))
	require.NoError(t, worker.UseDataKeys(t.Context()))
	plant(t, opened(t, address))
	both := parseRing(lineTwo, lineOne)
	require.NoError(t, worker.with(t, both).UseDataKeys(t.Context()))
	for _, role := range []string{"payouts_receiver", "payouts_api", "payouts_reader"} {
		_, err := (&testBundle{url: as(t, address, role)}).with(t, both).Rekey(t.Context(), func(string, int) {})
		require.ErrorContains(t, err, "permission denied", role)
	}
	done, _ := worker.with(t, both).rekey(t)
	require.Equal(t, 9, done.Rows)
	require.Equal(t, []string{"k1"}, done.Retired)
	worker.with(t, parseRing(lineTwo)).clean(t)
}

// Orders are erased under the worker's role, and under no other but the owner's.
func TestRolesOfErasures(t *testing.T) {
	t.Parallel()
	address, _ := withRoles(t)
	key := endPlanted(t, opened(t, address))
	for _, role := range []string{"payouts_receiver", "payouts_api", "payouts_reader"} {
		other, kept := (&testBundle{url: as(t, address, role)}).later(t)
		_, _, err := other.EraseOrder(t.Context(), key, who("amina", "w"))
		require.ErrorContains(t, err, "permission denied", role)
		require.Empty(t, *kept, role)
	}
	worker, _ := (&testBundle{url: as(t, address, "payouts_worker")}).later(t)
	worker.erase(t, key)
	require.Equal(t, Erased, worker.current(t, key).Hidden)
	worker.clean(t)
}

// Who has the wrong login is not ready, and is told so.
func TestRolesThatDoNotFit(t *testing.T) {
	t.Parallel()
	address, _ := withRoles(t)
	for role, duty := range map[string]sqldb.Duty{"payouts_receiver": DriveOrders, "payouts_reader": TakeCallbacks, "payouts_api": DriveOrders} {
		var failure *Error
		require.ErrorAs(t, opened(t, as(t, address, role)).Ready(t.Context(), duty), &failure, role)
		require.Equal(t, CodeForbidden, failure.Code, role)
		require.ErrorContains(t, failure, "permission denied", role)
	}
	require.Error(t, opened(t, as(t, address, "payouts_worker")).GrantRoles(t.Context()))
	require.NoError(t, opened(t, as(t, address, "payouts_migrate")).GrantRoles(t.Context()), "the tables' owner may repeat it")
}

// A worker that may not migrate says who can.
func TestWorkersWithoutTheRightToMigrate(t *testing.T) {
	t.Parallel()
	_, _ = withRoles(t) // the roles exist
	var failure *Error
	require.ErrorAs(t, opened(t, as(t, dbtest.Postgres(t), "payouts_worker")).Migrate(t.Context()), &failure)
	require.Equal(t, CodeSchema, failure.Code)
	require.ErrorContains(t, failure, "run worker migrate with the URL of their owner")
	require.Equal(t, order.CodeInvalidRequest, order.CodeOf(opened(t, dbtest.SQLite(t)).GrantRoles(t.Context())))
}

// The logins of the Compose file have the rights of one role each.
func TestRolesOfComposeLogins(t *testing.T) {
	t.Parallel()
	address, owner := withRoles(t)
	text, err := os.ReadFile("../../docker-compose.temporal.yml")
	require.NoError(t, err)
	var file struct {
		Configs map[string]struct{ Content string }
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	script := file.Configs["database-logins"].Content
	require.NotContains(t, script, "$", "Compose would put in a variable")
	// Logins are of the whole server, which other tests share.
	suffix := fmt.Sprintf("_%d", time.Now().UnixNano())
	script = strings.NewReplacer("_1''", suffix+"''", "temporal", "temporal"+suffix).Replace(script)
	for range 2 { // it may be repeated
		_, err = owner.Exec(script)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		for _, login := range []string{"worker", "receiver", "api", "reader", "temporal"} {
			_, err := owner.Exec("DROP ROLE " + login + suffix)
			require.NoError(t, err)
		}
	})
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	for login, may := range map[string]string{
		"worker": "payouts_worker", "receiver": "payouts_receiver", "api": "payouts_api", "reader": "payouts_reader", "temporal": "",
	} {
		parsed.User = url.UserPassword(login+suffix, login+suffix)
		session, err := sqlx.Open("postgres", parsed.String())
		require.NoError(t, err)
		var roles []string
		require.NoError(t, session.Select(&roles, "SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'MEMBER') AND rolname <> current_user ORDER BY 1"))
		require.ElementsMatch(t, strings.Fields(may), roles, login)
		_, err = session.Exec("SELECT count(*) FROM orders")
		require.Equal(t, may == "", err != nil, "%s reads orders: %v", login, err)
		_, err = session.Exec("UPDATE orders SET state = state WHERE false")
		require.Equal(t, may != "payouts_worker", err != nil, "%s writes orders: %v", login, err)
		require.NoError(t, session.Close())
	}
}
