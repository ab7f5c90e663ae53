package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Comparing transactions needs very many calls of the gateway, one at a time. An
// attempt of the activity makes at most CallsPerAttempt calls and then fails with
// a retryable error. Temporal's server limits the attempts per second over all
// workers, and starts the next one. So a day with a million orders adds no events
// to the workflow's history. The progress is in the heartbeat, and the next
// attempt continues from it on any worker.

// CallsPerAttempt is the most calls of one attempt. The rate limit of the task
// queue is the limit of calls divided by it.
const CallsPerAttempt = 50

// TransactionWindow is a span of time in which a merchant's transactions are
// compared by one activity.
type TransactionWindow struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	// Again says that the window's orders have been queried before. Then refunded
	// orders are skipped, because they cannot change any more.
	Again bool `json:"again,omitempty"`
}

// Types of errors that end this comparison of a merchant.
const (
	ErrorNoHistory = "GATEWAY_WITHOUT_HISTORY" // the gateway does not have the endpoint
	ErrorShifting  = "HISTORY_SHIFTING"        // the history kept changing while it was read
	ErrorAway      = order.CodeGatewayAway     // too many calls in a row had no usable answer
)

// Bounds of the comparison.
const (
	// The gateway does not document whether startTime and endTime are about the
	// start or the end of an order. So windows overlap by more time than nearly
	// all orders take. An order that took longer is queried by its number.
	historyOverlap = 24 * time.Hour
	maxPages       = 100_000 // pages of one window
	maxRounds      = 5       // reads of a window that changes while it is read
	callTries      = 3       // tries of one call
	maxUnanswered  = 5       // failed calls in a row until the gateway counts as unreachable
)

// historyProgress is the heartbeat of ReadHistory.
type historyProgress struct {
	Page     int                        `json:"page"`  // the next page to read, from 1
	Total    int                        `json:"total"` // from the first page
	Round    int                        `json:"round"`
	Read     bool                       `json:"read"`               // all pages are read
	Doubtful []order.Key                `json:"doubtful,omitempty"` // to be queried before the next page
	Failing  failing                    `json:"failing,omitzero"`
	Counts   contract.TransactionCounts `json:"counts"`
}

// ReadHistory reads the gateway's history of a window, stores its records, and
// opens a discrepancy for each difference from our orders. An order whose final
// state differs is queried, because only a query is proof.
//
// The error is ErrorNoHistory, ErrorShifting, ErrorAway or ErrorPaused if it
// cannot finish.
func (g *Gateway) ReadHistory(ctx context.Context, window TransactionWindow) (contract.TransactionCounts, error) {
	var progress historyProgress
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &progress); err != nil {
			return contract.TransactionCounts{}, fmt.Errorf("read how far the history of %s is read: %w", window.Merchant, err)
		}
	}
	err := callByCall(ctx, func() (more bool, err error) {
		progress, more, err = g.readNext(ctx, window, progress)
		activity.RecordHeartbeat(ctx, progress)
		return more, err
	})
	return progress.Counts, err
}

// callByCall makes the calls of one attempt.
func callByCall(ctx context.Context, call func() (more bool, err error)) error {
	for range CallsPerAttempt {
		if more, err := call(); err != nil || !more {
			return err
		}
		select {
		case <-activity.GetWorkerStopChannel(ctx): // another worker continues
			return later(ErrorPending, "the worker stops", time.Millisecond)
		default:
		}
	}
	return later(ErrorPending, "there is more to read or to ask", time.Millisecond)
}

// readNext makes one call and returns the progress after it. After an error that is
// not the gateway's, it returns the old progress.
func (g *Gateway) readNext(ctx context.Context, window TransactionWindow, old historyProgress) (next historyProgress, more bool, err error) {
	next = old
	if len(old.Doubtful) > 0 {
		err = g.queryDoubtful(ctx, &next)
	} else {
		err = g.readPage(ctx, window, &next)
	}
	var gateway *tarspay.Error
	switch {
	case errors.As(err, &gateway) && noSuchEndpoint(gateway):
		return next, false, nonRetryable(ErrorNoHistory, err)
	case errors.As(err, &gateway):
		err = g.retryOrEnd(&next.Failing, gateway)
		return next, false, err
	case errors.Is(err, tarspay.ErrHistoryShifted) && next.Round >= maxRounds:
		return next, false, nonRetryable(ErrorShifting, err)
	case errors.Is(err, tarspay.ErrHistoryShifted):
		return next, false, later(ErrorShifting, err.Error(), g.settings.RetryLadder.Step(next.Round))
	case err != nil:
		return old, false, err
	}
	next.Failing = failing{}
	return next, !next.Read || len(next.Doubtful) > 0, nil
}

// noSuchEndpoint reports whether the gateway answered that it has no history
// endpoint. An empty history is another answer.
func noSuchEndpoint(err *tarspay.Error) bool {
	return err.Operation == tarspay.OperationHistory &&
		slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented}, err.HTTPStatus)
}

