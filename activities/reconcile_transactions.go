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
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Comparing transactions asks the gateway very often, one call at a time. An
// attempt makes so many calls and then ends, and the server, which limits how
// many attempts there are in a second over all workers, begins the next: a day
// of a million orders adds nothing to the history. How far it has come is in the
// heartbeat, so whoever makes the next attempt goes on from there.

// CallsPerAttempt is the most calls that one attempt makes: the limit of the
// queue is that of the calls, divided by it.
const CallsPerAttempt = 50

// TransactionWindow is a span of a merchant's time whose transactions are
// compared at once.
type TransactionWindow struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	// Again: these orders have been asked about before; those that were
	// returned cannot change any more.
	Again bool `json:"again,omitempty"`
}

// Types of errors that end the comparison of a merchant for this time.
const (
	ErrorNoHistory = "GATEWAY_WITHOUT_HISTORY" // the gateway does not have the endpoint
	ErrorShifting  = "HISTORY_SHIFTING"        // the history kept changing while it was read
	ErrorAway      = order.CodeGatewayAway     // too many calls in a row had no usable answer
)

// Bounds of the comparison.
const (
	// What startTime and endTime mean is not documented: when an order began, or
	// when it ended. Windows overlap by more than nearly all orders take; one that
	// took longer is asked about by its number.
	historyOverlap = 24 * time.Hour
	maxPages       = 100_000 // of one window
	maxRounds      = 5       // of reading a window that changes while it is read
	callTries      = 3       // of one call, and
	maxUnanswered  = 5       // calls in a row, before the gateway counts as away
)

// historyProgress is the heartbeat of ReadHistory.
type historyProgress struct {
	Page     int                        `json:"page"`  // to be read next, from 1
	Total    int                        `json:"total"` // as the first page told it
	Round    int                        `json:"round"`
	Read     bool                       `json:"read"`               // all pages
	Doubtful []order.Key                `json:"doubtful,omitempty"` // to be asked about before going on
	Failing  failing                    `json:"failing,omitzero"`
	Counts   contract.TransactionCounts `json:"counts"`
}

// ReadHistory reads the gateway's history of a window, keeps what it says, and
// opens a discrepancy wherever our orders say otherwise. An order that the
// history ends otherwise than we do is asked about: a query is proof, the
// history is none.
//
// The error is ErrorNoHistory, ErrorShifting, ErrorAway or ErrorPaused when
// there is no end of it.
func (g *Gateway) ReadHistory(ctx context.Context, window TransactionWindow) (contract.TransactionCounts, error) {
	var progress historyProgress
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &progress); err != nil {
			return contract.TransactionCounts{}, fmt.Errorf("read how far the history of %s is read: %w", window.Merchant, err)
		}
	}
	err := callByCall(ctx, func() (more bool, err error) {
		progress, more, err = g.readOn(ctx, window, progress)
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
		case <-activity.GetWorkerStopChannel(ctx): // another one goes on
			return later(ErrorPending, "the worker stops", time.Millisecond)
		default:
		}
	}
	return later(ErrorPending, "there is more to read or to ask", time.Millisecond)
}

// readOn makes one call and says where the next one goes on. The progress is
// the old one when something of ours has failed.
func (g *Gateway) readOn(ctx context.Context, window TransactionWindow, old historyProgress) (next historyProgress, more bool, err error) {
	next = old
	if len(old.Doubtful) > 0 {
		err = g.askDoubtful(ctx, &next)
	} else {
		err = g.readPage(ctx, window, &next)
	}
	var gateway *tarspay.Error
	switch {
	case errors.As(err, &gateway) && noSuchEndpoint(gateway):
		return next, false, nonRetryable(ErrorNoHistory, err)
	case errors.As(err, &gateway):
		err = g.stall(&next.Failing, gateway)
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

// noSuchEndpoint reports whether the gateway answered that it does not have
// what it was asked for, which is not the same as an empty answer.
func noSuchEndpoint(err *tarspay.Error) bool {
	return err.Operation == tarspay.OperationHistory &&
		slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented}, err.HTTPStatus)
}

// failing counts calls in a row that had no usable answer.
type failing struct {
	Tries   int `json:"tries,omitempty"`   // of the same call
	Skipped int `json:"skipped,omitempty"` // calls given up
}

// stall waits before the next attempt at a call, or ends the comparison when
// every call is refused.
func (g *Gateway) stall(f *failing, err *tarspay.Error) error {
	if err.Class == tarspay.ClassAuth {
		return nonRetryable(ErrorPaused, err)
	}
	f.Tries++
	if f.Tries >= callTries*maxUnanswered || f.Tries >= callTries && f.Skipped+1 >= maxUnanswered {
		return nonRetryable(ErrorAway, err)
	}
	return later(ErrorGateway, err.Error(), g.settings.RetryLadder.Step(f.Tries))
}

// giveUp reports whether a question has been asked often enough in vain. The
// next one is then asked instead, because one order's answer may be broken.
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
		// From the beginning, and counted anew; what is kept stays.
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
	p.Counts.Compared += compared.Compared
	p.Doubtful = compared.Doubtful
	return nil
}

// askDoubtful asks about the first of the orders that the history ends
// otherwise than we do.
func (g *Gateway) askDoubtful(ctx context.Context, p *historyProgress) error {
	key := p.Doubtful[0]
	row, err := g.ledger.Order(ctx, key)
	if err != nil {
		return err
	}
	explained, err := g.ask(ctx, row, &p.Counts)
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
			Key: key, Code: order.DiscrepancyState, Mark: "listed while " + string(row.State),
			Detail: fmt.Sprintf("the gateway's history ends the order otherwise; it is %s here, and the gateway, being asked, does not contradict", row.State),
		})
	}
	p.Doubtful = p.Doubtful[1:]
	return err
}
