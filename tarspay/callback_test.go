package tarspay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// failure is the callback of the published vector.
var failure = Callback{
	Direction: DirectionWithdrawal, Currency: "IDR", FailReason: "payment failed", Fee: "6973",
	Merchant: "M1696154848", OrderNumber: "1184196902791413760", OrderAmount: "31500", PayAmount: "31500",
	GatewayID: "P1734517376779485186", State: StateFailed,
}

func TestParsePublishedCallback(t *testing.T) {
	t.Parallel()
	vectors := readTestdata[[]publishedVector](t, "vectors.json")
	verifier := newVerifier(t, PlatformKey)

	callback, err := verifier.ParseCallback([]byte(vectors[0].Message), vectors[0].Signature)
	require.NoError(t, err)
	require.Equal(t, failure, callback)
	require.False(t, callback.State.Paid(), "a full payAmount is no proof of payment")

	_, err = verifier.ParseCallback([]byte(vectors[1].Message), vectors[1].Signature)
	require.ErrorIs(t, err, ErrSignature)
}

func TestEncodeCallbackIsByteForByteTheGateways(t *testing.T) {
	t.Parallel()
	vectors := readTestdata[[]publishedVector](t, "vectors.json")
	signer := newSigner(t)
	body, signature := EncodeCallback(failure, signer)
	require.Equal(t, vectors[0].Message, string(body))
	require.NoError(t, newVerifier(t, signer.PublicKey()).Verify(body, signature))

	success := failure
	success.State, success.FailReason = StateSucceeded, ""
	body, _ = EncodeCallback(success, signer)
	require.NotContains(t, string(body), "failReason")
}

func TestCallbackRoundTrip(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	for _, direction := range []Direction{DirectionDeposit, DirectionWithdrawal} {
		for state := State(0); state <= 10; state++ {
			want := failure
			want.Direction, want.State = direction, state
			want.FailReason = "Nome <inválido> & \"김민수\" \\ /\u2028\n"
			want.Extra = map[string]json.RawMessage{"trxId": json.RawMessage(`"E1"`), "zz": json.RawMessage(`{"b":[1,2],"a":null}`)}
			body, signature := EncodeCallback(want, signer)
			got, err := verifier.ParseCallback(body, signature)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

func TestParseCallbackReadsBothSpellingsAndTypes(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	parse := func(body string) Callback {
		callback, err := verifier.ParseCallback([]byte(body), signer.Sign([]byte(body)))
		require.NoError(t, err)
		return callback
	}
	const rest = `"currency":"IDR","fee":"6973","mchNo":"M1696154848","mchOrderNo":"1184196902791413760","orderAmount":"31500","payAmount":"31500","payOrderId":"P1734517376779485186"`
	require.Equal(t, failure, parse(`{"bizType":2,"failReasonn":"payment failed","state":3,`+rest+`}`), "misspelt as in a table")
	require.Equal(t, failure, parse(`{"bizType":"2","failReason":"payment failed","state":"3",`+rest+`}`), "numbers as text")
	require.Equal(t, failure, parse(`{"bizType":2,"failReason":"payment failed","state":3,`+strings.ReplaceAll(rest, `"31500"`, `31500`)+`}`), "amounts as numbers")
	require.Equal(t, "first", parse(`{"bizType":2,"failReason":"first","failReasonn":"second","state":3,`+rest+`}`).FailReason)
	require.Empty(t, parse(`{"bizType":2,"failReason":null,"state":2,`+rest+`}`).FailReason)
}

func TestParseCallbackFallsBackToTheSortedForm(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	want := failure
	want.FailReason = "<b>não</b> & \"김\" \u2028"
	body, signature := EncodeCallback(want, signer)

	// Something on the way indents, reorders and escapes.
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &members))
	rewritten, err := json.MarshalIndent(map[string]any{
		"state": 3, "payOrderId": want.GatewayID, "payAmount": want.PayAmount, "orderAmount": want.OrderAmount,
		"mchOrderNo": want.OrderNumber, "mchNo": want.Merchant, "fee": want.Fee, "failReason": want.FailReason,
		"currency": want.Currency, "bizType": 2,
	}, " ", "\t")
	require.NoError(t, err)
	require.NotEqual(t, string(body), string(rewritten))
	require.Contains(t, string(rewritten), `\u003cb\u003e`)

	got, err := verifier.ParseCallback(rewritten, signature)
	require.NoError(t, err)
	require.Equal(t, want, got)

	changed := bytes.Replace(rewritten, []byte(`"31500"`), []byte(`"31501"`), 1)
	_, err = verifier.ParseCallback(changed, signature)
	require.ErrorIs(t, err, ErrSignature)
}

func TestParseCallbackRefuses(t *testing.T) {
	t.Parallel()
	signer, other := newSigner(t), newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	body, signature := EncodeCallback(failure, signer)
	_, foreign := EncodeCallback(failure, other)
	edit := func(from, to string) []byte { return bytes.Replace(body, []byte(from), []byte(to), 1) }
	huge := append(bytes.Repeat([]byte(" "), MaxCallbackBytes), body...)

	tests := []struct {
		name      string
		body      []byte
		signature string
		want      error
	}{
		{"no signature", body, "", ErrNotSigned},
		{"not a signature", body, "OK", ErrSignature},
		{"another key's signature", body, foreign, ErrSignature},
		{"another order", edit("1184196902791413760", "1184196902791413761"), signature, ErrSignature},
		{"another amount", edit("31500", "31501"), signature, ErrSignature},
		{"another state", edit(`"state":3`, `"state":2`), signature, ErrSignature},
		{"another merchant", edit("M1696154848", "M1696154849"), signature, ErrSignature},
		{"another currency", edit("IDR", "VND"), signature, ErrSignature},
		{"one more member", edit(`{`, `{"a":1,`), signature, ErrSignature},
		{"a member twice", edit(`"state":3`, `"state":3,"state":2`), signature, ErrSignature},
		{"not JSON and not signed", []byte("hello"), signature, ErrSignature},
		{"empty", nil, signature, ErrSignature},
		{"too long", huge, signer.Sign(huge), ErrMalformedCallback},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			callback, err := verifier.ParseCallback(test.body, test.signature)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, Callback{}, callback)
		})
	}
}

