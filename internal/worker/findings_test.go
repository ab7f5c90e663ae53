package worker

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Everybody with rights in the Temporal namespace can schedule the activity that books, or
// answer for the worker that asks the gateway. Only what a worker has sealed is booked.
func TestAFindingThatNoWorkerSealed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		o, _ := sealedOffice(t, url)
		acts := activities.NewBooks(o.Ledger, activities.Settings{})
		key, other := o.sent("W-1", "P1"), o.sent("W-2", "P2")
		paid := rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: "P1", Paid: rupees(t, "1500"), Fee: rupees(t, "15")}
		genuine, err := o.SealFinding(key, paid)
		require.NoError(t, err)
		of := func(change func(*rules.Finding)) rules.Finding {
			f := genuine
			change(&f)
			return f
		}
		ofOther, err := o.SealFinding(other, paid)
		require.NoError(t, err)
		before, err := o.Balances(t.Context(), "M1", "PKR")
		require.NoError(t, err)
		for name, forged := range map[string]rules.Finding{
			"no seal":             paid,
			"another order's":     ofOther,
			"failed":              of(func(f *rules.Finding) { f.Verdict = rules.Unpaid }),
			"another fee":         of(func(f *rules.Finding) { f.Fee = rupees(t, "1") }),
			"another gateway id":  of(func(f *rules.Finding) { f.GatewayID = "P9" }),
			"a callback's":        of(func(f *rules.Finding) { f.Source = rules.FromCallback }),
			"an operator's":       of(func(f *rules.Finding) { f.Source, f.By = rules.FromOperator, "amina" }),
			"in the name of one":  of(func(f *rules.Finding) { f.By = "amina" }),
			"a seal that is none": of(func(f *rules.Finding) { f.Seal = []byte("none") }),
		} {
			standing, err := acts.Settle(t.Context(), key, forged)
			require.NoError(t, err, name)
			require.Equal(t, order.Submitted, standing.State, name)
		}
		after, err := o.Balances(t.Context(), "M1", "PKR")
		require.NoError(t, err)
		require.Equal(t, before, after)
		entries, err := o.Audit(t.Context(), key)
		require.NoError(t, err)
		last := entries[len(entries)-1]
		require.True(t, last.Refused)
		require.Equal(t, codes.FindingUnproven, last.Reason.Code)

		// It passes through Temporal as JSON.
		text, err := json.Marshal(genuine)
		require.NoError(t, err)
		var read rules.Finding
		require.NoError(t, json.Unmarshal(text, &read))
		standing, err := acts.Settle(t.Context(), key, read)
		require.NoError(t, err)
		require.Equal(t, order.Succeeded, standing.State)
	})
}
