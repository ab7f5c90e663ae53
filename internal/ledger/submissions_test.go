package ledger

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

var (
	refused   = Answer{Outcome: Refused, Reason: order.Reason{Code: order.CodeGatewayRefused, Text: "no such wallet"}}
	ambiguous = Answer{Outcome: Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown, Text: "no answer in time"}}
	paused    = Answer{Outcome: Paused, Reason: order.Reason{Code: order.CodeGatewayPaused, Text: "key expired"}}
	unsent    = Answer{Outcome: Unsent, Reason: order.Reason{Code: order.CodeGatewayAway, Text: "connection refused"}}
	accepted  = Answer{Outcome: Accepted, GatewayID: "G1"}
)

func TestSubmissionOutcomes(t *testing.T) {
	t.Parallel()
	type outcome struct {
		answer    Answer
		state     order.State
		available string // of 1000, after a withdrawal of 100
		last      string // step of its history
	}
	outcomes := []outcome{
		{accepted, order.Submitted, "900", "submitting -> submitted (submission attempt 1)"},
		{refused, order.Failed, "1000", "submitting -> failed (submission attempt 1) GATEWAY_REFUSED"},
		{ambiguous, order.Unknown, "900", "submitting -> unknown (submission attempt 1) GATEWAY_UNKNOWN"},
		{paused, order.Submitting, "900", "reserved -> submitting (submission attempt 1)"},
		{unsent, order.Submitting, "900", "reserved -> submitting (submission attempt 1)"},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, test := range outcomes {
			r := request(order.Withdrawal, "W1", "100")
			r.Merchant = "M" + string(test.answer.Outcome)
			require.NoError(t, b.OpenBooks(t.Context(), r.Merchant, pkr("1000"), pkr("0")))
			open(t, b, r)
			before := time.Now().UTC().Truncate(time.Millisecond)

			begun, err := b.NextSubmission(t.Context(), r.Key(), 0)
			require.NoError(t, err)
			require.Equal(t, Submission{Key: r.Key(), Attempt: 1, StartedAt: begun.StartedAt}, begun)
			require.WithinRange(t, begun.StartedAt, before, time.Now())
			onRecord, err := b.Submissions(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, []Submission{begun}, onRecord) // before anything is sent

			o, err := b.CompleteSubmission(t.Context(), r.Key(), 1, test.answer)
			require.NoError(t, err)
			require.Equal(t, test.state, o.State)
			require.Equal(t, test.answer.GatewayID, o.GatewayID)
			require.Equal(t, test.answer.Reason, o.Reason)
			read, err := b.Order(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, read, o)

			onRecord, err = b.Submissions(t.Context(), r.Key())
			require.NoError(t, err)
			require.Len(t, onRecord, 1)
			require.Equal(t, test.answer.Outcome, onRecord[0].Outcome)
			require.Equal(t, test.answer.Reason, onRecord[0].Reason)
			require.WithinRange(t, onRecord[0].EndedAt, begun.StartedAt, time.Now())

			balances, err := b.Balances(t.Context(), r.Merchant, "PKR")
			require.NoError(t, err)
			require.Equal(t, pkr(test.available), balances[AccountAvailable])
			steps := b.steps(t, r.Key())
			require.Equal(t, test.last, steps[len(steps)-1])

			again, err := b.CompleteSubmission(t.Context(), r.Key(), 1, test.answer)
			require.NoError(t, err)
			require.Equal(t, o, again) // and nothing twice:
			require.Equal(t, steps, b.steps(t, r.Key()))
			other := refused
			if test.answer.Outcome == Refused {
				other = ambiguous
			}
			_, err = b.CompleteSubmission(t.Context(), r.Key(), 1, other)
			require.ErrorIs(t, err, ErrState)
		}
		b.clean(t)
	})
}

func TestDepositInstructions(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "0", "0")
		r := request(order.Deposit, "D1", "100")
		open(t, b, r)
		instructions := &order.Instructions{
			PayURL: "https://pay.example/x", AccountNumber: "123", Bank: "HBL", ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		}
		submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G1", Instructions: instructions})
		o, err := b.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, instructions, o.Instructions)
		require.Equal(t, []string{
			"created -> submitting (submission attempt 1)", "submitting -> submitted (submission attempt 1)",
		}, b.steps(t, r.Key()))
		require.Empty(t, b.transfers(t, r.Key()))
		b.clean(t)
	})
}

func TestRefusedDepositMovesNothing(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "0", "0")
		r := request(order.Deposit, "D1", "100")
		open(t, b, r)
		require.Equal(t, order.Failed, submit(t, b, r.Key(), refused).State)
		require.Empty(t, b.transfers(t, r.Key()))
		b.clean(t)
	})
}

func TestNextSubmissionFromEveryState(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			for _, state := range order.States() {
				if !reachable(kind, state) {
					continue
				}
				stands := b.at(t, kind, state)
				earlier, err := b.Submissions(t.Context(), stands.Key())
				require.NoError(t, err)
				name := fmt.Sprint(kind, " ", state)

				s, err := b.NextSubmission(t.Context(), stands.Key(), len(earlier))
				may := map[order.State]bool{
					order.Created: kind == order.Deposit, order.Reserved: true, order.Submitting: true, order.Unknown: true,
				}[state]
				if !may {
					require.ErrorIs(t, err, ErrState, name)
					read, err := b.Order(t.Context(), stands.Key())
					require.NoError(t, err)
					require.Equal(t, stands, read, name)
					continue
				}
				require.NoError(t, err, name)
				require.Equal(t, len(earlier)+1, s.Attempt, name)
				read, err := b.Order(t.Context(), stands.Key())
				require.NoError(t, err)
				require.Equal(t, order.Submitting, read.State, name)
			}
		}
		b.clean(t)
	})
}

