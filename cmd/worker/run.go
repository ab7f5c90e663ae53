package main

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/version"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
)

// run starts everything, waits for the signal to end, and drains.
func run(ctx context.Context, settings config.Worker) error {
	log := settings.Logger(os.Stderr)
	slog.SetDefault(log)
	build := version.Read("worker")
	log.Info("Worker starts", "build", build)
	registry := boot.Metrics(build.Program)
	clients, err := boot.Gateways(settings, worker.NewGatewayMetrics(registry).Observe)
	if err != nil {
		return err
	}
	keys, err := boot.AuditKeys(log, settings.Audit)
	if err != nil {
		return err
	}
	data, err := boot.DataKeys(log, settings.Data)
	if err != nil {
		return err
	}
	if err := worker.CheckFees(settings); err != nil {
		return err
	}
	knobs, err := worker.Settings(settings)
	if err != nil {
		worker.RecordRefusal(ctx, log, settings, keys, err)
		return err
	}
	books, err := boot.AwaitMigratedLedger(ctx, log, settings.DatabaseURL, settings.AllowInsecure, keys, data)
	if err != nil {
		return err
	}
	defer func() { _ = books.Close() }()
	authority, err := worker.Introduce(ctx, log, books, settings, knobs, keys)
	if err != nil {
		return err
	}
	temporal, err := worker.Dial(ctx, log, settings)
	if err != nil {
		return err
	}
	defer temporal.Close()

	w := worker.New(temporal, log, books, clients, knobs, worker.Rates{Gateway: settings.GatewayRate, Transactions: settings.ReconcileRate})
	w.Start()
	defer w.Stop()
	var keeping sync.WaitGroup
	running, stop := context.WithCancel(ctx)
	keeping.Go(func() { worker.KeepKnown(running, books, knobs, log) })
	keeping.Go(func() { worker.KeepEvents(running, books, log) })
	webhooks, sender := worker.NewWebhookMetrics(registry), boot.WebhookSender(settings.Webhooks, build.Version)
	keeping.Go(func() { worker.KeepWebhooks(running, books, sender, webhooks, log) })
	defer sender.Close()
	defer keeping.Wait()
	defer stop()
	registry.MustRegister(worker.NewCollector(books, log, settings.UnknownAlarm, settings.Merchants.Numbers()))
	side, err := telemetry.Listen(ctx, settings.HealthListen, registry, boot.WorkerLedgerCheck(books), boot.TemporalCheck(temporal, true),
		telemetry.Check{Name: "starts", Required: true, Try: worker.NewStarts(temporal, log).Try}, authority, boot.AuditCheck(keys), w.Check())
	if err != nil {
		return commandline.NotListening("PAYOUTS_HEALTH_LISTEN", settings.HealthListen, err)
	}
	defer func() { _ = side.Close() }()
	log.Info("Worker started", "merchants", len(settings.Merchants), "gateway", settings.GatewayURL, "address", side.Address())
	<-ctx.Done()
	log.Info("Worker drains: no new tasks are accepted; running ones are finished")
	return nil
}
