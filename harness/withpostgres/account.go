package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as: the current user, unless that is root, because
// PostgreSQL refuses to run as root.
type account struct {
	uid, gid int
	drop     bool // from root to uid and gid
}

// serverAccount returns the current user; for root, an unprivileged account that exists on
// every system.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return account{}, err
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return account{}, err
		}
		return account{uid, gid, true}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

// command prepares a program of the server's to run as the account, in a folder
// the account can enter.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // a program of the PostgreSQL that was found
	cmd.Dir = dir
	// The locale is fixed because on macOS a server without one does not start.
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // ids of the system's own
	}
	return cmd
}

// makeDir makes a temporary folder that belongs to the account.
func makeDir(a account) (string, error) {
	parents := []string{os.TempDir()}
	if a.drop {
		// root's TMPDIR may be a place where nobody else can go.
		parents = append(parents, "/tmp", "/var/tmp")
	}
	for _, parent := range parents {
		if a.drop && !everyoneCanEnter(parent) {
			continue
		}
		dir, err := os.MkdirTemp(parent, "withpostgres-")
		if err != nil {
			return "", err
		}
		if a.drop {
			if err := os.Chown(dir, a.uid, a.gid); err != nil {
				return "", errors.Join(err, os.Remove(dir))
			}
		}
		return dir, nil
	}
	return "", fmt.Errorf("no temporary folder the server can reach: tried %v", parents)
}

// everyoneCanEnter reports whether every folder down to dir lets others pass.
func everyoneCanEnter(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
