package tarspay

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCanonicalString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		params map[string]any
		want   string
	}{
		{"the example of the guide", map[string]any{"price": "100", "amount": "100"}, "amount=100&price=100"},
		{"nothing", nil, ""},
		{"an empty member stays", map[string]any{"b": "", "a": "1"}, "a=1&b="},
		{"all members empty", map[string]any{"b": "", "a": ""}, "a=&b="},
		{"values are raw", map[string]any{"a": "x y&z=1#2+3%41\"'\\/:@"}, "a=x y&z=1#2+3%41\"'\\/:@"},
		{"letters beyond ASCII", map[string]any{"a": "SÉRNHG", "b": "김민수"}, "a=SÉRNHG&b=김민수"},
		{"byte order of keys", map[string]any{"b": "1", "B": "2", "a": "3", "_": "4", "1": "5"}, "1=5&B=2&_=4&a=3&b=1"},
		{"Go integers", map[string]any{"a": 0, "b": int64(-5), "c": uint8(7), "d": uint64(math.MaxUint64)}, "a=0&b=-5&c=7&d=18446744073709551615"},
		{"json.Number", map[string]any{"a": json.Number("0"), "b": json.Number("-12")}, "a=0&b=-12"},
		{"JSON members", map[string]any{"a": json.RawMessage(`"x\u00e9\n"`), "b": json.RawMessage(` 12 `)}, "a=xé\n&b=12"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := CanonicalString("POST", "/api/v1/test", "1537498830736", test.params)
			require.NoError(t, err)
			require.Equal(t, "POST|/api/v1/test|1537498830736|"+test.want, got)
		})
	}
}

func TestCanonicalStringRefusesValues(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"null": nil, "true": true, "float": 1.5, "whole float": 1.0, "object": map[string]any{}, "array": []any{},
		"not UTF-8":     "secret\xff",
		"fraction":      json.Number("1.5"),
		"exponent":      json.Number("1e3"),
		"empty number":  json.Number(""),
		"leading zero":  json.Number("01"),
		"minus zero":    json.Number("-0"),
		"huge number":   json.Number("99999999999999999999"),
		"JSON null":     json.RawMessage("null"),
		"JSON true":     json.RawMessage("true"),
		"JSON fraction": json.RawMessage("1.5"),
		"JSON object":   json.RawMessage(`{"a":1}`),
		"JSON array":    json.RawMessage(`["secret"]`),
		"JSON nothing":  json.RawMessage(""),
		"JSON broken":   json.RawMessage(`"secret`),
		"JSON bytes":    json.RawMessage("\"secret\xff\""),
	} {
		_, err := CanonicalString("POST", "/p", "1", map[string]any{"member": value})
		require.ErrorIs(t, err, ErrUnsignable, name)
		require.Contains(t, err.Error(), "member member ", name)
		require.NotContains(t, err.Error(), "secret", name)
	}
}

func TestCanonicalStringRefusesFrames(t *testing.T) {
	t.Parallel()
	for _, frame := range []struct{ method, path, nonce, key string }{
		{"", "/p", "1", "a"}, {"post", "/p", "1", "a"}, {"POST|", "/p", "1", "a"},
		{"POST", "", "1", "a"}, {"POST", "p", "1", "a"}, {"POST", "/p?q=1", "1", "a"}, {"POST", "/p|q", "1", "a"}, {"POST", "/p q", "1", "a"}, {"POST", "/p%2fq", "1", "a"},
		{"POST", "/p", "", "a"}, {"POST", "/p", "1a", "a"}, {"POST", "/p", "-1", "a"},
		{"POST", "/p", "1", ""}, {"POST", "/p", "1", "a=b"}, {"POST", "/p", "1", "a&b"}, {"POST", "/p", "1", "a b"}, {"POST", "/p", "1", "é"},
	} {
		_, err := CanonicalString(frame.method, frame.path, frame.nonce, map[string]any{frame.key: "v"})
		require.ErrorIs(t, err, ErrUnsignable, "%q", frame)
	}
}

func FuzzCanonicalString(f *testing.F) {
	f.Add("amount", "100", "price", "a&b=c", int64(5))
	f.Add("returnUrl", "", "customerName", "SÉRNHG 김민수 #%+\"'", int64(-1))
	f.Add("a", "\xff", "b", "\u2028", int64(0))
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string, number int64) {
		params := map[string]any{key1: value1, key2: value2, "zz": number}
		direct, err := CanonicalString("POST", "/p", "1", params)
		if err != nil {
			require.ErrorIs(t, err, ErrUnsignable)
			return
		}
		require.True(t, strings.HasPrefix(direct, "POST|/p|1|"))
		// What the other side rebuilds from the body it receives is the same.
		body, err := json.Marshal(params)
		require.NoError(t, err)
		received, err := readObject(body)
		require.NoError(t, err)
		rebuilt := make(map[string]any)
		for name, raw := range received {
			rebuilt[name] = raw
		}
		again, err := CanonicalString("POST", "/p", "1", rebuilt)
		require.NoError(t, err)
		require.Equal(t, direct, again)
	})
}
