package worker

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const installation = "payouts.test/live"

// office is an installation with a roster: amina and bilal may do everything, chen
// requests only, dana approves little, erin approves for one merchant, and fara is no admin. Each has
// an own SSH key; amina and chen can also log in at the system gate, which signs for them
// up to 2000 PKR. The system desk operates.
type office struct {
	*ledger.Ledger
	t      *testing.T
	url    string // of the ledger
	roster string // the file
	used   string // hash of the roster in force
}

var staff = []string{"amina", "bilal", "chen", "dana", "erin", "fara"}

func seedOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("office " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func keyOf(t *testing.T, name string) *envelope.SSHKey {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(seedOf(name), name)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	key, err := envelope.FileKey(path, nil)
	require.NoError(t, err)
	return key
}

func rosterText(t *testing.T, replaces string, names ...string) string {
	t.Helper()
	rights := map[string]string{
		"amina": "roles: [request, approve, resolve, adjust, operate, admin]\n    limits: unlimited",
		"bilal": "roles: [request, approve, resolve, adjust, operate, admin]\n    limits: unlimited",
		"chen":  "roles: [request]\n    limits: unlimited",
		"dana":  "roles: [approve]\n    limits: {PKR: \"100\"}",
		"erin":  "roles: [approve]\n    limits: unlimited",
		"fara":  "roles: [request, approve, resolve, adjust, operate]\n    limits: unlimited",
	}
	merchants := map[string]string{"erin": "M1"}
	text := "people:\n"
	if replaces != "" {
		text = "replaces: " + replaces + "\n" + text
	}
	for _, name := range names {
		public, err := ssh.NewPublicKey(seedOf(name).Public())
		require.NoError(t, err)
		line := name + ` namespaces="payouts" ` + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
		text += fmt.Sprintf("  - name: %s\n    merchants: [\"%s\"]\n    %s\n    keys: ['%s']\n", name, cmp.Or(merchants[name], "*"), rights[name], line)
		if name == "amina" || name == "chen" {
			text += fmt.Sprintf("    oidc: {issuer: \"https://id.example.com\", subject: %s-1}\n", name)
		}
	}
	public := func(system string) string {
		key, _ := seedOf(system).Public().(ed25519.PublicKey)
		return fmt.Sprintf("    ed25519: [{id: %s-1, public: %q}]\n", system, base64.StdEncoding.EncodeToString(key))
	}
	return text + "systems:\n  - name: gate\n    door: true\n" + public("gate") +
		"  - name: desk\n    roles: [operate]\n    merchants: [\"*\"]\n    limits: unlimited\n" + public("desk") + "signed_above: {PKR: \"2000\"}\n"
}

// dataKeys encrypt the personal data of every office.
func dataKeys(t *testing.T) *vault.Ring {
	t.Helper()
	ring, err := vault.Parse([]byte("k1:"+strings.Repeat("1", 64)), "test")
	require.NoError(t, err)
	return ring
}

func openOffice(t *testing.T, url string) *office {
	t.Helper()
	return openOfficeWith(t, url, ledger.EncryptWith(dataKeys(t)))
}

func openOfficeWith(t *testing.T, url string, options ...ledger.Option) *office {
	t.Helper()
	l, err := ledger.Open(t.Context(), url, options...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	require.NoError(t, l.Migrate(t.Context()))
	require.NoError(t, l.UseDataKeys(t.Context()))
	require.NoError(t, l.OpenBooks(t.Context(), "M1", rupees(t, "10000"), rupees(t, "0")))
	o := &office{Ledger: l, t: t, url: url, roster: filepath.Join(t.TempDir(), "roster.yaml")}
	require.NoError(t, os.WriteFile(o.roster, []byte(rosterText(t, "", staff...)), 0o600))
	_, err = Authorize(t.Context(), slog.New(slog.DiscardHandler), l, config.Worker{Roster: config.Roster{RosterFile: o.roster, Origin: installation}}, nil)
	require.NoError(t, err)
	used, err := l.Rosters(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, used, 1)
	o.used = used[0].Hash
	return o
}

func rupees(t *testing.T, text string) money.Amount {
	t.Helper()
	amount, err := money.Parse(text, "PKR")
	require.NoError(t, err)
	return amount
}

func (o *office) request(number, by string) order.Request {
	return order.Request{
		Kind: order.Withdrawal, Merchant: "M1", Number: number, Country: "PK", Way: "JAZZCASH", Amount: rupees(o.t, "1500"), RequestedBy: by,
		Details: map[string]string{"customerName": "Ayesha Example", "customerAccountNumber": "03000000000"},
	}
}

// signs returns the request with a signature.
func (o *office) signs(r order.Request, signer string, change func(*envelope.Envelope)) order.Request {
	o.t.Helper()
	r.RequestedBy = signer
	e := envelope.Start(r, installation, time.Now(), time.Hour)
	change(&e)
	signed, err := envelope.Sign(e, keyOf(o.t, signer))
	require.NoError(o.t, err)
	proof, err := signed.Proof()
	require.NoError(o.t, err)
	r.Proof = &proof
	return r
}

func (o *office) opens(r order.Request) order.Order {
	o.t.Helper()
	opened, opening, err := o.OpenOrder(o.t.Context(), r, ledger.Terms{})
	require.NoError(o.t, err)
	require.Equal(o.t, ledger.Opened, opening)
	return opened
}

// waits opens an order that waits for two approvals.
func (o *office) waits(number string) order.Order {
	o.t.Helper()
	opened := o.opens(o.request(number, "chen"))
	require.Equal(o.t, order.AwaitingApproval, opened.State)
	return opened
}

// cancels opens an order that waits, and cancels it.
func (o *office) cancels(number string) order.Order {
	o.t.Helper()
	waiting := o.waits(number)
	e, refusal := envelope.Of(order.Cancellation{By: "amina", Why: "a test"}, waiting, installation, time.Now(), time.Hour)
	require.Nil(o.t, refusal)
	signed, err := envelope.Sign(e, keyOf(o.t, "amina"))
	require.NoError(o.t, err)
	cancelled, refusal := o.sends(waiting.Key(), signed)
	require.Nil(o.t, refusal)
	return cancelled
}

func same(*envelope.Envelope) {}

// approves sends an approval of a person, as changed and signed.
func (o *office) approves(to order.Order, by, signer string, change func(*envelope.Envelope)) (order.Order, *order.Refusal) {
	o.t.Helper()
	e, refusal := envelope.Of(order.Approval{By: by}, to, installation, time.Now(), time.Hour)
	require.Nil(o.t, refusal)
	change(&e)
	signed, err := envelope.Sign(e, keyOf(o.t, signer))
	require.NoError(o.t, err)
	return o.sends(to.Key(), signed)
}

func (o *office) sends(key order.Key, signed envelope.Signed) (order.Order, *order.Refusal) {
	o.t.Helper()
	action, err := signed.Action()
	require.NoError(o.t, err)
	row, refusal, _, err := o.Act(o.t.Context(), key, action, false)
	require.NoError(o.t, err)
	return row, refusal
}

func (o *office) audit(key order.Key) []ledger.AuditEntry {
	o.t.Helper()
	entries, err := o.Audit(o.t.Context(), key)
	require.NoError(o.t, err)
	return entries
}

func onEngines(t *testing.T, test func(*office)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) { test(openOffice(t, url)) })
}

