package vault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	oldKey  = "k1:1111111111111111111111111111111111111111111111111111111111111111"
	newKey2 = "k2:2222222222222222222222222222222222222222222222222222222222222222"
)

func ring(t *testing.T, lines ...string) *Ring {
	t.Helper()
	r, err := Parse([]byte(strings.Join(lines, "\n")), "data.key")
	require.NoError(t, err)
	return r
}

func key(t *testing.T, r *Ring, s Subject) *Key {
	t.Helper()
	k, err := r.NewKey(s)
	require.NoError(t, err)
	return k
}

func code(t *testing.T, err error) string {
	t.Helper()
	var f *Fault
	require.ErrorAs(t, err, &f)
	return f.Code
}

var someOrder = Subject{"orders", "M1", "W1"}

func TestTexts(t *testing.T) {
	t.Parallel()
	r := ring(t, oldKey)
	k := key(t, r, someOrder)
	text := k.Seal("request", "account 12345678")
	require.True(t, Sealed(text))
	require.NotContains(t, text, "12345678")
	require.Equal(t, text, k.Seal("request", "account 12345678"), "the nonce follows from the text")
	require.NotEqual(t, text, k.Seal("request", "account 12345679"))
	require.Empty(t, k.Seal("request", ""))

	stored, err := r.Open(someOrder, k.Wrapped)
	require.NoError(t, err)
	plain, err := stored.Open("request", text)
	require.NoError(t, err)
	require.Equal(t, "account 12345678", plain)
	_, err = stored.Open("request", `{"clear":1}`)
	require.Equal(t, CodeDamaged, code(t, err), "what is in clear was not written with the key")
	require.NotContains(t, err.Error(), "clear\":")
	plain, err = stored.Open("request", "")
	require.NoError(t, err)
	require.Empty(t, plain)
}

func TestTextsDecryptInTheirOwnPlaceOnly(t *testing.T) {
	t.Parallel()
	r := ring(t, oldKey)
	k := key(t, r, someOrder)
	text := k.Seal("request", "account 12345678")
	_, err := k.Open("evidence", text)
	require.Equal(t, CodeDamaged, code(t, err), "another column")
	_, err = key(t, r, someOrder).Open("request", text)
	require.Equal(t, CodeDamaged, code(t, err), "another key")
	for _, other := range []Subject{{"orders", "M1", "W2"}, {"orders", "M2", "W1"}, {"inbox", "M1", "W1"}} {
		_, err = r.Open(other, k.Wrapped)
		require.Equal(t, CodeDamaged, code(t, err), "a key that was moved to %v", other)
	}
	for _, changed := range []string{text[:len(text)-2], text[:len(text)-1] + "*", sealed, k.Seal("request", "x")[:20]} {
		_, err = k.Open("request", changed)
		require.Equal(t, CodeDamaged, code(t, err))
		require.NotContains(t, err.Error(), "12345678")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	before := key(t, ring(t, oldKey), someOrder)
	text := before.Seal("request", "account 12345678")
	both := ring(t, newKey2, oldKey)
	require.Equal(t, "k1", WrappedWith(before.Wrapped))
	wrapped, err := both.Rewrap(someOrder, before.Wrapped)
	require.NoError(t, err)
	require.Equal(t, "k2", WrappedWith(wrapped))
	again, err := both.Rewrap(someOrder, wrapped)
	require.NoError(t, err)
	require.Empty(t, again, "it has the newest key")

	k, err := ring(t, newKey2).Open(someOrder, wrapped)
	require.NoError(t, err)
	plain, err := k.Open("request", text)
	require.NoError(t, err)
	require.Equal(t, "account 12345678", plain)
	require.Equal(t, before.Salted("f"), k.Salted("f"), "the salt stays")

	_, err = ring(t, newKey2).Open(someOrder, before.Wrapped)
	require.Equal(t, CodeKeyUnknown, code(t, err))
	wrong := strings.Replace(newKey2, "k2", "k1", 1)
	_, err = ring(t, wrong).Open(someOrder, before.Wrapped)
	require.Equal(t, CodeDamaged, code(t, err), "another secret of the same name")
}

func TestPayees(t *testing.T) {
	t.Parallel()
	before, after := ring(t, oldKey), ring(t, newKey2, oldKey)
	require.Equal(t, []string{after.Payee("p"), before.Payee("p"), "p"}, after.Payees("p"))
	require.NotEqual(t, before.Payee("p")[3:], after.Payee("p")[3:])
	require.NotEqual(t, before.Payee("p"), before.Payee("q"))
	require.Empty(t, before.Payee(""), "nobody is nobody")
}

func TestSalted(t *testing.T) {
	t.Parallel()
	r := ring(t, oldKey)
	one, two := key(t, r, someOrder), key(t, r, someOrder)
	require.NotEqual(t, one.Salted("f"), one.Salted("g"))
	require.NotEqual(t, one.Salted("f"), two.Salted("f"))
}

func TestWithoutARing(t *testing.T) {
	t.Parallel()
	var r *Ring
	k := key(t, r, someOrder)
	require.Nil(t, k)
	require.Equal(t, "text", k.Seal("request", "text"))
	require.Equal(t, "f", k.Salted("f"))
	require.Empty(t, k.Stored())
	require.Equal(t, "p", r.Payee("p"))
	require.Equal(t, []string{"p"}, r.Payees("p"))
	_, err := k.Open("request", key(t, ring(t, oldKey), someOrder).Seal("request", "text"))
	require.Equal(t, CodeDamaged, code(t, err))
	_, err = r.Open(someOrder, key(t, ring(t, oldKey), someOrder).Wrapped)
	require.Equal(t, CodeKeyUnknown, code(t, err))
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, code, says string }{
		{"", CodeKeyMissing, "data.key has no data key"},
		{"# none\n\n", CodeKeyMissing, "data.key has no data key"},
		{oldKey + "\nk2:12", CodeKeyMalformed, "data.key:2: this is no data key"},
		{oldKey + "\n" + oldKey, CodeKeyMalformed, "data.key:2: this is no data key, or its name is there twice"},
		{"a b:" + strings.Repeat("1", 64), CodeKeyMalformed, "data.key:1: "},
		{strings.Repeat("1", 64), CodeKeyMalformed, "data.key:1: "},
	} {
		_, err := Parse([]byte(test.text), "data.key")
		require.Equal(t, test.code, code(t, err), test.text)
		require.ErrorContains(t, err, test.says)
		require.NotContains(t, err.Error(), "1111")
	}
	line, err := Generate("2027")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "data.key")
	require.NoError(t, os.WriteFile(path, []byte("# ours\n"+line+"\n"+oldKey+"\n"), 0o600))
	read, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, "2027", read.Newest())
	require.True(t, read.Has("k1"))
	require.False(t, read.Has("k2"))
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = Read(path)
	require.Equal(t, CodeKeyOpen, code(t, err))
	_, err = Read(path + ".none")
	require.Equal(t, CodeKeyMissing, code(t, err))
	_, err = Generate("a name")
	require.Equal(t, CodeKeyMalformed, code(t, err))
}
