package ledger

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AuditAction says what an entry of the audit is about.
type AuditAction string

// The actions.
const (
	ActionOpen             AuditAction = "open"              // an order was written down
	ActionSubmit           AuditAction = "submit"            // a create is about to be sent
	ActionAnswer           AuditAction = "answer"            // a create was answered, or not
	ActionSettle           AuditAction = "settle"            // a finding was booked
	ActionReview           AuditAction = "review"            // handed to a person
	ActionReserve          AuditAction = "reserve"           // funds arrived
	ActionFunds            AuditAction = "funds_deadline"    // funds did not arrive
	ActionUnanswered       AuditAction = "approval_deadline" // nobody approved in time
	ActionApprove          AuditAction = "approve"
	ActionReject           AuditAction = "reject"
	ActionCancel           AuditAction = "cancel"
	ActionNote             AuditAction = "note"
	ActionPropose          AuditAction = "propose" // the first person's resolution
	ActionResolve          AuditAction = "resolve"
	ActionDiscrepancy      AuditAction = "discrepancy"
	ActionCloseDiscrepancy AuditAction = "close_discrepancy"
	ActionTrip             AuditAction = "trip"
	ActionReset            AuditAction = "reset"
)

// System is the actor of what the orchestrator does by itself.
const System = "system"

// AuditEntry is one thing that was done, or was asked for and refused.
type AuditEntry struct {
	Key      order.Key    `json:"key"` // without number: of the merchant itself
	Seq      int          `json:"seq"` // from 1, without gaps
	At       time.Time    `json:"at"`
	Actor    string       `json:"actor"` // System, or who
	Action   AuditAction  `json:"action"`
	Source   order.Source `json:"source,omitempty"`   // what stood behind it
	Evidence string       `json:"evidence,omitempty"` // its proof
	Before   order.State  `json:"before,omitempty"`
	After    order.State  `json:"after,omitempty"`
	Refused  bool         `json:"refused"`         // asked for and not done
	Reason   order.Reason `json:"reason,omitzero"` // why, or why not
	Paid     money.Amount `json:"paid,omitzero"`
	Fee      money.Amount `json:"fee,omitzero"`
	PrevHash string       `json:"prev_hash"`
	Hash     string       `json:"hash"`
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Orders  int          `json:"orders"` // chains
	Entries int          `json:"entries"`
	Broken  []AuditBreak `json:"broken,omitempty"`
}

// AuditBreak is one place where the audit was tampered with.
type AuditBreak struct {
	Key    order.Key `json:"key"`
	Seq    int       `json:"seq,omitempty"`
	Detail string    `json:"detail"`
}

// Audit is everything on record for a key, oldest first.
func (l *Ledger) Audit(context.Context, order.Key) ([]AuditEntry, error) { return nil, errNotBuilt }

// VerifyAudit checks every chain.
func (l *Ledger) VerifyAudit(context.Context) (AuditReport, error) {
	return AuditReport{}, errNotBuilt
}
