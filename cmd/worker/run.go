package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codec"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
	"github.com/tarspay-payouts/orchestrator/ledger"
)

// The database and Temporal may start after us: they are waited for this
// long, and asked this often.
const (
	patience = time.Minute
	pause    = time.Second
)

// recordPatience is how long a worker that does not start waits for the
// database, to leave word why.
const recordPatience = 10 * time.Second

// run starts everything, waits for the signal to end, and drains.
func run(ctx context.Context, settings config.Worker) error {
	log := settings.Logger(os.Stderr)
	slog.SetDefault(log)
	clients, err := worker.Clients(settings)
	if err != nil {
		return err
	}
	knobs, err := worker.Settings(settings)
	if err != nil {
		recordRefusal(ctx, log, settings, err)
		return err
	}
	books, err := openLedger(ctx, log, settings)
	if err != nil {
		return err
	}
	defer func() { _ = books.Close() }()
	if err := worker.RecordPolicy(ctx, books, knobs, nil); err != nil {
		return err
	}
	if err := worker.RecordKnown(ctx, books, knobs); err != nil {
		return err
	}
	temporal, err := dial(ctx, log, settings)
	if err != nil {
		return err
	}
	defer temporal.Close()

	w := worker.New(temporal, books, clients, knobs, worker.Rates{Gateway: settings.GatewayRate, Transactions: settings.ReconcileRate})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	var keeping sync.WaitGroup
	running, stop := context.WithCancel(ctx)
	keeping.Go(func() { worker.KeepKnown(running, books, knobs, log) })
	defer keeping.Wait()
	defer stop()
	queue := worker.NewCollector(books, log, settings.UnknownAlarm, settings.Merchants.Numbers())
	side, err := serveAdmin(ctx, settings.HealthListen, books, temporal, worker.NewStarts(temporal, log), queue)
	if err != nil {
		return fmt.Errorf("PAYOUTS_HEALTH_LISTEN: %w", err)
	}
	defer func() { _ = side.Close() }()
	log.Info("Worker started", "merchants", len(settings.Merchants), "gateway", settings.GatewayURL, "address", side.Address())
	<-ctx.Done()
	log.Info("Worker drains: no more work is taken, what is under way is finished")
	return nil
}

// recordRefusal leaves word in the ledger of a policy under which no worker
// starts.
func recordRefusal(ctx context.Context, log *slog.Logger, settings config.Worker, refused error) {
	bounded, cancel := context.WithTimeout(ctx, recordPatience)
	defer cancel()
	books, err := openLedger(bounded, log, settings)
	if err == nil {
		defer func() { _ = books.Close() }()
		err = worker.RecordPolicy(bounded, books, activities.Settings{}, refused)
	}
	if err != nil {
		log.Error("That the policy was refused is not on record", "error", err)
	}
}

func openLedger(ctx context.Context, log *slog.Logger, settings config.Worker) (*ledger.Ledger, error) {
	var books *ledger.Ledger
	err := persist(ctx, log, "the database", func() error {
		opened, err := ledger.Open(ctx, settings.DatabaseURL.Reveal(), ledger.AllowUnencrypted(settings.AllowInsecure.Has(config.InsecureDatabase)))
		if err != nil {
			return err
		}
		if err := opened.Migrate(ctx); err != nil {
			_ = opened.Close()
			return err
		}
		books = opened
		return nil
	})
	return books, err
}

func dial(ctx context.Context, log *slog.Logger, settings config.Worker) (client.Client, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fmt.Errorf("the settings of Temporal's client (TEMPORAL_…) are not usable: %w", err)
	}
	encryption, err := codec.FromSettings(settings.KeyRing())
	if err != nil {
		return nil, err
	}
	encryption.Strict().Apply(&options)
	worker.ShortRejections(&options)
	options.Logger = sdklog.NewStructuredLogger(log)
	namespace := options.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	var temporal client.Client
	err = persist(ctx, log, "Temporal", func() error {
		dialled, err := client.DialContext(ctx, options)
		if err != nil {
			return err
		}
		if err := worker.PrepareNamespace(ctx, dialled, namespace, settings.Reconciliation); err != nil {
			dialled.Close()
			return err
		}
		temporal = dialled
		return nil
	})
	return temporal, err
}

// persist tries until it works, the patience ends, or we are told to stop.
func persist(ctx context.Context, log *slog.Logger, what string, try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return nil
		}
		var wrong *ledger.Error
		if errors.As(err, &wrong) && wrong.Lasting() {
			return err // no waiting mends it
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s cannot be used after %s of trying: %w", what, patience, err)
		}
		log.Warn("Waiting for "+what, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func serveAdmin(ctx context.Context, address string, books *ledger.Ledger, temporal client.Client, starts *worker.Starts, queue prometheus.Collector) (*telemetry.Server, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(queue, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return telemetry.Listen(ctx, address, registry,
		telemetry.Check{Name: "database", Required: true, Try: books.Ready},
		telemetry.Check{Name: "temporal", Required: true, Try: func(ctx context.Context) error {
			_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		}},
		telemetry.Check{Name: "starts", Required: true, Try: starts.Try})
}
