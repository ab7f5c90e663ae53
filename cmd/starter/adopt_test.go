package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// remembering is a Temporal that has a workflow of one withdrawal, which the
// ledger does not have.
type remembering struct {
	*bareTemporal
	status enumspb.WorkflowExecutionStatus
	typ    string
	input  any
	result order.View
	told   []temporalclient.UpdateWorkflowOptions
}

func (r *remembering) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if id != "order:"+merchant+":LOST-1" {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run-1"}, Status: r.status,
		Type: &commonpb.WorkflowType{Name: r.typ}, TaskQueue: contract.Queue,
	}}, nil
}

func (r *remembering) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	input, err := converter.GetDefaultDataConverter().ToPayloads(r.input)
	if err != nil {
		panic(err)
	}
	return &firstEvent{&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: input},
	}}}
}

type firstEvent struct{ event *historypb.HistoryEvent }

func (f *firstEvent) HasNext() bool { return true }

func (f *firstEvent) Next() (*historypb.HistoryEvent, error) { return f.event, nil }

func (r *remembering) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return &resulting{result: r.result}
}

// resulting is a run with a result.
type resulting struct {
	temporalclient.WorkflowRun
	result order.View
}

func (r *resulting) Get(_ context.Context, into any) error {
	text, err := json.Marshal(r.result)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (r *remembering) UpdateWorkflow(_ context.Context, options temporalclient.UpdateWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	r.told = append(r.told, options)
	return nil, serviceerror.NewUnavailable("whoever is told need not answer")
}

// remember puts it behind the command line.
func (b *testBundle) remember(t *testing.T) *remembering {
	t.Helper()
	b.openReal(t)
	input := request(t, "LOST-1", "1500")
	input.Details["customerContact"] = input.Details["customerAccountNumber"] // one payee
	settings := activities.Settings{Policy: policy(t), Merchants: map[string]string{merchant: "PK"}, FundsDeadline: time.Hour, WithdrawalHorizon: time.Hour}
	temporal := &remembering{
		bareTemporal: &bareTemporal{books: activities.NewBooks(b.real, settings)},
		status:       enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, typ: contract.WithdrawalType, input: input,
	}
	b.client = client.New(temporal)
	require.NoError(t, b.real.OpenDiscrepancy(t.Context(), order.Key{Merchant: merchant, Number: "LOST-1"}, codes.DiscrepancyNotInLedger, "the run is run-1"))
	return temporal
}

// An order that only Temporal has is written down from what its workflow was
// started with, as one that may have been sent; who had it done is on record. A
// workflow that runs goes on by itself, one that has ended gets another run.
func TestAdoptWhatTheLedgerLost(t *testing.T) {
	t.Parallel()
	const running, terminated, completed = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	args := []string{"adopt", "LOST-1", "--merchant", merchant, "--by", "dana", "--json"}
	key := order.Key{Merchant: merchant, Number: "LOST-1"}
	for name, status := range map[string]enumspb.WorkflowExecutionStatus{"running": running, "terminated": terminated, "completed": completed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			temporal := b.remember(t)
			temporal.status, temporal.result = status, order.View{Standing: order.Standing{State: order.Succeeded}}
			got := b.run(t.Context(), args...)
			require.Equal(t, exitDone, got.code, got.out)
			var document payouts.Adopted
			require.NoError(t, json.Unmarshal([]byte(got.out), &document))
			require.Equal(t, order.Reserved, document.Order.State)
			require.Equal(t, []int64{1}, document.Closed)

			row, err := b.real.Order(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, temporal.input.(order.Request).Fingerprint(), row.Fingerprint)
			require.False(t, row.AskFirst.IsZero(), "the gateway is asked before anything is sent")
			var adopted []string
			entries, err := b.real.Audit(t.Context(), key)
			require.NoError(t, err)
			for _, e := range entries {
				if e.Action == ledger.ActionAdopt {
					adopted = append(adopted, e.Actor+": "+e.Evidence)
				}
			}
			if status == running {
				require.Equal(t, client.Started{WorkflowID: "order:" + merchant + ":LOST-1", RunID: "run-1", Existing: true}, document.Started)
				require.Empty(t, temporal.started)
				require.Len(t, temporal.told, 1, "it need not wait until it looks again")
				require.Equal(t, []string{"dana: workflow run run-1"}, adopted)
				return
			}
			require.Equal(t, "run-2", document.Started.RunID)
			require.Len(t, temporal.started, 1)
			require.Equal(t, []string{"dana: workflow run run-1", "dana: workflow run run-2"}, adopted)
		})
	}
}

// What is no order, was refused, or is another order is not written down; who
// tried is on record.
func TestWhatIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	args := []string{"adopt", "LOST-1", "--merchant", merchant, "--by", "dana"}
	for name, test := range map[string]struct {
		change func(*testing.T, *remembering)
		args   []string
		code   string
		exit   int
	}{
		"a squatter": {func(_ *testing.T, r *remembering) { r.typ = "Mailer" }, args, order.CodeNumberSquatted, exitRefused},
		"no order":   {func(_ *testing.T, r *remembering) { r.input = 7 }, args, order.CodeOrderConflict, exitRefused},
		"a member that no order has": {func(_ *testing.T, r *remembering) {
			r.input = map[string]any{"merchant": merchant, "number": "LOST-1", "pay_to": planted[1]}
		}, args, order.CodeOrderConflict, exitRefused},
		"another order": {func(t *testing.T, r *remembering) { r.input = request(t, "OTHER-1", "1500") }, args, order.CodeInvalidRequest, exitUsage},
		"another country": {func(t *testing.T, r *remembering) {
			other := request(t, "LOST-1", "1500")
			other.Country = "VN"
			r.input = other
		}, args, order.CodeUnknownMerchant, exitRefused},
		"a refused order": {func(_ *testing.T, r *remembering) {
			r.status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			r.result.Standing = order.Standing{State: order.Rejected, Reason: order.Reason{Code: order.CodeUnknownMerchant, Text: "not configured"}}
		}, args, order.CodeUnknownMerchant, exitRefused},
		"nobody": {func(*testing.T, *remembering) {}, []string{"adopt", "LOST-1", "--merchant", merchant, "--by", ""}, order.CodeOrderNotFound, exitNotFound},
		"no workflow either": {func(*testing.T, *remembering) {}, []string{"adopt", "NEVER-1", "--merchant", merchant, "--by", "dana"},
			order.CodeOrderNotFound, exitNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			temporal := b.remember(t)
			test.change(t, temporal)
			got := b.run(t.Context(), test.args...)
			require.Equal(t, test.exit, got.code, got.errs)
			require.Contains(t, got.errs, test.code)
			require.NotContains(t, got.errs, planted[1])
			_, err := b.real.Order(t.Context(), order.Key{Merchant: merchant, Number: test.args[1]})
			require.ErrorIs(t, err, ledger.ErrNotFound)
			require.Empty(t, temporal.started)
			last := b.lastEntry(t, test.args[1])
			require.Equal(t, ledger.ActionAdopt, last.Action)
			require.True(t, last.Refused)
		})
	}
}
