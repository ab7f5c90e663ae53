package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// An older copy of the ledger does not know the creates that were sent after it
// was taken. The workflows of those orders may be lost, too. So after a restore,
// the gateway is queried before the first create of an order, as it is before
// every later one. The grace period of that query begins at Order.AskFirst.

// Restore is the mark that an older copy of the ledger was restored. Until the
// mark is ended, every new order is queried before its first create.
type Restore struct {
	At     time.Time `json:"at"` // time of the last mark
	By     string    `json:"by"`
	Why    string    `json:"why"`
	Ended  bool      `json:"ended"`  // the mark was ended: new orders are sent without a query
	Orders int       `json:"orders"` // number of orders that were open when the mark was set, and are queried before their next create
}

// MarkRestored records that an older copy of the ledger was restored. Then every
// open and every new order is queried before its next create. Call it before the
// workers are started. It is audited in the installation's chain, done or refused.
//
// The refusal's codes are WHO_MISSING and WHY_MISSING.
func (l *Ledger) MarkRestored(ctx context.Context, who order.Who) (Restore, *order.Refusal, error) {
	return l.markRestore(ctx, ActionRestore, who)
}

// EndRestore ends the mark for new orders. Call it when no client will send the
// number of a lost order again. Existing orders keep their AskFirst. The refusal's
// codes are WHO_MISSING, WHY_MISSING and NOT_RESTORED.
func (l *Ledger) EndRestore(ctx context.Context, who order.Who) (Restore, *order.Refusal, error) {
	return l.markRestore(ctx, ActionEndRestore, who)
}

// CodeNotRestored says that there is no mark of a restore that could be ended.
const CodeNotRestored = "NOT_RESTORED"

func (l *Ledger) markRestore(ctx context.Context, action AuditAction, who order.Who) (r Restore, refusal *order.Refusal, err error) {
	by, why := sanitizeText(who.By), sanitizeText(who.Why)
	err = l.inTx(ctx, func(t tx) error {
		r = Restore{At: t.At, By: by, Why: why, Ended: action == ActionEndRestore}
		mark := bookMark(action, "", who.ID)
		var repeated bool
		if repeated, refusal, err = t.repeated(ctx, order.Key{}, mark); err != nil || repeated {
			return errors.Join(err, t.lastRestore(ctx, &r))
		}
		refusal = requirePerson("a restore", by, why)
		since, err := t.restored(ctx)
		if err != nil {
			return err
		}
		if refusal == nil && r.Ended && since == 0 {
			refusal = order.Refuse(CodeNotRestored, "nothing is marked as restored; there is nothing to end")
		}
		if refusal == nil {
			if r.Orders, err = t.putRestore(ctx, r); err != nil {
				return err
			}
		}
		e := entry{action: action, actor: by, mark: mark, source: rules.FromOperator, reason: order.Reason{Text: why}}
		e.refuse(refusal)
		return t.noteOther(ctx, order.Key{}, e)
	})
	if err != nil {
		return Restore{}, nil, fmt.Errorf("ledger: mark a restore: %w", err)
	}
	return r, refusal, nil
}

