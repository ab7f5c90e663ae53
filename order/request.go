// Package order has what a finance system and the orchestrator share about orders:
// requests and their validation, orders and their states, the actions of persons, and
// the codes of refusals. What decides about orders is in internal/rules.
//
// It is pure: it reads no clock, does no I/O, and uses no SQL, HTTP or Temporal.
package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Kind is the direction of money.
type Kind string

// The two kinds of order.
const (
	Deposit    Kind = "deposit"    // money in, from a payer to the merchant
	Withdrawal Kind = "withdrawal" // money out, from the merchant to a beneficiary
)

// Key identifies an order. A number is unique per merchant over both kinds,
// because the gateway does not document whether a deposit and a withdrawal may
// share one.
type Key struct {
	Merchant string `json:"merchant"`
	Number   string `json:"number"`
}

// String is "merchant/number".
func (k Key) String() string { return k.Merchant + "/" + k.Number }

// Request is what a finance system asks for. It never changes after the order
// has been opened.
type Request struct {
	Kind     Kind         `json:"kind"`
	Merchant string       `json:"merchant"` // the gateway's merchant number (mchNo)
	Number   string       `json:"number"`   // the merchant's order number (mchOrderNo), chosen once
	Country  string       `json:"country"`  // ISO 3166 alpha-2
	Way      string       `json:"way"`      // the gateway's wayCode: method, wallet or bank
	Amount   money.Amount `json:"amount"`   // in the country's ISO currency

	// Details are the country's own members (customerName, walletId, …), by the
	// gateway's names. They are personal data and must not reach logs, search
	// attributes, error texts or workflow ids.
	Details map[string]string `json:"details,omitempty"`
	// ReturnURL is where the payer's browser goes after paying. Deposits only.
	ReturnURL string `json:"return_url,omitempty"`
	// NotBefore is when the order is sent at the earliest. Without it, and if it has
	// passed, the order is sent at once.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Metadata is the caller's own: it is stored with the order, shown with it, and
	// lists are filtered by it. The gateway never sees it. An entry without a value
	// is none.
	Metadata map[string]string `json:"metadata,omitempty"`
	// RequestedBy names the requester, a person or a system. It is not part of the
	// order's content.
	RequestedBy string `json:"requested_by,omitempty"`
	// Proof is the requester's signature, for an installation with a roster. It is
	// not part of the order's content.
	Proof *Proof `json:"proof,omitempty"`
}

// Key returns the order's key.
func (r Request) Key() Key { return Key{Merchant: r.Merchant, Number: r.Number} }

// Fingerprint returns a SHA-256 over the request's content, in hex. Requests with
// one number and one fingerprint are the same order. Requests with one number and
// two fingerprints are a conflict. Empty details are left out, because they are not
// sent, and so is empty metadata.
func (r Request) Fingerprint() string {
	content := r
	content.RequestedBy, content.Proof = "", nil
	content.Details = sent(r.Details)
	content.Metadata = sent(r.Metadata)
	content.NotBefore = contentTime(r.NotBefore)
	text, err := json.Marshal(content) // keys of a map are sorted
	if err != nil {
		panic(fmt.Sprintf("order: a request of strings cannot fail to encode: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// LogValue keeps personal data out of logs.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("kind", string(r.Kind)),
		slog.String("order", r.Key().String()),
		slog.String("country", r.Country),
		slog.String("way", r.Way),
		slog.String("amount", r.Amount.String()),
	)
}

// String keeps personal data out of error texts.
func (r Request) String() string {
	return fmt.Sprintf("%s %s (%s, %s %s)", r.Kind, r.Key(), r.Amount, r.Country, r.Way)
}

// Format does the same for every verb, %+v and %#v included.
func (r Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// sent returns the entries that have a value; nil if none has.
func sent(entries map[string]string) map[string]string {
	kept := make(map[string]string, len(entries))
	for name, value := range entries {
		if value != "" {
			kept[name] = value
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// Direction is the gateway's word for a kind.
func (k Kind) Direction() tarspay.Direction {
	if k == Deposit {
		return tarspay.DirectionDeposit
	}
	return tarspay.DirectionWithdrawal
}
