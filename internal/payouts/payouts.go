// Package payouts contains the use cases of finance systems, operators and
// auditors, for orders, balances and the audit. Each use case is a method of
// Service in its own file, and takes the actor and a typed input. The command line
// and HTTP call this package.
//
// Rules are in other packages. Package order has the rules of the domain. Package
// ledger decides and audits in one transaction. Package client has the calls of
// Temporal. This package combines them. It knows no flags, no HTTP and no
// terminals.
package payouts

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Actor is the person who acts, from the caller's credential.
//
// Every use case takes one. Those that only read do not use it yet.
type Actor struct {
	Name    string   // the actor in the audit; the ledger refuses "" with WHO_MISSING
	Signing *Signing // nil: the actor does not sign
	// ActionID is the id of the one approval or rejection that the actor does, so that the
	// same call again does it once. Empty: each call is an action of its own.
	ActionID string
}

// Service offers the use cases. It is safe for concurrent use if its parts are.
type Service struct{ parts Parts }

// New returns a service.
func New(parts Parts) *Service { return &Service{parts} }

// Parts are the dependencies of a service. The functions connect when a use case
// first needs them, so that other use cases work while a server is away. The
// caller of New closes the connections.
type Parts struct {
	Merchants    config.MerchantList
	Access       config.Access // which of the gateway's calls have a path
	UnknownAlarm time.Duration // age at which an unknown outcome needs a person

	Ledger  func(context.Context) (Ledger, error) // LEDGER_NOT_SET when none is configured
	Orders  func(context.Context) (Orders, error)
	Gateway func(merchant string) (*tarspay.Client, error)
	Now     func() time.Time
	// Webhooks returns a ledger that may write webhook endpoints, and Sender sends events to
	// them. nil: the process does not.
	Webhooks func(context.Context) (WebhookBooks, error)
	Sender   *webhook.Sender
	// Sessions returns a ledger that may write log-outs of people's pages. nil: the process
	// has no pages.
	Sessions func(context.Context) (SessionBooks, error)

	// Ask returns how a caller starts a use case on an order, for a sentence: a
	// command line, or a request.
	Ask func(useCase UseCase, key order.Key) string
	// AskFor is Ask for a use case about something else than an order: a code of the
	// gateway, or a country.
	AskFor func(useCase UseCase, what string) string
}

// UseCase names a use case that an answer recommends.
type UseCase string

// The use cases that answers recommend.
const (
	UseAdopt   UseCase = "adopt"
	UseApprove UseCase = "approve"
	UseAudit   UseCase = "audit" // without a key: the installation's
	UseCodes   UseCase = "codes" // of a code
	UsePoll    UseCase = "poll"
	UseStatus  UseCase = "status"
	UseWait    UseCase = "wait" // status, after waiting for the order's end
	UseWays    UseCase = "ways" // of a country

	UseBatch         UseCase = "batch"         // of the key, the number is the batch's id
	UseAdjustments   UseCase = "adjustments"   // a list; of the key, only the merchant counts
	UseDiscrepancies UseCase = "discrepancies" // a list; without a key
	UseQueue         UseCase = "queue"         // without a key
	UseReport        UseCase = "report"        // of the key, the number is the day
)

// Orders is what the use cases need of *client.Client, which comments each method.
type Orders = ordersPart

type ordersPart interface {
	Start(ctx context.Context, request order.Request) (client.Started, error)
	StartDeposit(ctx context.Context, request order.Request) (order.View, client.Started, error)
	Wait(ctx context.Context, key order.Key) (order.View, error)
	Order(ctx context.Context, key order.Key) (order.View, error)
	Find(ctx context.Context, key order.Key) (client.Row, error)
	List(ctx context.Context, filter client.Filter) ([]client.Row, error)
	Latest(ctx context.Context, workflowIDs []string) (map[string]client.Row, error)
	Act(ctx context.Context, key order.Key, action order.Action) (order.View, error)
	ActOnBooks(ctx context.Context, action order.BookAction, record any) error
	Adopt(ctx context.Context, row order.Order, adoption order.Action) (client.Started, error)
	ReconcileBalances(ctx context.Context, merchants ...string) (contract.ReconcileBalancesResult, error)
	ReconcileTransactions(ctx context.Context, input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, error)
	CompareTransactions(ctx context.Context, merchant string, from, to time.Time) (client.TransactionsRun, error)
	ComparedTransactions(ctx context.Context, merchant, runID string) (client.TransactionsRun, error)
	StoreBatchPage(ctx context.Context, number int, page contract.BatchPage) error
	DriveBatch(ctx context.Context, b order.Batch) error
	StoreStatementPage(ctx context.Context, number int, page contract.StatementPage) error
	AwaitStatementPage(ctx context.Context, s order.Statement, number int) error
	CompareStatement(ctx context.Context, s order.Statement) error
}

