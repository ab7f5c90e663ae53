package chaos

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/order"
)

// event is the n-th change of an order's state.
func event(number string, version int64, before, after order.State) ledger.Event {
	return ledger.Event{
		ID: "evt_" + number + string(after), Type: "withdrawal." + string(after), Merchant: merchant, Number: number, Version: version,
		Order: &ledger.EventOrder{Before: before, State: after},
	}
}

// lineOf is the record of an event.
func lineOf(t *testing.T, e ledger.Event) recorded {
	t.Helper()
	message, err := webhook.MessageOf(e)
	require.NoError(t, err)
	return recorded{ID: message.ID, Body: string(message.Body)}
}

func TestRecordIsComparedWithTheEvents(t *testing.T) {
	t.Parallel()
	first, second, third := event("1", 1, "", order.Reserved), event("1", 2, order.Reserved, order.Submitting), event("1", 3, order.Submitting, order.Failed)
	other := event("2", 1, "", order.Reserved)
	closed := ledger.Event{ID: "evt_d", Type: "discrepancy.closed", Merchant: merchant, Number: "2", Discrepancy: &order.Reason{}}
	events := []ledger.Event{first, other, second, third, closed}
	line := func(e ledger.Event) recorded { return lineOf(t, e) }
	altered := line(second)
	altered.Body += " "
	stranger := recorded{ID: "evt_x", Body: `{"merchant":"M1","number":"9"}`}
	forged := line(third)
	forged.Forged = true
	for name, test := range map[string]struct {
		record []recorded
		finds  string
		counts eventsLine
	}{
		"each once": {[]recorded{line(first), line(second), line(other), line(third), line(closed)}, "", eventsLine{Deliveries: 5}},
		"repetitions, also late ones": {
			[]recorded{line(first), line(first), line(second), line(third), line(closed), line(other), line(first)}, "", eventsLine{Deliveries: 7, Repetitions: 2},
		},
		"one is lost": {
			[]recorded{line(first), line(second), line(other), line(closed)},
			merchant + "/1: the endpoint never got evt_1failed, withdrawal.failed of version 3", eventsLine{Deliveries: 4, Lost: 1},
		},
		"one is invented": {
			[]recorded{line(first), line(second), line(other), line(third), line(closed), stranger},
			"M1/9: the endpoint got evt_x, which is no event of the ledger", eventsLine{Deliveries: 6, Invented: 1},
		},
		"out of order": {
			[]recorded{line(first), line(third), line(other), line(second), line(closed)},
			merchant + "/1: the endpoint got version 2 after version 3", eventsLine{Deliveries: 5, OutOfOrder: 1},
		},
		"another content": {
			[]recorded{line(first), altered, line(other), line(third), line(closed)},
			merchant + "/1: the endpoint got evt_1submitting with another content: " + altered.Body, eventsLine{Deliveries: 5},
		},
		"a wrong signature": {
			[]recorded{line(first), line(second), forged, line(other), line(third), line(closed)},
			": the endpoint got evt_1failed with a wrong signature", eventsLine{Deliveries: 6},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &run{}
			r.compareRecord(test.record, events)
			require.Equal(t, test.finds, says(r))
			test.counts.Events = len(events)
			require.Equal(t, test.counts, r.heard)
		})
	}
}

func TestEventsAreComparedWithTheHistory(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: merchant, Number: "1"}
	steps := []ledger.Step{{From: order.Created, To: order.Submitting}, {From: order.Submitting, To: order.Failed}}
	events := []ledger.Event{event("1", 1, "", order.Created), event("1", 2, order.Created, order.Submitting), event("1", 3, order.Submitting, order.Failed)}
	r := &run{}
	r.compareHistory(key, events, steps)
	require.Empty(t, says(r))
	r.compareHistory(key, events[:2], steps)
	require.Equal(t, merchant+"/1: its history is created to submitting, submitting to failed, but its events are created to submitting", says(r))
}

func TestOptionsAreCompleted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		given    Options
		orders   int
		duration time.Duration
	}{
		{Options{}, 240, time.Minute},
		{Options{Duration: 10 * time.Second}, 40, 10 * time.Second},
		{Options{Orders: 7}, 7, time.Minute},
		{Options{Events: true}, 1000, time.Minute},
		{Options{Events: true, Orders: 10_000}, 10_000, time.Minute},
	} {
		done := test.given
		done.complete()
		require.Equal(t, test.orders, done.Orders)
		require.Equal(t, test.duration, done.Duration)
	}
}

func TestOrdersAreAskedForAtBothDoors(t *testing.T) {
	t.Parallel()
	orders := plan(1, 200, time.Minute)
	askEverywhere(orders)
	http := 0
	for _, o := range orders {
		require.NotEqual(t, fickle, o.habit)
		if o.http {
			http++
		}
	}
	require.Equal(t, 100, http)
}

// TestNoEventIsLostOrInvented is the shorter run of the command chaos --events.
func TestNoEventIsLostOrInvented(t *testing.T) {
	if testing.Short() {
		t.Skip("takes over two minutes")
	}
	t.Parallel()
	var out, notes bytes.Buffer
	const orders = 1000
	err := Run(t.Context(), &out, Options{Seed: 1, Orders: orders, Events: true, Progress: &notes})
	require.NoError(t, err, "%s\n%s", out.String(), notes.String())
	var line summary
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.NotNil(t, line.Heard)
	require.Greater(t, line.Heard.Events, 3*orders)
	require.Equal(t, line.Heard.Events, line.Heard.Deliveries-line.Heard.Repetitions)
	require.Empty(t, line.Unacknowledged)
	for _, kind := range []string{stack.API, stack.Worker, stack.Receiver, stack.Temporal, stack.Postgres, stack.Endpoint} {
		require.Positive(t, line.Kills[kind], kind)
	}
	t.Logf("%s", out.String())
}
