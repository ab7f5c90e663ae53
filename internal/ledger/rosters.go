package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Roster is a roster that came into force.
type Roster struct {
	Hash       string
	Replaces   string // hash of the roster before it; empty for the first
	Text       []byte
	Signatures []byte // of two admins of the roster before it; empty for the first

	// Of a stored roster, what the installation's audit says.
	Since  time.Time // of the entry that it came into force; zero: there is no such entry
	Sealed bool      // the seal of that entry was verified
}

// RecordRoster records that a roster is in force, once. recorded is false if a row has its
// hash already: nobody has compared the rest of that row, nor asked whether the audit has the
// roster. The error is an *order.Refusal with ROSTER_NOT_NEXT if another roster has followed
// the same one.
func (l *Ledger) RecordRoster(ctx context.Context, r Roster) (recorded bool, err error) {
	err = l.inTx(ctx, func(t tx) error {
		var known []string
		if err := t.List(ctx, &known, rosterAfter, r.Replaces); err != nil {
			return err
		}
		recorded = len(known) == 0
		switch {
		case !recorded && known[0] == r.Hash:
			return nil
		case !recorded:
			return order.Refuse(CodeRosterNotNext, "another roster, %s, is on record as the next one", known[0])
		}
		_, err := t.Put(ctx, "INSERT INTO rosters (hash, replaces, text, signatures, at) VALUES (?, ?, ?, ?, ?)",
			r.Hash, r.Replaces, string(r.Text), string(r.Signatures), t.At.UnixMilli())
		if err != nil {
			return err
		}
		return t.noteOther(ctx, order.Key{}, entry{action: ActionRoster, source: FromConfiguration, evidence: r.Hash})
	})
	if err != nil {
		return false, fmt.Errorf("ledger: record the roster: %w", err)
	}
	return recorded, nil
}

const rosterAfter = "SELECT hash FROM rosters WHERE replaces = ?"

// RosterAfter returns the hash of the stored roster that replaces another one, or "". Nobody
// has checked that it came into force.
func (l *Ledger) RosterAfter(ctx context.Context, hash string) (string, error) {
	var next []string
	if err := l.db.List(ctx, &next, rosterAfter, hash); err != nil {
		return "", fmt.Errorf("ledger: the roster after %s: %w", hash, err)
	}
	return strings.Join(next, ""), nil
}

// CodeRosterNotNext is roster.CodeNotNext.
const CodeRosterNotNext = "ROSTER_NOT_NEXT"

// Rosters returns all stored rosters, each after the one that it replaces, and last those
// that replace none of the others. With public keys, the seals of their entries in the
// audit are verified. Nobody has checked that a stored roster came into force: see
// authority.Review.
func (l *Ledger) Rosters(ctx context.Context, keys *seal.Public) ([]Roster, error) {
	var rows []struct {
		Hash       string `db:"hash"`
		Replaces   string `db:"replaces"`
		Text       string `db:"text"`
		Signatures string `db:"signatures"`
	}
	recorded := make(map[string]Roster)
	err := l.db.View(ctx, func(t *sqldb.Tx) error {
		if err := t.List(ctx, &rows, "SELECT hash, replaces, text, signatures FROM rosters ORDER BY hash"); err != nil || len(rows) == 0 {
			return err
		}
		var err error
		recorded, err = recordedRosters(ctx, t, keys)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: rosters: %w", err)
	}
	next := make(map[string]Roster, len(rows))
	for _, row := range rows {
		r := recorded[row.Hash]
		r.Hash, r.Replaces, r.Text, r.Signatures = row.Hash, row.Replaces, []byte(row.Text), []byte(row.Signatures)
		next[r.Replaces] = r
	}
	chain := make([]Roster, 0, len(rows))
	for r, found := next[""]; found; r, found = next[r.Hash] {
		chain = append(chain, r)
		delete(next, r.Replaces)
	}
	for _, row := range rows {
		if r, loose := next[row.Replaces]; loose {
			chain = append(chain, r)
		}
	}
	return chain, nil
}

// recordedRosters returns what the installation's audit says about rosters, by hash: of each
// the first entry with a genuine seal, or the first one.
func recordedRosters(ctx context.Context, t *sqldb.Tx, keys *seal.Public) (map[string]Roster, error) {
	var rows []struct {
		auditRow
		Previous []byte `db:"previous"`
	}
	err := t.List(ctx, &rows, `
		SELECT `+auditColumnsOfA+`, p.hash AS previous
		FROM audit a
		LEFT JOIN audit p ON p.merchant = a.merchant AND p.number = a.number AND p.chain = a.chain AND p.seq = a.seq - 1
		WHERE a.merchant = '' AND a.number = '' AND a.chain = ? AND a.action = ? AND a.outcome = ?
		ORDER BY a.seq`, chainOther, ActionRoster, outcomeDone)
	recorded := make(map[string]Roster, len(rows))
	for _, row := range rows {
		genuine := row.follows(row.Seq-1, row.Previous)
		sealed := genuine && keys != nil && keys.Check(row.Hash, row.Seal) == nil
		if _, is := recorded[row.Evidence]; genuine && (!is || sealed && !recorded[row.Evidence].Sealed) {
			recorded[row.Evidence] = Roster{Since: moment(row.At), Sealed: sealed}
		}
	}
	return recorded, err
}
