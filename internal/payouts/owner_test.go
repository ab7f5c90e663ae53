package payouts

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// bookedBy is a ledger in which these merchants have an order of every number.
type bookedBy struct {
	Ledger
	merchants []string
	err       error
}

func (o *bookedBy) Order(_ context.Context, key order.Key) (order.Order, error) {
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

// The merchant may be left out if only one merchant has the order, in the ledger
// or in Temporal. If this is not certain, it must be named.
func TestOwner(t *testing.T) {
	t.Parallel()
	away := order.Refuse(client.CodeTemporalUnreachable, "away")
	for name, test := range map[string]struct {
		temporal, books []string
		noLedger        bool
		away, booksErr  error
		want            string
		says            string // without one
	}{
		"in both":                     {temporal: []string{merchantTH}, books: []string{merchantTH}, want: merchantTH},
		"Temporal has forgotten it":   {books: []string{merchantVN}, want: merchantVN},
		"the ledger has it not yet":   {temporal: []string{merchantVN}, want: merchantVN},
		"without a ledger":            {temporal: []string{merchantVN}, noLedger: true, want: merchantVN},
		"nobody has it":               {says: "if it is of another merchant, name the merchant"},
		"two have it":                 {books: []string{merchantVN, merchantTH}, says: "each have an order INV-1"},
		"one here and another there":  {books: []string{merchantVN}, temporal: []string{merchantTH}, says: "each have an order INV-1"},
		"Temporal is away":            {books: []string{merchantVN}, away: away, want: merchantVN},
		"Temporal is away, unbooked":  {away: away, says: "TEMPORAL_UNREACHABLE"},
		"the ledger is away":          {temporal: []string{merchantVN}, booksErr: errors.New("away"), says: "away"},
		"one, and the ledger is away": {books: []string{merchant}, booksErr: errors.New("away"), says: "away"},
	} {
		b := setup(t)
		b.orders.owners, b.orders.findErr = test.temporal, test.away
		service := b.without(&bookedBy{merchants: test.books, err: test.booksErr}, nil)
		if test.noLedger {
			service = b.without(nil, ErrNoLedger)
		}
		key, err := service.Owner(t.Context(), Actor{}, "INV-1", false)
		if test.want == "" {
			require.ErrorContains(t, err, test.says, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, order.Key{Merchant: test.want, Number: "INV-1"}, key, name)
		key, err = service.Owner(t.Context(), Actor{}, "INV-1", true)
		require.NoError(t, err, name)
		require.Equal(t, test.want, key.Merchant, name)
	}
}
