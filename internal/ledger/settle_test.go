package ledger

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// settled is what the books of a merchant who began with 1000 say of one order
// of 100, by kind, the state it came from and the state it came to. Findings
// are those of verdicts below.
var settled = map[order.Kind]map[string]map[Account]string{
	order.Withdrawal: {
		"untouched":              {AccountAvailable: "1000"},
		"reserved":               {AccountAvailable: "900", AccountInFlight: "100"},
		"succeeded":              {AccountAvailable: "898", AccountPaidOut: "100", AccountFees: "2"},
		"failed":                 {AccountAvailable: "1000"},
		"refunded":               {AccountAvailable: "1000"}, // returned before we heard that it was paid
		"succeeded and refunded": {AccountAvailable: "998", AccountFees: "2"},
	},
	order.Deposit: {
		"untouched":              {AccountAvailable: "1000"},
		"succeeded":              {AccountAvailable: "1098", AccountReceived: "-100", AccountFees: "2"},
		"partially_paid":         {AccountAvailable: "1039", AccountReceived: "-40", AccountFees: "1"},
		"failed":                 {AccountAvailable: "1000"},
		"expired":                {AccountAvailable: "1000"},
		"refunded":               {AccountAvailable: "1000"},
		"succeeded and refunded": {AccountAvailable: "998", AccountFees: "2"},
		"credited paid":          {AccountAvailable: "1098", AccountReceived: "-100", AccountFees: "2"},
		"credited partpaid":      {AccountAvailable: "1039", AccountReceived: "-40", AccountFees: "1"},
		"credited returned":      {AccountAvailable: "1000"}, // returned before we heard that it was paid

		"partially_paid and refunded": {AccountAvailable: "999", AccountFees: "1"},
		"expired and refunded":        {AccountAvailable: "998", AccountFees: "2"}, // credited before
	},
}

var verdicts = map[rules.Verdict]rules.Finding{
	rules.Pending:  {},
	rules.Paid:     {Paid: pkr("100"), Fee: pkr("2")},
	rules.PartPaid: {Paid: pkr("40"), Fee: pkr("1")},
	rules.Unpaid:   {Reason: order.Reason{Code: order.CodeGatewayFailed, Text: "wallet closed"}},
	rules.Lapsed:   {Reason: order.Reason{Code: order.CodeExpired, Text: "not paid in time"}},
	rules.Returned: {Reason: order.Reason{Code: order.CodeRefunded, Text: "returned"}},
	rules.Unclear:  {},
}

// TestSettleEverything takes an order of each kind from every state through
// every verdict, twice.
func TestSettleEverything(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			for _, state := range order.States() {
				for verdict, finding := range verdicts {
					if !reachable(kind, state) {
						continue
					}
					finding.Source, finding.Verdict, finding.Evidence = rules.FromCallback, verdict, "inbox-1"
					settleOne(t, b, b.at(t, kind, state), finding)
					if state == order.Expired {
						settleOne(t, b, b.credited(t), finding)
					}
				}
			}
		}
		b.clean(t)
	})
}

// credited is an expired deposit whose payer paid late.
func (b *testBundle) credited(t testing.TB) order.Order {
	t.Helper()
	late := paid("100", "2")
	late.Evidence = "inbox-0"
	return settle(t, b, b.at(t, order.Deposit, order.Expired).Key(), late).Order
}

