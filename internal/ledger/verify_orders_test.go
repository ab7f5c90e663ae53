package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// everyReason makes orders whose reasons come from where reasons come from. Their numbers say
// what happened last.
func (b *testBundle) everyReason(t *testing.T) {
	t.Helper()
	b.books(t, "1000", "0")
	begun := func(number string) order.Key {
		r := request(order.Withdrawal, number, "10")
		open(t, b, r)
		return r.Key()
	}
	key := begun("paid")
	submit(t, b, key, accepted)
	settle(t, b, key, paid("10", "1"))
	submit(t, b, begun("failed"), refused)
	key = begun("paused")
	submit(t, b, key, paused)
	submit(t, b, key, unsent)
	key = begun("held")
	submit(t, b, key, ambiguous)
	for _, text := range []string{"short of 5", "short of 4"} {
		_, err := b.HoldForFunds(t.Context(), key, order.Reason{Code: order.CodeGatewayShort, Text: text})
		require.NoError(t, err)
	}
	key = begun("found")
	_, err := b.RecordFound(t.Context(), key, 0)
	require.NoError(t, err)
	_, err = begin(t.Context(), b, begun("begun"))
	require.NoError(t, err)
	_, refusal, err := b.Cancel(t.Context(), begun("cancelled"), order.Cancellation{ID: "c", By: "amina", Why: "twice"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	begun("reserved")
	for number, amount := range map[string]string{"approved": "10", "too much": "5000"} {
		o := b.approvable(t, order.Withdrawal, number, amount, Terms{})
		_, refusal, err := b.Approve(t.Context(), o.Key(), order.Approval{ID: "a", By: "bilal", Fingerprint: o.Fingerprint})
		require.NoError(t, err)
		require.Nil(t, refusal)
	}
	b.clean(t)
}

// violations are what Verify finds of the orders, "number: code: detail".
func (b *testBundle) violations(t *testing.T) (found []string) {
	t.Helper()
	v, err := b.Verify(t.Context())
	require.NoError(t, err)
	for _, violation := range v.Violations {
		found = append(found, violation.Key.Number+": "+violation.Code+": "+violation.Detail)
	}
	return found
}

// What whoever has the worker's database login can write into the reason of an order, or as an
// attempt, is compared with the audit.
func TestVerifyComparesReasonsWithTheAudit(t *testing.T) {
	t.Parallel()
	const code, text = ": REASON_DIFFERS_FROM_AUDIT: the code of the order's reason is not what the audit says", ": REASON_DIFFERS_FROM_AUDIT: the text of the order's reason is not what the audit says"
	for name, test := range map[string]struct {
		statements []string
		found      string
		noKey      string // what is found without the data key
	}{
		"nothing":                 {},
		"another code":            {[]string{"UPDATE orders SET reason_code = 'OTHER' WHERE number = 'failed'"}, "failed" + code, "failed" + code},
		"no text":                 {[]string{"UPDATE orders SET reason_text = '' WHERE number = 'failed'"}, "failed" + text, ""},
		"a reason that never was": {[]string{"UPDATE orders SET reason_code = 'GATEWAY_REFUSED' WHERE number = 'paid'"}, "paid" + code, "paid" + code},
		"cancelled for no reason": {[]string{"UPDATE orders SET reason_text = '' WHERE number = 'cancelled'"}, "cancelled" + text, ""},
		"no reason of an attempt": {[]string{"UPDATE orders SET reason_code = 'OTHER' WHERE number = 'paused'"}, "paused" + code, "paused" + code},
		"no text of an attempt":   {[]string{"UPDATE orders SET reason_text = '' WHERE number = 'paused'"}, "paused" + text, ""},
		"not enough":              {[]string{"UPDATE orders SET reason_code = '', reason_text = '' WHERE number = 'too much'"}, "too much" + code, "too much" + code},
		"approved for a reason":   {[]string{"UPDATE orders SET reason_code = 'APPROVED' WHERE number = 'approved'"}, "approved" + code, "approved" + code},
		"held for another reason": {[]string{"UPDATE orders SET reason_code = 'OTHER' WHERE number = 'held'"}, "held" + code, "held" + code},
		"an attempt nobody began": {[]string{
			"INSERT INTO submissions (order_id, attempt, started_at) SELECT id, 1, 5 FROM orders WHERE number = 'reserved'",
			"UPDATE orders SET attempts = 1 WHERE number = 'reserved'",
		}, "reserved: SUBMISSION_DIFFERS_FROM_AUDIT: the audit does not say that attempt 1 began", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.everyReason(t)
				login := b.asWorker(t)
				require.Empty(t, b.with(t, nil).violations(t))
				for _, statement := range test.statements {
					require.NoError(t, login.exec(statement))
				}
				for reader, want := range map[*testBundle]string{b: test.found, b.with(t, nil): test.noKey} {
					var all []string
					if want != "" {
						all = []string{want}
					}
					require.Equal(t, all, reader.violations(t))
				}
			})
		})
	}
}

