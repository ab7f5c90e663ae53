package sqldb

import (
	"context"
	"net/url"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
)

// A connection to another machine is encrypted, or the operator has said that it
// need not be.
func TestUnencryptedConnections(t *testing.T) {
	for text, refused := range map[string]bool{
		"postgres://u:geheim@db.example/payouts?sslmode=disable":                  true,
		"postgres://u:geheim@db.example/payouts?sslmode=allow":                    true,
		"postgres://u:geheim@db.example/payouts?sslmode=prefer":                   true,
		"postgres://u:geheim@10.0.0.1/payouts?sslmode=disable":                    true,
		"postgres://u:geheim@[fd00::1]/payouts?sslmode=disable":                   true,
		"postgres://u:geheim@127.0.0.1.evil.example/payouts?sslmode=disable":      true,
		"postgres://u:geheim@localhost,db.example/payouts?sslmode=disable":        true,
		"postgres:///payouts?user=u&host=db.example&sslmode=disable":              true,
		"postgres://localhost/payouts?hostaddr=10.0.0.1&sslmode=disable":          true,
		"postgres://u:geheim@db.example/payouts?sslmode=require":                  false,
		"postgres://u:geheim@db.example/payouts?sslmode=verify-full":              false,
		"postgres://u:geheim@db.example/payouts":                                  false, // the driver's default is require
		"postgres://u:geheim@127.0.0.1/payouts?sslmode=disable":                   false,
		"postgres://u:geheim@[::1]:5432/payouts?sslmode=disable":                  false,
		"postgres://u:geheim@localhost/payouts?sslmode=disable":                   false,
		"postgres:///payouts?user=u&host=/var/run/postgresql&sslmode=disable":     false,
		"postgres://u:geheim@db.example/payouts?hostaddr=127.0.0.1&sslmode=allow": false,
	} {
		config, err := pq.NewConfig(text)
		require.NoError(t, err, text)
		err = requireEncryption(config)
		if !refused {
			require.NoError(t, err, text)
			continue
		}
		var failure *Error
		require.ErrorAs(t, err, &failure, text)
		require.Equal(t, CodeUnencrypted, failure.Code)
		require.True(t, failure.Lasting())
		require.NotContains(t, err.Error(), "geheim")
		require.Contains(t, err.Error(), "PAYOUTS_ALLOW_INSECURE=database")
	}
	t.Setenv("PGSSLMODE", "disable")
	config, err := pq.NewConfig("postgres://u@db.example/payouts")
	require.NoError(t, err)
	require.Error(t, requireEncryption(config), "the driver's own variable")

	over, cancel := context.WithCancel(t.Context())
	cancel() // nothing is connected to
	var failure *Error
	_, err = Open(over, "postgres://u@db.example/payouts?sslmode=disable", toy, Options{})
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnencrypted, failure.Code)
	_, err = Open(over, "postgres://u@db.example/payouts?sslmode=disable", toy, Options{Existing: true, Unencrypted: true})
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
}

// Sessions that take no writes any more, as after a failover, are thrown away;
// what met one is done in another one.
func TestSessionsThatTurnReadOnly(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"25006", "0A000"} { // a session that became read-only; a standby
		b := migrated(t, dbtest.Postgres(t))
		require.NoError(t, b.exec(`CREATE FUNCTION standby() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('test.standby', true) = 'on' THEN RAISE EXCEPTION 'no writes here' USING ERRCODE = '`+code+`'; END IF;
			RETURN NEW; END $$`))
		require.NoError(t, b.exec("CREATE TRIGGER standby BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION standby()"))
		b.sessions(t, poolSize, "SET test.standby = 'on'")
		require.NoError(t, b.put(t, "one", 1))
		var standby string
		for range poolSize {
			require.NoError(t, b.Get(t.Context(), &standby, "SELECT COALESCE(current_setting('test.standby', true), '')"))
			require.Empty(t, standby)
		}
	}
}

// A session is asked for that takes writes, unless the URL says otherwise.
func TestSessionsTakeWrites(t *testing.T) {
	t.Parallel()
	own, err := url.Parse(dbtest.Postgres(t))
	require.NoError(t, err)
	query := own.Query()
	query.Set("default_transaction_read_only", "on")
	own.RawQuery = query.Encode()
	_, err = Open(t.Context(), own.String(), toy, Options{})
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
	require.ErrorContains(t, err, "read-only")

	query.Set("target_session_attrs", "any")
	own.RawQuery = query.Encode()
	b := opened(t, own.String())
	require.NoError(t, b.write.PingContext(t.Context()))
}

func TestReadySaysThatNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	b := migrated(t, dbtest.Postgres(t))
	b.engine.ready = func(ctx context.Context, write *sqlx.DB, _ Duty) error {
		var standby string
		err := write.GetContext(ctx, &standby, "SELECT COALESCE(current_setting('test.standby', true), '')")
		if err == nil && standby == "on" {
			err = errReadOnly
		}
		return err
	}
	b.sessions(t, poolSize, "SET test.standby = 'on'")
	var failure *Error
	require.ErrorAs(t, b.Ready(t.Context(), things), &failure)
	require.Equal(t, CodeReadOnly, failure.Code)
	require.NoError(t, b.Ready(t.Context(), things), "the sessions were thrown away")
}

func TestReadyWantsTheTables(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		var failure *Error
		require.ErrorAs(t, opened(t, url).Ready(t.Context(), things), &failure)
		require.Equal(t, CodeSchema, failure.Code)
	})
}

// sessions opens so many sessions of the pool at once, does something in each,
// and gives them back.
func (b *testDB) sessions(t *testing.T, count int, statement string) {
	t.Helper()
	var open []*sqlx.Conn
	for range count {
		conn, err := b.write.Connx(t.Context())
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), statement)
		require.NoError(t, err)
		open = append(open, conn)
	}
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
}
