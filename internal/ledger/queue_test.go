package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
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
		none := b.needsPerson(t, 0)
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
		require.NoError(t, b.OpenDiscrepancy(ctx, approve.Key(), codes.DiscrepancyPaidUnsent, "the gateway tells of it")) // 12:03
		tick()
		require.NoError(t, b.Trip(ctx, "M2", order.Reason{Code: order.CodeGatewayPaused, Text: "the key has expired"}, time.Minute)) // 12:04
		tick()
		_, err := b.Review(ctx, review.Key(), order.Reason{Code: order.CodeNoProof, Text: "no proof within 5m0s"})
		require.NoError(t, err)
		tick()
		stray := request(order.Withdrawal, "stray", "3")
		id, _, err := b.StoreCallback(ctx, callbackFor(stray, "G9"), []byte("{}"), "", nil)
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(ctx, id, Unmatched)) // 12:06
		tick()
		fresh := open(t, b, request(order.Deposit, "fresh", "7"))
		submit(t, b, fresh.Key(), ambiguous) // 12:07

		key := func(number string) order.Key { return order.Key{Merchant: merchant, Number: number} }
		found, err := b.Discrepancies(ctx, DiscrepancyFilter{})
		require.NoError(t, err)
		ours := func(number string) *order.Order { return b.current(t, key(number)) }
		breaker, _, err := b.Breaker(ctx, "M2")
		require.NoError(t, err)
		callback, err := b.Callback(ctx, id)
		require.NoError(t, err)
		want := []Due{
			{Since: noon.Add(1 * time.Minute), Kind: QueueUnknown, Key: key("unknown"), Code: order.CodeGatewayUnknown, Order: ours("unknown")},
			{Since: noon.Add(2 * time.Minute), Kind: QueueApproval, Key: key("approve"), ID: approve.Fingerprint, Code: codes.LimitOrder, Order: ours("approve")},
			{
				Since: noon.Add(3 * time.Minute), Kind: QueueDiscrepancy, Key: key("approve"), ID: strconv.FormatInt(found[0].ID, 10),
				Code: codes.DiscrepancyPaidUnsent, Discrepancy: &found[0],
			},
			{Since: noon.Add(4 * time.Minute), Kind: QueueBreaker, Key: order.Key{Merchant: "M2"}, Code: order.CodeGatewayPaused, Breaker: &breaker},
			{Since: noon.Add(5 * time.Minute), Kind: QueueReview, Key: key("review"), Code: order.CodeNoProof, Order: ours("review")},
			{Since: noon.Add(6 * time.Minute), Kind: QueueCallback, Key: key("stray"), ID: id, Code: CodeUnmatched, Callback: &callback},
		}
		items := b.needsPerson(t, 6*time.Minute)
		require.Equal(t, want, items)
		items, err = b.NeedsPerson(ctx, 6*time.Minute, 3)
		require.NoError(t, err)
		require.Equal(t, want[:3], items)
		items = b.needsPerson(t, 0)
		require.Len(t, items, 7)
		require.Equal(t, key("fresh"), items[6].Key)

		// A proposal is shown; what is done is gone.
		part := resolution("amina", order.Succeeded)
		part.Fee = pkr("2")
		resolve(t, b, review.Key(), part, true)
		_, refusal, err := b.Reject(ctx, approve.Key(), order.Rejection{By: "amina", Why: "no"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		_, closed, err := b.CloseDiscrepancy(ctx, found[0].ID, who("amina", "the gateway was wrong"))
		require.NoError(t, err)
		require.Nil(t, closed)
		require.NoError(t, b.Reset(ctx, "M2"))
		require.NoError(t, b.MarkCallback(ctx, id, Done))
		settle(t, b, unknown.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Pending})
		items = b.needsPerson(t, time.Hour)
		require.Len(t, items, 1)
		require.Equal(t, &order.Resolution{State: order.Succeeded, By: "amina", Evidence: "ticket of amina", Fee: pkr("2")}, items[0].Proposal)
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
		items := b.needsPerson(t, time.Hour)
		require.Len(t, items, 1)
		require.Equal(t, noon, items[0].Since)
	})
}

// due lists the items of one kind.
func (b *testBundle) due(t *testing.T, kind QueueKind) []Due {
	t.Helper()
	items := b.needsPerson(t, time.Hour)
	return slices.DeleteFunc(items, func(item Due) bool { return item.Kind != kind })
}

