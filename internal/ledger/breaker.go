package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Breaker is the open breaker of a merchant. The merchant's orders are not
// submitted, because the gateway refuses every call for the merchant.
type Breaker struct {
	Merchant string       `json:"merchant"`
	Since    time.Time    `json:"since"`
	Reason   order.Reason `json:"reason"`
	ProbeAt  time.Time    `json:"probe_at"` // when one order may be tried next
}

// Trip opens a merchant's breaker. The first probe is allowed after probeAfter. If
// the breaker is already open, Trip changes nothing.
func (l *Ledger) Trip(ctx context.Context, merchant string, reason order.Reason, probeAfter time.Duration) error {
	err := l.inTx(ctx, func(t tx) error {
		opened, err := t.Put(ctx, `
			INSERT INTO breakers (merchant, since, reason_code, reason_text, probe_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (merchant) DO NOTHING`,
			merchant, t.At.UnixMilli(), reason.Code, sanitizeText(reason.Text), t.At.Add(probeAfter).UnixMilli())
		if err != nil || opened == 0 {
			return err
		}
		return t.noteOther(ctx, order.Key{Merchant: merchant}, entry{action: ActionTrip, source: FromSubmission, reason: reason})
	})
	if err != nil {
		return fmt.Errorf("ledger: trip the breaker of %s: %w", merchant, err)
	}
	return nil
}

// Reset closes a merchant's breaker. If it is closed already, Reset changes
// nothing.
func (l *Ledger) Reset(ctx context.Context, merchant string) error {
	err := l.inTx(ctx, func(t tx) error {
		closed, err := t.Put(ctx, "DELETE FROM breakers WHERE merchant = ?", merchant)
		if err != nil || closed == 0 {
			return err
		}
		return t.noteOther(ctx, order.Key{Merchant: merchant}, entry{action: ActionReset, source: FromSubmission})
	})
	if err != nil {
		return fmt.Errorf("ledger: reset the breaker of %s: %w", merchant, err)
	}
	return nil
}

// Breaker returns a merchant's breaker if it is open.
func (l *Ledger) Breaker(ctx context.Context, merchant string) (b Breaker, open bool, err error) {
	var row breakerRow
	err = l.db.Get(ctx, &row, "SELECT "+breakerColumns+" FROM breakers WHERE merchant = ?", merchant)
	if errors.Is(err, sql.ErrNoRows) {
		return Breaker{}, false, nil
	}
	if err != nil {
		return Breaker{}, false, fmt.Errorf("ledger: breaker of %s: %w", merchant, err)
	}
	return row.breaker(), true, nil
}

// Breakers returns all open breakers, oldest first.
func (l *Ledger) Breakers(ctx context.Context) ([]Breaker, error) {
	var rows []breakerRow
	if err := l.db.List(ctx, &rows, "SELECT "+breakerColumns+" FROM breakers ORDER BY since, merchant"); err != nil {
		return nil, fmt.Errorf("ledger: list breakers: %w", err)
	}
	breakers := make([]Breaker, len(rows))
	for i, row := range rows {
		breakers[i] = row.breaker()
	}
	return breakers, nil
}

// ClaimProbe reports whether the caller may try one order of a merchant whose
// breaker is open. Only one caller gets the probe. The next probe is allowed after
// pause, unless Reset closes the breaker before. If claimed is false, wait is the
// longest time until the next probe; it is 0 if the breaker is closed.
func (l *Ledger) ClaimProbe(ctx context.Context, merchant string, pause time.Duration) (claimed bool, wait time.Duration, err error) {
	claimed, wait, err = l.claimProbe(ctx, merchant, pause)
	if err != nil {
		return false, 0, fmt.Errorf("ledger: claim the probe of %s: %w", merchant, err)
	}
	return claimed, wait, nil
}

func (l *Ledger) claimProbe(ctx context.Context, merchant string, pause time.Duration) (claimed bool, wait time.Duration, err error) {
	breaker, open, err := l.Breaker(ctx, merchant)
	if err != nil || !open {
		return false, 0, err
	}
	now, err := l.Now(ctx)
	if err != nil {
		return false, 0, err
	}
	if wait := breaker.ProbeAt.Sub(now); wait > 0 {
		return false, wait, nil // the usual case: no write
	}
	var updated int64
	err = l.inTx(ctx, func(t tx) (err error) {
		next := t.At.Add(pause).UnixMilli()
		updated, err = t.Put(ctx, "UPDATE breakers SET probe_at = ? WHERE merchant = ? AND probe_at <= ? AND probe_at < ?",
			next, merchant, t.At.UnixMilli(), next)
		return err
	})
	return updated == 1, pause, err
}

const breakerColumns = "merchant, since, reason_code, reason_text, probe_at"

type breakerRow struct {
	Merchant   string `db:"merchant"`
	Since      int64  `db:"since"`
	ReasonCode string `db:"reason_code"`
	ReasonText string `db:"reason_text"`
	ProbeAt    int64  `db:"probe_at"`
}

func (r breakerRow) breaker() Breaker {
	return Breaker{
		Merchant: r.Merchant, Since: moment(r.Since), Reason: order.Reason{Code: r.ReasonCode, Text: r.ReasonText}, ProbeAt: moment(r.ProbeAt),
	}
}
