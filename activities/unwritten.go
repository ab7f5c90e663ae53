package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Bounds of one comparison of Temporal with the ledger.
const (
	unwrittenPage = 500
	// Temporal's list lags, and its clock is not the ledger's: what started so
	// long before the last comparison is looked at again.
	unwrittenOverlap = time.Hour
	// So many are named in the result. Every one has its discrepancy.
	maxUnwritten = 1000
)

// unwrittenProgress is the heartbeat of FindUnwritten.
type unwrittenProgress struct {
	Until time.Time          `json:"until"` // workflows that started before then are compared
	Since time.Time          `json:"since"`
	Token []byte             `json:"token,omitempty"` // of the next page
	Found contract.Unwritten `json:"found"`
}

// FindUnwritten compares the workflows of orders, running and ended, with the
// orders: an older copy of the ledger that was restored does not have its
// youngest orders, a workflow that was ended before its first step has written
// none, and one that waits where nobody serves it never will. Each opens a
// discrepancy, once per run. What was compared before is not compared again:
// how far it came is in the ledger, so an older copy begins earlier.
func (b *Books) FindUnwritten(ctx context.Context) (contract.Unwritten, error) {
	return b.findUnwritten(ctx, activity.GetClient(ctx), activity.GetInfo(ctx).Namespace)
}

func (b *Books) findUnwritten(ctx context.Context, temporal client.Client, namespace string) (contract.Unwritten, error) {
	progress, err := b.unwrittenProgress(ctx)
	if err != nil {
		return contract.Unwritten{}, err
	}
	for {
		page, err := temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: namespace, Query: ordersStarted(progress.Since, progress.Until), PageSize: unwrittenPage, NextPageToken: progress.Token,
		})
		if err != nil {
			return progress.Found, fmt.Errorf("list the workflows of orders: %w", err)
		}
		if err := b.compareWorkflows(ctx, page.GetExecutions(), &progress.Found); err != nil {
			return progress.Found, err
		}
		if progress.Token = page.GetNextPageToken(); len(progress.Token) == 0 {
			return progress.Found, b.ledger.MarkWorkflowsCompared(ctx, progress.Until)
		}
		activity.RecordHeartbeat(ctx, progress)
	}
}

// unwrittenProgress is where the comparison goes on, or begins.
func (b *Books) unwrittenProgress(ctx context.Context) (unwrittenProgress, error) {
	var progress unwrittenProgress
	if activity.HasHeartbeatDetails(ctx) {
		err := activity.GetHeartbeatDetails(ctx, &progress)
		return progress, err
	}
	now, err := b.ledger.Now(ctx)
	if err != nil {
		return progress, err
	}
	since, err := b.ledger.WorkflowsCompared(ctx)
	if err != nil {
		return progress, err
	}
	progress.Until = now.Add(-orphanAge)
	if !since.IsZero() {
		progress.Since = since.Add(-unwrittenOverlap)
	}
	return progress, nil
}

// ordersStarted is the query for all workflows that drive orders or have an
// order's id.
func ordersStarted(since, until time.Time) string {
	query := fmt.Sprintf("(WorkflowType IN ('%s', '%s') OR WorkflowId STARTS_WITH '%s') AND StartTime < '%s'",
		contract.DepositType, contract.WithdrawalType, contract.OrderPrefix, until.UTC().Format(time.RFC3339Nano))
	if !since.IsZero() {
		query += fmt.Sprintf(" AND StartTime >= '%s'", since.UTC().Format(time.RFC3339Nano))
	}
	return query
}

// compareWorkflows opens a discrepancy for each of a page's workflows whose order
// is not in the ledger.
func (b *Books) compareWorkflows(ctx context.Context, listed []*workflowpb.WorkflowExecutionInfo, found *contract.Unwritten) error {
	latest := make(map[order.Key]*workflowpb.WorkflowExecutionInfo, len(listed))
	var keys []order.Key
	for _, info := range listed {
		found.Seen++
		key, ok := contract.ParseWorkflowID(info.GetExecution().GetWorkflowId())
		if !ok || !key.WellFormed() || refusedUnwritten(info) {
			continue // no order's, or one that was refused before anything was written down
		}
		before, known := latest[key]
		if !known {
			keys = append(keys, key)
		}
		if !known || before.GetStartTime().AsTime().Before(info.GetStartTime().AsTime()) {
			latest[key] = info
		}
	}
	unwritten, err := b.ledger.Unwritten(ctx, keys)
	if err != nil {
		return err
	}
	for _, key := range unwritten {
		if err := b.ledger.OpenDiscrepancy(ctx, key, order.DiscrepancyNotInLedger, sayUnwritten(key, latest[key])); err != nil {
			return fmt.Errorf("note that %s is not in the ledger: %w", key, err)
		}
		if len(found.Keys) < maxUnwritten {
			found.Keys = append(found.Keys, key)
		}
	}
	return nil
}

// refusedUnwritten reports whether a workflow of ours came to its end by itself
// and refused the order. An order that was refused after it was written down, and
// is lost, moved nothing either.
func refusedUnwritten(info *workflowpb.WorkflowExecutionInfo) bool {
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED || contract.HolderOf(info).Kind() == "" {
		return false
	}
	var state string
	payload := info.GetSearchAttributes().GetIndexedFields()[contract.AttributeState.GetName()]
	return payload != nil && converter.GetDefaultDataConverter().FromPayload(payload, &state) == nil && order.State(state) == order.Rejected
}

// sayUnwritten tells of a workflow without an order. The run makes it a
// discrepancy of its own.
func sayUnwritten(key order.Key, info *workflowpb.WorkflowExecutionInfo) string {
	text := "the ledger does not have the order; "
	if refusal := contract.HolderOf(info).Refuse(key); refusal != nil {
		text += refusal.Text
	} else {
		text += "its workflow is " + strings.ToLower(info.GetStatus().String())
	}
	return text + "; the run is " + info.GetExecution().GetRunId()
}
