package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The mark of a restore makes the next create of every order ask first: those
// that are open, from the mark on, and those that are opened later, until it is
// ended. It is in the installation's audit, done or refused.
func TestMarkRestored(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		asksFrom := func(o order.Order) time.Time {
			t.Helper()
			read, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			return read.AskFirst
		}
		before := open(t, b, request(order.Withdrawal, "W1", "1"))
		ended := open(t, b, request(order.Withdrawal, "W2", "1"))
		submit(t, b, ended.Key(), refused)
		require.Zero(t, before.AskFirst)

		_, refusal, err := b.EndRestore(t.Context(), who("amina", "over"))
		require.NoError(t, err)
		require.Equal(t, CodeNotRestored, refusal.Code)
		for _, test := range []struct{ by, why, code string }{{"", "x", order.CodeWhoMissing}, {"amina", " ", order.CodeWhyMissing}} {
			_, refusal, err := b.MarkRestored(t.Context(), who(test.by, test.why))
			require.NoError(t, err)
			require.Equal(t, test.code, refusal.Code)
		}
		require.Zero(t, asksFrom(before))

		now = noon.Add(time.Hour)
		mark, refusal, err := b.MarkRestored(t.Context(), who("amina", "copy of last night"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, Restore{At: now, By: "amina", Why: "copy of last night", Orders: 1}, mark)
		require.Equal(t, now, asksFrom(before))
		require.Zero(t, asksFrom(ended))
		now = now.Add(time.Hour)
		after := open(t, b, request(order.Deposit, "D1", "1"))
		require.Equal(t, mark.At, after.AskFirst, "the grace has passed: only what the restore lost may be there")
		require.Equal(t, mark.At, asksFrom(after))
		written := b.openOn(t, Terms{AskFirst: true}, request(order.Deposit, "D2", "1"))
		require.Equal(t, now, written.AskFirst)

		over, refusal, err := b.EndRestore(t.Context(), who("amina", "every lost order was found"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.True(t, over.Ended)
		require.Zero(t, open(t, b, request(order.Deposit, "D3", "1")).AskFirst)
		require.Equal(t, mark.At, asksFrom(before), "what is there keeps it")
		require.Equal(t, []string{
			"amina: end_restore refused NOT_RESTORED",
			"nobody: restore refused WHO_MISSING", "amina: restore refused WHY_MISSING",
			"amina: restore", "amina: end_restore",
		}, b.trail(t, order.Key{}))
		require.ErrorContains(t, b.exec("DELETE FROM restores"), "restores are kept")
		require.ErrorContains(t, b.exec("UPDATE restores SET ended = 1"), "restores are kept")
		b.clean(t)
	})
}

// Another run of an order's workflow may not know what the one before has sent.
func TestReopen(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			o := b.openOn(t, Terms{Run: "run-1"}, request(kind, string(kind), "1"))
			for _, step := range []struct {
				run  string
				asks bool
			}{{"run-1", false}, {"run-2", true}, {"run-2", true}, {"run-3", true}} {
				if step.run != "run-2" || o.AskFirst.IsZero() {
					now = now.Add(time.Minute)
				}
				before := o.AskFirst
				var err error
				o, err = b.Reopen(t.Context(), o.Key(), step.run)
				require.NoError(t, err)
				require.Equal(t, step.asks, !o.AskFirst.IsZero(), step.run)
				if step.run == "run-3" {
					require.True(t, o.AskFirst.After(before))
				}
				read, err := b.Order(t.Context(), o.Key())
				require.NoError(t, err)
				require.Equal(t, o, read)
			}
			_, refusal, err := b.Cancel(t.Context(), o.Key(), order.Cancellation{By: "amina", Why: "x"})
			require.NoError(t, err)
			require.Equal(t, order.CodeAlreadySubmitted, refusal.Code, "the gateway has to be asked first")
			submit(t, b, o.Key(), unsent)
			cancelled, refusal, err := b.Cancel(t.Context(), o.Key(), order.Cancellation{By: "amina", Why: "x"})
			require.NoError(t, err)
			require.Nil(t, refusal, "it was asked before an attempt was made")
			require.Equal(t, order.Cancelled, cancelled.State)
		}
		ended := b.at(t, order.Withdrawal, order.Failed)
		same, err := b.Reopen(t.Context(), ended.Key(), "run-9")
		require.NoError(t, err)
		require.Equal(t, ended, same)
		_, err = b.Reopen(t.Context(), order.Key{Merchant: merchant, Number: "NOBODY"}, "run-1")
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}