// An order that waits for money says where it is short, and since when.
func TestQueueOfFunds(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "100", "0")
		short := order.Reason{Code: order.CodeGatewayShort, Text: "the gateway has 5.00 PKR"}
		doubtful := Answer{Outcome: Ambiguous, Reason: short}
		fine, gateway, unsure := request(order.Withdrawal, "fine", "1"), request(order.Withdrawal, "gateway", "60"), request(order.Withdrawal, "unsure", "10")
		for _, r := range []order.Request{fine, gateway, unsure} {
			open(t, b, r)
		}
		submit(t, b, fine.Key(), ambiguous)
		now = now.Add(time.Minute)
		submit(t, b, gateway.Key(), doubtful) // 12:01
		now = now.Add(time.Minute)
		ledger := b.openOn(t, Terms{WaitForFunds: true}, request(order.Withdrawal, "ledger", "50")) // 12:02
		now = now.Add(time.Minute)
		submit(t, b, unsure.Key(), doubtful) // 12:03
		for range 3 {
			now = now.Add(time.Minute)
			_, err := b.HoldForFunds(t.Context(), gateway.Key(), short)
			require.NoError(t, err)
		}
		item := func(minute int, r order.Request, code string) Due {
			return Due{Since: time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC), Kind: QueueFunds, Key: r.Key(), Code: code, Order: b.current(t, r.Key())}
		}
		require.Equal(t, []Due{
			item(1, gateway, order.CodeGatewayShort),
			item(2, ledger.Request, order.CodeInsufficientFunds),
			item(3, unsure, order.CodeGatewayShort),
		}, b.due(t, QueueFunds))

		adjusted(t, b, adjustment("A1", AdjustTopUp, "100"))
		_, err := b.Reserve(t.Context(), ledger.Key())
		require.NoError(t, err)
		submit(t, b, gateway.Key(), accepted)
		settle(t, b, unsure.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, Reason: short})
		require.Empty(t, b.due(t, QueueFunds))
		b.clean(t)
	})
}

func TestQueueOfAdjustments(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "100", "0")
		for i := range 3 {
			propose(t, b, adjustment(fmt.Sprint("A", i), AdjustTopUp, "30"))
			now = now.Add(time.Minute)
		}
		_, _, err := b.ConfirmAdjustment(t.Context(), merchant, "A0", who("bilal", ""))
		require.NoError(t, err)
		items := b.due(t, QueueAdjustment)
		require.Len(t, items, 2)
		proposed, err := b.Adjustments(t.Context(), AdjustmentFilter{Merchant: merchant, Open: true})
		require.NoError(t, err)
		require.Len(t, proposed, 2) // newest first
		require.Equal(t, Due{
			Since: noon.Add(time.Minute), Kind: QueueAdjustment, Key: order.Key{Merchant: merchant}, ID: "A1", Code: CodeAdjustmentProposed, Adjustment: &proposed[1],
		}, items[0])
		for _, ref := range []string{"A1", "A2"} {
			_, _, err := b.RejectAdjustment(t.Context(), merchant, ref, who("bilal", "no"))
			require.NoError(t, err)
		}
		require.Empty(t, b.due(t, QueueAdjustment))
	})
}

// A drift has been there since the first of the snapshots that all drifted.
func TestQueueOfDrifts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "100", "0")
		require.NoError(t, b.OpenBooks(t.Context(), merchant, amount(100, "VND"), amount(0, "VND")))
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("100"), pkr("0")))
		open(t, b, request(order.Deposit, "D1", "5"))
		look := func(merchant, available string, verdict order.Agreement) order.Snapshot {
			t.Helper()
			now = now.Add(time.Minute)
			s, err := b.compare(t, merchant, pkr(available), pkr("0"))
			require.NoError(t, err)
			require.Equal(t, verdict, s.Verdict)
			return s
		}
		require.Empty(t, b.due(t, QueueDrift))
		look(merchant, "90", order.Unsettled) // 12:01: seen once
		require.Empty(t, b.due(t, QueueDrift))
		look(merchant, "90", order.Drifting)  // 12:02
		look(merchant, "80", order.Unsettled) // 12:03: another amount
		look(merchant, "80", order.Drifting)  // 12:04
		look("M2", "100", order.Agreed)       // 12:05
		look("M2", "107", order.Unsettled)    // 12:06
		look("M2", "107", order.Drifting)     // 12:07
		before := b.due(t, QueueDrift)
		look(merchant, "80", order.Drifting) // one more look changes no id
		require.Equal(t, before, b.due(t, QueueDrift))
		_, err := b.compare(t, merchant, amount(100, "VND"), amount(0, "VND")) // another currency agrees
		require.NoError(t, err)
		want := []Due{
			{
				Since: noon.Add(4 * time.Minute), Kind: QueueDrift, Key: order.Key{Merchant: merchant}, ID: merchant,
				Code: CodeDrift, Drift: amount(-2000, "PKR"),
			},
			{
				Since: noon.Add(7 * time.Minute), Kind: QueueDrift, Key: order.Key{Merchant: "M2"}, ID: "M2",
				Code: CodeDrift, Drift: pkr("7"),
			},
		}
		require.Equal(t, want, b.due(t, QueueDrift))
		look("M2", "100", order.Agreed)
		require.Equal(t, want[:1], b.due(t, QueueDrift))
		adjusted(t, b, adjustment("A1", AdjustCorrectionOut, "20"))
		look(merchant, "80", order.Agreed)
		require.Empty(t, b.due(t, QueueDrift))
	})
}

