package boot

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/version"
)

// Metrics returns a registry with the metrics of the Go runtime and of the process, and
// what the program was built from.
func Metrics(program string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(version.Read(program)))
	return registry
}

func buildInfo(build version.Build) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "payouts_build_info", Help: "What the process was built from; always 1.",
		ConstLabels: prometheus.Labels{
			"program": build.Program, "version": build.Version, "commit": build.Commit, "schema": strconv.FormatInt(build.Schema, 10), "go": build.Go,
		},
	})
	info.Set(1)
	return info
}

// WorkerLedgerCheck returns the readiness check of a process that drives orders.
func WorkerLedgerCheck(books *ledger.Ledger) telemetry.Check {
	return ledgerCheck(books, ledger.DriveOrders)
}

// ReceiverLedgerCheck returns the readiness check of a process that takes callbacks.
func ReceiverLedgerCheck(books *ledger.Ledger) telemetry.Check {
	return ledgerCheck(books, ledger.TakeCallbacks)
}

// ReaderLedgerCheck returns the readiness check of a process that only reads the ledger.
func ReaderLedgerCheck(books *ledger.Ledger) telemetry.Check {
	return telemetry.Check{Name: "database", Required: true, Try: books.Ping}
}

func ledgerCheck(books *ledger.Ledger, duty sqldb.Duty) telemetry.Check {
	return telemetry.Check{Name: "database", Required: true, Try: func(ctx context.Context) error { return books.Ready(ctx, duty) }}
}

// AuditCheck returns the check that tells whether the process seals the audit.
func AuditCheck(keys *seal.Keys) telemetry.Check {
	state := telemetry.State("sealed")
	if keys == nil {
		state = "unsealed"
	}
	return telemetry.Check{Name: "audit", Try: func(context.Context) error { return state }}
}

// TemporalCheck returns the readiness check of Temporal. If required is false, the
// process is ready without Temporal.
func TemporalCheck(temporal client.Client, required bool) telemetry.Check {
	return telemetry.Check{Name: "temporal", Required: required, Try: func(ctx context.Context) error {
		_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}}
}
