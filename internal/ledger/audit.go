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

// AuditAction is the action that an audit entry records.
type AuditAction string

// The actions.
const (
	ActionOpen              AuditAction = "open"              // an order was opened
	ActionSubmit            AuditAction = "submit"            // a create is about to be sent
	ActionAnswer            AuditAction = "answer"            // the outcome of a create
	ActionHold              AuditAction = "hold"              // not sent again until the gateway's balance covers it
	ActionSettle            AuditAction = "settle"            // a finding was applied
	ActionReview            AuditAction = "review"            // the order became in_review
	ActionReserve           AuditAction = "reserve"           // funds arrived
	ActionFunds             AuditAction = "funds_deadline"    // funds did not arrive
	ActionUnanswered        AuditAction = "approval_deadline" // nobody approved in time
	ActionApprove           AuditAction = "approve"
	ActionReject            AuditAction = "reject"
	ActionCancel            AuditAction = "cancel"
	ActionNote              AuditAction = "note"
	ActionPoll              AuditAction = "poll"    // a person wants the gateway, or the balance, queried now
	ActionAdopt             AuditAction = "adopt"   // a workflow was started for an order without one
	ActionPropose           AuditAction = "propose" // the first of two resolutions
	ActionResolve           AuditAction = "resolve"
	ActionDiscrepancy       AuditAction = "discrepancy"
	ActionCloseDiscrepancy  AuditAction = "close_discrepancy"
	ActionProposeAdjustment AuditAction = "propose_adjustment" // by the first person
	ActionConfirmAdjustment AuditAction = "confirm_adjustment" // by the second person; it is booked
	ActionRejectAdjustment  AuditAction = "reject_adjustment"
	ActionSetAside          AuditAction = "set_aside"    // a person dealt with a callback that is not delivered
	ActionIgnore            AuditAction = "ignore"       // a message without effect: malformed, unknown or for another order
	ActionRefuseStart       AuditAction = "refuse_start" // a workflow was started as an order without a valid one
	ActionTrip              AuditAction = "trip"
	ActionPolicy            AuditAction = "policy" // a policy came into force, or was refused
	ActionRoster            AuditAction = "roster" // a roster came into force; the evidence is its hash
	ActionReset             AuditAction = "reset"
	ActionAbsent            AuditAction = "absent"      // a query before the first create proved that the gateway does not have the order
	ActionFind              AuditAction = "find"        // the gateway has an order without a recorded create
	ActionRestore           AuditAction = "restore"     // an older copy of the ledger was restored
	ActionEndRestore        AuditAction = "end_restore" // a person ended the restore
)

// System is the actor of entries that no person caused.
const System = order.System

// AuditEntry is one action, performed or refused.
type AuditEntry struct {
	Key      order.Key    `json:"key"` // no number: the merchant's own chain; empty: the installation's chain
	Seq      int          `json:"seq"` // from 1, without gaps
	At       time.Time    `json:"at"`
	Actor    string       `json:"actor"` // a person's name, or System
	Action   AuditAction  `json:"action"`
	Source   order.Source `json:"source,omitempty"`   // what the change rests on: a query, a callback, an operator, …
	Evidence string       `json:"evidence,omitempty"` // the proof; of an opening: the fingerprint and the policy's ID
	Before   order.State  `json:"before,omitempty"`   // of an adjustment: the adjustment's states
	After    order.State  `json:"after,omitempty"`
	Refused  bool         `json:"refused"`         // the action was refused
	Reason   order.Reason `json:"reason,omitzero"` // of the action or of the refusal
	Paid     money.Amount `json:"paid,omitzero"`   // of the order after the action
	Fee      money.Amount `json:"fee,omitzero"`
	Envelope string       `json:"envelope,omitempty"` // of a signed action: {"envelope":…,"signature":…}, see package envelope
	PrevHash string       `json:"prev_hash"`          // of the previous entry; empty for the first
	Hash     string       `json:"hash"`
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Orders  int          `json:"orders"` // number of chains: one per order, merchant and unknown order number, and one for the installation
	Entries int          `json:"entries"`
	Broken  []AuditBreak `json:"broken,omitempty"`
}

// AuditBreak is the first place in a chain where the check failed.
type AuditBreak struct {
	Key    order.Key `json:"key"`
	Seq    int       `json:"seq,omitempty"` // 0: the whole chain
	Detail string    `json:"detail"`
}

// Audit returns all entries of a key, oldest first. For an order, the entries that
// were written before the order existed come first. With a merchant only, it
// returns the merchant's own entries; with an empty key, the installation's.
func (l *Ledger) Audit(ctx context.Context, key order.Key) ([]AuditEntry, error) {
	var rows []auditRow
	err := l.db.List(ctx, &rows, "SELECT "+auditColumns+" FROM audit WHERE merchant = ? AND number = ? ORDER BY chain DESC, seq",
		sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return nil, fmt.Errorf("ledger: audit of %s: %w", key, err)
	}
	currency := ""
	if err := l.db.Get(ctx, &currency, "SELECT COALESCE(MAX(currency), '') FROM orders WHERE merchant = ? AND number = ?", sanitizeKey(key.Merchant), sanitizeKey(key.Number)); err != nil {
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
		Reason: order.Reason{Code: r.Code, Text: r.Text}, Envelope: r.Envelope, PrevHash: hex.EncodeToString(previous), Hash: hex.EncodeToString(r.Hash),
	}
	if r.Paid == 0 {
		return e, nil
	}
	read := amounts{currency: currency}
	e.Paid, e.Fee = read.of(r.Paid), read.of(r.Fee)
	return e, read.err
}

// maxBreaks is the most breaks that one check lists.
const maxBreaks = 1000

// VerifyAudit reads the whole audit as of one moment, with one entry in memory at
// a time. It checks:
//   - each entry's hash
//   - each entry's link to the previous entry
//   - that no entry is missing, neither in a chain nor at its end
//   - that each order has the content with which it was opened
//
// It detects a change to a part of the audit. It does not detect an attacker who
// rewrites all later entries, the heads of the chains and the orders: keep a
// backup elsewhere.
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

// headedRow is an entry with the head of its chain. The first entry of an order
// also has the order's fingerprint and request.
type headedRow struct {
	auditRow
	Entries     int64  `db:"entries"` // 0: no head is stored
	Head        []byte `db:"head"`
	Fingerprint string `db:"fingerprint"`
	Request     string `db:"request"`
}

// auditCheck checks all entries, chain by chain.
type auditCheck struct {
	report AuditReport
	last   headedRow // the last entry of the chain that is being read; Seq 0: none yet
	broken bool      // this chain is broken: later breaks in it are not reported
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

// opening checks that the order has the content with which it was opened.
func (c *auditCheck) opening(row headedRow) {
	fingerprint, _, _ := strings.Cut(row.Evidence, " ")
	var request order.Request
	if err := json.Unmarshal([]byte(row.Request), &request); err != nil || request.Fingerprint() != fingerprint || row.Fingerprint != fingerprint {
		c.breaks(row, "the order has other content than the one that was opened")
	}
}

// end compares the chain that was read last with its head.
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

// missing finds the chains that have no entries.
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
