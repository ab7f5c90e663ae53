package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// await loops until the order has ended. Each round handles the first of these: a
// callback, an answer of the gateway, or an operator's action.
func (p *payout) await(ctx workflow.Context) error {
	for {
		if err := p.applyCallbacks(ctx); err != nil {
			return err
		}
		if err := p.clear(ctx); err != nil { // needed again after an older copy of the ledger was restored
			return err
		}
		if p.standing.State.Terminal() {
			return nil
		}
		if err := p.full(ctx); err != nil {
			return err
		}
		if err := p.waitOnce(ctx); err != nil {
			return err
		}
	}
}

// waitOnce starts one wait (a query or a timer) and returns when it is over, or
// when something else changes the order's state. It then cancels a wait that is
// still pending. At the order's end it does not cancel: the workflow closes the
// wait without another event.
func (p *payout) waitOnce(ctx workflow.Context) error {
	asking, cancel := workflow.WithCancel(ctx)
	now := p.askNow
	pending := p.nextWait(asking)
	before := p.waitInputs()

	var err error
	answered := false
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(pending.future, func(answer workflow.Future) {
		answered = true
		err = pending.act(ctx, answer)
	})
	selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	if p.cancelled != nil {
		selector.AddReceive(p.cancelled, func(workflow.ReceiveChannel, bool) { p.cancelled = nil })
	}
	for !answered && err == nil && p.waitInputs() == before {
		if err = p.full(ctx); err != nil {
			break
		}
		selector.Select(ctx)
		if err == nil {
			err = p.applyCallbacks(ctx)
		}
	}
	p.askNow = p.askNow || now && !answered // the query that was requested has not been answered yet
	if !answered && !p.standing.State.Terminal() {
		cancel()
	}
	return err
}

// waitInputs holds the values that decide what the order waits for. When one
// changes, the current wait is replaced.
type waitInputs struct {
	state     order.State
	reason    order.Reason
	proposed  string
	askNow    bool
	cancelled bool
}

func (p *payout) waitInputs() waitInputs {
	return waitInputs{p.standing.State, p.standing.Reason, p.proposed, p.askNow, p.cancelled == nil}
}

// wait is a query to the gateway, or the timer before the next query.
type wait struct {
	future workflow.Future
	act    func(workflow.Context, workflow.Future) error
}

func (p *payout) nextWait(ctx workflow.Context) wait {
	state := p.standing.State
	now, rests := p.askNow, p.unchanged && !p.askNow
	p.askNow, p.unchanged = false, false
	if !p.sent && !rules.Unsent(state) && state != order.Submitting {
		p.lookForProof(ctx) // a callback or query, not the create, showed that the gateway has it
	}
	switch {
	case rests:
		p.show(ctx, "The last answer of the gateway changed nothing. The next query is in "+pauseAfterNoChange.String()+"; poll the order to query at once.")
		return wait{
			future: workflow.NewTimerWithOptions(ctx, pauseAfterNoChange, workflow.TimerOptions{Summary: "pause before the next query"}),
			act:    p.graceOver,
		}
	case state == order.InReview:
		p.show(ctx, p.review())
		return p.poll(ctx, true)
	case rules.LacksGatewayFunds(p.standing):
		p.show(ctx, fmt.Sprintf(
			"The gateway's balance does not cover the order: top it up. The order is sent again, under its number, when the balance covers it. If it does not by %s, the order fails and its funds are released.",
			saytime.Say(p.fundsBefore)))
		// The order fails only if the gateway confirms that it does not have it.
		// Without that answer it goes to review at the end of this timeout.
		patience := p.left(ctx, p.fundsBefore.Add(p.plan.Horizon))
		asking := forGateway(ctx, "wait for funds at the gateway", p.plan.Attempt, patience)
		return wait{
			future: workflow.ExecuteActivity(asking, gateway.AwaitGatewayFunds, p.request.Key()),
			act:    p.fundsCame,
		}
	case rules.Sendable(state):
		p.show(ctx, p.holdUp())
		patience := time.Duration(0) // an order that was never sent waits without a limit
		if p.sent {
			patience = p.left(ctx, p.deadline)
		}
		asking := forGateway(ctx, "find out what became of the create", p.plan.Attempt, patience)
		input := activities.FindOutInput{Key: p.request.Key(), Sent: p.sent, Code: p.heldUp, Told: p.reports}
		return wait{
			future: workflow.ExecuteActivity(asking, gateway.FindOut, input),
			act:    p.applySending,
		}
	case now || p.plan.CallbackGrace <= 0:
		p.show(ctx, fmt.Sprintf("The gateway is queried until it has decided, at the latest until %s; a callback may come first. Without an outcome by then, a person has to find it out.", saytime.Deadline(p.deadline)))
		return p.poll(ctx, false)
	default:
		p.show(ctx, fmt.Sprintf("The gateway has the order. Waiting %s for its callback; then the gateway is queried.", p.plan.CallbackGrace))
		grace := min(p.plan.CallbackGrace, p.left(ctx, p.deadline))
		return wait{
			future: workflow.NewTimerWithOptions(ctx, grace, workflow.TimerOptions{Summary: "wait for a callback"}),
			act:    p.graceOver,
		}
	}
}

