package ledger

import (
	"errors"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
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

// Codes of Error: see package sqldb. They are stable.
const (
	CodeURL         = sqldb.CodeURL         // the database URL is none of the two forms
	CodeNoFile      = sqldb.CodeNoFile      // there is no SQLite file of that name
	CodeUnreachable = sqldb.CodeUnreachable // the database does not answer or lets us not in
	CodeSchema      = sqldb.CodeSchema      // the database has to be migrated first
	CodeForeign     = sqldb.CodeForeign     // the database has tables that our migrations did not make; nothing was changed
	CodeSum         = sqldb.CodeSum         // a sum does not fit; nothing was written
	CodeUnencrypted = sqldb.CodeUnencrypted // the connection to another machine could be read on its way
	CodeBusy        = sqldb.CodeBusy        // the database is there, and did not get to it in time
	CodeReadOnly    = sqldb.CodeReadOnly    // the database takes no writes: a standby, say
)

// Error is a ledger that cannot be used: a stable code, and a sentence that
// never shows the password.
type Error = sqldb.Error

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
