package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestReview uses short horizons. Orders that the gateway does not end go to
// review, and a person resolves them with evidence.
func TestReview(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{Settings: map[string]string{
		"PAYOUTS_CALLBACK_GRACE":     "200ms",
		"PAYOUTS_WITHDRAWAL_HORIZON": "2s",
		"PAYOUTS_DEPOSIT_HORIZON":    "2s",
		"PAYOUTS_REVIEW_POLL":        "1s",
	}}})
	resolved := end{order.Succeeded, order.CodeResolved, 1}
	paid := h.withdrawal(t, "PK", "stuck,silent", resolved)
	released := h.withdrawal(t, "VN", "stuck-created", end{order.Failed, order.CodeResolved, 0})
	partial := h.deposit(t, "PK", "stuck,silent", end{order.PartiallyPaid, order.CodeResolved, 1})
	lost := h.withdrawal(t, "BR", "lost-answer,hidden:1000,stuck,silent", resolved)
	decided := h.withdrawal(t, "TH", "stuck,silent", succeeds)
	left := h.withdrawal(t, "BD", "stuck", end{order.InReview, order.CodeNoProof, 0})
	payments := []payment{paid, released, partial, lost, decided, left}
	h.waitsForAPerson(t, payments...)

	// Polling continues in review, and the gateway's answer ends the order.
	h.move(t, decided, tarspay.StateSucceeded, "")
	h.ended(t, decided)
	require.Equal(t, rules.FromQuery, h.lastStep(t, decided).Source)

	h.refusesWithoutEvidence(t, paid)
	h.resolve(t, paid, "--state=succeeded", "--fee=15")
	h.resolve(t, released, "--state=failed")
	h.resolve(t, partial, "--state=partially_paid", "--paid=400", "--fee=4")
	h.resolve(t, lost, "--state=succeeded", "--fee=2.51")
	h.starter(t, resolution(paid, "--state=failed")...).refuses(t, exitRefused, order.CodeTerminal)

	// The operator's decision was right.
	h.move(t, paid, tarspay.StateSucceeded, "")
	h.move(t, partial, tarspay.StatePartial, "400")
	h.move(t, lost, tarspay.StateSucceeded, "")
}

// waitsForAPerson waits until payments are in review. It requires that they are in
// the queue and that their funds stay reserved.
func (h *house) waitsForAPerson(t *testing.T, payments ...payment) {
	t.Helper()
	h.stands(t, order.InReview, payments...)
	rows := until(t, h, "the list to show every order in review", func(ctx context.Context) ([]client.Row, error) {
		return h.Orders.List(ctx, client.Filter{NeedsReview: true})
	}, func(rows []client.Row) bool { return len(rows) == len(payments) })
	for _, row := range rows {
		require.Equal(t, order.InReview, row.State, row.Number)
		require.True(t, row.NeedsReview, row.Number)
		require.True(t, row.Open, row.Number)
	}
	for _, p := range payments {
		require.Equal(t, order.CodeNoProof, h.row(t, p).Reason.Code, p.request.Number)
		if p.request.Kind == order.Withdrawal {
			accounts, err := h.books.Balances(h.ctx, p.request.Merchant, p.request.Amount.Currency())
			require.NoError(t, err)
			require.Equal(t, p.request.Amount, accounts[ledger.AccountInFlight], "the reservation of %s stays", p.request.Number)
		}
	}
	listed := h.starter(t, "list", "--needs-review").answers(t, exitDone).Orders
	require.Len(t, listed, len(payments))
}

// refusesWithoutEvidence tries to resolve an order in review without evidence. The
// attempts are recorded.
func (h *house) refusesWithoutEvidence(t *testing.T, p payment) {
	t.Helper()
	for missing, code := range map[string]string{"why": order.CodeWhyMissing, "evidence": codes.EvidenceMissing} {
		bare := slices.DeleteFunc(resolution(p, "--state=succeeded"), func(flag string) bool { return strings.HasPrefix(flag, "--"+missing) })
		h.starter(t, bare...).refuses(t, exitRefused, code)
		trail, err := h.books.Audit(h.ctx, p.key())
		require.NoError(t, err)
		last := trail[len(trail)-1]
		require.True(t, last.Refused)
		require.Equal(t, "Amina, treasury", last.Actor)
		require.Equal(t, code, last.Reason.Code)
	}
	h.starter(t, resolution(p, "--state=cancelled")...).refuses(t, exitRefused, codes.NotAnEnd)
	h.starter(t, resolution(p, "--state=partially_paid", "--paid=1")...).refuses(t, exitRefused, codes.NotAnEnd)
	require.Equal(t, order.InReview, h.row(t, p).State)
}

// resolution returns the arguments of a resolve command.
func resolution(p payment, flags ...string) []string {
	return append([]string{
		"resolve", p.request.Number, "--merchant=" + p.request.Merchant, "--by=Amina, treasury", "--why=support confirms it", "--evidence=ticket 4711",
	}, flags...)
}

// resolve resolves a payment to its expected end. It requires that the order has
// the end, the actor and the reason.
func (h *house) resolve(t *testing.T, p payment, flags ...string) {
	t.Helper()
	view := h.starter(t, resolution(p, flags...)...).answers(t, exitDone).Order
	require.Equal(t, p.end.state, view.State)
	step := h.lastStep(t, p)
	require.Equal(t, rules.FromOperator, step.Source)
	require.Equal(t, "Amina, treasury", step.By)
	require.Equal(t, "ticket 4711", step.Evidence)
	require.Contains(t, step.Reason.Text, "support confirms it")
	until(t, h, "the list to show the end of "+p.request.Number, func(ctx context.Context) (client.Row, error) {
		return h.Orders.Find(ctx, p.key())
	}, func(row client.Row) bool { return row.State == p.end.state && !row.NeedsReview && !row.Open })
}

// onlyReviewIsResolved tries to resolve orders that are not in review.
func onlyReviewIsResolved(t *testing.T, h *house) {
	p := h.withdrawal(t, "BD", "stuck", succeeds)
	h.stands(t, order.Submitted, p)
	h.starter(t, resolution(p, "--state=failed")...).refuses(t, exitRefused, codes.NotInReview)
	require.Equal(t, order.Submitted, h.row(t, p).State)
	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
	h.completed(t, p)
	h.starter(t, resolution(p, "--state=failed")...).refuses(t, exitRefused, order.CodeTerminal)
}
