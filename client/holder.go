package client

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// holder is the workflow that has an order's id: its latest run.
type holder struct {
	contract.Holder
	key     order.Key
	run     string
	running bool
	ended   bool           // by itself
	state   order.State    // as Temporal's list has it
	foreign *order.Refusal // it is none that drives orders
}

// holder looks at the workflow that has an order's id. The error is Temporal's.
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

// squatted says why the holder drives no order; "" when it does.
func (h holder) squatted() string {
	if h.foreign == nil {
		return ""
	}
	return h.foreign.Text
}

// request reads what a run was started with. A memo would be less work, and
// anybody who starts a workflow writes the memo that they like.
func (c *Client) request(ctx context.Context, h holder) (order.Request, error) {
	var request order.Request
	events := c.temporal.GetWorkflowHistory(ctx, contract.WorkflowID(h.key), h.run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return request, fmt.Errorf("the history of order %s is empty", h.key)
	}
	first, err := events.Next()
	if err != nil {
		return request, unreachable("read what the order was started with", err)
	}
	var raw converter.RawValue
	if err := c.data.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &raw); err != nil {
		return request, err
	}
	if raw.Payload() != nil && contract.Encrypted(raw.Payload()) {
		return request, cannotRead(h.key)
	}
	if err := order.Read(raw.Payload().GetData(), &request); err != nil { // as strictly as its workflow does
		return request, order.Refuse(order.CodeOrderConflict,
			"the number %s belongs to a workflow that was started with something else than an order; look at it in Temporal, and delete it if it is nobody's", h.key.Number)
	}
	request.Kind = h.Kind() // the type of a workflow says it, whatever its input says
	return request, nil
}

// free reports whether the number may be used again: the workflow that has it
// ended as one that was refused before anything was written down, or because the
// ledger has another order of the number, by its own result. Where the ledger has
// an order of the number, that answers.
func (c *Client) free(ctx context.Context, h holder) bool {
	if !h.ended || h.foreign != nil || h.state != order.Rejected {
		return false
	}
	var view order.View
	err := c.temporal.GetWorkflow(ctx, contract.WorkflowID(h.key), h.run).Get(ctx, &view)
	return err == nil && view.Unwritten() && (view.Unrecorded || view.Reason.Code == order.CodeOrderConflict)
}

// sameOrder says why the workflow that has a request's id is not the request's,
// whatever else it claims; nil when its queue, type and content are.
func (c *Client) sameOrder(ctx context.Context, h holder, request order.Request) error {
	if h.foreign != nil {
		return h.foreign
	}
	there, err := c.request(ctx, h)
	if err != nil {
		return err
	}
	if there.Fingerprint() != request.Fingerprint() {
		return order.OtherContent(request.Number)
	}
	return nil
}

// repeated answers for a request that today's rules refuse, when it repeats one
// that was taken before: the order may be at the gateway. Else the refusal stands.
func (c *Client) repeated(ctx context.Context, request order.Request, refusal error) (Started, error) {
	var invalid *order.Invalid
	if errors.As(refusal, &invalid) && invalid.Names("kind", "merchant", "number") {
		return Started{}, refusal // no order has ever had such a name
	}
	started, _, err := c.existing(ctx, request)
	if err != nil {
		return Started{}, refusal
	}
	return started, nil
}

// errFree says that the workflow that has a request's id is none that counts: the
// id may be used again.
var errFree = errors.New("the number is free")

// existing compares the workflow that has a request's id with the request. The
// error is errFree when the id may be used again.
func (c *Client) existing(ctx context.Context, request order.Request) (Started, holder, error) {
	h, err := c.holder(ctx, request.Key())
	if err != nil {
		return Started{}, h, unreachable("look at the order", err)
	}
	if c.free(ctx, h) {
		return Started{}, h, errFree
	}
	if err := c.sameOrder(ctx, h, request); err != nil {
		return Started{}, h, err
	}
	return Started{WorkflowID: contract.WorkflowID(request.Key()), RunID: h.run, Existing: true}, h, nil
}
