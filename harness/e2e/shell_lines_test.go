package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const sshTested = "the tests of internal/envelope run it, with names of their own"

// notRun are the shell lines of the documents that no test runs as printed, with
// the reason. Tests run every other line.
var notRun = map[string]string{
	"make demo":                         "builds, then runs bin/dev demo, as TestDemo does",
	"make test":                         "runs this test",
	"make build":                        "builds the programs that the tests run",
	"worker":                            "would call the real gateway; every stack runs it",
	"receiver":                          "would take the real gateway's callbacks; every stack runs it",
	"make dev":                          "builds, then runs bin/dev up, which TestReadmeShellLines starts",
	"make bench":                        "takes minutes; it is bin/dev bench",
	"bin/dev bench --server production": "takes minutes",
	"make bin/withpostgres":             "is what `make test` does before it runs this test",
	"ssh-keygen -Y sign -n payouts -f id_ed25519 approve.json":                                                             sshTested,
	"starter sign approve INV-2 --merchant M1700000001 --fingerprint 54c6ff39 --by amina > approve.json":                   rosterTested,
	"ssh-keygen -Y sign -n payouts -f ~/.ssh/id_ed25519 approve.json":                                                      rosterTested,
	"starter act approve.json --signature approve.json.sig":                                                                rosterTested,
	"starter sign approve --list monday.txt --merchant M1700000001 --fingerprint 9f2c44d01b7ae310 --by dana > monday.json": rosterTested,
	"ssh-keygen -Y sign -n payouts -f ~/.ssh/id_ed25519 monday.json":                                                       rosterTested,
	"starter act monday.json --list monday.txt":                                                                            rosterTested,
	"ssh-keygen -Y verify -n payouts -I amina -f allowed_signers -s approve.json.sig < approve.json":                       sshTested,
	"(cd examples/node && npm ci && npm run build)":                                                                        nodeTested,
	"node examples/node/dist/pay.js M1700000001 FIRST-7 1500":                                                              nodeTested,
	"make harness/openapi/generated/client.gen.go":                                                                         "`make test` makes it before it runs this test",
	"bin/withpostgres -- go test ./internal/ledger/...":                                                                    "is how `make test` runs every test",
	"tcld namespace search-attributes add --namespace payouts.a1b2c" +
		" --sa PayoutKind=Keyword --sa PayoutState=Keyword --sa PayoutCountry=Keyword" +
		" --sa PayoutCurrency=Keyword --sa PayoutMerchant=Keyword --sa PayoutGatewayID=Keyword" +
		" --sa PayoutAmount=Int --sa PayoutNeedsReview=Bool": "needs an account at Temporal Cloud",
	"sha256sum --check --ignore-missing payouts_0.1.0_checksums.txt":                                                releaseNeeded,
	"tar -xzf payouts_0.1.0_linux_amd64.tar.gz":                                                                     releaseNeeded,
	"payouts_0.1.0_linux_amd64/worker --version":                                                                    "TestVersionOfEveryProgram runs it, with another path",
	"skopeo copy --all oci-archive:payouts-worker_0.1.0.oci.tar docker://registry.example.com/payouts/worker:0.1.0": releaseNeeded,
	"podman load --input payouts-worker_0.1.0.oci.tar":                                                              releaseNeeded,
	"docker load --input payouts-worker_0.1.0.oci.tar":                                                              releaseNeeded,
	`printf '%s' "$SIGNED" | openssl dgst -sha256 -binary > once`:                                                   opensslMissing,
	`printf '%s' "$SIGNATURE" | xxd -r -p > signature.der`:                                                          opensslMissing,
	`openssl dgst -sha256 -verify public.pem -signature signature.der once`:                                         opensslMissing,

	"kubectl create namespace payouts": clusterMissing,
	"kubectl -n payouts create secret generic payouts-migration --from-file=database-url=migrate.url":                                        clusterMissing,
	"kubectl -n payouts create secret generic payouts-worker --from-file=database-url=worker.url --from-file=audit.key --from-file=data.key": clusterMissing,
	"kubectl -n payouts create secret generic payouts-gateway --from-file=M1700000001.key":                                                   clusterMissing,
	"kubectl -n payouts create secret generic payouts-receiver --from-file=database-url=receiver.url --from-file=data.key":                   clusterMissing,
	"kubectl -n payouts create secret generic payouts-api --from-file=database-url=api.url --from-file=data.key --from-file=api.key":         clusterMissing,
	"kubectl -n payouts create secret generic payouts-roster --from-file=roster.yaml":                                                        clusterMissing,
	"helm install payouts deploy/chart --namespace payouts --values values.yaml":                                                             clusterMissing,
}

