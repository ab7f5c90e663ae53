package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Names of the engines.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// engine is all that differs between the two databases besides migrations.
type engine struct {
	name    string // Postgres or SQLite; of the folder of its migrations
	dialect goose.Dialect

	// forUpdate ends a SELECT whose row must stay as it was read until the
	// transaction ends.
	forUpdate string

	// clock asks for the server's time in Unix milliseconds. Empty: the server
	// is this process, and so is its clock.
	clock string

	// prepare makes sure that there is something to open, and makes it if that
	// is wanted.
	prepare func(url string, create bool) error
	// open makes the pools; it does not connect.
	open func(url string, options Options) (write, read *sqlx.DB, err error)
	// ready proves that the tables can be written now. It changes nothing.
	ready func(ctx context.Context, write *sqlx.DB, tables []string) error
	// collided reports whether a transaction lost against another one and may
	// simply be run again. A violation of one of these constraints is one.
	collided func(err error, constraints []string) bool
	// readOnly reports whether a session takes no writes, which another session
	// may: the server has become a standby, say.
	readOnly func(error) bool
	// busy reports whether a statement was given up because others were in its
	// way for too long.
	busy func(error) bool
	// countTables counts the tables of a name in the schema that is migrated.
	countTables string
	// noTable reports whether a statement failed because its table is missing.
	noTable func(error) bool
	// overflowed reports whether a statement failed because a sum does not fit.
	overflowed func(error) bool
	// snapshot is how a transaction begins that reads several times and must
	// see one state of the whole database.
	snapshot sql.TxOptions
}

var postgres = engine{
	name:      Postgres,
	dialect:   goose.DialectPostgres,
	forUpdate: " FOR UPDATE",
	clock:     "SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)",
	prepare:   func(string, bool) error { return nil }, // a database is made by its owner
	open:      openPostgres,
	collided: func(err error, constraints []string) bool {
		if pq.As(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected) != nil {
			return true
		}
		taken := pq.As(err, pqerror.UniqueViolation)
		return taken != nil && slices.Contains(constraints, taken.Constraint)
	},
	ready: readyPostgres,
	// A standby refuses already to begin a transaction that may write, as a
	// feature that it does not have.
	readOnly: func(err error) bool {
		return errors.Is(err, errReadOnly) || pq.As(err, pqerror.ReadOnlySQLTransaction, pqerror.FeatureNotSupported) != nil
	},
	busy:        func(err error) bool { return pq.As(err, pqerror.LockNotAvailable, pqerror.QueryCanceled) != nil },
	noTable:     func(err error) bool { return pq.As(err, pqerror.UndefinedTable) != nil },
	countTables: "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?",
	overflowed:  func(err error) bool { return pq.As(err, pqerror.NumericValueOutOfRange) != nil },
	snapshot:    sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
}

// SQLite has one writer at a time: a transaction that may write takes the
// write lock when it begins (BEGIN IMMEDIATE), so that what it reads cannot
// change under it and no row needs a lock of its own.
var embedded = engine{
	name:    SQLite,
	dialect: goose.DialectSQLite3,
	prepare: prepareFile,
	open:    openSQLite,
	collided: func(err error, _ []string) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY
	},
	ready:    readySQLite,
	readOnly: func(error) bool { return false }, // a file that may not be written stays so
	busy: func(err error) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && slices.Contains(inTheWay, failure.Code()&0xff)
	},
	countTables: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
	noTable: func(err error) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && strings.Contains(failure.Error(), "no such table")
	},
	// A sum of a column that is too large is a float, which a strict table does
	// not take; that of an aggregate is an error of its own.
	overflowed: func(err error) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && (failure.Code() == sqlite3.SQLITE_CONSTRAINT_DATATYPE || strings.Contains(failure.Error(), "integer overflow"))
	},
	snapshot: sql.TxOptions{ReadOnly: true}, // a read transaction in WAL mode sees one state
}

// inTheWay are the codes of a statement that SQLite gave up.
var inTheWay = []int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}

