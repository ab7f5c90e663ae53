package order

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadIsStrict(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"merchant":5}`:  "member merchant must be a text",
		`{"amount":1500}`: `member amount cannot be read: not an amount such as {"value":"1500.00","currency":"PKR"}`,
		`{"amount":{"value":1500,"currency":"PKR"}}`:            "member amount.value must be a text",
		`{"amount":{"value":"1","currency":"PKR","unit":"x"}}`:  "member amount.unit is unknown",
		`{"amount":{"Value":"1","currency":"PKR"}}`:             "member amount.Value is unknown",
		`{"amount":{"value":"1,5","currency":"PKR"}}`:           "member amount cannot be read: not a plain decimal number",
		`{"amount":{"value":"1","value":"2","currency":"PKR"}}`: "member amount.value appears twice",
		`{"beneficiary":"x"}`:                                   "member beneficiary is unknown",
		`{"Merchant":"M1"}`:                                     "member Merchant is unknown",
		`{"number":"A","number":"B"}`:                           "member number appears twice",
		`{"details":{"a":"1","a":"2"}}`:                         "member details.a appears twice",
		`{"details":{"a":1}}`:                                   "member details.a must be a text",
		`{"details":[]}`:                                        "member details must be a JSON object",
		"{\"number\":\"\xff\"}":                                 "member number is not JSON in UTF-8",
		`{"number":"\ud800"}`:                                   "member number is not JSON in UTF-8",
		"{\"a\nb\":1}":                                          "it is not JSON in UTF-8; it must be a JSON object",
		`{"a\u0000b":1}`:                                        "member a?b is unknown",
		` null `:                                                "it is null; it must be a JSON object",
		`[]`:                                                    "it must be a JSON object",
		`"text"`:                                                "it must be a JSON object",
		``:                                                      "it is empty or breaks off; it must be a JSON object",
		`{"number":"A"} {}`:                                     "it is not JSON in UTF-8; it must be a JSON object",
	} {
		var request Request
		err := Read([]byte(text), &request)
		require.Error(t, err, text)
		require.Equal(t, CodeInvalidRequest, CodeOf(err), text)
		require.Equal(t, CodeInvalidRequest+": "+says, err.Error(), text)
	}
}

func TestReadTakesWhatOtherLanguagesWrite(t *testing.T) {
	t.Parallel()
	var request Request
	require.NoError(t, Read([]byte(` {"kind":null, "merchant":"M1", "details":{"customerName":"Zoë","walletId":null},
		"amount":{"currency":"PKR","value":"1500"}, "return_url":null}`), &request))
	require.Equal(t, "M1", request.Merchant)
	require.Equal(t, map[string]string{"customerName": "Zoë", "walletId": ""}, request.Details)
	require.Equal(t, "1500.00 PKR", request.Amount.String())
}
