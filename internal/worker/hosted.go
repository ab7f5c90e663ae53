package worker

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
)

// Hosted runs workflows in a process that is no worker, such as the api. It polls the
// queue of orders for workflow tasks only. The ledger writes of workflows are local
// activities, and run in it. Every other activity is a worker's, and so is every call of
// the gateway.
type Hosted struct {
	books    *ledger.Ledger
	temporal client.Client
	orders   *poller
}

// Host opens the ledger with the login of a worker, records the policy, and begins to
// poll. It waits for a database that starts later, and not for Temporal: it polls as soon
// as Temporal answers. Close ends it.
//
// The error is that of the settings, of their files or of the ledger.
func Host(ctx context.Context, log *slog.Logger, settings config.Worker) (*Hosted, error) {
	connection, err := boot.ReadTemporal(settings.KeyRing(), log)
	if err != nil {
		return nil, err
	}
	temporal, err := connection.LazyWorker(ShortRejections)
	if err != nil {
		return nil, err
	}
	books, knobs, err := hostedLedger(ctx, log, settings)
	if err != nil {
		temporal.Close()
		return nil, err
	}
	options := orderOptions()
	options.LocalActivityWorkerOnly = true
	h := &Hosted{books: books, temporal: temporal, orders: newPayouts(temporal, log, books, knobs, options)}
	// It ends with Close, not with ctx: the requests under way at a signal may still start
	// orders here.
	h.orders.start()
	return h, nil
}

// hostedLedger opens the ledger, and lets it ask the roster who may act.
func hostedLedger(ctx context.Context, log *slog.Logger, settings config.Worker) (*ledger.Ledger, activities.Settings, error) {
	var none activities.Settings
	keys, err := boot.AuditKeys(log, settings.Audit)
	if err != nil {
		return nil, none, err
	}
	data, err := boot.DataKeys(log, settings.Data)
	if err != nil {
		return nil, none, err
	}
	if err := CheckFees(settings); err != nil {
		return nil, none, err
	}
	books, err := boot.AwaitSealedLedger(ctx, log, settings.DatabaseURL, settings.AllowInsecure, keys, data)
	if err != nil {
		return nil, none, err
	}
	err = boot.Await(ctx, log, "the database", func() error { return books.Ready(ctx, ledger.DriveOrders) })
	if err != nil {
		return nil, none, errors.Join(err, books.Close())
	}
	knobs, err := Settings(settings)
	if err != nil {
		return nil, none, errors.Join(err, RecordPolicy(ctx, books, none, err), books.Close())
	}
	if _, err := Authorize(ctx, log, books, settings, keys); err != nil {
		return nil, none, errors.Join(err, books.Close())
	}
	if err := RecordPolicy(ctx, books, knobs, nil); err != nil {
		return nil, none, errors.Join(err, books.Close())
	}
	return books, knobs, nil
}

// Temporal returns the client that starts orders in this process: see
// client.StartingEagerly.
func (h *Hosted) Temporal() client.Client { return h.temporal }

// Checks returns the readiness checks. The process is ready if the ledger can be written,
// also without Temporal.
func (h *Hosted) Checks() []telemetry.Check {
	ledger := boot.WorkerLedgerCheck(h.books)
	ledger.Name = "workflow_database"
	return []telemetry.Check{ledger, {Name: "workflows", Try: func(context.Context) error {
		if !h.orders.polling.Load() {
			return telemetry.State("waiting")
		}
		return nil
	}}}
}

// Close takes no more tasks, finishes those under way, and closes the connections.
func (h *Hosted) Close() {
	h.orders.stop()
	h.temporal.Close()
	_ = h.books.Close()
}
