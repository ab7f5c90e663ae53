package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// visibility is a Temporal that can list and describe, and nothing else.
type visibility struct {
	temporalclient.Client
	pages     [][]*workflowpb.WorkflowExecutionInfo
	described map[string]*workflowpb.WorkflowExecutionInfo
	err       error

	asked  []*workflowservice.ListWorkflowExecutionsRequest
	looked []string // ids that were described
}

func (v *visibility) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	v.asked = append(v.asked, &workflowservice.ListWorkflowExecutionsRequest{
		Query: request.GetQuery(), PageSize: request.GetPageSize(), NextPageToken: request.GetNextPageToken(),
	})
	if v.err != nil {
		return nil, v.err
	}
	page := len(v.asked) - 1
	response := &workflowservice.ListWorkflowExecutionsResponse{Executions: v.pages[page]}
	if page+1 < len(v.pages) {
		response.NextPageToken = []byte(fmt.Sprint("page ", page+1))
	}
	return response, nil
}

func (v *visibility) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	v.looked = append(v.looked, id)
	if v.err != nil {
		return nil, v.err
	}
	info, found := v.described[id]
	if !found {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// listed is an entry of the list as a server gives it.
func listed(t *testing.T, id string, started time.Time, attributes map[string]any) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	fields := make(map[string]*commonpb.Payload)
	for name, value := range attributes {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		fields[name] = payload
	}
	return &workflowpb.WorkflowExecutionInfo{
		Execution:        &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run of " + id},
		Type:             &commonpb.WorkflowType{Name: contract.WithdrawalType},
		TaskQueue:        contract.Queue,
		Status:           enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		StartTime:        timestamppb.New(started),
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
	}
}

func numbers(rows []Row) []string {
	var found []string
	for _, row := range rows {
		found = append(found, row.Number)
	}
	return found
}

