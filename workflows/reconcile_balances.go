package workflows

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A difference may be an order that one side has booked and the other has not yet.
// A difference is reported only if two comparisons in a row show the same one. A
// comparison during which the ledger books something does not count.
const (
	maxComparisons  = 5
	comparisonPause = 5 * time.Second
)

// ReconcileBalances compares each merchant's balance in the ledger with the
// gateway's, stores both, and reports the difference. The merchants are compared
// in parallel. It runs on a schedule and on demand.
func ReconcileBalances(ctx workflow.Context, input contract.ReconcileBalancesInput) (contract.ReconcileBalancesResult, error) {
	merchants := input.Merchants
	if len(merchants) == 0 {
		err := workflow.ExecuteLocalActivity(forLedger(ctx, "list merchants"), books.Merchants).Get(ctx, &merchants)
		if err != nil {
			return contract.ReconcileBalancesResult{}, err
		}
	}
	merchants = slices.Compact(slices.Sorted(slices.Values(merchants)))
	results := make([]*balanceResult, len(merchants))
	err := forEachParallel(ctx, len(merchants), func(ctx workflow.Context, i int) error {
		snapshot, err := compareBalance(ctx, merchants[i])
		if err != nil {
			workflow.GetLogger(ctx).Error("A balance could not be queried", "merchant", merchants[i], "error", err)
		}
		results[i] = &balanceResult{snapshot: snapshot, err: err}
		workflow.SetCurrentDetails(ctx, describeReconciliation(reportBalances(merchants, results)))
		return err
	})
	return reportBalances(merchants, results), err
}

// balanceResult is the result of comparing a merchant's balance.
type balanceResult struct {
	snapshot order.Snapshot
	err      error
}

// reportBalances returns the result for the merchants compared so far, in the
// order of the merchants.
func reportBalances(merchants []string, results []*balanceResult) contract.ReconcileBalancesResult {
	var result contract.ReconcileBalancesResult
	for i, compared := range results {
		switch {
		case compared == nil: // under way
		case compared.err != nil:
			result.Unreachable = append(result.Unreachable, merchants[i])
			var app *temporal.ApplicationError
			if errors.As(compared.err, &app) {
				if result.Problems == nil {
					result.Problems = make(map[string]string)
				}
				result.Problems[merchants[i]] = app.Message()
			}
			if isError(compared.err, order.CodeUnknownMerchant) {
				result.Unknown = append(result.Unknown, merchants[i])
			}
		default:
			result.Snapshots = append(result.Snapshots, compared.snapshot)
			if compared.snapshot.Verdict == order.Drifting {
				result.Drifting = append(result.Drifting, merchants[i])
			}
		}
	}
	return result
}

func compareBalance(ctx workflow.Context, merchant string) (order.Snapshot, error) {
	var snapshot order.Snapshot
	for try := range maxComparisons {
		if try > 0 {
			if err := workflow.Sleep(ctx, comparisonPause); err != nil {
				return snapshot, err
			}
		}
		asking := forGateway(ctx, "balance of "+merchant, balanceAttempt, balancePatience)
		err := workflow.ExecuteActivity(asking, gateway.TakeSnapshot, merchant).Get(ctx, &snapshot)
		if err != nil || snapshot.Verdict == order.Agreed || snapshot.Verdict == order.Drifting {
			return snapshot, err
		}
	}
	return snapshot, nil
}

func describeReconciliation(result contract.ReconcileBalancesResult) string {
	text := "| merchant | gateway | ledger | drift | verdict |\n|---|---|---|---|---|\n"
	for _, s := range result.Snapshots {
		text += "| " + s.Merchant + " | " + s.GatewayTotal().String() + " | " + s.LedgerTotal().String() + " | " +
			s.Drift.String() + " | " + string(s.Verdict) + " |\n"
	}
	for _, merchant := range result.Unreachable {
		why := "could not be queried: " + result.Problems[merchant]
		if slices.Contains(result.Unknown, merchant) {
			why = "is unknown (" + order.CodeUnknownMerchant + ")"
		}
		text += "| " + merchant + " | " + why + " | | | |\n"
	}
	return text
}
