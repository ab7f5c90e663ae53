package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// places gives events their places, as a worker does.
func (h *house) places(t *testing.T) {
	t.Helper()
	_, _, err := h.ledger.NewRelay().Round(t.Context())
	require.NoError(t, err)
}

func (h *house) events(t *testing.T, who, query string) (list eventList) {
	t.Helper()
	got := h.as(t, who, http.MethodGet, "/v1/events"+query, "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	require.NoError(t, json.Unmarshal([]byte(got.text), &list))
	return list
}

func linesOf(events []payouts.Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%s %s %d", e.Number, e.Type, e.Version))
	}
	return lines
}

func TestListEvents(t *testing.T) {
	t.Parallel()
	h := setup(t)
	empty := h.events(t, "watcher", "")
	require.Empty(t, empty.Events)
	require.NotEmpty(t, empty.Next)
	for n := range 3 {
		h.opened(t, merchant, fmt.Sprint("PK-", n))
		h.opened(t, merchantVN, fmt.Sprint("VN-", n))
	}
	h.places(t)
	all := []string{"PK-0 withdrawal.reserved 1", "PK-1 withdrawal.reserved 1", "PK-2 withdrawal.reserved 1"}
	require.Equal(t, all, linesOf(h.events(t, "watcher", "?cursor="+url.QueryEscape(empty.Next)).Events))
	require.Len(t, h.events(t, "desk", "").Events, 6)

	var seen []string
	next := "?limit=2&type=withdrawal.reserved,withdrawal.succeeded"
	for {
		list := h.events(t, "watcher", next)
		seen = append(seen, linesOf(list.Events)...)
		if !list.More {
			break
		}
		next = "?limit=1&type=withdrawal.reserved,withdrawal.succeeded&cursor=" + url.QueryEscape(list.Next)
	}
	require.Equal(t, all, seen)
	none := h.events(t, "watcher", "?type=withdrawal.succeeded&limit=1")
	require.Empty(t, none.Events)
	require.False(t, none.More)

	latest := h.events(t, "desk", "?from=now")
	require.Empty(t, latest.Events)
	later := h.events(t, "desk", "?from="+url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)))
	require.Empty(t, later.Events)
	require.Len(t, h.events(t, "desk", "?from=2026-01-01T00:00:00Z").Events, 6)
	h.opened(t, merchantVN, "VN-LAST")
	h.places(t)
	got := h.events(t, "desk", "?cursor="+url.QueryEscape(latest.Next))
	require.Equal(t, []string{"VN-LAST withdrawal.reserved 1"}, linesOf(got.Events))
	require.Equal(t, merchantVN, got.Events[0].Merchant)
	require.Equal(t, "VND", got.Events[0].Order.Amount.Currency())

	for query, code := range map[string]string{
		"?merchant=" + merchantVN: "UNKNOWN_MERCHANT", "?cursor=x": CodeCursor, "?type=order.paid": "INVALID_REQUEST", "?from=yesterday": "INVALID_REQUEST",
		"?wait=2m": "INVALID_REQUEST", "?limit=501": "INVALID_REQUEST",
		"?cursor=" + url.QueryEscape(newCursor("orders", nil).write(1)): CodeCursor,
	} {
		got := h.as(t, "watcher", http.MethodGet, "/v1/events"+query, "")
		require.Equal(t, code, got.problem(t).Code, query)
		if code != "UNKNOWN_MERCHANT" && code != CodeCursor {
			require.NotEmpty(t, got.problem(t).Errors, query)
		}
	}
}

// A cursor of the list as it was before an older copy of the ledger was restored is
// refused, and skips nothing.
func TestACursorOfARestoredLedger(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.opened(t, merchant, "PK-1")
	h.places(t)
	for _, lost := range []payouts.EventPlace{{Position: 1, ID: "evt_000000000000"}, {Position: 1}, {Position: 2, ID: "evt_000000000000"}} {
		text := lost.String()
		got := h.as(t, "watcher", http.MethodGet, "/v1/events?cursor="+url.QueryEscape(text), "")
		require.Equal(t, http.StatusConflict, got.status)
		require.Equal(t, payouts.CodeEventsRestored, got.problem(t).Code)
		got = h.as(t, "watcher", http.MethodGet, "/v1/events/stream", "", "Last-Event-ID", text)
		require.Equal(t, payouts.CodeEventsRestored, got.problem(t).Code)
	}
}

func TestWaitForEvents(t *testing.T) {
	t.Parallel()
	h := setup(t)
	waited := make(chan []payouts.Event)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+"/v1/events?wait=60s&type=withdrawal.reserved", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+tokenOf("watcher"))
	go func() {
		var list eventList
		if response, err := h.server.Client().Do(request); err == nil {
			_ = json.NewDecoder(response.Body).Decode(&list)
			_ = response.Body.Close()
		}
		waited <- list.Events
	}()
	h.opened(t, merchantVN, "VN-1") // nobody's whom we wait for
	h.places(t)
	h.opened(t, merchant, "PK-1")
	h.places(t)
	require.Equal(t, []string{"PK-1 withdrawal.reserved 1"}, linesOf(<-waited))
	require.Empty(t, h.events(t, "watcher", "?from=now&wait=1ms").Events)
}

func TestStreamEvents(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.opened(t, merchant, "PK-1")
	h.opened(t, merchantVN, "VN-1")
	h.places(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read := func(last string) *bufio.Scanner {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.server.URL+"/v1/events/stream", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+tokenOf("watcher"))
		request.Header.Set("Last-Event-ID", last)
		response, err := h.server.Client().Do(request)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
		return bufio.NewScanner(response.Body)
	}
	message := func(lines *bufio.Scanner) (id, kind string, event payouts.Event) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				require.NoError(t, json.Unmarshal([]byte(value), &event))
				return id, kind, event
			}
		}
		t.Fatal("the stream has ended")
		return id, kind, event
	}
	stream := read("")
	first, kind, event := message(stream)
	require.Equal(t, "withdrawal.reserved", kind)
	require.Equal(t, "PK-1", event.Number)
	h.opened(t, merchant, "PK-2")
	h.places(t)
	_, _, event = message(stream)
	require.Equal(t, "PK-2", event.Number, "while the stream runs")
	_, _, event = message(read(first))
	require.Equal(t, "PK-2", event.Number, "a stream goes on after the last message")
}
