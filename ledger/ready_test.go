package ledger

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
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
		err = encrypted(config)
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
	require.Error(t, encrypted(config), "the driver's own variable")

	over, cancel := context.WithCancel(t.Context())
	cancel() // nothing is connected to
	var failure *Error
	_, err = Open(over, "postgres://u@db.example/payouts?sslmode=disable")
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnencrypted, failure.Code)
	_, err = OpenExisting(over, "postgres://u@db.example/payouts?sslmode=disable", AllowUnencrypted(true))
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
}

// sessions opens so many sessions of the pool at once, does something in each,
// and gives them back.
func (b *testBundle) sessions(t *testing.T, count int, statement string) {
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

// Sessions that take no writes any more, as after a failover, are thrown away;
// what met one is done in another one.
func TestSessionsThatTurnReadOnly(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"25006", "0A000"} { // a session that became read-only; a standby
		b := migrated(t, postgresURL(t))
		require.NoError(t, b.exec(`CREATE FUNCTION standby() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('test.standby', true) = 'on' THEN RAISE EXCEPTION 'no writes here' USING ERRCODE = '`+code+`'; END IF;
			RETURN NEW; END $$`))
		require.NoError(t, b.exec("CREATE TRIGGER standby BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION standby()"))
		b.sessions(t, poolSize, "SET test.standby = 'on'")
		b.books(t, "1000", "0")
		var standby string
		for range poolSize {
			require.NoError(t, b.get(t.Context(), &standby, "SELECT COALESCE(current_setting('test.standby', true), '')"))
			require.Empty(t, standby)
		}
	}
}

// A session is asked for that takes writes, unless the URL says otherwise.
func TestSessionsTakeWrites(t *testing.T) {
	t.Parallel()
	own, err := url.Parse(postgresURL(t))
	require.NoError(t, err)
	query := own.Query()
	query.Set("default_transaction_read_only", "on")
	own.RawQuery = query.Encode()
	_, err = Open(t.Context(), own.String())
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
	require.ErrorContains(t, err, "read-only")

	query.Set("target_session_attrs", "any")
	own.RawQuery = query.Encode()
	b := opened(t, own.String())
	require.NoError(t, b.write.PingContext(t.Context()))
}

func TestReady(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(t *testing.T) *testBundle) {
		b := setup(t)
		require.NoError(t, b.Ready(t.Context()))

		// Somebody holds a lock under which no order can be written.
		free := b.locked(t)
		bounded, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var failure *Error
		require.ErrorAs(t, b.Ready(bounded), &failure)
		require.Equal(t, CodeBusy, failure.Code)
		free()
		require.NoError(t, b.Ready(t.Context()))
	})
}

func TestReadySaysThatNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	b := migrated(t, postgresURL(t))
	b.engine.ready = func(ctx context.Context, write *sqlx.DB) error {
		var standby string
		err := write.GetContext(ctx, &standby, "SELECT COALESCE(current_setting('test.standby', true), '')")
		if err == nil && standby == "on" {
			err = errReadOnly
		}
		return err
	}
	b.sessions(t, poolSize, "SET test.standby = 'on'")
	var failure *Error
	require.ErrorAs(t, b.Ready(t.Context()), &failure)
	require.Equal(t, CodeReadOnly, failure.Code)
	require.NoError(t, b.Ready(t.Context()), "the sessions were thrown away")
}

func TestReadyWantsTheTables(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		var failure *Error
		require.ErrorAs(t, opened(t, url).Ready(t.Context()), &failure)
		require.Equal(t, CodeSchema, failure.Code)
	})
}

// What waits for a lock until its time is over has a code, reading or writing.
func TestBusy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(t *testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		free := b.locked(t)
		defer free()
		bounded, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		tries := map[string]func() error{
			"write": func() error { return b.OpenBooks(bounded, "M2", pkr("1"), pkr("0")) },
		}
		if b.engine.name == postgres.name { // SQLite's readers wait for nobody
			tries["read"] = func() error { _, err := b.Order(bounded, order.Key{Merchant: merchant, Number: "A"}); return err }
			tries["list"] = func() error { _, err := b.NeedsPerson(bounded, time.Minute, 10); return err }
		}
		for name, try := range tries {
			err := try()
			var failure *Error
			require.ErrorAs(t, err, &failure, "%s: %v", name, err)
			require.Equal(t, CodeBusy, failure.Code, name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
		}
	})
}

// locked holds a lock under which no order can be written, until it is freed.
func (b *testBundle) locked(t *testing.T) (free func()) {
	t.Helper()
	other := opened(t, b.url) // as another process would
	begun, err := other.write.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	if b.engine.name == postgres.name {
		_, err = begun.Exec("LOCK TABLE orders, books, inbox IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
	}
	return func() { require.NoError(t, ignoreDone(begun.Rollback())) }
}