// What may be sent and is not for long is told, each order by itself, unless an
// open breaker holds it back: then the breaker's item counts it.
func TestUnsentOrdersAreTold(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		names := func(kind QueueKind) []string {
			t.Helper()
			var lines []string
			for _, item := range b.due(t, kind) {
				line := item.Since.Format("15:04 ") + item.Key.Number + " " + item.Code
				if item.Order != nil {
					line += " " + item.Order.Reason.Text
				}
				lines = append(lines, line)
			}
			return lines
		}
		for i, answer := range []Answer{{}, unsent, paused, ambiguous} {
			for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
				o := open(t, b, request(kind, fmt.Sprint(string(kind[0]), i), "1"))
				if answer.Outcome != "" {
					submit(t, b, o.Key(), answer)
				}
				now = now.Add(time.Minute)
			}
		}
		approved := b.approvable(t, order.Withdrawal, "late", "1", Terms{})
		now = noon.Add(time.Hour)
		_, refusal, err := b.Approve(t.Context(), approved.Key(), approval(approved))
		require.NoError(t, err)
		require.Nil(t, refusal)

		now = noon.Add(90 * time.Minute)
		require.Equal(t, []string{
			"12:00 d0 ORDER_UNSENT ",
			"12:01 w0 ORDER_UNSENT ",
			"12:02 d1 GATEWAY_UNREACHABLE connection refused",
			"12:03 w1 GATEWAY_UNREACHABLE connection refused",
			"12:04 d2 GATEWAY_PAUSED key expired",
			"12:05 w2 GATEWAY_PAUSED key expired",
		}, names(QueueUnsent), "an approved one counts from its approval on")
		require.NoError(t, b.Trip(t.Context(), merchant, paused.Reason, time.Minute))
		require.Empty(t, names(QueueUnsent))
		require.Equal(t, []string{"13:30  GATEWAY_PAUSED"}, names(QueueBreaker))
		require.Equal(t, 7, b.due(t, QueueBreaker)[0].Waiting)
		require.NoError(t, b.Reset(t.Context(), merchant))
		now = noon.Add(24 * time.Hour)
		require.Len(t, names(QueueUnsent), 7)
		b.clean(t)
	})
}

func TestQueueCounts(t *testing.T) {
	t.Parallel()
	require.Len(t, QueueKinds(), 12)
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		counts, err := b.QueueCounts(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Len(t, counts, len(QueueKinds()))
		for _, kind := range QueueKinds() {
			require.Equal(t, QueueCount{}, counts[kind])
		}
		b.books(t, "100", "0")
		for i := range 3 {
			propose(t, b, adjustment(fmt.Sprint("A", i), AdjustTopUp, "30"))
			b.openOn(t, Terms{WaitForFunds: true}, request(order.Withdrawal, fmt.Sprint("W", i), "500"))
			now = now.Add(time.Minute)
		}
		b.approvable(t, order.Withdrawal, "approve", "50", Terms{})
		counts, err = b.QueueCounts(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, QueueCount{3, noon}, counts[QueueFunds])
		require.Equal(t, QueueCount{3, noon}, counts[QueueAdjustment])
		require.Equal(t, QueueCount{1, now}, counts[QueueApproval])
		items := b.needsPerson(t, time.Hour)
		total := 0
		for _, count := range counts {
			total += count.Items
		}
		require.Len(t, items, total)
	})
}

