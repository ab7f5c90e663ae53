package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// clear waits until the order may be sent: until a second person has approved it, until its
// time has come, and until its funds are reserved. Each wait has a deadline. Nothing has been
// sent yet, so an order that ends here ends for good.
func (p *payout) clear(ctx workflow.Context) error {
	for {
		err := p.full(ctx)
		switch {
		case err != nil:
		case p.mustAskFirst && rules.Uncleared(p.standing.State):
			err = p.askFirst(ctx)
		case p.standing.State == order.AwaitingApproval:
			err = p.awaitApproval(ctx)
		case p.standing.State == order.Scheduled:
			err = p.awaitRelease(ctx)
		case p.standing.State == order.AwaitingFunds:
			err = p.awaitFunds(ctx)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// askFirst queries the gateway for the order before anything ends it: the ledger
// may be a restored copy that is older than a create. If a person approves
// meanwhile, the activity that sends the create makes the query.
func (p *payout) askFirst(ctx workflow.Context) error {
	p.show(ctx, "The gateway is asked whether it has the order: the ledger may be an older copy that was restored.")
	asking, stop := workflow.WithCancel(ctx)
	defer stop()
	answer := workflow.ExecuteActivity(forGateway(asking, "ask first", p.plan.Attempt, 0), gateway.AskFirst, p.request.Key())
	return p.awaitFirst(ctx, answer, func(answer workflow.Future) error {
		var sending activities.Sending
		if err := answer.Get(ctx, &sending); err != nil {
			before := p.standing.State
			if full := p.noProof(ctx, err); full != nil || p.standing.State != before {
				return full
			}
			return p.pause(ctx, err)
		}
		p.retryReason = order.Reason{}
		p.mustAskFirst = false
		if sending.Sent && !p.sent {
			p.lookForProof(ctx)
		}
		return p.apply(ctx, sending.Standing)
	})
}

func (p *payout) awaitApproval(ctx workflow.Context) error {
	p.show(ctx, fmt.Sprintf("Waits for an approval: approve or reject the order by %s; then it is rejected.", saytime.Say(p.approveBefore)))
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	deadline := workflow.NewTimerWithOptions(waiting, p.left(ctx, p.approveBefore), workflow.TimerOptions{Summary: "wait for an approval"})
	return p.awaitFirst(ctx, deadline, func(workflow.Future) error {
		return p.expire(ctx, "nobody approved it", books.RejectUnanswered, &p.approveBefore)
	})
}

// awaitRelease waits until the time of a scheduled order. A message does not end the wait:
// clear calls again, and it goes on. Callbacks are applied meanwhile: one about an order that
// was not sent is a matter for a person, who must not learn of it in a year.
func (p *payout) awaitRelease(ctx workflow.Context) error {
	p.show(ctx, fmt.Sprintf("Waits for its time, %s; then its funds are reserved and it is sent. It may be cancelled until then.", saytime.Say(p.request.NotBefore)))
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	timer := workflow.NewTimerWithOptions(waiting, p.left(ctx, p.releaseAt), workflow.TimerOptions{Summary: "wait for the order's time"})
	err := p.awaitFirst(ctx, timer, func(workflow.Future) error { return p.release(ctx) })
	if err == nil && p.standing.State == order.Scheduled {
		err = p.applyCallbacks(ctx)
	}
	return err
}

// release has the ledger release a scheduled order. The ledger's clock decides: if it is
// before the order's time, release stores how long the order still has to wait.
func (p *payout) release(ctx workflow.Context) error {
	var opened activities.Opened
	if err := p.write(ctx, "release the order", &opened, books.Release, p.request.Key()); err != nil {
		return err
	}
	if rules.Precedes(p.request.Kind, opened.Standing.State, p.standing.State) {
		return p.reload(ctx) // an action of a person has overtaken the answer
	}
	p.resume(ctx, opened)
	return nil
}

func (p *payout) awaitFunds(ctx workflow.Context) error {
	patience := max(p.fundsBefore.Sub(workflow.Now(ctx)), balanceAttempt)
	p.show(ctx, fmt.Sprintf("Waits until the balance covers the order, at the latest until %s; then it fails.", saytime.Deadline(workflow.Now(ctx).Add(patience))))
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	funds := workflow.ExecuteActivity(forBooks(waiting, "wait for funds", patience), books.AwaitFunds, p.request.Key())
	return p.awaitFirst(ctx, funds, func(funds workflow.Future) error {
		var standing order.Standing
		if funds.Get(ctx, &standing) == nil {
			return p.apply(ctx, standing)
		}
		return p.expire(ctx, "no funds came", books.FailFunds, &p.fundsBefore)
	})
}

// expire has the ledger end the order at a deadline. The ledger's clock decides:
// if it is before the deadline, expire stores how long the order still has to
// wait.
func (p *payout) expire(ctx workflow.Context, summary string, activity any, deadline *time.Time) error {
	var expired activities.Expired
	if err := p.write(ctx, summary, &expired, activity, p.request.Key()); err != nil {
		return err
	}
	if !p.store(expired.Standing) {
		return p.reload(ctx)
	}
	*deadline, p.mustAskFirst = workflow.Now(ctx).Add(expired.Left), p.mustAskFirst || expired.Unasked
	return nil
}

// awaitFirst waits for a future or for a message that changed something, whichever
// comes first. It calls act only for the future.
func (p *payout) awaitFirst(ctx workflow.Context, future workflow.Future, act func(workflow.Future) error) error {
	var err error
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(future, func(f workflow.Future) { err = act(f) })
	selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.Select(ctx)
	if err == nil {
		err = p.noteIgnored(ctx)
	}
	return err
}
