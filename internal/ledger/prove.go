package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AuditProofs shows that the entries of a key are under a checkpoint.
type AuditProofs struct {
	Checkpoint Checkpoint
	Entries    []EntryProof // in the order of Audit
	Newer      int          // number of entries that the checkpoint does not cover
}

// EntryProof is the proof of one entry.
type EntryProof struct {
	Seq   int
	Hash  string // of the entry, in hex
	Proof []byte // a C2SP tlog-proof
}

// ProveAudit proves the entries of a key under the last checkpoint. The error is an
// *order.Refusal with AUDIT_CHECKPOINT_MISSING, or with AUDIT_ENTRY_REPLACED if an
// entry is not the one that was added to the tree.
func (l *Ledger) ProveAudit(ctx context.Context, key order.Key) (AuditProofs, error) {
	var proofs AuditProofs
	err := l.db.View(ctx, func(t *sqldb.Tx) error { return proofs.read(ctx, tx{Tx: t}, key) })
	if err != nil {
		return AuditProofs{}, fmt.Errorf("ledger: prove the audit of %s: %w", key, err)
	}
	return proofs, nil
}

func (p *AuditProofs) read(ctx context.Context, t tx, key order.Key) error {
	var last checkpointRow
	if err := t.Get(ctx, &last, lastCheckpoint); err != nil {
		return noCheckpoint(err)
	}
	p.Checkpoint = last.checkpoint()
	var entries []struct {
		leafRow
		Recorded []byte `db:"recorded"`
	}
	err := t.List(ctx, &entries, `
		SELECT a.seq, a.hash, COALESCE(t.position, -1) AS position, t.hash AS recorded FROM audit a
		LEFT JOIN audit_tree t ON t.merchant = a.merchant AND t.number = a.number AND t.chain = a.chain AND t.seq = a.seq
		WHERE a.merchant = ? AND a.number = ? ORDER BY a.chain DESC, a.seq`, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Position < 0 || e.Position >= last.Size {
			p.Newer++
			continue
		}
		if !bytes.Equal(e.Hash, e.Recorded) {
			return order.Refuse(seal.CodeReplaced, "entry %d of %s is not the one that was added to the tree; look with audit --verify", e.Seq, key)
		}
		proof, err := seal.Prove([]byte(last.Note), e.Position, t.treeHashes(ctx))
		if err != nil {
			return err
		}
		p.Entries = append(p.Entries, EntryProof{int(e.Seq), hex.EncodeToString(e.Hash), proof})
	}
	return nil
}
