package order

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/tarspay-payouts/orchestrator/money"
)

// BatchState is the state of a batch.
type BatchState string

// The states of a batch.
const (
	BatchStoring   BatchState = "storing"   // its rows are being stored; none is started
	BatchRunning   BatchState = "running"   // its rows are started, some at a time
	BatchPaused    BatchState = "paused"    // no row is started until a person resumes it
	BatchCancelled BatchState = "cancelled" // no further row is started any more
	BatchCompleted BatchState = "completed" // every row was started or refused, and every order has ended
	BatchBroken    BatchState = "broken"    // what was stored is not what its id says; no row was started
)

// Ended reports whether no further row of the batch is ever started.
func (s BatchState) Ended() bool {
	return s == BatchCancelled || s == BatchCompleted || s == BatchBroken
}

// Batch is a file of withdrawals of one merchant.
type Batch struct {
	Merchant    string         `json:"merchant"`
	ID          string         `json:"id"`          // the first digits of the fingerprint
	Fingerprint string         `json:"fingerprint"` // of a BatchDigest
	Name        string         `json:"name,omitempty"`
	Columns     []string       `json:"columns"`
	Rows        int            `json:"rows"`
	Totals      []money.Amount `json:"totals"`
	RequestedBy string         `json:"requested_by,omitempty"`
}

// BatchRow is a row of a batch.
type BatchRow struct {
	Seq     int     `json:"seq"`  // from 1, in the sequence of the file
	Line    int     `json:"line"` // of the file
	Request Request `json:"request"`
}

// BatchIDDigits is the length of a batch's id.
const BatchIDDigits = 16

// BatchDigest computes a batch's fingerprint. Two batches with the same merchant and
// the same rows in the same sequence have the same one, whoever requests them.
type BatchDigest struct{ content hash.Hash }

// NewBatchDigest begins the digest of a batch without rows.
func NewBatchDigest(merchant string) BatchDigest {
	d := BatchDigest{sha256.New()}
	d.line("payouts-batch-1")
	d.line(merchant)
	return d
}

// Add adds the next row by the fingerprint of its request.
func (d BatchDigest) Add(fingerprint string) { d.line(fingerprint) }

// Sum returns the fingerprint, in hex.
func (d BatchDigest) Sum() string { return hex.EncodeToString(d.content.Sum(nil)) }

func (d BatchDigest) line(text string) {
	_, _ = d.content.Write([]byte(text + "\n")) // Write of a hash returns no error
}
