package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// listed is a record of the gateway's history that agrees with an order.
func listed(o order.Order) reconcile.Record {
	r := reconcile.Record{
		GatewayID: or(o.GatewayID, "G-"+o.Number), Number: o.Number, Kind: tarspay.HistoryKind(o.Kind.Direction()), State: tarspay.StateFailed,
		Currency: o.Amount.Currency(), Amount: o.Amount.Minor(), CreatedAt: time.Now(), Source: reconcile.Listed,
	}
	switch o.State {
	case order.Succeeded, order.Refunded:
		r.State = tarspay.StateSucceeded
	case order.PartiallyPaid:
		r.State = tarspay.StatePartial
	default: // nothing moved
	}
	if r.State.Paid() {
		r.Paid, r.Fee = o.Paid.Minor(), o.Fee.Minor()
	}
	return r
}

// compare keeps records and compares them with the orders as of an hour later.
func compare(t *testing.T, b *testBundle, merchant string, records ...reconcile.Record) reconcile.Comparison {
	t.Helper()
	require.NoError(t, b.KeepRecords(t.Context(), merchant, records))
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.GatewayID
	}
	found, err := b.CompareRecords(t.Context(), merchant, ids, time.Now().Add(time.Hour))
	require.NoError(t, err)
	return found
}

// Records that agree with orders of every state are no difference.
func TestRecordsThatAgree(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			for _, state := range order.States() {
				if !reachable(kind, state) {
					continue
				}
				o := b.at(t, kind, state)
				found := compare(t, b, o.Merchant, listed(o))
				require.Empty(t, found.Differences, "%s %s", kind, state)
				if rules.Unsent(state) {
					require.Equal(t, []order.Key{o.Key()}, found.Doubtful, "%s %s is not there by us", kind, state)
					continue
				}
				require.Empty(t, found.Doubtful, "%s %s", kind, state)
				require.Equal(t, state.Terminal(), found.Compared == 1, "%s %s", kind, state)
			}
		}
	})
}

// Each member that differs is told once, the first of them; another end is no
// proof and has to be asked about.
func TestRecordsThatDiffer(t *testing.T) {
	t.Parallel()
	type change = func(*reconcile.Record)
	tests := []struct {
		name     string
		kind     order.Kind
		state    order.State
		change   change
		want     string // code and mark
		doubtful bool
	}{
		{"direction", order.Withdrawal, order.Succeeded, func(r *reconcile.Record) { r.Kind = tarspay.HistoryDeposit }, "RECORD_DIFFERS direction", false},
		{"currency", order.Withdrawal, order.Succeeded, func(r *reconcile.Record) { r.Currency = "THB" }, "RECORD_DIFFERS currency", false},
		{"amount", order.Deposit, order.Succeeded, func(r *reconcile.Record) { r.Amount, r.Paid = r.Amount-1, r.Paid-1 }, "RECORD_DIFFERS amount", false},
		{"amount of a failure", order.Withdrawal, order.Failed, func(r *reconcile.Record) { r.Amount++ }, "RECORD_DIFFERS amount", false},
		{"unreadable", order.Deposit, order.Succeeded, func(r *reconcile.Record) { r.Amount = reconcile.Unreadable }, "RECORD_DIFFERS amount", false},
		{"paid", order.Deposit, order.PartiallyPaid, func(r *reconcile.Record) { r.Paid++ }, "RECORD_DIFFERS paid", false},
		{"fee", order.Withdrawal, order.Succeeded, func(r *reconcile.Record) { r.Fee++ }, "RECORD_DIFFERS fee", false},
		{"fee of a refunded one", order.Withdrawal, order.Refunded, func(r *reconcile.Record) { r.Fee-- }, "RECORD_DIFFERS fee", false},
		{"failed there", order.Withdrawal, order.Succeeded, func(r *reconcile.Record) { r.State, r.Paid, r.Fee = tarspay.StateFailed, 0, 0 }, "", true},
		{"paid there", order.Withdrawal, order.Failed, func(r *reconcile.Record) { r.State, r.Paid = tarspay.StateSucceeded, r.Amount }, "", true},
		{"paid late", order.Deposit, order.Expired, func(r *reconcile.Record) { r.State, r.Paid = tarspay.StateSucceeded, r.Amount }, "", true},
		{"paid in part there", order.Deposit, order.Succeeded, func(r *reconcile.Record) { r.State, r.Paid = tarspay.StatePartial, 4000 }, "", true},
		{"no state at all", order.Withdrawal, order.Succeeded, func(r *reconcile.Record) { r.State = 42 }, "", true},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, test := range tests {
			o := b.at(t, test.kind, test.state)
			r := listed(o)
			test.change(&r)
			found := compare(t, b, o.Merchant, r)
			got := ""
			for _, d := range found.Differences {
				require.Equal(t, o.Key(), d.Key)
				got += d.Code + d.Mark[len(r.GatewayID):]
			}
			require.Equal(t, test.want, got, test.name)
			require.Equal(t, test.doubtful, len(found.Doubtful) == 1, test.name)

			// Within the lag nothing of it counts.
			ids := []string{r.GatewayID}
			found, err := b.CompareRecords(t.Context(), o.Merchant, ids, o.UpdatedAt)
			require.NoError(t, err)
			require.Equal(t, reconcile.Comparison{}, found, test.name)
		}
	})
}

