// Package workflows holds the durable life of every order, one workflow per
// order, and the reconciliations. A file per workflow; payout.go and await.go
// hold what deposits and withdrawals share.
//
// Workflow code sees no SQL, no HTTP, no clock and no environment: whatever
// it needs to know comes from an activity and is recorded.
package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The activities are referred to by method; the worker registers instances.
var (
	books   *activities.Books
	gateway *activities.Gateway
)

// payout is one order under way.
type payout struct {
	request   order.Request
	standing  order.Standing
	plan      activities.Plan
	written   bool   // the ledger has the order, or has refused it
	sent      bool   // the gateway may have a create of it
	told      int    // how often in a row that was told anew
	heldUp    string // the code of what keeps the create from an outcome, as last told
	fruitless bool   // what was asked last has changed nothing: it is not asked again at once

	// Times of this workflow's own clock. What the ledger's clock says comes as
	// what is left.
	unasked       bool      // the gateway is asked before the order is ended, although nothing was sent
	approveBefore time.Time // when waiting for an approval ends
	fundsBefore   time.Time // when waiting for funds ends, in the ledger and at the gateway
	deadline      time.Time // when looking for proof ends and a person is asked

	unread    []string                // ids in the inbox that signals named, still to be acted on; "" for one that nobody could decrypt
	heard     int                     // signals taken in by this run
	updates   int                     // updates taken in by this run
	overheard []order.Reason          // what is ignored, one of each kind
	ignored   int                     // how many of those are on record
	cancelled workflow.ReceiveChannel // somebody asked Temporal to cancel the workflow; nil once seen
	wake      workflow.Channel        // a message handler changed something
	askNow    bool                    // ask the gateway without waiting first
	claims    []string                // callbacks that only made us ask
	proposed  string                  // who has proposed how to resolve a review; a second person confirms
	trouble   order.Reason            // why something has to be tried again that should just work; empty: nothing has
	resumed   bool                    // this run goes on from an earlier one
	leaving   bool                    // this run is about to end and the next to begin

	unrecorded bool // it was refused before anything was written down, and that is on record

	refusals map[string]refusals // of actions that were refused; see insists

	next    string      // what happens next, for people
	shown   order.State // the state that the search attributes say
	flagged bool        // the search attributes say that a person is needed
}

func newPayout(ctx workflow.Context, request order.Request) *payout {
	p := &payout{
		request:  request,
		standing: order.Standing{State: order.Created},
		shown:    order.Created,
		wake:     workflow.NewBufferedChannel(ctx, 1),
	}
	p.cancelled = ctx.Done()
	p.handleMessages(ctx)
	return p
}

// ended is what happens next to an order that has ended.
const ended = "Nothing: the order has ended."

// run is the whole life of an order. Its result is a business outcome: an
// order that failed is a workflow that completed. Nothing fails it: its only
// error begins a new run.
//
// A cancellation of the workflow never abandons an order: money may be on its
// way. Everything runs apart from it, and the operator is told.
func (p *payout) run(ctx workflow.Context) (order.View, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p.listen(ctx)
	p.complete(ctx)
	for _, part := range []func(workflow.Context) error{p.open, p.clear, p.submit, p.await, p.settleClaims} {
		if part(ctx) != nil { // errFull: there is no other
			return order.View{}, p.turnOver(ctx)
		}
	}
	p.show(ctx, ended)
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }) // the context is never cancelled
	return p.view(), nil
}

// complete sets the search attributes of an order that was started by other
// means than our client.
func (p *payout) complete(ctx workflow.Context) {
	if workflow.GetTypedSearchAttributes(ctx).ContainsKey(contract.AttributeKind) {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, contract.StartAttributes(p.request)...); err != nil {
		workflow.GetLogger(ctx).Warn("Search attributes were not set", "error", err)
	}
}

// open writes the order down and reserves its funds. The first order of a
// merchant waits until the opening balance is booked.
func (p *payout) open(ctx workflow.Context) error {
	p.show(ctx, "The order is being written down.")
	opened, err := p.tryOpen(ctx)
	for err == nil && (opened.BooksClosed || opened.Elsewhere.Code != "") {
		if opened.Elsewhere.Code != "" {
			opened, err = p.openElsewhere(ctx, opened.Elsewhere)
			continue
		}
		var booked bool
		if booked, err = p.openBooks(ctx, opened.Plan.Attempt); err == nil {
			opened, err = p.tryOpen(ctx)
		}
		if err == nil && booked && opened.BooksClosed { // they were opened in another currency
			err = p.pause(ctx, temporal.NewApplicationError(
				"the books of merchant "+p.request.Merchant+" are not open in the order's currency", order.CodeUnknownMerchant))
		}
	}
	if err != nil {
		return err
	}
	p.written = true
	p.resume(ctx, opened)
	if code := p.standing.Reason.Code; p.standing.Unwritten() && (code == order.CodeInvalidRequest || code == order.CodeUnknownMerchant) {
		if err := p.write(ctx, "note the refusal", nil, books.RefuseStart, p.standing.Reason); err != nil {
			return err
		}
		p.unrecorded = true
	}
	return nil
}

// resume goes on from where the ledger has the order.
func (p *payout) resume(ctx workflow.Context, opened activities.Opened) {
	p.standing = opened.Standing
	if !p.resumed || p.plan.Attempt == 0 {
		p.plan = opened.Plan
	}
	p.approveBefore = workflow.Now(ctx).Add(opened.Plan.ApprovalLeft)
	p.fundsBefore = workflow.Now(ctx).Add(opened.Plan.FundsLeft)
	p.heldUp, p.unasked = "", opened.Unasked
	switch {
	case !opened.Sent:
		p.sent = false
	case !p.sent: // else the horizon began in an earlier run
		p.lookForProof(ctx)
	}
}

