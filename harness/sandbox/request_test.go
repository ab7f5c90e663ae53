package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestReadMembers(t *testing.T) {
	t.Parallel()
	members, err := readMembers([]byte(` { "a" : "x\u0041", "b":01e0 , "c":{"d":[1]} } `))
	require.Error(t, err, "no number begins with a zero")
	require.Nil(t, members)
	members, err = readMembers([]byte(` { "a" : "x\u0041", "b":12 , "c":{"d":[1]}, "":null } `))
	require.NoError(t, err)
	require.Equal(t, map[string]json.RawMessage{
		"a": json.RawMessage(`"x\u0041"`), "b": json.RawMessage("12"), "c": json.RawMessage(`{"d":[1]}`), "": json.RawMessage("null"),
	}, members)
	c := call{members: members}
	require.Equal(t, "xA", c.text("a"))
	require.Empty(t, c.text("b"))
	require.Empty(t, c.text("none"))
	number, whole := c.integer("b")
	require.True(t, whole)
	require.EqualValues(t, 12, number)
	_, whole = c.integer("a")
	require.False(t, whole)

	for _, wrong := range []string{"", "null", "[]", `"x"`, "{", `{"a":1,"a":2}`, "{} {}", "{\"a\":\"\xff\"}", "{" + strings.Repeat(`"x":1,`, 200) + "}"} {
		_, err := readMembers([]byte(wrong))
		require.Error(t, err, wrong)
	}
	many := make(map[string]int)
	for i := range maxMembers + 1 {
		many[strings.Repeat("x", i+1)] = i
	}
	text, err := json.Marshal(many)
	require.NoError(t, err)
	_, err = readMembers(text)
	require.ErrorContains(t, err, "more than 128 members")
}

func TestMatchPath(t *testing.T) {
	t.Parallel()
	parts, ok := matchPath("/api/bd/{payOrderId}/{trxId}", "/api/bd/P1/T2")
	require.True(t, ok)
	require.Equal(t, map[string]string{"payOrderId": "P1", "trxId": "T2"}, parts)
	for _, path := range []string{"/api/bd/P1", "/api/bd/P1/", "/api/bd//T2", "/api/xx/P1/T2", "/api/bd/P1/T2/3"} {
		_, ok := matchPath("/api/bd/{payOrderId}/{trxId}", path)
		require.False(t, ok, path)
	}
	_, ok = matchPath("/api/balanceInfo", "/api/balanceInfo/")
	require.False(t, ok)
}

// FuzzCall sends any body, signed by the merchant where it can be signed, to
// every endpoint: nothing panics, and every answer is an envelope or an HTTP
// error.
func FuzzCall(f *testing.F) {
	secret, public, err := tarspay.GenerateKey()
	require.NoError(f, err)
	signer, err := tarspay.NewSigner(secret)
	require.NoError(f, err)
	g, err := New(Options{Merchants: []Merchant{{Number: "M1", Country: "PK", PublicKey: public}}, MaxOrders: 1000})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, g.Close()) })

	f.Add(`{"mchNo":"M1"}`)
	f.Add(`{"mchNo":"M1","mchOrderNo":"W-1","amount":"1500","currency":"PKR","wayCode":"easypaisa","notifyUrl":"http://127.0.0.1:1/"}`)
	f.Add(`{"mchNo":"M1","mchOrderNo":"","amount":1500,"payOrderId":"P1","pageNumber":1,"pageSize":50}`)
	f.Add(`{"mchNo":"M1","sandboxScenario":"hidden:3,fail","amount":".5"}`)
	f.Add(`{"mchNo":{"x":1},"a":null,"b":[],"c":1e9}`)
	f.Fuzz(func(t *testing.T, body string) {
		members, err := readMembers([]byte(body))
		params := make(map[string]any)
		for name, raw := range members {
			params[name] = raw
		}
		for _, o := range g.operations {
			path := strings.NewReplacer("{payOrderId}", "P1", "{trxId}", "T1").Replace(o.path)
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", tarspay.ContentType)
			r.Header.Set(tarspay.HeaderKey, public)
			r.Header.Set(tarspay.HeaderNonce, "1700000000000")
			if signed, unsignable := tarspay.CanonicalString(http.MethodPost, path, "1700000000000", params); err == nil && unsignable == nil {
				r.Header.Set(tarspay.HeaderSignature, signer.Sign([]byte(signed)))
			}
			answer := g.respond(r)
			if answer.status != http.StatusOK || answer.dropped || answer.stalled || answer.fill > 0 || answer.contentType != contentTypeJSON {
				continue
			}
			text, err := io.ReadAll(answer.reader(nil, nil))
			require.NoError(t, err)
			if len(text) > 0 && json.Valid(text) {
				_, err = readMembers(text)
				require.NoError(t, err)
			}
		}
		require.Empty(t, g.Audit().Problems)
	})
}