// With a roster an unsigned start waits for two persons, each once.
func TestUnsignedStartsNeedTwoPersons(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		waiting := o.waits("W-1")
		require.Equal(t, codes.Unsigned, waiting.Reason.Code)
		require.Equal(t, 2, waiting.Approvals)

		first, refusal := o.approves(waiting, "amina", "amina", same)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingApproval, first.State)
		require.Equal(t, order.Reason{Code: codes.Unsigned, Text: "amina has approved it; another person must approve it, too"}, first.Reason)
		_, refusal = o.approves(waiting, "amina", "amina", same)
		require.Equal(t, codes.SamePerson, refusal.Code)
		second, refusal := o.approves(waiting, "bilal", "bilal", same)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, second.State)

		var proofs []string
		for _, entry := range o.audit(waiting.Key()) {
			if entry.Envelope == "" || entry.Refused {
				continue
			}
			var proof authority.Proof
			require.NoError(t, json.Unmarshal([]byte(entry.Envelope), &proof))
			require.Equal(t, o.used, proof.Roster)
			proofs = append(proofs, proof.Envelope.By+" "+proof.Envelope.Action)
		}
		require.Equal(t, []string{"amina approve", "bilal approve"}, proofs)
		report, err := o.VerifyAudit(t.Context(), ledger.AuditEvidence{})
		require.NoError(t, err)
		require.Empty(t, report.Broken)
	})
}

func TestSignedStarts(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		opened := o.opens(o.signs(o.request("W-1", ""), "chen", same))
		require.Equal(t, order.Reserved, opened.State)
		require.Equal(t, "chen", opened.RequestedBy)
		require.Nil(t, opened.Proof, "the audit has it")
		require.Contains(t, o.audit(opened.Key())[0].Envelope, `"action":"start"`)

		again, opening, err := o.OpenOrder(t.Context(), o.signs(o.request("W-1", ""), "amina", same), ledger.Terms{})
		require.NoError(t, err)
		require.Equal(t, ledger.Existing, opening, "another person's repetition is the same order")
		require.Equal(t, "chen", again.RequestedBy)

		for name, c := range map[string]struct {
			signer string
			change func(*envelope.Envelope)
			code   string
		}{
			"another amount":       {"chen", func(e *envelope.Envelope) { e.Amount = rupees(t, "15") }, envelope.CodeOtherOrder},
			"another number":       {"chen", func(e *envelope.Envelope) { e.Number = "W-3" }, envelope.CodeOtherOrder},
			"another content":      {"chen", func(e *envelope.Envelope) { e.Fingerprint = strings.Repeat("0", 64) }, envelope.CodeOtherOrder},
			"another installation": {"chen", func(e *envelope.Envelope) { e.Origin = "payouts.test/other" }, envelope.CodeForeign},
			"without the role":     {"dana", same, roster.CodeRoleMissing},
			"in another's name":    {"chen", func(e *envelope.Envelope) { e.By = "amina" }, envelope.CodeSignerOther},
			"expired": {"chen", func(e *envelope.Envelope) {
				e.Issued, e.Expires = e.Issued.Add(-2*time.Hour), e.Expires.Add(-2*time.Hour)
			}, envelope.CodeExpired},
		} {
			_, _, err := o.OpenOrder(t.Context(), o.signs(o.request("W-2", ""), c.signer, c.change), ledger.Terms{})
			require.ErrorContains(t, err, c.code, name)
			require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err), name)
		}
		_, err = o.Order(t.Context(), order.Key{Merchant: "M1", Number: "W-2"})
		require.ErrorIs(t, err, ledger.ErrNotFound)

		// What may have been sent is recorded in any case; its start counts as unsigned.
		expired := o.signs(o.request("W-4", ""), "chen", func(e *envelope.Envelope) {
			e.Issued, e.Expires = e.Issued.Add(-2*time.Hour), e.Expires.Add(-2*time.Hour)
		})
		lost, opening, err := o.OpenOrder(t.Context(), expired, ledger.Terms{AskFirst: true, WaitForFunds: true})
		require.NoError(t, err)
		require.Equal(t, ledger.Opened, opening)
		require.Equal(t, order.AwaitingApproval, lost.State)
		require.Equal(t, 2, lost.Approvals)
	})
}

