package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/order"
)

// handedOn is a Temporal whose order is just going on in a new run: it takes no
// message at first.
type handedOn struct {
	temporalclient.Client
	errs       []error
	describing error // answers DescribeWorkflowExecution
	asked      int
	ids        []string
}

func (h *handedOn) UpdateWorkflow(_ context.Context, options temporalclient.UpdateWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	h.asked++
	h.ids = append(h.ids, options.UpdateID)
	if h.asked <= len(h.errs) {
		return nil, h.errs[h.asked-1]
	}
	return done{}, nil
}

func (h *handedOn) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, h.describing
}

type done struct {
	temporalclient.WorkflowUpdateHandle
}

func (done) Get(_ context.Context, into any) error {
	into.(*order.View).State = order.Submitted
	return nil
}

// Whoever speaks to an order as it goes on in a new run is heard by that run, and
// is not told that the order has ended.
func TestAnOrderThatIsHandedOnIsAskedAgain(t *testing.T) {
	t.Parallel()
	server := &handedOn{errs: []error{
		temporal.NewNonRetryableApplicationError(order.CodeOrderBusy+": ask again", order.CodeOrderBusy, nil),
		serviceerror.NewNotFound("workflow execution already completed"),
		serviceerror.NewWorkflowNotReady("unexpected workflow task failure"),
	}}
	key := order.Key{Merchant: "M1", Number: "W-1"}
	view, err := New(server).update(t.Context(), key, order.ActionNote, order.Note{By: "chen", Text: "x"})
	require.NoError(t, err)
	require.Equal(t, order.Submitted, view.State)
	require.Equal(t, 4, server.asked)
	for _, id := range server.ids {
		require.NotEmpty(t, id)
		require.Equal(t, server.ids[0], id, "a repetition is known by its id")
	}
}

// An order is said not to exist only if Temporal says so twice: an update is answered with
// NotFound also while the order's shard moves, and then Temporal may be lost.
func TestAnOrderIsNotMissingBecauseTemporalWasLost(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: "M1", Number: "W-1"}
	for said, code := range map[error]string{
		serviceerror.NewUnavailable("connection refused"): CodeTemporalUnreachable,
		context.DeadlineExceeded:                          CodeNoAnswer,
		serviceerror.NewNotFound("no such workflow"):      order.CodeOrderNotFound,
	} {
		server := &handedOn{errs: []error{serviceerror.NewNotFound("workflow not found")}, describing: said}
		_, err := New(server).update(t.Context(), key, order.ActionNote, order.Note{By: "chen", Text: "x"})
		require.Equal(t, code, order.CodeOf(err), "%v: %v", said, err)
		require.Equal(t, 1, server.asked)
	}
}
