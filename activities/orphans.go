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
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Limits of one search for orphans.
const (
	// An order that is younger may be in the ledger or in Temporal only, because
	// its workflow is about to write it.
	orphanAge = time.Minute
	// The result lists so many orphans at most. Each orphan has a discrepancy.
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
		driven, why, err := isDriven(ctx, temporal, row)
		if err != nil {
			return found, fmt.Errorf("look at the workflow of %s: %w", row.Key(), err)
		}
		if driven {
			continue
		}
		ended, err := b.hasEnded(ctx, row.Key())
		if err != nil {
			return found, err
		}
		if ended {
			continue
		}
		if len(found.Keys) < maxOrphans {
			found.Keys = append(found.Keys, row.Key())
		}
		// The text contains the run id, so that each lost run opens a discrepancy
		// of its own: a closed one is not opened again.
		err = b.ledger.OpenDiscrepancy(ctx, row.Key(), codes.DiscrepancyOrphan, "the order is open and no workflow drives it; "+why)
		if err != nil {
			return found, fmt.Errorf("note the orphan %s: %w", row.Key(), err)
		}
	}
	return found, nil
}

// hasEnded reports whether an order has ended since its page was read. A workflow ends
// after its order, so that one that had ended was no loss.
func (b *Books) hasEnded(ctx context.Context, key order.Key) (bool, error) {
	now, err := b.ledger.Order(ctx, key)
	if err != nil {
		return false, fmt.Errorf("read %s again: %w", key, err)
	}
	return now.State.Terminal(), nil
}

// isDriven reports whether a workflow drives the order. If none does, it returns
// why, with the run that has the order's workflow id. A workflow that has the id
// but is not an order's workflow does not drive the order.
func isDriven(ctx context.Context, temporal client.Client, row order.Order) (driven bool, why string, err error) {
	described, err := temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(row.Key()), "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, "Temporal no longer has its last run", nil
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
