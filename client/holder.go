package client

import (
	"context"
	"errors"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// holder is the latest run of the workflow that has an order's id.
type holder struct {
	contract.Holder
	key     order.Key
	run     string
	running bool
	ended   bool           // it completed, and was not terminated
	state   order.State    // from the search attributes
	foreign *order.Refusal // why the workflow drives no order; nil if it drives one
}

// holder describes the workflow that has an order's id. The error is Temporal's.
func (c *Client) holder(ctx context.Context, key order.Key) (holder, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(key), "")
	if err != nil {
		return holder{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	is := contract.HolderOf(info)
	return holder{
		Holder: is, key: key, run: info.GetExecution().GetRunId(),
		running: info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		ended:   info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		state:   order.State(attribute[string](info.GetSearchAttributes().GetIndexedFields(), contract.AttributeState)),
		foreign: is.Refuse(key),
	}, nil
}

// squatted returns why the workflow drives no order; "" if it drives one.
func (h holder) squatted() string {
	if h.foreign == nil {
		return ""
	}
	return h.foreign.Text
}

// request reads the order that is the input of a run.
func (c *Client) request(ctx context.Context, h holder) (order.Request, error) {
	var request order.Request
	raw, err := c.input(ctx, contract.WorkflowID(h.key), h.run)
	if err != nil {
		return request, err
	}
	if raw.Payload() != nil && contract.Encrypted(raw.Payload()) {
		return request, cannotRead(h.key)
	}
	if err := order.Read(raw.Payload().GetData(), &request); err != nil { // as strictly as the workflow reads it
		return request, order.Refuse(order.CodeOrderConflict,
			"the number %s belongs to a workflow whose input is no order; look at it in Temporal, and delete it if nobody needs it", h.key.Number)
	}
	request.Kind = h.Kind() // the workflow's type decides, not its input
	return request, nil
}

// free reports whether the number may be used again. It may if the workflow's own
// result says that the order was refused, and either that nothing was recorded, or
// that the ledger has another order of the number. In the second case the ledger
// refuses the next start.
func (c *Client) free(ctx context.Context, h holder) bool {
	if !h.ended || h.foreign != nil || h.state != order.Rejected {
		return false
	}
	var view order.View
	err := c.temporal.GetWorkflow(ctx, contract.WorkflowID(h.key), h.run).Get(ctx, &view)
	return err == nil && rules.Unwritten(view.Standing) && (view.Unrecorded || view.Reason.Code == order.CodeOrderConflict)
}

// sameOrder returns the input of the workflow that has the request's id, if its
// queue, type and content are the request's. Otherwise the error is the reason.
func (c *Client) sameOrder(ctx context.Context, h holder, request order.Request) (there order.Request, err error) {
	if h.foreign != nil {
		return there, h.foreign
	}
	if there, err = c.request(ctx, h); err != nil {
		return there, err
	}
	if there.Fingerprint() != request.Fingerprint() {
		return there, rules.OtherContent(request.Key())
	}
	return there, nil
}

// repeated returns the existing order for a request that the current rules refuse,
// if the request repeats an order that was accepted earlier: the order may be at
// the gateway. Otherwise it returns the refusal.
func (c *Client) repeated(ctx context.Context, request order.Request, refusal error) (Started, error) {
	var invalid *order.Invalid
	if errors.As(refusal, &invalid) && slices.ContainsFunc(invalid.Problems, isOfKey) {
		return Started{}, refusal // no order can have such a key
	}
	started, _, err := c.existing(ctx, request)
	if err != nil {
		return Started{}, refusal
	}
	return started, nil
}

// isOfKey reports whether a problem is with what identifies an order.
func isOfKey(p order.Problem) bool {
	return slices.Contains([]string{"kind", "merchant", "number"}, p.Field)
}

// errFree means that the workflow that has a request's id recorded no order: the
// id may be used again.
var errFree = errors.New("the number is free")

// existing compares the workflow that has a request's id with the request. The
// error is errFree if the id may be used again.
func (c *Client) existing(ctx context.Context, request order.Request) (Started, holder, error) {
	h, err := c.holder(ctx, request.Key())
	if err != nil {
		return Started{}, h, unreachable("describe the order", err)
	}
	if c.free(ctx, h) {
		return Started{}, h, errFree
	}
	there, err := c.sameOrder(ctx, h, request)
	if err != nil {
		return Started{}, h, err
	}
	if request.RequestedBy != "" && !rules.SamePerson(there.RequestedBy, request.RequestedBy) {
		if err := c.noteRepeat(ctx, request); err != nil {
			return Started{}, h, err
		}
	}
	return Started{WorkflowID: contract.WorkflowID(request.Key()), RunID: h.run, Existing: true}, h, nil
}
