package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// The command lines of an order that is fit to be started.
var (
	withdraw = []string{
		"withdraw", "--number", "INV-1", "--country", "PK", "--way", "easypaisa", "--amount", "1500",
		"--name", planted[0], "--account", planted[1], "--phone", planted[1], "--email", planted[3],
	}
	depositing = []string{"deposit", "--number", "CART-1", "--country", "PK", "--way", "jazzcash", "--amount", "900", "--phone", planted[2]}
)

// TestGolden runs every command with values behind it and compares all it
// prints, for people and for machines, and its exit code.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given func(*testing.T, *testBundle)
		args  []string
		code  int
	}{
		"withdraw_started":       {newStart, withdraw, exitDone},
		"withdraw_existing":      {existingStart, withdraw, exitDone},
		"withdraw_answered":      {ends(order.Submitted), withdraw, exitDone},
		"withdraw_rejected":      {rejectedAtTheDoor, withdraw, exitOtherwise},
		"status_rejected":        {rejectedAtTheDoor, []string{"status", "INV-1", "--merchant", merchant}, exitDone},
		"deposit_existing":       {existingDeposit, depositing, exitDone},
		"withdraw_conflict":      {conflict, withdraw, exitRefused},
		"withdraw_invalid":       {nothing, []string{"withdraw", "--country", "pk", "--amount", "12.345", "--field", "0300"}, exitUsage},
		"withdraw_succeeded":     {ends(order.Succeeded), append(withdraw[:len(withdraw):len(withdraw)], "--wait"), exitDone},
		"withdraw_failed":        {ends(order.Failed), append(withdraw[:len(withdraw):len(withdraw)], "--wait"), exitOtherwise},
		"withdraw_under_way":     {never, append(withdraw[:len(withdraw):len(withdraw)], "--wait", "--timeout", "1ms"), exitUnderWay},
		"deposit_instructions":   {instructed(order.Submitted), depositing, exitDone},
		"deposit_refused":        {instructed(order.Failed), depositing, exitOtherwise},
		"deposit_no_answer":      {never, append(depositing[:len(depositing):len(depositing)], "--timeout", "1ms"), exitUnderWay},
		"status_workflow":        {ends(order.Succeeded), []string{"status", "INV-1", "--merchant", merchant}, exitDone},
		"status_ledger":          {forgotten, []string{"status", "INV-1", "--merchant", merchant}, exitDone},
		"status_list":            {noWorker, []string{"status", "INV-1", "--merchant", merchant}, exitDone},
		"status_not_found":       {notFound, []string{"status", "INV-1", "--merchant", merchant}, exitNotFound},
		"status_which_merchant":  {nothing, []string{"status", "INV-1"}, exitUsage},
		"list":                   {someOrders, []string{"list", "--limit", "3"}, exitDone},
		"list_none":              {nothing, []string{"list", "--open"}, exitDone},
		"resolve":                {reviewed, []string{"resolve", "INV-1", "--merchant", merchant, "--state", "succeeded", "--by", "amina", "--why", "paid", "--evidence", "ticket 4711"}, exitDone},
		"resolve_not_in_review":  {notInReview, []string{"resolve", "INV-1", "--merchant", merchant, "--state", "failed", "--by", "amina", "--why", "paid", "--evidence", "ticket 4711"}, exitRefused},
		"resolve_ended":          {reviewEnded, []string{"resolve", "INV-1", "--merchant", merchant, "--state", "failed", "--by", "amina", "--why", "paid", "--evidence", "ticket 4711"}, exitRefused},
		"resolve_incomplete":     {nothing, []string{"resolve", "INV-1", "--merchant", merchant, "--state", "done", "--paid", "3"}, exitUsage},
		"poll":                   {underWay, []string{"poll", "INV-1", "--merchant", merchant}, exitDone},
		"report":                 {aDay, []string{"report", "--day", "2026-03-11", "--merchant", merchant}, exitDone},
		"report_csv":             {aDay, []string{"report", "--day", "2026-03-11", "--merchant", merchant, "--format", "csv"}, exitDone},
		"report_not_over":        {aDay, []string{"report", "--day", "2026-03-12", "--merchant", merchant}, exitRefused},
		"report_invalid":         {nothing, []string{"report", "--day", "11.3.2026", "--format", "pdf"}, exitUsage},
		"report_no_day":          {nothing, []string{"report", "--format", "xlsx"}, exitUsage},
		"report_currency":        {aDay, []string{"report", "--day", "2026-03-11", "--merchant", merchant, "--currency", "RUP"}, exitUsage},
		"report_unknown":         {aDay, []string{"report", "--day", "2026-03-11", "--merchant", "M999"}, exitRefused},
		"balance":                {someBooks, []string{"balance", "--merchant", merchant + "," + merchantVN}, exitDone},
		"balance_no_ledger":      {nothing, []string{"balance"}, exitUsage},
		"reconcile":              {compared(order.Agreed), []string{"reconcile"}, exitDone},
		"reconcile_drift":        {compared(order.Drifting), []string{"reconcile", "--merchant", merchant}, exitOtherwise},
		"reconcile_transactions": {comparedTransactions(), []string{"reconcile", "--transactions"}, exitDone},
		"reconcile_transactions_found": {
			comparedTransactions(order.DiscrepancyCount{Code: codes.DiscrepancyNoOrder, Open: 2}), []string{"reconcile", "--transactions"}, exitOtherwise,
		},
		"reconcile_transactions_unreachable": {unreachableTransactions, []string{"reconcile", "--transactions"}, exitUnreachable},
		"reconcile_unreachable":              {unreachableBalance, []string{"reconcile"}, exitUnreachable},
		"temporal_unreachable":               {temporalAway, []string{"list"}, exitUnreachable},
		"code_of_two_meanings":               {nothing, []string{"codes", "5003010"}, exitDone},
		"code_of_every_call":                 {nothing, []string{"codes", "5003007"}, exitDone},
		"code_of_ours":                       {nothing, []string{"codes", "order_conflict"}, exitDone},
		"code_of_no_page":                    {nothing, []string{"codes", "77"}, exitDone},
		"state":                              {nothing, []string{"states", "9"}, exitDone},
		"gateway_no_endpoint":                {nothing, []string{"transactions", "--merchant", merchant}, exitUsage},
		"gateway_no_key":                     {nothing, []string{"transactions", "--merchant", merchantTH}, exitUsage},
		"no_such_command":                    {nothing, []string{"withdrow"}, exitUsage},
		"no_such_flag":                       {nothing, []string{"withdraw", "--number-of", planted[0]}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.given(t, b)
			requireRun(t, b, name, test.args, test.code)
		})
	}
}

