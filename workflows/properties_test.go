package workflows_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/callback"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/tarspay/sandbox"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// The properties of docs/safety.md, on crowds of random orders whose gateway
// does everything that it can do wrong. A failure names its seed; TEST_SEED=n
// runs that one alone.

// crowds are the runs that P1 to P6 look at.
var crowds = []struct {
	seed   uint64
	orders int
	strict bool // the gateway takes a number twice: only we keep it from paying twice
}{{1, 150, false}, {2, 150, true}}

// eachCrowd tests every crowd. Each lives once, for all properties.
func eachCrowd(t *testing.T, test func(*testing.T, *chronicle)) {
	t.Helper()
	t.Parallel()
	for i, crowd := range crowds {
		t.Run(strconv.FormatUint(crowd.seed, 10), func(t *testing.T) {
			t.Parallel()
			told := &chronicles[i]
			own := seed(t, crowd.seed)
			told.once.Do(func() { told.chronicle = live(t, own, crowd.orders, crowd.strict) })
			require.NotNil(t, told.chronicle, "the crowd did not come to its end")
			test(t, told.chronicle)
		})
	}
}

var chronicles = make([]struct {
	once sync.Once
	*chronicle
}, len(crowds))

// seed is the run's own, or the one that is asked for. It is told when the
// test fails.
func seed(t *testing.T, own uint64) uint64 {
	t.Helper()
	if asked, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		own = asked
	}
	t.Logf("TEST_SEED=%d", own)
	return own
}

// chronicle is what is on record when a crowd has come to rest.
type chronicle struct {
	orders       []record
	book         sandbox.Book
	audit        sandbox.Audit
	balances     map[ledger.Account]int64 // minor units
	verification ledger.Verification
	broken       []ledger.AuditBreak
}

// record is all that is known of one order.
type record struct {
	*life
	row           order.Order
	steps         []ledger.Step
	submissions   []ledger.Submission
	callbacks     []ledger.InboxEntry
	discrepancies []ledger.Discrepancy
	booked        []sandbox.Order // at the gateway
	wire          traffic
	transfers     []ledger.Transfer
}

// live makes a crowd and lets it live.
func live(t *testing.T, seed uint64, orders int, strict bool) *chronicle {
	t.Helper()
	c := newCrowd(t, "10000", nil)
	random := rand.New(rand.NewPCG(seed, 1))
	rates := sandbox.EveryFault(12)
	for _, name := range []string{"key-expired", "ip-refused", "merchant-disabled"} {
		rates[name] = 3 // each holds everybody back
	}
	if strict {
		// A gateway that hides orders beyond the grace and takes a number twice
		// pays twice, whatever we do.
		rates["hidden"] = 0
		require.NoError(t, c.gateway.Switch(merchant, "no-duplicate-guard", true))
	}
	rates["changed-id"] = 0 // see falsehoods
	require.NoError(t, c.gateway.SetFaults(sandbox.Faults{Seed: seed, Rates: rates}))
	for i := range orders {
		c.invent(random, i)
	}
	c.trouble(random)
	c.drain(random)
	c.later(crowdHeal, func() { c.heal(random) })
	c.later(crowdTell, c.tell)
	c.run()
	return c.chronicle()
}

// scenes are lives that every crowd has, whatever it draws.
var scenes = map[order.Kind][]string{
	order.Withdrawal: {
		"stuck,silent", "stuck-created,silent", "flip", "refund", "out-of-order", "late-booking,silent-success", "lost-request:3",
		"balance-short", "refuse", "reject", "lost-answer,fail", "early-callback", "exists-answer", "lost-answer,query-error:9,silent-success",
	},
	order.Deposit: {
		"stuck,silent", "flip", "refund", "partial:40", "expire", "paid-after-expiry", "cancel", "lost-answer,partial:10",
		"unnoticed", "early-callback,refund", "late-booking",
	},
}

