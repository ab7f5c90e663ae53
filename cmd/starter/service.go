package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/version"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Time limits. They are short because a person waits.
const (
	instructionsTime = 30 * time.Second // a deposit's instructions: a worker asks the gateway
	endTime          = 10 * time.Minute // --wait, unless --timeout says otherwise
	reconcileTime    = 2 * time.Minute  // a reconciliation of balances, likewise
	transactionsTime = time.Hour        // and of transactions: a call for each order
)

// connect returns the parts of the use cases for the settings.
type connect func(config.Starter) payouts.Parts

// useCases are the use cases that commands also have through the api. Those of
// *payouts.Service comment each.
type useCases interface {
	StartWithdrawal(ctx context.Context, actor payouts.Actor, request order.Request) (client.Started, error)
	StartDeposit(ctx context.Context, actor payouts.Actor, request order.Request, patience time.Duration) (payouts.Order, error)
	FirstAnswer(ctx context.Context, actor payouts.Actor, key order.Key) (answer payouts.Order, answered bool, err error)
	Await(ctx context.Context, actor payouts.Actor, key order.Key, patience time.Duration) (payouts.Order, error)
	Wait(ctx context.Context, actor payouts.Actor, key order.Key, patience time.Duration) (payouts.Order, error)
	Status(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Order, error)
	Owner(ctx context.Context, actor payouts.Actor, number string, booked bool) (order.Key, error)
	List(ctx context.Context, actor payouts.Actor, filter payouts.Filter) (payouts.List, error)
	EachOrder(ctx context.Context, actor payouts.Actor, filter payouts.OrderFilter) iter.Seq2[payouts.OrderRow, error]
	Queue(ctx context.Context, actor payouts.Actor, limit int) (payouts.QueuePage, error)
	Story(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Story, error)
	WorkflowKnows(ctx context.Context, actor payouts.Actor, key order.Key) string
	Audit(ctx context.Context, actor payouts.Actor, key order.Key) ([]payouts.AuditEntry, error)
	LastEventPlace(ctx context.Context, actor payouts.Actor) (payouts.EventPlace, error)
	Events(ctx context.Context, actor payouts.Actor, filter payouts.EventFilter, patience time.Duration) (payouts.EventPage, error)

	Approve(ctx context.Context, actor payouts.Actor, key order.Key, fingerprint, why string) (payouts.Order, error)
	Reject(ctx context.Context, actor payouts.Actor, key order.Key, why string) (payouts.Order, error)
	Cancel(ctx context.Context, actor payouts.Actor, key order.Key, why string) (payouts.Order, error)
	Resolve(ctx context.Context, actor payouts.Actor, key order.Key, resolution func(country string) (order.Resolution, error)) (payouts.Resolved, error)
	Poll(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Order, error)
	Adopt(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Adopted, error)
	Note(ctx context.Context, actor payouts.Actor, key order.Key, text string) (payouts.Order, error)
	ActSigned(ctx context.Context, signed envelope.Signed) (payouts.Order, error)

	PickOrders(ctx context.Context, actor payouts.Actor, keys []order.Key) (payouts.OrderList, error)
	PickWaiting(ctx context.Context, actor payouts.Actor, merchant string) (payouts.OrderList, error)
	PickBatch(ctx context.Context, actor payouts.Actor, id string, states ...payouts.RowState) (payouts.OrderList, error)
	PickUnsent(ctx context.Context, actor payouts.Actor, id string) (list payouts.OrderList, found bool, err error)
	ActOnList(ctx context.Context, actor payouts.Actor, list payouts.OrderList, a payouts.ListAction, told func(payouts.ListOutcome)) (payouts.ListReport, error)
	ActSignedOnList(ctx context.Context, list payouts.OrderList, signed envelope.Signed, told func(payouts.ListOutcome)) (payouts.ListReport, error)

	Balances(ctx context.Context, actor payouts.Actor, merchants []string) (balances []payouts.Balance, unopened []string, err error)
	DayReports(ctx context.Context, actor payouts.Actor, query payouts.DayQuery) (payouts.DayReports, error)
	ReconcileBalances(ctx context.Context, actor payouts.Actor, merchants []string, patience time.Duration) (payouts.BalanceReport, error)
	ReconcileTransactions(ctx context.Context, actor payouts.Actor, input payouts.TransactionSpan, patience time.Duration) (payouts.TransactionReport, error)
	Discrepancies(ctx context.Context, actor payouts.Actor, filter payouts.DiscrepancyFilter) (payouts.DiscrepancyPage, error)
	Discrepancy(ctx context.Context, actor payouts.Actor, id int64) (payouts.DiscrepancyStory, error)
	WorkDiscrepancy(ctx context.Context, actor payouts.Actor, work order.DiscrepancyWork, why string) (payouts.Discrepancy, error)
	CloseDiscrepancy(ctx context.Context, actor payouts.Actor, id int64, why string) (payouts.Discrepancy, error)

	BookDiscrepancy(ctx context.Context, actor payouts.Actor, id int64, why, evidence string) (payouts.Adjustment, error)
	Adjustments(ctx context.Context, actor payouts.Actor, filter payouts.AdjustmentFilter) (payouts.AdjustmentPage, error)
	ProposeAdjustment(ctx context.Context, actor payouts.Actor, p payouts.Proposal) (payouts.Adjustment, error)
	ConfirmAdjustment(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Adjustment, error)
	RejectAdjustment(ctx context.Context, actor payouts.Actor, key order.Key, why string) (payouts.Adjustment, error)
	Stop(ctx context.Context, actor payouts.Actor, scope order.StopScope, why string) (payouts.Stop, error)
	Resume(ctx context.Context, actor payouts.Actor, scope order.StopScope, why string) (payouts.Stop, error)
	SetCallbackAside(ctx context.Context, actor payouts.Actor, id, why string) (payouts.Callback, error)
	Erase(ctx context.Context, actor payouts.Actor, key order.Key, why string) (payouts.Erased, error)
	CloseDay(ctx context.Context, actor payouts.Actor, c payouts.Closing) (payouts.DayReport, error)

	Batch(ctx context.Context, actor payouts.Actor, id string) (payouts.Batch, error)
	Batches(ctx context.Context, actor payouts.Actor, filter payouts.BatchFilter) (payouts.BatchPage, error)
	BatchRows(ctx context.Context, actor payouts.Actor, id string, states []payouts.RowState, after, limit int) (payouts.BatchRowPage, error)
	PauseBatch(ctx context.Context, actor payouts.Actor, id, why string) (payouts.Batch, error)
	ResumeBatch(ctx context.Context, actor payouts.Actor, id, why string) (payouts.Batch, error)
	CancelBatch(ctx context.Context, actor payouts.Actor, id, why string) (payouts.Batch, error)

	Statement(ctx context.Context, actor payouts.Actor, id string) (payouts.Statement, error)
	Statements(ctx context.Context, actor payouts.Actor, filter payouts.StatementFilter) (payouts.StatementList, error)

	Webhooks(ctx context.Context, actor payouts.Actor) ([]payouts.Webhook, error)
	Webhook(ctx context.Context, actor payouts.Actor, id string) (payouts.WebhookStatus, error)
	CreateWebhook(ctx context.Context, actor payouts.Actor, made payouts.NewWebhook) (payouts.WebhookWithSecret, error)
	RotateWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.WebhookWithSecret, error)
	DisableWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.Webhook, error)
	EnableWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.Webhook, error)
	ReplayWebhook(ctx context.Context, actor payouts.Actor, id string, from payouts.WebhookReplay) (payouts.Webhook, error)
	TestWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.WebhookTested, error)
	WebhookDeliveries(ctx context.Context, actor payouts.Actor, filter payouts.WebhookDeliveryFilter) (payouts.WebhookDeliveryPage, error)
}

