package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Codes of the door. They are stable.
const (
	CodeKeyMissing   = "API_KEY_MISSING"         // the request has no API key
	CodeHost         = "API_HOST"                // without a roster, the api is asked under another name
	CodeTooMany      = "RATE_LIMITED"            // the caller sends more requests per second than it may
	CodeNoPath       = "NO_SUCH_PATH"            // the door has no such resource
	CodeNoMethod     = "NO_SUCH_METHOD"          // the resource has no such method
	CodeMediaType    = "NOT_JSON"                // the content type is another one
	CodeTooLarge     = "REQUEST_TOO_LARGE"       // the body is too large
	CodeIncomplete   = "REQUEST_INCOMPLETE"      // the body did not arrive in time
	CodeNotKept      = "UPLOAD_NOT_KEPT"         // there is no room for the body
	CodeCursor       = "CURSOR_FOREIGN"          // the cursor is no cursor, or of another list
	CodeNoRoster     = "ROSTER_NOT_SET"          // a signed action, and no roster
	CodeKeyDiffers   = "IDEMPOTENCY_KEY_DIFFERS" // Idempotency-Key is not the order number
	CodeDoorKeyFault = "DOOR_KEY_UNUSABLE"       // the key that signs for callers cannot be used
)

// problem is a refusal as RFC 9457 describes it.
type problem struct {
	Type   string         `json:"type" doc:"urn:payouts: and the code." example:"urn:payouts:ORDER_CONFLICT"`
	Title  string         `json:"title" doc:"What the code means." example:"the number belongs to an order with other content"`
	Status int            `json:"status" doc:"The HTTP status." example:"409"`
	Detail string         `json:"detail" doc:"What happened, in a sentence."`
	Code   string         `json:"code" doc:"Stable; docs/codes.md lists all." example:"ORDER_CONFLICT"`
	Do     string         `json:"do,omitempty" doc:"What to do about it."`
	Errors []fieldProblem `json:"errors,omitempty" doc:"Everything that is wrong with the request."`

	retryAfter int // in seconds; 0: none
}

