package payouts

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// BalanceReport compares balances. Its lists are never null.
type BalanceReport struct {
	Snapshots   []order.Snapshot  `json:"snapshots"`
	Drifting    []string          `json:"drifting"`           // merchants
	Unreachable []string          `json:"unreachable"`        // merchants whose balance could not be asked
	Problems    map[string]string `json:"problems,omitempty"` // why, by merchant
}

// ReconcileBalances compares the gateway's balances of merchants with the
// ledger's. No merchant means all configured merchants. The error is NO_ANSWER
// when the patience is over. The comparison then continues.
func (s *Service) ReconcileBalances(ctx context.Context, _ Actor, merchants []string, patience time.Duration) (BalanceReport, error) {
	if err := s.checkMerchants(ctx, merchants); err != nil {
		return BalanceReport{}, err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return BalanceReport{}, err
	}
	waiting, cancel := within(ctx, patience)
	defer cancel()
	result, err := orders.ReconcileBalances(waiting, merchants...)
	if err != nil {
		return BalanceReport{}, late(waiting, err, "the reconciliation is still under way; its report will be in Temporal. Do a worker and the gateway answer?")
	}
	if len(result.Unknown) > 0 {
		return BalanceReport{}, unknownMerchant(result.Unknown[0])
	}
	return BalanceReport{
		Snapshots:   append([]order.Snapshot{}, result.Snapshots...),
		Drifting:    append([]string{}, result.Drifting...),
		Unreachable: append([]string{}, result.Unreachable...),
		Problems:    result.Problems,
	}, nil
}

// TransactionSpan selects the transactions to compare.
type TransactionSpan = contract.ReconcileTransactionsInput

// TransactionReport compares transactions. Its lists are never null.
type TransactionReport struct {
	Merchants      []contract.MerchantTransactions `json:"merchants"`
	Unreachable    []string                        `json:"unreachable"`     // merchants that were not compared to the end
	WithoutHistory []string                        `json:"without_history"` // merchants of countries without a list of transactions
}

// Differs reports whether anything was found.
func (r TransactionReport) Differs() bool {
	for _, m := range r.Merchants {
		if len(m.Findings) > 0 {
			return true
		}
	}
	return false
}

// ReconcileTransactions compares every transaction with the gateway's record of
// it. It moves no money, but books refunds and late payments that the gateway
// confirms. The error is NO_ANSWER when the patience is over. The comparison then
// continues.
func (s *Service) ReconcileTransactions(
	ctx context.Context, _ Actor, input TransactionSpan, patience time.Duration,
) (TransactionReport, error) {
	if err := s.checkMerchants(ctx, input.Merchants); err != nil {
		return NewTransactionReport(nil), err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return NewTransactionReport(nil), err
	}
	waiting, cancel := within(ctx, patience)
	defer cancel()
	result, err := orders.ReconcileTransactions(waiting, input)
	if err != nil && waiting.Err() != nil {
		err = StillComparing()
	}
	return NewTransactionReport(result.Merchants), err
}

// StillComparing is the error of a comparison of transactions that was not waited for to
// its end.
func StillComparing() error {
	return order.Refuse(client.CodeNoAnswer, "the comparison goes on; its report will be in Temporal, and what it finds is listed as discrepancies. Do a worker and the gateway answer?")
}

// NewTransactionReport returns the report on merchants.
func NewTransactionReport(merchants []contract.MerchantTransactions) TransactionReport {
	report := TransactionReport{Merchants: []contract.MerchantTransactions{}, Unreachable: []string{}, WithoutHistory: []string{}}
	for _, m := range merchants {
		m.Findings = append([]order.DiscrepancyCount{}, m.Findings...)
		report.Merchants = append(report.Merchants, m)
		if m.Problem != "" {
			report.Unreachable = append(report.Unreachable, m.Merchant)
		}
		if m.History == contract.HistoryNone {
			report.WithoutHistory = append(report.WithoutHistory, m.Merchant)
		}
	}
	return report
}

// RunState says how a comparison of transactions stands.
type RunState string

// The states of a comparison of transactions.
const (
	RunUnderWay RunState = "running"
	RunDone     RunState = "done"   // it has a report
	RunBroken   RunState = "broken" // it has ended without a report
)

// TransactionsRun is a comparison of one merchant's transactions that nobody waits for.
type TransactionsRun struct {
	ID        string             `json:"id"`
	Merchant  string             `json:"merchant"`
	State     RunState           `json:"state"`
	StartedAt time.Time          `json:"started_at"`
	EndedAt   time.Time          `json:"ended_at,omitzero"`
	Existing  bool               `json:"existing,omitempty"` // it was under way before
	Report    *TransactionReport `json:"report,omitempty"`   // once it is done
}

// StartComparison starts a comparison of one merchant's transactions and does not wait for
// it. While one of the same span is under way, it is returned. The code is
// RECONCILIATION_UNDER_WAY if it is of another span.
func (s *Service) StartComparison(ctx context.Context, _ Actor, merchant string, from, to time.Time) (TransactionsRun, error) {
	if err := s.checkMerchants(ctx, []string{merchant}); err != nil {
		return TransactionsRun{}, err
	}
	return s.comparison(ctx, func(ctx context.Context, orders Orders) (client.TransactionsRun, error) {
		return orders.CompareTransactions(ctx, merchant, from, to)
	})
}

// Comparison returns how a comparison that was started with StartComparison stands, and its
// report. The code is RECONCILIATION_NOT_FOUND if there is none.
func (s *Service) Comparison(ctx context.Context, _ Actor, merchant, id string) (TransactionsRun, error) {
	return s.comparison(ctx, func(ctx context.Context, orders Orders) (client.TransactionsRun, error) {
		return orders.ComparedTransactions(ctx, merchant, id)
	})
}

func (s *Service) comparison(ctx context.Context, ask func(context.Context, Orders) (client.TransactionsRun, error)) (TransactionsRun, error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return TransactionsRun{}, err
	}
	asking, cancel := within(ctx, callTime)
	defer cancel()
	found, err := ask(asking, orders)
	if err != nil {
		return TransactionsRun{}, late(asking, err, "Temporal did not answer in time; ask again: a comparison under way is not started twice")
	}
	run := TransactionsRun{ID: found.RunID, Merchant: found.Merchant, State: RunUnderWay, StartedAt: found.StartedAt, EndedAt: found.EndedAt, Existing: found.Existing}
	switch {
	case found.Result != nil:
		report := NewTransactionReport(found.Result.Merchants)
		run.State, run.Report = RunDone, &report
	case !found.EndedAt.IsZero():
		run.State = RunBroken
	}
	return run, nil
}
