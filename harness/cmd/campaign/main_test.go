package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const plan = `{"seed":3,"orders":[{"number":"P-0","kind":"withdrawal","amount":700,"start":60}],"balance":1000}`

// A plan is given as it stands, or as the name of a file, and has no member
// that nobody knows.
func TestRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(file, []byte(plan), 0o600))
	for _, given := range []string{plan, file} {
		read, err := read(given)
		require.NoError(t, err)
		require.Equal(t, uint64(3), read.Seed)
		require.Equal(t, int64(700), read.Orders[0].Amount)
	}
	_, err := read(`{"sed":3}`)
	require.ErrorContains(t, err, `unknown field "sed"`)
	_, err = read("nowhere.json")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestRun(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(t.Context(), 0, 0, plan))
	require.ErrorContains(t, run(t.Context(), 0, 0, `{"orders":[{}]}`), "is missing")
}
