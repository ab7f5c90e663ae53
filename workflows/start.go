package workflows

import (
	"errors"
	"regexp"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// An order's workflow may be started by any SDK, with anything. What is no order
// ends as one that was refused, with INVALID_REQUEST and the member's name: the
// result says that nothing is on record of it as an order, so that its number may
// be used again, and the merchant's audit says that it was tried.

// start reads what an order's workflow was started with. The refusal says why it
// is no order; the order is then empty but for its name.
func start(ctx workflow.Context, kind order.Kind, raw, from converter.RawValue) (*payout, *order.Refusal) {
	mustDecrypt(raw)
	var request order.Request
	var no *order.Refusal
	err := read(raw, &request)
	if err == nil && !continued(ctx) {
		err = startable(ctx, kind, request)
	}
	if errors.As(err, &no) {
		request = order.Request{}
		if key, ok := contract.ParseWorkflowID(workflow.GetInfo(ctx).WorkflowExecution.ID); ok && key.WellFormed() {
			request.Merchant, request.Number = key.Merchant, key.Number
		}
	}
	request.Kind = kind
	p := newPayout(ctx, request)
	if no != nil {
		p.standing = order.Standing{State: order.Rejected, Reason: no.Reason}
		return p, no
	}
	p.takeOver(ctx, from)
	return p, nil
}

var countryForm = regexp.MustCompile(`^[A-Z]{2}$`)

// shortestLife is what an order's workflow must at least be given. A server may
// have a bound of its own for all workflows; a caller's is shorter.
const shortestLife = 365 * 24 * time.Hour

// startable refuses what no rule of a country has to be asked about: those may
// differ between workers, and this may not.
func startable(ctx workflow.Context, kind order.Kind, request order.Request) error {
	info := workflow.GetInfo(ctx)
	switch {
	case request.Kind != "" && request.Kind != kind:
		return order.Refuse(order.CodeInvalidRequest, "member kind must be %s, or left out: the workflow's type says it", kind)
	case !request.Key().WellFormed():
		return order.Refuse(order.CodeInvalidRequest, "members merchant and number must be letters and digits, 1 to 32, and letters, digits, hyphen and underscore, 1 to 64")
	case !countryForm.MatchString(request.Country):
		return order.Refuse(order.CodeInvalidRequest, "member country must be two capitals, ISO 3166")
	case brief(info.WorkflowExecutionTimeout) || brief(info.WorkflowRunTimeout):
		return order.Refuse(order.CodeInvalidRequest, "an order's workflow is started without an execution timeout and without a run timeout: money may be on its way when they end it")
	}
	return nil
}

func brief(timeout time.Duration) bool { return timeout > 0 && timeout < shortestLife }

// refuse ends a workflow that drives no order. Whoever waits for it is told why.
func (p *payout) refuse(ctx workflow.Context, raw converter.RawValue) (order.View, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p.written = true
	p.complete(ctx)
	p.show(ctx, ended)
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.WorkflowType(p.request.Kind), raw) }
	if err := persist(ctx, "note the refusal", again, nil, books.RefuseStart, p.standing.Reason); err != nil {
		return order.View{}, err // which begins a new run: there is no other
	}
	p.unrecorded = true
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }) // the context is never cancelled
	return p.view(), nil
}
