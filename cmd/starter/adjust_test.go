package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

var proposing = []string{
	"adjust", "propose", "TOPUP-7", "--merchant", merchant, "--kind", "top_up", "--amount", "5000.50",
	"--why", "paid in for the salaries", "--evidence", "bank slip 88",
}

func adjusting(args ...string) []string { return append([]string{"adjust"}, args...) }

// One person proposes, another one confirms: then the money has moved, once.
func TestAdjust(t *testing.T) { eachWay(t, withBooks, adjusts) }

func adjusts(t *testing.T, b *testBundle) {
	b.clock = noon.Add(time.Minute)
	requireRun(t, b, "adjust_propose", proposing, exitDone)
	require.Equal(t, amount(t, "100000", "PKR"), b.available(t), "nothing has moved")

	confirm := adjusting("confirm", "TOPUP-7", "--merchant", merchant)
	same := b.run(t.Context(), confirm...)
	require.Equal(t, exitRefused, same.code)
	require.Contains(t, same.errs, codes.SamePerson)
	b.clock = noon.Add(2 * time.Minute)
	requireRun(t, b, "adjust_confirm", append(confirm, "--by", "dana"), exitDone)
	requireRun(t, b, "adjust_confirm_again", append(confirm, "--by", "dana"), exitDone)
	other := b.run(t.Context(), append(confirm, "--by", "lin")...)
	require.Equal(t, exitRefused, other.code)
	require.Regexp(t, `adjustment TOPUP-7 was booked by dana at \d{4}-\d\d-\d\d \d\d:\d\d`, other.errs)
	require.Equal(t, amount(t, "105000.50", "PKR"), b.available(t))

	require.Equal(t, exitDone, b.run(t.Context(), adjusting("propose", "FEE-1", "--merchant", merchant, "--kind", "fee", "--amount", "12",
		"--why", "told late", "--evidence", "statement of May")...).code)
	open := b.run(t.Context(), adjusting("list", "--open", "--json")...)
	var document payouts.AdjustmentPage
	require.NoError(t, json.Unmarshal([]byte(open.out), &document))
	require.Len(t, document.Adjustments, 1)
	require.Equal(t, ledger.Adjustment{
		Merchant: merchant, Ref: "FEE-1", Kind: ledger.AdjustFee, Amount: amount(t, "12", "PKR"), By: "amina", Why: "told late", Evidence: "statement of May",
	}, document.Adjustments[0].Adjustment)

	rejected := b.run(t.Context(), adjusting("reject", "FEE-1", "--merchant", merchant, "--why", "it was told after all")...)
	require.Equal(t, exitDone, rejected.code, rejected.errs)
	require.Equal(t, amount(t, "105000.50", "PKR"), b.available(t))
	requireRun(t, b, "adjust_list", adjusting("list"), exitDone)
	require.Contains(t, b.run(t.Context(), adjusting("list", "--limit", "1")...).out, "there are more")
	require.Equal(t, "no adjustments\n", b.run(t.Context(), adjusting("list", "--merchant", merchantVN)...).out)
	require.Equal(t, exitUsage, b.run(t.Context(), adjusting("list", "--limit", "0")...).code)
}

func (b *testBundle) available(t *testing.T) money.Amount {
	t.Helper()
	balances, err := b.real.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	return balances[ledger.AccountAvailable]
}

