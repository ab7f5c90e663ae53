package ledger

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// morning is the time of the tests' ledgers at their beginning. It is one day before most
// orders' time.
var morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const oneDay = 24 * time.Hour

// tomorrow makes a request one that is sent a day after morning.
func tomorrow(r order.Request) order.Request {
	r.NotBefore = morning.Add(oneDay)
	return r
}

// timed sets the ledger's clock to morning. The result sets it to a time after that.
func (b *testBundle) timed() func(after time.Duration) {
	var now atomic.Int64
	set := func(after time.Duration) { now.Store(morning.Add(after).UnixMilli()) }
	set(0)
	b.SetClock(func() time.Time { return time.UnixMilli(now.Load()) })
	return set
}

// released releases an order and returns it.
func (b *testBundle) released(t *testing.T, key order.Key, terms Terms) order.Order {
	t.Helper()
	o, left, err := b.Release(t.Context(), key, terms.Policy)
	require.NoError(t, err)
	require.Zero(t, left)
	stored := b.current(t, key)
	require.Equal(t, o.Standing, stored.Standing)
	require.True(t, o.ReleasedAt.Equal(stored.ReleasedAt))
	require.True(t, o.FundsBefore.Equal(stored.FundsBefore))
	require.True(t, o.ApproveBefore.Equal(stored.ApproveBefore))
	return o
}

func (b *testBundle) balance(t *testing.T, account Account) money.Amount {
	t.Helper()
	balances, err := b.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	return balances[account]
}

// A scheduled order is on record at once, and neither reserved nor sent before its time.
func TestSchedule(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			b := setup(t)
			set := b.timed()
			r := tomorrow(request(kind, "W1", "100"))
			_, opening, err := b.OpenOrder(t.Context(), r, Terms{})
			require.NoError(t, err)
			require.Equal(t, BooksClosed, opening, "the opening balance is booked before")
			b.books(t, "1000", "0")
			o := b.openOn(t, Terms{WaitForFunds: true, FundsDeadline: time.Hour}, r)
			require.Equal(t, order.Scheduled, o.State)
			require.True(t, o.ReleaseAt.Equal(r.NotBefore))
			require.Equal(t, pkr("0"), b.balance(t, AccountInFlight))
			_, opening, err = b.OpenOrder(t.Context(), r, Terms{})
			require.NoError(t, err)
			require.Equal(t, Existing, opening)
			_, err = begin(t.Context(), b, r.Key())
			require.ErrorIs(t, err, ErrState)

			set(oneDay - time.Millisecond)
			o, left, err := b.Release(t.Context(), r.Key(), nil)
			require.NoError(t, err)
			require.Equal(t, time.Millisecond, left)
			require.Equal(t, order.Scheduled, o.State)
			queued, err := b.NeedsPerson(t.Context(), time.Hour, 0)
			require.NoError(t, err)
			require.Empty(t, queued)

			set(oneDay + time.Minute)
			o = b.released(t, r.Key(), Terms{})
			want, inFlight, funds := order.Reserved, "100", oneDay+time.Minute+time.Hour
			if kind == order.Deposit {
				want, inFlight = order.Created, "0"
			} else {
				require.True(t, o.FundsBefore.Equal(morning.Add(funds)), o.FundsBefore)
			}
			require.Equal(t, want, o.State)
			require.Equal(t, pkr(inFlight), b.balance(t, AccountInFlight))
			again := b.released(t, r.Key(), Terms{})
			require.Equal(t, want, again.State)
			require.True(t, again.ReleasedAt.Equal(o.ReleasedAt))
			submit(t, b, r.Key(), accepted)
			require.Equal(t, order.Submitted, b.current(t, r.Key()).State)
			entries, err := b.Audit(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, ActionRelease, entries[1].Action)
			require.Equal(t, rules.System, entries[1].Actor)
			b.clean(t)
		}
	})
}

// The database refuses an attempt before an order's time, whoever makes it.
func TestTheDatabaseSendsNothingBeforeItsTime(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.timed()
		b.books(t, "1000", "0")
		open(t, b, tomorrow(request(order.Withdrawal, "W1", "100")))
		const attempt = "INSERT INTO submissions (order_id, attempt, started_at) SELECT id, 1, not_before - 1 FROM orders"
		require.ErrorContains(t, b.exec(attempt), "not sent before its time")
		for _, change := range []string{
			"UPDATE orders SET not_before = not_before - 1", "UPDATE orders SET released_at = 0", "UPDATE orders SET funds_before = 1",
		} {
			require.ErrorContains(t, b.exec(change), "content of an order never changes", change)
		}
		require.ErrorContains(t, b.exec("UPDATE orders SET state = 'submitting'"), "state table")
	})
}

