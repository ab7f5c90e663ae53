package contract

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// ReconcileBalancesInput says whose balances to compare.
type ReconcileBalancesInput struct {
	Merchants []string `json:"merchants,omitempty"` // empty: all configured merchants
}

// ReconcileBalancesResult is the report: a snapshot per merchant.
type ReconcileBalancesResult struct {
	Snapshots   []order.Snapshot  `json:"snapshots"`
	Drifting    []string          `json:"drifting,omitempty"`    // merchants whose balance in the ledger differs from the gateway's
	Unreachable []string          `json:"unreachable,omitempty"` // merchants whose balance could not be queried
	Problems    map[string]string `json:"problems,omitempty"`    // why, by merchant
	Unknown     []string          `json:"unknown,omitempty"`     // those of them that neither a worker nor the ledger knows
}

// ReconcileTransactionsInput says whose transactions to compare, and which span.
// All members are optional. The defaults are: all merchants, from the end of the
// last comparison, until PAYOUTS_RECONCILE_LAG ago.
type ReconcileTransactionsInput struct {
	Merchants []string  `json:"merchants,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`

	// Going is set by the workflow only: it starts a child workflow, or a new run,
	// that compares one merchant from this point.
	Going *TransactionsGoing `json:"going,omitempty"`
}

// TransactionsGoing is the progress of the comparison of one merchant.
type TransactionsGoing struct {
	Left   TransactionSpan      `json:"left"`
	Report MerchantTransactions `json:"report"`
}

// ReconcileTransactionsResult is the report, one entry per merchant.
type ReconcileTransactionsResult struct {
	Merchants []MerchantTransactions `json:"merchants"`
}

// MerchantTransactions is the report on one merchant.
type MerchantTransactions struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`      // the end of the last compared window
	Windows  int       `json:"windows"` // number of compared windows, each a day at most
	History  string    `json:"history"` // one of the constants below
	TransactionCounts
	Findings []order.DiscrepancyCount `json:"findings"`          // number of open discrepancies found or seen again, by code
	Problem  string                   `json:"problem,omitempty"` // why the comparison ended early
}

// The values of MerchantTransactions.History.
const (
	HistoryRead   = "read"
	HistoryNone   = "none"   // the gateway has none in the merchant's country: every order was queried
	HistoryUnread = "unread" // nothing was compared, or the history could not be read
)

// TransactionSpan is the span of time to compare for one merchant.
type TransactionSpan struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	History  bool      `json:"history"` // the gateway lists transactions in the merchant's country
	// Again is the start of the lookback: orders that ended from Again until From
	// are queried once more, because a successful payment may have been returned
	// since.
	Again   time.Time `json:"again"`
	First   bool      `json:"first,omitempty"`   // nothing has been compared before
	Problem string    `json:"problem,omitempty"` // why nothing can be compared
	Began   time.Time `json:"began"`             // discrepancies seen since then are counted
}

// TransactionCounts counts the results of comparing transactions.
type TransactionCounts struct {
	Rows       int `json:"rows"`       // records of the gateway's history that were read
	Compared   int `json:"compared"`   // records whose order has ended in the ledger
	Asked      int `json:"asked"`      // orders that were queried
	Unanswered int `json:"unanswered"` // queries that got no answer
	Settled    int `json:"settled"`    // orders that were settled by the answer
}

// Add adds other to c.
func (c *TransactionCounts) Add(other TransactionCounts) {
	c.Rows += other.Rows
	c.Compared += other.Compared
	c.Asked += other.Asked
	c.Unanswered += other.Unanswered
	c.Settled += other.Settled
}