// lastRestore reads the last mark, for an action that is repeated.
func (t tx) lastRestore(ctx context.Context, r *Restore) error {
	var row struct {
		At     int64 `db:"at"`
		Orders int   `db:"orders"`
	}
	err := t.Get(ctx, &row, `SELECT at, (SELECT COUNT(*) FROM orders WHERE ask_first = at) AS orders FROM restores ORDER BY id DESC LIMIT 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if r.At = moment(row.At); !r.Ended {
		r.Orders = row.Orders
	}
	return err
}

func (t tx) putRestore(ctx context.Context, r Restore) (orders int, err error) {
	ended := 0
	if r.Ended {
		ended = 1
	}
	_, err = t.Put(ctx, "INSERT INTO restores (at, actor, ended) VALUES (?, ?, ?)", t.At.UnixMilli(), r.By, ended)
	if err != nil || r.Ended {
		return 0, err
	}
	asking, err := t.Put(ctx, "UPDATE orders SET ask_first = ? WHERE "+openOrders, t.At.UnixMilli())
	return int(asking), err
}

// restoredAt selects the time of the mark that is in force, 0 if there is none.
const restoredAt = "COALESCE((SELECT CASE WHEN ended = 0 THEN at ELSE 0 END FROM restores ORDER BY id DESC LIMIT 1), 0)"

func (t tx) restored(ctx context.Context) (milliseconds int64, err error) {
	err = t.Get(ctx, &milliseconds, "SELECT "+restoredAt)
	return milliseconds, err
}

// Reopen records that another run of an order's workflow drives it. The workflow
// was adopted, reset, or started again after Temporal had deleted it. The next
// create is preceded by a query, because creates of the earlier run may not be
// recorded. Reopen changes nothing for the run that opened the order, or if the
// order has ended. ErrNotFound if there is no order of the key.
func (l *Ledger) Reopen(ctx context.Context, key order.Key, run string) (order.Order, error) {
	var result order.Order
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		result = h.Order
		if h.State.Terminal() || h.run == run {
			return nil
		}
		result.AskFirst = t.At
		_, err = t.Put(ctx, "UPDATE orders SET run = ?, ask_first = ? WHERE id = ?", sanitizeText(run), t.At.UnixMilli(), h.id)
		return err
	})
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: reopen %s: %w", key, err)
	}
	return result, nil
}

// RecordFound records that the gateway has an order for which no create is
// recorded that could have reached it. The order becomes submitting, with an
// ambiguous attempt, and continues as the gateway's answer says. An order in
// awaiting_approval, scheduled or awaiting_funds is treated as approved, released and
// funded, because it was sent. Its amount is reserved even if available becomes negative. known is
// the number of attempts that the caller knows.
//
// Errors: ErrNotFound; ErrState when the order has more attempts than known, or
// may not be sent.
func (l *Ledger) RecordFound(ctx context.Context, key order.Key, known int) (order.Order, error) {
	return l.change(ctx, key, func(t tx, h *held) error {
		if known != h.attempts {
			return fmt.Errorf("%w: %d attempts are on record, and %d were known", ErrState, h.attempts, known)
		}
		h.Reason = order.Reason{Code: codes.Found, Text: "the gateway has the order: it was sent, and that is not on record"}
		var reserved []Transfer
		if rules.Unasked(h.Order) {
			var err error
			if reserved, err = t.reserveFound(ctx, h); err != nil {
				return err
			}
		}
		if !rules.Sendable(h.State) {
			return fmt.Errorf("%w: order %s is %s", ErrState, h.Key(), h.State)
		}
		h.attempts++
		e := entry{action: ActionFind, source: rules.FromQuery, evidence: attemptText(h.attempts), reason: h.Reason}
		_, err := t.Put(ctx, `
			INSERT INTO submissions (order_id, attempt, started_at, ended_at, outcome, reason_code, reason_text) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			h.id, h.attempts, t.At.UnixMilli(), t.At.UnixMilli(), Ambiguous, h.Reason.Code, h.key.Seal("submissions.reason_text", h.Reason.Text))
		if err != nil {
			return err
		}
		if h.State == order.Submitting {
			err = t.record(ctx, h, order.Submitting, e)
		} else {
			err = t.move(ctx, h, order.Submitting, e)
		}
		if err != nil {
			return err
		}
		return t.bookAll(ctx, *h, reserved)
	})
}

// reserveFound moves an order that the gateway has to reserved or created, without
// an approval or cover, and before its time. The caller must pass the returned reservation to bookAll
// last.
func (t tx) reserveFound(ctx context.Context, h *held) ([]Transfer, error) {
	h.overdraws = true
	to := order.Reserved
	if h.Kind == order.Deposit {
		to = order.Created
	}
	err := t.move(ctx, h, to, entry{action: ActionFind, source: rules.FromQuery, reason: h.Reason})
	if err == nil && h.unreleased() {
		err = t.markReleased(ctx, h)
	}
	return reservation(h.Order), err
}

// RecordAbsent records that a query has proved that the gateway does not have an
// order in awaiting_approval, scheduled or awaiting_funds. The order keeps its state, and may
// be ended from now on. Any other order is returned unchanged. since is the
// AskFirst that the caller read: ErrState if it has changed. ErrNotFound if there
// is no order of the key.
func (l *Ledger) RecordAbsent(ctx context.Context, key order.Key, since time.Time) (order.Order, error) {
	return l.change(ctx, key, func(t tx, h *held) error {
		if !rules.Unasked(h.Order) {
			return nil
		}
		if !h.AskFirst.Equal(since) {
			return fmt.Errorf("%w: order %s is to be asked about since %s", ErrState, h.Key(), h.AskFirst)
		}
		h.AskFirst = time.Time{}
		_, err := t.Put(ctx, "UPDATE orders SET ask_first = 0 WHERE id = ?", h.id)
		if err != nil {
			return err
		}
		return t.note(ctx, h, entry{
			action: ActionAbsent, source: rules.FromQuery, reason: order.Reason{Text: "the gateway does not have the order"},
		})
	})
}
