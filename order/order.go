package order

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Order is a request with its current state: a row of the ledger.
type Order struct {
	Request
	Standing
	Fingerprint   string
	Approvals     int           // number of persons who must approve it, if it needs an approval
	ApproveBefore time.Time     // deadline of the approval; zero if none is needed
	WaitsForFunds bool          // on a short balance the order waits; otherwise it fails
	FundsBefore   time.Time     // deadline of waiting for funds; zero if it never waits, or was not recorded
	AskFirst      time.Time     // set if the gateway may have the order: it is queried before the order is sent or ended, and the grace counts from this time
	Horizon       time.Duration // how long the order looks for proof, from the first create on; zero if not recorded
	ReleaseAt     time.Time     // when a scheduled order is released; zero: it was not ahead at the opening
	ReleasedAt    time.Time     // when a scheduled order was released; zero: not yet, or it is none
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// Hidden is "encrypted" or "erased" if the content cannot be read. Then the
	// details, the requester, the fingerprint and the instructions are empty.
	Hidden string
}

// Standing is the part of an order that changes.
type Standing struct {
	State        State         `json:"state"`
	GatewayID    string        `json:"gateway_id,omitempty"`   // the gateway's order id (payOrderId), once known
	Paid         money.Amount  `json:"paid,omitzero"`          // what moved, by proof; zero until then
	Fee          money.Amount  `json:"fee,omitzero"`           // what the gateway kept, by proof; zero until then
	FeeText      string        `json:"fee_text,omitempty"`     // the fee as the gateway wrote it, if Fee is not exactly that
	ExpectedFee  money.Amount  `json:"expected_fee,omitzero"`  // withdrawal: the fee on top that was known at the opening, and is reserved with the amount; zero if none was
	Reason       Reason        `json:"reason,omitzero"`        // why the order is in its state; empty if the state says it
	Instructions *Instructions `json:"instructions,omitempty"` // deposit: how the payer pays
}

// Reason is a stable code for machines and a sentence for people.
type Reason struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// Instructions tell a payer how to pay a deposit.
type Instructions struct {
	PayURL        string    `json:"pay_url,omitempty"`  // hosted page; its host may change
	PayData       string    `json:"pay_data,omitempty"` // account number, QR text, wallet number or deep link
	PayDataType   string    `json:"pay_data_type,omitempty"`
	AccountName   string    `json:"account_name,omitempty"`
	AccountNumber string    `json:"account_number,omitempty"`
	Bank          string    `json:"bank,omitempty"`
	Phone         string    `json:"phone,omitempty"`    // the payee's, where a wallet is paid
	PayCode       string    `json:"pay_code,omitempty"` // for the order's way: data of a QR code, or the link of its image
	PayWays       []PayWay  `json:"pay_ways,omitempty"` // ways that the payer may choose from
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
}

// PayWay is a way in which the payer may pay, for a checkout of the merchant's own.
type PayWay struct {
	Way  string `json:"way"`            // the gateway's code
	Type string `json:"type,omitempty"` // bank, ewallet, qr and the like; the gateway's spelling varies
	Code string `json:"code,omitempty"` // as Instructions.PayCode
	Logo string `json:"logo,omitempty"` // the link of an image
}

// View is an order as callers and operators see it. Of the payer or beneficiary it
// has only the end of the account and initials.
type View struct {
	Kind        Kind              `json:"kind"`
	Merchant    string            `json:"merchant"`
	Number      string            `json:"number"`
	Country     string            `json:"country"`
	Way         string            `json:"way"`
	Payee       string            `json:"payee,omitempty"`        // masked, see Request.Payee
	RequestedBy string            `json:"requested_by,omitempty"` // as typed when the order was started
	Amount      money.Amount      `json:"amount"`
	Fingerprint string            `json:"fingerprint"`
	NotBefore   time.Time         `json:"not_before,omitzero"` // when it is sent at the earliest
	Metadata    map[string]string `json:"metadata,omitempty"`  // as it was requested
	Hidden      string            `json:"hidden,omitempty"`    // "encrypted" or "erased": the content cannot be read
	Standing
	Next string `json:"next,omitempty"` // what happens next, in a sentence
	// Unrecorded says that the input was invalid and nothing was written to the
	// ledger. The number may be used again.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// View returns the order as callers see it, without personal data.
func (r Request) View(standing Standing) View {
	return View{
		Kind: r.Kind, Merchant: r.Merchant, Number: r.Number, Country: r.Country, Way: r.Way, Amount: r.Amount,
		Payee: r.Payee(), RequestedBy: r.RequestedBy, NotBefore: r.NotBefore, Metadata: r.GivenMetadata(), Fingerprint: r.Fingerprint(), Standing: standing,
	}
}

// View returns the order as callers see it, without personal data.
func (o Order) View(standing Standing) View {
	view := o.Request.View(standing)
	if view.Hidden = o.Hidden; o.Hidden != "" {
		view.Fingerprint = "" // that of a request without details
	}
	return view
}

// Reservation returns what is reserved for a withdrawal: its amount, and the fee on top
// that is expected.
func (o Order) Reservation() money.Amount {
	if !o.ExpectedFee.IsPositive() {
		return o.Amount
	}
	sum, err := o.Amount.Add(o.ExpectedFee)
	if err != nil {
		panic("order: " + err.Error()) // the ledger reads both in one currency, within bounds
	}
	return sum
}

// Key returns the order's key.
func (v View) Key() Key { return Key{Merchant: v.Merchant, Number: v.Number} }