// A door signs for who logs in there, and for nobody and nothing else. The audit says
// that it signed, and whoever changes that is found.
func TestWhatADoorMaySign(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		gate := envelope.SystemKey{ID: "gate-1", Private: seedOf("gate")}
		waiting, large := o.waits("W-1"), o.opens(func() order.Request {
			r := o.request("W-2", "chen")
			r.Amount = rupees(t, "2000.01")
			return r
		}())
		does := func(action order.Action, to order.Order) (order.Order, *order.Refusal) {
			e, refusal := envelope.Of(action, to, installation, time.Now(), time.Hour)
			require.Nil(t, refusal)
			signed, err := envelope.Sign(e, gate)
			require.NoError(t, err)
			return o.sends(to.Key(), signed)
		}
		for name, c := range map[string]struct {
			action order.Action
			to     order.Order
			code   string
		}{
			"above the limit":   {order.Approval{By: "amina"}, large, roster.CodeOwnSignatureNeeded},
			"who cannot log in": {order.Approval{By: "bilal"}, waiting, roster.CodeOwnSignatureNeeded},
			"without the role":  {order.Approval{By: "chen"}, waiting, roster.CodeRoleMissing},
			"a stranger":        {order.Approval{By: "mallory"}, waiting, roster.CodeActorUnknown},
			"itself":            {order.Approval{By: "gate"}, waiting, roster.CodeRoleMissing},
			"a resolution":      {order.Resolution{By: "amina", State: order.Failed, Why: "w", Evidence: "e"}, waiting, roster.CodeOwnSignatureNeeded},
			"an adoption":       {order.Adoption{By: "amina"}, waiting, roster.CodeOwnSignatureNeeded},
		} {
			_, refusal := does(c.action, c.to)
			require.NotNil(t, refusal, name)
			require.Equal(t, c.code, refusal.Code, name)
		}
		erasure := envelope.Erase(order.Who{ID: envelope.NewID(), By: "amina", Why: "w"}, waiting.Key(), installation, time.Now(), time.Hour)
		signed, err := envelope.Sign(erasure, gate)
		require.NoError(t, err)
		proof, err := signed.Proof()
		require.NoError(t, err)
		_, refusal, err := o.EraseOrder(t.Context(), waiting.Key(), order.Who{ID: erasure.ID, By: "amina", Why: "w", Proof: &proof})
		require.NoError(t, err)
		require.Equal(t, roster.CodeOwnSignatureNeeded, refusal.Code)

		first, refusal := does(order.Approval{By: "amina"}, waiting)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingApproval, first.State)
		_, refusal = does(order.Approval{By: "amina"}, waiting)
		require.Equal(t, codes.SamePerson, refusal.Code, "one person is one, with a key or without")
		rejected, refusal := does(order.Rejection{By: "amina", Why: "too much"}, large)
		require.Nil(t, refusal)
		require.Equal(t, order.Rejected, rejected.State)
		for _, key := range []order.Key{waiting.Key(), large.Key()} {
			entries := o.audit(key)
			var kept authority.Proof
			require.NoError(t, json.Unmarshal([]byte(entries[len(entries)-1].Envelope), &kept), key)
			require.Equal(t, "amina", kept.Envelope.By)
		}
		entries := o.audit(large.Key())
		last := entries[len(entries)-1]
		require.Equal(t, "amina", last.Actor)
		require.Contains(t, last.Envelope, `"door":"gate"`)

		service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
		report, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
		require.NoError(t, err)
		require.Empty(t, report.Broken)
		require.Equal(t, 3, report.Signed, "with the refused one, whose signature is genuine")

		used, err := o.Rosters(t.Context(), nil)
		require.NoError(t, err)
		review := authority.NewReview(installation, map[string]authority.RosterText{o.used: {Text: used[0].Text}})
		require.Nil(t, review.Roster(o.used, last.At.Add(-time.Minute)))
		entry := authority.Entry{Key: large.Key(), At: last.At, Actor: "amina", Action: order.ActionReject, Decided: true, Proof: last.Envelope}
		require.Nil(t, review.Check(entry))
		entry.Proof = strings.Replace(last.Envelope, `"door":"gate"`, `"door":"erp"`, 1)
		require.Equal(t, envelope.CodeSignerOther, review.Check(entry).Code)
	})
}

