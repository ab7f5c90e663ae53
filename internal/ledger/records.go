package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
)

// KeepRecords stores the gateway's records, one per gateway id. A newer record
// replaces the older one. But a refunded record keeps its state when a record of
// the history replaces it, because the history still lists refunded orders as
// successful.
func (l *Ledger) KeepRecords(ctx context.Context, merchant string, records []reconcile.Record) error {
	if len(records) == 0 {
		return nil
	}
	if len(records) > MaxPage {
		return fmt.Errorf("ledger: keep records of %s: %d at once are more than %d", merchant, len(records), MaxPage)
	}
	err := l.inTx(ctx, func(t tx) error {
		rows := make([]recordRow, len(records))
		for i, record := range records {
			rows[i] = newRecordRow(record, merchant, t.At)
			if err := t.findNumber(ctx, &rows[i]); err != nil {
				return err
			}
		}
		// Sorted, so that concurrent writers of the same records cannot deadlock.
		slices.SortFunc(rows, func(a, b recordRow) int { return strings.Compare(a.GatewayID, b.GatewayID) })
		rows = slices.CompactFunc(rows, func(a, b recordRow) bool { return a.GatewayID == b.GatewayID })
		var kept []string
		return t.PutRows(ctx, &kept, `
			INSERT INTO gateway_records (merchant, gateway_id, number, kind, state, currency, amount, paid, fee, created_at, source, first_at, seen_at)
			VALUES (:merchant, :gateway_id, :number, :kind, :state, :currency, :amount, :paid, :fee, :created_at, :source, :seen_at, :seen_at)
			ON CONFLICT (merchant, gateway_id) DO UPDATE SET
				number = excluded.number, kind = excluded.kind, currency = excluded.currency,
				amount = excluded.amount, paid = excluded.paid, fee = excluded.fee, seen_at = excluded.seen_at,
				state = CASE WHEN gateway_records.state = 5 AND excluded.source = 'history' THEN 5 ELSE excluded.state END,
				created_at = CASE WHEN excluded.created_at = 0 THEN gateway_records.created_at ELSE excluded.created_at END,
				source = CASE WHEN gateway_records.source = 'history' THEN 'history' ELSE excluded.source END
			RETURNING gateway_id`, rows)
	})
	if err != nil {
		return fmt.Errorf("ledger: keep records of %s: %w", merchant, err)
	}
	return nil
}

// findNumber fills in the order number of a record that has only the gateway's id.
func (t tx) findNumber(ctx context.Context, row *recordRow) error {
	if row.Number != "" {
		return nil
	}
	return t.Get(ctx, &row.Number, "SELECT COALESCE(("+ownerByGatewayID+"), '')",
		row.Merchant, row.GatewayID)
}

// IsListed reports whether the gateway's history lists an order of that number.
func (l *Ledger) IsListed(ctx context.Context, key order.Key) (bool, error) {
	var listed int
	err := l.db.Get(ctx, &listed, `SELECT COUNT(*) FROM gateway_records WHERE merchant = ? AND number = ? AND number <> '' AND source = 'history'`,
		sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return false, fmt.Errorf("ledger: look for a record of %s: %w", key, err)
	}
	return listed > 0, nil
}

func newRecordRow(r reconcile.Record, merchant string, at time.Time) recordRow {
	row := recordRow{
		Merchant: merchant, GatewayID: sanitizeKey(r.GatewayID), Number: sanitizeKey(r.Number), Kind: int(r.Kind), State: int(r.State), Currency: sanitizeText(r.Currency),
		Amount: r.Amount, Paid: r.Paid, Fee: r.Fee, Source: r.Source, SeenAt: at.UnixMilli(),
	}
	if !r.CreatedAt.IsZero() {
		row.CreatedAt = r.CreatedAt.UnixMilli()
	}
	return row
}

type recordRow struct {
	Merchant  string           `db:"merchant"`
	GatewayID string           `db:"gateway_id"`
	Number    string           `db:"number"`
	Kind      int              `db:"kind"`
	State     int              `db:"state"`
	Currency  string           `db:"currency"`
	Amount    int64            `db:"amount"`
	Paid      int64            `db:"paid"`
	Fee       int64            `db:"fee"`
	CreatedAt int64            `db:"created_at"`
	Source    reconcile.Source `db:"source"`
	SeenAt    int64            `db:"seen_at"`
}
