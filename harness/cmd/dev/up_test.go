package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
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

// No number is used for two orders in the README and in the commands that dev up
// prints. Otherwise a reader who runs both gets a conflict.
func TestNumbersToTryAreOfOneOrderEach(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	require.NoError(t, err)
	started := regexp.MustCompile(`(?m)^ *bin/starter (?:withdraw|deposit) --number (\S+)`)
	seen := make(map[string]bool)
	for _, page := range []string{string(readme), welcome(&stack.Stack{}, "var/dev")} {
		found := started.FindAllStringSubmatch(page, -1)
		require.NotEmpty(t, found)
		for _, match := range found {
			require.False(t, seen[match[1]], "%s is the number of two orders", match[1])
			seen[match[1]] = true
		}
	}
}
