package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// How long to wait for what. A person sits in front of it.
const (
	callTime         = 15 * time.Second       // one call that needs no gateway
	askTime          = 5 * time.Second        // one question to an order's workflow, which needs a worker
	firstTime        = 3 * time.Second        // what becomes of a withdrawal that was just started
	firstPause       = 200 * time.Millisecond // between two questions about that
	instructionsTime = 30 * time.Second       // a deposit's instructions: a worker asks the gateway
	endTime          = 10 * time.Minute       // --wait, unless --timeout says otherwise
	reconcileTime    = 2 * time.Minute        // a reconciliation of balances, likewise
	transactionsTime = time.Hour              // and of transactions: a call for each order
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
	NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]ledger.Due, error)
	Story(ctx context.Context, key order.Key) (ledger.Story, error)
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

// dialTemporal connects by Temporal's own settings (TEMPORAL_ADDRESS and its
// kin). The error is an *order.Refusal with TEMPORAL_UNREACHABLE, or that of
// the settings.
func (s *starter) dialTemporal(ctx context.Context) (orders, func(), error) {
	settings, err := s.settings()
	if err != nil {
		return nil, nil, err
	}
	keys, err := settings.ReadKeyRing()
	if err != nil {
		return nil, nil, err
	}
	temporal, err := boot.ReadTemporal(keys, s.temporalLog(settings))
	if err != nil {
		return nil, nil, err
	}
	return temporal.Orders(ctx)
}

// temporalLog is silence, unless somebody looks for a fault.
func (s *starter) temporalLog(settings config.Starter) *slog.Logger {
	if settings.LogLevel > slog.LevelDebug {
		return slog.New(slog.DiscardHandler)
	}
	return settings.Logger(s.errs)
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
	l, err := boot.Ledger(ctx, url, settings.AllowInsecure)
	if err != nil {
		return nil, nil, err
	}
	return l, func() { _ = l.Close() }, nil
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
