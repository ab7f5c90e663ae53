package rules

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const housePolicy = `
approval_deadline: 36h
rules:
  - kind: withdrawal
    country: PK
    per_order:           {approve_above: "20000", refuse_above: "200000"}
    per_beneficiary_day: {approve_above: "50000", refuse_above: "100000"}
    per_merchant_day:    {approve_above: "1000000", refuse_above: "5000000"}
  - country: PK
    per_order: {refuse_above: "150000.50"}
  - new_beneficiary: approve
`

func parsed(t *testing.T, text string) *Policy {
	t.Helper()
	policy, err := ParsePolicy([]byte(text), "policy.yaml")
	require.NoError(t, err)
	return policy
}

func wallet(t *testing.T, rupees string) order.Request {
	t.Helper()
	return order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "jazzcash", Amount: amount(t, rupees, "PKR"),
		Details: map[string]string{"customerAccountNumber": "03001234567"}, RequestedBy: "payroll",
	}
}

// The rules as a table: an amount, what is known, and what comes of it.
func TestThePolicyRules(t *testing.T) {
	t.Parallel()
	policy := parsed(t, housePolicy)
	none := money.Amount{}
	rs := func(text string) money.Amount { return amount(t, text, "PKR") }
	for name, test := range map[string]struct {
		change  func(*order.Request)
		rupees  string
		facts   Facts
		verdict Clearance
		codes   []string
	}{
		"small":                     {nil, "20000", Facts{true, none, none}, Pass, nil},
		"just above soft":           {nil, "20000.01", Facts{true, none, none}, NeedsApproval, []string{codes.LimitOrder}},
		"at hard, of the other":     {nil, "100000", Facts{true, none, none}, NeedsApproval, []string{codes.LimitOrder, codes.LimitBeneficiaryDay}},
		"day's soft, exactly":       {nil, "100", Facts{true, rs("49900"), rs("49900")}, Pass, nil},
		"day's soft, above":         {nil, "100.01", Facts{true, rs("49900"), rs("49900")}, NeedsApproval, []string{codes.LimitBeneficiaryDay}},
		"day's hard, exactly":       {nil, "100", Facts{true, rs("99900"), rs("99900")}, NeedsApproval, []string{codes.LimitBeneficiaryDay}},
		"day's hard, above":         {nil, "100.01", Facts{true, rs("99900"), rs("99900")}, Refused, []string{codes.LimitBeneficiaryDay}},
		"merchant's soft":           {nil, "100", Facts{true, none, rs("999900.01")}, NeedsApproval, []string{codes.LimitMerchantDay}},
		"merchant's hard":           {nil, "100", Facts{true, none, rs("4999900.01")}, Refused, []string{codes.LimitMerchantDay}},
		"new beneficiary":           {nil, "1", Facts{}, NeedsApproval, []string{codes.NewBeneficiary}},
		"everything at once":        {nil, "200000.01", Facts{false, none, rs("900000")}, Refused, []string{codes.LimitOrder, codes.LimitBeneficiaryDay, codes.LimitOrder, codes.LimitMerchantDay, codes.NewBeneficiary}},
		"two rules, one refuses":    {nil, "150001", Facts{true, none, none}, Refused, []string{codes.LimitBeneficiaryDay, codes.LimitOrder, codes.LimitOrder}},
		"a deposit: the other rule": {func(r *order.Request) { r.Kind = order.Deposit }, "150000.51", Facts{true, none, none}, Refused, []string{codes.LimitOrder}},
		"a deposit below it":        {func(r *order.Request) { r.Kind = order.Deposit }, "150000.50", Facts{true, rs("900000"), rs("9000000")}, Pass, nil},
		"nobody asked":              {func(r *order.Request) { r.RequestedBy = " \t" }, "1", Facts{}, Refused, []string{codes.RequesterMissing, codes.NewBeneficiary}},
		"nobody asked, and passes":  {func(r *order.Request) { r.RequestedBy = "" }, "1", Facts{true, none, none}, Pass, nil},
		"beyond counting":           {nil, "1", Facts{true, none, must(t, math.MaxInt64, "PKR")}, Refused, []string{codes.LimitMerchantDay}},
		"in another currency":       {nil, "1", Facts{true, must(t, 1, "VND"), none}, Refused, []string{codes.LimitBeneficiaryDay}},
	} {
		request := wallet(t, test.rupees)
		if test.change != nil {
			test.change(&request)
		}
		ruling := policy.Judge(request, test.facts)
		require.Equal(t, test.verdict, ruling.Verdict, name)
		var codes []string
		for _, reason := range ruling.Reasons {
			codes = append(codes, reason.Code)
			require.NotContains(t, reason.Text, "03001234567", name)
		}
		require.Equal(t, test.codes, codes, "%s: %+v", name, ruling.Reasons)
	}
}

