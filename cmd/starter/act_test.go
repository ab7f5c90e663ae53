package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// bareTemporal is a server with one worker behind it, on which no order's
// workflow runs: what is started is what acts without one, and it does so on a
// real ledger, and what drives an order that is adopted.
type bareTemporal struct {
	temporalclient.Client
	books *activities.Books

	driven  bool            // orders have a workflow after all: none can be started
	queue   string          // where that waits; "" is ours
	silent  bool            // nobody answers for what acts
	started []order.Request // for adoptions
}

func (*bareTemporal) UpdateWorkflow(context.Context, temporalclient.UpdateWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	return nil, serviceerror.NewNotFound("no such workflow")
}

func (b *bareTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	_, is := contract.ParseWorkflowID(id)
	if !b.driven || !is {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run-1"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Type: &commonpb.WorkflowType{Name: contract.WithdrawalType}, TaskQueue: cmp.Or(b.queue, contract.Queue),
	}}, nil
}

func (b *bareTemporal) ExecuteWorkflow(ctx context.Context, options temporalclient.StartWorkflowOptions, workflow any, arguments ...any) (temporalclient.WorkflowRun, error) {
	if request, ok := arguments[0].(order.Request); ok && workflow == contract.WithdrawalType {
		if b.driven {
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it runs", "", "run-1")
		}
		b.started = append(b.started, request)
		return &finished{id: options.ID}, nil
	}
	if action, ok := arguments[0].(order.BookAction); ok && workflow == contract.BookActionType {
		acted, err := b.books.ActOnBooks(ctx, action)
		return &finished{id: options.ID, result: acted}, err
	}
	return nil, errors.New("nothing else is started here")
}

func (*bareTemporal) NewWithStartWorkflowOperation(temporalclient.StartWorkflowOptions, any, ...any) temporalclient.WithStartWorkflowOperation {
	return nil
}

func (b *bareTemporal) UpdateWithStartWorkflow(ctx context.Context, options temporalclient.UpdateWithStartWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	if b.silent {
		return nil, serviceerror.NewUnavailable("connection refused")
	}
	input := options.UpdateOptions.Args[0].(contract.OperatorActionInput)
	acted, err := b.books.Act(ctx, input.Key, input.Action)
	return actedUpdate{acted: acted}, err
}

// actedUpdate is an update that is answered at once.
type actedUpdate struct {
	temporalclient.WorkflowUpdateHandle
	acted contract.Acted
}

func (a actedUpdate) Get(_ context.Context, into any) error { return crossed(a.acted, into) }

// finished is a run that is over at once.
type finished struct {
	temporalclient.WorkflowRun
	id     string
	result any
}

func (f *finished) Get(_ context.Context, into any) error { return crossed(f.result, into) }

// crossed decodes what crosses Temporal as JSON.
func crossed(from, into any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (f *finished) GetID() string { return f.id }

func (*finished) GetRunID() string { return "run-2" }

// bare puts a real client and a real ledger behind the command line.
func (b *testBundle) bare(t *testing.T) *bareTemporal {
	t.Helper()
	b.happenings(t)
	temporal := &bareTemporal{books: activities.NewBooks(b.real, activities.Settings{Policy: policy(t)})}
	b.client = client.New(temporal)
	return temporal
}

// deeds on an order that has ended, on a number that we do not have, and on
// one that stands elsewhere are refused with the reason's code, and the audit
// has who tried what.
func TestRefusedDeedsLeaveATrace(t *testing.T) {
	t.Parallel()
	commands := map[string][]string{
		"approve": {"--fingerprint", "f00d"},
		"reject":  {"--why", "not ours"},
		"cancel":  {"--why", "not ours"},
		"resolve": {"--state", "failed", "--why", "support says so", "--evidence", "ticket 4711"},
	}
	for _, test := range []struct {
		command, number string
		code            string
		exit            int
	}{
		{"approve", "FIN-1", order.CodeTerminal, exitRefused},
		{"reject", "FIN-1", order.CodeTerminal, exitRefused},
		{"cancel", "FIN-1", order.CodeTerminal, exitRefused},
		{"resolve", "FIN-1", order.CodeTerminal, exitRefused},
		{"approve", "NOBODYS-1", order.CodeOrderNotFound, exitNotFound},
		{"reject", "NOBODYS-1", order.CodeOrderNotFound, exitNotFound},
		{"cancel", "NOBODYS-1", order.CodeOrderNotFound, exitNotFound},
		{"resolve", "NOBODYS-1", order.CodeOrderNotFound, exitNotFound},
		{"approve", "PAY-1", codes.FingerprintMismatch, exitRefused},
		{"approve", "UNK-1", codes.NotAwaitingApproval, exitRefused},
		{"cancel", "UNK-1", order.CodeAlreadySubmitted, exitRefused},
		{"resolve", "UNK-1", codes.NotInReview, exitRefused},
		{"poll", "FIN-1", order.CodeTerminal, exitRefused},
		{"poll", "NOBODYS-1", order.CodeOrderNotFound, exitNotFound},
		{"poll", "PAY-1", codes.NotSubmitted, exitRefused},
		{"adopt", "FIN-1", order.CodeTerminal, exitRefused},
		{"adopt", "NOBODYS-1", order.CodeOrderNotFound, exitNotFound},
	} {
		t.Run(test.command+" "+test.number, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.bare(t)
			args := append([]string{test.command, test.number, "--merchant", merchant, "--by", "dana", "--json"}, commands[test.command]...)
			got := b.run(t.Context(), args...)
			require.Equal(t, test.exit, got.code, got.out)
			require.Contains(t, got.out, `"code":"`+test.code+`"`)
			last := b.lastEntry(t, test.number)
			require.Equal(t, "dana", last.Actor)
			require.Equal(t, ledger.AuditAction(test.command), last.Action)
			require.True(t, last.Refused)
			require.Equal(t, test.code, last.Reason.Code)
			require.Equal(t, last.Before, last.After)
		})
	}
}

