package order

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Order is a request and what has become of it: the row of the ledger.
type Order struct {
	Request
	Fingerprint  string
	State        State
	GatewayID    string        // the gateway's order id (payOrderId), once known
	Paid         money.Amount  // what moved, by proof; zero until then
	Fee          money.Amount  // what the gateway kept, by proof; zero until then
	Reason       Reason        // why the order stands where it stands, if not plainly
	Instructions *Instructions // deposit: how the payer pays
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Reason is a stable code for machines and a sentence for people.
type Reason struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// Instructions tell a payer how to pay a deposit.
type Instructions struct {
	PayURL        string    `json:"pay_url,omitempty"`  // hosted page; its host is not stable, treat it as opaque
	PayData       string    `json:"pay_data,omitempty"` // account number, QR text, wallet number or deep link
	PayDataType   string    `json:"pay_data_type,omitempty"`
	AccountName   string    `json:"account_name,omitempty"`
	AccountNumber string    `json:"account_number,omitempty"`
	Bank          string    `json:"bank,omitempty"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
}

// View is what callers and operators are told of an order. It holds no
// personal data of the payer or beneficiary.
type View struct {
	Kind         Kind          `json:"kind"`
	Merchant     string        `json:"merchant"`
	Number       string        `json:"number"`
	Country      string        `json:"country"`
	Way          string        `json:"way"`
	Amount       money.Amount  `json:"amount"`
	State        State         `json:"state"`
	GatewayID    string        `json:"gateway_id,omitempty"`
	Paid         money.Amount  `json:"paid,omitzero"`
	Fee          money.Amount  `json:"fee,omitzero"`
	Reason       Reason        `json:"reason,omitzero"`
	Instructions *Instructions `json:"instructions,omitempty"`
	Fingerprint  string        `json:"fingerprint"`
	Next         string        `json:"next,omitempty"` // what happens next and when, in a sentence
}

// View leaves out what callers need not see.
func (o Order) View() View {
	return View{
		Kind: o.Kind, Merchant: o.Merchant, Number: o.Number, Country: o.Country, Way: o.Way, Amount: o.Amount,
		State: o.State, GatewayID: o.GatewayID, Paid: o.Paid, Fee: o.Fee, Reason: o.Reason,
		Instructions: o.Instructions, Fingerprint: o.Fingerprint,
	}
}

// Key names the order.
func (v View) Key() Key { return Key{Merchant: v.Merchant, Number: v.Number} }
