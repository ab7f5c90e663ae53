package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Due is an item that needs a person. Package worklist writes its text.
type Due struct {
	Since time.Time
	Kind  QueueKind
	Key   order.Key // no number: the item is about the merchant
	ID    string    // argument of the item's command, see QueueKind; it does not change while the item is due
	Code  string    // stable

	// The subject of the item. The members of other kinds are zero.
	Order       *order.Order      // QueueApproval, QueueReview, QueueUnknown, QueueUnsent, QueueFunds
	Proposal    *order.Resolution // QueueReview: the proposed resolution; nil if there is none
	Discrepancy *Discrepancy      // QueueDiscrepancy
	Breaker     *Breaker          // QueueBreaker
	Stop        *Stop             // QueueStop
	Waiting     int               // QueueBreaker, QueueStop: number of orders that wait to be sent; QueueWebhook: number of failed events
	Callback    *InboxEntry       // QueueCallback
	Adjustment  *AdjustmentRecord // QueueAdjustment
	Webhook     *Webhook          // QueueWebhook
	Drift       money.Amount      // QueueDrift: the gateway's balance minus the books
}

// QueueKind says why an item needs a person.
type QueueKind string

// The kinds.
const (
	QueueApproval    QueueKind = "approval"    // an order waits for a second person; ID: its fingerprint
	QueueReview      QueueKind = "review"      // an order waits to be resolved
	QueueUnknown     QueueKind = "unknown"     // a create has had no certain outcome for a long time
	QueueUnsent      QueueKind = "unsent"      // an order has been ready to be sent for a long time
	QueueDiscrepancy QueueKind = "discrepancy" // a discrepancy is open; ID: its number
	QueueBreaker     QueueKind = "breaker"     // open
	QueueStop        QueueKind = "stop"        // payouts are stopped; ID: the stop's
	QueueCallback    QueueKind = "callback"    // a callback is unmatched, or cannot be delivered; ID: its id
	QueueFunds       QueueKind = "funds"       // an order waits for money in the books or at the gateway
	QueueAdjustment  QueueKind = "adjustment"  // an adjustment waits for a second person; ID: its reference
	QueueDrift       QueueKind = "drift"       // the gateway's balance and the books differ, and no open order explains it; ID: the merchant
	QueueWebhook     QueueKind = "webhook"     // a webhook endpoint is paused; ID: its id
)

// queues has for each kind the function that lists its items, oldest first, and
// the function that counts them.
var queues = []struct {
	kind  QueueKind
	list  func(l *Ledger, ctx context.Context, unknownFor time.Duration, limit int) ([]Due, error)
	count func(at time.Time, unknownFor time.Duration) tally
}{
	{QueueApproval, ordersIn(QueueApproval, order.AwaitingApproval), tallyOrders(selectState(order.AwaitingApproval))},
	{QueueReview, ordersIn(QueueReview, order.InReview), tallyOrders(selectState(order.InReview))},
	{QueueUnknown, (*Ledger).unknownsDue, tallyOrdersFor(selectState(order.Unknown))},
	{QueueUnsent, (*Ledger).unsentDue, tallyUnsent},
	{QueueDiscrepancy, (*Ledger).discrepanciesDue, tallyRows("SELECT at AS since FROM discrepancies WHERE closed_at = 0")},
	{QueueBreaker, (*Ledger).breakersDue, tallyRows("SELECT since FROM breakers")},
	{QueueStop, (*Ledger).stopsDue, tallyRows("SELECT at AS since FROM stops WHERE ended_at = 0")},
	{QueueCallback, (*Ledger).callbacksDue, tallyCallbacks},
	{QueueFunds, (*Ledger).fundsDue, tallyOrders(selectState(order.AwaitingFunds), shortAtTheGateway)},
	{QueueAdjustment, (*Ledger).adjustmentsDue, tallyRows("SELECT proposed_at AS since FROM adjustments WHERE state = 'proposed'")},
	{QueueDrift, (*Ledger).driftsDue, tallyRows("SELECT since FROM (SELECT " + driftingSince + " AS since FROM books b) d WHERE since IS NOT NULL")},
	{QueueWebhook, (*Ledger).webhooksDue, tallyRows("SELECT state_at AS since FROM webhook_endpoints WHERE state = 'paused'")},
}

// QueueKinds lists all kinds.
func QueueKinds() []QueueKind {
	kinds := make([]QueueKind, len(queues))
	for i, queue := range queues {
		kinds[i] = queue.kind
	}
	return kinds
}

