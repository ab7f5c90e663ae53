package envelope

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// openSSH runs one of OpenSSH's own programs.
func openSSH(t *testing.T, stdin []byte, name string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath(name)
	require.NoError(t, err, "this test needs OpenSSH's %s (Debian: openssh-client)", name)
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdin = bytes.NewReader(stdin)
	output, err := command.CombinedOutput()
	return string(output), err
}

// keyFile writes the private key of a name, as ssh-keygen would.
func keyFile(t *testing.T, name, passphrase string) string {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(seedOf(name), name)
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(seedOf(name), name, []byte(passphrase))
	}
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "id_ed25519")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}

// What `ssh-keygen -Y sign` makes of the canonical bytes acts as an envelope.
func TestSignedByOpenSSH(t *testing.T) {
	t.Parallel()
	e := approval(t)
	message, refusal := e.Bytes()
	require.Nil(t, refusal)
	file := filepath.Join(t.TempDir(), "approve.json")
	require.NoError(t, os.WriteFile(file, message, 0o600))
	for _, hash := range []string{"sha512", "sha256"} {
		output, err := openSSH(t, nil, "ssh-keygen", "-Y", "sign", "-O", "hashalg="+hash, "-n", roster.Namespace, "-f", keyFile(t, "amina", ""), file)
		require.NoError(t, err, output)
		signature, err := os.ReadFile(file + ".sig")
		require.NoError(t, err)
		require.NoError(t, os.Remove(file+".sig"))

		parsed, refusal := Parse(message)
		require.Nil(t, refusal)
		acted, refusal := Signed{parsed, string(signature)}.Verify(people(t), origin, noon)
		require.Nil(t, refusal)
		assert.Equal(t, "amina", acted.Actor.Name)
	}
	output, err := openSSH(t, nil, "ssh-keygen", "-Y", "sign", "-n", "file", "-f", keyFile(t, "amina", ""), file)
	require.NoError(t, err, output)
	signature, err := os.ReadFile(file + ".sig")
	require.NoError(t, err)
	_, refusal = Signed{e, string(signature)}.Verify(people(t), origin, noon)
	assert.Equal(t, roster.CodeSignatureNamespace, codeOf(refusal))
}

// What we sign verifies with `ssh-keygen -Y verify` and the roster's allowed
// signers, whatever the kind of key; changed bytes do not.
func TestVerifiedByOpenSSH(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	signers, signature := filepath.Join(dir, "allowed_signers"), filepath.Join(dir, "signature")
	require.NoError(t, os.WriteFile(signers, people(t).AllowedSigners(), 0o600))
	for name, key := range map[string]*SSHKey{
		"ed25519":        signerOf(t, "amina"),
		"ecdsa":          ecdsaOf(t, "amina"),
		"a hardware key": tokenOf(t, "dora", true),
	} {
		e := approval(t)
		if name == "a hardware key" {
			e.By = "dora"
		}
		s := signed(t, e, key)
		message, refusal := s.Envelope.Bytes()
		require.Nil(t, refusal)
		require.NoError(t, os.WriteFile(signature, []byte(s.Signature), 0o600))
		verify := func(message []byte) (string, error) {
			return openSSH(t, message, "ssh-keygen", "-Y", "verify", "-f", signers, "-I", e.By, "-n", roster.Namespace, "-s", signature)
		}
		output, err := verify(message)
		require.NoError(t, err, "%s: %s", name, output)
		assert.Contains(t, output, `Good "payouts" signature for `+e.By)
		var exit *exec.ExitError
		_, err = verify(append(message, '\n'))
		require.ErrorAs(t, err, &exit, name)
	}
}

