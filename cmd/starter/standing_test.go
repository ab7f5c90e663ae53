package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// kept is INV-1 in the ledger, in a state.
func kept(t *testing.T, b *testBundle, state order.State) {
	t.Helper()
	view := withdrawal(t, state)
	b.ledgerErr = nil
	b.books.order = order.Order{
		Request: order.Request{
			Kind: view.Kind, Merchant: view.Merchant, Number: view.Number, Country: view.Country, Way: view.Way, Amount: view.Amount,
		},
		Standing: view.Standing,
	}
}

// told is INV-1 as its workflow tells of it, with the ledger's content.
func told(t *testing.T, b *testBundle, state order.State) {
	t.Helper()
	b.temporal.row, b.temporal.view = row(t, order.Created), withdrawal(t, state)
	b.temporal.view.Fingerprint = b.books.order.Request.Fingerprint()
	b.temporal.view.Next = "What the workflow does next."
}

// Wherever the ledger has an order, it decides; Temporal adds what happens next,
// and whether a workflow drives the order. What nobody sees to is a problem with
// a code, and the exit code says so.
func TestTheLedgerDecides(t *testing.T) {
	t.Parallel()
	const adopt = "starter adopt INV-1 --merchant " + merchant
	for name, test := range map[string]struct {
		given   func(*testing.T, *testBundle)
		state   order.State
		source  payouts.Source
		next    string
		problem string
		exit    int
	}{
		"paid, and Temporal has an older copy": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Succeeded)
			told(t, b, order.AwaitingApproval)
		}, order.Succeeded, payouts.FromLedger, "Nothing: the order has ended.", "", exitDone},
		"both agree": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.Submitted)
		}, order.Submitted, payouts.FromLedger, "What the workflow does next.", "", exitDone},
		"the workflow is behind": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.AwaitingApproval)
		}, order.Submitted, payouts.FromLedger, "Its workflow has it as awaiting_approval, and goes on from what the ledger says once it hears anything: starter poll INV-1 --merchant " + merchant, "", exitDone},
		"no worker answers": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.Submitted)
			b.temporal.viewErr = order.Refuse(client.CodeNoAnswer, "no answer")
		}, order.Submitted, payouts.FromLedger, "Not known: no worker answers for the order's workflow.", "", exitDone},
		"Temporal is away": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			b.temporalErr = order.Refuse(client.CodeTemporalUnreachable, "away")
		}, order.Submitted, payouts.FromLedger, "Not known: away.", "", exitDone},
		"terminated": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.Submitted)
			b.temporal.row.Open, b.temporal.row.Status = false, "Terminated"
		}, order.Submitted, payouts.FromLedger, "", codes.DiscrepancyOrphan, exitUnderWay},
		"forgotten": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			notFound(t, b)
		}, order.Submitted, payouts.FromLedger, "", codes.DiscrepancyOrphan, exitUnderWay},
		"its id is taken": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.Submitted)
			b.temporal.row.Squatted = "a workflow of type Mailer has the id"
		}, order.Submitted, payouts.FromLedger, "", order.CodeNumberSquatted, exitUnderWay},
		"another order under the number": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.Created)
			b.temporal.view.Fingerprint = "another"
		}, order.Submitted, payouts.FromLedger, "", order.CodeOrderConflict, exitUnderWay},

		"no row, running for long": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Submitted)
			told(t, b, order.Submitted)
			b.books.orderErr = ledger.ErrNotFound
		}, order.Submitted, payouts.FromWorkflow, "What the workflow does next.", codes.DiscrepancyNotInLedger, exitUnderWay},
		"no row, just started": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Created)
			told(t, b, order.Created)
			b.books.orderErr = ledger.ErrNotFound
			b.temporal.row.StartedAt = noon.Add(time.Hour - time.Second)
		}, order.Created, payouts.FromWorkflow, "What the workflow does next.", "", exitDone},
		"no row, and ended": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Succeeded)
			told(t, b, order.Succeeded)
			b.temporal.row = row(t, order.Succeeded)
			b.books.orderErr = ledger.ErrNotFound
		}, order.Succeeded, payouts.FromWorkflow, "Nothing: the order has ended.", codes.DiscrepancyNotInLedger, exitUnderWay},
		"no row, because it was refused": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Rejected)
			told(t, b, order.Rejected)
			b.temporal.view.Reason.Code = order.CodeUnknownMerchant
			b.temporal.row = row(t, order.Rejected)
			b.books.orderErr = ledger.ErrNotFound
		}, order.Rejected, payouts.FromWorkflow, "The order has ended. Add the merchant to PAYOUTS_MERCHANTS of a worker, then start the same number again.", "", exitDone},
		"no row, and terminated": {func(t *testing.T, b *testBundle) {
			kept(t, b, order.Created)
			told(t, b, order.Created)
			b.temporal.row.Open, b.temporal.row.Status = false, "Terminated"
			b.books.orderErr = ledger.ErrNotFound
		}, order.Created, payouts.FromList, "", codes.DiscrepancyNotInLedger, exitUnderWay},
		"no ledger, and terminated": {func(t *testing.T, b *testBundle) {
			told(t, b, order.Created)
			b.temporal.row.Open, b.temporal.row.Status = false, "Terminated"
		}, order.Created, payouts.FromList, "", codes.DiscrepancyOrphan, exitUnderWay},
		"no ledger, and failed": {func(t *testing.T, b *testBundle) {
			told(t, b, order.Created)
			b.temporal.row.Open, b.temporal.row.Status = false, "Failed"
		}, order.Created, payouts.FromList, "", codes.DiscrepancyOrphan, exitUnderWay},
		"the ledger is away": {func(t *testing.T, b *testBundle) {
			told(t, b, order.Submitted)
			b.ledgerErr = &ledger.Error{Code: ledger.CodeUnreachable, Text: "it does not answer"}
		}, order.Submitted, payouts.FromWorkflow, "What the workflow does next.", ledger.CodeUnreachable, exitUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.given(t, b)
			got := b.run(t.Context(), "status", "INV-1", "--merchant", merchant, "--json")
			require.Equal(t, test.exit, got.code, got.out+got.errs)
			var document orderDocument
			require.NoError(t, json.Unmarshal([]byte(got.out), &document))
			require.Equal(t, test.state, document.Order.State)
			require.Equal(t, test.source, document.Source)
			require.Equal(t, test.next, document.Order.Next)
			problem := order.Reason{}
			if document.Problem != nil {
				problem = *document.Problem
			}
			require.Equal(t, test.problem, problem.Code)
			if problem.Code == codes.DiscrepancyOrphan {
				require.Contains(t, problem.Text, adopt)
			}
			text := b.run(t.Context(), "status", "INV-1", "--merchant", merchant)
			require.Equal(t, test.exit, text.code)
			require.Contains(t, text.out, problem.Code)
		})
	}
}

