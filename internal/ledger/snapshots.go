package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Booked has the balances of the accounts through which money enters and leaves a
// merchant's books. Reservations and releases do not change it.
type Booked struct {
	Opening  int64 `db:"opening"`
	PaidOut  int64 `db:"paid_out"`
	Received int64 `db:"received"`
	Fees     int64 `db:"fees"`
	Settled  int64 `db:"settled"`
	Suspense int64 `db:"suspense"`
}

// Booked reads a merchant's Booked. It is zero if the books are not open.
func (l *Ledger) Booked(ctx context.Context, merchant, currency string) (Booked, error) {
	var booked Booked
	err := l.db.Get(ctx, &booked, "SELECT "+bookedColumns+" FROM books WHERE merchant = ? AND currency = ?", merchant, currency)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Booked{}, fmt.Errorf("ledger: books of %s: %w", merchant, err)
	}
	return booked, nil
}

const bookedColumns = "opening, paid_out, received, fees, settled, suspense"

// TakeSnapshot compares the gateway's balance with the ledger's as of one moment,
// and stores the result. before is the Booked that the caller read before it
// queried the gateway. If Booked has changed since, the gateway's answer may or
// may not include the change, so the comparison cannot prove drift. ErrNotFound
// when the merchant's books in that currency are not open.
func (l *Ledger) TakeSnapshot(ctx context.Context, merchant string, available, frozen money.Amount, before Booked) (order.Snapshot, error) {
	gateway, err := available.Add(frozen)
	if err != nil {
		return order.Snapshot{}, fmt.Errorf("ledger: snapshot of %s: %w", merchant, err)
	}
	row := snapshotRow{
		Merchant: merchant, Currency: gateway.Currency(),
		GatewayAvailable: available.Minor(), GatewayFrozen: frozen.Minor(),
	}
	err = l.inTx(ctx, func(t tx) error {
		row.At = t.At.UnixMilli()
		if err := t.compare(ctx, &row, before); err != nil {
			return err
		}
		var ids []int64
		err := t.PutRows(ctx, &ids, `
			INSERT INTO snapshots (merchant, currency, at, gateway_available, gateway_frozen, ledger_available, ledger_in_flight,
				open_withdrawals, open_withdrawal_amount, open_deposits, open_deposit_amount,
				sent_withdrawal_amount, sent_deposit_amount, fee_rest, drift, unexplained, verdict)
			VALUES (:merchant, :currency, :at, :gateway_available, :gateway_frozen, :ledger_available, :ledger_in_flight,
				:open_withdrawals, :open_withdrawal_amount, :open_deposits, :open_deposit_amount,
				:sent_withdrawal_amount, :sent_deposit_amount, :fee_rest, :drift, :unexplained, :verdict)
			RETURNING id`, row)
		if err == nil {
			row.ID = ids[0]
		}
		return err
	})
	if err != nil {
		return order.Snapshot{}, fmt.Errorf("ledger: snapshot of %s: %w", merchant, err)
	}
	return row.snapshot()
}

// compare reads the ledger's side in one statement, so as of one moment, and sets
// the verdict.
func (t tx) compare(ctx context.Context, row *snapshotRow, before Booked) error {
	var ours struct {
		snapshotRow
		Booked
	}
	ours.snapshotRow = *row
	err := t.Get(ctx, &ours, `
		SELECT b.available AS ledger_available, b.in_flight AS ledger_in_flight, b.fee_rest,
			b.opening, b.paid_out, b.received, b.fees, b.settled, b.suspense,
			COALESCE(SUM(CASE WHEN o.holding THEN 1 ELSE 0 END), 0) AS open_withdrawals,
			CAST(COALESCE(SUM(CASE WHEN o.holding THEN o.amount ELSE 0 END), 0) AS BIGINT) AS open_withdrawal_amount,
			CAST(COALESCE(SUM(CASE WHEN o.holding AND o.sent THEN o.amount ELSE 0 END), 0) AS BIGINT) AS sent_withdrawal_amount,
			COALESCE(SUM(CASE WHEN o.kind = 'deposit' THEN 1 ELSE 0 END), 0) AS open_deposits,
			CAST(COALESCE(SUM(CASE WHEN o.kind = 'deposit' THEN o.amount ELSE 0 END), 0) AS BIGINT) AS open_deposit_amount,
			CAST(COALESCE(SUM(CASE WHEN o.kind = 'deposit' AND o.sent THEN o.amount ELSE 0 END), 0) AS BIGINT) AS sent_deposit_amount
		FROM books b LEFT JOIN (
			SELECT merchant, currency, kind, amount + expected_fee AS amount, (`+holdingStates+`) AS holding, `+sent+` AS sent FROM orders WHERE `+openOrders+`
		) o ON o.merchant = b.merchant AND o.currency = b.currency
		WHERE b.merchant = ? AND b.currency = ?
		GROUP BY b.merchant, b.currency, b.available, b.in_flight, b.fee_rest,
			b.opening, b.paid_out, b.received, b.fees, b.settled, b.suspense`, row.Merchant, row.Currency)
	if err != nil {
		return missing(err, "books of %s in %s", row.Merchant, row.Currency)
	}
	*row = ours.snapshotRow
	row.Drift = row.GatewayAvailable + row.GatewayFrozen - row.LedgerAvailable - row.LedgerInFlight
	row.Verdict = reconcile.Balance(row.Drift, row.SentWithdrawalAmount, row.SentDepositAmount, row.FeeRest)
	if row.Verdict != order.Drifting {
		return nil
	}
	row.Verdict = order.Unsettled
	if ours.Booked != before {
		return nil
	}
	row.Unexplained = 1
	return t.confirm(ctx, row)
}

