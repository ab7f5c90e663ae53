package codec

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// person is what must not be seen.
const person = "Planted Person 03001234567"

func key(t *testing.T, id string) Key {
	t.Helper()
	secret, err := GenerateKey()
	require.NoError(t, err)
	k, err := ParseKey(id, secret)
	require.NoError(t, err)
	return k
}

func made(t *testing.T, keys ...Key) *Codec {
	t.Helper()
	c, err := New(keys...)
	require.NoError(t, err)
	return c
}

func TestEncryptedPayloadsComeBack(t *testing.T) {
	t.Parallel()
	c := made(t, key(t, "a"))
	plain, err := converter.GetDefaultDataConverter().ToPayloads(map[string]string{"name": person}, 7, nil)
	require.NoError(t, err)
	encoded, err := c.Encode(plain.GetPayloads())
	require.NoError(t, err)
	require.Len(t, encoded, 3)
	for _, p := range encoded {
		require.NotContains(t, p.String(), "Planted")
		require.Equal(t, "binary/encrypted", string(p.GetMetadata()["encoding"]))
		require.Equal(t, "a", string(p.GetMetadata()["encryption-key-id"]))
	}
	again, err := c.Encode(encoded)
	require.NoError(t, err)
	require.Equal(t, encoded, again, "once is enough")
	decoded, err := c.Decode(encoded)
	require.NoError(t, err)
	for i, p := range plain.GetPayloads() {
		require.True(t, proto.Equal(p, decoded[i]))
	}
}

func TestTheSameValueNeverLooksTheSame(t *testing.T) {
	t.Parallel()
	c := made(t, key(t, "a"))
	payload := &commonpb.Payload{Data: []byte(person)}
	encoded, err := c.Encode([]*commonpb.Payload{payload, payload})
	require.NoError(t, err)
	require.NotEqual(t, encoded[0].GetData(), encoded[1].GetData())
}

// A new key is put first; what the old one has encrypted stays readable for as
// long as it is there.
func TestKeysChange(t *testing.T) {
	t.Parallel()
	before, after := key(t, "2026-05"), key(t, "2026-11")
	payloads := []*commonpb.Payload{{Data: []byte(person)}}
	old, err := made(t, before).Encode(payloads)
	require.NoError(t, err)

	both := made(t, after, before)
	decoded, err := both.Decode(old)
	require.NoError(t, err)
	require.Equal(t, person, string(decoded[0].GetData()))
	encoded, err := both.Encode(payloads)
	require.NoError(t, err)
	require.Equal(t, "2026-11", string(encoded[0].GetMetadata()["encryption-key-id"]))

	_, err = made(t, after).Decode(old)
	var unknown *contract.UnknownKey
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "2026-05", unknown.ID)
	require.ErrorContains(t, err, "PAYOUTS_PAYLOAD_KEYS")
}

// What came before encryption, and what a person writes in the UI, is read as
// it is.
func TestPlainPayloadsAreRead(t *testing.T) {
	t.Parallel()
	plain := []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`{"by":"amina"}`)}}
	decoded, err := made(t, key(t, "a")).Decode(plain)
	require.NoError(t, err)
	require.Equal(t, plain, decoded)
}

func TestChangedPayloadsAreRefused(t *testing.T) {
	t.Parallel()
	one, other := key(t, "a"), key(t, "b")
	twin := Key{ID: "c", Secret: one.Secret}
	c := made(t, one, other, twin)
	for name, change := range map[string]func(*commonpb.Payload){
		"a byte":          func(p *commonpb.Payload) { p.Data[len(p.Data)-1] ^= 1 },
		"the nonce":       func(p *commonpb.Payload) { p.Data[0] ^= 1 },
		"cut off":         func(p *commonpb.Payload) { p.Data = p.Data[:5] },
		"empty":           func(p *commonpb.Payload) { p.Data = nil },
		"another's":       func(p *commonpb.Payload) { p.Metadata["encryption-key-id"] = []byte("b") },
		"its twin's":      func(p *commonpb.Payload) { p.Metadata["encryption-key-id"] = []byte("c") },
		"only the nonce":  func(p *commonpb.Payload) { p.Data = p.Data[:12] },
		"something added": func(p *commonpb.Payload) { p.Data = append(p.Data, 0) },
	} {
		encoded, err := c.Encode([]*commonpb.Payload{{Data: []byte(person)}})
		require.NoError(t, err)
		change(encoded[0])
		_, err = c.Decode(encoded)
		require.ErrorIs(t, err, contract.ErrDamaged, name)
	}
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("ab", KeyBytes)
	for _, wrong := range []struct{ id, secret string }{
		{"", good}, {"a b", good}, {strings.Repeat("x", 65), good}, {"a", ""}, {"a", good[2:]}, {"a", good + "ab"}, {"a", "zz" + good[2:]},
	} {
		_, err := ParseKey(wrong.id, wrong.secret)
		require.Error(t, err)
		if wrong.secret != "" {
			require.NotContains(t, err.Error(), wrong.secret)
		}
	}
	a := key(t, "a")
	_, err := New(a, a)
	require.ErrorContains(t, err, "twice")
	_, err = New(Key{ID: "short", Secret: []byte("short")})
	require.Error(t, err)
}