// A time that has passed, or a moment of another zone, is no reason to wait longer. A part
// of a millisecond is never cut off.
func TestTimesOfAnOpening(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.timed()
		b.books(t, "1000", "0")
		for i, test := range []struct {
			at    time.Time
			state order.State
		}{
			{morning.Add(-time.Hour), order.Reserved},
			{morning, order.Reserved},
			{morning.Add(time.Nanosecond), order.Scheduled},
			{morning.Add(time.Hour).In(time.FixedZone("PKT", 5*60*60)), order.Scheduled},
			{morning.Add(366 * oneDay), order.Scheduled},
		} {
			r := request(order.Withdrawal, fmt.Sprint("W", i), "100")
			r.NotBefore = test.at
			o := open(t, b, r)
			require.Equal(t, test.state, o.State, test.at)
			require.False(t, !o.ReleaseAt.IsZero() && o.ReleaseAt.Before(test.at))
		}
		far := request(order.Withdrawal, "FAR", "100")
		far.NotBefore = morning.Add(366*oneDay + time.Second)
		_, _, err := b.OpenOrder(t.Context(), far, Terms{})
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
		require.ErrorContains(t, err, "not_before")
		b.clean(t)
	})
}

// Another order has taken the funds meanwhile.
func TestReleaseWithoutFunds(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for _, wait := range []bool{true, false} {
			b := setup(t)
			set := b.timed()
			b.books(t, "150", "0")
			r := tomorrow(request(order.Withdrawal, "W1", "100"))
			b.openOn(t, Terms{WaitForFunds: wait, FundsDeadline: 2 * time.Hour}, r)
			require.Equal(t, order.Reserved, open(t, b, request(order.Withdrawal, "W2", "100")).State, "nothing is set aside for a scheduled order")
			set(oneDay)
			o := b.released(t, r.Key(), Terms{})
			require.Equal(t, order.CodeInsufficientFunds, o.Reason.Code)
			require.Equal(t, pkr("100"), b.balance(t, AccountInFlight))
			if !wait {
				require.Equal(t, order.Failed, o.State)
				b.clean(t)
				continue
			}
			require.Equal(t, order.AwaitingFunds, o.State)
			set(oneDay + 2*time.Hour - time.Minute)
			_, left, err := b.FailFunds(t.Context(), r.Key(), time.Minute)
			require.NoError(t, err)
			require.Equal(t, time.Minute, left, "the deadline counts from the release")
			cancel(t, b, order.Key{Merchant: merchant, Number: "W2"})
			o, err = b.Reserve(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, order.Reserved, o.State)
			b.clean(t)
		}
	})
}

// cancel cancels an order as amina.
func cancel(t *testing.T, b *testBundle, key order.Key) order.Order {
	t.Helper()
	o, refusal, err := b.Cancel(t.Context(), key, order.Cancellation{By: "amina", Why: "not needed"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	return o
}

func TestCancelScheduled(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "1000", "0")
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			r := tomorrow(request(kind, string(kind), "100"))
			open(t, b, r)
			_, refusal, err := b.Poll(t.Context(), r.Key(), order.Poll{By: "amina"})
			require.NoError(t, err)
			require.Equal(t, codes.NotSubmitted, refusal.Code)
			require.Equal(t, order.Cancelled, cancel(t, b, r.Key()).State)
			transfers, err := b.Transfers(t.Context(), r.Key())
			require.NoError(t, err)
			require.Empty(t, transfers)
			set(oneDay)
			require.Equal(t, order.Cancelled, b.released(t, r.Key(), Terms{}).State)
			set(0)
		}
		b.clean(t)
	})
}

