package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// desk runs starter as finance has it on a machine that reaches only the api: with an API
// key and a person's key.
func (h *house) desk(t *testing.T, args ...string) ran {
	t.Helper()
	return h.starterWith(t, []string{
		"TEMPORAL_ADDRESS=127.0.0.1:1", "PAYOUTS_DATABASE_URL=", "PAYOUTS_MERCHANTS=", "PAYOUTS_DATA_KEY_FILE=", "PAYOUTS_KEY_DIR=",
		"PAYOUTS_API_ADDRESS=" + h.Addresses.API, "PAYOUTS_API_TOKEN=" + h.token(t),
	}, args...)
}

// worksAtTheDesk pays, looks, approves and sends a file with starter through the api.
func (h *house) worksAtTheDesk(t *testing.T) {
	t.Helper()
	p := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	details := p.request.Details
	withdraw := []string{
		"withdraw", "--country", "PK", "--number", p.request.Number, "--way", p.request.Way, "--amount", p.request.Amount.Number(),
		"--name", details["customerName"], "--account", details["customerAccountNumber"], "--phone", details["customerContact"],
		"--field", "sandboxScenario=success", "--metadata", "desk=1", "--wait",
	}
	require.Equal(t, order.Succeeded, h.desk(t, withdraw...).answers(t, exitDone).Order.State)
	require.True(t, h.desk(t, withdraw...).answers(t, exitDone).Started.Existing)
	status := h.desk(t, "status", p.request.Number).answers(t, exitDone)
	require.Equal(t, p.request.Merchant, status.Order.Merchant, "found among the merchants of the api")
	listed := h.desk(t, "list", "--metadata", "desk=1").answers(t, exitDone)
	require.Len(t, listed.Orders, 1)
	require.Equal(t, p.request.Number, listed.Orders[0].Number)

	unsigned := h.withdrawal(t, "PK", "success", succeeds)
	h.stands(t, order.AwaitingApproval, unsigned)
	require.NotEmpty(t, h.desk(t, "queue").answers(t, exitDone).Queue)
	for _, person := range []string{"amina", "dana"} {
		h.desk(t, "approve", unsigned.request.Number, "--fingerprint", unsigned.request.Fingerprint()[:8], "--by", person).answers(t, exitDone)
	}
	h.settled(t, unsigned)
	h.approvesAListAtTheDesk(t)
	h.actsOnTheBooksAtTheDesk(t)
	h.closesADiscrepancyAtTheDesk(t)
	h.adoptsAtTheDesk(t)
	require.Equal(t, "ORDER_ENDED", h.desk(t, "cancel", unsigned.request.Number, "--why", "late", "--by", "amina").answers(t, exitRefused).Error.Code)
	h.desk(t, "note", unsigned.request.Number, "seen").answers(t, exitDone)
	for _, command := range [][]string{
		{"show", p.request.Number}, {"audit", p.request.Number}, {"events", "--from", "1h"}, {"balance"}, {"reconcile", "--merchant", p.request.Merchant}, {"discrepancies", "--merchant", p.request.Merchant},
	} {
		h.desk(t, command...).answers(t, exitDone)
	}
	require.Equal(t, h.starter(t, "audit", "--installation").out, h.desk(t, "audit", "--installation").out)
	require.Equal(t, "NOT_THROUGH_API", h.desk(t, "audit", "--verify").answers(t, exitUsage).Error.Code)

	folder := t.TempDir()
	path := filepath.Join(folder, "july.csv")
	require.NoError(t, os.WriteFile(path, []byte(h.fileOf(t, 2)), 0o600))
	submitted := h.desk(t, "batch", "submit", path, "--merchant", p.request.Merchant, "--wait")
	require.Equal(t, exitDone, submitted.exit, submitted.out+submitted.err)
	var document struct{ Batch payouts.Batch }
	require.NoError(t, json.Unmarshal([]byte(submitted.out), &document))
	require.Equal(t, order.BatchCompleted, document.Batch.State)
	read := func(run func(*testing.T, ...string) ran, name string) string {
		h := run(t, "batch", "result", document.Batch.ID, "-o", filepath.Join(folder, name))
		require.Equal(t, exitDone, h.exit, h.err)
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, read(h.starter, "here.csv"), read(h.desk, "there.csv"))
}

