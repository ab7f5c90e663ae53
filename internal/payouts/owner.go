package payouts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// askedMerchants is the most merchants for which an order is looked up.
const askedMerchants = 32

// Owner returns the key of the one configured merchant that has an order of the
// number, or of the only merchant there is. If no configured merchant has it, it
// returns the key of the one other merchant whose order of the number was rejected
// before it was recorded. With more than 32 merchants it makes no lookup. booked
// prefers orders that the ledger has.
//
// The error is ORDER_NOT_FOUND, an *order.Invalid when the merchant has to be
// named, or that of the ledger or Temporal if they are unavailable.
func (s *Service) Owner(ctx context.Context, _ Actor, number string, booked bool) (order.Key, error) {
	merchants := s.parts.Merchants.Numbers()
	if len(merchants) == 0 || len(merchants) > askedMerchants || !order.IsNumber(number) {
		merchant, err := OnlyMerchant(s.parts.Merchants)
		return order.Key{Merchant: merchant, Number: number}, err
	}
	var refused []string
	if len(merchants) == 1 {
		if refused = s.refusedOf(ctx, number); len(refused) == 0 {
			return order.Key{Merchant: merchants[0], Number: number}, nil
		}
	}
	owners, err := s.inLedgerOf(ctx, merchants, number)
	if err != nil && order.CodeOf(err) != CodeNoLedger {
		return order.Key{}, err
	}
	if !booked || len(owners) == 0 { // it may have been rejected before it was recorded
		found, err := s.inTemporalOf(ctx, merchants, number)
		if err != nil && !booked && len(owners) != 1 { // without Temporal, the one that the ledger has
			return order.Key{}, err
		}
		owners = append(owners, found...)
	}
	if len(owners) == 0 && refused == nil {
		refused = s.refusedOf(ctx, number)
	}
	if len(owners) == 0 {
		owners = refused
	}
	return ownedBy(owners, number)
}

// ownedBy returns the key of the one owner of a number.
func ownedBy(owners []string, number string) (order.Key, error) {
	slices.Sort(owners)
	switch owners = slices.Compact(owners); len(owners) {
	case 0:
		return order.Key{}, order.Refuse(order.CodeOrderNotFound, "no order %s: none of the merchants of PAYOUTS_MERCHANTS has one of that number; if it is of another merchant, name the merchant", number)
	case 1:
		return order.Key{Merchant: owners[0], Number: number}, nil
	default:
		return order.Key{}, merchantNeeded("%s each have an order %s", strings.Join(owners, " and "), number)
	}
}

// OwnerAmong returns the key of the one of the merchants that has an order of the number,
// or of the only merchant there is. has reports whether there is an order. The errors are
// those of Owner, and of has.
func OwnerAmong(merchants config.MerchantList, number string, has func(order.Key) (bool, error)) (order.Key, error) {
	if len(merchants) < 2 || len(merchants) > askedMerchants || !order.IsNumber(number) {
		merchant, err := OnlyMerchant(merchants)
		return order.Key{Merchant: merchant, Number: number}, err
	}
	var owners []string
	for _, m := range merchants {
		found, err := has(order.Key{Merchant: m.Number, Number: number})
		if err != nil {
			return order.Key{}, err
		}
		if found {
			owners = append(owners, m.Number)
		}
	}
	return ownedBy(owners, number)
}

// OnlyMerchant returns the configured merchant, if there is only one. The error is
// an *order.Invalid.
func OnlyMerchant(merchants config.MerchantList) (string, error) {
	numbers := merchants.Numbers()
	switch len(numbers) {
	case 1:
		return numbers[0], nil
	case 0:
		return "", merchantNeeded("PAYOUTS_MERCHANTS is not set")
	}
	slices.Sort(numbers)
	return "", merchantNeeded("PAYOUTS_MERCHANTS lists %s", strings.Join(numbers, ", "))
}

func merchantNeeded(format string, values ...any) error {
	return &order.Invalid{Problems: []order.Problem{{
		Code: CodeMissing, Field: "merchant", Message: "merchant is needed: " + fmt.Sprintf(format, values...),
	}}}
}

// inLedgerOf returns the merchants that have the order in the ledger.
func (s *Service) inLedgerOf(ctx context.Context, merchants []string, number string) (owners []string, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		for _, merchant := range merchants {
			_, err := l.Order(ctx, order.Key{Merchant: merchant, Number: number})
			switch {
			case err == nil:
				owners = append(owners, merchant)
			case !errors.Is(err, ledger.ErrNotFound):
				return err
			}
		}
		return nil
	})
	return owners, err
}

// inTemporalOf returns the merchants that have the order in Temporal, which has
// orders before the ledger.
func (s *Service) inTemporalOf(ctx context.Context, merchants []string, number string) (owners []string, err error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return nil, err
	}
	for _, merchant := range merchants {
		_, err := find(ctx, orders, order.Key{Merchant: merchant, Number: number})
		switch {
		case err == nil:
			owners = append(owners, merchant)
		case order.CodeOf(err) != order.CodeOrderNotFound:
			return nil, err
		}
	}
	return owners, nil
}

// refusedOf returns the other merchants whose order of the number was rejected
// before it was recorded, by the ledger. It returns none if the ledger is not
// available.
func (s *Service) refusedOf(ctx context.Context, number string) (merchants []string) {
	for key := range s.refusedStarts(ctx, number) {
		if !slices.Contains(s.parts.Merchants.Numbers(), key.Merchant) {
			merchants = append(merchants, key.Merchant)
		}
	}
	return merchants
}

// refusedStarts returns when orders of the number were last rejected before they
// were recorded.
func (s *Service) refusedStarts(ctx context.Context, number string) map[order.Key]time.Time {
	refused := make(map[order.Key]time.Time)
	_ = s.inLedger(ctx, func(ctx context.Context, l Ledger) error { // only adds to what is known
		starts, err := l.RefusedStarts(ctx, ":"+number)
		for _, start := range slices.Backward(starts) {
			if key, ok := contract.ParseWorkflowID(start.WorkflowID); ok && key.Number == number {
				refused[key] = start.At
			}
		}
		return err
	})
	return refused
}
