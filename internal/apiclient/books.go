package apiclient

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// ActSigned does an action on an order that was signed elsewhere.
func (c *Client) ActSigned(ctx context.Context, signed envelope.Signed) (payouts.Order, error) {
	return post[payouts.Order](ctx, c, payouts.Actor{Name: signed.Envelope.By}, at("signed-actions"), signed)
}

// Balances returns the accounts of merchants. None means all that the caller acts for.
func (c *Client) Balances(ctx context.Context, actor payouts.Actor, merchants []string) (balances []payouts.Balance, unopened []string, err error) {
	if len(merchants) == 0 {
		merchants = []string{""}
	}
	balances = []payouts.Balance{}
	for _, merchant := range merchants {
		found, err := get[struct {
			Balances []payouts.Balance
			Unopened []string
		}](ctx, c, actor, at("balances"), merchantQuery(merchant))
		if err != nil {
			return nil, nil, err
		}
		balances, unopened = append(balances, found.Balances...), append(unopened, found.Unopened...)
	}
	return balances, unopened, nil
}

// merchantQuery selects a merchant, or all.
func merchantQuery(merchant string) url.Values {
	query := url.Values{}
	if merchant != "" {
		query.Set("merchant", merchant)
	}
	return query
}

// ReconcileBalances compares the balances of merchants with the gateway's, one after the
// other. None means all that the caller acts for.
func (c *Client) ReconcileBalances(ctx context.Context, actor payouts.Actor, merchants []string, patience time.Duration) (payouts.BalanceReport, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	report := payouts.BalanceReport{Snapshots: []order.Snapshot{}, Drifting: []string{}, Unreachable: []string{}}
	if len(merchants) == 0 {
		all, err := c.Merchants(ctx, actor)
		if err != nil {
			return report, err
		}
		merchants = all.Numbers()
	}
	for _, merchant := range merchants {
		one, err := post[payouts.BalanceReport](ctx, c, actor, at("reconciliations"), struct {
			Merchant string `json:"merchant"`
		}{merchant})
		if err != nil {
			return report, err
		}
		report.Snapshots = append(report.Snapshots, one.Snapshots...)
		report.Drifting = append(report.Drifting, one.Drifting...)
		report.Unreachable = append(report.Unreachable, one.Unreachable...)
		for merchant, why := range one.Problems {
			if report.Problems == nil {
				report.Problems = make(map[string]string)
			}
			report.Problems[merchant] = why
		}
	}
	return report, nil
}

// Discrepancies lists differences between the ledger and the gateway, the newest first.
func (c *Client) Discrepancies(ctx context.Context, actor payouts.Actor, filter payouts.DiscrepancyFilter) (payouts.DiscrepancyPage, error) {
	query := merchantQuery(filter.Merchant)
	for name, value := range map[string]string{"number": filter.Number, "code": filter.Code} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if filter.Open {
		query.Set("open", "true")
	}
	list := payouts.DiscrepancyPage{Discrepancies: []payouts.Discrepancy{}}
	more, err := pages(filter.Limit, query, func(query url.Values) (int, string, error) {
		page, err := get[struct {
			Discrepancies []payouts.Discrepancy
			Next          string
		}](ctx, c, actor, at("discrepancies"), query)
		list.Discrepancies = append(list.Discrepancies, page.Discrepancies...)
		return len(page.Discrepancies), page.Next, err
	})
	list.More = more
	return list, err
}

// CloseDiscrepancy closes a discrepancy that a person has dealt with.
func (c *Client) CloseDiscrepancy(ctx context.Context, actor payouts.Actor, id int64, reason string) (payouts.Discrepancy, error) {
	return post[payouts.Discrepancy](ctx, c, actor, at("discrepancies", strconv.FormatInt(id, 10), "close"), why{reason})
}

// Queue lists what needs a person, oldest first.
func (c *Client) Queue(ctx context.Context, actor payouts.Actor, limit int) (payouts.QueuePage, error) {
	return get[payouts.QueuePage](ctx, c, actor, at("queue"), url.Values{"limit": {strconv.Itoa(min(limit, mostRows))}})
}

// LastEventPlace returns the place after the newest event.
func (c *Client) LastEventPlace(ctx context.Context, actor payouts.Actor) (payouts.EventPlace, error) {
	page, err := c.events(ctx, actor, url.Values{"from": {"now"}, "limit": {"1"}})
	return page.Next, err
}

// Events lists events after a place, the oldest first. If there are none, it waits for them
// for that long.
func (c *Client) Events(ctx context.Context, actor payouts.Actor, filter payouts.EventFilter, patience time.Duration) (payouts.EventPage, error) {
	query := url.Values{"limit": {strconv.Itoa(min(filter.Limit, mostRows))}}
	for _, merchant := range filter.Merchants {
		query.Add("merchant", merchant)
	}
	for _, kind := range filter.Types {
		query.Add("type", kind)
	}
	switch {
	case filter.After != (payouts.EventPlace{}):
		query.Set("cursor", filter.After.String())
	case !filter.Since.IsZero():
		query.Set("from", filter.Since.Format(time.RFC3339))
	}
	if patience > 0 {
		query.Set("wait", min(patience, longPoll).String())
	}
	return c.events(ctx, actor, query)
}

func (c *Client) events(ctx context.Context, actor payouts.Actor, query url.Values) (payouts.EventPage, error) {
	found, err := get[struct {
		Events  []payouts.Event
		Cursors []string
		Next    string
		More    bool
	}](ctx, c, actor, at("events"), query)
	if err != nil {
		return payouts.EventPage{}, err
	}
	page := payouts.EventPage{Events: found.Events, More: found.More}
	var is bool
	if page.Next, is = payouts.ReadEventPlace(found.Next); !is || len(found.Cursors) != len(found.Events) {
		return page, c.foreign("its list of events has no cursors")
	}
	for i, cursor := range found.Cursors {
		place, is := payouts.ReadEventPlace(cursor)
		if !is {
			return page, c.foreign("its list of events has no cursors")
		}
		page.Events[i].Position = place.Position
	}
	return page, nil
}
