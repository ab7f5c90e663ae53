package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// QueueItem is something that needs a person.
type QueueItem struct {
	Since time.Time `json:"since"`
	Kind  QueueKind `json:"kind"`
	Key   order.Key `json:"key"`            // without number: the merchant itself
	ID    string    `json:"id,omitempty"`   // of the discrepancy or the callback
	Code  string    `json:"code,omitempty"` // stable
	Text  string    `json:"text"`           // what is the matter, in a sentence
	Do    string    `json:"do"`             // what to do about it
}

// QueueKind says what an item of the queue is.
type QueueKind string

// The kinds.
const (
	QueueApproval    QueueKind = "approval"    // an order waits for a second person
	QueueReview      QueueKind = "review"      // an order waits to be resolved
	QueueUnknown     QueueKind = "unknown"     // a create has had no certain outcome for long
	QueueDiscrepancy QueueKind = "discrepancy" // open
	QueueBreaker     QueueKind = "breaker"     // open
	QueueCallback    QueueKind = "callback"    // unmatched
)

// NeedsPerson lists everything that needs a person, oldest first, at most
// limit (0: 100; never more than MaxPage): orders that wait for an approval or
// for a resolution, creates that have had no certain outcome for the given
// time, discrepancies and breakers that are open, and callbacks of orders that
// we do not have.
func (l *Ledger) NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]QueueItem, error) {
	limit = pageSize(limit)
	var items []QueueItem
	for _, list := range []func(context.Context, time.Duration, int) ([]QueueItem, error){
		l.approvalsDue, l.reviewsDue, l.unknownsDue, l.discrepanciesDue, l.breakersDue, l.callbacksDue,
	} {
		found, err := list(ctx, unknownFor, limit) // the oldest of all are among the oldest of each
		if err != nil {
			return nil, fmt.Errorf("ledger: list what needs a person: %w", err)
		}
		items = append(items, found...)
	}
	slices.SortStableFunc(items, func(a, b QueueItem) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key.String(), b.Key.String()))
	})
	return items[:min(limit, len(items))], nil
}

func (l *Ledger) approvalsDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	return l.ordersDue(ctx, order.AwaitingApproval, limit, func(o queuedOrder) (QueueItem, error) {
		return QueueItem{
			Kind: QueueApproval,
			Text: fmt.Sprintf("%s of %s waits for approval until %s: %s", o.Kind, o.amount(), sayTime(o.ApproveBefore), o.ReasonText),
			Do:   fmt.Sprintf("approve it with fingerprint %s, or reject it; %s, who requested it, may not approve", o.Fingerprint, o.requester()),
		}, nil
	})
}

func (l *Ledger) reviewsDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	return l.ordersDue(ctx, order.InReview, limit, func(o queuedOrder) (QueueItem, error) {
		item := QueueItem{
			Kind: QueueReview,
			Text: fmt.Sprintf("%s of %s is in review: %s", o.Kind, o.amount(), o.ReasonText),
			Do:   "find out at the gateway what became of it and resolve it with the proof",
		}
		if o.Proposed == "" {
			return item, nil
		}
		proposal := proposalRow{State: order.State(o.Proposed), Paid: o.ProposedPaid, Fee: o.ProposedFee}
		proposed, err := proposal.resolution(o.Currency)
		item.Text += fmt.Sprintf("; %s proposes %s (%s)", o.Proposer, sayResolution(proposed), o.ProposedEvidence)
		item.Do = fmt.Sprintf("check the proof and resolve it alike, if you are neither %s nor who requested it; or resolve it otherwise", o.Proposer)
		return item, err
	})
}

func (l *Ledger) unknownsDue(ctx context.Context, unknownFor time.Duration, limit int) ([]QueueItem, error) {
	latest := l.now().Add(-unknownFor)
	items, err := l.ordersDue(ctx, order.Unknown, limit, func(o queuedOrder) (QueueItem, error) {
		return QueueItem{
			Kind: QueueUnknown,
			Text: fmt.Sprintf("it is not known whether the gateway has the %s of %s: %s", o.Kind, o.amount(), o.ReasonText),
			Do:   "nothing yet: the gateway is asked until there is proof; look for it there if you cannot wait",
		}, nil
	})
	return slices.DeleteFunc(items, func(item QueueItem) bool { return item.Since.After(latest) }), err
}

