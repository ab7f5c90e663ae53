package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of comparisons of transactions that are not waited for. They are stable.
const (
	CodeReconciliationNotFound = "RECONCILIATION_NOT_FOUND" // there is no such comparison, or Temporal has deleted it
	CodeReconciliationUnderWay = "RECONCILIATION_UNDER_WAY" // another span of the merchant is being compared
)

// TransactionsRun is a comparison of one merchant's transactions that was started with
// CompareTransactions.
type TransactionsRun struct {
	Merchant  string
	RunID     string
	StartedAt time.Time
	EndedAt   time.Time                             // zero: it is under way
	Existing  bool                                  // it was under way before
	Result    *contract.ReconcileTransactionsResult // nil: it is under way, or has ended without a report
}

// transactionsID returns the workflow id of the comparisons of a merchant that are not
// waited for. There is one id per merchant, so that one runs at a time.
func transactionsID(merchant string) string { return "reconcile-transactions:api:" + merchant }

// CompareTransactions starts a comparison of one merchant's transactions, and does not wait
// for its end. Only one runs at a time for each merchant: if one of the same span is under
// way, it is returned. The code is RECONCILIATION_UNDER_WAY if it is of another span.
func (c *Client) CompareTransactions(ctx context.Context, merchant string, from, to time.Time) (TransactionsRun, error) {
	input := contract.ReconcileTransactionsInput{Merchants: []string{merchant}, From: from, To: to}
	run, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID:                                       transactionsID(merchant),
		TaskQueue:                                contract.Queue,
		StaticSummary:                            "transactions of " + merchant + " compared on demand",
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, contract.ReconcileTransactionsType, input)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		if err := c.sameSpan(ctx, already.RunId, input); err != nil {
			return TransactionsRun{}, err
		}
		found, err := c.ComparedTransactions(ctx, merchant, already.RunId)
		if order.CodeOf(err) == CodeReconciliationNotFound {
			err = order.Refuse(CodeReconciliationUnderWay, "a workflow that compares nothing has the id %s; look at it in Temporal", transactionsID(merchant))
		}
		found.Existing = true
		return found, err
	}
	if err != nil {
		return TransactionsRun{}, unreachable("start the reconciliation", err)
	}
	return c.ComparedTransactions(ctx, merchant, run.GetRunID())
}

// sameSpan refuses a comparison while one of another span is under way.
func (c *Client) sameSpan(ctx context.Context, run string, asked contract.ReconcileTransactionsInput) error {
	merchant := asked.Merchants[0]
	raw, err := c.input(ctx, transactionsID(merchant), run)
	if err != nil {
		return err
	}
	if raw.Payload() != nil && contract.Encrypted(raw.Payload()) {
		return cannotReadComparison(merchant)
	}
	var there contract.ReconcileTransactionsInput
	if err := order.Read(raw.Payload().GetData(), &there); err == nil && there.From.Equal(asked.From) && there.To.Equal(asked.To) {
		return nil
	}
	return order.Refuse(CodeReconciliationUnderWay, "a comparison of other transactions of merchant %s is under way; its id is %s", merchant, run)
}

// ComparedTransactions returns a comparison that was started with CompareTransactions. The
// code is RECONCILIATION_NOT_FOUND if there is none of that merchant and id.
func (c *Client) ComparedTransactions(ctx context.Context, merchant, runID string) (TransactionsRun, error) {
	id := transactionsID(merchant)
	described, err := c.temporal.DescribeWorkflowExecution(ctx, id, runID)
	var missing *serviceerror.NotFound
	info := described.GetWorkflowExecutionInfo()
	if errors.As(err, &missing) || err == nil && info.GetType().GetName() != contract.ReconcileTransactionsType {
		return TransactionsRun{}, order.Refuse(CodeReconciliationNotFound, "there is no comparison %s of merchant %s", runID, merchant)
	}
	if err != nil {
		return TransactionsRun{}, unreachable("look at the reconciliation", err)
	}
	found := TransactionsRun{Merchant: merchant, RunID: runID, StartedAt: info.GetStartTime().AsTime()}
	if info.GetCloseTime() == nil {
		return found, nil
	}
	found.EndedAt = info.GetCloseTime().AsTime()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		return found, nil
	}
	found.Result = new(contract.ReconcileTransactionsResult)
	err = c.temporal.GetWorkflow(ctx, id, runID).Get(ctx, found.Result)
	if err == nil {
		return found, nil
	}
	if unreadablePayload(err) {
		return TransactionsRun{}, cannotReadComparison(merchant)
	}
	var failed *temporal.WorkflowExecutionError
	if errors.As(err, &failed) {
		return TransactionsRun{}, fmt.Errorf("reconcile transactions: %w", err)
	}
	return TransactionsRun{}, unreachable("read the report of the reconciliation", err)
}

func cannotReadComparison(merchant string) *order.Refusal {
	return order.Refuse(CodeUnreadable,
		"the comparison of merchant %s in Temporal is encrypted with a key that this process does not have; set the worker's PAYOUTS_PAYLOAD_KEYS", merchant)
}

// input reads the input of a run from its history. A memo would be cheaper to read, but any
// client that starts a workflow can write any memo.
func (c *Client) input(ctx context.Context, workflowID, run string) (converter.RawValue, error) {
	var raw converter.RawValue
	events := c.temporal.GetWorkflowHistory(ctx, workflowID, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return raw, fmt.Errorf("the history of workflow %s is empty", workflowID)
	}
	first, err := events.Next()
	if err != nil {
		return raw, unreachable("read the input of workflow "+workflowID, err)
	}
	err = c.data.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &raw)
	return raw, err
}