// invent adds an order, and what people and others do to it.
func (c *crowd) invent(random *rand.Rand, i int) {
	c.t.Helper()
	r := request(c.t, []order.Kind{order.Withdrawal, order.Deposit}[random.IntN(2)], "")
	r.Number, r.RequestedBy = fmt.Sprintf("P-%03d", i), "payroll"
	delete(r.Details, sandbox.ScenarioMember)
	r.Amount = pkr(500 + random.Int64N(2500))
	if random.IntN(6) == 0 {
		r.Amount = pkr(3001 + random.Int64N(6500))
	}
	l := &life{request: r, start: between(random, time.Minute, 2*time.Hour), again: random.IntN(8) == 0}
	c.lives = append(c.lives, l)
	if named := scenes[r.Kind]; random.IntN(4) == 0 {
		require.NoError(c.t, c.gateway.SetScenario(merchant, r.Number, named[random.IntN(len(named))]))
	}
	if crashed := random.IntN(10); crashed < 2 {
		c.later(l.start-time.Second, func() { c.crash(l, crashed == 0) })
	}
	c.decide(random, l)
	for range random.IntN(3) {
		c.meddle(random, l)
	}
}

// decide has somebody answer an order that needs approval.
func (c *crowd) decide(random *rand.Rand, l *life) {
	at := l.start + between(random, time.Second, 7*time.Hour)
	switch random.IntN(8) {
	case 0: // nobody answers
	case 1:
		c.later(at, func() { c.act(l, workflows.RejectUpdate, order.Rejection{By: "amina", Why: "not known"}) })
	default:
		c.later(at/2, func() {
			c.act(l, workflows.ApproveUpdate, order.Approval{By: "Payroll ", Fingerprint: l.request.Fingerprint()})
		})
		c.later(at/2, func() { c.act(l, workflows.ApproveUpdate, order.Approval{By: "amina", Fingerprint: "another"}) })
		c.later(at, func() {
			c.act(l, workflows.ApproveUpdate, order.Approval{By: "amina", Fingerprint: l.request.Fingerprint()})
		})
	}
}

// falsehoods are callbacks that somebody sends between the genuine ones, by
// the sandbox's names. One with another payOrderId is left out: until an order
// knows its own there is nothing to compare it with.
var falsehoods = []string{
	"unsigned-callback", "wrong-signature", "other-key", "foreign-signature", "unknown-order", "changed-amount",
	"changed-currency", "changed-merchant", "false-failure", "malformed-callback", "huge-callback", "slow-callback",
}

// meddle does something to an order at some time.
func (c *crowd) meddle(random *rand.Rand, l *life) {
	at := l.start + between(random, 0, 10*time.Minute)
	if random.IntN(3) == 0 {
		at = l.start + between(random, 0, 30*time.Hour)
	}
	falsehood := falsehoods[random.IntN(len(falsehoods))]
	pick := random.Uint64()
	switch random.IntN(6) {
	case 0:
		c.later(at, func() { c.act(l, workflows.CancelUpdate, order.Cancellation{By: "bilal", Why: "paid by hand"}) })
	case 1:
		c.later(at, func() { c.act(l, workflows.PollNowUpdate, order.Poll{By: "bilal"}) })
	case 2:
		c.later(at, func() { c.act(l, workflows.ResolveUpdate, resolution(order.Succeeded)) })
	case 3, 4:
		c.later(at, func() { _, _ = c.gateway.Trigger(merchant, l.request.Number, falsehood) })
	case 5:
		c.later(at, func() { c.replay(pick) })
	}
}

// replay posts a genuine callback once more.
func (c *crowd) replay(pick uint64) {
	c.mutex.Lock()
	var p posted
	if len(c.heard) > 0 {
		p = c.heard[pick%uint64(len(c.heard))]
	}
	c.mutex.Unlock()
	if p.body != "" {
		require.Equal(c.t, http.StatusOK, c.deliver(p))
	}
}

