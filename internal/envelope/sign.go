package envelope

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Signer is a key that signs: an SSHKey or a SystemKey.
type Signer interface {
	// Sign returns the signature of canonical bytes, in the form of Signed.Signature.
	Sign(message []byte) (string, error)
}

// Sign checks and signs an envelope. The error is the refusal of Check, or the
// signer's.
func Sign(e Envelope, signer Signer) (Signed, error) {
	message, refusal := e.Bytes()
	if refusal != nil {
		return Signed{}, refusal
	}
	signature, err := signer.Sign(message)
	if err != nil {
		return Signed{}, fmt.Errorf("envelope: sign: %w", err)
	}
	return Signed{Envelope: e, Signature: signature}, nil
}

// SystemKey signs as a system of the roster.
type SystemKey struct {
	ID      string // of the key in the roster
	Private ed25519.PrivateKey
}

// Sign returns "ed25519:ID:SIGNATURE".
func (k SystemKey) Sign(message []byte) (string, error) {
	return systemSignature + k.ID + ":" + base64.StdEncoding.EncodeToString(ed25519.Sign(k.Private, message)), nil
}

// SSHKey signs as a person of the roster. Close it after use.
type SSHKey struct {
	signer ssh.Signer
	close  func() error
}

// Public returns the public key.
func (k *SSHKey) Public() ssh.PublicKey { return k.signer.PublicKey() }

// Sign returns an armored SSH signature, as ssh-keygen -Y sign -n payouts does.
func (k *SSHKey) Sign(message []byte) (string, error) {
	signature, err := sshsig.Sign(bytes.NewReader(message), k.signer, sshsig.HashSHA512, roster.Namespace)
	if err != nil {
		return "", err
	}
	return string(sshsig.Armor(signature)), nil
}

// Close ends the connection to the agent, if there is one.
func (k *SSHKey) Close() error {
	if k.close == nil {
		return nil
	}
	return k.close()
}

// Codes of a key that cannot be used. They are stable.
const (
	CodeKeyUnusable   = "SIGNING_KEY_UNUSABLE" // the key file cannot be read, is open to others, or needs its device
	CodeAgentAway     = "SSH_AGENT_AWAY"       // no agent answers
	CodeAgentLacksKey = "SSH_AGENT_LACKS_KEY"  // the agent does not have the key, or has several
)

// AgentKey returns a key of an SSH agent at the address of SSH_AUTH_SOCK. It is the
// first of the wanted ones that the agent has; if none is wanted, the agent must
// have exactly one. The error is an *order.Refusal with SSH_AGENT_AWAY or
// SSH_AGENT_LACKS_KEY.
func AgentKey(ctx context.Context, socket string, wanted ...ssh.PublicKey) (*SSHKey, error) {
	if socket == "" {
		return nil, order.Refuse(CodeAgentAway, "SSH_AUTH_SOCK is not set; start an agent with ssh-agent and add your key with ssh-add, or name a key file")
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, order.Refuse(CodeAgentAway, "the SSH agent does not answer: %v", err)
	}
	signers, err := agent.NewClient(connection).Signers()
	if err != nil {
		_ = connection.Close()
		return nil, order.Refuse(CodeAgentAway, "the SSH agent does not list its keys: %v", err)
	}
	chosen := chooseKey(signers, wanted)
	if chosen == nil {
		_ = connection.Close()
		return nil, order.Refuse(CodeAgentLacksKey, "the SSH agent has %d keys, and not the one that is wanted; add it with ssh-add, or name it", len(signers))
	}
	return &SSHKey{chosen, connection.Close}, nil
}

func chooseKey(signers []ssh.Signer, wanted []ssh.PublicKey) ssh.Signer {
	for _, key := range wanted {
		i := slices.IndexFunc(signers, func(s ssh.Signer) bool { return bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) })
		if i >= 0 {
			return signers[i]
		}
	}
	if len(wanted) == 0 && len(signers) == 1 {
		return signers[0]
	}
	return nil
}

// FileKey returns the key of a private key file. ask is called for the passphrase
// if the file has one; it may be nil. The file must not be readable for others. A
// hardware key signs through the agent. The error is an *order.Refusal with
// SIGNING_KEY_UNUSABLE.
func FileKey(path string, ask func() ([]byte, error)) (*SSHKey, error) {
	unusable := func(format string, values ...any) error {
		return order.Refuse(CodeKeyUnusable, "the key file %s %s", path, fmt.Sprintf(format, values...))
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unusable("cannot be read: %v", errors.Unwrap(err))
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, unusable("is open to others (%s); close it with chmod 600", info.Mode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, unusable("cannot be read: %v", errors.Unwrap(err))
	}
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) && ask != nil {
		passphrase, asked := ask()
		if asked != nil {
			return nil, unusable("has a passphrase: %v", asked)
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(text, passphrase)
		clear(passphrase)
	}
	switch {
	case errors.As(err, &locked):
		return nil, unusable("has a passphrase, and there is nobody to ask for it; use the agent")
	case err != nil:
		return nil, unusable("does not open: %v; the key of a hardware token signs through ssh-agent, or with ssh-keygen -Y sign", err)
	}
	return &SSHKey{signer: signer}, nil
}
