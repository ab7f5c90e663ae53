package order

import (
	"errors"
	"fmt"
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
	CodeSumTooLarge       = "SUM_TOO_LARGE"            // the order would overflow a total of the merchant's books
	CodeGatewayRefused    = "GATEWAY_REFUSED"          // the gateway refused the create for certain
	CodeRefusedHere       = "REFUSED_HERE"             // a check of our own refused to send the create; the gateway was not asked
	CodeGatewayDoubt      = "GATEWAY_REFUSED_PROBABLY" // the gateway refused the create, but its answer is no proof: it is queried first
	CodeGatewayShort      = "GATEWAY_SHORT"            // the merchant's balance at the gateway does not cover it
	CodeGatewayFailed     = "GATEWAY_FAILED"           // the gateway accepted the order, and it failed there
	CodeGatewayUnknown    = "GATEWAY_UNKNOWN"          // a create was sent and its outcome is not known
	CodeGatewayPaused     = "GATEWAY_PAUSED"           // the gateway refuses every call: key, address, signature or merchant
	CodeGatewayAway       = "GATEWAY_UNREACHABLE"      // the create could not be sent
	CodeFound             = "FOUND_AT_GATEWAY"         // the gateway has an order for which no create is recorded
	CodeNumberTwin        = "ORDER_NUMBER_TWIN"        // another order's number differs only in case
	CodeMismatch          = "FIELDS_MISMATCH"          // the gateway's answer does not fit the order
	CodeFeeBounds         = "FEE_OUT_OF_BOUNDS"        // the fee is larger than the amount that moved
	CodeFeeUnconfirmed    = "FEE_NOT_CONFIRMED"        // a fee as large as the payment needs a confirmation
	CodeFeeFiner          = "FEE_FINER_THAN_CURRENCY"  // the gateway's fee has more decimals than the currency; whole minor units are booked
	CodeNoProof           = "NO_PROOF"                 // the horizon passed without proof
	CodeExpired           = "EXPIRED"                  // the payer did not pay in time
	CodeRefunded          = "REFUNDED"                 // paid, then refunded
	CodeResolved          = "RESOLVED"                 // an operator decided, with evidence
	CodeNotInReview       = "NOT_IN_REVIEW"            // resolve is for orders in review only
	CodeEvidenceMissing   = "EVIDENCE_MISSING"         // a resolution needs a name, a reason and the gateway's proof
	CodeNotAnEnd          = "NOT_AN_END"               // a resolution needs a terminal state that the state table allows
	CodeTerminal          = "ORDER_ENDED"              // the order has ended; the action is not possible any more

	CodeNotAwaitingApproval = "NOT_AWAITING_APPROVAL" // approve and reject are for orders that wait for approval
	CodeFingerprintMismatch = "FINGERPRINT_MISMATCH"  // the approval is for other content
	CodeSamePerson          = "SAME_PERSON"           // the second person must be another one
	CodeProposalDiffers     = "PROPOSAL_DIFFERS"      // the second resolution is not what the first person proposed
	CodeUnsigned            = "START_UNSIGNED"        // there is a roster and the start is not signed: two persons approve the order
	CodeWhoMissing          = "WHO_MISSING"           // the action does not say who acts
	CodeWhyMissing          = "WHY_MISSING"           // the action does not say why
	CodeAlreadySubmitted    = "ALREADY_SUBMITTED"     // the order may be at the gateway, so it is not ended here
	CodeNotSubmitted        = "NOT_SUBMITTED"         // nothing was sent, so there is nothing to query
	CodeWorkflowRunning     = "WORKFLOW_RUNNING"      // a workflow drives the order: it cannot be adopted
	CodeApprovalTooLate     = "APPROVAL_TOO_LATE"     // nobody approved in time
	CodeApproved            = "APPROVED"              // a second person approved it
	CodeRejected            = "REJECTED"              // a second person rejected it
	CodeCancelled           = "CANCELLED"             // cancelled before anything was sent
	CodeImpossible          = "NOT_POSSIBLE"          // the state table does not allow it in the order's state
	CodeDiscrepancyClosed   = "DISCREPANCY_CLOSED"    // it is closed already
	CodeTextTooLong         = "TEXT_TOO_LONG"         // a text of an action is too long

	CodeOtherWorker = "OTHER_WORKER" // this worker lacks a merchant, a key or a profile that another worker has; the other one takes the order
	CodeOrderBusy   = "ORDER_BUSY"   // the order accepts no message at the moment; try again

	CodeRowMissing = "LEDGER_ROW_MISSING" // the ledger has no row of an open order
	CodeLedgerAway = "LEDGER_AWAY"        // the ledger does not answer, or cannot be used
	CodeFault      = "INTERNAL_FAULT"     // an error in this program; see the worker's log

	CodeUnreadable      = "PAYLOADS_UNREADABLE" // the data is encrypted, and no configured key decrypts it
	CodeSignalMalformed = "SIGNAL_MALFORMED"    // a callback signal that does not name a callback of the inbox
	CodeSignalUnknown   = "SIGNAL_UNKNOWN"      // a signal with an unknown name
	CodeCallbackUnknown = "CALLBACK_UNKNOWN"    // the inbox has no callback of that id
	CodeCallbackForeign = "CALLBACK_FOREIGN"    // the callback is another order's
	CodeCallbackDamaged = "CALLBACK_DAMAGED"    // the inbox has the callback, and it cannot be decoded
)

// Problem is one error in a request: a stable code, the field, and a sentence that
// says what to do.
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

// Error returns one line with every problem.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Message
	}
	return CodeInvalidRequest + ": " + strings.Join(lines, "; ")
}

// Refusal is the error of a valid request that is refused.
type Refusal struct {
	Reason
}

// Error returns the code and the sentence.
func (e *Refusal) Error() string { return e.Code + ": " + e.Text }

// Refuse returns a Refusal.
func Refuse(code, format string, values ...any) *Refusal {
	return &Refusal{Reason{Code: code, Text: fmt.Sprintf(format, values...)}}
}

// OtherContent refuses a number that belongs to an order with other content.
func OtherContent(key Key) *Refusal {
	return Refuse(CodeOrderConflict,
		"the number %s of merchant %s belongs to an order with other content; look at it first (starter status %s --merchant %s), and use another number only for another payment",
		key.Number, key.Merchant, key.Number, key.Merchant)
}

// CodeOf returns the stable code of an error of this package, or "".
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