func settleOne(t *testing.T, b *testBundle, stands order.Order, finding rules.Finding) {
	t.Helper()
	kind, state := stands.Kind, stands.State
	name := fmt.Sprintf("%s %s %s, paid %s", kind, state, finding.Verdict, stands.Paid)
	key := stands.Key()
	effect := rules.DecideOrder(stands, finding)
	for from, path := state, effect.Path; len(path) > 0; from, path = path[0], path[1:] {
		if !rules.CanMove(kind, from, path[0]) { // a verdict that cannot befall this kind
			_, err := b.Settle(t.Context(), key, finding)
			require.ErrorIs(t, err, ErrState, name)
			read, err := b.Order(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, stands, read, name)
			return
		}
	}
	steps, before := b.steps(t, key), b.balancesOf(t, key.Merchant)

	settlement := settle(t, b, key, finding)
	require.Equal(t, effect.Discrepancy, settlement.Discrepancy, name)
	require.Equal(t, len(effect.Path) > 0, settlement.Moved, name)
	reached := state
	for i, to := range effect.Path {
		want := fmt.Sprintf("%s -> %s (callback inbox-1) %s", reached, to, finding.Reason.Code)
		require.Equal(t, strings.TrimSpace(want), b.steps(t, key)[len(steps)+i], name)
		reached = to
	}
	require.Len(t, b.steps(t, key), len(steps)+len(effect.Path), name)
	require.Equal(t, reached, settlement.Order.State, name)
	read, err := b.Order(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, settlement.Order, read, name)

	switch {
	case effect.Credit:
		require.Equal(t, settled[kind]["credited "+string(finding.Verdict)], b.balancesOf(t, key.Merchant), name)
	case state.Terminal() && reached != state:
		require.Equal(t, settled[kind][string(state)+" and refunded"], b.balancesOf(t, key.Merchant), name)
	case reached.Terminal() && reached != state:
		require.Equal(t, settled[kind][string(reached)], b.balancesOf(t, key.Merchant), name)
	default:
		require.Equal(t, before, b.balancesOf(t, key.Merchant), name)
	}
	var discrepancies []string
	if state == order.Expired && stands.Paid.IsPositive() {
		discrepancies = []string{codes.DiscrepancyLatePayment}
	}
	if effect.Discrepancy != "" && !effect.Known {
		discrepancies = append(discrepancies, effect.Discrepancy)
	}
	require.ElementsMatch(t, discrepancies, b.discrepancies(t, key), name)

	transfers, after := b.transfers(t, key), b.balancesOf(t, key.Merchant)
	twice := settle(t, b, key, finding)
	if reached == state {
		require.Equal(t, settlement, twice, name)
	}
	if rules.DecideOrder(settlement.Order, finding).Discrepancy == effect.Discrepancy {
		require.ElementsMatch(t, discrepancies, b.discrepancies(t, key), name)
	}
	require.False(t, twice.Moved, name)
	require.Equal(t, transfers, b.transfers(t, key), name)
	require.Equal(t, after, b.balancesOf(t, key.Merchant), name)
}

// TestStatesBeforeSettling makes sure of where the cases above begin.
func TestStatesBeforeSettling(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			for _, state := range order.States() {
				if !reachable(kind, state) {
					continue
				}
				o := b.at(t, kind, state)
				require.Equal(t, state, o.State)
				want := settled[kind][string(state)]
				switch {
				case state == order.Refunded:
					want = settled[kind]["succeeded and refunded"]
				case want == nil && kind == order.Withdrawal && holds(state):
					want = settled[kind]["reserved"]
				case want == nil:
					want = settled[kind]["untouched"]
				}
				require.Equal(t, want, b.balancesOf(t, o.Merchant), "%s %s", kind, state)
			}
		}
		b.clean(t)
	})
}

func TestTransfersOfAWithdrawal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		submit(t, b, r.Key(), ambiguous)
		finding := paid("100", "2.50")
		finding.GatewayID = "G1"
		o := settle(t, b, r.Key(), finding).Order
		require.Equal(t, order.Standing{State: order.Succeeded, GatewayID: "G1", Paid: pkr("100"), Fee: pkr("2.50")}, o.Standing)
		// The fee takes what is available below zero: it is what happened.
		require.Equal(t, map[Account]string{
			AccountOpening: "-100", AccountAvailable: "-2.5", AccountPaidOut: "100", AccountFees: "2.5",
		}, b.balances(t))
		settle(t, b, r.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned, GatewayID: "G1"})
		require.Equal(t, []string{
			"reserve available -> in_flight 100.00 PKR",
			"payout in_flight -> paid_out 100.00 PKR",
			"fee available -> fees 2.50 PKR",
			"refund paid_out -> available 100.00 PKR",
		}, b.transfers(t, r.Key()))
		b.clean(t)
	})
}

