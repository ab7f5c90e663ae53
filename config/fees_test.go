package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Each fee of a few amounts, in PKR of which the gateway takes whole rupees, and in PKR of
// which it takes paisa.
func TestWithdrawalFee(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ fee, amount, whole, paisa string }{
		{"1%", "1000", "10.00", "10.00"},
		{"1%", "1001", "11.00", "10.01"},
		{"1.5%+10", "1001", "26.00", "25.02"},
		{"1.5%+10:round=up", "1001", "26.00", "25.02"},
		{"1.5%+10:round=down", "1001", "25.00", "25.01"},
		{"1.5%:round=nearest", "1001", "15.00", "15.02"},
		{"1.5%:round=nearest", "1033.33", "15.00", "15.50"},
		{"1.5%:round=nearest", "1033.34", "16.00", "15.50"},
		{"0.0001%", "1", "1.00", "0.01"},
		{"0.0001%:round=down", "999999.99", "0.00", "0.99"},
		{"12.50", "1000", "12.50", "12.50"},
		{"1%:min=15:max=20", "1000", "15.00", "15.00"},
		{"1%:min=15:max=20", "1800", "18.00", "18.00"},
		{"1%:max=20", "5000", "20.00", "20.00"},
		{"1%+5:max=7.50", "1000", "7.50", "7.50"},
		{"100%", "1000", "1000.00", "1000.00"},
		{"100%+1", "1000", "1000.00", "1000.00"}, // no more than the amount
		{"10", "9.99", "9.99", "9.99"},
		{"100%+10000000000000", "10000000000000", "10000000000000.00", "10000000000000.00"},
	} {
		var fees WithdrawalFees
		require.NoError(t, fees.Decode("M1:PKR:"+test.fee), test.fee)
		amount, err := money.Parse(test.amount, "PKR")
		require.NoError(t, err)
		require.Equal(t, test.whole, fees["M1"].Of(amount, 100).Number(), "%+v", test)
		require.Equal(t, test.paisa, fees["M1"].Of(amount, 1).Number(), "%+v", test)
	}
	var fees WithdrawalFees
	require.NoError(t, fees.Decode("M1:PKR:1%, M2:VND:3000:min=1,"))
	require.Len(t, fees, 2)
	dong, err := money.Minor(5000, "VND")
	require.NoError(t, err)
	require.Equal(t, "3000", fees["M2"].Of(dong, 1).Number())
	require.Zero(t, fees["M1"].Of(dong, 1))
}

func TestWrongWithdrawalFees(t *testing.T) {
	t.Parallel()
	for entry, wrong := range map[string]string{
		"M1":                          `has the entry "M1"; write each as merchant number, currency, fee and options, like M1700000001:PKR:1.5%+10:min=20:max=500:round=up`,
		"M1:PKR":                      `has the entry "M1:PKR"`,
		"M 1:PKR:1%":                  `has the entry "M 1:PKR:1%"`,
		"M1:XXQ:1%":                   "unknown currency",
		"M1:PKR:1%,M1:PKR:2%":         "has two fees for merchant M1; keep one",
		"M1:PKR:one":                  "not a plain decimal number",
		"M1:PKR:0":                    "the fee must be above zero",
		"M1:PKR:-1":                   "the fee must be above zero",
		"M1:PKR:1.234":                "more decimals than the currency has",
		"M1:PKR:%":                    `"" is no percentage`,
		"M1:PKR:0%":                   "0% is not above zero and at most 100%",
		"M1:PKR:0.0000%":              "0.0000% is not above zero",
		"M1:PKR:100.1%":               "100.1% is not above zero and at most 100%",
		"M1:PKR:1e1%":                 `"1e1" is no percentage`,
		"M1:PKR:01%":                  `"01" is no percentage`,
		"M1:PKR:1.00001%":             `"1.00001" is no percentage; it has at most four decimals`,
		"M1:PKR:-1%":                  `"-1" is no percentage`,
		"M1:PKR:1%10":                 `after the percent sign comes + and an amount, not "10"`,
		"M1:PKR:1%+":                  "not a plain decimal number",
		"M1:PKR:1%+0":                 "the fee must be above zero",
		"M1:PKR:1%:min=0":             "min must be above zero",
		"M1:PKR:1%:max=-1":            "max must be above zero",
		"M1:PKR:1%:min=1:min=1":       "min is there twice",
		"M1:PKR:1%:max=1:max=1":       "max is there twice",
		"M1:PKR:1%:min=2:max=1":       "min is above max",
		"M1:PKR:1%:round=half":        `is "half"; choose one of [up down nearest]`,
		"M1:PKR:1%:round=up:round=up": "round is there twice",
		"M1:PKR:10:round=up":          "only a percentage is rounded",
		"M1:PKR:1%:least=1":           `knows min, max and round, not "least"`,
		"M1:PKR:1%:":                  `knows min, max and round, not ""`,
		"M1:PKR:10000000000000.01":    "amount out of range",
	} {
		var fees WithdrawalFees
		require.ErrorContains(t, fees.Decode(entry), wrong, entry)
		require.Nil(t, fees)
	}
}
