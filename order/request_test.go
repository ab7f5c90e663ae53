package order

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
)

func amount(t *testing.T, text, currency string) money.Amount {
	t.Helper()
	a, err := money.Parse(text, currency)
	require.NoError(t, err)
	return a
}

func minor(t *testing.T, n int64, currency string) money.Amount {
	t.Helper()
	a, err := money.Minor(n, currency)
	require.NoError(t, err)
	return a
}

func vietnam(t *testing.T) Request {
	t.Helper()
	return Request{
		Kind: Withdrawal, Merchant: "M1700000002", Number: "INV-1", Country: "VN", Way: "VCB",
		Amount:  amount(t, "200000", "VND"),
		Details: map[string]string{"customerName": "NGUYEN VAN PLANTED", "customerAccountNumber": "0123456789"},
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	base := vietnam(t)
	same := vietnam(t)
	same.RequestedBy = "somebody else"
	same.Details["customerEmail"] = "" // never sent
	same.Metadata = map[string]string{"run": ""}
	require.Equal(t, base.Fingerprint(), same.Fingerprint())
	require.Equal(t, "93899039f55cc781312df401baa9a7228b90058578cac4537444826c29270327", base.Fingerprint(), "that of an order from before there was metadata")

	for name, change := range map[string]func(*Request){
		"kind":     func(r *Request) { r.Kind = Deposit },
		"merchant": func(r *Request) { r.Merchant = "M2" },
		"number":   func(r *Request) { r.Number = "INV-2" },
		"country":  func(r *Request) { r.Country = "TH" },
		"way":      func(r *Request) { r.Way = "ACB" },
		"amount":   func(r *Request) { r.Amount = amount(t, "200001", "VND") },
		"currency": func(r *Request) { r.Amount = amount(t, "200000", "KRW") },
		"details":  func(r *Request) { r.Details["customerName"] = "OTHER" },
		"return":   func(r *Request) { r.ReturnURL = "https://example.com" },
		"time":     func(r *Request) { r.NotBefore = time.Date(2026, 12, 24, 9, 0, 0, 0, time.UTC) },
		"metadata": func(r *Request) { r.Metadata = map[string]string{"run": "7"} },
	} {
		other := vietnam(t)
		change(&other)
		require.NotEqual(t, base.Fingerprint(), other.Fingerprint(), name)
	}
}

// One moment written in two zones is one order. What JSON cannot have does no harm.
func TestFingerprintOfATime(t *testing.T) {
	t.Parallel()
	r, same, other := vietnam(t), vietnam(t), vietnam(t)
	r.NotBefore = time.Date(2026, 12, 24, 9, 0, 0, 0, time.UTC)
	same.NotBefore = r.NotBefore.In(time.FixedZone("ICT", 7*60*60))
	other.NotBefore = r.NotBefore.Add(time.Millisecond)
	require.Equal(t, r.Fingerprint(), same.Fingerprint())
	require.NotEqual(t, r.Fingerprint(), other.Fingerprint())
	other.NotBefore = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NotPanics(t, func() { other.Fingerprint() })
}

func TestCheckNotBefore(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	r := vietnam(t)
	for _, at := range []time.Time{{}, now.Add(-time.Hour), now, now.Add(366 * 24 * time.Hour)} {
		r.NotBefore = at
		require.NoError(t, r.CheckNotBefore(now), at)
	}
	for _, at := range []time.Time{now.Add(366*24*time.Hour + 1), now.AddDate(500, 0, 0), now.AddDate(10000, 0, 0)} {
		r.NotBefore = at
		var invalid *Invalid
		require.ErrorAs(t, r.CheckNotBefore(now), &invalid, at)
		require.Equal(t, ProblemNotBefore+" not_before", invalid.Problems[0].Code+" "+invalid.Problems[0].Field)
	}
}

// A request that has travelled as JSON, as it does to a workflow, keeps its
// fingerprint.
func TestFingerprintSurvivesJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(vietnam(t))
	require.NoError(t, err)
	var back Request
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, vietnam(t).Fingerprint(), back.Fingerprint())
}

