package chaos

import (
	"context"
	"errors"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
)

// line carries the connections of one process to another one, so that they can
// be cut, and so that a process can be stopped at a point.
type line struct {
	*proxy.Proxy
	from, to string // names of processes of the stack
}

// newLine begins to carry connections to a target. Whoever opens it closes it.
func newLine(ctx context.Context, from, to, target string, s *stage) (*line, error) {
	l := &line{from: from, to: to}
	carried, err := proxy.New(ctx, target, func() (asked, answered proxy.Look) { return s.looks(l) })
	if err != nil {
		return nil, err
	}
	l.Proxy = carried
	return l, nil
}

func (l *line) String() string { return l.from + " to " + l.to }

// errDead closes the connection of a process that died at a point.
var errDead = errors.New("whoever said or would hear it is dead")

// looks has what passes on a new connection of a line meet the armed points.
func (s *stage) looks(l *line) (asked, answered proxy.Look) {
	var seeing eye = blind{}
	if watch, watched := eyes[l.to]; watched {
		seeing = &oneAtATime{eye: watch()}
	}
	return s.look(l, seeing.asks), s.look(l, func(chunk []byte) (before, after []sight) { return seeing.answers(chunk), nil })
}

// look has what passes on a line meet the armed points, before it is passed on
// and after.
func (s *stage) look(l *line, see func(chunk []byte) (before, after []sight)) proxy.Look {
	return func(chunk []byte, pass func() (bool, error)) error {
		before, after := see(chunk)
		if s.strikes(l, before) {
			return errDead
		}
		if passed, err := pass(); err != nil || !passed {
			return err
		}
		if s.strikes(l, after) {
			return errDead
		}
		return nil
	}
}
