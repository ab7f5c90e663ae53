package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testBundle is a proxy, with the test as its client and as its server.
type testBundle struct {
	*Proxy
	arrived chan net.Conn
}

func setup(t *testing.T, looks func() (asked, answered Look)) *testBundle {
	t.Helper()
	target, arrived := serve(t)
	p, err := New(t.Context(), target, looks)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return &testBundle{Proxy: p, arrived: arrived}
}

// serve accepts connections until the test ends.
func serve(t *testing.T) (address string, arrived chan net.Conn) {
	t.Helper()
	server, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	arrived = make(chan net.Conn)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			arrived <- connection
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-accepting
	})
	return server.Addr().String(), arrived
}

// dial connects through the proxy; far is the server's end.
func (b *testBundle) dial(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near = b.knock(t)
	far = <-b.arrived
	t.Cleanup(func() { _ = far.Close() })
	require.NoError(t, far.SetDeadline(time.Now().Add(time.Minute)), "a test that waits in vain ends")
	return near, far
}

func (b *testBundle) knock(t *testing.T) net.Conn {
	t.Helper()
	near, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = near.Close() })
	require.NoError(t, near.SetDeadline(time.Now().Add(time.Minute)), "a test that waits in vain ends")
	return near
}

func say(t *testing.T, connection net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(connection, text)
	require.NoError(t, err)
}

func hears(t *testing.T, connection net.Conn, text string) {
	t.Helper()
	heard := make([]byte, len(text))
	_, err := io.ReadFull(connection, heard)
	require.NoError(t, err)
	require.Equal(t, text, string(heard))
}

// over requires that a connection has ended without more data.
func over(t *testing.T, connection net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(connection) // a reset or the end of the file
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
	require.Empty(t, rest)
}

func TestBothWaysAreCarried(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	near, far := b.dial(t)
	say(t, near, "ask")
	hears(t, far, "ask")
	say(t, far, "answer")
	hears(t, near, "answer")
}

func TestCutBreaksWhatIsThereAndLetsOthersIn(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	near, far := b.dial(t)
	b.Cut()
	over(t, near)
	over(t, far)
	near, far = b.dial(t)
	say(t, near, "again")
	hears(t, far, "again")
}

func TestRefusedUntilItPasses(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	near, _ := b.dial(t)
	b.Set(Refusing)
	over(t, near)
	over(t, b.knock(t))
	b.Set(Passing)
	near, far := b.dial(t)
	say(t, near, "again")
	hears(t, far, "again")
}

// TestSilenceIsNotCarriedLater sends a create during silence. It must not arrive
// after the silence.
func TestSilenceIsNotCarriedLater(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	near, far := b.dial(t)
	b.Set(Silent)
	say(t, near, "lost")
	another, itsFar := b.dial(t)
	say(t, another, "lost, too")
	b.Set(Passing)
	over(t, far)
	over(t, itsFar)
	over(t, near)
	near, far = b.dial(t)
	say(t, near, "heard")
	hears(t, far, "heard")
}

// TestLeadElsewhere changes the target: new connections go to the new server, open
// connections stay at the old.
func TestLeadElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	near, far := b.dial(t)
	target, arrived := serve(t)
	b.Lead(target)
	require.Equal(t, target, b.Target())
	other := b.knock(t)
	itsFar := <-arrived
	t.Cleanup(func() { _ = itsFar.Close() })
	say(t, other, "elsewhere")
	hears(t, itsFar, "elsewhere")
	say(t, near, "still here")
	hears(t, far, "still here")
}

// TestALookDecides reads data before it is forwarded. Nothing is forwarded after
// an error.
func TestALookDecides(t *testing.T) {
	t.Parallel()
	b := setup(t, func() (asked, answered Look) {
		return func(chunk []byte, pass func() (bool, error)) error {
			if string(chunk) == "die" {
				return errors.New("dead")
			}
			passed, err := pass()
			require.True(t, passed)
			return err
		}, passOn
	})
	near, far := b.dial(t)
	say(t, near, "live")
	hears(t, far, "live")
	say(t, near, "die")
	over(t, far)
	over(t, near)
}
