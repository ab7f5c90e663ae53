package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestRoster runs an installation with a roster. A system's signed start goes through. An
// unsigned one waits for two persons, who sign elsewhere with ssh-keygen: one pastes
// the envelope as an update's input, the other sends it with starter. OpenSSH verifies
// what the audit keeps.
func TestRoster(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL, People: stack.People("")}})
		signed := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		request, err := h.Sign(signed.request)
		require.NoError(t, err)
		require.NoError(t, h.start(h.ctx, request))
		require.Equal(t, stack.System, h.settled(t, signed).RequestedBy)
		h.repeated(t, signed.request)

		p := h.withdrawal(t, "VN", "success", succeeds)
		h.stands(t, order.AwaitingApproval, p)
		require.Equal(t, codes.Unsigned, h.row(t, p).Reason.Code)
		number, merchant := p.request.Number, p.request.Merchant
		approve := []string{"approve", number, "--merchant", merchant, "--fingerprint", p.request.Fingerprint()[:8], "--by"}
		h.starterWith(t, []string{"PAYOUTS_ORIGIN="}, append(approve, "amina")...).refuses(t, exitRefused, authority.CodeSignatureNeeded)
		h.rawUpdate(t, p, order.Approval{By: "amina", Fingerprint: p.request.Fingerprint()}, authority.CodeSignatureNeeded)
		for _, digits := range []string{"f", " ", p.request.Fingerprint()[:7], "00000000"} { // signed or not, they name no content
			h.starter(t, "approve", number, "--merchant", merchant, "--fingerprint", digits, "--by", "amina").refuses(t, exitRefused, codes.FingerprintMismatch)
		}
		h.starter(t, "reject", number, "--merchant", merchant, "--by", "amina").refuses(t, exitRefused, order.CodeWhyMissing)
		h.stands(t, order.AwaitingApproval, p)
		h.refused(t, p, codes.FingerprintMismatch, order.CodeWhyMissing)
		h.starterWith(t, []string{"PAYOUTS_ORIGIN=payouts.example.com/other"}, append(approve, "amina")...).refuses(t, exitRefused, envelope.CodeForeign)

		_, pasted := h.signElsewhere(t, "amina", append([]string{"sign"}, append(approve, "amina")...))
		h.rawUpdate(t, p, pasted, "")
		h.stands(t, order.AwaitingApproval, p)
		h.starter(t, append(approve, "amina")...).refuses(t, exitRefused, codes.SamePerson)

		file, _ := h.signElsewhere(t, "dana", append([]string{"sign"}, append(approve, "dana")...))
		h.starter(t, "act", file, "--signature", file+".sig").answers(t, exitDone)
		h.settled(t, p)
		h.decidesOnLists(t)
		verified := h.starter(t, "audit", "--verify")
		require.Equal(t, exitDone, verified.exit, verified.out)
		require.Contains(t, verified.out, `"seals_checked":true,"signed":`)
		for _, entry := range h.approvals(t, p) {
			verifyWithOpenSSH(t, h, entry)
		}
		h.stopsAndResumes(t)
	})
}

