package ledger

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func policy(t testing.TB, text string) Terms {
	t.Helper()
	parsed, err := rules.ParsePolicy([]byte(text), "policy.yaml")
	require.NoError(t, err)
	return Terms{Policy: parsed}
}

// to is a withdrawal to a wallet of its own.
func to(wallet int, number, amount string) order.Request {
	r := request(order.Withdrawal, number, amount)
	r.Details = map[string]string{"customerAccountNumber": fmt.Sprintf("03%09d", wallet)}
	return r
}

func (b *testBundle) openOn(t testing.TB, terms Terms, r order.Request) order.Order {
	t.Helper()
	o, opening, err := b.OpenOrder(t.Context(), r, terms)
	require.NoError(t, err)
	require.Equal(t, Opened, opening)
	return o
}

const daily = `
approval_deadline: 2h
rules:
  - country: PK
    kind: withdrawal
    per_order:           {approve_above: "300", refuse_above: "800"}
    per_beneficiary_day: {approve_above: "500", refuse_above: "900"}
    per_merchant_day:    {approve_above: "1500", refuse_above: "2000"}
`

func TestAPolicyDecidesOnTheOpening(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		terms := policy(t, daily)
		for i, test := range []struct {
			wallet int
			amount string
			state  order.State
			code   string
		}{
			{1, "300", order.Reserved, ""},
			{1, "200", order.Reserved, ""},
			{1, "0.01", order.AwaitingApproval, codes.LimitBeneficiaryDay},
			{1, "400", order.Rejected, codes.LimitBeneficiaryDay},   // what waits for approval counts
			{1, "399.99", order.AwaitingApproval, codes.LimitOrder}, // the day's total is exactly 900
			{2, "800.01", order.Rejected, codes.LimitOrder},
			{2, "300", order.Reserved, ""},
			{3, "300", order.Reserved, ""},
			{4, "0.01", order.AwaitingApproval, codes.LimitMerchantDay}, // 1500 and a bit
			{5, "300", order.AwaitingApproval, codes.LimitMerchantDay},
			{6, "200", order.Rejected, codes.LimitMerchantDay},
			{6, "199.99", order.AwaitingApproval, codes.LimitMerchantDay}, // exactly 2000
			{6, "0.01", order.Rejected, codes.LimitMerchantDay},
		} {
			o := b.openOn(t, terms, to(test.wallet, fmt.Sprint("W", i), test.amount))
			name := fmt.Sprint(i, ": ", o.Reason)
			require.Equal(t, test.state, o.State, name)
			require.Equal(t, test.code, o.Reason.Code, name)
			read, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, o, read, name)
			want := []string{"created -> " + string(o.State) + " (opening)"}
			if test.code != "" {
				want[0] += " " + test.code
			}
			require.Equal(t, want, b.steps(t, o.Key()), name)
			if o.State == order.AwaitingApproval {
				require.Equal(t, o.CreatedAt.Add(2*time.Hour), o.ApproveBefore, name)
			} else {
				require.Zero(t, o.ApproveBefore, name)
			}
			if o.State != order.Reserved {
				require.Empty(t, b.transfers(t, o.Key()), name)
			}
		}
		require.Equal(t, "1100", b.balances(t)[AccountInFlight])

		// A deposit of the same day is counted by itself, and no rule is for it.
		deposit := request(order.Deposit, "D1", "5000")
		require.Equal(t, order.Created, b.openOn(t, terms, deposit).State)
		b.clean(t)
	})
}

// The audit of an opening says which policy ruled and why.
func TestTheOpeningNamesThePolicy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		terms := policy(t, daily)
		o := b.openOn(t, terms, to(1, "W1", "801"))
		entries, err := b.Audit(t.Context(), o.Key())
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, o.Fingerprint+" policy "+terms.Policy.ID(), entries[0].Evidence)
		require.Equal(t, "tests", entries[0].Actor)
		require.Equal(t, order.Reason{Code: codes.LimitOrder, Text: "the amount is 801.00 PKR and may not be above 800.00 PKR; " +
			"the day's total for this beneficiary is 801.00 PKR and needs approval above 500.00 PKR"}, entries[0].Reason)
		b.clean(t)
	})
}

// Rules that need no facts take the short road, and say the same.
func TestAPolicyWithoutDailyLimits(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		terms := policy(t, "rules:\n  - {country: PK, per_order: {approve_above: 300, refuse_above: 800}}")
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			passed := order.Reserved
			if kind == order.Deposit {
				passed = order.Created
			}
			for amount, state := range map[string]order.State{"300": passed, "301": order.AwaitingApproval, "801": order.Rejected} {
				require.Equal(t, state, b.openOn(t, terms, request(kind, string(kind)+amount, amount)).State)
			}
			r := request(kind, string(kind)+"-anonymous", "301")
			r.RequestedBy = ""
			o := b.openOn(t, terms, r)
			require.Equal(t, order.Rejected, o.State)
			require.Equal(t, codes.RequesterMissing, o.Reason.Code)
		}
		b.clean(t)
	})
}

