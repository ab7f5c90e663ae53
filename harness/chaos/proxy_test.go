package chaos

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testBundle is a line between the test and a server that is the test, too.
type testBundle struct {
	line    *line
	stage   *stage
	arrived chan net.Conn
}

func setup(t *testing.T, from, to string) *testBundle {
	t.Helper()
	server, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &testBundle{stage: newStage(), arrived: make(chan net.Conn)}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			b.arrived <- connection
		}
	}()
	b.line, err = newLine(t.Context(), from, to, server.Addr().String(), b.stage)
	require.NoError(t, err)
	t.Cleanup(func() {
		b.line.close()
		require.NoError(t, server.Close())
		<-accepting
	})
	return b
}

// dial connects by way of the line; far is the server's end.
func (b *testBundle) dial(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near = b.knock(t)
	far = <-b.arrived
	t.Cleanup(func() { _ = far.Close() })
	return near, far
}

func (b *testBundle) knock(t *testing.T) net.Conn {
	t.Helper()
	near, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.line.address())
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
	rest, _ := io.ReadAll(connection) // how it ends is the system's affair
	require.Empty(t, rest)
}

func TestLineCarriesBothWays(t *testing.T) {
	t.Parallel()
	b := setup(t, stack.Worker, stack.Receiver)
	near, far := b.dial(t)
	say(t, near, "ask")
	hears(t, far, "ask")
	say(t, far, "answer")
	hears(t, near, "answer")
}

func TestCutBreaksWhatIsThereAndLetsOthersIn(t *testing.T) {
	t.Parallel()
	b := setup(t, stack.Worker, stack.Receiver)
	near, far := b.dial(t)
	b.line.cut()
	over(t, near)
	over(t, far)
	near, far = b.dial(t)
	say(t, near, "again")
	hears(t, far, "again")
}

func TestRefusedUntilItPasses(t *testing.T) {
	t.Parallel()
	b := setup(t, stack.Worker, stack.Receiver)
	near, _ := b.dial(t)
	b.line.set(refusing)
	over(t, near)
	over(t, b.knock(t))
	b.line.set(passing)
	near, far := b.dial(t)
	say(t, near, "again")
	hears(t, far, "again")
}

// TestSilenceIsNotCarriedLater has a create meet silence: it must not arrive
// when the silence is over.
func TestSilenceIsNotCarriedLater(t *testing.T) {
	t.Parallel()
	b := setup(t, stack.Worker, stack.Receiver)
	near, far := b.dial(t)
	b.line.set(silent)
	say(t, near, "lost")
	another, itsFar := b.dial(t)
	say(t, another, "lost, too")
	b.line.set(passing)
	over(t, far)
	over(t, itsFar)
	over(t, near)
	near, far = b.dial(t)
	say(t, near, "heard")
	hears(t, far, "heard")
}
