package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// crowd is many merchants, some of whom the gateway does not answer.
type crowd struct {
	*testsuite.TestWorkflowEnvironment
	merchants []string
	silent    []string

	mu    sync.Mutex
	asked map[string]time.Duration // since the start, when each was asked first
}

func newCrowd(n int, silent ...string) *crowd {
	c := &crowd{TestWorkflowEnvironment: environment(), silent: silent, asked: make(map[string]time.Duration)}
	for i := range n {
		c.merchants = append(c.merchants, fmt.Sprintf("M%02d", i))
	}
	workflows.Register(c)
	c.RegisterActivity(gatewayActivities)
	c.RegisterActivity(bookActivities)
	return c
}

var (
	gatewayActivities *activities.Gateway
	bookActivities    *activities.Books
)

// answer is the gateway's: silence for a merchant is an error that is tried again.
func (c *crowd) answer(merchant string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, before := c.asked[merchant]; !before {
		c.asked[merchant] = c.Now().Sub(c.begun())
	}
	if !slices.Contains(c.silent, merchant) {
		return nil
	}
	return temporal.NewApplicationErrorWithOptions("no answer", activities.ErrorGateway, temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute})
}

func (c *crowd) begun() time.Time { return time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC) }

func (c *crowd) run(t *testing.T, workflow string, input, result any) {
	t.Helper()
	c.SetStartTime(c.begun())
	c.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "compare"})
	c.ExecuteWorkflow(workflow, input)
	require.True(t, c.IsWorkflowCompleted())
	require.NoError(t, c.GetWorkflowError())
	require.NoError(t, c.GetWorkflowResult(result))
}

// balances compares those of all.
func (c *crowd) balances(t *testing.T) (result contract.ReconcileBalancesResult) {
	t.Helper()
	c.OnActivity(bookActivities.Merchants, mock.Anything).Return(c.merchants, nil)
	c.OnActivity(gatewayActivities.TakeSnapshot, mock.Anything, mock.Anything).Return(func(_ context.Context, merchant string) (order.Snapshot, error) {
		return order.Snapshot{Merchant: merchant, Verdict: order.Agreed}, c.answer(merchant)
	})
	c.run(t, contract.ReconcileBalancesType, contract.ReconcileBalancesInput{}, &result)
	return result
}

// A merchant whom the gateway does not answer holds up none of the others.
func TestNobodyWaitsForAnUnreachableMerchant(t *testing.T) {
	t.Parallel()
	c := newCrowd(10, "M00", "M04")
	result := c.balances(t)
	require.Equal(t, []string{"M00", "M04"}, result.Unreachable)
	require.Len(t, c.asked, 10)
	for merchant, after := range c.asked {
		require.Less(t, after, time.Minute, merchant)
	}
	var compared []string
	for _, snapshot := range result.Snapshots {
		compared = append(compared, snapshot.Merchant)
	}
	require.Equal(t, []string{"M01", "M02", "M03", "M05", "M06", "M07", "M08", "M09"}, compared)
}

// Only so many are asked at once.
func TestAComparisonIsBounded(t *testing.T) {
	t.Parallel()
	c := newCrowd(40)
	c.silent = c.merchants
	result := c.balances(t)
	require.Equal(t, c.merchants, result.Unreachable)
	atOnce := make(map[time.Duration]int)
	for _, after := range c.asked {
		atOnce[after.Truncate(10*time.Minute)]++
	}
	require.Equal(t, map[time.Duration]int{0: 16, 10 * time.Minute: 16, 30 * time.Minute: 8}, atOnce)
}

// Transactions are compared side by side, too; what became of each merchant is
// in the report.
func TestNobodyWaitsForAnUnreachableMerchantsTransactions(t *testing.T) {
	t.Parallel()
	c := newCrowd(10, "M00")
	day := contract.ReconcileTransactionsInput{From: c.begun().Add(-24 * time.Hour), To: c.begun()}
	var spans []contract.TransactionSpan
	for _, merchant := range c.merchants {
		spans = append(spans, contract.TransactionSpan{Merchant: merchant, From: day.From, To: day.To, Again: day.To})
	}
	c.OnActivity(bookActivities.PlanTransactions, mock.Anything, mock.Anything).Return(spans, nil)
	c.OnActivity(gatewayActivities.AskAboutEnded, mock.Anything, mock.Anything).Return(
		func(_ context.Context, window activities.TransactionWindow) (contract.TransactionCounts, error) {
			return contract.TransactionCounts{Asked: 1}, c.answer(window.Merchant)
		})
	c.OnActivity(bookActivities.ReportUnmatched, mock.Anything, mock.Anything).Return(nil)
	c.OnActivity(bookActivities.CountFindings, mock.Anything, mock.Anything, mock.Anything).Return(nil, nil)
	var result contract.ReconcileTransactionsResult
	c.run(t, contract.ReconcileTransactionsType, day, &result)
	require.Len(t, c.asked, 10)
	for merchant, after := range c.asked {
		require.Less(t, after, time.Minute, merchant)
	}
	for i, m := range result.Merchants {
		require.Equal(t, c.merchants[i], m.Merchant)
		if m.Merchant == "M00" {
			require.Contains(t, m.Problem, "no answer")
			continue
		}
		require.Equal(t, []int{1, 1}, []int{m.Windows, m.Asked})
		require.Empty(t, m.Problem)
	}
}