var (
	_ useCases = (*payouts.Service)(nil)
	_ useCases = (*apiclient.Client)(nil)
)

// useCases returns the use cases: those of the api if there is one, else with the
// settings of the environment. The error is that of the settings, or of the api.
func (s *starter) useCases() (useCases, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	if s.door != nil {
		return s.door, nil
	}
	return s.direct(settings), nil
}

// service returns the use cases for a command that the api does not have.
func (s *starter) service() (*payouts.Service, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	if s.door != nil {
		return nil, order.Refuse(apiclient.CodeNotThere, "the api does not have this command; run it without --api and PAYOUTS_API_ADDRESS, where the ledger and Temporal can be reached")
	}
	return s.direct(settings), nil
}

func (s *starter) direct(settings config.Starter) *payouts.Service {
	parts := s.connect(settings)
	parts.Merchants, parts.Access, parts.UnknownAlarm = settings.Merchants, settings.Access, settings.UnknownAlarm
	parts.Now, parts.Ask, parts.AskFor = s.now, payouts.AskStarter, payouts.AskStarterFor
	return payouts.New(parts)
}

// merchantsTime is how long the api may take to tell its merchants.
const merchantsTime = 10 * time.Second

// settings returns the settings of the environment. With an api, the merchants are those
// for which the api lets the caller act.
func (s *starter) settings() (config.Starter, error) {
	settings, err := s.load()
	if err != nil {
		return settings, err
	}
	s.signing = settings.Signing
	address := cmp.Or(s.api, settings.APIAddress)
	if address == "" {
		return settings, nil
	}
	if s.door == nil {
		token, err := settings.ReadAPIToken()
		if err != nil {
			return settings, err
		}
		s.door, err = apiclient.New(address, token.Reveal(), "starter/"+version.Read("starter").Version, s.now)
		if err != nil {
			return settings, err
		}
	}
	s.door.Claim(s.claimed)
	ctx, cancel := context.WithTimeout(context.Background(), merchantsTime)
	defer cancel()
	settings.Merchants, err = s.door.Merchants(ctx, s.self())
	return settings, err
}

// self returns the user as the actor of commands that only read.
func (s *starter) self() payouts.Actor { return payouts.Actor{Name: s.user} }

// flagged adds the names of flags to an *order.Invalid of a use case. It returns
// other errors unchanged.
func flagged(err error) error {
	var invalid *order.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	named := slices.Clone(invalid.Problems)
	for i, p := range named {
		if p.Code == payouts.CodeMissing && strings.HasPrefix(p.Message, p.Field+" is needed") {
			named[i].Message = "--" + p.Message
		}
	}
	return &order.Invalid{Problems: named}
}
