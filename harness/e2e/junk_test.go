package e2e

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestJunkFromOutside sends orders invalid messages, on a server with encrypted
// payloads. The orders must continue, and invalid updates must be refused.
func TestJunkFromOutside(t *testing.T) {
	t.Parallel()
	secret, err := codec.GenerateKey()
	require.NoError(t, err)
	var dialled temporalclient.Client
	t.Cleanup(func() { dialled.Close() })
	h := open(t, options{Options: stack.Options{Settings: map[string]string{"PAYOUTS_PAYLOAD_KEYS": "e2e:" + secret}}})
	dialled = h.encrypt(t, secret)
	payments := []payment{h.withdrawal(t, "PK", "stuck,silent", succeeds), h.deposit(t, "BD", "stuck,silent", succeeds)}
	h.stands(t, order.Submitted, payments...)

	for _, p := range payments {
		for _, payload := range strange(t) {
			id, raw := contract.WorkflowID(p.request.Key()), converter.NewRawValue(payload)
			for _, name := range []string{"callback", "callback", "no such signal"} {
				require.NoError(t, h.Temporal.SignalWorkflow(h.ctx, id, "", name, raw))
			}
			for _, name := range []string{"approve", "reject", "cancel", "resolve", "note", "poll_now", "no such update"} {
				refusedUpdate(t, h, id, name, raw)
			}
			_, err := h.Temporal.QueryWorkflow(h.ctx, id, "", "no such query", raw)
			var failed *serviceerror.QueryFailed
			require.ErrorAs(t, err, &failed)
			_, err = h.Temporal.QueryWorkflow(h.ctx, id, "", "order", raw)
			require.NoError(t, err, "an argument that nobody asked for")
		}
		refusedUpdate(t, h, contract.WorkflowID(p.request.Key()), "note")
	}
	for _, p := range payments {
		h.move(t, p, tarspay.StateSucceeded, "")
		h.ended(t, p)
		trail, err := h.books.Audit(h.ctx, p.key())
		require.NoError(t, err)
		ignored := make(map[string]int)
		for _, entry := range trail {
			if entry.Action == ledger.ActionIgnore {
				ignored[entry.Reason.Code]++
			}
		}
		require.Equal(t, map[string]int{codes.SignalMalformed: 1, codes.SignalUnknown: 1, codes.Unreadable: 1}, ignored)
	}
}

// strange returns payloads that no order can read: of other types, in other
// encodings, and encrypted with an unknown key.
func strange(t *testing.T) []*commonpb.Payload {
	t.Helper()
	secret, err := codec.GenerateKey()
	require.NoError(t, err)
	key, err := codec.ParseKey("nobody", secret)
	require.NoError(t, err)
	theirs, err := codec.New(key)
	require.NoError(t, err)
	sealed, err := theirs.Converter().ToPayload("text")
	require.NoError(t, err)
	payloads := []*commonpb.Payload{sealed, {}, {Metadata: map[string][]byte{"encoding": []byte("binary/plain")}, Data: []byte{0xff, 0}}}
	for _, text := range []string{``, `null`, `1500`, `"text"`, `{"id":`, "\xff"} {
		payloads = append(payloads, &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)})
	}
	return payloads
}

// refusedUpdate requires that an update is refused before it is in the order's
// history.
func refusedUpdate(t *testing.T, h *house, id, name string, arguments ...any) {
	t.Helper()
	before := h.accepted(t, id)
	handle, err := h.Temporal.UpdateWorkflow(h.ctx, temporalclient.UpdateWorkflowOptions{
		WorkflowID: id, UpdateID: uuid.NewString(), UpdateName: name, Args: arguments, WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(h.ctx, nil)
	}
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application, name)
	require.Equal(t, before, h.accepted(t, id), name)
}

// accepted returns the number of updates in an order's history.
func (h *house) accepted(t *testing.T, id string) int {
	t.Helper()
	count := 0
	events := h.Temporal.GetWorkflowHistory(h.ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED {
			count++
		}
	}
	return count
}

// TestWhatIsTooLongForTemporal sends an order texts that are too long for
// Temporal, with and without our client. It also sends more refused updates than a
// workflow can take messages.
func TestWhatIsTooLongForTemporal(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{Limits: []string{"history.maxTotalUpdates=60"}}})
	p := h.withdrawal(t, "PK", "stuck,silent", succeeds)
	h.stands(t, order.Submitted, p)
	id := contract.WorkflowID(p.request.Key())
	for _, size := range []int{order.MaxText + 1, 300_000, 1 << 20, 5 << 19, 3 << 20} {
		note := order.Note{By: "amina", Text: strings.Repeat("x", size)}
		before := h.accepted(t, id)
		handle, err := h.Temporal.UpdateWorkflow(h.ctx, temporalclient.UpdateWorkflowOptions{
			WorkflowID: id, UpdateID: uuid.NewString(), UpdateName: "note", Args: []any{note}, WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(h.ctx, nil)
		}
		require.Error(t, err, size)
		require.Equal(t, before, h.accepted(t, id), "%d bytes are written down", size)
		described, err := h.Temporal.DescribeWorkflowExecution(h.ctx, id, "")
		require.NoError(t, err)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.GetWorkflowExecutionInfo().GetStatus(), "after %d bytes", size)
		_, err = h.Orders.Act(h.ctx, p.key(), note)
		require.Equal(t, order.CodeTextTooLong, order.CodeOf(err), "%v", err)
	}
	for range 150 {
		_, err := h.Orders.Act(h.ctx, p.key(), order.Approval{By: "e2e", Fingerprint: p.request.Fingerprint()})
		require.Equal(t, codes.NotAwaitingApproval, order.CodeOf(err), "%v", err)
	}
	_, err := h.Orders.Act(h.ctx, p.key(), order.Note{By: "chen", Text: "others are heard"})
	require.NoError(t, err)
	require.Less(t, h.accepted(t, id), 20)
	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
}
