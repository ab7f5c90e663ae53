package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// statementChunk is how many lines are compared at once. A doubtful order of them is
// queried before the next ones.
const statementChunk = 500

// StoreStatementPage stores some lines of a statement. It returns why they are refused, or
// nil.
func (b *Books) StoreStatementPage(ctx context.Context, page contract.StatementPage) (*order.Reason, error) {
	refusal, err := b.ledger.StoreStatementPage(ctx, page.Statement, page.Lines)
	if err != nil || refusal == nil {
		return nil, err
	}
	return &refusal.Reason, nil
}

// ReadyStatement lets a statement be compared if all of it is stored. It returns the
// statement's state.
func (b *Books) ReadyStatement(ctx context.Context, id string) (order.StatementState, error) {
	return b.ledger.MakeStatementReady(ctx, id, func() { activity.RecordHeartbeat(ctx) })
}

// statementProgress is the heartbeat of MatchStatement. What the ledger has recorded is
// newer if it is further.
type statementProgress struct {
	Last     int                    `json:"last"`               // the last line that was read
	Doubtful []order.Key            `json:"doubtful,omitempty"` // to be queried before the next lines
	After    ledger.EndedMark       `json:"after"`              // the last paid order that was looked for
	Absent   []order.Key            `json:"absent,omitempty"`   // to be queried before the next ones
	Searched bool                   `json:"searched,omitempty"` // every paid order was looked for
	Away     bool                   `json:"away,omitempty"`     // the gateway cannot be asked
	Failing  failing                `json:"failing,omitzero"`
	Counts   ledger.StatementCounts `json:"counts"`
}

// MatchStatement compares the lines of a statement with our orders, and opens a
// discrepancy for each difference. A line is no proof: an order that it ends otherwise is
// queried, and so is a paid order that the statement does not have. If the gateway cannot
// be asked, the difference is a discrepancy for persons. It returns the statement's state.
func (g *Gateway) MatchStatement(ctx context.Context, id string) (order.StatementState, error) {
	s, err := g.ledger.Statement(ctx, id)
	if err != nil || s.State != order.StatementMatching {
		return s.State, err
	}
	progress, err := statementBegun(ctx, s)
	if err != nil {
		return s.State, err
	}
	for calls := 0; ; {
		called, more, err := g.matchNext(ctx, s, &progress)
		activity.RecordHeartbeat(ctx, progress)
		if err != nil {
			return s.State, err
		}
		if !more {
			return order.StatementMatched, g.ledger.RecordMatched(ctx, id, s.Lines, progress.Counts, true)
		}
		if called {
			calls++
		}
		select {
		case <-activity.GetWorkerStopChannel(ctx): // another worker continues
			return s.State, later(ErrorPending, "the worker stops", time.Millisecond)
		default:
		}
		if calls == CallsPerAttempt {
			return s.State, later(ErrorPending, "there is more to ask", time.Millisecond)
		}
	}
}

// statementBegun returns how far a statement is compared.
func statementBegun(ctx context.Context, s ledger.StatementRecord) (statementProgress, error) {
	recorded := statementProgress{Last: s.Matched, Counts: s.StatementCounts, After: ledger.EndedMark{At: s.From.UnixMilli()}}
	var beaten statementProgress
	if !activity.HasHeartbeatDetails(ctx) {
		return recorded, nil
	}
	if err := activity.GetHeartbeatDetails(ctx, &beaten); err != nil {
		return recorded, fmt.Errorf("read how far statement %s is compared: %w", s.ID, err)
	}
	if beaten.Last < recorded.Last {
		return recorded, nil
	}
	return beaten, nil
}

// matchNext makes the next step, and changes the progress if it succeeds. called says that
// it called the gateway, and more that there is more to do.
func (g *Gateway) matchNext(ctx context.Context, s ledger.StatementRecord, p *statementProgress) (called, more bool, err error) {
	switch {
	case len(p.Doubtful) > 0:
		return true, true, g.askStated(ctx, s, p, &p.Doubtful, g.doubted)
	case p.Last < s.Lines:
		return false, true, g.matchLines(ctx, s, p)
	case len(p.Absent) > 0:
		return true, true, g.askStated(ctx, s, p, &p.Absent, g.missed)
	case !p.Searched:
		return false, true, g.searchAbsent(ctx, s, p)
	}
	return false, false, nil
}