// look asks the ledger where the order stands, whatever was heard before: an
// answer was older than what is known, because it was overtaken or because an
// older copy of the ledger was restored.
func (p *payout) look(ctx workflow.Context) error {
	var opened activities.Opened
	if err := p.write(ctx, "look at the order", &opened, books.Look, p.request.Key()); err != nil {
		return err
	}
	p.resume(ctx, opened)
	return nil
}

// openBooks waits until the merchant's opening balance is booked. One that
// cannot be read waits for a person.
func (p *payout) openBooks(ctx workflow.Context, attempt time.Duration) (booked bool, err error) {
	p.show(ctx, "Waiting for the gateway to tell the merchant's balance; it is booked as the opening one.")
	asking := forGateway(ctx, "opening balance of "+p.request.Merchant, attempt, 0)
	balance := workflow.ExecuteActivity(asking, gateway.OpenBooks, p.request.Merchant)
	if err := p.during(ctx, balance); err != nil {
		return false, err
	}
	if err := balance.Get(ctx, nil); err != nil {
		return false, p.pause(ctx, err)
	}
	p.trouble = order.Reason{}
	return true, nil
}

func (p *payout) tryOpen(ctx workflow.Context) (activities.Opened, error) {
	var opened activities.Opened
	err := p.write(ctx, "open the order", &opened, books.Open, p.request)
	return opened, err
}

// openElsewhere leaves the opening to a worker that has what this one lacks, for
// as long as it takes to find one.
func (p *payout) openElsewhere(ctx workflow.Context, lacking order.Reason) (activities.Opened, error) {
	p.trouble = lacking
	p.show(ctx, "The order waits for another worker: "+lacking.Text+".")
	var opened activities.Opened
	asking := workflow.ExecuteActivity(forAnyWorker(ctx, "open the order on another worker"), books.OpenElsewhere, p.request)
	if err := p.during(ctx, asking); err != nil {
		return opened, err
	}
	if err := asking.Get(ctx, &opened); err != nil {
		if err = p.pause(ctx, err); err != nil {
			return opened, err
		}
		return p.tryOpen(ctx)
	}
	p.trouble = order.Reason{}
	return opened, nil
}

// submit sends the create once. Whatever is not certain then is found out in
// await. Callbacks that come before the answer wait to be attended to.
func (p *payout) submit(ctx workflow.Context) error {
	if !p.standing.State.Sendable() {
		return nil
	}
	p.show(ctx, "The order is being sent to the gateway.")
	asking := forGateway(ctx, "create "+contract.Summary(p.request), p.plan.Attempt, 0)
	sent := workflow.ExecuteActivity(asking, gateway.Submit, p.request.Key())
	if err := p.during(ctx, sent); err != nil {
		return err
	}
	return p.foundOut(ctx, sent)
}

// lookForProof begins the horizon: the gateway may have a create of the order.
// What was never sent waits without one.
func (p *payout) lookForProof(ctx workflow.Context) {
	p.sent = true
	p.deadline = workflow.Now(ctx).Add(p.plan.Horizon)
}

// takes takes over where an answer says that the order stands, or looks where it
// does if the answer is older than what is known. Its only error is errFull.
func (p *payout) takes(ctx workflow.Context, standing order.Standing) error {
	if p.stands(standing) {
		return nil
	}
	return p.look(ctx)
}

// stands notes where the order stands, unless that is old news: an operator's
// action and the order's own next step write the ledger side by side, and may
// be heard of in the other order.
func (p *payout) stands(standing order.Standing) bool {
	if order.Precedes(p.request.Kind, standing.State, p.standing.State) {
		return false
	}
	p.standing = standing
	return true
}

// left is how long it is until a deadline. It is never zero, because zero means
// for ever.
func (p *payout) left(ctx workflow.Context, deadline time.Time) time.Duration {
	return max(deadline.Sub(workflow.Now(ctx)), time.Second)
}

// noProof hands the order to a person, because a question to the gateway
// ended in an error: its horizon has passed, or the answer contradicts. After
// any other error it is asked again. An order that was never sent cannot be
// reviewed: it is sent later. Its only error is errFull.
func (p *payout) noProof(ctx workflow.Context, err error) error {
	if astray(err) {
		return p.pause(ctx, err)
	}
	before := p.standing.State
	defer func() { p.fruitless = p.standing.State == before }()
	reason := order.Reason{Code: order.CodeNoProof, Text: "no proof within " + p.plan.Horizon.String()}
	var cause *temporal.ApplicationError
	switch {
	case errors.As(err, &cause) && cause.Type() == activities.ErrorBehind:
		return p.look(ctx)
	case cause != nil && cause.Type() == activities.ErrorMismatch:
		reason = order.Reason{Code: order.CodeMismatch, Text: cause.Message()}
	case !p.sent:
		workflow.GetLogger(ctx).Error("An order could not be sent", "error", err)
		return nil
	}
	var standing order.Standing
	if err := p.write(ctx, "hand to a person", &standing, books.Review, p.request.Key(), reason); err != nil {
		return err
	}
	return p.takes(ctx, standing)
}

func (p *payout) view() order.View {
	view := p.request.View(p.standing)
	view.Next, view.Unrecorded = p.next, p.unrecorded
	return view
}
