package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

type webhookLine struct {
	Bench string `json:"bench"`
	place
	Deliveries int     `json:"deliveries"`
	PerS       float64 `json:"deliveries_per_s"` // to one endpoint, from the first to the last, each verified
}

// webhook has the events of orders that have ended sent to one endpoint, again and again. No
// order is under way meanwhile.
func (r *rig) webhook(ctx context.Context) (err error) {
	e := &ear{}
	server := httptest.NewServer(e)
	defer server.Close()
	var made payouts.WebhookWithSecret
	if err := r.askJSON(ctx, "/v1/webhook-endpoints", map[string]string{"url": server.URL}, &made); err != nil {
		return err
	}
	at := "/v1/webhook-endpoints/" + made.ID
	defer func() { err = errors.Join(err, r.askJSON(ctx, at+"/disable", nil, nil)) }()
	if err := e.verifies(made.Secret); err != nil {
		return err
	}
	began := time.Now()
	if _, err := r.round(ctx, r.options.Orders, r.ours); err != nil {
		return err
	}
	// The last event of each order comes last.
	first, err := e.awaits(ctx, func(h heard) bool { return h.ended >= r.options.Orders })
	if err != nil {
		return err
	}
	line, took := webhookLine{Bench: "webhook", place: r.place}, time.Duration(0)
	rounds := replays * r.options.Rounds
	for range rounds {
		e.restart()
		if err := r.askJSON(ctx, at+"/replay", map[string]any{"since": began.Add(-time.Minute)}, nil); err != nil {
			return err
		}
		again, err := e.awaits(ctx, func(h heard) bool { return len(h.ids) >= len(first.ids) && containsAll(h.ids, first.ids) })
		if err != nil {
			return err
		}
		line.Deliveries += again.count
		took += again.last.Sub(again.first)
	}
	line.PerS = digits(float64(line.Deliveries-rounds) / took.Seconds())
	return r.out.Encode(line)
}

// ear is an endpoint that verifies and counts.
type ear struct {
	mutex    sync.Mutex
	verifier *standardwebhooks.Webhook
	heard    heard
}

// heard counts the deliveries of a round.
type heard struct {
	count, faults int
	ended         int // orders that have succeeded
	ids           map[string]bool
	first, last   time.Time
}

// containsAll reports whether a set has all of another one.
func containsAll(all, some map[string]bool) bool {
	for one := range some {
		if !all[one] {
			return false
		}
	}
	return true
}

// replays is how often each round's events are sent again.
const replays = 10

// webhookPatience bounds a round of deliveries.
const webhookPatience = 2 * time.Minute

// awaits returns what was heard as soon as it fits the condition.
func (e *ear) awaits(ctx context.Context, enough func(heard) bool) (heard, error) {
	ctx, cancel := context.WithTimeout(ctx, webhookPatience)
	defer cancel()
	for {
		told := e.told()
		if told.faults > 0 {
			return told, errors.New("an event was not well signed")
		}
		if enough(told) {
			return told, nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return told, err
		}
	}
}

func (e *ear) verifies(secret string) (err error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.verifier, err = standardwebhooks.NewWebhook(secret)
	return err
}

func (e *ear) restart() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.heard = heard{}
}

func (e *ear) told() heard {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	told := e.heard
	told.ids = maps.Clone(told.ids)
	return told
}

func (e *ear) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	e.mutex.Lock()
	verifier := e.verifier
	e.mutex.Unlock()
	if err == nil && verifier != nil {
		err = verifier.Verify(body, request.Header)
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if err != nil || verifier == nil {
		e.heard.faults++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.heard.last = time.Now(); e.heard.count == 0 {
		e.heard.first, e.heard.ids = e.heard.last, make(map[string]bool)
	}
	e.heard.ids[request.Header.Get(standardwebhooks.HeaderWebhookID)] = true
	if bytes.Contains(body, []byte(`"type":"withdrawal.succeeded"`)) {
		e.heard.ended++
	}
	e.heard.count++
}
