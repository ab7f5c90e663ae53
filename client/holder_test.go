package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// taken is a Temporal in which one workflow has the id of every order.
type taken struct {
	temporalclient.Client
	typ, queue string
	memo       map[string]*commonpb.Payload
	input      *commonpb.Payloads
	acts       []order.BookAction // that were started, under ids
	ids        []string
	forgets    bool // it starts deposits, and loses the updates that started them
	asked      int  // updates of existing orders
}

func (t *taken) already() error {
	return serviceerror.NewWorkflowExecutionAlreadyStarted("it is there", "", "run-1")
}

func (t *taken) ExecuteWorkflow(_ context.Context, options temporalclient.StartWorkflowOptions, workflow any, args ...any) (temporalclient.WorkflowRun, error) {
	if workflow == contract.BookActionType {
		t.acts, t.ids = append(t.acts, args[0].(order.BookAction)), append(t.ids, options.ID)
		return nil, nil
	}
	return nil, t.already()
}

func (t *taken) NewWithStartWorkflowOperation(options temporalclient.StartWorkflowOptions, _ any, _ ...any) temporalclient.WithStartWorkflowOperation {
	if options.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL {
		panic("whatever has the id would be told of the deposit")
	}
	return nil
}

func (t *taken) UpdateWithStartWorkflow(context.Context, temporalclient.UpdateWithStartWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	if t.forgets {
		return update{err: serviceerror.NewNotFound("update not found")}, nil
	}
	return nil, t.already()
}

func (t *taken) UpdateWorkflow(context.Context, temporalclient.UpdateWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	t.asked++
	return update{}, nil
}

// update is the handle of an update, which answers that the order is submitted.
type update struct {
	temporalclient.WorkflowUpdateHandle
	err error
}

func (u update) RunID() string { return "run-1" }

func (u update) Get(_ context.Context, value any) error {
	if view, is := value.(*order.View); is {
		view.State = order.Submitted
	}
	return u.err
}

// An update is not kept before a worker has accepted it. A deposit whose update is lost
// with Temporal or its worker is there all the same, and is asked again.
func TestADepositWhoseUpdateIsLost(t *testing.T) {
	t.Parallel()
	amount, err := money.Parse("900", "PKR")
	require.NoError(t, err)
	request := order.Request{
		Kind: order.Deposit, Merchant: "M1700000001", Number: "D-1", Country: "PK", Way: "jazzcash", Amount: amount,
		Details: map[string]string{"customerContact": "03001234567"},
	}
	there := &taken{typ: contract.DepositType, queue: contract.Queue, input: payloads(t, converter.GetDefaultDataConverter(), request), forgets: true}
	view, started, err := New(there).StartDeposit(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, order.Submitted, view.State)
	require.Equal(t, Started{WorkflowID: contract.WorkflowID(request.Key()), RunID: "run-1"}, started)
	require.Equal(t, 1, there.asked)
}

func (t *taken) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run-1"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Type: &commonpb.WorkflowType{Name: t.typ}, TaskQueue: t.queue, Memo: &commonpb.Memo{Fields: t.memo},
	}}, nil
}

func (t *taken) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	return &oneEvent{event: &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: t.input},
	}}}
}

// oneEvent is a history of one event.
type oneEvent struct{ event *historypb.HistoryEvent }

func (o *oneEvent) HasNext() bool { return o.event != nil }

func (o *oneEvent) Next() (*historypb.HistoryEvent, error) {
	next := o.event
	o.event = nil
	return next, nil
}

func payloads(t *testing.T, data converter.DataConverter, values ...any) *commonpb.Payloads {
	t.Helper()
	encoded, err := data.ToPayloads(values...)
	require.NoError(t, err)
	return encoded
}