func TestTransfersOfALatePayment(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Deposit, order.Expired)
		late := paid("100", "2")
		late.GatewayID, late.Evidence = "G1", "inbox-1"
		s := settle(t, b, o.Key(), late)
		require.False(t, s.Moved)
		require.Equal(t, codes.DiscrepancyLatePayment, s.Discrepancy)
		require.Equal(t, order.Expired, s.Order.State)
		require.Equal(t, pkr("100"), s.Order.Paid)
		require.Equal(t, []string{
			"late_payment received -> available 100.00 PKR", "fee available -> fees 2.00 PKR",
		}, b.transfers(t, o.Key()))

		late.Evidence = "inbox-2" // the same, told by another message
		require.Equal(t, codes.DiscrepancyLatePayment, settle(t, b, o.Key(), late).Discrepancy)
		other := late
		other.Verdict, other.Paid, other.Evidence = rules.PartPaid, pkr("40"), "inbox-3"
		require.Equal(t, codes.DiscrepancyAmount, settle(t, b, o.Key(), other).Discrepancy)
		require.Equal(t, []string{codes.DiscrepancyLatePayment, codes.DiscrepancyAmount}, b.discrepancies(t, o.Key()))
		require.Equal(t, settled[order.Deposit]["credited paid"], b.balancesOf(t, o.Merchant))
		b.clean(t)
	})
}

// What was paid late or in part and is returned leaves the books as it came, by
// whatever it is told and in whatever order.
func TestWhatWasPaidLateOrInPartIsTakenBack(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		returned := rules.Finding{
			Source: rules.FromQuery, Verdict: rules.Returned, GatewayID: "G1", Fee: pkr("2"), Reason: order.Reason{Code: order.CodeRefunded},
		}
		late := paid("100", "2")
		late.GatewayID = "G1"
		for name, told := range map[string][]rules.Finding{
			"credited, then returned": {late, returned},
			"returned, then credited": {returned, late},
			"twice":                   {late, late, returned, returned, late},
		} {
			o := b.at(t, order.Deposit, order.Expired)
			for _, finding := range told {
				finding.Source = rules.FromQuery
				if finding.Verdict == rules.Paid {
					finding.Source = rules.FromCallback // of before, told again
				}
				o = settle(t, b, o.Key(), finding).Order
			}
			require.Equal(t, order.Refunded, o.State, name)
			require.Equal(t, pkr("100"), o.Paid, name)
			require.Equal(t, order.CodeRefunded, o.Reason.Code, name)
			require.Equal(t, settled[order.Deposit]["expired and refunded"], b.balancesOf(t, o.Merchant), name)
			require.Equal(t, []string{codes.DiscrepancyLatePayment}, b.discrepancies(t, o.Key()), name)
		}

		part := b.at(t, order.Deposit, order.PartiallyPaid)
		s := settle(t, b, part.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
		require.True(t, s.Moved)
		require.Equal(t, order.Refunded, s.Order.State)
		require.Equal(t, pkr("40"), s.Order.Paid)
		require.Equal(t, settled[order.Deposit]["partially_paid and refunded"], b.balancesOf(t, part.Merchant))
		require.Empty(t, b.discrepancies(t, part.Key()))
		b.clean(t)
	})
}