// Each way to approve without the right to is refused and on record, and moves
// nothing.
func TestApprovalsThatNobodyMayGive(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		waiting, other := o.waits("W-1"), o.waits("W-2")
		own := o.opens(func() order.Request { r := o.request("W-3", "amina"); return r }())
		other.Amount = rupees(t, "1") // as somebody might claim to have seen it
		for name, c := range map[string]struct {
			to, of     order.Order
			by, signer string
			change     func(*envelope.Envelope)
			code       string
		}{
			"the requester":        {own, own, "amina", "amina", same, codes.SamePerson},
			"for another order":    {waiting, other, "amina", "amina", same, envelope.CodeOtherOrder},
			"for other content":    {waiting, waiting, "amina", "amina", func(e *envelope.Envelope) { e.Fingerprint = strings.Repeat("0", 64) }, envelope.CodeOtherOrder},
			"for another amount":   {waiting, waiting, "amina", "amina", func(e *envelope.Envelope) { e.Amount = rupees(t, "15") }, envelope.CodeOtherOrder},
			"of another requester": {waiting, waiting, "amina", "amina", func(e *envelope.Envelope) { e.Requester = "dana" }, envelope.CodeOtherOrder},
			"without the role":     {waiting, waiting, "chen", "chen", same, roster.CodeRoleMissing},
			"above the limit":      {waiting, waiting, "dana", "dana", same, roster.CodeAboveActorLimit},
			"in another's name":    {waiting, waiting, "bilal", "chen", same, envelope.CodeSignerOther},
			"by a stranger":        {waiting, waiting, "mallory", "mallory", same, roster.CodeKeyUnknown},
			"another installation": {waiting, waiting, "amina", "amina", func(e *envelope.Envelope) { e.Origin = "payouts.test/other" }, envelope.CodeForeign},
			"expired": {waiting, waiting, "amina", "amina", func(e *envelope.Envelope) {
				e.Issued, e.Expires = e.Issued.Add(-2*time.Hour), e.Expires.Add(-2*time.Hour)
			}, envelope.CodeExpired},
			"too early": {waiting, waiting, "amina", "amina", func(e *envelope.Envelope) {
				e.Issued, e.Expires = e.Issued.Add(time.Hour), e.Expires.Add(time.Hour)
			}, envelope.CodeTooEarly},
		} {
			e, refusal := envelope.Of(order.Approval{By: c.by}, c.of, installation, time.Now(), time.Hour)
			require.Nil(t, refusal)
			c.change(&e)
			signed, err := envelope.Sign(e, keyOf(t, c.signer))
			require.NoError(t, err)
			row, refusal := o.sends(c.to.Key(), signed)
			require.NotNil(t, refusal, name)
			require.Equal(t, c.code, refusal.Code, name)
			require.Equal(t, order.AwaitingApproval, row.State, name)
			last := o.audit(c.to.Key())
			require.Equal(t, c.code, last[len(last)-1].Reason.Code, name)
			require.True(t, last[len(last)-1].Refused, name)
		}

		_, refusal, _, err := o.Act(t.Context(), waiting.Key(), order.Approval{By: "bilal", Fingerprint: waiting.Fingerprint}, false)
		require.NoError(t, err)
		require.Equal(t, authority.CodeSignatureNeeded, refusal.Code, "a name alone does nothing")
		_, refusal, err = o.Approve(t.Context(), waiting.Key(), order.Approval{By: "bilal", Fingerprint: waiting.Fingerprint})
		require.NoError(t, err)
		require.Equal(t, authority.CodeSignatureNeeded, refusal.Code)
		_, refusal, err = o.Note(t.Context(), waiting.Key(), order.Note{By: "bilal", Text: "a note needs no signature"})
		require.NoError(t, err)
		require.Nil(t, refusal)
	})
}

// An envelope that comes twice acts once.
func TestAnEnvelopeActsOnce(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		waiting := o.waits("W-1")
		e, refusal := envelope.Of(order.Approval{By: "amina"}, waiting, installation, time.Now(), time.Hour)
		require.Nil(t, refusal)
		signed, err := envelope.Sign(e, keyOf(t, "amina"))
		require.NoError(t, err)
		for range 3 {
			row, refusal := o.sends(waiting.Key(), signed)
			require.Nil(t, refusal)
			require.Equal(t, order.AwaitingApproval, row.State)
		}
		entries := o.audit(waiting.Key())
		require.Len(t, entries, 2, "the opening, and one approval")
	})
}

// A signed resolution that comes again acts once, also when another one has taken its place
// meanwhile.
func TestASignedResolutionActsOnce(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		o.opens(o.signs(o.request("W-1", "chen"), "chen", same))
		key := order.Key{Merchant: "M1", Number: "W-1"}
		_, err := o.NextSubmission(t.Context(), key, 0)
		require.NoError(t, err)
		_, err = o.CompleteSubmission(t.Context(), key, 1, ledger.Answer{Outcome: ledger.Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown, Text: "no answer"}})
		require.NoError(t, err)
		row, err := o.Review(t.Context(), key, order.Reason{Code: order.CodeNoProof, Text: "no proof"})
		require.NoError(t, err)
		require.Equal(t, order.InReview, row.State)
		proposes := func(state order.State) (send func() (order.State, bool)) {
			e, refusal := envelope.Of(order.Resolution{State: state, By: "amina", Why: "the statement", Evidence: "line 17"}, row, installation, time.Now(), time.Hour)
			require.Nil(t, refusal)
			signed, err := envelope.Sign(e, keyOf(t, "amina"))
			require.NoError(t, err)
			action, err := signed.Action()
			require.NoError(t, err)
			return func() (order.State, bool) {
				now, refusal, pending, err := o.Act(t.Context(), key, action, true)
				require.NoError(t, err)
				require.Nil(t, refusal)
				return now.State, pending
			}
		}
		proposed := func() order.State {
			due, err := o.NeedsPerson(t.Context(), time.Minute, 10)
			require.NoError(t, err)
			require.Len(t, due, 1)
			require.NotNil(t, due[0].Proposal)
			return due[0].Proposal.State
		}
		first, second := proposes(order.Failed), proposes(order.Succeeded)
		for _, send := range []func() (order.State, bool){first, second, first, second, first} {
			state, pending := send()
			require.Equal(t, order.InReview, state)
			require.True(t, pending)
		}
		require.Equal(t, order.Succeeded, proposed(), "the withdrawn proposal does not stand again")
		proposals := 0
		for _, entry := range o.audit(key) {
			if entry.Action == ledger.ActionPropose {
				proposals++
			}
		}
		require.Equal(t, 2, proposals)
	})
}

