package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const merchant = "M1700000001"

// testBundle is a real ledger with a clock that the test moves, and a deliverer.
type testBundle struct {
	*ledger.Ledger
	*Deliverer
	sender *Sender
	relay  *ledger.Relay
	skew   atomic.Int64
	counts sync.Map
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	b := &testBundle{Ledger: books, sender: sender(t, Options{AllowPrivate: true}), relay: books.NewRelay()}
	books.SetClock(func() time.Time { return time.Now().Add(time.Duration(b.skew.Load())) })
	require.NoError(t, books.Migrate(t.Context()))
	require.NoError(t, books.OpenBooks(t.Context(), merchant, pkr("1000000"), pkr("0")))
	b.Deliverer = b.another(books)
	return b
}

// another is a deliverer of another process.
func (b *testBundle) another(books Books) *Deliverer {
	return NewDeliverer(books, b.sender, "test", func(result Outcome) {
		n, _ := b.counts.LoadOrStore(result, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}, slog.New(slog.DiscardHandler))
}

func (b *testBundle) counted(result Outcome) int64 {
	n, there := b.counts.Load(result)
	if !there {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// later moves the ledger's clock.
func (b *testBundle) later(by time.Duration) { b.skew.Add(int64(by)) }

func pkr(text string) money.Amount {
	amount, err := money.Parse(text, "PKR")
	if err != nil {
		panic(err)
	}
	return amount
}

// life pays an order: four events.
func (b *testBundle) life(t *testing.T, number string) {
	t.Helper()
	b.paid(t, b.opened(t, number))
}

// opened opens an order: one event.
func (b *testBundle) opened(t *testing.T, number string) order.Request {
	t.Helper()
	request := order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: number, Country: "PK", Way: "JAZZCASH", Amount: pkr("1"),
		Details: map[string]string{"customerName": "Ayesha Example", "customerAccountNumber": "03000000000"}, RequestedBy: "tests",
	}
	_, opening, err := b.OpenOrder(t.Context(), request, ledger.Terms{})
	require.NoError(t, err)
	require.Equal(t, ledger.Opened, opening)
	return request
}

// paid pays it: three events.
func (b *testBundle) paid(t *testing.T, request order.Request) {
	t.Helper()
	s, err := b.NextSubmission(t.Context(), request.Key(), 0)
	require.NoError(t, err)
	_, err = b.CompleteSubmission(t.Context(), request.Key(), s.Attempt, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "GW-" + request.Number})
	require.NoError(t, err)
	_, err = b.Settle(t.Context(), request.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, Paid: pkr("1")})
	require.NoError(t, err)
}

// lives pays orders and gives their events places. It returns the events.
func (b *testBundle) lives(t *testing.T, from, to int) []ledger.Event {
	t.Helper()
	last, err := b.LastEvent(t.Context())
	require.NoError(t, err)
	for n := from; n < to; n++ {
		b.life(t, fmt.Sprint("W", n))
	}
	b.place(t)
	events, err := b.Events(t.Context(), ledger.EventFilter{After: last, Limit: ledger.MaxPage})
	require.NoError(t, err)
	require.Len(t, events, 4*(to-from))
	return events
}

// place gives events their places.
func (b *testBundle) place(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		_, more, err = b.relay.Round(t.Context())
		require.NoError(t, err)
	}
}

// webhook registers an endpoint.
func (b *testBundle) webhook(t *testing.T, url string, types ...string) (id, secret string) {
	t.Helper()
	secret = NewSecret()
	made, err := b.CreateWebhook(t.Context(), ledger.NewWebhook{URL: url, Types: types, Secret: secret, By: "tests"})
	require.NoError(t, err)
	return made.ID, secret
}

func (b *testBundle) round(t *testing.T) {
	t.Helper()
	require.NoError(t, b.Round(t.Context()))
}

