package main

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi/pages"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// drainTimeout is how long running requests may take after SIGTERM.
const drainTimeout = 70 * time.Second

// serve runs the api until the context ends or its listener breaks.
func serve(ctx context.Context, settings config.API, log *slog.Logger) error {
	connection, err := boot.ReadTemporal(settings.KeyRing(), log)
	if err != nil {
		return err
	}
	books, err := boot.AwaitReadingLedger(ctx, log, settings.DatabaseURL, settings.AllowInsecure, settings.DataKeyFile)
	if err != nil {
		return err
	}
	defer func() { _ = books.Close() }()
	holder, err := boot.ReadRoster(ctx, books, settings.Roster)
	if err != nil {
		return err
	}
	roster := telemetry.Check{Name: "roster", Try: func(context.Context) error { return telemetry.State("none") }}
	var access httpapi.Access = httpapi.Anybody{}
	var keys *httpapi.Keys
	if holder == nil {
		log.Warn("No roster: everybody on this machine may act under any name. Set PAYOUTS_ROSTER_FILE")
	} else {
		keys, err = httpapi.NewKeys(holder, settings.Origin, settings.APIKeyFile, time.Now())
		if err != nil {
			return err
		}
		access, roster = keys, telemetry.Check{Name: "roster", Required: true, Try: keys.Ready}
	}
	orders, temporal, err := connection.LazyOrders()
	if err != nil {
		return err
	}
	defer temporal.Close()

	var hooks boot.WebhookLedger
	defer hooks.Close()
	sender := boot.WebhookSender(settings.Webhooks, commandline.ReadBuild("api").Version)
	defer sender.Close()
	parts := payouts.Parts{
		Sender: sender,
		Webhooks: func(ctx context.Context) (payouts.WebhookBooks, error) {
			return hooks.Open(ctx, settings.DatabaseURL, settings.AllowInsecure, settings.DataKeyFile)
		},
		Merchants: settings.Merchants, UnknownAlarm: settings.UnknownAlarm, Now: time.Now, Ask: httpapi.Ask, AskFor: httpapi.AskFor,
		Ledger:  func(context.Context) (payouts.Ledger, error) { return books, nil },
		Orders:  func(context.Context) (payouts.Orders, error) { return orders, nil },
		Gateway: func(string) (*tarspay.Client, error) { return nil, payouts.ErrNoGateway },
	}
	service := payouts.New(parts)
	parts.Ask, parts.AskFor = payouts.AskStarter, payouts.AskStarterFor
	registry := boot.Metrics()
	options := httpapi.Options{
		Service: service, Commands: payouts.New(parts), Access: access, Countries: settings.Merchants.Countries(), Rate: settings.APIRate,
		Version: commandline.ReadBuild("api").Version, Metrics: httpapi.NewMetrics(registry), Log: log,
	}
	if settings.OIDCIssuer != "" { // which needs a roster
		options.Pages = newPages(settings, parts, keys, log)
	}
	handler := httpapi.New(options)
	side, err := telemetry.Listen(ctx, settings.APIAdminListen, registry, boot.ReaderLedgerCheck(books), boot.TemporalCheck(temporal, false), roster)
	if err != nil {
		return commandline.NotListening("PAYOUTS_API_ADMIN_LISTEN", settings.APIAdminListen, err)
	}
	defer func() { _ = side.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", settings.APIListen)
	if err != nil {
		return commandline.NotListening("PAYOUTS_API_LISTEN", settings.APIListen, err)
	}
	log.Info("Finance systems are answered", "address", listener.Addr().String(), "health", side.Address())
	defer log.Info("Stopped")
	return process.Serve(ctx, listener, httpapi.NewServer(handler, log), drainTimeout)
}

// newPages returns the pages for people, whose sentences name pages.
func newPages(settings config.API, parts payouts.Parts, keys *httpapi.Keys, log *slog.Logger) httpapi.Pages {
	parts.Ask = pages.Ask
	return pages.New(pages.Options{
		Service: payouts.New(parts), Keys: keys, PublicURL: settings.APIPublicURL, Log: log,
		Issuer: settings.OIDCIssuer, ClientID: settings.OIDCClientID, ClientSecret: settings.OIDCClientSecret.Reveal(),
	})
}
