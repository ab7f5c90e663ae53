package order

import "github.com/tarspay-payouts/orchestrator/money"

// Resolution is an operator's decision about an order in review.
type Resolution struct {
	ID       string       `json:"id,omitempty"`  // idempotency key; see Approval
	State    State        `json:"state"`         // the end that the evidence proves
	By       string       `json:"by"`            // who decides
	Why      string       `json:"why"`           // in a sentence
	Evidence string       `json:"evidence"`      // the gateway's proof: a ticket, a statement line, a certificate
	Paid     money.Amount `json:"paid,omitzero"` // partially_paid only: what arrived
	Fee      money.Amount `json:"fee,omitzero"`  // what the gateway kept, if it is known
	// WholeFee confirms a fee as large as what was paid. Such a fee is refused
	// without it, because it is more often a slip than a fee.
	WholeFee bool `json:"whole_fee,omitempty"`
	// Replace confirms that the decision takes the place of another person's proposal
	// that differs. Such a decision is refused without it.
	Replace bool `json:"replace,omitempty"`
}
