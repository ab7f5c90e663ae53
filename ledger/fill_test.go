package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// version1 writes what the program wrote when the schema was at version 1.
type version1 struct {
	*testBundle
	at int64
}

func (v version1) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	require.NoError(t, v.testBundle.exec(query, args...))
}

// order writes an order and its history: "from to source evidence actor code",
// a line per step, a dash for nothing.
func (v version1) order(t *testing.T, r order.Request, state order.State, paid, fee int64, steps ...string) {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	v.exec(t, `INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, state, paid, fee, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.Merchant, r.Number, r.Kind, r.Country, r.Way, r.Amount.Currency(),
		r.Amount.Minor(), r.Fingerprint(), string(text), state, paid, fee, v.at, v.at+10)
	for i, step := range steps {
		fields := append(strings.Split(step, " "), "-", "-", "-", "-")[:6]
		for j, field := range fields {
			fields[j] = strings.ReplaceAll(strings.TrimPrefix(field, "-"), "_of_", " ")
		}
		v.exec(t, `INSERT INTO history (order_id, from_state, to_state, source, evidence, actor, reason_code, reason_text, at)
			SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM orders WHERE merchant = ? AND number = ?`,
			fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], "as it was", v.at+int64(i)+1, r.Merchant, r.Number)
	}
}

// TestMigratingAPopulatedLedger takes a ledger as version 1 left it to today's
// version and goes on with it.
func TestMigratingAPopulatedLedger(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.migrateTo(t.Context(), 1))
		var failure *Error
		require.ErrorAs(t, b.Ping(t.Context()), &failure)
		require.Equal(t, CodeSchema, failure.Code)

		v := version1{b, time.Now().UnixMilli() - 1000}
		v.exec(t, "INSERT INTO books (merchant, currency, opening, available, in_flight, paid_out, received, fees, opened_at) VALUES (?, 'PKR', -100000, 92800, 5000, 10000, -8000, 200, 1)", merchant)
		v.exec(t, "INSERT INTO transfers (merchant, currency, reason, from_account, to_account, amount, at) VALUES (?, 'PKR', 'opening_available', 'opening', 'available', 100000, 1)", merchant)
		paidOut, held := request(order.Withdrawal, "paid", "100"), request(order.Withdrawal, "open", "50")
		v.order(t, paidOut, order.Succeeded, 10000, 200,
			"created reserved opening", "reserved submitting submission attempt_of_1", "submitting unknown submission attempt_of_1 - GATEWAY_UNKNOWN",
			"unknown in_review review - - NO_PROOF", "in_review succeeded operator ticket_of_7 amina RESOLVED")
		v.order(t, held, order.Submitting, 0, 0, "created reserved opening", "reserved submitting submission attempt_of_1")
		v.order(t, request(order.Withdrawal, "short", "99999"), order.Failed, 0, 0, "created failed opening - - INSUFFICIENT_FUNDS")
		part := request(order.Deposit, "part", "200")
		v.order(t, part, order.PartiallyPaid, 8000, 0, "created submitting submission attempt_of_1", "submitting submitted submission attempt_of_1", "submitted partially_paid callback inbox-1")
		v.order(t, request(order.Deposit, "new", "7"), order.Created, 0, 0)
		yesterday := version1{b, v.at - 24*60*60*1000}
		yesterday.order(t, request(order.Deposit, "old", "7"), order.Created, 0, 0)
		for _, transfer := range []string{
			"'reserve', 'available', 'in_flight', amount, 1 FROM orders WHERE kind = 'withdrawal' AND state <> 'failed'",
			"'payout', 'in_flight', 'paid_out', amount, 1 FROM orders WHERE number = 'paid'",
			"'fee', 'available', 'fees', fee, 1 FROM orders WHERE number = 'paid'",
			"'payment', 'received', 'available', paid, 1 FROM orders WHERE number = 'part'",
		} {
			v.exec(t, "INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT id, merchant, currency, "+transfer)
		}
		v.exec(t, "INSERT INTO discrepancies (merchant, number, code, mark, detail, at) VALUES (?, 'paid', 'FIELDS_MISMATCH', 'x', 'y', 1)", merchant)

		together(3, func(int) { // as many workers as there are
			l, err := Open(background, url)
			if err == nil {
				err = l.Migrate(background)
			}
			if err == nil {
				err = l.Close()
			}
			if err != nil {
				panic(err)
			}
		})
		require.NoError(t, b.Ping(t.Context()))
		b.clean(t) // books, histories, the day's totals and every chain

		require.Equal(t, []string{
			"created -> reserved (opening)", "reserved -> submitting (submission attempt 1)",
			"submitting -> unknown (submission attempt 1) GATEWAY_UNKNOWN", "unknown -> in_review (review) NO_PROOF",
			"in_review -> succeeded (operator ticket 7 amina) RESOLVED",
		}, b.steps(t, paidOut.Key()))
		require.Equal(t, []string{
			"tests: open >reserved", "system: submit reserved>submitting", "system: answer submitting>unknown GATEWAY_UNKNOWN",
			"system: review unknown>in_review NO_PROOF", "amina: resolve in_review>succeeded RESOLVED",
		}, b.trail(t, paidOut.Key()))
		require.Equal(t, []string{
			"tests: open >created", "system: submit created>submitting", "system: answer submitting>submitted", "system: settle submitted>partially_paid",
		}, b.trail(t, part.Key()))
		entries, err := b.Audit(t.Context(), part.Key())
		require.NoError(t, err)
		require.Equal(t, part.Fingerprint(), entries[0].Evidence)
		require.Equal(t, v.at, entries[0].At.UnixMilli())
		require.Equal(t, pkr("80"), entries[3].Paid)

		// Whoever was paid is known, what was opened today counts, and life goes on.
		terms := policy(t, "rules:\n  - {kind: withdrawal, country: PK, new_beneficiary: approve, per_merchant_day: {refuse_above: 160}}")
		known := request(order.Withdrawal, "W1", "10")
		require.Equal(t, order.Reserved, b.openOn(t, terms, known).State)
		require.Equal(t, order.Rejected, b.openOn(t, terms, request(order.Withdrawal, "W2", "1")).State)
		require.Equal(t, order.Failed, settle(t, b, held.Key(), order.Finding{Source: order.FromQuery, Verdict: order.Unpaid}).Order.State)
		require.Equal(t, order.Reserved, b.openOn(t, terms, request(order.Withdrawal, "W3", "50")).State)
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Open: true})
		require.NoError(t, err)
		require.Len(t, found, 1)
		b.clean(t)
	})
}

// More orders than are filled at once.
func TestMigratingManyOrders(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.migrateTo(t.Context(), 1))
		v := version1{b, time.Now().UnixMilli() - 1000}
		v.exec(t, "INSERT INTO books (merchant, currency, opening, available, in_flight, opened_at) VALUES (?, 'PKR', 0, 0, 0, 1)", merchant)
		begun, err := b.write.Beginx()
		require.NoError(t, err)
		const all = 2*fillPage + 3
		for i := range all {
			r := request(order.Deposit, fmt.Sprint("D", i), "1")
			text, err := json.Marshal(r)
			require.NoError(t, err)
			_, err = begun.Exec(begun.Rebind(`INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, state, created_at, updated_at)
				VALUES (?, ?, 'deposit', 'PK', 'x', 'PKR', 100, ?, ?, 'created', ?, ?)`), r.Merchant, r.Number, r.Fingerprint(), string(text), v.at, v.at)
			require.NoError(t, err)
		}
		require.NoError(t, begun.Commit())
		require.NoError(t, b.Migrate(t.Context()))
		report, err := b.VerifyAudit(t.Context())
		require.NoError(t, err)
		require.Equal(t, AuditReport{Orders: all, Entries: all}, report)
		b.clean(t)
	})
}
