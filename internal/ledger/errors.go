package ledger

import (
	"errors"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Errors that callers can test for. They are wrapped with the operation.
var (
	// ErrNotFound: there is no such order, submission, callback or book.
	ErrNotFound = errors.New("not in the ledger")
	// ErrState: the order's state does not allow the operation.
	ErrState = errors.New("not possible in the order's state")
	// ErrDamaged: a stored value cannot be decoded.
	ErrDamaged = errors.New("what is kept cannot be read")
)

// Codes of Error: see package sqldb. They are stable.
const (
	CodeURL         = sqldb.CodeURL         // the database URL has neither of the two forms
	CodeNoFile      = sqldb.CodeNoFile      // there is no SQLite file of that name
	CodeUnreachable = sqldb.CodeUnreachable // the database does not answer, or refuses the login
	CodeSchema      = sqldb.CodeSchema      // the database must be migrated first
	CodeForeign     = sqldb.CodeForeign     // the database has tables that our migrations did not make; nothing was changed
	CodeSum         = sqldb.CodeSum         // a total would overflow; nothing was written
	CodeUnencrypted = sqldb.CodeUnencrypted // the connection to another machine may be unencrypted
	CodeBusy        = sqldb.CodeBusy        // the database is reachable, but did not finish in time
	CodeForbidden   = sqldb.CodeForbidden   // the login lacks a right in the database
	CodeReadOnly    = sqldb.CodeReadOnly    // the database refuses writes, for example a standby
)

// CodeRosterNotSet means that an action is signed, and that there is no roster to
// check it with. It is stable.
const CodeRosterNotSet = "ROSTER_NOT_SET"

// Error says why the ledger cannot be used: a stable code, and a message that
// never contains the password.
type Error = sqldb.Error

// maxText is the most bytes of a stored free text.
const maxText = 2000

// sanitizeText returns the text as both engines can store it: valid UTF-8, without NUL
// (PostgreSQL refuses NUL), and truncated to maxText bytes.
func sanitizeText(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// maxKey is the most bytes of a key by which rows are looked up. An index entry of
// PostgreSQL holds 2,704 bytes for all its columns. An order number of ours has at
// most 64.
const maxKey = 200

// sanitizeKey is sanitizeText with the bound maxKey. Use it when a key is stored and when it is
// looked up, because keys from outside may contain anything.
func sanitizeKey(text string) string {
	if text = sanitizeText(text); len(text) > maxKey {
		text = strings.ToValidUTF8(text[:maxKey], "") + "…"
	}
	return text
}

// sanitizeOrderKey sanitizes both parts of an order's key.
func sanitizeOrderKey(key order.Key) order.Key {
	return order.Key{Merchant: sanitizeKey(key.Merchant), Number: sanitizeKey(key.Number)}
}
