package rules

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/docs"
	"github.com/tarspay-payouts/orchestrator/order"
)

var update = flag.Bool("update", false, "write the tables into docs/safety.md")

const safety = "../../docs/safety.md"

// TestDocs keeps the tables of docs/safety.md equal to the code.
func TestDocs(t *testing.T) {
	t.Parallel()
	docs.Keep(t, safety, *update, map[string]string{"moves": movesTable(), "waits": waitsTable(), "decisions": decisionsTable()})
}

func movesTable() string {
	var b strings.Builder
	b.WriteString("| from | to | order | when |\n|---|---|---|---|\n")
	for _, m := range Moves {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", m.From, m.To, sayKinds(m.Kinds), m.Why)
	}
	return b.String()
}

func sayKinds(kinds []order.Kind) string {
	if len(kinds) == 1 {
		return string(kinds[0])
	}
	return "both"
}

func waitsTable() string {
	var b strings.Builder
	b.WriteString("| state | order | waits for | at the latest | in the queue as |\n|---|---|---|---|---|\n")
	for _, w := range Waits {
		until, queue := "–", "–"
		if w.Until != "" {
			until = fmt.Sprintf("%s: then `%s`", w.Until, w.Then)
		}
		if len(w.Queue) > 0 {
			queue = "`" + strings.Join(w.Queue, "` or `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", w.State, sayKinds(w.Kinds), w.What, until, queue)
	}
	return b.String()
}

// Every state in which an order can wait has a deadline or a place in the queue.
func TestNobodyWaitsForEver(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
		for _, state := range order.States() {
			stands := state == order.Created || len(Sources(kind, state)) > 0
			rows := 0
			for _, w := range Waits {
				if w.State == state && slices.Contains(w.Kinds, kind) {
					rows++
					require.True(t, w.Apart || w.Until != "" || len(w.Queue) > 0, "%s %s waits for %s", kind, state, w.What)
					require.True(t, w.Until == "" || leads(kind, state, w.Then), "%s %s does not lead to %s", kind, state, w.Then)
				}
			}
			require.Equal(t, stands && !state.Terminal(), rows > 0, "%s %s", kind, state)
		}
	}
}

func decisionsTable() string {
	verdicts := []Verdict{Pending, Paid, PartPaid, Unpaid, Lapsed, Returned, Unclear}
	var b strings.Builder
	b.WriteString("| state |")
	for _, v := range verdicts {
		fmt.Fprintf(&b, " %s |", v)
	}
	b.WriteString("\n|---" + strings.Repeat("|---", len(verdicts)) + "|\n")
	row := func(name string, state order.State, credited bool) {
		b.WriteString("| " + name + " |")
		for _, v := range verdicts {
			fmt.Fprintf(&b, " %s |", describe(Decide(order.Deposit, state, credited, v)))
		}
		b.WriteString("\n")
	}
	for _, state := range order.States() {
		row("`"+string(state)+"`", state, false)
		if state == order.Expired {
			row("`expired`, credited", state, true)
		}
	}
	return b.String()
}

func describe(effect Effect) string {
	var words []string
	if effect.Credit {
		words = append(words, "credited")
	}
	for _, state := range effect.Path {
		words = append(words, "`"+string(state)+"`")
	}
	if effect.Discrepancy != "" && !effect.Known {
		words = append(words, "discrepancy "+effect.Discrepancy)
	}
	if len(words) == 0 {
		return "–"
	}
	return strings.Join(words, ", ")
}
