// Package proxy forwards TCP connections over loopback. A test can cut or refuse
// the connections, and hold back or read the data.
//
// It knows no protocol and no process.
package proxy

import (
	"context"
	"net"
	"sync"
)

// Proxy forwards connections to a target.
type Proxy struct {
	looks    func() (asked, answered Look)
	listener net.Listener
	serving  sync.WaitGroup

	mutex  sync.Mutex
	target string // host:port
	mode   Mode
	open   map[net.Conn]struct{}
}

// Mode is how a proxy treats connections and data.
type Mode int

// The modes.
const (
	Passing  Mode = iota // everything goes through
	Refusing             // nobody gets in, and who was in is out
	Silent               // everybody gets in, and nothing goes through or comes back
)

func (m Mode) String() string { return [...]string{"passing", "refusing", "silent"}[m] }

// Look receives the data of one side before the proxy forwards it. It calls pass
// to forward the chunk. Pass reports whether the proxy's mode let the chunk
// through. An error closes the connection.
type Look func(chunk []byte, pass func() (bool, error)) error

// New listens on a free port and forwards connections to a target, host:port. It
// calls looks, if not nil, for each connection. The context applies to binding the
// port only. The caller must call Close.
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

// Set changes the mode. Connections that were refused, and data that was held back
// by silence, are lost. They are not delivered later.
func (p *Proxy) Set(m Mode) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if m == Refusing || p.mode != Passing {
		p.breakAll()
	}
	p.mode = m
}

// Cut breaks every connection and accepts new connections.
func (p *Proxy) Cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.breakAll()
}

// Lead forwards new connections to another target. Open connections keep their
// target.
func (p *Proxy) Lead(target string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.target = target
}

// Target returns the target of new connections.
func (p *Proxy) Target() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.target
}

// Close ends every connection and waits until all goroutines have ended.
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

// enter registers a connection. If the mode refuses connections, it closes the
// connection and returns false.
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

// carry forwards both directions until one direction ends.
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

// chunkSize is the most that is read at once. Statements, creates and signals are
// shorter, and each is written in one piece.
const chunkSize = 64 << 10

// pump forwards one direction. When the direction ends, it closes both ends.
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
