// Command campaign is the first harness of docs/safety.md. It simulates thousands of small
// systems ("worlds"), each with faults selected by its seed, and checks the properties P1
// to P7, P10 and P13 at the end of each.
//
//	go run ./harness/cmd/campaign [-seeds n] [-seed first]
//	go run ./harness/cmd/campaign -plan '{"seed":7,…}'
//	go run ./harness/cmd/campaign -plan file.json
//
// It prints a line of JSON for each violation and a summary on standard output, and
// progress on standard error. A violation's line has a command that reproduces it with a
// reduced plan.
//
// The exit status is 1 if a property was violated or a world could not be run.
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

// gcPercent is the GOGC value. A high value saves time, because worlds are small and short.
const gcPercent = 400

func main() {
	seeds := flag.Int("seeds", 2000, "number of worlds")
	first := flag.Uint64("seed", 1, "seed of the first world; the seeds of the others follow it")
	plan := flag.String("plan", "", "run this one plan instead, given as JSON or as the name of a file")
	flag.Parse()
	debug.SetGCPercent(gcPercent)
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

// read parses a plan, given as JSON or as the name of a file.
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
