package seal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	keys, other := newKeys(t, 1), newKeys(t, 1)
	seal := keys.Seal(entry(1))
	assert.Len(t, seal, Size)
	require.NoError(t, keys.Public().Check(entry(1), seal))

	flipped := slices.Clone(seal)
	flipped[Size-1] ^= 1
	renamed := append(slices.Clone(seal[:idSize]), other.Seal(entry(1))[idSize:]...)
	for name, c := range map[string]struct {
		hash, seal []byte
		code       string
	}{
		"another entry":      {entry(2), seal, CodeSealWrong},
		"a bit":              {entry(1), flipped, CodeSealWrong},
		"no seal":            {entry(1), nil, CodeSealMissing},
		"a short one":        {entry(1), seal[:Size-1], CodeSealWrong},
		"no whole key id":    {entry(1), seal[:idSize-1], CodeSealWrong},
		"no hash":            {nil, seal, CodeSealWrong},
		"another key":        {entry(1), other.Seal(entry(1)), CodeSealKeyUnknown},
		"another key's name": {entry(1), renamed, CodeSealWrong},
	} {
		assert.Equal(t, c.code, codeOf(keys.Public().Check(c.hash, c.seal)), name)
	}
	assert.Panics(t, func() { keys.Seal(nil) })
}

// After a rotation the new key seals, and the old seals still verify, also with the
// public keys alone.
func TestRotation(t *testing.T) {
	t.Parallel()
	older, public, err := Generate(origin)
	require.NoError(t, err)
	newer, _, err := Generate(origin)
	require.NoError(t, err)
	before, err := ParseKeys([]byte(older), "audit.key")
	require.NoError(t, err)
	after, err := ParseKeys([]byte("# since December\n"+newer+"\n\n"+older+"\n"), "audit.key")
	require.NoError(t, err)

	verify, err := ParsePublic(after.PublicLines(), "audit.pub")
	require.NoError(t, err)
	assert.Equal(t, origin, verify.Origin())
	oldSeal, newSeal := before.Seal(entry(1)), after.Seal(entry(2))
	require.NoError(t, verify.Check(entry(1), oldSeal))
	require.NoError(t, verify.Check(entry(2), newSeal))
	assert.NotEqual(t, KeyID(oldSeal), KeyID(newSeal))
	assert.Contains(t, public, "+"+KeyID(oldSeal)+"+", "the id is in the public key")
	assert.Equal(t, public+"\n", string(before.PublicLines()))
	assert.Equal(t, CodeSealKeyUnknown, codeOf(before.Public().Check(entry(2), newSeal)))
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	private, public, err := Generate(origin)
	require.NoError(t, err)
	foreign, _, err := Generate("payouts.example.com/test")
	require.NoError(t, err)
	for name, c := range map[string]struct{ text, code, says string }{
		"nothing":       {"\n# none\n", CodeKeyMissing, "audit.key has no private"},
		"a public key":  {public, CodeKeyMalformed, "audit.key:1:"},
		"a cut one":     {"\n" + private[:len(private)-5], CodeKeyMalformed, "audit.key:2:"},
		"two of others": {private + "\n" + foreign, CodeKeyMalformed, "payouts.example.com/test"},
	} {
		_, err := ParseKeys([]byte(c.text), "audit.key")
		assert.Equal(t, c.code, codeOf(err), name)
		require.ErrorContains(t, err, c.says, name)
		assert.NotContains(t, err.Error(), private[len(private)-20:], name)
	}
	for name, c := range map[string]struct{ text, code string }{
		"a private key": {private, CodeKeyMalformed},
		"a key twice":   {public + "\n" + public, CodeKeyMalformed},
		"a changed one": {strings.Replace(public, origin, origin+"x", 1), CodeKeyMalformed},
		"nothing":       {"", CodeKeyMissing},
	} {
		_, err := ParsePublic([]byte(c.text), "audit.pub")
		assert.Equal(t, c.code, codeOf(err), name)
	}
	_, _, err = Generate("two words")
	assert.Equal(t, CodeKeyMalformed, codeOf(err))
}

func TestReadKeys(t *testing.T) {
	t.Parallel()
	private, _, err := Generate(origin)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "audit.key")
	require.NoError(t, os.WriteFile(path, []byte(private), 0o600))
	for mode, code := range map[os.FileMode]string{
		0o600: "", 0o400: "", 0o440: "", 0o640: "",
		0o644: CodeKeyOpen, 0o660: CodeKeyOpen, 0o604: CodeKeyOpen, 0o601: CodeKeyOpen,
	} {
		require.NoError(t, os.Chmod(path, mode))
		keys, err := ReadKeys(path)
		if code != "" {
			assert.Equal(t, code, codeOf(err), mode)
			continue
		}
		require.NoError(t, err, mode)
		assert.Equal(t, origin, keys.Origin())
	}
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o777))
	_, err = ReadKeys(path)
	assert.Equal(t, CodeKeyOpen, codeOf(err), "everybody can replace it")
	_, err = ReadKeys(filepath.Join(t.TempDir(), "none"))
	assert.Equal(t, CodeKeyMissing, codeOf(err))
	_, err = ReadKeys(t.TempDir())
	require.Error(t, err)
}

// A seal never passes for a signed checkpoint, nor a checkpoint for a seal, though
// one key makes both.
func TestSealIsNoNote(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	text := string(sealed([]byte(strings.Repeat("a", 31) + "\n"))) // a hash may be that
	signed, err := note.Sign(&note.Note{Text: text}, keys.keys[0].signer)
	require.NoError(t, err)
	_, err = note.Open(signed, keys.Public().verifiers)
	require.Error(t, err, "no note may have what a seal signs")
}
