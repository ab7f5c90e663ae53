package ledger

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestNeedsPerson(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		tick := func() { now = now.Add(time.Minute) }
		none, err := b.NeedsPerson(ctx, 0, 0)
		require.NoError(t, err)
		require.Empty(t, none)

		open(t, b, request(order.Withdrawal, "fine", "1")) // needs nobody
		submit(t, b, order.Key{Merchant: merchant, Number: "fine"}, accepted)

		review := open(t, b, request(order.Withdrawal, "review", "100")) // 12:00 opened, 12:05 in review
		submit(t, b, review.Key(), ambiguous)
		tick()
		unknown := open(t, b, request(order.Deposit, "unknown", "7"))
		submit(t, b, unknown.Key(), ambiguous) // 12:01
		tick()
		approve := b.approvable(t, order.Withdrawal, "approve", "50", Terms{}) // 12:02
		tick()
		require.NoError(t, b.OpenDiscrepancy(ctx, approve.Key(), order.DiscrepancyPaidUnsent, "the gateway tells of it")) // 12:03
		tick()
		require.NoError(t, b.Trip(ctx, "M2", order.Reason{Code: order.CodeGatewayPaused, Text: "the key has expired"}, time.Minute)) // 12:04
		tick()
		_, err = b.Review(ctx, review.Key(), order.Reason{Code: order.CodeNoProof, Text: "no proof within 5m0s"})
		require.NoError(t, err)
		tick()
		stray := request(order.Withdrawal, "stray", "3")
		id, _, err := b.StoreCallback(ctx, callbackFor(stray, "G9"), []byte("{}"))
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(ctx, id, Unmatched)) // 12:06
		tick()
		fresh := open(t, b, request(order.Deposit, "fresh", "7"))
		submit(t, b, fresh.Key(), ambiguous) // 12:07

		key := func(number string) order.Key { return order.Key{Merchant: merchant, Number: number} }
		found, err := b.Discrepancies(ctx, DiscrepancyFilter{})
		require.NoError(t, err)
		want := []QueueItem{
			{
				noon.Add(1 * time.Minute), QueueUnknown, key("unknown"), "", order.CodeGatewayUnknown,
				"it is not known whether the gateway has the deposit of 7.00 PKR: no answer in time",
				"nothing yet: the gateway is asked until there is proof; look for it there if you cannot wait",
			},
			{
				noon.Add(2 * time.Minute), QueueApproval, key("approve"), "", order.CodeLimitOrder,
				"withdrawal of 50.00 PKR waits for approval until 2026-03-01 14:02 UTC: the amount is 50.00 PKR and needs approval above 0.00 PKR",
				"approve it with fingerprint " + approve.Fingerprint + ", or reject it; tests, who requested it, may not approve",
			},
			{
				noon.Add(3 * time.Minute), QueueDiscrepancy, key("approve"), strconv.FormatInt(found[0].ID, 10), order.DiscrepancyPaidUnsent,
				"our books and the gateway's word differ: the gateway tells of it", "settle it with the gateway, then close it and say why",
			},
			{
				noon.Add(4 * time.Minute), QueueBreaker, order.Key{Merchant: "M2"}, "", order.CodeGatewayPaused,
				"no order of the merchant is sent, because the gateway refuses every call: the key has expired",
				"mend the merchant's key, address or status; the gateway is asked now and then, and once it answers everything is sent",
			},
			{
				noon.Add(5 * time.Minute), QueueReview, key("review"), "", order.CodeNoProof,
				"withdrawal of 100.00 PKR is in review: no proof within 5m0s", "find out at the gateway what became of it and resolve it with the proof",
			},
			{
				noon.Add(6 * time.Minute), QueueCallback, key("stray"), id, CodeUnmatched,
				"the gateway tells of a withdrawal that we do not have: succeeded, 3.00 PKR", "find out who made the order; it is matched by itself if it turns up here",
			},
		}
		items, err := b.NeedsPerson(ctx, 6*time.Minute, 0)
		require.NoError(t, err)
		require.Equal(t, want, items)
		items, err = b.NeedsPerson(ctx, 6*time.Minute, 3)
		require.NoError(t, err)
		require.Equal(t, want[:3], items)
		items, err = b.NeedsPerson(ctx, 0, 0)
		require.NoError(t, err)
		require.Len(t, items, 7)
		require.Equal(t, key("fresh"), items[6].Key)

		// A proposal is shown; what is done is gone.
		part := resolution("amina", order.Succeeded)
		part.Fee = pkr("2")
		resolve(t, b, review.Key(), part, true)
		_, refusal, err := b.Reject(ctx, approve.Key(), order.Rejection{By: "amina", Why: "no"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		closed, err := b.CloseDiscrepancy(ctx, found[0].ID, "amina", "the gateway was wrong")
		require.NoError(t, err)
		require.Nil(t, closed)
		require.NoError(t, b.Reset(ctx, "M2"))
		require.NoError(t, b.MarkCallback(ctx, id, Done))
		settle(t, b, unknown.Key(), order.Finding{Source: order.FromQuery, Verdict: order.Pending})
		items, err = b.NeedsPerson(ctx, time.Hour, 0)
		require.NoError(t, err)
		require.Len(t, items, 1)
		require.Equal(t, "withdrawal of 100.00 PKR is in review: no proof within 5m0s; amina proposes succeeded, fee 2.00 PKR (ticket of amina)", items[0].Text)
		require.Equal(t, "check the proof and resolve it alike, if you are neither amina nor who requested it; or resolve it otherwise", items[0].Do)
		b.clean(t)
	})
}

