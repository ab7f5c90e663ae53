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
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The actions of an operator on an order. The ledger decides about each action and
// audits it, executed or refused. A refused action returns an *order.Refusal with
// the code of the reason.

// Act executes an action on an order. The order's workflow gets it as an update.
// If no workflow drives the order, another workflow executes and audits it; the
// view then has no fingerprint. No workflow drives an order that has ended, that
// does not exist, or whose workflow id is taken by another kind of workflow.
//
// If the policy requires two persons to resolve an order, the first resolution is
// a proposal, and the view's Next says so. A Poll of an order that no workflow
// drives makes no query; it is only audited. Use Adopt for an Adoption.
func (c *Client) Act(ctx context.Context, key order.Key, action order.Action) (order.View, error) {
	if refusal := order.CheckTexts(action); refusal != nil {
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
		return false, unreachable("describe order "+key.String(), err)
	}
	return h.running && h.foreign == nil, nil
}

// actWithout executes and audits an action in the merchant's OperatorActions
// workflow, which it starts if it does not run. If another workflow has taken that
// workflow's id, a short workflow executes the action (actAlone).
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
			StaticSummary:            "operators' actions on orders of " + key.Merchant + " that no workflow drives",
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

// actAlone executes and audits an action in a workflow of its own, which then
// ends.
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

// Adopt starts a workflow for an open order that no workflow drives, and audits
// who did. The adoption is an order.Adoption, signed or not; Adopt adds the run. The workflow continues from the state in the ledger. The row must come
// from the ledger. A row without a state means that the ledger does not have the
// order: it is recorded from the input of its workflow, if Temporal has one. A
// workflow of such an order that still runs is told, and continues.
//
// Refusals are audited, too: WHO_MISSING, ORDER_NOT_FOUND, ORDER_ENDED,
// WORKFLOW_RUNNING if a workflow drives the order, or NUMBER_SQUATTED if a
// workflow has the order's id and does not drive it. Another error together with a
// run id means that the order is adopted, but that the audit entry is not
// confirmed.
func (c *Client) Adopt(ctx context.Context, row order.Order, adoption order.Action) (Started, error) {
	if row.State == "" {
		return c.adoptUnwritten(ctx, row.Key(), adoption)
	}
	var started Started
	squatted := ""
	if adoptable(row, adoption) {
		options := startOptions(row.Request)
		options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE // the earlier workflow ended, but the order did not
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
				return Started{}, unreachable("describe the workflow of the order", err)
			}
			squatted = there.squatted()
		}
	}
	// If no run was started, the ledger refuses the adoption and says why.
	acted, err := c.actWithout(ctx, row.Key(), order.Adopting(adoption, started.RunID, squatted, nil))
	if err == nil && acted.Refusal != nil {
		return Started{}, &order.Refusal{Reason: *acted.Refusal}
	}
	return started, err
}

// adoptUnwritten adopts an order that only Temporal has.
func (c *Client) adoptUnwritten(ctx context.Context, key order.Key, adoption order.Action) (Started, error) {
	h, err := c.holder(ctx, key)
	var notFound *serviceerror.NotFound
	found := err == nil
	if err != nil && !errors.As(err, &notFound) {
		return Started{}, unreachable("look for the workflow of order "+key.String(), err)
	}
	var refusal *order.Refusal
	var lost *order.Request
	run := ""
	if found { // otherwise the ledger answers that there is no such order
		request, err := c.lostRequest(ctx, h)
		switch {
		case err == nil:
			run, lost = h.run, &request
		case !errors.As(err, &refusal):
			return Started{}, err
		}
	}
	acted, err := c.actWithout(ctx, key, order.Adopting(adoption, run, h.squatted(), lost))
	switch {
	case refusal != nil:
		return Started{}, refusal
	case err != nil:
		return Started{}, err
	case acted.Refusal != nil:
		return Started{}, &order.Refusal{Reason: *acted.Refusal}
	case acted.Standing.State.Terminal():
		return Started{}, order.Refuse(order.CodeTerminal, "order %s is recorded as %s: %s", key.Number, acted.Standing.State, acted.Standing.Reason.Text)
	case h.running:
		// The workflow retries at intervals; an update makes it retry at once.
		_, _ = c.update(ctx, key, order.ActionNote, order.Note{By: adopter(adoption), Text: "the ledger has the order again"})
		return Started{WorkflowID: contract.WorkflowID(key), RunID: h.run, Existing: true}, nil
	}
	return c.Adopt(ctx, order.Order{Request: *lost, Standing: acted.Standing}, adoption)
}

// lostRequest returns the input of the workflow of an order that the ledger does
// not have. It refuses a workflow that drives no order, and one that rejected its
// order.
func (c *Client) lostRequest(ctx context.Context, h holder) (order.Request, error) {
	if h.foreign != nil {
		return order.Request{}, h.foreign
	}
	request, err := c.request(ctx, h)
	if err != nil || !h.ended {
		return request, err
	}
	view, err := c.Wait(ctx, h.key)
	if err == nil && rules.Unwritten(view.Standing) {
		err = order.Refuse(view.Reason.Code, "order %s was refused and never recorded: %s", h.key.Number, view.Reason.Text)
	}
	return request, err
}

// adoptable reports whether a workflow may be started for the order, provided that
// none runs.
func adoptable(row order.Order, adoption order.Action) bool {
	there, open := row.State != "", !row.State.Terminal()
	return there && open && rules.PermitAdoption((order.Adoption{By: adopter(adoption), Run: "the one to be started"}), row) == nil
}

// adopter returns who adopts.
func adopter(adoption order.Action) string {
	plain, _ := order.Plain(adoption)
	a, _ := plain.(order.Adoption)
	return a.By
}
