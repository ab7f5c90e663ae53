package process_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
)

// serving is a server whose one request waits until it is let go.
type serving struct {
	arrived, release chan struct{}
	address          string
	ended            chan error
	listener         net.Listener
}

func serve(ctx context.Context, t *testing.T, drain time.Duration) *serving {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &serving{
		arrived: make(chan struct{}), release: make(chan struct{}), ended: make(chan error, 1),
		address: "http://" + listener.Addr().String(), listener: listener,
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(s.arrived)
		<-s.release
		_, _ = io.WriteString(w, "done")
	})}
	go func() { s.ended <- process.Serve(ctx, listener, server, drain) }()
	return s
}

func (s *serving) ask(t *testing.T) <-chan string {
	t.Helper()
	answer := make(chan string, 1)
	go func() {
		request, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, s.address, nil)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answer <- "cut off"
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-s.arrived
	return answer
}

func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := serve(ctx, t, time.Minute)
	answer := s.ask(t)
	stop()
	close(s.release)
	require.NoError(t, <-s.ended)
	require.Equal(t, "done", <-answer)
}

func TestServeCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := serve(ctx, t, time.Millisecond)
	answer := s.ask(t)
	stop()
	require.ErrorContains(t, <-s.ended, "cut off after 1ms")
	require.Equal(t, "cut off", <-answer)
	close(s.release)
}

func TestServeTellsOfABrokenListener(t *testing.T) {
	t.Parallel()
	s := serve(t.Context(), t, time.Minute)
	require.NoError(t, s.listener.Close())
	require.ErrorContains(t, <-s.ended, "broke")
}
