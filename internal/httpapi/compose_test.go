package httpapi

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/roster"
)

// The keys of the Compose file are those of its roster: the api's, the API key that the
// file's first lines print, and those of people.
func TestComposeRoster(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker-compose.temporal.yml")
	require.NoError(t, err)
	var file struct {
		Configs map[string]struct{ Content string }
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(file.Configs[name].Content), 0o400))
		return path
	}
	holder, err := roster.Open(write("roster"), roster.Options{})
	require.NoError(t, err)
	keys, err := NewKeys(holder, "payouts.example.com/compose", write("api-key"), time.Now())
	require.NoError(t, err)

	header := http.Header{"Authorization": {string(regexp.MustCompile(`Bearer payouts_\w+`).Find(text))}}
	caller, refusal := keys.Caller(header.Get, time.Now())
	require.Nil(t, refusal)
	require.Equal(t, "erp", caller.Actor.Name)
	for _, person := range []string{"amina", "dana"} {
		key, err := ssh.ParsePrivateKey([]byte(file.Configs[person].Content))
		require.NoError(t, err, person)
		line := person + ` namespaces="payouts" ssh-ed25519 ` + base64.StdEncoding.EncodeToString(key.PublicKey().Marshal())
		require.Contains(t, file.Configs["roster"].Content, "- "+line, person)
	}
}

// The commands of docs/api.md make the key of a door, and print what the roster has of it.
func TestCommandsForADoorsKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	_, text, _ = bytes.Cut(text, []byte("```text\n"))
	commands, _, _ := bytes.Cut(text, []byte("```"))
	require.Contains(t, string(commands), "ssh-keygen -t ed25519")
	dir := t.TempDir()
	shell := exec.CommandContext(t.Context(), "sh", "-eu", "-c", strings.ReplaceAll(string(commands), "ssh-keygen", "ssh-keygen -q"))
	shell.Dir = dir
	public, err := shell.Output()
	require.NoError(t, err)
	key, err := readKey(filepath.Join(dir, "api.key"))
	require.NoError(t, err)
	made, _ := key.Public().(ed25519.PublicKey)
	require.Equal(t, base64.StdEncoding.EncodeToString(made), strings.TrimSpace(string(public)))
}