const rosterTested = "TestRoster runs it, with another number and a key of its own"

const nodeTested = "TestExamples runs it, unless the machine has no Node.js"

const releaseNeeded = "needs a release; the tests of harness/release read and run what it has"

const clusterMissing = "needs a Kubernetes cluster; the tests of harness/chart render what it would get"

const opensslMissing = "needs openssl and xxd, which a machine need not have"

// shellLine is a command of a document.
type shellLine struct {
	page, section string
	text          string // as it is printed; one that goes on has its line breaks
}

// command is the line without its comment, on one line.
func (l shellLine) command() string {
	text := strings.ReplaceAll(l.text, "\\\n", " ")
	text = regexp.MustCompile(`\s#\s.*`).ReplaceAllString(text, "")
	return strings.Join(strings.Fields(text), " ")
}

// linesOf returns the shell lines of a page in their order.
func linesOf(t *testing.T, page string) []shellLine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	require.NoError(t, err)
	var lines []shellLine
	section, fence := "", ""
	var block strings.Builder
	for line := range strings.Lines(string(text)) {
		language, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && fence == "":
			fence = "```" + language
			block.Reset()
		case isFence:
			if fence == "```sh" {
				lines = append(lines, commandsOf(page, section, block.String())...)
			}
			fence = ""
		case fence != "":
			block.WriteString(line)
		case strings.HasPrefix(line, "#"):
			section = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	require.Empty(t, fence, "%s: a block that does not end", page)
	return lines
}

