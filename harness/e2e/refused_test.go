package e2e

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestRefusedActionsInTheList reads Temporal's list without a filter. It must not
// have a row for each action on an order that has ended or does not exist.
func TestRefusedActionsInTheList(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	p := h.withdrawal(t, "PK", "success", succeeds)
	h.ended(t, p)
	ghost := order.Key{Merchant: p.key().Merchant, Number: "NOBODYS-1"}
	const people, tries = 4, 5
	var trying sync.WaitGroup
	for range people {
		trying.Go(func() {
			for range tries {
				_, err := h.Orders.Act(h.ctx, p.key(), order.Approval{By: "amina", Fingerprint: p.request.Fingerprint()})
				assert.Equal(t, order.CodeTerminal, order.CodeOf(err), "%v", err)
				_, err = h.Orders.Act(h.ctx, ghost, order.Cancellation{By: "amina", Why: "mistake"})
				assert.Equal(t, order.CodeOrderNotFound, order.CodeOf(err), "%v", err)
			}
		})
	}
	trying.Wait()
	require.Equal(t, map[string]int{contract.WithdrawalType: 1, contract.OperatorActionsType: 1}, h.listed(t))

	// A workflow that uses this id must not block the operators' actions.
	id := contract.OperatorActionsID(ghost.Merchant)
	require.NoError(t, h.Temporal.TerminateWorkflow(h.ctx, id, "", "by mistake"))
	_, err := h.Temporal.ExecuteWorkflow(h.ctx, temporalclient.StartWorkflowOptions{ID: id, TaskQueue: "nobodys"}, contract.OperatorActionsType)
	require.NoError(t, err)
	_, err = h.Orders.Act(h.ctx, ghost, order.Cancellation{By: "dana", Why: "mistake"})
	require.Equal(t, order.CodeOrderNotFound, order.CodeOf(err), "%v", err)
	require.NoError(t, h.Temporal.TerminateWorkflow(h.ctx, id, "", "it was a test"))
	_, err = h.Orders.Act(h.ctx, ghost, order.Cancellation{By: "rana", Why: "mistake"})
	require.Equal(t, order.CodeOrderNotFound, order.CodeOf(err), "%v", err)

	entries, err := h.books.Audit(h.ctx, ghost)
	require.NoError(t, err)
	who := make(map[string]bool)
	for _, entry := range entries {
		require.True(t, entry.Refused)
		who[entry.Actor] = true
	}
	require.Equal(t, map[string]bool{"amina": true, "dana": true, "rana": true}, who, "all of it is on record")
}

// listed counts the rows of Temporal's list by type, without schedules and the
// workflows that they start.
func (h *house) listed(t *testing.T) map[string]int {
	t.Helper()
	return until(t, h, "the list to have the order", func(ctx context.Context) (map[string]int, error) {
		page, err := h.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{})
		rows := make(map[string]int)
		for _, info := range page.GetExecutions() {
			switch name := info.GetType().GetName(); name {
			case contract.ReconcileBalancesType, contract.ReconcileTransactionsType, contract.FindOrphansType, contract.CheckpointAuditType:
			default:
				rows[name]++
			}
		}
		return rows, err
	}, func(rows map[string]int) bool { return rows[contract.WithdrawalType] > 0 })
}
