// Package workflows contains the Temporal workflows: one for each order, the
// reconciliations, the search for orphans, and operators' actions. There is a file
// per workflow; payout.go and await.go contain what deposits and withdrawals
// share.
//
// Workflow code uses no SQL, no HTTP, no clock and no environment. Everything it
// needs from outside comes from an activity, so that it is recorded.
package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The activities are named by method values of nil pointers; the worker registers
// the instances.
var (
	books   *activities.Books
	gateway *activities.Gateway
)

// payout is the state of one order's workflow.
type payout struct {
	request   order.Request
	standing  order.Standing
	plan      activities.Plan
	written   bool   // the ledger has the order, or has refused it
	sent      bool   // the gateway may have a create of it
	reports   int    // how many times in a row FindOut returned only to report another hold-up
	heldUp    string // the code of the last reported hold-up of the create
	unchanged bool   // the last answer changed nothing: the next query pauses first

	// Times on the workflow's clock. Deadlines of the ledger's clock arrive as
	// remaining durations.
	mustAskFirst  bool      // the gateway must be queried before the order is ended, although no create is on record
	approveBefore time.Time // when waiting for an approval ends
	releaseAt     time.Time // when a scheduled order is released
	fundsBefore   time.Time // when waiting for funds ends, in the ledger and at the gateway
	deadline      time.Time // when the search for proof ends and the order goes to review

	unread         []string                // inbox ids from signals, still to be applied; "" for a signal that this worker could not decrypt
	signals        int                     // signals received by this run
	updates        int                     // updates accepted by this run
	ignoredReasons []order.Reason          // ignored messages, one for each reason code
	audited        int                     // how many of those are audited
	cancelled      workflow.ReceiveChannel // somebody asked Temporal to cancel the workflow; nil once seen
	wake           workflow.Channel        // a message handler changed something
	askNow         bool                    // ask the gateway without waiting first
	claims         []string                // callbacks that wait for confirmation by a query
	proposed       string                  // who has proposed a resolution; a second person confirms it
	outcome        string                  // what was proposed, for people
	retryReason    order.Reason            // why a ledger write or another internal step is being retried; empty if none is
	resumed        bool                    // this run continues an earlier one
	leaving        bool                    // this run is about to end and the next to begin

	unrecorded bool // the order was refused before the ledger had it, and the refusal is audited

	refusals map[string]refusals // of operators' actions; see checkRepeated

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

// ended is the text for what happens next to an order that has ended.
const ended = "Nothing: the order has ended."

// run drives the order from its opening to its end. Its result is a business
// outcome: the workflow of a failed order completes. The workflow never fails; its
// only error is continue-as-new.
//
// A cancellation of the workflow never abandons an order: money may be on its way.
// So everything runs in a disconnected context, and the details in the Temporal UI
// say that a cancellation was requested.
func (p *payout) run(ctx workflow.Context) (order.View, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p.listen(ctx)
	p.complete(ctx)
	for _, part := range []func(workflow.Context) error{p.open, p.clear, p.submit, p.await, p.settleClaims} {
		if part(ctx) != nil { // errFull is the only possible error
			return order.View{}, p.continueAsNew(ctx)
		}
	}
	p.show(ctx, ended)
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }) // the context is never cancelled
	return p.view(), nil
}

// complete sets the search attributes of an order that was not started by package
// client.
func (p *payout) complete(ctx workflow.Context) {
	if workflow.GetTypedSearchAttributes(ctx).ContainsKey(contract.AttributeKind) {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, contract.StartAttributes(p.request)...); err != nil {
		workflow.GetLogger(ctx).Warn("Search attributes were not set", "error", err)
	}
}

// open writes the order to the ledger and reserves its funds. The first order of a
// merchant waits until the merchant's opening balance is booked.
func (p *payout) open(ctx workflow.Context) error {
	p.show(ctx, "The order is being written to the ledger.")
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
		if err == nil && booked && opened.BooksClosed { // the merchant's accounts were opened in another currency
			err = p.pause(ctx, temporal.NewApplicationError(
				"the books of merchant "+p.request.Merchant+" are not open in the order's currency", order.CodeUnknownMerchant))
		}
	}
	if err != nil {
		return err
	}
	p.written = true
	p.resume(ctx, opened)
	if code := p.standing.Reason.Code; rules.Unwritten(p.standing) && (code == order.CodeInvalidRequest || code == order.CodeUnknownMerchant) {
		if err := p.write(ctx, "note the refusal", nil, books.RefuseStart, p.standing.Reason); err != nil {
			return err
		}
		p.unrecorded = true
	}
	return nil
}

// resume takes over the ledger's state of the order.
func (p *payout) resume(ctx workflow.Context, opened activities.Opened) {
	p.standing = opened.Standing
	if !p.resumed || p.plan.Attempt == 0 {
		p.plan = opened.Plan
	}
	p.approveBefore = workflow.Now(ctx).Add(opened.Plan.ApprovalLeft)
	p.fundsBefore = workflow.Now(ctx).Add(opened.Plan.FundsLeft)
	p.releaseAt = workflow.Now(ctx).Add(opened.Plan.ReleaseLeft)
	p.heldUp, p.mustAskFirst = "", opened.Unasked
	switch {
	case !opened.Sent:
		p.sent = false
	case !p.sent: // else an earlier run set the deadline for proof
		p.lookForProof(ctx)
	}
}

