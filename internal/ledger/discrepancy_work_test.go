package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// stray opens a discrepancy that is about no order, and returns its id.
func (b *testBundle) stray(t *testing.T, number string, stake int64) int64 {
	t.Helper()
	require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{
		Key: order.Key{Merchant: merchant, Number: number}, Code: codes.DiscrepancyNoOrder, Mark: number, Detail: "d", Currency: "PKR", Stake: stake,
	}))
	return b.discrepancyOf(t, order.Key{Merchant: merchant, Number: number}).ID
}

// discrepancyOf returns the only discrepancy of the key.
func (b *testBundle) discrepancyOf(t *testing.T, key order.Key) Discrepancy {
	t.Helper()
	found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number})
	require.NoError(t, err)
	require.Len(t, found, 1, key)
	return found[0]
}

// works does a step on a discrepancy and returns how it stands then, or the refusal's code.
func (b *testBundle) works(t *testing.T, id int64, work order.DiscrepancyWork, by order.Who) string {
	t.Helper()
	work.Discrepancy = id
	d, refusal, err := b.WorkDiscrepancy(t.Context(), work, by)
	require.NoError(t, err)
	if refusal != nil {
		return refusal.Code
	}
	return fmt.Sprintf("%s %s by %s: %s", d.State, d.Assignee, d.SaidBy, d.Said)
}

func TestWorkOnADiscrepancy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		ours := b.at(t, order.Withdrawal, order.Failed).Key()
		require.NoError(t, b.OpenDiscrepancy(t.Context(), ours, codes.DiscrepancyPaidAfterEnd, "paid there"))
		d := b.discrepancyOf(t, ours)
		require.Equal(t, order.DiscrepancyOpen, d.State)
		require.Equal(t, "100.00 PKR", d.Stake.String(), "the order's amount")

		assign := order.DiscrepancyWork{Step: order.StepAssign, To: "bilal"}
		require.Equal(t, order.CodeWhoMissing, b.works(t, d.ID, assign, who("", "x")))
		require.Equal(t, order.CodeWhyMissing, b.works(t, d.ID, assign, who("amina", " ")))
		require.Equal(t, "assigned bilal by amina: your merchant", b.works(t, d.ID, assign, who("amina", "your merchant")))
		require.Equal(t, "waiting bilal by bilal: ticket 4711", b.works(t, d.ID, order.DiscrepancyWork{Step: order.StepWait, Days: 2}, who("bilal", "ticket 4711")))
		require.Equal(t, now.AddDate(0, 0, 2), b.discrepancyOf(t, ours).WaitUntil)
		require.Equal(t, "explained bilal by bilal: paid by hand", b.works(t, d.ID, order.DiscrepancyWork{Step: order.StepExplain}, who("bilal", "paid by hand")))
		require.Zero(t, b.discrepancyOf(t, ours).WaitUntil)
		require.Equal(t, "open  by bilal: I was wrong", b.works(t, d.ID, order.DiscrepancyWork{Step: order.StepReopen}, who("bilal", "I was wrong")))

		closed, refusal, err := b.CloseDiscrepancy(t.Context(), d.ID, who("amina", "booked"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, order.DiscrepancyAccepted, closed.State)
		require.Equal(t, codes.AlreadyClosed, b.works(t, d.ID, assign, who("amina", "x")))
		require.Equal(t, CodeDiscrepancyNotFound, b.works(t, 99, assign, who("amina", "x")))
		trail := b.trail(t, ours)
		require.Equal(t, []string{
			"nobody: work_discrepancy refused WHO_MISSING", "amina: work_discrepancy refused WHY_MISSING",
			"amina: work_discrepancy PAID_AFTER_END", "bilal: work_discrepancy PAID_AFTER_END", "bilal: work_discrepancy PAID_AFTER_END",
			"bilal: work_discrepancy PAID_AFTER_END", "amina: close_discrepancy PAID_AFTER_END", "amina: work_discrepancy refused DISCREPANCY_CLOSED",
		}, trail[len(trail)-8:])
		b.clean(t)
	})
}

