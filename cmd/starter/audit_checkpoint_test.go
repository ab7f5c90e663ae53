package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// auditKeys makes the keys of an installation, and the file of the public ones.
func auditKeys(t *testing.T, origin string) (keys *seal.Keys, public string) {
	t.Helper()
	private, _, err := seal.Generate(origin)
	require.NoError(t, err)
	keys, err = seal.ParseKeys([]byte(private), "test")
	require.NoError(t, err)
	public = filepath.Join(t.TempDir(), "audit.key.pub")
	require.NoError(t, os.WriteFile(public, keys.PublicLines(), 0o600))
	return keys, public
}

// A checkpoint is printed and written, the audit is compared with it, and the entries
// of an order are proved under it.
func TestAuditCheckpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.happenings(t)
	keys, public := auditKeys(t, "payouts.example.com/live")
	dir := t.TempDir()
	kept, proofs := filepath.Join(dir, "kept"), filepath.Join(dir, "proofs")
	requireCode(t, b, exitNotFound, ledger.CodeCheckpointMissing, "audit", "--checkpoint")
	requireCode(t, b, exitNotFound, ledger.CodeCheckpointMissing, "audit", "--prove", "FIN-1", "--merchant", merchant, "--out", proofs)

	books, err := ledger.Open(t.Context(), "sqlite:"+path, ledger.SealWith(keys))
	require.NoError(t, err)
	defer func() { require.NoError(t, books.Close()) }()
	made, err := books.MakeCheckpoint(t.Context(), func(int) {})
	require.NoError(t, err)
	require.NoError(t, books.Ignore(t.Context(), order.Key{Merchant: merchant, Number: "FIN-1"}, order.Reason{Code: "X"}))
	_, _, err = books.Approve(t.Context(), order.Key{Merchant: merchant, Number: "LATER-1"}, order.Approval{By: "amina"})
	require.NoError(t, err)

	got := b.run(t.Context(), "audit", "--checkpoint")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, made.Note, got.out, "it can be piped to a file")
	require.Contains(t, b.run(t.Context(), "audit", "--checkpoint", "--out", kept).out, "is in "+kept)
	written, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.Equal(t, made.Note, string(written))
	requireCode(t, b, exitRefused, codeFileExists, "audit", "--checkpoint", "--out", kept)

	verify := []string{"audit", "--verify", "--public-keys", public, "--checkpoint"}
	var report payouts.AuditReport
	got = b.run(t.Context(), append(verify, kept, kept, "--json")...)
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, []int64{2, made.Size}, []int64{int64(report.Checkpoints), report.Covered})
	require.Contains(t, b.run(t.Context(), append(verify, kept)...).out, "1 checkpoint: the first 29 of 31 entries are confirmed\n")
	require.Contains(t, b.run(t.Context(), "audit", "--verify").out, "no checkpoint was given")

	got = b.run(t.Context(), "audit", "--prove", "FIN-1", "--merchant", merchant, "--out", proofs, "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	var proved proofsDocument
	require.NoError(t, json.Unmarshal([]byte(got.out), &proved))
	require.Equal(t, 1, proved.Newer)
	require.Len(t, proved.Proofs, 7)
	for _, p := range proved.Proofs {
		proof, err := os.ReadFile(p.File)
		require.NoError(t, err)
		hash, err := hex.DecodeString(p.Hash)
		require.NoError(t, err)
		_, under, err := keys.Public().CheckProof(proof, hash)
		require.NoError(t, err)
		require.Equal(t, made.Size, under.Size)
	}
	requireCode(t, b, exitRefused, codeFileExists, "audit", "--prove", "FIN-1", "--merchant", merchant, "--out", proofs)
	told := b.run(t.Context(), "audit", "--prove", "FIN-1", "--merchant", merchant, "--out", filepath.Join(dir, "more")).out
	require.Contains(t, told, "7 entries are proved under the checkpoint of 29 entries, of ")
	require.Contains(t, told, "1 entry is newer than the checkpoint: not proved\n")
	requireCode(t, b, exitNotFound, ledger.CodeCheckpointMissing, "audit", "--prove", "LATER-1", "--merchant", merchant, "--out", proofs)
	requireCode(t, b, exitNotFound, order.CodeOrderNotFound, "audit", "--prove", "NEVER-2", "--merchant", merchant, "--out", proofs)
}

// A file that is no checkpoint of this installation is refused with its name, the line
// and the code, before anything is read.
func TestAuditCheckpointRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	keys, public := auditKeys(t, "payouts.example.com/live")
	foreign, _ := auditKeys(t, "payouts.example.com/test")
	stranger, _ := auditKeys(t, "payouts.example.com/live")
	sign := func(keys *seal.Keys) string {
		signed, err := keys.Checkpoint(0, nil)
		require.NoError(t, err)
		return string(signed)
	}
	good := sign(keys)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text, code, says string
		exit             int
	}{
		"foreign":   {"# Monday\n" + good + sign(foreign), seal.CodeCheckpointForeign, "foreign:7: the checkpoint is of installation", exitUsage},
		"stranger":  {good + sign(stranger), seal.CodeCheckpointUnsigned, "stranger:6: no key", exitRefused},
		"malformed": {good[:30], seal.CodeCheckpointMalformed, "malformed:1: ", exitUsage},
		"empty":     {"", seal.CodeCheckpointMalformed, "empty has no checkpoint", exitUsage},
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
		said := requireCode(t, b, c.exit, c.code, "audit", "--verify", "--public-keys", public, "--checkpoint", file)
		require.Contains(t, said, c.says, name)
	}
	file := filepath.Join(dir, "good")
	require.NoError(t, os.WriteFile(file, []byte(good), 0o600))
	requireCode(t, b, exitUsage, codeUsage, "audit", "--verify", "--public-keys", public, "--checkpoint", filepath.Join(dir, "none")) // no tampering: a wrong path
	requireCode(t, b, exitUsage, seal.CodeKeyMissing, "audit", "--verify", "--checkpoint", file)
	for _, args := range []string{
		"--verify --checkpoint", "--verify --checkpoint --merchant M " + file, "--verify " + file, "--checkpoint INV-1",
		"--checkpoint --installation", "--checkpoint --prove INV-1 --out x", "--prove INV-1", "--prove --out x", "--prove INV-1 INV-2 --out x",
		"--out x", "--verify --checkpoint --out x " + file, "INV-1 --out x", "--verify --prove INV-1 --out x",
	} {
		got := b.run(t.Context(), append([]string{"audit"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, got.code, args)
	}
	require.NoFileExists(t, "x")
}

// requireCode runs a command that is refused, and returns the refusal.
func requireCode(t *testing.T, b *testBundle, exit int, code string, args ...string) string {
	t.Helper()
	got := b.run(t.Context(), append(args, "--json")...)
	require.Equal(t, exit, got.code, got.out+got.errs)
	require.Contains(t, got.out, `"code":"`+code+`"`)
	return got.out
}