func (b *testBundle) state(t *testing.T, id string) (ledger.Webhook, ledger.WebhookCounts) {
	t.Helper()
	found, err := b.Webhook(t.Context(), id)
	require.NoError(t, err)
	counts, err := b.WebhookCounts(t.Context(), id)
	require.NoError(t, err)
	return found, counts
}

// told are the events that a receiver got, each time.
func told(t *testing.T, all []got) (events []ledger.Event) {
	t.Helper()
	for _, one := range all {
		var event ledger.Event
		require.NoError(t, json.Unmarshal(one.body, &event))
		require.Equal(t, event.ID, one.header.Get("Webhook-Id"))
		events = append(events, event)
	}
	return events
}

func ids(events []ledger.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

// requireInOrder requires that each event arrived, and those of an order in their sequence
// where they came first.
func requireInOrder(t *testing.T, want, got []ledger.Event) {
	t.Helper()
	seen := make(map[string]bool)
	version := make(map[string]int64)
	for _, e := range got {
		if !seen[e.ID] {
			require.Greater(t, e.Version, version[e.Number], "%s %s", e.Number, e.Type)
			version[e.Number] = e.Version
		}
		seen[e.ID] = true
	}
	for _, e := range want {
		require.True(t, seen[e.ID], "%s %s never came", e.Number, e.Type)
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.lives(t, 0, 1) // before the endpoint is there
	url, seen := receiver(t, says(200, ""))
	id, secret := b.webhook(t, url)
	some, someSeen := receiver(t, says(200, ""))
	b.webhook(t, some, "withdrawal.succeeded", "withdrawal.failed")
	b.round(t)
	require.Empty(t, seen.list())
	events := b.lives(t, 1, 40) // more than a page
	b.round(t)

	got := told(t, seen.list())
	require.ElementsMatch(t, ids(events), ids(got), "each once")
	requireInOrder(t, events, got)
	for _, one := range seen.list() {
		require.NoError(t, verifier(t, secret).Verify(one.body, one.header))
		i := slices.IndexFunc(events, func(e ledger.Event) bool { return e.ID == one.header.Get("Webhook-Id") })
		want, err := json.Marshal(events[i])
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(one.body))
	}
	require.Len(t, someSeen.list(), 39)
	found, counts := b.state(t, id)
	require.Equal(t, ledger.WebhookCounts{}, counts)
	require.True(t, found.FailingSince.IsZero())
	rows, err := b.WebhookDeliveries(t.Context(), ledger.WebhookDeliveryFilter{Endpoint: id})
	require.NoError(t, err)
	require.Empty(t, rows, "what is delivered at once has no row")
	require.Equal(t, int64(39*5), b.counted(Delivered))
	work, err := b.WebhookWork(t.Context())
	require.NoError(t, err)
	require.Empty(t, work)
}

// An endpoint fails in turns. Each order's events still come in their sequence.
func TestAnOrdersEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var tries atomic.Int64
	well := new(requests)
	url, _ := receiver(t, taking(well, func() bool { return tries.Add(1)%3 == 0 }))
	id, _ := b.webhook(t, url)
	events := b.lives(t, 0, 20)
	for round := 0; ; round++ {
		b.round(t)
		_, counts := b.state(t, id)
		work, err := b.WebhookWork(t.Context())
		require.NoError(t, err)
		if counts.Pending == 0 && len(work) == 0 {
			break
		}
		require.Less(t, round, 200)
		b.later(10 * time.Minute)
	}
	got := told(t, well.list())
	require.Len(t, got, len(events), "each once")
	requireInOrder(t, events, got)
	rows, err := b.WebhookDeliveries(t.Context(), ledger.WebhookDeliveryFilter{Endpoint: id, Limit: ledger.MaxPage})
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		require.Equal(t, "delivered", row.State)
	}
}

