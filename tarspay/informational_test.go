package tarspay

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lineHolder accepts connections, answers each request with the same bytes, and
// keeps every connection open until the other side closes it.
type lineHolder struct {
	url         string
	connections sync.WaitGroup
}

// holdLines starts a lineHolder. What is said again and again is sent until the
// other side has gone.
func holdLines(t *testing.T, once, again string) *lineHolder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	holder := &lineHolder{url: "http://" + listener.Addr().String()}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			holder.connections.Go(func() { hold(connection, once, again) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); accepting.Wait() })
	return holder
}

func hold(connection net.Conn, once, again string) {
	defer func() { _ = connection.Close() }()
	if _, err := connection.Read(make([]byte, 64<<10)); err != nil {
		return
	}
	if _, err := io.WriteString(connection, once); err != nil {
		return
	}
	for again != "" {
		if _, err := io.WriteString(connection, again); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, connection) // until the caller closes it
}

// allClosed waits until every connection has been closed by the caller.
func (h *lineHolder) allClosed(t *testing.T) {
	t.Helper()
	closed := make(chan struct{})
	go func() { h.connections.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("a connection is still open after its call has returned")
	}
}

// No answer holds a call beyond its timeout, and none leaves a connection behind.
// On a create none of them is proof.
func TestAnswersThatHoldTheLine(t *testing.T) {
	t.Parallel()
	const upgraded = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	for name, answers := range map[string]struct {
		once, again string
		want        Class
	}{
		"101, silent":             {upgraded, "", ClassProtocol},
		"101 to h2c":              {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "", ClassProtocol},
		"101, a success behind":   {upgraded + `{"code":0,"data":{"payOrderId":"P1"}}`, "", ClassProtocol},
		"101, endless":            {upgraded, " ", ClassProtocol},
		"101 without headers":     {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "", ClassProtocol},
		"101 after 103":           {"HTTP/1.1 103 Early Hints\r\n\r\n" + upgraded, "", ClassProtocol},
		"100, silent":             {"HTTP/1.1 100 Continue\r\n\r\n", "", ClassUnavailable},
		"103, silent":             {"HTTP/1.1 103 Early Hints\r\n\r\n", "", ClassUnavailable},
		"103, endless":            {"", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", ClassUnavailable},
		"102, endless":            {"", "HTTP/1.1 102 Processing\r\n\r\n", ClassUnavailable},
		"199, silent":             {"HTTP/1.1 199 Other\r\n\r\n", "", ClassUnavailable},
		"200, half a body":        {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"code\":0", "", ClassUnavailable},
		"200, no length":          {"HTTP/1.1 200 OK\r\n\r\n{\"code\":0", "", ClassUnavailable},
		"200, half a chunk":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"code\":0\r\n", "", ClassUnavailable},
		"200, endless chunks":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "10000\r\n" + strings.Repeat(" ", 1<<16) + "\r\n", ClassProtocol},
		"200, endless headers":    {"HTTP/1.1 200 OK\r\n", "X-A: b\r\n", ClassUnavailable},
		"half a status line":      {"HTTP/1.1 20", "", ClassUnavailable},
		"200 that offers upgrade": {"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{", "", ClassUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holder := holdLines(t, answers.once, answers.again)
			timeout := 250 * time.Millisecond
			if answers.want == ClassProtocol {
				timeout = 10 * time.Second // what was read ends the call, and not the time
			}
			client := newClientFor(t, holder.url, Options{Timeout: timeout})
			err := inTime(t, func() error { _, err := client.CreateWithdrawal(t.Context(), order); return err })
			failed := asError(t, err)
			require.Equal(t, answers.want, failed.Class, "%s", err)
			require.True(t, failed.OutcomeUnknown(), "%s", err)
			require.Error(t, inTime(t, func() error { _, err := client.Balance(t.Context()); return err }))
			client.CloseIdle()
			holder.allClosed(t)
		})
	}
}

// inTime calls, and fails the test when the call does not return.
func inTime(t *testing.T, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the call outlives its timeout")
		return nil
	}
}

func TestEndlessHintsOverHTTP2(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.WriteHeader(http.StatusEarlyHints)
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := newTransport()
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	client := newClientFor(t, server.URL, Options{Transport: transport, Timeout: time.Second})
	err := inTime(t, func() error { _, err := client.CreateWithdrawal(t.Context(), order); return err })
	require.True(t, asError(t, err).OutcomeUnknown(), "%s", err)
}

// A body of a transport that does not watch the context is closed when the call's
// time is over.
func TestABodyIsClosedInTime(t *testing.T) {
	t.Parallel()
	body, stuck := io.Pipe()
	t.Cleanup(func() { _ = stuck.Close() })
	client := newClientFor(t, ProductionURL, Options{
		Timeout: 50 * time.Millisecond,
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: body, Header: http.Header{}}, nil
		}),
	})
	err := inTime(t, func() error { _, err := client.CreateWithdrawal(context.WithoutCancel(t.Context()), order); return err })
	require.True(t, asError(t, err).OutcomeUnknown(), "%s", err)
}