// An altered copy, or a note with the same id, does not keep the genuine envelope from
// acting when it comes later.
func TestAnAlteredCopyDoesNotUseUpTheEnvelope(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		waiting := o.waits("W-1")
		e, refusal := envelope.Of(order.Approval{By: "amina"}, waiting, installation, time.Now(), time.Hour)
		require.Nil(t, refusal)
		signed, err := envelope.Sign(e, keyOf(t, "amina"))
		require.NoError(t, err)
		altered := signed
		altered.Envelope.Reason = "for another reason"
		for range 2 {
			_, refusal = o.sends(waiting.Key(), altered)
			require.Equal(t, roster.CodeSignatureWrong, refusal.Code)
		}
		for _, id := range []string{e.ID, "signed " + e.ID} {
			_, refusal, err = o.Note(t.Context(), waiting.Key(), order.Note{ID: id, By: "mallory", Text: "I was here first"})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		_, refusal = o.sends(waiting.Key(), signed)
		require.Nil(t, refusal)
		entries := o.audit(waiting.Key())
		require.Len(t, entries, 6, "the opening, two refusals, two notes, the approval")
		require.Equal(t, "amina", entries[5].Actor)
		require.False(t, entries[5].Refused)
	})
}

// A new roster that two admins have signed is in force at once: who is not in it any
// more acts no more. One that nobody has signed changes nothing.
func TestAPersonIsRevoked(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		waiting := o.waits("W-1")
		next := rosterText(t, o.used, "amina", "bilal", "chen")
		require.NoError(t, os.WriteFile(o.roster, []byte(next), 0o600))
		unsigned := o.opens(o.signs(o.request("W-2", ""), "chen", same))
		require.Equal(t, order.Reserved, unsigned.State, "the first roster is still in force")
		_, refusal := o.approves(waiting, "dana", "dana", same)
		require.Equal(t, roster.CodeAboveActorLimit, refusal.Code)

		var signatures string
		for _, admin := range []string{"amina", "bilal"} {
			signature, err := keyOf(t, admin).Sign([]byte(next))
			require.NoError(t, err)
			signatures += signature
		}
		require.NoError(t, os.WriteFile(o.roster+".sig", []byte(signatures), 0o600))
		require.Eventually(t, func() bool {
			_, refusal := o.approves(waiting, "dana", "dana", same)
			return refusal.Code == roster.CodeKeyUnknown
		}, 20*time.Second, 100*time.Millisecond)
		used, err := o.Rosters(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, used, 2)
		require.Equal(t, []string{o.used, next, signatures}, []string{used[1].Replaces, string(used[1].Text), string(used[1].Signatures)})
		entries := o.audit(order.Key{})
		require.Equal(t, used[1].Hash, entries[len(entries)-1].Evidence)
		require.Equal(t, ledger.ActionRoster, entries[len(entries)-1].Action)

		// A worker without the file does not start: it would let everybody act.
		_, err = Authorize(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, config.Worker{}, nil)
		require.ErrorContains(t, err, used[1].Hash)

		private, _, err := seal.Generate("payouts.test/other")
		require.NoError(t, err)
		keys, err := seal.ParseKeys([]byte(private), "audit.key")
		require.NoError(t, err)
		_, err = Authorize(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, config.Worker{Roster: config.Roster{RosterFile: o.roster, Origin: installation}}, keys)
		require.ErrorContains(t, err, "PAYOUTS_ORIGIN is payouts.test/live, and the key in PAYOUTS_AUDIT_KEY_FILE is of payouts.test/other")
	})
}

// Adjustments are signed by two persons. An envelope for another amount, kind or
// reference books nothing.
func TestAdjustmentsAreSigned(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		top := order.AdjustmentProposal{AdjustmentRef: order.AdjustmentRef{Merchant: "M1", Ref: "TOPUP-1"}, Kind: "top_up", Amount: rupees(t, "500"), Evidence: "slip 88"}
		acts := func(name, by, signer string, signed order.AdjustmentProposal) (ledger.AdjustmentRecord, *order.Refusal) {
			t.Helper()
			who := order.Who{ID: envelope.NewID(), By: by, Why: "paid in"}
			e := envelope.Adjustment(name, who, signed, installation, time.Now(), time.Hour)
			proofed, err := envelope.Sign(e, keyOf(t, signer))
			require.NoError(t, err)
			proof, err := proofed.Proof()
			require.NoError(t, err)
			who.Proof = &proof
			action := order.BookAction{Who: who, ConfirmAdjustment: &top.AdjustmentRef}
			if name == envelope.ActionProposeAdjustment {
				action = order.BookAction{Who: who, ProposeAdjustment: &top}
			}
			record, refusal, err := o.ActOnBooks(t.Context(), action)
			require.NoError(t, err)
			adjustment, _ := record.(ledger.AdjustmentRecord)
			return adjustment, refusal
		}
		other := top
		other.Amount = rupees(t, "5")
		_, refusal := acts(envelope.ActionProposeAdjustment, "amina", "amina", other)
		require.Equal(t, envelope.CodeOtherOrder, refusal.Code)
		_, refusal = acts(envelope.ActionProposeAdjustment, "chen", "chen", top)
		require.Equal(t, roster.CodeRoleMissing, refusal.Code)
		_, refusal, err := o.ActOnBooks(t.Context(), order.BookAction{Who: order.Who{By: "amina", Why: "paid in"}, ProposeAdjustment: &top})
		require.NoError(t, err)
		require.Equal(t, authority.CodeSignatureNeeded, refusal.Code)

		proposed, refusal := acts(envelope.ActionProposeAdjustment, "amina", "amina", top)
		require.Nil(t, refusal)
		require.Equal(t, ledger.AdjustmentProposed, proposed.State)
		_, refusal = acts(envelope.ActionConfirmAdjustment, "amina", "amina", top)
		require.Equal(t, codes.SamePerson, refusal.Code)
		_, refusal = acts(envelope.ActionConfirmAdjustment, "bilal", "amina", top)
		require.Equal(t, envelope.CodeSignerOther, refusal.Code)
		_, refusal = acts(envelope.ActionConfirmAdjustment, "bilal", "bilal", other)
		require.Equal(t, envelope.CodeOtherOrder, refusal.Code)
		booked, refusal := acts(envelope.ActionConfirmAdjustment, "bilal", "bilal", top)
		require.Nil(t, refusal)
		require.Equal(t, ledger.AdjustmentBooked, booked.State)
		require.Equal(t, "bilal", booked.DecidedBy)
		entries := o.audit(order.Key{Merchant: "M1"})
		require.Contains(t, entries[len(entries)-1].Envelope, `"action":"confirm_adjustment"`)
	})
}

