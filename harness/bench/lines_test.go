package bench

import (
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Figures of two servers stand in one file: every line says which is its own.
func TestEveryLineNamesItsPlace(t *testing.T) {
	t.Parallel()
	at := place{Server: Production, Ledger: onPostgres}
	for _, line := range []any{
		costLine{Bench: "cost", place: at}, throughputLine{Bench: "throughput", place: at}, sqlLine{Bench: "sql", place: at},
		callbackLine{Bench: "callback", place: at}, signatureLine{Bench: "signature", place: at},
		inFlightLine{Bench: "in_flight", place: at}, reconcileLine{Bench: "reconcile", place: at},
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
