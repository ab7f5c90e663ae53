package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// made returns the request for an order number of the page.
func (d day) made(t *testing.T, kind order.Kind, number, rupees, scenario string) order.Request {
	t.Helper()
	r := d.request(t, kind, "PK", number, scenario)
	amount, err := order.ParseAmount(rupees, "PK")
	require.NoError(t, err)
	r.Amount = amount
	return r
}

// opens starts an order.
func (d day) opens(t *testing.T, kind order.Kind, number, rupees, scenario string) order.Request {
	t.Helper()
	r := d.made(t, kind, number, rupees, scenario)
	require.NoError(t, d.start(d.ctx, r))
	return r
}

// reached waits until an order is in one of the states.
func (d day) reached(t *testing.T, number string, states ...order.State) {
	t.Helper()
	until(t, d.house, number+" to be "+string(states[0]), func(ctx context.Context) (order.Standing, error) {
		row, err := d.books.Order(ctx, order.Key{Merchant: pakistan, Number: number})
		return row.Standing, err
	}, func(now order.Standing) bool { return slices.Contains(states, now.State) })
}

// needsPerson waits until the queue has an item about an order, or about the
// merchant itself where the number is empty.
func (h *house) needsPerson(t *testing.T, kind ledger.QueueKind, number string) {
	t.Helper()
	until(t, h, number+" in the queue as "+string(kind), func(ctx context.Context) ([]ledger.Due, error) {
		return h.books.NeedsPerson(ctx, time.Second, ledger.MaxPage)
	}, func(queue []ledger.Due) bool {
		return slices.ContainsFunc(queue, func(item ledger.Due) bool { return item.Kind == kind && item.Key.Number == number })
	})
}

// needsApproval opens an order that a second person has to approve.
func (d day) needsApproval(t *testing.T, number string) {
	t.Helper()
	d.opens(t, order.Withdrawal, number, "25000", "success")
	d.needsPerson(t, ledger.QueueApproval, number)
}

func (d day) waitsForApproval(t *testing.T) {
	d.needsApproval(t, "INV-2")
	d.needsApproval(t, "INV-3")
}

func (d day) waitsForFunds(t *testing.T) {
	d.opens(t, order.Withdrawal, "INV-4", "15000", "success")
	d.needsPerson(t, ledger.QueueFunds, "INV-4")
}

// isUnknown loses the answer to a create that no query finds. The order is a
// deposit, because its horizon is far.
func (d day) isUnknown(t *testing.T) {
	_, err := d.Orders.Start(d.ctx, d.made(t, order.Deposit, "INV-5", "500", "lost-answer,hidden:100000,stuck,silent"))
	require.NoError(t, err)
	d.needsPerson(t, ledger.QueueUnknown, "INV-5")
}

// breakerOpens makes the gateway refuse every call until the breaker opens, and
// then accept calls again. The person must find this out.
func (d day) breakerOpens(t *testing.T) {
	require.NoError(t, d.Gateway.Switch(d.ctx, pakistan, "key-expired", true))
	d.opens(t, order.Withdrawal, "HELD-1", "100", "success")
	d.needsPerson(t, ledger.QueueBreaker, "")
	require.NoError(t, d.Gateway.Switch(d.ctx, pakistan, "key-expired", false))
}

func (d day) breakerCloses(t *testing.T) {
	until(t, d.house, "the breaker to close", func(ctx context.Context) (bool, error) {
		_, open, err := d.books.Breaker(ctx, pakistan)
		return open, err
	}, func(open bool) bool { return !open })
}

// workflowIsLost records the discrepancy that find-orphans would record after a
// minute.
func (d day) workflowIsLost(t *testing.T) {
	r := d.opens(t, order.Withdrawal, "INV-7", "100", "stuck,silent")
	d.reached(t, "INV-7", order.Submitted, order.InReview)
	require.NoError(t, d.Temporal.TerminateWorkflow(d.ctx, contract.WorkflowID(r.Key()), "", "by mistake"))
	require.NoError(t, d.books.OpenDiscrepancy(d.ctx, r.Key(), codes.DiscrepancyOrphan, "its workflow was terminated"))
	d.needsPerson(t, ledger.QueueDiscrepancy, "INV-7")
}

