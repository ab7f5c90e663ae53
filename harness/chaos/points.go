package chaos

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

// point is a named moment before or after a call or write of a process. It is recognized
// by the bytes on the process's connections, so the product needs no code for it.
type point struct {
	name string
	kind string // of process: stack.Worker or stack.Receiver
	to   string // the process at the other end of the connection
	when when
	what []string // texts that the bytes must all contain
	// zombie marks a point around the sending of a create. A worker that is suspended there
	// resumes after another worker has made its attempt.
	zombie bool
}

const (
	create     = "/unifiedOrder "
	rowOf      = "INSERT INTO submissions"
	outcomeOf  = "UPDATE submissions SET ended_at"
	transferOf = "INSERT INTO transfers"
	storeOf    = "INSERT INTO inbox"
	signalOf   = "/SignalWorkflowExecution"
)

// The names of transfers, as parameters of a statement.
var (
	payout  = parameter("payout")
	payment = parameter("payment")
	release = parameter("release")
)

// parameter returns the encoding of a text parameter in PostgreSQL's protocol: the length,
// then the text.
func parameter(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text //nolint:gosec // the text is short
}

// points lists the points in the sequence in which an order passes them.
var points = []point{
	{name: "order not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{"INSERT INTO orders"}},
	{name: "order committed", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{"INSERT INTO orders"}},
	{name: "before the submission row", kind: stack.Worker, to: stack.Postgres, when: asks, what: []string{rowOf}, zombie: true},
	{name: "submission row not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{rowOf}, zombie: true},
	{name: "after the row, before the create", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{rowOf}, zombie: true},
	{name: "create not sent", kind: stack.Worker, to: stack.Sandbox, when: asks, what: []string{create}},
	{name: "create sent", kind: stack.Worker, to: stack.Sandbox, when: asked, what: []string{create}, zombie: true},
	{name: "create answered, answer unheard", kind: stack.Worker, to: stack.Sandbox, when: answers, what: []string{create}, zombie: true},
	{name: "answer heard, outcome not written", kind: stack.Worker, to: stack.Postgres, when: asks, what: []string{outcomeOf}},
	{name: "outcome not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{outcomeOf}},
	{name: "after the outcome", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{outcomeOf}},
	{name: "gateway's activity not reported", kind: stack.Worker, to: stack.Temporal, when: asks, what: []string{"/RespondActivityTaskCompleted"}},
	{name: "gateway's activity reported", kind: stack.Worker, to: stack.Temporal, when: answers, what: []string{"/RespondActivityTaskCompleted"}},
	{name: "before settling a payment", kind: stack.Worker, to: stack.Postgres, when: asks, what: []string{transferOf, payout}},
	{name: "payment not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{transferOf, payout}},
	{name: "after settling a payment", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{transferOf, payout}},
	{name: "deposit's payment not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{transferOf, payment}},
	{name: "after settling a deposit", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{transferOf, payment}},
	{name: "release not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{transferOf, release}},
	{name: "after a release", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{transferOf, release}},
	{name: "workflow's step not reported", kind: stack.Worker, to: stack.Temporal, when: asks, what: []string{"/RespondWorkflowTaskCompleted"}},
	{name: "workflow's step reported", kind: stack.Worker, to: stack.Temporal, when: answers, what: []string{"/RespondWorkflowTaskCompleted"}},
	{name: "before the callback is stored", kind: stack.Receiver, to: stack.Postgres, when: asks, what: []string{storeOf}},
	{name: "callback not committed", kind: stack.Receiver, to: stack.Postgres, when: commits, what: []string{storeOf}},
	{name: "callback stored, not answered", kind: stack.Receiver, to: stack.Postgres, when: committed, what: []string{storeOf}},
	{name: "signal not sent", kind: stack.Receiver, to: stack.Temporal, when: asks, what: []string{signalOf}},
	{name: "signal sent", kind: stack.Receiver, to: stack.Temporal, when: asked, what: []string{signalOf}},
	{name: "signalled, not marked", kind: stack.Receiver, to: stack.Temporal, when: answers, what: []string{signalOf}},
}

// lies reports whether an event on a line is at the point.
func (p point) lies(l *line, s sight) bool {
	if p.when != s.when || p.to != l.to || !isA(p.kind, l.from) {
		return false
	}
	for _, text := range p.what {
		if !bytes.Contains(s.text, []byte(text)) {
			return false
		}
	}
	return true
}

// isA reports whether a process is of a kind.
func isA(kind, process string) bool { return process == kind || strings.HasPrefix(process, kind+"-") }

// stage holds the armed traps.
type stage struct {
	mutex sync.Mutex
	armed map[*trap]struct{}
}

// trap waits until a process reaches one of its points.
type trap struct {
	points []point
	// spring is called with a point and the process that reached it. It returns whether it
	// did something to the process (if not, the trap waits on), and whether the process is
	// dead, so that its bytes are not passed on.
	spring func(p point, process string) (met, dead bool)
	mutex  sync.Mutex    // held while spring runs
	over   bool          // spring did something, or the trap was disarmed
	sprung chan struct{} // closed when spring did something
}

func newStage() *stage { return &stage{armed: make(map[*trap]struct{})} }

// arm sets a trap. Call disarm to remove it.
func (s *stage) arm(few []point, spring func(p point, process string) (met, dead bool)) *trap {
	t := &trap{points: few, spring: spring, sprung: make(chan struct{})}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.armed[t] = struct{}{}
	return t
}

// disarm removes a trap. When it returns, spring does not run and is not called again.
func (s *stage) disarm(t *trap) {
	s.mutex.Lock()
	delete(s.armed, t)
	s.mutex.Unlock()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.over = true
}

// strikes springs the traps whose points are among the events of a line. It returns whether
// the line's process is dead.
func (s *stage) strikes(l *line, seen []sight) (dead bool) {
	if len(seen) == 0 {
		return false
	}
	s.mutex.Lock()
	armed := slices.Collect(maps.Keys(s.armed))
	s.mutex.Unlock()
	for _, t := range armed {
		for _, p := range t.points {
			if slices.ContainsFunc(seen, func(what sight) bool { return p.lies(l, what) }) {
				dead = t.strike(p, l.from) || dead
			}
		}
	}
	return dead
}

func (t *trap) strike(p point, process string) (dead bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.over {
		return false
	}
	t.over, dead = t.spring(p, process)
	if t.over {
		close(t.sprung)
	}
	return dead
}
