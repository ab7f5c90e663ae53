package sheet

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every text is the one that was added, in memory or on the disk, also an empty one.
func TestTexts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var all texts
	text := func(i int) string {
		if i%1000 == 7 {
			return ""
		}
		return strings.Repeat("\u00e9", i%50) + fmt.Sprint(i)
	}
	const count = 40_000
	for i := range count {
		require.NoError(t, all.add(text(i)))
	}
	require.NoError(t, all.ready())
	require.Equal(t, count, all.count())
	require.Positive(t, all.others.count)
	require.LessOrEqual(t, all.held, textsInMemory)
	for i := range count {
		got, err := all.at(i)
		require.NoError(t, err)
		require.Equal(t, text(i), got, "%d", i)
	}
	require.NoError(t, all.Close())
}

// Texts that do not fit are on the disk.
func TestTextsAreNotHeldInMemory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all texts
	for i := range 200_000 {
		require.NoError(t, all.add(fmt.Sprintf("%0100d", i))) // 20 MB
	}
	require.NoError(t, all.ready())
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(4*textsInMemory))
	got, err := all.at(199_999)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%0100d", 199_999), got)
	require.NoError(t, all.Close())
}

// A disk that takes nothing is said, without the name of the file.
func TestTextsThatAreNotKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", dir)
	var all texts
	require.NoError(t, all.add(strings.Repeat("x", textsInMemory)))
	err := all.add("y")
	require.ErrorIs(t, err, os.ErrNotExist)
	fault := notKept(err)
	require.Equal(t, TooLarge, fault.Kind)
	require.NotContains(t, fault.Message, dir)
	require.Contains(t, fault.Message, "TMPDIR")
}
