package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

// engine has everything that differs between the two databases, except the
// migrations.
type engine struct {
	name    string // Postgres or SQLite; also the name of its folder of migrations
	dialect goose.Dialect

	// forUpdate is the end of a SELECT that locks its rows until the transaction
	// ends.
	forUpdate string

	// holdBack is the statement that makes other writers of a table wait until the
	// transaction ends. If it is empty, writers wait for each other anyway.
	holdBack string

	// clock is the expression for the server's time in Unix milliseconds. If it is
	// empty, the process's clock is used.
	clock string

	// together reports whether one statement can write several tables.
	together bool

	// transactionID is the expression for the id of the current transaction.
	// oldestRunning is the one for an id of which all lower ones have ended.
	transactionID, oldestRunning string

	// prepare checks that the database exists. It creates a missing one, unless the
	// options say otherwise.
	prepare func(url string, options Options) error
	// open creates the pools. It does not connect.
	open func(url string, options Options) (write, read *sqlx.DB, err error)
	// ready checks that the tables of a duty can be used now. It changes nothing.
	ready func(ctx context.Context, write *sqlx.DB, duty Duty) error
	// collided reports whether a transaction failed because of a conflict with
	// another one, and may be retried. A violation of one of the constraints is
	// such a conflict.
	collided func(err error, constraints []string) bool
	// readOnly reports whether a session refuses writes that another session may
	// accept, for example because its server has become a standby.
	readOnly func(error) bool
	// forbidden reports whether a statement failed because the role lacks a right.
	forbidden func(error) bool
	// busy reports whether a statement timed out while it waited for a lock.
	busy func(error) bool
	// countTables is the query that counts the tables of a name in the migrated
	// schema.
	countTables string
	// mayMigrate is the query whether the login may create tables; empty: it may.
	mayMigrate string
	// noTable reports whether a statement failed because its table is missing.
	noTable func(error) bool
	// overflowed reports whether a statement failed because a sum overflowed.
	overflowed func(error) bool
	// snapshot has the options of a transaction that reads several times and must
	// see one state of the whole database.
	snapshot sql.TxOptions
}

var postgres = engine{
	name:          Postgres,
	dialect:       goose.DialectPostgres,
	forUpdate:     " FOR UPDATE",
	holdBack:      "LOCK TABLE %s IN SHARE MODE",
	clock:         "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)",
	together:      true,
	transactionID: "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)",
	oldestRunning: "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)",
	prepare:       func(string, Options) error { return nil }, // the operator creates the database
	open:          openPostgres,
	collided: func(err error, constraints []string) bool {
		if pq.As(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected) != nil {
			return true
		}
		taken := pq.As(err, pqerror.UniqueViolation)
		return taken != nil && slices.Contains(constraints, taken.Constraint)
	},
	ready: readyPostgres,
	// A standby refuses to begin a transaction that may write, with the code
	// feature_not_supported.
	readOnly: func(err error) bool {
		return errors.Is(err, errReadOnly) || pq.As(err, pqerror.ReadOnlySQLTransaction, pqerror.FeatureNotSupported) != nil
	},
	forbidden:   func(err error) bool { return pq.As(err, pqerror.InsufficientPrivilege) != nil },
	busy:        func(err error) bool { return pq.As(err, pqerror.LockNotAvailable, pqerror.QueryCanceled) != nil },
	noTable:     func(err error) bool { return pq.As(err, pqerror.UndefinedTable) != nil },
	countTables: "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?",
	mayMigrate:  "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)",
	overflowed:  func(err error) bool { return pq.As(err, pqerror.NumericValueOutOfRange) != nil },
	snapshot:    sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
}

// SQLite has one writer at a time. A transaction that may write takes the write
// lock when it begins (BEGIN IMMEDIATE). So the rows that it reads cannot change,
// and need no locks.
var embedded = engine{
	name:          SQLite,
	dialect:       goose.DialectSQLite3,
	transactionID: "0",
	oldestRunning: "1",
	prepare:       prepareFile,
	open:          openSQLite,
	collided: func(err error, _ []string) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY
	},
	ready:     readySQLite,
	readOnly:  func(error) bool { return false }, // another session would be refused, too
	forbidden: func(error) bool { return false },
	busy: func(err error) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && slices.Contains(timeoutCodes, failure.Code()&0xff)
	},
	countTables: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
	noTable: func(err error) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && strings.Contains(failure.Error(), "no such table")
	},
	// An overflow in an expression gives a float, which a STRICT table refuses. An
	// overflow of SUM is an error of its own.
	overflowed: func(err error) bool {
		var failure *sqlite.Error
		return errors.As(err, &failure) && (failure.Code() == sqlite3.SQLITE_CONSTRAINT_DATATYPE || strings.Contains(failure.Error(), "integer overflow"))
	},
	snapshot: sql.TxOptions{ReadOnly: true}, // a read transaction in WAL mode sees one state
}

// timeoutCodes lists SQLite's codes for a lock timeout and an interrupt.
var timeoutCodes = []int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}

// engineFor returns the engine for the URL's scheme.
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

	// A process that hangs within a transaction keeps rows locked. The server ends
	// such a session after this time.
	idleInTransaction = "30s"
)

