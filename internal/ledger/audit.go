package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AuditAction says what an entry of the audit is about.
type AuditAction string

// The actions.
const (
	ActionOpen              AuditAction = "open"              // an order was written down
	ActionSubmit            AuditAction = "submit"            // a create is about to be sent
	ActionAnswer            AuditAction = "answer"            // a create was answered, or not
	ActionHold              AuditAction = "hold"              // not sent again until the gateway's balance covers it
	ActionSettle            AuditAction = "settle"            // a finding was booked
	ActionReview            AuditAction = "review"            // handed to a person
	ActionReserve           AuditAction = "reserve"           // funds arrived
	ActionFunds             AuditAction = "funds_deadline"    // funds did not arrive
	ActionUnanswered        AuditAction = "approval_deadline" // nobody approved in time
	ActionApprove           AuditAction = "approve"
	ActionReject            AuditAction = "reject"
	ActionCancel            AuditAction = "cancel"
	ActionNote              AuditAction = "note"
	ActionPoll              AuditAction = "poll"    // the gateway, or the balance, is to be asked at once
	ActionAdopt             AuditAction = "adopt"   // a workflow was started for an order that none drove
	ActionPropose           AuditAction = "propose" // the first person's resolution
	ActionResolve           AuditAction = "resolve"
	ActionDiscrepancy       AuditAction = "discrepancy"
	ActionCloseDiscrepancy  AuditAction = "close_discrepancy"
	ActionProposeAdjustment AuditAction = "propose_adjustment" // the first person's
	ActionConfirmAdjustment AuditAction = "confirm_adjustment" // the second person's: booked
	ActionRejectAdjustment  AuditAction = "reject_adjustment"
	ActionSetAside          AuditAction = "set_aside"    // a callback of an order that we do not have
	ActionIgnore            AuditAction = "ignore"       // a message that nobody acts on: malformed, unknown or another order's
	ActionRefuseStart       AuditAction = "refuse_start" // a workflow that was started as an order and is none
	ActionTrip              AuditAction = "trip"
	ActionPolicy            AuditAction = "policy" // the installation's rules came into force, or were refused
	ActionReset             AuditAction = "reset"
	ActionAbsent            AuditAction = "absent"      // the gateway was asked first, and does not have the order
	ActionFind              AuditAction = "find"        // the gateway has an order of which no create is on record
	ActionRestore           AuditAction = "restore"     // an older copy of the ledger was restored
	ActionEndRestore        AuditAction = "end_restore" // and what it lost has been dealt with
)

// System is the actor of what the orchestrator does by itself.
const System = order.System

// AuditEntry is one thing that was done, or was asked for and refused.
type AuditEntry struct {
	Key      order.Key    `json:"key"` // without number: of the merchant itself; empty: of the installation
	Seq      int          `json:"seq"` // from 1, without gaps
	At       time.Time    `json:"at"`
	Actor    string       `json:"actor"` // System, or who
	Action   AuditAction  `json:"action"`
	Source   order.Source `json:"source,omitempty"`   // what stood behind it
	Evidence string       `json:"evidence,omitempty"` // its proof; of an opening: the fingerprint, and the policy's ID
	Before   order.State  `json:"before,omitempty"`   // of an adjustment: its own states
	After    order.State  `json:"after,omitempty"`
	Refused  bool         `json:"refused"`         // asked for and not done
	Reason   order.Reason `json:"reason,omitzero"` // why, or why not
	Paid     money.Amount `json:"paid,omitzero"`   // of the order, as it then stood
	Fee      money.Amount `json:"fee,omitzero"`
	PrevHash string       `json:"prev_hash"` // of the entry before, empty for the first
	Hash     string       `json:"hash"`
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Orders  int          `json:"orders"` // chains: of orders, of merchants, of numbers that we do not have, and of the installation
	Entries int          `json:"entries"`
	Broken  []AuditBreak `json:"broken,omitempty"`
}