// crash leaves an order as a worker does that dies on the way to the gateway,
// or on the way back.
func (c *crowd) crash(l *life, sent bool) {
	c.t.Helper()
	ctx := c.t.Context()
	row, _, err := c.books.OpenOrder(ctx, l.request, ledger.Terms{Policy: c.policy, WaitForFunds: true})
	require.NoError(c.t, err)
	if !row.State.Sendable() {
		return
	}
	_, err = c.books.NextSubmission(ctx, row.Key(), 0)
	require.NoError(c.t, err)
	if !sent {
		return
	}
	create := tarspay.CreateRequest{
		OrderNumber: row.Number, Way: row.Way, Amount: row.Amount.Short(), Currency: "PKR",
		NotifyURL: "http://receiver.test/callbacks/tarspay", Fields: row.Details,
	}
	if row.Kind == order.Withdrawal {
		_, _ = c.client.CreateWithdrawal(ctx, create)
		return
	}
	_, _ = c.client.CreateDeposit(ctx, create)
}

// trouble are faults of the merchant's every call, for a while.
func (c *crowd) trouble(random *rand.Rand) {
	for _, name := range []string{"outage", "key-expired", "rate-limited", "signature-refused"} {
		at := between(random, 0, 3*time.Hour)
		for _, errand := range []struct {
			at time.Duration
			on bool
		}{{at, true}, {at + between(random, time.Minute, 20*time.Minute), false}} {
			c.later(errand.at, func() { require.NoError(c.t, c.gateway.Switch(merchant, name, errand.on)) })
		}
	}
}

// drain takes the merchant's money out of the gateway for a while: our ledger
// covers what the gateway does not.
func (c *crowd) drain(random *rand.Rand) {
	out := between(random, 10*time.Minute, time.Hour)
	back := out + between(random, 10*time.Minute, 10*time.Hour)
	var taken money.Amount
	c.later(out, func() {
		taken = c.gateway.Book().Merchants[0].Available
		_, err := c.gateway.Fund(merchant, taken.Short(), true)
		require.NoError(c.t, err)
	})
	c.later(back, func() {
		_, err := c.gateway.Fund(merchant, taken.Short(), false)
		require.NoError(c.t, err)
	})
}

// heal ends whatever is stuck at the gateway. Of some orders two persons tell
// our side, before a question does.
func (c *crowd) heal(random *rand.Rand) {
	c.t.Helper()
	ends := map[order.Kind]map[tarspay.State]order.State{
		order.Withdrawal: {tarspay.StateSucceeded: order.Succeeded, tarspay.StateFailed: order.Failed, tarspay.StateRejected: order.Failed},
		order.Deposit:    {tarspay.StateSucceeded: order.Succeeded, tarspay.StateFailed: order.Failed, tarspay.StateTimedOut: order.Expired},
	}
	states := []tarspay.State{tarspay.StateSucceeded, tarspay.StateFailed, tarspay.StateRejected, tarspay.StateTimedOut}
	for _, l := range c.lives {
		for _, booked := range c.gateway.Orders(merchant, l.request.Number) {
			to := states[random.IntN(len(states))]
			state, possible := ends[l.request.Kind][to]
			told := random.IntN(2) == 0
			if booked.State.Final(booked.Direction) || !possible {
				continue
			}
			booked, err := c.gateway.Move(merchant, l.request.Number, to, "")
			require.NoError(c.t, err)
			if told {
				first, second := resolution(state), resolution(state)
				second.By = "chen"
				if state == order.Succeeded { // the evidence names the fee
					first.Fee, second.Fee = booked.Fee, booked.Fee
				}
				c.act(l, workflows.ResolveUpdate, first)
				c.act(l, workflows.ResolveUpdate, first)
				c.act(l, workflows.ResolveUpdate, second)
			}
		}
	}
}