// queuedOrder is an order that stands in a state, since when, and what is
// proposed for it.
type queuedOrder struct {
	orderRow
	Since            int64  `db:"since"`
	Proposed         string `db:"proposed"`
	ProposedPaid     int64  `db:"proposed_paid"`
	ProposedFee      int64  `db:"proposed_fee"`
	Proposer         string `db:"proposer"`
	ProposedEvidence string `db:"proposed_evidence"`
	parsed           order.Order
}

func (o queuedOrder) amount() string { return o.parsed.Amount.String() }

func (o queuedOrder) requester() string { return o.parsed.RequestedBy }

// ordersDue lists the orders that stand in a state, those that came to it
// first come first. Orders that are unknown come and go while the create is
// sent again: what counts is when they first were.
func (l *Ledger) ordersDue(ctx context.Context, state order.State, limit int, say func(queuedOrder) (QueueItem, error)) ([]QueueItem, error) {
	var rows []queuedOrder
	err := l.list(ctx, &rows, `
		SELECT q.*, COALESCE(p.state, '') AS proposed, COALESCE(p.paid, 0) AS proposed_paid, COALESCE(p.fee, 0) AS proposed_fee,
			COALESCE(p.actor, '') AS proposer, COALESCE(p.evidence, '') AS proposed_evidence
		FROM (SELECT `+orderColumns+`, COALESCE((
				SELECT MIN(at) FROM audit a
				WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND a.after_state = o.state AND a.before_state <> o.state
			), created_at) AS since
			FROM orders o WHERE `+openStates+` AND state = ?) q
		LEFT JOIN proposals p ON p.order_id = q.id
		ORDER BY since, id LIMIT ?`, state, limit)
	if err != nil {
		return nil, err
	}
	items := make([]QueueItem, len(rows))
	for i, row := range rows {
		if row.parsed, err = row.order(); err != nil {
			return nil, err
		}
		if items[i], err = say(row); err != nil {
			return nil, err
		}
		items[i].Since, items[i].Key, items[i].Code = moment(row.Since), row.parsed.Key(), row.ReasonCode
	}
	return items, nil
}

func (l *Ledger) discrepanciesDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	var rows []discrepancyRow
	err := l.list(ctx, &rows, "SELECT "+discrepancyColumns+" FROM discrepancies WHERE closed_at = 0 ORDER BY at, id LIMIT ?", limit)
	items := make([]QueueItem, len(rows))
	for i, row := range rows {
		items[i] = QueueItem{
			Since: moment(row.At), Kind: QueueDiscrepancy, Key: row.discrepancy().Key, ID: strconv.FormatInt(row.ID, 10), Code: row.Code,
			Text: "our books and the gateway's word differ: " + row.Detail,
			Do:   "settle it with the gateway, then close it and say why",
		}
	}
	return items, err
}

func (l *Ledger) breakersDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	breakers, err := l.Breakers(ctx)
	if err != nil {
		return nil, err
	}
	var items []QueueItem
	for _, b := range breakers[:min(limit, len(breakers))] {
		items = append(items, QueueItem{
			Since: b.Since, Kind: QueueBreaker, Key: order.Key{Merchant: b.Merchant}, Code: b.Reason.Code,
			Text: "no order of the merchant is sent, because the gateway refuses every call: " + b.Reason.Text,
			Do:   "mend the merchant's key, address or status; the gateway is asked now and then, and once it answers everything is sent",
		})
	}
	return items, nil
}

func (l *Ledger) callbacksDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	entries, err := l.UnmatchedCallbacks(ctx, limit)
	if err != nil {
		return nil, err
	}
	items := make([]QueueItem, len(entries))
	for i, e := range entries {
		items[i] = QueueItem{
			Since: e.FirstAt, Kind: QueueCallback, Key: e.Key(), ID: e.ID, Code: CodeUnmatched,
			Text: fmt.Sprintf("the gateway tells of a %s that we do not have: %s, %s %s", e.Callback.Direction, e.Callback.State, e.Callback.OrderAmount, e.Callback.Currency),
			Do:   "find out who made the order; it is matched by itself if it turns up here",
		}
	}
	return items, nil
}

// Codes of callbacks. They are stable.
const (
	CodeUnmatched    = "CALLBACK_UNMATCHED"     // it is for an order that we do not have
	CodeNotUnmatched = "CALLBACK_NOT_UNMATCHED" // it has an order, or was dealt with: it cannot be set aside
)

// sayTime is a time column for people.
func sayTime(milliseconds int64) string { return moment(milliseconds).Format("2006-01-02 15:04 UTC") }
