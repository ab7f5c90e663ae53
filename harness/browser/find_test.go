package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPassesOverWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, program := filepath.Join(dir, "text"), filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(text, nil, 0o600))
	require.NoError(t, os.WriteFile(program, nil, 0o700))

	require.Equal(t, program, find([]string{"no-such-browser"}, []string{filepath.Join(dir, "absent"), dir, text, program}))
	require.Empty(t, find([]string{"no-such-browser"}, []string{dir, text}))
}

func TestFindPrefersThePath(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "chromium")
	require.NoError(t, os.WriteFile(program, nil, 0o700))
	t.Setenv("PATH", dir)
	require.Equal(t, program, find(names, []string{"/bin/sh"}))
}

func TestBrowserThatDoesNotStartSaysWhy(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "chromium")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho no display >&2\nexit 1\n"), 0o700))
	_, err := start(program)
	require.ErrorContains(t, err, program)
	require.ErrorContains(t, err, "no display")
}

func TestBrowserLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	path, err := findOrInstall()
	require.NoError(t, err)
	c, err := start(path)
	require.NoError(t, err)
	require.DirExists(t, c.home)
	require.NoError(t, c.stop())
	require.NoDirExists(t, c.home)
}
