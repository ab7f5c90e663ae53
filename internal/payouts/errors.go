package payouts

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Failure is an error as a caller gets it.
type Failure struct {
	Code     string          `json:"code"` // stable
	Message  string          `json:"message"`
	Problems []order.Problem `json:"problems"` // of a request or of settings: everything that is wrong
}

// Explain returns the code and the sentence of an error of a use case. An error
// without a code is UNEXPECTED.
func Explain(err error) Failure {
	var (
		settings *config.Error
		invalid  *order.Invalid
		refusal  *order.Refusal
		books    *ledger.Error
		sealed   *seal.Fault
		keys     *vault.Fault
		call     *tarspay.Error
		hidden   *vault.Fault
	)
	f := Failure{Code: CodeUnexpected, Message: err.Error(), Problems: []order.Problem{}}
	switch {
	case errors.As(err, &settings):
		f.Code, f.Message = config.CodeInvalid, "the settings are not fit to run with"
		for _, p := range settings.Problems {
			f.Problems = append(f.Problems, order.Problem{Code: cmp.Or(p.Code, config.CodeInvalid), Field: p.Variable, Message: p.Variable + " " + p.Text})
		}
	case errors.As(err, &invalid):
		f.Code, f.Message, f.Problems = order.CodeInvalidRequest, "the request breaks a rule; nothing was sent", invalid.Problems
	case errors.As(err, &refusal):
		f.Code, f.Message = refusal.Code, refusal.Text
	case errors.As(err, &books):
		f.Code, f.Message = books.Code, books.Text
	case errors.As(err, &sealed):
		f.Code, f.Message = sealed.Code, sealed.Text
	case errors.As(err, &keys):
		f.Code, f.Message = keys.Code, keys.Text
	case errors.As(err, &hidden):
		f.Code, f.Message = hidden.Code, hidden.Text
	case errors.As(err, &call):
		f.Code, f.Message = explainCall(call)
	case errors.Is(err, ledger.ErrNotFound):
		f.Code = order.CodeOrderNotFound
	}
	return f
}

// explainCall returns the code of a failed gateway call, and a text that says what
// it proves and what to do.
func explainCall(e *tarspay.Error) (code, text string) {
	what := cmp.Or(callNames[e.Operation], strings.ReplaceAll(string(e.Operation), "_", " "))
	switch {
	case e.OutcomeUnknown():
		return order.CodeGatewayUnknown, what + ": whether the gateway did it is not known (" + because(e) + "); look at the order before you repeat it"
	case e.NotSent && e.Class == tarspay.ClassRejected:
		return order.CodeInvalidRequest, what + ": " + because(e) + "; nothing was sent"
	}
	switch e.Class {
	case tarspay.ClassRejected, tarspay.ClassDuplicate:
		return order.CodeGatewayRefused, what + ": the gateway refuses it: " + because(e)
	case tarspay.ClassAuth:
		return order.CodeGatewayPaused, what + ": the gateway refuses every call of this merchant: " + because(e)
	case tarspay.ClassNotFound:
		return CodeGatewayNone, what + ": the gateway knows nothing of it"
	case tarspay.ClassUnavailable, tarspay.ClassRateLimited:
		return order.CodeGatewayAway, what + ": the gateway cannot say just now: " + because(e)
	default:
		return CodeGatewayAnswer, what + ": the gateway's answer does not have the documented shape: " + because(e)
	}
}

// because returns the gateway's code with its meaning and what to do, or the HTTP
// status and the cause. It leaves out the gateway's free text, which may contain
// personal data.
func because(e *tarspay.Error) string {
	known, documented := tarspay.LookupErrorCode(e.Code)
	var parts []string
	switch {
	case documented:
		parts = append(parts, "code "+e.Code+", "+known.Meaning+". "+strings.TrimSuffix(known.Action, "."))
	case e.Code != "" && e.Code != acceptedCode:
		parts = append(parts, "code "+e.Code+", which is not documented")
	case e.HTTPStatus >= 300:
		parts = append(parts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ", ")
}

// acceptedCode is the gateway's code of success.
const acceptedCode = "0"

// ErrNoGateway is the error of a process that has no keys of the gateway.
var ErrNoGateway = order.Refuse(CodeNoEndpoint, "this process does not call the gateway; starter does")

// unreadable returns the refusal of what needs an order's content, where that is encrypted
// or erased. because says what for.
func unreadable(name, hidden, because string) *order.Refusal {
	return order.Refuse(vault.CodeKeyUnknown, "order %s is %s here, and %s: set PAYOUTS_DATA_KEY_FILE", name, hidden, because)
}