// A scheduled order counts for the limits of the day of its release, not before and not on
// the day of its opening. What ends after the release counts no more.
func TestLimitsOfTheDayOfTheRelease(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "100000", "0")
		terms := policy(t, `
approval_deadline: 2h
rules:
  - country: PK
    kind: withdrawal
    per_beneficiary_day: {approve_above: "500", refuse_above: "900"}
    per_merchant_day:    {approve_above: "1500", refuse_above: "2000"}
`)
		later := func(wallet int, number, amount string) order.Key {
			t.Helper()
			r := tomorrow(to(wallet, number, amount))
			require.Equal(t, order.Scheduled, b.openOn(t, terms, r).State)
			return r.Key()
		}
		first, second, third := later(1, "S1", "400"), later(1, "S2", "400"), later(1, "S3", "300")
		require.Equal(t, order.Reserved, b.openOn(t, terms, to(1, "N1", "450")).State, "today counts nothing of tomorrow")
		set(oneDay)
		require.Equal(t, order.Reserved, b.openOn(t, terms, to(1, "N2", "50")).State)
		require.Equal(t, order.Reserved, b.released(t, first, terms).State)
		o := b.released(t, second, terms) // 850 of the payee
		require.Equal(t, order.AwaitingApproval, o.State)
		require.Equal(t, codes.LimitBeneficiaryDay, o.Reason.Code)
		require.True(t, o.ApproveBefore.Equal(morning.Add(oneDay+2*time.Hour)), o.ApproveBefore)
		o = b.released(t, third, terms) // 1150
		require.Equal(t, order.Rejected, o.State)
		require.Equal(t, codes.LimitBeneficiaryDay, o.Reason.Code)
		require.Equal(t, order.Rejected, b.openOn(t, terms, to(1, "N3", "60")).State, "what waits for an approval counts")
		cancel(t, b, first)
		require.Equal(t, order.AwaitingApproval, b.openOn(t, terms, to(1, "N4", "60")).State, "what is cancelled does not")

		// The merchant's total: 50 + 400 + 60 = 510 so far.
		require.Equal(t, order.Reserved, b.openOn(t, terms, to(2, "N5", "490")).State)
		require.Equal(t, order.Reserved, b.openOn(t, terms, to(3, "N6", "500")).State)
		require.Equal(t, order.AwaitingApproval, b.openOn(t, terms, to(4, "N7", "0.01")).State)

		o, refusal, err := b.Approve(t.Context(), second, order.Approval{By: "amina", Fingerprint: b.current(t, second).Fingerprint})
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, o.State)
		b.clean(t)
	})
}

// An approval is asked for at the opening. At the release a person is asked again only for
// what the approver could not know: the totals of the day.
func TestApprovedBeforeItsTime(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for name, test := range map[string]struct {
			others string // what is paid on the day of the release before
			at     time.Duration
			state  order.State
			code   string
		}{
			"alone":                    {"", oneDay, order.Reserved, ""},
			"late":                     {"", 3 * oneDay, order.Reserved, ""},
			"with others":              {"700", oneDay, order.AwaitingApproval, codes.LimitMerchantDay},
			"with more than a day may": {"1100", oneDay, order.Rejected, codes.LimitMerchantDay},
		} {
			b := setup(t)
			set := b.timed()
			b.books(t, "100000", "0")
			terms := policy(t, `
approval_deadline: 200h
rules:
  - country: PK
    kind: withdrawal
    per_order:        {approve_above: "300"}
    per_merchant_day: {approve_above: "1000", refuse_above: "1500"}
    new_beneficiary: approve
`)
			r := tomorrow(request(order.Withdrawal, "W1", "450"))
			require.Equal(t, order.AwaitingApproval, b.openOn(t, terms, r).State)
			approve := func(by string, want order.State) {
				t.Helper()
				o, refusal, err := b.Approve(t.Context(), r.Key(), order.Approval{By: by, Fingerprint: r.Fingerprint()})
				require.NoError(t, err)
				require.Nil(t, refusal)
				require.Equal(t, want, o.State, name)
			}
			if test.at > oneDay {
				set(2 * oneDay) // its time has passed before somebody approves it
			}
			approve("amina", order.Scheduled)
			set(test.at)
			if test.others != "" {
				b.openOn(t, Terms{}, to(7, "N1", test.others))
			}
			o := b.released(t, r.Key(), terms)
			require.Equal(t, test.state, o.State, name)
			require.Equal(t, test.code, o.Reason.Code, name)
			if test.state == order.AwaitingApproval {
				approve("amina", order.Reserved)
			}
			b.clean(t)
		}
	})
}

// A stop holds a released order back, as any order.
func TestReleaseUnderAStop(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "1000", "0")
		r := tomorrow(request(order.Withdrawal, "W1", "100"))
		open(t, b, r)
		_, refusal, err := b.StopPayouts(t.Context(), order.StopScope{Merchant: merchant}, who("amina", "broken into"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		set(oneDay)
		require.Equal(t, order.Reserved, b.released(t, r.Key(), Terms{}).State)
		stop, _, err := b.HeldBack(t.Context(), r.Key())
		require.NoError(t, err)
		require.NotNil(t, stop)
		_, err = begin(t.Context(), b, r.Key())
		require.ErrorContains(t, err, "payouts are stopped")
		require.Equal(t, order.Cancelled, cancel(t, b, r.Key()).State)
		b.clean(t)
	})
}