// A deed that says not who does it, why, or on what proof is sent, too: it is
// refused where it leaves a trace.
func TestDeedsThatSayTooLittle(t *testing.T) {
	t.Parallel()
	resolve := []string{"resolve", "REV-1", "--state", "failed"}
	for name, test := range map[string]struct {
		args  []string
		code  string
		actor string
	}{
		"approve, who":          {[]string{"approve", "PAY-1", "--fingerprint", "f00d", "--by", ""}, order.CodeWhoMissing, "nobody"},
		"approve, blank who":    {[]string{"approve", "PAY-1", "--fingerprint", "f00d", "--by", " "}, order.CodeWhoMissing, "nobody"},
		"reject, who":           {[]string{"reject", "PAY-1", "--why", "w", "--by", ""}, order.CodeWhoMissing, "nobody"},
		"reject, why":           {[]string{"reject", "PAY-1"}, order.CodeWhyMissing, "amina"},
		"cancel, who":           {[]string{"cancel", "PAY-1", "--why", "w", "--by", ""}, order.CodeWhoMissing, "nobody"},
		"cancel, why":           {[]string{"cancel", "PAY-1", "--by", "dana"}, order.CodeWhyMissing, "dana"},
		"note, who":             {[]string{"note", "FIN-1", "seen", "--by", ""}, order.CodeWhoMissing, "nobody"},
		"poll, who":             {[]string{"poll", "UNK-1", "--by", ""}, order.CodeWhoMissing, "nobody"},
		"adopt, who":            {[]string{"adopt", "ORPH-1", "--by", ""}, order.CodeWhoMissing, "nobody"},
		"note, text":            {[]string{"note", "FIN-1", ""}, order.CodeWhyMissing, "amina"},
		"resolve, who":          {append(resolve, "--why", "w", "--evidence", "e", "--by", ""), order.CodeWhoMissing, "nobody"},
		"resolve, why":          {append(resolve, "--evidence", "e"), order.CodeWhyMissing, "amina"},
		"resolve, proof":        {append(resolve, "--why", "w"), codes.EvidenceMissing, "amina"},
		"of a number not ours":  {[]string{"cancel", "NOBODYS-1", "--by", ""}, order.CodeOrderNotFound, "nobody"},
		"of an order long gone": {[]string{"reject", "FIN-1", "--by", ""}, order.CodeWhoMissing, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			temporal := b.bare(t)
			got := b.run(t.Context(), append(slices.Clone(test.args), "--merchant", merchant)...)
			require.Equal(t, exitOf(test.code), got.code)
			require.Contains(t, got.errs, "("+test.code+")\n")
			require.Equal(t, test.code == order.CodeWhoMissing, strings.Contains(got.errs, "give a name with --by"))
			last := b.lastEntry(t, test.args[1])
			require.Equal(t, ledger.AuditAction(test.args[0]), last.Action)
			require.Equal(t, test.actor, last.Actor)
			require.True(t, last.Refused)
			require.Equal(t, test.code, last.Reason.Code)
			require.Empty(t, temporal.started)
		})
	}
}