// matchLines compares the next lines. Those before are done, so that is recorded.
func (g *Gateway) matchLines(ctx context.Context, s ledger.StatementRecord, p *statementProgress) error {
	if err := g.ledger.RecordMatched(ctx, s.ID, p.Last, p.Counts, false); err != nil {
		return err
	}
	now, err := g.ledger.Now(ctx)
	if err != nil {
		return err
	}
	found, last, err := g.ledger.CompareStatement(ctx, s, p.Last, statementChunk, now.Add(-g.settings.ReconcileLag))
	if err != nil {
		return err
	}
	if last == p.Last {
		return fmt.Errorf("statement %s lacks the lines after %d", s.ID, last)
	}
	for _, difference := range found.Differences {
		if err := g.ledger.OpenDifference(ctx, difference); err != nil {
			return err
		}
	}
	if err := g.ledger.HealAgreed(ctx, s.Merchant, found.Agreed, reconcile.Stated); err != nil {
		return err
	}
	p.Last, p.Doubtful = last, found.Doubtful
	p.Counts.Compared += found.Compared
	return nil
}

func (g *Gateway) searchAbsent(ctx context.Context, s ledger.StatementRecord, p *statementProgress) error {
	absent, next, more, err := g.ledger.AbsentFromStatement(ctx, s, p.After, g.settings.ReconcileLag)
	if err != nil {
		return err
	}
	p.After, p.Absent, p.Searched = next, absent, !more
	p.Counts.Absent += len(absent)
	return nil
}

// askStated queries the first of the orders. unexplained opens the discrepancy of one that
// the gateway's answer does not explain; asked says whether there was an answer.
func (g *Gateway) askStated(
	ctx context.Context, s ledger.StatementRecord, p *statementProgress, keys *[]order.Key,
	unexplained func(ctx context.Context, s ledger.StatementRecord, row order.Order, asked bool) error,
) error {
	row, err := g.ledger.Order(ctx, (*keys)[0])
	if err != nil {
		return err
	}
	explained, asked, counts := false, false, contract.TransactionCounts{}
	if !p.Away {
		explained, asked, err = g.queryStated(ctx, s, row, &counts)
		var gateway *tarspay.Error
		switch {
		case errors.As(err, &gateway):
			if err := g.skipOrRetry(p, gateway); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			p.Failing = failing{}
		}
	}
	if !explained {
		if err := unexplained(ctx, s, row, asked); err != nil {
			return err
		}
	}
	if !asked {
		p.Counts.Unanswered++
	}
	p.Counts.Asked, p.Counts.Settled = p.Counts.Asked+counts.Asked, p.Counts.Settled+counts.Settled
	*keys = (*keys)[1:]
	return nil
}

