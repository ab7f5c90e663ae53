package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// errNoPostgres is what a person reads when nothing worked.
var errNoPostgres = errors.New("no PostgreSQL server found, and none could be installed: " +
	"install one (Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; " +
	"Alpine: apk add postgresql; macOS: brew install postgresql@16), " +
	"or set " + envURL + " to a server where the tests may create databases")

// findOrInstall returns the folder that holds `initdb` and `postgres`.
//
// The package manager comes before the embedded download because its server is
// the one security updates reach; the download is for machines where we may
// not install anything.
func findOrInstall(ctx context.Context) (string, error) {
	if dir := find(); dir != "" {
		return dir, nil
	}
	if err := install(ctx); err != nil {
		say("%v", err)
	} else if dir := find(); dir != "" {
		return dir, nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := download(); err != nil {
		say("%v", err)
	} else if dir := find(); dir != "" {
		return dir, nil
	}
	return "", errNoPostgres
}

// find looks where PostgreSQL is usually kept. Distributions keep the server's
// binaries off the PATH so that versions can live side by side.
func find() string {
	dirs := []string{}
	for _, name := range []string{"postgres", "initdb"} {
		if path, err := exec.LookPath(name); err == nil {
			dirs = append(dirs, linkTarget(path))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil { //nolint:noctx // prints a line and ends
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // the PostgreSQL project's RPMs
		"/usr/lib/postgresql*/bin",          // SUSE
		"/usr/libexec/postgresql*",          // Alpine
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/Library/PostgreSQL/*/bin",
		"/opt/local/lib/postgresql*/bin", // MacPorts
		"/usr/local/pgsql/bin",           // built from source
	} {
		matches, _ := filepath.Glob(pattern) // fails only for a malformed pattern
		slices.SortStableFunc(matches, newestFirst)
		dirs = append(dirs, matches...)
	}
	if dir, err := downloadDir(); err == nil {
		dirs = append(dirs, filepath.Join(dir, "bin"))
	}
	for _, dir := range dirs {
		if isExecutable(filepath.Join(dir, "initdb")) && isExecutable(filepath.Join(dir, "postgres")) {
			return dir
		}
	}
	return ""
}

// linkTarget is the folder of the real file: a link to `initdb` alone, in a folder without
// `postgres`, leads to the folder with both.
func linkTarget(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return filepath.Dir(path)
}

// newestFirst orders folders by the version number in their name, 17 before 9.6.
func newestFirst(a, b string) int {
	va, vb := versionIn(a), versionIn(b)
	switch {
	case va > vb:
		return -1
	case va < vb:
		return 1
	}
	return 0
}

// versionIn returns the major version in a path such as
// /usr/lib/postgresql/15/bin or /opt/homebrew/opt/postgresql@16/bin, 0 if none.
func versionIn(path string) int {
	start := strings.IndexAny(path, "0123456789")
	if start < 0 {
		return 0
	}
	digits := path[start:]
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	version, _ := strconv.Atoi(digits)
	return version
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// installers are tried in order; the first whose program exists is used.
var installers = []struct {
	program  string
	needRoot bool
	command  []string
}{
	// Debian's package would also create and start a cluster of its own on port
	// 5432. Nobody asked for that, so it is told not to, for this once.
	{"apt-get", true, []string{"sh", "-c", `
set -e
export DEBIAN_FRONTEND=noninteractive
quiet=/etc/postgresql-common/createcluster.d/withpostgres.conf
mkdir -p "$(dirname "$quiet")"
trap 'rm -f "$quiet"' EXIT
echo 'create_main_cluster = false' > "$quiet"
apt-get update -q
apt-get install -q -y --no-install-recommends postgresql`}},
	{"dnf", true, []string{"dnf", "install", "-y", "postgresql-server"}},
	{"apk", true, []string{"apk", "add", "postgresql"}},
	{"brew", false, []string{"brew", "install", "postgresql@16"}},
}

// install asks the machine's package manager, if we may: as root, or with a
// sudo that asks no password. It says what it does before it does it.
func install(ctx context.Context) error {
	for _, i := range installers {
		if _, err := exec.LookPath(i.program); err != nil {
			continue
		}
		command := i.command
		if i.needRoot && os.Geteuid() != 0 {
			if exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
				continue
			}
			command = append([]string{"sudo", "-n"}, command...)
		}
		say("no PostgreSQL server on this machine; installing it with %s", i.program)
		// Not bound to ctx: a package manager killed half-way leaves a mess.
		cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // one of the constants above
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("installing PostgreSQL with %s: %w", i.program, err)
		}
		return nil
	}
	return errors.New("no package manager here that may be used without a password")
}

// download fetches PostgreSQL's binaries into the user's cache folder. The
// library only hands them out by running a server, so one is started and
// stopped; that happens once, since the next run finds them in the cache.
func download() error {
	if os.Geteuid() == 0 {
		// The library's server would run as us, and PostgreSQL refuses root.
		return errors.New("downloading PostgreSQL is only done for a user other than root")
	}
	dir, err := downloadDir()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	firstRun, err := os.MkdirTemp("", "withpostgres-first-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(firstRun) //nolint:errcheck // a leftover in the temporary folder is no reason to fail
	say("no PostgreSQL server on this machine; downloading one into %s", dir)
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V16).
		CachePath(dir).
		BinariesPath(dir).
		RuntimePath(firstRun).
		StartParameters(map[string]string{"unix_socket_directories": ""}).
		Port(uint32(port)). //nolint:gosec // a port fits
		Logger(nil))
	if err := server.Start(); err != nil {
		return fmt.Errorf("downloading PostgreSQL: %w", err)
	}
	return server.Stop()
}

func downloadDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "withpostgres-16"), nil
}
