package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// maxEvents is the most events that a withdrawal that a callback finishes may
// have.
const maxEvents = 20

// manyPolls is limited by the test's duration: the server retries about once a
// second, even if the poll ladder is shorter.
const manyPolls = 7

// ordersAreCheap counts the events of workflows on the server. A poll that finds
// no end adds no event.
func ordersAreCheap(t *testing.T, h *house) {
	first := h.withdrawal(t, "VN", "success", succeeds) // books the opening balance, too
	h.ended(t, first)

	called := h.withdrawal(t, "VN", "success", succeeds)
	few := h.withdrawal(t, "VN", "stuck,silent", succeeds)
	many := h.withdrawal(t, "VN", "stuck,silent", succeeds)
	h.stands(t, order.Submitted, few, many)
	h.move(t, few, tarspay.StateSucceeded, "") // before anybody has asked
	h.ended(t, called)
	require.Equal(t, rules.FromCallback, h.lastStep(t, called).Source)
	events, _ := h.history(t, called)
	require.LessOrEqual(t, events, int64(maxEvents), "events of a withdrawal that a callback finishes")

	h.asked(t, many, manyPolls)
	h.move(t, many, tarspay.StateSucceeded, "")
	h.ended(t, few, many)
	fewEvents, fewPolls := h.history(t, few)
	manyEvents, polls := h.history(t, many)
	require.Equal(t, int32(1), fewPolls)
	require.GreaterOrEqual(t, polls, int32(manyPolls))
	require.Equal(t, fewEvents, manyEvents, "events after %d and after %d polls", fewPolls, polls)
}

// history waits until a payment's workflow has closed. It returns the number of
// events and the attempt at which the last gateway call ended.
func (h *house) history(t *testing.T, p payment) (events int64, attempts int32) {
	t.Helper()
	h.completed(t, p)
	described, err := h.Temporal.DescribeWorkflowExecution(h.ctx, contract.WorkflowID(p.request.Key()), "")
	require.NoError(t, err)
	all := h.Temporal.GetWorkflowHistory(h.ctx, contract.WorkflowID(p.request.Key()), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		event, err := all.Next()
		require.NoError(t, err)
		if started := event.GetActivityTaskStartedEventAttributes(); started != nil {
			attempts = started.GetAttempt()
		}
	}
	return described.GetWorkflowExecutionInfo().GetHistoryLength(), attempts
}
