package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A process's database login can write the state of an order into its row, and an entry of
// the audit, too, but it can make neither the seal of a worker nor the signature of a person.
// A worker seals whatever it does, also with an order whose row was written so. So, with an
// authority, an order goes on from a wait, and is sent, only if the entries that changed its
// state are sealed and lead, each from where the one before it led to, from the order's opening
// to the state that the row has. Before its first create, the approvals that it needs are
// counted again. Without an authority the row decides.

// ErrSealUnknown means that the entry that decides whether the order may go on was sealed with
// a key that this process does not have, as after a key was replaced on other workers first.
// Nothing was written.
var ErrSealUnknown = errors.New("the audit's entry that decides about the order has a seal of a key that this worker does not have")

// unproven returns why the audit does not prove that the order stands where its row says,
// with codes.OrderUnproven, or an empty reason. It reads the audit in a statement of its own,
// after the row was locked: what the statement that waits for the lock reads of other tables
// may be older than the row.
func (t tx) unproven(ctx context.Context, h *held) (order.Reason, error) {
	if t.authority == nil {
		return order.Reason{}, nil
	}
	rows, err := t.history(ctx, h)
	if err != nil {
		return order.Reason{}, err
	}
	why, err := pathFault(rows, h.State)
	if err != nil {
		return order.Reason{}, err
	}
	if why != "" {
		return unprovenOrder(why), nil
	}
	if newest := rows[slices.IndexFunc(rows, changed)]; t.keys != nil && newest.sentBefore() {
		return order.Reason{}, nil // a worker has counted the approvals before the first create
	}
	return t.unapproved(ctx, h, rows)
}

// pathFault returns why an order's entries, the newest first, do not lead from its opening to
// a state. The error is ErrSealUnknown.
func pathFault(rows []storedRow, to order.State) (why string, err error) {
	at, count := to, 0
	var oldest storedRow
	for _, row := range rows {
		switch {
		case !changed(row):
			continue
		case sealUnknown(row.forged):
			return "", fmt.Errorf("%w: %w", ErrSealUnknown, row.forged)
		case row.forged != nil:
			return row.forged.Error(), nil //nolint:nilerr // it is why the order goes to review
		case row.After != at && count == 0:
			return fmt.Sprintf("it has the order as %s, and the order's row as %s", row.After, at), nil
		case row.After != at:
			return fmt.Sprintf("it has the order as %s, and then %s of an order as %s", row.After, oldest.Action, at), nil
		case row.After == order.AwaitingApproval && row.Code == codes.OrderUnproven:
			return "", nil // what came before did not count, so persons were asked
		}
		at, oldest = row.Before, row
		count++
	}
	switch {
	case count == 0:
		return "it has no entry of the order", nil
	case at != "" || oldest.Action != ActionOpen:
		return "it does not have the order's opening", nil
	}
	return "", nil
}

// changed reports whether the entry changed the order's state.
func changed(row storedRow) bool { return row.Before != row.After }

// unapproved returns why the approvals of an order with that history do not suffice. With
// the audit's key, an order that never waited for one needs none: its opening is sealed.
func (t tx) unapproved(ctx context.Context, h *held, rows []storedRow) (order.Reason, error) {
	waited := h.Approvals > 1 || slices.ContainsFunc(rows, func(row storedRow) bool { return row.After == order.AwaitingApproval })
	if t.keys != nil && !waited {
		return order.Reason{}, nil
	}
	counted, err := t.countApprovals(ctx, h, rows)
	if err != nil || counted.enough() || !waited && counted.needed == 1 {
		return order.Reason{}, err
	}
	return unprovenOrder(fmt.Sprintf("of %d persons who have to approve the order, %d count%s", counted.needed, len(counted.by), counted.ignored)), nil
}

func unprovenOrder(why string) order.Reason {
	return order.Reason{Code: codes.OrderUnproven, Text: sanitizeText("the audit does not prove that the order may go on: " + why)}
}

func sealUnknown(err error) bool {
	var fault *seal.Fault
	return errors.As(err, &fault) && fault.Code == seal.CodeSealKeyUnknown
}

// sentBefore reports whether the entry that changed the order's state is about a create that
// was sent: only after the first one does an order become so.
func (r *storedRow) sentBefore() bool {
	return (r.After == order.Submitting || r.After == order.Unknown) && r.Action != ActionFind
}

// history reads the entries of an order that changed its state or may be an approval, the
// newest first, as they are stored.
func (t tx) history(ctx context.Context, h *held) ([]storedRow, error) {
	return t.storedRows(ctx, sanitizeOrderKey(h.Key()), []string{chainOrder}, "a.before_state <> a.after_state OR a.action IN (?, ?)", ActionOpen, ActionApprove)
}

// toReview takes an order that was not proved to review, along the state table. Nothing is
// booked: its reservation may be written by hand, or missing.
func (t tx) toReview(ctx context.Context, h *held, reason order.Reason) error {
	h.Reason = reason
	for h.State != order.InReview {
		to := order.InReview
		switch h.State {
		case order.AwaitingFunds:
			to = order.Reserved
		case order.Created, order.Reserved:
			to = order.Submitting
		default:
		}
		if err := t.move(ctx, h, to, entry{action: ActionReview, source: FromReview, reason: reason}); err != nil {
			return err
		}
	}
	return nil
}

// missingReservation returns the reservation of a withdrawal whose state has one, if it was
// never booked, because only the row says so. What ends the order books it first. available
// may become negative.
func (t tx) missingReservation(ctx context.Context, h *held) ([]Transfer, error) {
	var reserved bool
	err := t.Get(ctx, &reserved, "SELECT EXISTS (SELECT 1 FROM transfers WHERE order_id = ? AND reason = ?)", h.id, ReasonReserve)
	if err != nil || reserved {
		return nil, err
	}
	h.overdraws = true
	return []Transfer{{Reason: ReasonReserve, From: AccountAvailable, To: AccountInFlight, Amount: h.Reservation()}}, nil
}