func TestRequestHidesPersonalData(t *testing.T) {
	t.Parallel()
	r := vietnam(t)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("request", "request", r)
	for _, text := range []string{fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s", r, r, r, r), log.String()} {
		require.NotContains(t, text, "PLANTED")
		require.NotContains(t, text, "0123456789")
		require.Contains(t, text, "M1700000002/INV-1")
	}
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	require.NoError(t, vietnam(t).Validate(nil))
	noted := vietnam(t)
	noted.Metadata = entries(19)
	noted.Metadata[strings.Repeat("k", 40)] = strings.Repeat("é", 500)
	require.NoError(t, noted.Validate(nil))
}

// entries is so much metadata.
func entries(count int) map[string]string {
	made := make(map[string]string, count)
	for i := range count {
		made[fmt.Sprint("a.b_c-", i)] = "x"
	}
	return made
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Request)
		code   string
		field  string
	}{
		{"kind", func(r *Request) { r.Kind = "refund" }, ProblemKind, "kind"},
		{"merchant", func(r *Request) { r.Merchant = "M 1" }, ProblemMerchant, "merchant"},
		{"empty number", func(r *Request) { r.Number = "" }, ProblemNumber, "number"},
		{"long number", func(r *Request) { r.Number = strings.Repeat("1", 65) }, ProblemNumber, "number"},
		{"number with a colon", func(r *Request) { r.Number = "a:b" }, ProblemNumber, "number"},
		{"country", func(r *Request) { r.Country = "XX" }, ProblemCountry, "country"},
		{"country in lower case", func(r *Request) { r.Country = "vn" }, ProblemCountry, "country"},
		{"currency", func(r *Request) { r.Amount = amount(t, "200000", "KRW") }, ProblemCurrency, "currency"},
		{"zero", func(r *Request) { r.Amount = amount(t, "0", "VND") }, ProblemAmount, "amount"},
		{"negative", func(r *Request) { r.Amount = amount(t, "-5", "VND") }, ProblemAmount, "amount"},
		{"beyond all bounds", func(r *Request) { r.Amount = minor(t, money.Most+1, "VND") }, ProblemAmountRange, "amount"},
		{"above the house limit", func(r *Request) { r.Amount = amount(t, "500001", "VND") }, ProblemAmountRange, "amount"},
		{"way", func(r *Request) { r.Way = "NOBANK" }, "UNKNOWN_BANK", "way"},
		{"missing name", func(r *Request) { delete(r.Details, "customerName") }, "MISSING_FIELD", "customerName"},
		{"missing account", func(r *Request) { delete(r.Details, "customerAccountNumber") }, "MISSING_FIELD", "customerAccountNumber"},
		{"reserved field", func(r *Request) { r.Details["amount"] = "1" }, "RESERVED_FIELD", "amount"},
		{"key of metadata", func(r *Request) { r.Metadata = map[string]string{"cost center": "1"} }, "MALFORMED_FIELD", "metadata"},
		{"empty key of metadata", func(r *Request) { r.Metadata = map[string]string{"": "1"} }, "MALFORMED_FIELD", "metadata"},
		{"long key of metadata", func(r *Request) { r.Metadata = map[string]string{strings.Repeat("k", 41): "1"} }, "MALFORMED_FIELD", "metadata"},
		{"control character in metadata", func(r *Request) { r.Metadata = map[string]string{"run": "1\n2"} }, "MALFORMED_FIELD", "metadata.run"},
		{"metadata that is no UTF-8", func(r *Request) { r.Metadata = map[string]string{"run": "\xff"} }, "MALFORMED_FIELD", "metadata.run"},
		{"long value of metadata", func(r *Request) { r.Metadata = map[string]string{"run": strings.Repeat("é", 501)} }, CodeTextTooLong, "metadata.run"},
		{"much metadata", func(r *Request) { r.Metadata = entries(21) }, ProblemTooMany, "metadata"},
		{"return URL on a withdrawal", func(r *Request) { r.ReturnURL = "https://example.com/" }, ProblemReturnURL, "return_url"},
	}
	limits := Limits{"VND": amount(t, "500000", "VND")}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := vietnam(t)
			test.change(&r)
			err := r.Validate(limits)
			var invalid *Invalid
			require.ErrorAs(t, err, &invalid)
			var found bool
			for _, p := range invalid.Problems {
				require.NotEmpty(t, p.Message)
				require.NotContains(t, p.Message, "PLANTED")
				found = found || (p.Code == test.code && p.Field == test.field)
			}
			require.True(t, found, "%v", invalid.Problems)
			require.Equal(t, CodeInvalidRequest, CodeOf(fmt.Errorf("wrapped: %w", err)))
		})
	}
}

