package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// ActOnBooks executes and audits a person's action that is not about one order, in a
// short workflow, and waits for the answer. It needs a running worker. If none runs,
// the action is executed when one does. It decodes what the action is about, as the
// ledger has it afterwards, into record.
//
// A refused action returns an *order.Refusal with the code of the reason.
func (c *Client) ActOnBooks(ctx context.Context, action order.BookAction, record any) error {
	if refusal := action.Check(); refusal != nil {
		return refusal
	}
	if action.ID == "" {
		action.ID = uuid.NewString()
	}
	run, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID:            "act:" + action.Name() + ":" + uuid.NewString(),
		TaskQueue:     contract.Queue,
		StaticSummary: action.Name(),
	}, contract.BookActionType, action)
	if err != nil {
		return bookActionError(ctx, action.Name(), err)
	}
	var acted contract.BookActed
	if err := run.Get(ctx, &acted); err != nil {
		return bookActionError(ctx, action.Name(), err)
	}
	if acted.Refusal != nil {
		return &order.Refusal{Reason: *acted.Refusal}
	}
	if err := json.Unmarshal(acted.Record, record); err != nil {
		return fmt.Errorf("read the record of %s: %w", action.Name(), err)
	}
	return nil
}

// noteRepeat has a worker audit that somebody other than the requester has requested
// an order again, once per person. It does not wait: no worker need run. With
// WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE a second call starts nothing.
func (c *Client) noteRepeat(ctx context.Context, request order.Request) error {
	key := request.Key()
	id := contract.RepeatID(key, request.RequestedBy)
	_, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID: id, TaskQueue: contract.Queue, StaticSummary: "requested again by another",
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, contract.BookActionType, order.BookAction{Who: order.Who{ID: id, By: request.RequestedBy}, Repeat: &key})
	if err != nil {
		return unreachable("note who has requested order "+key.String()+" again", err)
	}
	return nil
}

// bookActionError returns the error of a book action that has no answer.
func bookActionError(ctx context.Context, name string, err error) error {
	var ended *temporal.WorkflowExecutionError
	switch {
	case unreadable(order.Key{}, err) != nil:
		return order.Refuse(CodeUnreadable, "the answer of %s is encrypted with a key that this process does not have; set the worker's PAYOUTS_PAYLOAD_KEYS", name)
	case errors.As(err, &ended):
		return order.Refuse(CodeNoAnswer, "somebody ended the workflow of %s before it answered; look whether it was executed, and repeat it if not", name)
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return order.Refuse(CodeNoAnswer, "%s is under way and its answer is not there yet", name)
	}
	if err = unreachable("have "+name+" executed", err); order.CodeOf(err) == CodeTemporalUnreachable {
		return order.Refuse(CodeTemporalUnreachable, "Temporal did not answer; %s may be executed nevertheless: look before you repeat it", name)
	}
	return err
}
