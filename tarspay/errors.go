package tarspay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"unicode"
)

// Class says what a failed call proves. Callers switch on it.
type Class string

// The classes.
const (
	// ClassRejected: the gateway refused this request and created nothing. The
	// same request would be refused again.
	ClassRejected Class = "rejected"
	// ClassAmbiguous: the gateway answered, but the answer does not say whether
	// the order exists. Query it by its number.
	ClassAmbiguous Class = "ambiguous"
	// ClassDuplicate: an order with this number exists already. Query it.
	ClassDuplicate Class = "duplicate"
	// ClassNotFound: a query found no such order. How the gateway says so is
	// undocumented; see Options.NotFoundCodes.
	ClassNotFound Class = "not_found"
	// ClassAuth: the gateway refuses the merchant, not the order: key, signature,
	// IP or merchant account. Nothing was created. Every call fails this way until
	// the cause is corrected.
	ClassAuth Class = "auth"
	// ClassRateLimited: HTTP 429. No page documents it, so on a create it does
	// not prove that nothing was created.
	ClassRateLimited Class = "rate_limited"
	// ClassUnavailable: no answer, a 5xx, or a code that says that the gateway
	// cannot process the call now.
	ClassUnavailable Class = "unavailable"
	// ClassProtocol: an answer that breaks the documented shape, or belongs to
	// another order.
	ClassProtocol Class = "protocol"
)

// Operation names a call.
type Operation string

// The operations, one for each endpoint.
const (
	OperationCreateDeposit    Operation = "create_deposit"
	OperationCreateWithdrawal Operation = "create_withdrawal"
	OperationQueryDeposit     Operation = "query_deposit"
	OperationQueryWithdrawal  Operation = "query_withdrawal"
	OperationBalance          Operation = "balance"
	OperationHistory          Operation = "history"
	OperationAccountCheck     Operation = "account_check"
	OperationDepositByTrxID   Operation = "deposit_by_trx_id"
	OperationPayoutProof      Operation = "payout_proof"
	OperationTrxQuery         Operation = "trx_query"
	OperationTrxSupplement    Operation = "trx_supplement"
	OperationTrxSubmit        Operation = "trx_submit"
	OperationUTRQuery         Operation = "utr_query"
	OperationUTRSupplement    Operation = "utr_supplement"
)

// changes reports whether the call can move money or create something.
func (o Operation) changes() bool {
	switch o {
	case OperationCreateDeposit, OperationCreateWithdrawal, OperationTrxSupplement, OperationTrxSubmit, OperationUTRSupplement:
		return true
	default:
		return false
	}
}

// extra reports whether the call exists in some countries only.
func (o Operation) extra() bool {
	switch o {
	case OperationHistory, OperationAccountCheck, OperationDepositByTrxID, OperationPayoutProof, OperationTrxQuery,
		OperationTrxSupplement, OperationTrxSubmit, OperationUTRQuery, OperationUTRSupplement:
		return true
	default:
		return false
	}
}

// Error is the error that every call returns. Its text holds the operation, the
// class, the gateway's code and the cause, and no personal data, body or signed
// string.
type Error struct {
	Class     Class
	Operation Operation
	// Code is the gateway's code as text, "" when there was none.
	Code string
	// Message is the gateway's msg: at most 200 characters, without control
	// characters, with every value we sent in a personal field masked. It is
	// free text from outside, so Error leaves it out.
	Message string
	// HTTPStatus is 0 when no answer came.
	HTTPStatus int
	// NotSent is true only if no byte of the request was sent: our own checks
	// refused it, the context had ended, or there was no connection.
	NotSent bool
	// Err is the cause, or nil. errors.Is and errors.As see through it.
	Err error
}

// maxMessageRunes limits the stored part of the gateway's msg.
const maxMessageRunes = 200

// Error is one line for people: "tarspay: create_withdrawal: rejected: code
// 5003001 (missing parameter)".
func (e *Error) Error() string {
	parts := append([]string{"tarspay", string(e.Operation), string(e.Class)}, e.answer()...)
	if e.NotSent {
		parts = append(parts, "nothing was sent")
	}
	return strings.Join(parts, ": ")
}

