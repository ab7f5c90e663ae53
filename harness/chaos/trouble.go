package chaos

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

// Pauses between faults, and durations of faults.
var (
	betweenBlows   = span{500 * time.Millisecond, 4 * time.Second}
	betweenTraps   = span{100 * time.Millisecond, 1500 * time.Millisecond}
	betweenFreezes = span{time.Second, 5 * time.Second}
	down           = span{0, 3 * time.Second}
	cutFor         = span{200 * time.Millisecond, 5 * time.Second}
	shortPause     = span{200 * time.Millisecond, 3 * time.Second}
	// Longer than an activity may take plus the grace after which another worker sends
	// again. So the suspended worker resumes when its attempt is no longer valid.
	freezeFor = span{24 * time.Second, 28 * time.Second}
	trapFor   = 6 * time.Second // how long a trap waits for a process
)

type span struct{ from, to time.Duration }

func (s span) draw(random *rand.Rand) time.Duration {
	return s.from + time.Duration(random.Int64N(int64(s.to-s.from)+1))
}

// blow injects one fault.
type blow func(r *run, ctx context.Context, random *rand.Rand)

// deck lists the random faults. They are injected in random sequence, each as often as it
// is listed, then again; half a minute is enough for all.
var deck = []blow{
	kill(stack.Worker), kill(stack.Worker), kill(stack.Receiver), kill(stack.Receiver), kill(stack.Temporal), kill(stack.Postgres),
	(*run).cutLines, (*run).cutLines, (*run).cutLines, (*run).cutLines, (*run).pauseShortly,
}

func kill(kind string) blow {
	return func(r *run, ctx context.Context, random *rand.Rand) { r.killOne(ctx, random, kind) }
}

// trouble injects faults until the context ends, and waits until the killed processes are
// started again. A process has one fault at a time.
func (r *run) trouble(ctx context.Context) {
	var tracks sync.WaitGroup
	for stream, track := range r.tracks() {
		tracks.Go(func() {
			random := rand.New(rand.NewPCG(r.Seed, stream))
			for pause(ctx, track.between.draw(random)) {
				track.deal(r, ctx, random)
			}
		})
	}
	tracks.Wait()
	r.returning.Wait()
}

// track is one kind of fault, again and again.
type track struct {
	between span
	deal    blow
}

// tracks are the kinds of faults of the run, by their streams of random numbers.
func (r *run) tracks() map[uint64]track {
	if r.Events {
		return eventTracks(r.Orders)
	}
	return map[uint64]track{
		seedBlows:   {betweenBlows, dealer(deck)},
		seedTraps:   {betweenTraps, (*run).killAtPoint},
		seedFreezes: {betweenFreezes, (*run).freeze},
	}
}

