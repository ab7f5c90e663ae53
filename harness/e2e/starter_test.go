package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Exit codes of the starter, as its --help lists them.
const (
	exitDone        = 0
	exitUsage       = 2
	exitRefused     = 3
	exitOtherwise   = 4
	exitNotFound    = 5
	exitUnreachable = 6
)

// nowhere is an address where nothing listens.
const nowhere = "127.0.0.1:1"

// flags are the flags of an order on the command line, without dashes.
type flags map[string]string

// with returns a copy with changed flags. "" removes a flag.
func (f flags) with(changed flags) flags {
	all := maps.Clone(f)
	maps.Copy(all, changed)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// args returns the command with the flags in a fixed order.
func (f flags) args(command string) []string {
	args := []string{command}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		args = append(args, "--"+name+"="+f[name])
	}
	return args
}

// flagsOf returns the flags for a request.
func flagsOf(r order.Request) flags {
	f := flags{"number": r.Number, "country": r.Country, "way": r.Way, "amount": r.Amount.Short()}
	named := map[string]string{"customerName": "name", "customerContact": "phone", "customerAccountNumber": "account", "customerEmail": "email"}
	for member, value := range r.Details {
		if flag, has := named[member]; has {
			f[flag] = value
		} else if member != sandbox.ScenarioMember {
			f["field"] = member + "=" + value
		}
	}
	return f
}

var badOrders = []struct {
	name    string
	command string
	country string
	changed flags
	code    string
	field   string
}{
	{"unknown country", "withdraw", "TH", flags{"country": "XX"}, order.ProblemCountry, "country"},
	{"unknown way", "withdraw", "BD", flags{"way": "EWALLET_NOBODY"}, tarspay.ViolationWay, "way"},
	{"unknown bank", "withdraw", "TH", flags{"way": "NOBANK"}, tarspay.ViolationBank, "way"},
	{"a way of deposits only", "deposit", "PK", flags{"way": "HBL"}, tarspay.ViolationWay, "way"},
	{"a currency", "withdraw", "TH", flags{"amount": "1500 USD"}, order.ProblemAmountText, "amount"},
	{"nothing", "withdraw", "TH", flags{"amount": "0"}, order.ProblemAmount, "amount"},
	{"below zero", "withdraw", "TH", flags{"amount": "-1500"}, order.ProblemAmount, "amount"},
	{"too many decimals for the currency", "withdraw", "TH", flags{"amount": "10.001"}, order.ProblemAmountDigits, "amount"},
	{"too many decimals for the gateway", "withdraw", "TH", flags{"amount": "10.50"}, tarspay.ViolationPrecision, "amount"},
	{"not a number", "withdraw", "TH", flags{"amount": "a lot"}, order.ProblemAmountText, "amount"},
	{"a number of another notation", "withdraw", "TH", flags{"amount": "1,500"}, order.ProblemAmountText, "amount"},
	{"more than can be held", "withdraw", "TH", flags{"amount": "999999999999999999999"}, order.ProblemAmountRange, "amount"},
	{"above the gateway's limit", "withdraw", "BD", flags{"amount": "50001"}, tarspay.ViolationTooLarge, "amount"},
	{"below the gateway's limit", "deposit", "PK", flags{"amount": "99"}, tarspay.ViolationTooSmall, "amount"},
	{"above our own limit", "withdraw", "VN", flags{"amount": "3000001"}, order.ProblemAmountRange, "amount"},
	{"no amount", "withdraw", "TH", flags{"amount": ""}, "MISSING_FLAG", "amount"},
	{"no beneficiary's name", "withdraw", "TH", flags{"name": ""}, tarspay.ViolationMissing, "customerName"},
	{"no beneficiary's wallet", "withdraw", "BD", flags{"field": ""}, tarspay.ViolationMissing, "walletId"},
	{"a malformed wallet", "withdraw", "BD", flags{"field": "walletId=99980077"}, tarspay.ViolationMalformed, "walletId"},
	{"a malformed phone number", "withdraw", "TH", flags{"phone": "0809998877"}, tarspay.ViolationMalformed, "customerContact"},
	{"a malformed payer's phone number", "deposit", "PK", flags{"phone": "+92 311 9998877"}, tarspay.ViolationMalformed, "customerContact"},
	{"a member that is ours to set", "withdraw", "TH", flags{"field": "notifyUrl=http://quillmail.example"}, tarspay.ViolationReserved, "notifyUrl"},
	{"a malformed number", "withdraw", "TH", flags{"number": "no blanks"}, order.ProblemNumber, "number"},
	{"no number", "withdraw", "TH", flags{"number": ""}, "MISSING_FLAG", "number"},
	{"a malformed merchant", "withdraw", "TH", flags{"merchant": "M-1700000003"}, order.ProblemMerchant, "merchant"},
}

