package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestExitCodes holds the table that scripts rely on.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	problem := order.Problem{Code: order.ProblemAmount, Field: "amount", Message: "amount must be above zero"}
	for _, test := range []struct {
		err  error
		code string
		exit int
	}{
		{errors.New("boom"), payouts.CodeUnexpected, 1},
		{usage("there is no flag --x"), codeUsage, 2},
		{&order.Invalid{Problems: []order.Problem{problem}}, order.CodeInvalidRequest, 2},
		{&config.Error{Problems: []config.Problem{{Variable: "PAYOUTS_MERCHANTS", Text: "is wrong"}}}, config.CodeInvalid, 2},
		{payouts.ErrNoLedger, payouts.CodeNoLedger, 2},
		{&ledger.Error{Code: ledger.CodeURL}, ledger.CodeURL, 2},
		{&ledger.Error{Code: ledger.CodeNoFile}, ledger.CodeNoFile, 2},
		{order.Refuse(order.CodeInvalidRequest, ""), order.CodeInvalidRequest, 2},
		{order.Refuse(order.CodeOrderConflict, ""), order.CodeOrderConflict, 3},
		{order.Refuse(codes.NotInReview, ""), codes.NotInReview, 3},
		{order.Refuse(codes.NotAnEnd, ""), codes.NotAnEnd, 3},
		{order.Refuse(codes.EvidenceMissing, ""), codes.EvidenceMissing, 3},
		{order.Refuse(order.CodeTerminal, ""), order.CodeTerminal, 3},
		{order.Refuse(codeFileExists, ""), codeFileExists, 3},
		{order.Refuse("ADDED_LATER", ""), "ADDED_LATER", 3},
		{order.Refuse(payouts.CodeNoEndpoint, ""), payouts.CodeNoEndpoint, 2},
		{order.Refuse(payouts.CodeEndpointOff, ""), payouts.CodeEndpointOff, 2},
		{order.Refuse(payouts.CodeHistoryShifted, ""), payouts.CodeHistoryShifted, 6},
		{order.Refuse(codeNoFingerprint, ""), codeNoFingerprint, 2},
		{order.Refuse(ledger.CodeDiscrepancyNotFound, ""), ledger.CodeDiscrepancyNotFound, 5},
		{order.Refuse(ledger.CodeCallbackNotFound, ""), ledger.CodeCallbackNotFound, 5},
		{order.Refuse(ledger.CodeAdjustmentNotFound, ""), ledger.CodeAdjustmentNotFound, 5},
		{order.Refuse(ledger.CodeAdjustmentConflict, ""), ledger.CodeAdjustmentConflict, 3},
		{order.Refuse(order.CodeAlreadySubmitted, ""), order.CodeAlreadySubmitted, 3},
		{order.Refuse(codes.WorkflowRunning, ""), codes.WorkflowRunning, 3},
		{&tarspay.Error{Class: tarspay.ClassRejected, NotSent: true}, order.CodeInvalidRequest, 2},
		{&tarspay.Error{Class: tarspay.ClassRejected}, order.CodeGatewayRefused, 3},
		{&tarspay.Error{Class: tarspay.ClassDuplicate}, order.CodeGatewayRefused, 3},
		{&tarspay.Error{Class: tarspay.ClassNotFound}, payouts.CodeGatewayNone, 5},
		{&tarspay.Error{Class: tarspay.ClassAuth}, order.CodeGatewayPaused, 6},
		{&tarspay.Error{Class: tarspay.ClassUnavailable}, order.CodeGatewayAway, 6},
		{&tarspay.Error{Class: tarspay.ClassRateLimited}, order.CodeGatewayAway, 6},
		{&tarspay.Error{Class: tarspay.ClassProtocol}, payouts.CodeGatewayAnswer, 6},
		{&tarspay.Error{Class: tarspay.ClassUnavailable, Operation: tarspay.OperationTrxSupplement}, order.CodeGatewayUnknown, 7},
		{&tarspay.Error{Class: tarspay.ClassUnavailable, Operation: tarspay.OperationTrxSupplement, NotSent: true}, order.CodeGatewayAway, 6},
		{outcome(exitOtherwise), "", 4},
		{order.Refuse(order.CodeOrderNotFound, ""), order.CodeOrderNotFound, 5},
		{order.Refuse(client.CodeTemporalUnreachable, ""), client.CodeTemporalUnreachable, 6},
		{order.Refuse(client.CodeTemporalNotReady, ""), client.CodeTemporalNotReady, 6},
		{&ledger.Error{Code: ledger.CodeUnreachable}, ledger.CodeUnreachable, 6},
		{&ledger.Error{Code: ledger.CodeSchema}, ledger.CodeSchema, 6},
		{&ledger.Error{Code: ledger.CodeBusy}, ledger.CodeBusy, 6},
		{&ledger.Error{Code: ledger.CodeReadOnly}, ledger.CodeReadOnly, 6},
		{&ledger.Error{Code: ledger.CodeUnencrypted}, ledger.CodeUnencrypted, 2},
		{&ledger.Error{Code: ledger.CodeForeign}, ledger.CodeForeign, 2},
		{order.Refuse(order.CodeGatewayAway, ""), order.CodeGatewayAway, 6},
		{order.Refuse(order.CodeGatewayPaused, ""), order.CodeGatewayPaused, 6},
		{outcome(exitUnreachable), "", 6},
		{order.Refuse(client.CodeNoAnswer, ""), client.CodeNoAnswer, 7},
	} {
		t.Run(fmt.Sprintf("%d %s", test.exit, test.code), func(t *testing.T) {
			t.Parallel()
			for _, err := range []error{test.err, fmt.Errorf("in the middle of something: %w", test.err)} {
				f := explain(err)
				require.Equal(t, test.exit, f.exit)
				require.Equal(t, test.code == "", f.silent)
				if !f.silent {
					require.Equal(t, test.code, f.Code)
					require.NotNil(t, f.Problems) // [] and never null
				}
			}
		})
	}
}

