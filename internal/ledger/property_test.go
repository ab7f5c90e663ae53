package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Random lives of a few orders. Whatever is told of them in whatever order:
// money is neither made nor lost, states move along the table, ends stick.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for seed := range uint64(25) {
			l := newLives(t, b, seed)
			for range 110 {
				l.live(t, l.rand)
			}
			l.check(t)
		}
		b.clean(t)
	})
}

// The same by several at once.
func TestRandomLivesAtOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for seed := range uint64(8) {
			l := newLives(t, b, 1000+seed)
			failures := make([]error, 4)
			together(len(failures), func(i int) {
				own := rand.New(rand.NewPCG(seed, uint64(i)))
				for range 40 {
					failures[i] = errors.Join(failures[i], l.act(t, own))
				}
			})
			require.NoError(t, errors.Join(failures...), "seed %d", seed)
			l.check(t)
		}
		b.clean(t)
	})
}

// lives are orders of one merchant with books in two currencies.
type lives struct {
	*testBundle
	rand     *rand.Rand
	seed     uint64
	requests []order.Request
	states   map[order.Key]order.State
	policy   *rules.Policy
}

func newLives(t *testing.T, b *testBundle, seed uint64) *lives {
	t.Helper()
	l := &lives{testBundle: b, policy: policy(t, livesPolicy).Policy, rand: rand.New(rand.NewPCG(seed, seed)), seed: seed, states: make(map[order.Key]order.State)}
	owner := fmt.Sprint("ML", merchants.Add(1))
	for _, currency := range []string{"PKR", "VND"} {
		require.NoError(t, b.OpenBooks(t.Context(), owner, amount(1000+l.rand.Int64N(4000), currency), amount(l.rand.Int64N(100), currency)))
	}
	for i := range 8 {
		r := request([]order.Kind{order.Withdrawal, order.Deposit}[i%2], fmt.Sprint("N", i), "1")
		r.Merchant, r.Amount = owner, amount(1+l.rand.Int64N(3000), []string{"PKR", "VND"}[i/2%2])
		l.requests = append(l.requests, r)
	}
	return l
}

// livesPolicy asks for approval and refuses now and then.
const livesPolicy = `
rules:
  - {country: PK, kind: withdrawal, per_order: {approve_above: "20"}, per_merchant_day: {approve_above: "30", refuse_above: "80"}}
  - {kind: deposit, new_beneficiary: approve}
`

// live acts once and watches what became of the states.
func (l *lives) live(t *testing.T, random *rand.Rand) {
	t.Helper()
	require.NoError(t, l.act(t, random), "seed %d", l.seed)
	for _, r := range l.requests {
		o, err := l.Order(t.Context(), r.Key())
		if errors.Is(err, ErrNotFound) {
			continue
		}
		require.NoError(t, err)
		before, known := l.states[r.Key()]
		if known && before.Terminal() && o.State != before {
			require.Contains(t, []order.State{order.Succeeded, order.PartiallyPaid, order.Expired}, before, "seed %d", l.seed)
			require.Equal(t, order.Refunded, o.State, "seed %d", l.seed)
		}
		l.states[r.Key()] = o.State
	}
}

