package seal

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Entries may be added one by one or many at once: the stored hashes are the same.
func TestAppend(t *testing.T) {
	t.Parallel()
	whole := treeOf(t, 100)
	for _, batch := range []int{1, 2, 7, 33} {
		var stored hashes
		for size := 0; size < 100; {
			count := min(batch, 100-size)
			require.Equal(t, StoredAt(int64(size)), int64(len(stored)))
			added, err := Append(int64(size), entries(size, size+count), stored)
			require.NoError(t, err)
			stored, size = append(stored, added...), size+count
		}
		assert.Equal(t, whole, stored, "in batches of %d", batch)
	}
	_, err := Append(0, [][]byte{{1}}, hashes{})
	require.Error(t, err)
	_, err = Append(3, entries(3, 4), hashes{})
	require.Error(t, err, "the hashes before it cannot be read")
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 2)
	signed, err := keys.Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)
	lines := strings.Split(string(signed), "\n")
	assert.Equal(t, []string{origin, "5"}, lines[:2])
	assert.Empty(t, lines[3])
	assert.True(t, strings.HasPrefix(lines[4], "— "+origin+" "))

	root, err := tlog.TreeHash(5, treeOf(t, 5))
	require.NoError(t, err)
	checkpoint, err := keys.Public().Open(signed)
	require.NoError(t, err)
	assert.Equal(t, Checkpoint{origin, 5, root}, checkpoint)

	first, err := keys.Checkpoint(0, hashes{})
	require.NoError(t, err)
	_, err = keys.Public().Open(first)
	require.NoError(t, err, "an empty audit has a checkpoint, too")

	_, err = keys.Checkpoint(6, treeOf(t, 5))
	require.Error(t, err)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	good, err := keys.Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)
	text, signature, _ := strings.Cut(string(good), "\n\n")
	sign := func(text string) string {
		signed, err := note.Sign(&note.Note{Text: text}, keys.keys[0].signer)
		require.NoError(t, err)
		return string(signed)
	}
	private, _, err := Generate("payouts.example.com/test")
	require.NoError(t, err)
	elsewhere, err := ParseKeys([]byte(private), "audit.key")
	require.NoError(t, err)
	foreign, err := elsewhere.Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)
	unknown, err := newKeys(t, 1).Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)

	root := strings.Split(text, "\n")[2]
	for name, c := range map[string]struct{ signed, code string }{
		"another installation's": {string(foreign), CodeCheckpointForeign},
		"another origin":         {sign("payouts.example.com/test\n5\n" + root + "\n"), CodeCheckpointForeign},
		"an unknown key's":       {string(unknown), CodeCheckpointUnsigned},
		"another size":           {strings.Replace(text, "\n5\n", "\n6\n", 1) + "\n\n" + signature, CodeCheckpointUnsigned},
		"unsigned":               {text + "\n", CodeCheckpointMalformed},
		"nothing":                {"", CodeCheckpointMalformed},
		"a line more":            {sign(text + "\nextension\n"), CodeCheckpointMalformed},
		"a line less":            {sign(origin + "\n5\n"), CodeCheckpointMalformed},
		"a leading zero":         {sign(origin + "\n05\n" + root + "\n"), CodeCheckpointMalformed},
		"a negative size":        {sign(origin + "\n-5\n" + root + "\n"), CodeCheckpointMalformed},
		"no size":                {sign(origin + "\nfive\n" + root + "\n"), CodeCheckpointMalformed},
		"a short root":           {sign(origin + "\n5\nAAAA\n"), CodeCheckpointMalformed},
	} {
		_, err := keys.Public().Open([]byte(c.signed))
		assert.Equal(t, c.code, codeOf(err), name)
	}
}

func TestProof(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	const size = 21
	signed, err := keys.Checkpoint(size, treeOf(t, size))
	require.NoError(t, err)
	later := treeOf(t, 40) // a proof under an old checkpoint is made from the tree as it is now
	for n := range size {
		proof, err := Prove(signed, int64(n), later)
		require.NoError(t, err)
		position, under, err := keys.Public().CheckProof(proof, entry(n))
		require.NoError(t, err)
		assert.Equal(t, int64(n), position)
		assert.Equal(t, int64(size), under.Size)

		_, _, err = keys.Public().CheckProof(proof, entry(n+1))
		assert.Equal(t, CodeProofWrong, codeOf(err))
		moved := strings.Replace(string(proof), fmt.Sprintf("index %d\n", n), fmt.Sprintf("index %d\n", (n+1)%size), 1)
		_, _, err = keys.Public().CheckProof([]byte(moved), entry(n))
		assert.Equal(t, CodeProofWrong, codeOf(err))
	}
	_, err = Prove(signed, size, later)
	require.Error(t, err, "the checkpoint does not cover the entry")
	_, err = Prove([]byte("no checkpoint"), 0, later)
	assert.Equal(t, CodeCheckpointMalformed, codeOf(err))

	proof, err := Prove(signed, 3, later)
	require.NoError(t, err)
	whole := string(proof)
	for name, c := range map[string]struct{ proof, code string }{
		"nothing":           {"", CodeProofMalformed},
		"another header":    {strings.Replace(whole, "@v1", "@v2", 1), CodeProofMalformed},
		"no index":          {strings.Replace(whole, "index 3\n", "", 1), CodeProofMalformed},
		"a negative index":  {strings.Replace(whole, "index 3", "index -3", 1), CodeProofMalformed},
		"no hash":           {strings.Replace(whole, "index 3\n", "index 3\nAAAA\n", 1), CodeProofMalformed},
		"too many hashes":   {strings.Replace(whole, "index 3\n", "index 3\n"+strings.Repeat(tlog.Hash{}.String()+"\n", 63), 1), CodeProofMalformed},
		"a hash more":       {strings.Replace(whole, "index 3\n", "index 3\n"+tlog.Hash{}.String()+"\n", 1), CodeProofWrong},
		"without signature": {whole[:strings.LastIndex(whole, "— ")], CodeCheckpointUnsigned},
	} {
		_, _, err := keys.Public().CheckProof([]byte(c.proof), entry(3))
		assert.Equal(t, c.code, codeOf(err), name)
	}
	_, _, err = newKeys(t, 1).Public().CheckProof(proof, entry(3))
	assert.Equal(t, CodeCheckpointUnsigned, codeOf(err))
}

