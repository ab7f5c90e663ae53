package stack

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Origin names the installation of a stack.
const Origin = "payouts.example.com/stack"

// System is the system of a stack's roster, which signs what Sign is given, and has an
// API key.
const System = "erp"

// Door is the system of a stack's roster that signs for callers of the api.
const Door = "api-door"

// SystemKeyID is the id of the system's key in the roster.
const SystemKeyID = "erp-1"

// LogIn is an OIDC provider, with people who have no keys: they log in there. A roster
// is needed, see Options.People.
type LogIn struct {
	Issuer, ClientID, ClientSecret string
	Subjects                       map[string]string // of people who approve for all merchants, by name
}

// settings are the api's settings of the provider.
func (l *LogIn) settings(address string) []string {
	if l == nil {
		return nil
	}
	return []string{
		"PAYOUTS_OIDC_ISSUER=" + l.Issuer, "PAYOUTS_OIDC_CLIENT_ID=" + l.ClientID, "PAYOUTS_OIDC_CLIENT_SECRET=" + l.ClientSecret,
		"PAYOUTS_API_PUBLIC_URL=" + address,
	}
}

// entries are the people in a roster.
func (l *LogIn) entries() string {
	if l == nil {
		return ""
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l.Subjects)) {
		fmt.Fprintf(&text, `  - name: %s
    roles: [approve]
    merchants: ["*"]
    limits: unlimited
    oidc: {issuer: %q, subject: %q}
`, name, l.Issuer, l.Subjects[name])
	}
	return text.String()
}

func (s *Stack) peopleDir() string  { return filepath.Join(s.dir, "people") }
func (s *Stack) rosterFile() string { return filepath.Join(s.dir, "roster.yaml") }
func (s *Stack) tokenFile() string  { return filepath.Join(s.peopleDir(), System+".token") }

// Token returns the API key of the roster's system.
func (s *Stack) Token() (string, error) {
	text, err := os.ReadFile(s.tokenFile())
	return strings.TrimSpace(string(text)), err
}

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
	s.system = envelope.SystemKey{ID: SystemKeyID, Private: private}
	door, err := personKey(filepath.Join(s.peopleDir(), Door))
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(s.rosterFile()); err == nil {
		return s.checkRoster(string(text))
	}
	token, entry, err := roster.NewToken(System, time.Now().AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.tokenFile(), []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the API key: %w", err)
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
	text.WriteString(s.options.LogIn.entries())
	public, _ := private.Public().(ed25519.PublicKey)
	doorPublic, _ := door.Public().(ed25519.PublicKey)
	fmt.Fprintf(&text, `systems:
  - name: %s
    roles: [request, operate]
    merchants: ["*"]
    limits: unlimited
    api_keys:
      - %s
    ed25519:
      - {id: %s, public: %s}
  - name: %s
    door: true
    ed25519:
      - {id: %[5]s-1, public: %[6]s}
signed_above: unlimited
`, System, entry, SystemKeyID, base64.StdEncoding.EncodeToString(public), Door, base64.StdEncoding.EncodeToString(doorPublic))
	if err := os.WriteFile(s.rosterFile(), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write the roster: %w", err)
	}
	return nil
}

// checkRoster refuses the roster of an earlier start that this start cannot use.
func (s *Stack) checkRoster(text string) error {
	if !strings.Contains(text, "door: true") {
		return fmt.Errorf("the roster in %s is of an older version of this program; remove that directory", s.dir)
	}
	if l := s.options.LogIn; l != nil && !strings.Contains(text, fmt.Sprintf("issuer: %q", l.Issuer)) {
		return fmt.Errorf("the roster in %s has nobody who logs in at %s; remove that directory", s.dir, l.Issuer)
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
