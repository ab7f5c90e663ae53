package callback

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// Metrics counts what the receiver does. Labels hold codes only.
type Metrics struct {
	callbacks  *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	signals    prometheus.Histogram
	evicted    prometheus.Counter
}

// NewMetrics registers and returns the metrics. Every code has a counter of 0 from
// the start, so that an alert on an increase sees the first event.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payouts_callbacks_total",
			Help: "Callbacks by result: ACCEPTED, DUPLICATE, or the code of the refusal.",
		}, []string{"code"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payouts_callback_deliveries_total",
			Help: "Attempts to deliver a stored callback, by outcome.",
		}, []string{"outcome"}),
		signals: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "payouts_callback_signal_seconds",
			Help:    "How long Temporal took to accept or refuse a signal.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 12), // 1 ms to 2 s
		}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "payouts_callback_connections_evicted_total",
			Help: "Connections that were closed to make room for new ones, because they kept the receiver waiting.",
		}),
	}
	for _, code := range []string{
		codeAccepted, codeDuplicate, CodeMethod, CodeContentType, CodeTooLarge, CodeIncomplete,
		CodeNotSigned, CodeSignature, CodeMalformed, CodeForeignMerchant, CodeStore, CodeBusy,
	} {
		m.callbacks.WithLabelValues(code)
	}
	for _, outcome := range []Outcome{Signalled, Diverted, Unmatched, Waiting, Refused, Orphaned} {
		m.deliveries.WithLabelValues(string(outcome))
	}
	registry.MustRegister(m.callbacks, m.deliveries, m.signals, m.evicted)
	return m
}

func (m *Metrics) callback(code string) { m.callbacks.WithLabelValues(code).Inc() }

func (m *Metrics) delivery(outcome Outcome) { m.deliveries.WithLabelValues(string(outcome)).Inc() }

func (m *Metrics) signal(took time.Duration) { m.signals.Observe(took.Seconds()) }

// countTimeout limits how long a scrape waits for the count of the inbox.
const countTimeout = 2 * time.Second

// InboxCollector counts the ledger's inbox by status whenever it is scraped.
type InboxCollector struct {
	ledger      *ledger.Ledger
	log         *slog.Logger
	description *prometheus.Desc
}

// NewInboxCollector returns a collector; the caller registers it.
func NewInboxCollector(l *ledger.Ledger, log *slog.Logger) *InboxCollector {
	return &InboxCollector{ledger: l, log: log, description: prometheus.NewDesc(
		"payouts_callback_inbox", "Callbacks in the inbox by status; stored ones wait for a sweep.", []string{"status"}, nil)}
}

// Describe sends the description of the gauge.
func (c *InboxCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.description
}

// Collect sends one gauge per status. It sends none while the ledger is away: an
// old number would hide that counting fails.
func (c *InboxCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	counts, err := c.ledger.InboxCounts(ctx)
	if err != nil {
		c.log.Warn("The inbox could not be counted", "error", err)
		return
	}
	for status, count := range counts {
		metrics <- prometheus.MustNewConstMetric(c.description, prometheus.GaugeValue, float64(count), string(status)) //nolint:forbidigo // a metric, not an amount
	}
}