// An order that has gone back and forth has been unknown since it first was.
func TestUnknownSinceTheFirstTime(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		o := open(t, b, request(order.Withdrawal, "W1", "100"))
		for range 4 {
			submit(t, b, o.Key(), ambiguous)
			now = now.Add(time.Hour)
		}
		items, err := b.NeedsPerson(t.Context(), time.Hour, 0)
		require.NoError(t, err)
		require.Len(t, items, 1)
		require.Equal(t, noon, items[0].Since)
	})
}

func TestCloseDiscrepancy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		ours, other := b.at(t, order.Withdrawal, order.Failed).Key(), order.Key{Merchant: merchant, Number: "NOBODY"}
		for _, key := range []order.Key{ours, other} {
			require.NoError(t, b.OpenDiscrepancy(ctx, key, order.DiscrepancyPaidAfterEnd, "paid there"))
			found, err := b.Discrepancies(ctx, DiscrepancyFilter{Number: key.Number, Open: true})
			require.NoError(t, err)
			require.Len(t, found, 1)
			trail := b.trail(t, key)
			for _, step := range []struct{ by, why, code, trace string }{
				{"", "x", order.CodeWhoMissing, "nobody: close_discrepancy refused WHO_MISSING"},
				{"amina", " ", order.CodeWhyMissing, "amina: close_discrepancy refused WHY_MISSING"},
				{"amina", "booked by hand", "", "amina: close_discrepancy PAID_AFTER_END"},
				{"bilal", "me too", order.CodeDiscrepancyClosed, "bilal: close_discrepancy refused DISCREPANCY_CLOSED"},
			} {
				refusal, err := b.CloseDiscrepancy(ctx, found[0].ID, step.by, step.why)
				require.NoError(t, err)
				if step.code != "" {
					require.Equal(t, step.code, refusal.Code)
				} else {
					require.Nil(t, refusal)
				}
				trail = append(trail, step.trace)
				require.Equal(t, trail, b.trail(t, key))
			}
			all, err := b.Discrepancies(ctx, DiscrepancyFilter{Number: key.Number})
			require.NoError(t, err)
			require.Len(t, all, 1)
			require.Equal(t, [2]string{"amina", "booked by hand"}, [2]string{all[0].ClosedBy, all[0].ClosedWhy})
			require.WithinRange(t, all[0].ClosedAt, all[0].At, time.Now())
			found, err = b.Discrepancies(ctx, DiscrepancyFilter{Number: key.Number, Open: true})
			require.NoError(t, err)
			require.Empty(t, found)

			// The same told again stays closed; something new does not.
			require.NoError(t, b.OpenDiscrepancy(ctx, key, order.DiscrepancyPaidAfterEnd, "paid there"))
			require.NoError(t, b.OpenDiscrepancy(ctx, key, order.DiscrepancyPaidAfterEnd, "paid there twice"))
			found, err = b.Discrepancies(ctx, DiscrepancyFilter{Number: key.Number, Open: true})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, "paid there twice", found[0].Detail)
		}
		_, err := b.CloseDiscrepancy(ctx, 99, "amina", "x")
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}

