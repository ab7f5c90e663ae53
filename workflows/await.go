package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
)

// await goes on until the order has ended, whichever comes first each time: a
// callback, the answer to a question, or an operator.
func (p *payout) await(ctx workflow.Context) error {
	for {
		if err := p.attend(ctx); err != nil {
			return err
		}
		if err := p.clear(ctx); err != nil { // again, if an older copy of the ledger was restored
			return err
		}
		if p.standing.State.Terminal() {
			return nil
		}
		if err := p.full(ctx); err != nil {
			return err
		}
		if err := p.turn(ctx); err != nil {
			return err
		}
	}
}

// turn asks one thing and waits until it is answered, or until something else
// changes where the order stands. A question that is still open then is
// withdrawn; when the order has ended it is left to end with the workflow, which
// costs no event.
func (p *payout) turn(ctx workflow.Context) error {
	asking, withdraw := workflow.WithCancel(ctx)
	now := p.askNow
	question := p.ask(asking)
	before := p.outlook()

	var err error
	answered := false
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(question.future, func(answer workflow.Future) {
		answered = true
		err = question.act(ctx, answer)
	})
	selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	if p.cancelled != nil {
		selector.AddReceive(p.cancelled, func(workflow.ReceiveChannel, bool) { p.cancelled = nil })
	}
	for !answered && err == nil && p.outlook() == before {
		if err = p.full(ctx); err != nil {
			break
		}
		selector.Select(ctx)
		if err == nil {
			err = p.attend(ctx)
		}
	}
	p.askNow = p.askNow || now && !answered // it was to be asked at once, and something else came first
	if !answered && !p.standing.State.Terminal() {
		withdraw()
	}
	return err
}

// outlook is what decides what the order waits for.
type outlook struct {
	state     order.State
	reason    order.Reason
	proposed  string
	askNow    bool
	cancelled bool
}

func (p *payout) outlook() outlook {
	return outlook{p.standing.State, p.standing.Reason, p.proposed, p.askNow, p.cancelled == nil}
}

// question is something asked of the gateway, or the wait before it is asked.
type question struct {
	future workflow.Future
	act    func(workflow.Context, workflow.Future) error
}

func (p *payout) ask(ctx workflow.Context) question {
	state := p.standing.State
	now, rests := p.askNow, p.fruitless && !p.askNow
	p.askNow, p.fruitless = false, false
	if !p.sent && !state.Unsent() && state != order.Submitting {
		p.lookForProof(ctx) // something else than the create has told that the gateway has it
	}
	switch {
	case rests:
		p.show(ctx, "What was asked last has changed nothing. It is asked again in "+rest.String()+"; poll the order to have it asked at once.")
		return question{
			future: workflow.NewTimerWithOptions(ctx, rest, workflow.TimerOptions{Summary: "ask again later"}),
			act:    p.graceOver,
		}
	case state == order.InReview:
		p.show(ctx, p.review())
		return p.poll(ctx, true)
	case p.standing.LacksGatewayFunds():
		p.show(ctx, fmt.Sprintf(
			"The gateway's balance does not cover it: pay money in there. It is sent again under its number once it does, at the latest %s; then it fails and its funds are released.",
			order.SayTime(p.fundsBefore)))
		// Failing needs the gateway's word; without one a person is asked in the end.
		patience := p.left(ctx, p.fundsBefore.Add(p.plan.Horizon))
		asking := forGateway(ctx, "wait for funds at the gateway", p.plan.Attempt, patience)
		return question{
			future: workflow.ExecuteActivity(asking, gateway.AwaitGatewayFunds, p.request.Key()),
			act:    p.fundsCame,
		}
	case state.Sendable():
		p.show(ctx, p.holdUp())
		patience := time.Duration(0) // what was never sent waits for as long as it takes
		if p.sent {
			patience = p.left(ctx, p.deadline)
		}
		asking := forGateway(ctx, "find out what became of the create", p.plan.Attempt, patience)
		input := activities.FindOutInput{Key: p.request.Key(), Sent: p.sent, Code: p.heldUp, Told: p.told}
		return question{
			future: workflow.ExecuteActivity(asking, gateway.FindOut, input),
			act:    p.foundOut,
		}
	case now || p.plan.CallbackGrace <= 0:
		p.show(ctx, fmt.Sprintf("The gateway is asked until it has decided, at the latest until %s; a callback may come first.", order.SayTime(p.deadline)))
		return p.poll(ctx, false)
	default:
		p.show(ctx, fmt.Sprintf("The gateway has the order. Waiting %s for its callback, then asking.", p.plan.CallbackGrace))
		wait := min(p.plan.CallbackGrace, p.left(ctx, p.deadline))
		return question{
			future: workflow.NewTimerWithOptions(ctx, wait, workflow.TimerOptions{Summary: "wait for a callback"}),
			act:    p.graceOver,
		}
	}
}

