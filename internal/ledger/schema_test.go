package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Builds from before the first release had other migrations, up to version 25. Their database
// is refused and not changed.
func TestADatabaseOfAnEarlierBuildIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.exec("CREATE TABLE orders (id BIGINT)"))
		require.NoError(t, b.exec("CREATE TABLE ledger_versions (version_id BIGINT)"))
		require.NoError(t, b.exec("INSERT INTO ledger_versions VALUES (25)"))
		for name, try := range map[string]func(context.Context) error{"ping": b.Ping, "migrate": b.Migrate} {
			var failure *Error
			require.ErrorAs(t, try(t.Context()), &failure, name)
			require.Equal(t, CodeForeign, failure.Code, name)
			require.Contains(t, failure.Text, "from a build before the first release", name)
			require.Contains(t, failure.Text, "Use an empty database", name)
		}
		require.Error(t, b.exec("SELECT 1 FROM books"), "no table was made")
	})
}

func TestTheSchemaKnowsTheStatesOfPackageOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		var definition string
		if !b.onPostgres() {
			require.NoError(t, b.db.Get(t.Context(), &definition, "SELECT sql FROM sqlite_master WHERE name = 'orders'"))
			_, definition, _ = strings.Cut(definition, "orders_state CHECK")
			definition, _, _ = strings.Cut(definition, "))")
		} else {
			require.NoError(t, b.db.Get(t.Context(), &definition,
				"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'orders_state' AND connamespace = current_schema()::regnamespace"))
		}
		require.ElementsMatch(t, texts(order.States()), quoted(definition))
	})
}

// An order is open if its state is not final. The column that says so is generated.
func TestTheSchemaKnowsTheOpenStates(t *testing.T) {
	t.Parallel()
	open := texts(statesThat(func(s order.State) bool { return !s.Terminal() }))
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		var definition string
		if !b.onPostgres() {
			require.NoError(t, b.db.Get(t.Context(), &definition, "SELECT sql FROM sqlite_master WHERE name = 'orders'"))
			_, definition, _ = strings.Cut(definition, "ended_at")
			definition, _, _ = strings.Cut(definition, ")")
		} else {
			require.NoError(t, b.db.Get(t.Context(), &definition, `SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
				JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'orders'::regclass AND attname = 'ended_at'`))
		}
		require.ElementsMatch(t, open, quoted(definition))
	})
}

func TestTheSchemaKnowsTheMovesOfPackageOrder(t *testing.T) {
	t.Parallel()
	var want []string
	for _, move := range rules.Moves {
		for _, kind := range move.Kinds {
			want = append(want, fmt.Sprint(kind, ": ", move.From, " -> ", move.To))
		}
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		var have []string
		require.NoError(t, b.db.List(t.Context(), &have, "SELECT kind || ': ' || from_state || ' -> ' || to_state FROM moves"))
		require.ElementsMatch(t, want, have)
	})
}

func TestTheSchemaKnowsTheKindsOfAdjustments(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		var definition string
		if !b.onPostgres() {
			require.NoError(t, b.db.Get(t.Context(), &definition, "SELECT sql FROM sqlite_master WHERE name = 'adjustments'"))
			_, definition, _ = strings.Cut(definition, "adjustments_kind CHECK")
			definition, _, _ = strings.Cut(definition, "))")
		} else {
			require.NoError(t, b.db.Get(t.Context(), &definition,
				"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'adjustments_kind' AND connamespace = current_schema()::regnamespace"))
		}
		require.ElementsMatch(t, adjustmentNames(), quoted(definition))
	})
}

func TestHoldingStates(t *testing.T) {
	t.Parallel()
	var holding []string
	for _, state := range order.States() {
		// Set aside at reserved and kept until an end.
		if !state.Terminal() && state != order.Created && state != order.AwaitingApproval && state != order.Scheduled && state != order.AwaitingFunds {
			holding = append(holding, string(state))
		}
	}
	require.ElementsMatch(t, append(holding, "withdrawal"), quoted(holdingStates))
	require.ElementsMatch(t, texts(statesThat(func(s order.State) bool { return !counts(s) })), quoted(countedStates))
}

