package contract

import "github.com/tarspay-payouts/orchestrator/order"

// Lost is the result of FindOrphans: open orders without a workflow, and workflows
// without an order.
type Lost struct {
	Orphans   Orphans   `json:"orphans"`   // in the ledger, but no workflow drives them
	Unwritten Unwritten `json:"unwritten"` // in Temporal, but not in the ledger
}

// Orphans are open orders that no workflow drives.
type Orphans struct {
	Open int         `json:"open"` // number of open orders that were checked
	Keys []order.Key `json:"keys,omitempty"`
}

// Unwritten are orders that have a workflow in Temporal but no row in the ledger.
type Unwritten struct {
	Seen int         `json:"seen"` // number of workflows that were checked
	Keys []order.Key `json:"keys,omitempty"`
}