// A refund that the gateway takes back, and an amount that changes, cannot be
// booked: each opens a discrepancy, and says the amounts.
func TestAContradictionOfAmountsIsTold(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		refunded := b.at(t, order.Deposit, order.Refunded)
		again := paid("100", "2")
		balances := b.balancesOf(t, refunded.Merchant)
		again.Source = rules.FromQuery
		require.Equal(t, codes.DiscrepancyPaidAgain, settle(t, b, refunded.Key(), again).Discrepancy)
		again.Source = rules.FromCallback
		require.Empty(t, settle(t, b, refunded.Key(), again).Discrepancy)
		require.Equal(t, []string{codes.DiscrepancyPaidAgain}, b.discrepancies(t, refunded.Key()))
		require.Equal(t, balances, b.balancesOf(t, refunded.Merchant))

		part := b.at(t, order.Deposit, order.PartiallyPaid)
		more := paid("50", "1")
		more.Verdict = rules.PartPaid
		require.Equal(t, codes.DiscrepancyAmount, settle(t, b, part.Key(), more).Discrepancy)
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: part.Merchant})
		require.NoError(t, err)
		require.Contains(t, found[0].Detail, "40.00 PKR is booked, and it says 50.00 PKR")
		require.Equal(t, settled[order.Deposit]["partially_paid"], b.balancesOf(t, part.Merchant))
		b.clean(t)
	})
}

func TestAFindingThatDoesNotFitBooksNothing(t *testing.T) {
	t.Parallel()
	vnd, err := money.Minor(100, "VND")
	require.NoError(t, err)
	for name, change := range map[string]func(*rules.Finding){
		"gateway id":       func(f *rules.Finding) { f.GatewayID = "G-other" },
		"more":             func(f *rules.Finding) { f.Paid = pkr("100.01") },
		"less":             func(f *rules.Finding) { f.Paid = pkr("99.99") },
		"other currency":   func(f *rules.Finding) { f.Paid = vnd },
		"part is nothing":  func(f *rules.Finding) { f.Verdict, f.Paid = rules.PartPaid, pkr("0") },
		"part is whole":    func(f *rules.Finding) { f.Verdict = rules.PartPaid },
		"part is unstated": func(f *rules.Finding) { f.Verdict, f.Paid = rules.PartPaid, money.Amount{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				stands := b.at(t, order.Deposit, order.Submitted)
				balances := b.balancesOf(t, stands.Merchant)
				finding := paid("100", "2")
				finding.GatewayID = stands.GatewayID
				change(&finding)
				for range 2 {
					s := settle(t, b, stands.Key(), finding)
					require.Equal(t, Settlement{Order: stands, Discrepancy: codes.DiscrepancyMismatch}, s)
				}
				require.Equal(t, []string{codes.DiscrepancyMismatch}, b.discrepancies(t, stands.Key()))
				require.Equal(t, balances, b.balancesOf(t, stands.Merchant))
				b.clean(t)
			})
		})
	}
}

// A payment is booked whatever its fee is said to be: what cannot be believed of
// the fee is not booked, and a person is told.
func TestAFeeThatCannotBeIsNotBooked(t *testing.T) {
	t.Parallel()
	vnd, err := money.Minor(100, "VND")
	require.NoError(t, err)
	said := func(change func(*rules.Finding)) rules.Finding {
		f := paid("100", "0")
		change(&f)
		return f
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for name, finding := range map[string]rules.Finding{
			"negative":       said(func(f *rules.Finding) { f.Fee = pkr("-1") }),
			"other currency": said(func(f *rules.Finding) { f.Fee = vnd }),
			"above it":       said(func(f *rules.Finding) { f.Fee = pkr("100.01") }),
			"unreadable":     said(func(f *rules.Finding) { f.FeeText, f.FeeDoubt = "1,5", true }),
		} {
			for _, kind := range bothKinds {
				o := b.at(t, kind, order.Submitted)
				finding.GatewayID = o.GatewayID
				for range 2 {
					o = settle(t, b, o.Key(), finding).Order
				}
				require.Equal(t, order.Succeeded, o.State, name)
				require.Equal(t, pkr("0"), o.Fee, name)
				require.NotEmpty(t, o.FeeText, name)
				require.Equal(t, []string{codes.DiscrepancyFee}, b.discrepancies(t, o.Key()), name)
				found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: o.Merchant})
				require.NoError(t, err)
				require.Contains(t, found[0].Detail, "fee of "+o.FeeText, name)
			}
		}
		b.clean(t)
	})
}