// decidesOnLists has two persons approve three payments with one signature each, the
// second one with ssh-keygen. OpenSSH verifies what the audit of each payment shows.
func (h *house) decidesOnLists(t *testing.T) {
	t.Helper()
	var payments []payment
	var lines []string
	for range 3 {
		p := h.withdrawal(t, "PK", "success", succeeds)
		payments = append(payments, p)
		lines = append(lines, p.request.Number)
	}
	h.stands(t, order.AwaitingApproval, payments...)
	file := filepath.Join(t.TempDir(), "monday.txt")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	approve := []string{"approve", "--list", file, "--merchant", payments[0].request.Merchant}
	var look struct{ List envelope.List }
	looked := h.starter(t, approve...)
	require.Equal(t, exitUsage, looked.exit, looked.out)
	require.NoError(t, json.Unmarshal([]byte(looked.out), &look))
	approve = append(approve, "--fingerprint", look.List.Root[:16], "--by")

	report := h.starter(t, append(approve, "amina")...)
	require.Equal(t, exitDone, report.exit, report.out)
	require.Contains(t, report.out, `"counts":{"done":3}`)
	h.stands(t, order.AwaitingApproval, payments...)
	report = h.starter(t, append(approve, "amina")...)
	require.Contains(t, report.out, `"counts":{"already":3}`)

	signed, _ := h.signElsewhere(t, "dana", append([]string{"sign"}, append(approve, "dana")...))
	h.starter(t, "act", signed).refuses(t, exitUsage, "USAGE")
	less := filepath.Join(t.TempDir(), "less.txt")
	require.NoError(t, os.WriteFile(less, []byte(lines[0]), 0o600))
	h.starter(t, "act", signed, "--list", less).refuses(t, exitRefused, envelope.CodeListDiffers)
	report = h.starter(t, "act", signed, "--list", file)
	require.Equal(t, exitDone, report.exit, report.out)
	require.Contains(t, report.out, `"counts":{"done":3}`)
	h.starter(t, "act", signed, "--list", file).answers(t, exitDone)
	for _, p := range payments {
		h.settled(t, p)
		for _, entry := range h.approvals(t, p) {
			require.Equal(t, look.List, *entry.Envelope.List)
			require.Equal(t, p.key(), entry.Item.Key())
			require.Nil(t, entry.Envelope.List.Has(*entry.Item))
			verifyWithOpenSSH(t, h, entry)
		}
	}
}

// refused demands that the audit of a payment has refusals with the codes.
func (h *house) refused(t *testing.T, p payment, codes ...string) {
	t.Helper()
	entries, err := h.books.Audit(h.ctx, p.key())
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		if entry.Refused {
			found = append(found, entry.Reason.Code)
		}
	}
	require.Subset(t, found, codes)
}

// repeated has another person request an order again, which is the same order. The
// audit notes it once.
func (h *house) repeated(t *testing.T, request order.Request) {
	t.Helper()
	request.RequestedBy = "dana"
	for range 2 {
		again, err := h.Orders.Start(h.ctx, request)
		require.NoError(t, err)
		require.True(t, again.Existing)
	}
	until(t, h, "the repetition to be noted", func(ctx context.Context) (found []string, err error) {
		entries, err := h.books.Audit(ctx, request.Key())
		for _, entry := range entries {
			if entry.Action == ledger.ActionRepeat {
				found = append(found, entry.Actor)
			}
		}
		return found, err
	}, func(found []string) bool { return len(found) == 1 && found[0] == "dana" })
}

// stopsAndResumes has one person stop all payouts and two others, who sign, resume
// them. A withdrawal waits meanwhile.
func (h *house) stopsAndResumes(t *testing.T) {
	t.Helper()
	h.starter(t, "stop", "--all", "--why", "broken into", "--by", "dana").answers(t, exitDone)
	held := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	request, err := h.Sign(held.request)
	require.NoError(t, err)
	require.NoError(t, h.start(h.ctx, request))
	until(t, h, "the order to say why it waits", func(ctx context.Context) (order.View, error) {
		return h.Orders.Order(ctx, held.key())
	}, func(view order.View) bool {
		return strings.Contains(view.Next, "dana stopped all payouts: broken into") && view.Reason.Code == codes.WithdrawalsStopped
	})
	h.starter(t, "resume", "--all", "--by", "amina").refuses(t, exitRefused, order.CodeWhyMissing)
	h.starterWith(t, []string{"PAYOUTS_ORIGIN="}, "resume", "--all", "--why", "w", "--by", "amina").refuses(t, exitRefused, authority.CodeSignatureNeeded)
	h.starter(t, "resume", "--all", "--why", "all is well", "--by", "amina").answers(t, exitDone)
	h.starter(t, "resume", "--all", "--why", "all is well", "--by", "amina").refuses(t, exitRefused, codes.SamePerson)
	found, err := h.books.Submissions(h.ctx, held.key())
	require.NoError(t, err)
	require.Empty(t, found, "nothing is sent before two have resumed")
	h.starter(t, "resume", "--all", "--why", "checked", "--by", "dana").answers(t, exitDone)
	status := run(t, h.Environment(), "starter", "status", held.request.Number, "--merchant", held.request.Merchant)
	require.NotContains(t, status.out, "are stopped", "no stop is in force")
	h.settled(t, held)
	h.starter(t, "audit", "--verify").answers(t, exitDone)
}

