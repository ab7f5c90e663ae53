package campaign

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
)

// shrink removes everything that the violation does not need, and nothing else.
func TestShrink(t *testing.T) {
	t.Parallel()
	plan := Crowd(3, 12, true)
	culprit := plan.Orders[7].Number
	plan.Orders[7].Events = append(plan.Orders[7].Events, Event{At: 9000, Do: DoPoll}, Event{At: 9001, Do: DoPoll})
	before, err := json.Marshal(plan)
	require.NoError(t, err)
	tried := 0
	small := shrink(plan, func(p Plan) bool {
		tried++
		i := slices.IndexFunc(p.Orders, func(o Order) bool { return o.Number == culprit })
		return p.Unguarded && p.Rates["html"] > 0 && i >= 0 && slices.Contains(p.Orders[i].Events, Event{At: 9001, Do: DoPoll})
	})
	o := plan.Orders[7]
	require.Equal(t, Plan{
		Seed: 3, Balance: 10_000, Unguarded: true, Rates: map[string]int{"html": 12}, Spells: []Spell{},
		Orders: []Order{{Number: culprit, Kind: o.Kind, Amount: o.Amount, Start: o.Start, Events: []Event{{At: 9001, Do: DoPoll}}}},
	}, normal(small))
	require.LessOrEqual(t, tried, maxTries)
	after, err := json.Marshal(plan)
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after), "the plan itself is left alone")
}

// normal makes empty and missing lists equal.
func normal(p Plan) Plan {
	if len(p.Spells) == 0 {
		p.Spells = []Spell{}
	}
	if len(p.Compare) == 0 {
		p.Compare = nil
	}
	for i := range p.Orders {
		if len(p.Orders[i].Deaths) == 0 {
			p.Orders[i].Deaths = nil
		}
		if len(p.Orders[i].Twins) == 0 {
			p.Orders[i].Twins = nil
		}
		if len(p.Orders[i].Unheard) == 0 {
			p.Orders[i].Unheard = nil
		}
		if len(p.Orders[i].Losses) == 0 {
			p.Orders[i].Losses = nil
		}
	}
	return p
}

// shrink keeps a story's last callback, because the expected end depends on it.
func TestShrinkKeepsAStorysEnd(t *testing.T) {
	t.Parallel()
	small := shrink(Stories(4, 3), func(p Plan) bool {
		return slices.ContainsFunc(p.Orders, func(o Order) bool { return o.Story != nil && o.Story.Name == "deposit-refunded" })
	})
	require.Len(t, small.Orders, 1)
	story := small.Orders[0].Story
	require.Len(t, story.Moves, 2)
	require.NotEmpty(t, story.Told)
	for _, told := range story.Told {
		require.Equal(t, 1, told.Move)
	}
}

// few is the number of seeds that are tried for a mistake.
const few = 8

// A campaign finds an injected mistake, reduces the plan to one order and few faults, and
// the command that it prints reproduces the violation.
func TestACampaignFindsMistakes(t *testing.T) {
	t.Parallel()
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines bytes.Buffer
			mistake.injected.patience = 5 * time.Second // a broken world may stand still
			c := Campaign{Plans: []Plan{mistake.plan}, Lines: &lines, News: io.Discard, injected: mistake.injected}
			if mistake.from > 0 {
				c.Plans, c.Seeds = nil, Upward(mistake.from, few)
			}
			summary, err := c.Run(t.Context())
			require.NoError(t, err)
			require.Positive(t, summary.Violations)
			v, plan := smallest(t, mistake.property, lines.String())
			require.NotEmpty(t, v.Sentence)
			require.Len(t, plan.Orders, 1)
			require.Equal(t, mistake.wrongs, plan.wrongs(), v.Replay)

			again, err := run(t.Context(), plan, mistake.injected)
			require.NoError(t, err)
			require.True(t, again.Violates(mistake.property))
			sound, err := Run(t.Context(), plan)
			require.NoError(t, err)
			require.Empty(t, sound.Violations, "it is the mistake that is found")
			require.Equal(t, 1, sound.Orders)
		})
	}
}

// smallest returns the violation of a property with the smallest plan.
func smallest(t *testing.T, property, lines string) (violated, Plan) {
	t.Helper()
	var found violated
	var small Plan
	for line := range strings.Lines(lines) {
		var v violated
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		_, text, shrunk := strings.Cut(v.Replay, "-plan '")
		if v.Property != property || !shrunk {
			continue
		}
		var plan Plan
		require.NoError(t, json.Unmarshal([]byte(strings.TrimSuffix(text, "'")), &plan))
		if len(small.Orders) == 0 || plan.wrongs() < small.wrongs() {
			found, small = v, plan
		}
	}
	require.NotEmpty(t, small.Orders, "no such violation: %s in %s", property, lines)
	return found, small
}

// wrongs counts the faults of a plan.
func (p Plan) wrongs() int {
	n := len(p.Rates) + len(p.Posts) + len(p.Spells) + len(p.Compare)
	if len(p.Skew) > 0 {
		n++
	}
	if p.Older != nil {
		n++
	}
	for _, o := range p.Orders {
		n += len(o.Deaths) + len(o.Twins) + len(o.Unheard) + len(o.Losses) + len(o.Events)
		if o.Scenario != "" {
			n += len(strings.Split(o.Scenario, ","))
		}
	}
	return n
}

// A world in which nothing happens any more, or whose workflows fail, is a violation, not a
// failure of the harness.
func TestWhatFailsIsAViolation(t *testing.T) {
	t.Parallel()
	plan := Plan{Balance: 1000, Orders: []Order{{Number: "P-0", Kind: order.Withdrawal, Amount: 500, Start: minute}}}
	report, err := run(t.Context(), plan, injected{settings: func(s *activities.Settings) { s.Merchants = nil }})
	require.NoError(t, err)
	require.True(t, report.Violates("P13"), report.Violations) // there is no such order in the ledger
	require.True(t, report.Violates("P6"), report.Violations)
}