// What is refused moves nothing, and the merchant's audit has who tried what.
func TestRefusedAdjustmentsLeaveATrace(t *testing.T) {
	t.Parallel()
	with := func(args []string, changes ...string) []string { return append(slices.Clone(args), changes...) }
	for name, test := range map[string]struct {
		args   []string
		code   string
		exit   int
		action ledger.AuditAction
		actor  string
	}{
		"other content": {with(proposing, "--amount", "6000"), ledger.CodeAdjustmentConflict, exitRefused, ledger.ActionProposeAdjustment, "amina"},
		"nothing":       {with(proposing, "--amount", "0"), ledger.CodeAdjustmentInvalid, exitRefused, ledger.ActionProposeAdjustment, "amina"},
		"nobody":        {with(proposing, "--by", ""), order.CodeWhoMissing, exitRefused, ledger.ActionProposeAdjustment, "nobody"},
		"no reason":     {with(proposing, "--why", ""), order.CodeWhyMissing, exitRefused, ledger.ActionProposeAdjustment, "amina"},
		"no proof":      {with(proposing, "--evidence", ""), codes.EvidenceMissing, exitRefused, ledger.ActionProposeAdjustment, "amina"},
		"no such reference": {
			adjusting("confirm", "NEVER-1", "--merchant", merchant, "--by", "dana"), ledger.CodeAdjustmentNotFound, exitNotFound, ledger.ActionConfirmAdjustment, "dana",
		},
		"confirmed by nobody": {
			adjusting("confirm", "TOPUP-7", "--merchant", merchant, "--by", ""), order.CodeWhoMissing, exitRefused, ledger.ActionConfirmAdjustment, "nobody",
		},
		"rejected without a reason": {
			adjusting("reject", "TOPUP-7", "--merchant", merchant), order.CodeWhyMissing, exitRefused, ledger.ActionRejectAdjustment, "amina",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.openReal(t)
			require.Equal(t, exitDone, b.run(t.Context(), proposing...).code)
			got := b.run(t.Context(), test.args...)
			require.Equal(t, test.exit, got.code, got.out)
			require.Contains(t, got.errs, "("+test.code+")\n")
			last := b.lastEntry(t, "")
			require.Equal(t, test.action, last.Action)
			require.True(t, last.Refused)
			require.Equal(t, []string{test.actor, test.code}, []string{last.Actor, last.Reason.Code})
			require.Equal(t, amount(t, "100000", "PKR"), b.available(t))
		})
	}
}

// What cannot be sent stops here: nobody hears of it, nor of a name that stands
// in the place of a reference.
func TestAdjustmentsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.openReal(t)
	for _, args := range [][]string{
		{"propose", "TOPUP-7", "--merchant", merchant, "--amount", "5"}, {"propose", "TOPUP-7", "--merchant", merchant, "--kind", "top_up"},
		{"propose", "TOPUP-7", "--merchant", merchant, "--kind", "gift", "--amount", "5"}, {"propose", "TOPUP-7", "--kind", "fee", "--amount", "5"},
		{"propose", "TOPUP-7", "--merchant", merchant, "--kind", "fee", "--amount", "5.001"},
		{"propose", "TOPUP-7", "--merchant", "M9", "--kind", "fee", "--amount", "5"},
		{"propose", planted[0], "--merchant", merchant, "--kind", "fee", "--amount", "5"},
		{"confirm", planted[0], "--merchant", merchant}, {"reject", planted[0], "--merchant", merchant, "--why", "w"}, {"confirm"}, {"list", "x"},
		{"confirm", "TOPUP-7", "--merchant", planted[0]},
	} {
		got := b.run(t.Context(), adjusting(args...)...)
		require.Equal(t, exitUsage, got.code, args)
		require.NotContains(t, got.errs, "Zubaida", args)
	}
	entries, err := b.real.Audit(t.Context(), order.Key{Merchant: merchant})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, ledger.ActionOpenBooks, entries[0].Action, "nothing else is on record")
}

// A worker writes an adjustment down, and needs no ledger of ours; a list is read
// from the ledger.
func TestAdjustmentsNeedAWorker(t *testing.T) {
	t.Parallel()
	got := setup(t).run(t.Context(), adjusting("list")...)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errs, payouts.CodeNoLedger)
	for _, args := range [][]string{proposing, adjusting("confirm", "A", "--merchant", merchant)} {
		b := setup(t)
		b.temporalErr = order.Refuse(client.CodeTemporalUnreachable, "away")
		got := b.run(t.Context(), args...)
		require.Equal(t, exitUnreachable, got.code)
		require.Contains(t, got.errs, client.CodeTemporalUnreachable)
	}
}