func TestNewBeneficiaries(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		terms := policy(t, "rules:\n  - new_beneficiary: approve")
		next := 0
		opens := func(r order.Request) order.State {
			next++
			r.Number = fmt.Sprint("N", next)
			return b.openOn(t, terms, r).State
		}
		require.Equal(t, order.AwaitingApproval, opens(to(1, "", "10")))
		first := to(1, "W1", "10")
		open(t, b, first)
		require.Equal(t, order.AwaitingApproval, opens(to(1, "", "10")), "it has not succeeded yet")
		submit(t, b, first.Key(), accepted)
		settle(t, b, first.Key(), paid("10", "0"))
		require.Equal(t, order.Reserved, opens(to(1, "", "10")))
		require.Equal(t, order.AwaitingApproval, opens(to(2, "", "10")))

		nameless := to(1, "", "10")
		nameless.Details = map[string]string{"customerName": "Ayesha Example"}
		require.Equal(t, order.AwaitingApproval, opens(nameless))
		deposit := to(1, "", "10")
		deposit.Kind = order.Deposit
		require.Equal(t, order.AwaitingApproval, opens(deposit), "known as a payee, not as a payer")
		elsewhere := to(1, "", "10")
		elsewhere.Merchant = "M2"
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("100"), pkr("0")))
		require.Equal(t, order.AwaitingApproval, opens(elsewhere), "known to another merchant")

		settle(t, b, first.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
		require.Equal(t, order.AwaitingApproval, opens(to(1, "", "10")), "the payment came back")
		b.clean(t)
	})
}

func TestTheCountrysCapNeedsNoPolicy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		shillings := func(text string) money.Amount {
			a, err := money.Parse(text, "KES")
			require.NoError(t, err)
			return a
		}
		require.NoError(t, b.OpenBooks(t.Context(), merchant, shillings("9000000"), shillings("0")))
		kenya := func(phone string, n int) order.Request {
			r := request(order.Withdrawal, fmt.Sprint(phone, "-", n), "1")
			r.Country, r.Way, r.Amount, r.Details = "KE", "EWALLET_MPESA", shillings("70000"), map[string]string{"customerContact": phone}
			return r
		}
		for i := range 4 {
			require.Equal(t, order.Reserved, open(t, b, kenya("254700000001", i)).State)
		}
		o := open(t, b, kenya("254700000001", 4)) // 350000 of 300000
		require.Equal(t, order.Rejected, o.State)
		require.Equal(t, codes.LimitCountryDay, o.Reason.Code)
		require.Equal(t, order.Reserved, open(t, b, kenya("254700000002", 0)).State)
		b.clean(t)
	})
}

// What ended without money moved gives the day back what it took.
func TestWhatFailedDoesNotCount(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "10000", "0")
		terms := policy(t, "approval_deadline: 1h\nrules:\n  - {country: PK, per_merchant_day: {refuse_above: 100}, per_beneficiary_day: {refuse_above: 100}, per_order: {approve_above: 99}}")
		n := 0
		full := func(kind order.Kind) order.Order { // takes the whole day
			n++
			o := b.openOn(t, terms, request(kind, fmt.Sprint("N", n), "100"))
			require.Equal(t, order.AwaitingApproval, o.State, o.Reason)
			n++
			require.Equal(t, order.Rejected, b.openOn(t, terms, request(kind, fmt.Sprint("N", n), "1")).State)
			return o
		}
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			approved := func() order.Key {
				o := full(kind)
				_, refusal, err := b.Approve(t.Context(), o.Key(), order.Approval{By: "amina", Fingerprint: o.Fingerprint})
				require.NoError(t, err)
				require.Nil(t, refusal)
				return o.Key()
			}
			_, refusal, err := b.Reject(t.Context(), full(kind).Key(), order.Rejection{By: "amina", Why: "no"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			late := full(kind)
			now = late.ApproveBefore
			_, _, err = b.RejectUnanswered(t.Context(), late.Key())
			require.NoError(t, err)
			_, refusal, err = b.Cancel(t.Context(), approved(), order.Cancellation{By: "amina", Why: "no"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			submit(t, b, approved(), refused)
			key := approved()
			submit(t, b, key, ambiguous)
			settle(t, b, key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid})
			if kind == order.Deposit {
				key = approved()
				submit(t, b, key, ambiguous)
				settle(t, b, key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Lapsed})
			}
			key = approved() // a payment that came back has moved and counts
			submit(t, b, key, ambiguous)
			settle(t, b, key, paid("100", "0"))
			settle(t, b, key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
			n++
			require.Equal(t, order.Rejected, b.openOn(t, terms, request(kind, fmt.Sprint("N", n), "1")).State)
		}
		b.clean(t)
	})
}

