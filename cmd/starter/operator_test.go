package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestOperatorGolden runs what an operator looks with on a ledger with one of
// everything that needs a person.
func TestOperatorGolden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"queue":               {[]string{"queue"}, exitDone},
		"queue_limit":         {[]string{"queue", "--limit", "1"}, exitDone},
		"queue_wrong_limit":   {[]string{"queue", "--limit", "0"}, exitUsage},
		"show":                {[]string{"show", "FIN-1", "--merchant", merchant}, exitDone},
		"show_review":         {[]string{"show", "REV-1", "--merchant", merchant}, exitDone},
		"show_unknown_number": {[]string{"show", "NEVER-1", "--merchant", merchant}, exitDone},
		"show_nothing":        {[]string{"show", "NEVER-2", "--merchant", merchant}, exitNotFound},
		"audit":               {[]string{"audit", "REV-1", "--merchant", merchant}, exitDone},
		"audit_merchant":      {[]string{"audit", "--merchant", merchantVN}, exitDone},
		"audit_merchant_none": {[]string{"audit", "--merchant", merchantTH}, exitDone},
		"audit_installation":  {[]string{"audit", "--installation"}, exitDone},
		"audit_nothing":       {[]string{"audit", "NEVER-2", "--merchant", merchant}, exitNotFound},
		"audit_verify":        {[]string{"audit", "--verify"}, exitDone},
		"audit_verify_one":    {[]string{"audit", "FIN-1", "--verify"}, exitUsage},
		"audit_both":          {[]string{"audit", "--installation", "--verify"}, exitUsage},
		"discrepancies":       {[]string{"discrepancies"}, exitDone},
		"discrepancies_open":  {[]string{"discrepancies", "--open", "--limit", "1"}, exitDone},
		"discrepancies_none":  {[]string{"discrepancies", "--number", "REV-1"}, exitDone},
		"events":              {[]string{"events", "--from", "2026-01-01"}, exitDone},
		"events_page":         {[]string{"events", "--from", "2026-01-01", "--type", "withdrawal.succeeded,withdrawal.in_review", "--limit", "1"}, exitDone},
		"events_none":         {[]string{"events", "--from", "2026-01-01", "--merchant", merchantTH}, exitDone},
		"events_wrong":        {[]string{"events", "--type", "order.paid", "--after", "12", "--limit", "0"}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.happenings(t)
			requireRun(t, b, name, test.args, test.code)
		})
	}
}

func TestEmptyLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.openReal(t)
	requireRun(t, b, "queue_none", []string{"queue"}, exitDone)
	for _, args := range [][]string{
		{"queue"}, {"show", "INV-1", "--merchant", merchant}, {"audit", "--verify"}, {"audit", "--merchant", merchant}, {"discrepancies"},
		{"adopt", "INV-1", "--merchant", merchant},
	} {
		got := setup(t).run(t.Context(), args...)
		require.Equal(t, exitUsage, got.code, args)
		require.Contains(t, got.errs, payouts.CodeNoLedger, args)
	}
}

// Whoever holds the file can take the guards down and write what they like:
// then the chain says so.
func TestAuditVerifyFindsTampering(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.happenings(t)
	database, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, database.Close()) }()
	for _, statement := range []string{
		"DROP TRIGGER audit_never_changes", "DROP TRIGGER audit_kept",
		"UPDATE audit SET actor = 'nobody else' WHERE number = 'REV-1' AND action = 'propose'",
		"DELETE FROM audit WHERE number = 'FIN-1' AND action = 'settle'",
	} {
		_, err := database.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	requireRun(t, b, "audit_verify_broken", []string{"audit", "--verify"}, exitOtherwise)
}

// Who may write an order's row can take it past its approval without an entry. The audit is
// compared with the tables, so that is found.
func TestAuditVerifyComparesTheTables(t *testing.T) {
	t.Parallel()
	b := setup(t)
	database, err := sql.Open("sqlite", b.happenings(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, database.Close()) }()
	for _, statement := range []string{
		"UPDATE orders SET state = 'reserved', reason_code = '' WHERE number = 'PAY-1' AND state = 'awaiting_approval'",
		`INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at)
			SELECT id, merchant, currency, 'reserve', 'available', 'in_flight', amount, updated_at FROM orders WHERE number = 'PAY-1'`,
	} {
		changed, err := database.ExecContext(t.Context(), statement)
		require.NoError(t, err)
		rows, err := changed.RowsAffected()
		require.NoError(t, err)
		require.Equal(t, int64(1), rows)
	}
	got := b.run(t.Context(), "audit", "--verify", "--json")
	require.Equal(t, exitOtherwise, got.code, got.errs)
	var report payouts.AuditReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	var found []string
	for _, broken := range report.Broken {
		found = append(found, strings.TrimSpace(broken.Key.Number+" "+broken.Code))
	}
	require.Contains(t, found, "PAY-1 "+verify.BrokenHistory)
	require.Contains(t, found, verify.BrokenBalance)
}

