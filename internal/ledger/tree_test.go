package ledger

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// check makes a checkpoint, and opens it with the public key.
func (b *testBundle) check(t *testing.T) seal.Checkpoint {
	t.Helper()
	made, err := b.MakeCheckpoint(t.Context(), func(int) {})
	require.NoError(t, err)
	opened, err := testKeys.Public().Open([]byte(made.Note))
	require.NoError(t, err)
	require.Equal(t, made.Size, opened.Size)
	return opened
}

// placed is the entries of the tree by position, as number and sequence.
func (b *testBundle) placed(t *testing.T) []string {
	t.Helper()
	var entries []string
	require.NoError(t, b.db.List(t.Context(), &entries, "SELECT number || ' ' || seq FROM audit_tree ORDER BY position"))
	return entries
}

// root computes the root of the tree from the entries, and requires that their
// positions have no gap and that each entry of the audit is there.
func (b *testBundle) root(t *testing.T) tlog.Hash {
	t.Helper()
	var rows []leafRow
	require.NoError(t, b.db.List(t.Context(), &rows, `SELECT t.position, a.merchant, a.number, a.chain, a.seq, a.hash FROM audit a
		JOIN audit_tree t ON t.merchant = a.merchant AND t.number = a.number AND t.chain = a.chain AND t.seq = a.seq ORDER BY t.position`))
	require.Equal(t, b.entries(t), int64(len(rows)))
	var all []tlog.Hash
	for n, row := range rows {
		require.Equal(t, int64(n), row.Position)
		hashes, err := tlog.StoredHashes(int64(n), row.Hash, memory(all))
		require.NoError(t, err)
		all = append(all, hashes...)
	}
	root, err := tlog.TreeHash(int64(len(rows)), memory(all))
	require.NoError(t, err)
	return root
}

// lastID is where the next search for entries begins.
func (b *testBundle) lastID(t *testing.T) int64 {
	t.Helper()
	var last checkpointRow
	require.NoError(t, b.db.Get(t.Context(), &last, lastCheckpoint))
	return last.LastID
}

// ignores adds an entry of an order that is not there.
func (b *testBundle) ignores(t *testing.T, number string) {
	t.Helper()
	require.NoError(t, b.inTx(t.Context(), func(x tx) error {
		return x.noteOther(t.Context(), order.Key{Merchant: merchant, Number: number}, entry{action: ActionIgnore})
	}))
}

// settles adds entries and makes checkpoints until the next search begins after the
// newest entry. That takes more than one while a transaction of another database of
// the same server runs.
func (b *testBundle) settles(t *testing.T) {
	t.Helper()
	highest := func() (id int64) {
		require.NoError(t, b.db.Get(t.Context(), &id, "SELECT MAX(id) FROM audit"))
		return id
	}
	for b.lastID(t) != highest() {
		require.Less(t, b.lastID(t), highest())
		b.ignores(t, fmt.Sprint("SETTLES", highest()))
		b.check(t)
	}
}

func memory(all []tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		read := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			read[i] = all[index]
		}
		return read, nil
	})
}

func (b *testBundle) entries(t *testing.T) (count int64) {
	t.Helper()
	require.NoError(t, b.db.Get(t.Context(), &count, "SELECT COUNT(*) FROM audit"))
	return count
}

// many adds entries of chains that nobody checks.
func (b *testBundle) many(t *testing.T, merchant string, count int) {
	t.Helper()
	from, hash := "generate_series(1, ?) AS n(i)", "decode(md5(i::text) || md5('x' || i), 'hex')"
	if !b.onPostgres() {
		from, hash = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n)", "randomblob(32)"
	}
	require.NoError(t, b.exec(`INSERT INTO audit (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
			outcome, code, text, paid, fee, mark, hash)
		SELECT '`+merchant+`', '', 'other', i, 1, 'a', 'note', '', '', '', '', 'done', '', '', 0, 0, '', `+hash+` FROM `+from, count))
}