// tell has the gateway say once more how every order ended.
func (c *crowd) tell() {
	c.t.Helper()
	for _, o := range c.gateway.Book().Orders {
		if !o.State.Final(o.Direction) {
			_, err := c.gateway.Move(merchant, o.Number, tarspay.StateFailed, "")
			require.NoError(c.t, err)
		} else if o.State.Meaning(o.Direction).CalledBack {
			_, err := c.gateway.Trigger(merchant, o.Number, "")
			require.NoError(c.t, err)
		}
	}
}

// chronicle writes down what is on record.
func (c *crowd) chronicle() *chronicle {
	c.t.Helper()
	ctx := context.WithoutCancel(c.t.Context())
	told := &chronicle{book: c.gateway.Book(), audit: c.gateway.Audit(), balances: make(map[ledger.Account]int64)}
	balances, err := c.books.Balances(ctx, merchant, "PKR")
	require.NoError(c.t, err)
	for account, balance := range balances {
		told.balances[account] = balance.Minor()
	}
	told.verification, err = c.books.Verify(ctx)
	require.NoError(c.t, err)
	report, err := c.books.VerifyAudit(ctx)
	require.NoError(c.t, err)
	told.broken = report.Broken
	for _, l := range c.lives {
		told.orders = append(told.orders, c.record(ctx, l))
	}
	return told
}

func (c *crowd) record(ctx context.Context, l *life) record {
	c.t.Helper()
	r := record{life: l, booked: c.gateway.Orders(merchant, l.request.Number)}
	if w := c.wire[l.request.Number]; w != nil {
		r.wire = *w
	}
	key := l.request.Key()
	var err error
	r.row, err = c.books.Order(ctx, key)
	require.NoError(c.t, err)
	r.steps, err = c.books.History(ctx, key)
	require.NoError(c.t, err)
	r.submissions, err = c.books.Submissions(ctx, key)
	require.NoError(c.t, err)
	r.transfers, err = c.books.Transfers(ctx, key)
	require.NoError(c.t, err)
	r.callbacks, err = c.books.Callbacks(ctx, key)
	require.NoError(c.t, err)
	r.discrepancies, err = c.books.Discrepancies(ctx, ledger.DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number})
	require.NoError(c.t, err)
	return r
}

// end is the step that ended the order: the last one but a refund.
func (r record) end() ledger.Step {
	steps := slices.DeleteFunc(slices.Clone(r.steps), func(s ledger.Step) bool { return s.To == order.Refunded })
	return steps[len(steps)-1]
}

func (r record) has(code string) bool {
	return slices.ContainsFunc(r.discrepancies, func(d ledger.Discrepancy) bool { return d.Code == code })
}

// paid is whether money moved at the gateway for good or for a while, and
// whether the gateway had said before that none would.
func (r record) paid() (paid, afterAll bool) {
	for _, booked := range r.booked {
		ended := false
		for _, m := range booked.Movements {
			ended = ended || m.State.Final(booked.Direction) && !m.State.Paid()
			afterAll = afterAll || ended && m.State.Paid()
		}
		paid = paid || len(booked.PaidAt) > 0
	}
	return paid, afterAll
}

// P1: at most one order with effect in the gateway's book per order number,
// none for refused intents.
func TestP1OneOrderAtMost(t *testing.T) {
	eachCrowd(t, func(t *testing.T, c *chronicle) {
		require.Zero(t, c.audit.DoublePayments, c.audit.Doubles)
		require.Empty(t, c.audit.Problems)
		for _, o := range c.orders {
			require.LessOrEqual(t, len(o.booked), 1, o.request)
			require.Zero(t, o.wire.unasked, "%s: sent again without a question", o.request)
			require.LessOrEqual(t, o.wire.creates, len(o.submissions), "%s: sent without a row", o.request)
			refused := slices.Contains([]string{
				order.CodeInsufficientFunds, order.CodeLimitOrder, order.CodeRejected, order.CodeApprovalTooLate, order.CodeCancelled,
			}, o.row.Reason.Code)
			if refused {
				require.Zero(t, o.wire.creates, o.request)
			}
			if refused || o.row.Reason.Code == order.CodeGatewayRefused || o.row.Reason.Code == order.CodeGatewayShort {
				require.Empty(t, o.booked, o.request)
			}
		}
	})
}

