package workflows_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What another SDK starts an order with is read strictly. What is no order ends
// as refused, says which member was wrong, and is on record of the merchant and
// not as an order; the number is free.
func TestAStartThatIsNoOrder(t *testing.T) {
	t.Parallel()
	whole, err := json.Marshal(request(t, order.Withdrawal, "success"))
	require.NoError(t, err)
	changed := func(old, with string) []byte {
		require.Contains(t, string(whole), old)
		return []byte(strings.Replace(string(whole), old, with, 1))
	}
	amount := `"amount":{"value":"1500.00","currency":"PKR"}`
	for says, text := range map[string][]byte{
		"member amount cannot be read":            changed(amount, `"amount":1500`),
		"member amount.value must be a text":      changed(`"1500.00"`, `1500`),
		"member amount.value appears twice":       changed(`"value":"1500.00"`, `"value":"1500.00","value":"9"`),
		"member beneficiary is unknown":           changed(`{"kind"`, `{"beneficiary":"x","kind"`),
		"member Amount is unknown":                changed(`"amount"`, `"Amount"`),
		"member number appears twice":             changed(`"number":"W-1"`, `"number":"W-1","number":"W-2"`),
		"member details must be a JSON object":    changed(`"details":{`, `"details":[],"x":{`),
		"member kind must be withdrawal":          changed(`"kind":"withdrawal"`, `"kind":"deposit"`),
		"member country must be two capitals":     changed(`"country":"PK"`, `"country":"`+strings.Repeat("PK", 2000)+`"`),
		"member number must be 1 to 64":           changed(`"number":"W-1"`, `"number":"W 1"`),
		"it is empty or breaks off":               whole[:len(whole)-1],
		"it is null":                              []byte("null"),
		"it must be a JSON object":                []byte("[]"),
		"member way is not JSON in UTF-8":         changed(`"easypaisa"`, "\"\xff\""),
		"the id of this order's workflow must be": changed(`"number":"W-1"`, `"number":"W-9"`),
		"amount must be above zero":               changed(`"1500.00"`, `"0.00"`),
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			payload := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: text}
			view := w.refusedStart(converter.NewRawValue(payload), client.StartWorkflowOptions{})
			require.Contains(t, view.Reason.Text, says)
		})
	}
	for what, payload := range junk() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			newWorld(t).refusedStart(converter.NewRawValue(payload), client.StartWorkflowOptions{})
		})
	}
	t.Run("timeouts", func(t *testing.T) {
		t.Parallel()
		for _, options := range []client.StartWorkflowOptions{{WorkflowRunTimeout: time.Hour}, {WorkflowExecutionTimeout: 24 * time.Hour}} {
			view := newWorld(t).refusedStart(request(t, order.Withdrawal, "success"), options)
			require.Contains(t, view.Reason.Text, "without an execution timeout")
		}
	})
}

// refusedStart starts a withdrawal with what is none, twice: the second leaves no
// second entry.
func (w *world) refusedStart(input any, options client.StartWorkflowOptions) order.View {
	w.t.Helper()
	var view order.View
	options.ID = "order:" + merchant + ":W-1"
	next := w
	for range 2 {
		next.SetStartWorkflowOptions(options)
		next.TestWorkflowEnvironment.ExecuteWorkflow(contract.WithdrawalType, input)
		require.True(w.t, next.IsWorkflowCompleted())
		require.NoError(w.t, next.GetWorkflowError())
		require.NoError(w.t, next.GetWorkflowResult(&view))
		next = next.again()
	}
	require.Equal(w.t, order.Rejected, view.State)
	require.Equal(w.t, order.CodeInvalidRequest, view.Reason.Code)
	require.True(w.t, view.Unrecorded)
	require.Equal(w.t, merchant, view.Merchant)
	_, err := w.books.Order(w.t.Context(), order.Key{Merchant: merchant, Number: "W-1"})
	require.ErrorIs(w.t, err, ledger.ErrNotFound)
	trail, err := w.books.Audit(w.t.Context(), order.Key{Merchant: merchant})
	require.NoError(w.t, err)
	trail = slices.DeleteFunc(trail, func(e ledger.AuditEntry) bool { return e.Action == ledger.ActionOpenBooks })
	require.Len(w.t, trail, 1)
	require.Equal(w.t, ledger.ActionRefuseStart, trail[0].Action)
	require.Equal(w.t, "workflow "+options.ID, trail[0].Evidence)
	require.True(w.t, trail[0].Refused)
	report, err := w.books.VerifyAudit(w.t.Context(), ledger.AuditEvidence{})
	require.NoError(w.t, err)
	require.Empty(w.t, report.Broken)
	return view
}

// Whoever waits for the instructions of a deposit that is none is told at once.
func TestInstructionsOfADepositThatIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := false
	w.RegisterDelayedCallback(func() {
		w.UpdateWorkflow(contract.InstructionsUpdate, "1", &updateResult{
			accepted: func() {}, rejected: func(err error) { require.NoError(t, err) },
			completed: func(value any, err error) {
				require.NoError(t, err)
				require.Equal(t, order.CodeInvalidRequest, value.(order.View).Reason.Code)
				told = true
			},
		}, "the fingerprint of what was meant")
	}, 0)
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "order:" + merchant + ":D-1"})
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.DepositType, map[string]any{"merchant": merchant, "amount": 1500})
	require.NoError(t, w.GetWorkflowError())
	require.True(t, told)
}

// The id says whose order it was to be; one of nobody's is on record of the
// installation.
func TestAStartOfNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"order:M9999999999:W-1", "anything", "order:" + merchant + "\x00:W-1"} {
		next := w.again()
		next.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id})
		next.TestWorkflowEnvironment.ExecuteWorkflow(contract.WithdrawalType, 1500)
		require.NoError(t, next.GetWorkflowError(), id)
	}
	trail, err := w.books.Audit(t.Context(), order.Key{})
	require.NoError(t, err)
	require.Len(t, trail, 3)
}
