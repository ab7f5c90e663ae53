package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that is trusted is one that nobody else can write or replace.
func TestFilesOpenToOthers(t *testing.T) {
	const policy = "rules: []\n"
	tests := []struct {
		name string
		make func(t *testing.T, dir string) string // gives the file's path
		want string                                // "" when it is fine
	}{
		{"closed", func(t *testing.T, dir string) string { return written(t, filepath.Join(dir, "file"), policy, 0o644) }, ""},
		{"group may write", func(t *testing.T, dir string) string { return written(t, filepath.Join(dir, "file"), policy, 0o620) }, "others than its owner may write"},
		{"all may write", func(t *testing.T, dir string) string { return written(t, filepath.Join(dir, "file"), policy, 0o602) }, "others than its owner may write"},
		{"open directory", func(t *testing.T, dir string) string {
			return written(t, filepath.Join(made(t, filepath.Join(dir, "open"), 0o777), "file"), policy, 0o600)
		}, "everybody may replace"},
		{"open directory above", func(t *testing.T, dir string) string {
			open := made(t, filepath.Join(dir, "open"), 0o777)
			return written(t, filepath.Join(made(t, filepath.Join(open, "closed"), 0o700), "file"), policy, 0o600)
		}, "everybody may replace"},
		{"sticky directory", func(t *testing.T, dir string) string {
			return written(t, filepath.Join(made(t, filepath.Join(dir, "sticky"), 0o777|os.ModeSticky), "file"), policy, 0o600)
		}, ""},
		{"link to an open file", func(t *testing.T, dir string) string {
			return linked(t, written(t, filepath.Join(dir, "file"), policy, 0o666), filepath.Join(dir, "link"))
		}, "others than its owner may write"},
		{"link into an open directory", func(t *testing.T, dir string) string {
			open := made(t, filepath.Join(dir, "open"), 0o777)
			return linked(t, written(t, filepath.Join(open, "file"), policy, 0o600), filepath.Join(dir, "link"))
		}, "everybody may replace"},
		{"link in an open directory", func(t *testing.T, dir string) string {
			open := made(t, filepath.Join(dir, "open"), 0o777)
			return linked(t, written(t, filepath.Join(dir, "file"), policy, 0o600), filepath.Join(open, "link"))
		}, "everybody may replace"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			environment(t, "PAYOUTS_POLICY_FILE", test.make(t, t.TempDir()))
			_, err := LoadWorker()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			var wrong *Error
			require.ErrorAs(t, err, &wrong)
			require.Len(t, wrong.Problems, 1)
			require.Equal(t, CodeFileOpen, wrong.Problems[0].Code)
			require.ErrorContains(t, err, "PAYOUTS_POLICY_FILE names a file that "+test.want)
			require.ErrorContains(t, err, "chmod")

			t.Setenv("PAYOUTS_ALLOW_INSECURE", "files")
			_, err = LoadWorker()
			require.NoError(t, err)
		})
	}
}

// Every file whose content is trusted is looked at.
func TestEveryTrustedFileIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	written(t, filepath.Join(dir, "M1.key"), somePrivateKey, 0o666)
	for name, changes := range map[string][]string{
		"PAYOUTS_DATABASE_URL_FILE": {"PAYOUTS_DATABASE_URL", "", "PAYOUTS_DATABASE_URL_FILE", written(t, filepath.Join(dir, "url"), "sqlite:x.db", 0o666)},
		"PAYOUTS_PRIVATE_KEYS_FILE": {"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_PRIVATE_KEYS_FILE", written(t, filepath.Join(dir, "keys"), "M1:"+somePrivateKey, 0o666)},
		"PAYOUTS_KEY_DIR":           {"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_KEY_DIR", dir},
		"PAYOUTS_PAYLOAD_KEYS_FILE": {"PAYOUTS_PAYLOAD_KEYS_FILE", written(t, filepath.Join(dir, "payload"), "a:"+oneKey, 0o666)},
		"PAYOUTS_POLICY_FILE":       {"PAYOUTS_POLICY_FILE", written(t, filepath.Join(dir, "policy"), "rules: []", 0o666)},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, changes...)
			_, err := LoadWorker()
			require.ErrorContains(t, err, CodeFileOpen)
			require.ErrorContains(t, err, name)
		})
	}
	environment(t, "PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_KEY_DIR", dir)
	starter, err := LoadStarter()
	require.NoError(t, err)
	_, err = starter.PrivateKey("M1")
	require.ErrorContains(t, err, CodeFileOpen, "what is read late, too")
}

func written(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(t, os.Chmod(path, mode)) // whatever the umask is
	return path
}

func made(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	require.NoError(t, os.Mkdir(path, 0o700))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func linked(t *testing.T, to, path string) string {
	t.Helper()
	require.NoError(t, os.Symlink(to, path))
	return path
}
