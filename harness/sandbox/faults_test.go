package sandbox_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// run drives numbered withdrawals under a fault plan, each created up to three
// times and asked about, the way a client that is not sure would, and returns
// what became of each.
func run(t *testing.T, faults sandbox.Faults, numbers []int, parallel bool) map[int]string {
	t.Helper()
	b := setup(t, func(o *sandbox.Options) { o.Faults = faults })
	var mu sync.Mutex
	stories := make(map[int]string)
	one := func(n int) {
		client, number, told := b.client(t, pakistan), fmt.Sprintf("W-%d", n), ""
		for range 3 {
			_, err := client.CreateWithdrawal(t.Context(), withdrawal(number, "100", ""))
			told += string(tarspay.ClassOf(err)) + ";"
			_, err = client.QueryWithdrawal(t.Context(), tarspay.Reference{OrderNumber: number})
			told += string(tarspay.ClassOf(err)) + ";"
		}
		mu.Lock()
		defer mu.Unlock()
		stories[n] = told
	}
	var running sync.WaitGroup
	for _, n := range numbers {
		if parallel {
			running.Go(func() { one(n) })
		} else {
			one(n)
		}
	}
	running.Wait()
	b.gateway.Advance(72 * time.Hour)
	for _, n := range numbers {
		for _, o := range b.gateway.Orders(pakistan, fmt.Sprintf("W-%d", n)) {
			stories[n] += fmt.Sprintf("%s;%s;%d", o.Scenario, o.State, len(o.PaidAt))
		}
		for _, d := range b.gateway.Deliveries(pakistan, fmt.Sprintf("W-%d", n)) {
			stories[n] += fmt.Sprintf(";%s %s %d", d.Falsehood, d.State, len(d.Sends))
		}
	}
	b.clean(t)
	return stories
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	faults := sandbox.Faults{Seed: 7, Rates: sandbox.EveryFault(40)}
	forwards := run(t, faults, numbers(20), false)
	require.Equal(t, forwards, run(t, faults, numbers(20), false))

	backwards := numbers(20)
	slices.Reverse(backwards)
	require.Equal(t, forwards, run(t, faults, backwards, false), "the order of requests does not matter")
	require.Equal(t, forwards, run(t, faults, numbers(20), true), "nor does that they come at once")

	faults.Seed = 8
	require.NotEqual(t, forwards, run(t, faults, numbers(20), false))
}

func TestSwitchingAFaultOffLeavesTheOthers(t *testing.T) {
	t.Parallel()
	all := sandbox.Faults{Seed: 7, Rates: sandbox.EveryFault(40)}
	fewer := sandbox.Faults{Seed: 7, Rates: maps.Clone(all.Rates)}
	delete(fewer.Rates, "fail")
	with, without := run(t, all, numbers(40), false), run(t, fewer, numbers(40), false)
	changed := 0
	for n := range with {
		if with[n] != without[n] {
			changed++
			require.Contains(t, with[n], "fail")
		}
	}
	require.Positive(t, changed)
	require.Less(t, changed, 10)
}

func TestEveryFaultIsDrawn(t *testing.T) {
	t.Parallel()
	plain := run(t, sandbox.Faults{Seed: 1, Rates: map[string]int{"fail": 0}}, []int{1}, false)
	for _, name := range sandbox.FaultNames() {
		stories := run(t, sandbox.Faults{Seed: 1, Rates: map[string]int{name: 1000}}, []int{1}, false)
		onlyDeposits := !slices.ContainsFunc(sandbox.Scenarios(), func(s sandbox.Scenario) bool {
			return s.Name == name && slices.Contains(s.Directions, tarspay.DirectionWithdrawal)
		})
		invisible := slices.Contains([]string{"wrong-content-type", "wrong-sign", "text-state"}, name)
		if onlyDeposits || invisible && stories[1] == plain[1] {
			continue
		}
		require.NotEqual(t, plain[1], stories[1], name)
	}
}

func TestNamedScenariosAreLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) {
		o.Faults = sandbox.Faults{Rates: map[string]int{"fail": 1000, "lost-answer": 1000}}
	})
	_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", "success"))
	require.NoError(t, err)
	b.gateway.Advance(time.Minute)
	o, err := b.gateway.Order(pakistan, "W-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateSucceeded, o.State)
	require.NoError(t, b.gateway.SetFaults(sandbox.Faults{}))
	_, err = b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-2", "1500", ""))
	require.NoError(t, err, "the plan is over")
	require.ErrorContains(t, b.gateway.SetFaults(sandbox.Faults{Rates: map[string]int{"miracle": 1}}), `"miracle"`)
}