// With public keys, every entry's seal is checked. The ledger of the test was
// written without keys.
func TestAuditVerifyChecksSeals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.key")
	require.Equal(t, exitDone, setup(t).run(t.Context(), "keygen", path, "--audit", "payouts.example.com/live").code)

	got := b.run(t.Context(), "audit", "--verify", "--public-keys", path+".pub", "--json")
	require.Equal(t, exitOtherwise, got.code, got.errs)
	var report payouts.AuditReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.True(t, report.SealsChecked)
	require.Len(t, report.Broken, report.Entries)
	for _, broken := range report.Broken {
		require.Equal(t, seal.CodeSealMissing, broken.Code)
	}
	b.settings.AuditPublicFile = path + ".pub"
	require.Equal(t, got, b.run(t.Context(), "audit", "--verify", "--json"), "the setting does the same as the flag")

	for file, code := range map[string]string{filepath.Join(dir, "none"): seal.CodeKeyMissing, path: seal.CodeKeyMalformed} {
		got := b.run(t.Context(), "audit", "--verify", "--public-keys", file, "--json")
		require.Equal(t, exitUsage, got.code, got.out)
		require.Contains(t, got.out, `"code":"`+code+`"`)
		require.NotContains(t, got.out+got.errs, "PRIVATE+KEY")
	}
	require.Equal(t, exitUsage, b.run(t.Context(), "audit", "--public-keys", path+".pub").code)
}

// openReal puts a real ledger with a merchant's books behind the command line,
// stamped by a clock that the test sets. The result is the file.
func (b *testBundle) openReal(t *testing.T, options ...ledger.Option) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := ledger.Open(t.Context(), "sqlite:"+path, options...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	l.SetClock(func() time.Time { return b.clock })
	require.NoError(t, l.Migrate(t.Context()))
	require.NoError(t, l.OpenBooks(t.Context(), merchant, amount(t, "100000", "PKR"), amount(t, "0", "PKR")))
	b.real, b.clock = l, noon
	return path
}

// request is a withdrawal by bilal, to somebody who must never be printed.
func request(t *testing.T, number, rupees string) order.Request {
	t.Helper()
	return order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: number, Country: "PK", Way: "easypaisa", Amount: amount(t, rupees, "PKR"),
		RequestedBy: "bilal", Details: map[string]string{
			"customerName": planted[0], "customerAccountNumber": planted[1], "customerContact": planted[2], "customerEmail": planted[3],
		},
	}
}

func policy(t *testing.T) *rules.Policy {
	t.Helper()
	p, err := rules.ParsePolicy([]byte(`rules: [{country: PK, per_order: {approve_above: "20000"}}]`), "policy.yaml")
	require.NoError(t, err)
	return p
}

// opened writes an order down, a minute after whatever was before.
func (b *testBundle) opened(t *testing.T, r order.Request) order.Key {
	t.Helper()
	b.clock = b.clock.Add(time.Minute)
	_, _, err := b.real.OpenOrder(t.Context(), r, ledger.Terms{Policy: policy(t)})
	require.NoError(t, err)
	return r.Key()
}

// sent is an order whose create had the answer.
func (b *testBundle) sent(t *testing.T, r order.Request, answer ledger.Answer) order.Key {
	t.Helper()
	key := b.opened(t, r)
	submission, err := b.real.NextSubmission(t.Context(), key, 0)
	require.NoError(t, err)
	b.clock = b.clock.Add(time.Second)
	_, err = b.real.CompleteSubmission(t.Context(), key, submission.Attempt, answer)
	require.NoError(t, err)
	b.clock = b.clock.Add(time.Second)
	return key
}

var accepted = ledger.Answer{Outcome: ledger.Accepted, GatewayID: gatewayOrder}

