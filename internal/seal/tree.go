package seal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// StoredAt returns the index at which Append's hashes are stored in a tree of size
// entries.
func StoredAt(size int64) int64 { return tlog.StoredHashCount(size) }

// Append returns the hashes that are stored for entries that follow the first size
// ones, from index StoredAt(size) on. It reads about twenty of the stored hashes per
// million entries. An entry is a hash of 32 bytes.
func Append(size int64, entries [][]byte, stored tlog.HashReader) ([]tlog.Hash, error) {
	begin := StoredAt(size)
	var added []tlog.Hash
	both := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return readBoth(indexes, begin, added, stored) })
	for i, entry := range entries {
		if len(entry) != tlog.HashSize {
			return nil, fmt.Errorf("seal: entry %d has a hash of %d bytes", size+int64(i), len(entry))
		}
		hashes, err := tlog.StoredHashes(size+int64(i), entry, both)
		if err != nil {
			return nil, fmt.Errorf("seal: add entry %d to the tree: %w", size+int64(i), err)
		}
		added = append(added, hashes...)
	}
	return added, nil
}

// readBoth reads hashes that are stored, and those that will be stored.
func readBoth(indexes []int64, begin int64, added []tlog.Hash, stored tlog.HashReader) ([]tlog.Hash, error) {
	var old []int64
	for _, index := range indexes {
		if index < begin {
			old = append(old, index)
		}
	}
	var read []tlog.Hash
	if len(old) > 0 {
		var err error
		if read, err = stored.ReadHashes(old); err != nil {
			return nil, err
		}
		if len(read) != len(old) {
			return nil, fmt.Errorf("%d hashes were read, and %d wanted", len(read), len(old))
		}
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= begin {
			hashes[i] = added[index-begin]
			continue
		}
		hashes[i], read = read[0], read[1:]
	}
	return hashes, nil
}

// proofHeader is the first line of a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Prove returns the proof that the entry of a position is under a signed checkpoint,
// as a C2SP tlog-proof, which has the checkpoint in it. The error is a *Fault with
// AUDIT_CHECKPOINT_MALFORMED, or that of reading the stored hashes.
func Prove(signed []byte, position int64, stored tlog.HashReader) ([]byte, error) {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	checkpoint, malformed := parseCheckpoint(text + "\n")
	if malformed != nil {
		return nil, malformed
	}
	path, err := tlog.ProveRecord(checkpoint.Size, position, stored)
	if err != nil {
		return nil, fmt.Errorf("seal: prove entry %d of %d: %w", position, checkpoint.Size, err)
	}
	var proof bytes.Buffer
	fmt.Fprintf(&proof, "%s\nindex %d\n", proofHeader, position)
	for _, hash := range path {
		fmt.Fprintln(&proof, base64.StdEncoding.EncodeToString(hash[:]))
	}
	proof.WriteByte('\n')
	proof.Write(signed)
	return proof.Bytes(), nil
}

// maxPath is the most hashes of a proof. A proof in a tree of 2^62 entries has 62.
const maxPath = 62

// CheckProof verifies what Prove makes for the hash of an entry. It returns the
// entry's position and the checkpoint that it is under. The error is a *Fault with
// AUDIT_PROOF_MALFORMED, AUDIT_PROOF_WRONG or a code of Open.
func (p *Public) CheckProof(proof, entry []byte) (position int64, under Checkpoint, err error) {
	head, signed, whole := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	malformed := fault(CodeProofMalformed, "this is no proof: it must begin with %s, an index, hashes in base64, an empty line and a signed checkpoint", proofHeader)
	if !whole || len(lines) < 2 || len(lines) > 2+maxPath || lines[0] != proofHeader {
		return 0, Checkpoint{}, malformed
	}
	text, is := strings.CutPrefix(lines[1], "index ")
	position, err = strconv.ParseInt(text, 10, 64)
	if !is || err != nil || position < 0 {
		return 0, Checkpoint{}, malformed
	}
	path := make(tlog.RecordProof, len(lines)-2)
	for i, line := range lines[2:] {
		if path[i], err = tlog.ParseHash(line); err != nil {
			return 0, Checkpoint{}, malformed
		}
	}
	if under, err = p.Open([]byte(signed)); err != nil {
		return 0, Checkpoint{}, err
	}
	if tlog.CheckRecord(path, under.Size, under.Root, position, tlog.RecordHash(entry)) != nil {
		return 0, Checkpoint{}, fault(CodeProofWrong, "the proof does not show that the entry is number %d of the %d of the checkpoint", position, under.Size)
	}
	return position, under, nil
}

// ProveGrowth returns the proof that the tree of the older size is the beginning of
// that of the newer size.
func ProveGrowth(older, newer int64, stored tlog.HashReader) (tlog.TreeProof, error) {
	if older == 0 || older == newer {
		return tlog.TreeProof{}, nil
	}
	proof, err := tlog.ProveTree(newer, older, stored)
	if err != nil {
		return nil, fmt.Errorf("seal: prove that %d entries begin %d: %w", older, newer, err)
	}
	return proof, nil
}

// CheckGrowth verifies that nothing under the older checkpoint was removed or
// replaced before the newer one was made. The error is a *Fault with
// AUDIT_CHECKPOINT_FOREIGN, AUDIT_CHECKPOINTS_CONTRADICT or AUDIT_PROOF_WRONG.
func CheckGrowth(older, newer Checkpoint, proof tlog.TreeProof) error {
	switch {
	case older.Origin != newer.Origin:
		return foreign(newer.Origin, older.Origin)
	case older.Size > newer.Size || (older.Size == newer.Size && older.Root != newer.Root):
		return fault(CodeCheckpointsContra, "the checkpoint of %d entries cannot follow the one of %d", newer.Size, older.Size)
	case older.Size == 0 || older.Size == newer.Size:
		return nil
	case tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root) != nil:
		return fault(CodeProofWrong, "the %d entries of the older checkpoint are not the first of the %d of the newer one", older.Size, newer.Size)
	}
	return nil
}
