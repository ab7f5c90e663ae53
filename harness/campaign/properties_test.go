package campaign_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/campaign"
	"github.com/tarspay-payouts/orchestrator/order"
)

// These tests check the properties of docs/safety.md on crowds of random orders, with a
// gateway that injects every fault. A failure names its seed. TEST_SEED=n runs one seed
// only.

// crowds are the runs that are checked for P1 to P6.
var crowds = []struct {
	seed   uint64
	strict bool // the gateway takes a number twice: only we keep it from paying twice
}{{1, false}, {2, true}}

// crowdOrders is the number of orders of each crowd.
const crowdOrders = 150

var reports = make([]struct {
	once sync.Once
	campaign.Report
	err error
}, len(crowds))

// holdsInCrowds requires a property in every crowd. Each crowd is run once for all
// properties.
func holdsInCrowds(t *testing.T, property string) {
	t.Helper()
	t.Parallel()
	for i := range crowds {
		t.Run(strconv.FormatUint(crowds[i].seed, 10), func(t *testing.T) {
			t.Parallel()
			report := ofCrowd(t, i)
			require.Equal(t, crowdOrders, report.Orders)
			require.Empty(t, of(report.Violations, property, "P0", "P7"))
		})
	}
}

// ofCrowd returns the report of crowd i.
func ofCrowd(t *testing.T, i int) campaign.Report {
	t.Helper()
	own, told := seed(t, crowds[i].seed), &reports[i]
	told.once.Do(func() {
		told.Report, told.err = campaign.Run(context.WithoutCancel(t.Context()), campaign.Crowd(own, crowdOrders, crowds[i].strict))
	})
	require.NoError(t, told.err)
	return told.Report
}

// of returns the violations of some properties.
func of(all []campaign.Violation, properties ...string) []string {
	var found []string
	for _, v := range all {
		if slices.Contains(properties, v.Property) {
			found = append(found, v.String())
		}
	}
	return found
}

// seed returns the run's seed, or TEST_SEED. It is logged if the test fails.
func seed(t *testing.T, own uint64) uint64 {
	t.Helper()
	if asked, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		own = asked
	}
	t.Logf("TEST_SEED=%d", own)
	return own
}

// P1: for each order number the gateway has at most one order that moves money, and none
// for an order that we refused.
func TestP1OneOrderAtMost(t *testing.T) { holdsInCrowds(t, "P1") }

// P2: our order is succeeded if and only if the gateway's order is paid. If ours ended
// unpaid, the gateway's is not paid, and no create of ours can still make it paid.
func TestP2OursIsTheirs(t *testing.T) { holdsInCrowds(t, "P2") }

// P3: every terminal state has its proof on record.
func TestP3ProofOfEveryEnd(t *testing.T) { holdsInCrowds(t, "P3") }

// P4: states change only as the state table allows; a terminal state changes only to
// refunded.
func TestP4AlongTheTable(t *testing.T) { holdsInCrowds(t, "P4") }

// P5: transfers sum to zero; no reservation remains after its order ended; at the end,
// available and in_flight equal the gateway's available and frozen balance.
func TestP5MoneyAddsUp(t *testing.T) { holdsInCrowds(t, "P5") }

// P6: if the gateway's faults stop, every order ends or waits for a person within a bounded
// time, and at the end of the world every order has ended.
func TestP6EveryOrderEnds(t *testing.T) { holdsInCrowds(t, "P6") }

// P10: comparisons report the differences that exist, and no others.
func TestP10ComparedAsItIs(t *testing.T) { holdsInCrowds(t, "P10") }

// P13: no message, answer or setting makes an order's workflow fail or leaves it stuck.
func TestP13NothingStands(t *testing.T) { holdsInCrowds(t, "P13") }

// P7: genuine callbacks in any number and order give the same final state and the same
// transfers. At least one of them reports the last state; the create may be answered or
// not.
func TestP7CallbacksInAnyOrder(t *testing.T) {
	t.Parallel()
	const each = 15
	report, err := campaign.Run(t.Context(), campaign.Stories(seed(t, 7), each))
	require.NoError(t, err)
	require.Empty(t, report.Violations)
	require.Equal(t, map[order.State]int{
		order.Succeeded: 2 * each, order.Failed: 3 * each, order.Refunded: 2 * each, order.PartiallyPaid: each,
	}, counts(report))
}

// P7: a callback that does not verify increments a counter and changes nothing else. A
// callback that verifies, but differs from its order or is not confirmed by a query, changes
// neither state nor money.
func TestP7FalseCallbacksChangeNothing(t *testing.T) {
	t.Parallel()
	report, err := campaign.Run(t.Context(), campaign.Forgeries())
	require.NoError(t, err)
	require.Empty(t, report.Violations)
	require.GreaterOrEqual(t, report.Faults, 8*13, "thirteen forgeries about each of eight orders")
	require.Equal(t, map[order.State]int{order.Succeeded: 4, order.Failed: 2, order.Refunded: 2}, counts(report))
}

// counts returns how many orders ended in each state.
func counts(report campaign.Report) map[order.State]int {
	ended := make(map[order.State]int)
	for _, state := range report.Ends {
		ended[state]++
	}
	return ended
}

// A crowd has hundreds of faults, and its orders reach every terminal state.
func TestACrowdSeesEverything(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_SEED") != "" {
		t.Skip("another crowd may see less")
	}
	report := ofCrowd(t, 0)
	require.Greater(t, report.Faults, 300)
	ended := counts(report)
	for _, state := range order.States() {
		if state.Terminal() {
			require.Positive(t, ended[state], state)
		}
	}
}
