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

// testBundle is a proxy between the test and a server that is the test, too.
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

// dial connects by way of the proxy; far is the server's end.
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

// over demands that nothing more comes.
func over(t *testing.T, connection net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(connection) // how it ends is the system's affair
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is still open")
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

// TestSilenceIsNotCarriedLater has a create meet silence: it must not arrive
// when the silence is over.
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

// TestLeadElsewhere has new connections go to another server, and old ones stay.
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

// TestALookDecides has one side's words seen before the other side hears them;
// what follows an error is not heard.
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
