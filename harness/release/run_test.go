//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"
)

// container is an image that was unpacked into a folder.
type container struct {
	root string
	path string
	user uint32
	env  []string
}

// unpacked unpacks the image of a program. It has a folder /volume that its user may write.
func unpacked(t *testing.T, name string) container {
	t.Helper()
	image, _ := opened(t, built(t, name))
	config, err := image.ConfigFile()
	require.NoError(t, err)
	c := container{root: t.TempDir(), path: config.Config.Entrypoint[0], user: nobody, env: config.Config.Env}
	content := mutate.Extract(image)
	defer content.Close()
	unpack(t, content, c.root)
	volume := filepath.Join(c.root, "volume")
	require.NoError(t, os.Mkdir(volume, 0o700))
	require.NoError(t, os.Chown(volume, nobody, nobody))
	return c
}

// command is the image's program, which has nothing of this machine but its network.
func (c container) command(t *testing.T, environment []string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.path, args...)
	command.Dir = "/"
	command.Env = append(append([]string{}, c.env...), environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: c.user, Gid: c.user}}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command
}

// The programs of images run from the files of their images alone, as their user: a worker
// makes the ledger's tables, and an api answers on them. Each says its version.
func TestImagesRun(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root may run a program in another root folder")
	}
	worker, api := unpacked(t, "worker"), unpacked(t, "api")
	for name, c := range map[string]container{"worker": worker, "api": api} {
		said, err := c.command(t, nil, "--version").CombinedOutput()
		require.NoError(t, err, string(said))
		require.Regexp(t, `^`+name+` .*schema \d+ `+regexp.QuoteMeta(runtime.Version())+` linux/`+runtime.GOARCH+`\n$`, string(said))
	}

	database := "PAYOUTS_DATABASE_URL=sqlite:/volume/payouts.db"
	said, err := worker.command(t, []string{database}, "migrate").CombinedOutput()
	require.NoError(t, err, string(said))
	require.Contains(t, string(said), "the tables are up to date\n")
	tables, err := os.ReadFile(filepath.Join(worker.root, "volume", "payouts.db"))
	require.NoError(t, err)
	moved := filepath.Join(api.root, "volume", "payouts.db")
	require.NoError(t, os.WriteFile(moved, tables, 0o600))
	require.NoError(t, os.Chown(moved, nobody, nobody))

	serving := api.command(t, []string{
		database, "PAYOUTS_MERCHANTS=M1700000001:PK", "PAYOUTS_API_LISTEN=127.0.0.1:0", "PAYOUTS_API_ADMIN_LISTEN=127.0.0.1:0",
		"PAYOUTS_LOG_FORMAT=json", "TEMPORAL_ADDRESS=127.0.0.1:1",
	})
	logged, err := serving.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, serving.Start())
	lines := follow(logged)
	first := await(t, lines, "The api starts")
	require.Equal(t, runtime.Version(), first.Build.Go)
	require.Positive(t, first.Build.Schema)
	ready := await(t, lines, "Finance systems are answered")
	status, text := get(t, "http://"+ready.Health+"/readyz")
	require.Equal(t, http.StatusOK, status, text)
	_, text = get(t, "http://"+ready.Health+"/metrics")
	require.Regexp(t, `(?m)^payouts_build_info\{commit="[^"]*",go="`+regexp.QuoteMeta(runtime.Version())+`",program="api",schema="\d+",version="[^"]+"\} 1$`, text)
	require.NoError(t, serving.Process.Signal(syscall.SIGTERM))
	await(t, lines, "Stopped")
	require.NoError(t, serving.Wait())
}

// line is what the test reads of a line of a log.
type line struct {
	Message string `json:"msg"`
	Health  string
	Build   struct {
		Go     string
		Schema int
	}
	text string
}

func follow(logged io.Reader) <-chan line {
	lines := make(chan line, 100)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(logged); scanner.Scan(); {
			l := line{text: scanner.Text()}
			_ = json.Unmarshal(bytes.TrimSpace(scanner.Bytes()), &l)
			lines <- l
		}
	}()
	return lines
}

// await returns the line with a message.
func await(t *testing.T, lines <-chan line, message string) line {
	t.Helper()
	patience := time.After(time.Minute)
	var before []string
	for {
		select {
		case l, open := <-lines:
			if !open {
				t.Fatalf("the log has ended before %q: %q", message, before)
			}
			if l.Message == message {
				return l
			}
			before = append(before, l.text)
		case <-patience:
			t.Fatalf("the log does not say %q: %q", message, before)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}
