package e2e

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a stack and its database, so that a test can take the
// database away and give it back.
type proxy struct {
	listener net.Listener

	mutex  sync.Mutex
	target string // host:port
	away   bool
	open   map[net.Conn]struct{}
}

// newProxy begins to pass on what comes to the database at an address.
func newProxy(t *testing.T, databaseURL string) *proxy {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	require.NoError(t, err)
	require.NotEmpty(t, parsed.Port(), "the PostgreSQL of these tests listens on a TCP port")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: parsed.Host, open: make(map[net.Conn]struct{})}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		p.cut()
		serving.Wait()
	})
	return p
}

// pointAt is the database's address by way of the proxy, and past the same
// without it.
func (p *proxy) pointAt(databaseURL string) string {
	return withHost(databaseURL, p.listener.Addr().String())
}
func (p *proxy) past(databaseURL string) string { return withHost(databaseURL, p.leadsTo()) }

func (p *proxy) leadsTo() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.target
}

// lead has new connections go elsewhere; those that are open stay where they are.
func (p *proxy) lead(target string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.target = target
}

// drop breaks every connection; whoever comes is let in.
func (p *proxy) drop() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for connection := range p.open {
		_ = connection.Close()
	}
}

func withHost(address, host string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		panic(err) // it has been parsed before
	}
	parsed.Host = host
	return parsed.String()
}

// cut breaks every connection and lets nobody in.
func (p *proxy) cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.away = true
	for connection := range p.open {
		_ = connection.Close()
	}
}

// mend lets everybody in again.
func (p *proxy) mend() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.away = false
}

func (p *proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the test is over
		}
		if !p.enter(client) {
			continue
		}
		serving.Go(func() {
			defer p.leave(client)
			p.pass(client)
		})
	}
}

// pass carries both directions until one of them ends.
func (p *proxy) pass(client net.Conn) {
	server, err := new(net.Dialer).Dial("tcp", p.leadsTo())
	if err != nil {
		return
	}
	if !p.enter(server) {
		return
	}
	defer p.leave(server)
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = to.Close(), from.Close()
	}
	both.Go(func() { carry(server, client) })
	both.Go(func() { carry(client, server) })
	both.Wait()
}

// enter notes a connection, or closes it while the database is away.
func (p *proxy) enter(connection net.Conn) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.away {
		_ = connection.Close()
		return false
	}
	p.open[connection] = struct{}{}
	return true
}

func (p *proxy) leave(connection net.Conn) {
	_ = connection.Close()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.open, connection)
}
