package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// What an operator may do to an order. Each is decided in the ledger and leaves
// a trace in the order's audit, refused or done. The error of what is not done
// is an *order.Refusal with the code of its reason.

// Approve lets an order go ahead that waits for a second person. The
// fingerprint is that of the order as the approver saw it.
func (c *Client) Approve(ctx context.Context, kind order.Kind, key order.Key, approval order.Approval) (order.View, error) {
	return c.act(ctx, kind, key, workflows.ApproveUpdate, approval, activities.Action{Approve: &approval})
}

// Reject ends an order that waits for a second person.
func (c *Client) Reject(ctx context.Context, kind order.Kind, key order.Key, rejection order.Rejection) (order.View, error) {
	return c.act(ctx, kind, key, workflows.RejectUpdate, rejection, activities.Action{Reject: &rejection})
}

// Cancel withdraws an order before anything was sent.
func (c *Client) Cancel(ctx context.Context, kind order.Kind, key order.Key, cancellation order.Cancellation) (order.View, error) {
	return c.act(ctx, kind, key, workflows.CancelUpdate, cancellation, activities.Action{Cancel: &cancellation})
}

// Resolve ends an order in review with an operator's evidence. Where two
// persons decide, the first call proposes and the view's Next says so.
func (c *Client) Resolve(ctx context.Context, kind order.Kind, key order.Key, resolution order.Resolution) (order.View, error) {
	return c.act(ctx, kind, key, workflows.ResolveUpdate, resolution, activities.Action{Resolve: &resolution})
}

// Note adds a remark to an order's audit, in whatever state it is.
func (c *Client) Note(ctx context.Context, kind order.Kind, key order.Key, note order.Note) (order.View, error) {
	return c.act(ctx, kind, key, workflows.NoteUpdate, note, activities.Action{Note: &note})
}

// act sends an update to the order's workflow. When no workflow runs, because
// the order has ended or there is none of its number, a short workflow of its
// own decides and audits.
func (c *Client) act(
	ctx context.Context, kind order.Kind, key order.Key, name string, argument any, action activities.Action,
) (order.View, error) {
	view, err := c.update(ctx, kind, key, name, argument)
	if code := order.CodeOf(err); code != order.CodeOrderNotFound && code != order.CodeTerminal {
		return view, err
	}
	run, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID:            fmt.Sprintf("act:%s:%s:%s", key.Merchant, key.Number, uuid.NewString()),
		TaskQueue:     workflows.Queue,
		StaticSummary: name + " without a workflow",
	}, workflows.OperatorActionType, workflows.OperatorActionInput{Key: key, Action: action})
	if err != nil {
		return order.View{}, unreachable("act on order "+key.String(), err)
	}
	var acted activities.Acted
	if err := run.Get(ctx, &acted); err != nil {
		return order.View{}, readError(ctx, key, err)
	}
	if acted.Refusal != nil {
		return order.View{}, &order.Refusal{Reason: *acted.Refusal}
	}
	return order.View{Kind: kind, Merchant: key.Merchant, Number: key.Number, Standing: acted.Standing}, nil
}

// Adopt drives an open order again that no workflow drives, from where the
// ledger says it stands. The request is the ledger's own. An order that a
// workflow drives is refused with WORKFLOW_RUNNING, one that has ended with
// ORDER_ENDED.
func (c *Client) Adopt(ctx context.Context, row order.Order) (Started, error) {
	if row.State.Terminal() {
		return Started{}, order.Refuse(order.CodeTerminal, "order %s has ended: %s", row.Number, row.State)
	}
	options := startOptions(row.Request)
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE // the one that ended was not the end of the order
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	run, err := c.temporal.ExecuteWorkflow(ctx, options, workflowType(row.Kind), row.Request)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		return Started{}, order.Refuse(order.CodeWorkflowRunning, "a workflow drives order %s; there is nothing to adopt", row.Number)
	}
	if err != nil {
		return Started{}, unreachable("adopt the order", err)
	}
	return Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}