// P2: ours succeeded if and only if the gateway's book says paid; ours failed,
// rejected, cancelled or expired implies that the book says not paid and that
// it can no longer become paid through us. Where the gateway has taken its own
// word back, a discrepancy says so.
func TestP2OursIsTheirs(t *testing.T) {
	eachCrowd(t, func(t *testing.T, c *chronicle) {
		for _, o := range c.orders {
			paid, afterAll := o.paid()
			switch o.row.State {
			case order.Succeeded, order.PartiallyPaid, order.Refunded:
				require.True(t, paid, o.request)
				want := map[order.State]tarspay.State{
					order.Succeeded: tarspay.StateSucceeded, order.PartiallyPaid: tarspay.StatePartial, order.Refunded: tarspay.StateRefunded,
				}
				require.Equal(t, want[o.row.State], o.booked[0].State, o.request)
			case order.Expired:
				require.Equal(t, afterAll, paid, o.request)
				require.Equal(t, paid, o.has(order.DiscrepancyLatePayment), o.request)
			default:
				require.True(t, o.row.State.Terminal(), o.request)
				require.Equal(t, afterAll, paid, o.request)
				require.Equal(t, paid, o.has(order.DiscrepancyPaidAfterEnd), o.request)
			}
			require.False(t, o.wire.lastCreate.Truncate(time.Millisecond).After(o.end().At), "%s: sent after its end", o.request)
			if o.row.State == order.Refunded {
				continue // it may have been returned after its workflow had ended
			}
			require.Equal(t, o.row.State, o.view.State, o.request)
			if o.first.State != "" {
				require.Equal(t, o.first.State, o.view.State, "%s: run once more", o.request)
			}
		}
	})
}

// P3: no terminal state without proof on record.
func TestP3ProofOfEveryEnd(t *testing.T) {
	eachCrowd(t, func(t *testing.T, c *chronicle) {
		for _, o := range c.orders {
			for _, step := range o.steps {
				if step.To.Terminal() {
					o.proved(t, step)
				}
			}
		}
	})
}

// proved demands what a step to an end must rest on.
func (r record) proved(t *testing.T, step ledger.Step) {
	t.Helper()
	says := map[order.State][]tarspay.State{ // at the gateway, at some time
		order.Succeeded: {tarspay.StateSucceeded}, order.PartiallyPaid: {tarspay.StatePartial}, order.Refunded: {tarspay.StateRefunded},
		order.Expired: {tarspay.StateTimedOut}, order.Failed: {tarspay.StateFailed, tarspay.StateRejected, tarspay.StateCancelled},
	}[step.To]
	var stood []tarspay.State
	for _, booked := range r.booked {
		for _, m := range booked.Movements {
			stood = append(stood, m.State)
		}
	}
	happened := slices.ContainsFunc(says, func(s tarspay.State) bool { return slices.Contains(stood, s) })
	name := fmt.Sprintf("%s: %s by %s, %s %s", r.request, step.To, step.Source, step.Evidence, step.Reason.Code)
	switch step.Source {
	case order.FromCallback:
		i := slices.IndexFunc(r.callbacks, func(e ledger.InboxEntry) bool { return e.ID == step.Evidence })
		require.GreaterOrEqual(t, i, 0, name)
		require.Contains(t, says, r.callbacks[i].Callback.State, name)
		require.True(t, happened, name)
		require.NotContains(t, []order.State{order.Failed, order.Expired, order.Refunded}, step.To, "released without asking: "+name)
	case order.FromQuery:
		if step.Reason.Code == order.CodeGatewayRefused || step.Reason.Code == order.CodeGatewayShort { // probably refused, and not there
			require.Empty(t, r.booked, name)
			return
		}
		require.True(t, happened, name)
	case order.FromOperator:
		require.NotEmpty(t, step.By, name)
		if step.To == order.Rejected || step.To == order.Cancelled {
			require.Empty(t, r.submissions, name)
			return
		}
		require.Contains(t, step.By, " and ", name)
		require.NotEmpty(t, step.Evidence, name)
		require.True(t, happened, name)
	case ledger.FromSubmission:
		last := r.submissions[len(r.submissions)-1]
		require.Equal(t, order.Failed, step.To, name)
		require.Equal(t, ledger.Refused, last.Outcome, name)
		require.Empty(t, r.booked, name)
	case ledger.FromOpening, ledger.FromFunds, ledger.FromDeadline:
		require.Empty(t, r.submissions, name)
		require.NotEmpty(t, step.Reason.Code, name)
	default:
		require.Fail(t, "no proof", name)
	}
}