// happenings fills a ledger with one of everything. The result is its file.
func (b *testBundle) happenings(t *testing.T) string {
	t.Helper()
	ctx, path := t.Context(), b.openReal(t)
	b.opened(t, request(t, "PAY-1", "30000"))
	b.sent(t, request(t, "UNK-1", "700"), ledger.Answer{Outcome: ledger.Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown, Text: "no answer"}})
	b.paid(t, request(t, "FIN-1", "1500"))

	review := b.sent(t, request(t, "REV-1", "900"), ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P2"})
	_, err := b.real.Review(ctx, review, order.Reason{Code: order.CodeNoProof, Text: "no proof within 72h0m0s"})
	require.NoError(t, err)
	b.clock = b.clock.Add(time.Minute)
	failed := order.Resolution{ID: "1", State: order.Failed, By: "amina", Why: "support says so", Evidence: "ticket 4711"}
	for _, by := range []string{"bilal", "amina"} {
		failed.By, failed.ID = by, by
		_, _, _, err = b.real.Resolve(ctx, review, failed, true)
		require.NoError(t, err)
	}

	orphan := b.sent(t, request(t, "ORPH-1", "800"), ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P3"})
	require.NoError(t, b.real.OpenDiscrepancy(ctx, orphan, codes.DiscrepancyOrphan, "the order is open and no workflow drives it; the last run was run-1"))
	b.clock = b.clock.Add(time.Minute)
	require.NoError(t, b.real.Trip(ctx, merchantVN, order.Reason{Code: order.CodeGatewayPaused, Text: "code 5003006 (API key expired)"}, time.Minute))
	b.clock = b.clock.Add(time.Minute)
	never := order.Key{Merchant: merchant, Number: "NEVER-1"}
	id, _, err := b.real.StoreCallback(ctx, tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Merchant: merchant, OrderNumber: never.Number, OrderAmount: "5", PayAmount: "5",
		GatewayID: "P9", State: tarspay.StateSucceeded, FailReason: planted[0],
	}, nil, "", nil)
	require.NoError(t, err)
	require.NoError(t, b.real.MarkCallback(ctx, id, ledger.Unmatched))
	_, _, err = b.real.Cancel(ctx, never, order.Cancellation{By: "chen", Why: "a typing error"})
	require.NoError(t, err)
	b.wants(t)
	require.NoError(t, b.real.RecordPolicy(ctx, policy(t).ID(), nil))
	b.clock = b.clock.Add(time.Minute)
	require.NoError(t, b.real.RecordPolicy(ctx, "", order.Refuse("POLICY_INVALID", "PAYOUTS_POLICY_FILE: policy.yaml:3: approve_above is above refuse_above")))
	b.clock = noon.Add(time.Hour)
	_, _, err = b.real.NewRelay().Round(ctx)
	require.NoError(t, err)
	return path
}

// wants adds what needs money, or somebody who knows about money.
func (b *testBundle) wants(t *testing.T) {
	t.Helper()
	b.clock = b.clock.Add(time.Minute)
	short := request(t, "FUND-1", "99000")
	_, opening, err := b.real.OpenOrder(t.Context(), short, ledger.Terms{WaitForFunds: true})
	require.NoError(t, err)
	require.Equal(t, ledger.Opened, opening)
	b.clock = b.clock.Add(time.Minute)
	_, refusal, err := b.real.ProposeAdjustment(t.Context(), ledger.Adjustment{
		Merchant: merchant, Ref: "TOPUP-1", Kind: ledger.AdjustTopUp, Amount: amount(t, "5000", "PKR"),
		By: "amina", Why: "paid in for the salaries", Evidence: "bank slip 88",
	})
	require.NoError(t, err)
	require.Nil(t, refusal)
	b.clock = b.clock.Add(time.Minute)
	require.NoError(t, b.real.OpenBooks(t.Context(), secondOfTH, amount(t, "1000", "THB"), amount(t, "0", "THB")))
	before, err := b.real.Booked(t.Context(), secondOfTH, "THB")
	require.NoError(t, err)
	for _, verdict := range []order.Agreement{order.Unsettled, order.Drifting} {
		taken, err := b.real.TakeSnapshot(t.Context(), secondOfTH, amount(t, "990", "THB"), amount(t, "0", "THB"), before)
		require.NoError(t, err)
		require.Equal(t, verdict, taken.Verdict)
	}
}

