package payouts

import (
	"context"
	"time"

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
	report := TransactionReport{Merchants: []contract.MerchantTransactions{}, Unreachable: []string{}, WithoutHistory: []string{}}
	if err := s.checkMerchants(ctx, input.Merchants); err != nil {
		return report, err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return report, err
	}
	waiting, cancel := within(ctx, patience)
	defer cancel()
	result, err := orders.ReconcileTransactions(waiting, input)
	if err != nil {
		return report, late(waiting, err, "the comparison goes on; its report will be in Temporal, and what it finds is listed as discrepancies. Do a worker and the gateway answer?")
	}
	for _, m := range result.Merchants {
		m.Findings = append([]order.DiscrepancyCount{}, m.Findings...)
		report.Merchants = append(report.Merchants, m)
		if m.Problem != "" {
			report.Unreachable = append(report.Unreachable, m.Merchant)
		}
		if m.History == contract.HistoryNone {
			report.WithoutHistory = append(report.WithoutHistory, m.Merchant)
		}
	}
	return report, nil
}
