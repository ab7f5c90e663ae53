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
	ID    string    `json:"id,omitempty"`   // what its command takes: see QueueKind; the same as long as the item is due
	Code  string    `json:"code,omitempty"` // stable
	Text  string    `json:"text"`           // what is the matter, in a sentence
	Do    string    `json:"do"`             // what to do about it
}

// QueueKind says what an item of the queue is.
type QueueKind string

// The kinds.
const (
	QueueApproval    QueueKind = "approval"    // an order waits for a second person; ID: its fingerprint
	QueueReview      QueueKind = "review"      // an order waits to be resolved
	QueueUnknown     QueueKind = "unknown"     // a create has had no certain outcome for long
	QueueUnsent      QueueKind = "unsent"      // an order may be sent and has not been for long
	QueueDiscrepancy QueueKind = "discrepancy" // open; ID: its number
	QueueBreaker     QueueKind = "breaker"     // open
	QueueCallback    QueueKind = "callback"    // unmatched, or cannot be passed on; ID: the callback's
	QueueFunds       QueueKind = "funds"       // an order waits for money, in the ledger or at the gateway
	QueueAdjustment  QueueKind = "adjustment"  // proposed, and waits for a second person; ID: its reference
	QueueDrift       QueueKind = "drift"       // the gateway's balance and the books differ, and no open order explains it; ID: the merchant
)

// queues are where the items of each kind come from, the oldest first, and how
// they are counted.
var queues = []struct {
	kind  QueueKind
	list  func(l *Ledger, ctx context.Context, unknownFor time.Duration, limit int) ([]QueueItem, error)
	count func(at time.Time, unknownFor time.Duration) tally
}{
	{QueueApproval, (*Ledger).approvalsDue, tallyOrders(standing(order.AwaitingApproval))},
	{QueueReview, (*Ledger).reviewsDue, tallyOrders(standing(order.InReview))},
	{QueueUnknown, (*Ledger).unknownsDue, tallyOrdersFor(standing(order.Unknown))},
	{QueueUnsent, (*Ledger).unsentDue, tallyOrdersFor(waitingToBeSent)},
	{QueueDiscrepancy, (*Ledger).discrepanciesDue, tallyRows("SELECT at AS since FROM discrepancies WHERE closed_at = 0")},
	{QueueBreaker, (*Ledger).breakersDue, tallyRows("SELECT since FROM breakers")},
	{QueueCallback, (*Ledger).callbacksDue, tallyCallbacks},
	{QueueFunds, (*Ledger).fundsDue, tallyOrders(standing(order.AwaitingFunds), shortAtTheGateway)},
	{QueueAdjustment, (*Ledger).adjustmentsDue, tallyRows("SELECT proposed_at AS since FROM adjustments WHERE state = 'proposed'")},
	{QueueDrift, (*Ledger).driftsDue, tallyRows("SELECT since FROM (SELECT " + driftingSince + " AS since FROM books b) d WHERE since IS NOT NULL")},
}

// QueueKinds lists all kinds.
func QueueKinds() []QueueKind {
	kinds := make([]QueueKind, len(queues))
	for i, queue := range queues {
		kinds[i] = queue.kind
	}
	return kinds
}