func TestTheDatabaseGuardsItself(t *testing.T) {
	t.Parallel()
	const newTransfer = "INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) "
	const newEntry = "INSERT INTO audit (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state, " +
		"outcome, code, text, paid, fee, mark, hash) SELECT merchant, number, 'order', 99, 1, "
	const newAdjustment = "INSERT INTO adjustments (merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at, " +
		"state, decided_by, decided_at) VALUES ('M1700000001', "
	const newAdjusted = "INSERT INTO transfers (adjustment_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT "
	const endEntry = ", 0, 0, '', audit_head FROM orders"
	tests := []struct{ sql, refusal string }{
		// Append-only.
		{"UPDATE transfers SET amount = amount + 1", "append-only"},
		{"DELETE FROM transfers", "append-only"},
		{"UPDATE audit SET text = 'never happened'", "append-only"},
		{"DELETE FROM audit", "append-only"},
		{"UPDATE submissions SET started_at = 1", "beginning of an attempt|ends once"},
		{"UPDATE submissions SET outcome = 'unsent'", "ends once"},
		{"UPDATE submissions SET reason_text = 'x'", "ends once"},
		{"DELETE FROM discrepancies", "closed, not deleted"},
		{"UPDATE discrepancies SET closed_at = 1", "discrepancies_closed"},
		{"UPDATE discrepancies SET state = 'accepted'", "discrepancies_closed"},
		{"DELETE FROM chains", "heads of the audit are kept"},
		{"postgres: TRUNCATE discrepancies", "closed, not deleted"},
		{"postgres: TRUNCATE chains", "heads of the audit are kept"},
		{"UPDATE audit_tree SET seq = 2", "append-only"},
		{"DELETE FROM audit_tree", "append-only"},
		{"UPDATE audit_tree_hashes SET idx = 2", "append-only"},
		{"DELETE FROM audit_tree_hashes", "append-only"},
		{"UPDATE events SET audit_id = 2", "append-only"},
		{"DELETE FROM events", "append-only"},
		{"postgres: TRUNCATE events", "append-only"},
		{"UPDATE checkpoints SET at = 2", "append-only"},
		{"DELETE FROM checkpoints", "append-only"},
		{"UPDATE rosters SET at = 2", "append-only"},
		{"DELETE FROM rosters", "append-only"},
		{"postgres: TRUNCATE audit_tree", "append-only"},
		{"postgres: TRUNCATE audit_tree_hashes", "append-only"},
		{"postgres: TRUNCATE checkpoints", "append-only"},
		{"postgres: TRUNCATE rosters", "append-only"},
		{"UPDATE decisions SET signed = 'x'", "append-only"},
		{"UPDATE decisions SET hash = 'x'", "append-only"},
		{"DELETE FROM decisions", "append-only"},
		{"UPDATE decision_totals SET total = total + 1", "never change"},
		{"UPDATE decision_totals SET done = done - 1", "never change"},
		{"UPDATE decision_totals SET done = total + 1", "decision_totals_done"},
		{"DELETE FROM decision_totals", "are kept"},
		{"postgres: TRUNCATE decisions CASCADE", "append-only|are kept"},
		{"postgres: TRUNCATE decision_totals", "are kept"},
		{"DELETE FROM orders", "orders are kept"},
		{"UPDATE gateway_ids SET order_id = 99", "ids of the gateway's orders are kept"},
		{"DELETE FROM gateway_ids", "ids of the gateway's orders are kept"},
		{"postgres: TRUNCATE gateway_ids", "ids of the gateway's orders are kept"},
		{"DELETE FROM order_metadata", "metadata of orders is kept"},
		{"postgres: TRUNCATE order_metadata", "metadata of orders is kept"},
		{"UPDATE order_metadata SET merchant = 'M2'", "metadata of an order never changes"},
		{"UPDATE order_metadata SET place = place + 1", "metadata of an order never changes"},
		{"UPDATE order_metadata SET hash = 'x' WHERE hash = ''", "metadata of an order never changes"},
		{"DELETE FROM submissions", "submissions are kept"},
		{"postgres: TRUNCATE transfers", "append-only"},
		{"postgres: TRUNCATE audit", "append-only"},
		{"postgres: TRUNCATE submissions", "submissions are kept"},
		{"postgres: TRUNCATE orders CASCADE", "are kept"},
		{"DELETE FROM statements", "statements are kept"},
		{"postgres: TRUNCATE statements CASCADE", "are kept|append-only"},
		{"UPDATE statements SET line_count = 2", "content of a statement never changes"},
		{"UPDATE statements SET imported_by = 'omar'", "content of a statement never changes"},
		{"UPDATE statements SET state = 'storing'", "a statement ends once"},
		{"UPDATE statements SET matched = line_count + 1", "statements_matched"},
		{"UPDATE statement_lines SET amount = 2", "append-only"},
		{"DELETE FROM statement_lines", "append-only"},
		{"postgres: TRUNCATE statement_lines", "append-only"},
		// An order's content.
		{"UPDATE orders SET amount = amount + 1", "never changes"},
		{"UPDATE orders SET request = '{}'", "never changes"},
		{"UPDATE orders SET fingerprint = 'x'", "never changes"},
		{"UPDATE orders SET number = 'W2'", "never changes"},
		{"UPDATE orders SET beneficiary = 'x'", "never changes"},
		{"UPDATE orders SET approve_before = 1", "never changes"},
		{"UPDATE orders SET waits_for_funds = 1", "never changes"},
		{"UPDATE orders SET funds_before = 1", "never changes"},
		{"UPDATE orders SET horizon = 1", "never changes"},
		{"UPDATE orders SET folded = 'x'", "never changes"},
		// States and money.
		{"UPDATE orders SET state = 'reserved'", "state table"},
		{"UPDATE orders SET state = 'refunded', paid = amount", "state table"},
		{"UPDATE orders SET state = 'expired'", "state table"},
		{"UPDATE orders SET state = 'lost'", "state table|orders_state"},
		{"UPDATE orders SET state = 'succeeded', paid = amount - 1", "orders_paid"},
		{"UPDATE orders SET state = 'failed', paid = 1", "orders_paid"},
		{"UPDATE orders SET fee = -1", "(?i)check"},
		{"UPDATE books SET available = available + 1", "books_balance"},
		{"UPDATE books SET in_flight = -1, available = available + in_flight + 1", "books_in_flight"},
		// Each transfer once, between accounts that are there.
		{newTransfer + "SELECT id, merchant, currency, 'reserve', 'available', 'in_flight', 1, 1 FROM orders", "(?i)unique"},
		{newTransfer + "VALUES (NULL, 'M1700000001', 'PKR', 'opening_available', 'opening', 'available', 1, 1)", "(?i)unique"},
		{newTransfer + "VALUES (NULL, 'M1700000001', 'PKR', 'x', 'pocket', 'available', 1, 1)", "transfers_accounts"},
		{newTransfer + "VALUES (NULL, 'M1700000001', 'PKR', 'x', 'available', 'available', 1, 1)", "transfers_accounts"},
		{newTransfer + "VALUES (NULL, 'M1700000001', 'PKR', 'x', 'opening', 'available', 0, 1)", "(?i)check"},
		{newTransfer + "VALUES (NULL, 'M1700000001', 'PKR', 'x', 'opening', 'available', -1, 1)", "(?i)check"},
		{newTransfer + "VALUES (99, 'M1700000001', 'PKR', 'x', 'opening', 'available', 1, 1)", "(?i)foreign key"},
		{"sqlite: " + newTransfer + "VALUES (NULL, 'M1700000001', 'PKR', 'x', 'opening', 'available', 1.5, 1)", "cannot store REAL value"},
		// Adjustments.
		{"DELETE FROM adjustments", "adjustments are kept"},
		{"postgres: TRUNCATE adjustments CASCADE", "are kept|append-only"},
		{"UPDATE adjustments SET amount = amount + 1 WHERE ref = 'A2'", "content of an adjustment never changes"},
		{"UPDATE adjustments SET kind = 'fee' WHERE ref = 'A2'", "content of an adjustment never changes"},
		{"UPDATE adjustments SET actor = 'omar' WHERE ref = 'A2'", "content of an adjustment never changes"},
		{"UPDATE adjustments SET evidence = 'none' WHERE ref = 'A2'", "content of an adjustment never changes"},
		{"UPDATE adjustments SET merchant = 'M2' WHERE ref = 'A2'", "content of an adjustment never changes"},
		{"UPDATE adjustments SET ref = 'A9' WHERE ref = 'A2'", "content of an adjustment never changes"},
		{"UPDATE adjustments SET state = 'rejected' WHERE ref = 'A1'", "decided once"},
		{"UPDATE adjustments SET decided_by = 'omar' WHERE ref = 'A1'", "decided once"},
		{"UPDATE adjustments SET state = 'booked', decided_by = ' Amina', decided_at = 1 WHERE ref = 'A2'", "adjustments_two_persons"},
		{"UPDATE adjustments SET state = 'booked', decided_at = 1 WHERE ref = 'A2'", "adjustments_decided"},
		{"UPDATE adjustments SET decided_by = 'bilal' WHERE ref = 'A2'", "adjustments_decided"},
		{"UPDATE adjustments SET state = 'perhaps' WHERE ref = 'A2'", "adjustments_state|adjustments_decided"},
		{newAdjustment + "'A3', 'PKR', 'top_up', 1, 'amina', 'w', 'e', 1, 'booked', 'bilal', 1)", "begins as a proposal"},
		{newAdjustment + "'A2', 'PKR', 'top_up', 1, 'amina', 'w', 'e', 1, 'proposed', '', 0)", "(?i)unique"},
		{newAdjustment + "'A3', 'PKR', 'gift', 1, 'amina', 'w', 'e', 1, 'proposed', '', 0)", "adjustments_kind"},
		{newAdjustment + "'A3', 'PKR', 'top_up', 0, 'amina', 'w', 'e', 1, 'proposed', '', 0)", "(?i)check"},
		{newAdjustment + "'A3', 'PKR', 'top_up', 1, 'amina', 'w', '', 1, 'proposed', '', 0)", "(?i)check"},
		{newAdjusted + "a.id, a.merchant, a.currency, 'adjust_top_up', 'settled', 'available', a.amount, 1 FROM adjustments a WHERE ref = 'A1'", "(?i)unique"},
		{newAdjusted + "a.id, a.merchant, a.currency, 'adjust_top_up', 'settled', 'available', a.amount, 1 FROM adjustments a WHERE ref = 'A2'", "what two persons have decided"},
		{newAdjusted + "a.id, a.merchant, a.currency, 'adjust_top_up', 'settled', 'available', 1, 1 FROM adjustments a WHERE ref = 'A1'", "what two persons have decided"},
		{newAdjusted + "a.id, a.merchant, a.currency, 'again', 'settled', 'available', a.amount, 1 FROM adjustments a WHERE ref = 'A1'", "what two persons have decided"},
		{newAdjusted + "99, 'M1700000001', 'PKR', 'adjust_top_up', 'settled', 'available', 1, 1", "what two persons have decided"},
		{"INSERT INTO transfers (order_id, adjustment_id, merchant, currency, reason, from_account, to_account, amount, at) " +
			"SELECT o.id, a.id, a.merchant, a.currency, 'adjust_top_up', 'settled', 'available', a.amount, 1 FROM orders o, adjustments a WHERE ref = 'A1'", "transfers_of_one"},
		// Numbers once.
		{"INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, state, created_at, updated_at) " +
			"SELECT merchant, number, 'deposit', country, way, currency, 1, 'f', '{}', 'created', 1, 1 FROM orders", "(?i)unique"},
		{"INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, folded, state, created_at, updated_at) " +
			"SELECT merchant, 'w1', 'deposit', country, way, currency, 1, 'f', '{}', folded, 'created', 1, 1 FROM orders", "(?i)unique"},
		{"INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, gateway_id, state, created_at, updated_at) " +
			"SELECT merchant, 'W2', 'deposit', country, way, currency, 1, 'f', '{}', gateway_id, 'created', 1, 1 FROM orders", "(?i)unique"},
		{"INSERT INTO submissions (order_id, attempt, started_at) SELECT id, 1, 1 FROM orders", "(?i)unique"},
		{"INSERT INTO books (merchant, currency, opening, available, in_flight, opened_at) VALUES ('M1700000001', 'PKR', 0, 0, 0, 1)", "(?i)unique"},
		{"INSERT INTO discrepancies (merchant, number, code, mark, detail, at) SELECT merchant, number, code, mark, 'again', 2 FROM discrepancies", "(?i)unique"},
		{"INSERT INTO inbox (id, merchant, number, callback, body, status, received, first_at, last_at) " +
			"SELECT id, 'M', 'N', '{}', body, 'stored', 1, 1, 1 FROM inbox", "(?i)unique"},
		// Proof.
		{newEntry + "'ops', 'settle', 'operator', '', 'submitted', 'failed', 'done', '', ''" + endEntry, "audit_operator"},
		{newEntry + "'system', 'approve', 'operator', 'f', 'submitted', 'failed', 'done', '', ''" + endEntry, "audit_operator"},
		{newEntry + "'', 'settle', 'query', '', 'submitted', 'failed', 'done', '', ''" + endEntry, "(?i)check"},
		{newEntry + "'ops', 'cancel', 'operator', '', 'submitted', 'cancelled', 'refused', 'ALREADY_SUBMITTED', ''" + endEntry, "audit_refused"},
		{newEntry + "'ops', 'cancel', 'operator', '', 'submitted', 'submitted', 'refused', '', ''" + endEntry, "audit_refused"},
		{newEntry + "'ops', 'cancel', 'operator', '', 'submitted', 'submitted', 'perhaps', '', ''" + endEntry, "(?i)check"},
		{"INSERT INTO audit (" + auditColumns + ") SELECT " + auditColumns + " FROM audit", "(?i)unique"},
		// Words.
		{"INSERT INTO submissions (order_id, attempt, started_at, outcome) SELECT id, 9, 1, 'perhaps' FROM orders", "(?i)check"},
		{"UPDATE inbox SET status = 'lost'", "(?i)check"},
		{"UPDATE snapshots SET verdict = 'fine'", "(?i)check"},
		{"UPDATE snapshots SET drift = 1", "snapshots_drift"},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		submit(t, b, r.Key(), accepted)
		require.NoError(t, b.OpenDiscrepancy(t.Context(), r.Key(), codes.DiscrepancyMismatch, "x"))
		require.NoError(t, b.Trip(t.Context(), merchant, order.Reason{Code: order.CodeGatewayPaused}, time.Minute))
		_, _, err := b.StoreCallback(t.Context(), callbackFor(r, "G1"), []byte("{}"), "", nil)
		require.NoError(t, err)
		_, err = b.compare(t, merchant, pkr("1000"), pkr("0"))
		require.NoError(t, err)
		adjusted(t, b, adjustment("A1", AdjustTopUp, "30"))
		propose(t, b, adjustment("A2", AdjustTopUp, "7"))
		require.NoError(t, b.exec("INSERT INTO audit_tree (position, merchant, number, chain, seq, hash) SELECT 0, merchant, number, chain, seq, hash FROM audit WHERE id = 1"))
		require.NoError(t, b.exec("INSERT INTO audit_tree_hashes (idx, hash) SELECT 0, audit_head FROM orders"))
		require.NoError(t, b.exec("INSERT INTO events (position, merchant, audit_id) VALUES (1, 'M', 1)"))
		require.NoError(t, b.exec("INSERT INTO checkpoints (size, at, note, last_id) VALUES (1, 1, 'n', 1)"))
		require.NoError(t, b.exec("INSERT INTO rosters (hash, text, signatures, at, replaces) VALUES (?, 't', '', 1, '')", strings.Repeat("0", 64)))
		require.NoError(t, b.exec("INSERT INTO order_metadata (order_id, place, merchant, hash) SELECT id, 9, merchant, '' FROM orders"))
		require.NoError(t, b.exec("INSERT INTO decisions (hash, signed, at) VALUES (?, '{}', 1)", strings.Repeat("0", 64)))
		require.NoError(t, b.exec("INSERT INTO decision_totals (decision, currency, total, done) SELECT hash, 'PKR', 10, 5 FROM decisions"))
		stored, lines := statementOf(t, 1)
		b.importsStatement(t, stored, lines)
		for _, test := range tests {
			statement, special := strings.CutPrefix(test.sql, b.db.Engine()+": ")
			if !special && (strings.HasPrefix(statement, "postgres: ") || strings.HasPrefix(statement, "sqlite: ")) {
				continue
			}
			err := b.exec(statement)
			require.Error(t, err, statement)
			require.Regexp(t, test.refusal, err.Error(), statement)
		}
		b.clean(t)
	})
}