// reload replaces the workflow's copy of the order's state by the ledger's. It is
// called when an answer is older than that copy: another one has overtaken it, or
// an older copy of the ledger was restored.
func (p *payout) reload(ctx workflow.Context) error {
	var opened activities.Opened
	if err := p.write(ctx, "look at the order", &opened, books.Look, p.request.Key()); err != nil {
		return err
	}
	p.resume(ctx, opened)
	return nil
}

// openBooks waits until the merchant's opening balance is booked. If the gateway's
// balance cannot be read, the order waits until a person has acted.
func (p *payout) openBooks(ctx workflow.Context, attempt time.Duration) (booked bool, err error) {
	p.standing.Reason = order.Reason{Code: codes.BooksClosed, Text: "the merchant's first order waits until its balance at the gateway is booked as the opening balance"}
	p.show(ctx, "Waiting for the merchant's balance at the gateway; it is booked as the opening balance.")
	asking := forGateway(ctx, "opening balance of "+p.request.Merchant, attempt, 0)
	balance := workflow.ExecuteActivity(asking, gateway.OpenBooks, p.request.Merchant)
	if err := p.awaitFuture(ctx, balance); err != nil {
		return false, err
	}
	if err := balance.Get(ctx, nil); err != nil {
		return false, p.pause(ctx, err)
	}
	p.retryReason = order.Reason{}
	return true, nil
}

func (p *payout) tryOpen(ctx workflow.Context) (activities.Opened, error) {
	var opened activities.Opened
	err := p.write(ctx, "open the order", &opened, books.Open, p.request)
	return opened, err
}

// openElsewhere has another worker open the order, because this one lacks a key, a
// merchant or a country profile. It waits without a limit for such a worker.
func (p *payout) openElsewhere(ctx workflow.Context, lacking order.Reason) (activities.Opened, error) {
	p.retryReason = lacking
	p.show(ctx, "The order waits for another worker: "+lacking.Text+".")
	var opened activities.Opened
	asking := workflow.ExecuteActivity(forAnyWorker(ctx, "open the order on another worker"), books.OpenElsewhere, p.request)
	if err := p.awaitFuture(ctx, asking); err != nil {
		return opened, err
	}
	if err := asking.Get(ctx, &opened); err != nil {
		if err = p.pause(ctx, err); err != nil {
			return opened, err
		}
		return p.tryOpen(ctx)
	}
	p.retryReason = order.Reason{}
	return opened, nil
}

// submit sends the create once. If the outcome is uncertain, await finds it out.
// Callbacks that come before the create's answer stay queued until await.
func (p *payout) submit(ctx workflow.Context) error {
	if !rules.Sendable(p.standing.State) {
		return nil
	}
	p.show(ctx, "The order is being sent to the gateway.")
	asking := forGateway(ctx, "create "+contract.Summary(p.request), p.plan.Attempt, 0)
	sent := workflow.ExecuteActivity(asking, gateway.Submit, p.request.Key())
	if err := p.awaitFuture(ctx, sent); err != nil {
		return err
	}
	return p.applySending(ctx, sent)
}

// lookForProof notes that the gateway may have the order, and sets the deadline
// for proof. An order that was never sent has no such deadline.
func (p *payout) lookForProof(ctx workflow.Context) {
	p.sent = true
	p.deadline = workflow.Now(ctx).Add(p.plan.Horizon)
}

// apply stores an answer's standing. If the answer is older than the workflow's
// copy, it reloads the order from the ledger. Its only error is errFull.
func (p *payout) apply(ctx workflow.Context, standing order.Standing) error {
	if p.store(standing) {
		return nil
	}
	return p.reload(ctx)
}

// store stores a standing and returns true, unless the standing is older than the
// workflow's copy. An operator's action and the order's own next step write to the
// ledger concurrently, so their answers may arrive in the other order.
func (p *payout) store(standing order.Standing) bool {
	if rules.Precedes(p.request.Kind, standing.State, p.standing.State) {
		return false
	}
	p.standing = standing
	return true
}

// left returns the time until a deadline, at least a second, because a zero
// timeout means no limit.
func (p *payout) left(ctx workflow.Context, deadline time.Time) time.Duration {
	return max(deadline.Sub(workflow.Now(ctx)), time.Second)
}

// noProof handles a query that ended in an error. It sends the order to review if
// the deadline for proof has passed or the answer contradicts the order. After an
// error that says nothing about the order it pauses. An order that was never sent
// is not reviewed: it is sent later. Its only error is errFull.
func (p *payout) noProof(ctx workflow.Context, err error) error {
	if saysNothing(err) {
		return p.pause(ctx, err)
	}
	before := p.standing.State
	defer func() { p.unchanged = p.standing.State == before }()
	reason := order.Reason{Code: order.CodeNoProof, Text: "no proof within " + p.plan.Horizon.String()}
	var cause *temporal.ApplicationError
	switch {
	case errors.As(err, &cause) && cause.Type() == activities.ErrorBehind:
		return p.reload(ctx)
	case cause != nil && cause.Type() == activities.ErrorMismatch:
		reason = order.Reason{Code: codes.Mismatch, Text: cause.Message()}
	case !p.sent:
		workflow.GetLogger(ctx).Error("An order could not be sent", "error", err)
		return nil
	}
	var standing order.Standing
	if err := p.write(ctx, "hand to a person", &standing, books.Review, p.request.Key(), reason); err != nil {
		return err
	}
	return p.apply(ctx, standing)
}

func (p *payout) view() order.View {
	view := p.request.View(p.standing)
	view.Next, view.Unrecorded = p.next, p.unrecorded
	return view
}
