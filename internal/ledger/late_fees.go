package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// LateFee is a fee of an order that was learned after the payment, and that two persons have
// booked: see BookingRef. The order's own fee stays what it was.
type LateFee struct {
	Number string         `json:"number"` // of the order
	Kind   AdjustmentKind `json:"kind"`   // fee; or fee_refund, if the gateway kept less
	Amount money.Amount   `json:"amount"` // above zero
	Ref    string         `json:"ref"`    // of the adjustment
	By     string         `json:"by"`     // who proposed it, and who confirmed it
	At     time.Time      `json:"at"`     // when it was booked
}

// Back reports whether the gateway gave the amount back, rather than keep it.
func (f LateFee) Back() bool { return f.Kind == AdjustFeeRefund }

// LateFees returns the fees of an order that were learned late, oldest first.
func (l *Ledger) LateFees(ctx context.Context, key order.Key) (found []LateFee, err error) {
	err = l.db.View(ctx, func(t *sqldb.Tx) error {
		found, err = lateFees(ctx, t, "a.merchant = ? AND d.number = ?", sanitizeKey(key.Merchant), sanitizeKey(key.Number))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: late fees of %s: %w", key, err)
	}
	return found, nil
}

// lateFees reads booked adjustments of the fees of orders, at most MaxPage.
func lateFees(ctx context.Context, t *sqldb.Tx, where string, args ...any) ([]LateFee, error) {
	var rows []struct {
		Number    string         `db:"number"`
		Kind      AdjustmentKind `db:"kind"`
		Amount    int64          `db:"amount"`
		Currency  string         `db:"currency"`
		Ref       string         `db:"ref"`
		Actor     string         `db:"actor"`
		DecidedBy string         `db:"decided_by"`
		DecidedAt int64          `db:"decided_at"`
	}
	err := t.List(ctx, &rows, `
		SELECT d.number, a.kind, a.amount, a.currency, a.ref, a.actor, a.decided_by, a.decided_at
		FROM discrepancies d JOIN adjustments a ON a.merchant = d.merchant AND a.ref = ? || d.id
		WHERE a.state = 'booked' AND a.kind IN (?, ?) AND d.code = ? AND d.number <> '' AND `+where+" ORDER BY a.decided_at, a.id LIMIT ?",
		append(append([]any{bookingPrefix, AdjustFee, AdjustFeeRefund, codes.DiscrepancyRecord}, args...), MaxPage)...)
	if err != nil {
		return nil, err
	}
	var found []LateFee
	for _, row := range rows {
		read := amounts{currency: row.Currency}
		found = append(found, LateFee{
			Number: row.Number, Kind: row.Kind, Amount: read.of(row.Amount), Ref: row.Ref, By: row.Actor + " and " + row.DecidedBy, At: moment(row.DecidedAt),
		})
		if read.err != nil {
			return nil, read.err
		}
	}
	return found, nil
}