// Two persons resume, and each signs the stop as it is on record. A stop of more than
// one merchant needs persons of all merchants.
func TestResumptionsAreSigned(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		stops := func(scope order.StopScope) ledger.Stop {
			t.Helper()
			stop, refusal, err := o.StopPayouts(t.Context(), scope, order.Who{By: "chen", Why: "broken into"})
			require.NoError(t, err)
			require.Nil(t, refusal, "a stop needs no signature")
			return stop
		}
		resumes := func(stop ledger.Stop, by, signer string, signed ledger.Stop) (ledger.Stop, string) {
			t.Helper()
			who := order.Who{ID: envelope.NewID(), By: by, Why: "all is well"}
			made, err := envelope.Sign(envelope.Resume(who, signed.StopScope, signed.ID, installation, time.Now(), time.Hour), keyOf(t, signer))
			require.NoError(t, err)
			proof, err := made.Proof()
			require.NoError(t, err)
			who.Proof = &proof
			record, refusal, err := o.ActOnBooks(t.Context(), order.BookAction{Who: who, Resume: &order.StopRef{Stop: stop.ID}})
			require.NoError(t, err)
			ended, _ := record.(ledger.Stop)
			if refusal != nil {
				return ended, refusal.Code
			}
			return ended, ""
		}
		one, all := stops(order.StopScope{Merchant: "M1"}), stops(order.StopScope{All: true})
		_, refusal, err := o.ResumePayouts(t.Context(), one.ID, order.Who{By: "amina", Why: "w"})
		require.NoError(t, err)
		require.Equal(t, authority.CodeSignatureNeeded, refusal.Code)
		renamed := one
		renamed.Merchant = "M2"
		for name, try := range map[string]struct {
			stop       ledger.Stop
			by, signer string
			signed     ledger.Stop
			code       string
		}{
			"another stop":         {one, "amina", "amina", all, envelope.CodeOtherOrder},
			"another scope":        {one, "amina", "amina", renamed, envelope.CodeOtherOrder},
			"another's key":        {one, "amina", "bilal", one, envelope.CodeSignerOther},
			"without the role":     {one, "chen", "chen", one, roster.CodeRoleMissing},
			"of one merchant only": {all, "erin", "erin", all, roster.CodeMerchantNotAllowed},
		} {
			_, code := resumes(try.stop, try.by, try.signer, try.signed)
			require.Equal(t, try.code, code, name)
		}
		_, code := resumes(one, "erin", "erin", one)
		require.Empty(t, code)
		_, code = resumes(one, "erin", "erin", one)
		require.Equal(t, codes.SamePerson, code)
		ended, code := resumes(one, "amina", "amina", one)
		require.Empty(t, code)
		require.Equal(t, []string{"erin", "amina"}, []string{ended.Proposer, ended.EndedBy})
		service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
		report, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
		require.NoError(t, err)
		require.Empty(t, report.Broken)
		require.Equal(t, 2, report.Signed)
	})
}

// An admin signs the erasure of an order, and the audit has the proof afterwards.
func TestErasuresAreSigned(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		o.SetErasing(ledger.Erasing{Record: func(ledger.Erasure) error { return nil }})
		key := o.cancels("W-1").Key()
		erases := func(by, signer string, named order.Key) string {
			t.Helper()
			who := order.Who{ID: envelope.NewID(), By: by, Why: "retention is over"}
			made, err := envelope.Sign(envelope.Erase(who, named, installation, time.Now(), time.Hour), keyOf(t, signer))
			require.NoError(t, err)
			proof, err := made.Proof()
			require.NoError(t, err)
			who.Proof = &proof
			_, refusal, err := o.ActOnBooks(t.Context(), order.BookAction{Who: who, Erase: &key})
			require.NoError(t, err)
			if refusal != nil {
				return refusal.Code
			}
			return ""
		}
		_, refusal, err := o.EraseOrder(t.Context(), key, order.Who{By: "amina", Why: "w"})
		require.NoError(t, err)
		require.Equal(t, authority.CodeSignatureNeeded, refusal.Code)
		require.Equal(t, envelope.CodeOtherOrder, erases("amina", "amina", order.Key{Merchant: "M1", Number: "W-2"}))
		require.Equal(t, envelope.CodeSignerOther, erases("amina", "bilal", key))
		require.Equal(t, roster.CodeRoleMissing, erases("chen", "chen", key))
		require.Empty(t, erases("amina", "amina", key))
		service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
		report, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
		require.NoError(t, err)
		require.Empty(t, report.Broken)
		require.Equal(t, 1, report.Signed, "the cancellation's signature was erased")
		require.Positive(t, report.Hidden)
	})
}