// engineFor picks the engine by the URL's scheme.
func engineFor(text string) (engine, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "postgres", "postgresql":
		return postgres, nil
	case "sqlite":
		if rest != "" && !strings.HasPrefix(rest, ":") && !strings.ContainsAny(rest, "?\x00") {
			return embedded, nil
		}
	}
	return engine{}, badURL("use postgres://user:password@host/name or sqlite:path/to/file.db")
}

func badURL(advice string) *Error {
	return &Error{Code: CodeURL, Text: "the ledger's database URL is not usable: " + advice}
}

// Limits of the PostgreSQL pool and connections. A URL may set its own
// connect_timeout, idle_in_transaction_session_timeout and target_session_attrs.
const (
	poolSize       = 16 // per process; a server takes 100 connections by default
	poolIdle       = 5 * time.Minute
	poolLifetime   = 30 * time.Minute // so that a moved or added server is found
	connectTimeout = 10 * time.Second

	// A process that stands still in the middle of a transaction keeps rows
	// locked; the server ends such a session.
	idleInTransaction = "30s"
)

func openPostgres(text string, options Options) (write, read *sqlx.DB, err error) {
	config, err := pq.NewConfig(text)
	if err != nil {
		return nil, nil, badURL("it cannot be read; special characters in user and password must be percent-encoded, and parameters must be ones that PostgreSQL knows")
	}
	if err := encrypted(config); err != nil && !options.Unencrypted {
		return nil, nil, err
	}
	// After a failover an address may lead to a standby for a while. Whoever
	// connects then would keep a session that takes no writes.
	if config.TargetSessionAttrs == "" {
		config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	// Without it the driver prepares every statement first: twice the trips.
	config.BinaryParameters = true
	if config.ConnectTimeout <= 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.Runtime == nil {
		config.Runtime = make(map[string]string)
	}
	if _, set := config.Runtime["idle_in_transaction_session_timeout"]; !set {
		config.Runtime["idle_in_transaction_session_timeout"] = idleInTransaction
	}
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, nil, badURL("PostgreSQL's driver does not take it")
	}
	pool := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	pool.SetMaxOpenConns(poolSize)
	pool.SetMaxIdleConns(poolSize)
	pool.SetConnMaxIdleTime(poolIdle)
	pool.SetConnMaxLifetime(poolLifetime)
	return pool, pool, nil
}

// encrypted refuses connections to other machines that are not encrypted for
// certain. The configuration is what the driver will do: its own defaults and
// variables (PGSSLMODE) are in it.
func encrypted(config pq.Config) error {
	switch config.SSLMode {
	case pq.SSLModeDisable, pq.SSLModeAllow, pq.SSLModePrefer:
	default:
		return nil
	}
	hosts := append([]pq.ConfigMultihost{{Host: config.Host, Hostaddr: config.Hostaddr}}, config.Multi...)
	for _, host := range hosts {
		if local(host.Host, host.Hostaddr) {
			continue
		}
		return &Error{Code: CodeUnencrypted, Text: fmt.Sprintf(
			"the ledger's database URL has sslmode=%s and its host is another machine: payees and amounts could be read and changed on their way; "+
				"set sslmode=verify-full, or sslmode=require where nobody can stand in between, or accept it with PAYOUTS_ALLOW_INSECURE=database", config.SSLMode)}
	}
	return nil
}

// local reports whether a host is this machine: a socket's directory, loopback,
// or nothing, which is the driver's localhost.
func local(host string, address netip.Addr) bool {
	if address.IsValid() {
		return address.IsLoopback()
	}
	parsed, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "" || host == "localhost" || host[0] == '/' || host[0] == '@' || err == nil && parsed.IsLoopback()
}

// errReadOnly is a session that takes no writes.
var errReadOnly = errors.New("the session takes no writes: its server is a standby, or was made read-only")

// readyPostgres takes the locks that writing the tables takes, and lets them go.
func readyPostgres(ctx context.Context, write *sqlx.DB, tables []string) error {
	begun, err := write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // nothing was written
	var readOnly bool
	err = begun.GetContext(ctx, &readOnly, `SELECT set_config('lock_timeout', '1s', true) = ''
		OR pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'`)
	if err != nil {
		return err
	}
	if readOnly {
		return errReadOnly
	}
	_, err = begun.ExecContext(ctx, "LOCK TABLE "+strings.Join(tables, ", ")+" IN ROW EXCLUSIVE MODE")
	return err
}