// AuditBreak is one place where the audit was tampered with.
type AuditBreak struct {
	Key    order.Key `json:"key"`
	Seq    int       `json:"seq,omitempty"` // 0: of the whole chain
	Detail string    `json:"detail"`
}

// Audit is everything on record for a key, oldest first: of the order, after
// what was asked of its number before we had it. With a merchant only, it is
// what is on record of the merchant itself; with an empty key, of the
// installation.
func (l *Ledger) Audit(ctx context.Context, key order.Key) ([]AuditEntry, error) {
	var rows []auditRow
	err := l.db.List(ctx, &rows, "SELECT "+auditColumns+" FROM audit WHERE merchant = ? AND number = ? ORDER BY chain DESC, seq",
		fitKey(key.Merchant), fitKey(key.Number))
	if err != nil {
		return nil, fmt.Errorf("ledger: audit of %s: %w", key, err)
	}
	currency := ""
	if err := l.db.Get(ctx, &currency, "SELECT COALESCE(MAX(currency), '') FROM orders WHERE merchant = ? AND number = ?", fitKey(key.Merchant), fitKey(key.Number)); err != nil {
		return nil, fmt.Errorf("ledger: audit of %s: %w", key, err)
	}
	entries := make([]AuditEntry, len(rows))
	var previous *auditRow
	for i, row := range rows {
		if previous == nil || previous.Chain != row.Chain {
			previous = &auditRow{}
		}
		if entries[i], err = row.entry(currency, previous.Hash); err != nil {
			return nil, fmt.Errorf("ledger: audit of %s: %w", key, err)
		}
		previous = &rows[i]
	}
	return entries, nil
}

func (r auditRow) entry(currency string, previous []byte) (AuditEntry, error) {
	e := AuditEntry{
		Key: order.Key{Merchant: r.Merchant, Number: r.Number}, Seq: int(r.Seq), At: moment(r.At), Actor: r.Actor, Action: r.Action,
		Source: r.Source, Evidence: r.Evidence, Before: r.Before, After: r.After, Refused: r.Outcome == outcomeRefused,
		Reason: order.Reason{Code: r.Code, Text: r.Text}, PrevHash: hex.EncodeToString(previous), Hash: hex.EncodeToString(r.Hash),
	}
	if r.Paid == 0 {
		return e, nil
	}
	read := amounts{currency: currency}
	e.Paid, e.Fee = read.of(r.Paid), read.of(r.Fee)
	return e, read.err
}

// maxBreaks bounds what one check lists.
const maxBreaks = 1000

// VerifyAudit reads the whole audit, as of one moment and entry by entry, and
// checks that every entry is as it was written, follows from the one before
// it, and that none is missing, at the end neither; and that the order is the
// one that was opened. It keeps one entry in memory.
//
// It proves that nobody changed a part of it. Who could write every later
// entry, every head and every order anew could still do so: keep a backup
// elsewhere.
func (l *Ledger) VerifyAudit(ctx context.Context) (AuditReport, error) {
	check := auditCheck{}
	err := l.db.View(ctx, func(t *sqldb.Tx) error {
		if err := check.read(ctx, tx{t}); err != nil {
			return err
		}
		return check.missing(ctx, tx{t})
	})
	if err != nil {
		return AuditReport{}, fmt.Errorf("ledger: verify the audit: %w", err)
	}
	return check.report, nil
}

// headedRow is an entry with the head of its chain, and with the order when it
// is the one that opened it.
type headedRow struct {
	auditRow
	Entries     int64  `db:"entries"` // 0: no head is on record
	Head        []byte `db:"head"`
	Fingerprint string `db:"fingerprint"`
	Request     string `db:"request"`
}

// auditCheck goes through all entries, chain by chain.
type auditCheck struct {
	report AuditReport
	last   headedRow // of the chain that is being read; without sequence: none yet
	broken bool      // that chain is: what follows from it is not told again
}