func TestCloseDiscrepancy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		ours, other := b.at(t, order.Withdrawal, order.Failed).Key(), order.Key{Merchant: merchant, Number: "NOBODY"}
		for _, key := range []order.Key{ours, other} {
			require.NoError(t, b.OpenDiscrepancy(ctx, key, codes.DiscrepancyPaidAfterEnd, "paid there"))
			found, err := b.Discrepancies(ctx, DiscrepancyFilter{Number: key.Number, Open: true})
			require.NoError(t, err)
			require.Len(t, found, 1)
			trail := b.trail(t, key)
			for _, step := range []struct{ by, why, code, trace string }{
				{"", "x", order.CodeWhoMissing, "nobody: close_discrepancy refused WHO_MISSING"},
				{"amina", " ", order.CodeWhyMissing, "amina: close_discrepancy refused WHY_MISSING"},
				{"amina", "booked by hand", "", "amina: close_discrepancy PAID_AFTER_END"},
				{"bilal", "me too", codes.AlreadyClosed, "bilal: close_discrepancy refused DISCREPANCY_CLOSED"},
			} {
				_, refusal, err := b.CloseDiscrepancy(ctx, found[0].ID, who(step.by, step.why))
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
			require.NoError(t, b.OpenDiscrepancy(ctx, key, codes.DiscrepancyPaidAfterEnd, "paid there"))
			require.NoError(t, b.OpenDiscrepancy(ctx, key, codes.DiscrepancyPaidAfterEnd, "paid there twice"))
			found, err = b.Discrepancies(ctx, DiscrepancyFilter{Number: key.Number, Open: true})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, "paid there twice", found[0].Detail)
		}
		_, refusal, err := b.CloseDiscrepancy(ctx, 99, who("amina", "x"))
		require.NoError(t, err)
		require.Equal(t, CodeDiscrepancyNotFound, refusal.Code)
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
		id, _, err := b.StoreCallback(ctx, c, []byte("{}"), "", nil)
		require.NoError(t, err)
		finding := paid("100", "2")
		finding.Source, finding.Evidence = rules.FromCallback, id
		settle(t, b, o.Key(), finding)
		tick()
		_, _, err = b.StoreCallback(ctx, c, []byte("{}"), "", nil)
		require.NoError(t, err)
		settle(t, b, o.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, Evidence: "x"})
		tick()
		found, err := b.Discrepancies(ctx, DiscrepancyFilter{})
		require.NoError(t, err)
		_, _, err = b.CloseDiscrepancy(ctx, found[0].ID, who("amina", "their mistake"))
		require.NoError(t, err)

		story, err := b.Story(ctx, o.Key())
		require.NoError(t, err)
		require.Equal(t, b.current(t, o.Key()), story.Order)
		require.Len(t, story.Callbacks, 1)
		require.Equal(t, id, story.Callbacks[0].ID)
		require.Equal(t, 2, story.Callbacks[0].Received)
		require.Len(t, story.Submissions, 2)
		require.Equal(t, []Outcome{Paused, Accepted}, []Outcome{story.Submissions[0].Outcome, story.Submissions[1].Outcome})
		require.Equal(t, b.trail(t, o.Key()), trailOf(story.Audit))
		require.Len(t, story.Audit, 9)
		require.Equal(t, found[0].ID, story.Discrepancies[0].ID)
		var moved []TransferReason
		for _, transfer := range story.Transfers {
			moved = append(moved, transfer.Reason)
		}
		require.Equal(t, []TransferReason{ReasonReserve, ReasonPayout, ReasonFee}, moved)
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
		for o, err := range b.OpenOrders(t.Context(), now.Sub(last)-time.Millisecond) {
			require.NoError(t, err)
			require.False(t, seen[o.Key()], o.Key())
			require.Equal(t, order.Created, o.State)
			seen[o.Key()] = true
		}
		require.Equal(t, want, seen)
		for o, err := range b.OpenOrders(t.Context(), -time.Hour) { // may be left
			require.NoError(t, err)
			require.Equal(t, "M0", o.Merchant)
			break
		}
		require.NoError(t, b.Close())
		for _, err := range b.OpenOrders(t.Context(), 0) {
			require.ErrorContains(t, err, "list open orders")
		}
	})
}

// needsPerson lists what needs a person, and demands that the counts say the same.
func (b *testBundle) needsPerson(t *testing.T, unknownFor time.Duration) []Due {
	t.Helper()
	items, err := b.NeedsPerson(t.Context(), unknownFor, MaxPage)
	require.NoError(t, err)
	want := make(map[QueueKind]QueueCount)
	for _, kind := range QueueKinds() {
		want[kind] = QueueCount{}
	}
	for _, item := range items { // the oldest first
		count := want[item.Kind]
		if count.Items == 0 {
			count.Oldest = item.Since
		}
		count.Items++
		want[item.Kind] = count
	}
	counts, err := b.QueueCounts(t.Context(), unknownFor)
	require.NoError(t, err)
	require.Equal(t, want, counts)
	return items
}

