package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Submission is one attempt to send an order's create. It is stored before the
// create is sent, and completed when the outcome is known.
type Submission struct {
	Key       order.Key    `json:"key"`
	Attempt   int          `json:"attempt"` // from 1
	StartedAt time.Time    `json:"started_at"`
	EndedAt   time.Time    `json:"ended_at,omitzero"` // zero while the outcome is empty
	Outcome   Outcome      `json:"outcome"`
	Reason    order.Reason `json:"reason,omitzero"`
}

// Outcome is how an attempt ended. It is empty while the attempt is under way. It
// stays empty if the worker dies before it stores the outcome: then the create may
// have been sent.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"  // the gateway has the order
	Refused   Outcome = "refused"   // the gateway refused the create for certain, and does not have the order
	Ambiguous Outcome = "ambiguous" // no certain outcome: query before anything else
	Paused    Outcome = "paused"    // the gateway refuses every call: key, address, signature or merchant
	Unsent    Outcome = "unsent"    // nothing left this machine
)

// Sent reports whether the gateway may have received the create: it may, unless
// the outcome is Unsent or Paused.
func (o Outcome) Sent() bool { return o != Unsent && o != Paused }

// notSent is the SQL condition for attempts whose outcome is not Sent.
const notSent = "outcome IN ('unsent', 'paused')"

// Sent reports whether the gateway may have received any of the attempts.
func Sent(attempts []Submission) bool {
	return slices.ContainsFunc(attempts, func(s Submission) bool { return s.Outcome.Sent() })
}

// Answer is the result of an attempt.
type Answer struct {
	Outcome      Outcome
	GatewayID    string              // if Accepted
	Instructions *order.Instructions // if Accepted, of a deposit
	Reason       order.Reason        // if not Accepted
}

// Submissions returns an order's attempts, oldest first. It returns none if there
// is no such order.
func (l *Ledger) Submissions(ctx context.Context, key order.Key) ([]Submission, error) {
	var rows []submissionRow
	err := l.db.List(ctx, &rows, `
		SELECT s.attempt, s.started_at, s.ended_at, s.outcome, s.reason_code, s.reason_text, o.data_key, o.erased_at
		FROM submissions s JOIN orders o ON o.id = s.order_id
		WHERE o.merchant = ? AND o.number = ? ORDER BY s.attempt`, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return nil, fmt.Errorf("ledger: submissions of %s: %w", key, err)
	}
	submissions := make([]Submission, len(rows))
	for i, row := range rows {
		texts, err := l.private.orderTexts(sanitizeKey(key.Merchant), sanitizeKey(key.Number), row.DataKey, row.ErasedAt)
		if err == nil {
			row.ReasonText, err = texts.open("submissions.reason_text", row.ReasonText)
		}
		if err != nil {
			return nil, fmt.Errorf("ledger: submissions of %s: %w", key, err)
		}
		submissions[i] = Submission{
			Key: key, Attempt: row.Attempt, StartedAt: moment(row.StartedAt), EndedAt: moment(row.EndedAt),
			Outcome: row.Outcome, Reason: order.Reason{Code: row.ReasonCode, Text: row.ReasonText},
		}
	}
	return submissions, nil
}

// NextSubmission records that a create is about to be sent. The order becomes
// submitting and gets its next attempt. The create may be sent only after
// NextSubmission has returned. earlier is the number of attempts that the caller's
// query covered. If the order has more attempts, the call fails, and nothing may
// be sent.
//
// With an authority, an order whose state the audit does not prove goes to review instead,
// with codes.OrderUnproven: see unproven. An order of a stop that has ended in its row is not
// sent before HeldBack has found that end proved.
//
// Errors: ErrNotFound; ErrSealUnknown; ErrState unless the order has exactly earlier attempts,
// and is a created deposit, a reserved withdrawal, submitting or unknown; ErrState before the
// time of a scheduled order, and for one that went to review.
func (l *Ledger) NextSubmission(ctx context.Context, key order.Key, earlier int) (Submission, error) {
	l.refresh()
	var submission Submission
	var unproven order.Reason
	unproved := l.endUnproved(sanitizeKey(key.Merchant))
	err := l.inLocked(ctx, key, "", func(t tx, h *held) (err error) {
		if earlier != h.attempts {
			return fmt.Errorf("%w: %d attempts are on record, and %d were asked about", ErrState, h.attempts, earlier)
		}
		if !rules.Sendable(h.State) { // it waits for approval or funds, is at the gateway, in review, or has ended
			return fmt.Errorf("%w: a create is not sent while it is %s", ErrState, h.State)
		}
		if unproven, err = t.unproven(ctx, h); err != nil {
			return err
		}
		if unproven.Code != "" {
			return t.toReview(ctx, h, unproven)
		}
		if h.ReleaseAt.After(t.At) { // the database refuses it, too
			return fmt.Errorf("%w: a create is not sent before %s", ErrState, h.ReleaseAt)
		}
		h.attempts++
		h.also = append(h.also, func() []write { return []write{t.beginSubmission(*h, unproved)} })
		if h.State == order.Submitting {
			err = t.update(ctx, h, order.Submitting)
		} else {
			err = t.move(ctx, h, order.Submitting, entry{action: ActionSubmit, source: FromSubmission, evidence: attemptText(h.attempts)})
		}
		submission = Submission{Key: key, Attempt: h.attempts, StartedAt: t.At}
		return err
	})
	if err == nil && unproven.Code != "" {
		err = fmt.Errorf("%w: it went to review: %s", ErrState, unproven.Text)
	}
	if err != nil {
		return Submission{}, fmt.Errorf("ledger: next submission of %s: %w", key, err)
	}
	return submission, nil
}