// A record of no order of ours, of a second order of one number, and of the
// merchant's own withdrawals.
func TestRecordsWithoutOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		codes := func(found reconcile.Comparison) []string {
			var got []string
			for _, d := range found.Differences {
				got = append(got, fmt.Sprint(d.Code, " ", d.Key.Number, " ", d.Mark, ": ", d.Detail))
			}
			return got
		}
		early := reconcile.Record{GatewayID: "E1", Number: "N1", Kind: tarspay.HistoryDeposit, State: tarspay.StateSucceeded, Currency: "PKR", Amount: 500, Source: reconcile.Listed}
		require.Empty(t, codes(compare(t, b, merchant, early)), "without books nothing is ours")
		b.books(t, "1000", "0")
		early.CreatedAt = time.Now().Add(-time.Minute)
		require.Empty(t, codes(compare(t, b, merchant, early)), "from before the books")
		early.CreatedAt = time.Time{}
		early.GatewayID = "E2"
		require.Equal(t, []string{
			"RECORD_WITHOUT_ORDER N1 E2 state succeeded: gateway order E2: the gateway has a deposit of 5.00 PKR that we do not have: succeeded",
		}, codes(compare(t, b, merchant, early)))

		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		submit(t, b, r.Key(), accepted)
		settle(t, b, r.Key(), paid("100", "2"))
		o, err := b.Order(t.Context(), r.Key())
		require.NoError(t, err)
		first, second := listed(o), listed(o)
		second.GatewayID = "A-second" // whichever comes first
		require.Equal(t, []string{
			"NUMBER_USED_TWICE W1 A-second: gateway order A-second: the gateway has a second order of this number, a withdrawal of 100.00 PKR: succeeded",
		}, codes(compare(t, b, merchant, first, second)))

		nameless := listed(o)
		nameless.Number = ""
		require.Empty(t, codes(compare(t, b, merchant, nameless)), "the gateway's id tells whose it is")

		own := reconcile.Record{GatewayID: "P77", Kind: tarspay.HistoryOwnWithdrawal, State: tarspay.StateSucceeded, Currency: "PKR", Amount: 70000, Fee: 100, CreatedAt: time.Now(), Source: reconcile.Listed}
		want := []string{"OWN_WITHDRAWAL P77 P77: gateway order P77: the merchant took 700.00 PKR out at the gateway, fee 1.00 PKR"}
		require.Equal(t, want, codes(compare(t, b, merchant, own)))
		a := adjustment("P77", AdjustSettlement, "700")
		propose(t, b, a)
		require.Equal(t, want, codes(compare(t, b, merchant, own)), "a proposal has booked nothing")
		_, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, "P77", who("omar", ""))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Empty(t, codes(compare(t, b, merchant, own)))
		own.GatewayID, own.State = "P78", tarspay.StateFailed
		require.Empty(t, codes(compare(t, b, merchant, own)), "it took nothing out")
	})
}