// readySQLite takes the one lock that every writer takes.
func readySQLite(ctx context.Context, write *sqlx.DB, _ []string) error {
	begun, err := write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	return begun.Rollback()
}

// Settings of every SQLite connection.
//
// synchronous=FULL: a commit is on disk when it returns. NORMAL would be
// faster and could lose the last commits to a power cut, among them the row
// that says a create is about to be sent, which must never be lost.
//
// busy_timeout is for other processes: writers of this one queue for the only
// connection that writes, in order, instead of competing for the file.
const (
	sqliteSettings = "?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1"
	sqliteReaders  = 4
)

// prepareFile makes the file and its directory, or finds that there is none.
// Nothing of it gets better by waiting, but for a file that somebody else makes.
func prepareFile(text string, create bool) error {
	path := sqlitePath(text)
	mode := os.O_RDWR
	if create {
		mode |= os.O_CREATE
		// It holds personal data, so nobody else may look; the driver would make
		// the file readable for everyone.
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return badURL("the directory of " + place(text) + " cannot be made: " + reason(err))
		}
	}
	file, err := os.OpenFile(path, mode, 0o600)
	if err == nil {
		err = file.Close()
	}
	switch {
	case errors.Is(err, os.ErrNotExist) && !create:
		return &Error{Code: CodeNoFile, Text: place(text) + " does not exist: check PAYOUTS_DATABASE_URL; the worker makes the file when it starts"}
	case err != nil:
		return badURL(place(text) + " cannot be opened for reading and writing: " + reason(err))
	}
	return nil
}

// reason is the system's word for why a file cannot be used, without the path.
func reason(err error) string {
	var wrong *os.PathError
	if errors.As(err, &wrong) {
		return wrong.Err.Error()
	}
	return err.Error()
}

func openSQLite(text string, _ Options) (write, read *sqlx.DB, err error) {
	path := sqlitePath(text)
	if write, err = sqlitePool(path+sqliteSettings+"&_txlock=immediate", 1); err != nil {
		return nil, nil, err
	}
	if read, err = sqlitePool(path+sqliteSettings+"&_query_only=1", sqliteReaders); err != nil {
		return nil, nil, err
	}
	return write, read, nil
}

func sqlitePath(text string) string {
	path := strings.TrimPrefix(text, "sqlite:")
	path = strings.TrimPrefix(path, "//") // sqlite:///path
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

func sqlitePool(name string, size int) (*sqlx.DB, error) {
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, badURL("SQLite's driver does not take the file's name")
	}
	pool := sqlx.NewDb(sql.OpenDB(connector), "sqlite3") // as sqlx calls it
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool, nil
}

// unreachable says why the database cannot be used. The driver's own words
// are left out when they repeat the password.
func unreachable(ctx context.Context, text string, err error) *Error {
	why := err.Error()
	if slices.ContainsFunc(secrets(text), func(secret string) bool { return strings.Contains(why, secret) }) {
		why = "the driver's message is withheld because it repeats the password"
	}
	return &Error{
		Code:  CodeUnreachable,
		Text:  fmt.Sprintf("the ledger's database (%s) cannot be used: %s", place(text), why),
		cause: ctx.Err(),
	}
}

// place names the database for people: where it is, without credentials.
func place(text string) string {
	if strings.HasPrefix(text, "sqlite:") {
		return "SQLite file " + sqlitePath(text)
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return "PostgreSQL"
	}
	return "PostgreSQL at " + parsed.Host + parsed.Path
}

// secrets are the parts of a URL that must not be shown, as given and decoded.
func secrets(text string) []string {
	parsed, err := url.Parse(text)
	if err != nil {
		return []string{text}
	}
	var found []string
	if password, set := parsed.User.Password(); set && password != "" {
		found = append(found, password, url.QueryEscape(password), url.PathEscape(password))
	}
	for _, name := range []string{"password", "sslpassword", "sslkey"} {
		if value := parsed.Query().Get(name); value != "" {
			found = append(found, value, url.QueryEscape(value))
		}
	}
	return found
}