func TestClosingsAreSigned(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		profile, _ := tarspay.Country("PK")
		o.SetClock(func() time.Time { return time.Now().Add(-72 * time.Hour) })
		closed, err := money.Parse("500", "PKR")
		require.NoError(t, err)
		nothing, err := money.Parse("0", "PKR")
		require.NoError(t, err)
		require.NoError(t, o.OpenBooks(t.Context(), "M7", closed, nothing))
		o.SetClock(nil)
		day := order.DateOf(time.Now().Add(-48*time.Hour), profile.TimeZone)
		seen, err := o.Day(t.Context(), ledger.DayQuery{Merchant: "M7", Currency: "PKR", Day: day, Zone: profile.TimeZone})
		require.NoError(t, err)
		ref := order.DayRef{Merchant: "M7", Currency: "PKR", Day: day, Zone: seen.Zone, Hash: seen.Hash}
		closes := func(by, signer string, signed order.DayRef) (ledger.DayReport, string) {
			t.Helper()
			who := order.Who{ID: envelope.NewID(), By: by}
			made, err := envelope.Sign(envelope.Closing(who, signed, installation, time.Now(), time.Hour), keyOf(t, signer))
			require.NoError(t, err)
			proof, err := made.Proof()
			require.NoError(t, err)
			who.Proof = &proof
			record, refusal, err := o.ActOnBooks(t.Context(), order.BookAction{Who: who, CloseDay: &ref})
			require.NoError(t, err)
			report, _ := record.(ledger.DayReport)
			return report, order.CodeOf(errorOf(refusal))
		}
		_, refusal, err := o.CloseDay(t.Context(), ref, order.Who{By: "amina"})
		require.NoError(t, err)
		require.Equal(t, authority.CodeSignatureNeeded, refusal.Code)
		for name, change := range map[string]func(*order.DayRef){
			"another day":      func(r *order.DayRef) { r.Day = r.Day.Plus(1) },
			"another zone":     func(r *order.DayRef) { r.Zone = "Asia/Dhaka" },
			"another currency": func(r *order.DayRef) { r.Currency = "VND" },
			"other figures":    func(r *order.DayRef) { r.Hash = strings.Repeat("0", 64) },
			"another merchant": func(r *order.DayRef) { r.Merchant = "M2" },
		} {
			other := ref
			change(&other)
			_, code := closes("amina", "amina", other)
			require.Equal(t, envelope.CodeOtherOrder, code, name)
		}
		_, code := closes("amina", "bilal", ref)
		require.Equal(t, envelope.CodeSignerOther, code)
		_, code = closes("chen", "chen", ref)
		require.Equal(t, roster.CodeRoleMissing, code)
		report, code := closes("amina", "amina", ref)
		require.Empty(t, code)
		require.Contains(t, string(report.Closed.Proof), `"action":"close_day"`)
		service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
		audit, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
		require.NoError(t, err)
		require.Empty(t, audit.Broken)
		require.Equal(t, 1, audit.Signed)
	})
}

// Where two persons close a discrepancy, a system is neither of them.
func TestASystemIsNoneOfTwoPersons(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		o.SetTwoPersonClose(func(stake money.Amount) bool { return stake.Minor() > 5000 })
		closes := func(by string, key envelope.Signer, d ledger.Discrepancy) string {
			t.Helper()
			who := order.Who{ID: envelope.NewID(), By: by, Why: "the gateway's mistake"}
			made, err := envelope.Sign(envelope.CloseDiscrepancy(who, d.Ref(), d.Stake, installation, time.Now(), time.Hour), key)
			require.NoError(t, err)
			proof, err := made.Proof()
			require.NoError(t, err)
			who.Proof = &proof
			closed, refusal, err := o.CloseDiscrepancy(t.Context(), d.ID, who)
			require.NoError(t, err)
			return cmp.Or(order.CodeOf(errorOf(refusal)), string(closed.State))
		}
		differs := func(number string, stake int64) ledger.Discrepancy {
			t.Helper()
			require.NoError(t, o.OpenDifference(t.Context(), reconcile.Difference{
				Key: order.Key{Merchant: "M1", Number: number}, Code: codes.DiscrepancyNoOrder, Mark: number, Detail: "d", Currency: "PKR", Stake: stake,
			}))
			found, err := o.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: "M1", Number: number})
			require.NoError(t, err)
			require.Len(t, found, 1)
			return found[0]
		}
		desk, gate := envelope.SystemKey{ID: "desk-1", Private: seedOf("desk")}, envelope.SystemKey{ID: "gate-1", Private: seedOf("gate")}
		small, large := differs("small", 5000), differs("large", 5001)
		require.Equal(t, "accepted", closes("desk", desk, small))
		require.Equal(t, roster.CodeOwnSignatureNeeded, closes("desk", desk, large))
		require.Equal(t, roster.CodeOwnSignatureNeeded, closes("desk", gate, large), "a door signs for it")
		require.Equal(t, "accepting", closes("amina", keyOf(t, "amina"), large))
		require.Equal(t, roster.CodeOwnSignatureNeeded, closes("desk", desk, large))
		require.Equal(t, "accepted", closes("bilal", keyOf(t, "bilal"), large))
	})
}