func TestMakeCheckpoint(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		_, err := b.LastCheckpoint(t.Context())
		require.Equal(t, CodeCheckpointMissing, order.CodeOf(err))
		require.Zero(t, b.check(t).Size, "an empty audit has a checkpoint, too")

		b.lives(t)
		b.check(t)
		require.Equal(t, []string{" 1", "W1 1", "W1 2", "W1 3", "W1 4", " 2", "NOBODY 1", " 1"}, b.placed(t))
		b.settles(t)
		first := b.check(t)
		require.Equal(t, b.entries(t), first.Size)
		require.Equal(t, b.root(t), first.Root)
		require.Equal(t, first, b.check(t), "nothing was added")

		life(t, b, "W2")
		second := b.check(t)
		require.Equal(t, first.Size+4, second.Size)
		require.Equal(t, b.root(t), second.Root)
		last, err := b.LastCheckpoint(t.Context())
		require.NoError(t, err)
		require.Equal(t, second.Size, last.Size)
		b.clean(t)

		b.keys = nil
		_, err = b.MakeCheckpoint(t.Context(), func(int) {})
		require.Equal(t, seal.CodeKeyMissing, order.CodeOf(err))
		b.keys = testKeys
		b.unguard(t)
		require.NoError(t, b.exec("DELETE FROM audit WHERE number = 'W2'"))
		require.NoError(t, b.exec("DELETE FROM audit_tree WHERE number = 'W2'"))
		_, err = b.MakeCheckpoint(t.Context(), func(int) {})
		require.Equal(t, seal.CodeTailCut, order.CodeOf(err), "a smaller tree gets no checkpoint")
	})
}

// A transaction takes its entry's id, and commits after a checkpoint that has a higher
// id. Its entry is placed by the next checkpoint, and none twice.
func TestALateCommitIsPlacedLater(t *testing.T) {
	t.Parallel()
	for name, checkpoints := range map[string]int{"before the next checkpoint": 1, "after two checkpoints": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := opened(t, tables.Postgres(t))
			written, commit, done := make(chan struct{}), make(chan struct{}), make(chan error)
			go func() {
				done <- b.inTx(t.Context(), func(x tx) error {
					err := x.noteOther(t.Context(), order.Key{Merchant: "LATE", Number: "LATE"}, entry{action: ActionIgnore})
					close(written)
					<-commit
					return err
				})
			}()
			<-written
			var want []string
			for n := range checkpoints {
				number := fmt.Sprint("EARLY", n)
				b.ignores(t, number)
				want = append(want, number+" 1")
				require.Equal(t, int64(n+1), b.check(t).Size)
				require.Zero(t, b.lastID(t), "a lower id may still be committed")
			}
			close(commit)
			require.NoError(t, <-done)
			last := b.check(t)
			require.Equal(t, b.root(t), last.Root)
			require.Equal(t, append(want, "LATE 1"), b.placed(t))
			var id int64
			require.NoError(t, b.db.Get(t.Context(), &id, "SELECT id FROM audit WHERE number = 'LATE'"))
			require.Equal(t, int64(1), id)
			b.clean(t)
			b.settles(t)
		})
	}
}

// Processes that make checkpoints at once place every entry once.
func TestManyMakeCheckpointsAtOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		const processes = 3
		b.many(t, "MANY", 2*placePage+17)
		made := make([]Checkpoint, processes)
		failures := make([]error, processes)
		others := make([]*testBundle, processes)
		for i := range others {
			others[i] = opened(t, b.url)
		}
		together(processes, func(i int) { made[i], failures[i] = others[i].MakeCheckpoint(t.Context(), func(int) {}) })
		root := b.root(t)
		for i := range processes {
			require.NoError(t, failures[i])
			require.Equal(t, int64(2*placePage+17), made[i].Size)
			require.Equal(t, made[0], made[i])
			require.Contains(t, made[i].Note, root.String())
		}
	})
}