// A program that shares no code with this one checks the proof.
func TestProofElsewhere(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	signed, err := keys.Checkpoint(9, treeOf(t, 9))
	require.NoError(t, err)
	proof, err := Prove(signed, 4, treeOf(t, 9))
	require.NoError(t, err)
	dir := t.TempDir()
	program, file := filepath.Join(dir, "checkproof"), filepath.Join(dir, "proof")
	require.NoError(t, os.WriteFile(file, proof, 0o600))
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/checkproof").CombinedOutput()
	require.NoError(t, err, string(output))

	key := strings.TrimSpace(string(keys.PublicLines()))
	output, err = exec.CommandContext(t.Context(), program, key, file, hex.EncodeToString(entry(4))).CombinedOutput()
	require.NoError(t, err, string(output))
	assert.Equal(t, "entry 4 of 9 is in the audit of "+origin+"\n", string(output))
	output, err = exec.CommandContext(t.Context(), program, key, file, hex.EncodeToString(entry(5))).CombinedOutput()
	require.Error(t, err, string(output))
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	tree := treeOf(t, 40)
	newer := checkpointOf(t, keys, 40)
	for _, size := range []int{0, 1, 7, 32, 39, 40} {
		older := checkpointOf(t, keys, size)
		proof, err := ProveGrowth(int64(size), 40, tree)
		require.NoError(t, err)
		require.NoError(t, CheckGrowth(older, newer, proof))
		if size == 0 {
			continue
		}
		altered := older
		altered.Root[0] ^= 1
		require.Error(t, CheckGrowth(altered, newer, proof), "%d", size)
	}
	assert.Equal(t, CodeCheckpointsContra, codeOf(CheckGrowth(newer, checkpointOf(t, keys, 39), nil)))
	foreign := newer
	foreign.Origin = "payouts.example.com/test"
	assert.Equal(t, CodeCheckpointForeign, codeOf(CheckGrowth(newer, foreign, nil)))
	assert.Equal(t, CodeProofWrong, codeOf(CheckGrowth(checkpointOf(t, keys, 39), newer, nil)))
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	five, err := keys.Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)
	nine, err := keys.Checkpoint(9, treeOf(t, 9))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"one after the other": string(five) + string(nine),
		"with lines between":  "# Monday\n" + string(five) + "\n# Tuesday\n\n" + string(nine) + "\n",
	} {
		opened, err := keys.Public().OpenFile([]byte(text), "kept")
		require.NoError(t, err, name)
		require.Len(t, opened, 2, name)
		assert.Equal(t, []int64{5, 9}, []int64{opened[0].Size, opened[1].Size}, name)
	}
	foreign, _, err := Generate("payouts.example.com/test")
	require.NoError(t, err)
	other, err := ParseKeys([]byte(foreign), "other")
	require.NoError(t, err)
	theirs, err := other.Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)
	for name, c := range map[string]struct{ text, code, says string }{
		"nothing":          {"# none\n\n", CodeCheckpointMalformed, "kept has no checkpoint"},
		"a foreign one":    {string(five) + "# x\n" + string(theirs), CodeCheckpointForeign, "kept:7: "},
		"a cut one":        {string(five) + "\n" + string(nine[:20]), CodeCheckpointMalformed, "kept:7: "},
		"no signature":     {strings.SplitAfter(string(five), "\n\n")[0] + string(nine), CodeCheckpointUnsigned, "kept:1: "},
		"a changed size":   {"\n" + strings.Replace(string(nine), "\n9\n", "\n8\n", 1), CodeCheckpointUnsigned, "kept:2: "},
		"something else":   {"{}", CodeCheckpointMalformed, "kept:1: "},
		"an unknown key's": {string(mustCheckpoint(t, newKeys(t, 1))), CodeCheckpointUnsigned, "kept:1: "},
	} {
		_, err := keys.Public().OpenFile([]byte(c.text), "kept")
		assert.Equal(t, c.code, codeOf(err), name)
		require.ErrorContains(t, err, c.says, name)
	}
}

func mustCheckpoint(t *testing.T, keys *Keys) []byte {
	t.Helper()
	signed, err := keys.Checkpoint(5, treeOf(t, 5))
	require.NoError(t, err)
	return signed
}