// A fee that is finer than the currency is booked towards zero; its words stay
// with the order, the audit says so, and the rest is kept with the books.
func TestAFeeThatIsFinerThanTheCurrency(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		rest := func() (millionths int64) {
			require.NoError(t, b.db.Get(t.Context(), &millionths, "SELECT fee_rest FROM books WHERE merchant = ? AND currency = 'PKR'", merchant))
			return millionths
		}
		for i, kind := range append(bothKinds, bothKinds...) {
			r := request(kind, fmt.Sprint("F", i), "333")
			open(t, b, r)
			submit(t, b, r.Key(), ambiguous)
			status := tarspay.OrderStatus{GatewayID: fmt.Sprint("G", i), OrderAmount: "333", PayAmount: "333", Currency: "PKR", Fee: "4.995", State: tarspay.StateSucceeded}
			o, err := b.Order(t.Context(), r.Key())
			require.NoError(t, err)
			finding, err := rules.StatusFinding(o, status)
			require.NoError(t, err)
			for range 2 { // once
				o = settle(t, b, r.Key(), finding).Order
			}
			require.Equal(t, order.Succeeded, o.State)
			require.Equal(t, pkr("4.99"), o.Fee)
			require.Equal(t, "4.995", o.FeeText)
			require.Equal(t, order.Reason{}, o.Reason)
			read, err := b.Order(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, o, read)
			require.Empty(t, b.discrepancies(t, r.Key()))
			require.EqualValues(t, (i+1)*500_000, rest())
			story, err := b.Story(t.Context(), r.Key())
			require.NoError(t, err)
			require.True(t, slices.ContainsFunc(story.Audit, func(e AuditEntry) bool {
				return e.Reason.Code == "FEE_FINER_THAN_CURRENCY" && strings.Contains(e.Reason.Text, "the gateway's fee is 4.995; 4.99 PKR is booked")
			}), story.Audit)
		}
		b.clean(t)
	})
}

func TestADiscrepancyOpensOncePerProof(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Deposit, order.Failed)
		tell := func(evidence, fee string) int {
			finding := paid("100", fee)
			finding.Evidence = evidence
			require.Equal(t, codes.DiscrepancyPaidAfterEnd, settle(t, b, o.Key(), finding).Discrepancy)
			return len(b.discrepancies(t, o.Key()))
		}
		require.Equal(t, 1, tell("inbox-1", "2"))
		require.Equal(t, 1, tell("inbox-1", "3")) // the same proof
		require.Equal(t, 2, tell("inbox-2", "2"))
		require.Equal(t, 3, tell("", "2")) // a poll: told apart by what it says
		require.Equal(t, 3, tell("", "2"))
		require.Equal(t, 4, tell("", "3"))
	})
}

func TestSettleFillsInTheGatewayID(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.Unknown)
		pending := rules.Finding{Source: rules.FromQuery, Verdict: rules.Pending, GatewayID: "G7"}
		o = settle(t, b, o.Key(), pending).Order
		require.Equal(t, order.Submitted, o.State)
		require.Equal(t, "G7", o.GatewayID)
		require.Equal(t, order.Reason{}, o.Reason) // it is unknown no longer

		failed := b.at(t, order.Withdrawal, order.Failed) // refused, and yet there is an order that failed
		unpaid := rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, GatewayID: "G8"}
		s := settle(t, b, failed.Key(), unpaid)
		require.False(t, s.Moved)
		require.Empty(t, s.Discrepancy)
		read, err := b.Order(t.Context(), failed.Key())
		require.NoError(t, err)
		require.Equal(t, "G8", read.GatewayID)
		require.Equal(t, failed.Reason, read.Reason)
	})
}

