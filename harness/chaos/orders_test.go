package chaos

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestPlanFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	requests := func(seed uint64) []order.Request {
		var all []order.Request
		for _, o := range plan(seed, 200, time.Minute) {
			require.NoError(t, o.request.Validate(nil), o.request.Number)
			all = append(all, o.request)
		}
		return all
	}
	once, again := requests(7), requests(7)
	require.Equal(t, once, again)
	require.NotEqual(t, once, requests(8))
}

func TestPlanHasAllKinds(t *testing.T) {
	t.Parallel()
	orders := plan(1, 500, time.Minute)
	habits, kinds, of := make(map[habit]int), make(map[order.Kind]int), make(map[string]int)
	for i, o := range orders {
		habits[o.habit]++
		kinds[o.request.Kind]++
		of[o.request.Merchant]++
		require.Less(t, o.due, time.Minute)
		require.True(t, i == 0 || o.due >= orders[i-1].due)
	}
	require.Len(t, habits, 3)
	require.Len(t, kinds, 2)
	require.Len(t, of, len(merchants))
}

// TestFaultsAreTheSandboxs demands that whatever a run asks the sandbox for is
// in its table, for the kind of order that it is asked for.
func TestFaultsAreTheSandboxs(t *testing.T) {
	t.Parallel()
	known := sandbox.FaultNames()
	for name := range faults {
		require.Contains(t, known, name)
	}
	directions := make(map[string][]tarspay.Direction)
	for _, s := range sandbox.Scenarios() {
		directions[s.Name] = s.Directions
	}
	for kind, lists := range scenarios {
		for _, list := range lists {
			for name := range strings.SplitSeq(list, ",") {
				name, _, _ = strings.Cut(name, ":")
				require.Contains(t, directions[name], kind.Direction(), "%s of a %s", name, kind)
			}
		}
	}
	// Where the gateway has no guard, what hides an order makes two of it.
	for _, lists := range scenarios {
		for _, list := range lists {
			require.NotContains(t, list, "hidden")
		}
	}
}

func TestStarterKnowsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	o := &started{}
	require.False(t, o.note(order.Refuse(client.CodeTemporalUnreachable, "away")))
	require.False(t, o.note(order.Refuse(client.CodeTemporalNotReady, "it cannot read its namespaces yet")))
	require.False(t, o.note(order.Refuse(client.CodeNoAnswer, "later")))
	require.False(t, o.note(order.Refuse(order.CodeOrderBusy, "it is being handed on")))
	acknowledged, problem := o.known()
	require.False(t, acknowledged)
	require.Empty(t, problem)
	require.True(t, o.note(nil))
	require.False(t, o.note(order.Refuse(order.CodeOrderConflict, "it is another one")))
	acknowledged, problem = o.known()
	require.True(t, acknowledged)
	require.Contains(t, problem, "it is another one")
}

func TestEveryBlowIsDealt(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	dealt := 0
	saved := make([]blow, 5)
	for i := range saved {
		saved[i] = func(*run, context.Context, *rand.Rand) { dealt |= 1 << i }
	}
	deal := dealer(saved)
	for range saved {
		deal(nil, t.Context(), random)
	}
	require.Equal(t, 1<<len(saved)-1, dealt)
	dealt = 0
	for range saved {
		deal(nil, t.Context(), random)
	}
	require.Equal(t, 1<<len(saved)-1, dealt, "and shuffled again")
}

func TestSpanIsKept(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		d := span{time.Second, 2 * time.Second}.draw(random)
		require.GreaterOrEqual(t, d, time.Second)
		require.LessOrEqual(t, d, 2*time.Second)
	}
}

// TestPointsThatFewDiedAtComeFirst has the points of a run drawn as it goes.
func TestPointsThatFewDiedAtComeFirst(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	r := &run{met: make(map[string]int)}
	for _, p := range points[atOnce:] {
		r.met[p.name] = 1
	}
	require.ElementsMatch(t, names(points[:atOnce]), names(r.leastMet(random)))
}

func names(some []point) []string {
	var all []string
	for _, p := range some {
		all = append(all, p.name)
	}
	return all
}