// badOrdersAreRefused sends orders. Each breaks one rule. The checks at the end of
// the test show whether an order reached Temporal, the ledger or the gateway.
func badOrdersAreRefused(t *testing.T, h *house) {
	for i, bad := range badOrders {
		kind := order.Withdrawal
		if bad.command == "deposit" {
			kind = order.Deposit
		}
		number := fmt.Sprintf("BAD-%02d", i+1)
		good := flagsOf(h.request(t, kind, bad.country, number, ""))
		a := h.starterWith(t, []string{"PAYOUTS_MAX_AMOUNT=VND:3000000"}, good.with(bad.changed).args(bad.command)...).
			refuses(t, exitUsage, order.CodeInvalidRequest)
		found := slices.ContainsFunc(a.Error.Problems, func(p order.Problem) bool { return p.Code == bad.code && p.Field == bad.field && p.Message != "" })
		require.True(t, found, "%s must be refused with %s of %s; it was %+v", bad.name, bad.code, bad.field, a.Error.Problems)
		h.unknown(t, order.Key{Merchant: h.Merchant(bad.country), Number: number})
	}
}

// unknown requires that neither Temporal nor the ledger nor the gateway has an
// order.
func (h *house) unknown(t *testing.T, key order.Key) {
	t.Helper()
	_, err := h.Orders.Find(h.ctx, key)
	require.Equal(t, order.CodeOrderNotFound, order.CodeOf(err), "%s at Temporal: %v", key, err)
	_, err = h.books.Order(h.ctx, key)
	require.ErrorIs(t, err, ledger.ErrNotFound, "%s in the ledger", key)
	book, err := h.Gateway.Book(h.ctx)
	require.NoError(t, err)
	require.Zero(t, createsOf(book)[key], "creates of %s at the gateway", key)
}

// numbersAreUsedOnce starts orders under used numbers, while the order runs and
// after its end. The same content gets the same order. Other content is a
// conflict.
func numbersAreUsedOnce(t *testing.T, h *house) {
	p := h.expect(t, order.Withdrawal, "BD", "", succeeds)
	good := flagsOf(p.request)
	first := h.starter(t, good.args("withdraw")...).answers(t, exitDone).Started
	require.Equal(t, client.Started{WorkflowID: contract.WorkflowID(p.request.Key()), RunID: first.RunID}, *first)

	for _, when := range []string{"under way", "ended"} {
		again := h.starter(t, good.args("withdraw")...).answers(t, exitDone).Started
		require.Equal(t, client.Started{WorkflowID: first.WorkflowID, RunID: first.RunID, Existing: true}, *again, when)
		h.starter(t, good.with(flags{"amount": "5001"}).args("withdraw")...).refuses(t, exitRefused, order.CodeOrderConflict)
		h.starter(t, good.with(flags{"field": "walletId=01709998878"}).args("withdraw")...).refuses(t, exitRefused, order.CodeOrderConflict)
		h.ended(t, p)
		h.completed(t, p)
	}
	// A merchant's numbers are unique over both kinds of order.
	deposit := h.request(t, order.Deposit, "BD", p.request.Number, "")
	h.starter(t, flagsOf(deposit).args("deposit")...).refuses(t, exitRefused, order.CodeOrderConflict)
}