// A workflow that has an order's id is the order only if its queue, its type and
// what it was started with are; a memo is what whoever started it likes to say.
func TestWhatHasTheIDMustBeTheOrder(t *testing.T) {
	t.Parallel()
	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	ours := order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "easypaisa", Amount: amount,
		Details: map[string]string{"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
	}
	other := ours
	other.Details = map[string]string{"customerName": "Test Person", "customerContact": "03009999999", "customerAccountNumber": "03009999999"}
	plain := converter.GetDefaultDataConverter()
	key, err := codec.GenerateKey()
	require.NoError(t, err)
	parsed, err := codec.ParseKey("another", key)
	require.NoError(t, err)
	secret, err := codec.New(parsed)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		change func(*taken)
		code   string
		says   string
	}{
		"the order":     {func(*taken) {}, "", ""},
		"a dead queue":  {func(h *taken) { h.queue = "nobodys" }, order.CodeNumberSquatted, `task queue "nobodys"`},
		"another type":  {func(h *taken) { h.typ = "Mailer" }, order.CodeNumberSquatted, `type "Mailer"`},
		"other content": {func(h *taken) { h.input = payloads(t, plain, other) }, order.CodeOrderConflict, "other content"},
		"another kind": {func(h *taken) {
			if h.typ == contract.DepositType {
				h.typ = contract.WithdrawalType
			} else {
				h.typ = contract.DepositType
			}
		}, order.CodeOrderConflict, "other content"},
		"no order":           {func(h *taken) { h.input = payloads(t, plain, 7) }, order.CodeOrderConflict, "whose input is no order"},
		"no input":           {func(h *taken) { h.input = nil }, order.CodeOrderConflict, "whose input is no order"},
		"encrypted by other": {func(h *taken) { h.input = payloads(t, secret.Converter(), ours) }, CodeUnreadable, "PAYOUTS_PAYLOAD_KEYS"},
	} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				request := ours
				request.Kind = kind
				memo, err := plain.ToPayload(request.Fingerprint())
				require.NoError(t, err)
				there := &taken{
					typ: contract.WorkflowType(kind), queue: contract.Queue,
					memo: map[string]*commonpb.Payload{"fingerprint": memo}, input: payloads(t, plain, request),
				}
				test.change(there)
				door := New(there)
				started, err := door.Start(t.Context(), request)
				requireCode(t, err, test.code, test.says)
				require.Equal(t, test.code == "", started.Existing)
				if kind == order.Deposit && test.code != "" {
					_, started, err = door.StartDeposit(t.Context(), request)
					requireCode(t, err, test.code, test.says)
					require.False(t, started.Existing)
				}
			})
		}
	}
}

// A request that was taken once is found again when today's rules refuse it; one
// that is new, or has other content, is refused.
func TestARepetitionUnderStricterRules(t *testing.T) {
	t.Parallel()
	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	plain := converter.GetDefaultDataConverter()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		request := order.Request{
			Kind: kind, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "easypaisa", Amount: amount,
			Details:   map[string]string{"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
			ReturnURL: "ftp://payer.test/",
		}
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(request.Validate(nil)))
		there := &taken{typ: contract.WorkflowType(kind), queue: contract.Queue, input: payloads(t, plain, request)}
		started, err := New(there).Start(t.Context(), request)
		require.NoError(t, err)
		require.True(t, started.Existing)

		other := request
		other.Details = map[string]string{"customerName": "Somebody Else", "customerContact": "03001234567", "customerAccountNumber": "03001234567"}
		_, err = New(there).Start(t.Context(), other)
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))

		request.Number = "not a number"
		_, err = New(nil).Start(t.Context(), request)
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err), "nothing of this name is looked for")
	}
}

// The repetition by somebody else is the same order, and is noted once per person.
func TestARepetitionByAnother(t *testing.T) {
	t.Parallel()
	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	request := order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "easypaisa", Amount: amount, RequestedBy: "amina",
		Details: map[string]string{"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
	}
	there := &taken{typ: contract.WithdrawalType, queue: contract.Queue, input: payloads(t, converter.GetDefaultDataConverter(), request)}
	for _, by := range []string{"amina", "Amina", ""} {
		request.RequestedBy = by
		_, err := New(there).Start(t.Context(), request)
		require.NoError(t, err)
	}
	require.Empty(t, there.acts)
	for _, by := range []string{"bilal", "bilal", "chen"} {
		request.RequestedBy = by
		started, err := New(there).Start(t.Context(), request)
		require.NoError(t, err)
		require.True(t, started.Existing)
		last := there.acts[len(there.acts)-1]
		require.Equal(t, []any{by, request.Key(), "repeat"}, []any{last.By, *last.Repeat, last.Name()})
	}
	require.Equal(t, there.ids[0], there.ids[1], "Temporal starts the second one not at all")
	require.NotEqual(t, there.ids[0], there.ids[2])
}

func requireCode(t *testing.T, err error, code, says string) {
	t.Helper()
	if code == "" {
		require.NoError(t, err)
		return
	}
	require.Equal(t, code, order.CodeOf(err), err)
	require.ErrorContains(t, err, says)
	require.NotContains(t, err.Error(), "0300")
}
