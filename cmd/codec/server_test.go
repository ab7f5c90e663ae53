package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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
	asked := httptest.NewServer(server(c, []string{origin}, "open sesame"))
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
	asked := httptest.NewServer(server(c, []string{origin}, ""))
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