// paid is an order that the gateway has paid, of which it says later that it
// has not; the discrepancy is closed, and another one is open.
func (b *testBundle) paid(t *testing.T, r order.Request) {
	t.Helper()
	key := b.sent(t, r, accepted)
	paid := rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: gatewayOrder, Paid: r.Amount, Fee: amount(t, "15", "PKR")}
	_, err := b.real.Settle(t.Context(), key, paid)
	require.NoError(t, err)
	b.clock = b.clock.Add(time.Minute)
	_, err = b.real.Settle(t.Context(), key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, GatewayID: gatewayOrder})
	require.NoError(t, err)
	_, refusal, err := b.real.CloseDiscrepancy(t.Context(), 1, order.Who{By: "amina", Why: "the gateway withdrew it"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	require.NoError(t, b.real.OpenDiscrepancy(t.Context(), key, codes.DiscrepancyMismatch, "callback 1: orderAmount"))
}

// Nothing that is read tells who is paid, not even what the gateway wrote.
func TestStoriesHoldNoPersonalData(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	for _, args := range [][]string{
		{"queue"}, {"discrepancies"}, {"audit", "--verify"}, {"show", "NEVER-1", "--merchant", merchant},
		{"show", "FIN-1", "--merchant", merchant}, {"audit", "FIN-1", "--merchant", merchant}, {"audit", "REV-1", "--merchant", merchant},
	} {
		for _, args := range [][]string{args, append([]string{"--json"}, args...)} {
			got := b.run(t.Context(), args...)
			require.Equal(t, exitDone, got.code, args)
			for _, value := range append(strings.Fields(planted[0]), planted...) {
				require.NotContains(t, strings.ToLower(got.out+got.errs), strings.ToLower(value), args)
			}
		}
	}
}

func TestCloseDiscrepancy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	got := b.run(t.Context(), "close-discrepancy", "2", "--why", "compared with the gateway", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, `"closed_by":"amina","closed_why":"compared with the gateway"`)
	found, err := b.real.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Code: codes.DiscrepancyMismatch})
	require.NoError(t, err)
	require.Equal(t, "compared with the gateway", found[0].ClosedWhy)

	require.Equal(t, exitRefused, b.run(t.Context(), "close-discrepancy", "2", "--why", "again").code)
	require.Equal(t, exitNotFound, b.run(t.Context(), "close-discrepancy", "77", "--why", "again").code)
	for _, args := range [][]string{{"x", "--why", "w"}, {"0", "--why", "w"}, {}} {
		require.Equal(t, exitUsage, b.run(t.Context(), append([]string{"close-discrepancy"}, args...)...).code, args)
	}
	last := b.lastEntry(t, "FIN-1")
	require.True(t, last.Refused)
	require.Equal(t, codes.AlreadyClosed, last.Reason.Code)

	for _, test := range []struct {
		args        []string
		actor, code string
	}{
		{[]string{"3"}, "amina", order.CodeWhyMissing}, {[]string{"3", "--why", "w", "--by", ""}, "nobody", order.CodeWhoMissing},
	} {
		require.Equal(t, exitRefused, b.run(t.Context(), append([]string{"close-discrepancy"}, test.args...)...).code, test.args)
		last := b.lastEntry(t, "ORPH-1")
		require.True(t, last.Refused)
		require.Equal(t, []string{test.actor, test.code}, []string{last.Actor, last.Reason.Code})
	}
}

func TestWorkOnADiscrepancy(t *testing.T) { eachWay(t, withHappenings, worksOnADiscrepancy) }

func worksOnADiscrepancy(t *testing.T, b *testBundle) {
	got := b.run(t.Context(), "discrepancy", "assign", "2", "--to", "bilal", "--why", "your merchant")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, "for bilal, amina: your merchant")
	got = b.run(t.Context(), "discrepancy", "wait", "2", "--days", "3", "--why", "ticket 4711", "--by", "bilal", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, `"state":"waiting","stake":{"value":"1500.00","currency":"PKR"},"assignee":"bilal","said":"ticket 4711","said_by":"bilal","wait_until":"`)
	got = b.run(t.Context(), "discrepancy", "show", "2", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, `"order_state":"succeeded","steps":[{`)
	require.Contains(t, got.out, `"by":"bilal","action":"work_discrepancy","what":"wait 3 days","text":"ticket 4711"}]`)
	require.Contains(t, b.run(t.Context(), "queue").out, "waits for the gateway: ticket 4711")

	require.Equal(t, exitRefused, b.run(t.Context(), "discrepancy", "explain", "1", "--why", "too late").code)
	require.Equal(t, exitNotFound, b.run(t.Context(), "discrepancy", "explain", "77", "--why", "w").code)
	require.Equal(t, exitNotFound, b.run(t.Context(), "discrepancy", "show", "77").code)
	require.Equal(t, exitRefused, b.run(t.Context(), "discrepancy", "fee", "2", "--why", "w", "--evidence", "e").code)
	for _, args := range [][]string{{"assign", "2", "--why", "w"}, {"wait", "2", "--days", "91", "--why", "w"}, {"show", "x"}, {"reopen"}} {
		require.Equal(t, exitUsage, b.run(t.Context(), append([]string{"discrepancy"}, args...)...).code, args)
	}
}

