package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A run with events has the HTTP door and a webhook endpoint, too. Half of the orders are
// started over HTTP. The endpoint is told every event. At the end its record, after removing
// repetitions, must be the ledger's history (P11).

const (
	eventOrders    = 1000            // if the options do not say how many
	openOrders     = 100             // at once
	endWithin      = 5 * time.Second // an order that takes longer does not hold up others
	endpointFaults = 20              // deliveries per thousand that the endpoint does not answer with 200
	tellStarts     = 500             // orders
	longestPauses  = 4               // times as long as those of a run of eventOrders
)

// eventSettings are those of a run with events, over settings.
var eventSettings = map[string]string{
	"PAYOUTS_LOG_LEVEL": "info",
	"PAYOUTS_API_RATE":  "10000",
	// On a busy machine a callback takes seconds. Polls before it would double what an order
	// costs.
	"PAYOUTS_CALLBACK_GRACE": "8s",
	"PAYOUTS_POLL_LADDER":    "1s,2s,5s",
}

// told is what the run knows of the events.
type told struct {
	endpoint string // its id
	after    int64  // the position of the last event before the endpoint was registered
	events   []ledger.Event
	latest   map[order.Key]order.State // by the events
}

// eventsLine is the part of the summary about events.
type eventsLine struct {
	Events      int `json:"events"`
	Deliveries  int `json:"deliveries"` // that the endpoint has recorded
	Repetitions int `json:"repetitions"`
	Lost        int `json:"lost"`
	Invented    int `json:"invented"`
	OutOfOrder  int `json:"out_of_order"`
}

// register registers the endpoint over HTTP.
func (r *run) register(ctx context.Context) error {
	parsed, err := url.Parse(r.stack.Addresses.Endpoint)
	if err != nil {
		return err
	}
	if parsed.Host, err = r.route(ctx, stack.Worker, stack.Endpoint, parsed.Host); err != nil {
		return err
	}
	if r.told.after, err = r.books.LastEvent(ctx); err != nil {
		return err
	}
	var made payouts.WebhookWithSecret
	if err := r.post(ctx, "/v1/webhook-endpoints", map[string]string{"url": parsed.String()}, &made); err != nil {
		return fmt.Errorf("register the webhook endpoint: %w", err)
	}
	r.told.endpoint, r.told.latest, r.secret = made.ID, make(map[order.Key]order.State), made.Secret
	return r.setEndpoint(endpointFaults)
}

