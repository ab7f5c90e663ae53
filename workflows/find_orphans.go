package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// orphanSearch bounds one search through all open orders; the schedule starts
// the next.
const orphanSearch = time.Hour

// FindOrphans looks for open orders that no workflow drives, because theirs was
// terminated, or lost with a cluster, and for workflows of orders that the ledger
// does not have. Each opens a discrepancy, and an operator may adopt it. It runs
// on a schedule.
func FindOrphans(ctx workflow.Context) (contract.Lost, error) {
	var lost contract.Lost
	comparing := forBooks(ctx, "look for workflows without an order", orphanSearch)
	unwritten := workflow.ExecuteActivity(comparing, books.FindUnwritten)
	searching := forBooks(ctx, "look for open orders without a workflow", orphanSearch)
	err := workflow.ExecuteActivity(searching, books.FindOrphans).Get(ctx, &lost.Orphans)
	err = errors.Join(err, unwritten.Get(ctx, &lost.Unwritten)) // one search that cannot be made holds the other not up
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d open orders looked at, %d without a workflow. %d workflows looked at, %d without an order.",
		lost.Orphans.Open, len(lost.Orphans.Keys), lost.Unwritten.Seen, len(lost.Unwritten.Keys)))
	return lost, err
}
