package activities

import (
	"context"
	"errors"
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
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Limits of one comparison of Temporal with the ledger.
const (
	unwrittenPage = 500
	// Temporal's list of workflows lags behind, and its clock is not the ledger's.
	// So workflows that started up to this long before the last comparison are
	// compared again.
	unwrittenOverlap = time.Hour
	// The result lists so many orders at most. Each order has a discrepancy.
	maxUnwritten = 1000
)

// unwrittenProgress is the heartbeat of FindUnwritten.
type unwrittenProgress struct {
	Until time.Time          `json:"until"` // workflows that started before this time are compared
	Since time.Time          `json:"since"`
	Token []byte             `json:"token,omitempty"` // of the next page
	Found contract.Unwritten `json:"found"`
}

// FindUnwritten compares the workflows of orders, running and ended, with the
// orders in the ledger. An order may be missing in the ledger because
//
//   - an older copy of the ledger was restored;
//   - the workflow was ended before its first step;
//   - no worker polls the workflow's task queue.
//
// Each missing order opens a discrepancy, once per run. At the end, discrepancies that are
// settled by themselves are closed, and old ones are reminded of. The ledger records how far the
// comparison has come, so that nothing is compared twice, and a restored copy starts earlier.
func (b *Books) FindUnwritten(ctx context.Context) (contract.Unwritten, error) {
	return b.findUnwritten(ctx, activity.GetClient(ctx), activity.GetInfo(ctx).Namespace)
}

func (b *Books) findUnwritten(ctx context.Context, temporal client.Client, namespace string) (contract.Unwritten, error) {
	progress, err := b.loadUnwrittenProgress(ctx)
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
			_, err := b.ledger.Remind(ctx, b.settings.DiscrepancyReminder)
			return progress.Found, errors.Join(err, b.ledger.HealAlone(ctx), b.ledger.MarkWorkflowsCompared(ctx, progress.Until))
		}
		activity.RecordHeartbeat(ctx, progress)
	}
}

// loadUnwrittenProgress returns where the comparison starts, or where an earlier
// attempt has come to.
func (b *Books) loadUnwrittenProgress(ctx context.Context) (unwrittenProgress, error) {
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

// ordersStarted returns the visibility query for the workflows that have an
// order's type or an order's id and started in a span of time.
func ordersStarted(since, until time.Time) string {
	query := fmt.Sprintf("(WorkflowType IN ('%s', '%s') OR WorkflowId STARTS_WITH '%s') AND StartTime < '%s'",
		contract.DepositType, contract.WithdrawalType, contract.OrderPrefix, until.UTC().Format(time.RFC3339Nano))
	if !since.IsZero() {
		query += fmt.Sprintf(" AND StartTime >= '%s'", since.UTC().Format(time.RFC3339Nano))
	}
	return query
}

// compareWorkflows opens a discrepancy for each workflow of a page whose order is
// not in the ledger.
func (b *Books) compareWorkflows(ctx context.Context, listed []*workflowpb.WorkflowExecutionInfo, found *contract.Unwritten) error {
	latest := make(map[order.Key]*workflowpb.WorkflowExecutionInfo, len(listed))
	var keys []order.Key
	for _, info := range listed {
		found.Seen++
		key, ok := contract.ParseWorkflowID(info.GetExecution().GetWorkflowId())
		if !ok || !key.WellFormed() || refusedUnwritten(info) {
			continue // not an order's workflow, or the order was refused before the ledger had it
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
		if err := b.ledger.OpenDiscrepancy(ctx, key, codes.DiscrepancyNotInLedger, sayUnwritten(key, latest[key])); err != nil {
			return fmt.Errorf("note that %s is not in the ledger: %w", key, err)
		}
		if len(found.Keys) < maxUnwritten {
			found.Keys = append(found.Keys, key)
		}
	}
	return nil
}

// refusedUnwritten reports whether an order's workflow completed with a rejected
// order. The order may have been in the ledger and then been lost; a rejected
// order moved no money, so it needs no discrepancy.
func refusedUnwritten(info *workflowpb.WorkflowExecutionInfo) bool {
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED || contract.HolderOf(info).Kind() == "" {
		return false
	}
	var state string
	payload := info.GetSearchAttributes().GetIndexedFields()[contract.AttributeState.GetName()]
	return payload != nil && converter.GetDefaultDataConverter().FromPayload(payload, &state) == nil && order.State(state) == order.Rejected
}

// sayUnwritten returns the text of the discrepancy of a workflow without an order.
// The text contains the run id, so that each run opens a discrepancy of its own.
func sayUnwritten(key order.Key, info *workflowpb.WorkflowExecutionInfo) string {
	text := "the ledger does not have the order; "
	if refusal := contract.HolderOf(info).Refuse(key); refusal != nil {
		text += refusal.Text
	} else {
		text += "its workflow is " + strings.ToLower(info.GetStatus().String())
	}
	return text + "; the run is " + info.GetExecution().GetRunId()
}
