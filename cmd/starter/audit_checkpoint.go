package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// checkpoint prints the newest checkpoint, or writes it to a new file.
func (s *starter) checkpoint(ctx context.Context, file string) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	last, err := service.Checkpoint(ctx, s.self())
	if err != nil {
		return err
	}
	if file == "" {
		s.show(last, func(w io.Writer) { printf(w, "%s", last.Note) })
		return nil
	}
	if err := writeNewFile(file, []byte(last.Note)); err != nil {
		return err
	}
	s.show(last, func(w io.Writer) {
		printf(w, "the checkpoint of %s, of %s, is in %s\n", count(int(last.Size), "entry", "entries"), moment(last.At), printable(file))
	})
	return nil
}

// proofsDocument is the answer of audit --prove.
type proofsDocument struct {
	Checkpoint payouts.Checkpoint `json:"checkpoint"`
	Proofs     []proofFile        `json:"proofs"`
	Newer      int                `json:"newer"` // number of entries that the checkpoint does not cover
}

// proofFile is a file with the proof of an entry.
type proofFile struct {
	Seq  int    `json:"seq"`
	Hash string `json:"hash"` // of the entry
	File string `json:"file"`
}

// prove writes a proof of each audit entry of an order to a file of its own, named by
// the entry's place in the order's audit.
func (s *starter) prove(ctx context.Context, key order.Key, directory string) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	proved, err := service.ProveAudit(ctx, s.self(), key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // others may read proofs
		return fmt.Errorf("make the directory: %w", err)
	}
	answer := proofsDocument{Checkpoint: proved.Checkpoint, Newer: proved.Newer}
	for i, entry := range proved.Entries {
		file := filepath.Join(directory, strconv.Itoa(i+1)+".proof")
		if err := writeNewFile(file, entry.Proof); err != nil {
			return err
		}
		answer.Proofs = append(answer.Proofs, proofFile{entry.Seq, entry.Hash, file})
	}
	s.show(answer, func(w io.Writer) { writeProofs(w, answer) })
	return nil
}

func writeProofs(w io.Writer, answer proofsDocument) {
	var rows [][]string
	for _, proof := range answer.Proofs {
		rows = append(rows, []string{strconv.Itoa(proof.Seq), proof.Hash, proof.File})
	}
	table(w, []string{"SEQ", "HASH", "PROOF"}, rows)
	printf(w, "%s proved under the checkpoint of %s, of %s\n", count(len(answer.Proofs), "entry is", "entries are"),
		count(int(answer.Checkpoint.Size), "entry", "entries"), moment(answer.Checkpoint.At))
	if answer.Newer > 0 {
		printf(w, "%s newer than the checkpoint: not proved\n", count(answer.Newer, "entry is", "entries are"))
	}
}

// readCheckpoints verifies the checkpoints of files. The error is a *seal.Fault with the
// file and the line, or an *order.Refusal.
func readCheckpoints(keys *seal.Public, files []string) ([]seal.Checkpoint, error) {
	if len(files) > 0 && keys == nil {
		return nil, order.Refuse(seal.CodeKeyMissing, "checkpoints are verified with the public keys: name them with --public-keys or PAYOUTS_AUDIT_PUBLIC_FILE")
	}
	var all []seal.Checkpoint
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, usage("--checkpoint: %s", err)
		}
		opened, err := keys.OpenFile(text, file)
		if err != nil {
			return nil, err
		}
		all = append(all, opened...)
	}
	return all, nil
}
