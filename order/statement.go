package order

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// StatementState is the state of a statement.
type StatementState string

// The states of a statement.
const (
	StatementStoring  StatementState = "storing"  // its lines are being stored; none is compared
	StatementMatching StatementState = "matching" // its lines are being compared with the orders
	StatementMatched  StatementState = "matched"  // every line was compared
	StatementBroken   StatementState = "broken"   // what was stored is not the file; no line was compared
)

// Ended reports whether nothing of the statement is compared any more.
func (s StatementState) Ended() bool { return s == StatementMatched || s == StatementBroken }

// Statement is a file that a person exported from the gateway's portal, of one merchant.
type Statement struct {
	Merchant    string    `json:"merchant"`
	ID          string    `json:"id"`          // the first digits of the fingerprint
	Fingerprint string    `json:"fingerprint"` // of the merchant, the profile and the file
	File        string    `json:"file"`        // the SHA-256 of the file
	Content     string    `json:"content"`     // of a StatementDigest of the lines
	Profile     string    `json:"profile"`     // its name
	Lines       int       `json:"lines"`
	From        time.Time `json:"from"` // the time of the first line
	To          time.Time `json:"to"`   // the time of the last line
	// PaidDeposits and PaidWithdrawals count the lines that say so. A statement without any
	// of a kind says nothing about orders of that kind that it does not have.
	PaidDeposits    int    `json:"paid_deposits"`
	PaidWithdrawals int    `json:"paid_withdrawals"`
	ImportedBy      string `json:"imported_by,omitempty"`
}

// Count adds a line to the counts and the time of a statement.
func (s *Statement) Count(l StatementLine) {
	if s.Lines++; s.Lines == 1 || l.At.Before(s.From) {
		s.From = l.At
	}
	if l.At.After(s.To) {
		s.To = l.At
	}
	switch {
	case !l.State.Paid():
	case l.Kind == tarspay.HistoryDeposit:
		s.PaidDeposits++
	case l.Kind == tarspay.HistoryWithdrawal:
		s.PaidWithdrawals++
	}
}

// StatementIDDigits is the length of a statement's id.
const StatementIDDigits = 16

// StatementFingerprint returns the fingerprint of a file. profile identifies the profile's
// content: the same file read in another way is another statement.
func StatementFingerprint(merchant, profile, file string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "payouts-statement-1\n%s\n%s\n%s\n", merchant, profile, file))
	return hex.EncodeToString(sum[:])
}

// StatementPageLines is how many lines a page of a statement has at most. A line has at
// most 600 bytes, so a page fits Temporal's limit of a payload, 2 MB.
const StatementPageLines = 2000

// StatementUnstated is an amount that the statement does not tell.
const StatementUnstated = -2

// StatementLine is a line of a statement, without personal data. Amounts are in minor
// units, or StatementUnstated.
type StatementLine struct {
	Seq       int                 `json:"seq"`  // from 1, in the sequence of the file
	Line      int                 `json:"line"` // of the file
	GatewayID string              `json:"gateway_id,omitempty"`
	Number    string              `json:"number,omitempty"`
	Kind      tarspay.HistoryKind `json:"kind"`
	State     tarspay.State       `json:"state"`
	Currency  string              `json:"currency"` // ISO 4217
	Amount    int64               `json:"amount"`
	Paid      int64               `json:"paid"` // before the fee is deducted; 0 unless the state says paid
	Fee       int64               `json:"fee"`
	At        time.Time           `json:"at"`
}

// Text returns the content of the line, without its place in the file. Lines with the same
// content have the same text.
func (l StatementLine) Text() string {
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%d\t%d\t%d\t%d\n", l.GatewayID, l.Number, l.Kind, l.State, l.Currency, l.Amount, l.Paid, l.Fee, l.At.UnixMilli())
}

// StatementDigest computes the digest of a statement's lines, in their sequence.
type StatementDigest struct{ content hash.Hash }

// NewStatementDigest begins the digest of a statement without lines.
func NewStatementDigest() StatementDigest { return StatementDigest{sha256.New()} }

// Add adds the next line.
func (d StatementDigest) Add(l StatementLine) {
	_, _ = fmt.Fprintf(d.content, "%d\t%d\t%s", l.Seq, l.Line, l.Text()) // Write of a hash returns no error
}

// Sum returns the digest, in hex.
func (d StatementDigest) Sum() string { return hex.EncodeToString(d.content.Sum(nil)) }
