package payouts

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
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

func (o *bookedBy) RefusedStarts(context.Context, string) ([]ledger.RefusedStart, error) {
	return nil, nil
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

// An order that was rejected because no worker has its merchant is found by its
// number alone, and has the time of its rejection.
func TestOwnerOfARefusedOrder(t *testing.T) {
	t.Parallel()
	const unknown = "M1999999999"
	for name, configured := range map[string]config.MerchantList{
		"several merchants": nil, "one merchant": {{Number: merchant, Country: "PK"}},
	} {
		b := setup(t)
		if configured != nil {
			b.parts.Merchants = configured
		}
		service := New(b.parts)
		key := order.Key{Merchant: unknown, Number: "INV_9"}
		require.NoError(t, b.ledger.RefuseStart(t.Context(), "", contract.WorkflowID(key), order.Reason{Code: order.CodeUnknownMerchant}))
		for _, booked := range []bool{false, true} {
			owner, err := service.Owner(t.Context(), Actor{}, "INV_9", booked)
			require.NoError(t, err, name)
			require.Equal(t, key, owner, name)
		}
		b.orders.owners = []string{unknown}
		b.orders.view = order.View{Merchant: unknown, Number: "INV_9", Standing: order.Standing{State: order.Rejected, Reason: order.Reason{Code: order.CodeUnknownMerchant}}}
		got, err := service.Status(t.Context(), Actor{}, key)
		require.NoError(t, err)
		require.Equal(t, FromWorkflow, got.Source)
		require.True(t, noon.Equal(got.ChangedAt), name)

		b.orders.owners = []string{merchant} // a configured merchant goes before
		owner, err := service.Owner(t.Context(), Actor{}, "INV_9", false)
		require.NoError(t, err, name)
		require.Equal(t, merchant, owner.Merchant, name)
	}
}