func TestThailandWantsAReturnURL(t *testing.T) {
	t.Parallel()
	r := Request{
		Kind: Deposit, Merchant: "M1700000003", Number: "T-1", Country: "TH", Way: "BANK", Amount: amount(t, "500", "THB"),
		Details: map[string]string{"body": "goods"},
	}
	var invalid *Invalid
	require.ErrorAs(t, r.Validate(nil), &invalid)
	require.Equal(t, []Problem{{ProblemReturnURL, "return_url", "Thailand wants a return URL with every deposit"}}, invalid.Problems)
	r.ReturnURL = "https://shop.example.com/done"
	require.NoError(t, r.Validate(nil))
}

func TestValidateListsEverything(t *testing.T) {
	t.Parallel()
	err := Request{}.Validate(nil)
	var invalid *Invalid
	require.ErrorAs(t, err, &invalid)
	require.GreaterOrEqual(t, len(invalid.Problems), 5)
}

func TestParseAmount(t *testing.T) {
	t.Parallel()
	a, err := ParseAmount("1500", "PK")
	require.NoError(t, err)
	require.Equal(t, "1500.00 PKR", a.String())
	for text, code := range map[string]string{
		"":                      ProblemAmountText,
		"ten":                   ProblemAmountText,
		"1e3":                   ProblemAmountText,
		"1.234":                 ProblemAmountDigits,
		"-5":                    ProblemAmount,
		"10000000000000.01":     ProblemAmountRange,
		"99999999999999999.99":  ProblemAmountRange,
		"99999999999999999999.": ProblemAmountText,
	} {
		_, err := ParseAmount(text, "PK")
		var invalid *Invalid
		require.ErrorAs(t, err, &invalid, text)
		require.Equal(t, code, invalid.Problems[0].Code, text)
	}
	for text, hint := range map[string]string{
		"500.000": "VND has none; a dot never separates thousands (half a million is 500000)",
		"500.00":  "VND has none", "1,500": "separators", "1.500,00": "separators", "1.500.000": "separators", "1'500": "separators",
		"1e6": "scientific notation", "1,5E+6": "scientific notation", "+500": "a sign", "-500": "without a sign", "0500": "begins with a zero",
		"500 000": "blanks", "500\u00a0000": "characters other than 0 to 9", "٥٠٠": "characters other than 0 to 9", "５００": "characters other than 0 to 9",
		"1_500": `"_" is no digit`, "ten": `"t" is no digit`, "500.": "a dot stands between digits only", ".5": "a dot stands between digits only",
		"500\u200b": "characters other than 0 to 9", "₫500": "characters other than 0 to 9", "1000000000000001": "at most 1000000000000000 VND",
	} {
		_, err := ParseAmount(text, "VN")
		require.ErrorContains(t, err, hint, text)
	}
	// One true sentence where the books keep decimals that the gateway does not take.
	_, err = ParseAmount("1500.505", "PK")
	require.ErrorContains(t, err, "amount has too many decimals: PKR has 2; in Pakistan the gateway takes orders of whole PKR only, such as 1500; a dot never")
	_, err = ParseAmount("1500.505", "IN")
	require.ErrorContains(t, err, "amount has too many decimals: INR has 2; a dot never")
	_, err = ParseAmount("ten", "PK")
	require.ErrorContains(t, err, "amount must be a plain number such as 1500: ")
	_, err = ParseAmount("1", "XX")
	var invalid *Invalid
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, ProblemCountry, invalid.Problems[0].Code)
}

// The bound of an amount holds where no limit is configured.
func TestTheBoundNeedsNoLimit(t *testing.T) {
	t.Parallel()
	r := vietnam(t)
	r.Amount = minor(t, money.Most+1, "VND")
	require.ErrorContains(t, r.Validate(nil), "amount is larger than any that is taken")
}
