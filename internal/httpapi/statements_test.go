package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

// exported is a statement by the names of the profile gateway, and other by those of
// generic.
const (
	exported = "mchNo,payOrderId,mchOrderNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt\n" +
		merchant + ",P1,W1,2,2,PKR,1500,1500,15,1770000000\n" + merchant + ",P1,W1,2,2,PKR,1500,1500,15,1770000000\n"
	other = "merchant,gateway_id,number,kind,state,currency,amount,paid,fee,created_at\n" +
		merchant + ",P1,W1,withdrawal,succeeded,PKR,1500,1500,15,2026-02-27T10:00:00Z\n"
)

const statementsPath = "/v1/statements?merchant=" + merchant

// StoreStatementPage and CompareStatement do what a worker does.
func (v *valueOrders) StoreStatementPage(ctx context.Context, _ int, page contract.StatementPage) error {
	if v.err != nil {
		return v.err
	}
	_, err := v.books.StoreStatementPage(ctx, page.Statement, page.Lines)
	return err
}

func (v *valueOrders) CompareStatement(ctx context.Context, s order.Statement) error {
	if v.err != nil {
		return v.err
	}
	_, err := v.books.MakeStatementReady(ctx, s.ID, func() {})
	return err
}

// A statement is checked, stored and recorded in the name of who imports it. The same file
// is the same statement.
func TestImportStatement(t *testing.T) {
	t.Parallel()
	h := setup(t)
	imports := func(query, file string) (int, importedStatement) {
		got := h.as(t, "desk", http.MethodPost, statementsPath+query, file, "Content-Type", typeCSV)
		var answer importedStatement
		require.NoError(t, json.Unmarshal([]byte(got.text), &answer), got.text)
		return got.status, answer
	}
	status, checked := imports("&check=true", exported)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []any{1, 1, 3}, []any{checked.Statement.Lines, checked.RepeatedCount, checked.Repeated[0].Line})
	require.Equal(t, "withdrawal 1500.00 PKR", checked.Totals[0].Kind+" "+checked.Totals[0].Paid.String())
	none, err := h.ledger.Statements(t.Context(), ledger.StatementFilter{})
	require.NoError(t, err)
	require.Empty(t, none)

	status, made := imports("", exported)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, []any{checked.Statement.ID, order.StatementMatching, "desk"}, []any{made.Statement.ID, made.Statement.State, made.Statement.ImportedBy})
	status, again := imports("", exported)
	require.Equal(t, http.StatusOK, status)
	require.True(t, again.Statement.Existing)
	entries, err := h.ledger.Audit(t.Context(), order.Key{Merchant: merchant})
	require.NoError(t, err)
	require.Equal(t, []any{ledger.ActionStatement, "desk"}, []any{entries[len(entries)-1].Action, entries[len(entries)-1].Actor})

	// A profile of one's own goes along.
	profile, err := os.ReadFile("../statement/profiles/generic.yaml")
	require.NoError(t, err)
	status, own := imports("&profile_text="+url.QueryEscape(string(profile)+"# ours\n"), other)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, "generic", own.Statement.Profile)

	got := h.as(t, "watcher", http.MethodGet, "/v1/statements?limit=1", "")
	var page statementList
	require.NoError(t, json.Unmarshal([]byte(got.text), &page))
	require.Len(t, page.Statements, 1)
	got = h.as(t, "watcher", http.MethodGet, "/v1/statements?limit=1&cursor="+page.Next, "")
	var rest statementList
	require.NoError(t, json.Unmarshal([]byte(got.text), &rest))
	require.ElementsMatch(t, []string{made.Statement.ID, own.Statement.ID}, []string{page.Statements[0].ID, rest.Statements[0].ID})
	require.Empty(t, rest.Next)
	require.Contains(t, h.as(t, "watcher", http.MethodGet, "/v1/statements/"+made.Statement.ID, "").text, `"matching"`)
}

// A statement that is wrong is refused with every fault, and nothing is stored.
func TestImportWrongStatement(t *testing.T) {
	t.Parallel()
	h := setup(t)
	send := func(query, file, kind string) problem {
		got := h.as(t, "desk", http.MethodPost, statementsPath+query, file, "Content-Type", kind)
		return got.problem(t)
	}
	wrong := send("", strings.NewReplacer("PKR", "USD", "1770000000", "soon").Replace(exported), typeCSV)
	require.Equal(t, statement.CodeInvalid, wrong.Code)
	require.Equal(t, []fieldProblem{
		{Code: statement.CodeCurrency, Line: 2, Field: "currency", Detail: "the line is in another currency than PKR, which merchant " + merchant + " holds"},
		{Code: statement.CodeTime, Line: 2, Field: "createdAt", Detail: "the time is missing, or has none of the forms of the profile gateway"},
	}, wrong.Errors[:2])
	require.Len(t, wrong.Errors, 4)
	require.Equal(t, statement.CodeProfile, send("&profile=bank", exported, typeCSV).Code)
	require.Equal(t, statement.CodeProfile, send("&profile_text=x", exported, typeCSV).Code)
	require.Equal(t, CodeMediaType, send("", exported, "application/json").Code)
	none, err := h.ledger.Statements(t.Context(), ledger.StatementFilter{})
	require.NoError(t, err)
	require.Empty(t, none)
}

// exportedID returns the id of the statement exported.
func exportedID() string {
	profile, err := statement.BuiltIn("gateway")
	if err != nil {
		panic(err)
	}
	file := sha256.Sum256([]byte(exported))
	return order.StatementFingerprint(merchant, profile.ID, hex.EncodeToString(file[:]))[:order.StatementIDDigits]
}
