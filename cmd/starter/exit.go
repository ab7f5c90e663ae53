package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Exit codes. Scripts switch on them, so they never change. That of a refusal is in
// the table of classes in package order; 0 and 4 are what a command finds.
const (
	exitDone        = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitRefused     = 3
	exitOtherwise   = 4
	exitNotFound    = 5
	exitUnreachable = 6
	exitUnderWay    = 7
)

// exits is what --help says of them.
var exits = []struct {
	code    int
	meaning string
}{
	{exitDone, "done"},
	{exitUnexpected, "unexpected error, or what was to be printed is lost"},
	{exitUsage, "wrong usage, settings or request; nothing was sent"},
	{exitRefused, "refused: ORDER_CONFLICT, NOT_IN_REVIEW, ORDER_ENDED and the like"},
	{exitOtherwise, "the order ended otherwise than succeeded, balances drift, the audit was tampered with, or the gateway says no"},
	{exitNotFound, "no such order, discrepancy, adjustment or callback; the gateway knows nothing of it"},
	{exitUnreachable, "Temporal, the ledger or the gateway cannot be reached; trying again is safe"},
	{exitUnderWay, "still under way when the time to wait was over, or nobody sees to the order; the same command again is safe, but look at the order before you repeat a supplement"},
}

// Codes of failures that come from here. They are stable, like those of the
// packages order, client and ledger, which come through unchanged.
const (
	codeUsage      = commandline.CodeUsage // the command line cannot be read
	codeMissing    = "MISSING_FLAG"        // of a problem: a flag that the command needs
	codeSettings   = config.CodeInvalid    // the environment; the problems name the variables
	codeNoLedger   = "LEDGER_NOT_SET"      // the command reads the ledger, and none is configured
	codeFileExists = "FILE_EXISTS"         // keygen does not overwrite
	codeUnreached  = "GATEWAY_UNREACHABLE" // reconcile: some balance could not be asked
	codeOutputLost = "OUTPUT_LOST"         // standard output could not be written; what was asked for is done or refused
	codeUnexpected = "UNEXPECTED"

	codeNoFingerprint = "FINGERPRINT_MISSING"   // approve: nothing was approved, the order was shown
	codeNoDiscrepancy = "DISCREPANCY_NOT_FOUND" // no discrepancy of that id
	codeNoCallback    = "CALLBACK_NOT_FOUND"    // no callback of that id

	codeNoEndpoint     = "NO_SUCH_ENDPOINT"  // the gateway does not have the call in the country
	codeEndpointOff    = "ENDPOINT_OFF"      // the call's path is in no page and not set
	codeGatewayNone    = "GATEWAY_NOT_FOUND" // the gateway knows no such order, payment or certificate
	codeGatewayAnswer  = "GATEWAY_ANSWER"    // the gateway's answer does not have the documented shape
	codeHistoryShifted = "HISTORY_SHIFTED"   // transactions: records moved between the pages
)

// failure is what a caller is told of an error.
type failure struct {
	Code     string          `json:"code"`
	Message  string          `json:"message"`
	Problems []order.Problem `json:"problems"` // of a request or of settings: everything that is wrong

	exit   int
	silent bool // all has been said
}

// failureDocument is {"error":{…}}.
type failureDocument struct {
	Error failure `json:"error"`
}

// outcome ends the program with a code after everything has been printed.
type outcome int

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", int(o)) }

// explain finds the code, the sentence and the exit code of an error.
func explain(err error) failure {
	var (
		ended    outcome
		misused  *commandline.Misuse
		settings *config.Error
		invalid  *order.Invalid
		refusal  *order.Refusal
		books    *ledger.Error
		call     *tarspay.Error
	)
	f := failure{Code: codeUnexpected, Message: err.Error(), Problems: []order.Problem{}, exit: exitUnexpected}
	switch {
	case errors.As(err, &ended):
		f.exit, f.silent = int(ended), true
	case errors.As(err, &misused):
		f.Code, f.Message, f.exit = codeUsage, misused.Error(), exitUsage
	case errors.As(err, &settings):
		f.Code, f.Message, f.exit = codeSettings, "the settings are not fit to run with", exitUsage
		for _, p := range settings.Problems {
			f.Problems = append(f.Problems, order.Problem{Code: cmp.Or(p.Code, codeSettings), Field: p.Variable, Message: p.Variable + " " + p.Text})
		}
	case errors.As(err, &invalid):
		f.Code, f.Message, f.exit = order.CodeInvalidRequest, "the request breaks a rule; nothing was sent", exitUsage
		f.Problems = invalid.Problems
	case errors.As(err, &refusal):
		f.Code, f.Message, f.exit = refusal.Code, refusal.Text, exitOf(refusal.Code)
		if refusal.Code == order.CodeWhoMissing {
			f.Message += "; give a name with --by, which was empty or is nobody's"
		}
		if refusal.Code == order.CodeFeeUnconfirmed {
			f.Message += ": --whole-fee"
		}
	case errors.As(err, &books):
		f.Code, f.Message, f.exit = books.Code, books.Text, exitOf(books.Code)
	case errors.As(err, &call):
		f.Code, f.Message = explainCall(call)
		f.exit = exitOf(f.Code)
	case errors.Is(err, ledger.ErrNotFound):
		f.exit = exitNotFound
	}
	return f
}

// exitOf is the exit code of a refusal: that of its code's class in the catalogue.
func exitOf(code string) int { return order.ClassOf(code).Exit() }

// writeFailure is one sentence per problem, each with its code.
func writeFailure(w io.Writer, f failure) {
	if len(f.Problems) == 0 {
		printf(w, "error: %s (%s)\n", printable(localTimes(f.Message)), f.Code)
		return
	}
	for _, p := range f.Problems {
		printf(w, "error: %s (%s)\n", printable(p.Message), p.Code)
	}
}