// The first event of an order has failed. Its later ones wait, although the endpoint is well.
func TestEventsWaitForOneOfTheirOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var up atomic.Bool
	well := new(requests)
	url, _ := receiver(t, taking(well, up.Load))
	id, _ := b.webhook(t, url)
	request := b.opened(t, "W0")
	b.place(t)
	b.round(t)
	up.Store(true)
	b.paid(t, request)
	b.life(t, "W1")
	b.place(t)
	b.round(t)
	for _, e := range told(t, well.list()) {
		require.Equal(t, "W1", e.Number)
	}
	require.Len(t, well.list(), 4, "other orders do not wait")
	_, counts := b.state(t, id)
	require.Equal(t, 4, counts.Pending)
	b.later(5 * time.Second)
	b.round(t)
	var types []string
	for _, e := range told(t, well.list()[4:]) {
		types = append(types, e.Type)
	}
	require.Equal(t, []string{"withdrawal.reserved", "withdrawal.submitting", "withdrawal.submitted", "withdrawal.succeeded"}, types)
}

// taking answers 200 and notes the request if it takes it, and 503 otherwise.
func taking(well *requests, takes func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !takes() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := r.Context().Value(bodyKey{}).([]byte)
		well.add(got{r.Header, body})
	}
}

// deadBooks is the ledger of a process that is killed before it writes.
type deadBooks struct{ Books }

func (deadBooks) RecordWebhook(context.Context, ledger.WebhookLease, ledger.WebhookProgress) error {
	return errors.New("killed")
}

// A deliverer that is killed in a page has written nothing. The next one sends the page
// again, under the same ids.
func TestAKilledDeliverer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, seen := receiver(t, says(200, ""))
	b.webhook(t, url)
	events := b.lives(t, 0, 10)
	require.NoError(t, b.another(deadBooks{b.Ledger}).Round(t.Context()))
	require.Len(t, seen.list(), 40)
	b.round(t)
	require.Len(t, seen.list(), 40, "the lease of the dead one still runs")
	b.later(leaseLife)
	b.round(t)
	got := told(t, seen.list())
	require.Len(t, got, 80)
	require.ElementsMatch(t, ids(events), ids(got[40:]))
	requireInOrder(t, events, got)
}

// A deliverer that is told to stop in a page writes what it has delivered.
func TestAStoppedDeliverer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan struct{})
	url, seen := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		var event ledger.Event
		body, _ := r.Context().Value(bodyKey{}).([]byte)
		_ = json.Unmarshal(body, &event)
		switch {
		case event.Number == "W0" && event.Version == 4 && ctx.Err() == nil:
			close(first) // the events before it were delivered
		case event.Number == "W19" && event.Version == 1 && ctx.Err() == nil:
			<-first
			cancel()
			<-r.Context().Done()
		}
	})
	b.webhook(t, url)
	events := b.lives(t, 0, 20)
	_ = b.another(b.Ledger).Round(ctx)
	b.round(t)
	got := told(t, seen.list())
	requireInOrder(t, events, got)
	for _, event := range events[:3] { // of W0
		again := slices.Index(ids(got)[slices.Index(ids(got), event.ID)+1:], event.ID)
		require.Equal(t, -1, again, "what was delivered first was written")
	}
}

