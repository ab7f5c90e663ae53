package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Campaign is a run over many worlds.
type Campaign struct {
	Seeds []uint64  // each makes the plan of one world: see Draw
	Plans []Plan    // worlds besides those
	Lines io.Writer // JSON: a line for each violation, and one for all of them
	News  io.Writer // for people: how far it is
}

// Summary is the last line.
type Summary struct {
	Campaign   string `json:"campaign"`
	Seeds      int    `json:"seeds"`
	Orders     int    `json:"orders"`
	Faults     int    `json:"faults"`
	Violations int    `json:"violations"`
	Seconds    int64  `json:"seconds"`
}

// violated is the line of a violation.
type violated struct {
	Campaign string `json:"campaign"`
	Violation
	Seed   uint64 `json:"seed"`
	Replay string `json:"replay"` // the command that shows it again
}

// Bounds of a campaign that finds something.
const (
	maxShrunk = 5  // violations whose plan is made smaller
	maxLines  = 50 // violations of one world that are printed
	newsEvery = 5 * time.Second
)

// Run lets all worlds live, as many at once as there are processors. The error
// is the harness's own.
func (c Campaign) Run(ctx context.Context) (Summary, error) {
	tally := &tally{Campaign: c, begun: time.Now(), told: time.Now(), worlds: len(c.Seeds) + len(c.Plans)}
	tally.Summary.Campaign = "summary"
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	due := make(chan func(), runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for world := range due {
				world()
			}
		})
	}
	try := func(plan Plan, replay string) {
		due <- func() {
			if err := tally.try(ctx, plan, replay); err != nil {
				stop(err)
			}
		}
	}
	for _, plan := range c.Plans {
		try(plan, "")
	}
	for _, seed := range c.Seeds {
		if ctx.Err() != nil {
			break
		}
		try(Draw(seed), fmt.Sprintf("go run ./tools/campaign -seed %d -seeds 1", seed))
	}
	close(due)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return tally.Summary, err
	}
	tally.Summary.Seconds = int64(time.Since(tally.begun) / time.Second)
	return tally.Summary, json.NewEncoder(c.Lines).Encode(tally.Summary)
}

// tally is what a campaign has come to.
type tally struct {
	Campaign
	worlds int
	begun  time.Time

	mutex sync.Mutex // guards what follows, and the lines
	told  time.Time  // when people heard last
	Summary
	shrunk int
}

// try lets one world live. With no command given, its plan is the replay.
func (t *tally) try(ctx context.Context, plan Plan, replay string) error {
	report, err := Run(ctx, plan)
	if err != nil {
		return err
	}
	t.add(report)
	shown := make(map[string]string) // the replay of a property
	for i, v := range report.Violations {
		if i == maxLines {
			break
		}
		if _, known := shown[v.Property]; !known {
			shown[v.Property] = t.replay(ctx, plan, v.Property, replay)
		}
		if err := t.write(violated{"violation", v, plan.Seed, shown[v.Property]}); err != nil {
			return err
		}
	}
	return nil
}

// replay is the command that shows a violation again: with the smallest plan
// that does, for the first few.
func (t *tally) replay(ctx context.Context, plan Plan, property, otherwise string) string {
	t.mutex.Lock()
	few := t.shrunk < maxShrunk && otherwise != ""
	if few {
		t.shrunk++
		_, _ = fmt.Fprintf(t.News, "campaign: seed %d violates %s; making its plan smaller\n", plan.Seed, property)
	}
	t.mutex.Unlock()
	if few {
		plan, otherwise = Shrink(ctx, plan, property), ""
	}
	if otherwise != "" {
		return otherwise
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("go run ./tools/campaign -plan '%s'", text)
}

func (t *tally) add(r Report) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.Summary.Seeds++
	t.Orders += r.Orders
	t.Faults += r.Faults
	t.Violations += len(r.Violations)
	if time.Since(t.told) < newsEvery {
		return
	}
	t.told = time.Now()
	_, _ = fmt.Fprintf(t.News, "campaign: %d of %d worlds, %d orders, %d faults, %d violations, %s\n",
		t.Summary.Seeds, t.worlds, t.Orders, t.Faults, t.Violations, time.Since(t.begun).Round(time.Second))
}

func (t *tally) write(line any) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	encoder := json.NewEncoder(t.Lines)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

// Upward are so many seeds from one on.
func Upward(from uint64, n int) []uint64 {
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = from + uint64(i) //nolint:gosec // an index is not below zero
	}
	return seeds
}

// Violates reports whether a property is violated.
func (r Report) Violates(property string) bool {
	return slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Property == property })
}