// failing counts calls in a row that had no usable answer.
type failing struct {
	Tries   int `json:"tries,omitempty"`   // failed tries of the current call
	Skipped int `json:"skipped,omitempty"` // calls that were given up
}

// retryOrEnd returns a retryable error with a pause. If the gateway refuses every call,
// or too many have failed in a row, it returns an error that ends the comparison.
func (g *Gateway) retryOrEnd(f *failing, err *tarspay.Error) error {
	if err.Class == tarspay.ClassAuth {
		return nonRetryable(ErrorPaused, err)
	}
	f.Tries++
	if f.Tries >= callTries*maxUnanswered || f.Tries >= callTries && f.Skipped+1 >= maxUnanswered {
		return nonRetryable(ErrorAway, err)
	}
	return later(ErrorGateway, err.Error(), g.settings.RetryLadder.Step(f.Tries))
}

// giveUp reports whether a query has failed often enough. Then the next order is
// queried instead, because only this order's answer may be broken.
func (f *failing) giveUp(err *tarspay.Error) bool {
	if err.Class == tarspay.ClassAuth || f.Tries+1 < callTries || f.Skipped+1 >= maxUnanswered {
		return false
	}
	f.Tries, f.Skipped = 0, f.Skipped+1
	return true
}

func (g *Gateway) readPage(ctx context.Context, window TransactionWindow, p *historyProgress) error {
	client, configured := g.clients[window.Merchant]
	profile, known := tarspay.Country(g.settings.Merchants[window.Merchant])
	if !configured || !known {
		return nonRetryable(order.CodeUnknownMerchant, fmt.Errorf("merchant %s is not configured on this worker", window.Merchant))
	}
	p.Page = max(p.Page, 1)
	page, err := client.History(ctx, tarspay.HistoryRequest{From: window.From.Add(-historyOverlap), To: window.To, Page: p.Page})
	if err != nil {
		return err
	}
	if p.Page == 1 {
		p.Total = page.Total
	}
	if page.Total != p.Total || p.Page > maxPages {
		// Read again from the first page with new counts. Stored records are kept.
		*p = historyProgress{Round: p.Round + 1, Counts: contract.TransactionCounts{Asked: p.Counts.Asked, Settled: p.Counts.Settled}}
		return tarspay.ErrHistoryShifted
	}
	if err := g.compareRecords(ctx, window, profile, page.Records, p); err != nil {
		return err
	}
	p.Counts.Rows += len(page.Records)
	p.Read = len(page.Records) == 0 || p.Page >= page.Pages
	p.Page++
	return nil
}

func (g *Gateway) compareRecords(ctx context.Context, w TransactionWindow, profile *tarspay.Profile, listed []tarspay.HistoryRecord, p *historyProgress) error {
	records, ids := make([]reconcile.Record, len(listed)), make([]string, len(listed))
	for i, r := range listed {
		records[i], ids[i] = reconcile.FromHistory(profile, r), r.GatewayID
	}
	if err := g.ledger.KeepRecords(ctx, w.Merchant, records); err != nil {
		return err
	}
	now, err := g.ledger.Now(ctx)
	if err != nil {
		return err
	}
	compared, err := g.ledger.CompareRecords(ctx, w.Merchant, ids, now.Add(-g.settings.ReconcileLag))
	if err != nil {
		return err
	}
	for _, difference := range compared.Differences {
		if err := g.ledger.OpenDifference(ctx, difference); err != nil {
			return err
		}
	}
	if err := g.ledger.HealAgreed(ctx, w.Merchant, compared.Agreed, reconcile.Listed); err != nil {
		return err
	}
	p.Counts.Compared += compared.Compared
	p.Doubtful = compared.Doubtful
	return nil
}

// queryDoubtful queries the first of the orders whose final state differs in the
// history.
func (g *Gateway) queryDoubtful(ctx context.Context, p *historyProgress) error {
	key := p.Doubtful[0]
	row, err := g.ledger.Order(ctx, key)
	if err != nil {
		return err
	}
	explained, err := g.queryEnded(ctx, row, &p.Counts)
	var gateway *tarspay.Error
	if errors.As(err, &gateway) {
		if !p.Failing.giveUp(gateway) {
			return err
		}
		p.Counts.Unanswered++
		p.Doubtful = p.Doubtful[1:]
		return nil
	}
	if err == nil && !explained {
		err = g.ledger.OpenDifference(ctx, reconcile.Difference{
			Key: key, Code: codes.DiscrepancyState, Mark: "listed while " + string(row.State),
			Detail: fmt.Sprintf("the gateway's history ends the order otherwise; it is %s here, and the gateway, being asked, does not contradict", row.State),
		})
	}
	p.Doubtful = p.Doubtful[1:]
	return err
}
