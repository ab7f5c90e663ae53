package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// askedMerchants is how many merchants are asked whose an order is.
const askedMerchants = 32

// finder lists those of the merchants that have an order of the number.
type finder func(ctx context.Context, merchants []string, number string) ([]string, error)

// owner is the one merchant of several that has an order of the number. It is ""
// when nobody was asked: there are no two merchants, or very many, or the number is
// none. The error says why there is none such: an *order.Refusal with
// ORDER_NOT_FOUND, an *order.Invalid when several have it, or why somebody could
// not be asked.
func (s *starter) owner(ctx context.Context, number string, finders ...finder) (string, error) {
	settings, err := s.settings()
	if err != nil {
		return "", err
	}
	merchants := settings.Merchants.Numbers()
	if len(merchants) < 2 || len(merchants) > askedMerchants || !numberShape.MatchString(number) {
		return "", nil
	}
	var owners []string
	for _, find := range finders {
		found, err := find(ctx, merchants, number)
		if err != nil && !errors.Is(err, errNoLedger) {
			return "", err
		}
		owners = append(owners, found...)
	}
	slices.Sort(owners)
	switch owners = slices.Compact(owners); len(owners) {
	case 0:
		return "", order.Refuse(order.CodeOrderNotFound, "no order %s: none of the merchants of PAYOUTS_MERCHANTS has one of that number", number)
	case 1:
		return owners[0], nil
	default:
		var wrong problems
		wrong.add(codeMissing, "merchant", "--merchant is needed: %s each have an order %s", strings.Join(owners, " and "), number)
		return "", &order.Invalid{Problems: wrong}
	}
}

// inBooks looks in the ledger, which has every order that was opened.
func (s *starter) inBooks(ctx context.Context, merchants []string, number string) (owners []string, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l books) error {
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

// underWay looks in Temporal, which has orders before they are opened.
func (s *starter) underWay(ctx context.Context, merchants []string, number string) (owners []string, err error) {
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return nil, err
	}
	defer hangUp()
	for _, merchant := range merchants {
		_, err := s.find(ctx, temporal, order.Key{Merchant: merchant, Number: number})
		switch {
		case err == nil:
			owners = append(owners, merchant)
		case order.CodeOf(err) != order.CodeOrderNotFound:
			return nil, err
		}
	}
	return owners, nil
}