// What cannot be sent reaches nobody.
func TestDeedsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"approve"}, {"reject"}, {"cancel"}, {"adopt"}, {"poll"}, {"note", "INV-1"}, {"note", "INV-1", "two", "words"},
		{"resolve", "INV-1", "--why", "w", "--evidence", "e"}, {"resolve", "INV-1", "--state", "done", "--why", "w", "--evidence", "e"},
		{"resolve", "INV-1", "--state", "failed", "--paid", "3", "--why", "w", "--evidence", "e"},
		{"resolve", "INV-1", "--state", "succeeded", "--fee", "3.001", "--why", "w", "--evidence", "e"}, {"reject", "", "--why", "w"},
	} {
		b := setup(t)
		b.temporal.row = row(t, order.InReview)
		got := b.run(t.Context(), append(args, "--merchant", merchant)...)
		require.Equal(t, exitUsage, got.code, args)
		require.Empty(t, b.temporal.asked, args)
	}
}

func (b *testBundle) lastEntry(t *testing.T, number string) ledger.AuditEntry {
	t.Helper()
	entries, err := b.real.Audit(t.Context(), order.Key{Merchant: merchant, Number: number})
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	return entries[len(entries)-1]
}

// What may be done is done without a workflow, too, and says that one has to
// be started.
func TestDeedsWithoutAWorkflow(t *testing.T) {
	t.Parallel()
	row := func(t *testing.T, b *testBundle, number string) order.Order {
		t.Helper()
		o, err := b.real.Order(t.Context(), order.Key{Merchant: merchant, Number: number})
		require.NoError(t, err)
		return o
	}
	said := map[string]string{ // what was done, in the first line
		"approve": "approved by dana", "reject": "rejected by dana: not ours", "cancel": "cancelled by dana: not ours",
		"note": "noted in the order's audit by dana: seen", "confirm": "resolved by dana: so says support",
		"propose otherwise": "withdrawal " + merchant + "/REV-1",
	}
	for name, test := range map[string]struct {
		args   func(*testing.T, *testBundle) []string
		number string
		state  order.State
		says   string
		action ledger.AuditAction
	}{
		"approve": {func(t *testing.T, b *testBundle) []string {
			return []string{"approve", "PAY-1", "--fingerprint", row(t, b, "PAY-1").Fingerprint}
		}, "PAY-1", order.Reserved, "starter adopt PAY-1 --merchant " + merchant, ledger.ActionApprove},
		"reject": {func(*testing.T, *testBundle) []string {
			return []string{"reject", "PAY-1", "--why", "not ours"}
		}, "PAY-1", order.Rejected, "Nothing: the order has ended.", ledger.ActionReject},
		"cancel": {func(*testing.T, *testBundle) []string {
			return []string{"cancel", "PAY-1", "--why", "not ours"}
		}, "PAY-1", order.Cancelled, "by dana: not ours (CANCELLED)", ledger.ActionCancel},
		"note": {func(*testing.T, *testBundle) []string {
			return []string{"note", "FIN-1", "seen"}
		}, "FIN-1", order.Succeeded, "1500.00 PKR", ledger.ActionNote},
		"confirm": {func(*testing.T, *testBundle) []string {
			return []string{"resolve", "REV-1", "--state", "failed", "--why", "so says support", "--evidence", "ticket 4712"}
		}, "REV-1", order.Failed, "resolved by amina and dana", ledger.ActionResolve},
		"propose otherwise": {func(*testing.T, *testBundle) []string {
			return []string{"resolve", "REV-1", "--state", "succeeded", "--fee", "2.50", "--replace", "--why", "so says support", "--evidence", "ticket 4712"}
		}, "REV-1", order.InReview, "books  900.00 PKR paid, and a fee of 2.50 PKR that the gateway kept\n", ledger.ActionPropose},
	} {
		deed := func(t *testing.T, throughTheDoor bool) {
			t.Helper()
			t.Parallel()
			b := setup(t)
			b.bare(t)
			args := append(test.args(t, b), "--merchant", merchant, "--by", "dana")
			if throughTheDoor {
				args = append(args, "--api", b.door(t))
			}
			got := b.run(t.Context(), args...)
			require.Equal(t, exitDone, got.code, got.errs)
			require.Contains(t, got.out, string(test.state))
			require.Contains(t, got.out, test.says)
			done, _, _ := strings.Cut(got.out, "\n")
			require.Equal(t, said[name], done)
			require.Contains(t, got.out, "the ledger")
			require.Equal(t, test.state, row(t, b, test.number).State)
			last := b.lastEntry(t, test.number)
			require.Equal(t, test.action, last.Action)
			require.False(t, last.Refused)
			report, err := b.real.VerifyAudit(t.Context(), ledger.AuditEvidence{})
			require.NoError(t, err)
			require.Empty(t, report.Broken)
		}
		t.Run(name, func(t *testing.T) { deed(t, false) })
		t.Run(name+" through the api", func(t *testing.T) { deed(t, true) })
	}
}

