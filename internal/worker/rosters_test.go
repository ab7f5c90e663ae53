package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/order"
)

// workerLogin is the address of whoever has the worker's database login.
func workerLogin(t *testing.T, address string, owner *ledger.Ledger) string {
	t.Helper()
	return login(t, address, owner, "payouts_worker")
}

// login is the address of whoever has a database login with the role.
func login(t *testing.T, address string, owner *ledger.Ledger, role string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	if parsed.Scheme == "sqlite" {
		return address
	}
	require.NoError(t, owner.GrantRoles(t.Context()))
	query := parsed.Query()
	query.Set("options", "-c role="+role)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func executes(t *testing.T, address, statement string, args ...any) {
	t.Helper()
	engine, source, _ := strings.Cut(address, ":")
	if engine == "postgres" || engine == "postgresql" {
		engine, source = "postgres", address
	}
	db, err := sqlx.Open(engine, source)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.Exec(db.Rebind(statement), args...)
	require.NoError(t, err)
}

func sealKeys(t *testing.T) *seal.Keys {
	t.Helper()
	private, _, err := seal.Generate(installation)
	require.NoError(t, err)
	keys, err := seal.ParseKeys([]byte(private), "audit.key")
	require.NoError(t, err)
	return keys
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// written is a file with a roster, and one with its signatures.
func written(t *testing.T, text string, admins ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roster.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.NoError(t, os.WriteFile(file+".sig", []byte(signedBy(t, text, admins...)), 0o600))
	return file
}

func signedBy(t *testing.T, text string, admins ...string) (signatures string) {
	t.Helper()
	for _, admin := range admins {
		signature, err := keyOf(t, admin).Sign([]byte(text))
		require.NoError(t, err)
		signatures += signature
	}
	return signatures
}

// Whoever has the worker's database login writes a roster of their own as the next one. No
// process takes it for the one in force: neither one that starts, whatever file it has, nor
// one that runs. The audit's check finds it.
func TestARosterOfOnesOwn(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]struct {
		replaces, signers []string // replaces: the hash, or none for the one in force
		record            bool     // the audit has it, too, with another's seal
		named             string   // how the refusal goes on
	}{
		"not in the audit":             {named: "never came into force"},
		"signed, but not in the audit": {signers: []string{"amina", "bilal"}, named: "never came into force"},
		"in the audit, not signed":     {record: true, named: "ROSTER_NOT_SIGNED"},
		"signed by one admin twice":    {record: true, signers: []string{"amina", "amina"}, named: "ROSTER_NOT_SIGNED"},
		"signed by no admin":           {record: true, signers: []string{"dana", "erin"}, named: "ROSTER_NOT_SIGNED"},
		"after no other":               {record: true, replaces: []string{hashOf("none")}, signers: []string{"amina", "bilal"}, named: "ROSTER_NOT_NEXT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, address string) {
				keys := sealKeys(t)
				o := openOfficeWith(t, address, ledger.EncryptWith(dataKeys(t)), ledger.SealWith(keys))
				if address[:4] == "post" {
					require.NoError(t, o.GrantRoles(t.Context()))
				}
				replaces := append(forge.replaces, o.used)[0]
				own := rosterText(t, replaces, "amina", "bilal")
				row := ledger.Roster{Hash: hashOf(own), Replaces: replaces, Text: []byte(own), Signatures: []byte(signedBy(t, own, forge.signers...))}
				login := workerLogin(t, address, o.Ledger)
				if forge.record {
					stranger, err := ledger.Open(t.Context(), login)
					require.NoError(t, err)
					defer func() { _ = stranger.Close() }()
					_, err = stranger.RecordRoster(t.Context(), row)
					require.NoError(t, err)
				} else {
					executes(t, login, "INSERT INTO rosters (hash, replaces, text, signatures, at) VALUES (?, ?, ?, ?, 1)", row.Hash, row.Replaces, own, string(row.Signatures))
				}

				settings := config.Worker{Roster: config.Roster{RosterFile: o.roster, Origin: installation}}
				for process, starts := range map[string]func() error{
					"worker": func() error {
						_, err := Authorize(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, settings, keys)
						return err
					},
					"worker without its file": func() error {
						_, err := Authorize(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, config.Worker{}, keys)
						return err
					},
					"api": func() error {
						_, err := boot.ReadRoster(t.Context(), o.Ledger, settings.Roster)
						return err
					},
					"doctor": func() error {
						_, err := boot.RosterInForce(t.Context(), o.Ledger, nil, "")
						return err
					},
				} {
					var refusal *order.Refusal
					require.ErrorAs(t, starts(), &refusal, process)
					require.Equal(t, authority.CodeRosterUnknown, refusal.Code, process)
					require.Contains(t, refusal.Text, forge.named, process)
				}

				// The worker that runs goes on with the roster in force.
				waiting := o.waits("W-1")
				_, refusal := o.approves(waiting, "amina", "amina", same)
				require.Nil(t, refusal)
				entries := o.audit(waiting.Key())
				require.Contains(t, entries[len(entries)-1].Envelope, `"roster":"`+o.used+`"`)

				service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
				report, err := service.VerifyAudit(t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
				require.NoError(t, err)
				require.Len(t, report.Broken, 1)
				require.Equal(t, authority.CodeRosterUnknown, report.Broken[0].Code)
			})
		})
	}
}