// review returns a text that says what a person has to do.
func (p *payout) review() string {
	if p.proposed != "" {
		what := p.outcome
		if what == "" {
			what = "the queue says what"
		}
		return "A second person has to confirm what " + p.proposed + " proposed (" + what + "): resolve the order to the same state and amounts. The gateway is still queried at intervals."
	}
	return "Waits for a person: resolve the order with evidence. The gateway is still queried at intervals."
}

// holdUp returns a text that says why the create has no outcome yet.
func (p *payout) holdUp() string {
	switch p.standing.Reason.Code {
	case codes.WithdrawalsStopped, codes.StopUnproven:
		if !p.sent {
			return rules.WaitsForResumption(p.standing.Reason.Text)
		}
	case order.CodeGatewayPaused:
		return "The gateway refuses every call of this merchant: check its key, address and status. The order is held back; it is sent automatically when calls are accepted again."
	case codes.GatewayDoubt:
		return "The gateway has probably refused the order. The funds are released when a query confirms that it has no such order."
	case order.CodeGatewayShort:
		return "The gateway has probably refused the order because its balance is too low. When a query confirms that it has no such order, the order waits for funds or fails, as its policy says."
	case order.CodeGatewayAway:
		return "The gateway cannot be reached. The order is sent when the gateway answers again."
	}
	if !p.sent {
		return "The order has not been sent yet. The next worker that can send it does."
	}
	return fmt.Sprintf("It is not known whether the gateway has the order. The gateway is queried until there is proof, at the latest until %s; then a person has to find it out. The funds stay reserved.", saytime.Deadline(p.deadline))
}

// poll queries until the gateway has decided: until the deadline, or in review
// without a limit.
func (p *payout) poll(ctx workflow.Context, inReview bool) wait {
	patience := time.Duration(0)
	if !inReview {
		patience = p.left(ctx, p.deadline)
	}
	asking := forGateway(ctx, "ask the gateway", p.plan.Attempt, patience)
	input := activities.PollInput{Key: p.request.Key(), InReview: inReview}
	return wait{
		future: workflow.ExecuteActivity(asking, gateway.Poll, input),
		act:    p.polled,
	}
}

// graceOver requests a query at once, because no callback came in time.
func (p *payout) graceOver(ctx workflow.Context, timer workflow.Future) error {
	p.askNow = true
	return timer.Get(ctx, nil)
}

// applySending applies the result of an activity that sends the order, or that
// finds out whether the gateway has it.
func (p *payout) applySending(ctx workflow.Context, answer workflow.Future) error {
	var sending activities.Sending
	if err := answer.Get(ctx, &sending); err != nil {
		return p.noProof(ctx, err)
	}
	if !p.store(sending.Standing) {
		return p.reload(ctx) // the rest of the answer is outdated, too
	}
	p.reports++
	p.heldUp = sending.Reason.Code
	if sending.Sent && !p.sent {
		p.reports = 0
		p.lookForProof(ctx)
	}
	return nil
}

// fundsCame continues an order that was sent again, or that failed without funds.
// The deadline for proof starts anew: until now it was proved that the gateway did
// not have the order.
func (p *payout) fundsCame(ctx workflow.Context, answer workflow.Future) error {
	p.lookForProof(ctx)
	return p.applySending(ctx, answer)
}

func (p *payout) polled(ctx workflow.Context, answer workflow.Future) error {
	var finding rules.Finding
	if err := answer.Get(ctx, &finding); err != nil {
		return p.noProof(ctx, err)
	}
	before := p.standing.State
	var standing order.Standing
	if err := p.write(ctx, "settle by query", &standing, books.Settle, p.request.Key(), finding); err != nil {
		return err
	}
	err := p.apply(ctx, standing)
	p.unchanged = p.standing.State == before // it cannot be booked; a discrepancy is open
	return err
}

// applyCallback applies a callback. If the callback must be confirmed, it requests
// a query at once.
func (p *payout) applyCallback(ctx workflow.Context, id string) error {
	var applied activities.Applied
	if err := p.write(ctx, "apply callback", &applied, books.ApplyCallback, p.request.Key(), id); err != nil {
		return err
	}
	p.store(applied.Standing)
	if applied.Ask {
		p.askNow = true
		if !slices.Contains(p.claims, id) {
			p.claims = append(p.claims, id)
		}
	}
	return nil
}

// settleClaims applies the callbacks that waited for a query again, now that the
// order has ended. A callback that agrees with the final state is marked as done.
// One that contradicts it opens a discrepancy. A refund that the gateway does not
// confirm yet stays in the inbox; the sweep starts a LateCallback workflow for it.
func (p *payout) settleClaims(ctx workflow.Context) error {
	for _, id := range p.claims {
		if err := p.applyCallback(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
