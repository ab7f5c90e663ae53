package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// endedProgress is the heartbeat of AskAboutEnded.
type endedProgress struct {
	After   ledger.EndedMark           `json:"after"`
	Failing failing                    `json:"failing,omitzero"`
	Counts  contract.TransactionCounts `json:"counts"`
}

// AskAboutEnded asks the gateway about every order that was sent and ended in a
// window, one by one. It is how a refund is found that nobody told
// us of, which no history shows, and all there is where there is no history.
//
// The error is ErrorAway or ErrorPaused when there is no end of it.
func (g *Gateway) AskAboutEnded(ctx context.Context, window TransactionWindow) (contract.TransactionCounts, error) {
	progress := endedProgress{After: ledger.EndedMark{At: window.From.UnixMilli()}}
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &progress); err != nil {
			return contract.TransactionCounts{}, fmt.Errorf("read how far the orders of %s are asked about: %w", window.Merchant, err)
		}
	}
	err := callByCall(ctx, func() (more bool, err error) {
		progress, more, err = g.askOn(ctx, window, progress)
		activity.RecordHeartbeat(ctx, progress)
		return more, err
	})
	return progress.Counts, err
}

// askOn asks about the next order and says where it goes on after it.
func (g *Gateway) askOn(ctx context.Context, window TransactionWindow, old endedProgress) (next endedProgress, more bool, err error) {
	row, mark, err := g.ledger.NextEnded(ctx, window.Merchant, old.After, window.To, window.Again)
	if errors.Is(err, ledger.ErrNotFound) {
		return old, false, nil
	}
	if err != nil {
		return old, false, err
	}
	next = old
	_, err = g.ask(ctx, row, &next.Counts)
	var gateway *tarspay.Error
	switch {
	case errors.As(err, &gateway) && next.Failing.giveUp(gateway):
		next.Counts.Unanswered++
	case errors.As(err, &gateway):
		err = g.stall(&next.Failing, gateway)
		return next, false, err
	case err != nil:
		return old, false, err
	default:
		next.Failing = failing{}
	}
	next.After = mark
	return next, true, nil
}

// ask asks the gateway about an order that has ended, keeps its answer, and
// says whether that differs from what we have. What the answer proves and the
// state table allows, a refund or a late payment, is settled like any other
// finding; what contradicts, and has no difference to its name yet, opens a
// discrepancy. The error is a *tarspay.Error when there was no usable answer.
func (g *Gateway) ask(ctx context.Context, row order.Order, counts *contract.TransactionCounts) (explained bool, err error) {
	if !row.State.Terminal() && !row.State.Unsent() {
		return true, nil // it came back to life: its workflow asks
	}
	status, err := g.query(ctx, row)
	if isNotFound(err) {
		counts.Asked++
		return g.askedInVain(ctx, row)
	}
	if err != nil {
		return false, err
	}
	counts.Asked++
	differs, err := g.compareAnswer(ctx, row, status)
	if err != nil {
		return false, err
	}
	finding, err := row.FromStatus(status)
	var mismatch *order.Mismatch
	switch {
	case errors.As(err, &mismatch) && differs:
		return true, nil
	case errors.As(err, &mismatch):
		return true, g.ledger.OpenDifference(ctx, reconcile.Difference{
			Key: row.Key(), Code: order.DiscrepancyRecord, Mark: status.GatewayID + " answer", Detail: mismatch.Error(),
		})
	case err != nil:
		return false, err
	}
	if differs && !row.Decide(finding).Moves() {
		return true, nil // it has its name
	}
	settled, err := g.settleAnswer(ctx, row, finding, counts)
	return settled || differs, err
}

// askedInVain is about an order that the gateway does not have. Nothing is
// booked: that we have proof of its payment stays true.
func (g *Gateway) askedInVain(ctx context.Context, row order.Order) (explained bool, err error) {
	if !row.Paid.IsPositive() {
		return false, nil // unpaid here, and not there
	}
	listed, err := g.ledger.IsListed(ctx, row.Key())
	if err != nil || listed {
		return false, err
	}
	return true, g.ledger.OpenDifference(ctx, reconcile.Difference{
		Key: row.Key(), Code: order.DiscrepancyNoRecord, Mark: "not found",
		Detail: fmt.Sprintf("the order is %s with %s paid, and the gateway, being asked, has none of its number", row.State, row.Paid),
	})
}

// compareAnswer keeps the answer and compares it as a record of the history is
// compared, so that one difference has one name, wherever it is seen.
func (g *Gateway) compareAnswer(ctx context.Context, row order.Order, status tarspay.OrderStatus) (differs bool, err error) {
	profile, known := tarspay.Country(row.Country)
	if !known || status.GatewayID == "" {
		return false, nil
	}
	record := reconcile.FromAnswer(profile, row, status)
	if err := g.ledger.KeepRecords(ctx, row.Merchant, []reconcile.Record{record}); err != nil {
		return false, err
	}
	// An order that has moved since it was read is left for the next time.
	compared, err := g.ledger.CompareRecords(ctx, row.Merchant, []string{status.GatewayID}, row.UpdatedAt.Add(time.Millisecond))
	if err != nil {
		return false, err
	}
	for _, difference := range compared.Differences {
		if err := g.ledger.OpenDifference(ctx, difference); err != nil {
			return false, err
		}
	}
	return len(compared.Differences) > 0, nil
}

// settleAnswer books what the answer proves, through the door that every
// finding takes, or opens the discrepancy that it amounts to.
func (g *Gateway) settleAnswer(ctx context.Context, row order.Order, finding order.Finding, counts *contract.TransactionCounts) (explained bool, err error) {
	effect := row.Decide(finding)
	if !effect.Moves() && effect.Discrepancy == "" {
		return false, nil
	}
	if !effect.Moves() {
		// Somebody has told us before, a callback perhaps: once is enough.
		known, err := g.ledger.Discrepancies(ctx, ledger.DiscrepancyFilter{
			Merchant: row.Merchant, Number: row.Number, Code: effect.Discrepancy, Limit: 1,
		})
		if err != nil || len(known) > 0 {
			return true, errors.Join(err, g.ledger.SeeDiscrepancy(ctx, row.Key(), effect.Discrepancy))
		}
	}
	settlement, err := g.ledger.Settle(ctx, row.Key(), finding)
	if err != nil {
		return false, fmt.Errorf("settle what the gateway answered on %s: %w", row.Key(), err)
	}
	if settlement.Moved || settlement.Order.Paid != row.Paid {
		counts.Settled++
	}
	if settlement.Discrepancy == "" {
		return true, nil
	}
	return true, g.ledger.SeeDiscrepancy(ctx, row.Key(), settlement.Discrepancy)
}
