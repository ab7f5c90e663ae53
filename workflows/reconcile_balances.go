package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A difference may be an order caught between the gateway's books and ours.
// It counts only when two looks, one after the other, show the same; a look
// during which something is booked shows nothing.
const (
	looks      = 5
	secondLook = 5 * time.Second
)

// ReconcileBalances compares what the ledger says of each merchant's money
// with what the gateway says, stores both, and reports the difference, merchant
// by merchant as each answers. It runs on a schedule and on demand.
func ReconcileBalances(ctx workflow.Context, input contract.ReconcileBalancesInput) (contract.ReconcileBalancesResult, error) {
	merchants := input.Merchants
	if len(merchants) == 0 {
		err := workflow.ExecuteLocalActivity(forLedger(ctx, "list merchants"), books.Merchants).Get(ctx, &merchants)
		if err != nil {
			return contract.ReconcileBalancesResult{}, err
		}
	}
	merchants = slices.Compact(slices.Sorted(slices.Values(merchants)))
	looked := make([]*balanceLooked, len(merchants))
	err := sideBySide(ctx, len(merchants), func(ctx workflow.Context, i int) error {
		snapshot, err := lookAtBalance(ctx, merchants[i])
		if err != nil {
			workflow.GetLogger(ctx).Error("A balance could not be asked", "merchant", merchants[i], "error", err)
		}
		looked[i] = &balanceLooked{snapshot: snapshot, err: err}
		workflow.SetCurrentDetails(ctx, describeReconciliation(reportBalances(merchants, looked)))
		return err
	})
	return reportBalances(merchants, looked), err
}

// balanceLooked is what came of looking at a merchant's balance.
type balanceLooked struct {
	snapshot order.Snapshot
	err      error
}

// reportBalances tells of those that have been looked at, in the order of the
// merchants, whichever answered first.
func reportBalances(merchants []string, looked []*balanceLooked) contract.ReconcileBalancesResult {
	var result contract.ReconcileBalancesResult
	for i, look := range looked {
		switch {
		case look == nil: // under way
		case look.err != nil:
			result.Unreachable = append(result.Unreachable, merchants[i])
		default:
			result.Snapshots = append(result.Snapshots, look.snapshot)
			if look.snapshot.Verdict == order.Drifting {
				result.Drifting = append(result.Drifting, merchants[i])
			}
		}
	}
	return result
}

func lookAtBalance(ctx workflow.Context, merchant string) (order.Snapshot, error) {
	var snapshot order.Snapshot
	for look := range looks {
		if look > 0 {
			if err := workflow.Sleep(ctx, secondLook); err != nil {
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
		text += "| " + merchant + " | could not be asked | | | |\n"
	}
	return text
}
