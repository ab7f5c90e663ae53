package tarspay

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// One row for every code of the table: what it means for a deposit's create, a
// withdrawal's create, a query, a balance and any other call, and whose
// problem it is. Short names: R rejected, A ambiguous, D duplicate, ! auth,
// U unavailable, P protocol.
var codeRows = []struct{ code, classes string }{
	{"-1", "AAUUU order"},
	{"5003001", "RRRRR order"},
	{"5003002", "!!!!! every_call"},
	{"5003003", "!!!!! every_call"},
	{"5003004", "!!!!! every_call"},
	{"5003005", "!!!!! every_call"},
	{"5003006", "!!!!! every_call"},
	{"5003007", "!!!!! every_call"},
	{"5003008", "!!!!! every_call"},
	{"5003009", "RRRRR order"},
	{"5003010", "AAUUU order"},
	{"5003011", "DDPPU order"},
	{"5003012", "RRRRR order"},
	{"5003013", "AAUUU order"},
	{"5003014", "RRRRR order"},
	{"5003015", "RRRRR order"},
	{"5003017", "RAPPU order"},
	{"5003018", "AAUUU order"},
	{"5003020", "AAUUU order"},
	{"5003021", "RRRRR order"}, {"500321", "RRRRR order"},
	{"5003022", "RRRRR order"}, {"500322", "RRRRR order"},
	{"5003023", "AAUUU order"}, {"500323", "AAUUU order"},
	{"5003024", "AAUUU order"}, {"500324", "AAUUU order"},
	{"5003026", "AAUUU order"}, {"500326", "AAUUU order"},
	{"5003027", "RRRRR order"}, {"500327", "RRRRR order"},
	{"5004006", "ARUUU order"},
	// Holes of the table, and nonsense: ambiguous where something may have
	// happened, unavailable elsewhere, never not found.
	{"5003016", "AAUUU"}, {"5003019", "AAUUU"}, {"500325", "AAUUU"}, {"42", "AAUUU"}, {"", "AAUUU"},
}

var classLetters = map[Class]byte{
	ClassRejected: 'R', ClassAmbiguous: 'A', ClassDuplicate: 'D', ClassAuth: '!', ClassUnavailable: 'U', ClassProtocol: 'P',
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	listed := 0
	for _, row := range codeRows {
		var got []byte
		for _, operation := range []Operation{OperationCreateDeposit, OperationCreateWithdrawal, OperationQueryDeposit, OperationBalance, OperationHistory} {
			got = append(got, classLetters[classOfCode(row.code, operation)])
		}
		text := string(got)
		if known, ok := LookupErrorCode(row.code); ok {
			text += " " + string(known.Scope)
			if known.Code == row.code {
				listed++
			}
		}
		require.Equal(t, row.classes, text, "code %s", row.code)
	}
	require.Len(t, ErrorCodes(), listed, "every code of the table has a row here")
}

func TestErrorCodesAreComplete(t *testing.T) {
	t.Parallel()
	codes := ErrorCodes()
	require.True(t, slices.IsSortedFunc(codes, func(a, b ErrorCode) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	}))
	for _, code := range codes {
		require.NotEmpty(t, code.Meaning, code.Code)
		require.NotEmpty(t, code.Action, code.Code)
		require.NotEmpty(t, code.Source, code.Code)
		require.Contains(t, []Confidence{Documented, Inferred}, code.Confidence, code.Code)
		require.Contains(t, []Scope{ScopeOrder, ScopeEveryCall}, code.Scope, code.Code)
		for _, class := range []Class{code.Classes.CreateDeposit, code.Classes.CreateWithdrawal, code.Classes.Query, code.Classes.Balance, code.Classes.Other} {
			require.Contains(t, classLetters, class, code.Code)
		}
	}
}

// Every operation has a column, and every query the column of queries: a code
// that fails a query must never be read as a code that fails a create.
func TestErrorCodeColumns(t *testing.T) {
	t.Parallel()
	row := ErrorCode{Classes: Classes{CreateDeposit: "1", CreateWithdrawal: "2", Query: "3", Balance: "4", Other: "5"}}
	columns := map[Operation]Class{
		OperationCreateDeposit: "1", OperationCreateWithdrawal: "2",
		OperationQueryDeposit: "3", OperationQueryWithdrawal: "3", OperationDepositByTrxID: "3", OperationTrxQuery: "3", OperationUTRQuery: "3",
		OperationBalance: "4",
		OperationHistory: "5", OperationAccountCheck: "5", OperationPayoutProof: "5", OperationTrxSupplement: "5", OperationTrxSubmit: "5", OperationUTRSupplement: "5",
	}
	require.ElementsMatch(t, declaredOperations(t), slices.Collect(maps.Keys(columns)))
	for operation, want := range columns {
		require.Equal(t, want, row.Class(operation), operation)
	}
}

func TestFindMessage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"MERCHANT_FEE_CONFIG_NOT_INIT":             {"5003014"},
		"merchant fee config not init":             {"5003014"},
		"sign error":                               {"5003008"},
		"code 5003008: Sign Error!":                {"5003008"},
		"You have not bound or opened the API Key": {"5003002", "5003005"},
		"fee": nil, "": nil, "no such thing": nil,
	} {
		var got []string
		for _, row := range FindMessage(text) {
			got = append(got, row.Code)
		}
		require.Equal(t, want, got, text)
	}
}