func TestParseCallbackRefusesSignedNonsense(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	good, _ := EncodeCallback(failure, signer)
	edits := map[string]string{
		"not JSON":         "hello",
		"truncated":        string(good[:len(good)-1]),
		"array":            "[" + string(good) + "]",
		"twice":            string(good) + string(good),
		"a member twice":   strings.Replace(string(good), `"state":3`, `"state":3,"state":2`, 1),
		"no state":         strings.Replace(string(good), `,"state":3`, ``, 1),
		"state fraction":   strings.Replace(string(good), `"state":3`, `"state":3.0`, 1),
		"state object":     strings.Replace(string(good), `"state":3`, `"state":{}`, 1),
		"state in capital": strings.Replace(string(good), `"state":3`, `"State":3`, 1),
		"bizType 3":        strings.Replace(string(good), `"bizType":2`, `"bizType":3`, 1),
		"no bizType":       strings.Replace(string(good), `"bizType":2,`, ``, 1),
		"not UTF-8":        strings.Replace(string(good), `payment`, "\xff", 1),
	}
	for _, name := range []string{"currency", "mchNo", "mchOrderNo", "orderAmount", "payOrderId"} {
		maps.Copy(edits, without(t, failure, name))
	}
	paid := failure
	paid.State = StateSucceeded
	for name, body := range without(t, paid, "payAmount") {
		edits[name+", paid"] = body
	}
	for _, name := range []string{"payAmount", "fee", "state"} {
		for suffix, value := range map[string]any{" boolean": true, " list": []int{1}} {
			edits[name+suffix] = with(t, failure, name, value)
		}
	}
	for name, body := range edits {
		_, err := verifier.ParseCallback([]byte(body), signer.Sign([]byte(body)))
		require.ErrorIs(t, err, ErrMalformedCallback, name)
		require.NotContains(t, err.Error(), "31500", name)
	}
}

// with is a callback with one member changed.
func with(t *testing.T, c Callback, name string, value any) string {
	t.Helper()
	body, _ := EncodeCallback(c, newSigner(t))
	var members map[string]any
	require.NoError(t, json.Unmarshal(body, &members))
	if members[name] = value; value == absent {
		delete(members, name)
	}
	body, err := json.Marshal(members)
	require.NoError(t, err)
	return string(body)
}

const absent = "\x00absent"

// without is a callback in which a member says nothing, in every way.
func without(t *testing.T, c Callback, name string) map[string]string {
	t.Helper()
	return map[string]string{
		name + " null": with(t, c, name, nil), name + " empty": with(t, c, name, ""), name + " absent": with(t, c, name, absent),
	}
}