// errEndUnproved rolls the transaction back: a stop of the order has ended in its row only, as
// far as this process knows.
var errEndUnproved = errors.New("a stop of the order has ended, and that was not proved yet: ask what holds the order back")

// beginSubmission inserts the row of an attempt. With an authority, errEndUnproved if a stop
// of the order meets the condition unproved: the stop may have ended since somebody has asked
// what holds the order back.
func (t tx) beginSubmission(h held, unproved string) write {
	const columns = "INSERT INTO submissions (order_id, attempt, started_at) "
	if t.authority == nil {
		return statement(columns+"VALUES (?, ?, ?)", h.id, h.attempts, t.At.UnixMilli())
	}
	w := statement(columns+"SELECT o.id, ?, ? FROM orders o WHERE o.id = ? AND NOT EXISTS (SELECT 1 FROM stops s WHERE "+inScope+" AND "+unproved+")",
		h.attempts, t.At.UnixMilli(), h.id)
	w.check = func(inserted int64) error {
		if inserted != 1 {
			return errEndUnproved
		}
		return nil
	}
	return w
}

// CompleteSubmission stores the result of an attempt.
//
// While the order is submitting or unknown, the outcome changes its state:
//   - Accepted: submitted
//   - Refused: failed; a withdrawal's reservation is released
//   - Ambiguous: unknown
//   - Paused, Unsent: no change, but the reason is stored
//
// An order in any other state keeps it. Missing data is filled in from an Accepted
// answer. A gateway id that differs from the stored one opens a discrepancy. A
// gateway id that another order has opens a discrepancy, and an order that may be
// at the gateway becomes in_review. Of an attempt that is not the last one, only
// Accepted has an effect, because the last one may still reach the gateway. The
// order is returned in its new state.
//
// A repetition of the same outcome has no effect. Errors: ErrNotFound; ErrState
// when the attempt has another outcome already.
func (l *Ledger) CompleteSubmission(ctx context.Context, key order.Key, attempt int, answer Answer) (order.Order, error) {
	if !slices.Contains([]Outcome{Accepted, Refused, Ambiguous, Paused, Unsent}, answer.Outcome) {
		return order.Order{}, fmt.Errorf("ledger: complete submission %d of %s: %q is no outcome", attempt, key, answer.Outcome)
	}
	var result order.Order
	var named string
	if rules.GatewayIDFits(answer.GatewayID) {
		named = answer.GatewayID
	}
	err := l.inLocked(ctx, key, named, func(t tx, h *held) error {
		h.also = append(h.also, func() []write { return []write{t.endSubmission(*h, attempt, answer)} })
		err := t.applyAnswer(ctx, h, attempt, answer)
		result = h.Order
		return err
	})
	if errors.Is(err, errEnded) {
		result, err = l.endedBefore(ctx, key, attempt, answer)
	}
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: complete submission %d of %s: %w", attempt, key, err)
	}
	return result, nil
}

// errEnded rolls the transaction back: the attempt was completed before, or is not there.
var errEnded = errors.New("there is no such attempt that has not ended")

