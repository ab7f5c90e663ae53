package migrations

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// Both engines have a migration of every version, so one number names the tables of both.
func TestVersion(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		found, err := fs.ReadDir(Files, engine)
		require.NoError(t, err)
		require.Equal(t, Version(), Newest(Files, engine), engine)
		require.Len(t, found, int(Version()), engine)
	}
}
