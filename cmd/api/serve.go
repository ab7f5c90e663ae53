package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi/pages"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/version"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// drainTimeout is how long running requests may take after SIGTERM.
const drainTimeout = 70 * time.Second

// serve runs the api until the context ends or its listener breaks.
func serve(ctx context.Context, settings config.API, log *slog.Logger) error {
	build := version.Read("api")
	log.Info("The api starts", "build", build)
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
	access, keys, known, err := whoMayAsk(settings, holder, log)
	if err != nil {
		return err
	}
	if holder != nil {
		go holder.Watch(ctx, boot.TellRoster(log, holder))
	}
	orders, temporal, err := connection.LazyOrders()
	if err != nil {
		return err
	}
	defer temporal.Close()
	checks := []telemetry.Check{boot.ReaderLedgerCheck(books), boot.TemporalCheck(temporal, false)}
	checks = append(checks, known...)
	if settings.APIRunWorkflows {
		hosted, err := worker.Host(ctx, log, settings.Worker())
		if err != nil {
			return err
		}
		defer hosted.Close()
		orders, checks = orders.StartingEagerly(hosted.Temporal()), append(checks, hosted.Checks()...)
	}

	var writing boot.WritingLedger
	defer writing.Close()
	write := func(ctx context.Context) (boot.WritableBooks, error) {
		return writing.Open(ctx, settings.DatabaseURL, settings.AllowInsecure, settings.DataKeyFile)
	}
	sender := boot.WebhookSender(settings.Webhooks, build.Version)
	defer sender.Close()
	parts := payouts.Parts{
		Webhooks: func(ctx context.Context) (payouts.WebhookBooks, error) { return write(ctx) },
		Sessions: func(ctx context.Context) (payouts.SessionBooks, error) { return write(ctx) },
		Sender:   sender, Merchants: settings.Merchants, UnknownAlarm: settings.UnknownAlarm, Now: time.Now,
		Ledger:  func(context.Context) (payouts.Ledger, error) { return books, nil },
		Orders:  func(context.Context) (payouts.Orders, error) { return orders, nil },
		Gateway: func(string) (*tarspay.Client, error) { return nil, payouts.ErrNoGateway },
	}
	registry := boot.Metrics(build.Program)
	handler := newHandler(settings, parts, access, keys, registry, log)
	side, err := telemetry.Listen(ctx, settings.APIAdminListen, registry, checks...)
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

// whoMayAsk returns what knows callers, and the readiness check of the roster. Without a
// roster everybody may ask, and keys are nil.
func whoMayAsk(
	settings config.API, holder *roster.Holder, log *slog.Logger,
) (access httpapi.Access, keys *httpapi.Keys, checks []telemetry.Check, err error) {
	if holder == nil {
		log.Warn("No roster: everybody on this machine may act under any name. Set PAYOUTS_ROSTER_FILE")
		checks = []telemetry.Check{{Name: "roster", Try: func(context.Context) error { return telemetry.State("none") }}}
		return httpapi.Anybody{}, nil, checks, nil
	}
	keys, err = httpapi.NewKeys(holder, settings.Origin, settings.APIKeyFile, time.Now())
	if err != nil {
		return nil, nil, nil, err
	}
	return keys, keys, []telemetry.Check{{Name: "door", Required: true, Try: keys.Ready}, {Name: "roster", Try: keys.RosterFile}}, nil
}

// newHandler returns what answers requests. Sentences to systems name operations.
func newHandler(
	settings config.API, parts payouts.Parts, access httpapi.Access, keys *httpapi.Keys, registry *prometheus.Registry, log *slog.Logger,
) http.Handler {
	asking, commands := parts, parts
	asking.Ask, asking.AskFor = httpapi.Ask, httpapi.AskFor
	commands.Ask, commands.AskFor = payouts.AskStarter, payouts.AskStarterFor
	options := httpapi.Options{
		Service: payouts.New(asking), Commands: payouts.New(commands), Access: access, Countries: settings.Merchants.Countries(), Rate: settings.APIRate,
		Version: version.Read("api").Version, Metrics: httpapi.NewMetrics(registry), Log: log,
	}
	if settings.OIDCIssuer != "" { // which needs a roster
		options.Pages = newPages(settings, commands, keys, log)
	}
	return httpapi.New(options)
}

// newPages returns the pages for people, whose sentences name pages.
func newPages(settings config.API, parts payouts.Parts, keys *httpapi.Keys, log *slog.Logger) httpapi.Pages {
	parts.Ask = pages.Ask
	return pages.New(pages.Options{
		Service: payouts.New(parts), Keys: keys, PublicURL: settings.APIPublicURL, Log: log,
		Issuer: settings.OIDCIssuer, ClientID: settings.OIDCClientID, ClientSecret: settings.OIDCClientSecret.Reveal(),
	})
}