// endSubmission completes the row. errEnded if it was completed before.
func (t tx) endSubmission(h held, attempt int, answer Answer) write {
	w := statement(`
		UPDATE submissions SET ended_at = ?, outcome = ?, reason_code = ?, reason_text = ?
		WHERE order_id = ? AND attempt = ? AND outcome = ''`,
		t.At.UnixMilli(), answer.Outcome, answer.Reason.Code, h.key.Seal("submissions.reason_text", sanitizeText(answer.Reason.Text)), h.id, attempt)
	w.check = func(updated int64) error {
		if updated != 1 {
			return errEnded
		}
		return nil
	}
	return w
}

// endedBefore returns the order of an attempt that was completed before. ErrNotFound if
// there is no such attempt; ErrState if it has another outcome.
func (l *Ledger) endedBefore(ctx context.Context, key order.Key, attempt int, answer Answer) (order.Order, error) {
	var outcome Outcome
	err := l.db.Get(ctx, &outcome, "SELECT s.outcome FROM submissions s JOIN orders o ON o.id = s.order_id WHERE o.merchant = ? AND o.number = ? AND s.attempt = ?",
		sanitizeKey(key.Merchant), sanitizeKey(key.Number), attempt)
	switch {
	case err != nil:
		return order.Order{}, missing(err, "submission %d of %s", attempt, key)
	case outcome != answer.Outcome:
		return order.Order{}, fmt.Errorf("%w: the attempt ended as %s, not %s", ErrState, outcome, answer.Outcome)
	}
	return l.Order(ctx, key)
}

// applyAnswer changes the order's state as the answer says, if the order is
// submitting or unknown.
func (t tx) applyAnswer(ctx context.Context, h *held, attempt int, answer Answer) error {
	if answer.GatewayID != "" && h.GatewayID != "" && answer.GatewayID != h.GatewayID {
		return t.discrepancy(ctx, h, codes.DiscrepancyMismatch, attemptText(attempt),
			"the create's answer names another payOrderId than the one on record")
	}
	if !rules.GatewayIDFits(answer.GatewayID) && answer.GatewayID != "" {
		answer.GatewayID = "" // a query about the order will return it
		if err := t.discrepancy(ctx, h, codes.DiscrepancyMismatch, attemptText(attempt), "the create's answer names a payOrderId that is none"); err != nil {
			return err
		}
	}
	if owner, err := t.ownerOf(ctx, h, answer.GatewayID); err != nil || owner != "" {
		if err == nil {
			_, err = t.reviewSharedID(ctx, h, answer.GatewayID, owner)
		}
		return err
	}
	filled := answer.Outcome == Accepted && h.fill(answer)
	waits := h.State == order.Submitting || h.State == order.Unknown
	counts := attempt == h.attempts || answer.Outcome == Accepted
	if !waits || !counts {
		if !filled {
			return nil
		}
		return t.fillIn(ctx, h)
	}
	h.Reason = order.Reason{Code: answer.Reason.Code, Text: sanitizeText(answer.Reason.Text)}
	to := h.State
	switch answer.Outcome {
	case Accepted:
		to = order.Submitted
	case Refused:
		to = order.Failed
	case Ambiguous:
		to = order.Unknown
	case Paused, Unsent:
	}
	if to == h.State {
		return t.update(ctx, h, h.State)
	}
	if to == order.Failed {
		t.bookWith(h, endTransfers(h.Order, to))
	}
	return t.move(ctx, h, to, entry{action: ActionAnswer, source: FromSubmission, evidence: attemptText(attempt), reason: h.Reason})
}

// fill stores the answer's gateway id and instructions where the order has none.
func (h *held) fill(answer Answer) (filled bool) {
	if h.GatewayID == "" && answer.GatewayID != "" {
		h.GatewayID, filled = answer.GatewayID, true
	}
	if h.Instructions == nil && answer.Instructions != nil {
		h.Instructions, filled = answer.Instructions, true
	}
	return filled
}

func attemptText(attempt int) string { return attemptMark + strconv.Itoa(attempt) }

// attemptMark begins the evidence of an entry about an attempt.
const attemptMark = "attempt "

type submissionRow struct {
	Attempt    int     `db:"attempt"`
	StartedAt  int64   `db:"started_at"`
	EndedAt    int64   `db:"ended_at"`
	Outcome    Outcome `db:"outcome"`
	ReasonCode string  `db:"reason_code"`
	ReasonText string  `db:"reason_text"`
	DataKey    string  `db:"data_key"`  // of the order
	ErasedAt   int64   `db:"erased_at"` // of the order

	instead string // what stands for the reason's text if it cannot be read
}