// P4: states only ever move along the table, and ends stick.
func TestP4AlongTheTable(t *testing.T) {
	eachCrowd(t, func(t *testing.T, c *chronicle) {
		require.Empty(t, c.broken)
		for _, o := range c.orders {
			state := order.Created
			for _, step := range o.steps {
				require.Equal(t, state, step.From, o.request)
				require.True(t, order.CanMove(o.request.Kind, step.From, step.To), "%s: %s to %s", o.request, step.From, step.To)
				if step.From.Terminal() {
					require.Equal(t, [2]order.State{order.Succeeded, order.Refunded}, [2]order.State{step.From, step.To}, o.request)
				}
				state = step.To
			}
			require.Equal(t, o.row.State, state, o.request)
		}
	})
}

// P5: transfers sum to zero; no reservation outlives its order; once all is
// quiet, what is available and in flight is what the gateway's book has
// available and frozen, but for what the gateway did after it had said that it
// would not.
func TestP5MoneyAddsUp(t *testing.T) {
	eachCrowd(t, func(t *testing.T, c *chronicle) {
		require.Empty(t, c.verification.Violations)
		sum := int64(0)
		for _, balance := range c.balances {
			sum += balance
		}
		require.Zero(t, sum)
		require.Zero(t, c.balances[ledger.AccountInFlight])
		theirs := c.book.Merchants[0].Available.Minor() + c.book.Merchants[0].Frozen.Minor()
		for _, o := range c.orders {
			if !o.has(order.DiscrepancyPaidAfterEnd) {
				continue
			}
			booked := o.booked[0]
			theirs += booked.Fee.Minor()
			if o.request.Kind == order.Withdrawal {
				theirs += booked.Amount.Minor()
			} else {
				theirs -= booked.Paid.Minor()
			}
		}
		require.Equal(t, theirs, c.balances[ledger.AccountAvailable])
	})
}

// P6: when the gateway is honest in the end, every order has ended or waits for
// a person within a bound, and none waits when all is told.
func TestP6EveryOrderEnds(t *testing.T) {
	eachCrowd(t, func(t *testing.T, c *chronicle) {
		const bound = crowdApproval + crowdFunds + crowdHorizon + time.Hour
		for _, o := range c.orders {
			require.True(t, o.row.State.Terminal(), o.request)
			i := slices.IndexFunc(o.steps, func(s ledger.Step) bool { return s.To.Terminal() || s.To == order.InReview })
			require.LessOrEqual(t, o.steps[i].At.Sub(o.row.CreatedAt), bound, o.request)
			for _, entry := range o.callbacks {
				require.Equal(t, ledger.Done, entry.Status, "%s: a callback that nobody acted on", o.request)
			}
		}
	})
}