// What only the owner of the tables can write into an attempt is found, too. Pages of any size
// have every order once.
func TestVerifyComparesAttemptsWithTheAudit(t *testing.T) {
	t.Parallel()
	const differs = ": SUBMISSION_DIFFERS_FROM_AUDIT: of attempt 1, the audit does not say the same of: "
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.everyReason(t)
		b.unguard(t)
		require.NoError(t, b.exec("CREATE TABLE kept AS SELECT * FROM submissions"))
		for _, test := range []struct{ set, of, found string }{
			{"started_at = started_at + 1", "paid", "paid" + differs + "beginning"},
			{"ended_at = ended_at + 1", "paid", "paid" + differs + "end"},
			{"outcome = 'unsent'", "failed", "failed" + differs + "outcome"},
			{"outcome = 'unsent'", "held", "held" + differs + "outcome"},
			{"reason_code = 'OTHER'", "failed", "failed" + differs + "reason"},
			{"reason_text = ''", "failed", "failed" + differs + "reason"},
			{"started_at = 1, ended_at = 2, outcome = 'unsent', reason_code = ''", "found", "found" + differs + "end, outcome, reason, beginning"},
		} {
			require.NoError(t, b.exec(fmt.Sprintf("UPDATE submissions SET %s WHERE order_id = (SELECT id FROM orders WHERE number = '%s')", test.set, test.of)))
			require.Equal(t, []string{test.found}, b.violations(t), test.set)
			require.NoError(t, b.exec("DELETE FROM submissions"))
			require.NoError(t, b.exec("INSERT INTO submissions SELECT * FROM kept"))
			require.Empty(t, b.violations(t))
		}
		require.NoError(t, b.exec("DELETE FROM submissions WHERE order_id = (SELECT id FROM orders WHERE number = 'failed')"))
		require.NoError(t, b.exec("UPDATE orders SET attempts = 0 WHERE number = 'failed'"))
		const gone = "failed: SUBMISSION_DIFFERS_FROM_AUDIT: the audit has %s of attempt 1, and there is no such attempt"
		require.Equal(t, []string{fmt.Sprintf(gone, ActionSubmit), fmt.Sprintf(gone, ActionAnswer)}, b.violations(t))
	})
}

// A release that was written into the row of a scheduled order is compared with the entry of the
// release.
func TestVerifyComparesReleasesWithTheAudit(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "1000", "0")
		for _, number := range []string{"released", "waits"} {
			open(t, b, tomorrow(request(order.Withdrawal, number, "10")))
		}
		set(oneDay + time.Minute)
		b.released(t, order.Key{Merchant: merchant, Number: "released"}, Terms{})
		b.clean(t)
		require.NoError(t, b.asWorker(t).exec("UPDATE orders SET released_at = created_at WHERE number = 'waits'"))
		found := strings.Join(b.violations(t), "\n")
		require.Contains(t, found, "waits: TIME_DIFFERS_FROM_AUDIT: the time of the release is ")
		require.NotContains(t, found, "released: ")

		b.unguard(t)
		require.NoError(t, b.exec("UPDATE orders SET released_at = 0 WHERE number = 'waits'"))
		b.clean(t)
		require.NoError(t, b.exec("UPDATE orders SET released_at = created_at WHERE number = 'released'"))
		require.Contains(t, strings.Join(b.violations(t), "\n"), "released: TIME_DIFFERS_FROM_AUDIT: the time of the release is ")
	})
}

// Whether an order is asked about first, after a restore, is compared with the audit.
func TestVerifyComparesWhatARestoreAsks(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "1000", "0")
		before, absent := open(t, b, request(order.Withdrawal, "before", "10")), open(t, b, tomorrow(request(order.Withdrawal, "absent", "10")))
		ended := open(t, b, request(order.Withdrawal, "ended", "10"))
		submit(t, b, ended.Key(), refused)
		_, refusal, err := b.MarkRestored(t.Context(), who("amina", "a copy"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		meanwhile := open(t, b, request(order.Withdrawal, "meanwhile", "10"))
		_, err = b.RecordAbsent(t.Context(), absent.Key(), b.current(t, absent.Key()).AskFirst)
		require.NoError(t, err)
		require.Zero(t, b.current(t, absent.Key()).AskFirst)
		_, refusal, err = b.EndRestore(t.Context(), who("amina", "all found"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		set(-time.Hour) // of a clock that is behind
		after := open(t, b, request(order.Withdrawal, "after", "10"))
		require.Zero(t, b.current(t, after.Key()).AskFirst)
		require.NotZero(t, b.current(t, before.Key()).AskFirst)
		require.NotZero(t, b.current(t, meanwhile.Key()).AskFirst)
		b.clean(t)
		require.NoError(t, b.asWorker(t).exec("UPDATE orders SET ask_first = 0"))
		const asks = ": ASK_FIRST_DIFFERS_FROM_AUDIT: whether the gateway is asked before the next create, after a restore, is 0 and should be 1"
		require.Equal(t, []string{"before" + asks, "meanwhile" + asks}, b.violations(t))
	})
}