// Above the limit two persons close a discrepancy. What is only about a workflow has no money.
func TestTwoPersonsCloseAboveTheLimit(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.SetTwoPersonClose(func(stake money.Amount) bool { return stake.Minor() > 5000 })
		closes := func(id int64, by string) string {
			d, refusal, err := b.CloseDiscrepancy(t.Context(), id, who(by, "said by "+by))
			require.NoError(t, err)
			if refusal != nil {
				return refusal.Code
			}
			return string(d.State)
		}
		key := order.Key{Merchant: merchant, Number: "large"}
		small, large := b.stray(t, "small", 5000), b.stray(t, "large", 5001)
		require.Equal(t, "accepted", closes(small, "amina"))
		require.Equal(t, "accepting", closes(large, "amina"))
		require.Equal(t, codes.SamePerson, closes(large, "Amina "))
		d := b.discrepancyOf(t, key)
		require.Equal(t, []string{"amina", "said by amina"}, []string{d.AcceptedBy, d.Said})
		require.Zero(t, d.ClosedAt)
		require.Equal(t, "accepted", closes(large, "bilal"))
		d = b.discrepancyOf(t, key)
		require.Equal(t, []string{"amina", "bilal", "said by bilal"}, []string{d.AcceptedBy, d.ClosedBy, d.ClosedWhy})
		require.Equal(t, []string{
			"system: discrepancy RECORD_WITHOUT_ORDER", "amina: accept_discrepancy RECORD_WITHOUT_ORDER", "Amina : close_discrepancy refused SAME_PERSON",
			"bilal: close_discrepancy RECORD_WITHOUT_ORDER",
		}, b.trail(t, d.Key))

		// A step in between takes the first acceptance back.
		again := b.stray(t, "again", 9000)
		require.Equal(t, "accepting", closes(again, "amina"))
		require.Equal(t, "waiting  by bilal: ask", b.works(t, again, order.DiscrepancyWork{Step: order.StepWait}, who("bilal", "ask")))
		require.Equal(t, "accepting", closes(again, "bilal"))

		orphan := b.at(t, order.Withdrawal, order.Submitted).Key()
		require.NoError(t, b.OpenDiscrepancy(t.Context(), orphan, codes.DiscrepancyOrphan, "lost"))
		require.Equal(t, "accepted", closes(b.discrepancyOf(t, orphan).ID, "amina"))
		b.clean(t)
	})
}

// A record that agrees closes what its difference opened; a difference that comes back
// opens it again, unless a person has closed it.
func TestRecordsHeal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ours := b.at(t, order.Withdrawal, order.Succeeded)
		differs := func(code, mark string) {
			require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{Key: ours.Key(), Code: code, Mark: mark, Detail: mark, Currency: "PKR", Stake: 2, Delta: -2}))
		}
		states := func() (all []string) {
			found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: ours.Merchant})
			require.NoError(t, err)
			for _, d := range found {
				all = append(all, d.Mark+" "+string(d.State))
			}
			return all
		}
		heals := func(id string, source reconcile.Source) {
			require.NoError(t, b.HealAgreed(t.Context(), ours.Merchant, []reconcile.Agreement{{Key: ours.Key(), GatewayID: id}}, source))
		}
		differs(codes.DiscrepancyRecord, "G1 fee")
		differs(codes.DiscrepancyRecord, "G12 fee")
		differs(codes.DiscrepancyState, "listed while succeeded")
		differs(codes.DiscrepancySecond, "G1")
		heals("G9", reconcile.Answered)
		require.Equal(t, []string{"G1 open", "listed while succeeded open", "G12 fee open", "G1 fee open"}, states())
		heals("G1", reconcile.Answered)
		require.Equal(t, []string{"G1 open", "listed while succeeded open", "G12 fee open", "G1 fee healed"}, states())
		heals("G1", reconcile.Listed)
		require.Equal(t, []string{"G1 open", "listed while succeeded healed", "G12 fee open", "G1 fee healed"}, states())
		differs(codes.DiscrepancyRecord, "G1 fee")
		require.Equal(t, []string{"G1 open", "listed while succeeded healed", "G12 fee open", "G1 fee open"}, states())
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: ours.Merchant})
		require.NoError(t, err)
		require.Equal(t, "0.02 PKR -0.02 PKR", found[3].Stake.String()+" "+found[3].Delta.String())
		_, refusal, err := b.CloseDiscrepancy(t.Context(), found[3].ID, who("amina", "booked"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		differs(codes.DiscrepancyRecord, "G1 fee")
		require.Equal(t, "G1 fee accepted", states()[3])
		b.clean(t)
	})
}