// requireRun runs a command for people and for machines and compares what it
// prints with the golden file of the name.
func requireRun(t *testing.T, b *testBundle, name string, args []string, code int) {
	t.Helper()
	text := b.run(t.Context(), args...)
	machine := b.run(t.Context(), append([]string{"--json"}, args...)...)
	require.Equal(t, code, text.code, text.errs)
	require.Equal(t, code, machine.code, machine.out)
	require.True(t, json.Valid([]byte(machine.out)), machine.out)
	requireGolden(t, name, strings.Join([]string{
		"$ starter " + strings.Join(hidden(args), " "), fmt.Sprint("exit code ", text.code),
		"--- standard output", text.out + "--- standard error", text.errs + "--- standard output with --json", machine.out,
	}, "\n"))
	requireSameThroughTheDoor(t, b, name, args, text, machine)
}

func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// hidden keeps personal values out of the golden files, so that a search for
// them there finds only what was printed.
func hidden(args []string) []string {
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = arg
		for _, value := range planted {
			if arg == value {
				shown[i] = "…"
			}
		}
	}
	return shown
}

func nothing(*testing.T, *testBundle) {}

func newStart(_ *testing.T, b *testBundle) {
	b.temporal.started = client.Started{WorkflowID: workflowID, RunID: "run-1"}
}

