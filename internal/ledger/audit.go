package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
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
	ActionRelease           AuditAction = "release"           // the time of a scheduled order has come
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
	ActionAcceptDiscrepancy AuditAction = "accept_discrepancy" // the first of two persons
	ActionWorkDiscrepancy   AuditAction = "work_discrepancy"
	ActionRemindDiscrepancy AuditAction = "remind_discrepancy" // nobody has worked on it for long
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
	ActionStop              AuditAction = "stop"        // a person stopped payouts
	ActionResume            AuditAction = "resume"      // the first person proposed to resume payouts, or the second did
	ActionRekey             AuditAction = "rekey"       // every row has the newest data key; older ones were retired
	ActionErase             AuditAction = "erase"       // the keys of the order's personal data were destroyed
	ActionRepeat            AuditAction = "repeat"      // somebody other than the requester has requested the same order again
	ActionEndRestore        AuditAction = "end_restore" // a person ended the restore
	ActionCloseDay          AuditAction = "close_day"   // a person closed a merchant's day
	ActionBatch             AuditAction = "batch"       // a file of payouts was taken, or was broken
	ActionPauseBatch        AuditAction = "pause_batch"
	ActionResumeBatch       AuditAction = "resume_batch"
	ActionCancelBatch       AuditAction = "cancel_batch"
	ActionBatchCompleted    AuditAction = "batch_completed" // every row was started or refused, and every order has ended
	ActionStatement         AuditAction = "statement"       // a statement was imported, or was broken
	ActionOpenBooks         AuditAction = "open_books"      // the books were opened with the gateway's balance
)

// System is the actor of entries that no person caused.
const System = rules.System

// AuditEntry is one action, performed or refused.
type AuditEntry struct {
	Key      order.Key    `json:"key"` // no number: the merchant's own chain; empty: the installation's chain
	Seq      int          `json:"seq"` // from 1, without gaps
	At       time.Time    `json:"at"`
	Actor    string       `json:"actor"` // a person's name, or System
	Action   AuditAction  `json:"action"`
	Source   rules.Source `json:"source,omitempty"`   // what the change rests on: a query, a callback, an operator, …
	Evidence string       `json:"evidence,omitempty"` // the proof; of an opening: the fingerprint and the policy's ID; of a discrepancy: its stake and its mark
	Before   order.State  `json:"before,omitempty"`   // of an adjustment and of the end of a stop: their states
	After    order.State  `json:"after,omitempty"`
	Refused  bool         `json:"refused"`         // the action was refused
	Reason   order.Reason `json:"reason,omitzero"` // of the action or of the refusal
	Paid     money.Amount `json:"paid,omitzero"`   // of the order after the action
	Fee      money.Amount `json:"fee,omitzero"`
	Envelope string       `json:"envelope,omitempty"` // of a signed action: {"envelope":…,"signature":…}, see package envelope; of one on a list also the order's place in it
	PrevHash string       `json:"prev_hash"`          // of the previous entry; empty for the first
	Hash     string       `json:"hash"`
}

// Audit returns all entries of a key, oldest first. For an order, the entries that
// were written before the order existed come first. With a merchant only, it
// returns the merchant's own entries; with an empty key, the installation's.
func (l *Ledger) Audit(ctx context.Context, key order.Key) ([]AuditEntry, error) {
	var rows []auditRow
	err := l.db.View(ctx, func(s *sqldb.Tx) error {
		return tx{Tx: s, private: l.private}.auditOf(ctx, key, &rows, "ORDER BY chain DESC, seq")
	})
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

// AuditPage returns a merchant's own entries, or the installation's if the merchant is empty,
// that come after the one with the number, oldest first, and at most so many.
func (l *Ledger) AuditPage(ctx context.Context, merchant string, after int64, limit int) ([]AuditEntry, error) {
	var rows []auditRow
	err := l.db.View(ctx, func(s *sqldb.Tx) error { // the entry before, too: the first one of the page has its hash
		return tx{Tx: s, private: l.private}.auditOf(ctx, order.Key{Merchant: merchant}, &rows, "AND chain = ? AND seq >= ? ORDER BY seq LIMIT ?", chainOther, after, limit+1)
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: audit of %s: %w", merchant, err)
	}
	entries := []AuditEntry{}
	var previous []byte
	for _, row := range rows {
		if row.Seq > after && len(entries) < limit {
			e, err := row.entry("", previous)
			if err != nil {
				return nil, fmt.Errorf("ledger: audit of %s: %w", merchant, err)
			}
			entries = append(entries, e)
		}
		previous = row.Hash
	}
	return entries, nil
}

// auditOf reads rows of a key, decrypted. which is the rest of the query.
func (t tx) auditOf(ctx context.Context, key order.Key, rows *[]auditRow, which string, args ...any) error {
	merchant, number := sanitizeKey(key.Merchant), sanitizeKey(key.Number)
	err := t.List(ctx, rows, "SELECT "+auditColumns+" FROM audit WHERE merchant = ? AND number = ? "+which, append([]any{merchant, number}, args...)...)
	if err != nil {
		return err
	}
	texts := make(map[string]rowTexts)
	for _, chain := range []string{chainOrder, chainOther} {
		if texts[chain], err = t.chainTexts(ctx, merchant, number, chain); err != nil {
			return err
		}
	}
	var referred []string
	for i := range *rows {
		if err := (*rows)[i].open(texts[(*rows)[i].Chain].orDamaged()); err != nil {
			return err
		}
		if hash := (*rows)[i].decisionOf(); hash != "" {
			referred = append(referred, hash)
		}
	}
	if len(referred) == 0 {
		return nil
	}
	known, err := t.decisions(ctx, referred...)
	for i := range *rows {
		(*rows)[i].expand(known)
	}
	return err
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