// A search reads the entries after the last checkpoint, and looks each of them up in
// the tree. It reads no other.
func TestCheckpointsReadNewEntriesOnly(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.many(t, "OLD", 20*placePage)
		b.check(t)
		b.many(t, "NEW", 3)
		var last checkpointRow
		require.NoError(t, b.db.Get(t.Context(), &last, lastCheckpoint))
		if !b.onPostgres() {
			plan := b.pagePlan(t, "EXPLAIN QUERY PLAN ", last.LastID, placePage)
			require.Contains(t, plan, "SEARCH a USING INTEGER PRIMARY KEY (rowid>?)")
			require.Contains(t, plan, "SEARCH t USING COVERING INDEX sqlite_autoindex_audit_tree_1 (merchant=? AND number=? AND chain=? AND seq=?)")
			return
		}
		require.NoError(t, b.exec("ANALYZE audit"))
		require.NoError(t, b.exec("ANALYZE audit_tree"))
		for _, after := range []int64{last.LastID, 0} { // the usual search, and one of everything
			plan := b.pagePlan(t, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ", after, placePage)
			require.NotContains(t, plan, "Seq Scan", plan)
			require.Contains(t, plan, "Index Scan using audit_id on audit a", plan)
			require.Contains(t, plan, "Index Scan using audit_tree_entry on audit_tree t", plan)
		}
	})
}

// pagePlan is the database's plan of a page of entries.
func (b *testBundle) pagePlan(t *testing.T, explain string, args ...any) string {
	t.Helper()
	rows, err := b.pool().Queryx(b.pool().Rebind(explain+readPage), args...)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		values, err := rows.SliceScan()
		require.NoError(t, err)
		lines = append(lines, fmt.Sprint(values[len(values)-1]))
	}
	require.NoError(t, rows.Err())
	return strings.Join(lines, "\n")
}

// rewrite deletes an order's last entry and appends another, as somebody can who owns
// the database and has the audit's key: chain, head and seal fit.
func (b *testBundle) rewrite(t *testing.T, number string) {
	t.Helper()
	var rows []auditRow
	require.NoError(t, b.db.List(t.Context(), &rows, "SELECT "+auditColumns+" FROM audit WHERE number = ? ORDER BY seq", number))
	last := rows[len(rows)-1]
	last.Actor = "mallory"
	last.Hash = last.computeHash(rows[len(rows)-2].Hash)
	require.NoError(t, b.exec("DELETE FROM audit WHERE number = ? AND seq = ?", number, last.Seq))
	require.NoError(t, b.inTx(t.Context(), func(x tx) error { return x.insertAudit(t.Context(), last) }))
	require.NoError(t, b.exec("UPDATE orders SET audit_head = ? WHERE number = ?", last.Hash, number))
}

// putBack takes an order's last entry away, and its head back.
func (b *testBundle) putBack(t *testing.T, number string) {
	t.Helper()
	require.NoError(t, b.exec("DELETE FROM audit WHERE number = ? AND seq = 4", number))
	require.NoError(t, b.exec("UPDATE orders SET audit_entries = 3, audit_head = (SELECT hash FROM audit a WHERE a.number = orders.number AND a.seq = 3) WHERE number = ?", number))
}

// remove takes an order away, with all that is about it.
func (b *testBundle) remove(t *testing.T, number string) {
	t.Helper()
	for _, table := range []string{"transfers", "submissions"} {
		require.NoError(t, b.exec("DELETE FROM "+table+" WHERE order_id = (SELECT id FROM orders WHERE number = ?)", number))
	}
	for _, table := range []string{"inbox", "audit", "orders"} {
		require.NoError(t, b.exec("DELETE FROM "+table+" WHERE number = ?", number))
	}
}

