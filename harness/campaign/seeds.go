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

	seams seams
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
	maxShrunk = 5  // worlds that violate something and whose plan is made smaller
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
		try(Draw(seed), fmt.Sprintf("go run ./harness/cmd/campaign -seed %d -seeds 1", seed))
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
func (t *tally) try(ctx context.Context, plan Plan, command string) error {
	report, err := run(ctx, plan, t.seams)
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

// replay is the command that lets a plan's world live again.
func replay(plan Plan) string {
	text, err := json.Marshal(plan)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("go run ./harness/cmd/campaign -plan '%s'", text)
}

// smaller makes the plan of a world that violates something smaller, if it is
// one of the first that do, for as long as what is worst of it is still
// violated. It returns what the smaller one's world violates.
func (t *tally) smaller(ctx context.Context, plan Plan, report Report) (Plan, Report) {
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
		report, err := run(ctx, p, t.seams)
		if err != nil || !report.Violates(property) {
			return false
		}
		small, again = p, report
		return true
	})
	return small, again
}

// worst is the property that is violated and matters most.
func (r Report) worst() string {
	for _, property := range []string{"P1", "P2", "P5", "P3", "P4", "P7", "P13", "P6", "P10"} {
		if r.Violates(property) {
			return property
		}
	}
	return nothingFails
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
		seeds[i] = from + uint64(i)
	}
	return seeds
}

// Violates reports whether a property is violated.
func (r Report) Violates(property string) bool {
	return slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Property == property })
}
