package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	sdk "go.temporal.io/sdk/worker"
)

// pollPause is the pause between tries to begin to poll.
const pollPause = time.Second

// A poller polls one task queue until it is stopped.
//
// The SDK stops a worker for good if Temporal has answered its polls for two minutes that
// the namespace does not exist. A frontend that cannot read its own database answers the
// same. A poller then begins anew, with another worker of the SDK, because one that was
// stopped cannot start again.
type poller struct {
	queue string
	build func(fatal func(error)) sdk.Worker
	log   *slog.Logger

	polling atomic.Bool
	cancel  context.CancelFunc
	ended   chan struct{}
}

// start begins to poll in the background, as soon as Temporal answers.
func (p *poller) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.ended = cancel, make(chan struct{})
	go func() {
		defer close(p.ended)
		p.keep(ctx)
	}()
}

// stop takes no more tasks and waits for those under way.
func (p *poller) stop() {
	p.cancel()
	<-p.ended
}

func (p *poller) keep(ctx context.Context) {
	for {
		err := p.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		p.log.Error("Temporal does not let this process poll; the next attempt is in a second", "queue", p.queue, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pollPause):
		}
	}
}

// poll polls until the context ends or the SDK gives up. It returns the reason of the SDK.
func (p *poller) poll(ctx context.Context) error {
	fatal := make(chan error, 1)
	running := p.build(func(err error) { fatal <- err }) // the SDK calls it once
	if err := running.Start(); err != nil {
		return err
	}
	p.log.Info("The queue is polled", "queue", p.queue)
	p.polling.Store(true)
	defer running.Stop()
	defer p.polling.Store(false)
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return err
	}
}