// between is a random time between two.
func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// stories are what can befall an order at the gateway: its states, and how
// ours ends. All of them but a cancellation and an expiry are called back.
var stories = []struct {
	kind   order.Kind
	moves  []tarspay.State
	paid   string // of a part payment
	end    order.State
	counts []int64 // available, paid out, received, fees: rupees of an order of 1000
}{
	{order.Withdrawal, []tarspay.State{tarspay.StateSucceeded}, "", order.Succeeded, []int64{-1010, 1000, 0, 10}},
	{order.Withdrawal, []tarspay.State{tarspay.StateFailed}, "", order.Failed, []int64{0, 0, 0, 0}},
	{order.Withdrawal, []tarspay.State{tarspay.StateRejected}, "", order.Failed, []int64{0, 0, 0, 0}},
	{order.Withdrawal, []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded}, "", order.Refunded, []int64{-10, 0, 0, 10}},
	{order.Deposit, []tarspay.State{tarspay.StateSucceeded}, "", order.Succeeded, []int64{990, 0, -1000, 10}},
	{order.Deposit, []tarspay.State{tarspay.StatePartial}, "300", order.PartiallyPaid, []int64{297, 0, -300, 3}},
	{order.Deposit, []tarspay.State{tarspay.StateFailed}, "", order.Failed, []int64{0, 0, 0, 0}},
	{order.Deposit, []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded}, "", order.Refunded, []int64{-10, 0, 0, 10}},
}

// P7: any multiset and ordering of genuine callbacks gives the same final
// state, and the same money. The last thing that the gateway has to say is
// among them; whatever else is, comes once or several times, in any order,
// whether or not the create was answered.
func TestP7CallbacksInAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(seed(t, 7), 7))
	// Nothing but callbacks brings anything to light for a day.
	c := newCrowd(t, "1000000", func(s *activities.Settings) { s.CallbackGrace = crowdHorizon })
	const variants = 15
	for i := range stories {
		for j := range variants {
			c.perform(random, i, fmt.Sprintf("S-%d-%d", i, j))
		}
	}
	c.run()
	for _, o := range c.chronicle().orders {
		var i int
		_, err := fmt.Sscanf(o.request.Number, "S-%d-", &i)
		require.NoError(t, err)
		story := stories[i]
		name := fmt.Sprintf("%s %s %v", o.request.Number, story.kind, story.moves)
		require.Equal(t, story.end, o.row.State, name)
		require.Empty(t, o.discrepancies, name)
		moved := make(map[ledger.Account]int64)
		for _, transfer := range o.transfers {
			moved[transfer.From] -= transfer.Amount.Minor()
			moved[transfer.To] += transfer.Amount.Minor()
		}
		for at, account := range []ledger.Account{ledger.AccountAvailable, ledger.AccountPaidOut, ledger.AccountReceived, ledger.AccountFees} {
			require.Equal(t, 100*story.counts[at], moved[account], "%s: %s", name, account)
		}
		require.Zero(t, moved[ledger.AccountInFlight], name)
	}
}

// perform plays a story to one order, and what is told of it in some order.
func (c *crowd) perform(random *rand.Rand, i int, number string) {
	c.t.Helper()
	story := stories[i]
	r := request(c.t, story.kind, []string{"stuck,silent", "stuck,silent,lost-answer", "stuck,silent,exists-answer"}[random.IntN(3)])
	r.Number, r.Amount = number, pkr(1000)
	c.lives = append(c.lives, &life{request: r, start: time.Minute})
	var told []posted
	at := between(random, 2*time.Minute, 10*time.Minute)
	for n, state := range story.moves {
		times := random.IntN(4)
		if n == len(story.moves)-1 {
			times = max(times, 1)
		}
		c.later(at, func() {
			told = append(told, slices.Repeat([]posted{c.bring(number, state, story.paid)}, times)...)
		})
		at += between(random, time.Second, 30*time.Minute)
	}
	c.later(at, func() {
		random.Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
		wait := time.Duration(0)
		for _, p := range told {
			wait += []time.Duration{0, 0, time.Second, time.Minute, between(random, 0, time.Hour), between(random, 0, 10*time.Hour)}[random.IntN(6)]
			c.RegisterDelayedCallback(func() { require.Equal(c.t, http.StatusOK, c.deliver(p), number) }, wait)
		}
	})
}

