package ledger

import (
	"context"
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A decision over a list of orders is stored once. The audit entry of each order has a
// reference: the decision's hash, and the proof that the order is in the list.

// CodeListDiffers is envelope.CodeListDiffers.
const CodeListDiffers = envelope.CodeListDiffers

type decisionRow struct {
	Hash    string `db:"hash"`
	Signed  string `db:"signed"`
	DataKey string `db:"data_key"`
}

func decisionSubject(hash string) vault.Subject {
	return vault.Subject{Table: "decisions", Number: hash}
}

// keepDecision stores the decision that a reference names, unless it is stored. It
// refuses an order that the totals of the decision have no room for. The row of the
// totals is locked until the transaction ends.
func (t tx) keepDecision(ctx context.Context, kept envelope.Kept) (*order.Refusal, error) {
	if kept.Decision == nil {
		return nil, nil
	}
	key, err := t.ring.NewKey(decisionSubject(kept.Decision.Hash))
	if err != nil {
		return nil, err
	}
	added, err := t.Put(ctx, "INSERT INTO decisions (hash, signed, data_key, at) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
		kept.Decision.Hash, key.Seal("decisions.signed", kept.Decision.Signed), key.Stored(), t.At.UnixMilli())
	if err != nil {
		return nil, err
	}
	for _, total := range kept.Decision.Totals {
		if added == 0 {
			break
		}
		_, err := t.Put(ctx, "INSERT INTO decision_totals (decision, currency, total) VALUES (?, ?, ?)",
			kept.Decision.Hash, total.Currency(), total.Minor())
		if err != nil {
			return nil, err
		}
	}
	var left []int64
	err = t.List(ctx, &left, "SELECT total - done FROM decision_totals WHERE decision = ? AND currency = ?"+t.ForUpdate,
		kept.Decision.Hash, kept.Item.Amount.Currency())
	if err == nil && (len(left) == 0 || left[0] < kept.Item.Amount.Minor()) {
		return order.Refuse(CodeListDiffers, "the orders of the list are worth more than the totals that were signed; look at the list again and sign that"), nil
	}
	return nil, err
}

// spend adds an order to what was done by a decision.
func (t tx) spend(ctx context.Context, kept envelope.Kept) error {
	if kept.Decision == nil {
		return nil
	}
	_, err := t.Put(ctx, "UPDATE decision_totals SET done = done + ? WHERE decision = ? AND currency = ?",
		kept.Item.Amount.Minor(), kept.Decision.Hash, kept.Item.Amount.Currency())
	return err
}

// referred is the beginning of a reference to a decision, up to its hash.
const referred = `{"decision":"`

// decisions are signed envelopes by their hash, as they are read for the audit.
type decisions map[string]string

// decisions returns the decisions of the hashes; all if none is given. One that cannot
// be read is Encrypted or damaged.
func (t tx) decisions(ctx context.Context, hashes ...string) (decisions, error) {
	var where conditions
	if len(hashes) > 0 {
		where.among("hash", hashes)
	}
	var rows []decisionRow
	if err := t.List(ctx, &rows, "SELECT hash, signed, data_key FROM decisions"+where.sql(), where.args...); err != nil {
		return nil, fmt.Errorf("read the decisions: %w", err)
	}
	found := make(decisions, len(rows))
	for _, row := range rows {
		texts, err := t.texts(decisionSubject(row.Hash), row.DataKey, false)
		if err == nil {
			found[row.Hash], err = texts.orDamaged().open("decisions.signed", row.Signed)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// decisionOf returns the hash of the decision that an entry refers to; empty if it
// refers to none.
func (r *auditRow) decisionOf() string {
	rest, is := strings.CutPrefix(r.Envelope, referred)
	hash, _, _ := strings.Cut(rest, `"`)
	if !is {
		return ""
	}
	return hash
}

// expand puts the signed envelope into an entry that refers to a decision, so that it
// shows what the entry of a single order shows.
func (r *auditRow) expand(known decisions) {
	signed, found := known[r.decisionOf()]
	switch {
	case !found:
	case hidden(signed): // otherwise it is JSON
		r.Envelope, r.instead.envelope = signed, signed
	case strings.HasSuffix(signed, "}"):
		r.Envelope = strings.TrimSuffix(signed, "}") + "," + strings.TrimPrefix(r.Envelope, "{")
	}
}
