package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// copiesTime is how long Temporal is asked for its copies of an order.
const copiesTime = 3 * time.Second

// erasing returns how a worker erases orders. Without a file it erases none.
func erasing(c client.Client, settings activities.Settings) ledger.Erasing {
	e := ledger.Erasing{Retention: settings.Retention, Copies: temporalCopies{c}.ask}
	if settings.ErasuresFile != "" {
		e.Record = func(kept ledger.Erasure) error { return appendErasure(settings.ErasuresFile, kept) }
	}
	return e
}

// temporalCopies looks for what Temporal still has of an order. It has the input of
// every run until the namespace's retention ends.
type temporalCopies struct{ client.Client }

// ask returns a refusal if there is a copy, or if Temporal does not answer. last is when
// a person last acted on the order: what the person wrote is in a workflow that the
// order's number does not find.
func (c temporalCopies) ask(ctx context.Context, key order.Key, last, now time.Time) *order.Refusal {
	ctx, cancel := context.WithTimeout(ctx, copiesTime)
	defer cancel()
	if !key.WellFormed() {
		return order.Refuse(order.CodeInvalidRequest, "%s is no order's number", key.Number)
	}
	run, retention, err := c.find(ctx, key, last)
	switch {
	case err != nil:
		return order.Refuse(ledger.CodeEraseUnasked, "Temporal does not say whether it still has data of order %s, so nothing was erased: %v", key.Number, err)
	case run != nil:
		return order.Refuse(ledger.CodeEraseCopy, "Temporal still has the workflow %s, run %s: %s",
			run.GetExecution().GetWorkflowId(), run.GetExecution().GetRunId(), untilWhen(run, retention))
	case last.Add(retention).After(now):
		return order.Refuse(ledger.CodeEraseCopy, "a person acted on order %s at %s, and Temporal keeps what was written until %s",
			key.Number, saytime.Say(last), saytime.Say(last.Add(retention)))
	}
	return nil
}

// untilWhen says how long Temporal keeps a run.
func untilWhen(run *workflowpb.WorkflowExecutionInfo, retention time.Duration) string {
	if run.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || run.GetCloseTime() == nil {
		return fmt.Sprintf("it runs; Temporal keeps it for %s after its end", retention)
	}
	return "Temporal keeps it until " + saytime.Say(run.GetCloseTime().AsTime().Add(retention))
}

// find returns a run that may have data of the order, and the namespace's retention.
func (c temporalCopies) find(ctx context.Context, key order.Key, last time.Time) (*workflowpb.WorkflowExecutionInfo, time.Duration, error) {
	id := contract.WorkflowID(key)
	described, err := c.DescribeWorkflowExecution(ctx, id, "") // the list may lag behind
	var missing *serviceerror.NotFound
	if err != nil && !errors.As(err, &missing) {
		return nil, 0, err
	}
	listed, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: copiesQuery(key, last), PageSize: 1})
	if err != nil {
		return nil, 0, err
	}
	found, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespaceOf(ctx)})
	if err != nil {
		return nil, 0, err
	}
	retention := found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if run := described.GetWorkflowExecutionInfo(); run != nil {
		return run, retention, nil
	}
	if runs := listed.GetExecutions(); len(runs) > 0 {
		return runs[0], retention, nil
	}
	return nil, retention, nil
}

// namespaceOf returns the namespace of the activity that asks.
func namespaceOf(ctx context.Context) string {
	if activity.IsActivity(ctx) {
		return activity.GetInfo(ctx).Namespace
	}
	return client.DefaultNamespace
}

// copiesQuery finds the runs of the order, of its late callbacks, of actions on it, and
// those of the merchant's actions that were running when a person last acted on it.
func copiesQuery(key order.Key, last time.Time) string {
	own := key.Merchant + ":" + key.Number
	parts := []string{fmt.Sprintf("WorkflowId = '%s'", contract.WorkflowID(key))}
	for _, prefix := range []string{"late:", "act:", "repeat:"} {
		parts = append(parts, fmt.Sprintf("WorkflowId STARTS_WITH '%s%s:'", prefix, own))
	}
	if !last.IsZero() {
		parts = append(parts, fmt.Sprintf("(WorkflowId = '%s' AND StartTime <= '%s')", contract.OperatorActionsID(key.Merchant), last.UTC().Format(time.RFC3339Nano)))
	}
	return strings.Join(parts, " OR ")
}