func (c *auditCheck) read(ctx context.Context, t tx) error {
	rows, err := t.Rows(ctx, `
		SELECT a.`+strings.ReplaceAll(strings.Join(strings.Fields(auditColumns), " "), ", ", ", a.")+`,
			COALESCE(o.audit_entries, c.entries, 0) AS entries, COALESCE(o.audit_head, c.head) AS head,
			CASE WHEN a.seq = 1 AND o.id IS NOT NULL THEN o.fingerprint ELSE '' END AS fingerprint,
			CASE WHEN a.seq = 1 AND o.id IS NOT NULL THEN o.request ELSE '' END AS request
		FROM audit a
		LEFT JOIN orders o ON a.chain = 'order' AND o.merchant = a.merchant AND o.number = a.number
		LEFT JOIN chains c ON a.chain = 'other' AND c.merchant = a.merchant AND c.number = a.number
		ORDER BY a.merchant, a.number, a.chain, a.seq`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row headedRow
		if err := rows.StructScan(&row); err != nil {
			return err
		}
		c.entry(row)
	}
	c.end()
	return rows.Err()
}

func (c *auditCheck) entry(row headedRow) {
	if row.Merchant != c.last.Merchant || row.Number != c.last.Number || row.Chain != c.last.Chain {
		c.end()
		c.last, c.broken = headedRow{}, false
		c.report.Orders++
	}
	c.report.Entries++
	switch {
	case c.broken:
	case row.Seq != c.last.Seq+1:
		c.breaks(row, "entry %d follows entry %d: what was between them is gone", row.Seq, c.last.Seq)
	case !row.follows(c.last.Seq, c.last.Hash):
		c.breaks(row, "the entry is not what was written, or does not follow from the one before it")
	case row.Seq == 1 && row.Chain == chainOrder:
		c.opening(row)
	}
	c.last = row
}

// opening checks that the order is still the one that was opened.
func (c *auditCheck) opening(row headedRow) {
	fingerprint, _, _ := strings.Cut(row.Evidence, " ")
	var request order.Request
	if err := json.Unmarshal([]byte(row.Request), &request); err != nil || request.Fingerprint() != fingerprint || row.Fingerprint != fingerprint {
		c.breaks(row, "the order has other content than the one that was opened")
	}
}

// end compares the chain that was read with its head.
func (c *auditCheck) end() {
	switch {
	case c.last.Seq == 0 || c.broken:
	case c.last.Entries > c.last.Seq:
		c.breaks(c.last, "the chain ends with entry %d and had %d", c.last.Seq, c.last.Entries)
	case c.last.Entries < c.last.Seq:
		c.breaks(c.last, "the chain has %d entries and should have %d", c.last.Seq, c.last.Entries)
	case !bytes.Equal(c.last.Head, c.last.Hash):
		c.breaks(c.last, "the last entry is not the one that was written last")
	}
}

func (c *auditCheck) breaks(row headedRow, format string, values ...any) {
	c.broken = true
	if len(c.report.Broken) < maxBreaks {
		c.report.Broken = append(c.report.Broken, AuditBreak{
			Key: order.Key{Merchant: row.Merchant, Number: row.Number}, Seq: int(row.Seq), Detail: fmt.Sprintf(format, values...),
		})
	}
}

// missing finds the chains of which nothing is left.
func (c *auditCheck) missing(ctx context.Context, t tx) error {
	var gone []struct {
		Merchant string `db:"merchant"`
		Number   string `db:"number"`
	}
	err := t.List(ctx, &gone, `
		SELECT merchant, number FROM orders o
		WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order')
		UNION ALL
		SELECT merchant, number FROM chains c
		WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.merchant = c.merchant AND a.number = c.number AND a.chain = 'other')
		ORDER BY merchant, number LIMIT ?`, maxBreaks)
	for _, chain := range gone {
		c.breaks(headedRow{auditRow: auditRow{Merchant: chain.Merchant, Number: chain.Number}}, "every entry of the chain is gone")
	}
	return err
}
