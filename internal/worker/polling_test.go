package worker

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/sdk/worker"
)

// givenUp is a worker of the SDK, without its two minutes of patience.
type givenUp struct {
	sdk.Worker

	startError error
	started    chan struct{}
	stopped    chan struct{}
}

func (w *givenUp) Start() error {
	close(w.started)
	return w.startError
}

func (w *givenUp) Stop() { close(w.stopped) }

// The SDK stops a worker for good if Temporal does not find the namespace for two
// minutes, or does not let it start. Another one polls after it.
func TestAQueueIsPolledAgain(t *testing.T) {
	t.Parallel()
	built := make([]*givenUp, 3)
	for i := range built {
		built[i] = &givenUp{started: make(chan struct{}), stopped: make(chan struct{})}
	}
	built[0].startError = errors.New("no such namespace")
	fatal := make(chan func(error), len(built))
	next := 0
	p := &poller{queue: "q", log: slog.New(slog.DiscardHandler), build: func(f func(error)) sdk.Worker {
		fatal <- f
		next++
		return built[next-1]
	}}
	p.start()
	<-built[0].started
	<-fatal
	<-built[1].started
	(<-fatal)(errors.New("no such namespace"))
	<-built[1].stopped
	<-built[2].started
	w := &Worker{payouts: p, gateway: p, transactions: p}
	require.Eventually(t, p.polling.Load, pollPause, pollPause/100)
	require.NoError(t, w.Check().Try(t.Context()))
	p.stop()
	<-built[2].stopped
	require.ErrorContains(t, w.Check().Try(t.Context()), "q is not polled")
	require.Equal(t, len(built), next)
}
