package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
)

// orphanSearch bounds one search through all open orders; the schedule starts
// the next.
const orphanSearch = time.Hour

// FindOrphans looks for open orders that no workflow drives: one that was
// terminated, or lost with a cluster. Each opens a discrepancy, and an operator
// may adopt it. It runs on a schedule.
func FindOrphans(ctx workflow.Context) (activities.Orphans, error) {
	searching := forBooks(ctx, "look for open orders without a workflow", orphanSearch)
	var found activities.Orphans
	err := workflow.ExecuteActivity(searching, books.FindOrphans).Get(ctx, &found)
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d open orders looked at, %d without a workflow.", found.Open, len(found.Keys)))
	return found, err
}
