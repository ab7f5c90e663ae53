package order

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Snapshot is the gateway's balance beside ours, with the orders that were
// open, and what to make of it.
type Snapshot struct {
	ID       int64     `json:"id"`
	Merchant string    `json:"merchant"`
	Currency string    `json:"currency"`
	At       time.Time `json:"at"`

	GatewayAvailable money.Amount `json:"gateway_available"`
	GatewayFrozen    money.Amount `json:"gateway_frozen"`
	LedgerAvailable  money.Amount `json:"ledger_available"`
	LedgerInFlight   money.Amount `json:"ledger_in_flight"`

	OpenWithdrawals      int          `json:"open_withdrawals"` // those that hold money in flight
	OpenWithdrawalAmount money.Amount `json:"open_withdrawal_amount"`
	OpenDeposits         int          `json:"open_deposits"`
	OpenDepositAmount    money.Amount `json:"open_deposit_amount"`

	// Of these, what was sent, and may have happened there already.
	SentWithdrawalAmount money.Amount `json:"sent_withdrawal_amount"`
	SentDepositAmount    money.Amount `json:"sent_deposit_amount"`
	// What the gateway's fees were finer than is booked, in millionths of a minor
	// unit.
	FeeRest int64 `json:"fee_rest,omitempty"`

	Drift   money.Amount `json:"drift"` // the gateway's total less ours
	Verdict Agreement    `json:"verdict"`
}

// Agreement says what a difference means.
type Agreement string

// What a difference means. A difference that nothing explains may still be an order that
// ended while the gateway was asked: it is drift when the comparison before has
// shown the same amount, and nothing was booked while the gateway was asked.
const (
	Agreed    Agreement = "agreed"    // no difference, or none beyond what fees were finer than is booked
	Unsettled Agreement = "unsettled" // orders that were sent and are open here may have ended there, or it has been seen once only
	Drifting  Agreement = "drift"     // nothing explains it, twice
)

// GatewayTotal is what the gateway says is there: available and frozen.
func (s Snapshot) GatewayTotal() money.Amount { return sumOf(s.GatewayAvailable, s.GatewayFrozen) }

// LedgerTotal is what the ledger says is there: available and in flight.
func (s Snapshot) LedgerTotal() money.Amount { return sumOf(s.LedgerAvailable, s.LedgerInFlight) }

// sumOf adds what was added before when the snapshot was taken.
func sumOf(a, b money.Amount) money.Amount {
	sum, err := a.Add(b)
	if err != nil {
		return money.Amount{}
	}
	return sum
}

// DiscrepancyCount is how many discrepancies of a code are open.
type DiscrepancyCount struct {
	Code string `json:"code" db:"code"`
	Open int    `json:"open" db:"open"`
}