// NeedsPerson lists the items that need a person, oldest first, at most limit (0:
// 100; never more than MaxPage). See QueueKind for the kinds. Orders are listed as
// unknown or unsent after unknownFor. An order can be listed twice: as unknown and
// as waiting for money. QueueCounts counts without a limit.
func (l *Ledger) NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]Due, error) {
	limit = pageSize(limit)
	var items []Due
	for _, queue := range queues {
		found, err := queue.list(l, ctx, unknownFor, limit) // limit items of each kind contain the limit oldest of all
		if err != nil {
			return nil, fmt.Errorf("ledger: list what needs a person: %w", err)
		}
		items = append(items, found...)
	}
	slices.SortStableFunc(items, func(a, b Due) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key.String(), b.Key.String()))
	})
	return items[:min(limit, len(items))], nil
}

// ordersIn lists the orders in a state, oldest first.
func ordersIn(kind QueueKind, state order.State) func(*Ledger, context.Context, time.Duration, int) ([]Due, error) {
	return func(l *Ledger, ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
		return l.ordersDue(ctx, kind, selectState(state), limit)
	}
}

func (l *Ledger) unknownsDue(ctx context.Context, unknownFor time.Duration, limit int) ([]Due, error) {
	return l.ordersDueFor(ctx, QueueUnknown, unknownFor, selectState(order.Unknown), limit)
}

// unsentDue omits the orders that a breaker or a stop holds back: its item counts
// them.
func (l *Ledger) unsentDue(ctx context.Context, unknownFor time.Duration, limit int) ([]Due, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	return l.ordersDueFor(ctx, QueueUnsent, unknownFor, waitingToBeSent(now), limit)
}

// ordersDueFor lists the orders that have been due for at least long.
func (l *Ledger) ordersDueFor(ctx context.Context, kind QueueKind, long time.Duration, due dueOrders, limit int) ([]Due, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	items, err := l.ordersDue(ctx, kind, due, limit)
	return slices.DeleteFunc(items, func(item Due) bool { return item.Since.After(now.Add(-long)) }), err
}

// fundsDue lists the orders that wait for money in the books or at the gateway.
func (l *Ledger) fundsDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	waiting, err := l.ordersDue(ctx, QueueFunds, selectState(order.AwaitingFunds), limit)
	if err != nil {
		return nil, err
	}
	short, err := l.ordersDue(ctx, QueueFunds, shortAtTheGateway, limit)
	return slices.SortedStableFunc(slices.Values(append(waiting, short...)), func(a, b Due) int { return a.Since.Compare(b.Since) }), err
}

// dueOrders selects open orders. where is an SQL condition for the order o. since
// is an SQL condition for its audit entries a: the first match gives the time
// since when the order is due.
type dueOrders struct {
	where, since string
	args         []any
}

// query selects columns of the orders of a table, and the column since. The table is
// orders, or a query of some of its rows.
func (d dueOrders) query(columns, table string) string {
	return `SELECT ` + columns + `COALESCE((
			SELECT at FROM audit a
			WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND ` + d.since + `
			ORDER BY seq LIMIT 1
		), CASE WHEN not_before > 0 THEN not_before ELSE created_at END) AS since
		FROM ` + table + ` o WHERE ` + openOrders + ` AND ` + d.where
}

// selectState selects the orders in a state, with the time when they first reached
// it. An unknown order leaves and re-enters its state with each new create.
func selectState(state order.State) dueOrders {
	return dueOrders{"state = ?", "a.after_state = o.state AND a.before_state <> o.state", []any{state}}
}

// shortAtTheGateway selects the orders that the gateway refused because the
// merchant's balance there is too low.
var shortAtTheGateway = dueOrders{
	"state IN ('submitting', 'unknown') AND reason_code = ?", "a.code = o.reason_code AND a.outcome = 'done'", []any{order.CodeGatewayShort},
}

// waitingToBeSent selects unsent orders, with the time when they first became
// ready to be sent; of a scheduled order that is not released, its time, if that has come. It
// omits those that a breaker or a stop holds back.
func waitingToBeSent(now time.Time) dueOrders {
	return dueOrders{
		"state IN ('created', 'scheduled', 'reserved', 'submitting') AND CASE state WHEN 'scheduled' THEN not_before <= ? ELSE " +
			unsentStates + " AND NOT EXISTS (SELECT 1 FROM breakers b WHERE b.merchant = o.merchant)" +
			" AND NOT EXISTS (SELECT 1 FROM stops s WHERE " + stopped + ") END",
		"a.after_state IN ('created', 'reserved') AND a.before_state <> a.after_state", []any{now.UnixMilli()},
	}
}

