package tarspay

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadEnvelope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want envelope
	}{
		{`{"code":0,"msg":"SUCCESS","data":{"a":1},"sign":"30"}`, envelope{"0", "SUCCESS", json.RawMessage(`{"a":1}`)}},
		{`{"code":0,"data":{}}`, envelope{"0", "", json.RawMessage(`{}`)}},
		{`{"code":5003008,"msg":"sign error","data":null}`, envelope{"5003008", "sign error", nil}},
		{` {"code":-1,"msg":null} `, envelope{"-1", "", nil}},
		{`{"code":0,"msg":"ok","data":{},"sign":17,"more":[1]}`, envelope{"0", "ok", json.RawMessage(`{}`)}},
	}
	for _, test := range tests {
		got, err := readEnvelope([]byte(test.body))
		require.NoError(t, err, test.body)
		require.Equal(t, test.want, got)
	}
}

// brokenEnvelopes are answers that have the status of a success and not the
// shape of one.
var brokenEnvelopes = map[string]string{
	"nothing":            "",
	"HTML":               "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
	"text":               "OK",
	"truncated":          `{"code":0,"data":{"payOrderId":"P1`,
	"array":              `[{"code":0}]`,
	"number":             `0`,
	"string":             `"{}"`,
	"null":               `null`,
	"empty object":       `{}`,
	"no code":            `{"msg":"SUCCESS","data":{}}`,
	"null code":          `{"code":null,"data":{}}`,
	"code as text":       `{"code":"0","data":{}}`,
	"code as fraction":   `{"code":0.0,"data":{}}`,
	"code as exponent":   `{"code":0e1,"data":{}}`,
	"code as boolean":    `{"code":false,"data":{}}`,
	"huge code":          `{"code":99999999999999999999,"data":{}}`,
	"code in capitals":   `{"CODE":0,"data":{}}`,
	"code twice":         `{"code":0,"data":{},"code":5003001}`,
	"escaped code twice": `{"code":0,"data":{},"c\u006fde":5003001}`,
	"msg as object":      `{"code":0,"msg":{},"data":{}}`,
	"two documents":      `{"code":0,"data":{}}{"code":0}`,
	"trailing text":      `{"code":0,"data":{}} x`,
	"not UTF-8":          "{\"code\":0,\"msg\":\"\xff\",\"data\":{}}",
	"byte order mark":    "\ufeff" + `{"code":0,"data":{}}`,
	"NaN":                `{"code":NaN}`,
	"deep":               `{"code":0,"data":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
}

func TestReadEnvelopeRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range brokenEnvelopes {
		_, err := readEnvelope([]byte(body))
		require.Error(t, err, name)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	members := func(t *testing.T) *fields {
		t.Helper()
		object, err := readObject([]byte(`{"text":"a","number":294876,"fraction":1.50,"null":null,"true":true,"list":[1],
			"state":2,"stateText":"9","seconds":1684291353,"millis":1684291353000,"zero":0,"empty":"","bad":"2x"}`))
		require.NoError(t, err)
		return &fields{members: object}
	}
	f := members(t)
	require.Equal(t, "a", f.text("text"))
	require.Equal(t, "294876", f.text("number"), "a number is taken as its literal")
	require.Equal(t, "1.50", f.text("fraction"), "never through a float")
	require.Empty(t, f.text("null"))
	require.Empty(t, f.text("absent"))
	require.Equal(t, StateSucceeded, f.state("state"))
	require.Equal(t, StatePartial, f.state("stateText"), "a state may be text")
	require.Equal(t, time.Date(2023, 5, 17, 2, 42, 33, 0, time.UTC), f.seconds("seconds"))
	require.True(t, f.seconds("zero").IsZero())
	require.True(t, f.boolean("true"))
	require.NoError(t, f.err)
	require.Len(t, f.rest(), 4, "list, millis, empty, bad")

	for name, read := range map[string]func(*fields){
		"text of a list":        func(f *fields) { f.text("list") },
		"text of a boolean":     func(f *fields) { f.text("true") },
		"missing state":         func(f *fields) { f.state("absent") },
		"null state":            func(f *fields) { f.state("null") },
		"empty state":           func(f *fields) { f.state("empty") },
		"fraction for state":    func(f *fields) { f.state("fraction") },
		"text for state":        func(f *fields) { f.state("bad") },
		"milliseconds":          func(f *fields) { f.seconds("millis") },
		"text for seconds":      func(f *fields) { f.seconds("stateText") },
		"missing boolean":       func(f *fields) { f.boolean("absent") },
		"text for an integer":   func(f *fields) { f.integer("stateText") },
		"number for a boolean":  func(f *fields) { f.boolean("zero") },
		"list for an integer":   func(f *fields) { f.looseInteger("list") },
		"boolean for a counter": func(f *fields) { f.looseInteger("true") },
	} {
		f := members(t)
		read(f)
		require.Error(t, f.err, name)
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", `quote " and \ backslash`, "<b>&amp;</b>", "\b\f\n\r\t\x00\x1f\x7f", "SÉRNHG 김민수 🧾", "\u2028\u2029", "/"} {
		var back string
		encoded := appendString(nil, text)
		require.NoError(t, json.Unmarshal(encoded, &back), "%s", encoded)
		require.Equal(t, text, back)
	}
	require.Equal(t, `"<&>/`+"\u2028"+`\u001f"`, string(appendString(nil, "<&>/\u2028\x1f")), "no needless escapes")
}

func FuzzEnvelope(f *testing.F) {
	for _, body := range brokenEnvelopes {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"code":0,"msg":"SUCCESS","data":{"payOrderId":"P1","mchOrderNo":"A","state":"2","orderState":1,"expiredTime":1684291353,"payWays":{"bank":[{"payWay":"BANK","id":66}]},"records":[{"payOrderId":"P","state":2}],"current":1,"pages":1,"total":1,"availableAmount":"1","frozenAmount":2},"sign":"30"}`))
	f.Add([]byte(`{"code":0,"data":{"payOrderId":1,"payWays":[{"payWayType":"UPI"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := readEnvelope(body)
		if err != nil {
			require.Equal(t, envelope{}, answer)
			return
		}
		require.True(t, json.Valid(body))
		require.True(t, isInteger(answer.code))
		if answer.data == nil {
			return
		}
		// No reader may panic, and each that accepts has what it promises.
		if deposit, err := readDeposit(answer.data, "A"); err == nil {
			require.NotEmpty(t, deposit.GatewayID)
			require.Equal(t, "A", deposit.OrderNumber)
		}
		if page, err := readHistoryPage(answer.data); err == nil {
			for _, record := range page.Records {
				require.NotEmpty(t, record.GatewayID)
			}
		}
		if balance, err := readBalance(answer.data); err == nil {
			require.NotEmpty(t, balance.Available)
		}
		_, _ = readOrderStatus(answer.data)
	})
}
