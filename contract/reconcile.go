package contract

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// ReconcileBalancesInput says whose balances to compare.
type ReconcileBalancesInput struct {
	Merchants []string `json:"merchants,omitempty"` // empty: all that are configured
}

// ReconcileBalancesResult is the report: a snapshot per merchant.
type ReconcileBalancesResult struct {
	Snapshots   []order.Snapshot `json:"snapshots"`
	Drifting    []string         `json:"drifting,omitempty"`    // merchants whose books differ from the gateway's
	Unreachable []string         `json:"unreachable,omitempty"` // merchants whose balance could not be asked
}

// ReconcileTransactionsInput says whose transactions to compare, and which
// span. Everything is optional: all merchants, from where each was left, until
// a lag ago.
type ReconcileTransactionsInput struct {
	Merchants []string  `json:"merchants,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`

	// Going is set by the workflow itself: it makes a run the comparison of that
	// one merchant, from there on.
	Going *TransactionsGoing `json:"going,omitempty"`
}

// TransactionsGoing is how far the comparison of a merchant has come.
type TransactionsGoing struct {
	Left   TransactionSpan      `json:"left"`
	Report MerchantTransactions `json:"report"`
}

// ReconcileTransactionsResult is the report, a part per merchant.
type ReconcileTransactionsResult struct {
	Merchants []MerchantTransactions `json:"merchants"`
}

// MerchantTransactions is the report on one merchant.
type MerchantTransactions struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`      // as far as it came
	Windows  int       `json:"windows"` // of a day at most, that are done
	History  string    `json:"history"` // one of the constants below
	TransactionCounts
	Findings []order.DiscrepancyCount `json:"findings"`          // open discrepancies that were met with, by code; each once
	Problem  string                   `json:"problem,omitempty"` // why it did not come to its end
}

// What is known of a merchant's history at the gateway.
const (
	HistoryRead   = "read"
	HistoryNone   = "none"   // the gateway has none in the merchant's country: orders were asked about one by one
	HistoryUnread = "unread" // nothing was compared, or it could not be read
)

// TransactionSpan is the span of one merchant that is to be compared.
type TransactionSpan struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	History  bool      `json:"history"` // the gateway lists transactions in the merchant's country
	// Again: orders that ended from then until From are asked about once more,
	// because a success may have been returned since.
	Again   time.Time `json:"again"`
	First   bool      `json:"first,omitempty"`   // nothing has been compared before
	Problem string    `json:"problem,omitempty"` // why nothing can be compared
	Began   time.Time `json:"began"`             // what is met with from then on counts
}

// TransactionCounts is what comparing transactions has come to.
type TransactionCounts struct {
	Rows       int `json:"rows"`       // records of the gateway's history that were read
	Compared   int `json:"compared"`   // of them, those whose order has ended here
	Asked      int `json:"asked"`      // orders that the gateway was asked about
	Unanswered int `json:"unanswered"` // orders on which it gave no answer
	Settled    int `json:"settled"`    // orders whose answer was news, and is booked now
}

// Add adds other counts.
func (c *TransactionCounts) Add(other TransactionCounts) {
	c.Rows += other.Rows
	c.Compared += other.Compared
	c.Asked += other.Asked
	c.Unanswered += other.Unanswered
	c.Settled += other.Settled
}
