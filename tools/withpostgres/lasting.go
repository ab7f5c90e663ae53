package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"
)

// runLasting makes a cluster that stays, or serves one.
func runLasting(args []string, signals <-chan os.Signal) int {
	var dir, primary string
	var port int
	var fresh bool
	flags := flag.NewFlagSet("withpostgres", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flags.BoolVar(&fresh, "make", false, "")
	flags.StringVar(&dir, "serve", "", "")
	flags.StringVar(&primary, "standby-of", "", "")
	flags.IntVar(&port, "port", 0, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || fresh != (dir == "") || (dir != "" && (port <= 0 || primary != "")) {
		flags.Usage()
		return 2
	}
	ctx, cancel := untilSignal(signals)
	defer cancel(nil)
	err := interruptedOr(ctx, lastingCommand(ctx, dir, port, primary))
	var interrupt interruptedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &interrupt) && dir == "":
		return 128 + int(interrupt.signal)
	case errors.As(err, &interrupt):
		return 0 // how serving is meant to end
	}
	say("%v", err)
	return 1
}

func lastingCommand(ctx context.Context, dir string, port int, primary string) error {
	binaries, err := findOrInstall(ctx)
	if err != nil {
		return err
	}
	account, err := serverAccount()
	if err != nil {
		return err
	}
	if dir != "" {
		return serve(ctx, account, binaries, dir, port)
	}
	c := &cluster{}
	if c.dir, err = makeDir(account); err != nil {
		return err
	}
	if primary == "" {
		err = c.initialize(ctx, account, binaries)
	} else {
		err = c.copyOf(ctx, account, binaries, primary)
	}
	if err != nil {
		return errors.Join(err, c.stop())
	}
	fmt.Println(c.dir)
	return nil
}

// restartPause is how long a server that did not start is left alone.
const restartPause = 100 * time.Millisecond

// serve runs a server on a cluster until the context ends. After a SIGKILL
// what is left of the server before may still hold the data for a moment: it
// is tried again.
func serve(ctx context.Context, account account, binaries, dir string, port int) error {
	c := &cluster{dir: dir}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := c.startServer(starting, account, binaries, port, lasting)
		if err == nil {
			break
		}
		if !errors.Is(err, errServerExited) {
			return errors.Join(fmt.Errorf("starting PostgreSQL: %w\n%s", err, c.logTail()), c.end(syscall.SIGQUIT))
		}
		select {
		case <-starting.Done():
			return fmt.Errorf("starting PostgreSQL: %w\n%s", err, c.logTail())
		case <-time.After(restartPause):
		}
	}
	select {
	case <-c.exited:
		return fmt.Errorf("PostgreSQL ended by itself\n%s", c.logTail())
	case <-ctx.Done():
		return c.end(syscall.SIGINT) // PostgreSQL's "fast shutdown": sessions are ended, data is left in order
	}
}