// replant makes the tree anew from the entries that are there, in their order of
// before, and takes the checkpoints away.
func (b *testBundle) replant(t *testing.T) {
	t.Helper()
	var rows []leafRow
	require.NoError(t, b.db.List(t.Context(), &rows, `SELECT a.merchant, a.number, a.chain, a.seq, a.hash FROM audit a
		JOIN audit_tree t ON t.merchant = a.merchant AND t.number = a.number AND t.chain = a.chain AND t.seq = a.seq ORDER BY t.position`))
	for _, table := range []string{"audit_tree", "audit_tree_hashes", "checkpoints"} {
		require.NoError(t, b.exec("DELETE FROM "+table))
	}
	var hashes [][]byte
	for n := range rows {
		rows[n].Position = int64(n)
		hashes = append(hashes, rows[n].Hash)
	}
	nodes, err := seal.Append(0, hashes, memory(nil))
	require.NoError(t, err)
	require.NoError(t, b.inTx(t.Context(), func(x tx) error { return x.storeLeaves(t.Context(), 0, rows, nodes) }))
}

// Each line is something that the owner of the database does, with triggers away. The
// chains are whole afterwards, so that only the tree and the checkpoints tell. Somebody
// who changes the tree as well is found by checkpoints that were kept elsewhere.
func TestCheckpointsFindWhatTheOwnerChanged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(*testing.T, *testBundle)
		without []string // what is found without checkpoints
		with    []string
	}{
		"nothing":                        {func(*testing.T, *testBundle) {}, []string{}, []string{}},
		"a head put back":                {func(t *testing.T, b *testBundle) { b.putBack(t, "W2") }, []string{"AUDIT_ENTRY_REMOVED W2"}, []string{"AUDIT_ENTRY_REMOVED W2"}},
		"a head put back, and the tree":  {func(t *testing.T, b *testBundle) { b.putBack(t, "W1"); b.replant(t) }, []string{}, []string{"AUDIT_REWRITTEN ", "AUDIT_TAIL_CUT "}},
		"a removed order":                {func(t *testing.T, b *testBundle) { b.remove(t, "W1") }, times(4, "AUDIT_ENTRY_REMOVED W1"), times(4, "AUDIT_ENTRY_REMOVED W1")},
		"a removed order, and its tree":  {func(t *testing.T, b *testBundle) { b.remove(t, "W1"); b.replant(t) }, []string{}, []string{"AUDIT_REWRITTEN ", "AUDIT_TAIL_CUT "}},
		"a cut tail":                     {func(t *testing.T, b *testBundle) { b.remove(t, "W2") }, times(4, "AUDIT_ENTRY_REMOVED W2"), times(4, "AUDIT_ENTRY_REMOVED W2")},
		"a cut tail, and the tree's":     {func(t *testing.T, b *testBundle) { b.remove(t, "W2"); b.replant(t) }, []string{}, []string{"AUDIT_TAIL_CUT "}},
		"delete and append":              {func(t *testing.T, b *testBundle) { b.rewrite(t, "W2") }, []string{"AUDIT_ENTRY_REPLACED W2"}, []string{"AUDIT_ENTRY_REPLACED W2"}},
		"delete and append, in the tree": {func(t *testing.T, b *testBundle) { b.rewrite(t, "W2"); b.replant(t) }, []string{}, []string{"AUDIT_REWRITTEN "}},
		"delete and append, and the worker goes on": {func(t *testing.T, b *testBundle) {
			b.rewrite(t, "W2")
			b.replant(t)
			b.check(t)
		}, []string{}, []string{"AUDIT_REWRITTEN "}},
		"an entry taken out of the tree": {func(t *testing.T, b *testBundle) {
			// As if no transaction of another test had run when the checkpoint was made: see settledID.
			require.NoError(t, b.exec("UPDATE checkpoints SET last_id = (SELECT MAX(id) FROM audit) WHERE size = (SELECT MAX(size) FROM checkpoints)"))
			require.NoError(t, b.exec("DELETE FROM audit_tree WHERE number = 'W2' AND seq = 4"))
		}, []string{"AUDIT_ENTRY_UNPLACED W2"}, []string{"AUDIT_TAIL_CUT ", "AUDIT_ENTRY_UNPLACED W2"}},
		"the installation's chain cut": {func(t *testing.T, b *testBundle) {
			require.NoError(t, b.exec("DELETE FROM audit WHERE merchant = ''"))
			require.NoError(t, b.exec("DELETE FROM chains WHERE merchant = ''"))
		}, []string{"AUDIT_ENTRY_REMOVED "}, []string{"AUDIT_ENTRY_REMOVED "}},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				b := setup(t)
				b.lives(t)
				first := b.check(t)
				life(t, b, "W2")
				second := b.check(t)
				b.unguard(t)
				test.change(t, b)
				require.Equal(t, test.without, b.found(t, sealed))
				evidence := AuditEvidence{Keys: testKeys.Public(), Checkpoints: []seal.Checkpoint{second, first}}
				require.Equal(t, test.with, b.found(t, evidence))
			})
		}
	})
}