// queryStated queries an order that has ended, or that was never sent. Of an order that is
// under way, its workflow asks the gateway, and books what it answers. One in review is
// queried here, too, because a person waits for the answer.
func (g *Gateway) queryStated(ctx context.Context, s ledger.StatementRecord, row order.Order, counts *contract.TransactionCounts) (explained, asked bool, err error) {
	switch {
	case row.State.Terminal() || rules.Unsent(row.State):
		explained, err = g.queryEnded(ctx, row, counts)
		return explained, err == nil, err
	case row.State != order.InReview:
		asked, err = g.haveAsked(ctx, s, row)
		if asked {
			counts.Asked++
		}
		return asked, asked, err
	}
	status, err := g.query(ctx, row)
	if isNotFound(err) {
		counts.Asked++
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	counts.Asked++
	if !status.State.Final(row.Kind.Direction()) {
		return false, true, nil
	}
	_, err = g.haveAsked(ctx, s, row) // else it asks by itself, after a long pause
	return true, true, err
}

// haveAsked has the workflow of an open order query the gateway, once for what a line says
// of the order. The audit has that it was asked, so a repeated line adds nothing.
func (g *Gateway) haveAsked(ctx context.Context, s ledger.StatementRecord, row order.Order) (asked bool, err error) {
	if g.settings.Ask == nil {
		return true, nil // its workflow asks by itself
	}
	line, err := g.ledger.StatedLine(ctx, s, row)
	if err != nil {
		return false, err
	}
	said := sha256.Sum256([]byte(line.Text()))
	poll := order.Poll{ID: "statement line " + hex.EncodeToString(said[:]), By: cmp.Or(s.ImportedBy, "statement "+s.ID)}
	if asked, err = g.ledger.Audited(ctx, row.Key(), poll.ID); err != nil || asked {
		return asked, err
	}
	if asked, err = g.settings.Ask(ctx, row.Key(), poll); err != nil || asked {
		return asked, err
	}
	row, err = g.ledger.Order(ctx, row.Key())
	return row.State.Terminal(), err // it has ended meanwhile
}

// skipOrRetry returns nil if the order is given up, and the error that has it asked again
// otherwise. A gateway that answers nothing any more is not asked again.
func (g *Gateway) skipOrRetry(p *statementProgress, gateway *tarspay.Error) error {
	if p.Failing.giveUp(gateway) {
		return nil
	}
	err := g.retryOrEnd(&p.Failing, gateway)
	var ends *temporal.ApplicationError
	if errors.As(err, &ends) && ends.NonRetryable() {
		p.Away = true
		return nil
	}
	return err
}

// doubted opens the discrepancy of an order that a line ends otherwise. asked is false if
// neither the gateway nor the order's workflow answered.
func (g *Gateway) doubted(ctx context.Context, s ledger.StatementRecord, row order.Order, asked bool) error {
	line, err := g.ledger.StatedLine(ctx, s, row)
	if err != nil {
		return err
	}
	told := fmt.Sprintf("line %d of statement %s says %s, and the order is %s here", line.Line, s.ID, line.State, row.State)
	d := reconcile.Difference{Key: row.Key(), Mark: fmt.Sprintf("%s%s, is %s", reconcile.MarkSays, line.State, row.State)}
	switch {
	case asked && row.State == order.InReview:
		d.Code, d.Detail = codes.DiscrepancyUnproven, told+"; the gateway, being asked, proves no end. Two persons may resolve it: "+proposal(row, line)
	case asked:
		d.Code, d.Detail = codes.DiscrepancyStatement, told+"; the gateway, being asked, does not contradict us"
	default:
		d.Code, d.Detail = codes.DiscrepancyUnproven, told+"; the gateway could not be asked. "+unproven(row, line)
	}
	return g.ledger.OpenDifference(ctx, d)
}

// proposal returns the command by which two persons resolve an order in review.
func proposal(row order.Order, line order.StatementLine) string {
	state := order.Failed
	if line.State.Paid() {
		state = order.Succeeded
	}
	return fmt.Sprintf("starter resolve %s --merchant %s --state %s, with the gateway's proof as evidence", row.Number, row.Merchant, state)
}

// unproven says what persons do about a line that nobody could verify.
func unproven(row order.Order, line order.StatementLine) string {
	if row.State == order.InReview {
		return "Two persons may resolve it: " + proposal(row, line)
	}
	if !row.State.Terminal() {
		return fmt.Sprintf("Ask again: starter poll %s --merchant %s", row.Number, row.Merchant)
	}
	return "Have the gateway's proof in writing; two persons book with starter adjust what it proves"
}

// missed opens the discrepancy of a paid order that the statement does not have.
func (g *Gateway) missed(ctx context.Context, s ledger.StatementRecord, row order.Order, asked bool) error {
	told := fmt.Sprintf("statement %s, from %s to %s, does not have the order, which is %s here with %s paid",
		s.ID, s.From.UTC().Format(time.RFC3339), s.To.UTC().Format(time.RFC3339), row.State, row.Paid)
	d := reconcile.Difference{Key: row.Key(), Code: codes.DiscrepancyStatement, Mark: reconcile.MarkAbsent, Detail: told + "; the gateway, being asked, has it as we do"}
	if !asked {
		d.Code, d.Detail = codes.DiscrepancyUnproven, told+"; the gateway could not be asked. Have its proof in writing; two persons book with starter adjust what it proves"
	}
	return g.ledger.OpenDifference(ctx, d)
}
