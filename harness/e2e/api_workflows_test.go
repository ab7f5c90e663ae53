package e2e

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestAPIRunsWorkflows has the api run the workflows of the orders that it starts. The
// gateway is called by workers only.
func TestAPIRunsWorkflows(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL, API: true, APIWorkflows: true, People: stack.People("")}})
		h.runsWorkflows(t)

		paid := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		h.creates(t, http.StatusCreated, paid)
		deposit := h.expect(t, order.Deposit, "BD", "success", succeeds)
		h.creates(t, http.StatusCreated, deposit)
		h.ended(t, paid, deposit)
		api := h.requireEager(t, paid)

		// Without a worker, orders are opened and get as far as the gateway.
		require.NoError(t, h.Terminate(stack.Worker))
		opened := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		h.creates(t, http.StatusCreated, opened)
		h.stands(t, order.Reserved, opened)
		require.NoError(t, h.Launch(h.ctx, stack.Worker))
		h.ended(t, opened)
		require.Equal(t, api, h.requireEager(t, opened))

		h.apiIsKilled(t)
		h.apiStops(t)
	})
}

// runsWorkflows waits until the api polls.
func (h *house) runsWorkflows(t *testing.T) {
	t.Helper()
	body := until(t, h, "the api runs workflows", func(context.Context) (string, error) {
		_, body := h.get(t, h.Addresses.APIAdmin+"/readyz")
		return body, nil
	}, func(body string) bool { return !strings.Contains(body, "waiting") })
	require.JSONEq(t, `{"database":"up","door":"up","roster":"up","temporal":"up","workflow_database":"up","workflows":"up"}`, body)
}

// requireEager requires that Temporal gave the first task of an order to the process that
// started it, and that another process has called the gateway. It returns the identity of
// the first.
func (h *house) requireEager(t *testing.T, p payment) (api string) {
	t.Helper()
	calls := 0
	for _, event := range h.events(t, p) {
		if started := event.GetWorkflowExecutionStartedEventAttributes(); started != nil {
			require.True(t, started.GetEagerExecutionAccepted(), p.request.Number)
		}
		if task := event.GetWorkflowTaskStartedEventAttributes(); task != nil && api == "" {
			api = task.GetIdentity()
		}
		if call := event.GetActivityTaskStartedEventAttributes(); call != nil {
			require.NotEqual(t, api, call.GetIdentity(), p.request.Number)
			calls++
		}
	}
	require.NotEmpty(t, api)
	require.Positive(t, calls)
	return api
}

// apiIsKilled kills the api amidst orders that run in it. The worker finishes them.
func (h *house) apiIsKilled(t *testing.T) {
	t.Helper()
	var payments []payment
	for _, c := range crowd {
		if c.kind == order.Withdrawal {
			payments = append(payments, h.expect(t, c.kind, c.country, c.scenario, c.end))
		}
	}
	for _, p := range payments {
		h.creates(t, http.StatusCreated, p)
	}
	h.reaches(t, len(payments)/3, payments...)
	require.NoError(t, h.Kill(stack.API))
	h.ended(t, payments...)
	require.NoError(t, h.Launch(h.ctx, stack.API))
	for _, p := range payments {
		h.creates(t, http.StatusOK, p)
	}
}

// apiStops ends the api by SIGTERM while orders run in it. It finishes its tasks.
func (h *house) apiStops(t *testing.T) {
	t.Helper()
	h.runsWorkflows(t)
	var payments []payment
	for range 5 {
		p := h.expect(t, order.Withdrawal, "VN", "slow-answer", succeeds)
		h.creates(t, http.StatusCreated, p)
		payments = append(payments, p)
	}
	require.NoError(t, h.Terminate(stack.API))
	log, err := os.ReadFile(h.Log(stack.API))
	require.NoError(t, err)
	require.Contains(t, string(log), "msg=Stopped")
	require.Contains(t, string(log), "Stopped Worker")
	h.ended(t, payments...)
}