func TestFilterQuery(t *testing.T) {
	t.Parallel()
	const all = "WorkflowType IN ('Deposit', 'Withdrawal') AND ExecutionStatus != 'ContinuedAsNew'"
	for name, test := range map[string]struct {
		filter Filter
		want   string
	}{
		"everything":   {Filter{}, all},
		"kind":         {Filter{Kind: order.Deposit}, all + " AND PayoutKind = 'deposit'"},
		"state":        {Filter{State: order.InReview}, all + " AND PayoutState = 'in_review'"},
		"country":      {Filter{Country: "PK"}, all + " AND PayoutCountry = 'PK'"},
		"merchant":     {Filter{Merchant: "M1"}, all + " AND PayoutMerchant = 'M1'"},
		"needs review": {Filter{NeedsReview: true}, all + " AND PayoutNeedsReview = true"},
		"open":         {Filter{Open: true}, all + " AND ExecutionStatus = 'Running'"},
		"several": {
			Filter{Kind: order.Withdrawal, Country: "VN", Open: true},
			all + " AND PayoutKind = 'withdrawal' AND PayoutCountry = 'VN' AND ExecutionStatus = 'Running'",
		},
		"a quote":     {Filter{Merchant: "x' OR 'a' = 'a"}, all + " AND PayoutMerchant = 'x'' OR ''a'' = ''a'"},
		"a backslash": {Filter{Merchant: `x\' OR \`}, all + ` AND PayoutMerchant = 'x\\'' OR \\'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.filter.query())
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()

	t.Run("reads every column", func(t *testing.T) {
		t.Parallel()
		ended := listed(t, "order:M1:INV-1", noon, map[string]any{
			"PayoutKind": "withdrawal", "PayoutState": "succeeded", "PayoutCountry": "PK", "PayoutCurrency": "PKR",
			"PayoutAmount": 150000, "PayoutMerchant": "M1", "PayoutGatewayID": "P99", "PayoutNeedsReview": true,
		})
		ended.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		ended.CloseTime = timestamppb.New(noon.Add(time.Minute))
		amount, err := money.Minor(150000, "PKR")
		require.NoError(t, err)
		rows, err := New(&visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{{ended}}}).List(t.Context(), Filter{})
		require.NoError(t, err)
		require.Equal(t, []Row{{
			Kind: order.Withdrawal, Merchant: "M1", Number: "INV-1", Country: "PK", Amount: amount, State: order.Succeeded,
			NeedsReview: true, GatewayID: "P99", Open: false, Status: "Completed",
			WorkflowID: "order:M1:INV-1", RunID: "run of order:M1:INV-1", StartedAt: noon, EndedAt: noon.Add(time.Minute),
		}}, rows)
		require.Equal(t, order.Key{Merchant: "M1", Number: "INV-1"}, rows[0].Key())
	})

	t.Run("an order started by other means has no columns yet", func(t *testing.T) {
		t.Parallel()
		bare := listed(t, "order:M1:A", noon, nil)
		bare.Type.Name = contract.DepositType
		rows, err := New(&visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{{bare}}}).List(t.Context(), Filter{})
		require.NoError(t, err)
		require.Equal(t, []Row{{
			Kind: order.Deposit, Merchant: "M1", Number: "A", Open: true, Status: "Running",
			WorkflowID: "order:M1:A", RunID: "run of order:M1:A", StartedAt: noon,
		}}, rows)
	})

	t.Run("goes on until the limit and sorts the newest first", func(t *testing.T) {
		t.Parallel()
		v := &visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{
			{listed(t, "order:M1:old", noon, nil), listed(t, "not an order", noon, nil)},
			{listed(t, "order:M1:new", noon.Add(time.Hour), nil), listed(t, "order:M1:older", noon.Add(-time.Hour), nil)},
			{listed(t, "order:M1:unread", noon, nil)},
		}}
		rows, err := New(v).List(t.Context(), Filter{Limit: 3})
		require.NoError(t, err)
		require.Equal(t, []string{"new", "old", "older"}, numbers(rows))
		require.Len(t, v.asked, 2)
		require.EqualValues(t, 3, v.asked[0].GetPageSize())
		require.EqualValues(t, 2, v.asked[1].GetPageSize())
		require.Equal(t, "page 1", string(v.asked[1].GetNextPageToken()))
	})

	t.Run("no orders is an empty list", func(t *testing.T) {
		t.Parallel()
		v := &visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{nil}}
		rows, err := New(v).List(t.Context(), Filter{})
		require.NoError(t, err)
		require.Equal(t, []Row{}, rows)
		require.EqualValues(t, usualRows, v.asked[0].GetPageSize())
	})

	t.Run("the limit is bounded", func(t *testing.T) {
		t.Parallel()
		v := &visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{nil}}
		_, err := New(v).List(t.Context(), Filter{Limit: 1 << 30})
		require.NoError(t, err)
		require.EqualValues(t, pageRows, v.asked[0].GetPageSize())
	})
}

// A dead run is the order only as long as no other run has taken it over.
func TestListDeadRuns(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, number, id string, status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
		t.Helper()
		info := listed(t, "order:M1:"+number, noon, map[string]any{"PayoutState": "in_review", "PayoutNeedsReview": true})
		info.Execution.RunId, info.Status = id, status
		return info
	}
	const (
		running    = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		completed  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		terminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	)

	t.Run("taken over", func(t *testing.T) {
		t.Parallel()
		v := &visibility{
			pages: [][]*workflowpb.WorkflowExecutionInfo{{
				run(t, "adopted", "2", running), run(t, "adopted", "1", terminated), run(t, "ended", "1", completed),
				run(t, "reset", "1", terminated), run(t, "died twice", "1", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED),
				run(t, "died twice", "2", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT), run(t, "deleted", "1", terminated),
			}},
			described: map[string]*workflowpb.WorkflowExecutionInfo{
				"order:M1:adopted":    run(t, "adopted", "2", running),
				"order:M1:reset":      run(t, "reset", "2", completed),
				"order:M1:died twice": run(t, "died twice", "2", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT),
			},
		}
		rows, err := New(v).List(t.Context(), Filter{NeedsReview: true})
		require.NoError(t, err)
		var found []string
		for _, row := range rows {
			found = append(found, row.Number+" "+row.RunID+" "+row.Status)
		}
		require.Equal(t, []string{"adopted 2 Running", "ended 1 Completed", "died twice 2 TimedOut", "deleted 1 Terminated"}, found)
		require.Equal(t, []string{
			"order:M1:adopted", "order:M1:reset", "order:M1:died twice", "order:M1:died twice", "order:M1:deleted",
		}, v.looked, "only behind the dead ones")
	})

	t.Run("so many and no more are looked behind", func(t *testing.T) {
		t.Parallel()
		v := &visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{{}, {}}, described: make(map[string]*workflowpb.WorkflowExecutionInfo)}
		for i := range deadRows + 3 {
			info := run(t, fmt.Sprint(i), "1", terminated)
			v.pages[i/pageRows] = append(v.pages[i/pageRows], info)
			v.described[info.GetExecution().GetWorkflowId()] = run(t, fmt.Sprint(i), "2", running)
		}
		rows, err := New(v).List(t.Context(), Filter{})
		require.NoError(t, err)
		require.Len(t, v.looked, deadRows)
		require.Equal(t, []string{"200", "201", "202"}, numbers(rows))
	})

	t.Run("Temporal goes away meanwhile", func(t *testing.T) {
		t.Parallel()
		v := &goneVisibility{visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{{run(t, "dead", "1", terminated)}}}}
		_, err := New(v).List(t.Context(), Filter{})
		require.Equal(t, CodeTemporalUnreachable, order.CodeOf(err))
	})
}