// Ledger is what the use cases need of *ledger.Ledger, which comments each method. It
// only reads: what writes is done by a worker, through Orders.
type Ledger = ledgerPart

type ledgerPart interface {
	Order(ctx context.Context, key order.Key) (order.Order, error)
	Orders(ctx context.Context, filter ledger.Filter) ([]order.Order, error)
	Events(ctx context.Context, filter ledger.EventFilter) ([]ledger.Event, error)
	LastEvent(ctx context.Context) (int64, error)
	EventBefore(ctx context.Context, at time.Time) (int64, error)
	EventAt(ctx context.Context, position int64) (string, error)
	Balances(ctx context.Context, merchant, currency string) (map[ledger.Account]money.Amount, error)
	Snapshots(ctx context.Context, merchant string, limit int) ([]order.Snapshot, error)
	Day(ctx context.Context, query ledger.DayQuery) (ledger.DayReport, error)
	RefusedStarts(ctx context.Context, end string) ([]ledger.RefusedStart, error)
	HasMerchant(ctx context.Context, merchant string) (bool, error)
	NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]ledger.Due, error)
	Story(ctx context.Context, key order.Key) (ledger.Story, error)
	LateFees(ctx context.Context, key order.Key) ([]ledger.LateFee, error)
	Audit(ctx context.Context, key order.Key) ([]ledger.AuditEntry, error)
	AuditPage(ctx context.Context, merchant string, after int64, limit int) ([]ledger.AuditEntry, error)
	LastCheckpoint(ctx context.Context) (ledger.Checkpoint, error)
	ProveAudit(ctx context.Context, key order.Key) (ledger.AuditProofs, error)
	VerifyAudit(ctx context.Context, evidence ledger.AuditEvidence) (ledger.AuditReport, error)
	Verify(ctx context.Context) (verify.Report, error)
	Discrepancies(ctx context.Context, filter ledger.DiscrepancyFilter) ([]ledger.Discrepancy, error)
	Adjustments(ctx context.Context, filter ledger.AdjustmentFilter) ([]ledger.AdjustmentRecord, error)
	Stops(ctx context.Context) ([]ledger.Stop, error)
	Batch(ctx context.Context, id string) (ledger.BatchRecord, error)
	Batches(ctx context.Context, filter ledger.BatchFilter) ([]ledger.BatchRecord, error)
	BatchCounts(ctx context.Context, id string) ([]ledger.BatchCount, error)
	BatchRows(ctx context.Context, filter ledger.BatchRowFilter) ([]ledger.BatchRow, error)
	Statement(ctx context.Context, id string) (ledger.StatementRecord, error)
	Statements(ctx context.Context, filter ledger.StatementFilter) ([]ledger.StatementRecord, error)
	HeldBack(ctx context.Context, key order.Key) (stop *ledger.Stop, breaker bool, err error)
	Webhook(ctx context.Context, id string) (ledger.Webhook, error)
	Webhooks(ctx context.Context) ([]ledger.Webhook, error)
	WebhookCounts(ctx context.Context, id string) (ledger.WebhookCounts, error)
	WebhookDeliveries(ctx context.Context, filter ledger.WebhookDeliveryFilter) ([]ledger.WebhookDelivery, error)
	EventPosition(ctx context.Context, id string) (int64, error)
	SessionEnded(ctx context.Context, id string) (bool, error)
}

// MaxPage is the largest page of a listing from the ledger.
const MaxPage = ledger.MaxPage - 1

// page reads one page of a listing. It reads one row more to know whether there
// are more.
func page[T any](limit int, read func(limit int) ([]T, error)) (rows []T, more bool, err error) {
	found, err := read(limit + 1)
	if err != nil {
		return nil, false, err
	}
	return append([]T{}, found[:min(len(found), limit)]...), len(found) > limit, nil
}
