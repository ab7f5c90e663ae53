package contract

import (
	"strconv"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Workflow types of batches.
const (
	BatchType     = "Batch"     // drives a batch; its input is an order.Batch
	BatchPageType = "BatchPage" // stores some rows of a batch; its input is a BatchPage
)

// BatchSignal tells the workflow of a batch that somebody has paused, resumed or
// cancelled the batch.
const BatchSignal = "changed"

// BatchPage is some rows of a batch. It must fit Temporal's limit of a payload, 2 MB.
type BatchPage struct {
	Batch order.Batch      `json:"batch"`
	Rows  []order.BatchRow `json:"rows"`
}

// BatchStep says how a batch stands after a step.
type BatchStep struct {
	State order.BatchState `json:"state"`
	Left  int              `json:"left"` // rows that are not begun
	Open  int              `json:"open"` // rows whose order has not ended
	// Unwritten is how many of them are started, and not in the ledger.
	Unwritten int `json:"unwritten"`
}

// BatchWorkflowID returns the id of the workflow that drives a batch.
func BatchWorkflowID(merchant, id string) string { return "batch:" + merchant + ":" + id }

// BatchPageID returns the id of the workflow that stores a page of a batch.
func BatchPageID(merchant, id string, page int) string {
	return "batch-page:" + merchant + ":" + id + ":" + strconv.Itoa(page)
}
