package authority

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const installation = "payouts.test/live"

// book is an audit with two rosters: the first one has amina, bilal and fara, and the one
// from the third hour on lacks fara.
type book struct {
	t      *testing.T
	review *Review
	hashes []string
}

// hour is the time of the audit's entries.
func hour(n int) time.Time { return time.Date(2026, 11, 1, n, 0, 0, 0, time.UTC) }

func newBook(t *testing.T) *book {
	t.Helper()
	b := &book{t: t}
	first := b.roster("", "amina", "bilal", "fara")
	parsed, err := roster.Parse(first.Text, "first")
	require.NoError(t, err)
	second := b.roster(parsed.Hash(), "amina", "bilal")
	for _, admin := range []string{"amina", "bilal"} {
		signature, err := b.key(admin).Sign(second.Text)
		require.NoError(t, err)
		second.Signatures = append(second.Signatures, signature...)
	}
	next, err := roster.Parse(second.Text, "second")
	require.NoError(t, err)
	b.hashes = []string{parsed.Hash(), next.Hash()}
	b.review = NewReview(installation, map[string]RosterText{b.hashes[0]: first, b.hashes[1]: second})
	require.Nil(t, b.review.Roster(b.hashes[0], hour(1)))
	require.Nil(t, b.review.Roster(b.hashes[1], hour(3)))
	return b
}

