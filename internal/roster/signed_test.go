package roster

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignedBy(t *testing.T) {
	t.Parallel()
	r := parsed(t, example(t))
	message := []byte("a message")
	good := sign(t, "amina", Namespace, message)

	actor, key, refusal := r.SignedBy(message, good, noon)
	require.Nil(t, refusal)
	assert.Equal(t, "amina", actor.Name)
	assert.Equal(t, signer(t, "amina").PublicKey().Marshal(), key.Marshal())

	for name, c := range map[string]struct {
		message, armored []byte
		code             string
	}{
		"other bytes":      {[]byte("a messagf"), good, CodeSignatureWrong},
		"a line more":      {[]byte("a message\n"), good, CodeSignatureWrong},
		"other namespace":  {message, sign(t, "amina", "git", message), CodeSignatureNamespace},
		"unknown key":      {message, sign(t, "mallory", Namespace, message), CodeKeyUnknown},
		"nothing":          {message, nil, CodeSignatureMalformed},
		"two signatures":   {message, append(good, good...), CodeSignatureMalformed},
		"text after it":    {message, append(good, "and more"...), CodeSignatureMalformed},
		"text before it":   {message, append([]byte("see:\n"), good...), CodeSignatureMalformed},
		"another PEM":      {message, []byte("-----BEGIN FOO-----\n-----END FOO-----\n"), CodeSignatureMalformed},
		"an empty one":     {message, []byte("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"), CodeSignatureMalformed},
		"too large":        {message, append(good, make([]byte, maxSignature)...), CodeSignatureMalformed},
		"the message only": {message, message, CodeSignatureMalformed},
	} {
		_, _, refusal := r.SignedBy(c.message, c.armored, noon)
		assert.Equal(t, c.code, codeOf(refusal), name)
	}
}

// next is the example without amina, as the roster after it.
func next(t *testing.T) string {
	t.Helper()
	text := example(t)
	start, end := len(`signed_above: {PKR: "100000"}`+"\npeople:\n"), index(t, text, "  - name: bilal")
	return "replaces: " + hashOf([]byte(text)) + "\n" + text[:start] + text[end:]
}

func TestSucceeds(t *testing.T) {
	t.Parallel()
	inForce := parsed(t, example(t))
	text := []byte(next(t))
	by := func(name string) []byte { return sign(t, name, Namespace, text) }

	roster, err := Succeeds(inForce, text, "roster.yaml", [][]byte{by("bilal"), by("chen")}, noon)
	require.NoError(t, err)
	assert.Equal(t, inForce.Hash(), roster.Replaces())
	_, refusal := roster.BySSH(signer(t, "amina").PublicKey(), noon)
	assert.Equal(t, CodeKeyUnknown, codeOf(refusal), "amina is revoked")

	// A third signature that does not count changes nothing.
	_, err = Succeeds(inForce, text, "roster.yaml", [][]byte{by("bilal"), by("chen"), by("mallory")}, noon)
	require.NoError(t, err)

	for name, c := range map[string]struct {
		signatures [][]byte
		codes      []string
	}{
		"nobody":                {nil, []string{CodeNotSigned}},
		"one admin":             {[][]byte{by("bilal")}, []string{CodeNotSigned}},
		"one admin twice":       {[][]byte{by("bilal"), by("bilal")}, []string{CodeNotSigned}},
		"a stranger":            {[][]byte{by("bilal"), by("mallory")}, []string{CodeNotSigned, CodeKeyUnknown}},
		"for another text":      {[][]byte{by("bilal"), sign(t, "chen", Namespace, append(text, '\n'))}, []string{CodeNotSigned, CodeSignatureWrong}},
		"for something else":    {[][]byte{by("bilal"), sign(t, "chen", "file", text)}, []string{CodeNotSigned, CodeSignatureNamespace}},
		"what is no signature":  {[][]byte{by("bilal"), []byte("chen")}, []string{CodeNotSigned, CodeSignatureMalformed}},
		"two signatures as one": {[][]byte{append(by("bilal"), by("chen")...)}, []string{CodeNotSigned, CodeSignatureMalformed}},
	} {
		_, err := Succeeds(inForce, text, "roster.yaml", c.signatures, noon)
		assert.Equal(t, c.codes, codesOf(t, err), name)
	}
}

// The admins are those of the roster in force: who is one only in the next roster
// does not sign it.
func TestSucceedsByNewAdmin(t *testing.T) {
	t.Parallel()
	before := replace(t, example(t), "[admin, request, approve]", "[request, approve]")
	inForce := parsed(t, before)
	text := []byte("replaces: " + inForce.Hash() + "\n" + example(t))
	_, err := Succeeds(inForce, text, "roster.yaml", [][]byte{sign(t, "amina", Namespace, text), sign(t, "bilal", Namespace, text)}, noon)
	assert.Equal(t, []string{CodeNotSigned, CodeRoleMissing}, codesOf(t, err))
}

// A roster that was in force once, and is whole and signed, does not come back.
func TestSucceedsNotByOldRoster(t *testing.T) {
	t.Parallel()
	old := []byte(example(t))
	inForce := parsed(t, next(t))
	_, err := Succeeds(inForce, old, "roster.yaml", [][]byte{sign(t, "bilal", Namespace, old), sign(t, "chen", Namespace, old)}, noon)
	assert.Equal(t, []string{CodeNotNext}, codesOf(t, err))
}

func codesOf(t *testing.T, err error) []string {
	t.Helper()
	var problems Problems
	require.ErrorAs(t, err, &problems)
	codes := make([]string, len(problems))
	for i, problem := range problems {
		codes[i] = problem.Code
	}
	return codes
}

// sshKeygen runs OpenSSH's own program.
func sshKeygen(t *testing.T, stdin []byte, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("ssh-keygen")
	require.NoError(t, err, "this test needs OpenSSH's ssh-keygen (Debian: openssh-client)")
	command := exec.CommandContext(t.Context(), program, args...)
	if stdin != nil {
		file := filepath.Join(t.TempDir(), "stdin")
		require.NoError(t, os.WriteFile(file, stdin, 0o600))
		opened, err := os.Open(file)
		require.NoError(t, err)
		defer opened.Close()
		command.Stdin = opened
	}
	output, err := command.CombinedOutput()
	return string(output), err
}

// AllowedSigners is a file that ssh-keygen verifies our signatures with: who signed,
// and not as anybody else.
func TestAllowedSigners(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	signers, signature := filepath.Join(dir, "signers"), filepath.Join(dir, "signature")
	message := []byte("a message")
	require.NoError(t, os.WriteFile(signers, parsed(t, example(t)).AllowedSigners(), 0o600))
	require.NoError(t, os.WriteFile(signature, sign(t, "amina", Namespace, message), 0o600))

	verify := func(message []byte, name string) (string, error) {
		return sshKeygen(t, message, "-Y", "verify", "-f", signers, "-I", name, "-n", Namespace, "-s", signature)
	}
	output, err := verify(message, "amina")
	require.NoError(t, err, output)
	assert.Contains(t, output, `Good "payouts" signature for amina`)
	var exit *exec.ExitError
	_, err = verify(message, "bilal")
	require.ErrorAs(t, err, &exit)
	_, err = verify([]byte("another message"), "amina")
	require.ErrorAs(t, err, &exit)
}
