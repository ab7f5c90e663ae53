package worker

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// testBundle is a collector over a ledger of its own.
type testBundle struct {
	*Collector
	url      string
	registry *prometheus.Registry
	clock    time.Time
	logged   bytes.Buffer
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{url: "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), registry: prometheus.NewRegistry(), clock: noon}
	l, err := ledger.Open(t.Context(), b.url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	l.SetClock(func() time.Time { return b.clock })
	require.NoError(t, l.Migrate(t.Context()))
	b.Collector = NewCollector(l, slog.New(slog.NewTextHandler(&b.logged, nil)), 30*time.Minute, []string{"M1", "M2"})
	b.registry.MustRegister(b)
	return b
}

// scraped is every value by its name and labels, "payouts_breaker_open M1".
func (b *testBundle) scraped(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := b.registry.Gather()
	require.NoError(t, err)
	values := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// With nothing to do, everything is there with 0.
func TestNothingNeedsAPerson(t *testing.T) {
	t.Parallel()
	b := setup(t)
	values := b.scraped(t)
	const openStates, unplaced = 9, 1
	require.Len(t, values, 2*len(ledger.QueueKinds())+2+2*2*openStates+unplaced)
	for name, value := range values {
		require.Zero(t, value, name)
	}
	for _, name := range []string{"payouts_needs_person review", "payouts_needs_person_oldest_seconds callback", "payouts_breaker_open M2"} {
		require.Contains(t, values, name)
	}
}

func TestWhatNeedsAPersonIsCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	require.NoError(t, b.ledger.OpenDiscrepancy(ctx, order.Key{Merchant: "M1", Number: "A"}, codes.DiscrepancyMismatch, "callback 1"))
	b.clock = noon.Add(40 * time.Minute)
	require.NoError(t, b.ledger.OpenDiscrepancy(ctx, order.Key{Merchant: "M1", Number: "B"}, codes.DiscrepancyMismatch, "callback 2"))
	require.NoError(t, b.ledger.Trip(ctx, "M2", order.Reason{Code: order.CodeGatewayPaused, Text: "the key has expired"}, time.Minute))
	require.NoError(t, b.ledger.Trip(ctx, "M9", order.Reason{Code: order.CodeGatewayPaused, Text: "not configured here"}, time.Minute))
	b.clock = noon.Add(time.Hour)

	values := b.scraped(t)
	for name, want := range map[string]float64{
		"payouts_needs_person discrepancy":                2,
		"payouts_needs_person breaker":                    2,
		"payouts_needs_person review":                     0,
		"payouts_needs_person_oldest_seconds discrepancy": 3600,
		"payouts_needs_person_oldest_seconds breaker":     1200,
		"payouts_needs_person_oldest_seconds review":      0,
		"payouts_breaker_open M1":                         0,
		"payouts_breaker_open M2":                         1,
	} {
		require.InDelta(t, want, values[name], 0, name)
	}
	require.NotContains(t, values, "payouts_breaker_open M9")

	require.NoError(t, b.ledger.Reset(ctx, "M2"))
	require.Zero(t, b.scraped(t)["payouts_breaker_open M2"])
}

// A database that is away takes its numbers out of the scrape, and nothing
// else.
func TestScrapeWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "other", ConstLabels: prometheus.Labels{"of": "us"},
	}, func() float64 { return 7 }))
	require.NoError(t, b.ledger.Close())
	values := b.scraped(t)
	require.Len(t, values, 1)
	require.InDelta(t, 7, values["other us"], 0)
	for _, part := range []string{"needs a person", "breakers", "webhook endpoints", "open orders", "holdings", "event without a place"} {
		require.Contains(t, b.logged.String(), part)
	}
}

// What orders, money and events look like is read from the ledger.
func TestFiguresOfTheLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	amount := func(text string) money.Amount {
		made, err := money.Parse(text, "PKR")
		require.NoError(t, err)
		return made
	}
	require.NoError(t, b.ledger.OpenBooks(ctx, "M1", amount("1000"), amount("0")))
	b.clock = noon.Add(time.Minute)
	for _, number := range []string{"A", "B"} {
		_, _, err := b.ledger.OpenOrder(ctx, order.Request{
			Kind: order.Withdrawal, Merchant: "M1", Number: number, Country: "PK", Way: "easypaisa", Amount: amount("100.50"),
			Details: map[string]string{"customerName": "A", "customerAccountNumber": "1"}, RequestedBy: "erp",
		}, ledger.Terms{})
		require.NoError(t, err)
	}
	before, err := b.ledger.Booked(ctx, "M1", "PKR")
	require.NoError(t, err)
	_, err = b.ledger.TakeSnapshot(ctx, "M1", amount("799"), amount("201"), before)
	require.NoError(t, err)
	b.clock = noon.Add(3 * time.Minute)

	values := b.scraped(t)
	for name, want := range map[string]float64{
		"payouts_orders_open withdrawal reserved":                2,
		"payouts_orders_open deposit created":                    0,
		"payouts_orders_open_oldest_seconds withdrawal reserved": 120,
		"payouts_available PKR M1":                               799,
		"payouts_in_flight PKR M1":                               201,
		"payouts_balance_compared_seconds PKR M1":                120,
		"payouts_events_lag_seconds":                             120,
	} {
		require.Contains(t, values, name)
		require.InDelta(t, want, values[name], 0, name)
	}
	relay := b.ledger.NewRelay()
	for range 2 {
		_, _, err = relay.Round(ctx)
		require.NoError(t, err)
	}
	require.Zero(t, b.scraped(t)["payouts_events_lag_seconds"])
}

// A code that the gateway does not document has no label of its own: there may be any number.
func TestGatewayCallsAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := NewGatewayMetrics(b.registry)
	m.Observe(tarspay.OperationBalance, time.Second, nil)
	m.Observe(tarspay.OperationBalance, time.Second, &tarspay.Error{Class: tarspay.ClassUnavailable})
	known := tarspay.ErrorCodes()[0].Code
	for _, code := range []string{known, known, "31337", "0"} {
		m.Observe(tarspay.OperationCreateWithdrawal, time.Second, &tarspay.Error{Class: tarspay.ClassRejected, Code: code})
	}
	values := b.scraped(t)
	for name, want := range map[string]float64{
		"payouts_gateway_seconds balance ok":                      1,
		"payouts_gateway_seconds balance unavailable":             1,
		"payouts_gateway_seconds create_withdrawal rejected":      4,
		"payouts_gateway_errors_total create_withdrawal " + known: 2,
		"payouts_gateway_errors_total create_withdrawal other":    1,
	} {
		// Labels are sorted by name: call, code; call, result.
		require.Contains(t, values, name)
		require.InDelta(t, want, values[name], 0, name)
	}
}
