package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// unasked says that a list is of one source, because the other cannot be asked.
type unasked struct {
	what, instead string
	err           error
}

func (u *unasked) Error() string {
	return u.what + " cannot be asked; this is what " + u.instead + " says: " + explain(u.err).Message
}

// listed reads the list that fits a filter: the ledger's orders, with what
// Temporal says of their workflows, and those that only Temporal has. The error
// may be an *unasked, and the list is there all the same.
func (s *starter) listed(ctx context.Context, filter client.Filter) ([]listedOrder, source, error) {
	l, hangUpLedger, noLedger := s.ledger(ctx)
	temporal, hangUp, noTemporal := s.temporal(ctx)
	if noLedger == nil {
		defer hangUpLedger()
	}
	if noTemporal == nil {
		defer hangUp()
	}
	switch {
	case noTemporal != nil && noLedger != nil:
		return nil, "", noTemporal
	case noLedger != nil:
		rows, err := temporal.List(ctx, filter)
		if err == nil && !errors.Is(noLedger, errNoLedger) {
			err = &unasked{"the ledger, which decides,", "Temporal", noLedger}
		}
		return listedAlone(rows), sourceList, err
	}
	rows, err := l.Orders(ctx, ledgerFilter(filter))
	if err != nil {
		return nil, "", err
	}
	if noTemporal != nil {
		return listedRows(rows), sourceLedger, &unasked{"Temporal", "the ledger", noTemporal}
	}
	found, err := listedBoth(ctx, l, temporal, filter, rows, s.now)
	return found, sourceLedger, err
}

func ledgerFilter(filter client.Filter) ledger.Filter {
	wanted := ledger.Filter{
		Kind: filter.Kind, Merchant: filter.Merchant, Country: filter.Country,
		Open: filter.Open, NeedsReview: filter.NeedsReview, Limit: filter.Limit,
	}
	if filter.State != "" {
		wanted.States = []order.State{filter.State}
	}
	return wanted
}

// listedAlone is Temporal's list without a ledger.
func listedAlone(rows []client.Row) []listedOrder {
	found := make([]listedOrder, len(rows))
	for i, row := range rows {
		found[i] = listedOrder{Row: row}
		switch {
		case row.Squatted != "":
			found[i].Problem = order.CodeNumberSquatted
		case !row.Open && row.Status != statusCompleted:
			found[i].Problem = order.DiscrepancyOrphan
		}
	}
	return found
}

// listedRows is the ledger's list without Temporal.
func listedRows(rows []order.Order) []listedOrder {
	found := make([]listedOrder, len(rows))
	for i, row := range rows {
		found[i] = listedOrder{Row: client.Row{
			Kind: row.Kind, Merchant: row.Merchant, Number: row.Number, Country: row.Country, Amount: row.Amount, State: row.State,
			NeedsReview: row.NeedsPerson(), GatewayID: row.GatewayID, Open: !row.State.Terminal(),
			WorkflowID: contract.WorkflowID(row.Key()), StartedAt: row.CreatedAt,
		}}
	}
	return found
}

// listedBoth is the ledger's list, with what Temporal knows of it and beyond it.
func listedBoth(
	ctx context.Context, l books, temporal orders, filter client.Filter, rows []order.Order, now func() time.Time,
) ([]listedOrder, error) {
	found := listedRows(rows)
	ids, known := make([]string, len(rows)), make(map[order.Key]bool, len(rows))
	for i, row := range rows {
		ids[i], known[row.Key()] = contract.WorkflowID(row.Key()), true
	}
	latest, err := temporal.Latest(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if err := addWorkflow(ctx, temporal, latest, &found[i]); err != nil {
			return nil, err
		}
	}
	beyond, err := temporal.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	for _, row := range listedAlone(beyond) {
		if known[row.Key()] {
			continue
		}
		_, err := l.Order(ctx, row.Key())
		if err == nil {
			continue // the ledger has it, and it does not fit the filter, or the limit
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return nil, err
		}
		young := row.Open && now().Sub(row.StartedAt) < notWritten
		if row.Problem != order.CodeNumberSquatted && !young && row.State != order.Rejected {
			row.Problem = order.DiscrepancyNotInLedger
		}
		found = append(found, row)
	}
	slices.SortStableFunc(found, func(a, b listedOrder) int { return b.StartedAt.Compare(a.StartedAt) })
	return found[:min(len(found), filter.Limit)], nil
}

// addWorkflow adds what Temporal knows of an order's workflow. Its list lags: that
// nothing drives an open order is said only after a look at the workflow itself.
func addWorkflow(ctx context.Context, temporal orders, latest map[string]client.Row, o *listedOrder) error {
	there, listed := latest[o.WorkflowID]
	if o.Open && (!listed || !there.Open || there.Squatted != "") {
		var err error
		if there, err = temporal.Find(ctx, o.Key()); err != nil && order.CodeOf(err) != order.CodeOrderNotFound {
			return err
		}
	}
	o.Status, o.RunID, o.EndedAt, o.Squatted = there.Status, there.RunID, there.EndedAt, there.Squatted
	switch {
	case !o.Open:
	case there.Squatted != "":
		o.Problem = order.CodeNumberSquatted
	case !there.Open:
		o.Problem = order.DiscrepancyOrphan
	}
	return nil
}
