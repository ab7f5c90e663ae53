package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Exit codes. Scripts depend on them, so they never change. A refusal's exit code
// follows from its class in package order. 0 and 4 are results of commands.
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

// exits are the texts of the exit codes in --help.
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

// Codes of this command's failures. They are stable. Failures of the packages
// payouts, order, client and ledger keep their codes.
const (
	codeUsage         = commandline.CodeUsage // the command line cannot be read
	codeFileExists    = "FILE_EXISTS"         // keygen does not overwrite
	codeOutputLost    = "OUTPUT_LOST"         // standard output could not be written; the command was executed
	codeNoFingerprint = "FINGERPRINT_MISSING" // approve: nothing was approved, the order was shown
)

// failure is an error as it is printed, with the exit code.
type failure struct {
	payouts.Failure

	exit   int
	silent bool // all has been said
}

// failureDocument is {"error":{…}}.
type failureDocument struct {
	Error failure `json:"error"`
}

// outcome is an error that only sets the exit code: everything is printed already.
type outcome int

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", int(o)) }

// explain returns the code, the sentence and the exit code of an error.
func explain(err error) failure {
	var ended outcome
	if errors.As(err, &ended) {
		return failure{exit: int(ended), silent: true}
	}
	var misused *commandline.Misuse
	if errors.As(err, &misused) {
		return failure{Failure: payouts.Failure{Code: codeUsage, Message: misused.Error(), Problems: []order.Problem{}}, exit: exitUsage}
	}
	f := failure{Failure: payouts.Explain(err)}
	f.exit = exitOf(f.Code)
	switch f.Code {
	case order.CodeWhoMissing:
		f.Message += "; give a name with --by, which was empty or is nobody's"
	case order.CodeWhyMissing:
		if !strings.HasPrefix(f.Message, "a note ") { // its text is an argument
			f.Message += "; give the reason with --why"
		}
	case envelope.CodeAgentAway, envelope.CodeAgentLacksKey:
		f.Message += ": PAYOUTS_SIGNING_KEY"
	case authority.CodeSignatureNeeded:
		f.Message += " (starter signs when PAYOUTS_ORIGIN is set)"
	case codes.EvidenceMissing:
		f.Message += "; name the proof with --evidence"
	case codes.FeeUnconfirmed:
		f.Message += ": --whole-fee"
	case codes.ProposalDiffers:
		f.Message += ": --replace"
	}
	return f
}

// exitOf returns the exit code of a refusal, from its code's class in the
// catalogue.
func exitOf(code string) int { return codes.ClassOf(code).Exit() }

// writeFailure prints a sentence per problem, each with its code.
func writeFailure(w io.Writer, f failure) {
	if len(f.Problems) == 0 {
		printf(w, "error: %s (%s)\n", printable(localTimes(f.Message)), f.Code)
		return
	}
	for _, p := range f.Problems {
		printf(w, "error: %s (%s)\n", printable(p.Message), p.Code)
	}
}
