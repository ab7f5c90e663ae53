package rules

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestMovesAreSound(t *testing.T) {
	t.Parallel()
	for _, m := range Moves {
		require.Contains(t, order.States(), m.From)
		require.Contains(t, order.States(), m.To)
		require.NotEqual(t, m.From, m.To)
		require.NotEmpty(t, m.Kinds)
		require.NotEmpty(t, m.Why)
		for _, other := range Moves {
			if m.From == other.From && m.To == other.To {
				require.Equal(t, m.Why, other.Why, "%s to %s is listed twice", m.From, m.To)
			}
		}
	}
}

func TestTerminalStatesStick(t *testing.T) {
	t.Parallel()
	for _, m := range Moves {
		if m.From.Terminal() {
			require.Contains(t, []order.State{order.Succeeded, order.PartiallyPaid, order.Expired}, m.From) // something was paid, or may have been credited
			require.Equal(t, order.Refunded, m.To)
		}
	}
}

func TestPrecedes(t *testing.T) {
	t.Parallel()
	for _, before := range []struct {
		kind           order.Kind
		earlier, later order.State
		want           bool
	}{
		{order.Withdrawal, order.InReview, order.Failed, true},
		{order.Withdrawal, order.Failed, order.InReview, false},
		{order.Withdrawal, order.Created, order.Refunded, true},
		{order.Withdrawal, order.Succeeded, order.Refunded, true},
		{order.Withdrawal, order.Refunded, order.Succeeded, false},
		{order.Withdrawal, order.Submitting, order.Unknown, false}, // it comes back
		{order.Withdrawal, order.Unknown, order.Submitting, false},
		{order.Withdrawal, order.Unknown, order.Submitted, true},
		{order.Withdrawal, order.Unknown, order.Unknown, false},
		{order.Withdrawal, order.Submitted, order.Submitted, false},
		{order.Withdrawal, order.Succeeded, order.Failed, false},
		{order.Withdrawal, order.Created, order.Expired, false}, // not of this kind
		{order.Deposit, order.Created, order.Expired, true},
		{order.Deposit, order.AwaitingApproval, order.Created, false}, // it comes back: an approved deposit
	} {
		require.Equal(t, before.want, Precedes(before.kind, before.earlier, before.later), "%s: %s, %s", before.kind, before.earlier, before.later)
	}
}

func TestCancelledOnlyBeforeAnythingWasSent(t *testing.T) {
	t.Parallel()
	sent := []order.State{order.Unknown, order.Submitted, order.InReview} // submitting: the ledger knows whether anything was
	for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
		for _, from := range Sources(kind, order.Cancelled) {
			require.NotContains(t, sent, from)
		}
	}
}

func TestStatesOfOneKindOnly(t *testing.T) {
	t.Parallel()
	for _, s := range []order.State{order.PartiallyPaid, order.Expired} {
		require.Empty(t, Sources(order.Withdrawal, s))
		require.NotEmpty(t, Sources(order.Deposit, s))
	}
	for _, s := range []order.State{order.Reserved, order.AwaitingFunds} {
		require.Empty(t, Sources(order.Deposit, s))
		require.NotEmpty(t, Sources(order.Withdrawal, s))
	}
}

// Every state that an order of a kind can reach leads to an end.
func TestEveryOpenStateCanEnd(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
		for _, s := range reachable(kind, order.Created) {
			if !s.Terminal() {
				require.True(t, slices.ContainsFunc(reachable(kind, s), order.State.Terminal), "%s %s", kind, s)
			}
		}
	}
}

func reachable(kind order.Kind, from order.State) []order.State {
	seen := []order.State{from}
	for i := 0; i < len(seen); i++ {
		for _, m := range Moves {
			if m.From == seen[i] && slices.Contains(m.Kinds, kind) && !slices.Contains(seen, m.To) {
				seen = append(seen, m.To)
			}
		}
	}
	return seen
}