func must(t *testing.T, minor int64, currency string) money.Amount {
	t.Helper()
	a, err := money.Minor(minor, currency)
	require.NoError(t, err)
	return a
}

func TestRulingsSpeakInSentences(t *testing.T) {
	t.Parallel()
	ruling := parsed(t, housePolicy).Judge(wallet(t, "20001"), Facts{BeneficiaryDay: amount(t, "90000", "PKR")})
	require.Equal(t, order.Reason{
		Code: codes.LimitBeneficiaryDay,
		Text: "the day's total for this beneficiary is 110001.00 PKR and may not be above 100000.00 PKR; " +
			"the amount is 20001.00 PKR and needs approval above 20000.00 PKR; it is the first payment to this beneficiary",
	}, ruling.Reason())
	require.Equal(t, order.Reason{}, Ruling{Verdict: Pass}.Reason())
}

// What the gateway documents for a country is a limit with any policy and with
// none.
func TestTheCountrysDailyCapAlwaysCounts(t *testing.T) {
	t.Parallel()
	shilling := func(text string) money.Amount { return amount(t, text, "KES") }
	request := order.Request{Kind: order.Withdrawal, Country: "KE", Amount: shilling("70000"), Details: map[string]string{"customerContact": "254700000001"}}
	for name, policy := range map[string]*Policy{"none": nil, "another": parsed(t, housePolicy)} {
		require.True(t, policy.Needs(request).BeneficiaryDay, name)
		known := Facts{KnownBeneficiary: true, BeneficiaryDay: shilling("230000")}
		require.Equal(t, Ruling{Verdict: Pass}, policy.Judge(request, known), name)
		known.BeneficiaryDay = shilling("230000.01")
		require.Equal(t, Ruling{Verdict: Refused, Reasons: []order.Reason{{
			Code: codes.LimitCountryDay,
			Text: "the day's total for this beneficiary, capped for the country, is 300000.01 KES and may not be above 300000.00 KES",
		}}}, policy.Judge(request, known), name)
	}
	request.Kind = order.Deposit // 500000
	require.Equal(t, Pass, (*Policy)(nil).Judge(request, Facts{BeneficiaryDay: shilling("430000")}).Verdict)
	require.Equal(t, Refused, (*Policy)(nil).Judge(request, Facts{BeneficiaryDay: shilling("430000.01")}).Verdict)
}

