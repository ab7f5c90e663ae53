package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeCheckpointMissing means that no checkpoint of the audit was made yet. It is
// stable.
const CodeCheckpointMissing = "AUDIT_CHECKPOINT_MISSING"

// CodeUnplaced means that an entry is as old as those of a checkpoint, and is not in
// the tree. It is stable.
const CodeUnplaced = "AUDIT_ENTRY_UNPLACED"

// Checkpoint is a signed root of the audit's Merkle tree.
type Checkpoint struct {
	Size int64     `json:"size"` // the number of entries in the tree
	At   time.Time `json:"at"`
	Note string    `json:"note"` // a C2SP checkpoint
}

type checkpointRow struct {
	Size   int64  `db:"size"`
	At     int64  `db:"at"`
	Note   string `db:"note"`
	LastID int64  `db:"last_id"` // every entry with an id up to this is in the tree
}

func (r checkpointRow) checkpoint() Checkpoint { return Checkpoint{r.Size, moment(r.At), r.Note} }

const lastCheckpoint = "SELECT size, at, note, last_id FROM checkpoints ORDER BY size DESC LIMIT 1"

// LastCheckpoint returns the newest checkpoint. The error is an *order.Refusal with
// AUDIT_CHECKPOINT_MISSING if there is none.
func (l *Ledger) LastCheckpoint(ctx context.Context) (Checkpoint, error) {
	var last checkpointRow
	err := l.db.Get(ctx, &last, lastCheckpoint)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: last checkpoint: %w", noCheckpoint(err))
	}
	return last.checkpoint(), nil
}

func noCheckpoint(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return order.Refuse(CodeCheckpointMissing, "no checkpoint of the audit was made yet: a worker with PAYOUTS_AUDIT_KEY_FILE makes one every PAYOUTS_CHECKPOINT_EVERY, and at once with: temporal schedule trigger --schedule-id checkpoint-audit")
	}
	return err
}

// MakeCheckpoint adds every committed entry of the audit to the Merkle tree, then signs
// and stores the root. If nothing was added since the last checkpoint, it returns that
// one. It calls progress after each page of entries.
//
// The error is an *order.Refusal with AUDIT_KEY_MISSING without keys, and with
// AUDIT_TAIL_CUT if the tree is smaller than at the last checkpoint.
//
// Any number of processes may call it at once. It takes no lock that an order waits
// for. The stored hash of an entry is added as it is: VerifyAudit checks it.
func (l *Ledger) MakeCheckpoint(ctx context.Context, progress func(added int)) (made Checkpoint, err error) {
	if l.keys == nil {
		return made, order.Refuse(seal.CodeKeyMissing, "this process has no key of the audit, so it makes no checkpoint")
	}
	var last checkpointRow
	if err := l.db.Get(ctx, &last, lastCheckpoint); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return made, fmt.Errorf("ledger: last checkpoint: %w", err)
	}
	settled, err := l.settledID(ctx, last.LastID)
	if err == nil {
		err = l.placeEntries(ctx, last.LastID, progress)
	}
	if err == nil {
		err = l.inTx(ctx, func(t tx) (err error) {
			made, err = t.checkpoint(ctx, settled)
			return err
		})
	}
	if err != nil {
		return made, fmt.Errorf("ledger: make a checkpoint: %w", err)
	}
	return made, nil
}

// How often, and with which pauses, settledID asks whether transactions have ended.
// They take milliseconds. PostgreSQL ends one that is idle after 30 seconds.
const (
	settleTries = 10
	settlePause = 100 * time.Millisecond
)

// settledID returns an id for which every entry with an id up to it is visible, or will
// never be. It is known to be true for the id before.
//
// An id is assigned before the commit, so an entry may become visible after one with a
// higher id. Its transaction has an id by then, because every transaction writes an
// order or the head of a chain before it writes the entry. The transaction that reads
// the highest id gets its own id after that. So when all transactions up to its own
// have ended, no lower entry can come any more.
//
// If one of them runs on, the id before is returned: the next search reads more rows.
func (l *Ledger) settledID(ctx context.Context, before int64) (int64, error) {
	var highest, reader int64
	err := l.inTx(ctx, func(t tx) (err error) {
		highest, reader, err = t.highestEntry(ctx)
		return err
	})
	if err != nil || highest <= before {
		return before, err
	}
	ended, err := l.awaitEnded(ctx, reader, settleTries)
	if !ended {
		return before, err
	}
	return highest, nil
}

// highestEntry returns the highest visible id of an entry, and the id of this transaction,
// which it gets after that. The transaction must not have one yet, so call it first.
func (t tx) highestEntry(ctx context.Context) (highest, reader int64, err error) {
	var row struct {
		Highest int64 `db:"highest"`
		Reader  int64 `db:"reader"`
	}
	err = t.Get(ctx, &row, "SELECT (SELECT COALESCE(MAX(id), 0) FROM audit) AS highest, "+t.TransactionID()+" AS reader")
	return row.Highest, row.Reader, err
}

// awaitEnded waits until all transactions up to an id have ended. It asks at most so many
// times; 0: until the context ends.
func (l *Ledger) awaitEnded(ctx context.Context, id int64, tries int) (ended bool, err error) {
	for try := 1; ; try++ {
		ended, err = l.db.Ended(ctx, id)
		if err != nil || ended || try == tries {
			return ended, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(settlePause):
		}
	}
}

// placePage is the number of entries that one transaction reads.
const placePage = 1000