// The audit of every country's order is kept under its own number; a name in
// the number's place would stay there for ever.
func TestDeedsTakeNumbersOnly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"approve", planted[0], "--fingerprint", "f00d"}, {"reject", planted[0], "--why", "w"}, {"cancel", planted[3], "--why", "w"},
		{"note", planted[0], "text"}, {"adopt", planted[0]}, {"poll", planted[0]},
		{"resolve", planted[0], "--state", "failed", "--why", "w", "--evidence", "e"}, {"reject", "INV-1", "--merchant", planted[0], "--why", "w"},
	} {
		b := setup(t)
		got := b.run(t.Context(), append([]string{args[0], "--merchant", merchant}, args[1:]...)...)
		require.Equal(t, exitUsage, got.code, args)
		require.Contains(t, got.errs, order.ProblemNumber, args)
		for _, value := range append(strings.Fields(planted[0]), planted...) {
			require.NotContains(t, got.errs, value)
		}
		require.Empty(t, b.temporal.asked)
	}
}

// What a command sends is what was typed, by whom the system knows unless they
// say otherwise, and each run is a deed of its own.
func TestDeedsSayWho(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.row, b.temporal.view = row(t, order.AwaitingApproval), withdrawal(t, order.Reserved)
	b.temporal.row.Kind = order.Deposit
	run := func(args ...string) {
		t.Helper()
		got := b.run(t.Context(), append(args, "--merchant", merchant)...)
		require.Equal(t, exitDone, got.code, got.errs)
	}
	run("approve", "INV-1", "--fingerprint", "f00d", "--why", "known to us")
	run("approve", "INV-1", "--fingerprint", "f00d", "--by", "chen")
	run("reject", "INV-1", "--why", "unknown to us")
	run("cancel", "INV-1", "--why", "paid by hand", "--by", "chen")
	run("note", "INV-1", "asked support, ticket 4711")
	run("poll", "INV-1", "--by", "chen")
	require.Len(t, b.temporal.asked, 6)
	d := b.temporal.deeds
	ids := []string{d.approvals[0].ID, d.approvals[1].ID, d.rejections[0].ID, d.cancellations[0].ID, d.notes[0].ID, d.polls[0].ID}
	for i, id := range ids {
		require.NotEmpty(t, id)
		require.NotContains(t, ids[i+1:], id)
	}
	require.Equal(t, []order.Approval{
		{ID: ids[0], By: "amina", Fingerprint: "f00d", Why: "known to us"}, {ID: ids[1], By: "chen", Fingerprint: "f00d"},
	}, d.approvals)
	require.Equal(t, []order.Rejection{{ID: ids[2], By: "amina", Why: "unknown to us"}}, d.rejections)
	require.Equal(t, []order.Cancellation{{ID: ids[3], By: "chen", Why: "paid by hand"}}, d.cancellations)
	require.Equal(t, []order.Note{{ID: ids[4], By: "amina", Text: "asked support, ticket 4711"}}, d.notes)
	require.Equal(t, []order.Poll{{ID: ids[5], By: "chen"}}, d.polls)
}

// Without a fingerprint nothing is approved, whatever state the order is in.
func TestApproveLooksFirst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state order.State
		code  int
	}{
		"approve_look":       {order.AwaitingApproval, exitUsage},
		"approve_look_ended": {order.Succeeded, exitRefused},
	} {
		b := setup(t)
		b.temporal.row, b.temporal.view = row(t, test.state), withdrawal(t, test.state)
		requireRun(t, b, name, []string{"approve", "INV-1", "--merchant", merchant}, test.code)
		require.Empty(t, b.temporal.approvals)
	}
	b := setup(t)
	noWorker(t, b)
	requireRun(t, b, "approve_look_no_worker", []string{"approve", "INV-1", "--merchant", merchant}, exitUnderWay)
}

