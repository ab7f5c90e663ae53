package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// lastingOptions configure a cluster that is kept.
type lastingOptions struct {
	dir      string // of the cluster to serve; empty: make a cluster
	port     int
	settings []string // of the server, name=value; they override the defaults
	primary  string   // URL of the primary, if the new cluster is a standby
}

// runLasting makes a cluster that is kept, or serves one.
func runLasting(args []string, signals <-chan os.Signal) int {
	var o lastingOptions
	var fresh bool
	flags := flag.NewFlagSet("withpostgres", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flags.BoolVar(&fresh, "make", false, "")
	flags.StringVar(&o.dir, "serve", "", "")
	flags.StringVar(&o.primary, "standby-of", "", "")
	flags.IntVar(&o.port, "port", 0, "")
	flags.Func("set", "", func(setting string) error {
		o.settings = append(o.settings, setting)
		return nil
	})
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || fresh != (o.dir == "") || !o.validate() {
		flags.Usage()
		return 2
	}
	ctx, cancel := untilSignal(signals)
	defer cancel(nil)
	err := interruptedOr(ctx, lastingCommand(ctx, o))
	var interrupt interruptedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &interrupt) && o.dir == "":
		return 128 + int(interrupt.signal)
	case errors.As(err, &interrupt):
		return 0 // how serving is meant to end
	}
	say("%v", err)
	return 1
}

// validate returns an error if the options contradict one another.
func (o lastingOptions) validate() bool {
	if o.dir == "" {
		return o.port == 0 && len(o.settings) == 0
	}
	return o.port > 0 && o.primary == ""
}

func lastingCommand(ctx context.Context, o lastingOptions) error {
	binaries, err := findOrInstall(ctx)
	if err != nil {
		return err
	}
	account, err := serverAccount()
	if err != nil {
		return err
	}
	if o.dir != "" {
		return serve(ctx, account, binaries, o)
	}
	c := &cluster{}
	if c.dir, err = makeDir(account); err != nil {
		return err
	}
	if o.primary == "" {
		err = c.initialize(ctx, account, binaries)
	} else {
		err = c.copyOf(ctx, account, binaries, o.primary)
	}
	if err != nil {
		return errors.Join(err, c.stop())
	}
	fmt.Println(c.dir)
	return nil
}

// restartPause is the pause before a server that did not start is started again.
const restartPause = 100 * time.Millisecond

// serve runs a server on a cluster until the context ends, and prints its URL once it is
// ready. After a SIGKILL what is left of the server before may still hold the data for a
// moment: it is tried again.
func serve(ctx context.Context, account account, binaries string, o lastingOptions) error {
	c := &cluster{dir: o.dir}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := c.startServer(starting, account, binaries, o.port, slices.Concat(lasting, o.settings))
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
	fmt.Println(c.url)
	select {
	case <-c.exited:
		return fmt.Errorf("PostgreSQL ended by itself\n%s", c.logTail())
	case <-ctx.Done():
		return c.end(syscall.SIGINT) // PostgreSQL's "fast shutdown": sessions are ended, data is left in order
	}
}
