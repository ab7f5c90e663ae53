package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codec"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// How long to wait for what. A person sits in front of it.
const (
	dialTime         = 5 * time.Second  // until Temporal answers at all
	callTime         = 15 * time.Second // one call that needs no gateway
	askTime          = 5 * time.Second  // one question to an order's workflow, which needs a worker
	instructionsTime = 30 * time.Second // a deposit's instructions: a worker asks the gateway
	endTime          = 10 * time.Minute // --wait, unless --timeout says otherwise
	reconcileTime    = 2 * time.Minute  // a reconciliation of balances, likewise
	transactionsTime = time.Hour        // and of transactions: a call for each order
)

// orders is what the commands need of *client.Client.
type orders interface {
	Start(ctx context.Context, request order.Request) (client.Started, error)
	StartDeposit(ctx context.Context, request order.Request) (order.View, client.Started, error)
	Wait(ctx context.Context, key order.Key) (order.View, error)
	Order(ctx context.Context, key order.Key) (order.View, error)
	Find(ctx context.Context, key order.Key) (client.Row, error)
	List(ctx context.Context, filter client.Filter) ([]client.Row, error)
	Latest(ctx context.Context, workflowIDs []string) (map[string]client.Row, error)
	Act(ctx context.Context, key order.Key, action order.Action) (order.View, error)
	Adopt(ctx context.Context, row order.Order, by string) (client.Started, error)
	ReconcileBalances(ctx context.Context, merchants ...string) (contract.ReconcileBalancesResult, error)
	ReconcileTransactions(ctx context.Context, input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, error)
}

// books is what the commands need of *ledger.Ledger.
type books interface {
	Order(ctx context.Context, key order.Key) (order.Order, error)
	Orders(ctx context.Context, filter ledger.Filter) ([]order.Order, error)
	Balances(ctx context.Context, merchant, currency string) (map[ledger.Account]money.Amount, error)
	Snapshots(ctx context.Context, merchant string, limit int) ([]order.Snapshot, error)
	NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]ledger.QueueItem, error)
	Story(ctx context.Context, key order.Key) ([]ledger.Event, error)
	Audit(ctx context.Context, key order.Key) ([]ledger.AuditEntry, error)
	VerifyAudit(ctx context.Context) (ledger.AuditReport, error)
	Discrepancies(ctx context.Context, filter ledger.DiscrepancyFilter) ([]ledger.Discrepancy, error)
	CloseDiscrepancy(ctx context.Context, id int64, by, why string) (*order.Refusal, error)
	SetCallbackAside(ctx context.Context, id, by, why string) (ledger.InboxEntry, *order.Refusal, error)
	Adjustments(ctx context.Context, filter ledger.AdjustmentFilter) ([]ledger.AdjustmentRecord, error)
	ProposeAdjustment(ctx context.Context, a ledger.Adjustment) (ledger.AdjustmentRecord, *order.Refusal, error)
	ConfirmAdjustment(ctx context.Context, merchant, ref, by string) (ledger.AdjustmentRecord, *order.Refusal, error)
	RejectAdjustment(ctx context.Context, merchant, ref, by, why string) (ledger.AdjustmentRecord, *order.Refusal, error)
	MarkRestored(ctx context.Context, by, why string) (ledger.Restore, *order.Refusal, error)
	EndRestore(ctx context.Context, by, why string) (ledger.Restore, *order.Refusal, error)
}

// inLedger does one thing with the ledger, which has to answer in time.
func (s *starter) inLedger(ctx context.Context, do func(context.Context, books) error) error {
	l, hangUp, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	doing, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return do(doing, l)
}

// page reads what a listing shows. One row more tells whether there are more.
func page[T any](limit int, read func(limit int) ([]T, error)) (rows []T, more bool, err error) {
	found, err := read(limit + 1)
	if err != nil {
		return nil, false, err
	}
	return append([]T{}, found[:min(len(found), limit)]...), len(found) > limit, nil
}

