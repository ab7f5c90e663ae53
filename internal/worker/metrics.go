package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// readTimeout bounds how long a scrape waits for the ledger.
const readTimeout = 2 * time.Second

// Collector reads at each scrape what the ledger has: the queue, open orders, money, and
// how far behind comparisons and events are. It reports every kind, state and merchant,
// with 0 for none, so that an alert sees the change from 0 to 1. Labels hold kinds, states,
// merchant numbers, currencies and ids of webhook endpoints only.
type Collector struct {
	ledger     *ledger.Ledger
	log        *slog.Logger
	unknownFor time.Duration
	merchants  []string

	items, oldest, breakers, webhooks          *prometheus.Desc
	orders, age, available, inFlight, compared *prometheus.Desc
	unplaced                                   *prometheus.Desc
}

// NewCollector makes a collector; the caller registers it. A create whose outcome is
// unknown for longer than unknownFor counts as an item.
func NewCollector(l *ledger.Ledger, log *slog.Logger, unknownFor time.Duration, merchants []string) *Collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Collector{
		ledger: l, log: log, unknownFor: unknownFor, merchants: merchants,
		items: describe("payouts_needs_person", "What needs a person, by kind, as starter queue lists it.", "kind"),
		oldest: describe("payouts_needs_person_oldest_seconds",
			"For how long the oldest of a kind has needed a person; 0 for none.", "kind"),
		breakers: describe("payouts_breaker_open",
			"1 while the gateway refuses every call of a merchant and none of its orders is sent.", "merchant"),
		webhooks: describe("payouts_webhook_oldest_seconds",
			"How long ago the oldest event happened that a webhook endpoint has not got; 0 if it has all. Disabled endpoints are left out.", "endpoint"),
		orders:    describe("payouts_orders_open", "Orders that have not ended, by kind and state.", "kind", "state"),
		age:       describe("payouts_orders_open_oldest_seconds", "How long ago the oldest order of a kind and state was created; 0 for none.", "kind", "state"),
		available: describe("payouts_available", "What the merchant has at the gateway and has not reserved, in units of the currency.", "merchant", "currency"),
		inFlight:  describe("payouts_in_flight", "What is reserved for withdrawals that have not ended, in units of the currency.", "merchant", "currency"),
		compared:  describe("payouts_balance_compared_seconds", "How long ago the merchant's balance was compared with the gateway's. It is missing until the first time.", "merchant", "currency"),
		unplaced:  describe("payouts_events_lag_seconds", "How long ago the oldest event happened that lists and webhooks do not have yet; 0 for none."),
	}
}

// Describe sends the descriptions of the gauges.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.items, c.oldest, c.breakers, c.webhooks, c.orders, c.age, c.available, c.inFlight, c.compared, c.unplaced,
	} {
		descriptions <- d
	}
}

// Collect reads the ledger. It leaves out what it cannot read: an old number would
// hide that the ledger is away.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	now, err := c.ledger.Now(ctx)
	since := func(at time.Time) float64 {
		if at.IsZero() {
			return 0
		}
		return now.Sub(at).Seconds()
	}
	if err == nil {
		for _, read := range []func(context.Context, chan<- prometheus.Metric, func(time.Time) float64) error{
			c.queue, c.open, c.undelivered, c.ordersOpen, c.holdings, c.eventsLag,
		} {
			err = errors.Join(err, read(ctx, metrics, since))
		}
	}
	if err != nil {
		c.log.Warn("Metrics could not be read from the ledger", "error", err)
	}
}

// undelivered reports the age of the oldest event of each webhook endpoint. The ledger
// bounds how many endpoints there are.
func (c *Collector) undelivered(ctx context.Context, metrics chan<- prometheus.Metric, since func(time.Time) float64) error {
	ages, err := c.ledger.WebhookAges(ctx)
	for endpoint, oldest := range ages {
		metrics <- gauge(c.webhooks, since(oldest), endpoint)
	}
	return err
}