// What Decide asks for, the table allows, in every combination.
func TestDecideStaysOnTheTable(t *testing.T) {
	t.Parallel()
	verdicts := map[order.Kind][]Verdict{
		order.Deposit:    {Pending, Paid, PartPaid, Unpaid, Lapsed, Returned, Unclear},
		order.Withdrawal: {Pending, Paid, Unpaid, Returned, Unclear}, // Judge yields no others
	}
	for kind, all := range verdicts {
		for _, state := range reachable(kind, order.Created) {
			for _, verdict := range all {
				for _, credited := range []bool{false, true} {
					effect := Decide(kind, state, credited, verdict)
					from := state
					for _, to := range effect.Path {
						require.True(t, CanMove(kind, from, to), "%s: %s then %s on %s", kind, from, to, verdict)
						from = to
					}
					if effect.Credit {
						require.Equal(t, []any{order.Deposit, order.Expired, false}, []any{kind, state, credited})
						require.Equal(t, codes.DiscrepancyLatePayment, effect.Discrepancy)
					} else if len(effect.Path) > 0 {
						require.Empty(t, effect.Discrepancy)
					}
					require.False(t, effect.Known && (effect.Moves() || effect.Discrepancy == ""))
				}
			}
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	type row struct {
		state   order.State
		verdict Verdict
		want    Effect
	}
	to := func(path ...order.State) Effect { return Effect{Path: path} }
	opens := func(code string) Effect { return Effect{Discrepancy: code} }
	rows := []row{
		{order.Reserved, Paid, opens(codes.DiscrepancyPaidUnsent)},
		{order.Created, Pending, opens(codes.DiscrepancyPaidUnsent)},
		{order.Submitting, Pending, to(order.Submitted)},
		{order.Unknown, Pending, to(order.Submitted)},
		{order.Submitted, Pending, Effect{}},
		{order.InReview, Pending, Effect{}},
		{order.Submitted, Unclear, opens(codes.DiscrepancyMismatch)},
		{order.Succeeded, Paid, Effect{}},
		{order.Succeeded, Pending, Effect{}},
		{order.Succeeded, Unpaid, opens(codes.DiscrepancyUnpaidPaid)},
		{order.Succeeded, Returned, to(order.Refunded)},
		{order.Refunded, Paid, Effect{}},
		{order.Refunded, Returned, Effect{}},
		{order.Failed, Paid, opens(codes.DiscrepancyPaidAfterEnd)},
		{order.Failed, Unpaid, Effect{}},
		{order.Failed, Returned, opens(codes.DiscrepancyReturned)},
		{order.Rejected, Returned, opens(codes.DiscrepancyReturned)},
		{order.Cancelled, Returned, opens(codes.DiscrepancyReturned)},
		{order.Rejected, Paid, opens(codes.DiscrepancyPaidAfterEnd)},
		{order.Cancelled, Paid, opens(codes.DiscrepancyPaidAfterEnd)},
		{order.Expired, Paid, Effect{Discrepancy: codes.DiscrepancyLatePayment, Credit: true}},
		{order.Expired, PartPaid, Effect{Discrepancy: codes.DiscrepancyLatePayment, Credit: true}},
		{order.Expired, Lapsed, Effect{}},
		{order.Expired, Unpaid, Effect{}},
		{order.Expired, Returned, Effect{Path: []order.State{order.Refunded}, Discrepancy: codes.DiscrepancyLatePayment, Credit: true}},
		{order.PartiallyPaid, Returned, to(order.Refunded)},
		{order.PartiallyPaid, Paid, opens(codes.DiscrepancyAmount)},
		{order.PartiallyPaid, PartPaid, Effect{}},
		{order.PartiallyPaid, Unpaid, opens(codes.DiscrepancyUnpaidPaid)},
	}
	for _, state := range []order.State{order.Submitting, order.Unknown, order.Submitted, order.InReview} {
		rows = append(rows,
			row{state, Paid, to(order.Succeeded)},
			row{state, PartPaid, to(order.PartiallyPaid)},
			row{state, Unpaid, to(order.Failed)},
			row{state, Lapsed, to(order.Expired)},
			row{state, Returned, to(order.Succeeded, order.Refunded)})
	}
	for _, r := range rows {
		paid := r.state == order.Succeeded || r.state == order.PartiallyPaid || r.state == order.Refunded
		require.Equal(t, r.want, Decide(order.Deposit, r.state, paid, r.verdict), "%s on %s", r.state, r.verdict)
	}
	require.Equal(t, opens(codes.DiscrepancyPaidAfterEnd), Decide(order.Withdrawal, order.Failed, false, Paid))
	for verdict, want := range map[Verdict]Effect{
		Pending: {}, Paid: {Discrepancy: codes.DiscrepancyLatePayment, Known: true}, PartPaid: {Discrepancy: codes.DiscrepancyLatePayment, Known: true},
		Unpaid: opens(codes.DiscrepancyUnpaidPaid), Lapsed: opens(codes.DiscrepancyUnpaidPaid), Returned: to(order.Refunded), Unclear: opens(codes.DiscrepancyMismatch),
	} {
		require.Equal(t, want, Decide(order.Deposit, order.Expired, true, verdict), "credited, on %s", verdict)
	}
}

// What the table leaves alone, the amounts may contradict.
func TestDecideComparesWhatWasBooked(t *testing.T) {
	t.Parallel()
	amount := func(rupees int64) money.Amount {
		a, err := money.Minor(100*rupees, "PKR")
		require.NoError(t, err)
		return a
	}
	for name, test := range map[string]struct {
		state  order.State
		paid   int64
		says   Verdict
		amount int64
		source Source
		want   string
	}{
		"the same part":             {order.PartiallyPaid, 300, PartPaid, 300, FromCallback, ""},
		"another part":              {order.PartiallyPaid, 300, PartPaid, 500, FromCallback, codes.DiscrepancyAmount},
		"a part, then all":          {order.PartiallyPaid, 300, Paid, 1000, FromQuery, codes.DiscrepancyAmount},
		"the same late payment":     {order.Expired, 300, PartPaid, 300, FromQuery, codes.DiscrepancyLatePayment},
		"another late payment":      {order.Expired, 300, Paid, 1000, FromQuery, codes.DiscrepancyAmount},
		"all, then all":             {order.Succeeded, 1000, Paid, 1000, FromQuery, ""},
		"paid again, says a query":  {order.Refunded, 1000, Paid, 1000, FromQuery, codes.DiscrepancyPaidAgain},
		"part of it, says a query":  {order.Refunded, 300, PartPaid, 300, FromQuery, codes.DiscrepancyPaidAgain},
		"the callback of before":    {order.Refunded, 1000, Paid, 1000, FromCallback, ""},
		"returned, and again":       {order.Refunded, 1000, Returned, 0, FromQuery, ""},
		"pending after the refund":  {order.Refunded, 1000, Pending, 0, FromQuery, ""},
		"a person names no amounts": {order.Succeeded, 1000, Paid, 0, FromOperator, ""},
	} {
		o := order.Order{Request: order.Request{Kind: order.Deposit, Amount: amount(1000)}, Standing: order.Standing{State: test.state, Paid: amount(test.paid)}}
		f := Finding{Source: test.source, Verdict: test.says}
		if test.amount > 0 {
			f.Paid = amount(test.amount)
		}
		effect := DecideOrder(o, f)
		require.Equal(t, test.want, effect.Discrepancy, name)
		require.False(t, effect.Moves(), name)
	}
}

// Only these verdicts free or return money; whoever adds one decides here.
func TestReleasesMoney(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[Verdict]bool{
		Pending: false, Paid: false, PartPaid: false, Unpaid: true, Lapsed: true, Returned: true, Unclear: false,
	} {
		require.Equal(t, want, Finding{Verdict: verdict}.ReleasesMoney(), verdict)
	}
}

// What was never sent can still be cancelled, and nothing else can, but what is
// submitting and was not heard at the gateway.
func TestUnsent(t *testing.T) {
	t.Parallel()
	for _, state := range order.States() {
		require.Equal(t, CanMove(order.Withdrawal, state, order.Cancelled), Unsent(state) || state == order.Submitting, state)
	}
}

func TestLacksGatewayFunds(t *testing.T) {
	t.Parallel()
	for _, state := range order.States() {
		for _, code := range []string{"", codes.GatewayDoubt, order.CodeGatewayShort} {
			standing := order.Standing{State: state, Reason: order.Reason{Code: code}}
			require.Equal(t, state == order.Submitting && code == order.CodeGatewayShort, LacksGatewayFunds(standing), "%s %s", state, code)
		}
	}
}
