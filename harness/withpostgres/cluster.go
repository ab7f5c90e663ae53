package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver the product uses, so a URL that works here works there
)

const (
	startTimeout = 60 * time.Second // initdb is done by then; a loaded machine may take a while
	stopTimeout  = 10 * time.Second // the server itself gives its children 5 s
	portAttempts = 5
)

// settings of the temporary server. It is for concurrent tests whose data is not kept: nothing
// is synced to disk, so commits are several times cheaper, and a crash of the machine destroys
// the cluster. Settings that affect what a transaction sees keep their defaults.
var settings = []string{
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=",
	"max_connections=300",
	"fsync=off",
	"synchronous_commit=off",
	"full_page_writes=off",
}

// lasting are the settings of a server that is killed and started again on its data. A commit
// is written to the kernel before it is answered, so SIGKILL loses none. A crash of the
// machine may lose some, because fsync is off.
var lasting = []string{
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=",
	"max_connections=300",
	"fsync=off",
}

// cluster is a running PostgreSQL server with a data directory of its own.
type cluster struct {
	url    string        // for a superuser, on the database "postgres"
	dir    string        // removed by stop
	server *exec.Cmd     //
	exited chan struct{} // closed when the server process is gone
}

// startCluster makes a cluster with the binaries in the folder given and
// returns once the server answers queries. After an error nothing is left.
func startCluster(ctx context.Context, binaries string) (_ *cluster, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	c := &cluster{}
	if c.dir, err = makeDir(account); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()

	if err := c.initialize(ctx, account, binaries); err != nil {
		return nil, err
	}
	// The port was free when we looked, and may be taken before the server has
	// it (another withpostgres is choosing, too): then look again.
	for range portAttempts {
		var port int
		if port, err = freePort(); err != nil {
			break
		}
		if err = c.startServer(ctx, account, binaries, port, settings); !errors.Is(err, errServerExited) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w\n%s", err, c.logTail())
	}
	return c, nil
}

// initialize makes the data directory. No password: only this machine can
// connect, and there is nothing to take.
func (c *cluster) initialize(ctx context.Context, account account, binaries string) error {
	initdb := account.command(ctx, c.dir, filepath.Join(binaries, "initdb"),
		"-D", c.dataDir(), "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// copyOf makes the data directory from that of a running server, as a standby of
// it that answers questions (a "hot standby").
func (c *cluster) copyOf(ctx context.Context, account account, binaries, primary string) error {
	backup := account.command(ctx, c.dir, filepath.Join(binaries, "pg_basebackup"),
		"-D", c.dataDir(), "-d", primary, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	if out, err := backup.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return nil
}

var errServerExited = errors.New("the server ended at once")

// startServer starts the server on a port and waits for it.
func (c *cluster) startServer(ctx context.Context, account account, binaries string, port int, settings []string) error {
	name := filepath.Base(c.dir)
	args := []string{"-D", c.dataDir(), "-p", strconv.Itoa(port), "-c", "cluster_name=" + name}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own copy

	// Not bound to ctx, which ends when the server is up; stop ends it.
	server := account.command(context.WithoutCancel(ctx), c.dir, filepath.Join(binaries, "postgres"), args...)
	server.Stdout, server.Stderr = log, log
	detach(server.SysProcAttr)
	if err := server.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = server.Wait() // why it ended is in its log
		close(exited)
	}()
	c.server, c.exited = server, exited
	c.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return c.waitUntilReady(ctx, name)
}

// waitUntilReady asks the server for its name until it answers. The name
// matters: had our server lost the port to another one, that one would answer.
func (c *cluster) waitUntilReady(ctx context.Context, name string) error {
	db, err := sql.Open("postgres", c.url)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written

	for {
		var got string
		err := db.QueryRowContext(ctx, "SHOW cluster_name").Scan(&got)
		if err == nil && got == name {
			return nil
		}
		select {
		case <-c.exited:
			return errServerExited
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server and removes everything it wrote. It may be called at any
// point of starting, and again.
func (c *cluster) stop() error {
	// SIGQUIT is PostgreSQL's "immediate shutdown": no last checkpoint of data
	// that is deleted in the next line.
	return errors.Join(c.end(syscall.SIGQUIT), os.RemoveAll(c.dir))
}

// end ends the server with one of PostgreSQL's signals. The error is that of a
// server that had to be killed.
func (c *cluster) end(signal syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	select {
	case <-c.exited:
		return nil
	default:
	}
	_ = c.server.Process.Signal(signal)
	select {
	case <-c.exited:
		return nil
	case <-time.After(stopTimeout):
		_ = c.server.Process.Kill()
		<-c.exited
		return fmt.Errorf("PostgreSQL did not end within %s and was killed", stopTimeout)
	}
}

func (c *cluster) dataDir() string { return filepath.Join(c.dir, "data") }
func (c *cluster) logFile() string { return filepath.Join(c.dir, "server.log") }

// logTail is the end of the server's log, for a person to read.
func (c *cluster) logTail() string {
	const limit = 4 << 10
	f, err := os.Open(c.logFile())
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // only read
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-limit), io.SeekStart)
	}
	tail, _ := io.ReadAll(f)
	return string(tail)
}

// freePort asks the kernel for a port nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a local bind does not wait
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
