package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// noted is a withdrawal with metadata.
func noted(number string, metadata map[string]string) order.Request {
	r := request(order.Withdrawal, number, "100")
	r.Metadata = metadata
	return r
}

// numbers is the numbers of the orders that a filter selects, sorted.
func (b *testBundle) numbers(t *testing.T, filter Filter) []string {
	t.Helper()
	orders, err := b.Orders(t.Context(), filter)
	require.NoError(t, err)
	numbers := []string{}
	for _, o := range orders {
		numbers = append(numbers, o.Number)
	}
	slices.Sort(numbers)
	return numbers
}

func TestOrdersByMetadata(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		open(t, b, noted("W1", map[string]string{"run": "7", "team": "payroll", "note": ""}))
		open(t, b, noted("W2", map[string]string{"run": "7"}))
		open(t, b, noted("W3", map[string]string{"team": "7", "run": "8"}))
		open(t, b, noted("W4", nil))
		for name, test := range map[string]struct {
			metadata map[string]string
			numbers  []string
		}{
			"one":             {map[string]string{"run": "7"}, []string{"W1", "W2"}},
			"two":             {map[string]string{"run": "7", "team": "payroll"}, []string{"W1"}},
			"of two orders":   {map[string]string{"run": "8", "team": "payroll"}, []string{}},
			"another key":     {map[string]string{"team": "7"}, []string{"W3"}},
			"another case":    {map[string]string{"team": "Payroll"}, []string{}},
			"without a value": {map[string]string{"note": ""}, []string{}},
		} {
			require.Equal(t, test.numbers, b.numbers(t, Filter{Metadata: test.metadata}), name)
			require.Equal(t, test.numbers, b.numbers(t, Filter{Metadata: test.metadata, Merchant: merchant}), name)
			require.Empty(t, b.numbers(t, Filter{Metadata: test.metadata, Merchants: []string{"M2"}}), name)
		}
		require.Equal(t, map[string]string{"run": "7", "team": "payroll"}, b.current(t, order.Key{Merchant: merchant, Number: "W1"}).View(order.Standing{}).Metadata)
		var rows int
		require.NoError(t, b.pool().Get(&rows, "SELECT COUNT(*) FROM order_metadata"))
		require.Equal(t, 5, rows)
		require.NotContains(t, b.dump(t), "payroll")

		// The same request again is the same order; with other metadata it is not.
		_, opening, err := b.OpenOrder(t.Context(), noted("W1", map[string]string{"team": "payroll", "run": "7"}), Terms{})
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		_, opening, err = b.OpenOrder(t.Context(), noted("W1", map[string]string{"run": "7"}), Terms{})
		require.NoError(t, err)
		require.Equal(t, Conflict, opening)
		require.NoError(t, b.pool().Get(&rows, "SELECT COUNT(*) FROM order_metadata"))
		require.Equal(t, 5, rows)
		b.clean(t)
	})
}

// A process that lacks a data key would not find all orders: it refuses to look. After
// the data key was replaced, and without the old one, they are found.
func TestMetadataAndDataKeys(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		require.NoError(t, b.UseDataKeys(t.Context()))
		b.books(t, "10000", "0")
		filter := Filter{Metadata: map[string]string{"run": "7"}}
		bare := noted("W1", filter.Metadata)
		bare.Details = nil // it names no payee
		open(t, b, bare)
		for _, ring := range []*vault.Ring{nil, parseRing(lineTwo)} {
			_, err := b.with(t, ring).Orders(t.Context(), filter)
			var fault *vault.Fault
			require.ErrorAs(t, err, &fault)
			require.Equal(t, vault.CodeKeyUnknown, fault.Code)
		}
		both := b.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, both.UseDataKeys(t.Context()))
		open(t, both, noted("W2", filter.Metadata))
		require.Equal(t, []string{"W1", "W2"}, both.numbers(t, filter))
		both.rekey(t)
		require.NotContains(t, withoutTable(b.dump(t), "data_keys"), "k1:")
		require.Equal(t, []string{"W1", "W2"}, b.with(t, parseRing(lineTwo)).numbers(t, filter))
		b.clean(t)
	})
}

// An erased order is not found by its metadata.
func TestErasedMetadata(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		r := noted("W1", map[string]string{"run": "7", "team": "payroll"})
		open(t, b, r)
		open(t, b, noted("W2", map[string]string{"run": "7"}))
		_, refusal, err := b.Cancel(t.Context(), r.Key(), order.Cancellation{By: "amina", Why: "not needed"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		after, _ := b.later(t)
		after.erase(t, r.Key())
		require.Equal(t, []string{"W2"}, after.numbers(t, Filter{Metadata: map[string]string{"run": "7"}}))
		var left []string
		require.NoError(t, b.pool().Select(&left, "SELECT o.number FROM order_metadata m JOIN orders o ON o.id = m.order_id WHERE m.hash <> ''"))
		require.Equal(t, []string{"W2"}, left)
		require.Empty(t, b.current(t, r.Key()).View(order.Standing{}).Metadata)
		b.clean(t)
	})
}

func TestOrdersByAmountAndEnd(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		for number, amount := range map[string]string{"W1": "99.99", "W2": "100", "W3": "200", "W4": "200.01"} {
			open(t, b, request(order.Withdrawal, number, amount))
		}
		require.Equal(t, []string{"W2", "W3"}, b.numbers(t, Filter{AmountMin: pkr("100"), AmountMax: pkr("200")}))
		require.Equal(t, []string{"W1"}, b.numbers(t, Filter{AmountMax: pkr("99.99")}))
		require.Empty(t, b.numbers(t, Filter{Currency: "VND"}))

		_, refusal, err := b.Cancel(t.Context(), order.Key{Merchant: merchant, Number: "W2"}, order.Cancellation{By: "amina", Why: "not needed"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		ended := b.current(t, order.Key{Merchant: merchant, Number: "W2"}).UpdatedAt
		require.Equal(t, []string{"W2"}, b.numbers(t, Filter{EndedSince: ended}))
		require.Equal(t, []string{"W2"}, b.numbers(t, Filter{EndedUntil: ended.Add(time.Millisecond)}))
		require.Empty(t, b.numbers(t, Filter{EndedSince: ended.Add(time.Millisecond)}))
		require.Empty(t, b.numbers(t, Filter{EndedUntil: ended}))
	})
}