// bring moves an order at the gateway, and returns the callback that tells of
// it without sending it.
func (c *crowd) bring(number string, state tarspay.State, paid string) posted {
	c.t.Helper()
	_, err := c.gateway.Move(merchant, number, state, paid)
	require.NoError(c.t, err)
	c.held = nil
	c.hold = true
	_, err = c.gateway.Trigger(merchant, number, "")
	c.hold = false
	require.NoError(c.t, err)
	require.Len(c.t, c.held, 1)
	return c.held[0]
}

// P7: a callback that does not verify changes nothing but a counter; one that
// is signed and does not fit its order, or that no question confirms, moves
// neither state nor money.
func TestP7FalseCallbacksChangeNothing(t *testing.T) {
	t.Parallel()
	codes := map[string]string{ // "": it verifies
		"unsigned-callback": callback.CodeNotSigned, "wrong-signature": callback.CodeSignature, "other-key": callback.CodeSignature,
		"foreign-signature": callback.CodeSignature, "malformed-callback": callback.CodeMalformed, "huge-callback": callback.CodeTooLarge,
		"slow-callback": callback.CodeIncomplete, "changed-merchant": callback.CodeForeignMerchant,
		"unknown-order": "", "changed-amount": "", "changed-currency": "", "changed-id": "", "false-failure": "",
	}
	c := newCrowd(t, "1000000", nil)
	for _, scenario := range []string{"stuck", "success", "fail", "refund"} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			r := request(t, kind, scenario)
			r.Number = string(kind) + "-" + scenario
			c.lives = append(c.lives, &life{request: r, start: time.Minute})
		}
	}
	var before []string
	c.later(time.Hour, func() {
		for _, l := range c.lives {
			before = append(before, c.standing(l))
			for falsehood, code := range codes {
				ledgerBefore, counted := c.everything(), c.counted(code)
				_, err := c.gateway.Trigger(merchant, l.request.Number, falsehood)
				require.NoError(t, err)
				if code != "" {
					require.Equal(t, ledgerBefore, c.everything(), falsehood)
					require.Equal(t, counted+1, c.counted(code), falsehood)
				}
			}
		}
	})
	c.later(2*time.Hour, func() {
		for i, l := range c.lives {
			require.Equal(t, before[i], c.standing(l), l.request)
		}
		for _, kind := range []string{"withdrawal-stuck", "deposit-stuck"} {
			_, err := c.gateway.Move(merchant, kind, tarspay.StateSucceeded, "")
			require.NoError(t, err)
		}
	})
	c.run()
	c.balanced()
}

// standing is where an order stands, and what it has moved.
func (c *crowd) standing(l *life) string {
	c.t.Helper()
	row, err := c.books.Order(c.t.Context(), l.request.Key())
	require.NoError(c.t, err)
	transfers, err := c.books.Transfers(c.t.Context(), l.request.Key())
	require.NoError(c.t, err)
	row.Instructions = nil
	return fmt.Sprintf("%+v %+v", row.Standing, transfers)
}

// everything is what the ledger holds, counted.
func (c *crowd) everything() string {
	c.t.Helper()
	inbox, err := c.books.InboxCounts(c.t.Context())
	require.NoError(c.t, err)
	verification, err := c.books.Verify(c.t.Context())
	require.NoError(c.t, err)
	audit, err := c.books.VerifyAudit(c.t.Context())
	require.NoError(c.t, err)
	discrepancies, err := c.books.Discrepancies(c.t.Context(), ledger.DiscrepancyFilter{Limit: ledger.MaxPage})
	require.NoError(c.t, err)
	balances, err := c.books.Balances(c.t.Context(), merchant, "PKR")
	require.NoError(c.t, err)
	return fmt.Sprint(inbox, verification, audit, len(discrepancies), balances)
}

// counted is how many callbacks were answered with a code.
func (c *crowd) counted(code string) int {
	c.t.Helper()
	families, err := c.registry.Gather()
	require.NoError(c.t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "payouts_callbacks_total" && metric.GetLabel()[0].GetValue() == code {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	return 0
}
