package browser

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The query of docs/operations.md that answers "what needs me now", and the name under
// which an operator keeps it.
const (
	needsMe     = "PayoutNeedsReview = true AND ExecutionStatus = 'Running'"
	needsMeName = "Needs a person"
)

// policy asks for a second person.
const policy = `
rules:
  - kind: withdrawal
    country: VN
    per_order: {approve_above: "20000000"}
`

// TestTemporalUI looks at orders the way an operator does: at the list of what
// needs a person, and at one of its orders.
func TestTemporalUI(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	require.Contains(t, string(docs), "| what needs me now | `"+needsMe+"` |")
	file := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte(policy), 0o600))
	b := setup(t, stack.Options{UI: true, Settings: map[string]string{
		"PAYOUTS_WITHDRAWAL_HORIZON": "3s",
		"PAYOUTS_POLICY_FILE":        file,
	}})
	list := b.Addresses.UI + "/namespaces/" + stack.Namespace + "/workflows"
	stuck, needy := b.ordersOfADay(t)

	p := b.open(t, list)
	p.searchFor(needsMe)
	p.lists(needy)
	p.chooseColumns()
	p.saveView(needsMeName)
	p.visit(list) // as on another day
	p.click(rawQuery)
	p.click(`button[data-track-text="` + needsMeName + `"]`)
	p.lists(needy)
	p.screenshot("list-needs-review")

	view, err := b.Orders.Order(b.ctx, stuck.Key())
	require.NoError(t, err)
	require.Equal(t, order.InReview, view.State)
	p.click(`a[href*="` + stuck.Number + `"]`)
	p.click(`[data-testid="user-metadata-tab"]`)
	p.tells(contract.Summary(stuck))
	p.tells(string(view.State))
	p.tells(view.Reason.Code + " " + view.Reason.Text)
	p.tells("Next: " + view.Next)
	p.screenshot("order-details")
}

// ordersOfADay starts orders and returns when each stands where an operator
// finds it: the ids of those that need a person, and one of them. One order is
// left to nobody: its workflow was terminated.
func (b *testBundle) ordersOfADay(t *testing.T) (stuck order.Request, needy []string) {
	t.Helper()
	stuck = b.request(t, order.Withdrawal, "PK", "easypaisa", "INV-2041", "1500", "stuck,silent")
	lost := b.request(t, order.Withdrawal, "BR", "PIX", "INV-2042", "250.75", "lost-answer,hidden:1000,stuck,silent")
	large := b.request(t, order.Withdrawal, "VN", "VCB", "INV-2043", "25000000", "")
	orphan := b.request(t, order.Withdrawal, "VN", "VCB", "INV-2040", "30000000", "")
	paid := b.request(t, order.Withdrawal, "BR", "PIX", "INV-2044", "99.90", "")
	failed := b.request(t, order.Withdrawal, "PK", "easypaisa", "INV-2045", "700", "fail")
	unpaid := b.request(t, order.Deposit, "BD", "EWALLET_BKASH", "CART-17", "2500", "cashier")
	for _, request := range []order.Request{stuck, lost, large, orphan, paid, failed} {
		_, err := b.Orders.Start(b.ctx, request)
		require.NoError(t, err)
	}
	_, _, err := b.Orders.StartDeposit(b.ctx, unpaid)
	require.NoError(t, err)
	for _, ending := range []order.Request{paid, failed} {
		view, err := b.Orders.Wait(b.ctx, ending.Key())
		require.NoError(t, err)
		require.True(t, view.State.Terminal())
	}
	stands := map[string]order.State{
		stuck.Number: order.InReview, lost.Number: order.InReview, large.Number: order.AwaitingApproval, orphan.Number: order.AwaitingApproval,
		paid.Number: order.Succeeded, failed.Number: order.Failed, unpaid.Number: order.Created,
	}
	b.listed(t, "where every order stands", func(row client.Row) bool { return row.State == stands[row.Number] }, len(stands))
	require.NoError(t, b.Temporal.TerminateWorkflow(b.ctx, contract.WorkflowID(orphan.Key()), "", "by mistake"))
	needy = []string{contract.WorkflowID(stuck.Key()), contract.WorkflowID(lost.Key()), contract.WorkflowID(large.Key())}
	b.listed(t, "what is still open", func(row client.Row) bool { return row.Open }, len(needy)+1) // and the unpaid one
	return stuck, needy
}

// listed waits until Temporal's list has so many orders of a kind: it may lag
// behind the orders by a moment.
func (b *testBundle) listed(t *testing.T, what string, fits func(client.Row) bool, want int) {
	t.Helper()
	until(t, b, "the list to know "+what, func(ctx context.Context) ([]client.Row, error) {
		return b.Orders.List(ctx, client.Filter{})
	}, func(rows []client.Row) bool {
		return len(slices.DeleteFunc(slices.Clone(rows), func(row client.Row) bool { return !fits(row) })) == want
	})
}

// lists waits until the list holds these workflows and no others.
func (p *page) lists(ids []string) {
	p.t.Helper()
	slices.Sort(ids)
	p.until("list exactly the orders that need a person", `ids => {
		const rows = [...document.querySelectorAll('[data-testid="workflows-summary-configurable-table-row"]')]
		const listed = rows.map(row => row.querySelector("a").innerText.trim())
		return JSON.stringify(listed.sort()) === JSON.stringify(ids)
	}`, ids)
}

// rawQuery shows the query in words, or hides it.
const rawQuery = `[data-testid="toggle-manual-query"]`

// searchFor types a query over the list.
func (p *page) searchFor(query string) {
	p.t.Helper()
	p.click(rawQuery)
	p.fill(`[data-testid="manual-search-input"]`, query)
	p.click(`[data-testid="manual-search-button"]`)
}

// chooseColumns has the list show where an order stands, in place of what an
// operator does not need.
func (p *page) chooseColumns() {
	p.t.Helper()
	p.click(`[data-testid="workflows-summary-table-configuration-button"]`)
	for _, step := range []string{"Remove Run ID", "Remove Type", "Remove End", "Add PayoutState", "Add PayoutCountry"} {
		p.click(`button[aria-label="` + step + ` column"]`)
	}
	p.click(`[data-testid="drawer-close-button"]`)
}

// saveView keeps the query that is shown, under a name.
func (p *page) saveView(name string) {
	p.t.Helper()
	p.click(`[data-testid="create-view-button"]`)
	p.fill(`[data-testid="save-view-modal-input"]`, name)
	p.click(`form:has(#modal-content-save-view-modal) [data-testid="confirm-modal-button"]`)
}

// tells waits until a pane of the order's page shows a text. Each pane is a
// document of its own, and the UI makes it too low by its margins: an operator
// scrolls.
func (p *page) tells(text string) {
	p.t.Helper()
	p.until("tell "+text, `text => [...document.querySelectorAll('iframe[title="output"]')].some(pane => {
		const said = pane.contentDocument?.body?.innerText ?? ""
		if (pane.checkVisibility() && said.includes(text)) {
			pane.contentWindow.scrollTo(0, 16)
			return true
		}
	})`, text)
}