func existingStart(_ *testing.T, b *testBundle) {
	b.temporal.started = client.Started{WorkflowID: workflowID, RunID: "run-1", Existing: true}
}

func existingDeposit(t *testing.T, b *testBundle) {
	instructed(order.Submitted)(t, b)
	b.temporal.started.Existing = true
}

// rejectedAtTheDoor is a withdrawal of a merchant that no worker has: nothing was
// written down.
func rejectedAtTheDoor(t *testing.T, b *testBundle) {
	newStart(t, b)
	b.temporal.row, b.temporal.view = row(t, order.Rejected), withdrawal(t, order.Rejected)
	b.temporal.view.GatewayID, b.temporal.view.Unrecorded, b.temporal.view.Next = "", true, "Nothing: the order has ended."
	b.temporal.view.Reason = order.Reason{Code: order.CodeUnknownMerchant, Text: "merchant M1700000001 is not configured for PK"}
}

func conflict(_ *testing.T, b *testBundle) {
	b.temporal.startErr = order.Refuse(order.CodeOrderConflict, "the number INV-1 belongs to an order with other content")
}

// ends is an order that is started and has come to an end when it is asked.
func ends(state order.State) func(*testing.T, *testBundle) {
	return func(t *testing.T, b *testBundle) {
		newStart(t, b)
		b.temporal.view, b.temporal.row = withdrawal(t, state), row(t, state)
	}
}

func underWay(t *testing.T, b *testBundle) {
	b.temporal.view, b.temporal.row = withdrawal(t, order.Submitted), row(t, order.Created)
}

func reviewed(t *testing.T, b *testBundle) {
	b.temporal.view, b.temporal.row = withdrawal(t, order.Succeeded), row(t, order.InReview)
}

func notInReview(t *testing.T, b *testBundle) {
	underWay(t, b)
	b.temporal.viewErr = order.Refuse(codes.NotInReview, "order INV-1 is submitted; only an order in review can be resolved")
}

func reviewEnded(t *testing.T, b *testBundle) {
	ends(order.Succeeded)(t, b)
	b.temporal.viewErr = order.Refuse(order.CodeTerminal, "order INV-1 has ended: succeeded")
}

func never(t *testing.T, b *testBundle) {
	newStart(t, b)
	b.temporal.blocks = true
}

func instructed(state order.State) func(*testing.T, *testBundle) {
	return func(t *testing.T, b *testBundle) {
		b.temporal.started = client.Started{WorkflowID: "order:M1700000001:CART-1", RunID: "run-2"}
		b.temporal.view = deposit(t, state)
	}
}

func notFound(_ *testing.T, b *testBundle) {
	b.temporal.findErr = order.Refuse(order.CodeOrderNotFound, "no order M1700000001/INV-1")
}

// forgotten is an order that only the ledger still has.
func forgotten(t *testing.T, b *testBundle) {
	notFound(t, b)
	b.ledgerErr = nil
	view := withdrawal(t, order.Succeeded)
	b.books.order = order.Order{
		Request: order.Request{
			Kind: view.Kind, Merchant: view.Merchant, Number: view.Number, Country: view.Country, Way: view.Way, Amount: view.Amount,
			Details: map[string]string{"customerName": planted[0]},
		},
		Standing:  view.Standing,
		UpdatedAt: noon,
	}
}

func noWorker(t *testing.T, b *testBundle) {
	b.temporal.row = row(t, order.InReview)
	b.temporal.viewErr = order.Refuse(client.CodeNoAnswer, "order M1700000001/INV-1 is under way and its answer is not there yet")
}

func someOrders(t *testing.T, b *testBundle) {
	review, ended, killed, bare := row(t, order.InReview), row(t, order.Succeeded), row(t, order.Created), client.Row{}
	ended.Number, ended.GatewayID = "INV-2", gatewayOrder
	killed.Number, killed.Open, killed.Status = "INV-3", false, "Terminated"
	bare.Kind, bare.Merchant, bare.Number, bare.Open, bare.Status, bare.StartedAt = order.Deposit, merchant, "CART-9", true, "Running", noon
	b.temporal.rows = []client.Row{review, ended, killed, bare}
}

