package order

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Snapshot is one comparison of balances: the gateway's, ours, the open orders, and
// the result.
type Snapshot struct {
	ID       int64     `json:"id"`
	Merchant string    `json:"merchant"`
	Currency string    `json:"currency"`
	At       time.Time `json:"at"`

	GatewayAvailable money.Amount `json:"gateway_available"`
	GatewayFrozen    money.Amount `json:"gateway_frozen"`
	LedgerAvailable  money.Amount `json:"ledger_available"`
	LedgerInFlight   money.Amount `json:"ledger_in_flight"`

	// Open orders. Amounts of withdrawals are with the fees on top that are expected.
	OpenWithdrawals      int          `json:"open_withdrawals"` // with money in flight
	OpenWithdrawalAmount money.Amount `json:"open_withdrawal_amount"`
	OpenDeposits         int          `json:"open_deposits"`
	OpenDepositAmount    money.Amount `json:"open_deposit_amount"`

	// Open orders that were sent: the gateway may have booked them already.
	SentWithdrawalAmount money.Amount `json:"sent_withdrawal_amount"`
	SentDepositAmount    money.Amount `json:"sent_deposit_amount"`
	// Parts of fees that rounding cut off, in millionths of a minor unit.
	FeeRest int64 `json:"fee_rest,omitempty"`

	Drift   money.Amount `json:"drift"` // the gateway's total less ours
	Verdict Agreement    `json:"verdict"`
}

// Agreement says what a difference means.
type Agreement string

// What a difference means. An unexplained difference may be an order that ended
// during the comparison. It is drift only if the previous comparison showed the same
// amount, and nothing was booked during this one.
const (
	Agreed    Agreement = "agreed"    // no difference, apart from the rests of fees
	Unsettled Agreement = "unsettled" // open orders may explain the difference, or it was seen only once
	Drifting  Agreement = "drift"     // unexplained in two comparisons in a row
)

// GatewayTotal returns the gateway's available and frozen amounts together.
func (s Snapshot) GatewayTotal() money.Amount { return sumOf(s.GatewayAvailable, s.GatewayFrozen) }

// LedgerTotal returns the ledger's available and in-flight amounts together.
func (s Snapshot) LedgerTotal() money.Amount { return sumOf(s.LedgerAvailable, s.LedgerInFlight) }

// sumOf adds two amounts. They cannot overflow: they were added when the snapshot was
// taken.
func sumOf(a, b money.Amount) money.Amount {
	sum, err := a.Add(b)
	if err != nil {
		return money.Amount{}
	}
	return sum
}

// DiscrepancyCount is the number of open discrepancies of a code.
type DiscrepancyCount struct {
	Code string `json:"code" db:"code"`
	Open int    `json:"open" db:"open"`
}