func TestTheSchemaKnowsOutcomesAndStatuses(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		_, err := b.NextSubmission(t.Context(), r.Key(), 0)
		require.NoError(t, err)
		for i, outcome := range []Outcome{Accepted, Refused, Ambiguous, Paused, Unsent, ""} {
			require.NoError(t, b.exec(fmt.Sprintf("INSERT INTO submissions (order_id, attempt, started_at, outcome) SELECT id, %d, 1, '%s' FROM orders", i+2, outcome)))
		}
		_, _, err = b.StoreCallback(t.Context(), callbackFor(r, "G1"), []byte("{}"), "", nil)
		require.NoError(t, err)
		for _, status := range inboxStatuses {
			require.NoError(t, b.exec("UPDATE inbox SET status = ?", status))
		}
		_, err = b.compare(t, merchant, pkr("1000"), pkr("0"))
		require.NoError(t, err)
		for _, verdict := range []order.Agreement{order.Agreed, order.Unsettled, order.Drifting} {
			require.NoError(t, b.exec("UPDATE snapshots SET verdict = ?", verdict))
		}
		for i, from := range Accounts() {
			to := Accounts()[(i+1)%len(Accounts())]
			require.NoError(t, b.exec("INSERT INTO transfers (merchant, currency, reason, from_account, to_account, amount, at) VALUES (?, 'PKR', ?, ?, ?, 1, 1)",
				merchant, "test "+from, from, to))
		}
	})
}