func openPostgres(text string, options Options) (write, read *sqlx.DB, err error) {
	config, err := pq.NewConfig(text)
	if err != nil {
		return nil, nil, badURL("it cannot be read; special characters in user and password must be percent-encoded, and parameters must be ones that PostgreSQL knows")
	}
	if err := requireEncryption(config); err != nil && !options.Unencrypted {
		return nil, nil, err
	}
	// After a failover an address may lead to a standby for a while. A session
	// that is opened then would refuse writes for its whole life.
	if config.TargetSessionAttrs == "" && !options.ReadOnly {
		config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	// Otherwise the driver prepares every statement first, which needs a second
	// round trip.
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
	if options.ReadOnly {
		config.Runtime["default_transaction_read_only"] = "on"
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

// requireEncryption refuses connections to other machines that may be unencrypted. config
// already includes the driver's defaults and variables such as PGSSLMODE.
func requireEncryption(config pq.Config) error {
	switch config.SSLMode {
	case pq.SSLModeDisable, pq.SSLModeAllow, pq.SSLModePrefer:
	default:
		return nil
	}
	hosts := append([]pq.ConfigMultihost{{Host: config.Host, Hostaddr: config.Hostaddr}}, config.Multi...)
	for _, host := range hosts {
		if isLocal(host.Host, host.Hostaddr) {
			continue
		}
		return &Error{Code: CodeUnencrypted, Text: fmt.Sprintf(
			"the ledger's database URL has sslmode=%s and its host is another machine: payees and amounts could be read and changed on their way; "+
				"set sslmode=verify-full, or sslmode=require where nobody can stand in between, or accept it with PAYOUTS_ALLOW_INSECURE=database", config.SSLMode)}
	}
	return nil
}

// isLocal reports whether a host is this machine: a socket's directory, loopback, or
// empty, which the driver treats as localhost.
func isLocal(host string, address netip.Addr) bool {
	if address.IsValid() {
		return address.IsLoopback()
	}
	parsed, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "" || host == "localhost" || host[0] == '/' || host[0] == '@' || err == nil && parsed.IsLoopback()
}

// errReadOnly is the error for a session that refuses writes.
var errReadOnly = errors.New("the session takes no writes: its server is a standby, or was made read-only")

// readyPostgres takes the locks of a write and of a read to the tables, and releases
// them. Nothing waits for such locks except a change to the schema.
func readyPostgres(ctx context.Context, write *sqlx.DB, duty Duty) error {
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
	lock := "LOCK TABLE " + strings.Join(duty.Writes, ", ") + " IN ROW EXCLUSIVE MODE"
	if len(duty.Reads) > 0 {
		lock += "; LOCK TABLE " + strings.Join(duty.Reads, ", ") + " IN ACCESS SHARE MODE"
	}
	_, err = begun.ExecContext(ctx, lock)
	return err
}

// readySQLite takes the write lock, and releases it.
func readySQLite(ctx context.Context, write *sqlx.DB, _ Duty) error {
	begun, err := write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	return begun.Rollback()
}

// Settings of every SQLite connection.
//
// synchronous=FULL: a commit is on disk when it returns. NORMAL is faster, but a
// power cut could lose the last commits. The row that says that a create is about
// to be sent must never be lost.
//
// busy_timeout is for other processes. The writers of this process wait for its
// only writing connection.
const (
	sqliteSettings = "?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1"
	sqliteReaders  = 4
)

// prepareFile creates the file and its directory. If the options say that the file
// exists, or that it is only read, it checks that. Its errors are permanent, except
// that another process may create a missing file.
func prepareFile(text string, options Options) error {
	path := sqlitePath(text)
	mode, use := os.O_RDWR, "reading and writing"
	create := !options.Existing && !options.ReadOnly
	if options.ReadOnly {
		mode, use = os.O_RDONLY, "reading"
	}
	if create {
		mode |= os.O_CREATE
		// The file holds personal data, so only its owner may read it. The driver
		// would create it readable for everyone.
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
		return badURL(place(text) + " cannot be opened for " + use + ": " + reason(err))
	}
	return nil
}

// reason returns the operating system's error for a file, without the path.
func reason(err error) string {
	var wrong *os.PathError
	if errors.As(err, &wrong) {
		return wrong.Err.Error()
	}
	return err.Error()
}

func openSQLite(text string, options Options) (write, read *sqlx.DB, err error) {
	path := sqlitePath(text)
	if options.ReadOnly {
		uri := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_busy_timeout=5000&_query_only=1"}
		read, err = sqlitePool(uri.String(), sqliteReaders)
		return read, read, err
	}
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
	pool := sqlx.NewDb(sql.OpenDB(connector), "sqlite3") // sqlx's name for SQLite
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool, nil
}

// unreachable returns the error for a database that cannot be used. It omits the
// driver's message if the message contains the password.
func unreachable(ctx context.Context, text string, err error) *Error {
	why := "cannot be used: " + err.Error()
	var operation *net.OpError
	var waited net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &operation) && operation.Addr != nil:
		why = "refused the connection, so nothing listens at " + operation.Addr.String() + "; check that it runs and that the URL is right"
	case errors.As(err, &waited) && waited.Timeout(): // also the deadline of ctx
		why = "did not answer in time; check that it runs and that the URL is right"
	}
	if slices.ContainsFunc(secrets(text), func(secret string) bool { return strings.Contains(why, secret) }) {
		why = "cannot be used: the driver's message is withheld because it repeats the password"
	}
	return &Error{
		Code:  CodeUnreachable,
		Text:  fmt.Sprintf("the ledger's database (%s) %s", place(text), why),
		cause: ctx.Err(),
	}
}

// place describes for people where the database is, without credentials.
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

// secrets returns the parts of a URL that must not be shown, encoded and decoded.
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