// approvesAListAtTheDesk has two persons each sign one decision over two orders.
func (h *house) approvesAListAtTheDesk(t *testing.T) {
	t.Helper()
	first, second := h.withdrawal(t, "PK", "success", succeeds), h.withdrawal(t, "PK", "success", succeeds)
	h.stands(t, order.AwaitingApproval, first)
	h.stands(t, order.AwaitingApproval, second)
	file := filepath.Join(t.TempDir(), "monday.txt")
	require.NoError(t, os.WriteFile(file, []byte(first.request.Number+"\n"+second.request.Number+"\n"), 0o600))
	approve := []string{"approve", "--list", file, "--merchant", first.request.Merchant, "--json"}
	for _, person := range []string{"amina", "dana"} {
		var look struct{ List struct{ Root string } }
		looked := h.desk(t, approve...)
		require.NoError(t, json.Unmarshal([]byte(looked.out), &look), looked.err)
		signed := h.desk(t, append(approve, "--fingerprint", look.List.Root[:16], "--by", person)...)
		require.Equal(t, exitDone, signed.exit, signed.out+signed.err)
		require.Contains(t, signed.out, `"counts":{"done":2}`)
	}
	h.settled(t, first)
	h.settled(t, second)
	entries, err := h.books.Audit(h.ctx, first.request.Key())
	require.NoError(t, err)
	var proofs int
	for _, e := range entries {
		if e.Action == "approve" {
			require.Contains(t, e.Envelope, `"item"`)
			proofs++
		}
	}
	require.Equal(t, 2, proofs)
}

// actsOnTheBooksAtTheDesk does actions that are not on one order: those that persons sign,
// and one that the caller of the api may do itself.
func (h *house) actsOnTheBooksAtTheDesk(t *testing.T) {
	t.Helper()
	merchant := "--merchant=" + h.Merchant("PK")
	propose := []string{"adjust", "propose", "DESK-1", merchant, "--kind=top_up", "--amount=5", "--why=a test", "--evidence=slip 88", "--by=amina"}
	h.desk(t, propose...).answers(t, exitDone)
	require.Contains(t, h.desk(t, "adjust", "list", "--open", merchant, "--json").out, `"ref":"DESK-1"`)
	require.Equal(t, "SAME_PERSON", h.desk(t, "adjust", "confirm", "DESK-1", merchant, "--by=amina").answers(t, exitRefused).Error.Code)
	h.desk(t, "adjust", "reject", "DESK-1", merchant, "--why=it was a test", "--by=dana").answers(t, exitDone)
	found, err := h.books.Audit(h.ctx, order.Key{Merchant: h.Merchant("PK")})
	require.NoError(t, err)
	for _, e := range found {
		if !e.Refused && e.Action != ledger.ActionOpenBooks { // no person opens books
			require.Contains(t, e.Envelope, "BEGIN SSH SIGNATURE", e.Action)
		}
	}

	h.desk(t, "stop", "--country=PH", "--why=a test").answers(t, exitDone)
	h.desk(t, "resume", "--country=PH", "--why=a test", "--by=amina").answers(t, exitDone)
	h.desk(t, "resume", "--country=PH", "--why=a test", "--by=dana").answers(t, exitDone)
	h.desk(t, "set-aside", strings.Repeat("f", 64), "--why=w").answers(t, exitNotFound)
}

