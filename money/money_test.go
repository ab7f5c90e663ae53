package money

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, currency string
		minor          int64
		number, short  string
	}{
		{"1500", "PKR", 150000, "1500.00", "1500"},
		{"12.5", "PKR", 1250, "12.50", "12.5"},
		{"0.01", "BRL", 1, "0.01", "0.01"},
		{"-0.05", "THB", -5, "-0.05", "-0.05"},
		{"200000", "VND", 200000, "200000", "200000"},
		{"0", "KRW", 0, "0", "0"},
		{"10000000000000.00", "PKR", Most, "10000000000000.00", "10000000000000"},
		{"-1000000000000000", "VND", -Most, "-1000000000000000", "-1000000000000000"},
	}
	for _, test := range tests {
		t.Run(test.text+test.currency, func(t *testing.T) {
			t.Parallel()
			amount, err := Parse(test.text, test.currency)
			require.NoError(t, err)
			require.Equal(t, test.minor, amount.Minor())
			require.Equal(t, test.number, amount.Number())
			require.Equal(t, test.short, amount.Short())
			require.Equal(t, test.number+" "+test.currency, amount.String())
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, currency string
		want           error
	}{
		{"", "PKR", ErrNotNumber},
		{"abc", "PKR", ErrNotNumber},
		{"1e3", "PKR", ErrNotNumber},
		{"1,000", "PKR", ErrNotNumber},
		{" 1", "PKR", ErrNotNumber},
		{"+1", "PKR", ErrNotNumber},
		{"1.", "PKR", ErrNotNumber},
		{".5", "PKR", ErrNotNumber},
		{"-", "PKR", ErrNotNumber},
		{"-.5", "PKR", ErrNotNumber},
		{"1.2.3", "PKR", ErrNotNumber},
		{"NaN", "PKR", ErrNotNumber},
		{"٣", "PKR", ErrNotNumber},
		{"1000000000000000000000000000", "PKR", ErrNotNumber},
		{"92233720368547758.08", "PKR", ErrRange},
		{"10000000000000.01", "PKR", ErrRange},
		{"-10000000000000.01", "PKR", ErrRange},
		{"1000000000000001", "VND", ErrRange},
		{"0.001", "PKR", ErrPrecision},
		{"10.5", "VND", ErrPrecision},
		{"500.000", "VND", ErrPrecision},
		{"500.00", "VND", ErrPrecision},
		{"500.0", "KRW", ErrPrecision},
		{"100.000", "PKR", ErrPrecision},
		{"1,500", "VND", ErrNotNumber},
		{"1.500,00", "PKR", ErrNotNumber},
		{"1.500.000", "VND", ErrNotNumber},
		{"1'500", "PKR", ErrNotNumber},
		{"1 500", "PKR", ErrNotNumber},
		{"1\u00a0500", "PKR", ErrNotNumber},
		{"1_500", "PKR", ErrNotNumber},
		{"0x10", "PKR", ErrNotNumber},
		{"1.5E+3", "PKR", ErrNotNumber},
		{"٥٠٠", "VND", ErrNotNumber},
		{"５００", "VND", ErrNotNumber},
		{"500\u200b", "VND", ErrNotNumber},
		{"\ufeff500", "VND", ErrNotNumber},
		{"0500", "VND", ErrNotNumber},
		{"00.50", "PKR", ErrNotNumber},
		{"1", "THA", ErrCurrency},
		{"1", "pkr", ErrCurrency},
		{"1", "", ErrCurrency},
	}
	for _, test := range tests {
		t.Run(test.text+test.currency, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(test.text, test.currency)
			require.ErrorIs(t, err, test.want)
		})
	}
}

// The gateway may pad with zeros, but not so that they could separate thousands.
func TestParseAnswer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"100": "100", "100.0": "100", "100.00": "100", "100.0000": "100", "00100": "100", "-5": "-5"} {
		amount, err := ParseAnswer(text, "VND")
		require.NoError(t, err, text)
		require.Equal(t, want, amount.Number(), text)
	}
	for text, want := range map[string]error{
		"500.000": ErrAmbiguous, "1481.4": ErrPrecision, "500.001": ErrPrecision, "1,500": ErrNotNumber, "1e3": ErrNotNumber, "": ErrNotNumber,
		"1000000000000001": ErrRange, "-1000000000000001.00": ErrRange, "92233720368547758080": ErrRange,
	} {
		_, err := ParseAnswer(text, "VND")
		require.ErrorIs(t, err, want, text)
	}
	_, err := ParseAnswer("100.000", "PKR")
	require.ErrorIs(t, err, ErrAmbiguous)
	_, err = ParseAnswer("1", "THA")
	require.ErrorIs(t, err, ErrCurrency)
}

