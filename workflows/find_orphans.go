package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// orphanSearch limits one search through all open orders. The schedule starts the
// next one.
const orphanSearch = time.Hour

// FindOrphans looks for open orders that no workflow drives, because theirs was
// terminated or lost with a cluster. It also looks for workflows of orders that
// the ledger does not have. Each one opens a discrepancy; an operator may adopt
// the order. It runs on a schedule.
func FindOrphans(ctx workflow.Context) (contract.Lost, error) {
	var lost contract.Lost
	comparing := forBooks(ctx, "look for workflows without an order", orphanSearch)
	unwritten := workflow.ExecuteActivity(comparing, books.FindUnwritten)
	searching := forBooks(ctx, "look for open orders without a workflow", orphanSearch)
	err := workflow.ExecuteActivity(searching, books.FindOrphans).Get(ctx, &lost.Orphans)
	err = errors.Join(err, unwritten.Get(ctx, &lost.Unwritten)) // the failure of one search does not stop the other
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Open orders checked: %d, without a workflow: %d. Workflows checked: %d, without an order: %d.",
		lost.Orphans.Open, len(lost.Orphans.Keys), lost.Unwritten.Seen, len(lost.Unwritten.Keys)))
	return lost, err
}
