package callback

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// occupy takes every place of a lane until the test ends.
func occupy(t *testing.T, l lane) {
	t.Helper()
	for range cap(l.places) {
		l.places <- struct{}{}
	}
	t.Cleanup(func() {
		for range cap(l.places) {
			<-l.places
		}
	})
}

// unread is a body that must not be looked at.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read although there is no place for it")
	return 0, io.EOF
}

func (unread) Close() error { return nil }

// A full lane turns callbacks away at once, and its body is not read.
func TestATurnedAwayBodyIsNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	full := b.handler.(*handler).admission
	occupy(t, full.short)
	occupy(t, full.long)
	for _, length := range []int64{300, tarspay.MaxCallbackBytes, -1} {
		r := b.request(t, nil, strings.Repeat("30", 70))
		r.Body, r.ContentLength = unread{t}, length
		answer := httptest.NewRecorder()
		b.handler.ServeHTTP(answer, r)
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.Equal(t, "1", answer.Header().Get("Retry-After"))
		require.Equal(t, "close", answer.Header().Get("Connection"))
		requireRefusal(t, CodeBusy, answer.Body.String())
	}
	b.requireNothingStored(t)
	require.Equal(t, 3, b.metric(t, "payouts_callbacks_total", CodeBusy))
}

// A sender of long bodies that fills their lane keeps no short callback out,
// also one who does not tell the length.
func TestLongBodiesDoNotHoldShortOnesUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	occupy(t, b.handler.(*handler).admission.long)

	long := bytes.Repeat([]byte(" "), tarspay.MaxCallbackBytes)
	r := b.request(t, nil, strings.Repeat("30", 70))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(long)), -1
	status, answer := b.send(t, r)
	require.Equal(t, http.StatusServiceUnavailable, status)
	requireRefusal(t, CodeBusy, answer)

	status, answer = b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", answer)
}

// Nobody waits when there is a place, and nobody works beside the slots.
func TestLane(t *testing.T) {
	t.Parallel()
	l := newLane(1, 1)
	began, end, done := make(chan string, 3), make(chan struct{}), make(chan bool, 2)
	work := func(name string) func() { return func() { began <- name; <-end } }
	go func() { done <- l.do(work("first")) }()
	require.Equal(t, "first", <-began)
	require.False(t, l.full())
	go func() { done <- l.do(work("second")) }()
	for !l.full() { // until the second waits
		runtime.Gosched()
	}
	require.False(t, l.do(work("third")))
	require.Empty(t, began, "the second waits for the first")
	end <- struct{}{}
	require.Equal(t, "second", <-began)
	end <- struct{}{}
	require.True(t, <-done)
	require.True(t, <-done)
}

// Whoever opens connections and sends nothing, half a request or a body that
// does not end is closed before somebody who has something to say is kept out.
func TestConnectionsThatKeepWaiting(t *testing.T) {
	t.Parallel()
	const limit = 8
	b := setup(t)
	b.server.Close()
	open := newConnections(limit, b.options.Metrics)
	b.server = httptest.NewUnstartedServer(nil)
	b.server.Config = NewServer(b.handler, b.options.Metrics, b.options.Log)
	b.server.Config.ConnState, b.server.Config.ConnContext = open.changed, open.context
	b.server.Start()
	t.Cleanup(b.server.Close)

	half := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\n%s: aa\r\nContent-Length: 300\r\n\r\n{",
		Path, tarspay.HeaderCallbackSignature)
	var idle []net.Conn
	for i := range 3 * limit {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.server.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = connection.Close() })
		_, err = io.WriteString(connection, []string{"", "POST / HTTP/1.1\r\nHos", half}[i%3])
		require.NoError(t, err)
		idle = append(idle, connection)
	}
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	status, answer := b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", answer)
	require.GreaterOrEqual(t, b.metric(t, "payouts_callback_connections_evicted_total", ""), 2*limit+1)

	_, err := bufio.NewReader(idle[0]).ReadByte()
	require.ErrorIs(t, err, io.EOF, "the one that waited longest was closed")
}

// A connection that waits for us is not closed to make room.
func TestWorkIsNotCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	open := newConnections(2, b.options.Metrics)
	conn := func() net.Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
		return ours
	}
	working, others := conn(), []net.Conn{conn(), conn(), conn()}
	open.changed(working, http.StateNew)
	open.changed(working, http.StateActive)
	arrived(open.context(t.Context(), working))
	for _, other := range others {
		open.changed(other, http.StateNew)
	}
	require.Contains(t, open.open, working)
	require.Contains(t, open.open, others[2])
	require.Len(t, open.open, 2)
	require.Equal(t, 1, open.waiting.Len())

	open.changed(working, http.StateIdle)
	require.Equal(t, 2, open.waiting.Len())
	open.changed(others[0], http.StateClosed) // was closed by us
	open.changed(working, http.StateClosed)
	open.changed(others[2], http.StateClosed)
	require.Empty(t, open.open)
	require.Zero(t, open.waiting.Len())
}
