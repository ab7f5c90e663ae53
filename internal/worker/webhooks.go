package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
)

// webhooksEvery is how often a worker looks for events to send.
const webhooksEvery = 500 * time.Millisecond

// WebhookMetrics counts deliveries of events.
type WebhookMetrics struct{ tries *prometheus.CounterVec }

// NewWebhookMetrics registers and returns the metrics.
func NewWebhookMetrics(registry prometheus.Registerer) *WebhookMetrics {
	m := &WebhookMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payouts_webhook_deliveries_total",
		Help: "Tries to deliver an event to a webhook endpoint, by result.",
	}, []string{"result"})}
	registry.MustRegister(m.tries)
	for _, result := range []webhook.Outcome{webhook.Delivered, webhook.Failed, webhook.Gone} {
		m.tries.WithLabelValues(string(result))
	}
	return m
}

// KeepWebhooks delivers events to webhook endpoints until the context ends.
func KeepWebhooks(ctx context.Context, l *ledger.Ledger, sender *webhook.Sender, metrics *WebhookMetrics, log *slog.Logger) {
	host, _ := os.Hostname() // for the record only
	owner := fmt.Sprintf("%s/%d", host, os.Getpid())
	count := func(result webhook.Outcome) { metrics.tries.WithLabelValues(string(result)).Inc() }
	webhook.NewDeliverer(l, sender, owner, count, log).Run(ctx, webhooksEvery)
}