// commandsOf returns the commands of a block.
func commandsOf(page, section, block string) []shellLine {
	var lines []shellLine
	var text string
	for line := range strings.Lines(block) {
		text += strings.TrimRight(line, "\n")
		if strings.HasSuffix(text, `\`) {
			text += "\n"
			continue
		}
		if strings.TrimSpace(text) != "" {
			lines = append(lines, shellLine{page: page, section: section, text: text})
		}
		text = ""
	}
	return lines
}

// pages returns the paths of all documents with commands.
func pages(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	found := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "harness/README.md", "tools/README.md"}
	for _, path := range docs {
		found = append(found, "docs/"+filepath.Base(path))
	}
	return found
}

// TestShellLinesAreRunOrListed compares notRun with the documents. Every line of a
// page whose lines are not run must be in notRun, and every entry of notRun must
// be in a document.
func TestShellLinesAreRunOrListed(t *testing.T) {
	t.Parallel()
	printed := make(map[string]bool)
	for _, page := range pages(t) {
		for _, line := range linesOf(t, page) {
			printed[line.command()] = true
			if page != readmePage && page != operationsPage && page != integratePage {
				require.NotEmpty(t, notRun[line.command()], "%s prints a command that is neither run nor listed: %s", page, line.text)
			}
		}
	}
	for command := range notRun {
		require.True(t, printed[command], "no document prints %s", command)
	}
}

// outcome is the expected result of a line. The zero value is exit code 0.
type outcome struct {
	exit int
	says []string // parts of what it prints, on either stream
}

// script is the expected outcomes of a page's lines, and what to do before and
// after them.
type script struct {
	before   map[string]func(*testing.T) // by section or command: make the situation that it needs
	after    map[string]func(*testing.T) // by section: check the result
	outcomes map[string]outcome          // by command
	serves   map[string]string           // by command that serves: what it prints once it does
	// oneTerminal says that all sections are typed into one terminal.
	oneTerminal bool
}

// play runs the lines of a page in a terminal, in their order.
func (s script) play(t *testing.T, at *terminal, lines []shellLine) {
	t.Helper()
	require.NotEmpty(t, lines)
	known, count := make(map[string]bool), 0
	for i, line := range lines {
		for _, at := range []string{line.section, line.command()} {
			if prepare := s.before[at]; prepare != nil && !known[at] {
				prepare(t)
			}
			known[at] = true
		}
		if notRun[line.command()] == "" {
			s.run(t, at, line)
			count++
		}
		if i < len(lines)-1 && lines[i+1].section == line.section {
			continue
		}
		if see := s.after[line.section]; see != nil {
			see(t)
		}
		if !s.oneTerminal {
			at.forget(t)
		}
	}
	if s.oneTerminal {
		at.forget(t)
	}
	t.Logf("%s: %d lines run, %d listed", lines[0].page, count, len(lines)-count)
	for named := range s.named() {
		require.True(t, known[named], "%s has no section with commands, and no command: %s", lines[0].page, named)
	}
}

// named returns the sections and commands that the script names.
func (s script) named() map[string]bool {
	all := make(map[string]bool)
	for _, hooks := range []map[string]func(*testing.T){s.before, s.after} {
		for name := range hooks {
			all[name] = true
		}
	}
	for command := range s.outcomes {
		all[command] = true
	}
	for command := range s.serves {
		all[command] = true
	}
	return all
}

func (s script) run(t *testing.T, at *terminal, line shellLine) {
	t.Helper()
	want := s.outcomes[line.command()]
	r := at.run(t, line, s.serves[line.command()])
	printed := "\n$ " + line.text + "\n" + r.out + r.err
	require.Equal(t, want.exit, r.exit, "%s, %s:%s", line.page, line.section, printed)
	for _, part := range want.says {
		require.Contains(t, r.out+r.err, part, "%s, %s:%s", line.page, line.section, printed)
	}
	t.Log(printed)
}

// terminal runs lines one after the other. Variables that a line exports are set
// for the next.
type terminal struct {
	dir string
	env []string
}

// typed runs a line and saves the variables that it exported.
const typed = `trap : TERM
[ ! -f "$1" ] || . "$1"
eval "$2"
code=$?
export -p > "$1"
exit $code`

// linePatience is the time limit of a line. One pays five hundred people.
const linePatience = 10 * time.Minute

// run runs a line and waits for its end. If the line starts a server, run sends
// SIGTERM once the output has the text serves. What a line leaves running in the
// background is killed at the end of the test.
func (at *terminal) run(t *testing.T, line shellLine, serves string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), linePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", typed, "sh", at.exports(), line.text)
	var out, errs bytes.Buffer
	seen := make(chan struct{})
	said := sync.OnceFunc(func() { close(seen) })
	cmd.Stdout = &watched{kept: &out, part: serves, said: said}
	cmd.Stderr = &watched{kept: &errs, part: serves, said: said}
	cmd.Dir, cmd.Env = at.dir, at.env
	background := strings.HasSuffix(line.command(), "&")
	if background {
		cmd.Stdout, cmd.Stderr = nil, nil // it would hold the pipes open
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	require.NoError(t, cmd.Start())
	if background {
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // it may be over already
	}
	if serves != "" {
		select {
		case <-seen:
		case <-ctx.Done():
		}
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM))
	}
	err := cmd.Wait()
	require.NoError(t, ctx.Err(), "it does not end: %s\n%s%s", line.text, &out, &errs)
	return ended(t, cmd, err, &out, &errs)
}

// exports returns the path of the file with the exported variables.
func (at *terminal) exports() string { return filepath.Join(at.dir, ".exports") }

// forget deletes the exported variables, as a new terminal does.
func (at *terminal) forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(at.exports()); err != nil {
		require.ErrorIs(t, err, os.ErrNotExist, "a section whose lines are all listed has none")
	}
}

// watched keeps the text of a stream, and calls said when a text has come.
type watched struct {
	kept *bytes.Buffer
	part string
	said func() // called each time that the text is there
}

func (w *watched) Write(text []byte) (int, error) {
	n, err := w.kept.Write(text)
	if w.part != "" && bytes.Contains(w.kept.Bytes(), []byte(w.part)) {
		w.said()
	}
	return n, err
}
