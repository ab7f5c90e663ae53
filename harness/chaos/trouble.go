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

// Waits of the tracks, and how long what is broken stays so.
var (
	betweenBlows   = span{500 * time.Millisecond, 4 * time.Second}
	betweenTraps   = span{100 * time.Millisecond, 1500 * time.Millisecond}
	betweenFreezes = span{time.Second, 5 * time.Second}
	down           = span{0, 3 * time.Second}
	cutFor         = span{200 * time.Millisecond, 5 * time.Second}
	shortPause     = span{200 * time.Millisecond, 3 * time.Second}
	// Longer than a worker's activity may take, and longer than another one
	// then waits before it sends again: who wakes up is a zombie.
	freezeFor = span{24 * time.Second, 28 * time.Second}
	trapFor   = 6 * time.Second // how long a point waits for somebody
)

type span struct{ from, to time.Duration }

func (s span) draw(random *rand.Rand) time.Duration {
	return s.from + time.Duration(random.Int64N(int64(s.to-s.from)+1))
}

// blow is something that is done to the stack.
type blow func(r *run, ctx context.Context, random *rand.Rand)

// deck are the blows that are dealt, shuffled, and dealt again: a run of half a
// minute has seen each.
var deck = []blow{
	kill(stack.Worker), kill(stack.Worker), kill(stack.Receiver), kill(stack.Receiver), kill(stack.Temporal), kill(stack.Postgres),
	(*run).cutLines, (*run).cutLines, (*run).cutLines, (*run).cutLines, (*run).pauseShortly,
}

func kill(kind string) blow {
	return func(r *run, ctx context.Context, random *rand.Rand) { r.killOne(ctx, random, kind) }
}

// trouble deals blows until the context ends, and waits until all that it
// broke is on its way back. What has broken one process leaves others alone.
func (r *run) trouble(ctx context.Context) {
	var tracks sync.WaitGroup
	for stream, track := range map[uint64]struct {
		between span
		deal    blow
	}{
		seedBlows:   {betweenBlows, dealer(deck)},
		seedTraps:   {betweenTraps, (*run).killAtPoint},
		seedFreezes: {betweenFreezes, (*run).freeze},
	} {
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

// dealer deals from a deck, shuffled anew whenever it is empty.
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

// killOne kills a process of a kind and has it come back.
func (r *run) killOne(ctx context.Context, random *rand.Rand, kind string) {
	names := r.stack.Names(kind)
	name := names[random.IntN(len(names))]
	if r.claim(name) {
		r.kill(ctx, name, down.draw(random), "")
	}
}

// kill kills a claimed process, and has it come back after a while.
func (r *run) kill(ctx context.Context, name string, after time.Duration, where string) {
	if err := r.stack.Kill(name); err != nil {
		r.say("%s is down already", name)
	} else {
		r.count(r.kills, kindOf(name))
		r.say("killed %s%s; it comes back after %s", name, where, after.Round(time.Millisecond))
	}
	r.returning.Go(func() {
		pause(ctx, after)
		r.bring(name)
		r.release(name)
	})
}

// killAtPoint has whoever comes next to one of a few points die there: of those
// that nobody, or few, died at so far.
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

// meet arms points and waits until somebody has come to one of them, for a
// while. The others then wait no longer.
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

// atOnce is how many points are armed together: most orders never come to
// some of them.
const atOnce = 4

// leastMet draws a few of the points that were met least often.
func (r *run) leastMet(random *rand.Rand) []point {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	shuffled := slices.Clone(points)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortStableFunc(shuffled, func(a, b point) int { return cmp.Compare(r.met[a.name], r.met[b.name]) })
	return shuffled[:atOnce]
}

// freeze suspends a worker for longer than its activities may take: another
// attempt is made elsewhere, and then the first one goes on. Two of three freezes
// happen at a point.
func (r *run) freeze(ctx context.Context, random *rand.Rand) {
	duration := freezeFor.draw(random)
	names := r.stack.Names(stack.Worker)
	name := names[random.IntN(len(names))]
	frozen := ""
	if random.IntN(3) > 0 {
		r.meet(ctx, []point{frozenPoint(random)}, func(p point, name string) (met, dead bool) {
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

// frozenPoint draws a point of a worker's, every other time one around the
// sending of a create.
func frozenPoint(random *rand.Rand) point {
	zombies := random.IntN(2) == 0
	var eligible []point
	for _, p := range points {
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
		r.say("%s goes on", name)
	}
	r.release(name)
}

// pauseShortly suspends something for less than anybody's patience.
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

// cutLines cuts one line, or all lines to one process, in one of three ways.
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

// claim takes a process for one blow at a time.
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

// bring starts a process until it is ready, as whoever looks after it in
// production would.
func (r *run) bring(name string) {
	for attempt := 1; ; attempt++ {
		err := r.stack.Launch(r.life, name)
		if err == nil {
			r.say("%s is back", name)
			return
		}
		r.say("%s does not come back (attempt %d): %.300v", name, attempt, err)
		if r.life.Err() != nil || attempt >= bringAttempts {
			return
		}
		_ = r.stack.Kill(name) // it may be there and not ready
	}
}

const bringAttempts = 5

// died is told of a process that ended by itself: it is started again.
func (r *run) died(name string, reason error) {
	r.count(r.exits, kindOf(name))
	if !r.troubled.Load() || !r.claim(name) {
		return // the stack is being started, or whoever has it brings it back
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
