package order

import (
	"errors"
	"fmt"
	"strings"
)

// Stable codes of reasons and refusals that a finance system decides by. They are part
// of the interface: a caller may switch on them, so they are never renamed. There are
// others; docs/codes.md lists them all.
const (
	CodeInvalidRequest    = "INVALID_REQUEST"     // the request breaks a rule; see the problems
	CodeOrderConflict     = "ORDER_CONFLICT"      // the number belongs to an order with other content
	CodeNumberSquatted    = "NUMBER_SQUATTED"     // the order's workflow id belongs to a workflow that drives no order
	CodeOrderNotFound     = "ORDER_NOT_FOUND"     // no order of that number
	CodeUnknownMerchant   = "UNKNOWN_MERCHANT"    // the merchant is not configured
	CodeInsufficientFunds = "INSUFFICIENT_FUNDS"  // the ledger's available balance does not cover it
	CodeGatewayRefused    = "GATEWAY_REFUSED"     // the gateway refused the create for certain
	CodeRefusedHere       = "REFUSED_HERE"        // a check of our own refused to send the create; the gateway was not asked
	CodeGatewayShort      = "GATEWAY_SHORT"       // the merchant's balance at the gateway does not cover it
	CodeGatewayFailed     = "GATEWAY_FAILED"      // the gateway accepted the order, and it failed there
	CodeGatewayUnknown    = "GATEWAY_UNKNOWN"     // a create was sent and its outcome is not known
	CodeGatewayPaused     = "GATEWAY_PAUSED"      // the gateway refuses every call: key, address, signature or merchant
	CodeGatewayAway       = "GATEWAY_UNREACHABLE" // the create could not be sent
	CodeNumberTwin        = "ORDER_NUMBER_TWIN"   // another order's number differs only in case
	CodeNoProof           = "NO_PROOF"            // the horizon passed without proof
	CodeExpired           = "EXPIRED"             // the payer did not pay in time
	CodeRefunded          = "REFUNDED"            // paid, then refunded
	CodeResolved          = "RESOLVED"            // an operator decided, with evidence
	CodeTerminal          = "ORDER_ENDED"         // the order has ended; the action is not possible any more

	CodeWhoMissing       = "WHO_MISSING"       // the action does not say who acts
	CodeWhyMissing       = "WHY_MISSING"       // the action does not say why
	CodeAlreadySubmitted = "ALREADY_SUBMITTED" // the order may be at the gateway, so it is not ended here
	CodeApprovalTooLate  = "APPROVAL_TOO_LATE" // nobody approved in time
	CodeRejected         = "REJECTED"          // a second person rejected it
	CodeCancelled        = "CANCELLED"         // cancelled before anything was sent
	CodeTextTooLong      = "TEXT_TOO_LONG"     // a text of an action is too long

	CodeOrderBusy = "ORDER_BUSY" // the order accepts no message at the moment; try again
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
