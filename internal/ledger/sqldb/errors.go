package sqldb

import "fmt"

// Codes of Error. They are stable.
const (
	CodeURL         = "LEDGER_URL_INVALID"     // the database URL is none of the two forms
	CodeNoFile      = "LEDGER_FILE_MISSING"    // there is no SQLite file of that name
	CodeUnreachable = "LEDGER_UNREACHABLE"     // the database does not answer or lets us not in
	CodeSchema      = "LEDGER_SCHEMA_OUTDATED" // the database has to be migrated first
	CodeForeign     = "LEDGER_SCHEMA_FOREIGN"  // the database has tables that our migrations did not make; nothing was changed
	CodeSum         = "LEDGER_SUM_TOO_LARGE"   // a sum does not fit; nothing was written
	CodeUnencrypted = "LEDGER_NOT_ENCRYPTED"   // the connection to another machine could be read on its way
	CodeBusy        = "LEDGER_BUSY"            // the database is there, and did not get to it in time
	CodeReadOnly    = "LEDGER_READ_ONLY"       // the database takes no writes: a standby, say
)

// Error is a database that cannot be used: a stable code, and a sentence that
// never shows the password.
type Error struct {
	Code string
	Text string

	cause error // the caller's own context error, or nil: drivers' errors may repeat a URL
}

// Error is the code and the sentence.
func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Lasting reports whether the database cannot be used until somebody changes a
// setting or the database: waiting does not help.
func (e *Error) Lasting() bool {
	return e.Code == CodeURL || e.Code == CodeUnencrypted || e.Code == CodeForeign
}

// Unwrap is the error of the context that ended the attempt, if one did.
func (e *Error) Unwrap() error { return e.cause }

// summed gives an error about a sum that does not fit its code.
func (d *DB) summed(err error) error {
	if err != nil && d.engine.overflowed(err) {
		return &Error{Code: CodeSum, Text: d.schema.SumTooLarge}
	}
	return err
}

func schemaText(version, wanted int64) string {
	return fmt.Sprintf("the ledger's tables are at version %d and this program needs %d: start a worker, which migrates them", version, wanted)
}

// foreignText is that of CodeForeign.
func foreignText(own string) string {
	return "the database has a table named " + own + ", and no record of our migrations: it is from a build before the first release, " +
		"or another program's. Nothing was changed. Use an empty database: name another one, delete the SQLite file of a test, or empty the PostgreSQL schema"
}
