package ledger

import (
	"context"
	"fmt"
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

	Drift   money.Amount `json:"drift"` // the gateway's total less ours
	Verdict Verdict      `json:"verdict"`
}

// Verdict says what a drift means.
type Verdict string

// The verdicts. A drift that no open order explains may still be an order that
// ended while the gateway was asked: it counts when it is there on a second
// look.
const (
	Agreed    Verdict = "agreed"    // no drift
	Unsettled Verdict = "unsettled" // orders that are open here may have ended there
	Drifting  Verdict = "drift"     // open orders do not explain it
)

// GatewayTotal is what the gateway says is there: available and frozen.
func (s Snapshot) GatewayTotal() money.Amount { return total(s.GatewayAvailable, s.GatewayFrozen) }

// LedgerTotal is what the ledger says is there: available and in flight.
func (s Snapshot) LedgerTotal() money.Amount { return total(s.LedgerAvailable, s.LedgerInFlight) }

// total adds what was added before when the snapshot was taken.
func total(a, b money.Amount) money.Amount {
	sum, err := a.Add(b)
	if err != nil {
		return money.Amount{}
	}
	return sum
}

// TakeSnapshot compares what the gateway says of a merchant's money with the
// ledger, as of one moment, and keeps the result. ErrNotFound when the
// merchant's books in that currency are not open.
func (l *Ledger) TakeSnapshot(ctx context.Context, merchant string, available, frozen money.Amount) (Snapshot, error) {
	gateway, err := available.Add(frozen)
	if err != nil {
		return Snapshot{}, fmt.Errorf("ledger: snapshot of %s: %w", merchant, err)
	}
	row := snapshotRow{
		Merchant: merchant, Currency: gateway.Currency(),
		GatewayAvailable: available.Minor(), GatewayFrozen: frozen.Minor(),
	}
	err = l.inTx(ctx, func(t tx) error {
		row.At = t.at.UnixMilli()
		if err := t.compare(ctx, &row); err != nil {
			return err
		}
		var ids []int64
		err := t.putRows(ctx, &ids, `
			INSERT INTO snapshots (merchant, currency, at, gateway_available, gateway_frozen, ledger_available, ledger_in_flight,
				open_withdrawals, open_withdrawal_amount, open_deposits, open_deposit_amount, drift, verdict)
			VALUES (:merchant, :currency, :at, :gateway_available, :gateway_frozen, :ledger_available, :ledger_in_flight,
				:open_withdrawals, :open_withdrawal_amount, :open_deposits, :open_deposit_amount, :drift, :verdict)
			RETURNING id`, row)
		if err == nil {
			row.ID = ids[0]
		}
		return err
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("ledger: snapshot of %s: %w", merchant, err)
	}
	return row.snapshot()
}

// compare reads our side in one statement, that is as of one moment, and
// judges the difference.
func (t tx) compare(ctx context.Context, row *snapshotRow) error {
	err := t.get(ctx, row, `
		SELECT b.available AS ledger_available, b.in_flight AS ledger_in_flight,
			COALESCE(SUM(CASE WHEN o.holding THEN 1 ELSE 0 END), 0) AS open_withdrawals,
			CAST(COALESCE(SUM(CASE WHEN o.holding THEN o.amount ELSE 0 END), 0) AS BIGINT) AS open_withdrawal_amount,
			COALESCE(SUM(CASE WHEN o.kind = 'deposit' THEN 1 ELSE 0 END), 0) AS open_deposits,
			CAST(COALESCE(SUM(CASE WHEN o.kind = 'deposit' THEN o.amount ELSE 0 END), 0) AS BIGINT) AS open_deposit_amount
		FROM books b LEFT JOIN (
			SELECT merchant, currency, kind, amount, (`+holdingStates+`) AS holding FROM orders WHERE `+openStates+`
		) o ON o.merchant = b.merchant AND o.currency = b.currency
		WHERE b.merchant = ? AND b.currency = ?
		GROUP BY b.merchant, b.currency, b.available, b.in_flight`, row.Merchant, row.Currency)
	if err != nil {
		return missing(err, "books of %s in %s", row.Merchant, row.Currency)
	}
	row.Drift = row.GatewayAvailable + row.GatewayFrozen - row.LedgerAvailable - row.LedgerInFlight
	row.Verdict = judge(row.Drift, row.OpenWithdrawalAmount, row.OpenDepositAmount)
	return nil
}

// judge tells a drift that open orders may explain from one that they cannot.
// A withdrawal that is paid there and open here makes the gateway poorer by
// its amount and a fee, which is not known yet and is taken to be no more than
// the amount itself; a deposit makes it richer by its amount at most.
func judge(drift, withdrawals, deposits int64) Verdict {
	switch {
	case drift == 0:
		return Agreed
	case drift < 0 && drift+withdrawals >= -withdrawals: // neither sum can overflow
		return Unsettled
	case drift > 0 && drift <= deposits:
		return Unsettled
	}
	return Drifting
}

// Snapshots are a merchant's latest, newest first.
func (l *Ledger) Snapshots(ctx context.Context, merchant string, limit int) ([]Snapshot, error) {
	var rows []snapshotRow
	err := l.list(ctx, &rows, `
		SELECT id, merchant, currency, at, gateway_available, gateway_frozen, ledger_available, ledger_in_flight,
			open_withdrawals, open_withdrawal_amount, open_deposits, open_deposit_amount, drift, verdict
		FROM snapshots WHERE merchant = ? ORDER BY id DESC LIMIT ?`, merchant, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("ledger: snapshots of %s: %w", merchant, err)
	}
	snapshots := make([]Snapshot, len(rows))
	for i, row := range rows {
		if snapshots[i], err = row.snapshot(); err != nil {
			return nil, fmt.Errorf("ledger: snapshots of %s: %w", merchant, err)
		}
	}
	return snapshots, nil
}

type snapshotRow struct {
	ID                   int64   `db:"id"`
	Merchant             string  `db:"merchant"`
	Currency             string  `db:"currency"`
	At                   int64   `db:"at"`
	GatewayAvailable     int64   `db:"gateway_available"`
	GatewayFrozen        int64   `db:"gateway_frozen"`
	LedgerAvailable      int64   `db:"ledger_available"`
	LedgerInFlight       int64   `db:"ledger_in_flight"`
	OpenWithdrawals      int     `db:"open_withdrawals"`
	OpenWithdrawalAmount int64   `db:"open_withdrawal_amount"`
	OpenDeposits         int     `db:"open_deposits"`
	OpenDepositAmount    int64   `db:"open_deposit_amount"`
	Drift                int64   `db:"drift"`
	Verdict              Verdict `db:"verdict"`
}

func (r snapshotRow) snapshot() (Snapshot, error) {
	read := amounts{currency: r.Currency}
	s := Snapshot{
		ID: r.ID, Merchant: r.Merchant, Currency: r.Currency, At: moment(r.At),
		GatewayAvailable: read.of(r.GatewayAvailable), GatewayFrozen: read.of(r.GatewayFrozen),
		LedgerAvailable: read.of(r.LedgerAvailable), LedgerInFlight: read.of(r.LedgerInFlight),
		OpenWithdrawals: r.OpenWithdrawals, OpenWithdrawalAmount: read.of(r.OpenWithdrawalAmount),
		OpenDeposits: r.OpenDeposits, OpenDepositAmount: read.of(r.OpenDepositAmount),
		Drift: read.of(r.Drift), Verdict: r.Verdict,
	}
	return s, read.err
}