func TestAnOperatorStandsForAFinding(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.InReview)
		finding := rules.Finding{Source: rules.FromOperator, Verdict: rules.Unpaid, Reason: order.Reason{Code: order.CodeResolved, Text: "never arrived"}}
		for _, lacking := range []rules.Finding{
			finding,
			{Source: rules.FromOperator, Verdict: rules.Unpaid, By: "ops@example"},
			{Source: rules.FromOperator, Verdict: rules.Unpaid, Evidence: "ticket 7"},
		} {
			_, err := b.Settle(t.Context(), o.Key(), lacking)
			require.Equal(t, codes.EvidenceMissing, order.CodeOf(err))
		}
		_, err := b.Settle(t.Context(), o.Key(), rules.Finding{Verdict: rules.Unpaid})
		require.ErrorContains(t, err, "a finding has a source")

		finding.By, finding.Evidence = "ops@example", "ticket 7"
		s := settle(t, b, o.Key(), finding)
		require.Equal(t, order.Failed, s.Order.State)
		require.Equal(t, finding.Reason, s.Order.Reason)
		steps := b.steps(t, o.Key())
		require.Equal(t, "in_review -> failed (operator ticket 7 ops@example) RESOLVED", steps[len(steps)-1])

		o = b.at(t, order.Withdrawal, order.InReview) // amounts may go without saying
		finding.Verdict = rules.Paid
		o = settle(t, b, o.Key(), finding).Order
		require.Equal(t, o.Amount, o.Paid)
		require.Equal(t, pkr("0"), o.Fee)
		b.clean(t)
	})
}

func TestConcurrentFindingsSettleOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.Submitted)
		var moved, failures atomic.Int32
		together(40, func(int) {
			s, err := b.Settle(t.Context(), o.Key(), paid("100", "2"))
			if err != nil || s.Order.State != order.Succeeded {
				failures.Add(1)
			}
			if s.Moved {
				moved.Add(1)
			}
		})
		require.Zero(t, failures.Load())
		require.EqualValues(t, 1, moved.Load())
		require.Equal(t, settled[order.Withdrawal]["succeeded"], b.balancesOf(t, o.Merchant))
		require.Len(t, b.transfers(t, o.Key()), 3)
		b.clean(t)
	})
}

func TestConcurrentContradictionsSettleOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for range 10 {
			o := b.at(t, order.Withdrawal, order.Submitted)
			var moved atomic.Int32
			together(8, func(i int) {
				finding := paid("100", "2")
				if i%2 == 0 {
					finding = rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid}
				}
				if s, err := b.Settle(t.Context(), o.Key(), finding); err == nil && s.Moved {
					moved.Add(1)
				}
			})
			require.EqualValues(t, 1, moved.Load())
			read, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, settled[order.Withdrawal][string(read.State)], b.balancesOf(t, o.Merchant))
			require.Len(t, b.discrepancies(t, o.Key()), 1)
		}
		b.clean(t)
	})
}

// The row is locked while a transaction decides, and still every change
// compares the state it was decided on.
func TestChangesCompareTheState(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		stands := b.at(t, order.Withdrawal, order.Submitted)
		err := b.inTx(t.Context(), func(x tx) error {
			h, err := x.lockOrder(t.Context(), stands.Key())
			if err != nil {
				return err
			}
			h.State = order.Unknown // as somebody may have read it before
			return x.move(t.Context(), &h, order.Failed, entry{action: ActionSettle, source: rules.FromQuery})
		})
		require.ErrorIs(t, err, ErrState)
		require.ErrorContains(t, err, "is not unknown any more")
		read, err := b.Order(t.Context(), stands.Key())
		require.NoError(t, err)
		require.Equal(t, stands, read)
	})
}