// closesADiscrepancyAtTheDesk has two persons sign that a difference of an order is dealt
// with. One person twice does not close it.
func (h *house) closesADiscrepancyAtTheDesk(t *testing.T) {
	t.Helper()
	p := h.expect(t, order.Withdrawal, "VN", "success", succeeds)
	h.creates(t, http.StatusCreated, p)
	require.Equal(t, order.Succeeded, h.reads(t, p, "?wait=60s").Order.State)
	h.discrepancies++
	require.NoError(t, h.books.OpenDiscrepancy(h.ctx, p.request.Key(), codes.DiscrepancyNoRecord, "a test"))
	standing := func() ledger.Discrepancy {
		found, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Number: p.request.Number})
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0]
	}
	id := strconv.FormatInt(standing().ID, 10)
	code := func(exit int, args ...string) string { return h.desk(t, args...).answers(t, exit).Error.Code }
	closing := []string{"close-discrepancy", id, "--why", "ticket 4711"}
	require.Equal(t, "NOT_THE_CALLER", code(exitRefused, "discrepancy", "assign", id, "--to", "dana", "--why", "w", "--by", "amina"), "nobody signs a step")
	h.desk(t, append(closing, "--by", "amina")...).answers(t, exitDone)
	require.Equal(t, order.DiscrepancyAccepting, standing().State)
	require.Equal(t, "SAME_PERSON", code(exitRefused, append(closing, "--by", "amina")...))
	require.Equal(t, order.DiscrepancyAccepting, standing().State)
	h.desk(t, append(closing, "--by", "dana")...).answers(t, exitDone)
	require.Equal(t, []string{"amina", "dana"}, []string{standing().AcceptedBy, standing().ClosedBy})
	require.Equal(t, order.DiscrepancyAccepted, standing().State)
	require.Equal(t, "DISCREPANCY_CLOSED", code(exitRefused, append(closing, "--by", "amina")...))
}

// adoptsAtTheDesk has a person adopt an order whose workflow was terminated, through the api.
// The discrepancy about it is closed with a signature, and the order goes on.
func (h *house) adoptsAtTheDesk(t *testing.T) {
	t.Helper()
	p := h.withdrawal(t, "PK", "success", succeeds)
	h.stands(t, order.AwaitingApproval, p)
	adopt := []string{"adopt", p.request.Number, "--by=amina"}
	require.Equal(t, codes.WorkflowRunning, h.desk(t, adopt...).answers(t, exitRefused).Error.Code)
	require.NoError(t, h.Temporal.TerminateWorkflow(h.ctx, contract.WorkflowID(p.request.Key()), "", "by mistake"))
	h.discrepancies++
	require.NoError(t, h.books.OpenDiscrepancy(h.ctx, p.request.Key(), codes.DiscrepancyOrphan, "a test"))
	var document payouts.Adopted
	adopted := h.desk(t, adopt...)
	require.Equal(t, exitDone, adopted.exit, adopted.out+adopted.err)
	require.NoError(t, json.Unmarshal([]byte(adopted.out), &document))
	require.NotEmpty(t, document.Started.RunID)
	require.Equal(t, order.AwaitingApproval, document.Order.State)
	require.Len(t, document.Closed, 1)
	open, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Number: p.request.Number, Merchant: p.request.Merchant, Open: true})
	require.NoError(t, err)
	require.Empty(t, open)
	entries, err := h.books.Audit(h.ctx, p.request.Key())
	require.NoError(t, err)
	adoptions := 0
	for _, e := range entries {
		if e.Action == ledger.ActionAdopt && !e.Refused {
			adoptions++
			require.Equal(t, "amina", e.Actor)
			require.Contains(t, e.Envelope, "BEGIN SSH SIGNATURE")
		}
	}
	require.Equal(t, 1, adoptions)
	for _, person := range []string{"amina", "dana"} {
		h.desk(t, "approve", p.request.Number, "--fingerprint", p.request.Fingerprint()[:8], "--by", person).answers(t, exitDone)
	}
	h.settled(t, p)
}