// setEndpoint tells the endpoint its secret and how often it fails.
func (r *run) setEndpoint(faults int) error {
	text, err := json.Marshal(endpointSettings{Secret: r.secret, Faults: faults, Seed: r.Seed}) //nolint:gosec // a test's own secret
	if err != nil {
		return err
	}
	path := r.stack.EndpointFile(stack.EndpointSettings)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// calm makes the endpoint take everything, and has the events sent again now that it did
// not take, as an operator does.
func (r *run) calm(ctx context.Context) error {
	if err := r.setEndpoint(0); err != nil {
		return err
	}
	return r.post(ctx, "/v1/webhook-endpoints/"+r.told.endpoint+"/enable", nil, nil)
}

// post sends JSON to the HTTP door.
func (r *run) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	answer, err := r.door.ask(ctx, http.MethodPost, path, "application/json", text)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// askOverHTTP starts an order at the HTTP door.
func (r *run) askOverHTTP(ctx context.Context, o order.Request) error {
	return r.post(ctx, "/v1/"+string(o.Kind)+"s", map[string]any{
		"merchant": o.Merchant, "number": o.Number, "country": o.Country, "way": o.Way, "amount": o.Amount, "details": o.Details,
	}, nil)
}

// listen reads the events since the last call. It returns what is pending about events, ""
// if nothing is.
func (r *run) listen(ctx context.Context, rows map[order.Key]order.Order) (unrest string, err error) {
	t := &r.told
	for {
		after := t.after
		if len(t.events) > 0 {
			after = t.events[len(t.events)-1].Position
		}
		page, err := r.books.Events(ctx, ledger.EventFilter{After: after, Limit: ledger.MaxPage})
		if err != nil {
			return "", err
		}
		for _, e := range page {
			if e.Order != nil {
				t.latest[order.Key{Merchant: e.Merchant, Number: e.Number}] = e.Order.State
			}
		}
		t.events = append(t.events, page...)
		if len(page) < ledger.MaxPage {
			break
		}
	}
	missing := 0
	for key, row := range rows {
		if t.latest[key] != row.State {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Sprintf("%d orders have events without a place", missing), nil
	}
	counts, err := r.books.WebhookCounts(ctx, t.endpoint)
	if err != nil || counts.Oldest.IsZero() {
		return "", err
	}
	return fmt.Sprintf("events are not delivered, %d of them failed or wait", counts.Pending), nil
}

// judgeEvents compares the endpoint's record with the events, and the events with the
// history of each order.
func (r *run) judgeEvents(ctx context.Context, v view) error {
	if !r.Events {
		return nil
	}
	if _, err := r.listen(ctx, v.rows); err != nil {
		return err
	}
	record, err := readRecord(r.stack.EndpointFile(stack.EndpointRecord))
	if err != nil {
		return err
	}
	r.compareRecord(record, r.told.events)
	moves := make(map[order.Key][]ledger.Event)
	for _, e := range r.told.events {
		if e.Order != nil {
			key := order.Key{Merchant: e.Merchant, Number: e.Number}
			moves[key] = append(moves[key], e)
		}
	}
	for key := range v.rows {
		steps, err := r.books.History(ctx, key)
		if err != nil {
			return err
		}
		r.compareHistory(key, moves[key], steps)
		delete(moves, key)
	}
	for key := range moves {
		r.find(key.String(), "there are events of an order that the ledger does not have")
	}
	return nil
}

// compareRecord checks that an endpoint has recorded each event, nothing else, with its
// content, and those of an order in sequence (P11). Repetitions are removed.
func (j *judgement) compareRecord(record []recorded, events []ledger.Event) {
	known := make(map[string]ledger.Event, len(events))
	for _, e := range events {
		known[e.ID] = e
	}
	j.heard = eventsLine{Events: len(events), Deliveries: len(record)}
	seen, version := make(map[string]bool), make(map[order.Key]int64)
	for _, line := range record {
		e, is := known[line.ID]
		switch {
		case line.Forged:
			j.find("", "the endpoint got %s with a wrong signature", line.ID)
			continue
		case !is:
			j.heard.Invented++
			j.find(orderOf(line), "the endpoint got %s, which is no event of the ledger", line.ID)
			continue
		}
		key := order.Key{Merchant: e.Merchant, Number: e.Number}
		if message, err := webhook.MessageOf(e); err != nil || string(message.Body) != line.Body {
			j.find(key.String(), "the endpoint got %s with another content: %s", line.ID, line.Body)
		}
		if seen[line.ID] {
			j.heard.Repetitions++
			continue
		}
		seen[line.ID] = true
		if e.Version == 0 { // it is about no order
			continue
		}
		if e.Version < version[key] {
			j.heard.OutOfOrder++
			j.find(key.String(), "the endpoint got version %d after version %d", e.Version, version[key])
		}
		version[key] = max(version[key], e.Version)
	}
	for _, e := range events {
		if !seen[e.ID] {
			j.heard.Lost++
			j.find(order.Key{Merchant: e.Merchant, Number: e.Number}.String(), "the endpoint never got %s, %s of version %d", e.ID, e.Type, e.Version)
		}
	}
}

// orderOf returns the order that a line of a record names, "" if it names none.
func orderOf(line recorded) string {
	var named struct{ Merchant, Number string }
	_ = json.Unmarshal([]byte(line.Body), &named) // then it names none
	if named.Number == "" {
		return ""
	}
	return order.Key{Merchant: named.Merchant, Number: named.Number}.String()
}

// compareHistory checks that the events of an order are the changes of its state.
func (j *judgement) compareHistory(key order.Key, events []ledger.Event, steps []ledger.Step) {
	var told, happened []string
	for _, e := range events {
		before := e.Order.Before
		if before == "" {
			before = order.Created
		}
		if before != e.Order.State { // a deposit is opened as created, which is no change
			told = append(told, fmt.Sprintf("%s to %s", before, e.Order.State))
		}
	}
	for _, step := range steps {
		happened = append(happened, fmt.Sprintf("%s to %s", step.From, step.To))
	}
	if was, is := strings.Join(happened, ", "), strings.Join(told, ", "); was != is {
		j.find(key.String(), "its history is %s, but its events are %s", was, is)
	}
}

// eventTracks are the faults of a run with events. Pauses are longer than in other runs:
// nothing is delivered for 45 seconds after the worker was killed that delivers, and events
// should be under way when something fails. A run of many orders has longer ones still: while
// processes start again, few orders go on.
func eventTracks(orders int) map[uint64]track {
	pauses := func(from, to time.Duration) span {
		longer := max(1, min(orders/eventOrders, longestPauses))
		return span{time.Duration(longer) * from, time.Duration(longer) * to}
	}
	return map[uint64]track{
		seedBlows:   {pauses(time.Second, 6*time.Second), dealer(eventDeck)},
		seedTraps:   {pauses(4*time.Second, 12*time.Second), (*run).killAtPoint},
		seedFreezes: {pauses(5*time.Second, 30*time.Second), (*run).freeze},
		seedDoors:   {pauses(time.Second, 6*time.Second), dealer([]blow{kill(stack.API), kill(stack.Endpoint)})},
	}
}

// eventDeck kills each kind of process once in its turn.
var eventDeck = []blow{
	kill(stack.Worker), kill(stack.Receiver), kill(stack.Temporal), kill(stack.Postgres), (*run).cutLines, (*run).pauseShortly,
}

// askEverywhere has every other order started at the HTTP door, and each until it is
// acknowledged, so that all of them have events.
func askEverywhere(orders []*started) {
	for i, o := range orders {
		o.http = i%2 == 1
		if o.habit == fickle {
			o.habit = persistent
		}
	}
}

// startInTurn starts the orders as fast as the system takes them: an order begins when there
// is room. begun is called when all have begun and each kind of process was killed. startInTurn returns when each is acknowledged,
// or when the context ends.
func (r *run) startInTurn(ctx context.Context, begun func()) {
	room := make(chan struct{}, openOrders)
	var starting sync.WaitGroup
	defer starting.Wait()
	for i, o := range r.orders {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if i > 0 && i%tellStarts == 0 {
			r.say("%d orders were started", i)
		}
		starting.Go(func() {
			defer func() { <-room }()
			var copies sync.WaitGroup
			for range o.copies() {
				copies.Go(func() { r.start(ctx, o) })
			}
			copies.Wait()
			ending, cancel := context.WithTimeout(ctx, endWithin)
			defer cancel()
			_, _ = r.stack.Orders.Wait(ending, o.request.Key()) // or it takes longer
		})
	}
	r.awaitKills(ctx)
	begun()
}

// awaitKills returns when each kind of process was killed at least once, or after a minute.
// Few orders are started before that.
func (r *run) awaitKills(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, usualDuration)
	defer cancel()
	for pause(ctx, lookEvery) {
		if r.killedAll() {
			return
		}
	}
}

// killedAll reports whether each kind of process was killed.
func (r *run) killedAll() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, kind := range []string{stack.API, stack.Endpoint, stack.Worker, stack.Receiver, stack.Temporal, stack.Postgres} {
		if r.kills[kind] == 0 {
			return false
		}
	}
	return true
}

// eventPoints are further points of a run with events.
var eventPoints = []point{
	{name: "events have no place yet", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{"INSERT INTO events"}},
	{name: "events have their places", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{"INSERT INTO events"}},
	{name: "delivered, not written", kind: stack.Worker, to: stack.Postgres, when: asks, what: []string{"UPDATE webhook_endpoints SET position"}},
	{name: "delivered, not committed", kind: stack.Worker, to: stack.Postgres, when: commits, what: []string{"UPDATE webhook_endpoints SET position"}},
	{name: "delivered and written", kind: stack.Worker, to: stack.Postgres, when: committed, what: []string{"UPDATE webhook_endpoints SET position"}},
}

// points are those of the run.
func (r *run) points() []point {
	if r.Events {
		return slices.Concat(points, eventPoints)
	}
	return points
}
