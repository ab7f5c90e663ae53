package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/order"
)

// clear waits until the order may be sent: until a second person has approved
// it, and until its funds are there, each with its deadline. Nothing has been
// sent yet, so whatever ends the order here is final.
func (p *payout) clear(ctx workflow.Context) error {
	for {
		var err error
		switch p.standing.State {
		case order.AwaitingApproval:
			err = p.awaitApproval(ctx)
		case order.AwaitingFunds:
			err = p.awaitFunds(ctx)
		default:
			p.lookForProof(ctx)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// lookForProof begins the horizon, when the order may be sent.
func (p *payout) lookForProof(ctx workflow.Context) {
	p.deadline = workflow.Now(ctx).Add(p.plan.Horizon)
}

func (p *payout) awaitApproval(ctx workflow.Context) error {
	wait := max(p.opened.Add(p.plan.ApprovalDeadline).Sub(workflow.Now(ctx)), 0)
	p.show(ctx, fmt.Sprintf("Waits for a second person: approve or reject it, at the latest %s; then it is rejected.", clock(workflow.Now(ctx).Add(wait))))
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	deadline := workflow.NewTimerWithOptions(waiting, wait, workflow.TimerOptions{Summary: "wait for an approval"})
	return p.first(ctx, deadline, func(workflow.Future) error {
		summary := forLedger(ctx, "nobody approved it")
		return p.learn(ctx, workflow.ExecuteLocalActivity(summary, books.RejectUnanswered, p.request.Key()))
	})
}

func (p *payout) awaitFunds(ctx workflow.Context) error {
	patience := max(p.fundsDue().Sub(workflow.Now(ctx)), balanceAttempt)
	p.show(ctx, fmt.Sprintf("Waits until the balance covers it, at the latest %s; then it fails.", clock(workflow.Now(ctx).Add(patience))))
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	funds := workflow.ExecuteActivity(forBooks(waiting, "wait for funds", patience), books.AwaitFunds, p.request.Key())
	return p.first(ctx, funds, func(funds workflow.Future) error {
		if p.learn(ctx, funds) == nil {
			return nil
		}
		return p.learn(ctx, workflow.ExecuteLocalActivity(forLedger(ctx, "no funds came"), books.FailFunds, p.request.Key()))
	})
}

// fundsDue is when waiting for funds ends, in the ledger and at the gateway.
func (p *payout) fundsDue() time.Time { return p.opened.Add(p.plan.FundsDeadline) }

// first waits for a future or for a message that changed something, whichever
// comes first, and acts on the future only.
func (p *payout) first(ctx workflow.Context, future workflow.Future, act func(workflow.Future) error) error {
	var err error
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(future, func(f workflow.Future) { err = act(f) })
	selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.Select(ctx)
	return err
}