// unsentStates is the SQL condition for an order o that may be sent and that the
// gateway cannot have received.
const unsentStates = `state IN ('created', 'reserved', 'submitting')
	AND NOT EXISTS (SELECT 1 FROM submissions s WHERE s.order_id = o.id AND NOT s.` + notSent + ")"

// queuedOrder is an order with the time since when it is due, and the proposed
// resolution.
type queuedOrder struct {
	orderRow
	Since            int64  `db:"since"`
	Proposed         string `db:"proposed"`
	ProposedPaid     int64  `db:"proposed_paid"`
	ProposedFee      int64  `db:"proposed_fee"`
	Proposer         string `db:"proposer"`
	ProposedEvidence string `db:"proposed_evidence"`
}

// ordersDue lists open orders, oldest first.
func (l *Ledger) ordersDue(ctx context.Context, kind QueueKind, due dueOrders, limit int) ([]Due, error) {
	var rows []queuedOrder
	err := l.db.List(ctx, &rows, `
		SELECT q.*, COALESCE(p.state, '') AS proposed, COALESCE(p.paid, 0) AS proposed_paid, COALESCE(p.fee, 0) AS proposed_fee,
			COALESCE(p.actor, '') AS proposer, COALESCE(p.evidence, '') AS proposed_evidence
		FROM (`+due.query(orderColumns+", ", "orders")+`) q
		LEFT JOIN proposals p ON p.order_id = q.id
		ORDER BY since, id LIMIT ?`, append(slices.Clone(due.args), limit)...)
	if err != nil {
		return nil, err
	}
	items := make([]Due, len(rows))
	for i, row := range rows {
		if items[i], err = l.private.due(row, kind); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (p private) due(o queuedOrder, kind QueueKind) (Due, error) {
	row, err := p.open(o.orderRow)
	if err != nil {
		return Due{}, err
	}
	parsed, err := row.order()
	if err != nil {
		return Due{}, err
	}
	item := Due{Since: moment(o.Since), Kind: kind, Key: parsed.Key(), Code: o.ReasonCode, Order: &parsed}
	if kind == QueueApproval {
		item.ID = parsed.Fingerprint
	}
	if kind == QueueUnsent {
		item.Code = cmp.Or(item.Code, CodeUnsent)
	}
	if kind == QueueReview && o.Proposed != "" {
		row := proposalRow{State: order.State(o.Proposed), Paid: o.ProposedPaid, Fee: o.ProposedFee, Actor: o.Proposer, Evidence: o.ProposedEvidence}
		texts, err := p.orderTexts(o.Merchant, o.Number, o.DataKey, o.ErasedAt)
		if err != nil {
			return Due{}, err
		}
		proposal, err := row.resolution(o.Currency, texts.orDamaged())
		if err != nil {
			return Due{}, err
		}
		item.Proposal = &proposal
	}
	return item, nil
}

func (l *Ledger) discrepanciesDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	open, err := l.discrepancies(ctx, " WHERE closed_at = 0 ORDER BY at, id LIMIT ?", limit)
	items := make([]Due, len(open))
	for i, d := range open {
		items[i] = Due{Since: d.At, Kind: QueueDiscrepancy, Key: d.Key, ID: strconv.FormatInt(d.ID, 10), Code: d.Code, Discrepancy: &d}
	}
	return items, err
}

func (l *Ledger) breakersDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	breakers, err := l.Breakers(ctx)
	if err != nil {
		return nil, err
	}
	var items []Due
	for _, b := range breakers[:min(limit, len(breakers))] {
		item := Due{Since: b.Since, Kind: QueueBreaker, Key: order.Key{Merchant: b.Merchant}, Code: b.Reason.Code, Breaker: &b}
		err := l.db.Get(ctx, &item.Waiting, "SELECT COUNT(*) FROM orders o WHERE merchant = ? AND "+openOrders+" AND "+unsentStates, b.Merchant)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func (l *Ledger) stopsDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	stops, err := l.Stops(ctx)
	if err != nil {
		return nil, err
	}
	var items []Due
	for _, s := range stops[:min(limit, len(stops))] {
		item := Due{Since: s.At, Kind: QueueStop, Key: order.Key{Merchant: s.Merchant}, ID: strconv.FormatInt(s.ID, 10), Code: codes.WithdrawalsStopped, Stop: &s}
		err := l.db.Get(ctx, &item.Waiting, `
			SELECT COUNT(*) FROM orders o JOIN stops s ON s.id = ? AND `+stopped+" WHERE o."+openOrders+" AND "+unsentStates, s.ID)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// callbacksDue lists the callbacks that cannot be delivered, and those of unknown
// orders. A callback that is both is listed once, as undelivered.
func (l *Ledger) callbacksDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	unmatched, err := l.UnmatchedCallbacks(ctx, limit)
	if err != nil {
		return nil, err
	}
	undelivered, err := l.undelivered(ctx, limit)
	if err != nil {
		return nil, err
	}
	var items []Due
	for _, e := range undelivered {
		items = append(items, callbackDue(e, CodeUndelivered))
	}
	for _, e := range unmatched {
		if !slices.ContainsFunc(items, func(listed Due) bool { return listed.ID == e.ID }) {
			items = append(items, callbackDue(e, CodeUnmatched))
		}
	}
	slices.SortStableFunc(items, func(a, b Due) int { return a.Since.Compare(b.Since) })
	return items[:min(limit, len(items))], nil
}

func callbackDue(e InboxEntry, code string) Due {
	return Due{Since: e.FirstAt, Kind: QueueCallback, Key: e.Key(), ID: e.ID, Code: code, Callback: &e}
}

func (l *Ledger) adjustmentsDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	var open conditions
	open.add("state = 'proposed'")
	records, err := l.adjustments(ctx, open, "proposed_at, id", limit)
	items := make([]Due, len(records))
	for i, a := range records {
		items[i] = Due{
			Since: a.ProposedAt, Kind: QueueAdjustment, Key: order.Key{Merchant: a.Merchant}, ID: a.Ref, Code: CodeAdjustmentProposed, Adjustment: &a,
		}
	}
	return items, err
}

// driftingSince selects the time of the oldest snapshot of the books b since which
// all snapshots drift. It is NULL if the latest one does not drift.
const driftingSince = `(
	SELECT at FROM snapshots WHERE merchant = b.merchant AND currency = b.currency AND id > COALESCE((
		SELECT MAX(id) FROM snapshots WHERE merchant = b.merchant AND currency = b.currency AND verdict <> 'drift'), 0)
	ORDER BY id LIMIT 1)`

func (l *Ledger) driftsDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	var rows []struct {
		Merchant string `db:"merchant"`
		Currency string `db:"currency"`
		Drift    int64  `db:"drift"`
		Since    int64  `db:"since"`
	}
	err := l.db.List(ctx, &rows, `
		SELECT s.merchant, s.currency, s.drift, `+driftingSince+` AS since
		FROM books b JOIN snapshots s ON s.id = (SELECT MAX(id) FROM snapshots WHERE merchant = b.merchant AND currency = b.currency)
		WHERE s.verdict = 'drift' ORDER BY since, s.id LIMIT ?`, limit)
	items := make([]Due, len(rows))
	for i, row := range rows {
		read := amounts{currency: row.Currency}
		items[i] = Due{
			Since: moment(row.Since), Kind: QueueDrift, Key: order.Key{Merchant: row.Merchant}, ID: row.Merchant, Code: CodeDrift,
			Drift: read.of(row.Drift),
		}
	}
	return items, err
}

