package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestVerifyFindsWhatIsWrong damages a ledger past all its guards, one damage
// at a time, and expects exactly what follows from it.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	const transfer = `INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at)
		SELECT id, merchant, currency, 'damage', `
	tests := []struct {
		name  string
		sql   string
		codes []string
	}{
		{"nothing", "", nil},
		{"money from nowhere", "UPDATE books SET available = available + 5 WHERE merchant = 'M1700000001'",
			[]string{verify.BrokenSum, verify.BrokenBalance}},
		{"money moved without transfer", "UPDATE books SET available = available + 5, suspense = suspense - 5",
			[]string{verify.BrokenBalance, verify.BrokenBalance}},
		{"a transfer that moved nothing", transfer + "'available', 'suspense', 7, 1 FROM orders WHERE number = 'open'",
			[]string{verify.BrokenBalance, verify.BrokenBalance, verify.UnknownMove}},
		{"a reservation that outlived its order", "UPDATE orders SET state = 'failed' WHERE number = 'open'",
			[]string{verify.BrokenDay, verify.BrokenHistory, verify.BrokenInFlight, verify.BrokenReservation}},
		{"success that was not paid", "UPDATE orders SET state = 'succeeded', paid = amount WHERE number = 'open'",
			[]string{verify.BrokenHistory, verify.BrokenInFlight, verify.BrokenPayment, verify.BrokenPayment, verify.BrokenReservation}},
		{"paid and forgotten", "UPDATE orders SET state = 'failed', paid = 0 WHERE number = 'paid'",
			[]string{verify.BrokenDay, verify.BrokenHistory, verify.BrokenPayment, verify.BrokenPayment}},
		{"another fee", "UPDATE orders SET fee = 1 WHERE number = 'paid'", []string{verify.BrokenFee, verify.BrokenFee}},
		{"another opening", "UPDATE orders SET created_at = created_at - 1 WHERE number = 'paid'", []string{verify.BrokenTime}},
		{"a release that never was", "UPDATE orders SET released_at = 5 WHERE number = 'open'", []string{verify.BrokenTime}},
		{"an earlier end", "UPDATE orders SET updated_at = updated_at - 100000 WHERE number = 'paid'", []string{verify.BrokenTime}},
		{"a step that is gone", "DELETE FROM audit WHERE after_state = 'submitted' AND number = 'paid'",
			[]string{verify.BrokenHistory}},
		{"a beginning that is gone", "DELETE FROM audit WHERE seq = 1 AND number = 'paid'",
			[]string{verify.BrokenHistory}},
		{"all steps gone", "DELETE FROM audit WHERE number = 'open'", []string{verify.BrokenHistory}},
		{"a submission that is gone", "DELETE FROM submissions WHERE order_id = (SELECT id FROM orders WHERE number = 'open')",
			[]string{verify.BrokenSubmissions, verify.BrokenSubmission, verify.BrokenSubmission}},
		{"a day that forgot an order", "UPDATE books SET day_withdrawals = day_withdrawals - 1 WHERE merchant = 'M1700000001'", []string{verify.BrokenDay}},
		{"a deposit that never was", "UPDATE books SET day_deposits = 1 WHERE merchant = 'M2'", []string{verify.BrokenDay}},
		{"one gateway id for two", "UPDATE orders SET gateway_id = 'G1' WHERE number = 'open'", []string{verify.SharedGatewayID, verify.SharedGatewayID}},
		{"a gateway id that two may take", "DELETE FROM gateway_ids", []string{verify.SharedGatewayID}},
		{"an adjustment that moved nothing", "UPDATE adjustments SET state = 'booked', decided_by = 'x', decided_at = 1 WHERE ref = 'A2'",
			[]string{verify.BrokenAdjustment, verify.BrokenAdjustmentAudit}},
		{"an adjustment that was rejected and moved", "UPDATE adjustments SET state = 'rejected' WHERE ref = 'A1'",
			[]string{verify.BrokenAdjustment, verify.BrokenAdjustmentAudit}},
		{"an adjustment of another amount", "UPDATE adjustments SET amount = 1 WHERE ref = 'A1'", []string{verify.BrokenAdjustment, verify.BrokenAdjustmentAudit}},
		{"an adjustment the other way", "UPDATE adjustments SET kind = 'frozen_returned' WHERE ref = 'A1'", []string{verify.BrokenAdjustment, verify.BrokenAdjustmentAudit}},
		{"more ended than was frozen", "UPDATE transfers SET amount = 200 WHERE reason = 'opening_frozen'",
			[]string{verify.BrokenBalance, verify.BrokenBalance, verify.BrokenFrozen, verify.BrokenInFlight, verify.BrokenOpening}},
		{"a day to come", "UPDATE books SET day = day + 1, day_withdrawals = 0 WHERE merchant = 'M1700000001'", []string{verify.BrokenDay}},
		{"a day that is over", "UPDATE books SET day = day - 1, day_withdrawals = 0 WHERE merchant = 'M1700000001'", []string{verify.BrokenDay}},
		{"a day without orders", "UPDATE books SET day = 1 WHERE merchant = 'M2'", []string{verify.BrokenDay}},
		{"in another's books", "UPDATE transfers SET merchant = 'M2' WHERE reason = 'fee'",
			[]string{verify.BrokenBalance, verify.BrokenBalance, verify.BrokenBalance, verify.BrokenBalance, verify.BrokenOwner}},
		{"in no books", "UPDATE transfers SET merchant = 'M3' WHERE reason = 'fee'",
			[]string{verify.BrokenBalance, verify.BrokenBalance, verify.BrokenOwner}},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				b := setup(t)
				b.books(t, "1000", "10")
				require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("0"), pkr("0")))
				done := request(order.Withdrawal, "paid", "100")
				open(t, b, done)
				submit(t, b, done.Key(), accepted)
				settle(t, b, done.Key(), paid("100", "2"))
				open(t, b, request(order.Withdrawal, "open", "50"))
				submit(t, b, order.Key{Merchant: merchant, Number: "open"}, ambiguous)
				adjusted(t, b, adjustment("A1", AdjustFrozenPaid, "3"))
				propose(t, b, adjustment("A2", AdjustTopUp, "5"))
				b.clean(t)
				if test.sql == "" {
					return
				}
				b.unguard(t)
				require.NoError(t, b.exec(test.sql))
				v, err := b.Verify(t.Context())
				require.NoError(t, err)
				require.False(t, v.Clean())
				codes := make([]string, len(v.Violations))
				for i, violation := range v.Violations {
					codes[i] = violation.Code
					require.NotEmpty(t, violation.Key.Merchant)
					require.Equal(t, "PKR", violation.Currency)
					require.NotEmpty(t, violation.Detail)
				}
				if test.name == "money moved without transfer" { // in both merchants' books
					test.codes = append(test.codes, test.codes...)
				}
				require.ElementsMatch(t, test.codes, codes, "%+v", v.Violations)
			})
		}
	})
}

// What whoever has the worker's database login can write past all guards, so that the tables
// agree with each other, is compared with the audit.
func TestVerifyComparesTheTablesWithTheAudit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statements []string
		codes      []string
	}{
		"nothing": {},
		"a fee with its transfer": {[]string{
			"UPDATE orders SET fee = fee + 100 WHERE number = 'paid'",
			"INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT id, merchant, currency, 'more', 'available', 'fees', 100, 1 FROM orders WHERE number = 'paid'",
			"UPDATE books SET available = available - 100, fees = fees + 100",
		}, []string{verify.UnknownMove, verify.BrokenFee}},
		"an end that has not come yet":   {[]string{"UPDATE orders SET updated_at = updated_at + 86400000 WHERE number = 'paid'"}, []string{verify.BrokenTime}},
		"an end before it ended":         {[]string{"UPDATE orders SET updated_at = created_at - 1 WHERE number = 'paid'"}, []string{verify.BrokenTime}},
		"payouts that nobody resumed":    {[]string{"UPDATE stops SET proposer = 'bilal', ended_by = 'chen', ended_at = at + 5 WHERE country = 'VN'"}, []string{verify.BrokenStop, verify.BrokenStop}},
		"a resumption one proposed":      {[]string{"UPDATE stops SET proposer = 'bilal' WHERE country = 'VN'"}, []string{verify.BrokenStop}},
		"a second person that was none":  {[]string{"UPDATE stops SET ended_by = 'chen', ended_at = at + 5 WHERE country = 'PK'"}, []string{verify.BrokenStop}},
		"a stop that nobody asked for":   {[]string{"INSERT INTO stops (merchant, country, at, actor, why, data_key) SELECT 'M2', '', at, actor, why, data_key FROM stops WHERE country = 'VN'"}, []string{verify.BrokenStop}},
		"another one's proposal to stop": {[]string{"UPDATE stops SET proposer = 'dana' WHERE country = 'PK'"}, []string{verify.BrokenStop}},
		"an adjustment that nobody proposed": {[]string{
			"INSERT INTO adjustments (merchant, ref, currency, kind, amount, actor, why, evidence, data_key, proposed_at, state) SELECT merchant, 'A9', currency, kind, amount, actor, why, evidence, data_key, proposed_at, 'proposed' FROM adjustments WHERE ref = 'A1'",
		}, []string{verify.BrokenAdjustmentAudit}},
		"an adjustment that one proposed and nobody confirmed": {[]string{
			"UPDATE adjustments SET state = 'booked', decided_by = 'bilal', decided_at = proposed_at WHERE ref = 'A1'",
			"INSERT INTO transfers (adjustment_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT id, merchant, currency, 'adjust_top_up', 'settled', 'available', amount, proposed_at FROM adjustments WHERE ref = 'A1'",
			"UPDATE books SET available = available + 500, settled = settled - 500",
		}, []string{verify.BrokenAdjustmentAudit}},
		"an adjustment of two persons who did nothing": {[]string{
			"INSERT INTO adjustments (merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at, state) SELECT merchant, 'A9', currency, kind, amount, 'amina', 'why', 'slip', 5, 'proposed' FROM adjustments WHERE ref = 'A1'",
			"UPDATE adjustments SET state = 'booked', decided_by = 'bilal', decided_at = 6 WHERE ref = 'A9'",
			"INSERT INTO transfers (adjustment_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT id, merchant, currency, 'adjust_top_up', 'settled', 'available', amount, 6 FROM adjustments WHERE ref = 'A9'",
			"UPDATE books SET available = available + 500, settled = settled - 500",
		}, []string{verify.BrokenAdjustmentAudit}},
		"a transfer that no order has": {[]string{
			"INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT id, merchant, currency, 'bonus', 'suspense', 'available', 700, 1 FROM orders WHERE number = 'paid'",
			"UPDATE books SET available = available + 700, suspense = suspense - 700",
		}, []string{verify.UnknownMove}},
		"a transfer of a deposit, for a withdrawal": {[]string{
			"INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) SELECT id, merchant, currency, 'late_payment', 'settled', 'available', 700, 1 FROM orders WHERE number = 'paid'",
			"UPDATE books SET available = available + 700, settled = settled - 700",
		}, []string{verify.UnknownMove}},
		"a transfer of no order": {[]string{
			"INSERT INTO transfers (merchant, currency, reason, from_account, to_account, amount, at) SELECT merchant, currency, 'bonus', 'suspense', 'available', 700, 1 FROM books",
			"UPDATE books SET available = available + 700, suspense = suspense - 700",
		}, []string{verify.UnknownMove}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.books(t, "1000", "0")
				propose(t, b, adjustment("A1", AdjustTopUp, "5"))
				_, refusal, err := b.RejectAdjustment(t.Context(), merchant, propose(t, b, adjustment("A2", AdjustTopUp, "6")).Ref, who("bilal", "not ours"))
				require.NoError(t, err)
				require.Nil(t, refusal)
				done := request(order.Withdrawal, "paid", "100")
				open(t, b, done)
				submit(t, b, done.Key(), accepted)
				settle(t, b, done.Key(), paid("100", "2"))
				b.stops(t, order.StopScope{Country: "VN"}, "amina", "")
				b.resumes(t, b.stops(t, order.StopScope{Country: "PK"}, "amina", "").ID, "bilal", "")
				all := b.stops(t, order.StopScope{All: true}, "amina", "")
				b.resumes(t, all.ID, "bilal", "")
				b.resumes(t, all.ID, "chen", "")
				b.clean(t)
				login := b
				if b.onPostgres() {
					require.NoError(t, b.GrantRoles(t.Context()))
					login = opened(t, as(t, b.url, "payouts_worker"))
				}
				v, err := b.with(t, nil).Verify(t.Context())
				require.NoError(t, err)
				require.True(t, v.Clean(), "without the data key: %+v", v.Violations)
				for _, statement := range test.statements {
					require.NoError(t, login.exec(statement))
				}
				v, err = b.Verify(t.Context())
				require.NoError(t, err)
				var codes []string
				for _, violation := range v.Violations {
					codes = append(codes, violation.Code)
				}
				require.Equal(t, test.codes, codes, "%+v", v.Violations)
			})
		})
	}
}

// A stop that is gone is found, too: the audit has it.
func TestVerifyFindsAStopThatIsGone(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		b.stops(t, order.StopScope{All: true}, "amina", "")
		b.clean(t)
		b.unguard(t)
		require.NoError(t, b.exec("DELETE FROM stops"))
		v, err := b.Verify(t.Context())
		require.NoError(t, err)
		require.Len(t, v.Violations, 1)
		require.Equal(t, verify.BrokenStop, v.Violations[0].Code)
	})
}

// An adjustment that is gone is found, too, and one that is proposed anew after its rejection.
func TestVerifyFindsWhatTheAuditHasOfAdjustments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ damage, says string }{
		"gone":  {"DELETE FROM adjustments", "the audit has propose_adjustment of adjustment A1, and there is no such adjustment"},
		"again": {"UPDATE adjustments SET state = 'proposed', decided_by = '', decided_at = 0, decided_why = ''", "adjustment A1: the audit has reject_adjustment by bilal, and the table does not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.books(t, "1000", "0")
				propose(t, b, adjustment("A1", AdjustTopUp, "5"))
				_, refusal, err := b.RejectAdjustment(t.Context(), merchant, "A1", who("bilal", "not ours"))
				require.NoError(t, err)
				require.Nil(t, refusal)
				b.clean(t)
				b.unguard(t)
				require.NoError(t, b.exec(test.damage))
				v, err := b.Verify(t.Context())
				require.NoError(t, err)
				require.NotEmpty(t, v.Violations)
				require.Equal(t, verify.BrokenAdjustmentAudit, v.Violations[0].Code)
				require.Equal(t, test.says, v.Violations[0].Detail)
			})
		})
	}
}

// The end of an order is when it ended, not when the gateway's id became known.
func TestAnIDThatComesLateLeavesTheEnd(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		failed := b.at(t, order.Withdrawal, order.Failed)
		b.SetClock(func() time.Time { return failed.UpdatedAt.Add(time.Hour) })
		settle(t, b, failed.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, GatewayID: "G8"})
		read := b.current(t, failed.Key())
		require.Equal(t, "G8", read.GatewayID)
		require.Equal(t, failed.UpdatedAt, read.UpdatedAt)
		b.clean(t)
	})
}

func TestVerifyCounts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		v, err := b.Verify(t.Context())
		require.NoError(t, err)
		require.Equal(t, verify.Report{}, v)
		b.books(t, "1000", "10")
		open(t, b, request(order.Withdrawal, "W1", "50"))
		v, err = b.Verify(t.Context())
		require.NoError(t, err)
		require.Equal(t, verify.Report{Books: 1, Orders: 1, Transfers: 3}, v)
		require.True(t, v.Clean())
	})
}

func TestViolationsSpeakInSentences(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		open(t, b, request(order.Withdrawal, "W1", "50"))
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE books SET in_flight = 7"))
		v, err := b.Verify(t.Context())
		require.NoError(t, err)
		require.Contains(t, v.Violations, verify.Violation{
			Code: verify.BrokenInFlight, Key: order.Key{Merchant: merchant}, Currency: "PKR", Detail: "in_flight is 7 and should be 5000",
		})
	})
}

// unguard takes triggers and checks away.
func (b *testBundle) unguard(t *testing.T) {
	t.Helper()
	if !b.onPostgres() {
		require.NoError(t, b.exec("PRAGMA ignore_check_constraints = 1"))
		var triggers []string
		require.NoError(t, b.db.List(t.Context(), &triggers, "SELECT name FROM sqlite_master WHERE type = 'trigger'"))
		for _, trigger := range triggers {
			require.NoError(t, b.exec("DROP TRIGGER "+trigger))
		}
		return
	}
	for _, table := range []string{"orders", "gateway_ids", "audit", "chains", "transfers", "submissions", "adjustments", "audit_tree", "audit_tree_hashes", "checkpoints", "closed_days", "stops", "discrepancies", "inbox", "decisions", "webhook_endpoints", "proposals", "batches", "batch_rows"} {
		require.NoError(t, b.exec("ALTER TABLE "+table+" DISABLE TRIGGER USER"))
	}
	require.NoError(t, b.exec("ALTER TABLE books DROP CONSTRAINT books_balance"))
}