// placeEntries adds the entries with an id above after that are not in the tree yet.
func (l *Ledger) placeEntries(ctx context.Context, after int64, progress func(added int)) error {
	for more := true; more; {
		var added int
		next := after
		err := l.inTx(ctx, func(t tx) (err error) {
			next, added, err = t.placePage(ctx, after)
			return err
		})
		if err != nil {
			return err
		}
		progress(added)
		more, after = next > after, next
	}
	return nil
}

// leafRow is an entry and its position in the tree; -1 if it has none yet.
type leafRow struct {
	ID       int64  `db:"id"`
	Position int64  `db:"position"`
	Merchant string `db:"merchant"`
	Number   string `db:"number"`
	Chain    string `db:"chain"`
	Seq      int64  `db:"seq"`
	Hash     []byte `db:"hash"`
}

// readPage reads a page of entries by their ids, and looks each of them up in the tree.
const readPage = `
	SELECT id, merchant, number, chain, seq, hash, COALESCE((
		SELECT position FROM audit_tree t
		WHERE t.merchant = a.merchant AND t.number = a.number AND t.chain = a.chain AND t.seq = a.seq), -1) AS position
	FROM audit a WHERE id > ? ORDER BY id LIMIT ?`

// placePage adds the entries of the next page, and returns the last id of the page. The
// size is read first. If another process adds entries meanwhile, both use the same
// positions, and one of the two is retried.
func (t tx) placePage(ctx context.Context, after int64) (next int64, added int, err error) {
	size, err := t.treeSize(ctx)
	if err != nil {
		return after, 0, err
	}
	var page, leaves []leafRow
	if err := t.List(ctx, &page, readPage, after, placePage); err != nil || len(page) == 0 {
		return after, 0, err
	}
	var hashes [][]byte
	for _, leaf := range page {
		if leaf.Position >= 0 {
			continue
		}
		leaf.Position = size + int64(len(leaves))
		leaves, hashes = append(leaves, leaf), append(hashes, leaf.Hash)
	}
	next = page[len(page)-1].ID
	if len(leaves) == 0 {
		return next, 0, nil
	}
	nodes, err := seal.Append(size, hashes, t.treeHashes(ctx))
	if err != nil {
		return after, 0, err
	}
	return next, len(leaves), t.storeLeaves(ctx, size, leaves, nodes)
}

func (t tx) treeSize(ctx context.Context) (size int64, err error) {
	err = t.Get(ctx, &size, "SELECT COALESCE(MAX(position) + 1, 0) FROM audit_tree")
	return size, err
}

// storeLeaves stores entries and the tree's nodes above them.
func (t tx) storeLeaves(ctx context.Context, size int64, leaves []leafRow, nodes []tlog.Hash) error {
	var stored []int64
	err := t.PutRows(ctx, &stored, `
		INSERT INTO audit_tree (position, merchant, number, chain, seq, hash)
		VALUES (:position, :merchant, :number, :chain, :seq, :hash) RETURNING position`, leaves)
	if err != nil {
		return err
	}
	rows := make([]nodeRow, len(nodes))
	for i, node := range nodes {
		rows[i] = nodeRow{seal.StoredAt(size) + int64(i), node[:]}
	}
	return t.PutRows(ctx, &stored, "INSERT INTO audit_tree_hashes (idx, hash) VALUES (:idx, :hash) RETURNING idx", rows)
}

type nodeRow struct {
	Index int64  `db:"idx"`
	Hash  []byte `db:"hash"`
}

// treeHashes reads nodes of the tree.
func (t tx) treeHashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		if len(indexes) == 0 {
			return nil, nil
		}
		args := make([]any, len(indexes))
		for i, index := range indexes {
			args[i] = index
		}
		var rows []nodeRow
		err := t.List(ctx, &rows, "SELECT idx, hash FROM audit_tree_hashes WHERE idx IN ("+placeholders(len(indexes))+")", args...)
		if err != nil {
			return nil, err
		}
		found := make(map[int64]tlog.Hash, len(rows))
		for _, row := range rows {
			found[row.Index] = tlog.Hash(row.Hash)
		}
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hash, stored := found[index]
			if !stored {
				return nil, fmt.Errorf("the tree of the audit has no hash %d: %w", index, ErrDamaged)
			}
			hashes[i] = hash
		}
		return hashes, nil
	})
}

// checkpoint signs and stores the root of the tree, unless the last checkpoint has it.
func (t tx) checkpoint(ctx context.Context, settled int64) (Checkpoint, error) {
	size, err := t.treeSize(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	var last checkpointRow
	err = t.Get(ctx, &last, lastCheckpoint)
	switch {
	case err == nil && last.Size > size:
		return Checkpoint{}, order.Refuse(seal.CodeTailCut, "the tree of the audit has %d entries, and its last checkpoint has %d", size, last.Size)
	case err == nil && last.Size == size:
		return last.checkpoint(), nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return Checkpoint{}, err
	}
	signed, err := t.keys.Checkpoint(size, t.treeHashes(ctx))
	if err != nil {
		return Checkpoint{}, err
	}
	made := checkpointRow{size, t.At.UnixMilli(), string(signed), settled}
	_, err = t.Put(ctx, "INSERT INTO checkpoints (size, at, note, last_id) VALUES (?, ?, ?, ?)", made.Size, made.At, made.Note, made.LastID)
	return made.checkpoint(), err
}
