package apiclient

import (
	"context"
	"errors"
	"net/url"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// PickOrders returns orders to decide about all at once.
func (c *Client) PickOrders(ctx context.Context, actor payouts.Actor, keys []order.Key) (payouts.OrderList, error) {
	return payouts.PickEach(keys, func(key order.Key) (order.View, error) {
		found, err := c.Status(ctx, actor, key)
		return found.Order, err
	})
}

// PickWaiting is PickOrders for all orders that wait for an approval, of a merchant or of
// all.
func (c *Client) PickWaiting(ctx context.Context, actor payouts.Actor, merchant string) (payouts.OrderList, error) {
	views, err := c.views(ctx, actor, url.Values{"merchant": {merchant}, "state": {string(order.AwaitingApproval)}})
	if err != nil {
		return payouts.OrderList{}, err
	}
	return payouts.NewOrderList(views)
}

// PickBatch is PickOrders for the orders of a batch that have one of the states.
func (c *Client) PickBatch(ctx context.Context, actor payouts.Actor, id string, states ...payouts.RowState) (payouts.OrderList, error) {
	views, err := c.batchViews(ctx, actor, id, states)
	if err != nil {
		return payouts.OrderList{}, err
	}
	return payouts.NewOrderList(views)
}

// PickUnsent is PickBatch for the orders that were not sent. found is false if there is
// none.
func (c *Client) PickUnsent(ctx context.Context, actor payouts.Actor, id string) (list payouts.OrderList, found bool, err error) {
	views, err := c.batchViews(ctx, actor, id, payouts.Unsent)
	if err != nil || len(views) == 0 {
		return payouts.OrderList{}, false, err
	}
	list, err = payouts.NewOrderList(views)
	return list, true, err
}

func (c *Client) batchViews(ctx context.Context, actor payouts.Actor, id string, states []payouts.RowState) ([]order.View, error) {
	if _, err := c.Batch(ctx, actor, id); err != nil {
		return nil, err
	}
	query := url.Values{"batch": {id}}
	for _, state := range states {
		query.Add("state", string(state))
	}
	return c.views(ctx, actor, query)
}

// views reads all orders of a listing, and at most one more than a list may have.
func (c *Client) views(ctx context.Context, actor payouts.Actor, query url.Values) (views []order.View, err error) {
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(name)
		}
	}
	_, err = pages(envelope.MaxItems+1, query, func(query url.Values) (int, string, error) {
		page, err := c.orders(ctx, actor, query)
		for _, row := range page.Orders {
			views = append(views, row.View)
		}
		return len(page.Orders), page.Next, err
	})
	return views, err
}

// ActOnList makes one decision about the orders of a list, with one signature if the actor
// signs.
func (c *Client) ActOnList(
	ctx context.Context, actor payouts.Actor, list payouts.OrderList, a payouts.ListAction, told func(payouts.ListOutcome),
) (payouts.ListReport, error) {
	return payouts.DecideList(ctx, listDoor{c, actor}, actor, list, a, c.now(), told)
}

// ActSignedOnList is ActOnList with a decision that was signed elsewhere.
func (c *Client) ActSignedOnList(
	ctx context.Context, list payouts.OrderList, signed envelope.Signed, told func(payouts.ListOutcome),
) (payouts.ListReport, error) {
	return payouts.DecideSignedList(ctx, listDoor{c, payouts.Actor{Name: signed.Envelope.By}}, list, signed, told)
}

// listDoor sends the actions of a decision to the api, one by one.
type listDoor struct {
	client *Client
	actor  payouts.Actor
}

// ActOn does the action on an order, and returns its state afterwards.
func (d listDoor) ActOn(ctx context.Context, key order.Key, action order.Action) (order.State, error) {
	path := at("orders", key.Merchant, key.Number, action.Name())
	var body any
	switch action := action.(type) {
	case order.Signed:
		path, body = at("signed-actions"), action
	case order.Approval:
		body = approval{action.Fingerprint, action.Why}
	case order.Rejection:
		body = why{action.Why}
	case order.Cancellation:
		body = why{action.Why}
	default:
		return "", errors.New("no decision over a list is " + action.Name())
	}
	done, err := post[payouts.Order](ctx, d.client, d.actor, path, body)
	return done.Order.State, err
}

// HasDone reports whether the audit of an order has the action of the person.
func (d listDoor) HasDone(ctx context.Context, key order.Key, by, name string) bool {
	entries, err := d.client.Audit(ctx, d.actor, key)
	return err == nil && payouts.HasActed(entries, by, name)
}
