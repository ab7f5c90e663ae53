package ledger

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestALedgerInALogShowsNoPassword(t *testing.T) {
	t.Parallel()
	own, err := url.Parse(dbtest.Postgres(t))
	require.NoError(t, err)
	own.User = url.UserPassword(own.User.Username(), "geheim")
	b := opened(t, own.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, b.Ledger), "geheim", verb)
		require.NotContains(t, fmt.Sprintf(verb, *b.Ledger), "geheim", verb)
	}
}

func TestBothEnginesHaveTheSameMigrations(t *testing.T) {
	t.Parallel()
	names := func(engine string) []string {
		files, err := fs.ReadDir(schema.Migrations, engine)
		require.NoError(t, err)
		var names []string
		for _, file := range files {
			require.Regexp(t, `^\d{5}_[a-z_]+\.sql$`, file.Name())
			names = append(names, file.Name())
		}
		return names
	}
	require.Equal(t, names(sqldb.SQLite), names(sqldb.Postgres))
}

// Everything is stamped with one clock: PostgreSQL's own, however the clock of
// the process goes.
func TestTheClockIsTheServers(t *testing.T) {
	t.Parallel()
	address := dbtest.Postgres(t)
	b := migrated(t, address)
	var schema string
	require.NoError(t, b.db.Get(t.Context(), &schema, "SELECT current_schema()"))
	// The server is an hour ahead of this process: its clock is looked for in the
	// test's schema first.
	require.NoError(t, b.exec(`CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE SQL AS $$
		SELECT pg_catalog.clock_timestamp() + INTERVAL '1 hour' $$`))
	ahead := opened(t, strings.Replace(address, "search_path="+schema, "search_path="+schema+"%2Cpg_catalog", 1))
	ahead.books(t, "1000", "0")

	own := time.Now()
	now, err := ahead.Now(t.Context())
	require.NoError(t, err)
	o := open(t, ahead, request(order.Withdrawal, "W1", "1"))
	attempt, err := ahead.NextSubmission(t.Context(), o.Key(), 0)
	require.NoError(t, err)
	for name, stamped := range map[string]time.Time{"now": now, "order": o.CreatedAt, "attempt": attempt.StartedAt} {
		require.WithinRange(t, stamped, own.Add(59*time.Minute), own.Add(61*time.Minute), name)
	}
	young := 0
	for range ahead.OpenOrders(t.Context(), time.Second) {
		young++
	}
	require.Zero(t, young, "the order is not old: both times are the server's")
}

func TestTwoHandlesWriteAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		handles := []*testBundle{migrated(t, url), migrated(t, url), migrated(t, url)}
		handles[0].books(t, "200", "0")
		failures := make([]error, 90)
		together(len(failures), func(i int) {
			handle := handles[i%len(handles)]
			_, _, failures[i] = handle.OpenOrder(t.Context(), request(order.Withdrawal, fmt.Sprint("W", i/2), "10"), Terms{})
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		require.Equal(t, map[Account]string{AccountOpening: "-200", AccountInFlight: "200"}, handles[1].balances(t))
		orders, err := handles[2].Orders(t.Context(), Filter{})
		require.NoError(t, err)
		require.Len(t, orders, 45)
		handles[0].clean(t)
	})
}

// A writer that waits for another process's lock gives up with its context.
func TestWaitingForTheWriteLockHonoursTheContext(t *testing.T) {
	t.Parallel()
	b := opened(t, tables.SQLite(t))
	b.books(t, "100", "0")
	other := opened(t, b.url)
	hold, err := other.pool().Beginx()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err = b.OpenOrder(ctx, request(order.Withdrawal, "W1", "10"), Terms{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = b.Orders(t.Context(), Filter{}) // readers do not wait
	require.NoError(t, err)
	require.NoError(t, hold.Rollback())
	open(t, b, request(order.Withdrawal, "W1", "10"))
}

// A server that insists on more isolation than we need makes transactions
// fail that met another one: they are run again.
func TestCollisionsAreRunAgain(t *testing.T) {
	t.Parallel()
	b := migrated(t, dbtest.Postgres(t)+"&default_transaction_isolation=serializable")
	b.books(t, "1000", "0")
	failures := make([]error, 24)
	together(len(failures), func(i int) {
		_, _, failures[i] = b.OpenOrder(t.Context(), request(order.Withdrawal, fmt.Sprint("W", i), "10"), Terms{})
	})
	opened := 0
	for _, failure := range failures {
		if failure == nil {
			opened++
		} else {
			require.NotNil(t, pq.As(failure, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected), failure)
		}
	}
	require.GreaterOrEqual(t, opened, 12)
	require.Equal(t, fmt.Sprint(opened*10), b.balances(t)[AccountInFlight])
	b.clean(t)
}

func TestFit(t *testing.T) {
	t.Parallel()
	require.Equal(t, "plain ü", sanitizeText("plain ü"))
	require.Equal(t, "a\uFFFDb\uFFFD", sanitizeText("a\x00b\xff"))
	require.Equal(t, strings.Repeat("x", maxText), sanitizeText(strings.Repeat("x", maxText)))
	require.Equal(t, "x"+strings.Repeat("é", maxText/2-1)+"…", sanitizeText("x"+strings.Repeat("é", maxText)))
}
