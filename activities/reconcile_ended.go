package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// endedProgress is the heartbeat of AskAboutEnded.
type endedProgress struct {
	After   ledger.EndedMark           `json:"after"`
	Failing failing                    `json:"failing,omitzero"`
	Counts  contract.TransactionCounts `json:"counts"`
}

// AskAboutEnded queries every order that was sent and has ended in a window, one
// by one. It finds refunds without a callback, which the history does not show. In
// a country without a history it is the only comparison.
//
// The error is ErrorAway or ErrorPaused if it cannot finish.
func (g *Gateway) AskAboutEnded(ctx context.Context, window TransactionWindow) (contract.TransactionCounts, error) {
	progress := endedProgress{After: ledger.EndedMark{At: window.From.UnixMilli()}}
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &progress); err != nil {
			return contract.TransactionCounts{}, fmt.Errorf("read how far the orders of %s are asked about: %w", window.Merchant, err)
		}
	}
	err := callByCall(ctx, func() (more bool, err error) {
		progress, more, err = g.queryNext(ctx, window, progress)
		activity.RecordHeartbeat(ctx, progress)
		return more, err
	})
	return progress.Counts, err
}

// queryNext queries the next order and returns the progress after it.
func (g *Gateway) queryNext(ctx context.Context, window TransactionWindow, old endedProgress) (next endedProgress, more bool, err error) {
	row, mark, err := g.ledger.NextEnded(ctx, window.Merchant, old.After, window.To, window.Again)
	if errors.Is(err, ledger.ErrNotFound) {
		return old, false, nil
	}
	if err != nil {
		return old, false, err
	}
	next = old
	_, err = g.queryEnded(ctx, row, &next.Counts)
	var gateway *tarspay.Error
	switch {
	case errors.As(err, &gateway) && next.Failing.giveUp(gateway):
		next.Counts.Unanswered++
	case errors.As(err, &gateway):
		err = g.retryOrEnd(&next.Failing, gateway)
		return next, false, err
	case err != nil:
		return old, false, err
	default:
		next.Failing = failing{}
	}
	next.After = mark
	return next, true, nil
}

// queryEnded queries an order that has ended, stores the answer, and compares it with our
// order. A finding that the state table allows, a refund or a late payment, is
// settled like any other. A contradiction opens a discrepancy, unless the
// comparison has already opened one for the difference. explained reports whether
// the difference is settled or has a discrepancy. The error is a *tarspay.Error if
// there was no usable answer.
func (g *Gateway) queryEnded(ctx context.Context, row order.Order, counts *contract.TransactionCounts) (explained bool, err error) {
	if !row.State.Terminal() && !rules.Unsent(row.State) {
		return true, nil // the order is open again, so its workflow queries it
	}
	status, err := g.query(ctx, row)
	if isNotFound(err) {
		counts.Asked++
		return g.handleAbsent(ctx, row)
	}
	if err != nil {
		return false, err
	}
	counts.Asked++
	differs, err := g.compareAnswer(ctx, row, status)
	if err != nil {
		return false, err
	}
	finding, err := rules.StatusFinding(row, status)
	var mismatch *rules.Mismatch
	switch {
	case errors.As(err, &mismatch) && differs:
		return true, nil
	case errors.As(err, &mismatch):
		return true, g.ledger.OpenDifference(ctx, reconcile.Difference{
			Key: row.Key(), Code: codes.DiscrepancyRecord, Mark: status.GatewayID + " answer", Detail: mismatch.Error(),
		})
	case err != nil:
		return false, err
	}
	if differs && !rules.DecideOrder(row, finding).Moves() {
		return true, nil // the comparison has opened its discrepancy
	}
	settled, err := g.settleAnswer(ctx, row, finding, counts)
	return settled || differs, err
}

// handleAbsent handles an order that the gateway does not have. It books nothing,
// because the proof of a payment stays valid. For a paid order it opens a
// discrepancy, unless the gateway's history lists the order.
func (g *Gateway) handleAbsent(ctx context.Context, row order.Order) (explained bool, err error) {
	if !row.Paid.IsPositive() {
		return false, nil // we and the gateway agree that it was not paid
	}
	listed, err := g.ledger.IsListed(ctx, row.Key())
	if err != nil || listed {
		return false, err
	}
	return true, g.ledger.OpenDifference(ctx, reconcile.Difference{
		Key: row.Key(), Code: codes.DiscrepancyNoRecord, Mark: "not found",
		Detail: fmt.Sprintf("the order is %s with %s paid, and the gateway, being asked, has none of its number", row.State, row.Paid),
	})
}

// compareAnswer stores the answer and compares it like a record of the history. So
// a difference has the same discrepancy code from both sources.
func (g *Gateway) compareAnswer(ctx context.Context, row order.Order, status tarspay.OrderStatus) (differs bool, err error) {
	profile, known := tarspay.Country(row.Country)
	if !known || status.GatewayID == "" {
		return false, nil
	}
	record := reconcile.FromAnswer(profile, row, status)
	if err := g.ledger.KeepRecords(ctx, row.Merchant, []reconcile.Record{record}); err != nil {
		return false, err
	}
	// An order that has changed since it was read is left for the next comparison.
	compared, err := g.ledger.CompareRecords(ctx, row.Merchant, []string{status.GatewayID}, row.UpdatedAt.Add(time.Millisecond))
	if err != nil {
		return false, err
	}
	for _, difference := range compared.Differences {
		if err := g.ledger.OpenDifference(ctx, difference); err != nil {
			return false, err
		}
	}
	return len(compared.Differences) > 0, g.ledger.HealAgreed(ctx, row.Merchant, compared.Agreed, reconcile.Answered)
}

// settleAnswer settles the finding like every other one. That books it or opens
// its discrepancy.
func (g *Gateway) settleAnswer(ctx context.Context, row order.Order, finding rules.Finding, counts *contract.TransactionCounts) (explained bool, err error) {
	effect := rules.DecideOrder(row, finding)
	if !effect.Moves() && effect.Discrepancy == "" {
		return false, nil
	}
	if !effect.Moves() {
		// Another source, for example a callback, may have opened the discrepancy.
		// Do not open a second one.
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
