package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/codec"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// drainTimeout is how long requests under way may take after SIGTERM.
const drainTimeout = 20 * time.Second

// serve runs the receiver until the context ends or a listener breaks.
func serve(ctx context.Context, settings config.Receiver, temporalOptions client.Options, log *slog.Logger) error {
	verifier, err := tarspay.NewVerifier(settings.GatewayPublicKey...)
	if err != nil {
		return fmt.Errorf("PAYOUTS_GATEWAY_PUBLIC_KEY: %w", err)
	}
	books, err := openLedger(ctx, settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = books.Close() }()

	encryption, err := codec.FromSettings(settings.KeyRing())
	if err != nil {
		return err
	}
	encryption.Apply(&temporalOptions)
	temporalOptions.Logger = sdklog.NewStructuredLogger(log)
	temporal, err := client.NewLazyClient(temporalOptions) // connects on first use: Temporal may be away
	if err != nil {
		return fmt.Errorf("the Temporal connection (TEMPORAL_ADDRESS and its kin) is not usable: %w", err)
	}
	defer temporal.Close()

	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		callback.NewInboxCollector(books, log),
	)
	metrics := callback.NewMetrics(registry)
	deliverer := callback.NewDeliverer(books, temporal, metrics, log)

	public := http.NewServeMux()
	public.Handle(callback.Path, callback.NewHandler(callback.Options{
		Verifier: verifier, Ledger: books, Deliverer: deliverer,
		Merchants: settings.Merchants.Numbers(), Metrics: metrics, Log: log,
	}))
	door, err := telemetry.Listen(ctx, settings.AdminListen, registry,
		telemetry.Check{Name: "database", Required: true, Try: books.Ready},
		telemetry.Check{Name: "temporal", Try: func(ctx context.Context) error {
			_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		}})
	if err != nil {
		return fmt.Errorf("PAYOUTS_ADMIN_LISTEN: %w", err)
	}
	defer func() { _ = door.Close() }()
	log.Info("Health and metrics are answered", "address", door.Address())

	return listen(ctx, settings.Listen, callback.NewServer(public, metrics, log), log, func(ctx context.Context) { deliverer.Run(ctx, settings.SweepEvery) })
}

// listen takes callbacks, and sweeps beside it, until the context ends; then
// it drains. The log line has the real address, because a configured port of 0
// takes a free one.
func listen(ctx context.Context, address string, server *http.Server, log *slog.Logger, sweep func(context.Context)) error {
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("PAYOUTS_LISTEN: %w", err)
	}
	log.Info("Callbacks are taken", "address", listener.Addr().String(), "path", callback.Path)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sweeping sync.WaitGroup
	sweeping.Go(func() { sweep(ctx) })
	broke := make(chan error, 1)
	go func() { broke <- server.Serve(listener) }()

	var failure error
	select {
	case <-ctx.Done():
		log.Info("Stopping: no new callbacks are taken, those under way are finished")
		draining, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		if err := server.Shutdown(draining); err != nil {
			failure = fmt.Errorf("callbacks under way were cut off after %s: %w", drainTimeout, err)
		}
	case err := <-broke:
		failure = fmt.Errorf("the listener on %s broke: %w", listener.Addr(), err)
	}
	cancel()
	_ = server.Close()
	sweeping.Wait()
	log.Info("Stopped")
	return failure
}

// Waiting for the database at the start.
const (
	databasePatience = 30 * time.Second
	databaseAttempt  = 5 * time.Second
	databasePause    = time.Second
)

// openLedger opens the ledger and waits a while for its database, which may be
// starting, or waiting for a worker to migrate it.
func openLedger(ctx context.Context, settings config.Receiver, log *slog.Logger) (*ledger.Ledger, error) {
	patience, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	for {
		books, err := tryLedger(ctx, settings)
		var wrong *ledger.Error
		if err == nil || (errors.As(err, &wrong) && wrong.Lasting()) {
			return books, err
		}
		log.Warn("Waiting for the database", "error", err)
		select {
		case <-patience.Done():
			return nil, fmt.Errorf("gave up waiting for the database: %w", err)
		case <-time.After(databasePause):
		}
	}
}

// tryLedger opens the ledger and looks whether it can be worked with.
func tryLedger(ctx context.Context, settings config.Receiver) (*ledger.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, databaseAttempt)
	defer cancel()
	books, err := ledger.OpenExisting(ctx, settings.DatabaseURL.Reveal(), ledger.AllowUnencrypted(settings.AllowInsecure.Has(config.InsecureDatabase)))
	if err != nil {
		return nil, err
	}
	if err := books.Ping(ctx); err != nil {
		_ = books.Close()
		return nil, err
	}
	return books, nil
}