// act does something to some order. An error is one that must never be.
func (l *lives) act(t *testing.T, random *rand.Rand) error {
	r := l.requests[random.IntN(len(l.requests))]
	key := r.Key()
	var err error
	by := []string{"amina", "bilal", "tests"}[random.IntN(3)]
	switch random.IntN(12) {
	case 10, 11:
		err = l.adjust(t, random, by)
	case 0, 1:
		terms := Terms{WaitForFunds: random.IntN(2) == 0}
		if random.IntN(3) > 0 && r.Amount.Currency() == "PKR" {
			terms.Policy = l.policy
		}
		if random.IntN(4) == 0 {
			r.Amount = amount(1, r.Amount.Currency())
		}
		if random.IntN(2) == 0 {
			terms.ExpectedFee = amount(random.Int64N(min(20, r.Amount.Minor()+1)), r.Amount.Currency())
		}
		_, _, err = l.OpenOrder(t.Context(), r, terms)
	case 2:
		_, err = begin(t.Context(), l.testBundle, key)
	case 3:
		answers := []Answer{refused, ambiguous, paused, unsent, {Outcome: Accepted, GatewayID: "G1" + r.Number}, {Outcome: Accepted, GatewayID: "G2" + r.Number}}
		_, err = l.CompleteSubmission(t.Context(), key, 1+random.IntN(3), answers[random.IntN(len(answers))])
	case 4, 5:
		_, err = l.Settle(t.Context(), key, l.finding(random, r))
	case 6:
		if random.IntN(2) == 0 {
			_, err = l.Review(t.Context(), key, order.Reason{Code: order.CodeNoProof})
		}
	case 7:
		_, _, err = l.Approve(t.Context(), key, order.Approval{By: by, Fingerprint: r.Fingerprint()})
	case 8:
		err = l.decide(t, random, key, by)
	case 9:
		ends := []order.State{order.Succeeded, order.Failed}
		_, _, _, err = l.Resolve(t.Context(), key, resolution(by, ends[random.IntN(len(ends))]), random.IntN(3) > 0)
	}
	if errors.Is(err, ErrState) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// decide does what is done less often.
func (l *lives) decide(t *testing.T, random *rand.Rand, key order.Key, by string) error {
	var err error
	switch random.IntN(6) {
	case 0:
		_, _, err = l.Reject(t.Context(), key, order.Rejection{By: by, Why: "x"})
	case 1:
		_, _, err = l.Cancel(t.Context(), key, order.Cancellation{By: by, Why: "x"})
	case 2:
		_, _, err = l.Note(t.Context(), key, order.Note{ID: fmt.Sprint(random.IntN(3)), By: by, Text: "x"})
	case 3:
		_, err = l.Reserve(t.Context(), key)
	case 4:
		_, _, err = l.FailFunds(t.Context(), key, 0)
	case 5:
		_, _, err = l.RejectUnanswered(t.Context(), key)
	}
	return err
}

// adjust proposes, confirms or rejects what belongs to no order.
func (l *lives) adjust(t *testing.T, random *rand.Rand, by string) error {
	t.Helper()
	owner, ref := l.requests[0].Merchant, fmt.Sprint("A", random.IntN(4))
	var err error
	switch random.IntN(5) {
	case 0:
		_, _, err = l.RejectAdjustment(t.Context(), owner, ref, who(by, "x"))
	case 1, 2:
		_, _, err = l.ConfirmAdjustment(t.Context(), owner, ref, who(by, ""))
	default:
		kinds := AdjustmentKinds()
		_, _, err = l.ProposeAdjustment(t.Context(), Adjustment{
			Merchant: owner, Ref: ref, Kind: kinds[random.IntN(len(kinds))].Kind, Amount: amount(1+random.Int64N(90), []string{"PKR", "VND"}[random.IntN(2)]),
			By: by, Why: "x", Evidence: "y",
		})
	}
	return err
}

func (l *lives) finding(random *rand.Rand, r order.Request) rules.Finding {
	verdicts := []rules.Verdict{rules.Pending, rules.Paid, rules.Paid, rules.PartPaid, rules.Unpaid, rules.Lapsed, rules.Returned, rules.Unclear}
	f := rules.Finding{
		Source:    []rules.Source{rules.FromQuery, rules.FromCallback}[random.IntN(2)],
		Verdict:   verdicts[random.IntN(len(verdicts))],
		GatewayID: []string{"", "G1" + r.Number, "G1" + r.Number, "G2" + r.Number, "G1" + l.requests[0].Number}[random.IntN(5)],
		Evidence:  []string{"", "a", "b"}[random.IntN(3)],
	}
	if f.Verdict == rules.Paid || f.Verdict == rules.PartPaid {
		f.Fee = amount(random.Int64N(20), r.Amount.Currency())
		f.Paid = r.Amount
		if random.IntN(5) == 0 || f.Verdict == rules.PartPaid {
			f.Paid = amount(1+random.Int64N(r.Amount.Minor()), r.Amount.Currency())
		}
	}
	return f
}

// check counts the money by the orders alone, without any transfer.
func (l *lives) check(t *testing.T) {
	t.Helper()
	owner := l.requests[0].Merchant
	orders, err := l.Orders(t.Context(), Filter{Merchant: owner})
	require.NoError(t, err)
	adjustments, err := l.Adjustments(t.Context(), AdjustmentFilter{Merchant: owner})
	require.NoError(t, err)
	for _, currency := range []string{"PKR", "VND"} {
		balances, err := l.Balances(t.Context(), owner, currency)
		require.NoError(t, err)
		total := -balances[AccountOpening].Minor()
		var frozen []int64
		require.NoError(t, l.db.List(t.Context(), &frozen, "SELECT amount FROM transfers WHERE merchant = ? AND currency = ? AND reason = 'opening_frozen'", owner, currency))
		held := int64(0)
		for _, minor := range frozen {
			held += minor
		}
		for _, o := range orders {
			if o.Amount.Currency() != currency {
				continue
			}
			total -= o.Fee.Minor()
			if o.Kind == order.Withdrawal && o.State == order.Succeeded {
				total -= o.Amount.Minor()
			}
			if o.Kind == order.Deposit && o.State != order.Refunded {
				total += o.Paid.Minor()
			}
			if o.Kind == order.Withdrawal && holds(o.State) {
				held += o.Amount.Minor() + o.ExpectedFee.Minor()
			}
		}
		for _, a := range adjustments {
			if a.State != AdjustmentBooked || a.Amount.Currency() != currency {
				continue
			}
			switch move, _ := a.Kind.move(); {
			case a.Kind == AdjustFrozenReturned:
				held -= a.Amount.Minor()
			case a.Kind == AdjustFrozenPaid:
				held, total = held-a.Amount.Minor(), total-a.Amount.Minor()
			case move.From == AccountAvailable:
				total -= a.Amount.Minor()
			default:
				total += a.Amount.Minor()
			}
		}
		require.Equal(t, total, balances[AccountAvailable].Minor()+balances[AccountInFlight].Minor(), "seed %d", l.seed)
		require.Equal(t, held, balances[AccountInFlight].Minor(), "seed %d", l.seed)
	}
	for _, o := range orders {
		steps, err := l.History(t.Context(), o.Key())
		require.NoError(t, err)
		state := order.Created
		for _, step := range steps {
			require.Equal(t, state, step.From, "seed %d", l.seed)
			require.True(t, rules.CanMove(o.Kind, step.From, step.To), "seed %d: %s -> %s", l.seed, step.From, step.To)
			require.NotEmpty(t, step.Source)
			state = step.To
		}
		require.Equal(t, state, o.State, "seed %d", l.seed)
		require.True(t, slices.Contains(order.States(), o.State))
	}
}

func amount(minor int64, currency string) money.Amount {
	a, err := money.Minor(minor, currency)
	if err != nil {
		panic(err)
	}
	return a
}
