package seal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "payouts.example.com/live"

// newKeys makes the keys of an installation, newest first.
func newKeys(t *testing.T, count int) *Keys {
	t.Helper()
	var text string
	for range count {
		private, _, err := Generate(origin)
		require.NoError(t, err)
		text += private + "\n"
	}
	keys, err := ParseKeys([]byte(text), "audit.key")
	require.NoError(t, err)
	return keys
}

// entry is the hash of the n-th entry.
func entry(n int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "entry %d", n))
	return sum[:]
}

func entries(from, to int) [][]byte {
	var all [][]byte
	for n := from; n < to; n++ {
		all = append(all, entry(n))
	}
	return all
}

// hashes are a tree's stored hashes.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	read := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(h)) {
			return nil, errors.New("there is no such hash")
		}
		read[i] = h[index]
	}
	return read, nil
}

// treeOf is the tree of the first so many entries.
func treeOf(t *testing.T, size int) hashes {
	t.Helper()
	added, err := Append(0, entries(0, size), hashes{})
	require.NoError(t, err)
	return added
}

func codeOf(err error) string {
	var fault *Fault
	if !errors.As(err, &fault) {
		return fmt.Sprint(err)
	}
	return fault.Code
}

// checkpointOf opens the signed checkpoint of the first so many entries.
func checkpointOf(t *testing.T, keys *Keys, size int) Checkpoint {
	t.Helper()
	signed, err := keys.Checkpoint(int64(size), treeOf(t, size))
	require.NoError(t, err)
	opened, err := keys.Public().Open(signed)
	require.NoError(t, err)
	return opened
}