// TestTheOrderOfFindingsDoesNotMatter plays what can be told of one payment in
// every order, some of it twice.
func TestTheOrderOfFindingsDoesNotMatter(t *testing.T) {
	t.Parallel()
	told := []rules.Finding{
		{Source: rules.FromCallback, Verdict: rules.Pending, GatewayID: "G1", Evidence: "a"},
		{Source: rules.FromCallback, Verdict: rules.Paid, GatewayID: "G1", Evidence: "b", Paid: pkr("100"), Fee: pkr("2")},
		{Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: "G1", Paid: pkr("100"), Fee: pkr("2")},
		{Source: rules.FromCallback, Verdict: rules.Pending, GatewayID: "G1", Evidence: "a"},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		permute(told, func(findings []rules.Finding) {
			for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
				o := b.at(t, kind, order.Submitting)
				for _, finding := range findings {
					o = settle(t, b, o.Key(), finding).Order
				}
				require.Equal(t, order.Succeeded, o.State)
				require.Equal(t, settled[kind]["succeeded"], b.balancesOf(t, o.Merchant))
				require.Empty(t, b.discrepancies(t, o.Key()))
			}
		})
		b.clean(t)
	})
}

func TestReview(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		reason := order.Reason{Code: order.CodeNoProof, Text: "no proof for a day"}
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			for _, state := range order.States() {
				if !reachable(kind, state) {
					continue
				}
				stands := b.at(t, kind, state)
				balances, steps := b.balancesOf(t, stands.Merchant), b.steps(t, stands.Key())
				o, err := b.Review(t.Context(), stands.Key(), reason)
				name := fmt.Sprint(kind, " ", state)
				require.Equal(t, balances, b.balancesOf(t, stands.Merchant), name)
				switch {
				case rules.CanMove(kind, state, order.InReview):
					require.NoError(t, err, name)
					require.Equal(t, order.InReview, o.State, name)
					require.Equal(t, reason, o.Reason, name)
					require.Equal(t, append(steps, string(state)+" -> in_review (review) NO_PROOF"), b.steps(t, stands.Key()), name)
				case state == order.InReview || state.Terminal():
					require.NoError(t, err, name)
					require.Equal(t, stands, o, name)
					require.Equal(t, steps, b.steps(t, stands.Key()), name)
				default:
					require.ErrorIs(t, err, ErrState, name)
				}
			}
		}
		b.clean(t)
	})
}

func TestDiscrepancies(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		one, two := order.Key{Merchant: merchant, Number: "A"}, order.Key{Merchant: "M2", Number: "B"} // neither is ours
		for _, open := range []struct {
			key          order.Key
			code, detail string
		}{
			{one, codes.DiscrepancyMismatch, "callback x"},
			{one, codes.DiscrepancyMismatch, "callback x"},
			{one, codes.DiscrepancyMismatch, "callback y"},
			{one, codes.DiscrepancyUnconfirmed, "callback x"},
			{two, codes.DiscrepancyMismatch, "callback x\x00" + strings.Repeat("é", maxText)},
		} {
			require.NoError(t, b.OpenDiscrepancy(ctx, open.key, open.code, open.detail))
		}
		all, err := b.Discrepancies(ctx, DiscrepancyFilter{})
		require.NoError(t, err)
		require.Len(t, all, 4)
		require.Equal(t, two, all[0].Key)
		require.LessOrEqual(t, len(all[0].Detail), maxText+len("…"))
		require.Equal(t, "callback x", all[3].Detail)
		for name, test := range map[string]struct {
			filter DiscrepancyFilter
			want   int
		}{
			"merchant": {DiscrepancyFilter{Merchant: "M2"}, 1},
			"number":   {DiscrepancyFilter{Number: "A"}, 3},
			"code":     {DiscrepancyFilter{Code: codes.DiscrepancyMismatch}, 3},
			"since":    {DiscrepancyFilter{Since: all[0].At.Add(1e9)}, 0},
			"before":   {DiscrepancyFilter{Before: all[1].ID}, 2},
			"limit":    {DiscrepancyFilter{Limit: 1}, 1},
		} {
			found, err := b.Discrepancies(ctx, test.filter)
			require.NoError(t, err)
			require.Len(t, found, test.want, name)
		}
	})
}