// One command books a fee that differs: the first person proposes, the second confirms,
// and the discrepancy is closed.
func TestBookAFeeThatDiffers(t *testing.T) { eachWay(t, withHappenings, booksAFee) }

func booksAFee(t *testing.T, b *testBundle) {
	require.NoError(t, b.real.OpenDifference(t.Context(), reconcile.Difference{
		Key: order.Key{Merchant: merchant, Number: "FIN-1"}, Code: codes.DiscrepancyRecord, Mark: "GW1 fee", Detail: "fee: 7.00 PKR at the gateway, 2.00 PKR here",
		Currency: "PKR", Stake: 500, Delta: 500,
	}))
	found, err := b.real.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Code: codes.DiscrepancyRecord})
	require.NoError(t, err)
	id := strconv.FormatInt(found[0].ID, 10)
	book := func(by, state string) {
		t.Helper()
		got := b.run(t.Context(), "discrepancy", "fee", id, "--why", "as on the statement", "--evidence", "line 12", "--by", by, "--json")
		require.Equal(t, exitDone, got.code, got.errs)
		require.Contains(t, got.out, `"ref":"DISCREPANCY-`+id+`","kind":"fee","amount":{"value":"5.00","currency":"PKR"}`)
		require.Contains(t, got.out, `"state":"`+state+`"`)
	}
	require.Contains(t, b.run(t.Context(), "queue").out, "starter discrepancy fee "+id)
	book("amina", "proposed")
	book("amina", "proposed")
	book("bilal", "booked")
	found, err = b.real.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Code: codes.DiscrepancyRecord})
	require.NoError(t, err)
	require.Equal(t, order.DiscrepancyAccepted, found[0].State)
	require.Equal(t, []string{"amina", "bilal", "the difference is booked"}, []string{found[0].AcceptedBy, found[0].ClosedBy, found[0].ClosedWhy})

	got := b.run(t.Context(), "status", "FIN-1", "--merchant", merchant)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Regexp(t, `late fee +5\.00 PKR \(DISCREPANCY-`+id+", ", got.out)
	got = b.run(t.Context(), "status", "FIN-1", "--merchant", merchant, "--json")
	require.Contains(t, got.out, `"late_fees":[{"number":"FIN-1","kind":"fee","amount":{"value":"5.00","currency":"PKR"},"ref":"DISCREPANCY-`+id+`","by":"amina and bilal","at":"`)
	got = b.run(t.Context(), "show", "FIN-1", "--merchant", merchant)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, "adjust_fee 5.00 PKR of this order, learned late: adjustment DISCREPANCY-"+id)
}

func TestSetAside(t *testing.T) { eachWay(t, withHappenings, setsAside) }

func setsAside(t *testing.T, b *testBundle) {
	unmatched, err := b.real.UnmatchedCallbacks(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, unmatched, 1)
	id := unmatched[0].ID

	for _, test := range []struct {
		args        []string
		actor, code string
	}{
		{[]string{id}, "amina", order.CodeWhyMissing}, {[]string{id, "--why", "w", "--by", ""}, "nobody", order.CodeWhoMissing},
	} {
		got := b.run(t.Context(), append([]string{"set-aside"}, test.args...)...)
		require.Equal(t, exitRefused, got.code)
		if b.through != "" && test.actor == "nobody" {
			continue // the api hears of nobody, and the ledger not of the request
		}
		last := b.lastEntry(t, "NEVER-1")
		require.True(t, last.Refused)
		require.Equal(t, []string{test.actor, test.code}, []string{last.Actor, last.Reason.Code})
	}
	for _, args := range [][]string{{}, {planted[0], "--why", "w"}, {"", "--why", "w"}} {
		got := b.run(t.Context(), append([]string{"set-aside"}, args...)...)
		require.Equal(t, exitUsage, got.code)
		require.NotContains(t, got.errs, "Zubaida")
	}
	require.Equal(t, exitNotFound, b.run(t.Context(), "set-aside", "77", "--why", "w").code)

	done := b.run(t.Context(), "set-aside", id, "--why", "made by the old system", "--json")
	require.Equal(t, exitDone, done.code, done.errs)
	var document callbackDocument
	require.NoError(t, json.Unmarshal([]byte(done.out), &document))
	require.Equal(t, payouts.Callback{
		ID: id, Key: order.Key{Merchant: merchant, Number: "NEVER-1"}, Status: ledger.Done, Received: 1,
		FirstAt: unmatched[0].FirstAt, LastAt: unmatched[0].LastAt,
	}, document.Callback)
	last := b.lastEntry(t, "NEVER-1")
	require.False(t, last.Refused)
	require.Equal(t, []string{"amina", "made by the old system"}, []string{last.Actor, last.Reason.Text})
	require.Equal(t, []string{"amina", "made by the old system"}, []string{document.By, document.Why})
	require.NotContains(t, b.run(t.Context(), "queue").out, id)

	again := b.run(t.Context(), "set-aside", id, "--why", "w")
	require.Equal(t, exitRefused, again.code)
	require.Contains(t, again.errs, ledger.CodeNotUnmatched)
}