func TestAnAttemptThatNobodyEndedStaysOpen(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		_, err := b.NextSubmission(t.Context(), r.Key(), 0) // and the worker dies
		require.NoError(t, err)
		require.Equal(t, order.Submitted, submit(t, b, r.Key(), accepted).State)

		submissions, err := b.Submissions(t.Context(), r.Key())
		require.NoError(t, err)
		require.Len(t, submissions, 2)
		require.Equal(t, []Outcome{"", Accepted}, []Outcome{submissions[0].Outcome, submissions[1].Outcome})
		require.True(t, submissions[0].EndedAt.IsZero())
		b.clean(t)
	})
}

// A refusal of an attempt proves nothing of the attempts after it, so it must
// not release what they may still pay out.
func TestOnlyTheLastAttemptReleasesMoney(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		for earlier := range 2 {
			_, err := b.NextSubmission(t.Context(), r.Key(), earlier)
			require.NoError(t, err)
		}
		o, err := b.CompleteSubmission(t.Context(), r.Key(), 1, refused)
		require.NoError(t, err)
		require.Equal(t, order.Submitting, o.State)
		require.Equal(t, order.Reason{}, o.Reason)
		require.Equal(t, "100", b.balances(t)[AccountInFlight])

		o, err = b.CompleteSubmission(t.Context(), r.Key(), 2, refused)
		require.NoError(t, err)
		require.Equal(t, order.Failed, o.State)
		require.Equal(t, map[Account]string{AccountOpening: "-1000", AccountAvailable: "1000"}, b.balances(t))
		b.clean(t)
	})
}

func TestAnEarlierAttemptThatWasAcceptedCounts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		for earlier := range 2 {
			_, err := b.NextSubmission(t.Context(), r.Key(), earlier)
			require.NoError(t, err)
		}
		o, err := b.CompleteSubmission(t.Context(), r.Key(), 1, accepted)
		require.NoError(t, err)
		require.Equal(t, order.Submitted, o.State)
		require.Equal(t, "G1", o.GatewayID)
		o, err = b.CompleteSubmission(t.Context(), r.Key(), 2, refused)
		require.NoError(t, err)
		require.Equal(t, order.Submitted, o.State)
		require.Equal(t, "100", b.balances(t)[AccountInFlight])
		b.clean(t)
	})
}

func TestAnAnswerThatComesAfterTheProof(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		for i, answer := range []Answer{
			{Outcome: Accepted, GatewayID: "G1", Instructions: &order.Instructions{PayURL: "https://pay.example"}},
			refused, ambiguous, paused, unsent,
		} {
			r := request(order.Withdrawal, fmt.Sprint("W", i), "10")
			open(t, b, r)
			s, err := b.NextSubmission(t.Context(), r.Key(), 0)
			require.NoError(t, err)
			stands := settle(t, b, r.Key(), paid("10", "1")).Order
			require.Equal(t, order.Succeeded, stands.State)

			o, err := b.CompleteSubmission(t.Context(), r.Key(), s.Attempt, answer)
			require.NoError(t, err)
			require.Equal(t, order.Succeeded, o.State)
			require.Equal(t, order.Reason{}, o.Reason)
			require.Equal(t, answer.GatewayID, o.GatewayID)
			require.Equal(t, answer.Instructions, o.Instructions)
			submissions, err := b.Submissions(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, answer.Outcome, submissions[0].Outcome)
			require.Empty(t, b.discrepancies(t, r.Key()))
		}
		require.Equal(t, map[Account]string{
			AccountOpening: "-1000", AccountAvailable: "945", AccountPaidOut: "50", AccountFees: "5",
		}, b.balances(t))
		b.clean(t)
	})
}

func TestAnAnswerWithAnotherGatewayID(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "10")
		open(t, b, r)
		s, err := b.NextSubmission(t.Context(), r.Key(), 0)
		require.NoError(t, err)
		settle(t, b, r.Key(), rules.Finding{Source: rules.FromCallback, Verdict: rules.Pending, GatewayID: "G-other"})
		o, err := b.CompleteSubmission(t.Context(), r.Key(), s.Attempt, accepted)
		require.NoError(t, err)
		require.Equal(t, "G-other", o.GatewayID)
		require.Equal(t, []string{codes.DiscrepancyMismatch}, b.discrepancies(t, r.Key()))
	})
}

func TestCompleteSubmissionRefuses(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "10")
		open(t, b, r)
		_, err := b.CompleteSubmission(t.Context(), r.Key(), 1, accepted)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = b.NextSubmission(t.Context(), r.Key(), 0)
		require.NoError(t, err)
		for _, outcome := range []Outcome{"", "perhaps"} {
			_, err = b.CompleteSubmission(t.Context(), r.Key(), 1, Answer{Outcome: outcome})
			require.ErrorContains(t, err, "is no outcome")
		}
		o, err := b.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.Submitting, o.State)
	})
}

// Of many that have asked about the same attempts one sends, and the others
// would have to ask again.
func TestOfConcurrentAttemptsOneBegins(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "10")
		open(t, b, r)
		for earlier := range 3 {
			var begun atomic.Int32
			var errs [20]error
			together(len(errs), func(i int) {
				s, err := b.NextSubmission(t.Context(), r.Key(), earlier)
				if errs[i] = err; err == nil {
					begun.Add(int32(s.Attempt))
				}
			})
			require.EqualValues(t, earlier+1, begun.Load())
			lost := 0
			for _, err := range errs {
				if err != nil {
					require.ErrorIs(t, err, ErrState)
					lost++
				}
			}
			require.Equal(t, len(errs)-1, lost)
		}
		b.clean(t)
	})
}
