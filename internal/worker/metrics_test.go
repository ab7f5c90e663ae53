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
	"github.com/tarspay-payouts/orchestrator/order"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// testBundle is a collector over a ledger of its own.
type testBundle struct {
	*Collector
	registry *prometheus.Registry
	clock    time.Time
	logged   bytes.Buffer
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{registry: prometheus.NewRegistry(), clock: noon}
	l, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	l.SetClock(func() time.Time { return b.clock })
	require.NoError(t, l.Migrate(t.Context()))
	b.Collector = NewCollector(l, slog.New(slog.NewTextHandler(&b.logged, nil)), 30*time.Minute, []string{"M1", "M2"})
	b.registry.MustRegister(b)
	return b
}

// scraped is every value by its name and label, "payouts_breaker_open M1".
func (b *testBundle) scraped(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := b.registry.Gather()
	require.NoError(t, err)
	values := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			require.Len(t, metric.GetLabel(), 1)
			values[family.GetName()+" "+metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
		}
	}
	return values
}

// With nothing to do, everything is there with 0.
func TestNothingNeedsAPerson(t *testing.T) {
	t.Parallel()
	b := setup(t)
	values := b.scraped(t)
	require.Len(t, values, 2*len(ledger.QueueKinds())+2)
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
	require.Contains(t, b.logged.String(), "The items of the queue could not be counted")
	require.Contains(t, b.logged.String(), "The breakers could not be read")
}