// fieldProblem is one thing that is wrong with a request.
type fieldProblem struct {
	Code   string `json:"code" example:"UNKNOWN_WAY"`
	Line   int    `json:"line,omitempty" doc:"Of a file of payouts."`
	Field  string `json:"field,omitempty" doc:"The member of the body, or the parameter." example:"way"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string  { return p.Code + ": " + p.Detail }
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders is huma.HeadersError.
func (p *problem) GetHeaders() http.Header {
	headers := http.Header{}
	if p.retryAfter > 0 {
		headers.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		headers.Set("WWW-Authenticate", `Bearer realm="payouts"`)
	}
	return headers
}

// ContentType is huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// newProblem returns the problem of a code.
func newProblem(code, detail string) *problem {
	class := codes.ClassOf(code)
	p := &problem{Type: "urn:payouts:" + code, Title: code, Status: class.HTTPStatus(), Detail: detail, Code: code}
	if entry, known := codes.Lookup(code); known {
		p.Title, p.Do = entry.Means, entry.Do
	}
	if class == codes.ClassRetry || class == codes.ClassUnavailable || class == codes.ClassRate {
		p.retryAfter = 1
	}
	return p
}

// refuse returns the problem of a code as an error.
func refuse(code, detail string) error { return newProblem(code, detail) }

// explain returns an error of a use case as a problem. It hides the texts of errors without
// a code.
func explain(ctx context.Context, err error) error {
	var made *problem
	var status huma.StatusError
	if errors.As(err, &made) || errors.As(err, &status) {
		return err
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return newProblem(CodeIncomplete, "the caller has gone away")
	}
	failure := payouts.Explain(err)
	p := newProblem(failure.Code, failure.Message)
	if failure.Code == payouts.CodeUnexpected {
		p.Detail = "an error without a code; the log of the api has it under this request id"
		remember(ctx, err)
	}
	for _, found := range failure.Problems {
		p.Errors = append(p.Errors, fieldProblem{Code: found.Code, Field: found.Field, Detail: found.Message})
	}
	return p
}

func init() { //nolint:gochecknoinits // huma has one such function for all its services
	huma.NewError = fromHuma
}

// statuses are the codes of what huma itself refuses.
var statuses = map[int]string{
	http.StatusNotFound:              CodeNoPath,
	http.StatusMethodNotAllowed:      CodeNoMethod,
	http.StatusRequestTimeout:        CodeIncomplete,
	http.StatusRequestEntityTooLarge: CodeTooLarge,
	http.StatusUnsupportedMediaType:  CodeMediaType,
	http.StatusNotAcceptable:         CodeMediaType,
	http.StatusInternalServerError:   payouts.CodeUnexpected,
}

// fromHuma returns a refusal of huma as a problem. It leaves out the values, which may be
// personal data.
func fromHuma(status int, text string, errs ...error) huma.StatusError {
	if status == http.StatusNotModified {
		return unchanged{}
	}
	code, known := statuses[status]
	if !known {
		code, text = order.CodeInvalidRequest, "the request breaks a rule of the document; nothing was done"
	}
	p := newProblem(code, text)
	for _, err := range errs {
		detail, is := err.(huma.ErrorDetailer)
		if !is {
			p.Errors = append(p.Errors, fieldProblem{Code: tarspay.ViolationMalformed, Detail: unread(err)})
			continue
		}
		found := detail.ErrorDetail()
		if amount, is := amountProblem(found.Message); is {
			p.Errors = append(p.Errors, amount)
			continue
		}
		code, field := ruleOf(found)
		if code == tarspay.ViolationMalformed && field == "" { // the whole body, with text of it
			found.Message = unread(err)
		}
		p.Errors = append(p.Errors, fieldProblem{Code: code, Field: field, Detail: found.Message})
	}
	return p
}

// unchanged is the answer to If-None-Match.
type unchanged struct{}

func (unchanged) Error() string  { return "not modified" }
func (unchanged) GetStatus() int { return http.StatusNotModified }

// amountFault is the error of a member that is no amount. huma keeps only its text.
type amountFault struct{ field, code, text string }

const faultMark = "\x00amount\x00" // begins the text

func (f amountFault) Error() string {
	return faultMark + strings.Join([]string{f.field, f.code, f.text}, "\x00")
}

// noAmount returns the error of a body, which names the member if that is no amount.
func noAmount(err error) error {
	var at *jsonv2.SemanticError
	if !errors.As(err, &at) || at.GoType != reflect.TypeFor[money.Amount]() {
		return err
	}
	f := amountFault{strings.ReplaceAll(strings.TrimPrefix(string(at.JSONPointer), "/"), "/", "."), order.ProblemAmountText,
		"must be digits, with a dot before decimals and no separator of thousands, such as 1500.00"}
	switch {
	case errors.Is(err, money.ErrCurrency):
		f.code, f.text = tarspay.ViolationCurrency, "has a currency that is none"
	case errors.Is(err, money.ErrPrecision):
		f.code, f.text = order.ProblemAmountDigits, "has more decimals than its currency; a dot never separates thousands"
	case errors.Is(err, money.ErrRange):
		f.code, f.text = order.ProblemAmountRange, "is larger than any that is taken"
	}
	return f
}

// amountProblem reads the text of an amountFault.
func amountProblem(text string) (fieldProblem, bool) {
	parts := strings.Split(strings.TrimPrefix(text, faultMark), "\x00")
	if !strings.HasPrefix(text, faultMark) || len(parts) != 3 {
		return fieldProblem{}, false
	}
	return fieldProblem{Field: parts[0], Code: parts[1], Detail: parts[0] + " " + parts[2]}, true
}

// unread returns why a body could not be read, without any of its text.
func unread(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "duplicate"):
		return "a member appears twice"
	case strings.Contains(text, "EOF"):
		return "the body is empty or breaks off"
	case strings.Contains(text, "UTF-8"):
		return "the body is not UTF-8"
	}
	return "the body is no JSON object that fits the document"
}

// missing is what huma says before and after the name of a missing member.
var missing = strings.SplitN(validation.MsgExpectedRequiredProperty, "%s", 2)

// ruleOf returns the code of a broken rule, and the member or parameter that breaks it:
// body.amount.value is amount.value.
func ruleOf(found *huma.ErrorDetail) (code, field string) {
	field = found.Location
	for _, place := range []string{"body", "query", "path", "header"} {
		if rest, cut := strings.CutPrefix(field, place); cut {
			field = strings.TrimPrefix(rest, ".")
			break
		}
	}
	name, lacks := strings.CutPrefix(found.Message, missing[0])
	switch {
	case lacks:
		return tarspay.ViolationMissing, strings.TrimPrefix(field+"."+strings.TrimSuffix(name, missing[1]), ".")
	case found.Message == validation.MsgUnexpectedProperty:
		return tarspay.ViolationUnknownField, field
	}
	return tarspay.ViolationMalformed, field
}

// send writes the problem as an answer.
func (p *problem) send(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header().Set(name, values[0])
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller has gone away
}
