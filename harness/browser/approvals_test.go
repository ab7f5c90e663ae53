package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/idp"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestApprovals is somebody without an SSH key, a mouse or a large screen: logs in,
// approves one withdrawal and rejects another. The audit names the person and the door
// that signed, and verifies.
func TestApprovals(t *testing.T) {
	t.Parallel()
	provider := idp.Start("payouts", "s3cret", "mallory-1", "sana-1")
	t.Cleanup(provider.Close)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("rules:\n  - {kind: withdrawal, country: PK, per_order: {approve_above: \"1000\"}}\n"), 0o600))
	b := setup(t, stack.Options{
		API: true, People: stack.People(""), Settings: map[string]string{"PAYOUTS_POLICY_FILE": policy},
		LogIn: &stack.LogIn{Issuer: provider.Issuer, ClientID: "payouts", ClientSecret: "s3cret", Subjects: map[string]string{"sana": "sana-1"}},
	})
	wanted, unwanted := b.awaits(t, "INV-1", "1500"), b.awaits(t, "INV-2", "2500")

	p := b.open(t, b.Addresses.API+"/approvals")
	do(p, "become a phone", chromedp.EmulateViewport(phoneWidth, phoneHeight))
	require.Equal(t, "Log in", p.text("#login"))
	p.presses("#login")
	require.Equal(t, "Who are you?", p.text("h1"))
	p.presses(`button[value="sana-1"]`)
	require.Equal(t, "sana", p.text("#person"))
	require.Equal(t, b.Addresses.API+"/approvals", p.address())
	p.fits()

	p.presses(`a[href="/approvals/` + wanted.Merchant + `/INV-1"]`)
	require.Equal(t, "1500.00 PKR", p.text("#amount"))
	require.Equal(t, wanted.Fingerprint(), p.text("#fingerprint"))
	require.Equal(t, stack.System, p.text("#requester"))
	p.fits()
	p.screenshot("approval")
	p.presses("#approve")
	require.Equal(t, "You have approved order INV-1.", p.text("#done"))
	ended, err := b.Orders.Wait(b.ctx, wanted.Key())
	require.NoError(t, err)
	require.Equal(t, order.Succeeded, ended.State, ended.Reason.Text)

	p.presses("#back")
	p.presses(`a[href="/approvals/` + wanted.Merchant + `/INV-2"]`)
	p.reaches("#why")
	do(p, "type", chromedp.KeyEvent("We did not order this <b>."))
	p.presses("#reject")
	require.Equal(t, "You have rejected order INV-2.", p.text("#done"))
	require.Contains(t, p.text("#state"), "We did not order this <b>.")
	ended, err = b.Orders.Wait(b.ctx, unwanted.Key())
	require.NoError(t, err)
	require.Equal(t, order.Rejected, ended.State)
	p.presses("#back")
	require.Equal(t, "Nothing waits for you.", p.text("#none"))
	b.approvesAFile(t, p)
	p.presses("#logout")
	require.Equal(t, "Log in", p.text("#login"))

	require.Equal(t, "sana "+stack.Door, b.decided(t, wanted, ledger.ActionApprove))
	require.Equal(t, "sana "+stack.Door, b.decided(t, unwanted, ledger.ActionReject))
	verify := exec.CommandContext(b.ctx, filepath.Join(b.Bin(), "starter"), "audit", "--verify", "--json")
	verify.Env = append(os.Environ(), b.Environment()...)
	report, err := verify.CombinedOutput()
	require.NoError(t, err, "%s", report)
	require.Contains(t, string(report), `"signed":8`, "four starts, three approvals and a rejection")

	stranger := b.open(t, b.Addresses.API+"/approvals")
	stranger.presses("#login")
	stranger.presses(`button[value="mallory-1"]`)
	require.Contains(t, stranger.text("#problem"), "ACTOR_UNKNOWN")
}

