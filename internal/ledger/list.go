package ledger

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// MaxPage is the most rows that a listing returns at once.
const MaxPage = 1000

const defaultPage = 100

// Filter picks orders. The zero value picks all.
type Filter struct {
	Kind        order.Kind
	Merchant    string
	Merchants   []string // any of them; none: all
	Country     string
	States      []order.State // any of them
	Open        bool          // not ended
	NeedsReview bool          // order.Standing.NeedsPerson holds
	Since       time.Time     // created at this time or later
	Until       time.Time     // created before this time
	EndedSince  time.Time     // ended, and last changed at this time or later
	EndedUntil  time.Time     // ended, and last changed before this time
	Currency    string
	AmountMin   money.Amount      // at least so much; zero: any
	AmountMax   money.Amount      // at most so much; zero: any
	Metadata    map[string]string // each of these keys has its value
	Batch       string            // started by this batch
	OldestFirst bool
	After       order.Key // the last order of the previous page
	Limit       int       // at most MaxPage; 0: 100
}

// Orders lists orders, newest first unless the filter says otherwise. ErrNotFound when
// After names no order. A *vault.Fault if orders are selected by metadata, and this process
// lacks a data key.
//
// Metadata is found by an index. The amount and the time of the end are compared with
// every order that the other members select.
func (l *Ledger) Orders(ctx context.Context, filter Filter) ([]order.Order, error) {
	after, direction := "<", " DESC"
	if filter.OldestFirst {
		after, direction = ">", ""
	}
	var where conditions
	where.equal("kind", string(filter.Kind))
	where.equal("merchant", filter.Merchant)
	where.equal("country", filter.Country)
	where.among("state", texts(filter.States))
	where.among("merchant", filter.Merchants)
	if filter.Open {
		where.add(openOrders)
	}
	if filter.NeedsReview {
		where.add(openOrders) // for the index: all that need a person are open
		where.add(needsPerson)
	}
	if !filter.Since.IsZero() {
		where.add("created_at >= ?", filter.Since.UnixMilli())
	}
	if !filter.Until.IsZero() {
		where.add("created_at < ?", filter.Until.UnixMilli())
	}
	where.equal("currency", filter.Currency)
	where.amounts(filter.AmountMin, filter.AmountMax)
	if !filter.EndedSince.IsZero() {
		where.add("ended_at > 0 AND ended_at >= ?", filter.EndedSince.UnixMilli())
	}
	if !filter.EndedUntil.IsZero() {
		where.add("ended_at > 0 AND ended_at < ?", filter.EndedUntil.UnixMilli())
	}
	if filter.Batch != "" {
		where.add("(merchant, number) IN (SELECT r.merchant, r.number FROM batch_rows r WHERE r.batch = ? AND r.outcome IN ('begun', 'started', 'ended'))", filter.Batch)
	}
	if err := l.withMetadata(ctx, &where, filter); err != nil {
		return nil, fmt.Errorf("ledger: list orders by metadata: %w", err)
	}
	if filter.After != (order.Key{}) {
		var last orderRow
		err := l.db.Get(ctx, &last, "SELECT id, created_at FROM orders WHERE merchant = ? AND number = ?", filter.After.Merchant, filter.After.Number)
		if err != nil {
			return nil, fmt.Errorf("ledger: list orders: %w", missing(err, "order %s", filter.After))
		}
		where.add("(created_at, id) "+after+" (?, ?)", last.CreatedAt, last.ID)
	}
	var rows []orderRow
	err := l.db.List(ctx, &rows, "SELECT "+orderColumns+" FROM orders"+where.sql()+
		" ORDER BY created_at"+direction+", id"+direction+" LIMIT ?", append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list orders: %w", err)
	}
	orders := make([]order.Order, len(rows))
	for i, row := range rows {
		if orders[i], err = l.private.order(row); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// OpenOrders iterates over all open orders that are older than age. It reads them
// page by page. Each order is yielded once; an order that ends meanwhile may be
// left out. The iteration stops after an error.
func (l *Ledger) OpenOrders(ctx context.Context, age time.Duration) iter.Seq2[order.Order, error] {
	return func(yield func(order.Order, error) bool) {
		now, err := l.Now(ctx)
		if err != nil {
			yield(order.Order{}, err)
			return
		}
		before := now.Add(-age)
		var last orderRow
		for {
			var page []orderRow
			err := l.db.List(ctx, &page, "SELECT "+orderColumns+" FROM orders WHERE "+openOrders+` AND created_at < ?
				AND (merchant, currency, created_at, id) > (?, ?, ?, ?) ORDER BY merchant, currency, created_at, id LIMIT ?`,
				before.UnixMilli(), last.Merchant, last.Currency, last.CreatedAt, last.ID, openPage)
			if err != nil {
				yield(order.Order{}, fmt.Errorf("ledger: list open orders: %w", err))
				return
			}
			for _, row := range page {
				o, err := l.private.order(row)
				if !yield(o, err) || err != nil {
					return
				}
				last = row
			}
			if len(page) < openPage {
				return
			}
		}
	}
}

// openPage is the number of open orders per page.
const openPage = 200

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, MaxPage)
}

// openOrders is the SQL condition for open orders. Its text must equal the
// condition of the index orders_open: only then do both engines use the index.
const openOrders = "ended_at = 0"

// needsPerson is the SQL condition for orders for which order.Standing.NeedsPerson
// holds.
var needsPerson = "(state IN ('" + strings.Join(texts(append(statesThat(rules.NeedsReview), order.AwaitingFunds)), "', '") + "')" +
	" OR state IN ('" + strings.Join(texts(statesThat(rules.Sendable)), "', '") + "') AND reason_code = '" + order.CodeGatewayPaused + "'" +
	" OR state = '" + string(order.Submitting) + "' AND reason_code = '" + order.CodeGatewayShort + "')"

// holdingStates is the SQL condition for withdrawals whose amount is in in_flight:
// reserved and not ended.
const holdingStates = "kind = 'withdrawal' AND state IN ('reserved', 'submitting', 'unknown', 'submitted', 'in_review')"

func statesThat(are func(order.State) bool) []order.State {
	var found []order.State
	for _, state := range order.States() {
		if are(state) {
			found = append(found, state)
		}
	}
	return found
}

func texts[T ~string](values []T) []string {
	plain := make([]string, len(values))
	for i, value := range values {
		plain[i] = string(value)
	}
	return plain
}

// conditions builds a WHERE clause. All values are bound parameters.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// amounts adds the bounds of the amount, with their currency. The zero Amount is no bound.
func (c *conditions) amounts(least, most money.Amount) {
	if least != (money.Amount{}) {
		c.add("currency = ? AND amount >= ?", least.Currency(), least.Minor())
	}
	if most != (money.Amount{}) {
		c.add("currency = ? AND amount <= ?", most.Currency(), most.Minor())
	}
}

// among adds that a column has one of the values; without values it adds nothing.
func (c *conditions) among(column string, values []string) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, value := range values {
		args[i] = value
	}
	c.add(column+" IN ("+placeholders(len(values))+")", args...)
}

// placeholders returns so many question marks; at least one.
func placeholders(count int) string { return "?" + strings.Repeat(", ?", count-1) }

func (c *conditions) sql() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}
