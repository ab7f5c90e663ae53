package contract

import (
	"encoding/json"

	"github.com/tarspay-payouts/orchestrator/order"
)

// BookActed is the result of the BookAction workflow, whose input is an
// order.BookAction. An executed and a refused action are both audited.
type BookActed struct {
	Record  json.RawMessage `json:"record,omitempty"`  // what the action is about, as the ledger has it now; package ledger has its form
	Refusal *order.Reason   `json:"refusal,omitempty"` // why the action was refused
}