// settled waits until a payment has succeeded, and returns its row.
func (h *house) settled(t *testing.T, p payment) order.Order {
	t.Helper()
	return until(t, h, p.request.Number+" has succeeded", func(ctx context.Context) (order.Order, error) {
		return h.books.Order(ctx, p.key())
	}, func(o order.Order) bool { return o.State == order.Succeeded })
}

// rawUpdate sends an approval as the Temporal UI does. code is that of the refusal; if
// it is empty, the update must be accepted.
func (h *house) rawUpdate(t *testing.T, p payment, input any, code string) {
	t.Helper()
	handle, err := h.Temporal.UpdateWorkflow(h.ctx, temporalclient.UpdateWorkflowOptions{
		WorkflowID: contract.WorkflowID(p.key()), UpdateID: uuid.NewString(), UpdateName: order.ActionApprove,
		Args: []any{input}, WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(h.ctx, nil)
	}
	if code == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorContains(t, err, code)
}

// signElsewhere has starter write an envelope, and OpenSSH sign it. It returns the
// envelope's file, and what is pasted as an update's input.
func (h *house) signElsewhere(t *testing.T, person string, args []string) (file string, pasted json.RawMessage) {
	t.Helper()
	written := run(t, h.Environment(), "starter", args...)
	require.Equal(t, exitDone, written.exit, written.err)
	file = filepath.Join(t.TempDir(), "approve.json")
	require.NoError(t, os.WriteFile(file, []byte(written.out), 0o600))
	openSSH(t, nil, "-Y", "sign", "-n", "payouts", "-f", filepath.Join(h.Dir(), "people", person), file)
	signature, err := os.ReadFile(file + ".sig")
	require.NoError(t, err)
	pasted, err = json.Marshal(map[string]any{"envelope": json.RawMessage(written.out), "signature": string(signature)})
	require.NoError(t, err)
	return file, pasted
}

// approvals returns the proofs of the approvals in the audit of a payment.
func (h *house) approvals(t *testing.T, p payment) []authority.Proof {
	t.Helper()
	entries, err := h.books.Audit(h.ctx, p.key())
	require.NoError(t, err)
	var proofs []authority.Proof
	for _, entry := range entries {
		if entry.Refused || !strings.Contains(entry.Envelope, `"action":"approve"`) {
			continue
		}
		var proof authority.Proof
		require.NoError(t, json.Unmarshal([]byte(entry.Envelope), &proof))
		proofs = append(proofs, proof)
	}
	require.Len(t, proofs, 2)
	require.Equal(t, []string{"amina", "dana"}, []string{proofs[0].Envelope.By, proofs[1].Envelope.By})
	return proofs
}

// verifyWithOpenSSH verifies a stored signature without our code: the roster's lines
// are a file of allowed signers.
func verifyWithOpenSSH(t *testing.T, h *house, proof authority.Proof) {
	t.Helper()
	roster, err := os.ReadFile(filepath.Join(h.Dir(), "roster.yaml"))
	require.NoError(t, err)
	var allowed []string
	for line := range strings.Lines(string(roster)) {
		if key, is := strings.CutPrefix(strings.TrimSpace(line), "- "); is && strings.Contains(key, "ssh-ed25519") {
			allowed = append(allowed, key)
		}
	}
	dir := t.TempDir()
	signers, signature := filepath.Join(dir, "allowed_signers"), filepath.Join(dir, "signature")
	require.NoError(t, os.WriteFile(signers, []byte(strings.Join(allowed, "\n")+"\n"), 0o600))
	require.NoError(t, os.WriteFile(signature, []byte(proof.Signature), 0o600))
	message, refusal := proof.Envelope.Bytes()
	require.Nil(t, refusal)
	out := openSSH(t, message, "-Y", "verify", "-n", "payouts", "-I", proof.Envelope.By, "-f", signers, "-s", signature)
	require.Contains(t, out, `Good "payouts" signature for `+proof.Envelope.By)
}

// openSSH runs ssh-keygen.
func openSSH(t *testing.T, input []byte, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh-keygen", args...)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}
