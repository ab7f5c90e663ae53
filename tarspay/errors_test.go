package tarspay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// declaredOperations are the constants of type Operation in errors.go.
func declaredOperations(t *testing.T) []Operation {
	t.Helper()
	source, err := os.ReadFile("errors.go")
	require.NoError(t, err)
	var all []Operation
	for _, declared := range regexp.MustCompile(`(?m)^\tOperation\w+ +Operation = "(\w+)"$`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, Operation(declared[1]))
	}
	return all
}

func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	unknown := map[Class]bool{
		ClassRejected: false, ClassAuth: false, ClassDuplicate: false,
		ClassAmbiguous: true, ClassNotFound: true, ClassRateLimited: true, ClassUnavailable: true, ClassProtocol: true,
	}
	changing := []Operation{OperationCreateDeposit, OperationCreateWithdrawal, OperationTrxSupplement, OperationTrxSubmit, OperationUTRSupplement}
	reading := []Operation{
		OperationQueryDeposit, OperationQueryWithdrawal, OperationBalance, OperationHistory, OperationAccountCheck,
		OperationDepositByTrxID, OperationPayoutProof, OperationTrxQuery, OperationUTRQuery,
	}
	require.ElementsMatch(t, declaredOperations(t), slices.Concat(changing, reading), "say of a new operation whether it changes something")
	for class, want := range unknown {
		for _, operation := range changing {
			require.Equal(t, want, (&Error{Class: class, Operation: operation}).OutcomeUnknown(), "%s %s", operation, class)
			require.False(t, (&Error{Class: class, Operation: operation, NotSent: true}).OutcomeUnknown(), "%s %s not sent", operation, class)
		}
		for _, operation := range reading {
			require.False(t, (&Error{Class: class, Operation: operation}).OutcomeUnknown(), "%s %s", operation, class)
		}
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, code := range ErrorCodes() {
		probable := code.Code == "5003015" || code.Code == "5004006"
		require.Equal(t, probable, (&Error{Class: ClassRejected, Code: code.Code}).Confirm(), code.Code)
		require.False(t, (&Error{Class: ClassUnavailable, Code: code.Code}).Confirm(), code.Code)
	}
	require.False(t, (&Error{Class: ClassRejected}).Confirm())
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  Error
		want string
	}{
		{Error{Class: ClassRejected, Operation: OperationCreateWithdrawal, Code: "5003001", HTTPStatus: 200, Message: "free text"},
			"tarspay: create_withdrawal: rejected: code 5003001 (missing parameter)"},
		{Error{Class: ClassAmbiguous, Operation: OperationCreateDeposit, Code: "77", HTTPStatus: 200},
			"tarspay: create_deposit: ambiguous: code 77 (not documented)"},
		{Error{Class: ClassUnavailable, Operation: OperationBalance, HTTPStatus: 502},
			"tarspay: balance: unavailable: HTTP 502"},
		{Error{Class: ClassUnavailable, Operation: OperationBalance, NotSent: true, Err: errors.New("connection refused")},
			"tarspay: balance: unavailable: connection refused: nothing was sent"},
	}
	for _, test := range tests {
		require.EqualError(t, &test.err, test.want)
		require.Equal(t, test.err.Code, CodeIn(test.err.Error()))
		require.Equal(t, test.err.Code, CodeIn(test.err.Answer()))
	}
	require.Equal(t, "code 5003001 (missing parameter)", tests[0].err.Answer())
	require.Equal(t, "HTTP 502", tests[2].err.Answer())
	require.Equal(t, "connection refused", tests[3].err.Answer())
	require.Equal(t, "-1", CodeIn("the gateway says: code -1 (system error)"))
}

// The codes that refuse the order's way.
func TestCodesOfWays(t *testing.T) {
	t.Parallel()
	var refuse []string
	for _, code := range ErrorCodes() {
		if code.Way {
			refuse = append(refuse, code.Code)
		}
	}
	require.Equal(t, []string{"5003009", "5003015", "5003027"}, refuse)
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("submit: %w", &Error{Class: ClassDuplicate})
	require.Equal(t, ClassDuplicate, ClassOf(err))
	require.Equal(t, Class(""), ClassOf(errors.New("other")))
	require.Equal(t, Class(""), ClassOf(nil))
}

func TestCleanMessage(t *testing.T) {
	t.Parallel()
	require.Equal(t, "SUCCESS", cleanMessage("SUCCESS", nil))
	require.Equal(t, "account *** of *** unknown", cleanMessage("account 0300123 of CHU KHANH unknown", []string{"0300123", "CHU KHANH", "", "no"}))
	require.Equal(t, "ab", cleanMessage("a\x00\r\n\u202eb", nil), "control and direction marks")
	require.Equal(t, strings.Repeat("é", 200)+"…", cleanMessage(strings.Repeat("é", 500), nil))
}

// What wraps a cause must not lead back to the original text: a failure's
// chain is stored and shown level by level.
func TestDescribeHidesTheOriginalText(t *testing.T) {
	t.Parallel()
	secret := errors.New("secret")
	for _, original := range []error{
		fmt.Errorf("%w: secret", context.DeadlineExceeded),
		fmt.Errorf("%w: secret", context.Canceled),
		fmt.Errorf("x: %w", secret),
	} {
		described := describe(original)
		for err := described; err != nil; err = errors.Unwrap(err) {
			require.NotContains(t, err.Error(), "secret")
		}
	}
	require.ErrorIs(t, describe(fmt.Errorf("x: %w", secret)), secret)
	require.ErrorIs(t, describe(context.DeadlineExceeded), context.DeadlineExceeded)

	var operation *net.OpError
	err := describe(&net.OpError{Op: "write", Err: errors.New("secret")})
	require.EqualError(t, err, "network error on write")
	require.ErrorAs(t, err, &operation)
	require.Equal(t, "write", operation.Op)
}
