package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Roster is a roster that came into force.
type Roster struct {
	Hash       string
	Replaces   string // hash of the roster before it; empty for the first
	Text       []byte
	Signatures []byte // of two admins of the roster before it; empty for the first
}

// RecordRoster records that a roster is in force, once. The error is an
// *order.Refusal with ROSTER_NOT_NEXT if another roster has followed the same one.
func (l *Ledger) RecordRoster(ctx context.Context, r Roster) error {
	err := l.inTx(ctx, func(t tx) error {
		var known []string
		if err := t.List(ctx, &known, "SELECT hash FROM rosters WHERE replaces = ?", r.Replaces); err != nil {
			return err
		}
		switch {
		case len(known) > 0 && known[0] == r.Hash:
			return nil
		case len(known) > 0:
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
		return fmt.Errorf("ledger: record the roster: %w", err)
	}
	return nil
}

// CodeRosterNotNext is roster.CodeNotNext.
const CodeRosterNotNext = "ROSTER_NOT_NEXT"

// Rosters returns all rosters that were in force, the oldest first.
func (l *Ledger) Rosters(ctx context.Context) ([]Roster, error) {
	var rows []struct {
		Hash       string `db:"hash"`
		Replaces   string `db:"replaces"`
		Text       string `db:"text"`
		Signatures string `db:"signatures"`
	}
	if err := l.db.List(ctx, &rows, "SELECT hash, replaces, text, signatures FROM rosters"); err != nil {
		return nil, fmt.Errorf("ledger: rosters: %w", err)
	}
	next := make(map[string]Roster, len(rows))
	for _, row := range rows {
		next[row.Replaces] = Roster{Hash: row.Hash, Replaces: row.Replaces, Text: []byte(row.Text), Signatures: []byte(row.Signatures)}
	}
	chain := make([]Roster, 0, len(rows))
	for r, found := next[""]; found && len(chain) < len(rows); r, found = next[r.Hash] {
		chain = append(chain, r)
	}
	return chain, nil
}
