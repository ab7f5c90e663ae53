package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestScenesAreGoodRequestsAndKnownScenarios(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, s := range sandbox.Scenarios() {
		known[s.Name] = true
	}
	for _, s := range append(slices.Clone(scenes), fileScene) {
		request, err := s.request("DEMO-1", "M1700000001")
		require.NoError(t, err, s.shows)
		require.NoError(t, request.Validate(nil), s.shows)
		require.True(t, s.want.state.Terminal(), s.shows)
		if s.scenario == "" {
			continue
		}
		for part := range strings.SplitSeq(s.scenario, ",") {
			name, _, _ := strings.Cut(part, ":")
			require.True(t, known[name], "%s: the sandbox has no scenario %q", s.shows, name)
		}
	}
}

// These countries, ends, forged callbacks and ways to start an order must be in the demo.
func TestTheCastIsComplete(t *testing.T) {
	t.Parallel()
	countries := map[order.Kind]map[string]bool{order.Deposit: {}, order.Withdrawal: {}}
	var ends []order.State
	forged, overAPI, scheduled, unheard := 0, 0, 0, 0
	for _, s := range scenes {
		countries[s.kind][s.country] = true
		ends = append(ends, s.want.state)
		if s.forge {
			forged++
		}
		if s.via == overHTTP {
			overAPI++
		}
		if s.after > 0 {
			scheduled++
		}
		if s.unheard {
			unheard++
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(countries[order.Withdrawal])), []string{"PK", "VN", "TH", "BR"})
	require.Subset(t, slices.Collect(maps.Keys(countries[order.Deposit])), []string{"PK", "BD"})
	require.Subset(t, ends, []order.State{order.Succeeded, order.PartiallyPaid, order.Failed, order.Expired, order.Refunded})
	require.Equal(t, 1, forged)
	require.Equal(t, 5, overAPI)
	require.Equal(t, 1, scheduled)
	require.Equal(t, 1, unheard)
}

func TestPlainScenesAreOrdinary(t *testing.T) {
	t.Parallel()
	plain := plainScenes(25)
	require.Len(t, plain, 25)
	for _, s := range plain {
		require.Empty(t, s.scenario)
		require.Equal(t, overTemporal, s.via)
		require.Equal(t, order.Succeeded, s.want.state)
	}
}

func TestMistakesAreMistakes(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(scenes, func(s scene) bool { return s.kind == order.Withdrawal && s.country == "TH" })
	for _, m := range mistakes {
		request, err := scenes[i].request("DEMO-1", "M1700000001")
		require.NoError(t, err)
		m.spoil(&request)
		var invalid *order.Invalid
		require.ErrorAs(t, request.Validate(nil), &invalid, m.shows)
		require.True(t, slices.ContainsFunc(invalid.Problems, func(p order.Problem) bool { return p.Code == m.code }), m.shows)
	}
}
