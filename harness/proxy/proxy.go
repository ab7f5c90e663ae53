// Package proxy carries TCP connections over loopback, so that a test can cut
// them, refuse them, hold back what is said, or see it.
//
// It knows no protocol and no process.
package proxy

import (
	"context"
	"net"
	"sync"
)

// Proxy carries connections to a target.
type Proxy struct {
	looks    func() (asked, answered Look)
	listener net.Listener
	serving  sync.WaitGroup

	mutex  sync.Mutex
	target string // host:port
	mode   Mode
	open   map[net.Conn]struct{}
}

// Mode is how a proxy treats what comes to it.
type Mode int

// The modes.
const (
	Passing  Mode = iota // everything goes through
	Refusing             // nobody gets in, and who was in is out
	Silent               // everybody gets in, and nothing goes through or comes back
)

func (m Mode) String() string { return [...]string{"passing", "refusing", "silent"}[m] }

// Look sees what one side says before the other side hears it. It calls pass to
// hand the chunk on, which reports whether the proxy's mode let it through. An
// error closes the connection.
type Look func(chunk []byte, pass func() (bool, error)) error

// New begins to carry connections to a target, host:port. Looks, if it is not
// nil, is called for each connection. The context bounds the binding only.
// Whoever opens a proxy closes it.
func New(ctx context.Context, target string, looks func() (asked, answered Look)) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if looks == nil {
		looks = func() (asked, answered Look) { return passOn, passOn }
	}
	p := &Proxy{looks: looks, target: target, listener: listener, open: make(map[net.Conn]struct{})}
	p.serving.Go(p.serve)
	return p, nil
}

func passOn(_ []byte, pass func() (bool, error)) error {
	_, err := pass()
	return err
}

// Address is where the proxy listens, host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Set changes how the proxy treats what comes to it. Connections that were
// refused or that met silence do not come back: what was said meanwhile is
// lost, and not late.
func (p *Proxy) Set(m Mode) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if m == Refusing || p.mode != Passing {
		p.breakAll()
	}
	p.mode = m
}

// Cut breaks every connection and lets new ones in.
func (p *Proxy) Cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.breakAll()
}

// Lead has new connections go to another target; those that are open stay
// where they are.
func (p *Proxy) Lead(target string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.target = target
}

// Target is where new connections go.
func (p *Proxy) Target() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.target
}

// Close ends every connection, and returns when all is over.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Set(Refusing)
	p.serving.Wait()
}

func (p *Proxy) breakAll() {
	for connection := range p.open {
		_ = connection.Close()
	}
}

func (p *Proxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // the proxy is closed
		}
		if p.enter(near) {
			p.serving.Go(func() { p.carry(near) })
		}
	}
}

// enter notes a connection, or closes it while nobody gets in.
func (p *Proxy) enter(connection net.Conn) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.mode == Refusing {
		_ = connection.Close()
		return false
	}
	p.open[connection] = struct{}{}
	return true
}

func (p *Proxy) leave(connection net.Conn) {
	_ = connection.Close()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.open, connection)
}

// carry carries both directions until one of them ends.
func (p *Proxy) carry(near net.Conn) {
	defer p.leave(near)
	far, err := new(net.Dialer).Dial("tcp", p.Target())
	if err != nil {
		return
	}
	if !p.enter(far) {
		return
	}
	defer p.leave(far)
	asked, answered := p.looks()
	var both sync.WaitGroup
	both.Go(func() { p.pump(far, near, asked) })
	both.Go(func() { p.pump(near, far, answered) })
	both.Wait()
}

// chunkSize is how much is read at once. A statement, a create and a signal
// are each written in one piece that is shorter.
const chunkSize = 64 << 10

// pump closes both ends when one direction is over.
func (p *Proxy) pump(to, from net.Conn, look Look) {
	defer func() { _, _ = to.Close(), from.Close() }()
	chunk := make([]byte, chunkSize)
	for {
		n, err := from.Read(chunk)
		if n > 0 && look(chunk[:n], func() (bool, error) { return p.pass(to, chunk[:n]) }) != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) pass(to net.Conn, chunk []byte) (bool, error) {
	p.mutex.Lock()
	passing := p.mode == Passing
	p.mutex.Unlock()
	if !passing {
		return false, nil
	}
	_, err := to.Write(chunk)
	return err == nil, err
}
