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
	"github.com/tarspay-payouts/orchestrator/internal/report"
)

// patience is the time limit of a demo without plain orders. Each plain order adds
// patiencePlain.
const (
	patience      = 5 * time.Minute
	patiencePlain = 100 * time.Millisecond
)

// errTooLong means that an order did not end in time.
var errTooLong = errors.New("the demo took too long")

// errBroken means that an expectation of the demo failed.
var errBroken = errors.New("an expectation of the demo failed: see the lines that begin with \"broken\"")

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
		Short: "Run orders through the whole stack and check how they end",
		Long: `Starts the whole stack in a new directory (a Temporal server, the stand-in
gateway, the worker, the receiver, the api). Sends orders through it, most with a fault,
and a file of payouts. Checks how every order ends, every payment in the gateway's
records, every balance, and that a receiver of webhooks gets every event. Writes the report
of the day of every merchant as a page of HTML, and prints where it is.

Prints a table for people; the last line is a summary in JSON. The exit status
is 0 only if every check passed.`,
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
	flags.BoolVar(&options.keep, "keep", false, "keep the data directory with the logs and databases")
	flags.BoolVar(&options.killWorker, "kill-worker", false, "kill the worker (SIGKILL) in the middle and start it again")
	return cmd
}

// demo is one run.
type demo struct {
	demoOptions
	out   io.Writer // the table and the summary
	notes io.Writer // progress messages
	ink   ink
	begun time.Time

	stack *stack.Stack
	books *ledger.Ledger
	roles []*role
	findings
	finance *finance
	days    []report.Day

	mutex    sync.Mutex
	broken   []string         // expectations that failed, a sentence each
	attempts []refusedAttempt // what was refused
	ended    int
	killAt   int           // the worker is killed when this many orders have ended
	kill     chan struct{} // closed at that moment
}

func runDemo(ctx context.Context, options demoOptions, out, notes io.Writer) (err error) {
	if options.orders < 0 {
		return errors.New("--orders must not be below zero")
	}
	d := &demo{
		demoOptions: options, out: out, notes: notes, ink: inkFor(out), begun: time.Now(),
		killAt: 3 + options.orders/3, kill: make(chan struct{}),
	}
	started, err := stack.Start(ctx, stack.Options{
		DatabaseURL: options.databaseURL, API: true, People: stack.People(""), Progress: notes,
		// Long enough that a callback settles its order on a busy machine, too.
		Settings: map[string]string{"PAYOUTS_CALLBACK_GRACE": "4s"},
	})
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

// leave stops the stack. After a failure, and with --keep, it keeps the data
// directory.
func (d *demo) leave(ctx context.Context, failure error) error {
	if d.keep || (failure != nil && ctx.Err() == nil) {
		d.stack.Keep()
		fmt.Fprintln(d.notes, "data and logs stay in", d.stack.Dir())
	}
	return d.stack.Stop()
}

// run runs every scene to its end and checks the result.
func (d *demo) run(ctx context.Context) (err error) {
	ctx, cancel := d.stack.Guard(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeoutCause(ctx, patience+time.Duration(d.orders)*patiencePlain, errTooLong)
	defer cancel()
	books, err := ledger.Open(ctx, d.stack.DatabaseURL(), ledger.SealWith(d.stack.AuditKeys()), ledger.EncryptWith(d.stack.DataKeys()))
	if err != nil {
		return err
	}
	d.books = books
	defer func() { _ = books.Close() }()
	if d.roles, err = d.makeRoles(); err != nil {
		return err
	}
	if d.finance, err = d.openFinance(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.finance.close()) }()
	if err := d.play(ctx); err != nil {
		// Return the context's cause instead of the error that it led to.
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if errors.Is(err, errTooLong) {
			d.printUnfinished(context.WithoutCancel(ctx))
		}
		return err
	}
	if err := d.inspect(ctx); err != nil {
		return err
	}
	return d.readDays(ctx)
}

// printUnfinished prints the state of every order that has not ended.
func (d *demo) printUnfinished(ctx context.Context) {
	for _, r := range d.roles {
		if r.finished.Load() {
			continue
		}
		row, err := d.books.Order(ctx, r.request.Key())
		if err != nil {
			fmt.Fprintf(d.notes, "%s has not ended: %v\n", r.request.Number, err)
			continue
		}
		fmt.Fprintf(d.notes, "%s is in state %s and must end as %s %s\n", r.request.Number, row.State, r.want.state, row.Reason.Text)
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
