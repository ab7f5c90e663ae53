package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnvFileCanBeSourced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "env")
	url := "postgres://me:it's$HOME@host/name?a=1&b=2"
	require.NoError(t, writeEnvFile(path, []string{"PAYOUTS_DATABASE_URL=" + url, "TEMPORAL_NAMESPACE=default"}))

	told, err := exec.CommandContext(t.Context(), "/bin/sh", "-c",
		`. "$1"; env | grep -E '^(PAYOUTS_DATABASE_URL|TEMPORAL_NAMESPACE)=' | sort`, "sh", path).Output()
	require.NoError(t, err)
	require.Equal(t, "PAYOUTS_DATABASE_URL="+url+"\nTEMPORAL_NAMESPACE=default\n", string(told))

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it may hold a password")
}