// review says what a person has to do.
func (p *payout) review() string {
	if p.proposed != "" {
		return "A second person has to confirm what " + p.proposed + " proposed: resolve it to the same end. The gateway is still asked now and then."
	}
	return "Waits for a person: resolve it with evidence. The gateway is still asked now and then."
}

// holdUp says why the create has no outcome yet.
func (p *payout) holdUp() string {
	switch p.standing.Reason.Code {
	case order.CodeGatewayPaused:
		return "The gateway refuses every call of this merchant: look at its key, address and status. The order is held back and sent by itself once that is mended."
	case order.CodeGatewayDoubt:
		return "The gateway has probably refused the order. The funds are released once it says that it has no such order."
	case order.CodeGatewayShort:
		return "The gateway has probably refused the order for want of funds. Once it says that it has no such order, the order waits for funds or fails, as its policy says."
	case order.CodeGatewayAway:
		return "The gateway cannot be reached. The order is sent as soon as it can be."
	}
	if !p.sent {
		return "The order has not been sent yet. It is sent as soon as a worker can."
	}
	return fmt.Sprintf("It is not known whether the gateway has the order. It is asked until there is proof, at the latest until %s; the funds stay reserved.", order.SayTime(p.deadline))
}

// poll asks until the gateway has decided. In review there is no end to it.
func (p *payout) poll(ctx workflow.Context, inReview bool) question {
	patience := time.Duration(0)
	if !inReview {
		patience = p.left(ctx, p.deadline)
	}
	asking := forGateway(ctx, "ask the gateway", p.plan.Attempt, patience)
	input := activities.PollInput{Key: p.request.Key(), InReview: inReview}
	return question{
		future: workflow.ExecuteActivity(asking, gateway.Poll, input),
		act:    p.polled,
	}
}

// graceOver turns to asking, because no callback came.
func (p *payout) graceOver(ctx workflow.Context, timer workflow.Future) error {
	p.askNow = true
	return timer.Get(ctx, nil)
}

// foundOut takes over how far the order has come on its way to the gateway.
func (p *payout) foundOut(ctx workflow.Context, answer workflow.Future) error {
	var sending activities.Sending
	if err := answer.Get(ctx, &sending); err != nil {
		return p.noProof(ctx, err)
	}
	if !p.stands(sending.Standing) {
		return p.look(ctx) // what else was answered is as old
	}
	p.told++
	p.heldUp = sending.Reason.Code
	if sending.Sent && !p.sent {
		p.told = 0
		p.lookForProof(ctx)
	}
	return nil
}

// fundsCame goes on with an order that was sent again, or has failed without
// funds. The horizon begins anew: until now there was proof.
func (p *payout) fundsCame(ctx workflow.Context, answer workflow.Future) error {
	p.lookForProof(ctx)
	return p.foundOut(ctx, answer)
}

func (p *payout) polled(ctx workflow.Context, answer workflow.Future) error {
	var finding order.Finding
	if err := answer.Get(ctx, &finding); err != nil {
		return p.noProof(ctx, err)
	}
	before := p.standing.State
	var standing order.Standing
	if err := p.write(ctx, "settle by query", &standing, books.Settle, p.request.Key(), finding); err != nil {
		return err
	}
	err := p.takes(ctx, standing)
	p.fruitless = p.standing.State == before // it cannot be booked: a discrepancy is open
	return err
}

// applyCallback acts on a callback; if it alone is not enough, the gateway is
// asked at once.
func (p *payout) applyCallback(ctx workflow.Context, id string) error {
	var applied activities.Applied
	if err := p.write(ctx, "apply callback", &applied, books.ApplyCallback, p.request.Key(), id); err != nil {
		return err
	}
	p.stands(applied.Standing)
	if applied.Ask {
		p.askNow = true
		if !slices.Contains(p.claims, id) {
			p.claims = append(p.claims, id)
		}
	}
	return nil
}

// settleClaims applies the callbacks again that made us ask, now that the
// order has ended. What the end bears out is done with; a contradiction opens
// a discrepancy. A refund that the gateway does not know yet stays in the
// inbox, from which the sweep hands it to a workflow of its own.
func (p *payout) settleClaims(ctx workflow.Context) error {
	for _, id := range p.claims {
		if err := p.applyCallback(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
