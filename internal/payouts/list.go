package payouts

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Filter selects orders of a listing. Limit is that of client.Filter.
type Filter struct {
	client.Filter
	// Ledger selects by what only the ledger has: times, amounts, metadata, the batch.
	Ledger OrderFilter
}

// Orders returns the filter for the ledger alone.
func (f Filter) Orders() OrderFilter {
	wanted := f.Ledger
	wanted.Kind, wanted.Merchant, wanted.Country = f.Kind, f.Merchant, f.Country
	wanted.Open, wanted.NeedsReview, wanted.Limit = f.Open, f.NeedsReview, f.Limit
	if f.State != "" {
		wanted.States = []order.State{f.State}
	}
	return wanted
}

// ledgerOnly reports whether Temporal cannot select the orders.
func (f Filter) ledgerOnly() bool { return !reflect.ValueOf(f.Ledger).IsZero() }

// Listed is an order of a list, and why no workflow drives it.
type Listed struct {
	client.Row
	Problem string `json:"problem,omitempty"` // a code
}

// List is a page of orders, the newest first.
type List struct {
	Orders  []Listed      `json:"orders"`
	More    bool          `json:"more"` // there are more than the limit
	Source  Source        `json:"source"`
	Problem *order.Reason `json:"problem,omitempty"` // the other source is unavailable
}

// MaxRows is the largest page of orders.
const MaxRows = client.MaxRows - 1

// List lists orders, the newest first: the ledger's orders with their workflows'
// status, and orders that only Temporal has. Without a ledger it returns
// Temporal's list. Orders that are selected by what only the ledger has are the ledger's
// only, and the error without a ledger is the ledger's.
func (s *Service) List(ctx context.Context, _ Actor, filter Filter) (List, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	limit := filter.Limit
	filter.Limit++ // one more row shows whether there are more
	list, err := s.list(ctx, filter)
	if err != nil {
		return List{}, err
	}
	list.More = len(list.Orders) > limit
	list.Orders = append([]Listed{}, list.Orders[:min(len(list.Orders), limit)]...)
	return list, nil
}

func (s *Service) list(ctx context.Context, filter Filter) (List, error) {
	l, noLedger := s.parts.Ledger(ctx)
	orders, noTemporal := s.parts.Orders(ctx)
	switch {
	case noLedger != nil && filter.ledgerOnly():
		return List{}, noLedger
	case noTemporal != nil && noLedger != nil:
		return List{}, noTemporal
	case noLedger != nil:
		rows, err := orders.List(ctx, filter.Filter)
		list := List{Orders: listedAlone(rows), Source: FromList}
		if order.CodeOf(noLedger) != CodeNoLedger {
			list.Problem = oneSided("the ledger, which decides,", "Temporal", noLedger)
		}
		return list, err
	}
	rows, err := l.Orders(ctx, filter.Orders())
	if err != nil {
		return List{}, err
	}
	if noTemporal != nil {
		refused, err := s.refusedRows(ctx, l, filter)
		found := newestFirst(append(listedRows(rows), refused...), filter.Limit)
		return List{Orders: found, Source: FromLedger, Problem: oneSided("Temporal, which may have more orders,", "the ledger", noTemporal)}, err
	}
	found, err := s.listBoth(ctx, l, orders, filter, rows)
	if err == nil && len(found) == 0 {
		err = s.checkMerchant(ctx, l, filter.Merchant)
	}
	return List{Orders: found, Source: FromLedger}, err
}

// oneSided returns the problem of a list that has one source, because the other is
// unavailable.
func oneSided(what, instead string, err error) *order.Reason {
	away := Explain(err)
	return &order.Reason{Code: away.Code, Text: what + " cannot be asked; this is what " + instead + " says: " + away.Message}
}

// listedAlone returns Temporal's list without the ledger.
func listedAlone(rows []client.Row) []Listed {
	found := make([]Listed, len(rows))
	for i, row := range rows {
		found[i] = Listed{Row: row}
		switch {
		case row.Squatted != "":
			found[i].Problem = order.CodeNumberSquatted
		case !row.Open && row.Status != statusCompleted:
			found[i].Problem = codes.DiscrepancyOrphan
		}
	}
	return found
}

