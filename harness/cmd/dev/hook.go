package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// refusals is how often a hook refuses the first event of an order.
const refusals = 2

// hook is a receiver of webhooks. It verifies every delivery, and takes each event once. It
// refuses the first tries of the first event of one order.
type hook struct {
	url    string
	server *http.Server
	served chan error
	full   chan struct{} // closed after the last refusal

	mutex    sync.Mutex
	verifier *standardwebhooks.Webhook
	fails    order.Key       // of the order whose first event is refused
	tries    int             // of that event
	event    string          // the id of that event
	taken    []payouts.Event // the first delivery of each, as they came
	seen     map[string]bool // their ids
	unsigned int             // deliveries with a wrong signature
}

// openHook starts a hook on a free port of this machine.
func openHook(ctx context.Context) (*hook, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hook{url: "http://" + listener.Addr().String() + "/", served: make(chan error, 1), full: make(chan struct{}), seen: make(map[string]bool)}
	h.server = &http.Server{Handler: http.HandlerFunc(h.take), ReadHeaderTimeout: 5 * time.Second}
	go func() { h.served <- h.server.Serve(listener) }()
	return h, nil
}

func (h *hook) close() error {
	err := h.server.Close()
	if served := <-h.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// trust sets the secret of the endpoint.
func (h *hook) trust(secret string) (err error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.verifier, err = standardwebhooks.NewWebhook(secret)
	return err
}

// fail has the first event of an order refused. It is called before the order is started.
func (h *hook) fail(key order.Key) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.fails = key
}

func (h *hook) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(h.judge(r.Header, body))
}

// judge returns the status of the answer to a delivery.
func (h *hook) judge(header http.Header, body []byte) int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var event payouts.Event
	if h.verifier == nil || h.verifier.Verify(body, header) != nil || json.Unmarshal(body, &event) != nil {
		h.unsigned++
		return http.StatusUnauthorized
	}
	key := order.Key{Merchant: event.Merchant, Number: event.Number}
	if key == h.fails && (h.event == "" || h.event == event.ID) {
		h.event = event.ID
		h.tries++
		if h.tries <= refusals {
			if h.tries == refusals {
				close(h.full)
			}
			return http.StatusServiceUnavailable
		}
	}
	if !h.seen[event.ID] { // it may come more than once
		h.seen[event.ID] = true
		h.taken = append(h.taken, event)
	}
	return http.StatusNoContent
}

// has reports whether every one of the events was taken.
func (h *hook) has(events []payouts.Event) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return !slices.ContainsFunc(events, func(e payouts.Event) bool { return !h.seen[e.ID] })
}

// outOfOrder returns the order of an event that came before an earlier one of the same
// order, or the zero key.
func (h *hook) outOfOrder() order.Key {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	last := make(map[order.Key]int64)
	for _, event := range h.taken {
		key := order.Key{Merchant: event.Merchant, Number: event.Number}
		if event.Version <= last[key] && event.Number != "" {
			return key
		}
		last[key] = event.Version
	}
	return order.Key{}
}

// mendHook waits until the hook has refused an event often enough, and asks for what it has
// not got, as a finance system does after a failure. Without that the third try would come
// half a minute later.
func (d *demo) mendHook(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.finance.hook.full:
	}
	d.progress("the webhook receiver has refused an event twice, and asks for what it has not got")
	_, err := d.finance.EnableWebhook(ctx, d.finance.actor, d.finance.id)
	return err
}

// awaitEvents waits until the api lists the end of every order among the events, and the
// hook has taken every event of the list. Then it checks what the hook took.
func (d *demo) awaitEvents(ctx context.Context) error {
	ends := make(map[order.Key]order.State, len(d.roles))
	for _, r := range d.roles {
		row, err := d.books.Order(ctx, r.request.Key())
		if err != nil {
			return err
		}
		ends[r.request.Key()] = row.State
	}
	var events []payouts.Event
	after := d.finance.since
	again := time.NewTicker(readEvery)
	defer again.Stop()
	for {
		page, err := d.finance.Events(ctx, d.finance.actor, payouts.EventFilter{After: after, Limit: eventsAtOnce}, 0)
		if err != nil {
			return err
		}
		after = page.Next
		events = append(events, page.Events...)
		for _, event := range page.Events {
			key := order.Key{Merchant: event.Merchant, Number: event.Number}
			if event.Order != nil && event.Order.State == ends[key] {
				delete(ends, key)
			}
		}
		if !page.More && len(ends) == 0 && d.finance.hook.has(events) {
			d.checkEvents(events)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// eventsAtOnce is the size of a page of events.
const eventsAtOnce = 500

// checkEvents compares what the hook took with the list of events.
func (d *demo) checkEvents(events []payouts.Event) {
	h := d.finance.hook
	if key := h.outOfOrder(); key != (order.Key{}) {
		d.expect(false, "an event of %s was delivered after a later one", key)
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	d.delivered = len(h.taken)
	d.expect(len(h.taken) == len(events), "%d events happened and %d others were delivered", len(events), len(h.taken)-len(events))
	d.expect(h.unsigned == 0, "%d deliveries had no valid signature", h.unsigned)
	d.expect(h.tries == refusals+1 || d.killWorker && h.tries > refusals, "the event that was refused %d times must be tried %d times and was tried %d times",
		refusals, refusals+1, h.tries)
}
