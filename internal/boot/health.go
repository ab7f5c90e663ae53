package boot

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
)

// Metrics makes a registry with the figures of the Go runtime and of the process.
func Metrics() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// LedgerCheck is the readiness check of a process that cannot work without its ledger.
func LedgerCheck(books *ledger.Ledger) telemetry.Check {
	return telemetry.Check{Name: "database", Required: true, Try: books.Ready}
}

// TemporalCheck is the readiness check of Temporal. required says whether the process is
// of use without it.
func TemporalCheck(temporal client.Client, required bool) telemetry.Check {
	return telemetry.Check{Name: "temporal", Required: required, Try: func(ctx context.Context) error {
		_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}}
}