// A statement is weaker evidence than what the gateway itself tells.
func TestStatementsHeal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ours := b.at(t, order.Withdrawal, order.Succeeded).Key()
		for _, code := range []string{codes.DiscrepancyRecord, codes.DiscrepancyStatement, codes.DiscrepancyUnproven, codes.DiscrepancyNoRecord} {
			require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{Key: ours, Code: code, Mark: "G1 fee", Detail: "d"}))
		}
		heals := func(weak bool, source reconcile.Source, want ...string) {
			t.Helper()
			require.NoError(t, b.HealAgreed(t.Context(), ours.Merchant, []reconcile.Agreement{{Key: ours, GatewayID: "G1", Weak: weak}}, source))
			found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: ours.Merchant, Open: true})
			require.NoError(t, err)
			var open []string
			for _, d := range found {
				open = append(open, d.Code)
			}
			require.Equal(t, want, open)
		}
		heals(true, reconcile.Stated, codes.DiscrepancyNoRecord, codes.DiscrepancyUnproven, codes.DiscrepancyRecord)
		heals(false, reconcile.Stated, codes.DiscrepancyNoRecord, codes.DiscrepancyUnproven)
		heals(false, reconcile.Answered)

		for _, mark := range []string{"G1 fee", reconcile.MarkAbsent, reconcile.MarkSays + "failed, is succeeded", "G2 fee"} {
			require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{Key: ours, Code: codes.DiscrepancyStatement, Mark: mark, Detail: "d"}))
		}
		all := []string{codes.DiscrepancyStatement, codes.DiscrepancyStatement, codes.DiscrepancyStatement, codes.DiscrepancyStatement}
		heals(false, reconcile.Listed, all...)
		heals(false, reconcile.Answered, all...)
		heals(true, reconcile.Stated, codes.DiscrepancyStatement) // that of another record
		b.clean(t)
	})
}

// What happens to an order heals what was open about it.
func TestOrdersHeal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ended := b.at(t, order.Withdrawal, order.Failed).Key()
		require.NoError(t, b.OpenDiscrepancy(t.Context(), ended, codes.DiscrepancyOrphan, "lost"))
		open := b.at(t, order.Withdrawal, order.Submitted).Key()
		require.NoError(t, b.OpenDiscrepancy(t.Context(), open, codes.DiscrepancyOrphan, "lost"))
		require.NoError(t, b.HealAlone(t.Context()))
		require.Equal(t, order.DiscrepancyHealed, b.discrepancyOf(t, ended).State)
		require.Equal(t, "the order has ended", b.discrepancyOf(t, ended).ClosedWhy)
		require.Equal(t, order.DiscrepancyOpen, b.discrepancyOf(t, open).State)

		returned := b.at(t, order.Withdrawal, order.Succeeded).Key()
		require.NoError(t, b.OpenDiscrepancy(t.Context(), returned, codes.DiscrepancyUnconfirmed, "a callback says so"))
		settle(t, b, returned, rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
		require.Equal(t, order.DiscrepancyHealed, b.discrepancyOf(t, returned).State)

		balance := order.Key{Merchant: merchant}
		require.NoError(t, b.OpenDiscrepancy(t.Context(), balance, codes.DiscrepancyBalance, "a comma"))
		require.NoError(t, b.HealBalance(t.Context(), merchant))
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Code: codes.DiscrepancyBalance})
		require.NoError(t, err)
		require.Equal(t, order.DiscrepancyHealed, found[0].State)
		b.clean(t)
	})
}

