package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What an operator may do to an order. Each is decided in the ledger and leaves
// a trace in the order's audit, refused or done. The error of what is not done
// is an *order.Refusal with the code of its reason.

// Act does an action to an order. The order's workflow gets it as an update. When
// no workflow drives the order, because it has ended, there is none of its number,
// or its id is taken by a workflow that drives no order, another workflow decides
// and audits; the view is without a fingerprint then.
//
// Where two persons resolve an order, the first resolution proposes and the
// view's Next says so. Nobody asks the gateway for a Poll of an order that no
// workflow drives; who wanted it asked is on record. An Adoption is made by Adopt.
func (c *Client) Act(ctx context.Context, key order.Key, action order.Action) (order.View, error) {
	if refusal := action.TooLong(); refusal != nil {
		return order.View{}, refusal
	}
	driven, err := c.driven(ctx, key)
	if err != nil {
		return order.View{}, err
	}
	if driven {
		view, err := c.update(ctx, key, action.Name(), action)
		if code := order.CodeOf(err); code != order.CodeOrderNotFound && code != order.CodeTerminal {
			return view, err
		}
	}
	acted, err := c.actWithout(ctx, key, action)
	if err == nil && acted.Refusal != nil {
		err = &order.Refusal{Reason: *acted.Refusal}
	}
	if err != nil {
		return order.View{}, err
	}
	return order.View{Kind: acted.Kind, Merchant: key.Merchant, Number: key.Number, Standing: acted.Standing}, nil
}

// driven reports whether a workflow drives the order.
func (c *Client) driven(ctx context.Context, key order.Key) (bool, error) {
	h, err := c.holder(ctx, key)
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return false, nil
	}
	if err != nil {
		return false, unreachable("look at order "+key.String(), err)
	}
	return h.running && h.foreign == nil, nil
}

// actWithout decides and audits in the merchant's workflow for that, which is
// started with the first action and stays. Should its id be taken by a workflow
// that is another, the action gets a short workflow of its own.
func (c *Client) actWithout(ctx context.Context, key order.Key, action order.Action) (contract.Acted, error) {
	var acted contract.Acted
	id := contract.OperatorActionsID(key.Merchant)
	described, err := c.temporal.DescribeWorkflowExecution(ctx, id, "")
	var notFound *serviceerror.NotFound
	if err != nil && !errors.As(err, &notFound) {
		return acted, unreachable("act on order "+key.String(), err)
	}
	if info := described.GetWorkflowExecutionInfo(); info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING &&
		(info.GetType().GetName() != contract.OperatorActionsType || info.GetTaskQueue() != contract.Queue) {
		return c.actAlone(ctx, key, action)
	}
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, temporalclient.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.temporal.NewWithStartWorkflowOperation(temporalclient.StartWorkflowOptions{
			ID:                       id,
			TaskQueue:                contract.Queue,
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			StaticSummary:            "what people do to orders of " + key.Merchant + " that no workflow drives",
		}, contract.OperatorActionsType),
		UpdateOptions: temporalclient.UpdateWorkflowOptions{
			UpdateID:     uuid.NewString(),
			UpdateName:   contract.ActUpdate,
			Args:         []any{contract.OperatorActionInput{Key: key, Action: contract.Action{Action: action}}},
			WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = handle.Get(ctx, &acted)
	}
	if err != nil {
		return contract.Acted{}, updateError(ctx, key, err)
	}
	return acted, nil
}

// actAlone decides and audits in a short workflow of its own.
func (c *Client) actAlone(ctx context.Context, key order.Key, action order.Action) (contract.Acted, error) {
	var acted contract.Acted
	run, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID:            fmt.Sprintf("act:%s:%s:%s", key.Merchant, key.Number, uuid.NewString()),
		TaskQueue:     contract.Queue,
		StaticSummary: action.Name() + " without a workflow",
	}, contract.OperatorActionType, contract.OperatorActionInput{Key: key, Action: contract.Action{Action: action}})
	if err != nil {
		return acted, unreachable("act on order "+key.String(), err)
	}
	if err := run.Get(ctx, &acted); err != nil {
		return contract.Acted{}, readError(ctx, key, err)
	}
	return acted, nil
}

