package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tarspay-payouts/orchestrator/codec"
)

// person is what must not be seen.
const person = "Planted Person 03001234567"

func made(t *testing.T) *codec.Codec {
	t.Helper()
	secret, err := codec.GenerateKey()
	require.NoError(t, err)
	key, err := codec.ParseKey("a", secret)
	require.NoError(t, err)
	c, err := codec.New(key)
	require.NoError(t, err)
	return c
}

const origin = "http://127.0.0.1:8233"

// ask posts payloads as the Temporal UI does.
func ask(t *testing.T, server *httptest.Server, path string, header http.Header, body []byte) (int, http.Header, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, answer
}

func TestServer(t *testing.T) {
	t.Parallel()
	c := made(t)
	asked := httptest.NewServer(server(c, access{origins: []string{origin}, token: "open sesame"}))
	t.Cleanup(asked.Close)
	plain, err := converter.GetDefaultDataConverter().ToPayloads(person)
	require.NoError(t, err)
	encoded, err := c.Encode(plain.GetPayloads())
	require.NoError(t, err)
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: encoded})
	require.NoError(t, err)
	require.NotContains(t, string(body), "Planted")

	who := http.Header{"Authorization": {"Bearer open sesame"}, "Origin": {origin}}
	status, headers, answer := ask(t, asked, "/decode", who, body)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, origin, headers.Get("Access-Control-Allow-Origin"))
	var decoded struct {
		Payloads []struct{ Data []byte }
	}
	require.NoError(t, json.Unmarshal(answer, &decoded))
	require.JSONEq(t, `"`+person+`"`, string(decoded.Payloads[0].Data))

	for name, header := range map[string]http.Header{
		"no token":      {"Origin": {origin}},
		"another token": {"Origin": {origin}, "Authorization": {"Bearer open"}},
		"no bearer":     {"Origin": {origin}, "Authorization": {"open sesame"}},
	} {
		status, _, answer = ask(t, asked, "/decode", header, body)
		require.Equal(t, http.StatusUnauthorized, status, name)
		require.NotContains(t, string(answer), "Planted", name)
	}
	// A page of another address gets no leave to read the answer.
	_, headers, _ = ask(t, asked, "/decode", http.Header{"Origin": {"https://evil.example"}, "Authorization": {"Bearer open sesame"}}, body)
	require.Empty(t, headers.Get("Access-Control-Allow-Origin"))
}

func TestServerWithoutToken(t *testing.T) {
	t.Parallel()
	c := made(t)
	asked := httptest.NewServer(server(c, access{origins: []string{origin}}))
	t.Cleanup(asked.Close)
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(person)}}})
	require.NoError(t, err)
	status, _, answer := ask(t, asked, "/encode", nil, body)
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, string(answer), "Planted")
	status, _, back := ask(t, asked, "/decode", nil, answer)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, string(body), string(back))
}

// Who is refused, and with which code.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	const token = "open sesame"
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(person)}}})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		token, host, remote string
		header              http.Header
		status              int
		code                string
	}{
		"local":                   {"", "localhost:8084", "127.0.0.1:5", nil, http.StatusOK, ""},
		"local, version 6":        {"", "[::1]:8084", "[::1]:5", nil, http.StatusOK, ""},
		"a name of its own":       {"", "Codec.example.com", "127.0.0.1:5", nil, http.StatusOK, ""},
		"another machine":         {"", "codec.example.com", "10.0.0.7:5", nil, http.StatusForbidden, codeRemote},
		"by a proxy":              {"", "localhost", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"10.0.0.7"}}, http.StatusForbidden, codeRemote},
		"a name that is not ours": {"", "evil.example:8084", "127.0.0.1:5", nil, http.StatusMisdirectedRequest, codeHost},
		"looks like ours":         {"", "127.0.0.1.evil.example", "127.0.0.1:5", nil, http.StatusMisdirectedRequest, codeHost},
		"no name":                 {"", "", "127.0.0.1:5", nil, http.StatusMisdirectedRequest, codeHost},
		"no token":                {token, "codec.example.com", "127.0.0.1:5", nil, http.StatusUnauthorized, codeToken},
		"another token":           {token, "codec.example.com", "127.0.0.1:5", http.Header{"Authorization": {"Bearer open"}}, http.StatusUnauthorized, codeToken},
		"the token":               {token, "codec.example.com", "10.0.0.7:5", http.Header{"Authorization": {"Bearer " + token}}, http.StatusOK, ""},
		"the token, misled":       {token, "evil.example", "10.0.0.7:5", http.Header{"Authorization": {"Bearer " + token}}, http.StatusMisdirectedRequest, codeHost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := server(made(t), access{origins: []string{origin}, hosts: []string{"codec.example.com"}, token: test.token})
			r := httptest.NewRequest(http.MethodPost, "/encode", bytes.NewReader(body))
			for header, values := range test.header {
				r.Header[header] = values
			}
			r.Host, r.RemoteAddr = test.host, test.remote
			answer := httptest.NewRecorder()
			asked.ServeHTTP(answer, r)
			require.Equal(t, test.status, answer.Code, answer.Body)
			requireCode(t, test.code, answer.Body.Bytes())
		})
	}
}

// A request has bounds, by bytes and by what it takes to read it.
func TestServerBounds(t *testing.T) {
	t.Parallel()
	asked := httptest.NewServer(server(made(t), access{origins: []string{origin}}))
	t.Cleanup(asked.Close)
	list := func(payload string, count int) []byte {
		return []byte(`{"payloads":[` + strings.TrimSuffix(strings.Repeat(payload+",", count), ",") + "]}")
	}
	for name, test := range map[string]struct {
		body   []byte
		status int
		code   string
	}{
		"many payloads":         {list("{}", maxPayloads), http.StatusOK, ""},
		"too large":             {list(`{"data":"`+strings.Repeat("QUFB", 250_000)+`"}`, 5), http.StatusRequestEntityTooLarge, codeTooMuch},
		"large ones":            {list(`{"data":"`+strings.Repeat("QUFB", 250_000)+`"}`, 3), http.StatusOK, ""},
		"a million empty ones":  {list("{}", 1_000_000), http.StatusRequestEntityTooLarge, codeTooMuch},
		"a million of metadata": {[]byte(`{"payloads":[{"metadata":{` + strings.Repeat(`"a":"",`, 500_000) + `"b":""}}]}`), http.StatusRequestEntityTooLarge, codeTooMuch},
	} {
		status, _, answer := ask(t, asked, "/encode", nil, test.body)
		require.Equal(t, test.status, status, name)
		if test.code != "" {
			requireCode(t, test.code, answer)
		}
	}
	// The pages of the UI learn whether they may ask without a token.
	preflight, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, asked.URL+"/decode", nil)
	require.NoError(t, err)
	preflight.Header.Set("Origin", origin)
	preflight.Header.Set("Access-Control-Request-Method", http.MethodPost)
	response, err := asked.Client().Do(preflight)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, origin, response.Header.Get("Access-Control-Allow-Origin"))
}

func requireCode(t *testing.T, code string, answer []byte) {
	t.Helper()
	var refused struct{ Code, Message string }
	require.NoError(t, json.Unmarshal(answer, &refused), "%s", answer)
	require.Equal(t, code, refused.Code)
	require.Equal(t, code != "", refused.Message != "")
}