// approvesAFile approves the orders of a file of payouts at once.
func (b *testBundle) approvesAFile(t *testing.T, p *page) {
	t.Helper()
	const file = "number,way,amount,customerName,customerAccountNumber\nSAL-1,easypaisa,1500,Ayesha Khan,03001234567\nSAL-2,easypaisa,2500,Bilal Ahmed,03017654321\n"
	token, err := b.Token()
	require.NoError(t, err)
	upload, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.Addresses.API+"/v1/batches?name=salaries.csv&merchant="+b.Merchant("PK"), strings.NewReader(file))
	require.NoError(t, err)
	upload.Header.Set("Content-Type", "text/csv")
	upload.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(upload)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, answer.StatusCode, string(text))
	var batch struct{ ID string }
	require.NoError(t, json.Unmarshal(text, &batch))
	b.listed(t, "that both orders of the file wait", func(row client.Row) bool {
		return strings.HasPrefix(row.Number, "SAL-") && row.State == order.AwaitingApproval
	}, 2)

	do(p, "look again", chromedp.Reload())
	p.presses(`a[href="/approvals/batches/` + batch.ID + `"]`)
	require.Equal(t, "2", p.text("#waiting"))
	require.Equal(t, "4000.00 PKR", strings.TrimSpace(p.text("#totals")))
	p.fits()
	p.presses("#approve")
	require.Equal(t, "You have approved 2 of 2 orders of batch "+batch.ID+".", p.text("#done"))
	require.Equal(t, "No order of it waits for you.", p.text("#none"))
	for _, number := range []string{"SAL-1", "SAL-2"} {
		request := order.Request{Merchant: b.Merchant("PK"), Number: number}
		ended, err := b.Orders.Wait(b.ctx, request.Key())
		require.NoError(t, err)
		require.Equal(t, order.Succeeded, ended.State, ended.Reason.Text)
		require.Equal(t, "sana "+stack.Door, b.decided(t, request, ledger.ActionApprove))
	}
}

// awaits starts a withdrawal that waits for an approval.
func (b *testBundle) awaits(t *testing.T, number, amount string) order.Request {
	t.Helper()
	request, err := b.Sign(b.request(t, order.Withdrawal, "PK", "easypaisa", number, amount, ""))
	require.NoError(t, err)
	_, err = b.Orders.Start(b.ctx, request)
	require.NoError(t, err)
	b.listed(t, "that "+number+" waits", func(row client.Row) bool {
		return row.Number == number && row.State == order.AwaitingApproval
	}, 1)
	return request
}

// decided returns who has done an action on an order, and the door that signed.
func (b *testBundle) decided(t *testing.T, request order.Request, action ledger.AuditAction) string {
	t.Helper()
	entries, err := b.books.Audit(b.ctx, request.Key())
	require.NoError(t, err)
	for _, e := range entries {
		if e.Action == action && !e.Refused {
			var proof authority.Proof
			require.NoError(t, json.Unmarshal([]byte(e.Envelope), &proof))
			require.Equal(t, e.Actor, proof.Envelope.By)
			return e.Actor + " " + proof.Door
		}
	}
	require.Fail(t, "nobody has done it", action)
	return ""
}

// The screen of a small phone, in pixels.
const phoneWidth, phoneHeight = 360, 960

// mostTabs is how many stops a page may have before an element.
const mostTabs = 20

// reaches presses Tab until an element has the focus.
func (p *page) reaches(selector string) {
	p.t.Helper()
	p.text("h1")
	for range mostTabs {
		do(p, "press Tab", chromedp.KeyEvent(kb.Tab))
		if do(p, "tell its focus", chromedp.Evaluate[bool](`document.activeElement.matches(`+quoted(selector)+`)`)) {
			return
		}
	}
	p.t.Fatalf("Tab does not reach %s\n%s", selector, p.shows())
}

// presses reaches an element and presses Enter. It returns when another page shows.
func (p *page) presses(selector string) {
	p.t.Helper()
	p.reaches(selector)
	do(p, "mark the page", chromedp.Evaluate[bool](`document.documentElement.classList.toggle("left", true)`))
	do(p, "press Enter", chromedp.KeyEvent(kb.Enter))
	p.gone("html.left")
	p.text("h1")
}

// fits demands that nothing is wider than the screen.
func (p *page) fits() {
	p.t.Helper()
	require.LessOrEqual(p.t, do(p, "measure", chromedp.Evaluate[int](`document.documentElement.scrollWidth`)), phoneWidth)
}

func quoted(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}