// A restore is ended by a person who says why, and the installation's audit has it.
// Only a worker's command marks it.
func TestRestored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	for _, args := range [][]string{{"--by", "amina", "--why", "w"}, {}} {
		got := b.run(t.Context(), append([]string{"restored"}, args...)...)
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, got.errs, "worker restored --by WHO --why WHY")
	}
	require.Equal(t, exitRefused, b.run(t.Context(), "restored", "--over", "--by", "amina").code)
	require.Equal(t, exitRefused, b.run(t.Context(), "restored", "--over", "--why", "w", "--by", "amina").code, "nothing is marked")
	_, refusal, err := b.real.MarkRestored(t.Context(), order.Who{By: "amina", Why: "backup of 03:00"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	done := b.run(t.Context(), "restored", "--over", "--why", "all found", "--by", "bilal", "--json")
	require.Equal(t, exitDone, done.code, done.errs)
	var document restoreDocument
	require.NoError(t, json.Unmarshal([]byte(done.out), &document))
	require.Equal(t, ledger.Restore{At: b.clock, By: "bilal", Why: "all found", Ended: true}, document.Restore)
	audit := b.run(t.Context(), "audit", "--installation").out
	for _, said := range []string{"backup of 03:00", "all found", ledger.CodeNotRestored, order.CodeWhyMissing} {
		require.Contains(t, audit, said)
	}
}

// The queue has an item of every kind, and every item a command that the
// program takes.
func TestQueueAdvisesOnEveryKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	b.clock = noon
	b.sent(t, request(t, "UNSENT-1", "10"), ledger.Answer{Outcome: ledger.Unsent, Reason: order.Reason{Code: order.CodeGatewayAway, Text: "refused"}})
	b.clock = noon.Add(time.Hour)
	require.Equal(t, exitDone, b.run(t.Context(), "stop", "--country", "VN", "--why", "a holiday", "--by", "amina").code)
	b.pausesWebhook(t)
	var document payouts.QueuePage
	require.NoError(t, json.Unmarshal([]byte(b.run(t.Context(), "queue", "--json").out), &document))
	kinds := make(map[ledger.QueueKind]bool)
	for _, item := range document.Queue {
		kinds[item.Kind] = true
		require.NotEmpty(t, item.Do, item.Kind)
		words := strings.Fields(strings.TrimPrefix(item.Command, "starter "))
		root := (&starter{load: func() (config.Starter, error) { return b.settings, nil }}).root()
		command, rest, err := root.Find(words)
		require.NoError(t, err, item.Command)
		require.NotEqual(t, root, command, item.Command)
		require.NoError(t, command.ParseFlags(rest), item.Command)
		require.NoError(t, command.ValidateArgs(command.Flags().Args()), item.Command)
	}
	for _, kind := range ledger.QueueKinds() {
		require.True(t, kinds[kind], kind)
	}
}

// pausesWebhook has every delivery to an endpoint fail for a day.
func (b *testBundle) pausesWebhook(t *testing.T) {
	t.Helper()
	made, err := b.real.CreateWebhook(t.Context(), ledger.NewWebhook{URL: "https://pay.example.com/hook", Secret: "s", By: "amina"})
	require.NoError(t, err)
	lease, taken, err := b.real.TakeWebhook(t.Context(), made.ID, "a worker", time.Minute)
	require.NoError(t, err)
	require.True(t, taken)
	events, err := b.real.Events(t.Context(), ledger.EventFilter{Limit: 1})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, b.real.RecordWebhook(t.Context(), lease, ledger.WebhookProgress{Tries: []ledger.WebhookTry{{Event: events[0], Status: 500, Why: "it answered 500"}}}))
		b.clock = b.clock.Add(24 * time.Hour)
	}
}

