// Package activities contains the Temporal activities: calls of the gateway
// (Gateway), writes to the ledger (Books) and reconciliation. It does not import
// package workflows.
package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Settings holds the settings of the activities. Package config documents each.
type Settings struct {
	Merchants         map[string]string // merchant number to ISO country
	Zones             map[string]string // merchant number to the IANA name of its time zone
	Limits            order.Limits      // our own upper limits of amounts, by currency
	NotifyURL         string            // where the gateway posts callbacks
	GatewayTimeout    time.Duration     // one HTTP call
	CallbackGrace     time.Duration     // wait for a callback before polling
	NotFoundGrace     time.Duration     // since the last attempt, before "not found" is proof
	PollLadder        config.Ladder     // between polls; the last one repeats
	RetryLadder       config.Ladder     // between attempts to find out an unknown create
	ReviewPoll        time.Duration     // between polls of an order in review
	WithdrawalHorizon time.Duration     // how long to look for proof before the order goes to review
	DepositHorizon    time.Duration
	BreakerProbe      time.Duration // between probes of a merchant whose every call is refused
	ConfirmAll        bool          // confirm every callback by a query, not only failures

	// Verifier verifies callbacks of the inbox. One that it does not verify is confirmed by a
	// query; nil: every one.
	Verifier *tarspay.Verifier

	Fees map[string]config.WithdrawalFee // by merchant: the fee on top of withdrawals; none for a merchant whose fee is not known

	Policy        *rules.Policy // which orders need an approval; nil: none
	WaitForFunds  bool          // a withdrawal that the balance does not cover waits for funds instead of failing
	FundsDeadline time.Duration // how long it waits

	Retention    time.Duration // since an order's end, before its personal data may be erased
	ErasuresFile string        // to which erasures are appended; empty: nothing is erased

	BatchWindow int                     // most orders of a batch that have not ended at once
	Payloads    converter.DataConverter // reads what Temporal stores of orders; nil: Temporal's own

	CheckpointFile string // to which checkpoints of the audit are appended; empty, or -: none

	ReconcileLag      time.Duration // how long after its end an order is compared
	ReconcileLookback time.Duration // how long after its end an order is queried again

	DiscrepancyReminder time.Duration // how long nobody has worked on a discrepancy before a reminder

	// Ask has the workflow of an open order query the gateway now. answered is false if the
	// workflow did not answer in time. nil: no workflow is asked.
	Ask func(ctx context.Context, key order.Key, poll order.Poll) (answered bool, err error)
}

// attemptMargin is the time that one attempt may need in addition to its gateway
// calls.
const attemptMargin = 10 * time.Second

// longestAttempt is the longest attempt of any worker, whatever its settings are.
const longestAttempt = 3*config.MaxGatewayTimeout + attemptMargin

// terms returns the policy, the deadlines and the expected fee that are recorded with a
// new order.
func (s Settings) terms(request order.Request) ledger.Terms {
	horizon := s.WithdrawalHorizon
	if request.Kind == order.Deposit {
		horizon = s.DepositHorizon
	}
	return ledger.Terms{
		Policy: s.Policy, WaitForFunds: s.WaitForFunds, FundsDeadline: s.FundsDeadline, Horizon: horizon, ExpectedFee: s.expectedFee(request),
	}
}

// expectedFee returns the fee on top of a withdrawal; the zero Amount if none is known.
func (s Settings) expectedFee(request order.Request) money.Amount {
	fee, known := s.Fees[request.Merchant]
	profile, found := tarspay.Country(request.Country)
	if !known || !found || request.Kind != order.Withdrawal {
		return money.Amount{}
	}
	return fee.Of(request.Amount, profile.Step())
}

// horizon returns the recorded horizon. An older order without one has the current
// setting.
func (s Settings) horizon(row order.Order) time.Duration {
	if row.Horizon > 0 {
		return row.Horizon
	}
	return s.terms(row.Request).Horizon
}

// fundsBefore returns the recorded deadline for funds. An older order without one
// has the current setting. For an order that does not wait for funds the deadline
// is its creation, so that it ends after the next query.
func (s Settings) fundsBefore(row order.Order) time.Time {
	if !row.WaitsForFunds {
		return row.CreatedAt
	}
	if !row.FundsBefore.IsZero() {
		return row.FundsBefore
	}
	return row.CreatedAt.Add(s.FundsDeadline)
}

// CallsPerOrderAttempt is the maximum of gateway calls that one attempt for an
// order makes: a query, a balance query and a create. The rate limit of the
// attempts' queue is the limit of calls divided by this.
const CallsPerOrderAttempt = 3

// attempt returns the timeout of one activity attempt: a query, a balance query
// and a create, one after the other, and the ledger. It is longer than all HTTP
// calls together, so that two attempts never overlap.
func (s Settings) attempt() time.Duration {
	return CallsPerOrderAttempt*s.GatewayTimeout + attemptMargin
}

// otherWorkerWait is the maximum of the pause before an attempt that another
// worker should take.
const otherWorkerWait = 15 * time.Second

// otherWorkerPause returns the pause before an attempt that another worker should
// take. The next worker that polls may have what this one lacks.
func (s Settings) otherWorkerPause(ctx context.Context) time.Duration {
	return min(s.RetryLadder.Step(int(activity.GetInfo(ctx).Attempt)), otherWorkerWait)
}
