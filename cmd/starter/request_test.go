package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// sound are flags that make an order.
func sound() orderFlags {
	return orderFlags{
		number: "INV-1", country: "PK", way: "HBL", amount: "1500",
		name: "Ali Khan", account: "03001234567", phone: "03007654321", email: "ali@example.com", requestedBy: "amina",
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	settings := setup(t).settings
	for name, test := range map[string]struct {
		change func(*orderFlags)
		kind   order.Kind
		want   func(*order.Request)
	}{
		"the merchant of the country": {func(*orderFlags) {}, order.Withdrawal, func(*order.Request) {}},
		"the country of the merchant": {
			func(f *orderFlags) { f.country, f.merchant = "", merchant }, order.Withdrawal, func(*order.Request) {},
		},
		"a country in small letters": {
			func(f *orderFlags) { f.country = "pk" }, order.Withdrawal, func(*order.Request) {},
		},
		"a merchant that only the worker knows": {
			func(f *orderFlags) { f.merchant = "M9" }, order.Withdrawal, func(r *order.Request) { r.Merchant = "M9" },
		},
		"members by the gateway's name": {
			func(f *orderFlags) { f.fields = []string{"remark=W 1=2", "sandboxScenario=lost"} }, order.Withdrawal,
			func(r *order.Request) { r.Details["remark"], r.Details["sandboxScenario"] = "W 1=2", "lost" },
		},
		"a member that has a flag": {
			func(f *orderFlags) { f.name, f.fields = "", []string{"customerName=Lin"} }, order.Withdrawal,
			func(r *order.Request) { r.Details["customerName"] = "Lin" },
		},
		"only what is given": {
			func(f *orderFlags) { f.name, f.email = "", "" }, order.Withdrawal,
			func(r *order.Request) { delete(r.Details, "customerName"); delete(r.Details, "customerEmail") },
		},
		"a deposit that returns": {
			func(f *orderFlags) {
				f.returnURL, f.way = "https://shop.example.com/thanks", "easypaisa"
			}, order.Deposit,
			func(r *order.Request) {
				r.ReturnURL, r.Way = "https://shop.example.com/thanks", "easypaisa"
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := sound()
			test.change(&flags)
			want := order.Request{
				Kind: test.kind, Merchant: merchant, Number: "INV-1", Country: "PK", Way: "HBL",
				Amount: amount(t, "1500", "PKR"), RequestedBy: "amina",
				Details: map[string]string{
					"customerName": "Ali Khan", "customerAccountNumber": "03001234567",
					"customerContact": "03007654321", "customerEmail": "ali@example.com",
				},
			}
			test.want(&want)
			got, err := flags.request(test.kind, settings)
			require.NoError(t, err)
			require.True(t, want.Fingerprint() == got.Fingerprint() && want.RequestedBy == got.RequestedBy, "%s", got)
			require.Equal(t, want.Details, got.Details)
		})
	}
}

func TestRequestProblems(t *testing.T) {
	t.Parallel()
	settings := setup(t).settings
	settings.MaxAmount = config.AmountLimits{"PKR": amount(t, "20000", "PKR")}
	type problem struct{ code, field string }
	for name, test := range map[string]struct {
		change func(*orderFlags)
		want   []problem
	}{
		"nothing given": {
			func(f *orderFlags) { *f = orderFlags{} },
			[]problem{
				{payouts.CodeMissing, "country"}, {payouts.CodeMissing, "merchant"}, {payouts.CodeMissing, "number"}, {payouts.CodeMissing, "way"}, {payouts.CodeMissing, "amount"},
			},
		},
		"no number":            {func(f *orderFlags) { f.number = "" }, []problem{{payouts.CodeMissing, "number"}}},
		"a number with blanks": {func(f *orderFlags) { f.number = "INV 1" }, []problem{{order.ProblemNumber, "number"}}},
		"no such country":      {func(f *orderFlags) { f.country, f.merchant = "XX", "M9" }, []problem{{order.ProblemCountry, "country"}}},
		"a country of no merchant": {
			func(f *orderFlags) { f.country, f.way, f.phone, f.account = "KE", "EWALLET_MPESA", "254700000000", "" }, []problem{{payouts.CodeMissing, "merchant"}},
		},
		"two merchants": {
			func(f *orderFlags) { f.country, f.way, f.phone = "TH", "KBANK", "66812345678" }, []problem{{payouts.CodeMissing, "merchant"}},
		},
		"another country's merchant": {func(f *orderFlags) { f.merchant = merchantVN }, []problem{{order.CodeUnknownMerchant, "merchant"}}},
		"an amount with a comma":     {func(f *orderFlags) { f.amount = "1,500" }, []problem{{order.ProblemAmountText, "amount"}}},
		"too many decimals":          {func(f *orderFlags) { f.amount = "1.234" }, []problem{{order.ProblemAmountDigits, "amount"}}},
		"an amount beyond all":       {func(f *orderFlags) { f.amount = "99999999999999999999" }, []problem{{order.ProblemAmountRange, "amount"}}},
		"above the house's limit":    {func(f *orderFlags) { f.amount = "20001" }, []problem{{order.ProblemAmountRange, "amount"}}},
		"a member without a value":   {func(f *orderFlags) { f.fields = []string{"walletId="} }, []problem{{codeUsage, "field"}}},
		"a member without a name":    {func(f *orderFlags) { f.fields = []string{"W1", "=W1", "0300=1"} }, []problem{{codeUsage, "field"}, {codeUsage, "field"}, {codeUsage, "field"}}},
		"a member given twice":       {func(f *orderFlags) { f.fields = []string{"customerName=Lin"} }, []problem{{codeUsage, "customerName"}}},
		"a time that is none":        {func(f *orderFlags) { f.notBefore = "tomorrow" }, []problem{{codeUsage, "not-before"}}},
		"a time of another century":  {func(f *orderFlags) { f.notBefore = "2026-13-01T00:00:00Z" }, []problem{{codeUsage, "not-before"}}},
		"metadata that is none": {
			func(f *orderFlags) { f.metadata = []string{"run", "run=", "pay run=7", "run=7", "run=8"} },
			[]problem{{codeUsage, "metadata"}, {codeUsage, "metadata"}, {tarspay.ViolationMalformed, "metadata"}, {codeUsage, "metadata"}},
		},
		"a member that is the order's": {
			func(f *orderFlags) { f.fields = []string{"mchOrderNo=X"} }, []problem{{tarspay.ViolationReserved, "mchOrderNo"}},
		},
		"a return address on a withdrawal": {
			func(f *orderFlags) { f.returnURL = "https://shop.example.com" }, []problem{{order.ProblemReturnURL, "return_url"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := sound()
			test.change(&flags)
			_, err := flags.request(order.Withdrawal, settings)
			var invalid *order.Invalid
			require.ErrorAs(t, err, &invalid)
			var got []problem
			for _, p := range invalid.Problems {
				got = append(got, problem{p.Code, p.Field})
				require.NotEmpty(t, p.Message)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// An amount that cannot be read does not keep the other mistakes from being
// told.
func TestRequestProblemsTogether(t *testing.T) {
	t.Parallel()
	flags := sound()
	flags.country, flags.merchant, flags.way, flags.amount = "VN", merchantVN, "NOPE", "abc"
	_, err := flags.request(order.Withdrawal, setup(t).settings)
	var invalid *order.Invalid
	require.ErrorAs(t, err, &invalid)
	fields := make(map[string]bool)
	for _, p := range invalid.Problems {
		require.False(t, fields[p.Field], "told twice: %s", p.Field)
		fields[p.Field] = true
	}
	require.True(t, fields["amount"] && fields["way"], "%v", invalid.Problems)
}

// A way that is not the country's is told with the command that lists the ways.
func TestWrongWayNamesTheCommand(t *testing.T) {
	t.Parallel()
	flags := sound()
	flags.country, flags.merchant, flags.way = "VN", merchantVN, "NOPE"
	_, err := flags.request(order.Withdrawal, setup(t).settings)
	require.ErrorContains(t, err, "Vietnam: no such bank or wallet; there are 31; see starter ways --country VN")
	flags.country, flags.way = "XX", ""
	_, err = flags.request(order.Withdrawal, setup(t).settings)
	require.ErrorContains(t, err, "--way is needed; see starter ways")
	require.NotContains(t, err.Error(), "--country XX")
}

// A member that is missing is told with the flag that gives it.
func TestMissingMemberNamesItsFlag(t *testing.T) {
	t.Parallel()
	flags := sound()
	flags.country, flags.merchant, flags.way, flags.phone, flags.name = "TH", merchantTH, "KBANK", "66812345678", ""
	_, err := flags.request(order.Withdrawal, setup(t).settings)
	require.ErrorContains(t, err, "Thailand: customerName is required: give it with --name")
	require.Equal(t, ": give it with --field ifsc=…", flagHint(order.Problem{Code: tarspay.ViolationMissing, Field: "ifsc"}))
	require.Empty(t, flagHint(order.Problem{Code: tarspay.ViolationMalformed, Field: "ifsc"}))

	flags = sound()
	flags.country, flags.merchant, flags.way, flags.phone = "KE", "M9", "EWALLET_MPESA", "+254700000000"
	_, err = flags.request(order.Withdrawal, setup(t).settings)
	require.ErrorContains(t, err, "Kenya: customerContact must start with 254, without plus (--phone)")
}

func TestResolution(t *testing.T) {
	t.Parallel()
	sound := resolveFlags{actor: actor{"amina", "statement"}, state: "partially_paid", evidence: "line 88", paid: "300", fee: "2.50"}
	decision, err := sound.resolution("PK")
	require.NoError(t, err)
	require.Equal(t, order.Resolution{
		State: order.PartiallyPaid, Why: "statement", Evidence: "line 88",
		Paid: amount(t, "300", "PKR"), Fee: amount(t, "2.50", "PKR"),
	}, decision)

	plain := resolveFlags{actor: actor{"amina", "statement"}, state: "failed", evidence: "line 88"}
	decision, err = plain.resolution("PK")
	require.NoError(t, err)
	require.Equal(t, money.Amount{}, decision.Paid)
	require.Equal(t, money.Amount{}, decision.Fee)

	unproved, err := resolveFlags{state: "failed"}.resolution("PK")
	require.NoError(t, err, "that it says too little is for the ledger to refuse")
	require.Equal(t, order.Resolution{State: order.Failed}, unproved)

	for name, test := range map[string]struct {
		change func(*resolveFlags)
		field  string
	}{
		"no state":              {func(f *resolveFlags) { f.state, f.paid = "", "" }, "state"},
		"no such state":         {func(f *resolveFlags) { f.state, f.paid = "paid", "" }, "state"},
		"paid, but not in part": {func(f *resolveFlags) { f.state = "succeeded" }, "paid"},
		"paid is no number":     {func(f *resolveFlags) { f.paid = "some" }, "paid"},
		"fee is no number":      {func(f *resolveFlags) { f.fee = "2,50" }, "fee"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := sound
			test.change(&flags)
			_, err := flags.resolution("PK")
			var invalid *order.Invalid
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Problems, 1)
			require.Equal(t, test.field, invalid.Problems[0].Field)
		})
	}
}

// An amount with separators means one thing here and another there: no door takes
// it.
func TestSeparatorsAtEveryDoor(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"500.000": order.ProblemAmountDigits, "500.00": order.ProblemAmountDigits, "1,500": order.ProblemAmountText, "1.500,00": order.ProblemAmountText,
		"1e6": order.ProblemAmountText, "+500": order.ProblemAmountText, "-500": order.ProblemAmount, "500 000": order.ProblemAmountText,
		"٥٠٠": order.ProblemAmountText, "1000000000000001": order.ProblemAmountRange,
	} {
		for name, args := range map[string][]string{
			"withdraw": {"withdraw", "--country", "VN", "--number", "DOT-1", "--way", "VCB", "--amount=" + text, "--name", "Test", "--account", "0123456789"},
			"deposit":  {"deposit", "--country", "VN", "--number", "DOT-1", "--way", "QR", "--amount=" + text, "--name", "Test"},
			"adjust":   {"adjust", "propose", "DOT-1", "--merchant", merchantVN, "--kind", "top_up", "--amount=" + text, "--why", "x", "--evidence", "slip", "--by", "amina"},
		} {
			got := setup(t).run(t.Context(), args...)
			require.Equal(t, exitUsage, got.code, "%s %s: %s", name, text, got.errs)
			require.Contains(t, got.errs, code, "%s %s", name, text)
		}
		for _, flags := range []resolveFlags{{state: "succeeded", fee: text}, {state: "partially_paid", paid: text}} {
			_, err := flags.resolution("VN")
			require.ErrorContains(t, err, map[bool]string{true: "--fee", false: "--paid"}[flags.paid == ""], text)
			require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err), text)
		}
	}
}

// A limit that was lowered does not refuse the repetition of an order that is there.
func TestARepetitionAboveALoweredLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settings.MaxAmount = config.AmountLimits{"PKR": amount(t, "1000", "PKR")}
	b.temporal.viewErr = order.Refuse(order.CodeOrderNotFound, "there is no such order")
	b.temporal.findErr = b.temporal.viewErr
	refused := b.run(t.Context(), withdraw...)
	require.Equal(t, exitUsage, refused.code)
	require.Contains(t, refused.errs, order.ProblemAmountRange)

	b.temporal.viewErr, b.temporal.findErr = nil, nil
	ends(order.Submitted)(t, b)
	existingStart(t, b)
	again := b.run(t.Context(), withdraw...)
	require.Equal(t, exitDone, again.code, again.errs)
	require.Contains(t, again.out, "submitted")
}

func TestTimesAhead(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for text, want := range map[string]string{
		"":                          "0001-01-01T00:00:00Z",
		"2026-12-24T09:00:00Z":      "2026-12-24T09:00:00Z",
		"2026-12-24T09:00:00+05:00": "2026-12-24T04:00:00Z",
		"2026-12-24T09:00":          "2026-12-24T08:00:00Z",
		"2026-07-24T09:00:30":       "2026-07-24T07:00:30Z",
		"2026-12-24":                "2026-12-23T23:00:00Z",
		"2026-03-29":                "2026-03-28T23:00:00Z",
	} {
		var wrong problems
		require.Equal(t, want, wrong.future("not-before", text, berlin).UTC().Format(time.RFC3339), text)
		require.Empty(t, wrong, text)
	}
	for _, text := range []string{"2026-03-29T02:30", "2026-10-25T02:30", "tomorrow", "24h", "2026-12-24 09:00", "2026-02-30"} {
		var wrong problems
		require.Zero(t, wrong.future("not-before", text, berlin), text)
		require.Len(t, wrong, 1, text)
	}
}
