package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// readTimeout bounds how long a scrape waits for the ledger.
const readTimeout = 2 * time.Second

// Collector counts the items of the queue and the open breakers at each scrape. It
// reports every kind and every merchant, with 0 for none, so that an alert sees the
// change from 0 to 1. Labels hold kinds, merchant numbers and
// ids of webhook endpoints only.
type Collector struct {
	ledger     *ledger.Ledger
	log        *slog.Logger
	unknownFor time.Duration
	merchants  []string

	items, oldest, breakers, webhooks *prometheus.Desc
}

// NewCollector makes a collector; the caller registers it. A create whose outcome is
// unknown for longer than unknownFor counts as an item.
func NewCollector(l *ledger.Ledger, log *slog.Logger, unknownFor time.Duration, merchants []string) *Collector {
	return &Collector{
		ledger: l, log: log, unknownFor: unknownFor, merchants: merchants,
		items: prometheus.NewDesc("payouts_needs_person",
			"What needs a person, by kind, as starter queue lists it.", []string{"kind"}, nil),
		oldest: prometheus.NewDesc("payouts_needs_person_oldest_seconds",
			"For how long the oldest of a kind has needed a person; 0 for none.", []string{"kind"}, nil),
		breakers: prometheus.NewDesc("payouts_breaker_open",
			"1 while the gateway refuses every call of a merchant and none of its orders is sent.", []string{"merchant"}, nil),
		webhooks: prometheus.NewDesc("payouts_webhook_oldest_seconds",
			"How long ago the oldest event happened that a webhook endpoint has not got; 0 if it has all. Disabled endpoints are left out.", []string{"endpoint"}, nil),
	}
}

// Describe sends the descriptions of the gauges.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.items
	descriptions <- c.oldest
	descriptions <- c.breakers
	descriptions <- c.webhooks
}

// Collect reads the ledger. It leaves out what it cannot read: an old number would
// hide that the ledger is away.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	c.queue(ctx, metrics)
	c.open(ctx, metrics)
	c.undelivered(ctx, metrics)
}

// undelivered reports the age of the oldest event of each webhook endpoint. The ledger
// bounds how many endpoints there are.
func (c *Collector) undelivered(ctx context.Context, metrics chan<- prometheus.Metric) {
	ages, err := c.ledger.WebhookAges(ctx)
	var now time.Time
	if err == nil {
		now, err = c.ledger.Now(ctx)
	}
	if err != nil {
		c.log.Warn("The ages of events to deliver could not be read", "error", err)
		return
	}
	for endpoint, oldest := range ages {
		var age time.Duration
		if !oldest.IsZero() {
			age = now.Sub(oldest)
		}
		metrics <- gauge(c.webhooks, age.Seconds(), endpoint)
	}
}

func (c *Collector) queue(ctx context.Context, metrics chan<- prometheus.Metric) {
	counts, err := c.ledger.QueueCounts(ctx, c.unknownFor)
	var now time.Time
	if err == nil {
		now, err = c.ledger.Now(ctx)
	}
	if err != nil {
		c.log.Warn("The items of the queue could not be counted", "error", err)
		return
	}
	for kind, count := range counts {
		var age time.Duration
		if !count.Oldest.IsZero() {
			age = now.Sub(count.Oldest)
		}
		metrics <- gauge(c.items, float64(count.Items), string(kind))
		metrics <- gauge(c.oldest, age.Seconds(), string(kind))
	}
}

func (c *Collector) open(ctx context.Context, metrics chan<- prometheus.Metric) {
	breakers, err := c.ledger.Breakers(ctx)
	if err != nil {
		c.log.Warn("The breakers could not be read", "error", err)
		return
	}
	open := make(map[string]float64)
	for _, breaker := range breakers {
		open[breaker.Merchant] = 1
	}
	for _, merchant := range c.merchants {
		metrics <- gauge(c.breakers, open[merchant], merchant)
	}
}

func gauge(description *prometheus.Desc, value float64, label string) prometheus.Metric {
	return prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, label)
}
