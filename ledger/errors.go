package ledger

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Errors a caller may meet, wrapped with the operation.
var (
	// ErrNotFound: there is no such order, submission, callback or book.
	ErrNotFound = errors.New("not in the ledger")
	// ErrState: the order stands where this cannot be done to it.
	ErrState = errors.New("not possible in the order's state")
	// ErrDamaged: what is kept cannot be read.
	ErrDamaged = errors.New("what is kept cannot be read")
)

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

// Error is a ledger that cannot be used: a stable code, and a sentence that
// never shows the password.
type Error struct {
	Code string
	Text string

	cause error // the caller's own context error, or nil: drivers' errors may repeat a URL
}

// Error is the code and the sentence.
func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Lasting reports whether the ledger cannot be used until somebody changes a
// setting or the database: waiting does not help.
func (e *Error) Lasting() bool {
	return e.Code == CodeURL || e.Code == CodeUnencrypted || e.Code == CodeForeign
}

// Unwrap is the error of the context that ended the attempt, if one did.
func (e *Error) Unwrap() error { return e.cause }

// sumText is that of CodeSum.
const sumText = "a sum of the books would be larger than can be held; nothing was written. Look at the merchant's largest orders and adjustments"

// summed gives an error about a sum that does not fit its code.
func (l *Ledger) summed(err error) error {
	if err != nil && l.engine.overflowed(err) {
		return &Error{Code: CodeSum, Text: sumText}
	}
	return err
}

func schemaText(version, wanted int64) string {
	return fmt.Sprintf("the ledger's tables are at version %d and this program needs %d: start a worker, which migrates them", version, wanted)
}

// foreignText is that of CodeForeign.
const foreignText = "the database has a table named " + ownTable + ", and no record of our migrations: it is from a build before the first release, " +
	"or another program's. Nothing was changed. Use an empty database: name another one, delete the SQLite file of a test, or empty the PostgreSQL schema"

// maxText bounds free text that is kept, in bytes.
const maxText = 2000

// fit makes free text fit for a column of either engine: valid UTF-8 without
// NUL, which PostgreSQL does not take, and bounded.
func fit(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// maxKey bounds what orders, callbacks and records are found by, in bytes. An
// index of PostgreSQL takes 2,704 of several together; a number of ours has 64.
const maxKey = 200

// fitKey makes what something is found by fit for a column of either engine. It
// is kept so, and looked up so: what comes from outside may hold anything.
func fitKey(text string) string {
	if text = fit(text); len(text) > maxKey {
		text = strings.ToValidUTF8(text[:maxKey], "") + "…"
	}
	return text
}

// fitOrder does so with both halves of an order's name.
func fitOrder(key order.Key) order.Key {
	return order.Key{Merchant: fitKey(key.Merchant), Number: fitKey(key.Number)}
}
