package apiclient

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// onBooks returns the use cases of actions that are not on one order. They read and act
// through the api, and sign as without one.
func (c *Client) onBooks(actor payouts.Actor) *payouts.Service {
	return payouts.New(payouts.Parts{
		Now: c.now, Ask: payouts.AskStarter, AskFor: payouts.AskStarterFor,
		Ledger: func(context.Context) (payouts.Ledger, error) { return bookLedger{client: c, actor: actor}, nil },
		Orders: func(context.Context) (payouts.Orders, error) { return bookOrders{client: c, actor: actor}, nil },
	})
}

// bookLedger has what these use cases read. The other methods are not called.
type bookLedger struct {
	payouts.Ledger
	client *Client
	actor  payouts.Actor
}

// Adjustments lists adjustments.
func (l bookLedger) Adjustments(ctx context.Context, filter payouts.AdjustmentFilter) ([]payouts.Adjustment, error) {
	page, err := l.client.Adjustments(ctx, l.actor, filter)
	return page.Adjustments, err
}

// Discrepancies returns the discrepancy of the filter's id.
func (l bookLedger) Discrepancies(ctx context.Context, filter payouts.DiscrepancyFilter) ([]payouts.Discrepancy, error) {
	found, err := l.client.Discrepancy(ctx, l.actor, filter.ID)
	if order.CodeOf(err) == ledger.CodeDiscrepancyNotFound {
		return nil, nil
	}
	return []payouts.Discrepancy{found.Discrepancy}, err
}

// Stops lists the stops in force.
func (l bookLedger) Stops(ctx context.Context) ([]payouts.Stop, error) {
	found, err := get[struct{ Stops []payouts.Stop }](ctx, l.client, l.actor, at("stops"), nil)
	return found.Stops, err
}

// HasMerchant reports whether the api lets the caller act for the merchant.
func (l bookLedger) HasMerchant(ctx context.Context, merchant string) (bool, error) {
	merchants, err := l.client.Merchants(ctx, l.actor)
	return slices.Contains(merchants.Numbers(), merchant), err
}

// bookOrders sends actions to the api. The other methods are not called.
type bookOrders struct {
	payouts.Orders
	client *Client
	actor  payouts.Actor
}

// ActOnBooks does the action, and reads what it is about.
func (o bookOrders) ActOnBooks(ctx context.Context, action order.BookAction, record any) error {
	done, err := post[struct{ Record json.RawMessage }](ctx, o.client, o.actor, at("book-actions"), action)
	if err != nil {
		return err
	}
	return json.Unmarshal(done.Record, record)
}

// Adjustments lists adjustments, the newest first.
func (c *Client) Adjustments(ctx context.Context, actor payouts.Actor, filter payouts.AdjustmentFilter) (payouts.AdjustmentPage, error) {
	query := merchantQuery(filter.Merchant)
	query.Set("limit", strconv.Itoa(min(max(filter.Limit, 1), mostRows)))
	if filter.Ref != "" {
		query.Set("ref", filter.Ref)
	}
	if filter.Open {
		query.Set("open", "true")
	}
	return get[payouts.AdjustmentPage](ctx, c, actor, at("adjustments"), query)
}

// ProposeAdjustment proposes to book money that moved.
func (c *Client) ProposeAdjustment(ctx context.Context, actor payouts.Actor, p payouts.Proposal) (payouts.Adjustment, error) {
	return c.onBooks(actor).ProposeAdjustment(ctx, actor, p)
}

// ConfirmAdjustment books what another person has proposed.
func (c *Client) ConfirmAdjustment(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Adjustment, error) {
	return c.onBooks(actor).ConfirmAdjustment(ctx, actor, key)
}

// RejectAdjustment ends an adjustment without booking it.
func (c *Client) RejectAdjustment(ctx context.Context, actor payouts.Actor, key order.Key, why string) (payouts.Adjustment, error) {
	return c.onBooks(actor).RejectAdjustment(ctx, actor, key, why)
}

// BookDiscrepancy books a fee that differs, by two persons.
func (c *Client) BookDiscrepancy(ctx context.Context, actor payouts.Actor, id int64, why, evidence string) (payouts.Adjustment, error) {
	return c.onBooks(actor).BookDiscrepancy(ctx, actor, id, why, evidence)
}

// Stop stops the withdrawals of a merchant, of a country or of everybody.
func (c *Client) Stop(ctx context.Context, actor payouts.Actor, scope order.StopScope, why string) (payouts.Stop, error) {
	return c.onBooks(actor).Stop(ctx, actor, scope, why)
}

// Resume ends the stop of the scope, by two persons.
func (c *Client) Resume(ctx context.Context, actor payouts.Actor, scope order.StopScope, why string) (payouts.Stop, error) {
	return c.onBooks(actor).Resume(ctx, actor, scope, why)
}

// SetCallbackAside removes a callback that cannot be processed from the queue.
func (c *Client) SetCallbackAside(ctx context.Context, actor payouts.Actor, id, why string) (payouts.Callback, error) {
	return c.onBooks(actor).SetCallbackAside(ctx, actor, id, why)
}

// Erase destroys the keys of an order's personal data.
func (c *Client) Erase(ctx context.Context, actor payouts.Actor, key order.Key, why string) (payouts.Erased, error) {
	return c.onBooks(actor).Erase(ctx, actor, key, why)
}

// CloseDay closes a day with the figures that the actor has seen.
func (c *Client) CloseDay(ctx context.Context, actor payouts.Actor, closing payouts.Closing) (payouts.DayReport, error) {
	found, err := c.DayReports(ctx, actor, payouts.DayQuery{Day: closing.Day, Merchants: []string{closing.Merchant}, Currency: closing.Currency})
	if err != nil {
		return payouts.DayReport{}, err
	}
	if len(found.Days) != 1 {
		return payouts.DayReport{}, c.foreign("it has no report of the one day that was asked for")
	}
	return c.onBooks(actor).CloseSeenDay(ctx, actor, closing, found.Days[0])
}