// dealer returns a blow that executes the deck's blows in random sequence, again and again.
func dealer(deck []blow) blow {
	var left []blow
	return func(r *run, ctx context.Context, random *rand.Rand) {
		if len(left) == 0 {
			left = slices.Clone(deck)
			random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		left[0](r, ctx, random)
		left = left[1:]
	}
}

// killOne kills a process of a kind, and starts it again later.
func (r *run) killOne(ctx context.Context, random *rand.Rand, kind string) {
	names := r.stack.Names(kind)
	name := names[random.IntN(len(names))]
	if r.claim(name) {
		r.kill(ctx, name, down.draw(random), "")
	}
}

// kill kills a claimed process, and starts it again after a while.
func (r *run) kill(ctx context.Context, name string, after time.Duration, where string) {
	if err := r.stack.Kill(name); err != nil {
		r.say("%s is down already", name)
	} else {
		r.count(r.kills, kindOf(name))
		r.say("killed %s%s; restart after %s", name, where, after.Round(time.Millisecond))
	}
	r.returning.Go(func() {
		pause(ctx, after)
		r.bring(name)
		r.release(name)
	})
}

// killAtPoint kills the next process that reaches one of a few points. It chooses the points
// at which the fewest processes were killed so far.
func (r *run) killAtPoint(ctx context.Context, random *rand.Rand) {
	after := down.draw(random)
	r.meet(ctx, r.leastMet(random), func(p point, name string) (met, dead bool) {
		if !r.claim(name) {
			return false, false
		}
		r.count(r.met, p.name)
		r.kill(ctx, name, after, " at: "+p.name)
		return true, true
	})
}

// meet arms a trap and waits until it has sprung, at most trapFor. Then it disarms the trap.
func (r *run) meet(ctx context.Context, few []point, fate func(p point, name string) (met, dead bool)) {
	t := r.stage.arm(few, fate)
	patience := time.NewTimer(trapFor)
	defer patience.Stop()
	select {
	case <-t.sprung:
	case <-ctx.Done():
	case <-patience.C:
	}
	r.stage.disarm(t)
}

// atOnce is how many points one trap has. Several, because most orders never reach some of
// the points.
const atOnce = 4

// leastMet returns some of the points at which the fewest processes were killed.
func (r *run) leastMet(random *rand.Rand) []point {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	shuffled := slices.Clone(r.points())
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortStableFunc(shuffled, func(a, b point) int { return cmp.Compare(r.met[a.name], r.met[b.name]) })
	return shuffled[:atOnce]
}

// freeze suspends a worker for longer than its activities may take. Another worker makes an
// attempt, then the first one resumes. Two of three suspensions happen at a point.
func (r *run) freeze(ctx context.Context, random *rand.Rand) {
	duration := freezeFor.draw(random)
	names := r.stack.Names(stack.Worker)
	name := names[random.IntN(len(names))]
	frozen := ""
	if random.IntN(3) > 0 {
		r.meet(ctx, []point{r.frozenPoint(random)}, func(p point, name string) (met, dead bool) {
			if !r.claim(name) {
				return false, false
			}
			frozen = name
			r.count(r.frozenAt, p.name)
			r.suspend(name, duration, " at: "+p.name)
			return true, false
		})
	} else if r.claim(name) {
		frozen = name
		r.suspend(name, duration, "")
	}
	if frozen == "" {
		return
	}
	pause(ctx, duration)
	r.resume(frozen)
}

// frozenPoint returns a random point of a worker, in half of the calls one around the sending
// of a create.
func (r *run) frozenPoint(random *rand.Rand) point {
	zombies := random.IntN(2) == 0
	var eligible []point
	for _, p := range r.points() {
		if p.kind == stack.Worker && (p.zombie || !zombies) {
			eligible = append(eligible, p)
		}
	}
	return eligible[random.IntN(len(eligible))]
}

func (r *run) suspend(name string, duration time.Duration, where string) {
	if err := r.stack.Suspend(name); err != nil {
		r.say("%s cannot be suspended: %v", name, err)
		return
	}
	r.count(r.stops, kindOf(name))
	r.say("suspended %s%s for %s", name, where, duration.Round(time.Millisecond))
}

func (r *run) resume(name string) {
	if err := r.stack.Resume(name); err != nil {
		r.say("%s cannot be resumed: %v", name, err)
	} else {
		r.say("resumed %s", name)
	}
	r.release(name)
}

// pauseShortly suspends a process for less than any timeout.
func (r *run) pauseShortly(ctx context.Context, random *rand.Rand) {
	kinds := []string{stack.Temporal, stack.Receiver, stack.Worker}
	names := r.stack.Names(kinds[random.IntN(len(kinds))])
	name := names[random.IntN(len(names))]
	duration := shortPause.draw(random)
	if !r.claim(name) {
		return
	}
	r.suspend(name, duration, "")
	pause(ctx, duration)
	r.resume(name)
}

// cutLines cuts, refuses or silences one line, or all lines to one process.
func (r *run) cutLines(ctx context.Context, random *rand.Rand) {
	drawn := r.lines[random.IntN(len(r.lines))]
	lines := []*line{drawn}
	what := drawn.String()
	if random.IntN(3) == 0 {
		lines, what = nil, "everybody to "+drawn.to
		for _, l := range r.lines {
			if l.to == drawn.to {
				lines = append(lines, l)
			}
		}
	}
	duration := cutFor.draw(random)
	how := proxy.Mode(random.IntN(3))
	r.count(r.cuts, how.String())
	if how == proxy.Passing {
		r.say("cut: %s", what)
		for _, l := range lines {
			l.Cut()
		}
		return
	}
	r.say("%s for %s: %s", how, duration.Round(time.Millisecond), what)
	for _, l := range lines {
		l.Set(how)
	}
	pause(ctx, duration)
	for _, l := range lines {
		l.Set(proxy.Passing)
	}
}

// claim reserves a process for one fault. It returns false if the process is reserved.
func (r *run) claim(name string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.claimed[name] {
		return false
	}
	r.claimed[name] = true
	return true
}

func (r *run) release(name string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.claimed, name)
}

// bring starts a process, and tries again until it is ready, at most bringAttempts times.
func (r *run) bring(name string) {
	for attempt := 1; ; attempt++ {
		err := r.stack.Launch(r.life, name)
		if err == nil {
			r.say("%s is ready", name)
			return
		}
		r.say("%s does not start (attempt %d): %.300v", name, attempt, err)
		if r.life.Err() != nil || attempt >= bringAttempts {
			return
		}
		_ = r.stack.Kill(name) // it may run without being ready
	}
}

const bringAttempts = 5

// died restarts a process that ended by itself.
func (r *run) died(name string, reason error) {
	r.count(r.exits, kindOf(name))
	if !r.troubled.Load() || !r.claim(name) {
		return // the stack is starting, or the current fault restarts the process
	}
	r.say("%s ended by itself: %.500v", name, reason)
	r.restarts.Go(func() {
		r.bring(name)
		r.release(name)
	})
}

func (r *run) count(counts map[string]int, name string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	counts[name]++
}

func (r *run) say(format string, values ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	text := fmt.Sprintf("%7.2fs  ", time.Since(r.begun).Seconds()) + fmt.Sprintf(format, values...)
	fmt.Fprintln(r.notes, text)
}
