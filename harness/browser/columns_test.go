package browser

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestColumnsForEverybody runs the script of docs/operations.md in a browser that
// has never seen the Temporal UI: the list then has our columns, with values.
func TestColumnsForEverybody(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(docs)
	require.NotNil(t, found)
	require.Contains(t, string(found[1]), `namespace = "payouts"`)
	script := strings.Replace(string(found[1]), `"payouts"`, `"`+stack.Namespace+`"`, 1)

	b := setup(t, stack.Options{UI: true})
	request := b.request(t, order.Withdrawal, "PK", "easypaisa", "INV-1", "1500", "")
	_, err = b.Orders.Start(b.ctx, request)
	require.NoError(t, err)
	_, err = b.Orders.Wait(b.ctx, request.Key())
	require.NoError(t, err)
	b.listed(t, "that the order is paid", func(row client.Row) bool { return row.State == order.Succeeded }, 1)

	list := b.Addresses.UI + "/namespaces/" + stack.Namespace + "/workflows"
	const row = `[data-testid="workflows-summary-configurable-table-row"]`
	p := b.open(t, list)
	require.Contains(t, p.text(row), contract.WorkflowID(request.Key()))
	do(p, "run the script", chromedp.Evaluate[chromedp.Void]("(() => {"+script+"})()"))
	p.visit(list)
	require.Contains(t, p.text(row), contract.WorkflowID(request.Key()))
	p.until("have our columns", `(columns, values) => {
		const head = [...document.querySelectorAll("thead th")].map(cell => cell.innerText.trim()).filter(Boolean)
		const row = document.querySelector('`+row+`')?.innerText ?? ""
		return columns.every(column => head.includes(column)) && !head.includes("Run ID") && values.every(value => row.includes(value))
	}`, []string{"Status", "Workflow ID", "PayoutState", "PayoutCountry", "PayoutAmount", "Start"}, []string{contract.WorkflowID(request.Key()), "succeeded", "PK", "150000"})

	// Who has chosen other columns keeps them.
	do(p, "choose other columns", chromedp.Evaluate[chromedp.Void](
		`localStorage.setItem("namespace-workflow-table-columns", JSON.stringify({`+stack.Namespace+`: [{label: "Type", pinned: true}]}))`))
	do(p, "run the script again", chromedp.Evaluate[chromedp.Void]("(() => {"+script+"})()"))
	p.visit(list)
	p.text(row)
	p.until("keep that column", `() => {
		const head = document.querySelector("thead").innerText
		return head.includes("Type") && !head.includes("Workflow ID") && !head.includes("PayoutState")
	}`)
}