func TestFileKey(t *testing.T) {
	t.Parallel()
	ask := func(answer string) func() ([]byte, error) {
		return func() ([]byte, error) { return []byte(answer), nil }
	}
	locked := keyFile(t, "amina", "correct horse")
	for name, c := range map[string]struct {
		path string
		ask  func() ([]byte, error)
	}{
		"open":   {keyFile(t, "amina", ""), nil},
		"locked": {locked, ask("correct horse")},
	} {
		key, err := FileKey(c.path, c.ask)
		require.NoError(t, err, name)
		_, refusal := signed(t, approval(t), key).Verify(people(t), origin, noon)
		require.Nil(t, refusal, name)
		require.NoError(t, key.Close())
	}
	open := keyFile(t, "amina", "")
	require.NoError(t, os.Chmod(open, 0o640))
	noKey := filepath.Join(t.TempDir(), "no_key")
	require.NoError(t, os.WriteFile(noKey, []byte("secret words"), 0o600))
	for name, c := range map[string]struct {
		path string
		ask  func() ([]byte, error)
	}{
		"missing":          {filepath.Join(t.TempDir(), "none"), nil},
		"readable by all":  {open, nil},
		"no key":           {noKey, nil},
		"nobody to ask":    {locked, nil},
		"wrong passphrase": {locked, ask("battery staple")},
		"no answer":        {locked, func() ([]byte, error) { return nil, errors.New("no terminal") }},
	} {
		_, err := FileKey(c.path, c.ask)
		var refusal *order.Refusal
		require.ErrorAs(t, err, &refusal, name)
		assert.Equal(t, CodeKeyUnusable, refusal.Code, name)
		assert.NotContains(t, err.Error(), "battery")
		assert.NotContains(t, err.Error(), "secret words")
	}
}

// agentWith serves an agent that holds the keys of some names.
func agentWith(t *testing.T, names ...string) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, name := range names {
		require.NoError(t, ring.Add(agent.AddedKey{PrivateKey: ptr(seedOf(name))}))
	}
	socket := filepath.Join(t.TempDir(), "agent")
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, connection) }()
		}
	}()
	return socket
}

func ptr(key ed25519.PrivateKey) *ed25519.PrivateKey { return &key }

func TestAgentKey(t *testing.T) {
	t.Parallel()
	wanted := people(t).SSHKeys("amina", noon)
	socket := agentWith(t, "mallory", "amina")
	key, err := AgentKey(t.Context(), socket, wanted...)
	require.NoError(t, err)
	_, refusal := signed(t, approval(t), key).Verify(people(t), origin, noon)
	require.Nil(t, refusal)
	require.NoError(t, key.Close())

	key, err = AgentKey(t.Context(), agentWith(t, "amina"))
	require.NoError(t, err, "the only key needs not be named")
	assert.Equal(t, signerOf(t, "amina").Public().Marshal(), key.Public().Marshal())
	require.NoError(t, key.Close())

	for name, c := range map[string]struct {
		socket string
		wanted []ssh.PublicKey
		code   string
	}{
		"no address":       {"", wanted, CodeAgentAway},
		"no agent":         {filepath.Join(t.TempDir(), "none"), wanted, CodeAgentAway},
		"not the key":      {agentWith(t, "mallory"), wanted, CodeAgentLacksKey},
		"several, unnamed": {socket, nil, CodeAgentLacksKey},
		"none, unnamed":    {agentWith(t), nil, CodeAgentLacksKey},
	} {
		_, err := AgentKey(t.Context(), c.socket, c.wanted...)
		var refusal *order.Refusal
		require.ErrorAs(t, err, &refusal, name)
		assert.Equal(t, c.code, refusal.Code, name)
	}
}

// OpenSSH's own agent signs for us.
func TestAgentOfOpenSSH(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "agent") //nolint:usetesting // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	program, err := exec.LookPath("ssh-agent")
	require.NoError(t, err, "this test needs OpenSSH's ssh-agent (Debian: openssh-client)")
	running := exec.CommandContext(t.Context(), program, "-D", "-a", socket)
	output, err := running.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, running.Start())
	t.Cleanup(func() {
		_ = running.Process.Kill()
		_ = running.Wait()
	})
	_, err = output.Read(make([]byte, 1)) // it tells its address once it listens
	require.NoError(t, err)

	add := exec.CommandContext(t.Context(), "ssh-add", "-q", keyFile(t, "amina", ""))
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	told, err := add.CombinedOutput()
	require.NoError(t, err, string(told))

	key, err := AgentKey(t.Context(), socket, people(t).SSHKeys("amina", noon)...)
	require.NoError(t, err)
	defer key.Close()
	s := signed(t, approval(t), key)
	assert.True(t, strings.HasPrefix(s.Signature, "-----BEGIN SSH SIGNATURE-----"))
	_, refusal := s.Verify(people(t), origin, noon)
	require.Nil(t, refusal)
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	e := approval(t)
	e.Fingerprint = fingerprint[:8]
	_, err := Sign(e, signerOf(t, "amina"))
	var refusal *order.Refusal
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, CodeMalformed, refusal.Code)
}
