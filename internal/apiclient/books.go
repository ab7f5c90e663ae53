package apiclient

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/contract"
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

// DayReports returns the day of each merchant. None means all that the caller acts for.
func (c *Client) DayReports(ctx context.Context, actor payouts.Actor, query payouts.DayQuery) (payouts.DayReports, error) {
	asked := url.Values{"day": {string(query.Day)}}
	for _, merchant := range query.Merchants {
		asked.Add("merchant", merchant)
	}
	if query.Currency != "" {
		asked.Set("currency", query.Currency)
	}
	if query.SoFar {
		asked.Set("so_far", "true")
	}
	return get[payouts.DayReports](ctx, c, actor, at("reports", "day"), asked)
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

// How often ReconcileTransactions asks.
const (
	comparisonPause    = 250 * time.Millisecond
	comparisonMaxPause = 5 * time.Second
)

// ReconcileTransactions compares the transactions of merchants, all at the same time, and
// waits for the report. No merchant means all that the caller acts for. The error is
// NO_ANSWER_YET when the patience is over. The comparisons then go on.
func (c *Client) ReconcileTransactions(
	ctx context.Context, actor payouts.Actor, input payouts.TransactionSpan, patience time.Duration,
) (payouts.TransactionReport, error) {
	until := time.Now().Add(patience)
	whole := payouts.NewTransactionReport(nil)
	merchants := input.Merchants
	if len(merchants) == 0 {
		all, err := c.Merchants(ctx, actor)
		if err != nil {
			return whole, err
		}
		merchants = all.Numbers()
	}
	var runs []payouts.TransactionsRun
	for _, merchant := range slices.Compact(slices.Sorted(slices.Values(merchants))) {
		run, err := post[payouts.TransactionsRun](ctx, c, actor, at("transaction-reconciliations"), struct {
			Merchant string    `json:"merchant"`
			From     time.Time `json:"from,omitzero"`
			To       time.Time `json:"to,omitzero"`
		}{merchant, input.From, input.To})
		if err != nil {
			return whole, err
		}
		runs = append(runs, run)
	}
	var compared []contract.MerchantTransactions
	for _, run := range runs {
		report, err := c.awaitComparison(ctx, actor, run, until)
		if err != nil {
			return whole, err
		}
		compared = append(compared, report.Merchants...)
	}
	return payouts.NewTransactionReport(compared), nil
}

// awaitComparison asks for a comparison until it has ended.
func (c *Client) awaitComparison(ctx context.Context, actor payouts.Actor, run payouts.TransactionsRun, until time.Time) (payouts.TransactionReport, error) {
	for pause := comparisonPause; run.State == payouts.RunUnderWay; pause = min(2*pause, comparisonMaxPause) {
		left := time.Until(until)
		if left <= 0 {
			return payouts.TransactionReport{}, payouts.StillComparing()
		}
		select {
		case <-ctx.Done():
			return payouts.TransactionReport{}, ctx.Err()
		case <-time.After(min(pause, left)):
		}
		var err error
		if run, err = get[payouts.TransactionsRun](ctx, c, actor, at("transaction-reconciliations", run.Merchant, run.ID), nil); err != nil {
			return payouts.TransactionReport{}, err
		}
	}
	if run.Report == nil {
		return payouts.TransactionReport{}, fmt.Errorf("the comparison of merchant %s has ended without a report; look at it in Temporal: %s", run.Merchant, run.ID)
	}
	return *run.Report, nil
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

// Discrepancy returns a discrepancy with what was done about it and what to do next.
func (c *Client) Discrepancy(ctx context.Context, actor payouts.Actor, id int64) (payouts.DiscrepancyStory, error) {
	return get[payouts.DiscrepancyStory](ctx, c, actor, at("discrepancies", strconv.FormatInt(id, 10)), nil)
}

// WorkDiscrepancy records a step of the work on an open discrepancy.
func (c *Client) WorkDiscrepancy(ctx context.Context, actor payouts.Actor, work order.DiscrepancyWork, reason string) (payouts.Discrepancy, error) {
	return post[payouts.Discrepancy](ctx, c, actor, at("discrepancies", strconv.FormatInt(work.Discrepancy, 10), "steps"), struct {
		Step order.DiscrepancyStep `json:"step"`
		To   string                `json:"to,omitempty"`
		Days int                   `json:"days,omitempty"`
		why
	}{work.Step, work.To, work.Days, why{reason}})
}

// CloseDiscrepancy closes a discrepancy that a person has dealt with.
func (c *Client) CloseDiscrepancy(ctx context.Context, actor payouts.Actor, id int64, reason string) (payouts.Discrepancy, error) {
	if actor.Signing == nil {
		return post[payouts.Discrepancy](ctx, c, actor, at("discrepancies", strconv.FormatInt(id, 10), "close"), why{reason})
	}
	return c.onBooks(actor).CloseDiscrepancy(ctx, actor, id, reason)
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