// What did not move need not be said: of an order that was not paid the amount
// paid, and the fee of any.
func TestCallbacksOfWhatDidNotMoveNameNoAmounts(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	for state := StateCreated; state <= StatePartial; state++ {
		c := failure
		c.State = state
		bodies := without(t, c, "fee")
		if !state.Paid() {
			maps.Copy(bodies, without(t, c, "payAmount"))
		}
		for name, body := range bodies {
			got, err := verifier.ParseCallback([]byte(body), signer.Sign([]byte(body)))
			require.NoError(t, err, "%s of %s", name, state)
			want := c
			if strings.HasPrefix(name, "fee") {
				want.Fee = ""
			} else {
				want.PayAmount = ""
			}
			require.Equal(t, want, got, "%s of %s", name, state)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	body, signature := EncodeCallback(failure, signer)
	want := failure.Fingerprint()
	require.Len(t, want, 64)

	t.Run("the other signature of the same body", func(t *testing.T) {
		t.Parallel()
		r, s := derNumbers(t, signature)
		twin := derEncode(r, new(big.Int).Sub(curveOrder, s), 0)
		require.NotEqual(t, signature, twin)
		callback, err := verifier.ParseCallback(body, twin)
		require.NoError(t, err)
		require.Equal(t, want, callback.Fingerprint())
	})
	t.Run("blanks", func(t *testing.T) {
		t.Parallel()
		callback, err := verifier.ParseCallback(append([]byte("\n "), body...), signature)
		require.NoError(t, err)
		require.Equal(t, want, callback.Fingerprint())
	})
	t.Run("undocumented members", func(t *testing.T) {
		t.Parallel()
		more := failure
		more.Extra = map[string]json.RawMessage{"sentAt": json.RawMessage("1")}
		require.Equal(t, want, more.Fingerprint())
	})
	t.Run("every field counts", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{want: true}
		for _, change := range []func(*Callback){
			func(c *Callback) { c.Direction = DirectionDeposit },
			func(c *Callback) { c.Currency = "VND" },
			func(c *Callback) { c.FailReason = "" },
			func(c *Callback) { c.Fee = "1" },
			func(c *Callback) { c.Merchant = "M2" },
			func(c *Callback) { c.OrderNumber = "2" },
			func(c *Callback) { c.OrderAmount = "2" },
			func(c *Callback) { c.PayAmount = "2" },
			func(c *Callback) { c.GatewayID = "P2" },
			func(c *Callback) { c.State = StateSucceeded },
			func(c *Callback) { c.Fee, c.Merchant = c.Fee+c.Merchant[:1], c.Merchant[1:] },
		} {
			changed := failure
			change(&changed)
			require.False(t, seen[changed.Fingerprint()], "%+v", changed)
			seen[changed.Fingerprint()] = true
		}
	})
}

func FuzzParseCallback(f *testing.F) {
	signer, err := NewSigner("0000000000000000000000000000000000000000000000000000000000000001")
	require.NoError(f, err)
	verifier := newVerifier(f, signer.PublicKey())
	for _, callback := range []Callback{failure, {Direction: DirectionDeposit, State: StatePartial}} {
		body, _ := EncodeCallback(callback, signer)
		f.Add(body)
	}
	f.Add([]byte(`{"bizType":"1","currency":"PKR","failReasonn":null,"fee":2,"mchNo":"M1","mchOrderNo":"A","orderAmount":100,"payAmount":"60.50","payOrderId":"P1","state":"9","x":{"a":[true]}}`))
	f.Add([]byte("{\"state\":2,\"state\":3}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// Unsigned, it must never be taken.
		_, err := verifier.ParseCallback(body, strings.Repeat("30", 70))
		require.Error(t, err)

		callback, err := verifier.ParseCallback(body, signer.Sign(body))
		if err != nil {
			require.ErrorIs(t, err, ErrMalformedCallback)
			return
		}
		// What was understood survives being written again.
		again, signature := EncodeCallback(callback, signer)
		second, err := verifier.ParseCallback(again, signature)
		require.NoError(t, err)
		require.Equal(t, callback.Fingerprint(), second.Fingerprint())
	})
}

func BenchmarkParseCallback(b *testing.B) {
	signer := newSigner(b)
	verifier := newVerifier(b, signer.PublicKey())
	body, signature := EncodeCallback(failure, signer)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.ParseCallback(body, signature); err != nil {
			b.Fatal(err)
		}
	}
}

// What does not verify is hashed, and not read: a body made of thousands of
// members, of deep nesting or of one long text costs its sender more than us.
//
//nolint:paralleltest // what it allocates is counted, which others would disturb
func TestForgedBodiesAreNotRead(t *testing.T) {
	signer, other := newSigner(t), newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	var members strings.Builder
	for i := range 5900 {
		fmt.Fprintf(&members, `"%04x":0,`, i)
	}
	genuine, _ := EncodeCallback(failure, signer)
	bodies := map[string][]byte{
		"members":         []byte("{" + members.String() + `"z":0}`),
		"members, small":  []byte("{" + members.String()[:9*880] + `"z":0}`),
		"nesting":         []byte(`{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}"),
		"nested objects":  []byte(strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)),
		"one long text":   []byte(`{"a":"` + strings.Repeat("x", MaxCallbackBytes-10) + `"}`),
		"escapes":         []byte(`{"a":"` + strings.Repeat(`\u0041`, 10_000) + `"}`),
		"already compact": bytes.Replace(genuine, []byte("31500"), []byte("31501"), 1),
	}
	for name, body := range bodies {
		signature := other.Sign(body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			_, err := verifier.ParseCallback(body, signature)
			require.ErrorIs(t, err, ErrSignature, name)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.Mallocs-before.Mallocs, uint64(10*500), name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10*MaxCallbackBytes), name)
	}
}