func TestNoPolicyHasNoRules(t *testing.T) {
	t.Parallel()
	var none *Policy
	request := wallet(t, "999999999")
	request.RequestedBy = ""
	require.Equal(t, Needs{}, none.Needs(request))
	require.Equal(t, Ruling{Verdict: Pass}, none.Judge(request, Facts{}))
	require.Empty(t, none.ID())
	require.Equal(t, 24*time.Hour, none.ApprovalDeadline())
	require.False(t, none.TwoPersonResolve())
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Needs{
		"rules:\n  - {country: PK, per_order: {approve_above: 1}}":                            {},
		"rules:\n  - {country: PK, per_merchant_day: {approve_above: 1}}":                     {MerchantDay: true},
		"rules:\n  - {country: PK, per_beneficiary_day: {refuse_above: 1}}":                   {BeneficiaryDay: true},
		"rules:\n  - {new_beneficiary: approve}":                                              {KnownBeneficiary: true},
		"rules:\n  - {kind: deposit, new_beneficiary: approve}":                               {},
		"rules:\n  - {country: VN, new_beneficiary: approve}":                                 {},
		"rules:\n  - {country: PK, new_beneficiary: approve}\n  - {new_beneficiary: approve}": {KnownBeneficiary: true},
		"two_person_resolve: false":                                                           {},
	} {
		needs := parsed(t, text).Needs(wallet(t, "1"))
		require.Equal(t, want, needs, text)
		require.Equal(t, want != Needs{}, needs.Any(), text)
	}
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	policy := parsed(t, housePolicy)
	require.Equal(t, 36*time.Hour, policy.ApprovalDeadline())
	require.True(t, policy.TwoPersonResolve())
	require.Len(t, policy.ID(), 12)
	require.NotEqual(t, policy.ID(), parsed(t, housePolicy+"\n").ID())

	policy = parsed(t, "two_person_resolve: false\nrules: []\n")
	require.False(t, policy.TwoPersonResolve())
	require.Equal(t, 24*time.Hour, policy.ApprovalDeadline())

	// Two persons close what is above the limit of its currency.
	policy = parsed(t, `{two_person_close: {PKR: "20000"}}`)
	require.False(t, policy.TwoPersonClose(wallet(t, "20000").Amount))
	require.True(t, policy.TwoPersonClose(wallet(t, "20000.01").Amount))
	dong, err := money.Parse("90000000", "VND")
	require.NoError(t, err)
	require.False(t, policy.TwoPersonClose(dong))
	require.False(t, (*Policy)(nil).TwoPersonClose(dong))

	// A limit of nothing asks for, or refuses, everything.
	policy = parsed(t, `{rules: [{country: PK, per_order: {approve_above: "0"}}]}`)
	require.Equal(t, NeedsApproval, policy.Judge(wallet(t, "0.01"), Facts{}).Verdict)
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	rule := func(lines string) string { return "rules:\n  - country: PK\n" + lines }
	for name, test := range map[string]struct{ text, want string }{
		"empty":                  {"", "policy.yaml:1: the policy is empty"},
		"only a comment":         {"# nothing\n", "policy.yaml:1: the policy is empty"},
		"a list":                 {"- kind: deposit", "policy.yaml:1: the policy must be a mapping of names to values"},
		"no YAML":                {"rules:\n  - a: [1\n", "policy.yaml:"},
		"a tab":                  {"rules:\n\t- x", "policy.yaml:2: found character that cannot start any token"},
		"two documents":          {"rules: []\n---\nrules: []\n", "policy.yaml:2: one file holds one policy; this is a second document"},
		"unknown field":          {"approval_delay: 1h", `policy.yaml:1: the policy has no member "approval_delay"; known are approval_deadline, rules, two_person_close, two_person_resolve`},
		"close: no amounts":      {"two_person_close: 5", `policy.yaml:1: two_person_close must be amounts by currency, such as {PKR: "50000"}`},
		"close: unknown":         {"two_person_close: {XXX: 5}", `policy.yaml:1: two_person_close.XXX: `},
		"close: no amount":       {"two_person_close:\n  PKR: many", `policy.yaml:2: two_person_close.PKR: `},
		"close: below zero":      {"two_person_close:\n  PKR: -1", `policy.yaml:2: two_person_close.PKR: `},
		"close: twice":           {"two_person_close:\n  PKR: 1\n  PKR: 2", `policy.yaml:3: two_person_close has PKR twice`},
		"unknown in a rule":      {rule("    per_week: {approve_above: 1}"), `policy.yaml:3: a rule has no member "per_week"; known are country, kind, new_beneficiary, per_beneficiary_day, per_merchant_day, per_order`},
		"unknown in a limit":     {rule("    per_order: {refuse_over: 1}"), `policy.yaml:3: per_order has no member "refuse_over"; known are approve_above, refuse_above`},
		"twice":                  {"approval_deadline: 1h\napproval_deadline: 2h", "policy.yaml:2: the policy has approval_deadline twice"},
		"an alias":               {"approval_deadline: &a 1h\ntwo_person_resolve: *a", "policy.yaml:2: two_person_resolve: write the value out; anchors and aliases are not read"},
		"deadline is a number":   {"approval_deadline: 24", "policy.yaml:1: approval_deadline must be a duration such as 24h or 90m, above zero and at most 720h0m0s"},
		"deadline is zero":       {"approval_deadline: 0s", "policy.yaml:1: approval_deadline must be"},
		"deadline is long":       {"approval_deadline: 721h", "policy.yaml:1: approval_deadline must be"},
		"deadline is nothing":    {"approval_deadline:", "policy.yaml:1: approval_deadline must be a single value"},
		"two persons, perhaps":   {"two_person_resolve: perhaps", `policy.yaml:1: two_person_resolve must be true or false, not "perhaps"`},
		"two persons, as text":   {`two_person_resolve: "true"`, `policy.yaml:1: two_person_resolve must be true or false, not "true"`},
		"rules are no list":      {"rules: {}", "policy.yaml:1: rules must be a list"},
		"a rule is a word":       {"rules: [withdrawal]", "policy.yaml:1: a rule must be a mapping of names to values"},
		"kind":                   {"rules:\n  - kind: payout\n    new_beneficiary: approve", `policy.yaml:2: kind must be deposit or withdrawal, not "payout"; leave it out for both`},
		"country":                {"rules:\n  - country: XX\n    per_order: {refuse_above: 1}", `policy.yaml:2: no country "XX"; known are `},
		"country in small":       {"rules:\n  - country: pk\n    new_beneficiary: approve", `policy.yaml:2: no country "pk"`},
		"amounts, no country":    {"rules:\n  - per_order: {refuse_above: 1}", "policy.yaml:2: a rule with amounts needs a country: the amounts are in its currency"},
		"nothing asked":          {rule(""), "policy.yaml:2: the rule has no effect: give it a limit or new_beneficiary"},
		"new beneficiary":        {rule("    new_beneficiary: refuse"), `policy.yaml:3: new_beneficiary must be approve, not "refuse"; leave it out to ask for nothing`},
		"a limit without amount": {rule("    per_order: {}"), "policy.yaml:3: per_order needs approve_above, refuse_above or both"},
		"a limit is a number":    {rule("    per_order: 5"), "policy.yaml:3: per_order must be a mapping of names to values"},
		"over-precise":           {rule("    per_order:\n      refuse_above: \"1.005\""), "policy.yaml:4: per_order.refuse_above: amount has too many decimals: PKR has 2"},
		"over-precise number":    {rule("    per_order: {refuse_above: 1.005}"), "policy.yaml:3: per_order.refuse_above: amount has too many decimals: PKR has 2"},
		"a dot as separator":     {strings.ReplaceAll(rule("    per_order: {refuse_above: 500.000}"), "PK", "VN"), "policy.yaml:3: per_order.refuse_above: amount has decimals, and VND has none"},
		"scientific":             {rule("    per_order: {refuse_above: 1e6}"), "policy.yaml:3: per_order.refuse_above: amount must be a plain number such as 1500: it is in scientific notation"},
		"negative":               {rule("    per_order: {refuse_above: \"-1\"}"), "policy.yaml:3: per_order.refuse_above: amount is written without a sign"},
		"with a currency":        {rule("    per_order: {refuse_above: \"1 PKR\"}"), "policy.yaml:3: per_order.refuse_above: amount must be a plain number such as 1500"},
		"grouped":                {rule("    per_order: {refuse_above: \"1,000\"}"), "policy.yaml:3: per_order.refuse_above: amount must be a plain number"},
		"too large":              {rule("    per_order: {refuse_above: \"99999999999999999999\"}"), "policy.yaml:3: per_order.refuse_above: amount is larger than any that is taken: at most 10000000000000.00 PKR"},
		"a list of amounts":      {rule("    per_order: {refuse_above: [1, 2]}"), "policy.yaml:3: per_order.refuse_above must be a single value"},
		"contradiction": {
			rule("    per_merchant_day: {approve_above: \"100.01\", refuse_above: \"100\"}"),
			"policy.yaml:3: per_merchant_day contradicts itself: it refuses above 100.00 PKR and asks for approval above 100.01 PKR only",
		},
		"duplicate rule": {
			"rules:\n  - {country: PK, per_order: {refuse_above: 1}}\n  - {country: VN, per_order: {refuse_above: 1}}\n  - {country: PK, new_beneficiary: approve}",
			"policy.yaml:4: a rule for deposits and withdrawals in PK is on line 2 already; put both into one",
		},
		"duplicate for all": {
			"rules:\n  - {kind: deposit, new_beneficiary: approve}\n  - {kind: deposit, new_beneficiary: approve}",
			"policy.yaml:3: a rule for deposits in every country is on line 2 already; put both into one",
		},
	} {
		policy, err := ParsePolicy([]byte(test.text), "policy.yaml")
		require.Error(t, err, name)
		require.Nil(t, policy, name)
		require.True(t, strings.HasPrefix(err.Error(), test.want), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "\n", "%s: one mistake, one line", name)
	}
}

func TestParsePolicyTellsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ParsePolicy([]byte("approval_deadline: soon\nrules:\n  - kind: x\n    country: YY\n    new_beneficiary: no\n"), "p.yaml")
	var lines []string
	for _, line := range strings.Split(err.Error(), "\n") {
		place, _, _ := strings.Cut(line, ": ")
		lines = append(lines, place)
	}
	require.Equal(t, []string{"p.yaml:1", "p.yaml:3", "p.yaml:4", "p.yaml:5"}, lines)
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(housePolicy)
	f.Add("rules:\n  - &a {country: PK, per_order: *a}")
	f.Add("? [a]\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		policy, err := ParsePolicy([]byte(text), "p.yaml")
		require.Equal(t, err == nil, policy != nil)
		if err != nil {
			require.Regexp(t, `^p\.yaml:\d+: `, err.Error())
		}
	})
}

func TestBeneficiary(t *testing.T) {
	t.Parallel()
	base := wallet(t, "1")
	require.Regexp(t, "^[0-9a-f]{64}$", Beneficiary(base))
	with := func(change func(*order.Request)) string {
		r := wallet(t, "1")
		change(&r)
		return Beneficiary(r)
	}
	details := func(details map[string]string) string { return with(func(r *order.Request) { r.Details = details }) }
	const account, contact = "customerAccountNumber", "customerContact"
	for name, same := range map[string]string{
		"amount":                             with(func(r *order.Request) { r.Amount = amount(t, "2", "PKR") }),
		"merchant":                           with(func(r *order.Request) { r.Merchant = "M2" }),
		"name":                               details(map[string]string{account: "03001234567", "customerName": "X"}),
		"both":                               details(map[string]string{account: "03001234567", contact: "+92 300 1234567"}),
		"by contact":                         details(map[string]string{contact: "03001234567"}),
		"a member that is not the country's": details(map[string]string{account: "03001234567", "walletId": "03009999999"}),
		"a prefix":                           details(map[string]string{account: "00923001234567"}),
		"blanks":                             details(map[string]string{account: " 0300-123 4567"}),
		"not seen":                           details(map[string]string{account: "0300\u200b1234567"}),
		"another width":                      details(map[string]string{account: "０３００１２３４５６７"}),
		"dots":                               details(map[string]string{account: "0300.1234567"}),
	} {
		require.Equal(t, Beneficiary(base), same, name)
	}
	for name, other := range map[string]string{
		"kind":    with(func(r *order.Request) { r.Kind, r.Details = order.Deposit, map[string]string{contact: "03001234567"} }),
		"way":     with(func(r *order.Request) { r.Way = "easypaisa" }),
		"bank":    with(func(r *order.Request) { r.Way = "HBL" }),
		"account": details(map[string]string{account: "03001234568"}),
		"country": with(func(r *order.Request) {
			r.Country, r.Way, r.Details = "BD", "EWALLET_BKASH", map[string]string{"walletId": "03001234567"}
		}),
	} {
		require.NotEqual(t, Beneficiary(base), other, name)
		require.NotEmpty(t, other, name)
	}
	require.Empty(t, details(nil))
	require.Empty(t, details(map[string]string{account: " - ", "customerName": "X"}))
	require.Empty(t, details(map[string]string{account: "03001234567", contact: "03001234568"}), "two payees")
	require.Empty(t, with(func(r *order.Request) { r.Country = "XX" }))
}

// What persons have approved is not asked again. What the day's totals ask for is, and what
// refuses refuses.
func TestWithoutAsked(t *testing.T) {
	t.Parallel()
	asks := func(codes ...string) Ruling {
		r := Ruling{Verdict: NeedsApproval}
		for _, code := range codes {
			r.Reasons = append(r.Reasons, order.Reason{Code: code, Text: code})
		}
		return r
	}
	approved := asks(codes.LimitOrder, codes.NewBeneficiary)
	require.Equal(t, Ruling{Verdict: Pass}, asks(codes.NewBeneficiary, codes.LimitOrder).WithoutAsked(approved))
	require.Equal(t, asks(codes.LimitMerchantDay), asks(codes.LimitOrder, codes.LimitMerchantDay).WithoutAsked(approved))
	require.Equal(t, asks(codes.LimitOrder), asks(codes.LimitOrder).WithoutAsked(Ruling{Verdict: Pass}))
	refused := Ruling{Verdict: Refused, Reasons: asks(codes.LimitOrder).Reasons}
	require.Equal(t, refused, refused.WithoutAsked(approved))
	require.Equal(t, Ruling{Verdict: Pass}, Ruling{Verdict: Pass}.WithoutAsked(approved))
}
