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

// Any Temporal client may start an order's workflow, with any input. A workflow
// with an invalid input completes as a rejected order with INVALID_REQUEST and the
// member's name. Its result says that the ledger has no such order, so the number
// may be used again. The merchant's audit records the attempt.

// start decodes the input of an order's workflow. If the input is no order it
// returns a refusal; the order then has only its kind and the key from the
// workflow id.
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

// shortestLife is the shortest timeout that an order's workflow may have. A server
// may limit all workflows, to more than this; a shorter timeout was set by the
// caller.
const shortestLife = 365 * 24 * time.Hour

// startable makes only the checks that need no country profile: profiles may
// differ between workers, and every worker must decide this the same on replay.
func startable(ctx workflow.Context, kind order.Kind, request order.Request) error {
	info := workflow.GetInfo(ctx)
	switch {
	case request.Kind != "" && request.Kind != kind:
		return order.Refuse(order.CodeInvalidRequest, "member kind must be %s, the kind of the workflow's type, or left out", kind)
	case !request.Key().WellFormed():
		return order.Refuse(order.CodeInvalidRequest, "member merchant must be 1 to 32 letters and digits; member number must be 1 to 64 letters, digits, hyphens and underscores")
	case !countryForm.MatchString(request.Country):
		return order.Refuse(order.CodeInvalidRequest, "member country must be two capitals, ISO 3166")
	case tooShort(info.WorkflowExecutionTimeout) || tooShort(info.WorkflowRunTimeout):
		return order.Refuse(order.CodeInvalidRequest, "start an order's workflow without an execution timeout and without a run timeout: a timeout could end it while money is on its way")
	}
	return nil
}

func tooShort(timeout time.Duration) bool { return timeout > 0 && timeout < shortestLife }

// refuse completes a workflow whose input is no order. The result says why.
func (p *payout) refuse(ctx workflow.Context, raw converter.RawValue) (order.View, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p.written = true
	p.complete(ctx)
	p.show(ctx, ended)
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.WorkflowType(p.request.Kind), raw) }
	if err := persist(ctx, "note the refusal", again, nil, books.RefuseStart, p.standing.Reason); err != nil {
		return order.View{}, err // continue-as-new is the only possible error
	}
	p.unrecorded = true
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }) // the context is never cancelled
	return p.view(), nil
}
