package stack

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Origin names the installation of a stack.
const Origin = "payouts.example.com/stack"

// System is the system of a stack's roster, which signs what Sign is given.
const System = "erp"

const systemKeyID = "erp-1"

func (s *Stack) peopleDir() string  { return filepath.Join(s.dir, "people") }
func (s *Stack) rosterFile() string { return filepath.Join(s.dir, "roster.yaml") }

// makePeople makes keys for the people and the system of the roster, and the roster,
// or uses those that are there.
func (s *Stack) makePeople() error {
	if len(s.options.People) == 0 {
		return nil
	}
	if err := os.MkdirAll(s.peopleDir(), 0o700); err != nil {
		return fmt.Errorf("make the directory of people's keys: %w", err)
	}
	private, err := personKey(filepath.Join(s.peopleDir(), System))
	if err != nil {
		return err
	}
	s.system = envelope.SystemKey{ID: systemKeyID, Private: private}
	if _, err := os.Stat(s.rosterFile()); err == nil {
		return nil
	}
	var text strings.Builder
	text.WriteString("people:\n")
	for _, name := range s.options.People {
		key, err := personKey(filepath.Join(s.peopleDir(), name))
		if err != nil {
			return err
		}
		public, err := ssh.NewPublicKey(key.Public())
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, `  - name: %s
    roles: [request, approve, resolve, adjust, operate, admin]
    merchants: ["*"]
    limits: unlimited
    keys:
      - %s namespaces="payouts" %s
`, name, name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))))
	}
	public, _ := private.Public().(ed25519.PublicKey)
	fmt.Fprintf(&text, `systems:
  - name: %s
    roles: [request]
    merchants: ["*"]
    limits: unlimited
    ed25519:
      - {id: %s, public: %s}
`, System, systemKeyID, base64.StdEncoding.EncodeToString(public))
	if err := os.WriteFile(s.rosterFile(), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write the roster: %w", err)
	}
	return nil
}

// personKey makes an SSH key file, or reads the one that is there.
func personKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, private, _ := ed25519.GenerateKey(rand.Reader)
		block, err := ssh.MarshalPrivateKey(private, filepath.Base(path))
		if err != nil {
			return nil, fmt.Errorf("make a person's key: %w", err)
		}
		return private, os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("read a person's key: %w", err)
	}
	key, err := ssh.ParseRawPrivateKey(text)
	private, is := key.(*ed25519.PrivateKey)
	if err != nil || !is {
		return nil, fmt.Errorf("the key %s is no ed25519 key: %w", path, err)
	}
	return *private, nil
}

// Sign returns the request as the system of the roster makes it. Without a roster it
// returns the request as it is.
func (s *Stack) Sign(request order.Request) (order.Request, error) {
	if len(s.options.People) == 0 {
		return request, nil
	}
	request.RequestedBy = System
	signed, err := envelope.Sign(envelope.Start(request, Origin, time.Now(), time.Hour), s.system)
	if err != nil {
		return request, err
	}
	proof, err := signed.Proof()
	request.Proof = &proof
	return request, err
}

// rosterSettings are the worker's settings of the roster.
func (s *Stack) rosterSettings() []string {
	if len(s.options.People) == 0 {
		return nil
	}
	return []string{"PAYOUTS_ROSTER_FILE=" + s.rosterFile(), "PAYOUTS_ORIGIN=" + Origin}
}

// signingSettings are starter's settings to sign as any of the people.
func (s *Stack) signingSettings() []string {
	if len(s.options.People) == 0 {
		return nil
	}
	return []string{"PAYOUTS_ORIGIN=" + Origin, "PAYOUTS_SIGNING_KEY=" + s.peopleDir()}
}

// People are names for a roster: two people, and the user, who is the actor of a
// command without --by.
func People(user string) []string {
	names := []string{"amina", "dana"}
	if user != "" && !slices.Contains(names, user) && user != System {
		names = append(names, user)
	}
	return names
}