// Nobody signs the first roster. If somebody writes one into the ledger before the first
// worker has started, its entry in the audit has no seal. A worker or api whose own file is
// another one does not start.
func TestAFirstRosterOfOnesOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, address string) {
		keys := sealKeys(t)
		l, err := ledger.Open(t.Context(), address, ledger.SealWith(keys))
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		require.NoError(t, l.Migrate(t.Context()))
		stranger, err := ledger.Open(t.Context(), workerLogin(t, address, l))
		require.NoError(t, err)
		defer func() { _ = stranger.Close() }()
		own := rosterText(t, "", "amina", "bilal")
		_, err = stranger.RecordRoster(t.Context(), ledger.Roster{Hash: hashOf(own), Text: []byte(own)})
		require.NoError(t, err)

		starts := func(file string, keys *seal.Keys) error {
			_, err := Authorize(t.Context(), slog.New(slog.DiscardHandler), l, config.Worker{Roster: config.Roster{RosterFile: file, Origin: installation}}, keys)
			return err
		}
		genuine := written(t, rosterText(t, "", staff...))
		var refusal *order.Refusal
		require.ErrorAs(t, starts(genuine, keys), &refusal)
		require.Equal(t, authority.CodeRosterUnknown, refusal.Code)
		require.ErrorAs(t, starts(genuine, nil), &refusal)
		_, err = boot.ReadRoster(t.Context(), l, config.Roster{RosterFile: genuine})
		require.ErrorAs(t, err, &refusal)
		require.Contains(t, refusal.Text, hashOf(own))

		// An installation whose audit was not sealed at first goes on: its file says which
		// roster it has, or which one follows.
		require.NoError(t, starts(written(t, own), keys))
		require.NoError(t, starts(written(t, rosterText(t, hashOf(own), staff...)), keys))
	})
}

// With a genuine seal, a process that has a wrong file goes on with the roster in force, also
// after others have followed the first.
func TestStoredRostersThatFollow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, address string) {
		keys := sealKeys(t)
		o := openOfficeWith(t, address, ledger.EncryptWith(dataKeys(t)), ledger.SealWith(keys))
		authorize := func(file string) {
			t.Helper()
			_, err := Authorize(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, config.Worker{Roster: config.Roster{RosterFile: file, Origin: installation}}, keys)
			require.NoError(t, err)
		}
		second := rosterText(t, o.used, "amina", "bilal", "chen")
		authorize(written(t, second, "amina", "bilal"))
		third := rosterText(t, hashOf(second), "amina", "bilal")
		authorize(written(t, third, "amina", "bilal"))
		authorize(written(t, "not: a roster"))
		inForce, err := boot.RosterInForce(t.Context(), o.Ledger, keys.Public(), "")
		require.NoError(t, err)
		require.Equal(t, hashOf(third), inForce.Hash)
		require.True(t, inForce.Sealed)
		foreign, err := boot.RosterInForce(t.Context(), o.Ledger, sealKeys(t).Public(), "")
		require.NoError(t, err)
		require.False(t, foreign.Sealed, "the seal is of another key")
	})
}