// The newest word is kept, once per gateway's id; a refund stays known although
// the history lists the success that it was.
func TestKeepRecords(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		kept := func() recordRow {
			var rows []recordRow
			require.NoError(t, b.db.List(t.Context(), &rows, `SELECT merchant, gateway_id, number, kind, state, currency, amount, paid, fee, created_at, source, seen_at
				FROM gateway_records`))
			require.Len(t, rows, 1)
			return rows[0]
		}
		at := time.UnixMilli(1_700_000_000_000)
		r := reconcile.Record{GatewayID: "P1", Number: "N1", Kind: tarspay.HistoryWithdrawal, State: tarspay.StateFailed, Currency: "PKR", Amount: 5, CreatedAt: at, Source: reconcile.Listed}
		keep := func(change func(*reconcile.Record)) recordRow {
			change(&r)
			require.NoError(t, b.KeepRecords(t.Context(), merchant, []reconcile.Record{r, r}))
			return kept()
		}
		require.Equal(t, 3, keep(func(*reconcile.Record) {}).State)
		require.Equal(t, 2, keep(func(r *reconcile.Record) { r.State, r.Paid, r.Fee = tarspay.StateSucceeded, 5, 1 }).State)
		row := keep(func(r *reconcile.Record) {
			r.State, r.Source, r.CreatedAt = tarspay.StateRefunded, reconcile.Answered, time.Time{}
		})
		require.Equal(t, 5, row.State)
		require.Equal(t, at.UnixMilli(), row.CreatedAt, "a query does not tell")
		require.Equal(t, reconcile.Listed, row.Source, "it was listed once")
		require.Equal(t, 5, keep(func(r *reconcile.Record) { r.State, r.Source = tarspay.StateSucceeded, reconcile.Listed }).State)
		require.Equal(t, 3, keep(func(r *reconcile.Record) { r.State, r.Source = tarspay.StateFailed, reconcile.Answered }).State)
		there, err := b.IsListed(t.Context(), order.Key{Merchant: merchant, Number: "N1"})
		require.NoError(t, err)
		require.True(t, there)
		there, err = b.IsListed(t.Context(), order.Key{Merchant: merchant, Number: ""})
		require.NoError(t, err)
		require.False(t, there)
		require.ErrorContains(t, b.KeepRecords(t.Context(), merchant, make([]reconcile.Record, MaxPage+1)), "are more than")
		require.NoError(t, b.KeepRecords(t.Context(), merchant, nil))
	})
}