// sent is the SQL condition for orders that the gateway may have.
const sent = `EXISTS (
	SELECT 1 FROM submissions s WHERE s.order_id = orders.id AND s.outcome IN ('', 'accepted', 'ambiguous'))`

// confirm sets the verdict to drift if the previous snapshot had the same
// unexplained difference.
func (t tx) confirm(ctx context.Context, row *snapshotRow) error {
	var same int
	err := t.Get(ctx, &same, `
		SELECT COUNT(*) FROM snapshots s
		WHERE s.unexplained = 1 AND s.drift = ?
			AND s.id = (SELECT MAX(id) FROM snapshots WHERE merchant = ? AND currency = ?)`, row.Drift, row.Merchant, row.Currency)
	if same > 0 {
		row.Verdict = order.Drifting
	}
	return err
}

// Snapshots returns a merchant's snapshots, newest first.
func (l *Ledger) Snapshots(ctx context.Context, merchant string, limit int) ([]order.Snapshot, error) {
	var rows []snapshotRow
	err := l.db.List(ctx, &rows, `
		SELECT `+snapshotColumns+` FROM snapshots WHERE merchant = ? ORDER BY id DESC LIMIT ?`, merchant, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("ledger: snapshots of %s: %w", merchant, err)
	}
	snapshots := make([]order.Snapshot, len(rows))
	for i, row := range rows {
		if snapshots[i], err = row.snapshot(); err != nil {
			return nil, fmt.Errorf("ledger: snapshots of %s: %w", merchant, err)
		}
	}
	return snapshots, nil
}

const snapshotColumns = `id, merchant, currency, at, gateway_available, gateway_frozen, ledger_available, ledger_in_flight,
	open_withdrawals, open_withdrawal_amount, open_deposits, open_deposit_amount,
	sent_withdrawal_amount, sent_deposit_amount, fee_rest, drift, unexplained, verdict`

type snapshotRow struct {
	ID                   int64           `db:"id"`
	Merchant             string          `db:"merchant"`
	Currency             string          `db:"currency"`
	At                   int64           `db:"at"`
	GatewayAvailable     int64           `db:"gateway_available"`
	GatewayFrozen        int64           `db:"gateway_frozen"`
	LedgerAvailable      int64           `db:"ledger_available"`
	LedgerInFlight       int64           `db:"ledger_in_flight"`
	OpenWithdrawals      int             `db:"open_withdrawals"`
	OpenWithdrawalAmount int64           `db:"open_withdrawal_amount"`
	OpenDeposits         int             `db:"open_deposits"`
	OpenDepositAmount    int64           `db:"open_deposit_amount"`
	SentWithdrawalAmount int64           `db:"sent_withdrawal_amount"`
	SentDepositAmount    int64           `db:"sent_deposit_amount"`
	FeeRest              int64           `db:"fee_rest"`
	Drift                int64           `db:"drift"`
	Unexplained          int             `db:"unexplained"`
	Verdict              order.Agreement `db:"verdict"`
}

func (r snapshotRow) snapshot() (order.Snapshot, error) {
	read := amounts{currency: r.Currency}
	s := order.Snapshot{
		ID: r.ID, Merchant: r.Merchant, Currency: r.Currency, At: moment(r.At),
		GatewayAvailable: read.of(r.GatewayAvailable), GatewayFrozen: read.of(r.GatewayFrozen),
		LedgerAvailable: read.of(r.LedgerAvailable), LedgerInFlight: read.of(r.LedgerInFlight),
		OpenWithdrawals: r.OpenWithdrawals, OpenWithdrawalAmount: read.of(r.OpenWithdrawalAmount),
		OpenDeposits: r.OpenDeposits, OpenDepositAmount: read.of(r.OpenDepositAmount),
		SentWithdrawalAmount: read.of(r.SentWithdrawalAmount), SentDepositAmount: read.of(r.SentDepositAmount), FeeRest: r.FeeRest,
		Drift: read.of(r.Drift), Verdict: r.Verdict,
	}
	return s, read.err
}
