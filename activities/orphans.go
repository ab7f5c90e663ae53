package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Bounds of one search for orphans.
const (
	// A young order may be between the ledger and its workflow's next step.
	orphanAge = time.Minute
	// Nobody reads a longer list; the discrepancies hold them all.
	maxOrphans = 1000
)

// FindOrphans compares the open orders with the running workflows.
func (b *Books) FindOrphans(ctx context.Context) (contract.Orphans, error) {
	return b.findOrphans(ctx, activity.GetClient(ctx))
}

func (b *Books) findOrphans(ctx context.Context, temporal client.Client) (contract.Orphans, error) {
	var found contract.Orphans
	for row, err := range b.ledger.OpenOrders(ctx, orphanAge) {
		if err != nil {
			return found, fmt.Errorf("read open orders: %w", err)
		}
		found.Open++
		activity.RecordHeartbeat(ctx, found.Open)
		driven, why, err := lookAt(ctx, temporal, row)
		if err != nil {
			return found, fmt.Errorf("look at the workflow of %s: %w", row.Key(), err)
		}
		if driven {
			continue
		}
		if len(found.Keys) < maxOrphans {
			found.Keys = append(found.Keys, row.Key())
		}
		// The run makes it a discrepancy of its own each time a workflow is lost:
		// one that somebody has dealt with is never opened again.
		err = b.ledger.OpenDiscrepancy(ctx, row.Key(), order.DiscrepancyOrphan, "the order is open and no workflow drives it; "+why)
		if err != nil {
			return found, fmt.Errorf("note the orphan %s: %w", row.Key(), err)
		}
	}
	return found, nil
}

// lookAt says whether a workflow drives the order, or why none does, with the
// run that has its id. A workflow that has the id and is none of an order's
// drives nothing, however long it runs.
func lookAt(ctx context.Context, temporal client.Client, row order.Order) (driven bool, why string, err error) {
	described, err := temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(row.Key()), "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, "the last run was one that Temporal has forgotten", nil
	}
	if err != nil {
		return false, "", err
	}
	info := described.GetWorkflowExecutionInfo()
	run := info.GetExecution().GetRunId()
	if squatted := contract.HolderOf(info).Refuse(row.Key()); squatted != nil {
		return false, squatted.Text + "; its run is " + run, nil //nolint:nilerr // a refusal is an answer, not a failure
	}
	return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "the last run was " + run, nil
}