// No list is loaded to be counted: counts are not bounded as lists are.
func TestQueueCountsAreNotBounded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		const all = MaxPage + 5
		require.NoError(t, b.exec(`
			WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < CAST(? AS BIGINT))
			INSERT INTO discrepancies (merchant, number, code, mark, detail, at) SELECT 'M', 'N', 'C', CAST(n AS TEXT), 'd', 1000 + n FROM numbers`, all))
		counts, err := b.QueueCounts(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, QueueCount{all, time.UnixMilli(1001).UTC()}, counts[QueueDiscrepancy])
	})
}

// One callback that needs a person for two reasons is one item.
func TestACallbackIsCountedOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		id, _, err := b.StoreCallback(t.Context(), callbackFor(request(order.Withdrawal, "stray", "3"), "G9"), []byte("{}"), "", nil)
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(t.Context(), id, Unmatched))
		require.NoError(t, b.ProblemCallback(t.Context(), id, "it does not fit"))
		now = noon.Add(2 * problemDeadline)
		items := b.needsPerson(t, time.Hour)
		require.Len(t, items, 1)
		require.Equal(t, CodeUndelivered, items[0].Code)
	})
}

// Counts are asked with every scrape: they read what they count by an index, and the open
// orders once. The tables of books and of breakers have a row per merchant.
func TestQueueCountsUseIndexes(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		explain := "EXPLAIN QUERY PLAN "
		if b.onPostgres() {
			explain = "EXPLAIN (COSTS OFF) "
			b.pool().SetMaxOpenConns(1)
			require.NoError(t, b.exec("SET enable_seqscan = off")) // tables are empty here
		}
		query, args := counting(time.Now(), time.Hour)
		plan := b.plan(t, explain+b.pool().Rebind(query), args...)
		require.Equal(t, 1, strings.Count(plan, "orders_open"), plan)
		for _, index := range []string{
			"audit_pkey|sqlite_autoindex_audit_1", "discrepancies_(open|seen)", "inbox_status", "inbox_problems", "adjustments_open",
			"snapshots_not_drifting", "snapshots_books",
		} {
			require.Regexp(t, index, plan)
		}
		require.NotRegexp(t, `(?m)SCAN (a|orders|audit|inbox|snapshots|discrepancies|adjustments|submissions)\]?$|Seq Scan on (orders|audit|inbox|snapshots|discrepancies|adjustments|submissions)|snapshots_pkey`,
			plan)
	})
}

// A discrepancy that says that the ledger does not have an order is closed by itself
// when the ledger has the order, and the audit has that. Others stay open.
func TestADiscrepancyOfAnOrderThatWasLateClosesItself(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		late, missing := order.Key{Merchant: merchant, Number: "W1"}, order.Key{Merchant: merchant, Number: "W2"}
		for _, d := range []struct {
			key  order.Key
			code string
		}{{late, codes.DiscrepancyNotInLedger}, {missing, codes.DiscrepancyNotInLedger}, {late, codes.DiscrepancyMismatch}} {
			require.NoError(t, b.OpenDiscrepancy(t.Context(), d.key, d.code, "the run is run-1"))
		}
		stillOpen := func() (left []string) {
			t.Helper()
			found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Open: true})
			require.NoError(t, err)
			for _, d := range found {
				left = append(left, d.Key.Number+" "+d.Code)
			}
			return left
		}
		others := []string{"W1 " + codes.DiscrepancyMismatch, "W2 " + codes.DiscrepancyNotInLedger}
		require.Len(t, stillOpen(), 3)

		open(t, b, request(order.Withdrawal, "W1", "30"))
		require.Equal(t, others, stillOpen())
		closed, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Number: "W1", Code: codes.DiscrepancyNotInLedger})
		require.NoError(t, err)
		require.Equal(t, []string{System, "the ledger has the order now"}, []string{closed[0].ClosedBy, closed[0].ClosedWhy})
		require.Contains(t, b.trail(t, late), "system: close_discrepancy ORDER_NOT_IN_LEDGER")

		require.NoError(t, b.OpenDiscrepancy(t.Context(), late, codes.DiscrepancyNotInLedger, "the run is run-2"))
		require.Equal(t, others, stillOpen(), "the order is there")

		// One that was opened in the same moment as the order.
		require.NoError(t, b.inTx(t.Context(), func(tx tx) error {
			return tx.differs(t.Context(), nil, reconcile.Difference{Key: late, Code: codes.DiscrepancyNotInLedger, Mark: "run-3", Detail: "the run is run-3"})
		}))
		require.Len(t, stillOpen(), 3)
		require.NoError(t, b.HealAlone(t.Context()))
		require.Equal(t, others, stillOpen())
		b.clean(t)
	})
}