// errorOf returns a refusal as an error, nil for none.
func errorOf(refusal *order.Refusal) error {
	if refusal == nil {
		return nil
	}
	return refusal
}

// An audit is verified with the rosters of its time. An approval that a process
// without the roster wrote, or one with a roster of its own, is found.
func TestTheAuditsSignatures(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
		breaks := func() (found []string, signed int) {
			t.Helper()
			report, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
			require.NoError(t, err)
			for _, b := range report.Broken {
				found = append(found, fmt.Sprint(b.Key.Number, " ", b.Seq, " ", b.Code))
			}
			return found, report.Signed
		}
		o.opens(o.signs(o.request("W-1", ""), "chen", same))
		waiting, other, third := o.waits("W-2"), o.waits("W-3"), o.waits("W-4")
		_, refusal := o.approves(waiting, "amina", "amina", same)
		require.Nil(t, refusal)
		found, signed := breaks()
		require.Empty(t, found)
		require.Equal(t, 2, signed)

		stranger, err := ledger.Open(t.Context(), o.url, ledger.EncryptWith(dataKeys(t))) // like whoever has the worker's database login
		require.NoError(t, err)
		defer func() { _ = stranger.Close() }()
		_, refusal, err = stranger.Approve(t.Context(), other.Key(), order.Approval{By: "bilal", Fingerprint: other.Fingerprint})
		require.NoError(t, err)
		require.Nil(t, refusal)

		own := filepath.Join(t.TempDir(), "own.yaml")
		require.NoError(t, os.WriteFile(own, []byte(rosterText(t, "", "amina", "bilal")), 0o600))
		holder, err := roster.Open(own, roster.Options{})
		require.NoError(t, err)
		stranger.SetAuthority(authority.New(holder, installation))
		e, refusal := envelope.Of(order.Approval{By: "bilal"}, third, installation, time.Now(), time.Hour)
		require.Nil(t, refusal)
		proofed, err := envelope.Sign(e, keyOf(t, "bilal"))
		require.NoError(t, err)
		action, err := proofed.Action()
		require.NoError(t, err)
		_, refusal, _, err = stranger.Act(t.Context(), third.Key(), action, false)
		require.NoError(t, err)
		require.Nil(t, refusal)

		found, signed = breaks()
		require.Equal(t, []string{"W-3 2 SIGNATURE_NEEDED", "W-4 2 ROSTER_UNKNOWN"}, found)
		require.Equal(t, 2, signed)
	})
}

// Whoever has the worker's database login, its seal and the data keys can write any time
// into an entry, but not before what is on record: neither to act without a signature, as if
// there was no roster yet, nor with a key that was revoked.
func TestEntriesWithAnEarlierTime(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		process := func(clock time.Duration) *ledger.Ledger {
			l, err := ledger.Open(t.Context(), o.url, ledger.EncryptWith(dataKeys(t)))
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
			l.SetClock(func() time.Time { return time.Now().Add(clock) })
			return l
		}
		unsigned, revoked := o.waits("W-1"), o.waits("W-2")
		next := filepath.Join(t.TempDir(), "next.yaml")
		text := rosterText(t, o.used, "amina", "bilal", "chen")
		require.NoError(t, os.WriteFile(next, []byte(text), 0o600))
		var signatures string
		for _, admin := range []string{"amina", "bilal"} {
			signature, err := keyOf(t, admin).Sign([]byte(text))
			require.NoError(t, err)
			signatures += signature
		}
		require.NoError(t, os.WriteFile(next+".sig", []byte(signatures), 0o600))
		_, err := Authorize(t.Context(), slog.New(slog.DiscardHandler), process(2*time.Hour), config.Worker{Roster: config.Roster{RosterFile: next, Origin: installation}}, nil)
		require.NoError(t, err)

		stranger := process(-time.Hour) // before the first roster
		_, refusal, err := stranger.Approve(t.Context(), unsigned.Key(), order.Approval{By: "bilal", Fingerprint: unsigned.Fingerprint})
		require.NoError(t, err)
		require.Nil(t, refusal)
		_, refusal, err = stranger.ActOnBooks(t.Context(), order.BookAction{Who: order.Who{By: "bilal", Why: "paid in"}, ProposeAdjustment: &order.AdjustmentProposal{
			AdjustmentRef: order.AdjustmentRef{Merchant: "M1", Ref: "TOPUP-1"}, Kind: "top_up", Amount: rupees(t, "500"), Evidence: "slip 88",
		}})
		require.NoError(t, err)
		require.Nil(t, refusal)

		stranger = process(time.Hour) // while erin was in the roster
		holder, err := roster.Open(o.roster, roster.Options{})
		require.NoError(t, err)
		stranger.SetAuthority(authority.New(holder, installation))
		e, refusal := envelope.Of(order.Approval{By: "erin"}, revoked, installation, time.Now().Add(time.Hour), 24*time.Hour)
		require.Nil(t, refusal)
		signed, err := envelope.Sign(e, keyOf(t, "erin"))
		require.NoError(t, err)
		action, err := signed.Action()
		require.NoError(t, err)
		_, refusal, _, err = stranger.Act(t.Context(), revoked.Key(), action, false)
		require.NoError(t, err)
		require.Nil(t, refusal)

		service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
		report, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
		require.NoError(t, err)
		var found []string
		for _, b := range report.Broken {
			found = append(found, fmt.Sprint(b.Key.Number, " ", b.Seq, " ", b.Code))
		}
		require.Equal(t, []string{" 2 SIGNATURE_NEEDED", "W-1 2 SIGNATURE_NEEDED", "W-2 2 ROSTER_UNKNOWN"}, found)
	})
}