// Several deliverers at once: each event comes once.
func TestTwoDeliverers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, seen := receiver(t, says(200, ""))
	b.webhook(t, url)
	other := b.another(b.Ledger)
	var want []ledger.Event
	for n := range 5 {
		want = append(want, b.lives(t, 10*n, 10*n+10)...)
		var both sync.WaitGroup
		for _, d := range []*Deliverer{b.Deliverer, other} {
			both.Go(func() {
				if err := d.Round(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	b.round(t)
	got := told(t, seen.list())
	require.ElementsMatch(t, ids(want), ids(got))
	requireInOrder(t, want, got)
}

// slowBooks lets the lease end before what was delivered is written.
type slowBooks struct {
	Books
	before func()
}

func (s slowBooks) RecordWebhook(ctx context.Context, lease ledger.WebhookLease, done ledger.WebhookProgress) error {
	s.before()
	return s.Books.RecordWebhook(ctx, lease, done)
}

// Who has lost the lease writes nothing: what the next one has written stands.
func TestALostLease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var fail atomic.Bool
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if fail.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	id, _ := b.webhook(t, url)
	b.lives(t, 0, 1)
	slow := b.another(slowBooks{b.Ledger, func() {
		b.later(leaseLife)
		fail.Store(true)
		b.round(t) // the first event fails, and the others wait
	}})
	require.NoError(t, slow.Round(t.Context()))
	found, counts := b.state(t, id)
	require.Equal(t, 4, counts.Pending, "the first one has written nothing")
	require.False(t, found.FailingSince.IsZero())
}

// After 410 nothing is sent any more. Once enabled, the endpoint gets what it has not got.
func TestGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var gone atomic.Bool
	gone.Store(true)
	well := new(requests)
	url, seen := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			w.WriteHeader(http.StatusGone)
			return
		}
		taking(well, func() bool { return true })(w, r)
	})
	id, _ := b.webhook(t, url)
	events := b.lives(t, 0, 1)
	b.round(t)
	found, _ := b.state(t, id)
	require.Equal(t, ledger.WebhookDisabled, found.State)
	require.Equal(t, "it answered 410 Gone: it wants no events any more", found.Problem)
	require.Len(t, seen.list(), 1)
	b.later(time.Hour)
	b.round(t)
	require.Len(t, seen.list(), 1)
	gone.Store(false)
	_, err := b.EnableWebhook(t.Context(), id, "amina")
	require.NoError(t, err)
	b.round(t)
	require.Equal(t, ids(events), ids(told(t, well.list())))
}

// For a day everything fails. The endpoint is paused and needs a person, nothing is tried,
// and after that it gets everything.
func TestPausedAfterADay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var up atomic.Bool
	var tries atomic.Int64
	well := new(requests)
	url, _ := receiver(t, taking(well, func() bool { tries.Add(1); return up.Load() }))
	id, _ := b.webhook(t, url)
	events := b.lives(t, 0, 45)
	for range 23 {
		b.round(t)
		b.later(time.Hour)
	}
	found, counts := b.state(t, id)
	require.Equal(t, ledger.WebhookActive, found.State)
	require.Less(t, counts.Pending, 120, "while everything fails, new events wait")
	b.later(time.Hour)
	b.round(t)
	found, _ = b.state(t, id)
	require.Equal(t, ledger.WebhookPaused, found.State)
	due, err := b.NeedsPerson(t.Context(), time.Hour, 10)
	require.NoError(t, err)
	require.Len(t, due, 1)
	require.Equal(t, id, due[0].ID)
	require.Equal(t, ledger.QueueWebhook, due[0].Kind)

	before := tries.Load()
	b.later(100 * time.Hour)
	b.round(t)
	require.Equal(t, before, tries.Load(), "nothing is tried while it is paused")
	up.Store(true)
	_, err = b.EnableWebhook(t.Context(), id, "amina")
	require.NoError(t, err)
	for range 10 {
		b.round(t)
	}
	got := told(t, well.list())
	require.Len(t, got, 180)
	requireInOrder(t, events, got)
	_, counts = b.state(t, id)
	require.Equal(t, ledger.WebhookCounts{}, counts)
}