// Every exit code is in the help, once.
func TestExitHelp(t *testing.T) {
	t.Parallel()
	codes := setup(t).run(t.Context(), "help", "exit-codes")
	require.Equal(t, exitDone, codes.code)
	require.Empty(t, codes.errs)
	for code, e := range exits {
		require.Equal(t, code, e.code)
		require.Contains(t, strings.Join(strings.Fields(codes.out), " "), fmt.Sprintf(" %d %s", e.code, e.meaning))
	}
	require.Len(t, exits, exitUnderWay+1)
	help := setup(t).run(t.Context(), "help", "settings")
	require.Equal(t, exitDone, help.code)
	for _, setting := range []string{"PAYOUTS_MERCHANTS", "PAYOUTS_MAX_AMOUNT", "PAYOUTS_DATABASE_URL", "TEMPORAL_ADDRESS"} {
		require.Contains(t, help.out, setting)
	}
}

func TestSettingsProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settingsErr = &config.Error{Problems: []config.Problem{{Variable: "PAYOUTS_MERCHANTS", Text: "is wrong"}, {Variable: "PAYOUTS_LOG_LEVEL", Text: "is loud"}}}
	got := b.run(t.Context(), withdraw...)
	require.Equal(t, exitUsage, got.code)
	require.Empty(t, got.out)
	require.Equal(t, "error: PAYOUTS_MERCHANTS is wrong (INVALID_SETTINGS)\nerror: PAYOUTS_LOG_LEVEL is loud (INVALID_SETTINGS)\n", got.errs)
	require.Empty(t, b.temporal.requests)
}

// asReader is the variable that has the test program act as starter whose reader has
// gone.
const asReader = "STARTER_TEST_WITHOUT_READER"

// What help exit-codes says of a reader that has gone is what happens.
func TestAReaderThatHasGone(t *testing.T) {
	t.Parallel()
	if os.Getenv(asReader) != "" {
		s := starter{out: os.Stdout, errs: os.Stderr}
		os.Exit(s.run(t.Context(), []string{"countries"}))
	}
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, read.Close())
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAReaderThatHasGone$")
	command.Env, command.Stdout = append(os.Environ(), asReader+"=1"), write
	err = command.Run()
	require.NoError(t, write.Close())
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended)
	status, is := ended.Sys().(syscall.WaitStatus)
	require.True(t, is)
	require.Equal(t, syscall.SIGPIPE, status.Signal())
	require.Contains(t, setup(t).run(t.Context(), "help", "exit-codes").out, fmt.Sprint(128+int(syscall.SIGPIPE)))
}

func TestAnUnknownZoneIsSaid(t *testing.T) {
	t.Parallel()
	for tz, warns := range map[string]bool{
		"": false, "UTC": false, "Asia/Karachi": false, ":Asia/Karachi": false, "/etc/localtime": false, "Asia/Karachy": true, "PKT-5": true,
	} {
		var errs strings.Builder
		s := starter{errs: &errs}
		s.warnOfZone(tz)
		require.Equal(t, warns, strings.Contains(errs.String(), "TZ names no time zone"), tz)
	}
}