func TestReminders(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		waits, old, done := b.stray(t, "waits", 1), b.stray(t, "old", 1), b.stray(t, "done", 1)
		b.works(t, waits, order.DiscrepancyWork{Step: order.StepWait, Days: 3}, who("amina", "ticket"))
		_, _, err := b.CloseDiscrepancy(t.Context(), done, who("amina", "w"))
		require.NoError(t, err)
		reminds := func(after time.Duration, want int) {
			t.Helper()
			now = now.Add(after)
			count, err := b.Remind(t.Context(), 24*time.Hour)
			require.NoError(t, err)
			require.Equal(t, want, count)
		}
		reminds(23*time.Hour, 0)
		reminds(time.Hour, 1)
		reminds(time.Hour, 0)
		b.works(t, old, order.DiscrepancyWork{Step: order.StepAssign, To: "bilal"}, who("amina", "look"))
		reminds(23*time.Hour, 0)
		reminds(time.Hour, 1)
		reminds(23*time.Hour, 1) // the wait is over
		require.Equal(t, []string{
			"system: discrepancy RECORD_WITHOUT_ORDER", "system: remind_discrepancy RECORD_WITHOUT_ORDER",
			"amina: work_discrepancy RECORD_WITHOUT_ORDER", "system: remind_discrepancy RECORD_WITHOUT_ORDER",
		}, b.trail(t, order.Key{Merchant: merchant, Number: "old"}))
		b.relays(t, b.NewRelay())
		events, err := b.Events(t.Context(), EventFilter{})
		require.NoError(t, err)
		var reminders []string
		for _, e := range events {
			if e.Type == "discrepancy.reminder" {
				reminders = append(reminders, e.Number+": "+e.Discrepancy.Text)
			}
		}
		require.Equal(t, []string{"old: open since 2026-03-01", "old: assigned since 2026-03-01; bilal deals with it", "waits: waiting since 2026-03-01"}, reminders)
		b.clean(t)
	})
}

// A discrepancy that is opened again starts anew: what was said before it was healed is in
// its audit, and what it waited for delays no reminder.
func TestOpenedAgainStartsAnew(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		id := b.stray(t, "S1", 5)
		b.works(t, id, order.DiscrepancyWork{Step: order.StepAssign, To: "bilal"}, who("amina", "your merchant"))
		b.works(t, id, order.DiscrepancyWork{Step: order.StepWait, Days: 30}, who("bilal", "ticket 4711"))
		key := order.Key{Merchant: merchant, Number: "S1"}
		require.NoError(t, b.HealAgreed(t.Context(), merchant, []reconcile.Agreement{{Key: key, GatewayID: "S1"}}, reconcile.Listed))
		require.Equal(t, order.DiscrepancyHealed, b.discrepancyOf(t, key).State)

		now = now.Add(time.Hour)
		require.Equal(t, id, b.stray(t, "S1", 5))
		again := b.discrepancyOf(t, key)
		require.Equal(t, Discrepancy{
			ID: id, Key: key, Code: codes.DiscrepancyNoOrder, Mark: "S1", Detail: "d", At: now, State: order.DiscrepancyOpen, Stake: again.Stake,
		}, again)
		require.Equal(t, []string{
			"system: discrepancy RECORD_WITHOUT_ORDER", "amina: work_discrepancy RECORD_WITHOUT_ORDER", "bilal: work_discrepancy RECORD_WITHOUT_ORDER",
			"system: close_discrepancy RECORD_WITHOUT_ORDER", "system: discrepancy RECORD_WITHOUT_ORDER",
		}, b.trail(t, key))
		now = now.Add(24 * time.Hour)
		count, err := b.Remind(t.Context(), 24*time.Hour)
		require.NoError(t, err)
		require.Equal(t, 1, count)
		require.Equal(t, "waiting  by bilal: ticket 4712", b.works(t, id, order.DiscrepancyWork{Step: order.StepWait}, who("bilal", "ticket 4712")))
		b.clean(t)
	})
}