// depositsAreUsedOnce does the same with a deposit. Every answer has the payment
// instructions.
func depositsAreUsedOnce(t *testing.T, h *house) {
	p := h.expect(t, order.Deposit, "PK", "", succeeds)
	require.NoError(t, h.Gateway.SetScenario(h.ctx, p.request.Merchant, p.request.Number, "stuck"))
	good := flagsOf(p.request)
	first := h.starter(t, good.args("deposit")...).answers(t, exitDone)
	require.NotNil(t, first.Order.Instructions)
	require.NotEmpty(t, first.Order.Instructions.PayURL)

	again := h.starter(t, good.args("deposit")...).answers(t, exitDone)
	require.Equal(t, first.Order.Instructions, again.Order.Instructions)
	require.Equal(t, first.Started.RunID, again.Started.RunID)
	other := good.with(flags{"amount": "1001"}).args("deposit")
	h.starter(t, other...).refuses(t, exitRefused, order.CodeOrderConflict)

	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
	h.completed(t, p)
	after := h.starter(t, good.args("deposit")...).answers(t, exitDone)
	require.Equal(t, order.Succeeded, after.Order.State)
	h.starter(t, other...).refuses(t, exitRefused, order.CodeOrderConflict)
}

// unknownOrdersAreNotFound runs commands on orders that do not exist.
func unknownOrdersAreNotFound(t *testing.T, h *house) {
	merchant := "--merchant=" + h.Merchant("PK")
	h.starter(t, "status", "NEVER-1", merchant).refuses(t, exitNotFound, order.CodeOrderNotFound)
	h.starter(t, "status", "NEVER-1", merchant, "--wait").refuses(t, exitNotFound, order.CodeOrderNotFound)
	h.starterWith(t, []string{"PAYOUTS_DATABASE_URL=" + h.DatabaseURL()}, "status", "NEVER-1", merchant).
		refuses(t, exitNotFound, order.CodeOrderNotFound)
	h.starter(t, "poll", "NEVER-1", merchant).refuses(t, exitNotFound, order.CodeOrderNotFound)
	h.starter(t, "resolve", "NEVER-1", merchant, "--state=failed", "--by=e2e", "--why=because", "--evidence=ticket 1").
		refuses(t, exitNotFound, order.CodeOrderNotFound)
}

// unreachableIsSaid runs the starter without Temporal, and then without the
// ledger.
func unreachableIsSaid(t *testing.T, h *house) {
	good := flagsOf(h.request(t, order.Withdrawal, "TH", "UNREACHED-1", ""))
	away := []string{"TEMPORAL_ADDRESS=" + nowhere}
	for _, args := range [][]string{
		good.args("withdraw"),
		flagsOf(h.request(t, order.Deposit, "PK", "UNREACHED-1", "")).args("deposit"),
		{"status", "UNREACHED-1", "--merchant=" + h.Merchant("TH")},
		{"reconcile"},
	} {
		a := h.starterWith(t, away, args...).refuses(t, exitUnreachable, client.CodeTemporalUnreachable)
		require.Contains(t, a.Error.Message, nowhere, "it says what it tried to reach")
	}
	h.unknown(t, order.Key{Merchant: h.Merchant("TH"), Number: "UNREACHED-1"})

	const password = "quillpassword"
	gone := []string{"PAYOUTS_DATABASE_URL=postgres://zeb:" + password + "@" + nowhere + "/payouts?sslmode=disable"}
	r := h.starterWith(t, gone, "balance")
	a := r.refuses(t, exitUnreachable, ledger.CodeUnreachable)
	require.Contains(t, a.Error.Message, nowhere)
	require.NotContains(t, r.out+r.err, password)

	// Without Temporal but with the ledger, status and list still work.
	p := h.withdrawal(t, "PK", "success", succeeds)
	h.ended(t, p)
	told := h.starterWith(t, append(away, "PAYOUTS_DATABASE_URL="+h.DatabaseURL()), "status", p.request.Number, "--merchant="+p.request.Merchant).
		answers(t, exitDone).Order
	require.Equal(t, order.Succeeded, told.State)
	listed := h.starterWith(t, append(away, "PAYOUTS_DATABASE_URL="+h.DatabaseURL()), "list", "--limit", "500", "--state", "succeeded")
	require.True(t, slices.ContainsFunc(listed.answers(t, exitUnreachable).Orders, func(row client.Row) bool { return row.Number == p.request.Number }))
	require.Contains(t, listed.out, client.CodeTemporalUnreachable)
	h.starterWith(t, append(away, "PAYOUTS_DATABASE_URL="), "list").refuses(t, exitUnreachable, client.CodeTemporalUnreachable)
}