// One event is refused for ever, the others are not. It is given up after three days, and
// then its order goes on.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	well := new(requests)
	var poison atomic.Pointer[string]
	url, seen := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		taking(well, func() bool { return r.Header.Get("Webhook-Id") != *poison.Load() })(w, r)
	})
	id, _ := b.webhook(t, url)
	events := b.lives(t, 0, 1)
	poison.Store(&events[1].ID)
	begun := b.skew.Load()
	for round := range 10_000 {
		b.round(t)
		b.lives(t, round+1, round+2) // so that not everything fails
		if _, counts := b.state(t, id); counts.GivenUp > 0 {
			break
		}
		b.later(time.Hour)
	}
	b.round(t)
	b.round(t)
	_, counts := b.state(t, id)
	require.Equal(t, ledger.WebhookCounts{GivenUp: 1}, counts)
	lasted := time.Duration(b.skew.Load() - begun)
	require.GreaterOrEqual(t, lasted, 71*time.Hour)
	require.LessOrEqual(t, lasted, 90*time.Hour)
	var first []string
	for _, e := range told(t, well.list()) {
		if e.Number == "W0" {
			first = append(first, e.Type)
		}
	}
	require.Equal(t, []string{"withdrawal.reserved", "withdrawal.submitted", "withdrawal.succeeded"}, first)
	tries := 0
	for _, one := range seen.list() {
		if one.header.Get("Webhook-Id") == events[1].ID {
			tries++
		}
	}
	require.Equal(t, 14, tries)
	rows, err := b.WebhookDeliveries(t.Context(), ledger.WebhookDeliveryFilter{Endpoint: id, State: "given_up"})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, events[1].ID, rows[0].EventID)
	require.Equal(t, int64(14), rows[0].Tries)
	require.Equal(t, http.StatusServiceUnavailable, rows[0].Status)
}

// During a rotation both secrets sign; after the overlap, the new one alone.
func TestRotation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, seen := receiver(t, says(200, ""))
	id, old := b.webhook(t, url)
	b.lives(t, 0, 1)
	b.round(t)
	fresh := NewSecret()
	_, err := b.RotateWebhook(t.Context(), id, "amina", fresh, 24*time.Hour)
	require.NoError(t, err)
	b.lives(t, 1, 2)
	b.round(t)
	b.later(24 * time.Hour)
	b.lives(t, 2, 3)
	b.round(t)
	all := seen.list()
	require.Len(t, all, 12)
	for i, secrets := range map[int][]bool{0: {true, false}, 4: {true, true}, 8: {false, true}} {
		for n, secret := range []string{old, fresh} {
			require.Equal(t, secrets[n], verifier(t, secret).Verify(all[i].body, all[i].header) == nil, "%d %d", i, n)
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, seen := receiver(t, says(200, ""))
	id, _ := b.webhook(t, url)
	events := b.lives(t, 0, 5)
	b.round(t)
	require.Len(t, seen.list(), 20)
	position, err := b.EventPosition(t.Context(), events[7].ID)
	require.NoError(t, err)
	require.Equal(t, events[7].Position, position)
	_, err = b.ReplayWebhook(t.Context(), id, "amina", position-1)
	require.NoError(t, err)
	b.round(t)
	require.ElementsMatch(t, ids(events[7:]), ids(told(t, seen.list()[20:])))
	_, err = b.ReplayWebhook(t.Context(), id, "amina", position+1000)
	require.NoError(t, err)
	b.round(t)
	require.Len(t, seen.list(), 33, "a position ahead skips nothing")
	more := b.lives(t, 5, 6)
	b.round(t)
	require.Equal(t, ids(more), ids(told(t, seen.list()[33:])))
	_, err = b.EventPosition(t.Context(), "evt_"+events[0].ID)
	require.ErrorIs(t, err, ledger.ErrNotFound)
}

// An endpoint that is slow does not hold up another one.
func TestSlowEndpointsAreAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	release := make(chan struct{})
	slow, _ := receiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	arrived := make(chan struct{}, 100)
	fast, _ := receiver(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} })
	b.webhook(t, slow)
	b.webhook(t, fast)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx, 5*time.Millisecond)
	}()
	for n := range 3 {
		b.lives(t, n, n+1)
		for range 4 {
			<-arrived
		}
	}
	close(release)
	cancel()
	<-done
}