// NeedsPerson lists everything that needs a person, oldest first, at most limit
// (0: 100; never more than MaxPage). QueueKind says what that is. Orders are
// listed as unknown or unsent once they have been so for unknownFor. An order may
// be there twice, as one that is unknown and one that wants money. QueueCounts
// counts without a limit.
func (l *Ledger) NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]QueueItem, error) {
	limit = pageSize(limit)
	var items []QueueItem
	for _, queue := range queues {
		found, err := queue.list(l, ctx, unknownFor, limit) // the oldest of all are among the oldest of each
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
	return l.ordersDue(ctx, standing(order.AwaitingApproval), limit, func(o queuedOrder) (QueueItem, error) {
		return QueueItem{
			Kind: QueueApproval, ID: o.Fingerprint,
			Text: fmt.Sprintf("%s of %s waits for approval until %s: %s", o.Kind, o.amount(), order.SayTime(moment(o.ApproveBefore)), o.ReasonText),
			Do:   fmt.Sprintf("approve it with fingerprint %s, or reject it; %s, who requested it, may not approve", order.ShortFingerprint(o.Fingerprint), o.requester()),
		}, nil
	})
}

func (l *Ledger) reviewsDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	return l.ordersDue(ctx, standing(order.InReview), limit, func(o queuedOrder) (QueueItem, error) {
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
	return l.ordersDueFor(ctx, unknownFor, standing(order.Unknown), limit, func(o queuedOrder) (QueueItem, error) {
		return QueueItem{
			Kind: QueueUnknown,
			Text: fmt.Sprintf("it is not known whether the gateway has the %s of %s: %s", o.Kind, o.amount(), o.ReasonText),
			Do:   "nothing yet: the gateway is asked until there is proof; look for it there if you cannot wait",
		}, nil
	})
}

// unsentDue leaves out what an open breaker holds back: its own item counts them.
func (l *Ledger) unsentDue(ctx context.Context, unknownFor time.Duration, limit int) ([]QueueItem, error) {
	return l.ordersDueFor(ctx, unknownFor, waitingToBeSent, limit, func(o queuedOrder) (QueueItem, error) {
		why := o.ReasonText
		if why == "" {
			why = "no worker has tried"
		}
		return QueueItem{
			Kind: QueueUnsent, Code: CodeUnsent,
			Text: fmt.Sprintf("the %s of %s has not been sent yet: %s", o.Kind, o.amount(), why),
			Do:   "see that a worker runs that has the merchant and its key and reaches the gateway; the order is sent by itself, or cancel it",
		}, nil
	})
}

// ordersDueFor lists the orders that have been due for so long.
func (l *Ledger) ordersDueFor(ctx context.Context, long time.Duration, due dueOrders, limit int, say func(queuedOrder) (QueueItem, error)) ([]QueueItem, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	items, err := l.ordersDue(ctx, due, limit, say)
	return slices.DeleteFunc(items, func(item QueueItem) bool { return item.Since.After(now.Add(-long)) }), err
}

func (l *Ledger) fundsDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	waiting, err := l.ordersDue(ctx, standing(order.AwaitingFunds), limit, func(o queuedOrder) (QueueItem, error) {
		return QueueItem{
			Kind: QueueFunds,
			Text: fmt.Sprintf("the books' available balance does not cover the %s of %s: %s", o.Kind, o.amount(), o.ReasonText),
			Do:   "pay money in at the gateway and have two persons book it as a top-up; the order then goes on by itself, or fails at its deadline",
		}, nil
	})
	if err != nil {
		return nil, err
	}
	short, err := l.ordersDue(ctx, shortAtTheGateway, limit, func(o queuedOrder) (QueueItem, error) {
		return QueueItem{
			Kind: QueueFunds,
			Text: fmt.Sprintf("the merchant's balance at the gateway does not cover the %s of %s: %s", o.Kind, o.amount(), o.ReasonText),
			Do:   "pay money in at the gateway and have two persons book it as a top-up; the order is then sent again under its number, or fails at its deadline",
		}, nil
	})
	return slices.SortedStableFunc(slices.Values(append(waiting, short...)), func(a, b QueueItem) int { return a.Since.Compare(b.Since) }), err
}

// dueOrders picks open orders: a condition, and the condition of the entries of
// an order's audit of which the first says since when.
type dueOrders struct {
	where, since string
	args         []any
}

// query selects columns of the orders, and since when they are due.
func (d dueOrders) query(columns string) string {
	return `SELECT ` + columns + `COALESCE((
			SELECT at FROM audit a
			WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND ` + d.since + `
			ORDER BY seq LIMIT 1
		), created_at) AS since
		FROM orders o WHERE ` + openStates + ` AND ` + d.where
}

// standing are the orders in a state, since they first came to it: those that
// are unknown come and go while the create is sent again.
func standing(state order.State) dueOrders {
	return dueOrders{"state = ?", "a.after_state = o.state AND a.before_state <> o.state", []any{state}}
}

// shortAtTheGateway are the orders that the gateway refused for want of money.
var shortAtTheGateway = dueOrders{
	"state IN ('submitting', 'unknown') AND reason_code = ?", "a.code = o.reason_code AND a.outcome = 'done'", []any{order.CodeGatewayShort},
}

// waitingToBeSent are the orders that may be sent and of which the gateway cannot have
// heard, since they may be sent; but for those behind an open breaker.
var waitingToBeSent = dueOrders{
	unsentStates + " AND NOT EXISTS (SELECT 1 FROM breakers b WHERE b.merchant = o.merchant)",
	"a.after_state IN ('created', 'reserved') AND a.before_state <> a.after_state", nil,
}

// unsentStates is the condition of an order o that may be sent, and of which the
// gateway cannot have heard.
const unsentStates = `state IN ('created', 'reserved', 'submitting')
	AND NOT EXISTS (SELECT 1 FROM submissions s WHERE s.order_id = o.id AND NOT s.` + notSent + ")"

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

// ordersDue lists open orders, those that have been due for longest first.
func (l *Ledger) ordersDue(ctx context.Context, due dueOrders, limit int, say func(queuedOrder) (QueueItem, error)) ([]QueueItem, error) {
	var rows []queuedOrder
	err := l.list(ctx, &rows, `
		SELECT q.*, COALESCE(p.state, '') AS proposed, COALESCE(p.paid, 0) AS proposed_paid, COALESCE(p.fee, 0) AS proposed_fee,
			COALESCE(p.actor, '') AS proposer, COALESCE(p.evidence, '') AS proposed_evidence
		FROM (`+due.query(orderColumns+", ")+`) q
		LEFT JOIN proposals p ON p.order_id = q.id
		ORDER BY since, id LIMIT ?`, append(slices.Clone(due.args), limit)...)
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
		if row.parsed.Unasked() {
			items[i].Text += "; the ledger may be older than what was done, and the gateway is being asked whether it has the order"
			items[i].Do = "wait for the answer, which the order's workflow gets by itself. Until then it is not ended. " +
				"If the gateway does not answer, mend the connection or the merchant's key"
		}
		items[i].Since, items[i].Key = moment(row.Since), row.parsed.Key()
		items[i].Code = cmp.Or(row.ReasonCode, items[i].Code)
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
		var waiting int
		err := l.get(ctx, &waiting, "SELECT COUNT(*) FROM orders o WHERE merchant = ? AND "+openStates+" AND "+unsentStates, b.Merchant)
		if err != nil {
			return nil, err
		}
		text := "no order of the merchant is sent, because the gateway refuses every call: " + b.Reason.Text
		if waiting > 0 {
			text += fmt.Sprintf("; %d wait to be sent", waiting)
		}
		items = append(items, QueueItem{
			Since: b.Since, Kind: QueueBreaker, Key: order.Key{Merchant: b.Merchant}, Code: b.Reason.Code,
			Text: text,
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
	items, err := l.undeliveredDue(ctx, limit)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if slices.ContainsFunc(items, func(told QueueItem) bool { return told.ID == e.ID }) {
			continue
		}
		items = append(items, QueueItem{
			Since: e.FirstAt, Kind: QueueCallback, Key: e.Key(), ID: e.ID, Code: CodeUnmatched,
			Text: fmt.Sprintf("the gateway tells of a %s that we do not have: %s, %s %s", e.Callback.Direction, e.Callback.State, e.Callback.OrderAmount, e.Callback.Currency),
			Do:   "find out who made the order; it is matched by itself if it turns up here",
		})
	}
	slices.SortStableFunc(items, func(a, b QueueItem) int { return a.Since.Compare(b.Since) })
	return items[:min(limit, len(items))], nil
}

func (l *Ledger) adjustmentsDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	var open conditions
	open.add("state = 'proposed'")
	records, err := l.adjustments(ctx, open, "proposed_at, id", limit)
	items := make([]QueueItem, len(records))
	for i, a := range records {
		move, _ := a.Kind.move()
		items[i] = QueueItem{
			Since: a.ProposedAt, Kind: QueueAdjustment, Key: order.Key{Merchant: a.Merchant}, ID: a.Ref, Code: CodeAdjustmentProposed,
			Text: fmt.Sprintf("%s proposes to book %s as %s, because %s (%s): %s", a.By, a.Amount, a.Kind, move.Text, a.Evidence, a.Why),
			Do:   fmt.Sprintf("check the proof and confirm it, if you are not %s, or reject it", a.By),
		}
	}
	return items, err
}

// driftingSince selects since when all snapshots of the books b drift; NULL when
// the latest one does not.
const driftingSince = `(
	SELECT at FROM snapshots WHERE merchant = b.merchant AND currency = b.currency AND id > COALESCE((
		SELECT MAX(id) FROM snapshots WHERE merchant = b.merchant AND currency = b.currency AND verdict <> 'drift'), 0)
	ORDER BY id LIMIT 1)`

func (l *Ledger) driftsDue(ctx context.Context, _ time.Duration, limit int) ([]QueueItem, error) {
	var rows []struct {
		Merchant string `db:"merchant"`
		Currency string `db:"currency"`
		Drift    int64  `db:"drift"`
		Since    int64  `db:"since"`
	}
	err := l.list(ctx, &rows, `
		SELECT s.merchant, s.currency, s.drift, `+driftingSince+` AS since
		FROM books b JOIN snapshots s ON s.id = (SELECT MAX(id) FROM snapshots WHERE merchant = b.merchant AND currency = b.currency)
		WHERE s.verdict = 'drift' ORDER BY since, s.id LIMIT ?`, limit)
	items := make([]QueueItem, len(rows))
	for i, row := range rows {
		read, more, minor := amounts{currency: row.Currency}, "more", row.Drift
		if minor < 0 {
			more, minor = "less", -minor
		}
		items[i] = QueueItem{
			Since: moment(row.Since), Kind: QueueDrift, Key: order.Key{Merchant: row.Merchant}, ID: row.Merchant, Code: CodeDrift,
			Text: fmt.Sprintf("the gateway has %s %s than the books, and no open order explains it", read.of(minor), more),
			Do:   "find it in the gateway's history; what belongs to no order is booked as an adjustment by two persons",
		}
	}
	return items, err
}

// Codes of what is due and has none of its own. They are stable.
const (
	CodeAdjustmentProposed = "ADJUSTMENT_PROPOSED" // it waits for a second person
	CodeDrift              = "BALANCE_DRIFT"       // the gateway's balance and the books differ
	CodeUnsent             = "ORDER_UNSENT"        // it may be sent, and nobody has
)

// Codes of callbacks. They are stable.
const (
	CodeUnmatched    = "CALLBACK_UNMATCHED"     // it is for an order that we do not have
	CodeUndelivered  = "CALLBACK_UNDELIVERED"   // it cannot be passed on, or nobody has for long
	CodeNotUnmatched = "CALLBACK_NOT_UNMATCHED" // it has an order and can be passed on, or was dealt with: it cannot be set aside
)