// listedRows returns the ledger's list without Temporal.
func listedRows(rows []order.Order) []Listed {
	found := make([]Listed, len(rows))
	for i, row := range rows {
		found[i] = Listed{Row: client.Row{
			Kind: row.Kind, Merchant: row.Merchant, Number: row.Number, Country: row.Country, Amount: row.Amount, State: row.State,
			NeedsReview: rules.NeedsPerson(row.Standing), GatewayID: row.GatewayID, Open: !row.State.Terminal(),
			WorkflowID: contract.WorkflowID(row.Key()), StartedAt: row.CreatedAt,
		}}
	}
	return found
}

// listBoth returns the ledger's orders with their workflows' status, and orders
// that only Temporal has.
func (s *Service) listBoth(ctx context.Context, l Ledger, orders Orders, filter Filter, rows []order.Order) ([]Listed, error) {
	found := listedRows(rows)
	ids, known := make([]string, len(rows)), make(map[order.Key]bool, len(rows))
	for i, row := range rows {
		ids[i], known[row.Key()] = contract.WorkflowID(row.Key()), true
	}
	latest, err := orders.Latest(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if err := addWorkflow(ctx, orders, latest, &found[i]); err != nil {
			return nil, err
		}
		if found[i].Problem == "" {
			continue
		}
		now, err := l.Order(ctx, found[i].Key()) // it may have ended meanwhile, and its workflow after it
		if err != nil {
			return nil, err
		}
		if now.State.Terminal() {
			found[i].State, found[i].Open, found[i].NeedsReview, found[i].Problem = now.State, false, false, ""
		}
	}
	if filter.ledgerOnly() {
		return found, nil
	}
	beyond, err := orders.List(ctx, filter.Filter)
	if err != nil {
		return nil, err
	}
	for _, row := range listedAlone(beyond) {
		if known[row.Key()] {
			continue
		}
		_, err := l.Order(ctx, row.Key())
		if err == nil {
			continue // the ledger has it, but outside the filter or the limit
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return nil, err
		}
		young := row.Open && s.parts.Now().Sub(row.StartedAt) < notWritten
		if row.Problem != order.CodeNumberSquatted && !young && row.State != order.Rejected {
			row.Problem = codes.DiscrepancyNotInLedger
		}
		found = append(found, row)
	}
	return newestFirst(found, filter.Limit), nil
}

func newestFirst(found []Listed, limit int) []Listed {
	slices.SortStableFunc(found, func(a, b Listed) int { return b.StartedAt.Compare(a.StartedAt) })
	return found[:min(len(found), limit)]
}

// refusedRows returns orders that were rejected before they were recorded, such as those
// of a merchant that no worker has. The ledger's audit has their merchant, number and
// time only.
func (s *Service) refusedRows(ctx context.Context, l Ledger, filter Filter) ([]Listed, error) {
	if filter.ledgerOnly() || filter.Open || filter.NeedsReview || filter.Kind != "" || filter.Country != "" || filter.State != "" && filter.State != order.Rejected {
		return nil, nil
	}
	starts, err := l.RefusedStarts(ctx, "")
	if err != nil {
		return nil, err
	}
	listed := make(map[order.Key]bool)
	var found []Listed
	for _, start := range starts {
		key, ok := contract.ParseWorkflowID(start.WorkflowID)
		if !ok || listed[key] || filter.Merchant != "" && key.Merchant != filter.Merchant {
			continue
		}
		listed[key] = true
		switch _, err := l.Order(ctx, key); {
		case err == nil: // it was started again since
		case errors.Is(err, ledger.ErrNotFound):
			found = append(found, Listed{Row: client.Row{
				Merchant: key.Merchant, Number: key.Number, State: order.Rejected, WorkflowID: start.WorkflowID, StartedAt: start.At,
			}})
		default:
			return nil, err
		}
	}
	return found, nil
}

// addWorkflow adds the status of an order's workflow. Temporal's list lags, so
// addWorkflow reads the workflow itself before it reports that no workflow drives
// an open order.
func addWorkflow(ctx context.Context, orders Orders, latest map[string]client.Row, o *Listed) error {
	there, listed := latest[o.WorkflowID]
	if o.Open && (!listed || !there.Open || there.Squatted != "") {
		var err error
		if there, err = orders.Find(ctx, o.Key()); err != nil && order.CodeOf(err) != order.CodeOrderNotFound {
			return err
		}
	}
	o.Status, o.RunID, o.EndedAt, o.Squatted = there.Status, there.RunID, there.EndedAt, there.Squatted
	switch {
	case !o.Open:
	case there.Squatted != "":
		o.Problem = order.CodeNumberSquatted
	case !there.Open:
		o.Problem = codes.DiscrepancyOrphan
	}
	return nil
}