func (b *book) private(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (b *book) key(name string) *envelope.SSHKey {
	b.t.Helper()
	block, err := ssh.MarshalPrivateKey(b.private(name), name)
	require.NoError(b.t, err)
	path := filepath.Join(b.t.TempDir(), name)
	require.NoError(b.t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	key, err := envelope.FileKey(path, nil)
	require.NoError(b.t, err)
	return key
}

func (b *book) roster(replaces string, names ...string) RosterText {
	b.t.Helper()
	text := "people:\n"
	if replaces != "" {
		text = "replaces: " + replaces + "\n" + text
	}
	for _, name := range names {
		public, err := ssh.NewPublicKey(b.private(name).Public())
		require.NoError(b.t, err)
		text += "  - name: " + name + "\n    roles: [request, approve, resolve, adjust, admin]\n    merchants: [\"*\"]\n    limits: unlimited\n    keys: ['" +
			name + ` namespaces="payouts" ` + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + "']\n"
	}
	return RosterText{Text: []byte(text)}
}

// signed returns an entry with the signature of a person, with the roster of its time.
func (b *book) signed(e Entry, made envelope.Envelope) Entry {
	b.t.Helper()
	if made.ID == "" {
		made.ID = envelope.NewID()
	}
	signed, err := envelope.Sign(made, b.key(made.By))
	require.NoError(b.t, err)
	used := b.hashes[0]
	if !e.At.Before(hour(3)) {
		used = b.hashes[1]
	}
	proof, err := json.Marshal(Proof{signed, reference{Roster: used}})
	require.NoError(b.t, err)
	e.Proof = string(proof)
	return e
}

var merchant = order.Key{Merchant: "M1"}

// resumes is the entry of a person who resumes the stop 1.
func (b *book) resumes(by string, at time.Time, part rules.Part, change func(*envelope.Envelope)) Entry {
	b.t.Helper()
	who := order.Who{ID: envelope.NewID(), By: by, Why: "all is well"}
	made := envelope.Resume(who, order.StopScope{Merchant: "M1"}, 1, installation, at, time.Hour)
	change(&made)
	return b.signed(Entry{
		Key: merchant, At: at, Actor: by, Action: envelope.ActionResume, Decided: true, Evidence: "stop 1: merchant M1",
		Genuine: true, Part: part, About: "stop 1",
	}, made)
}

func same(*envelope.Envelope) {}

// check returns the code of the last entry; the others must be right.
func (b *book) check(entries ...Entry) string {
	b.t.Helper()
	code := ""
	for i, e := range entries {
		refusal := b.review.Check(e)
		if i < len(entries)-1 {
			require.Nil(b.t, refusal)
		}
		if refusal != nil {
			code = refusal.Code
		}
	}
	return code
}

// What a second person does has an earlier entry of another person about the same, which
// the roster permitted when the second one acted.
func TestTheFirstOfTwoPersonsInTheAudit(t *testing.T) {
	t.Parallel()
	stopped := Entry{Key: merchant, At: hour(2), Actor: "chen", Action: "stop", Genuine: true, Part: rules.PartWithdrawn, About: "stop 1"}
	changed := func(e Entry, change func(*Entry)) Entry {
		change(&e)
		return e
	}
	for name, test := range map[string]struct {
		code    string
		entries func(b *book) []Entry
	}{
		"two persons": {"", func(b *book) []Entry {
			return []Entry{b.resumes("fara", hour(2), rules.PartFirst, same), b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"nobody before": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"one person twice": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{b.resumes("bilal", hour(2), rules.PartFirst, same), b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"a person who is revoked since": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{b.resumes("fara", hour(2), rules.PartFirst, same), b.resumes("bilal", hour(4), rules.PartSecond, same)}
		}},
		"an envelope that has expired since": {"", func(b *book) []Entry {
			return []Entry{b.resumes("amina", hour(2), rules.PartFirst, same), b.resumes("bilal", hour(4), rules.PartSecond, same)}
		}},
		"other content": {codes.FirstUnproven, func(b *book) []Entry {
			other := func(e *envelope.Envelope) { e.Kind = "country PK" }
			return []Entry{b.resumes("fara", hour(2), rules.PartFirst, other), b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"taken back": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{b.resumes("fara", hour(2), rules.PartFirst, same), stopped, b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"replaced by the second person": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{b.resumes("fara", hour(2), rules.PartFirst, same), b.resumes("bilal", hour(2), rules.PartFirst, same), b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"an entry that is not genuine": {codes.FirstUnproven, func(b *book) []Entry {
			forged := changed(b.resumes("fara", hour(2), rules.PartFirst, same), func(e *Entry) { e.Genuine = false })
			return []Entry{forged, b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"about something else": {codes.FirstUnproven, func(b *book) []Entry {
			other := changed(b.resumes("fara", hour(2), rules.PartFirst, same), func(e *Entry) { e.About = "stop 2" })
			return []Entry{other, b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"from before the first roster": {"", func(b *book) []Entry {
			old := changed(b.resumes("fara", hour(0), rules.PartFirst, same), func(e *Entry) { e.Proof = "" })
			return []Entry{old, b.resumes("bilal", hour(2), rules.PartSecond, same)}
		}},
		"both from before the first roster": {"", func(b *book) []Entry {
			return []Entry{changed(b.resumes("bilal", hour(0), rules.PartSecond, same), func(e *Entry) { e.Proof = "" })}
		}},
	} {
		b := newBook(t)
		require.Equal(t, test.code, b.check(test.entries(b)...), name)
	}
}

// An order whose start is not signed has approvals of two persons, and a resolution names
// the two who signed it.
func TestTwoPersonsOfAnOrderInTheAudit(t *testing.T) {
	t.Parallel()
	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	o := order.Order{Request: order.Request{Merchant: "M1", Number: "W-1", Amount: amount, RequestedBy: "amina"}, Fingerprint: strings.Repeat("0123456789abcdef", 4)}
	acts := func(b *book, action order.Action, actor string, part rules.Part, about string) Entry {
		made, refusal := envelope.Of(action, o, installation, hour(2), time.Hour)
		require.Nil(t, refusal)
		return b.signed(Entry{
			Key: o.Key(), At: hour(2), Actor: actor, Action: action.Name(), Decided: true, Genuine: true, Part: part, About: about, Approval: action.Name() == order.ActionApprove,
		}, made)
	}
	approves := func(b *book, by string, part rules.Part) Entry {
		return acts(b, order.Approval{By: by}, by, part, "approval")
	}
	resolves := func(b *book, by, actor string, part rules.Part) Entry {
		return acts(b, order.Resolution{By: by, State: order.Failed, Why: "w", Evidence: "of " + by}, actor, part, "resolution")
	}
	unsigned := Entry{Key: o.Key(), At: hour(2), Actor: "amina", Action: envelope.ActionStart, Evidence: o.Fingerprint, Genuine: true}
	old := unsigned
	old.At = hour(0)
	for name, test := range map[string]struct {
		code    string
		entries func(b *book) []Entry
	}{
		"two approvals": {"", func(b *book) []Entry {
			return []Entry{unsigned, approves(b, "fara", rules.PartFirst), approves(b, "bilal", rules.PartSecond)}
		}},
		"one approval": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{unsigned, approves(b, "bilal", rules.PartSecond)}
		}},
		"one approval of an order from before the roster": {"", func(b *book) []Entry {
			return []Entry{old, approves(b, "bilal", rules.PartSecond)}
		}},
		"two approvals, and one more at its time": {"", func(b *book) []Entry {
			return []Entry{unsigned, approves(b, "fara", rules.PartFirst), approves(b, "bilal", rules.PartSecond), approves(b, "fara", rules.PartSecond)}
		}},
		"a resolution of two": {"", func(b *book) []Entry {
			return []Entry{resolves(b, "fara", "fara", rules.PartFirst), resolves(b, "bilal", "fara and bilal", rules.PartSecond), resolves(b, "bilal", "fara and bilal", rules.PartSecond)}
		}},
		"a resolution of one, in the name of two": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{resolves(b, "bilal", "fara and bilal", rules.PartSecond)}
		}},
		"a resolution that names another first person": {codes.FirstUnproven, func(b *book) []Entry {
			return []Entry{resolves(b, "fara", "fara", rules.PartFirst), resolves(b, "bilal", "amina and bilal", rules.PartSecond)}
		}},
		"a resolution that the first of the names signed": {envelope.CodeOtherOrder, func(b *book) []Entry {
			return []Entry{resolves(b, "fara", "fara", rules.PartFirst), resolves(b, "bilal", "bilal and fara", rules.PartSecond)}
		}},
	} {
		b := newBook(t)
		require.Equal(t, test.code, b.check(test.entries(b)...), name)
	}
}
