package browser

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestUpdateInTheTemporalUI is an operator who has the Temporal UI and an SSH key. An
// approval without a signature is refused, with the command that makes one. The signed
// envelopes of two persons are pasted as the update's input, and the order is paid.
func TestUpdateInTheTemporalUI(t *testing.T) {
	t.Parallel()
	b := setup(t, stack.Options{UI: true, People: stack.People("")})
	request := b.request(t, order.Withdrawal, "VN", "VCB", "INV-77", "2500000", "")
	_, err := b.Orders.Start(b.ctx, request) // nobody has signed it
	require.NoError(t, err)
	until(t, b, "the order to wait for approvals", func(ctx context.Context) (order.View, error) {
		return b.Orders.Order(ctx, request.Key())
	}, func(view order.View) bool { return view.State == order.AwaitingApproval })

	p := b.open(t, b.Addresses.UI+"/namespaces/"+stack.Namespace+"/workflows/"+contract.WorkflowID(request.Key()))
	unsigned, err := json.Marshal(order.Approval{By: "amina", Fingerprint: request.Fingerprint()})
	require.NoError(t, err)
	p.startsUpdate(order.ActionApprove)
	p.pastes(string(unsigned))
	p.click(confirmUpdate)
	p.saysInModal(authority.CodeSignatureNeeded)
	p.saysInModal("starter sign approve INV-77 --merchant " + request.Merchant + " --fingerprint " + request.Fingerprint()[:8] + " --by amina > approve.json")

	p.pastes(b.signs(t, "amina", request))
	p.click(confirmUpdate)
	p.gone(updateModal)
	p.startsUpdate(order.ActionApprove)
	p.pastes(b.signs(t, "dana", request))
	p.click(confirmUpdate)
	p.gone(updateModal)
	ended, err := b.Orders.Wait(b.ctx, request.Key())
	require.NoError(t, err)
	require.Equal(t, order.Succeeded, ended.State, ended.Reason.Text)
	require.Equal(t, []string{"amina", "dana"}, b.approvers(t, request))
	require.Equal(t, []string{"amina " + authority.CodeSignatureNeeded}, b.refusals(t, request))
}

// signs has starter write the envelope of an approval and OpenSSH sign it. It returns
// what docs/security.md says to paste.
func (b *testBundle) signs(t *testing.T, person string, request order.Request) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "approve.json")
	sign := exec.CommandContext(b.ctx, filepath.Join(b.Bin(), "starter"), "sign", "approve", request.Number, "--merchant", request.Merchant,
		"--fingerprint", request.Fingerprint(), "--by", person)
	sign.Env = append(os.Environ(), b.Environment()...)
	envelope, err := sign.Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, envelope, 0o600))
	said, err := exec.CommandContext(b.ctx, "ssh-keygen", "-Y", "sign", "-n", "payouts", "-f", filepath.Join(b.Dir(), "people", person), file).CombinedOutput()
	require.NoError(t, err, "%s", said)
	signature, err := os.ReadFile(file + ".sig")
	require.NoError(t, err)
	pasted, err := json.Marshal(map[string]any{"envelope": json.RawMessage(envelope), "signature": string(signature)})
	require.NoError(t, err)
	return string(pasted)
}

// approvers returns who has approved an order, by the audit. Each has signed.
func (b *testBundle) approvers(t *testing.T, request order.Request) (names []string) {
	t.Helper()
	entries, err := b.books.Audit(b.ctx, request.Key())
	require.NoError(t, err)
	for _, e := range entries {
		if e.Action == ledger.ActionApprove && !e.Refused {
			var proof authority.Proof
			require.NoError(t, json.Unmarshal([]byte(e.Envelope), &proof))
			require.Equal(t, e.Actor, proof.Envelope.By)
			require.Contains(t, proof.Signature, "BEGIN SSH SIGNATURE")
			names = append(names, e.Actor)
		}
	}
	return names
}

// refusals returns who was refused an approval of an order, and why, by the audit.
func (b *testBundle) refusals(t *testing.T, request order.Request) (found []string) {
	t.Helper()
	entries, err := b.books.Audit(b.ctx, request.Key())
	require.NoError(t, err)
	for _, e := range entries {
		if e.Action == ledger.ActionApprove && e.Refused {
			found = append(found, e.Actor+" "+e.Reason.Code)
		}
	}
	return found
}

// The form of the UI that sends an update.
const (
	updateModal   = `dialog#update-confirmation-modal[open]`
	updateInput   = updateModal + ` .cm-content`
	confirmUpdate = updateModal + ` [data-testid="confirm-modal-button"]`
)

// startsUpdate opens the form, and chooses an update by its name.
func (p *page) startsUpdate(name string) {
	p.t.Helper()
	p.clickShown(`button[aria-controls="workflow-actions"]`, "More Actions")
	p.clickShown(`[data-testid="update-button"]`, "Send an Update")
	p.click(updateModal + ` [data-testid="update-select-button"]`)
	p.clickShown(updateModal+` li[role="option"] span`, name)
}

// clickShown presses the element that is shown and has a text. The UI has another one for
// narrow windows, which is hidden.
func (p *page) clickShown(selector, text string) {
	p.t.Helper()
	p.until("show "+text, `(selector, text) => {
		document.querySelectorAll("[data-shown]").forEach(each => each.removeAttribute("data-shown"))
		const shown = [...document.querySelectorAll(selector)].find(each => each.checkVisibility() && each.innerText.trim() === text)
		shown?.setAttribute("data-shown", "")
		return shown
	}`, selector, text)
	p.click(`[data-shown]`)
}

// pastes replaces the update's input by a text, as from the clipboard.
func (p *page) pastes(text string) {
	p.t.Helper()
	p.click(updateInput)
	const control = 2
	do(p, "select all", chromedp.KeyEvent("a", chromedp.KeyModifiers(control)))
	p.until("take what is pasted", `(selector, text) => {
		const clipboard = new DataTransfer()
		clipboard.setData("text/plain", text)
		document.querySelector(selector).dispatchEvent(new ClipboardEvent("paste", {clipboardData: clipboard, bubbles: true, cancelable: true}))
		return true
	}`, updateInput, text)
	p.click(updateModal + ` [data-testid="update-id"]`) // the input is laid out when it is left, which moves the buttons
}

// saysInModal waits until the form says a text.
func (p *page) saysInModal(text string) {
	p.t.Helper()
	p.until("say "+text, `(selector, text) => document.querySelector(selector)?.innerText.includes(text)`, updateModal, text)
}
