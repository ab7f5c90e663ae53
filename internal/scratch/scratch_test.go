package scratch

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is read at any place is what was written there. The file has other bytes, and no name.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	const size = 100_003
	var seed [32]byte
	want, err := io.ReadAll(io.LimitReader(rand.NewChaCha8(seed), size))
	require.NoError(t, err)
	file, err := New()
	require.NoError(t, err)
	_, err = io.Copy(file, io.MultiReader(bytes.NewReader(want[:7]), bytes.NewReader(want[7:])))
	require.NoError(t, err)
	require.EqualValues(t, size, file.Size())
	for range 300 {
		at := rand.IntN(size)
		part := make([]byte, 1+rand.IntN(min(5000, size-at)))
		n, err := file.ReadAt(part, int64(at))
		require.NoError(t, err)
		require.Equal(t, want[at:at+len(part)], part[:n], "at %d", at)
	}
	n, err := file.ReadAt(make([]byte, 10), size-3)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 3, n)
	stored := make([]byte, size)
	_, err = file.file.ReadAt(stored, 0)
	require.NoError(t, err)
	require.NotContains(t, string(stored), string(want[:16]))
	require.NotEqual(t, want[32:48], stored[32:48])
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoError(t, file.Close())
}

// Where a file cannot lose its name before it is closed, it loses it then.
func TestFileWithAName(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "named")
	require.NoError(t, err)
	named := &File{file: file, named: true}
	require.NoError(t, named.Close())
	require.NoFileExists(t, file.Name())
}