// rowIsLost ends a workflow before its first step, and records the discrepancy
// that find-orphans would record after a minute.
func (d day) rowIsLost(t *testing.T) {
	r := d.made(t, order.Deposit, "INV-8", "500", "success")
	_, err := d.Temporal.ExecuteWorkflow(d.ctx, temporalclient.StartWorkflowOptions{
		ID: contract.WorkflowID(r.Key()), TaskQueue: contract.Queue, StartDelay: time.Hour,
	}, contract.WorkflowType(r.Kind), r)
	require.NoError(t, err)
	require.NoError(t, d.Temporal.TerminateWorkflow(d.ctx, contract.WorkflowID(r.Key()), "", "by mistake"))
	require.NoError(t, d.books.OpenDiscrepancy(d.ctx, r.Key(), codes.DiscrepancyNotInLedger, "its workflow was terminated"))
	d.needsPerson(t, ledger.QueueDiscrepancy, "INV-8")
}

// stray returns a callback for an unknown order. Its id, which the page prints,
// depends on its content.
func (day) stray() tarspay.Callback {
	return tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "VND", Fee: "2000", Merchant: vietnam, OrderNumber: "THEIR-1",
		OrderAmount: "200000", PayAmount: "200000", GatewayID: "P1734517376779485186", State: tarspay.StateSucceeded,
	}
}

func (d day) callbackIsStray(t *testing.T) {
	key, err := os.ReadFile(filepath.Join(d.keyDir(), "gateway.key"))
	require.NoError(t, err)
	gateway, err := tarspay.NewSigner(strings.TrimSpace(string(key)))
	require.NoError(t, err)
	body, signature := tarspay.EncodeCallback(d.stray(), gateway)
	status, answer := d.post(t, badCallback{body: body, signature: signature})
	require.Equal(t, http.StatusOK, status, answer)
	d.needsPerson(t, ledger.QueueCallback, "THEIR-1")
}

// balancesDiffer pays money in at the gateway without an entry in the ledger.
func (d day) balancesDiffer(t *testing.T) {
	d.reached(t, "HELD-1", order.Succeeded) // nothing is booked between two looks
	_, err := d.Gateway.Fund(d.ctx, pakistan, "5000", false)
	require.NoError(t, err)
	_, err = d.Orders.ReconcileBalances(d.ctx)
	require.NoError(t, err)
	d.needsPerson(t, ledger.QueueDrift, "")
}

func (d day) balancesAgree(t *testing.T) {
	report, err := d.Orders.ReconcileBalances(d.ctx, pakistan)
	require.NoError(t, err)
	require.Empty(t, report.Drifting)
	d.reached(t, "INV-4", order.Succeeded) // it waited for the money
}

func (d day) discrepancies(code string) func(context.Context) ([]ledger.Discrepancy, error) {
	return func(ctx context.Context) ([]ledger.Discrepancy, error) {
		return d.books.Discrepancies(ctx, ledger.DiscrepancyFilter{Code: code})
	}
}

// closed requires that the only discrepancy with a code is closed, by one of those.
func (d day) closed(code string, by ...string) func(*testing.T) {
	return func(t *testing.T) {
		found, err := d.discrepancies(code)(d.ctx)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Contains(t, by, found[0].ClosedBy)
	}
}

// adds requires that the ledger's check and the sandbox's audit find no problem.
func (d day) adds(t *testing.T) {
	audit, err := d.Gateway.Audit(d.ctx)
	require.NoError(t, err)
	require.Zero(t, audit.DoublePayments, "paid twice: %v", audit.Doubles)
	require.Empty(t, audit.Problems, "the gateway's own book does not add up")
	verified, err := d.books.Verify(d.ctx)
	require.NoError(t, err)
	require.Empty(t, verified.Violations, "the ledger contradicts itself")
}

// hasCheckpoint waits for a checkpoint that covers INV-1.
func (d day) hasCheckpoint(t *testing.T) {
	t.Helper()
	until(t, d.house, "a checkpoint", func(ctx context.Context) (ledger.AuditProofs, error) {
		return d.books.ProveAudit(ctx, order.Key{Merchant: pakistan, Number: "INV-1"})
	}, func(proofs ledger.AuditProofs) bool { return len(proofs.Entries) > 0 })
}

// hasTheExample puts the example of the settings where the page copies it from.
func (d day) hasTheExample(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../.env.example")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(d.dir, ".env.example"), text, 0o600))
}
