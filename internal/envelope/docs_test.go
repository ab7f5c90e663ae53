package envelope

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The commands of docs/security.md are run as they are printed.
func TestSecurityShellLines(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/security.md")
	require.NoError(t, err)
	dir := t.TempDir()
	message, refusal := approval(t).Bytes()
	require.Nil(t, refusal)
	key, err := os.ReadFile(keyFile(t, "amina", ""))
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"approve.json": message, "id_ed25519": key, "allowed_signers": people(t).AllowedSigners(),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	blocks := slices.DeleteFunc(strings.Split(string(text), "```sh\n")[1:], func(block string) bool {
		return strings.HasPrefix(block, "starter ") // the end-to-end tests run it
	})
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		line, _, _ := strings.Cut(block, "```")
		command := exec.CommandContext(t.Context(), "sh", "-ec", line)
		command.Dir = dir
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s%s", line, output)
		if strings.Contains(line, "verify") {
			assert.Contains(t, string(output), `Good "payouts" signature for amina`)
		}
	}
}
