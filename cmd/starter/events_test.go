package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Events are printed as they come. A reader that was interrupted goes on after the cursor
// of its last line.
func TestFollowEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	page := func(args ...string) (page eventDocument) {
		got := b.run(t.Context(), append([]string{"events", "--json"}, args...)...)
		require.Equal(t, exitDone, got.code, got.errs)
		require.NoError(t, json.Unmarshal([]byte(got.out), &page))
		return page
	}
	all := page("--from", "2026-01-01")
	first := page("--from", "2026-01-01", "--limit", "2")
	require.Equal(t, all.Events[:2], first.Events)
	require.True(t, first.More)
	require.Equal(t, all.Events[2:], page("--after", first.Cursor).Events)

	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var errs strings.Builder
	s := starter{
		in: strings.NewReader(""), out: in, errs: &errs, user: "amina", now: time.Now, connect: b.connect,
		load: func() (config.Starter, error) { return b.settings, nil },
	}
	ended := make(chan int, 1)
	go func() { ended <- s.run(ctx, []string{"events", "--follow", "--json", "--after", first.Cursor}) }()
	lines := bufio.NewScanner(out)
	next := func() (line followed) {
		require.True(t, lines.Scan())
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		return line
	}
	for _, event := range all.Events[2:] {
		require.Equal(t, event, next().Event)
	}
	b.opened(t, request(t, "LATE-1", "5"))
	_, _, err := b.real.NewRelay().Round(t.Context())
	require.NoError(t, err)
	late := next()
	require.Equal(t, "LATE-1 withdrawal."+string(order.Reserved), late.Event.Number+" "+late.Event.Type)
	require.Empty(t, page("--after", late.Cursor).Events)
	cancel()
	require.Equal(t, exitDone, <-ended, errs.String())
}