func TestStory(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		tick := func() { now = now.Add(time.Minute) }
		b.books(t, "1000", "0")
		nobody := order.Key{Merchant: merchant, Number: "W1"}
		_, err := b.Story(ctx, nobody)
		require.ErrorIs(t, err, ErrNotFound)
		_, _, err = b.Approve(ctx, nobody, order.Approval{By: "amina"})
		require.NoError(t, err)
		tick()
		o := b.approvable(t, order.Withdrawal, "W1", "100", Terms{})
		tick()
		_, _, err = b.Approve(ctx, o.Key(), order.Approval{By: "tests", Fingerprint: o.Fingerprint})
		require.NoError(t, err)
		_, _, err = b.Approve(ctx, o.Key(), approval(o))
		require.NoError(t, err)
		tick()
		submit(t, b, o.Key(), paused)
		tick()
		attempt, err := begin(ctx, b, o.Key())
		require.NoError(t, err)
		tick()
		_, err = b.CompleteSubmission(ctx, o.Key(), attempt.Attempt, Answer{Outcome: Accepted, GatewayID: "G1"})
		require.NoError(t, err)
		tick()
		c := callbackFor(o.Request, "G1")
		id, _, err := b.StoreCallback(ctx, c, []byte("{}"))
		require.NoError(t, err)
		finding := paid("100", "2")
		finding.Source, finding.Evidence = order.FromCallback, id
		settle(t, b, o.Key(), finding)
		tick()
		_, _, err = b.StoreCallback(ctx, c, []byte("{}"))
		require.NoError(t, err)
		settle(t, b, o.Key(), order.Finding{Source: order.FromQuery, Verdict: order.Unpaid, Evidence: "x"})
		tick()
		found, err := b.Discrepancies(ctx, DiscrepancyFilter{})
		require.NoError(t, err)
		_, err = b.CloseDiscrepancy(ctx, found[0].ID, "amina", "their mistake")
		require.NoError(t, err)

		events, err := b.Story(ctx, o.Key())
		require.NoError(t, err)
		lines := make([]string, len(events))
		for i, e := range events {
			lines[i] = fmt.Sprintf("%s %s %s| %s", e.At.Format("15:04"), e.Kind, e.By, e.Text)
		}
		require.Equal(t, []string{
			"12:00 decision amina| approve refused: ORDER_NOT_FOUND: there is no order W1 of merchant M1700000001",
			"12:01 request tests| withdrawal of 100.00 PKR asked for, in PK by JAZZCASH",
			"12:01 move | opened as awaiting_approval: LIMIT_ORDER the amount is 100.00 PKR and needs approval above 0.00 PKR",
			"12:02 decision tests| approve refused: SAME_PERSON: tests requested order W1; another person must approve it",
			"12:02 decision amina| awaiting_approval → reserved (approve): APPROVED a known vendor",
			"12:02 transfer | reserve: available → in_flight 100.00 PKR",
			"12:03 attempt | attempt 1 to send it begins",
			"12:03 attempt | attempt 1 ends: paused: GATEWAY_PAUSED key expired",
			"12:03 move | reserved → submitting (submission attempt 1)",
			"12:04 attempt | attempt 2 to send it begins",
			"12:05 attempt | attempt 2 ends: accepted",
			"12:05 move | submitting → submitted (submission attempt 2)",
			"12:06 callback | the gateway says succeeded of its order G1 (100.00 of 100.00 PKR, fee 0), told 2 times until 2026-03-01T12:07:00Z: stored",
			"12:06 move | submitted → succeeded (callback " + id + "), paid 100.00 PKR, fee 2.00 PKR",
			"12:06 transfer | payout: in_flight → paid_out 100.00 PKR",
			"12:06 transfer | fee: available → fees 2.00 PKR",
			fmt.Sprintf("12:07 discrepancy | discrepancy %d: UNPAID_AFTER_SUCCESS: the order is succeeded and the query says unpaid", found[0].ID),
			"12:08 decision amina| close_discrepancy: UNPAID_AFTER_SUCCESS their mistake",
		}, lines)
		b.clean(t)
	})
}

func TestOpenOrders(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "10000", "0")
		require.NoError(t, b.OpenBooks(t.Context(), "M0", pkr("10000"), pkr("0")))
		want := make(map[order.Key]bool)
		const all = 2*openPage + 50
		for i := range all {
			r := request(order.Deposit, fmt.Sprint("D", i), "1")
			if i%3 == 0 {
				r.Merchant = "M0"
			}
			if i%7 == 0 {
				now = now.Add(time.Millisecond) // several in one millisecond
			}
			open(t, b, r)
			if i%10 == 0 {
				submit(t, b, r.Key(), refused)
				continue
			}
			want[r.Key()] = true
		}
		last := now
		now = now.Add(time.Minute)
		open(t, b, request(order.Deposit, "new", "1"))

		seen := make(map[order.Key]bool)
		for o, err := range b.OpenOrders(t.Context(), last.Add(time.Millisecond)) {
			require.NoError(t, err)
			require.False(t, seen[o.Key()], o.Key())
			require.Equal(t, order.Created, o.State)
			seen[o.Key()] = true
		}
		require.Equal(t, want, seen)
		for o, err := range b.OpenOrders(t.Context(), now.Add(time.Hour)) { // may be left
			require.NoError(t, err)
			require.Equal(t, "M0", o.Merchant)
			break
		}
		require.NoError(t, b.Close())
		for _, err := range b.OpenOrders(t.Context(), now) {
			require.ErrorContains(t, err, "list open orders")
		}
	})
}