// A difference is told once, audited once, and stays closed once it is closed;
// what is met with again is counted once.
func TestOpenDifference(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		began, err := b.Now(t.Context())
		require.NoError(t, err)
		ours := b.at(t, order.Withdrawal, order.Succeeded)
		for _, key := range []order.Key{ours.Key(), {Merchant: ours.Merchant, Number: "elsewhere"}} {
			d := reconcile.Difference{Key: key, Code: codes.DiscrepancyRecord, Mark: "P1 fee", Detail: "fee: 1 there, 2 here"}
			entries := func() int {
				trail, err := b.Audit(t.Context(), key)
				require.NoError(t, err)
				return len(trail)
			}
			before := entries()
			for range 2 {
				require.NoError(t, b.OpenDifference(t.Context(), d))
			}
			require.Equal(t, before+1, entries())
			require.Equal(t, []string{codes.DiscrepancyRecord}, b.discrepancies(t, key))
		}
		counts, err := b.SeenDiscrepancies(t.Context(), ours.Merchant, began)
		require.NoError(t, err)
		require.Equal(t, []order.DiscrepancyCount{{Code: codes.DiscrepancyRecord, Open: 2}}, counts)

		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: ours.Merchant, Number: "elsewhere"})
		require.NoError(t, err)
		_, _, err = b.CloseDiscrepancy(t.Context(), found[0].ID, who("amina", "booked"))
		require.NoError(t, err)
		require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{Key: found[0].Key, Code: codes.DiscrepancyRecord, Mark: "P1 fee"}))
		found, err = b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: ours.Merchant, Open: true})
		require.NoError(t, err)
		require.Len(t, found, 1)

		counts, err = b.SeenDiscrepancies(t.Context(), ours.Merchant, began.Add(time.Hour))
		require.NoError(t, err)
		require.Empty(t, counts, "not met with since")
		b.SetClock(func() time.Time { return time.Now().Add(time.Minute) })
		require.NoError(t, b.SeeDiscrepancy(t.Context(), ours.Key(), codes.DiscrepancyRecord))
		counts, err = b.SeenDiscrepancies(t.Context(), ours.Merchant, time.Now().Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, []order.DiscrepancyCount{{Code: codes.DiscrepancyRecord, Open: 1}}, counts)
		b.clean(t)
	})
}

// Every order that was sent and has ended is met once, in the order in which it
// ended.
func TestNextEnded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		at := time.UnixMilli(1_700_000_000_000)
		b.SetClock(func() time.Time { return at })
		walk := func(from, to time.Time, unreturned bool) []string {
			var met []string
			for mark := (EndedMark{At: from.UnixMilli()}); ; {
				o, next, err := b.NextEnded(t.Context(), merchant, mark, to, unreturned)
				if err != nil {
					require.ErrorIs(t, err, ErrNotFound)
					require.Equal(t, mark, next)
					return met
				}
				met, mark = append(met, o.Number), next
			}
		}
		for i := range 3 { // of one moment
			r := request(order.Withdrawal, fmt.Sprint("W", i), "100")
			open(t, b, r)
			submit(t, b, r.Key(), accepted)
			settle(t, b, r.Key(), paid("100", "1"))
		}
		at = at.Add(time.Minute)
		settle(t, b, order.Key{Merchant: merchant, Number: "W1"}, rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
		broke := request(order.Withdrawal, "too-much", "900000") // never sent
		open(t, b, broke)
		open(t, b, request(order.Withdrawal, "under-way", "100"))
		refusedOne := request(order.Withdrawal, "W3", "100")
		open(t, b, refusedOne)
		submit(t, b, refusedOne.Key(), refused)

		begin, end := at.Add(-time.Minute), at.Add(time.Millisecond)
		require.Equal(t, []string{"W0", "W2", "W1", "W3"}, walk(begin, end, false))
		require.Equal(t, []string{"W0", "W2", "W3"}, walk(begin, end, true))
		require.Equal(t, []string{"W0", "W2"}, walk(begin, at, false), "the end of a window is the next one's")
		require.Equal(t, []string{"W1", "W3"}, walk(at, end, false))
		require.Empty(t, walk(end, end.Add(time.Hour), false))
	})
}

// What has been compared is remembered without a gap.
func TestMarkReconciled(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		day := func(n int) time.Time { return time.UnixMilli(1_700_000_000_000).UTC().AddDate(0, 0, n) }
		for _, step := range []struct {
			from, to int
			first    bool
			want     int // -1: never
		}{
			{0, 1, false, -1}, // somebody looked at a day of the past
			{1, 2, true, 2},
			{3, 4, false, 2}, // a day is missing
			{3, 4, true, 2},  // which was not the first
			{2, 3, false, 3},
			{1, 2, false, 3}, // again
			{2, 5, false, 5}, // overlapping
		} {
			require.NoError(t, b.MarkReconciled(t.Context(), merchant, day(step.from), day(step.to), step.first))
			got, err := b.Reconciled(t.Context(), merchant)
			require.NoError(t, err)
			if step.want < 0 {
				require.Zero(t, got)
				continue
			}
			require.Equal(t, day(step.want), got, "%+v", step)
		}
	})
}

