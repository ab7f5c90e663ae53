// Package activities is what workflows do to the world: gateway calls
// (Gateway), ledger writes (Books) and reconciliation. It knows no workflow
// code.
package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Settings are the knobs of the activities. Package config documents each.
type Settings struct {
	Merchants         map[string]string // merchant number to ISO country
	Limits            order.Limits      // the house's own upper bounds
	NotifyURL         string            // where the gateway posts callbacks
	GatewayTimeout    time.Duration     // one HTTP call
	CallbackGrace     time.Duration     // wait for a callback before polling
	NotFoundGrace     time.Duration     // since the last attempt, before "not found" is proof
	PollLadder        config.Ladder     // between polls; the last one repeats
	RetryLadder       config.Ladder     // between attempts to find out an unknown create
	ReviewPoll        time.Duration     // between polls of an order in review
	WithdrawalHorizon time.Duration     // look for proof this long, then ask a person
	DepositHorizon    time.Duration
	BreakerProbe      time.Duration // between probes of a merchant whose every call is refused
	ConfirmAll        bool          // ask the gateway about every callback, not only about failures

	Policy        *order.Policy // who must approve what; nil: nobody
	WaitForFunds  bool          // a withdrawal that the balance does not cover waits instead of failing
	FundsDeadline time.Duration // how long it waits

	ReconcileLag      time.Duration // transactions are compared so long after they ended
	ReconcileLookback time.Duration // orders are asked about again for so long after they ended
}

// attemptMargin is what one attempt may need beside its gateway calls.
const attemptMargin = 10 * time.Second

// longestAttempt bounds an attempt of any worker, whatever its settings are.
const longestAttempt = 3*config.MaxGatewayTimeout + attemptMargin

// terms are what a new order is opened on.
func (s Settings) terms(kind order.Kind) ledger.Terms {
	horizon := s.WithdrawalHorizon
	if kind == order.Deposit {
		horizon = s.DepositHorizon
	}
	return ledger.Terms{Policy: s.Policy, WaitForFunds: s.WaitForFunds, FundsDeadline: s.FundsDeadline, Horizon: horizon}
}

// horizon is on record; an order from before it was has today's.
func (s Settings) horizon(row order.Order) time.Duration {
	if row.Horizon > 0 {
		return row.Horizon
	}
	return s.terms(row.Kind).Horizon
}

// fundsBefore is on record; an order from before it was has today's. One that does
// not wait for funds waits only until the gateway is asked.
func (s Settings) fundsBefore(row order.Order) time.Time {
	if !row.WaitsForFunds {
		return row.CreatedAt
	}
	if !row.FundsBefore.IsZero() {
		return row.FundsBefore
	}
	return row.CreatedAt.Add(s.FundsDeadline)
}

// CallsPerOrderAttempt is the most calls that one attempt for an order makes: a
// query, a look at the balance and a create. The limit of the attempts' queue is
// the limit of calls divided by it.
const CallsPerOrderAttempt = 3

// attempt is the longest that one activity attempt may take: a query, a look
// at the balance and a create, one after the other, and the ledger. It is
// longer than all its HTTP calls together, so that two attempts never overlap.
func (s Settings) attempt() time.Duration {
	return CallsPerOrderAttempt*s.GatewayTimeout + attemptMargin
}

// otherWorkerWait bounds the wait before an attempt that another worker may take:
// the next one to ask for work may have what this one lacks.
const otherWorkerWait = 15 * time.Second

// otherWorker is the wait before such an attempt.
func (s Settings) otherWorker(ctx context.Context) time.Duration {
	return min(s.RetryLadder.Step(int(activity.GetInfo(ctx).Attempt)), otherWorkerWait)
}
