package contract

import "github.com/tarspay-payouts/orchestrator/order"

// Lost are the orders that are in one of two books only, and the workflows that
// should drive them.
type Lost struct {
	Orphans   Orphans   `json:"orphans"`   // in the ledger, and no workflow drives them
	Unwritten Unwritten `json:"unwritten"` // in Temporal, and not in the ledger
}

// Orphans are open orders that no workflow drives.
type Orphans struct {
	Open int         `json:"open"` // open orders that were looked at
	Keys []order.Key `json:"keys,omitempty"`
}

// Unwritten are orders of which Temporal has a workflow and the ledger no row.
type Unwritten struct {
	Seen int         `json:"seen"` // workflows that were looked at
	Keys []order.Key `json:"keys,omitempty"`
}
