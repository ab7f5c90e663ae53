package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Discrepancies that new evidence closes. The others are closed by persons.
//
//	ORDER_NOT_IN_LEDGER      the ledger has the order
//	CALLBACK_WITHOUT_ORDER   the ledger has the order
//	WORKFLOW_MISSING         the order has ended
//	RECORD_DIFFERS           the gateway's record agrees
//	STATEMENT_DIFFERS        the statement's line agrees
//	STATEMENT_UNPROVEN       the gateway's answer agrees
//	RECORD_WITHOUT_ORDER     the gateway's record agrees
//	OWN_WITHDRAWAL           it is booked
//	PAID_WITHOUT_RECORD      the gateway has the record
//	STATE_DIFFERS            the history agrees
//	LATE_PAYMENT             the order is refunded
//	REFUND_UNCONFIRMED       the order is refunded
//	UNPAID_AFTER_SUCCESS     the order is refunded
//	BALANCE_UNREADABLE       the balance was read

// HealAgreed closes the discrepancies of records that agree with the books now. source is
// where the records were read: only the history shows that the history agrees.
func (l *Ledger) HealAgreed(ctx context.Context, merchant string, agreed []reconcile.Agreement, source reconcile.Source) error {
	if len(agreed) == 0 {
		return nil
	}
	of := make(map[string][]reconcile.Agreement) // by the number
	args := []any{sanitizeKey(merchant)}
	for _, a := range agreed {
		number := sanitizeKey(a.Key.Number)
		if len(of[number]) == 0 {
			args = append(args, number)
		}
		of[number] = append(of[number], a)
	}
	var numbers []string
	err := l.db.List(ctx, &numbers, `SELECT DISTINCT number FROM discrepancies WHERE merchant = ? AND closed_at = 0
		AND number IN (`+placeholders(len(args)-1)+")", args...)
	for _, number := range numbers {
		if err == nil {
			err = l.healUnlocked(ctx, order.Key{Merchant: merchant, Number: number}, "the gateway's record and the books agree now",
				func(d discrepancyRow) bool { return healedByRecord(d, of[number], source) })
		}
	}
	if err != nil {
		return fmt.Errorf("ledger: heal discrepancies of %s: %w", merchant, err)
	}
	return nil
}

// healedByRecord reports whether a discrepancy is about one of the records that agree. A
// statement is no proof of what the gateway itself told, and what a statement says is
// taken back by a statement only: the gateway's record agreed all the while.
func healedByRecord(d discrepancyRow, agreed []reconcile.Agreement, source reconcile.Source) bool {
	about := func(weak bool) bool {
		return slices.ContainsFunc(agreed, func(a reconcile.Agreement) bool { return (weak || !a.Weak) && named(d.Mark, sanitizeKey(a.GatewayID)) })
	}
	switch d.Code {
	case codes.DiscrepancyRecord, codes.DiscrepancyNoOrder, codes.DiscrepancyOwnWithdrawal:
		return about(false)
	case codes.DiscrepancyStatement:
		return source == reconcile.Stated && (about(true) || reconcile.OfOrder(d.Mark))
	case codes.DiscrepancyNoRecord:
		return source != reconcile.Stated
	case codes.DiscrepancyState:
		return source == reconcile.Listed
	case codes.DiscrepancyUnproven:
		return source == reconcile.Answered
	}
	return false
}

// healedByRefund are the discrepancies of an order that its refund explains.
var healedByRefund = []string{codes.DiscrepancyLatePayment, codes.DiscrepancyUnconfirmed, codes.DiscrepancyUnpaidPaid}

// HealAlone closes every discrepancy that what happened to its order has settled.
func (l *Ledger) HealAlone(ctx context.Context) error {
	var keys []struct {
		Merchant string `db:"merchant"`
		Number   string `db:"number"`
	}
	err := l.db.List(ctx, &keys, `
		SELECT DISTINCT d.merchant, d.number FROM discrepancies d
			JOIN (SELECT merchant, number, (`+openOrders+`) AS is_open FROM orders) o ON o.merchant = d.merchant AND o.number = d.number
		WHERE d.closed_at = 0 AND (d.code IN (?, ?) OR d.code = ? AND NOT o.is_open)`,
		codes.DiscrepancyNotInLedger, codes.DiscrepancyUnmatched, codes.DiscrepancyOrphan)
	if err == nil {
		err = l.closeAllBooked(ctx)
	}
	for _, key := range keys {
		if err == nil {
			err = l.healAlone(ctx, order.Key{Merchant: key.Merchant, Number: key.Number})
		}
	}
	if err != nil {
		return fmt.Errorf("ledger: heal discrepancies of orders: %w", err)
	}
	return nil
}