// A sum is written and read back although it is beyond what one order may be.
func TestSumsTravelAsJSON(t *testing.T) {
	t.Parallel()
	for _, minor := range []int64{Most + 1, math.MaxInt64, math.MinInt64} {
		sum, err := Minor(minor, "PKR")
		require.NoError(t, err)
		require.False(t, sum.Within(Most))
		text, err := json.Marshal(sum)
		require.NoError(t, err)
		var back Amount
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, sum, back)
	}
}

func TestArithmetic(t *testing.T) {
	t.Parallel()
	one, ten := must(t, "1", "PKR"), must(t, "10.25", "PKR")

	sum, err := one.Add(ten)
	require.NoError(t, err)
	require.Equal(t, "11.25 PKR", sum.String())

	difference, err := one.Sub(ten)
	require.NoError(t, err)
	require.Equal(t, "-9.25 PKR", difference.String())

	order, err := one.Compare(ten)
	require.NoError(t, err)
	require.Equal(t, -1, order)

	_, err = one.Add(must(t, "1", "VND"))
	require.ErrorIs(t, err, ErrMismatch)
	_, err = one.Compare(must(t, "1", "VND"))
	require.ErrorIs(t, err, ErrMismatch)

	most := Amount{minor: math.MaxInt64, currency: "PKR"}
	_, err = most.Add(one)
	require.ErrorIs(t, err, ErrRange)
	least := Amount{minor: math.MinInt64, currency: "PKR"}
	_, err = least.Sub(one)
	require.ErrorIs(t, err, ErrRange)
	_, err = one.Sub(least)
	require.ErrorIs(t, err, ErrRange)
	same, err := most.Add(Amount{currency: "PKR"})
	require.NoError(t, err)
	require.Equal(t, most, same)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(must(t, "12.5", "PKR"))
	require.NoError(t, err)
	require.JSONEq(t, `{"value":"12.50","currency":"PKR"}`, string(text))

	var back Amount
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, must(t, "12.5", "PKR"), back)

	text, err = json.Marshal(Amount{})
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, Amount{}, back)

	for _, bad := range []string{`{"value":12.5,"currency":"PKR"}`, `{"value":"1","currency":"XX"}`, `{"value":"0.001","currency":"PKR"}`, `{"value":"500.000","currency":"VND"}`, `{"value":"1,500","currency":"PKR"}`, `{"value":"1e3","currency":"PKR"}`, `"1"`} {
		require.Error(t, json.Unmarshal([]byte(bad), &back), bad)
	}
}

func TestMinorRefusesUnknownCurrency(t *testing.T) {
	t.Parallel()
	_, err := Minor(1, "BRA")
	require.ErrorIs(t, err, ErrCurrency)
}

func must(t *testing.T, text, currency string) Amount {
	t.Helper()
	amount, err := Parse(text, currency)
	require.NoError(t, err)
	return amount
}

// What is finer than the currency is cut towards zero, and nothing of it is lost.
func TestParseFiner(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, currency string
		minor, rest    int64
		err            error
	}{
		{"1481.4", "VND", 1481, 400_000, nil},
		{"-1481.4", "VND", -1481, -400_000, nil},
		{"4.995", "PKR", 499, 500_000, nil},
		{"15", "PKR", 1500, 0, nil},
		{"0.0000019", "VND", 0, 1, nil},
		{"1,5", "PKR", 0, 0, ErrNotNumber},
		{"1e3", "PKR", 0, 0, ErrNotNumber},
		{"", "PKR", 0, 0, ErrNotNumber},
		{"1", "XXQ", 0, 0, ErrCurrency},
		{"99999999999999999999", "VND", 0, 0, ErrRange},
	} {
		amount, rest, err := ParseFiner(test.text, test.currency)
		require.ErrorIs(t, err, test.err, test.text)
		require.Equal(t, []int64{test.minor, test.rest}, []int64{amount.Minor(), rest}, test.text)
	}
	sum, err := AddAnswers("121968.6", "1481.4", "VND")
	require.NoError(t, err)
	require.EqualValues(t, 123450, sum.Minor())
	_, err = AddAnswers("121968.6", "1481.5", "VND")
	require.ErrorIs(t, err, ErrPrecision)
	_, err = AddAnswers("1", "x", "VND")
	require.ErrorIs(t, err, ErrNotNumber)
}