// One person stops, and two resume with the same words.
func TestStopAndResume(t *testing.T) { eachWay(t, withHappenings, stopsAndResumes) }

func stopsAndResumes(t *testing.T, b *testBundle) {
	try := func(code int, says string, words ...string) {
		t.Helper()
		got := b.run(t.Context(), append(words, "--json")...)
		require.Equal(t, code, got.code, got.out)
		require.Contains(t, got.out, says)
	}
	try(exitUsage, "stop needs one of --merchant, --country and --all", "stop", "--why", "w", "--by", "amina")
	try(exitUsage, "resume needs one of", "resume", "--why", "w", "--by", "amina")
	try(exitUsage, "stop needs one of", "stop", "--all", "--country", "PK", "--why", "w", "--by", "amina")
	try(exitUsage, "UNKNOWN_COUNTRY", "stop", "--country", "pk", "--why", "w", "--by", "amina")
	try(exitRefused, "UNKNOWN_MERCHANT", "stop", "--merchant", "M9", "--why", "w", "--by", "amina")
	try(exitRefused, "WHY_MISSING", "stop", "--all", "--by", "amina")
	try(exitNotFound, "STOP_NOT_FOUND", "resume", "--all", "--why", "w", "--by", "amina")
	for _, scope := range [][]string{{"--all"}, {"--country", "PK"}, {"--merchant", merchant}} {
		acts := func(code int, says, word, by string) {
			t.Helper()
			try(code, says, append([]string{word, "--why", "w", "--by", by}, scope...)...)
		}
		acts(exitDone, `"by":"amina"`, "stop", "amina")
		acts(exitDone, `"resume_proposed_by":"amina"`, "resume", "amina")
		acts(exitRefused, "SAME_PERSON", "resume", "Amina")
		require.Contains(t, b.run(t.Context(), "queue").out, strings.Join(append([]string{"starter resume"}, scope...), " "))
		acts(exitDone, `"resumed_by":"bilal"`, "resume", "bilal")
		acts(exitNotFound, "STOP_NOT_FOUND", "resume", "bilal")
	}
	text := b.run(t.Context(), "stop", "--all", "--why", "broken into", "--by", "amina").out
	require.Contains(t, text, "stop of all payouts")
	require.Contains(t, text, "broken into")
}

// An order is erased when it may be, and what stays is shown.
func TestErase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ring, err := vault.Parse([]byte("k1:"+strings.Repeat("1", 64)), "test")
	require.NoError(t, err)
	b.openReal(t, ledger.EncryptWith(ring))
	key := b.sent(t, request(t, "OLD-1", "900"), accepted)
	b.opened(t, request(t, "NEW-1", "900"))
	_, err = b.real.Settle(t.Context(), key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: gatewayOrder, Paid: amount(t, "900", "PKR")})
	require.NoError(t, err)
	try := func(code int, says string, words ...string) {
		t.Helper()
		got := b.run(t.Context(), append([]string{"erase", "--merchant", merchant, "--by", "amina"}, words...)...)
		require.Equal(t, code, got.code, got.out+got.errs)
		require.Contains(t, got.out+got.errs, says)
		for _, value := range planted {
			require.NotContains(t, got.out+got.errs, value)
		}
	}
	try(exitUsage, "order number")
	try(exitRefused, "WHY_MISSING", "OLD-1")
	try(exitRefused, "ERASURES_FILE_NOT_SET", "OLD-1", "--why", "w")
	b.real.SetErasing(ledger.Erasing{Retention: time.Hour, Record: func(ledger.Erasure) error { return nil }})
	try(exitNotFound, "ORDER_NOT_FOUND", "NEVER-1", "--why", "w")
	try(exitRefused, "ERASE_OPEN", "NEW-1", "--why", "w")
	try(exitRefused, "ERASE_TOO_EARLY", "OLD-1", "--why", "w")
	b.clock = b.clock.Add(time.Hour)
	try(exitDone, "erased", "OLD-1", "--why", "retention is over")
	try(exitDone, `{"erased":{"merchant":"`+merchant+`","number":"OLD-1","state":"succeeded","at":"`, "OLD-1", "--why", "again", "--json")
	shown := b.run(t.Context(), "show", "OLD-1", "--merchant", merchant)
	require.Contains(t, shown.out, "erased")
	require.Contains(t, shown.out, "900.00 PKR")
}

