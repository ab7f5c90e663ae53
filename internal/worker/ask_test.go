package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// An order's workflow executes a poll once by its id. A workflow that is gone has not
// answered, and neither has one that refuses, unless the order has ended.
func TestAskOrders(t *testing.T) {
	t.Parallel()
	dev := devServer(t)
	defer func() { _ = dev.Stop() }()
	const queue = "asked"
	polled := func(ctx workflow.Context) ([]string, error) {
		var ids []string
		err := workflow.SetUpdateHandler(ctx, order.ActionPoll, func(_ workflow.Context, poll order.Poll) error {
			ids = append(ids, poll.ID)
			if poll.By == "nobody" {
				return temporal.NewApplicationError("no", order.CodeTerminal)
			}
			if poll.By == "" {
				return temporal.NewApplicationError("no", order.CodeWhoMissing)
			}
			return nil
		})
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
		return ids, err
	}
	w := sdk.New(dev.Client(), queue, sdk.Options{})
	w.RegisterWorkflow(polled)
	require.NoError(t, w.Start())
	defer w.Stop()
	key := order.Key{Merchant: "M1", Number: "W1"}
	run, err := dev.Client().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: contract.WorkflowID(key), TaskQueue: queue}, polled)
	require.NoError(t, err)
	ask := askOrders(dev.Client())
	for _, one := range []struct {
		poll order.Poll
		want bool
	}{
		{order.Poll{ID: "line 1", By: "amina"}, true},
		{order.Poll{ID: "line 1", By: "amina"}, true},
		{order.Poll{ID: "line 2", By: "nobody"}, true},
		{order.Poll{ID: "line 3"}, false},
	} {
		answered, err := ask(t.Context(), key, one.poll)
		require.NoError(t, err)
		require.Equal(t, one.want, answered, one.poll)
	}
	require.NoError(t, dev.Client().SignalWorkflow(t.Context(), run.GetID(), "", "end", nil))
	var ids []string
	require.NoError(t, run.Get(t.Context(), &ids))
	require.Equal(t, []string{"line 1", "line 2", "line 3"}, ids)
	for _, gone := range []order.Key{key, {Merchant: "M1", Number: "W2"}} {
		answered, err := ask(t.Context(), gone, order.Poll{ID: "line 4", By: "amina"})
		require.NoError(t, err)
		require.False(t, answered)
	}
}