// Adopt drives an open order again that no workflow drives, from where the
// ledger says it stands, and puts on record who has it adopted. The row is the
// ledger's own; one without a state is an order that the ledger does not have: it
// is written down from what its workflow was started with, if Temporal has one. A
// workflow of it that runs goes on by itself, and is told so.
//
// A refusal is on record, too: WHO_MISSING, ORDER_NOT_FOUND, ORDER_ENDED,
// WORKFLOW_RUNNING when a workflow drives the order, or NUMBER_SQUATTED when a
// workflow has its id and does not drive it. Another error together
// with a run means that the order is adopted, and that nobody has said yet that
// this is on record.
func (c *Client) Adopt(ctx context.Context, row order.Order, by string) (Started, error) {
	if row.State == "" {
		return c.adoptUnwritten(ctx, row.Key(), by)
	}
	var started Started
	squatted := ""
	if adoptable(row, by) {
		options := startOptions(row.Request)
		options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE // the one that ended was not the end of the order
		options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
		options.WorkflowExecutionErrorWhenAlreadyStarted = true
		run, err := c.temporal.ExecuteWorkflow(ctx, options, contract.WorkflowType(row.Kind), row.Request)
		var already *serviceerror.WorkflowExecutionAlreadyStarted
		switch {
		case err == nil:
			started = Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}
		case !errors.As(err, &already):
			return Started{}, unreachable("adopt the order", err)
		default:
			there, err := c.holder(ctx, row.Key())
			if err != nil {
				return Started{}, unreachable("look at the workflow of the order", err)
			}
			squatted = there.squatted()
		}
	}
	// Without a run there was nothing to adopt, and the ledger says why.
	adoption := order.Adoption{By: by, Run: started.RunID, Squatted: squatted}
	acted, err := c.actWithout(ctx, row.Key(), adoption)
	if err == nil && acted.Refusal != nil {
		return Started{}, &order.Refusal{Reason: *acted.Refusal}
	}
	return started, err
}

// adoptUnwritten adopts an order that only Temporal has.
func (c *Client) adoptUnwritten(ctx context.Context, key order.Key, by string) (Started, error) {
	h, err := c.holder(ctx, key)
	var notFound *serviceerror.NotFound
	found := err == nil
	if err != nil && !errors.As(err, &notFound) {
		return Started{}, unreachable("look for the workflow of order "+key.String(), err)
	}
	adoption := order.Adoption{By: by, Squatted: h.squatted()}
	var refusal *order.Refusal
	if found { // else the ledger says that there is no such order
		request, err := c.lostRequest(ctx, h)
		switch {
		case err == nil:
			adoption.Run, adoption.Request = h.run, &request
		case !errors.As(err, &refusal):
			return Started{}, err
		}
	}
	acted, err := c.actWithout(ctx, key, adoption)
	switch {
	case refusal != nil:
		return Started{}, refusal
	case err != nil:
		return Started{}, err
	case acted.Refusal != nil:
		return Started{}, &order.Refusal{Reason: *acted.Refusal}
	case acted.Standing.State.Terminal():
		return Started{}, order.Refuse(order.CodeTerminal, "order %s is written down as %s: %s", key.Number, acted.Standing.State, acted.Standing.Reason.Text)
	case h.running:
		// It looks again now and then; this has it look at once.
		_, _ = c.update(ctx, key, order.ActionNote, order.Note{By: by, Text: "the ledger has the order again"})
		return Started{WorkflowID: contract.WorkflowID(key), RunID: h.run, Existing: true}, nil
	}
	return c.Adopt(ctx, order.Order{Request: *adoption.Request, Standing: acted.Standing}, by)
}

// lostRequest reads what the workflow of an order that the ledger does not have
// was started with. A workflow that drives no order, and one that refused its
// order, have none to be written down.
func (c *Client) lostRequest(ctx context.Context, h holder) (order.Request, error) {
	if h.foreign != nil {
		return order.Request{}, h.foreign
	}
	request, err := c.request(ctx, h)
	if err != nil || !h.ended {
		return request, err
	}
	view, err := c.Wait(ctx, h.key)
	if err == nil && view.Unwritten() {
		err = order.Refuse(view.Reason.Code, "order %s was refused and never written down: %s", h.key.Number, view.Reason.Text)
	}
	return request, err
}

// adoptable reports whether a workflow may be started for the order, if none
// runs.
func adoptable(row order.Order, by string) bool {
	there, open := row.State != "", !row.State.Terminal()
	return there && open && (order.Adoption{By: by, Run: "the one to be started"}).Permit(row) == nil
}
