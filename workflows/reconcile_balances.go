package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
)

// ReconcileBalancesInput says whose balances to compare.
type ReconcileBalancesInput struct {
	Merchants []string `json:"merchants,omitempty"` // empty: all that are configured
}

// ReconcileBalancesResult is the report: a snapshot per merchant.
type ReconcileBalancesResult struct {
	Snapshots   []activities.Snapshot `json:"snapshots"`
	Drifting    []string              `json:"drifting,omitempty"`    // merchants whose books differ from the gateway's
	Unreachable []string              `json:"unreachable,omitempty"` // merchants whose balance could not be asked
}

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
func ReconcileBalances(ctx workflow.Context, input ReconcileBalancesInput) (ReconcileBalancesResult, error) {
	merchants := input.Merchants
	if len(merchants) == 0 {
		err := workflow.ExecuteLocalActivity(forLedger(ctx, "list merchants"), books.Merchants).Get(ctx, &merchants)
		if err != nil {
			return ReconcileBalancesResult{}, err
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
	snapshot activities.Snapshot
	err      error
}

// reportBalances tells of those that have been looked at, in the order of the
// merchants, whichever answered first.
func reportBalances(merchants []string, looked []*balanceLooked) ReconcileBalancesResult {
	var result ReconcileBalancesResult
	for i, look := range looked {
		switch {
		case look == nil: // under way
		case look.err != nil:
			result.Unreachable = append(result.Unreachable, merchants[i])
		default:
			result.Snapshots = append(result.Snapshots, look.snapshot)
			if look.snapshot.Verdict == activities.Drifting {
				result.Drifting = append(result.Drifting, merchants[i])
			}
		}
	}
	return result
}

func lookAtBalance(ctx workflow.Context, merchant string) (activities.Snapshot, error) {
	var snapshot activities.Snapshot
	for look := range looks {
		if look > 0 {
			if err := workflow.Sleep(ctx, secondLook); err != nil {
				return snapshot, err
			}
		}
		asking := forGateway(ctx, "balance of "+merchant, balanceAttempt, balancePatience)
		err := workflow.ExecuteActivity(asking, gateway.TakeSnapshot, merchant).Get(ctx, &snapshot)
		if err != nil || snapshot.Verdict == activities.Agreed || snapshot.Verdict == activities.Drifting {
			return snapshot, err
		}
	}
	return snapshot, nil
}

func describeReconciliation(result ReconcileBalancesResult) string {
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