// An older copy of the ledger has a scheduled order that may have been released and sent
// since: it is neither released nor cancelled before the gateway was asked.
func TestScheduledInAnOlderCopy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			for _, found := range []bool{true, false} {
				b := setup(t)
				set := b.timed()
				b.books(t, "50", "0")
				r := tomorrow(request(kind, "W1", "100"))
				open(t, b, r)
				b.restored(t)
				set(oneDay + time.Hour)
				o, left, err := b.Release(t.Context(), r.Key(), nil)
				require.NoError(t, err)
				require.Zero(t, left)
				require.Equal(t, order.Scheduled, o.State)
				require.True(t, rules.Unasked(o))
				_, refusal, err := b.Cancel(t.Context(), r.Key(), order.Cancellation{By: "amina", Why: "not needed"})
				require.NoError(t, err)
				require.Equal(t, order.CodeAlreadySubmitted, refusal.Code)
				queued, err := b.NeedsPerson(t.Context(), time.Hour, 0)
				require.NoError(t, err)
				require.Len(t, queued, 1)
				require.Equal(t, QueueUnsent, queued[0].Kind)
				require.True(t, queued[0].Since.Equal(morning.Add(oneDay)))
				if found {
					o, err = b.RecordFound(t.Context(), r.Key(), 0)
					require.NoError(t, err)
					require.Equal(t, order.Submitting, o.State)
					settle(t, b, r.Key(), paid("100", "0"))
					require.Equal(t, order.Succeeded, b.current(t, r.Key()).State)
					b.clean(t)
					continue
				}
				_, err = b.RecordAbsent(t.Context(), r.Key(), o.AskFirst)
				require.NoError(t, err)
				want := order.Failed
				if kind == order.Deposit {
					want = order.Created
				}
				require.Equal(t, want, b.released(t, r.Key(), Terms{}).State)
				b.clean(t)
			}
		}
	})
}

// The gateway has an order before its time: it was sent by a ledger that was lost. It is
// booked, and not sent again before its time.
func TestFoundBeforeItsTime(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "1000", "0")
		r := tomorrow(request(order.Withdrawal, "W1", "100"))
		open(t, b, r)
		b.restored(t)
		o, err := b.RecordFound(t.Context(), r.Key(), 0)
		require.NoError(t, err)
		require.Equal(t, order.Submitting, o.State)
		require.Equal(t, pkr("100"), b.balance(t, AccountInFlight))
		_, err = b.NextSubmission(t.Context(), r.Key(), 1)
		require.ErrorIs(t, err, ErrState)
		set(oneDay)
		_, err = b.NextSubmission(t.Context(), r.Key(), 1)
		require.NoError(t, err)
		b.clean(t)
	})
}

// An unsigned start is approved by two persons before its time, and by one if a limit asks
// at its release.
func TestUnsignedScheduled(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "10000", "0")
		r := tomorrow(request(order.Withdrawal, "W1", "100"))
		row, err := newOrderRow(r)
		require.NoError(t, err)
		row.Approvals, row.evidence = 2, row.opened(nil)
		o, _, err := b.open(t.Context(), row, r, nil)
		require.NoError(t, err)
		require.Equal(t, order.AwaitingApproval, o.State)
		for _, by := range []string{"amina", "bilal"} {
			_, refusal, err := b.Approve(t.Context(), r.Key(), order.Approval{By: by, Fingerprint: r.Fingerprint()})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		set(oneDay)
		b.openOn(t, Terms{}, to(7, "N1", "1000"))
		terms := policy(t, "rules:\n  - {kind: withdrawal, country: PK, per_merchant_day: {approve_above: 1000}}")
		require.Equal(t, order.AwaitingApproval, b.released(t, r.Key(), terms).State)
		o, refusal, err := b.Approve(t.Context(), r.Key(), order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, o.State)
		b.clean(t)
	})
}

// restored marks the ledger as a copy that was restored.
func (b *testBundle) restored(t *testing.T) {
	t.Helper()
	_, refusal, err := b.MarkRestored(t.Context(), who("amina", "the disk was lost"))
	require.NoError(t, err)
	require.Nil(t, refusal)
}