// What the gateway has and no create is on record of becomes an attempt, and the
// states move along the table.
func TestRecordFound(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			for name, answers := range map[string][]Answer{"unsent": nil, "paused": {paused}} {
				o := open(t, b, request(kind, string(kind)+name, "100"))
				for _, answer := range answers {
					submit(t, b, o.Key(), answer)
				}
				_, err := b.RecordFound(t.Context(), o.Key(), len(answers)+1)
				require.ErrorIs(t, err, ErrState, "somebody else has tried since")
				found, err := b.RecordFound(t.Context(), o.Key(), len(answers))
				require.NoError(t, err)
				require.Equal(t, order.Submitting, found.State)
				require.Equal(t, codes.Found, found.Reason.Code)
				attempts, err := b.Submissions(t.Context(), o.Key())
				require.NoError(t, err)
				require.Len(t, attempts, len(answers)+1)
				require.True(t, Sent(attempts))
				require.NotZero(t, attempts[len(answers)].EndedAt)
				settle(t, b, o.Key(), paid("100", "1"))
				trail := b.trail(t, o.Key())
				require.Contains(t, trail[len(trail)-2], "system: find ")
				require.Contains(t, trail[len(trail)-1], ">succeeded")
			}
		}
		for _, state := range []order.State{order.AwaitingApproval, order.AwaitingFunds, order.Submitted, order.Failed} {
			o := b.at(t, order.Withdrawal, state)
			attempts, err := b.Submissions(t.Context(), o.Key())
			require.NoError(t, err)
			_, err = b.RecordFound(t.Context(), o.Key(), len(attempts))
			require.ErrorIs(t, err, ErrState, state)
		}
		b.clean(t)
	})
}

// What the gateway may have is ended by no deadline and by no person before it
// was asked, and as ever after that. What it has goes on from there.
func TestUnaskedOrdersAreNotEnded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		waiting := b.approvable(t, order.Withdrawal, "W1", "100", Terms{})
		there := b.approvable(t, order.Withdrawal, "W2", "100", Terms{})
		poor, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, "W3", "5000"), Terms{WaitForFunds: true, FundsDeadline: time.Hour})
		require.NoError(t, err)
		require.Equal(t, Opened, opening)
		rich, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, "W4", "3000"), Terms{WaitForFunds: true, FundsDeadline: time.Hour})
		require.NoError(t, err)
		require.Equal(t, Opened, opening)
		_, refusal, err := b.MarkRestored(t.Context(), who("amina", "the disk broke"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		now = now.Add(48 * time.Hour)

		o, left, err := b.RejectUnanswered(t.Context(), waiting.Key())
		require.NoError(t, err)
		require.Zero(t, left)
		require.Equal(t, order.AwaitingApproval, o.State)
		require.True(t, rules.Unasked(o))
		o, left, err = b.FailFunds(t.Context(), poor.Key(), time.Hour)
		require.NoError(t, err)
		require.Zero(t, left)
		require.Equal(t, order.AwaitingFunds, o.State)
		for _, key := range []order.Key{waiting.Key(), poor.Key()} {
			_, refusal, err := b.Cancel(t.Context(), key, order.Cancellation{By: "amina", Why: "not ours"})
			require.NoError(t, err)
			require.Equal(t, order.CodeAlreadySubmitted, refusal.Code)
		}
		_, refusal, err = b.Reject(t.Context(), waiting.Key(), order.Rejection{By: "amina", Why: "not ours"})
		require.NoError(t, err)
		require.Equal(t, order.CodeAlreadySubmitted, refusal.Code)

		_, err = b.RecordAbsent(t.Context(), waiting.Key(), now)
		require.ErrorIs(t, err, ErrState, "asked since another moment")
		for _, o := range []order.Order{waiting, poor} {
			read, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			absent, err := b.RecordAbsent(t.Context(), o.Key(), read.AskFirst)
			require.NoError(t, err)
			require.False(t, rules.Unasked(absent))
			require.Equal(t, o.State, absent.State)
		}
		o, _, err = b.RejectUnanswered(t.Context(), waiting.Key())
		require.NoError(t, err)
		require.Equal(t, order.Rejected, o.State)
		o, _, err = b.FailFunds(t.Context(), poor.Key(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, order.Failed, o.State)
		require.Contains(t, b.trail(t, poor.Key()), "system: absent")

		for _, o := range []order.Order{there, rich} {
			found, err := b.RecordFound(t.Context(), o.Key(), 0)
			require.NoError(t, err)
			require.Equal(t, order.Submitting, found.State)
		}
		balances := b.balancesOf(t, there.Merchant)
		require.Equal(t, "-2100", balances[AccountAvailable], "it was there, whatever the copy says")
		require.Equal(t, "3100", balances[AccountInFlight])
		b.clean(t)
	})
}

