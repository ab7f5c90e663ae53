package order

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Stable codes of reasons and refusals. They are part of the interface: a
// caller may switch on them, so they are never renamed.
const (
	CodeInvalidRequest    = "INVALID_REQUEST"          // the request breaks a rule; see the problems
	CodeOrderConflict     = "ORDER_CONFLICT"           // the number belongs to an order with other content
	CodeNumberSquatted    = "NUMBER_SQUATTED"          // the order's workflow id belongs to a workflow that drives no order
	CodeOrderNotFound     = "ORDER_NOT_FOUND"          // no order of that number
	CodeUnknownMerchant   = "UNKNOWN_MERCHANT"         // the merchant is not configured
	CodeInsufficientFunds = "INSUFFICIENT_FUNDS"       // the ledger's available balance does not cover it
	CodeSumTooLarge       = "SUM_TOO_LARGE"            // with it, a sum of the merchant's books could not be held
	CodeGatewayRefused    = "GATEWAY_REFUSED"          // the gateway refused the create for certain
	CodeRefusedHere       = "REFUSED_HERE"             // a check of our own refused to send the create; the gateway was not asked
	CodeGatewayDoubt      = "GATEWAY_REFUSED_PROBABLY" // the gateway refused the create in words that are no proof: it is asked first
	CodeGatewayShort      = "GATEWAY_SHORT"            // the merchant's balance at the gateway does not cover it
	CodeGatewayFailed     = "GATEWAY_FAILED"           // the gateway accepted it and it failed there
	CodeGatewayUnknown    = "GATEWAY_UNKNOWN"          // a create was sent and its outcome is not known
	CodeGatewayPaused     = "GATEWAY_PAUSED"           // the gateway refuses every call: key, address, signature or merchant
	CodeGatewayAway       = "GATEWAY_UNREACHABLE"      // the create could not be sent
	CodeFound             = "FOUND_AT_GATEWAY"         // the gateway has an order of which no create is on record
	CodeNumberTaken       = "NUMBER_TAKEN"             // the gateway holds another order under this number
	CodeNumberTwin        = "ORDER_NUMBER_TWIN"        // another order's number differs in capitals only
	CodeMismatch          = "FIELDS_MISMATCH"          // the gateway's answer does not fit the order
	CodeFeeBounds         = "FEE_OUT_OF_BOUNDS"        // a fee is kept of what moved, and never more than that
	CodeFeeUnconfirmed    = "FEE_NOT_CONFIRMED"        // a fee as large as the payment needs a confirmation
	CodeFeeFiner          = "FEE_FINER_THAN_CURRENCY"  // the gateway's fee has more decimals than the currency; whole minor units are booked
	CodeNoProof           = "NO_PROOF"                 // the horizon passed without proof
	CodeExpired           = "EXPIRED"                  // the payer did not pay in time
	CodeRefunded          = "REFUNDED"                 // paid, then returned
	CodeResolved          = "RESOLVED"                 // an operator decided, with evidence
	CodeNotInReview       = "NOT_IN_REVIEW"            // resolve is for orders in review only
	CodeEvidenceMissing   = "EVIDENCE_MISSING"         // resolve wants who, why and the gateway's proof
	CodeNotAnEnd          = "NOT_AN_END"               // resolve wants a terminal state that the table allows
	CodeTerminal          = "ORDER_ENDED"              // the order has ended; nothing more can be done to it

	CodeNotAwaitingApproval = "NOT_AWAITING_APPROVAL" // approve and reject are for orders that wait for it
	CodeFingerprintMismatch = "FINGERPRINT_MISMATCH"  // the approval is for other content
	CodeSamePerson          = "SAME_PERSON"           // the second person must be another one
	CodeWhoMissing          = "WHO_MISSING"           // an action says who does it
	CodeWhyMissing          = "WHY_MISSING"           // an action says why
	CodeAlreadySubmitted    = "ALREADY_SUBMITTED"     // the order may be at the gateway, so it is not ended here
	CodeNotSubmitted        = "NOT_SUBMITTED"         // nothing was sent: there is nothing to ask
	CodeWorkflowRunning     = "WORKFLOW_RUNNING"      // a workflow drives the order: it cannot be adopted
	CodeApprovalTooLate     = "APPROVAL_TOO_LATE"     // nobody approved in time
	CodeApproved            = "APPROVED"              // a second person let it go ahead
	CodeRejected            = "REJECTED"              // a second person refused it
	CodeCancelled           = "CANCELLED"             // withdrawn before anything was sent
	CodeImpossible          = "NOT_POSSIBLE"          // the table of moves has no way from where the order stands
	CodeDiscrepancyClosed   = "DISCREPANCY_CLOSED"    // somebody has closed it before
	CodeTextTooLong         = "TEXT_TOO_LONG"         // a text of an action has more bytes than it may have

	CodeOtherWorker = "OTHER_WORKER" // this worker lacks a merchant, a key or a profile that another one has: that one takes the order
	CodeOrderBusy   = "ORDER_BUSY"   // the order takes no message just now; ask again

	CodeRowMissing = "LEDGER_ROW_MISSING" // the ledger has no row of an order that is under way
	CodeLedgerAway = "LEDGER_AWAY"        // the ledger does not answer, or cannot do it
	CodeFault      = "INTERNAL_FAULT"     // a mistake of ours; the worker's log has it

	CodeUnreadable      = "PAYLOADS_UNREADABLE" // it is encrypted, and no key at hand reads it
	CodeSignalMalformed = "SIGNAL_MALFORMED"    // a callback signal that does not name a callback of the inbox
	CodeSignalUnknown   = "SIGNAL_UNKNOWN"      // a signal of a name that orders do not know
	CodeCallbackUnknown = "CALLBACK_UNKNOWN"    // the inbox has no callback of that id
	CodeCallbackForeign = "CALLBACK_FOREIGN"    // the callback is another order's
	CodeCallbackDamaged = "CALLBACK_DAMAGED"    // the inbox has the callback and it cannot be read
)

// Problem is one thing wrong with a request: a stable code, the field, and a
// sentence that says what to do.
type Problem struct {
	Code    string `json:"code"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Invalid is the error of a request that breaks one or more rules. It lists
// all of them.
type Invalid struct {
	Problems []Problem
}

// Names reports whether a problem is with one of the fields.
func (e *Invalid) Names(fields ...string) bool {
	return slices.ContainsFunc(e.Problems, func(p Problem) bool { return slices.Contains(fields, p.Field) })
}

// Error is one line with every problem.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Message
	}
	return CodeInvalidRequest + ": " + strings.Join(lines, "; ")
}

// Refusal is the error of a request that is well formed and still not done.
type Refusal struct {
	Reason
}

// Error is the code and the sentence.
func (e *Refusal) Error() string { return e.Code + ": " + e.Text }

// Refuse makes a Refusal.
func Refuse(code, format string, values ...any) *Refusal {
	return &Refusal{Reason{Code: code, Text: fmt.Sprintf(format, values...)}}
}

// OtherContent refuses a number that belongs to an order with other content.
func OtherContent(number string) *Refusal {
	return Refuse(CodeOrderConflict,
		"the number %s belongs to an order with other content; look at that one first, and use another number only for another payment", number)
}

// CodeOf is the stable code of an error of this package, or "".
func CodeOf(err error) string {
	var invalid *Invalid
	if errors.As(err, &invalid) {
		return CodeInvalidRequest
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
