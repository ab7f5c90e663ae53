package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
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

// No number is used for two orders in the README, in docs/integrate.md and in the commands
// that dev up prints. Otherwise a reader who runs all of them gets a conflict.
func TestNumbersToTryAreOfOneOrderEach(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	require.NoError(t, err)
	integrate, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "integrate.md"))
	require.NoError(t, err)
	started := regexp.MustCompile(`\bstarter (?:withdraw|deposit) --number (\S+)`)
	seen := make(map[string]bool)
	for _, page := range []string{string(readme), string(integrate), welcome(&stack.Stack{}, "var/dev")} {
		found := started.FindAllStringSubmatch(page, -1)
		require.NotEmpty(t, found)
		for _, match := range found {
			require.False(t, seen[match[1]], "%s is the number of two orders", match[1])
			seen[match[1]] = true
		}
	}
}

// The README and dev up say which amounts select a fault of the sandbox, and which are
// paid.
func TestWhereAmountsSelectAFaultIsSaid(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	require.NoError(t, err)
	for _, page := range []string{string(readme), welcome(&stack.Stack{}, "var/dev")} {
		page = strings.Join(strings.Fields(page), " ")
		require.Contains(t, page, "the last three digits before the point of its amount")
		require.Contains(t, page, "1138 gets an expired key, 7142 a balance that is too small")
		require.Contains(t, page, "Amounts that end in 000 or in 500 to 999 are paid.")
	}
	digits := make(map[string]string)
	for _, scenario := range sandbox.Scenarios() {
		if scenario.Digits != "" {
			require.True(t, scenario.Digits > "000" && scenario.Digits < "500", scenario.Digits)
			digits[scenario.Digits] = scenario.Name
		}
	}
	require.Equal(t, []string{"key-expired", "balance-short"}, []string{digits["138"], digits["142"]})
}

// The stand-in for a log-in is where the roster says, so that its people can log in again, and
// on this machine only.
func TestTheLogInStaysWhereItIs(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	provider, logIn, err := startLogIn(data)
	require.NoError(t, err)
	require.Equal(t, provider.Issuer, logIn.Issuer)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, logIn.Issuer)
	require.Equal(t, map[string]string{"leila": "leila", "omar": "omar"}, logIn.Subjects)
	require.NoError(t, os.WriteFile(filepath.Join(data, "roster.yaml"), []byte("oidc: {issuer: \""+logIn.Issuer+"\", subject: leila}\n"), 0o600))
	_, _, err = startLogIn(data)
	require.ErrorContains(t, err, "where the roster of", "it is in use")
	provider.Close()
	again, _, err := startLogIn(data)
	require.NoError(t, err)
	require.Equal(t, logIn.Issuer, again.Issuer)
	again.Close()

	told := welcome(&stack.Stack{Addresses: stack.Addresses{API: "http://127.0.0.1:8085"}}, data)
	require.Contains(t, told, "http://127.0.0.1:8085/approvals")
	for name := range logIn.Subjects {
		require.Contains(t, told, name)
	}
}