func TestADayEndsAtMidnightUTC(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 23, 59, 59, 999e6, time.FixedZone("PKT", 5*60*60)).Add(5 * time.Hour) // 23:59:59.999 UTC
		b.SetClock(func() time.Time { return now })
		b.books(t, "10000", "0")
		terms := policy(t, "rules:\n  - {country: PK, per_merchant_day: {refuse_above: 100}}\n  - {kind: withdrawal, country: PK, per_beneficiary_day: {refuse_above: 100}}")
		before := b.openOn(t, terms, to(1, "W1", "100"))
		require.Equal(t, order.Reserved, before.State)
		require.Equal(t, order.Rejected, b.openOn(t, terms, to(1, "W2", "1")).State)

		now = now.Add(time.Millisecond)
		require.Equal(t, order.Reserved, b.openOn(t, terms, to(1, "W3", "60")).State)
		submit(t, b, before.Key(), refused) // gives yesterday back, not today
		require.Equal(t, order.Rejected, b.openOn(t, terms, to(1, "W4", "41")).State)
		require.Equal(t, order.Reserved, b.openOn(t, terms, to(1, "W5", "40")).State)

		now = now.Add(-time.Hour) // a machine whose clock is behind does not begin yesterday anew
		require.Equal(t, order.Rejected, b.openOn(t, terms, to(2, "W6", "1")).State)
		b.clean(t)
	})
}

// A hundred at once, of which half fit a daily limit.
func TestOrdersNeverPassADailyLimitTogether(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"beneficiary": "{country: PK, per_beneficiary_day: {refuse_above: 500}}",
		"merchant":    "{country: PK, per_merchant_day: {refuse_above: 500}}",
		"approval":    "{country: PK, per_merchant_day: {approve_above: 500}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.books(t, "10000", "0")
				terms := policy(t, "rules:\n  - "+rule)
				var lock sync.Mutex
				count := make(map[order.State]int)
				together(100, func(i int) {
					r := to(1, fmt.Sprint("W", i), "10")
					if name != "beneficiary" {
						r = to(i, fmt.Sprint("W", i), "10")
					}
					o, opening, err := b.OpenOrder(t.Context(), r, terms)
					lock.Lock()
					defer lock.Unlock()
					if err == nil && opening == Opened {
						count[o.State]++
					}
				})
				beyond := order.Rejected
				if name == "approval" {
					beyond = order.AwaitingApproval
				}
				require.Equal(t, map[order.State]int{order.Reserved: 50, beyond: 50}, count)
				require.Equal(t, "500", b.balances(t)[AccountInFlight])
				b.clean(t)
			})
		})
	}
}

// Orders under limits lock the books first, others last. Where both meet over
// one number, the database may have to choose: everybody ends all the same.
func TestOpeningsWithAndWithoutLimitsMeet(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		limited := policy(t, "rules:\n  - {country: PK, per_merchant_day: {refuse_above: 100000}}")
		failures := make([]error, 60)
		together(len(failures), func(i int) {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			for range 5 {
				terms := Terms{}
				if random.IntN(2) == 0 {
					terms = limited
				}
				r := to(random.IntN(5), fmt.Sprint("W", random.IntN(20)), "1")
				if _, _, err := b.OpenOrder(t.Context(), r, terms); err != nil {
					failures[i] = err
					return
				}
			}
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		b.clean(t)
	})
}

func TestAnOpeningUnderLimitsIsRepeated(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		terms := policy(t, daily)
		_, opening, err := b.OpenOrder(t.Context(), to(1, "W1", "100"), terms)
		require.NoError(t, err)
		require.Equal(t, BooksClosed, opening)
		b.books(t, "150", "0")
		first := b.openOn(t, terms, to(1, "W1", "100"))
		again, opening, err := b.OpenOrder(t.Context(), to(1, "W1", "100"), terms)
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		require.Equal(t, first, again)
		_, opening, err = b.OpenOrder(t.Context(), to(1, "W1", "101"), terms)
		require.NoError(t, err)
		require.Equal(t, Conflict, opening)

		short := b.openOn(t, terms, to(1, "W2", "100"))
		require.Equal(t, order.Failed, short.State)
		require.Equal(t, "the available balance of 50.00 PKR does not cover 100.00 PKR", short.Reason.Text)
		terms.WaitForFunds = true
		require.Equal(t, order.AwaitingFunds, b.openOn(t, terms, to(1, "W3", "100")).State)
		require.Equal(t, order.Created, b.openOn(t, terms, request(order.Deposit, "D1", "100")).State) // waits for none
		b.clean(t)
	})
}
