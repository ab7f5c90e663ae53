package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var oneKey, otherKey = strings.Repeat("ab", 32), strings.Repeat("cd", 32)

func TestPayloadKeys(t *testing.T) {
	environment(t, "PAYOUTS_PAYLOAD_KEYS", "2026-11:"+oneKey+", 2026-05:"+otherKey)
	worker, err := LoadWorker()
	require.NoError(t, err)
	require.Equal(t, []PayloadKey{{"2026-11", Secret(oneKey)}, {"2026-05", Secret(otherKey)}}, worker.KeyRing(), "the first one encrypts")

	file := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(file, []byte("a:"+oneKey+"\nb:"+otherKey+"\n"), 0o600))
	t.Setenv("PAYOUTS_PAYLOAD_KEYS", "")
	t.Setenv("PAYOUTS_PAYLOAD_KEYS_FILE", file)
	receiver, err := LoadReceiver()
	require.NoError(t, err)
	require.Equal(t, []PayloadKey{{"a", Secret(oneKey)}, {"b", Secret(otherKey)}}, receiver.KeyRing())
	starter, err := LoadStarter()
	require.NoError(t, err)
	keys, err := starter.ReadKeyRing()
	require.NoError(t, err)
	require.Len(t, keys, 2)

	t.Setenv("PAYOUTS_PAYLOAD_KEYS_FILE", "")
	worker, err = LoadWorker()
	require.NoError(t, err)
	require.Empty(t, worker.KeyRing(), "nothing is encrypted")
}

func TestPayloadKeysThatAreNone(t *testing.T) {
	for name, text := range map[string]string{
		"no name": oneKey, "a short one": "a:" + oneKey[2:], "no hex": "a:" + strings.Repeat("z", 64),
		"a blank in the name": "a b:" + oneKey, "the same name": "a:" + oneKey + ",a:" + otherKey,
	} {
		environment(t, "PAYOUTS_PAYLOAD_KEYS", text)
		_, err := LoadWorker()
		require.ErrorContains(t, err, "PAYOUTS_PAYLOAD_KEYS has ", name)
		require.NotContains(t, err.Error(), oneKey[2:], name)
	}
}

func TestLoadCodec(t *testing.T) {
	environment(t, "PAYOUTS_PAYLOAD_KEYS", "a:"+oneKey)
	c, err := LoadCodec()
	require.NoError(t, err)
	require.Equal(t, []string{"http://127.0.0.1:8233", "http://localhost:8233"}, c.Allowed())
	require.Equal(t, "127.0.0.1:8084", c.CodecListen)

	t.Setenv("PAYOUTS_CODEC_LISTEN", ":8084")
	_, err = LoadCodec()
	require.ErrorContains(t, err, "PAYOUTS_CODEC_TOKEN is not set and PAYOUTS_CODEC_LISTEN lets other machines ask")
	require.ErrorContains(t, err, CodeNoToken)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("open sesame\n"), 0o600))
	t.Setenv("PAYOUTS_CODEC_TOKEN_FILE", file)
	t.Setenv("PAYOUTS_CODEC_HOSTS", "Codec.example.com, 10.0.0.1")
	c, err = LoadCodec()
	require.NoError(t, err)
	require.Equal(t, "open sesame", c.CodecToken.Reveal())
	require.Equal(t, []string{"codec.example.com", "10.0.0.1"}, c.Hosts())

	t.Setenv("PAYOUTS_PAYLOAD_KEYS", "")
	t.Setenv("PAYOUTS_CODEC_LISTEN", "8084")
	t.Setenv("PAYOUTS_CODEC_ORIGINS", "https://temporal.example.com/ui,temporal")
	_, err = LoadCodec()
	for _, text := range []string{
		"PAYOUTS_PAYLOAD_KEYS is not set", "PAYOUTS_CODEC_LISTEN is", "PAYOUTS_CODEC_ORIGINS has an address with a path",
		"PAYOUTS_CODEC_ORIGINS is not an absolute",
	} {
		require.ErrorContains(t, err, text)
	}
}
