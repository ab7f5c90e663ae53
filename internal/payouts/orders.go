package payouts

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// OrderFilter selects orders of the ledger.
type OrderFilter = ledger.Filter

// OrderRow is an order as the ledger has it.
type OrderRow struct {
	order.View
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"` // when the state last changed
}

// OrderPage is a page of orders, the newest first unless the filter says otherwise.
type OrderPage struct {
	Orders []OrderRow `json:"orders"`
	More   bool       `json:"more"` // there are more than the limit
}

// Orders lists the ledger's orders as the filter says. An order that was just started is
// listed once a worker has opened it. filter.After is the last order of the page before;
// the error is ORDER_NOT_FOUND if there is no such order.
func (s *Service) Orders(ctx context.Context, _ Actor, filter OrderFilter) (OrderPage, error) {
	found := OrderPage{Orders: []OrderRow{}}
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		rows, more, err := page(filter.Limit, func(limit int) ([]order.Order, error) {
			filter.Limit = limit
			return l.Orders(ctx, filter)
		})
		if errors.Is(err, ledger.ErrNotFound) {
			return order.Refuse(order.CodeOrderNotFound, "there is no order %s to go on after", filter.After)
		}
		for _, row := range rows {
			found.Orders = append(found.Orders, OrderRow{row.View(row.Standing), row.CreatedAt, row.UpdatedAt})
		}
		found.More = more
		return err
	})
	return found, err
}

// EachOrder iterates over all of the ledger's orders that the filter selects. The iteration
// stops after an error.
func (s *Service) EachOrder(ctx context.Context, actor Actor, filter OrderFilter) iter.Seq2[OrderRow, error] {
	return func(yield func(OrderRow, error) bool) {
		filter.Limit = MaxPage
		for more := true; more; {
			page, err := s.Orders(ctx, actor, filter)
			if err != nil {
				yield(OrderRow{}, err)
				return
			}
			for _, row := range page.Orders {
				if !yield(row, nil) {
					return
				}
				filter.After = row.Key()
			}
			more = page.More
		}
	}
}
