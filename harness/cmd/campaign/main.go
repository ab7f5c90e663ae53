// Command campaign is harness 1 of docs/safety.md: it lets thousands of small
// worlds live, each with all that its seed draws of faults, and checks the
// properties P1 to P7 when they have come to rest.
//
//	go run ./harness/cmd/campaign [-seeds n] [-seed first]
//	go run ./harness/cmd/campaign -plan '{"seed":7,…}'
//	go run ./harness/cmd/campaign -plan file.json
//
// One line of JSON for each violation and one for all worlds go to standard
// output, news for people to standard error. A violation's line has the command
// that shows it again, with the smallest plan that does.
//
// The exit status is 1 when a property was violated, or a world could not be
// made.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/tarspay-payouts/orchestrator/harness/campaign"
)

// garbage is how much may pile up, in percent of what is in use, before it is
// collected: worlds are small and short.
const garbage = 400

func main() {
	seeds := flag.Int("seeds", 2000, "how many worlds")
	first := flag.Uint64("seed", 1, "the first one's seed; the others' follow it")
	plan := flag.String("plan", "", "one world's plan instead, as JSON or the name of a file")
	flag.Parse()
	debug.SetGCPercent(garbage)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *first, *seeds, *plan)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, first uint64, seeds int, plan string) error {
	c := campaign.Campaign{Lines: os.Stdout, News: os.Stderr}
	if plan == "" {
		c.Seeds = campaign.Upward(first, max(seeds, 0))
	} else {
		one, err := read(plan)
		if err != nil {
			return fmt.Errorf("-plan: %w", err)
		}
		c.Plans = []campaign.Plan{one}
	}
	summary, err := c.Run(ctx)
	if err != nil {
		return err
	}
	if summary.Violations > 0 {
		return fmt.Errorf("%d violations", summary.Violations)
	}
	return nil
}

// read takes a plan as it is given, or from a file.
func read(text string) (campaign.Plan, error) {
	var plan campaign.Plan
	if !strings.HasPrefix(text, "{") {
		file, err := os.ReadFile(text)
		if err != nil {
			return plan, err
		}
		text = string(file)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	return plan, decoder.Decode(&plan)
}
