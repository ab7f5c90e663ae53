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

// The properties of docs/safety.md, on crowds of random orders whose gateway
// does everything that it can do wrong. A failure names its seed; TEST_SEED=n
// runs that one alone.

// crowds are the runs that P1 to P6 look at.
var crowds = []struct {
	seed   uint64
	strict bool // the gateway takes a number twice: only we keep it from paying twice
}{{1, false}, {2, true}}

// crowdOrders is how many orders each of them has.
const crowdOrders = 150

var reports = make([]struct {
	once sync.Once
	campaign.Report
	err error
}, len(crowds))

// holdsInCrowds demands that a property holds in every crowd. Each lives once,
// for all properties.
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

// ofCrowd is the report of the i-th crowd.
func ofCrowd(t *testing.T, i int) campaign.Report {
	t.Helper()
	own, told := seed(t, crowds[i].seed), &reports[i]
	told.once.Do(func() {
		told.Report, told.err = campaign.Run(context.WithoutCancel(t.Context()), campaign.Crowd(own, crowdOrders, crowds[i].strict))
	})
	require.NoError(t, told.err)
	return told.Report
}

// of are the violations of some properties.
func of(all []campaign.Violation, properties ...string) []string {
	var found []string
	for _, v := range all {
		if slices.Contains(properties, v.Property) {
			found = append(found, v.String())
		}
	}
	return found
}

// seed is the run's own, or the one that is asked for. It is told when the
// test fails.
func seed(t *testing.T, own uint64) uint64 {
	t.Helper()
	if asked, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		own = asked
	}
	t.Logf("TEST_SEED=%d", own)
	return own
}

// P1: at most one order with effect in the gateway's book per order number,
// none for refused intents.
func TestP1OneOrderAtMost(t *testing.T) { holdsInCrowds(t, "P1") }

// P2: ours succeeded if and only if the gateway's book says paid; ours failed,
// rejected, cancelled or expired implies that the book says not paid and that
// it can no longer become paid through us.
func TestP2OursIsTheirs(t *testing.T) { holdsInCrowds(t, "P2") }

// P3: no terminal state without proof on record.
func TestP3ProofOfEveryEnd(t *testing.T) { holdsInCrowds(t, "P3") }

// P4: states only ever move along the table, and ends stick.
func TestP4AlongTheTable(t *testing.T) { holdsInCrowds(t, "P4") }

// P5: transfers sum to zero; no reservation outlives its order; once all is
// quiet, what is available and in flight is what the gateway's book has
// available and frozen.
func TestP5MoneyAddsUp(t *testing.T) { holdsInCrowds(t, "P5") }

// P6: when the gateway is honest in the end, every order has ended or waits for
// a person within a bound, and none waits when all is told.
func TestP6EveryOrderEnds(t *testing.T) { holdsInCrowds(t, "P6") }

// P10: comparing reports what the gateway's book bears out, and nothing else.
func TestP10ComparedAsItIs(t *testing.T) { holdsInCrowds(t, "P10") }

// P13: no message, answer or setting makes an order's workflow fail, or stand
// without a way on.
func TestP13NothingStands(t *testing.T) { holdsInCrowds(t, "P13") }

// P7: any multiset and ordering of genuine callbacks gives the same final
// state, and the same money. The last thing that the gateway has to say is
// among them; whatever else is, comes once or several times, in any order,
// whether or not the create was answered.
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

// P7: a callback that does not verify changes nothing but a counter; one that
// is signed and does not fit its order, or that no question confirms, moves
// neither state nor money.
func TestP7FalseCallbacksChangeNothing(t *testing.T) {
	t.Parallel()
	report, err := campaign.Run(t.Context(), campaign.Forgeries())
	require.NoError(t, err)
	require.Empty(t, report.Violations)
	require.GreaterOrEqual(t, report.Faults, 8*13, "thirteen forgeries about each of eight orders")
	require.Equal(t, map[order.State]int{order.Succeeded: 4, order.Failed: 2, order.Refunded: 2}, counts(report))
}

// counts is how many orders ended in each state.
func counts(report campaign.Report) map[order.State]int {
	ended := make(map[order.State]int)
	for _, state := range report.Ends {
		ended[state]++
	}
	return ended
}

// A crowd is worth its name: it meets hundreds of faults, and its orders end in
// every way there is.
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