// A deed that nobody answers may still be done: that is said.
func TestDeedsThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.row, b.temporal.blocks = row(t, order.AwaitingApproval), true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := b.run(ctx, "reject", "INV-1", "--merchant", merchant, "--why", "w")
	require.Equal(t, exitUnderWay, got.code)
	require.Contains(t, got.errs, "it may still do as told")

	b = setup(t)
	temporalAway(t, b)
	require.Equal(t, exitUnreachable, b.run(t.Context(), "reject", "INV-1", "--merchant", merchant, "--why", "w").code)
	b = setup(t)
	b.temporal.findErr = order.Refuse(client.CodeTemporalUnreachable, "away")
	require.Equal(t, exitUnreachable, b.run(t.Context(), "reject", "INV-1", "--merchant", merchant, "--why", "w").code)
	require.Empty(t, b.temporal.rejections)
}

// An amount is read in the currency of the order's country, which Temporal may
// have forgotten: then the settings know the merchant's. Without either it is
// refused rather than guessed.
func TestResolveNeedsTheCountry(t *testing.T) {
	t.Parallel()
	args := []string{"resolve", "INV-1", "--merchant", merchant, "--state", "succeeded", "--fee", "2.50", "--why", "w", "--evidence", "e"}
	b := setup(t)
	notFound(t, b)
	require.Equal(t, exitDone, b.run(t.Context(), args...).code)
	require.Equal(t, amount(t, "2.50", "PKR"), b.temporal.resolutions[0].Fee)

	b = setup(t)
	notFound(t, b)
	b.settings.Merchants = nil
	got := b.run(t.Context(), args...)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errs, order.ProblemCountry)
	require.Empty(t, b.temporal.resolutions)
}

// A fee of everything needs a confirmation at every door; a fee that was not given
// is said to be none.
func TestResolveAsksForTheFee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bare(t)
	args := []string{"resolve", "REV-1", "--merchant", merchant, "--by", "dana", "--state", "succeeded", "--why", "w", "--evidence", "e", "--fee", "900"}
	got := b.run(t.Context(), args...)
	require.Equal(t, exitRefused, got.code)
	require.Contains(t, got.errs, "a fee of 900.00 PKR is all of what was paid")
	require.Contains(t, got.errs, "--whole-fee (FEE_NOT_CONFIRMED)")
	require.True(t, b.lastEntry(t, "REV-1").Refused)
	got = b.run(t.Context(), append(args, "--whole-fee")...) // the examples' REV-1 has a proposal of amina's
	require.Equal(t, exitRefused, got.code)
	require.Contains(t, got.errs, "amina has proposed failed, and this says succeeded, fee 900.00 PKR")
	require.Contains(t, got.errs, "--replace (PROPOSAL_DIFFERS)")
	got = b.run(t.Context(), append(args, "--whole-fee", "--replace")...)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, "--fee 900 --whole-fee --why WHY")

	view := withdrawal(t, order.Succeeded)
	view.Fee = amount(t, "0", "PKR")
	for _, test := range []struct {
		state order.State
		flags resolveFlags
		says  string
	}{
		{order.Succeeded, resolveFlags{}, "no --fee was given, so a fee of 0.00 PKR is booked"},
		{order.Succeeded, resolveFlags{fee: "0"}, ""},
		{order.Failed, resolveFlags{}, ""},
	} {
		view.State = test.state
		var out strings.Builder
		writeUnsaidFee(&out, view, test.flags)
		require.True(t, strings.HasPrefix(out.String(), test.says) && (out.String() == "") == (test.says == ""), out.String())
	}
}

