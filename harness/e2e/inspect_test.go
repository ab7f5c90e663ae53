package e2e

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// inspect makes the checks that must hold at the end of every test.
func (h *house) inspect(t *testing.T) {
	t.Helper()
	h.ended(t, h.payments...)
	h.compareBooks(t)
	h.weigh(t)
	h.readInbox(t)
	h.searchForSecrets(t)
}

// compareBooks compares every payment with the ledger and the gateway's records,
// and requires that these have no other orders.
func (h *house) compareBooks(t *testing.T) {
	t.Helper()
	book, err := h.Gateway.Book(h.ctx)
	require.NoError(t, err)
	gateway := make(map[order.Key][]sandbox.Order)
	for _, o := range book.Orders {
		key := order.Key{Merchant: o.Merchant, Number: o.Number}
		gateway[key] = append(gateway[key], o)
	}
	unbooked := make(map[order.Key]bool)
	for _, u := range book.Unbooked {
		unbooked[order.Key{Merchant: u.Merchant, Number: u.Number}] = true
	}
	for _, p := range h.payments {
		h.compare(t, p, gateway[p.key()])
		delete(gateway, p.key())
		delete(unbooked, p.key())
	}
	require.Empty(t, gateway, "the gateway booked orders that nobody started")
	require.Empty(t, unbooked, "the gateway heard of orders that nobody started")
}

func (h *house) compare(t *testing.T, p payment, booked []sandbox.Order) {
	t.Helper()
	row := h.row(t, p)
	number := p.request.Number + " (" + p.scenario + ")"
	require.LessOrEqual(t, len(booked), 1, "%s: orders that the gateway booked under its number", number)
	if p.end.code != "" {
		require.Equal(t, p.end.code, row.Reason.Code, "%s: %s", number, row.Reason.Text)
	}
	paid, state := 0, tarspay.StateCreated
	if len(booked) == 1 {
		paid, state = len(booked[0].PaidAt), booked[0].State
		require.Equal(t, booked[0].Amount, row.Amount, number)
	}
	require.Equal(t, p.end.paid, paid, "%s: how often the gateway moved its money", number)
	// The ledger has the order as paid if and only if the gateway has.
	require.Equal(t, state == tarspay.StateSucceeded, row.State == order.Succeeded, "%s is %s here and %s there", number, row.State, state)
	require.Equal(t, state == tarspay.StatePartial, row.State == order.PartiallyPaid, "%s is %s here and %s there", number, row.State, state)
	require.Equal(t, state == tarspay.StateRefunded, row.State == order.Refunded, "%s is %s here and %s there", number, row.State, state)
	if row.State == order.Succeeded || row.State == order.PartiallyPaid {
		require.Equal(t, booked[0].Paid, row.Paid, number)
		require.Equal(t, booked[0].Fee, row.Fee, number)
		if row.Reason.Code != order.CodeResolved { // a person may not know it
			require.Equal(t, booked[0].ID, row.GatewayID, number)
		}
	}
	if row.State.Terminal() {
		h.completed(t, p)
	}
}

// completed requires that the workflow of a payment that has ended completed. A
// failed workflow is a bug.
func (h *house) completed(t *testing.T, p payment) {
	t.Helper()
	info := until(t, h, contract.WorkflowID(p.request.Key())+" to close", func(ctx context.Context) (*workflowpb.WorkflowExecutionInfo, error) {
		described, err := h.Temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(p.request.Key()), "")
		return described.GetWorkflowExecutionInfo(), err
	}, func(info *workflowpb.WorkflowExecutionInfo) bool {
		return info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, info.GetStatus(), contract.WorkflowID(p.request.Key()))
}

// weigh checks the money of all orders together.
func (h *house) weigh(t *testing.T) {
	t.Helper()
	audit, err := h.Gateway.Audit(h.ctx)
	require.NoError(t, err)
	require.Zero(t, audit.DoublePayments, "paid twice: %v", audit.Doubles)
	require.Empty(t, audit.Problems, "the gateway's own book does not add up")

	verified, err := h.books.Verify(h.ctx)
	require.NoError(t, err)
	require.Empty(t, verified.Violations, "the ledger contradicts itself")
	require.Equal(t, len(h.payments), verified.Orders, "orders in the ledger")

	noted, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	noted = slices.DeleteFunc(noted, func(d ledger.Discrepancy) bool { return d.ClosedBy == ledger.System })
	require.Len(t, noted, h.discrepancies, "discrepancies in the ledger: %+v", noted)

	report, err := h.Orders.ReconcileBalances(h.ctx)
	require.NoError(t, err)
	require.Empty(t, report.Unreachable)
	require.Len(t, report.Snapshots, len(h.Merchants))
	for _, s := range report.Snapshots {
		require.True(t, s.Drift.IsZero(), "%s drifts by %s: the gateway has %s and we have %s", s.Merchant, s.Drift, s.GatewayTotal(), s.LedgerTotal())
		require.Equal(t, order.Agreed, s.Verdict, s.Merchant)
	}
}

// readInbox requires that every callback was passed on.
func (h *house) readInbox(t *testing.T) {
	t.Helper()
	until(t, h, "every callback to be passed on", h.books.InboxCounts, func(counts map[ledger.InboxStatus]int) bool {
		return counts[ledger.Stored] == 0 && counts[ledger.Late] == 0
	})
}

// searchForSecrets requires that no private key and no personal value is in the
// logs or in Temporal's lists.
func (h *house) searchForSecrets(t *testing.T) {
	t.Helper()
	hidden := append(planted(), h.secrets(t)...)
	for name, text := range h.logs(t) {
		for i, secret := range hidden {
			assert.NotContains(t, text, secret, "secret %d of %d in the log of the %s", i+1, len(hidden), name)
		}
	}
	for _, shown := range h.shownWorkflows(t) {
		text, err := proto.Marshal(shown)
		require.NoError(t, err)
		for i, secret := range hidden {
			assert.False(t, bytes.Contains(text, []byte(secret)), "secret %d of %d in what is shown of %s", i+1, len(hidden), shown)
		}
	}
}

// shownWorkflows returns what Temporal shows of every workflow without its
// history: ids, search attributes, memos, summaries.
func (h *house) shownWorkflows(t *testing.T) []proto.Message {
	t.Helper()
	var shown []proto.Message
	var page []byte
	for {
		list, err := h.Temporal.ListWorkflow(h.ctx, &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: page})
		require.NoError(t, err)
		for _, info := range list.GetExecutions() {
			described, err := h.Temporal.DescribeWorkflowExecution(h.ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId())
			require.NoError(t, err)
			shown = append(shown, info, described.GetExecutionConfig().GetUserMetadata())
		}
		if page = list.GetNextPageToken(); len(page) == 0 {
			return shown
		}
	}
}
