package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// owners are merchants that have an order of every number.
type owners struct {
	fakeTemporal
	merchants []string
	away      bool
}

func (o *owners) Find(_ context.Context, key order.Key) (client.Row, error) {
	if o.away {
		return client.Row{}, order.Refuse(client.CodeTemporalUnreachable, "away")
	}
	for _, merchant := range o.merchants {
		if merchant == key.Merchant {
			return client.Row{Kind: order.Withdrawal, Merchant: merchant, Number: key.Number, Status: "Completed"}, nil
		}
	}
	return client.Row{}, order.Refuse(order.CodeOrderNotFound, "no order %s", key)
}

type ownersBooks struct {
	fakeBooks
	merchants []string
	err       error
}

func (o *ownersBooks) Order(_ context.Context, key order.Key) (order.Order, error) {
	for _, merchant := range o.merchants {
		if merchant == key.Merchant {
			return order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: merchant, Number: key.Number}}, nil
		}
	}
	if o.err != nil {
		return order.Order{}, o.err
	}
	return order.Order{}, ledger.ErrNotFound
}

// The merchant need not be named when only one of them has the order, wherever
// that is known. When that is not sure, it has to be.
func TestTheMerchantIsFoundByTheNumber(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		temporal, books []string
		noLedger, away  bool
		booksErr        error
		want            string
		says            string // without one
	}{
		"in both":                     {temporal: []string{merchantTH}, books: []string{merchantTH}, want: merchantTH},
		"Temporal has forgotten it":   {books: []string{merchantVN}, want: merchantVN},
		"the ledger has it not yet":   {temporal: []string{merchantVN}, want: merchantVN},
		"without a ledger":            {temporal: []string{merchantVN}, noLedger: true, want: merchantVN},
		"nobody has it":               {says: "no order INV-1"},
		"two have it":                 {books: []string{merchantVN, merchantTH}, says: "each have an order INV-1"},
		"one here and another there":  {books: []string{merchantVN}, temporal: []string{merchantTH}, says: "each have an order INV-1"},
		"Temporal is away":            {books: []string{merchantVN}, away: true, says: "TEMPORAL_UNREACHABLE"},
		"the ledger is away":          {temporal: []string{merchantVN}, booksErr: errors.New("away"), says: "away"},
		"one, and the ledger is away": {books: []string{merchant}, booksErr: errors.New("away"), says: "away"},
	} {
		b := setup(t)
		temporal, inBooks := &owners{merchants: test.temporal, away: test.away}, &ownersBooks{merchants: test.books, err: test.booksErr}
		s := starter{
			settings: func() (config.Starter, error) { return b.settings, nil },
			connect: func(config.Starter) payouts.Parts {
				return payouts.Parts{
					Orders: func(context.Context) (payouts.Orders, error) { return temporal, nil },
					Ledger: func(context.Context) (payouts.Ledger, error) {
						if test.noLedger {
							return nil, payouts.ErrNoLedger
						}
						return inBooks, nil
					},
				}
			},
		}
		key, err := s.key(t.Context(), "", "INV-1")
		if test.want == "" {
			require.ErrorContains(t, err, test.says, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, order.Key{Merchant: test.want, Number: "INV-1"}, key, name)
		if len(test.books) > 0 {
			key, err = s.bookedKey(t.Context(), "", "INV-1")
			require.NoError(t, err, name)
			require.Equal(t, test.want, key.Merchant, name)
		}
	}
}

// A number that is none is not looked for, and a merchant that is named is not
// looked up.
func TestTheMerchantIsNotLookedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporalErr, b.ledgerErr = errors.New("nothing is asked"), errors.New("nothing is asked")
	s := starter{
		settings: func() (config.Starter, error) { return b.settings, nil },
		connect: func(config.Starter) payouts.Parts {
			return payouts.Parts{
				Orders: func(context.Context) (payouts.Orders, error) { panic("asked") },
				Ledger: func(context.Context) (payouts.Ledger, error) { panic("asked") },
			}
		},
	}
	_, err := s.key(t.Context(), "", "Ayesha Khan")
	require.ErrorContains(t, err, "--merchant is needed: PAYOUTS_MERCHANTS lists")
	key, err := s.key(t.Context(), merchantVN, "INV-1")
	require.NoError(t, err)
	require.Equal(t, merchantVN, key.Merchant)
	b.settings.Merchants = b.settings.Merchants[:1]
	key, err = s.key(t.Context(), "", "INV-1")
	require.NoError(t, err)
	require.Equal(t, merchant, key.Merchant)
}

// With one merchant there is one country: neither is asked for.
func TestOneMerchantNeedsNoName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settings.Merchants = b.settings.Merchants[:1]
	b.temporal.started = client.Started{WorkflowID: workflowID}
	got := b.run(t.Context(), "withdraw", "--number", "INV-1", "--way", "easypaisa", "--amount", "1500",
		"--name", "Test Person", "--account", "03001234567", "--phone", "03001234567")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, merchant, b.temporal.requests[0].Merchant)
	require.Equal(t, "PK", b.temporal.requests[0].Country)
}
