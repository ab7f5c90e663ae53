package bench

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/webhook"
)

// Figures of two servers stand in one file: every line says which is its own.
func TestEveryLineNamesItsPlace(t *testing.T) {
	t.Parallel()
	at := place{Server: Production, Ledger: onPostgres}
	for _, line := range []any{
		costLine{Bench: "cost", place: at}, throughputLine{Bench: "throughput", place: at}, sqlLine{Bench: "sql", place: at},
		callbackLine{Bench: "callback", place: at}, signatureLine{Bench: "signature", place: at},
		inFlightLine{Bench: "in_flight", place: at}, reconcileLine{Bench: "reconcile", place: at},
		apiLine{Bench: "api", place: at}, webhookLine{Bench: "webhook", place: at}, batchLine{Bench: "batch", place: at}, eventsLine{Bench: "events", place: at}, settleLine{Bench: "settle", place: at}, growthLine{Bench: "growth", place: at},
		reportLine{Bench: "report", place: at},
	} {
		text, err := json.Marshal(line)
		require.NoError(t, err)
		var read map[string]any
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, "production", read["server"], "%s", text)
		require.Equal(t, "postgres", read["ledger"], "%s", text)
	}
}

func TestUnknownServerIsRefused(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), io.Discard, Options{Server: "cloud"})
	require.EqualError(t, err, `there is no server "cloud": it is embedded or production`)
}

// 100 orders took 20 s; in 10 s without orders there were 5 statements, 2
// transactions and 100 bytes.
func TestWhatIsDoneForNoOrderIsTakenOff(t *testing.T) {
	t.Parallel()
	idle := work{took: 10 * time.Second, in: map[string]counts{ofLedger: {5, 2, 100}}}
	busy := work{took: 20 * time.Second, in: map[string]counts{ofLedger: {3710, 1304, 900_200}, ofTemporal: {9, 9, 9}}}
	line := busy.less(idle, ofLedger).line(100)
	require.Equal(t, sqlLine{Bench: "sql", Orders: 100, Statements: 37, Transactions: 13, WALBytes: 9000}, line)
}

func TestUsageIsPerOrderAndProcess(t *testing.T) {
	t.Parallel()
	both := make(usage)
	both.add(usage{"worker": time.Second, here: 0}, usage{"worker": 3 * time.Second, here: time.Second})
	both.add(usage{"worker": 3 * time.Second, here: time.Second}, usage{"worker": 4 * time.Second, here: time.Second})
	require.Equal(t, map[string]float64{"worker": 15, here: 5}, both.per(200))
	require.Empty(t, make(usage).per(200), "where the system does not tell")
}

func TestUnknownMeasurementIsRefused(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), io.Discard, Options{Only: "speed"})
	require.EqualError(t, err, `there is no measurement "speed": it is one of signature, cost, throughput, settle, sql, growth, api, webhook, callback, batch, in_flight, reconcile, report`)
	err = Run(t.Context(), io.Discard, Options{Only: "sql", Server: Embedded})
	require.EqualError(t, err, `sql is measured on the server "production" only`)
	err = Run(t.Context(), io.Discard, Options{Source: "rumour"})
	require.EqualError(t, err, `there is no source "rumour": it is one of history, statement`)
}

// One measurement is made, on each server that has it.
func TestOnlyOneMeasurementIsMade(t *testing.T) {
	t.Parallel()
	made := func(o Options) (names []string) {
		for _, m := range measures {
			if m.name != "" && m.on(o) {
				names = append(names, m.name)
			}
		}
		return names
	}
	require.Equal(t, []string{"api"}, made(Options{Only: "api", Server: Production}))
	require.Empty(t, made(Options{Only: "sql", Server: Embedded}))
	require.Equal(t, []string{"cost", "throughput", "settle", "sql", "growth", "api", "webhook", "callback", "batch", "in_flight", "report"}, made(Options{Server: Production}))
	require.Equal(t, []string{"signature", "cost", "throughput", "api", "webhook", "callback", "batch", "in_flight", "reconcile", "report"}, made(Options{Server: Embedded}))
}

// The members that others read.
func TestMembersOfLines(t *testing.T) {
	t.Parallel()
	for line, members := range map[any][]string{
		&apiLine{}:     {"bench", "starts_per_s", "client_starts_per_s", "ratio", "p99_ms"},
		&webhookLine{}: {"bench", "deliveries_per_s"},
		&batchLine{}:   {"bench", "rows", "rows_per_s", "check_rows_per_s", "peak_rss_mb"},
		&eventsLine{}:  {"bench", "statements", "transactions", "wal_bytes"},
	} {
		text, err := json.Marshal(line)
		require.NoError(t, err)
		var read map[string]any
		require.NoError(t, json.Unmarshal(text, &read))
		for _, member := range members {
			require.Contains(t, read, member)
		}
	}
}

// An endpoint counts what is well signed.
func TestTheEndpointCounts(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	e := &ear{}
	require.NoError(t, e.verifies(secret))
	server := httptest.NewServer(e)
	defer server.Close()
	sender := webhook.NewSender(webhook.Options{AllowPrivate: true})
	for _, key := range []string{secret, webhook.NewSecret(), secret} {
		_, err := sender.Send(t.Context(), webhook.Target{URL: server.URL, Secrets: []string{key}}, webhook.Message{ID: "evt_1", Body: []byte("{}")}, time.Now())
		require.NoError(t, err)
	}
	require.Equal(t, 2, e.told().count)
	require.Equal(t, map[string]bool{"evt_1": true}, e.told().ids)
	require.Equal(t, 1, e.told().faults)
	e.restart()
	require.Zero(t, e.told())
}
