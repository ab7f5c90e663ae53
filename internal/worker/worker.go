// Package worker registers the workflows and activities on their task queues, and
// prepares the Temporal namespace. cmd/worker, the tests and the benchmarks share it.
//
// It only connects other packages: it decides nothing about orders or money, and
// knows neither flags, nor signals of the process, nor the sandbox.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/worker"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// Worker polls all task queues.
type Worker struct {
	payouts      *poller // workflows, and the ledger writes that run with them
	gateway      *poller // gateway calls, rate limited
	transactions *poller // those that compare transactions, likewise
}

// Rates are the most calls to the gateway per second, of all workers together. The
// Temporal server limits attempts, not calls. Each queue's limit of attempts is
// therefore the rate divided by the most calls that one attempt makes.
type Rates struct {
	Gateway      int // for orders
	Transactions int // for comparing transactions
}

// attempts returns the maximum of attempts per second for each queue.
func (r Rates) attempts() (gateway, transactions float64) {
	return float64(r.Gateway) / activities.CallsPerOrderAttempt, float64(r.Transactions) / activities.CallsPerAttempt
}

// drain is how long a stop waits beyond the longest attempt.
const drain = 5 * time.Second

// New returns a worker whose activities use the ledger and the gateway's clients.
// The keys of clients are merchant numbers.
func New(
	c client.Client, log *slog.Logger, l *ledger.Ledger, clients map[string]*tarspay.Client, settings activities.Settings, rates Rates,
) *Worker {
	payouts := newPayouts(c, log, l, settings, orderOptions())
	settings.Ask = askOrders(c)
	calls := activities.NewGateway(clients, l, settings)
	asks := func(queue string, perSecond float64, patience time.Duration) *poller {
		return &poller{queue: queue, log: log, build: func(fatal func(error)) sdk.Worker {
			w := sdk.New(c, queue, sdk.Options{
				WorkerStopTimeout:            patience + drain,
				TaskQueueActivitiesPerSecond: perSecond,
				DisableWorkflowWorker:        true,
				DisableRegistrationAliasing:  true,
				OnFatalError:                 fatal,
			})
			w.RegisterActivity(calls)
			return w
		}}
	}
	gatewayAttempts, transactionAttempts := rates.attempts()
	return &Worker{
		payouts: payouts,
		// An attempt that runs when the worker stops gets the time for its calls: a
		// query, a balance and the create.
		gateway:      asks(contract.GatewayQueue, gatewayAttempts, activities.CallsPerOrderAttempt*settings.GatewayTimeout),
		transactions: asks(contract.TransactionsQueue, transactionAttempts, settings.GatewayTimeout),
	}
}

// newPayouts returns what runs workflows, and the ledger writes that run with them.
func newPayouts(c client.Client, log *slog.Logger, l *ledger.Ledger, settings activities.Settings, options sdk.Options) *poller {
	l.SetErasing(erasing(c, settings))
	l.SetZones(settings.Zones)
	l.SetTwoPersonClose(settings.Policy.TwoPersonClose)
	books := activities.NewBooks(l, settings)
	return &poller{queue: contract.Queue, log: log, build: func(fatal func(error)) sdk.Worker {
		options.OnFatalError = fatal
		w := sdk.New(c, contract.Queue, options)
		workflows.Register(w)
		w.RegisterActivity(books)
		return w
	}}
}

// orderOptions returns the options of the worker that runs workflows. A panic or a
// determinism error is a bug of ours. It fails the workflow task, which the server
// repeats until a corrected worker runs, and never the order.
func orderOptions() sdk.Options {
	return sdk.Options{
		WorkerStopTimeout:           drain,
		DisableRegistrationAliasing: true,
		WorkflowPanicPolicy:         sdk.BlockWorkflow,
	}
}

// Start begins to poll and returns.
func (w *Worker) Start() {
	for _, p := range w.pollers() {
		p.start()
	}
}

// Stop accepts no more tasks and waits for running ones. Workflows stop last.
func (w *Worker) Stop() {
	for _, p := range w.pollers() {
		p.stop()
	}
}

func (w *Worker) pollers() []*poller { return []*poller{w.transactions, w.gateway, w.payouts} }

// Check returns the readiness check. A worker is ready if it polls every queue.
func (w *Worker) Check() telemetry.Check {
	return telemetry.Check{Name: "queues", Required: true, Try: func(context.Context) error {
		for _, p := range w.pollers() {
			if !p.polling.Load() {
				return fmt.Errorf("%s is not polled: see the log", p.queue)
			}
		}
		return nil
	}}
}

// CodePolicy is the stable code of an invalid approval policy: a mistake in the
// file, or limits that contradict each other.
const CodePolicy = "POLICY_INVALID"

