package workflows

import (
	"math"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// Every timeout and retry policy of the house, each with its reason.
const (
	// A ledger write takes milliseconds; ten seconds without an answer means
	// that the connection is gone and a new one should be tried.
	ledgerAttempt = 10 * time.Second
	// The database may be away for as long as it takes: an order waits. After an
	// hour it says so, and tries again (write).
	ledgerPatience = time.Hour
	// Whoever acts on an order waits for the answer, and can ask again.
	actionPatience = 5 * time.Minute
	// Long waits between ledger attempts cost a timer each, short ones a
	// workflow task kept alive; a minute keeps an hour's outage cheap.
	ledgerBackoff = time.Minute
	// A balance has no horizon of its own; a reconciliation that cannot reach
	// the gateway for this long is over, and the schedule starts the next.
	balancePatience = 15 * time.Minute
	// A day of a very large merchant takes hours to ask about, one call after the
	// other.
	windowPatience = 72 * time.Hour
	// An attempt makes fifty calls, each of which takes half a minute at worst.
	// One that has died is noticed by its heartbeat.
	transactionsAttempt   = time.Hour
	transactionsHeartbeat = time.Minute
	// The longest that one question to the gateway may take when no plan says
	// so: the longest timeout that a call may be given, and the ledger.
	balanceAttempt = 35 * time.Second
	// What could not be booked, or was refused by the table of moves, is not tried
	// again at once: a person has to look, and the gateway is asked now and then.
	rest = time.Hour
	// No limit on attempts. Temporal's word for that is 0, which its test
	// environment takes for ten.
	unlimited = math.MaxInt32
)

// forLedger are the options of a local activity that writes the ledger.
func forLedger(ctx workflow.Context, summary string) workflow.Context {
	return inLedger(ctx, summary, ledgerPatience)
}

// forAction are those of one that acts for somebody who waits.
func forAction(ctx workflow.Context, summary string) workflow.Context {
	return inLedger(ctx, summary, actionPatience)
}

func inLedger(ctx workflow.Context, summary string, patience time.Duration) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    ledgerAttempt,
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

// forGateway are the options of a gateway call. The attempt is longer than
// all its HTTP calls, so that two attempts never overlap; there is no limit
// on attempts, because giving up is a decision of the workflow (patience) and
// never of a counter. The activity chooses the wait before the next attempt
// itself; the policy here is for faults of our own.
func forGateway(ctx workflow.Context, summary string, attempt, patience time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              contract.GatewayQueue,
		StartToCloseTimeout:    attempt,
		ScheduleToCloseTimeout: patience, // zero: for ever
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    unlimited,
		},
		Summary: summary,
	})
}

// forTransactions are the options of an activity that makes very many calls: an
// attempt makes some, and its heartbeat says where the next one goes on.
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

// forAnyWorker are the options of an activity that writes the ledger on whichever
// worker asks for work, attempt by attempt, for as long as it takes.
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

// forBooks are the options of an activity that looks into the ledger for as
// long as it takes: each look is an attempt, or reports that it is alive.
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
