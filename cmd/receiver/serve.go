package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/version"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// drainTimeout is how long running requests may take after SIGTERM.
const drainTimeout = 20 * time.Second

// serve runs the receiver until the context ends or a listener breaks.
func serve(ctx context.Context, settings config.Receiver, log *slog.Logger) error {
	build := version.Read("receiver")
	log.Info("Receiver starts", "build", build)
	verifier, err := tarspay.NewVerifier(settings.GatewayPublicKey...)
	if err != nil {
		return fmt.Errorf("PAYOUTS_GATEWAY_PUBLIC_KEY: %w", err)
	}
	connection, err := boot.ReadTemporal(settings.KeyRing(), log)
	if err != nil {
		return err
	}
	data, err := boot.DataKeys(log, settings.Data)
	if err != nil {
		return err
	}
	books, err := boot.AwaitLedger(ctx, log, settings.DatabaseURL, settings.AllowInsecure, data)
	if err != nil {
		return err
	}
	defer func() { _ = books.Close() }()
	temporal, err := connection.Lazy()
	if err != nil {
		return err
	}
	defer temporal.Close()

	registry := boot.Metrics(build.Program)
	registry.MustRegister(callback.NewInboxCollector(books, log))
	metrics := callback.NewMetrics(registry)
	deliverer := callback.NewDeliverer(books, temporal, metrics, log)
	public := http.NewServeMux()
	public.Handle(callback.Path, callback.NewHandler(callback.Options{
		Verifier: verifier, Ledger: books, Deliverer: deliverer,
		Merchants: settings.Merchants.Numbers(), Metrics: metrics, Log: log,
	}))
	door, err := telemetry.Listen(ctx, settings.AdminListen, registry, boot.ReceiverLedgerCheck(books), boot.TemporalCheck(temporal, false))
	if err != nil {
		return commandline.NotListening("PAYOUTS_ADMIN_LISTEN", settings.AdminListen, err)
	}
	defer func() { _ = door.Close() }()
	log.Info("Health and metrics are answered", "address", door.Address())

	return listen(ctx, settings.Listen, callback.NewServer(public, metrics, log), log, func(ctx context.Context) { deliverer.Run(ctx, settings.SweepEvery) })
}

// listen serves callbacks and sweeps at the same time until the context ends; then
// it drains. The log line has the real address, because a configured port of 0
// means any free port.
func listen(ctx context.Context, address string, server *http.Server, log *slog.Logger, sweep func(context.Context)) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return commandline.NotListening("PAYOUTS_LISTEN", address, err)
	}
	log.Info("Callbacks are taken", "address", listener.Addr().String(), "path", callback.Path)
	sweepCtx, stop := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	sweeping.Go(func() { sweep(sweepCtx) })
	told := context.AfterFunc(ctx, func() {
		log.Info("Stopping: no new callbacks are accepted; running ones are finished")
	})
	defer told()
	failure := process.Serve(ctx, listener, server, drainTimeout)
	stop()
	sweeping.Wait()
	log.Info("Stopped")
	return failure
}