func TestTheColumnsOfBothEnginesAreTheSame(t *testing.T) {
	t.Parallel()
	columns := make(map[string][]string)
	for _, url := range []string{tables.SQLite(t), tables.Postgres(t)} {
		b := opened(t, url)
		query := `SELECT m.name || '.' || p.name || CASE WHEN p."notnull" = 1 OR p.pk > 0 THEN ' not null' ELSE '' END
			FROM sqlite_master m JOIN pragma_table_xinfo(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
		if b.onPostgres() {
			query = `SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
				FROM information_schema.columns WHERE table_schema = current_schema()`
		}
		var found []string
		require.NoError(t, b.db.List(t.Context(), &found, query))
		found = slices.DeleteFunc(found, func(column string) bool { return strings.HasPrefix(column, schema.Versions) })
		slices.Sort(found)
		columns[b.db.Engine()] = found
	}
	require.Greater(t, len(columns[sqldb.SQLite]), 50)
	require.Equal(t, columns[sqldb.SQLite], columns[sqldb.Postgres])
}

// SQLite keeps whatever it is given in a table that is not STRICT.
func TestEveryTableIsStrict(t *testing.T) {
	t.Parallel()
	b := opened(t, tables.SQLite(t))
	var loose []string
	require.NoError(t, b.db.List(t.Context(), &loose,
		"SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%' AND name <> '"+schema.Versions+"'"))
	require.Empty(t, loose)
}

// What is asked often must not read whole tables.
func TestIndexesAreUsed(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		explain := "EXPLAIN QUERY PLAN "
		if b.onPostgres() {
			explain = "EXPLAIN (COSTS OFF) "
			b.pool().SetMaxOpenConns(1)
			require.NoError(t, b.exec("SET enable_seqscan = off")) // tables are empty here
		}
		for query, index := range map[string]string{
			"SELECT id FROM orders WHERE merchant = 'M' AND number = 'N'":                                                                                              "merchant",
			"SELECT id FROM orders WHERE " + openOrders + " AND merchant = 'M' AND currency = 'PKR' ORDER BY created_at, id":                                           "orders_open",
			"SELECT id FROM orders WHERE created_at >= 5 ORDER BY created_at DESC, id DESC LIMIT 5":                                                                    "orders_created",
			"SELECT seq FROM audit WHERE merchant = 'M' AND number = 'N' AND chain = 'order' ORDER BY seq":                                                             "(audit_pkey|sqlite_autoindex_audit_1)",
			"SELECT amount FROM orders WHERE merchant = 'M' AND beneficiary = 'b' AND beneficiary <> '' AND created_at >= 5":                                           "orders_beneficiary",
			"SELECT id FROM discrepancies WHERE closed_at = 0 ORDER BY at, id LIMIT 5":                                                                                 "discrepancies_open",
			"SELECT id FROM transfers WHERE order_id = 5 AND order_id IS NOT NULL":                                                                                     "transfers_order",
			"SELECT id FROM transfers WHERE adjustment_id = 5":                                                                                                         "transfers_adjustment",
			"SELECT id FROM adjustments WHERE state = 'proposed' ORDER BY proposed_at, id LIMIT 5":                                                                     "adjustments_open",
			"SELECT SUM(amount) FROM transfers WHERE merchant = 'M' AND currency = 'PKR' AND reason = 'opening_frozen' AND order_id IS NULL AND adjustment_id IS NULL": "transfers_opening",
			"SELECT m.order_id FROM order_metadata m WHERE m.merchant = 'M' AND m.hash IN ('a', 'b') AND m.hash <> ''":                                                 "order_metadata_hash",
			"SELECT m.order_id FROM order_metadata m WHERE m.hash IN ('a', 'b') AND m.hash <> ''":                                                                      "order_metadata_hash",
			"SELECT seq FROM statement_lines WHERE merchant = 'M' AND number = 'N' AND (gateway_id || '') < 'G'":                                                       "statement_lines_number",
			"SELECT seq FROM statement_lines WHERE merchant = 'M' AND gateway_id = 'G' AND gateway_id <> ''":                                                           "statement_lines_gateway_id",
			"SELECT seq FROM statement_lines WHERE statement = 'S' AND seq > 5 ORDER BY seq LIMIT 5":                                                                   "(statement_lines_pkey|sqlite_autoindex_statement_lines_1)",
			"SELECT id FROM inbox WHERE merchant = 'M' AND number = 'N'":                                                                                               "inbox_order",
			"SELECT id FROM inbox WHERE status IN ('stored', 'unmatched') AND " + notDone:                                                                              "inbox_status",
			"SELECT number FROM orders WHERE " + endedStates + " AND merchant = 'M' AND ended_at > 5 ORDER BY ended_at, id":                                            "orders_ended",
			"SELECT MAX(id) FROM snapshots WHERE merchant = 'M' AND currency = 'PKR'":                                                                                  "snapshots_books",
			"SELECT MAX(id) FROM snapshots WHERE merchant = 'M' AND currency = 'PKR' AND verdict <> 'drift'":                                                           "snapshots_not_drifting",
			"SELECT id FROM snapshots WHERE merchant = 'M' ORDER BY id DESC LIMIT 1":                                                                                   "snapshots_merchant",
		} {
			plan := b.plan(t, explain+query)
			require.Regexp(t, index, plan, query)
			require.NotRegexp(t, "(?m)^\\[.*SCAN (orders|audit|inbox|transfers|snapshots)$|Seq Scan", plan, query)
		}
	})
}

// plan is how the database would run a query, a line per node.
func (b *testBundle) plan(t *testing.T, explain string, args ...any) string {
	t.Helper()
	rows, err := b.pool().Queryx(explain, args...)
	require.NoError(t, err, explain)
	defer func() { require.NoError(t, rows.Close()) }()
	plan := ""
	for rows.Next() {
		values, err := rows.SliceScan()
		require.NoError(t, err)
		plan += fmt.Sprintf("%s\n", values)
	}
	require.NoError(t, rows.Err())
	return plan
}

// quoted are the words between single quotes.
func quoted(text string) []string {
	var words []string
	for i, part := range strings.Split(text, "'") {
		if i%2 == 1 {
			words = append(words, part)
		}
	}
	return words
}