// goneVisibility lists and does not answer afterwards.
type goneVisibility struct{ visibility }

func (*goneVisibility) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewUnavailable("connection refused")
}

func TestFind(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: "M1", Number: "INV-1"}
	for name, test := range map[string]struct {
		typ      string
		want     order.Kind
		squatted bool
	}{
		"a withdrawal":     {contract.WithdrawalType, order.Withdrawal, false},
		"a deposit":        {contract.DepositType, order.Deposit, false},
		"another workflow": {"Refund", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := listed(t, "order:M1:INV-1", noon, nil)
			info.Type.Name = test.typ
			v := &visibility{described: map[string]*workflowpb.WorkflowExecutionInfo{"order:M1:INV-1": info}}
			row, err := New(v).Find(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, test.want, row.Kind)
			require.Equal(t, test.squatted, row.Squatted != "")
			require.Equal(t, key, row.Key())
		})
	}

	t.Run("none", func(t *testing.T) {
		t.Parallel()
		_, err := New(&visibility{}).Find(t.Context(), key)
		require.Equal(t, order.CodeOrderNotFound, order.CodeOf(err))
		require.ErrorContains(t, err, "M1/INV-1")
	})
}

// Of several runs of a workflow the latest counts.
func TestLatest(t *testing.T) {
	t.Parallel()
	ids := []string{"order:M1:A"}
	for i := range idsPerQuery - 1 {
		ids = append(ids, fmt.Sprint("order:M1:", i))
	}
	older, newer := listed(t, ids[0], noon, nil), listed(t, ids[0], noon.Add(time.Minute), nil)
	newer.Execution.RunId = "the latest"
	temporal := &visibility{pages: [][]*workflowpb.WorkflowExecutionInfo{{older, listed(t, ids[1], noon, nil), newer}, {older}}}
	found, err := New(temporal).Latest(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, "the latest", found[ids[0]].RunID)
	require.Contains(t, temporal.asked[0].GetQuery(), "WorkflowId IN ('order:M1:A', 'order:M1:0', ")
	require.Len(t, temporal.asked, 2, "two pages")
	none, err := New(&visibility{}).Latest(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestListErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		code string
	}{
		"away":                   {serviceerror.NewUnavailable("connection refused"), CodeTemporalUnreachable},
		"no such namespace":      {serviceerror.NewNamespaceNotFound("nono"), CodeTemporalNotReady},
		"attributes unknown":     {serviceerror.NewInvalidArgument("column name 'PayoutKind' is not a valid search attribute"), CodeTemporalNotReady},
		"attributes not mapped":  {serviceerror.NewInvalidArgument("Namespace x has no mapping defined for search attribute PayoutKind"), CodeTemporalNotReady},
		"some other bad request": {serviceerror.NewInvalidArgument("workflow id too long"), CodeTemporalRefused},
		"something else":         {errors.New("broken"), CodeTemporalUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(&visibility{err: test.err}).List(t.Context(), Filter{})
			require.Error(t, err)
			require.Equal(t, test.code, order.CodeOf(err))
			_, err = New(&visibility{err: test.err}).Find(t.Context(), order.Key{Merchant: "M1", Number: "A"})
			require.Error(t, err)
			require.Equal(t, test.code, order.CodeOf(err))
		})
	}
}