// Settings returns the activities' settings from the configuration.
//
// The error is that of the approval policy, with file and line.
func Settings(c config.Worker) (activities.Settings, error) {
	policy, err := readPolicy(c.PolicyFile, c.AllowInsecure)
	if err != nil {
		return activities.Settings{}, fmt.Errorf("%s: PAYOUTS_POLICY_FILE: %w", CodePolicy, err)
	}
	encryption, err := codec.FromSettings(c.KeyRing())
	if err != nil {
		return activities.Settings{}, err
	}
	verifier, err := tarspay.NewVerifier(c.GatewayPublicKey...)
	if err != nil {
		return activities.Settings{}, fmt.Errorf("PAYOUTS_GATEWAY_PUBLIC_KEY: %w", err)
	}
	merchants := make(map[string]string, len(c.Merchants))
	zones := make(map[string]string, len(c.Merchants))
	for _, merchant := range c.Merchants {
		merchants[merchant.Number] = merchant.Country
		if profile, known := tarspay.Country(merchant.Country); known {
			zones[merchant.Number] = merchant.ZoneOr(profile.TimeZone).String()
		}
	}
	return activities.Settings{
		Merchants:         merchants,
		Zones:             zones,
		Limits:            order.Limits(c.MaxAmount),
		Fees:              c.WithdrawalFees,
		NotifyURL:         c.NotifyURL,
		GatewayTimeout:    c.GatewayTimeout,
		CallbackGrace:     c.CallbackGrace,
		NotFoundGrace:     c.NotFoundGrace,
		PollLadder:        c.PollLadder,
		RetryLadder:       c.RetryLadder,
		ReviewPoll:        c.ReviewPoll,
		WithdrawalHorizon: c.WithdrawalHorizon,
		DepositHorizon:    c.DepositHorizon,
		BreakerProbe:      c.BreakerProbe,
		ConfirmAll:        c.Confirm == config.ConfirmAlways,
		Verifier:          verifier,
		Policy:            policy,
		WaitForFunds:      c.ShortBalance == config.ShortBalanceWait,
		FundsDeadline:     c.FundsDeadline,
		Retention:         c.PersonalDataRetention,
		ErasuresFile:      c.ErasuresFile,
		CheckpointFile:    c.CheckpointFile,
		BatchWindow:       c.BatchWindow,
		Payloads:          encryption.Converter(),
		ReconcileLag:      c.ReconcileLag,
		ReconcileLookback: c.ReconcileLookback,

		DiscrepancyReminder: c.DiscrepancyReminder,
	}, nil
}

// CheckFees refuses a fee in another currency than that of the merchant's country.
func CheckFees(c config.Worker) error {
	for _, merchant := range c.Merchants {
		fee, set := c.WithdrawalFees[merchant.Number]
		profile, known := tarspay.Country(merchant.Country)
		if set && known && fee.Currency != profile.Currency {
			return fmt.Errorf("%s: PAYOUTS_WITHDRAWAL_FEES: the fee of merchant %s is in %s, and withdrawals in %s are in %s; write %[2]s:%[5]s:<fee>",
				config.CodeInvalid, merchant.Number, fee.Currency, merchant.Country, profile.Currency)
		}
	}
	return nil
}

// Introduce records what a worker starts with: its roster, its policy, and what it
// knows. It returns the check of the roster. See Authorize for keys.
func Introduce(
	ctx context.Context, log *slog.Logger, l *ledger.Ledger, c config.Worker, settings activities.Settings, keys *seal.Keys,
) (telemetry.Check, error) {
	authority, err := Authorize(ctx, log, l, c, keys)
	if err != nil {
		return authority, err
	}
	return authority, errors.Join(RecordPolicy(ctx, l, settings, nil), RecordKnown(ctx, l, settings))
}

// RecordPolicy records the approval policy of a worker that starts. If Settings
// refused the policy, it records that no worker started, and why.
func RecordPolicy(ctx context.Context, l *ledger.Ledger, settings activities.Settings, refused error) error {
	if refused != nil {
		text := strings.TrimPrefix(refused.Error(), CodePolicy+": ")
		return l.RecordPolicy(ctx, "", order.Refuse(CodePolicy, "%s", strings.ReplaceAll(text, "\n", "; ")))
	}
	return l.RecordPolicy(ctx, cmp.Or(settings.Policy.ID(), "none"), nil)
}

// recordPatience is how long a worker that refuses to start waits for the database to
// record the reason.
const recordPatience = 10 * time.Second

// RecordRefusal records in the ledger that Settings refused the approval policy, so that
// no worker starts. keys seal the entry.
func RecordRefusal(ctx context.Context, log *slog.Logger, settings config.Worker, keys *seal.Keys, refused error) {
	ctx, cancel := context.WithTimeout(ctx, recordPatience)
	defer cancel()
	books, err := boot.Migrate(ctx, log, settings.DatabaseURL, settings.AllowInsecure, ledger.SealWith(keys))
	if err == nil {
		defer func() { _ = books.Close() }()
		err = RecordPolicy(ctx, books, activities.Settings{}, refused)
	}
	if err != nil {
		log.Error("The refusal of the policy could not be recorded", "error", err)
	}
}

func readPolicy(file string, accepted config.Insecure) (*rules.Policy, error) {
	if file == "" {
		return nil, nil // without a policy no order needs an approval
	}
	text, err := config.ReadTrusted(file, accepted)
	if err != nil {
		return nil, err
	}
	return rules.ParsePolicy(text, file)
}
