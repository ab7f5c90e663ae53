package order

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
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
			require.Equal(t, Succeeded, m.From)
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
	sent := []State{Submitting, Unknown, Submitted, InReview}
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
				effect := Decide(kind, state, verdict)
				from := state
				for _, to := range effect.Path {
					require.True(t, CanMove(kind, from, to), "%s: %s then %s on %s", kind, from, to, verdict)
					from = to
				}
				if len(effect.Path) > 0 {
					require.Empty(t, effect.Discrepancy)
				}
				if effect.Credit {
					require.Equal(t, Deposit, kind)
					require.Empty(t, effect.Path)
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
		{Failed, Returned, Effect{}},
		{Rejected, Paid, opens(DiscrepancyPaidAfterEnd)},
		{Cancelled, Paid, opens(DiscrepancyPaidAfterEnd)},
		{Expired, Paid, Effect{Discrepancy: DiscrepancyLatePayment, Credit: true}},
		{Expired, PartPaid, Effect{Discrepancy: DiscrepancyLatePayment, Credit: true}},
		{Expired, Lapsed, Effect{}},
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
		require.Equal(t, r.want, Decide(Deposit, r.state, r.verdict), "%s on %s", r.state, r.verdict)
	}
	require.Equal(t, opens(DiscrepancyPaidAfterEnd), Decide(Withdrawal, Failed, Paid))
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

// What was never sent can still be cancelled, and nothing else can.
func TestUnsent(t *testing.T) {
	t.Parallel()
	for _, state := range States() {
		require.Equal(t, CanMove(Withdrawal, state, Cancelled), state.Unsent(), state)
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