// An entry with the hash and the seal of another one is no entry of the roster.
func TestACopiedSealIsNoneOfARoster(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, address string) {
		keys := sealKeys(t)
		o := openOfficeWith(t, address, ledger.EncryptWith(dataKeys(t)), ledger.SealWith(keys))
		own, login := rosterText(t, o.used, "amina", "bilal"), workerLogin(t, address, o.Ledger)
		executes(t, login, "INSERT INTO rosters (hash, replaces, text, signatures, at) VALUES (?, ?, ?, ?, 1)",
			hashOf(own), o.used, own, signedBy(t, own, "amina", "bilal"))
		executes(t, login, `
			INSERT INTO audit (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state, outcome, code, text, paid, fee, mark, hash, seal, envelope)
			SELECT merchant, number, chain, seq + 100, at, actor, action, source, ?, before_state, after_state, outcome, code, text, paid, fee, mark, hash, seal, envelope
			FROM audit WHERE action = 'roster'`, hashOf(own))
		_, err := boot.RosterInForce(t.Context(), o.Ledger, keys.Public(), "")
		var refusal *order.Refusal
		require.ErrorAs(t, err, &refusal)
		require.Contains(t, refusal.Text, "never came into force")
	})
}

// Two workers have files of their own. Where the newer one is not in place, it is in force all
// the same: who was revoked may not act there.
func TestAWorkerWithAnOlderFile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, address string) {
		keys := sealKeys(t)
		o := openOfficeWith(t, address, ledger.EncryptWith(dataKeys(t)), ledger.SealWith(keys))
		older := *o
		older.Ledger = o.stranger(ledger.SealWith(keys))
		authorizes := func(o *office, file string) telemetry.Check {
			t.Helper()
			check, err := Authorize(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, config.Worker{Roster: config.Roster{RosterFile: file, Origin: installation}}, keys)
			require.NoError(t, err)
			return check
		}
		file := written(t, rosterText(t, "", staff...))
		check := authorizes(&older, file)
		require.NoError(t, check.Try(t.Context()))
		waiting := o.waits("W-1")
		o.replaces("amina", "bilal", "chen")
		require.Eventually(t, func() bool { return check.Try(t.Context()) != nil }, 20*time.Second, 50*time.Millisecond)
		require.EqualError(t, check.Try(t.Context()), "not the file's")
		_, refusal := older.approves(waiting, "fara", "fara", same)
		require.NotNil(t, refusal)
		require.Equal(t, roster.CodeKeyUnknown, refusal.Code)

		now, err := os.ReadFile(o.roster)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, now, 0o600))
		require.Eventually(t, func() bool { return check.Try(t.Context()) == nil }, 20*time.Second, 50*time.Millisecond)
		_, refusal = older.approves(waiting, "amina", "amina", same)
		require.Nil(t, refusal)
	})
}

// A second worker does not put a roster in force that stands in the ledger otherwise than a
// first one records it.
func TestARosterThatIsStoredOtherwise(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]struct {
		text    func(genuine string) string
		signers []string
		record  bool
		why     string
	}{
		"not in the audit":       {signers: []string{"amina", "bilal"}, why: "never came into force"},
		"with another text":      {text: func(genuine string) string { return genuine + "# more\n" }, signers: []string{"amina", "bilal"}, record: true, why: "the stored roster is not"},
		"signed by one admin":    {signers: []string{"amina"}, record: true, why: "ROSTER_NOT_SIGNED"},
		"as a worker records it": {signers: []string{"bilal", "amina"}, record: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, address string) {
				keys := sealKeys(t)
				o := openOfficeWith(t, address, ledger.EncryptWith(dataKeys(t)), ledger.SealWith(keys))
				genuine := rosterText(t, o.used, "amina", "bilal")
				text := genuine
				if forge.text != nil {
					text = forge.text(genuine)
				}
				row := ledger.Roster{Hash: hashOf(genuine), Replaces: o.used, Text: []byte(text), Signatures: []byte(signedBy(t, text, forge.signers...))}
				if forge.record {
					_, err := o.stranger().RecordRoster(t.Context(), row)
					require.NoError(t, err)
				} else {
					executes(t, o.role(), "INSERT INTO rosters (hash, replaces, text, signatures, at) VALUES (?, ?, ?, ?, 1)", row.Hash, row.Replaces, text, string(row.Signatures))
				}
				own := ledger.Roster{Hash: hashOf(genuine), Replaces: o.used, Text: []byte(genuine), Signatures: []byte(signedBy(t, genuine, "amina", "bilal"))}
				err := record(t.Context(), slog.New(slog.DiscardHandler), o.Ledger, own)
				if forge.why == "" {
					require.NoError(t, err, "other signatures of admins are as good")
					return
				}
				var refusal *order.Refusal
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, authority.CodeRosterUnknown, refusal.Code)
				require.Contains(t, refusal.Text, forge.why)
			})
		})
	}
}