// A workflow that has the id of an order and drives none tells nothing of it.
func TestASquatterIsNoOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	told(t, b, order.Succeeded)
	b.temporal.row.Squatted = "a workflow of type Mailer has the id"
	for _, args := range [][]string{{}, {"--wait"}} {
		got := b.run(t.Context(), append([]string{"status", "INV-1", "--merchant", merchant}, args...)...)
		require.Equal(t, exitRefused, got.code)
		require.Empty(t, got.out)
		require.Contains(t, got.errs, order.CodeNumberSquatted)
	}
}

// Whatever shows an order shows it as the ledger has it.
func TestWhateverShowsAnOrderAsksTheLedger(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"wait":    {"status", "INV-1", "--merchant", merchant, "--wait"},
		"approve": {"approve", "INV-1", "--merchant", merchant, "--fingerprint", "f00d"},
		"note":    {"note", "INV-1", "looked at", "--merchant", merchant},
		"poll":    {"poll", "INV-1", "--merchant", merchant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			kept(t, b, order.Succeeded)
			told(t, b, order.AwaitingApproval)
			got := b.run(t.Context(), append(args, "--json")...)
			require.Equal(t, exitDone, got.code, got.errs)
			var document orderDocument
			require.NoError(t, json.Unmarshal([]byte(got.out), &document))
			require.Equal(t, order.Succeeded, document.Order.State)
			require.Equal(t, b.books.order.Amount, document.Order.Paid)
			require.Equal(t, payouts.FromLedger, document.Source)
			require.Equal(t, "Nothing: the order has ended.", document.Order.Next)

			if name == "wait" {
				return // it has ended, and Temporal is not asked
			}
			b.temporal.view.Fingerprint = "another"
			got = b.run(t.Context(), args...)
			require.Equal(t, exitRefused, got.code)
			require.Contains(t, got.errs, order.CodeOrderConflict)
		})
	}
}

