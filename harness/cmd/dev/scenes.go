package main

import (
	"fmt"
	"maps"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// via is how an order is started.
type via string

const (
	overTemporal via = "" // a system signs it and starts its workflow
	overHTTP     via = "http"
	fromFile     via = "file" // it is a row of the file that is sent over HTTP
)

// scene is one order of the demo: its request, the scenario at the gateway, and
// how it must end.
type scene struct {
	kind     order.Kind
	country  string
	way      string
	amount   string // in the country's currency
	scenario string // of the sandbox; "": paid and called back
	shows    string // description for people
	want     outcome
	forge    bool // send a forged callback that says it was paid
	refund   bool // the gateway takes the payment back after the order's end
	via      via
	after    time.Duration // the order is not sent before so long after its start; 0: at once
	unheard  bool          // the webhook receiver refuses its first event, at first
}

// outcome is how an order ends.
type outcome struct {
	state   order.State
	code    string       // of the reason; "" where there is none
	source  rules.Source // of the proof that ended it; "": any
	paid    int          // how often the gateway paid it
	creates int          // how many creates reached the gateway
}

// paid is the ordinary end of an order, proved by a source.
func paid(source rules.Source) outcome {
	return outcome{state: order.Succeeded, source: source, paid: 1, creates: 1}
}

// scenes are the demo's usual orders.
var scenes = []scene{
	{kind: order.Withdrawal, country: "PK", way: "easypaisa", amount: "1500",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "VN", way: "VCB", amount: "2500000",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "TH", way: "KBANK", amount: "1800",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "BR", way: "PIX", amount: "250.75",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "BD", way: "EWALLET_NAGAD", amount: "5000",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "VN", way: "MOMO", amount: "900000", scenario: "silent-success",
		shows: "no callback ever comes: polling finds it paid", want: paid(rules.FromQuery)},
	{kind: order.Withdrawal, country: "TH", way: "SCB", amount: "3500", scenario: "refuse:5003009",
		shows: "refused by the gateway: the reservation goes back",
		want:  outcome{state: order.Failed, code: order.CodeGatewayRefused, creates: 1}},
	{kind: order.Withdrawal, country: "VN", way: "ACB", amount: "700000", scenario: "balance-short",
		shows: "probably refused: released once the gateway knows of no such order",
		want:  outcome{state: order.Failed, code: order.CodeGatewayShort, creates: 1}},
	{kind: order.Withdrawal, country: "PK", way: "HBL", amount: "4200", scenario: "fail",
		shows: "failed after acceptance; its callback still has the full payAmount",
		want:  outcome{state: order.Failed, code: order.CodeGatewayFailed, source: rules.FromQuery, creates: 1}},
	{kind: order.Withdrawal, country: "BR", way: "PIX", amount: "99.90", scenario: "lost-answer,silent",
		shows: "the create's answer is lost: a query finds the order, paid once", want: paid(rules.FromQuery)},
	{kind: order.Withdrawal, country: "PK", way: "jazzcash", amount: "2750", scenario: "lost-request",
		shows: "the create is lost: queries prove it, sent again under its number, paid once",
		want:  outcome{state: order.Succeeded, paid: 1, creates: 2}},
	{kind: order.Withdrawal, country: "VN", way: "TCB", amount: "1200000", scenario: "duplicate-callback:5",
		shows: "five copies of the callback: settled once", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "TH", way: "BBL", amount: "2600", scenario: "early-callback",
		shows: "the callback comes before the create's answer", want: outcome{state: order.Succeeded, paid: 1, creates: 1}},
	{kind: order.Withdrawal, country: "PK", way: "HBL", amount: "1400", refund: true,
		shows: "paid, and refunded after its end: a query confirms the late callback",
		want:  outcome{state: order.Refunded, code: order.CodeRefunded, source: rules.FromQuery, paid: 1, creates: 1}},
	{kind: order.Withdrawal, country: "VN", way: "BIDV", amount: "1600000", scenario: "refund,silent",
		shows: "paid and refunded without a callback: the fee stays charged",
		want:  outcome{state: order.Refunded, code: order.CodeRefunded, source: rules.FromQuery, paid: 1, creates: 1}},
	{kind: order.Withdrawal, country: "BR", way: "PIX", amount: "640.10", scenario: "silent-fail", forge: true,
		shows: "a forged callback says paid: refused; the order fails at the gateway",
		want:  outcome{state: order.Failed, code: order.CodeGatewayFailed, source: rules.FromQuery, creates: 1}},
	{kind: order.Withdrawal, country: "BR", way: "PIX", amount: "9000000.00",
		shows: "more than the balance: fails before anything is sent",
		want:  outcome{state: order.Failed, code: order.CodeInsufficientFunds}},

	{kind: order.Deposit, country: "PK", way: "jazzcash", amount: "1000",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Deposit, country: "BD", way: "EWALLET_BKASH", amount: "2500",
		shows: "a callback says it is paid", want: paid(rules.FromCallback)},
	{kind: order.Deposit, country: "PK", way: "easypaisa", amount: "3000", scenario: "partial:40",
		shows: "the payer pays 40%: 40% is credited",
		want:  outcome{state: order.PartiallyPaid, source: rules.FromCallback, paid: 1, creates: 1}},
	{kind: order.Deposit, country: "BD", way: "EWALLET_NAGAD", amount: "1500", scenario: "expire",
		shows: "nobody pays, and no callback tells of expiry: polling finds it",
		want:  outcome{state: order.Expired, code: order.CodeExpired, source: rules.FromQuery, creates: 1}},
	{kind: order.Deposit, country: "BD", way: "EWALLET_BKASH", amount: "750", scenario: "silent-success",
		shows: "no callback ever comes: polling finds it paid", want: paid(rules.FromQuery)},

	{kind: order.Withdrawal, country: "PK", way: "jazzcash", amount: "1700", via: overHTTP, unheard: true,
		shows: "over HTTP; its first webhook is refused twice and comes a third time, its others after it", want: paid(rules.FromCallback)},
	{kind: order.Withdrawal, country: "TH", way: "KBANK", amount: "2900", via: overHTTP, scenario: "lost-answer,silent",
		shows: "over HTTP; the create's answer is lost: a query finds the order, paid once", want: paid(rules.FromQuery)},
	{kind: order.Withdrawal, country: "BR", way: "PIX", amount: "310.20", via: overHTTP, scenario: "fail",
		shows: "over HTTP; failed after acceptance",
		want:  outcome{state: order.Failed, code: order.CodeGatewayFailed, source: rules.FromQuery, creates: 1}},
	{kind: order.Withdrawal, country: "VN", way: "VCB", amount: "1900000", via: overHTTP, after: 8 * time.Second,
		shows: "over HTTP; scheduled: it is not sent before its time", want: paid(rules.FromCallback)},
	{kind: order.Deposit, country: "BD", way: "EWALLET_NAGAD", amount: "3500", via: overHTTP,
		shows: "over HTTP; a callback says it is paid", want: paid(rules.FromCallback)},
}

// plainScenes returns n orders without a fault, of all countries and kinds.
func plainScenes(n int) []scene {
	var ordinary []scene
	for _, s := range scenes {
		if s.scenario == "" && s.want.state == order.Succeeded && s.via == overTemporal {
			ordinary = append(ordinary, s)
		}
	}
	plain := make([]scene, n)
	for i := range plain {
		plain[i] = ordinary[i%len(ordinary)]
	}
	return plain
}

// request returns the request of a scene.
func (s scene) request(number, merchant string) (order.Request, error) {
	amount, err := order.ParseAmount(s.amount, s.country)
	if err != nil {
		return order.Request{}, fmt.Errorf("%s: %w", number, err)
	}
	details := maps.Clone(people[s.kind][s.country])
	if s.way == "MOMO" {
		delete(details, "customerAccountNumber") // the phone number is the account
	}
	if s.scenario != "" {
		details[sandbox.ScenarioMember] = s.scenario
	}
	return order.Request{
		Kind: s.kind, Merchant: merchant, Number: number, Country: s.country, Way: s.way, Amount: amount,
		Details: details, RequestedBy: "demo",
	}, nil
}

// people are invented payers and beneficiaries, with the members that each country
// requires.
var people = map[order.Kind]map[string]map[string]string{
	order.Withdrawal: {
		"PK": {"customerName": "Ayesha Khan", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
		"VN": {"customerName": "NGUYEN VAN AN", "customerContact": "0901234567", "customerAccountNumber": "0071000123456"},
		"TH": {"customerName": "Somchai Jaidee", "customerContact": "66812345678", "customerAccountNumber": "1112223334",
			"customerEmail": "somchai@example.com"},
		"BR": {"customerName": "Maria Silva", "customerAccountNumber": "maria@example.com", "bankName": "PIX_EMAIL", "accountTax": "12345678909"},
		"BD": {"walletId": "01712345678"},
	},
	order.Deposit: {
		"PK": {"customerName": "Bilal Ahmed", "customerContact": "03017654321"},
		"BD": {"customerContact": "01812345678"},
	},
}

// mistake is a request that must not become an order.
type mistake struct {
	shows string
	spoil func(*order.Request)
	code  string // of the problem that is found
}

// mistakes change one member each of a valid withdrawal.
var mistakes = []mistake{
	{"a country that does not exist", func(r *order.Request) { r.Country = "XX" }, order.ProblemCountry},
	{"a bank that does not exist", func(r *order.Request) { r.Way = "NOBANK" }, tarspay.ViolationBank},
	{"an amount of 0", func(r *order.Request) { r.Amount = minor(0, r.Amount) }, order.ProblemAmount},
	{"an amount below zero", func(r *order.Request) { r.Amount = minor(-r.Amount.Minor(), r.Amount) }, order.ProblemAmount},
	{"a beneficiary without a name", func(r *order.Request) { delete(r.Details, "customerName") }, tarspay.ViolationMissing},
	{"an invalid phone number", func(r *order.Request) { r.Details["customerContact"] = "0812345678" }, tarspay.ViolationMalformed},
	{"an order number with blanks", func(r *order.Request) { r.Number = "no blanks please" }, order.ProblemNumber},
}

// minor returns n minor units in the currency of another amount.
func minor(n int64, like money.Amount) money.Amount {
	made, err := money.Minor(n, like.Currency())
	if err != nil {
		panic(err) // cannot happen: the currency is an Amount's
	}
	return made
}

// typos are amounts that cannot be read.
var typos = []struct{ text, code string }{
	{"12,50", order.ProblemAmountText},
	{"10.001", order.ProblemAmountDigits},
	{"999999999999999999999", order.ProblemAmountRange},
}