func (c *Collector) queue(ctx context.Context, metrics chan<- prometheus.Metric, since func(time.Time) float64) error {
	counts, err := c.ledger.QueueCounts(ctx, c.unknownFor)
	for kind, count := range counts {
		metrics <- gauge(c.items, float64(count.Items), string(kind))
		metrics <- gauge(c.oldest, since(count.Oldest), string(kind))
	}
	return err
}

func (c *Collector) open(ctx context.Context, metrics chan<- prometheus.Metric, _ func(time.Time) float64) error {
	breakers, err := c.ledger.Breakers(ctx)
	if err != nil {
		return err
	}
	open := make(map[string]float64)
	for _, breaker := range breakers {
		open[breaker.Merchant] = 1
	}
	for _, merchant := range c.merchants {
		metrics <- gauge(c.breakers, open[merchant], merchant)
	}
	return nil
}

func (c *Collector) ordersOpen(ctx context.Context, metrics chan<- prometheus.Metric, since func(time.Time) float64) error {
	counts, err := c.ledger.OpenCounts(ctx)
	if err != nil {
		return err
	}
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		for _, state := range order.States() {
			if state.Terminal() {
				continue
			}
			at := slices.IndexFunc(counts, func(c ledger.OpenCount) bool { return c.Kind == kind && c.State == state })
			var found ledger.OpenCount
			if at >= 0 {
				found = counts[at]
			}
			metrics <- gauge(c.orders, float64(found.Orders), string(kind), string(state))
			metrics <- gauge(c.age, since(found.Oldest), string(kind), string(state))
		}
	}
	return nil
}

func (c *Collector) holdings(ctx context.Context, metrics chan<- prometheus.Metric, since func(time.Time) float64) error {
	holdings, err := c.ledger.Holdings(ctx)
	for _, h := range holdings {
		for description, amount := range map[*prometheus.Desc]money.Amount{c.available: h.Available, c.inFlight: h.InFlight} {
			units, err := strconv.ParseFloat(amount.Number(), 64) //nolint:forbidigo // a gauge is a float; nobody computes with it
			if err != nil {
				return err
			}
			metrics <- gauge(description, units, h.Merchant, amount.Currency())
		}
		if !h.ComparedAt.IsZero() {
			metrics <- gauge(c.compared, since(h.ComparedAt), h.Merchant, h.Available.Currency())
		}
	}
	return err
}

func (c *Collector) eventsLag(ctx context.Context, metrics chan<- prometheus.Metric, since func(time.Time) float64) error {
	oldest, err := c.ledger.OldestUnplaced(ctx)
	if err == nil {
		metrics <- gauge(c.unplaced, since(oldest))
	}
	return err
}

func gauge(description *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
}

// GatewayMetrics counts and times calls of the gateway.
type GatewayMetrics struct {
	took  *prometheus.HistogramVec
	codes *prometheus.CounterVec
	known map[string]bool
}

// NewGatewayMetrics registers and returns the metrics. Labels hold names of calls, classes
// of errors and the gateway's documented codes only.
func NewGatewayMetrics(registry prometheus.Registerer) *GatewayMetrics {
	m := &GatewayMetrics{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "payouts_gateway_seconds", Help: "How long the gateway took to answer, by call and result.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40},
		}, []string{"call", "result"}),
		codes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payouts_gateway_errors_total", Help: "Answers of the gateway with an error code.",
		}, []string{"call", "code"}),
		known: make(map[string]bool),
	}
	for _, row := range tarspay.ErrorCodes() {
		m.known[row.Code] = true
	}
	registry.MustRegister(m.took, m.codes)
	return m
}

// Observe is for tarspay.Options.
func (m *GatewayMetrics) Observe(call tarspay.Operation, took time.Duration, err error) {
	result := "ok"
	var failed *tarspay.Error
	if errors.As(err, &failed) {
		result = string(failed.Class)
		switch code := failed.Code; {
		case code == "" || code == "0":
		case m.known[code]:
			m.codes.WithLabelValues(string(call), code).Inc()
		default:
			m.codes.WithLabelValues(string(call), "other").Inc()
		}
	}
	m.took.WithLabelValues(string(call), result).Observe(took.Seconds())
}
