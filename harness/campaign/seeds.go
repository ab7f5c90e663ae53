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

// Campaign runs many worlds.
type Campaign struct {
	Seeds []uint64  // a world for each, with the plan of Draw
	Plans []Plan    // further worlds
	Lines io.Writer // JSON: a line for each violation, and the summary
	News  io.Writer // progress, for people

	injected injected
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

// violated is the JSON line of a violation.
type violated struct {
	Campaign string `json:"campaign"`
	Violation
	Seed   uint64 `json:"seed"`
	Replay string `json:"replay"` // the command that reproduces it
}

// Bounds of a campaign that finds violations.
const (
	maxShrunk = 5  // worlds whose plan is reduced
	maxLines  = 50 // printed violations of one world
	newsEvery = 5 * time.Second
)

// Run runs all worlds, as many at once as there are processors. It returns an error only
// if the harness fails.
func (c Campaign) Run(ctx context.Context) (Summary, error) {
	progress := &progress{Campaign: c, begun: time.Now(), told: time.Now(), worlds: len(c.Seeds) + len(c.Plans)}
	progress.Summary.Campaign = "summary"
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
			if err := progress.try(ctx, plan, replay); err != nil {
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
		try(Draw(seed), fmt.Sprintf("go run ./harness/cmd/campaign -seed %d -seeds 1", seed))
	}
	close(due)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return progress.Summary, err
	}
	progress.Summary.Seconds = int64(time.Since(progress.begun) / time.Second)
	return progress.Summary, json.NewEncoder(c.Lines).Encode(progress.Summary)
}

// progress is the state of a running campaign.
type progress struct {
	Campaign
	worlds int
	begun  time.Time

	mutex sync.Mutex // guards the fields below, Lines and News
	told  time.Time  // when progress was printed last
	Summary
	shrunk int
}

// try runs one world. If command is empty, a violation is printed with the plan itself.
func (t *progress) try(ctx context.Context, plan Plan, command string) error {
	report, err := run(ctx, plan, t.injected)
	if err != nil {
		return err
	}
	t.add(report)
	if len(report.Violations) == 0 {
		return nil
	}
	if command == "" {
		command = replay(plan)
	}
	small, again := t.smaller(ctx, plan, report)
	for _, v := range report.Violations[:min(len(report.Violations), maxLines)] {
		line := violated{"violation", v, plan.Seed, command}
		if again.Violates(v.Property) {
			line.Replay = replay(small)
		}
		if err := t.write(line); err != nil {
			return err
		}
	}
	return nil
}

// replay returns the command that runs a plan.
func replay(plan Plan) string {
	text, err := json.Marshal(plan)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("go run ./harness/cmd/campaign -plan '%s'", text)
}

// smaller reduces the plan of a world with violations while its most important property is
// still violated. It returns the reduced plan and its report; after maxShrunk plans, the
// plan itself and an empty report.
func (t *progress) smaller(ctx context.Context, plan Plan, report Report) (Plan, Report) {
	property := report.worst()
	t.mutex.Lock()
	t.shrunk++
	many := t.shrunk > maxShrunk
	_, _ = fmt.Fprintf(t.News, "campaign: seed %d violates %s\n", plan.Seed, property)
	t.mutex.Unlock()
	if many {
		return plan, Report{}
	}
	small, again := plan, report
	shrink(plan, func(p Plan) bool {
		report, err := run(ctx, p, t.injected)
		if err != nil || !report.Violates(property) {
			return false
		}
		small, again = p, report
		return true
	})
	return small, again
}

// worst returns the most important property that is violated.
func (r Report) worst() string {
	for _, property := range []string{"P1", "P2", "P5", "P3", "P4", "P7", "P13", "P6", "P10"} {
		if r.Violates(property) {
			return property
		}
	}
	return nothingFails
}

func (t *progress) add(r Report) {
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

func (t *progress) write(line any) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	encoder := json.NewEncoder(t.Lines)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

// Upward returns n consecutive seeds.
func Upward(from uint64, n int) []uint64 {
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = from + uint64(i)
	}
	return seeds
}

// Violates reports whether a property is violated.
func (r Report) Violates(property string) bool {
	return slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Property == property })
}
