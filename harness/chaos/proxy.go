package chaos

import (
	"context"
	"net"
	"sync"
)

// line carries the connections of one process to another one over loopback, so
// that they can be cut, and so that what passes can be seen.
type line struct {
	from, to string // names of processes of the stack
	target   string // host:port
	watch    func() eye
	stage    *stage
	listener net.Listener
	serving  sync.WaitGroup

	mutex sync.Mutex
	mode  mode
	open  map[net.Conn]struct{}
}

// mode is how a line treats what comes to it.
type mode int

const (
	passing  mode = iota // everything goes through
	refusing             // nobody gets in, and who was in is out
	silent               // everybody gets in, and nothing goes through or comes back
)

func (m mode) String() string { return [...]string{"passing", "refusing", "silent"}[m] }

// newLine begins to carry connections to a target. Whoever opens it closes it.
func newLine(ctx context.Context, from, to, target string, s *stage) (*line, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{from: from, to: to, target: target, watch: eyes[to], stage: s, listener: listener, open: make(map[net.Conn]struct{})}
	l.serving.Go(l.serve)
	return l, nil
}

func (l *line) address() string { return l.listener.Addr().String() }

func (l *line) String() string { return l.from + " to " + l.to }

// set changes how the line treats what comes to it. Connections that were
// refused or that met silence do not come back: what was said meanwhile is
// lost, and not late.
func (l *line) set(m mode) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if m == refusing || l.mode != passing {
		l.breakAll()
	}
	l.mode = m
}

// cut breaks every connection and lets new ones in.
func (l *line) cut() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.breakAll()
}

func (l *line) breakAll() {
	for connection := range l.open {
		_ = connection.Close()
	}
}

func (l *line) now() mode {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.mode
}

func (l *line) close() {
	_ = l.listener.Close()
	l.set(refusing)
	l.serving.Wait()
}

func (l *line) serve() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // the line is closed
		}
		if l.enter(near) {
			l.serving.Go(func() { l.carry(near) })
		}
	}
}

// enter notes a connection, or closes it while nobody gets in.
func (l *line) enter(connection net.Conn) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.mode == refusing {
		_ = connection.Close()
		return false
	}
	l.open[connection] = struct{}{}
	return true
}

func (l *line) leave(connection net.Conn) {
	_ = connection.Close()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.open, connection)
}

// carry carries both directions until one of them ends.
func (l *line) carry(near net.Conn) {
	defer l.leave(near)
	far, err := new(net.Dialer).Dial("tcp", l.target)
	if err != nil {
		return
	}
	if !l.enter(far) {
		return
	}
	defer l.leave(far)
	var seeing eye = blind{}
	if l.watch != nil {
		seeing = &oneAtATime{eye: l.watch()}
	}
	var both sync.WaitGroup
	pump := func(to, from net.Conn, look func([]byte) (before, after []sight)) {
		defer both.Done()
		defer func() { _, _ = to.Close(), from.Close() }()
		l.pump(to, from, look)
	}
	both.Add(2)
	go pump(far, near, seeing.asks)
	go pump(near, far, func(chunk []byte) (before, after []sight) { return seeing.answers(chunk), nil })
	both.Wait()
}

// chunkSize is how much is read at once. A statement, a create and a signal
// are each written in one piece that is shorter.
const chunkSize = 64 << 10

func (l *line) pump(to, from net.Conn, look func([]byte) (before, after []sight)) {
	chunk := make([]byte, chunkSize)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			before, after := look(chunk[:n])
			if l.stage.strikes(l, before) {
				return // whoever said or would hear it is dead
			}
			if l.now() == passing {
				if _, err := to.Write(chunk[:n]); err != nil {
					return
				}
				if l.stage.strikes(l, after) {
					return
				}
			}
		}
		if err != nil {
			return
		}
	}
}
