package order

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
)

func TestMovesAreSound(t *testing.T) {
	t.Parallel()
	for _, m := range Moves {
		require.Contains(t, States(), m.From)
		require.Contains(t, States(), m.To)
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
			require.Contains(t, []State{Succeeded, PartiallyPaid, Expired}, m.From) // something was paid, or may have been credited
			require.Equal(t, Refunded, m.To)
		}
	}
}

func TestPrecedes(t *testing.T) {
	t.Parallel()
	for _, before := range []struct {
		kind           Kind
		earlier, later State
		want           bool
	}{
		{Withdrawal, InReview, Failed, true},
		{Withdrawal, Failed, InReview, false},
		{Withdrawal, Created, Refunded, true},
		{Withdrawal, Succeeded, Refunded, true},
		{Withdrawal, Refunded, Succeeded, false},
		{Withdrawal, Submitting, Unknown, false}, // it comes back
		{Withdrawal, Unknown, Submitting, false},
		{Withdrawal, Unknown, Submitted, true},
		{Withdrawal, Unknown, Unknown, false},
		{Withdrawal, Submitted, Submitted, false},
		{Withdrawal, Succeeded, Failed, false},
		{Withdrawal, Created, Expired, false}, // not of this kind
		{Deposit, Created, Expired, true},
		{Deposit, AwaitingApproval, Created, false}, // it comes back: an approved deposit
	} {
		require.Equal(t, before.want, Precedes(before.kind, before.earlier, before.later), "%s: %s, %s", before.kind, before.earlier, before.later)
	}
}

func TestCancelledOnlyBeforeAnythingWasSent(t *testing.T) {
	t.Parallel()
	sent := []State{Unknown, Submitted, InReview} // submitting: the ledger knows whether anything was
	for _, kind := range []Kind{Deposit, Withdrawal} {
		for _, from := range Sources(kind, Cancelled) {
			require.NotContains(t, sent, from)
		}
	}
}

func TestStatesOfOneKindOnly(t *testing.T) {
	t.Parallel()
	for _, s := range []State{PartiallyPaid, Expired} {
		require.Empty(t, Sources(Withdrawal, s))
		require.NotEmpty(t, Sources(Deposit, s))
	}
	for _, s := range []State{Reserved, AwaitingFunds} {
		require.Empty(t, Sources(Deposit, s))
		require.NotEmpty(t, Sources(Withdrawal, s))
	}
}

// Every state that an order of a kind can reach leads to an end.
func TestEveryOpenStateCanEnd(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Deposit, Withdrawal} {
		for _, s := range reachable(kind, Created) {
			if !s.Terminal() {
				require.True(t, slices.ContainsFunc(reachable(kind, s), State.Terminal), "%s %s", kind, s)
			}
		}
	}
}