// A workflow that has ended while the ledger has the order open, because an older
// copy of the ledger was restored, is no end of the order.
func TestAnEndThatTheLedgerDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kept(t, b, order.Submitted)
	told(t, b, order.Succeeded)
	got := b.run(t.Context(), "status", "INV-1", "--merchant", merchant, "--wait", "--json")
	require.Equal(t, exitUnderWay, got.code)
	var document orderDocument
	require.NoError(t, json.Unmarshal([]byte(got.out), &document))
	require.Equal(t, order.Submitted, document.Order.State)
	require.Equal(t, codes.DiscrepancyOrphan, document.Problem.Code)
}

// A workflow that was ended from outside is no end of the order, and no bug of
// ours.
func TestWaitForATerminatedWorkflow(t *testing.T) {
	t.Parallel()
	for _, has := range []bool{true, false} {
		b := setup(t)
		if has {
			kept(t, b, order.Submitted)
		}
		told(t, b, order.Created)
		b.temporal.viewErr = order.Refuse(codes.DiscrepancyOrphan, "no workflow drives it")
		b.temporal.row.Open, b.temporal.row.Status = false, "Terminated"
		got := b.run(t.Context(), "status", "INV-1", "--merchant", merchant, "--wait", "--json")
		require.Equal(t, exitUnderWay, got.code, "nothing says that the order is over")
		var document orderDocument
		require.NoError(t, json.Unmarshal([]byte(got.out), &document))
		require.Equal(t, codes.DiscrepancyOrphan, document.Problem.Code)
	}
}

// The list shows orders as the ledger has them, says which nobody sees to, and
// has what only Temporal has.
func TestTheListIsTheLedgers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.openReal(t)
	now := func(number string, status string) client.Row {
		r := row(t, order.AwaitingApproval)
		r.Number, r.WorkflowID, r.Status, r.Open = number, "order:"+merchant+":"+number, status, status == "Running"
		return r
	}
	paid := b.sent(t, request(t, "PAID", "1500"), accepted)
	_, err := b.real.Settle(t.Context(), paid, rules.Finding{
		Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: gatewayOrder, Paid: amount(t, "1500", "PKR"), Fee: amount(t, "15", "PKR"),
	})
	require.NoError(t, err)
	b.opened(t, request(t, "DRIVEN", "100"))
	b.opened(t, request(t, "DEAD", "100"))
	b.opened(t, request(t, "WAITS", "30000"))
	b.opened(t, request(t, "LOST", "100"))
	b.temporal.rows = []client.Row{now("PAID", "Running"), now("DRIVEN", "Running"), now("DEAD", "Terminated"), now("WAITS", "Running"), now("UNWRITTEN", "Running")}
	dead := now("DEAD", "Terminated")
	for _, test := range []struct {
		flags []string
		want  map[string]string
	}{
		{nil, map[string]string{
			"PAID": "succeeded", "DRIVEN": "reserved", "DEAD": "reserved WORKFLOW_MISSING", "WAITS": "awaiting_approval",
			"LOST": "reserved WORKFLOW_MISSING", "UNWRITTEN": "awaiting_approval ORDER_NOT_IN_LEDGER",
		}},
		{[]string{"--state", "awaiting_approval"}, map[string]string{"WAITS": "awaiting_approval", "UNWRITTEN": "awaiting_approval ORDER_NOT_IN_LEDGER"}},
		{[]string{"--state", "succeeded"}, map[string]string{"PAID": "succeeded", "UNWRITTEN": "awaiting_approval ORDER_NOT_IN_LEDGER"}},
		{[]string{"--open", "--needs-review"}, map[string]string{"WAITS": "awaiting_approval", "UNWRITTEN": "awaiting_approval ORDER_NOT_IN_LEDGER"}},
	} {
		b.temporal.row = dead // whatever is looked at
		got := b.run(t.Context(), append([]string{"list", "--json"}, test.flags...)...)
		require.Equal(t, exitDone, got.code, got.errs)
		var document payouts.List
		require.NoError(t, json.Unmarshal([]byte(got.out), &document))
		require.Equal(t, payouts.FromLedger, document.Source)
		have := make(map[string]string)
		for _, o := range document.Orders {
			have[o.Number] = string(o.State)
			if o.Problem != "" {
				have[o.Number] += " " + o.Problem
			}
		}
		require.Equal(t, test.want, have)
	}
	limited := b.run(t.Context(), "list", "--limit", "2")
	require.Contains(t, limited.out, "LOST")
	require.Contains(t, limited.out, "there are more")
	require.NotContains(t, limited.out, "PAID")

	b.temporalErr = order.Refuse(client.CodeTemporalUnreachable, "away")
	alone := b.run(t.Context(), "list")
	require.Equal(t, exitUnreachable, alone.code)
	require.Contains(t, alone.out, "succeeded")
	require.NotContains(t, alone.out, "UNWRITTEN")
	require.Contains(t, alone.errs, "Temporal, which may have more orders, cannot be asked")
}

