package seal

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Codes of findings. They are stable.
const (
	CodeTailCut  = "AUDIT_TAIL_CUT"       // there are fewer entries than a checkpoint covers
	CodeRemoved  = "AUDIT_ENTRY_REMOVED"  // an entry is gone
	CodeReplaced = "AUDIT_ENTRY_REPLACED" // an entry differs from the one that was added to the tree
	// CodeRewritten: entries are not those that a checkpoint covers, and the
	// database's record of the tree was changed to match them.
	CodeRewritten = "AUDIT_REWRITTEN"
)

// Finding is a finding about the entries at the positions From (inclusive) to To
// (exclusive) of the tree.
type Finding struct {
	Code string `json:"code"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
	Text string `json:"text"`
}

// Leaf is an entry at its position in the tree.
type Leaf struct {
	Position int64  // from 0, without gaps
	Recorded []byte // the entry's hash when it was added to the tree; nil if that is not recorded
	Current  []byte // the hash of the current entry; nil if there is none
}

// Review compares the current entries with checkpoints that were kept elsewhere.
// Call Entry for each leaf in the order of positions, then Findings. It keeps one
// path of the tree in memory.
//
// It finds every removed or replaced entry if the database's record of the tree is
// intact. If the record was changed, too, the checkpoints show it. Then the
// finding is the range between two checkpoints.
type Review struct {
	checkpoints []Checkpoint // by size; those that are not reached yet
	checked     int64        // the size of the last checkpoint that matched
	tree        runningTree
	findings    []Finding
	more        int64 // findings above maxFindings
	blind       bool  // after a gap: no root can be computed any more
}

// maxFindings is the most findings that are listed.
const maxFindings = 100

// NewReview returns a review against checkpoints of one installation, in any
// order. The error is a *Fault with AUDIT_CHECKPOINTS_CONTRADICT or
// AUDIT_CHECKPOINT_FOREIGN.
func NewReview(checkpoints ...Checkpoint) (*Review, error) {
	sorted := slices.Clone(checkpoints)
	slices.SortStableFunc(sorted, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	for i := 1; i < len(sorted); i++ {
		switch before, after := sorted[i-1], sorted[i]; {
		case before.Origin != after.Origin:
			return nil, foreign(after.Origin, before.Origin)
		case before.Size == after.Size && before.Root != after.Root:
			return nil, fault(CodeCheckpointsContra, "two checkpoints of %d entries have different roots", after.Size)
		}
	}
	return &Review{checkpoints: sorted}, nil
}

// Entry takes the next leaf.
func (r *Review) Entry(leaf Leaf) {
	r.compareCheckpoints()
	switch {
	case leaf.Position < r.tree.size:
		r.find(CodeReplaced, leaf.Position, leaf.Position+1, "there are two entries %d", leaf.Position)
		return
	case leaf.Position > r.tree.size:
		r.find(CodeRemoved, r.tree.size, leaf.Position, "entries %d to %d are gone, and the record of them", r.tree.size, leaf.Position-1)
		r.blind, r.tree.size = true, leaf.Position
	}
	hash := leaf.Recorded
	switch {
	case leaf.Current == nil:
		r.find(CodeRemoved, leaf.Position, leaf.Position+1, "entry %d is gone", leaf.Position)
	case hash == nil:
		hash = leaf.Current
	case !bytes.Equal(hash, leaf.Current):
		r.find(CodeReplaced, leaf.Position, leaf.Position+1, "entry %d is not the one that was written", leaf.Position)
	}
	// The recorded hash is used for a removed or replaced entry. If the next root
	// matches, no other entry was changed.
	if r.blind {
		r.tree.size++
		return
	}
	r.tree.add(tlog.RecordHash(hash))
}

// compareCheckpoints compares the tree's root with the checkpoints of its size.
func (r *Review) compareCheckpoints() {
	for len(r.checkpoints) > 0 && r.checkpoints[0].Size == r.tree.size {
		checkpoint := r.checkpoints[0]
		r.checkpoints = r.checkpoints[1:]
		if r.blind {
			continue
		}
		if r.tree.root() != checkpoint.Root {
			r.find(CodeRewritten, r.checked, checkpoint.Size, "entries %d to %d are not those of the checkpoint of %d entries: some were removed, replaced or added in between", r.checked, checkpoint.Size-1, checkpoint.Size)
			r.blind = true // every later root is wrong, too
			continue
		}
		r.checked = checkpoint.Size
	}
}

// Findings returns the findings. Call it after Entry was called for every entry.
// Without findings, the entries are those of the checkpoints, and later ones.
func (r *Review) Findings() []Finding {
	r.compareCheckpoints()
	if last := len(r.checkpoints) - 1; last >= 0 && r.checkpoints[last].Size > r.tree.size {
		size := r.checkpoints[last].Size
		r.find(CodeTailCut, r.tree.size, size, "there are %d entries, and a checkpoint covers %d: the last %d are gone", r.tree.size, size, size-r.tree.size)
	}
	if r.more > 0 {
		r.findings[maxFindings-1].Text += fmt.Sprintf("; %d more findings are not told", r.more)
		r.more = 0
	}
	return r.findings
}

// Checked returns the number of entries, counted from the first, that a checkpoint
// has confirmed.
func (r *Review) Checked() int64 { return r.checked }

func (r *Review) find(code string, from, to int64, format string, values ...any) {
	if len(r.findings) >= maxFindings {
		r.more++
		return
	}
	r.findings = append(r.findings, Finding{code, from, to, fmt.Sprintf(format, values...)})
}

// runningTree computes the root of a growing Merkle tree (RFC 6962).
type runningTree struct {
	size  int64
	peaks []tlog.Hash // of the whole subtrees, the largest first
}

func (t *runningTree) add(leaf tlog.Hash) {
	t.peaks = append(t.peaks, leaf)
	for whole := t.size; whole&1 == 1; whole >>= 1 {
		last := len(t.peaks) - 1
		t.peaks = append(t.peaks[:last-1], tlog.NodeHash(t.peaks[last-1], t.peaks[last]))
	}
	t.size++
}

func (t *runningTree) root() tlog.Hash {
	if len(t.peaks) == 0 {
		empty, _ := tlog.TreeHash(0, nil) // reads nothing
		return empty
	}
	root := t.peaks[len(t.peaks)-1]
	for i := len(t.peaks) - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.peaks[i], root)
	}
	return root
}
