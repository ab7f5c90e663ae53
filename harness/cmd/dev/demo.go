package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// patience bounds a demo without plain orders; each plain order adds a little.
const (
	patience      = 3 * time.Minute
	patiencePlain = 100 * time.Millisecond
)

// errTooLong is the end of a demo in which an order did not come to its end.
var errTooLong = errors.New("the demo took too long")

// errBroken is the end of a demo in which something did not hold.
var errBroken = errors.New("the demo did not go as it must")

type demoOptions struct {
	databaseURL string
	orders      int
	keep        bool
	killWorker  bool
}

func demoCommand() *cobra.Command {
	var options demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run real orders through the whole stack and check how they end",
		Long: `Starts the whole stack in a directory of its own (a Temporal server, the
stand-in gateway, the worker, the receiver), sends orders through it for which
all kinds of things go wrong, and checks every end, every payment in the
gateway's book and every balance.

Prints a table for people; the last line is a summary in JSON. The exit status
is 0 only if everything held.`,
		Example: `  dev demo
  dev demo --orders 200 --kill-worker
  dev demo --database-url postgres://postgres@127.0.0.1/postgres?sslmode=disable`,
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), options, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.databaseURL, "database-url", "", "PostgreSQL database for the ledger, in a schema of its own (default: an SQLite file)")
	flags.IntVar(&options.orders, "orders", 0, "number of plain orders in addition to the usual ones")
	flags.BoolVar(&options.keep, "keep", false, "keep the data directory with the logs and books")
	flags.BoolVar(&options.killWorker, "kill-worker", false, "kill the worker (SIGKILL) in the middle and start it again")
	return cmd
}

// demo is one run.
type demo struct {
	demoOptions
	out   io.Writer // the table and the summary
	notes io.Writer // what happens meanwhile
	ink   ink
	begun time.Time

	stack *stack.Stack
	books *ledger.Ledger
	roles []*role
	findings

	mutex  sync.Mutex
	broken []string // what did not hold, a sentence each
	doors  []door   // what was refused
	ended  int
	killAt int           // so many orders have ended
	kill   chan struct{} // closed then
}

func runDemo(ctx context.Context, options demoOptions, out, notes io.Writer) (err error) {
	if options.orders < 0 {
		return errors.New("--orders must not be below zero")
	}
	d := &demo{
		demoOptions: options, out: out, notes: notes, ink: inkFor(out), begun: time.Now(),
		killAt: 3 + options.orders/3, kill: make(chan struct{}),
	}
	started, err := stack.Start(ctx, stack.Options{DatabaseURL: options.databaseURL, Progress: notes})
	if err != nil {
		return err
	}
	d.stack = started
	defer func() { err = errors.Join(err, d.leave(ctx, err)) }()
	if err := d.run(ctx); err != nil {
		return err
	}
	return d.report()
}

// leave stops the stack. What there is to look into is kept.
func (d *demo) leave(ctx context.Context, failure error) error {
	if d.keep || (failure != nil && ctx.Err() == nil) {
		d.stack.Keep()
		fmt.Fprintln(d.notes, "data and logs stay in", d.stack.Dir())
	}
	return d.stack.Stop()
}

// run runs every scene to its end and checks the result.
func (d *demo) run(ctx context.Context) error {
	ctx, cancel := d.stack.Guard(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeoutCause(ctx, patience+time.Duration(d.orders)*patiencePlain, errTooLong)
	defer cancel()
	books, err := ledger.Open(ctx, d.stack.DatabaseURL())
	if err != nil {
		return err
	}
	d.books = books
	defer func() { _ = books.Close() }()
	if d.roles, err = d.cast(); err != nil {
		return err
	}
	if err := d.play(ctx); err != nil {
		// The cause of the context's end says more than the error that follows from it.
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if errors.Is(err, errTooLong) {
			d.tellUnfinished(context.WithoutCancel(ctx))
		}
		return err
	}
	return d.inspect(ctx)
}

// tellUnfinished says where the orders stand that have not come to their end.
func (d *demo) tellUnfinished(ctx context.Context) {
	for _, r := range d.roles {
		if r.finished.Load() {
			continue
		}
		row, err := d.books.Order(ctx, r.request.Key())
		if err != nil {
			fmt.Fprintf(d.notes, "%s has not ended: %v\n", r.request.Number, err)
			continue
		}
		fmt.Fprintf(d.notes, "%s stands at %s and must end %s %s\n", r.request.Number, row.State, r.want.state, row.Reason.Text)
	}
}

// expect records a sentence if a condition does not hold.
func (d *demo) expect(holds bool, sentence string, values ...any) {
	if holds {
		return
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.broken = append(d.broken, fmt.Sprintf(sentence, values...))
}