// closeAllBooked closes the discrepancies whose adjustments were booked by a process that
// ended before it could close them.
func (l *Ledger) closeAllBooked(ctx context.Context) error {
	var refs []struct {
		Merchant string `db:"merchant"`
		Ref      string `db:"ref"`
	}
	err := l.db.List(ctx, &refs, `SELECT a.merchant, a.ref FROM discrepancies d
			JOIN adjustments a ON a.merchant = d.merchant AND a.ref = ? || d.id AND a.state = 'booked'
		WHERE d.closed_at = 0 AND d.code = ?`, bookingPrefix, codes.DiscrepancyRecord)
	for _, ref := range refs {
		var found []AdjustmentRecord
		if err == nil {
			found, err = l.Adjustments(ctx, AdjustmentFilter{Merchant: ref.Merchant, Ref: ref.Ref, Limit: 1})
		}
		if err == nil && len(found) == 1 {
			err = l.closeBooked(ctx, found[0])
		}
	}
	return err
}

func (l *Ledger) healAlone(ctx context.Context, key order.Key) error {
	return l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		err = t.heal(ctx, &h, "the ledger has the order now", codes.DiscrepancyNotInLedger, codes.DiscrepancyUnmatched)
		if err == nil && h.State.Terminal() {
			err = t.heal(ctx, &h, "the order has ended", codes.DiscrepancyOrphan)
		}
		return err
	})
}

// BookingRef is the reference of the adjustment that books what differs, by two persons.
// Once it is booked, the discrepancy is closed.
func BookingRef(discrepancy int64) string { return bookingPrefix + strconv.FormatInt(discrepancy, 10) }

const bookingPrefix = "DISCREPANCY-"

// BookingKind returns the kind of adjustment that books the difference. known is false if
// the discrepancy is about no fee, or its difference is unknown.
func (d Discrepancy) BookingKind() (kind AdjustmentKind, known bool) {
	switch {
	case d.Code != codes.DiscrepancyRecord || !strings.HasSuffix(d.Mark, " fee") || d.Delta.IsZero():
		return "", false
	case d.Delta.IsPositive():
		return AdjustFee, true
	}
	return AdjustFeeRefund, true
}

// closeBooked closes the discrepancy whose difference the adjustment has booked.
func (l *Ledger) closeBooked(ctx context.Context, a AdjustmentRecord) error {
	id, err := strconv.ParseInt(strings.TrimPrefix(a.Ref, bookingPrefix), 10, 64)
	if err != nil || a.State != AdjustmentBooked || a.Ref != BookingRef(id) {
		return nil //nolint:nilerr // it is about no discrepancy
	}
	var row discrepancyRow
	err = l.db.Get(ctx, &row, "SELECT "+discrepancyColumns+" FROM discrepancies WHERE id = ? AND merchant = ?", id, a.Merchant)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	d := row.discrepancy()
	if kind, _ := d.BookingKind(); err != nil || kind != a.Kind || d.Stake != a.Amount || !d.ClosedAt.IsZero() {
		return err
	}
	return l.inTx(ctx, func(t tx) error {
		h, err := t.lockIfThere(ctx, d.Key)
		if err != nil {
			return err
		}
		closed, err := t.Put(ctx, "UPDATE discrepancies SET state = ?, accepted_by = ?, closed_at = ?, closed_by = ?, closed_why = ? WHERE id = ? AND closed_at = 0",
			order.DiscrepancyAccepted, a.By, t.At.UnixMilli(), a.DecidedBy, whyBooked, id)
		if err != nil || closed == 0 {
			return err
		}
		return t.noteAbout(ctx, d.Key, h, entry{
			action: ActionCloseDiscrepancy, evidence: d.Ref().Named() + ": " + adjustmentPrefix + a.Ref, reason: order.Reason{Code: d.Code, Text: whyBooked},
		})
	})
}

// HealBalance closes the discrepancies about a balance that could not be read.
func (l *Ledger) HealBalance(ctx context.Context, merchant string) error {
	var open int
	err := l.db.Get(ctx, &open, "SELECT COUNT(*) FROM discrepancies WHERE merchant = ? AND number = '' AND code = ? AND closed_at = 0",
		merchant, codes.DiscrepancyBalance)
	if err == nil && open > 0 {
		err = l.healUnlocked(ctx, order.Key{Merchant: merchant}, "the balance was read",
			func(d discrepancyRow) bool { return d.Code == codes.DiscrepancyBalance })
	}
	if err != nil {
		return fmt.Errorf("ledger: heal the balance of %s: %w", merchant, err)
	}
	return nil
}