// An order that was rejected before the ledger had it, because no worker has its
// merchant, is listed without Temporal, too. What the ledger does not know of it is left
// out, and it is left out where a filter asks for that.
func TestTheListHasTheRejectedWithoutTemporal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.openReal(t)
	b.opened(t, request(t, "PAY-1", "700"))
	b.opened(t, request(t, "AGAIN-1", "700")) // it was started again, and recorded
	b.clock = b.clock.Add(time.Minute)
	for _, id := range []string{"order:M999:LOST-1", "order:M998:LOST-2", "order:" + merchant + ":AGAIN-1"} {
		require.NoError(t, b.real.RefuseStart(t.Context(), "", id, order.Reason{Code: order.CodeUnknownMerchant, Text: "no worker has it"}))
	}
	b.temporalErr = order.Refuse(client.CodeTemporalUnreachable, "away")
	for want, flags := range map[string][]string{
		"LOST-1 LOST-2 AGAIN-1 PAY-1": nil, "LOST-1": {"--merchant", "M999"}, "LOST-1 LOST-2": {"--state", "rejected"},
		"AGAIN-1 PAY-1": {"--open"}, "PAY-1 AGAIN-1": {"--country", "PK"},
	} {
		got := b.run(t.Context(), append([]string{"list", "--json"}, flags...)...)
		require.Equal(t, exitUnreachable, got.code, got.errs)
		var list payouts.List
		require.NoError(t, json.Unmarshal([]byte(got.out), &list))
		var numbers []string
		for _, o := range list.Orders {
			numbers = append(numbers, o.Number)
			if o.Merchant != merchant {
				require.Equal(t, order.Rejected, o.State)
			}
		}
		require.ElementsMatch(t, strings.Fields(want), numbers, flags)
	}
	require.Contains(t, b.run(t.Context(), "list").out, "M999")
}

// Without its ledger the list is Temporal's, and says so.
func TestTheListWithoutItsLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	someOrders(t, b)
	b.ledgerErr = &ledger.Error{Code: ledger.CodeUnreachable}
	got := b.run(t.Context(), "list")
	require.Equal(t, exitUnreachable, got.code)
	require.Contains(t, got.out, "in_review")
	require.Contains(t, got.errs, "the ledger, which decides, cannot be asked")
}

// A number that was rejected before anything was written down is in no ledger, and
// what its workflow knows is told all the same.
func TestTheRejectedAreToldOf(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rejectedAtTheDoor(t, b)
	b.openReal(t)
	b.temporal.view.Merchant, b.temporal.row.Merchant = merchant, merchant
	for _, args := range [][]string{{"show", "INV-1", "--merchant", merchant}, {"audit", "INV-1", "--merchant", merchant}} {
		got := b.run(t.Context(), args...)
		require.Equal(t, exitNotFound, got.code, args)
		require.Equal(t, "error: nothing is on record of order M1700000001/INV-1; its workflow ended as rejected before anything was written down: "+
			"merchant M1700000001 is not configured for PK (UNKNOWN_MERCHANT). Once that is mended, the same number may be started again (ORDER_NOT_FOUND)\n", got.errs)
	}
	b.temporal.view = withdrawal(t, order.Submitted)
	require.Contains(t, b.run(t.Context(), "show", "INV-1", "--merchant", merchant).errs,
		"; Temporal has a workflow of it: starter status INV-1 --merchant M1700000001 (ORDER_NOT_FOUND)")
	b.temporalErr = order.Refuse(client.CodeTemporalUnreachable, "away")
	require.Equal(t, "error: nothing is on record of order M1700000001/INV-1 (ORDER_NOT_FOUND)\n",
		b.run(t.Context(), "show", "INV-1", "--merchant", merchant).errs)
}

func TestRoughly(t *testing.T) {
	t.Parallel()
	for text, d := range map[string]time.Duration{
		"3d4h": 76*time.Hour + 5*time.Minute, "2h5m": 2*time.Hour + 5*time.Minute + time.Second, "1m30s": 90 * time.Second,
		"40s": 40*time.Second + 999*time.Millisecond, "0s": -time.Second,
	} {
		require.Equal(t, text, roughly(d))
	}
}
