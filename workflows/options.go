package workflows

import (
	"math"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// Every timeout and retry policy of the workflows, each with its reason.
const (
	// A ledger write takes milliseconds; ten seconds without an answer means
	// that the connection is gone and a new one should be tried.
	ledgerAttempt = 10 * time.Second

	// A day of a million orders takes about fifteen seconds.
	dayAttempt = 2 * time.Minute
	// The database may be away for an unlimited time: the order waits. After an
	// hour the order shows the cause, and tries again (write).
	ledgerPatience = time.Hour
	// An operator waits for the answer of an action, and can ask again.
	actionPatience = 5 * time.Minute
	// A pause between ledger attempts that is longer than the workflow task costs
	// a timer event; a shorter one keeps the task alive by heartbeats. With one
	// minute, an outage of an hour adds few events.
	ledgerBackoff = time.Minute
	// A reconciliation that cannot reach the gateway for this long ends. The
	// schedule starts the next.
	balancePatience = 15 * time.Minute
	// The queries about one day of a very large merchant take hours, one call
	// after the other.
	windowPatience = 72 * time.Hour
	// An attempt makes fifty calls, each of which takes half a minute at worst.
	// The heartbeat timeout detects an attempt that has died.
	transactionsAttempt   = time.Hour
	transactionsHeartbeat = time.Minute
	// The longest that one query may take when no plan says so: the longest
	// timeout that can be configured for a call, plus the ledger.
	balanceAttempt = 35 * time.Second
	// When an answer could not be booked, or the state table refused it, a person
	// has to act. The next query waits for an hour.
	pauseAfterNoChange = time.Hour
	// A step of a batch starts some hundred orders, each of which takes milliseconds.
	// The heartbeat timeout detects a step whose worker has died.
	batchAttempt   = 5 * time.Minute
	batchHeartbeat = 20 * time.Second
	// No limit on attempts. Temporal uses 0 for that, but its test environment
	// treats 0 as ten.
	unlimited = math.MaxInt32
)

// forLedger sets the options of a local activity that writes the ledger.
func forLedger(ctx workflow.Context, summary string) workflow.Context {
	return inLedger(ctx, summary, ledgerPatience)
}

// forAction sets the options of a local activity that executes an operator's
// action. The operator waits for it, so it gives up earlier.
func forAction(ctx workflow.Context, summary string) workflow.Context {
	return inLedger(ctx, summary, actionPatience)
}

// forDay sets the options of a local activity that adds up a day, which may have
// millions of transfers.
func forDay(ctx workflow.Context, summary string) workflow.Context {
	return attempting(ctx, summary, dayAttempt, ledgerPatience)
}

func inLedger(ctx workflow.Context, summary string, patience time.Duration) workflow.Context {
	return attempting(ctx, summary, ledgerAttempt, patience)
}

func attempting(ctx workflow.Context, summary string, attempt, patience time.Duration) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    attempt,
		ScheduleToCloseTimeout: patience,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    ledgerBackoff,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}

// forGateway sets the options of an activity that calls the gateway.
//
// An attempt's timeout is longer than all its HTTP calls, so that two attempts
// never overlap. There is no limit on attempts: the workflow gives up by time
// (patience). The activity chooses the pause before the next attempt itself; the
// retry policy here is for unexpected errors.
func forGateway(ctx workflow.Context, summary string, attempt, patience time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              contract.GatewayQueue,
		StartToCloseTimeout:    attempt,
		ScheduleToCloseTimeout: patience, // zero: no limit
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}

// forTransactions sets the options of an activity that makes very many calls. Each
// attempt makes some of them; its heartbeat details say where the next attempt
// continues.
func forTransactions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              contract.TransactionsQueue,
		StartToCloseTimeout:    transactionsAttempt,
		ScheduleToCloseTimeout: windowPatience,
		HeartbeatTimeout:       transactionsHeartbeat,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}

// forAnyWorker sets the options of a ledger activity that any worker may run. It
// is retried without a limit.
func forAnyWorker(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: balanceAttempt,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}

// forBooks sets the options of an activity that reads the ledger until patience
// has passed. An attempt either returns quickly or sends heartbeats.
func forBooks(ctx workflow.Context, summary string, patience time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    patience,
		ScheduleToCloseTimeout: patience,
		HeartbeatTimeout:       balanceAttempt,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}

// forBatch sets the options of a step of a batch. It is retried without a limit.
func forBatch(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: batchAttempt,
		HeartbeatTimeout:    batchHeartbeat,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}