func times(n int, line string) []string { return slices.Repeat([]string{line}, n) }

// Entries that were changed and then placed are not found by the tree, but by their
// chains.
func TestAChangedEntryIsPlacedAndReported(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		life(t, b, "W1")
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE audit SET hash = ? WHERE number = 'W1' AND seq = 2", make([]byte, 32)))
		checkpoint := b.check(t)
		report, err := b.VerifyAudit(t.Context(), AuditEvidence{Checkpoints: []seal.Checkpoint{checkpoint}})
		require.NoError(t, err)
		require.Equal(t, checkpoint.Size, report.Covered)
		require.Len(t, report.Broken, 1)
		require.Equal(t, CodeChainBroken, report.Broken[0].Code)

		other := checkpoint
		other.Root[0] ^= 1
		_, err = b.VerifyAudit(t.Context(), AuditEvidence{Checkpoints: []seal.Checkpoint{checkpoint, other}})
		require.ErrorContains(t, err, seal.CodeCheckpointsContra)
	})
}

// Every entry of an order is proved under the last checkpoint. Entries that are newer
// are counted.
func TestProveAudit(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.lives(t)
		key := order.Key{Merchant: merchant, Number: "W1"}
		_, err := b.ProveAudit(t.Context(), key)
		require.Equal(t, CodeCheckpointMissing, order.CodeOf(err))
		checkpoint := b.check(t)
		require.NoError(t, b.Ignore(t.Context(), key, order.Reason{Code: "X", Text: "later"}))
		life(t, b, "W2")

		proved, err := b.ProveAudit(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, checkpoint.Size, proved.Checkpoint.Size)
		require.Equal(t, 1, proved.Newer)
		entries, err := b.Audit(t.Context(), key)
		require.NoError(t, err)
		require.Len(t, proved.Entries, len(entries)-1)
		for i, proof := range proved.Entries {
			require.Equal(t, entries[i].Hash, proof.Hash)
			require.Equal(t, entries[i].Seq, proof.Seq)
			hash, err := hex.DecodeString(proof.Hash)
			require.NoError(t, err)
			position, under, err := testKeys.Public().CheckProof(proof.Proof, hash)
			require.NoError(t, err)
			require.Equal(t, checkpoint, under)
			require.Equal(t, int64(i+1), position, "the opening of the books comes first")
		}
		later, err := b.ProveAudit(t.Context(), order.Key{Merchant: merchant, Number: "W2"})
		require.NoError(t, err)
		require.Empty(t, later.Entries)
		require.Equal(t, 4, later.Newer)

		b.unguard(t)
		b.rewrite(t, "W1")
		_, err = b.ProveAudit(t.Context(), key)
		require.NoError(t, err, "the last entry is newer than the checkpoint")
		require.NoError(t, b.exec("UPDATE audit SET hash = ? WHERE number = 'W1' AND seq = 2", make([]byte, 32)))
		_, err = b.ProveAudit(t.Context(), key)
		require.Equal(t, seal.CodeReplaced, order.CodeOf(err))
	})
}
