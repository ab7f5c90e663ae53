package activities

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Types of Temporal application errors. Workflows switch on them; operators
// read them in the UI.
const (
	ErrorPending  = "PENDING"      // the gateway has not decided: not a fault
	ErrorMismatch = codes.Mismatch // the gateway's answer does not fit the order
	ErrorMissing  = codes.RowMissing
	ErrorUnknown  = order.CodeGatewayUnknown
	ErrorBehind   = "LEDGER_BEHIND" // the ledger has the order in an earlier state, because an older copy was restored
	ErrorPaused   = order.CodeGatewayPaused
	ErrorGateway  = "GATEWAY_QUERY" // a query got no usable answer
)

// later returns an error after which Temporal retries the activity when wait has
// passed. Such errors are expected, so they are benign: the SDK neither logs them
// nor counts them as failures.
func later(errorType, message string, wait time.Duration) error {
	return laterBecause(nil, errorType, message, wait)
}

// laterBecause is later with a cause, which the caller may look for.
func laterBecause(cause error, errorType, message string, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, errorType, temporal.ApplicationErrorOptions{
		NextRetryDelay: wait,
		Category:       temporal.ApplicationErrorCategoryBenign,
		Cause:          cause,
	})
}

// nonRetryable returns an error that Temporal does not retry.
func nonRetryable(errorType string, err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), errorType, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Cause:        err,
	})
}

// outcome is what an answer to a create means for the order. Only judgeCreate
// turns a gateway's error class into an outcome.
type outcome int

const (
	outcomeRefused   outcome = iota // certainly not created
	outcomeDoubtful                 // probably not created: query before money is released
	outcomeDuplicate                // an order of this number exists: query
	outcomePaused                   // a fault of every call: hold back, do not fail the order
	outcomeUnsent                   // nothing left this machine
	outcomeUnknown                  // anything else: query, never assume
)

func judgeCreate(err error) (outcome, order.Reason) {
	var gateway *tarspay.Error
	if !errors.As(err, &gateway) {
		return outcomeUnknown, order.Reason{Code: order.CodeGatewayUnknown, Text: "the create ended without an answer"}
	}
	switch {
	case gateway.Class == tarspay.ClassAuth:
		return outcomePaused, order.Reason{Code: order.CodeGatewayPaused, Text: "the gateway refuses every call of the merchant: " + gateway.Answer()}
	case gateway.Short():
		return outcomeDoubtful, order.Reason{Code: order.CodeGatewayShort, Text: refusedText(gateway)}
	case gateway.Confirm():
		return outcomeDoubtful, order.Reason{Code: codes.GatewayDoubt, Text: refusedText(gateway)}
	case gateway.Class == tarspay.ClassRejected && gateway.NotSent:
		// Another worker may have a newer profile that accepts the order.
		return outcomeUnsent, order.Reason{Code: order.CodeRefusedHere, Text: "the worker's own checks refuse to send it: " + gateway.Answer()}
	case gateway.Class == tarspay.ClassRejected && !gateway.OutcomeUnknown():
		return outcomeRefused, order.Reason{Code: order.CodeGatewayRefused, Text: refusedText(gateway)}
	case gateway.NotSent:
		return outcomeUnsent, order.Reason{Code: order.CodeGatewayAway, Text: "the gateway cannot be reached: " + gateway.Answer()}
	case gateway.Class == tarspay.ClassDuplicate:
		return outcomeDuplicate, order.Reason{Code: order.CodeGatewayUnknown, Text: "the gateway has an order of this number already: " + gateway.Answer()}
	default:
		return outcomeUnknown, order.Reason{Code: order.CodeGatewayUnknown, Text: "the create was sent, and its outcome is not known: " + gateway.Answer()}
	}
}

// refusedText says with which code the gateway refused a create. Use cases read
// the code from it (tarspay.CodeIn).
func refusedText(refusal *tarspay.Error) string { return "the gateway refused it: " + refusal.Answer() }

// isNotFound reports whether a query was answered with "no such order".
func isNotFound(err error) bool {
	var gateway *tarspay.Error
	return errors.As(err, &gateway) && gateway.Class == tarspay.ClassNotFound
}