func TestResolveSaysThatASecondPersonIsNeeded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.row, b.temporal.view = row(t, order.InReview), withdrawal(t, order.InReview)
	b.temporal.view.Next = "A second person has to confirm what amina proposed: resolve it to the same end. The gateway is still asked now and then."
	requireRun(t, b, "resolve_proposed", []string{
		"resolve", "INV-1", "--merchant", merchant, "--state", "succeeded", "--fee", "15", "--why", "paid", "--evidence", "ticket 4711",
	}, exitDone)
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	args := []string{"adopt", "ORPH-1", "--merchant", merchant, "--by", "dana"}
	orphans := func(t *testing.T, b *testBundle) []ledger.Discrepancy {
		t.Helper()
		open, err := b.real.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Code: codes.DiscrepancyOrphan, Open: true})
		require.NoError(t, err)
		return open
	}

	t.Run("done", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		temporal := b.bare(t)
		got := b.run(t.Context(), append(args, "--json")...)
		require.Equal(t, exitDone, got.code, got.out)
		var document payouts.Adopted
		require.NoError(t, json.Unmarshal([]byte(got.out), &document))
		require.Equal(t, client.Started{WorkflowID: "order:" + merchant + ":ORPH-1", RunID: "run-2"}, document.Started)
		require.Equal(t, []int64{3}, document.Closed)
		require.Equal(t, order.Submitted, document.Order.State)
		require.Equal(t, planted[0], temporal.started[0].Details["customerName"], "the request is the ledger's own, whole")
		require.Empty(t, orphans(t, b))
		entries, err := b.real.Audit(t.Context(), order.Key{Merchant: merchant, Number: "ORPH-1"})
		require.NoError(t, err)
		adopted := entries[len(entries)-2] // the last one closes the discrepancy
		require.Equal(t, ledger.ActionAdopt, adopted.Action)
		require.False(t, adopted.Refused)
		require.Equal(t, []string{"dana", "workflow run run-2"}, []string{adopted.Actor, adopted.Evidence})
	})
	t.Run("for people", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.bare(t)
		people := b.run(t.Context(), args...)
		require.Contains(t, people.out, "adopted by workflow order:"+merchant+":ORPH-1")
		require.Contains(t, people.out, "It waits for the gateway's callback, and then the gateway is asked.")
		require.Empty(t, people.errs)
	})
	t.Run("driven already", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.bare(t).driven = true
		got := b.run(t.Context(), args...)
		require.Equal(t, exitRefused, got.code)
		require.Equal(t, "error: a workflow drives order ORPH-1; there is nothing to adopt (WORKFLOW_RUNNING)\n", got.errs)
		require.Len(t, orphans(t, b), 1)
		last := b.lastEntry(t, "ORPH-1")
		require.True(t, last.Refused)
		require.Equal(t, []string{"dana", codes.WorkflowRunning}, []string{last.Actor, last.Reason.Code})
	})
	t.Run("its id is taken", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		temporal := b.bare(t)
		temporal.driven, temporal.queue = true, "nobodys"
		got := b.run(t.Context(), args...)
		require.Equal(t, exitRefused, got.code)
		require.Contains(t, got.errs, `task queue "nobodys", which drives no order`)
		require.Contains(t, got.errs, order.CodeNumberSquatted)
		require.Len(t, orphans(t, b), 1)
		last := b.lastEntry(t, "ORPH-1")
		require.True(t, last.Refused)
		require.Equal(t, []string{"dana", order.CodeNumberSquatted}, []string{last.Actor, last.Reason.Code})
	})
	t.Run("nobody says that it is on record", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		temporal := b.bare(t)
		temporal.silent = true
		got := b.run(t.Context(), args...)
		require.Equal(t, exitDone, got.code)
		require.Len(t, temporal.started, 1)
		require.Contains(t, got.errs, `starter note ORPH-1 --merchant `+merchant+` "adopted"`)
		require.Empty(t, orphans(t, b))
	})
	t.Run("nobody answers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		temporal := b.bare(t)
		temporal.silent, temporal.driven = true, true
		got := b.run(t.Context(), args...)
		require.Equal(t, exitUnreachable, got.code)
		require.Len(t, orphans(t, b), 1)
	})
}

// A poll of an order that nobody drives is on record, and says what helps.
func TestPollOfAnOrphan(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bare(t)
	got := b.run(t.Context(), "poll", "ORPH-1", "--merchant", merchant, "--by", "dana")
	require.Equal(t, exitRefused, got.code)
	require.Equal(t, "error: no workflow drives order "+merchant+"/ORPH-1, which is submitted: nobody asks; let one go on with it: starter adopt ORPH-1 --merchant "+merchant+
		" (WORKFLOW_MISSING)\n", got.errs)
	last := b.lastEntry(t, "ORPH-1")
	require.Equal(t, ledger.ActionPoll, last.Action)
	require.Equal(t, "dana", last.Actor)
}
