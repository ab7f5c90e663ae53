package workflows_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// balances compares the balances of a merchant.
func (s *shop) balances(merchant string) contract.ReconcileBalancesResult {
	s.t.Helper()
	env := environment()
	env.SetStartTime(s.now())
	s.follow(env.Now)
	workflows.Register(env)
	env.RegisterActivity(s.activity)
	env.RegisterActivity(s.ours)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "reconcile-balances"})
	env.ExecuteWorkflow(contract.ReconcileBalancesType, contract.ReconcileBalancesInput{Merchants: []string{merchant}})
	at := env.Now()
	s.follow(func() time.Time { return at })
	require.True(s.t, env.IsWorkflowCompleted())
	require.NoError(s.t, env.GetWorkflowError())
	var result contract.ReconcileBalancesResult
	require.NoError(s.t, env.GetWorkflowResult(&result))
	return result
}

// A merchant that nobody knows ends the comparison at once, and the report names it. One
// that another worker knows is tried for a bounded time.
func TestReconcileUnknownMerchant(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	const stranger = "M9999999999"
	start := s.now()
	require.Equal(t, contract.ReconcileBalancesResult{
		Unreachable: []string{stranger}, Unknown: []string{stranger},
		Problems: map[string]string{stranger: "merchant M9999999999 is not configured, and no worker has recorded it"},
	}, s.balances(stranger))
	require.Less(t, s.now().Sub(start), time.Minute)

	require.NoError(t, s.books.RecordKnown(t.Context(), ledger.Known{Merchants: map[string]string{stranger: "PK"}}))
	start = s.now()
	result := s.balances(stranger)
	require.Equal(t, []string{stranger}, result.Unreachable)
	require.Empty(t, result.Unknown)
	require.Contains(t, result.Problems[stranger], "is not configured on this worker")
	require.Less(t, s.now().Sub(start), 20*time.Minute)
}

// submitted is an order that the gateway has and has not decided.
func (s *shop) submitted(kind order.Kind, merchant, number string) order.Order {
	s.t.Helper()
	r := s.request(kind, merchant, number, "stuck")
	_, opening, err := s.books.OpenOrder(s.t.Context(), r, ledger.Terms{})
	require.NoError(s.t, err)
	require.Equal(s.t, ledger.Opened, opening)
	_, err = runActivity(s.activity.Submit, r.Key())
	require.NoError(s.t, err)
	o, err := s.books.Order(s.t.Context(), r.Key())
	require.NoError(s.t, err)
	require.Equal(s.t, order.Submitted, o.State)
	return o
}

// pays has the gateway pay an order, and the ledger hear of it.
func (s *shop) pays(o order.Order) {
	booked, err := s.gateway.Move(o.Merchant, o.Number, tarspay.StateSucceeded, "")
	if err == nil {
		_, err = s.books.Settle(s.t.Context(), o.Key(), rules.Finding{
			Source: rules.FromCallback, Verdict: rules.Paid, GatewayID: o.GatewayID, Paid: o.Amount, Fee: booked.Fee, Evidence: "callback of " + o.Number,
		})
	}
	if err != nil {
		s.t.Errorf("pay %s: %s", o.Number, err)
	}
}

// A merchant whose orders end between the gateway's answer and the look at the
// books does not drift; what is really missing is found once a look is quiet.
func TestABusyMerchantDoesNotDrift(t *testing.T) {
	t.Parallel()
	s := openShop(t, tables.SQLite(t))
	var waiting []order.Order
	for i := range 12 {
		waiting = append(waiting, s.submitted(order.Withdrawal, vietnam, fmt.Sprint("busy-", i)))
	}
	var next atomic.Int64
	busy := func(r *http.Request, answer []byte) []byte {
		if n := int(next.Load()); r.URL.Path == tarspay.PathBalance && n < len(waiting) {
			next.Add(1)
			s.pays(waiting[n]) // after the answer
		}
		return answer
	}
	s.mu.Lock()
	s.tamper = busy
	s.mu.Unlock()
	result := s.balances(vietnam)
	require.Empty(t, result.Drifting)
	require.Greater(t, next.Load(), int64(1))
	last := result.Snapshots[0]
	require.Equal(t, order.Unsettled, last.Verdict)
	require.True(t, last.Drift.IsPositive(), "each look is off by the order that ended meanwhile")

	for next.Load() < int64(len(waiting)) { // until all is quiet
		s.pays(waiting[next.Add(1)-1])
	}
	require.Equal(t, order.Agreed, s.balances(vietnam).Snapshots[0].Verdict)

	_, err := s.gateway.Fund(vietnam, "2500", true) // the merchant took it out, and nobody has booked it
	require.NoError(t, err)
	result = s.balances(vietnam)
	require.Equal(t, []string{vietnam}, result.Drifting)
	require.Equal(t, "-2500", result.Snapshots[0].Drift.Short())
	all, err := s.books.Snapshots(t.Context(), vietnam, 2)
	require.NoError(t, err)
	require.Equal(t, []order.Agreement{order.Drifting, order.Unsettled}, []order.Agreement{all[0].Verdict, all[1].Verdict}, "two looks show it")
}

// What was never sent explains no difference, however much of it there is.
func TestUnsentOrdersExplainNoDrift(t *testing.T) {
	t.Parallel()
	s := openShop(t, tables.SQLite(t))
	for i := range 5 {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			r := s.request(kind, vietnam, fmt.Sprint(kind, "-", i), "success")
			_, _, err := s.books.OpenOrder(t.Context(), r, ledger.Terms{})
			require.NoError(t, err)
		}
	}
	for _, out := range []bool{true, false} {
		_, err := s.gateway.Fund(vietnam, "2500", out)
		require.NoError(t, err)
		result := s.balances(vietnam)
		if out {
			require.Equal(t, []string{vietnam}, result.Drifting)
			continue
		}
		require.Empty(t, result.Drifting)
		require.Equal(t, order.Agreed, result.Snapshots[0].Verdict, "it came back")
	}
}