// aDay is the day of package report's tests.
func aDay(t *testing.T, b *testBundle) {
	b.ledgerErr = nil
	text, err := os.ReadFile("../../internal/report/testdata/days.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &b.books.days))
}

func someBooks(t *testing.T, b *testBundle) {
	b.ledgerErr = nil
	accounts := make(map[ledger.Account]money.Amount)
	for account, number := range map[ledger.Account]string{
		ledger.AccountOpening: "-100000", ledger.AccountAvailable: "98485", ledger.AccountInFlight: "1500", ledger.AccountPaidOut: "900",
		ledger.AccountReceived: "-900", ledger.AccountFees: "15", ledger.AccountSettled: "0", ledger.AccountSuspense: "0",
	} {
		accounts[account] = amount(t, number, "PKR")
	}
	b.books.accounts = map[string]map[ledger.Account]money.Amount{merchant + " PKR": accounts}
	b.books.snapshots = []order.Snapshot{snapshot(t, order.Agreed)}
}

func snapshot(t *testing.T, verdict order.Agreement) order.Snapshot {
	s := order.Snapshot{
		ID: 7, Merchant: merchant, Currency: "PKR", At: noon.Add(30 * time.Second),
		GatewayAvailable: amount(t, "98485", "PKR"), GatewayFrozen: amount(t, "1500", "PKR"),
		LedgerAvailable: amount(t, "98485", "PKR"), LedgerInFlight: amount(t, "1500", "PKR"),
		OpenWithdrawals: 1, OpenWithdrawalAmount: amount(t, "1500", "PKR"), OpenDepositAmount: amount(t, "0", "PKR"),
		Drift: amount(t, "0", "PKR"), Verdict: verdict,
	}
	if verdict != order.Agreed {
		s.GatewayAvailable, s.Drift = amount(t, "98484.50", "PKR"), amount(t, "-0.50", "PKR")
	}
	return s
}

func compared(verdict order.Agreement) func(*testing.T, *testBundle) {
	return func(t *testing.T, b *testBundle) {
		b.temporal.report = contract.ReconcileBalancesResult{Snapshots: []order.Snapshot{snapshot(t, verdict)}}
		if verdict == order.Drifting {
			b.temporal.report.Drifting = []string{merchant}
		}
	}
}

func comparedTransactions(found ...order.DiscrepancyCount) func(*testing.T, *testBundle) {
	return func(_ *testing.T, b *testBundle) {
		b.temporal.transactions = contract.ReconcileTransactionsResult{Merchants: []contract.MerchantTransactions{
			{
				Merchant: merchant, From: noon.AddDate(0, 0, -1), To: noon, Windows: 1, History: contract.HistoryNone,
				TransactionCounts: contract.TransactionCounts{Asked: 40, Settled: 1},
			},
			{
				Merchant: merchantVN, From: noon.AddDate(0, 0, -2), To: noon, Windows: 2, History: contract.HistoryRead,
				TransactionCounts: contract.TransactionCounts{Rows: 120, Compared: 117, Asked: 119, Unanswered: 1}, Findings: found,
			},
		}}
	}
}

func unreachableTransactions(t *testing.T, b *testBundle) {
	comparedTransactions()(t, b)
	m := &b.temporal.transactions.Merchants[1]
	m.Windows, m.History, m.Problem = 0, contract.HistoryUnread, "GATEWAY_PAUSED: tarspay: history: auth: code 5003006 (API key expired)"
}

func unreachableBalance(t *testing.T, b *testBundle) {
	compared(order.Agreed)(t, b)
	b.temporal.report.Unreachable = []string{merchantVN}
}

func temporalAway(_ *testing.T, b *testBundle) {
	b.temporalErr = order.Refuse(client.CodeTemporalUnreachable, "Temporal at 127.0.0.1:7233 did not answer within 5s")
}