// Every code of a discrepancy is explained, and every state of an adopted
// order.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../internal/codes/codes.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?:Discrepancy\w+|StopUnproven) += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, worklist.DiscrepancyCodes(), len(found))
	for _, code := range found {
		require.NotEmpty(t, worklist.Explain(code[1]).Means, code[1])
		require.NotEmpty(t, worklist.Explain(code[1]).Do, code[1])
	}
}

// deeds are what a person did to an order.
type deeds struct {
	approvals     []order.Approval
	rejections    []order.Rejection
	cancellations []order.Cancellation
	notes         []order.Note
	polls         []order.Poll
	polled        []order.Key
}

func (f *fakeTemporal) Act(ctx context.Context, key order.Key, action order.Action) (order.View, error) {
	f.asked = append(f.asked, key)
	switch action := action.(type) {
	case order.Approval:
		f.approvals = append(f.approvals, action)
	case order.Rejection:
		f.rejections = append(f.rejections, action)
	case order.Cancellation:
		f.cancellations = append(f.cancellations, action)
	case order.Resolution:
		f.resolutions = append(f.resolutions, action)
	case order.Note:
		f.notes = append(f.notes, action)
	case order.Poll:
		f.polls, f.polled = append(f.polls, action), append(f.polled, key)
	}
	return f.answer(ctx)
}

// A day is closed with the figures that were seen, once.
func TestReportClose(t *testing.T) { eachWay(t, withHappenings, closesADay) }

func closesADay(t *testing.T, b *testBundle) {
	profile, _ := tarspay.Country("PK")
	day := order.DateOf(b.clock, profile.TimeZone)
	closes := func(code int, says string, words ...string) string {
		t.Helper()
		got := b.run(t.Context(), append([]string{"report", "close", "--merchant", merchant, "--by", "amina", "--json"}, words...)...)
		require.Equal(t, code, got.code, got.out)
		require.Contains(t, got.out, says)
		return got.out
	}
	closes(exitUsage, "MISSING_FLAG", "--day", string(day))
	closes(exitUsage, order.CodeDate, "--day", "yesterday", "--hash", "4be1c09d")
	closes(exitRefused, ledger.CodeDayNotOver, "--day", string(day), "--hash", "4be1c09d")
	b.clock = b.clock.Add(48 * time.Hour)
	closes(exitUsage, order.CodeCurrency, "--day", string(day), "--hash", "4be1c09d", "--currency", "rup")
	closes(exitRefused, ledger.CodeDayChanged, "--day", string(day), "--hash", "4be1c09d")
	var seen reportDocument
	require.NoError(t, json.Unmarshal([]byte(b.run(t.Context(), "report", "--day", string(day), "--merchant", merchant, "--json").out), &seen))
	require.Len(t, seen.Days, 1)
	hash := seen.Days[0].Hash
	closes(exitRefused, ledger.CodeDayChanged, "--day", string(day), "--hash", hash[:7])
	var closed dayDocument
	require.NoError(t, json.Unmarshal([]byte(closes(exitDone, `"by":"amina"`, "--day", string(day), "--hash", hash[:8])), &closed))
	require.Equal(t, seen.Days[0].DayFigures, closed.Day.DayFigures)
	closes(exitDone, `"repeated":true`, "--day", string(day), "--hash", hash)
	closes(exitRefused, ledger.CodeDayClosed, "--day", string(day), "--hash", hash, "--by", "bilal")
	text := b.run(t.Context(), "report", "--day", string(day), "--merchant", merchant).out
	require.Contains(t, text, "amina")
	require.Contains(t, text, "equal")

	file := filepath.Join(t.TempDir(), "day.html")
	got := b.run(t.Context(), "report", "--day", string(day), "-o", file)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, "the report is in ")
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(page), "Closed by amina")
	require.Equal(t, exitRefused, b.run(t.Context(), "report", "--day", string(day), "-o", file).code)
	for _, name := range []string{"day.json", "day.csv", "day.xlsx"} {
		require.Equal(t, exitDone, b.run(t.Context(), "report", "--day", string(day), "-o", filepath.Join(t.TempDir(), name)).code, name)
	}
}