// An order that is opened under the mark may be at the gateway: what would end it
// at its opening, a short balance or the policy, ends it once the gateway was asked.
func TestNothingEndsAtItsOpeningUnasked(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		terms := policy(t, `{rules: [{country: PK, per_order: {refuse_above: "20000"}}]}`)
		_, refusal, err := b.MarkRestored(t.Context(), who("amina", "the disk broke"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		for number, test := range map[string]struct {
			amount string
			waits  order.State
			ends   order.State
			code   string
		}{
			"SHORT":   {"5000", order.AwaitingFunds, order.Failed, order.CodeInsufficientFunds},
			"REFUSED": {"30000", order.AwaitingApproval, order.Rejected, codes.LimitOrder},
		} {
			o, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, number, test.amount), terms)
			require.NoError(t, err)
			require.Equal(t, Opened, opening)
			require.Equal(t, test.waits, o.State)
			require.True(t, rules.Unasked(o))
			if test.waits == order.AwaitingApproval {
				_, refusal, err := b.Approve(t.Context(), o.Key(), order.Approval{By: "chen", Fingerprint: o.Fingerprint})
				require.NoError(t, err)
				require.Equal(t, order.CodeAlreadySubmitted, refusal.Code)
			}
			_, err = b.RecordAbsent(t.Context(), o.Key(), o.AskFirst)
			require.NoError(t, err)
			if test.waits == order.AwaitingApproval {
				_, refusal, err := b.Approve(t.Context(), o.Key(), order.Approval{By: "chen", Fingerprint: o.Fingerprint})
				require.NoError(t, err)
				require.Equal(t, order.CodeApprovalTooLate, refusal.Code)
				o, _, err = b.RejectUnanswered(t.Context(), o.Key())
				require.NoError(t, err)
				require.Equal(t, test.ends, o.State)
				require.Equal(t, test.code, o.Reason.Code)
				continue
			}
			o, _, err = b.FailFunds(t.Context(), o.Key(), time.Hour)
			require.NoError(t, err)
			require.Equal(t, test.ends, o.State)
			require.Equal(t, test.code, o.Reason.Code)
		}

		// An approval finds the balance of the copy short: it fails once it is asked.
		approved := b.approvable(t, order.Withdrawal, "APPROVED", "2000", Terms{})
		o, refusal, err := b.Approve(t.Context(), approved.Key(), approval(approved))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingFunds, o.State)
		found, err := b.RecordFound(t.Context(), o.Key(), 0)
		require.NoError(t, err)
		require.Equal(t, order.Submitting, found.State)
		b.clean(t)
	})
}
