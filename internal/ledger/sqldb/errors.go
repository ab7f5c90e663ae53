package sqldb

import "fmt"

// Codes of Error. They are stable.
const (
	CodeURL         = "LEDGER_URL_INVALID"     // the database URL has neither of the two forms
	CodeNoFile      = "LEDGER_FILE_MISSING"    // there is no SQLite file of that name
	CodeUnreachable = "LEDGER_UNREACHABLE"     // the database does not answer, or refuses the login
	CodeSchema      = "LEDGER_SCHEMA_OUTDATED" // the database must be migrated first
	CodeForeign     = "LEDGER_SCHEMA_FOREIGN"  // the database has tables that our migrations did not make; nothing was changed
	CodeSum         = "LEDGER_SUM_TOO_LARGE"   // a total would overflow; nothing was written
	CodeUnencrypted = "LEDGER_NOT_ENCRYPTED"   // the connection to another machine may be unencrypted
	CodeBusy        = "LEDGER_BUSY"            // the database is reachable, but did not finish in time
	CodeForbidden   = "LEDGER_NOT_PERMITTED"   // the login lacks a right in the database
	CodeReadOnly    = "LEDGER_READ_ONLY"       // the database refuses writes, for example a standby
)

// Error says why the database cannot be used: a stable code, and a message that
// never contains the password.
type Error struct {
	Code string
	Text string

	cause error // the error of the caller's context, or nil. A driver's error is not kept, because it may contain the URL.
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Lasting reports whether the error is permanent until somebody changes a setting
// or the database.
func (e *Error) Lasting() bool {
	return e.Code == CodeURL || e.Code == CodeUnencrypted || e.Code == CodeForeign
}

// Unwrap returns the error of the context that ended the attempt, or nil.
func (e *Error) Unwrap() error { return e.cause }

// sumError converts an overflow error to an *Error with CodeSum.
func (d *DB) sumError(err error) error {
	if err != nil && d.engine.overflowed(err) {
		return &Error{Code: CodeSum, Text: d.schema.SumTooLarge}
	}
	return err
}

func schemaText(version, wanted int64) string {
	return fmt.Sprintf("the ledger's tables are at version %d and this program needs %d: run worker migrate with the URL of their owner", version, wanted)
}

// foreignText returns the message of CodeForeign.
func foreignText(own string) string {
	return "the database has a table named " + own + ", and no record of our migrations: it is from a build before the first release, " +
		"or another program's. Nothing was changed. Use an empty database: name another one, delete the SQLite file of a test, or empty the PostgreSQL schema"
}