// Without a key nothing is encrypted; what somebody else has encrypted is told
// apart from what is broken.
func TestWithoutKeys(t *testing.T) {
	t.Parallel()
	none := made(t)
	payloads := []*commonpb.Payload{{Data: []byte(person)}}
	encoded, err := none.Encode(payloads)
	require.NoError(t, err)
	require.Equal(t, payloads, encoded)
	theirs, err := made(t, key(t, "a")).Encode(payloads)
	require.NoError(t, err)
	_, err = none.Decode(theirs)
	var unknown *contract.UnknownKey
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "a", unknown.ID)
}

// A worker's codec panics, because an error would fail the workflow.
func TestStrict(t *testing.T) {
	t.Parallel()
	theirs, err := made(t, key(t, "a")).Encode([]*commonpb.Payload{{Data: []byte(person)}})
	require.NoError(t, err)
	none := made(t)
	require.PanicsWithError(t, (&contract.UnknownKey{ID: "a"}).Error(), func() { _, _ = none.Strict().Decode(theirs) })
	_, err = none.Decode(theirs)
	require.Error(t, err, "only the strict one panics")
	theirs[0].Data[20] ^= 1
	require.PanicsWithError(t, contract.ErrDamaged.Error(), func() { _, _ = made(t, key(t, "a")).Strict().Decode(theirs) })
}

// The texts of errors are encrypted with everything else, where anything is.
func TestApply(t *testing.T) {
	t.Parallel()
	options := temporalclient.Options{}
	made(t, key(t, "a")).Apply(&options)
	failure := options.FailureConverter.ErrorToFailure(temporal.NewApplicationError(person, "KIND"))
	require.NotContains(t, failure.String(), "Planted")
	require.ErrorContains(t, options.FailureConverter.FailureToError(failure), person)

	made(t).Apply(&options)
	failure = options.FailureConverter.ErrorToFailure(temporal.NewApplicationError(person, "KIND"))
	require.Equal(t, person, failure.GetMessage(), "readable in the UI")
}

// A worker is handed what it cannot decrypt when it asks for what came, and for
// no more values than it asks for.
func TestRawValuesNeverStopAWorker(t *testing.T) {
	t.Parallel()
	ours, theirs := made(t, key(t, "a")), made(t, key(t, "b"))
	sent, err := theirs.Converter().ToPayloads(person, 7)
	require.NoError(t, err)
	worker := ours.Strict().Converter()

	var raw converter.RawValue
	require.NoError(t, worker.FromPayloads(sent, &raw))
	require.True(t, contract.Encrypted(raw.Payload()))
	require.True(t, proto.Equal(sent.GetPayloads()[0], raw.Payload()))
	require.NoError(t, worker.FromPayloads(sent), "an argument that nobody asked for")
	require.NoError(t, worker.FromPayloads(nil, &raw))
	require.Panics(t, func() { var text string; _ = worker.FromPayloads(sent, &text) })

	sent, err = ours.Converter().ToPayloads(person)
	require.NoError(t, err)
	require.NoError(t, worker.FromPayloads(sent, &raw))
	require.False(t, contract.Encrypted(raw.Payload()))
	require.Contains(t, string(raw.Payload().GetData()), "Planted")
	again, err := worker.ToPayloads(raw)
	require.NoError(t, err)
	require.True(t, contract.Encrypted(again.GetPayloads()[0]), "what is handed on is encrypted")
}
