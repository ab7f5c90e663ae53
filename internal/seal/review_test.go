package seal

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// leaves are the first so many entries as they were written.
func leaves(size int) []Leaf {
	all := make([]Leaf, size)
	for n := range all {
		all[n] = Leaf{int64(n), entry(n), entry(n)}
	}
	return all
}

func review(t *testing.T, leaves []Leaf, checkpoints ...Checkpoint) ([]Finding, int64) {
	t.Helper()
	r, err := NewReview(checkpoints...)
	require.NoError(t, err)
	for _, leaf := range leaves {
		r.Entry(leaf)
	}
	return r.Findings(), r.Checked()
}

// found is a finding without its sentence.
func found(findings []Finding) []Finding {
	short := slices.Clone(findings)
	for i := range short {
		short[i].Text = ""
	}
	return short
}

// Each line is something that the owner of the database may try. The checkpoints
// were made at 10, 20 and 30 entries, and kept elsewhere.
func TestReview(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	checkpoints := []Checkpoint{checkpointOf(t, keys, 30), checkpointOf(t, keys, 10), checkpointOf(t, keys, 20)}
	forged := entry(999)
	// renumber closes the gaps that deleted rows leave.
	renumber := func(l []Leaf) []Leaf {
		for n := range l {
			l[n].Position = int64(n)
		}
		return l
	}
	for name, c := range map[string]struct {
		change  func([]Leaf) []Leaf
		want    []Finding
		checked int64
	}{
		"nothing": {func(l []Leaf) []Leaf { return l }, nil, 30},
		"entries after the last checkpoint": {func(l []Leaf) []Leaf {
			l[33].Current, l[33].Recorded = forged, forged
			return l
		}, nil, 30},
		"the record of the tree is not kept": {func(l []Leaf) []Leaf {
			for n := range l {
				l[n].Recorded = nil
			}
			return l
		}, nil, 30},
		"a cut tail": {func(l []Leaf) []Leaf { return l[:28] },
			[]Finding{{CodeTailCut, 28, 30, ""}}, 20},
		"everything deleted": {func([]Leaf) []Leaf { return nil },
			[]Finding{{CodeTailCut, 0, 30, ""}}, 0},
		"an entry deleted": {func(l []Leaf) []Leaf { l[13].Current = nil; return l },
			[]Finding{{CodeRemoved, 13, 14, ""}}, 30},
		"an entry deleted, and its row in the tree": {func(l []Leaf) []Leaf { return slices.Delete(l, 13, 15) },
			[]Finding{{CodeRemoved, 13, 15, ""}}, 10},
		"an entry deleted, and the tree renumbered": {func(l []Leaf) []Leaf { return renumber(slices.Delete(l, 13, 14)) },
			[]Finding{{CodeRewritten, 10, 20, ""}}, 10},
		"an entry replaced": {func(l []Leaf) []Leaf { l[13].Current = forged; return l },
			[]Finding{{CodeReplaced, 13, 14, ""}}, 30},
		"an entry replaced, and its row in the tree": {func(l []Leaf) []Leaf {
			l[13].Current, l[13].Recorded = forged, forged
			return l
		}, []Finding{{CodeRewritten, 10, 20, ""}}, 10},
		"an entry inserted": {func(l []Leaf) []Leaf { return renumber(slices.Insert(l, 13, Leaf{0, forged, forged})) },
			[]Finding{{CodeRewritten, 10, 20, ""}}, 10},
		"two entries swapped": {func(l []Leaf) []Leaf { l[3], l[4] = l[4], l[3]; return renumber(l) },
			[]Finding{{CodeRewritten, 0, 10, ""}}, 0},
		"the tail deleted and others appended": {func(l []Leaf) []Leaf {
			for n := 25; n < len(l); n++ {
				l[n].Current, l[n].Recorded = entry(n+100), entry(n+100)
			}
			return l
		}, []Finding{{CodeRewritten, 20, 30, ""}}, 20},
		"two rows of one position": {func(l []Leaf) []Leaf { return slices.Insert(l, 14, Leaf{13, forged, forged}) },
			[]Finding{{CodeReplaced, 13, 14, ""}}, 30},
		"two things at once": {func(l []Leaf) []Leaf { l[2].Current = forged; l[25].Current = nil; return l[:29] },
			[]Finding{{CodeReplaced, 2, 3, ""}, {CodeRemoved, 25, 26, ""}, {CodeTailCut, 29, 30, ""}}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, checked := review(t, c.change(leaves(35)), checkpoints...)
			assert.Equal(t, c.want, found(findings), "%v", findings)
			assert.Equal(t, c.checked, checked)
		})
	}
}

// Without a checkpoint, who changes the record of the tree as well is not found:
// that is what checkpoints are for.
func TestReviewWithoutCheckpoint(t *testing.T) {
	t.Parallel()
	l := leaves(10)
	l[3].Current, l[3].Recorded = entry(999), entry(999)
	findings, checked := review(t, l)
	assert.Empty(t, findings)
	assert.Zero(t, checked)
}

func TestReviewOfEmpty(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	findings, _ := review(t, nil, checkpointOf(t, keys, 0))
	assert.Empty(t, findings)
}

func TestReviewManyFindings(t *testing.T) {
	t.Parallel()
	l := leaves(300)
	for n := range l {
		l[n].Current = nil
	}
	findings, _ := review(t, l)
	require.Len(t, findings, maxFindings)
	assert.Contains(t, findings[maxFindings-1].Text, "200 more findings")
}

func TestNewReviewRefuses(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	five := checkpointOf(t, keys, 5)
	other := five
	other.Root[0] ^= 1
	_, err := NewReview(five, checkpointOf(t, keys, 6), other)
	assert.Equal(t, CodeCheckpointsContra, codeOf(err))
	other = checkpointOf(t, keys, 6)
	other.Origin = "payouts.example.com/test"
	_, err = NewReview(five, other)
	assert.Equal(t, CodeCheckpointForeign, codeOf(err))
	_, err = NewReview(five, five)
	require.NoError(t, err)
}

// The root of a tree that grows is that of tlog at every size.
func TestRunningTree(t *testing.T) {
	t.Parallel()
	stored := treeOf(t, 130)
	var tree runningTree
	for n := range 130 {
		want, err := tlog.TreeHash(int64(n), stored)
		require.NoError(t, err)
		require.Equal(t, want, tree.root(), "%d entries", n)
		tree.add(tlog.RecordHash(entry(n)))
	}
}