func TestUnmatchedBefore(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		at := time.UnixMilli(1_700_000_000_000)
		b.SetClock(func() time.Time { return at })
		var ids []string
		for i := range 4 {
			c := callbackFor(request(order.Deposit, fmt.Sprint("D", i), "5"), fmt.Sprint("P", i))
			if i == 3 {
				c.Merchant = "M2"
			}
			id, _, err := b.StoreCallback(t.Context(), c, nil, "", nil)
			require.NoError(t, err)
			ids = append(ids, id)
			if i != 1 {
				require.NoError(t, b.MarkCallback(t.Context(), id, Unmatched))
			}
			at = at.Add(time.Minute)
		}
		entries, err := b.UnmatchedBefore(t.Context(), merchant, at, InboxEntry{})
		require.NoError(t, err)
		require.Len(t, entries, 2)
		require.Equal(t, []string{ids[0], ids[2]}, []string{entries[0].ID, entries[1].ID})
		entries, err = b.UnmatchedBefore(t.Context(), merchant, at, entries[0])
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, ids[2], entries[0].ID)
		entries, err = b.UnmatchedBefore(t.Context(), merchant, at.Add(-3*time.Minute), InboxEntry{})
		require.NoError(t, err)
		require.Len(t, entries, 1, "the others are too young")
	})
}

// A million records and orders are compared without reading a whole table.
func TestComparingUsesIndexes(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		explain := "EXPLAIN QUERY PLAN "
		if b.onPostgres() {
			explain = "EXPLAIN (COSTS OFF) "
			b.pool().SetMaxOpenConns(1)
			require.NoError(t, b.exec("SET enable_seqscan = off")) // tables are empty here
		}
		ended := "SELECT id FROM orders WHERE " + endedStates +
			" AND merchant = 'M' AND (ended_at, id) > (5, 5) AND ended_at < 9 AND attempts > 0 ORDER BY ended_at, id LIMIT 1"
		for query, index := range map[string]string{
			ended: "orders_ended",
			strings.Replace(fillIn(ownerByGatewayID), "?", "'P1'", 1):                                                                                                     "(SEARCH i USING PRIMARY KEY|orders_gateway_id)(.|\n)*(PRIMARY KEY|orders_pkey)",
			"SELECT COUNT(*) FROM gateway_records WHERE merchant = 'M' AND number = 'N' AND number <> '' AND source = 'history'":                                          "gateway_records_number",
			"SELECT code, COUNT(*) FROM discrepancies WHERE closed_at = 0 AND merchant = 'M' AND seen_at >= 5 GROUP BY code ORDER BY code":                                "discrepancies_seen",
			"SELECT id FROM inbox WHERE " + notDone + " AND status = 'unmatched' AND merchant = 'M' AND first_at < 5 AND (first_at, id) > (1, 'x') ORDER BY first_at, id": "inbox_",
		} {
			plan := b.plan(t, explain+query)
			require.Regexp(t, index, plan, query)
			require.NotRegexp(t, wholeTable, plan, query)
		}
		plan := b.plan(t, explain+fillIn(comparedRecords)+" AND r.gateway_id IN ('P1', 'P2') ORDER BY r.gateway_id")
		require.Regexp(t, "(gateway_records_pkey|sqlite_autoindex_gateway_records_1)", plan)
		require.Regexp(t, "(orders_merchant_number_key|sqlite_autoindex_orders_1)", plan)
		require.Regexp(t, "gateway_records_number", plan)
		require.NotRegexp(t, wholeTable, plan)
	})
}

const wholeTable = `(?m)^\[.*SCAN (orders|gateway_records|discrepancies|inbox|r|o|x)$|Seq Scan`

// fillIn puts a merchant into a query's only place.
func fillIn(query string) string { return strings.Replace(query, "?", "'M'", 1) }