func (l *Ledger) webhooksDue(ctx context.Context, _ time.Duration, limit int) ([]Due, error) {
	all, err := l.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	var items []Due
	for _, w := range all {
		if w.State != WebhookPaused {
			continue
		}
		counts, err := l.WebhookCounts(ctx, w.ID)
		if err != nil {
			return nil, err
		}
		items = append(items, Due{Since: w.StateAt, Kind: QueueWebhook, ID: w.ID, Code: CodeWebhookPaused, Webhook: &w, Waiting: counts.Pending})
	}
	slices.SortStableFunc(items, func(a, b Due) int { return a.Since.Compare(b.Since) })
	return items[:min(limit, len(items))], nil
}

// Codes of items whose subject has no code. They are stable.
const (
	CodeAdjustmentProposed = "ADJUSTMENT_PROPOSED" // an adjustment waits for a second person
	CodeDrift              = "BALANCE_DRIFT"       // the gateway's balance and the books differ
	CodeUnsent             = "ORDER_UNSENT"        // an order may be sent and was not sent
)

// Codes of callbacks. They are stable.
const (
	CodeUnmatched    = "CALLBACK_UNMATCHED"     // there is no order of its number
	CodeUndelivered  = "CALLBACK_UNDELIVERED"   // it cannot be delivered, or was not delivered for a long time
	CodeNotUnmatched = "CALLBACK_NOT_UNMATCHED" // it cannot be set aside: it can be delivered, or is already handled
)