// dialTemporal connects by Temporal's own settings (TEMPORAL_ADDRESS and its
// kin). The error is an *order.Refusal with TEMPORAL_UNREACHABLE, or that of
// the settings.
func (s *starter) dialTemporal(ctx context.Context) (orders, func(), error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, nil, &config.Error{Problems: []config.Problem{{Variable: "TEMPORAL_…", Text: "cannot be used: " + err.Error()}}}
	}
	encryption, err := s.encryption()
	if err != nil {
		return nil, nil, err
	}
	encryption.Apply(&options)
	options.Logger, err = s.temporalLog()
	if err != nil {
		return nil, nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	temporal, err := temporalclient.DialContext(dialing, options)
	if err != nil {
		where := options.HostPort
		if where == "" {
			where = temporalclient.DefaultHostPort
		}
		if why, failed := handshake(err); failed {
			return nil, nil, order.Refuse(client.CodeTemporalUnreachable,
				"Temporal at %s answers, and TLS to it fails: %s; see the TEMPORAL_TLS_… settings and the server's certificate. Nothing was sent", where, why)
		}
		return nil, nil, order.Refuse(client.CodeTemporalUnreachable,
			"Temporal at %s did not answer within %s; check that it runs and that TEMPORAL_ADDRESS is right. Nothing was sent", where, dialTime)
	}
	return client.New(temporal).Reading(encryption.Converter()), temporal.Close, nil
}

// handshake says why TLS failed, if that is what an error of the connection is
// about. gRPC has it as text only.
func handshake(err error) (why string, failed bool) {
	_, why, failed = strings.Cut(err.Error(), "authentication handshake failed: ")
	return strings.TrimSuffix(why, `"`), failed
}

// encryption is what Temporal's payloads are encrypted with, if they are.
func (s *starter) encryption() (*codec.Codec, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	keys, err := settings.ReadKeyRing()
	if err != nil {
		return nil, err
	}
	return codec.FromSettings(keys)
}

// temporalLog is silence, unless somebody looks for a fault.
func (s *starter) temporalLog() (log.Logger, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	if settings.LogLevel <= slog.LevelDebug {
		logger = settings.Logger(s.errs)
	}
	return log.NewStructuredLogger(logger), nil
}

var errNoLedger = order.Refuse(codeNoLedger,
	"this reads the ledger: set PAYOUTS_DATABASE_URL, or PAYOUTS_DATABASE_URL_FILE, as for the worker")

// openLedger connects to the ledger, or says errNoLedger.
func (s *starter) openLedger(ctx context.Context) (books, func(), error) {
	settings, err := s.settings()
	if err != nil {
		return nil, nil, err
	}
	url, err := settings.Ledger()
	if err != nil {
		return nil, nil, err
	}
	if url == "" {
		return nil, nil, errNoLedger
	}
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	l, err := ledger.OpenExisting(dialing, url.Reveal(), ledger.AllowUnencrypted(settings.AllowInsecure.Has(config.InsecureDatabase)))
	if err != nil {
		return nil, nil, err
	}
	hangUp := func() { _ = l.Close() }
	if err := l.Ping(dialing); err != nil {
		hangUp()
		return nil, nil, err
	}
	return l, hangUp, nil
}

// within bounds a call that waits for a worker or longer. The context is
// cancelled when its time is over and has no deadline: gRPC would tell the
// server of one, which then breaks the call a moment early in words of its own.
func within(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(patience, cancel)
	return bounded, func() {
		timer.Stop()
		cancel()
	}
}

// late says in our words that the time given by within is over, which the SDK
// says in several ways. Other errors pass.
func late(bounded context.Context, err error, format string, values ...any) error {
	if err == nil || bounded.Err() == nil {
		return err
	}
	return order.Refuse(client.CodeNoAnswer, format, values...)
}