// Answer returns what the gateway answered, or why no answer came, without our
// names of the call and of the class: "code 5003001 (missing parameter)".
func (e *Error) Answer() string { return strings.Join(e.answer(), ": ") }

func (e *Error) answer() (parts []string) {
	if e.HTTPStatus != 0 && e.HTTPStatus != 200 {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	if e.Code != "" && e.Code != "0" {
		parts = append(parts, "code "+e.Code+meaningSuffix(e.Code))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return parts
}

var codeInText = regexp.MustCompile(`\bcode (-?[0-9]{1,10})\b`)

// CodeIn returns the gateway's code that a text of Answer or Error names, or "".
func CodeIn(text string) string {
	if found := codeInText.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeUnknown reports whether the call may have taken effect although it
// failed. It is false for calls that change nothing, such as queries. For a create
// or a supplement it is true unless the failure proves the outcome: the request
// was not sent, was refused (ClassRejected, ClassAuth), or its order exists
// already (ClassDuplicate). HTTP 429 proves nothing, because no documented code
// comes with it.
func (e *Error) OutcomeUnknown() bool {
	if !e.Operation.changes() || e.NotSent {
		return false
	}
	switch e.Class {
	case ClassRejected, ClassAuth, ClassDuplicate:
		return false
	default:
		return true
	}
}

// Confirm reports whether a rejection is only probable. The caller must then query
// the order by its number before it releases money (ErrorCode.Confirm).
func (e *Error) Confirm() bool {
	known, ok := LookupErrorCode(e.Code)
	return ok && known.Confirm && e.Class == ClassRejected
}

// Short reports whether a create was refused because the merchant's balance does
// not cover it (ErrorCode.Short). The refusal may be only probable; see Confirm.
func (e *Error) Short() bool {
	known, ok := LookupErrorCode(e.Code)
	return ok && known.Short && e.Class == ClassRejected
}

// ClassOf is the class of a call's error, "" for any other error.
func ClassOf(err error) Class {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Class
	}
	return ""
}

func meaningSuffix(code string) string {
	known, ok := LookupErrorCode(code)
	if !ok {
		return " (not documented)"
	}
	return " (" + known.Meaning + ")"
}

// cleanMessage returns the gateway's msg for storage: personal values that we sent
// are masked, control characters removed, and the length limited.
func cleanMessage(text string, personal []string) string {
	for _, value := range personal {
		if len(value) >= 3 {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	var out strings.Builder
	runes := 0
	for _, r := range text {
		if runes == maxMessageRunes {
			out.WriteRune('…')
			break
		}
		if unicode.IsPrint(r) {
			out.WriteRune(r)
			runes++
		}
	}
	return out.String()
}

// cause is a network error with our own text. It has no Unwrap, so that a printed
// or stored chain of errors shows only that text. errors.Is and errors.As still
// find the original.
type cause struct {
	text string
	err  error
}

func (c cause) Error() string { return c.text }

func (c cause) Is(target error) bool { return errors.Is(c.err, target) }

func (c cause) As(target any) bool { return errors.As(c.err, target) }

// describe returns a network error with a text that may contain addresses, but no
// part of the request or the answer.
func describe(err error) error {
	var resolve *net.DNSError
	var certificate *tls.CertificateVerificationError
	var operation *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return cause{"cancelled", err}
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return cause{"no answer within the time limit", err}
	case errors.As(err, &certificate):
		return cause{"the server's certificate is not accepted: " + certificate.Err.Error(), err}
	case errors.As(err, &resolve):
		return cause{"host name not resolved", err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return cause{"connection refused" + byWhom(err), err}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return cause{"connection reset", err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cause{"connection closed before the answer was complete", err}
	case errors.As(err, &operation):
		return cause{"network error on " + operation.Op, err}
	}
	return cause{"connection failed or broke off", err}
}

// byWhom returns the address that refused a connection: " by 127.0.0.1:80".
func byWhom(err error) string {
	var operation *net.OpError
	if !errors.As(err, &operation) || operation.Addr == nil {
		return ""
	}
	return " by " + operation.Addr.String()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