func reachable(kind Kind, from State) []State {
	seen := []State{from}
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
	verdicts := map[Kind][]Verdict{
		Deposit:    {Pending, Paid, PartPaid, Unpaid, Lapsed, Returned, Unclear},
		Withdrawal: {Pending, Paid, Unpaid, Returned, Unclear}, // Judge yields no others
	}
	for kind, all := range verdicts {
		for _, state := range reachable(kind, Created) {
			for _, verdict := range all {
				for _, credited := range []bool{false, true} {
					effect := Decide(kind, state, credited, verdict)
					from := state
					for _, to := range effect.Path {
						require.True(t, CanMove(kind, from, to), "%s: %s then %s on %s", kind, from, to, verdict)
						from = to
					}
					if effect.Credit {
						require.Equal(t, []any{Deposit, Expired, false}, []any{kind, state, credited})
						require.Equal(t, DiscrepancyLatePayment, effect.Discrepancy)
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
		state   State
		verdict Verdict
		want    Effect
	}
	to := func(path ...State) Effect { return Effect{Path: path} }
	opens := func(code string) Effect { return Effect{Discrepancy: code} }
	rows := []row{
		{Reserved, Paid, opens(DiscrepancyPaidUnsent)},
		{Created, Pending, opens(DiscrepancyPaidUnsent)},
		{Submitting, Pending, to(Submitted)},
		{Unknown, Pending, to(Submitted)},
		{Submitted, Pending, Effect{}},
		{InReview, Pending, Effect{}},
		{Submitted, Unclear, opens(DiscrepancyMismatch)},
		{Succeeded, Paid, Effect{}},
		{Succeeded, Pending, Effect{}},
		{Succeeded, Unpaid, opens(DiscrepancyUnpaidPaid)},
		{Succeeded, Returned, to(Refunded)},
		{Refunded, Paid, Effect{}},
		{Refunded, Returned, Effect{}},
		{Failed, Paid, opens(DiscrepancyPaidAfterEnd)},
		{Failed, Unpaid, Effect{}},
		{Failed, Returned, opens(DiscrepancyReturned)},
		{Rejected, Returned, opens(DiscrepancyReturned)},
		{Cancelled, Returned, opens(DiscrepancyReturned)},
		{Rejected, Paid, opens(DiscrepancyPaidAfterEnd)},
		{Cancelled, Paid, opens(DiscrepancyPaidAfterEnd)},
		{Expired, Paid, Effect{Discrepancy: DiscrepancyLatePayment, Credit: true}},
		{Expired, PartPaid, Effect{Discrepancy: DiscrepancyLatePayment, Credit: true}},
		{Expired, Lapsed, Effect{}},
		{Expired, Unpaid, Effect{}},
		{Expired, Returned, Effect{Path: []State{Refunded}, Discrepancy: DiscrepancyLatePayment, Credit: true}},
		{PartiallyPaid, Returned, to(Refunded)},
		{PartiallyPaid, Paid, opens(DiscrepancyAmount)},
		{PartiallyPaid, PartPaid, Effect{}},
		{PartiallyPaid, Unpaid, opens(DiscrepancyUnpaidPaid)},
	}
	for _, state := range []State{Submitting, Unknown, Submitted, InReview} {
		rows = append(rows,
			row{state, Paid, to(Succeeded)},
			row{state, PartPaid, to(PartiallyPaid)},
			row{state, Unpaid, to(Failed)},
			row{state, Lapsed, to(Expired)},
			row{state, Returned, to(Succeeded, Refunded)})
	}
	for _, r := range rows {
		paid := r.state == Succeeded || r.state == PartiallyPaid || r.state == Refunded
		require.Equal(t, r.want, Decide(Deposit, r.state, paid, r.verdict), "%s on %s", r.state, r.verdict)
	}
	require.Equal(t, opens(DiscrepancyPaidAfterEnd), Decide(Withdrawal, Failed, false, Paid))
	for verdict, want := range map[Verdict]Effect{
		Pending: {}, Paid: {Discrepancy: DiscrepancyLatePayment, Known: true}, PartPaid: {Discrepancy: DiscrepancyLatePayment, Known: true},
		Unpaid: opens(DiscrepancyUnpaidPaid), Lapsed: opens(DiscrepancyUnpaidPaid), Returned: to(Refunded), Unclear: opens(DiscrepancyMismatch),
	} {
		require.Equal(t, want, Decide(Deposit, Expired, true, verdict), "credited, on %s", verdict)
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
		state  State
		paid   int64
		says   Verdict
		amount int64
		source Source
		want   string
	}{
		"the same part":             {PartiallyPaid, 300, PartPaid, 300, FromCallback, ""},
		"another part":              {PartiallyPaid, 300, PartPaid, 500, FromCallback, DiscrepancyAmount},
		"a part, then all":          {PartiallyPaid, 300, Paid, 1000, FromQuery, DiscrepancyAmount},
		"the same late payment":     {Expired, 300, PartPaid, 300, FromQuery, DiscrepancyLatePayment},
		"another late payment":      {Expired, 300, Paid, 1000, FromQuery, DiscrepancyAmount},
		"all, then all":             {Succeeded, 1000, Paid, 1000, FromQuery, ""},
		"paid again, says a query":  {Refunded, 1000, Paid, 1000, FromQuery, DiscrepancyPaidAgain},
		"part of it, says a query":  {Refunded, 300, PartPaid, 300, FromQuery, DiscrepancyPaidAgain},
		"the callback of before":    {Refunded, 1000, Paid, 1000, FromCallback, ""},
		"returned, and again":       {Refunded, 1000, Returned, 0, FromQuery, ""},
		"pending after the refund":  {Refunded, 1000, Pending, 0, FromQuery, ""},
		"a person names no amounts": {Succeeded, 1000, Paid, 0, FromOperator, ""},
	} {
		o := Order{Request: Request{Kind: Deposit, Amount: amount(1000)}, Standing: Standing{State: test.state, Paid: amount(test.paid)}}
		f := Finding{Source: test.source, Verdict: test.says}
		if test.amount > 0 {
			f.Paid = amount(test.amount)
		}
		effect := o.Decide(f)
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
	for _, state := range States() {
		require.Equal(t, CanMove(Withdrawal, state, Cancelled), state.Unsent() || state == Submitting, state)
	}
}

func TestLacksGatewayFunds(t *testing.T) {
	t.Parallel()
	for _, state := range States() {
		for _, code := range []string{"", CodeGatewayDoubt, CodeGatewayShort} {
			standing := Standing{State: state, Reason: Reason{Code: code}}
			require.Equal(t, state == Submitting && code == CodeGatewayShort, standing.LacksGatewayFunds(), "%s %s", state, code)
		}
	}
}
