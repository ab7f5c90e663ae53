package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A drill restores an older copy of the ledger's database, or of Temporal's. Orders are
// requested before the copy is taken and after it. Some ended workflows are deleted, as
// Temporal's retention does. After the restore the drill runs the commands that
// docs/operations.md names, and callers request every order again, as finance systems do.

// drill describes a drill.
type drill struct {
	name  string
	kind  string   // the process whose data is restored
	data  string   // in the stack's directory
	steps []string // commands of worker that an operator runs before the workers are started again
}

var drills = []drill{
	{name: "ledger", kind: stack.Postgres, data: stack.Postgres, steps: []string{"restored --by amina --why drill"}},
	{name: "temporal", kind: stack.Temporal, data: "temporal.db*"},
}

// drilled is the result of a drill.
type drilled struct {
	Restored string `json:"restored"`
	Orders   int    `json:"orders"`
	Gone     int    `json:"gone"`    // orders that the restored copy did not have
	Forgot   int    `json:"forgot"`  // ended workflows that were deleted
	Adopted  int    `json:"adopted"` // orders that were adopted by the queue's command
	Listed   int    `json:"listed"`  // orders that are in the queue at the end
	Doubles  int    `json:"double_payments"`
	Seconds  int    `json:"seconds"`
}

// Sizes and bounds of a drill.
const (
	ordersBefore  = 12
	ordersAfter   = 18
	drillWithin   = 4 * time.Minute
	commandWithin = time.Minute
	drillSettles  = 10 * time.Second // for orders to end before the copy, and after it
)

// drillScenarios are the scenarios of a drill's orders, in turn.
var drillScenarios = map[order.Kind][]string{
	order.Withdrawal: {"success", "silent-success", "success", "fail", "lost-answer", "stuck", "refund", "success"},
	order.Deposit:    {"success", "silent-success", "partial:40", "expire", "success"},
}

// restoreAll runs every drill.
func (r *run) restoreAll(ctx context.Context) error {
	for i, d := range drills {
		if err := r.restore(ctx, d, uint64(i)); err != nil {
			return fmt.Errorf("restore the %s: %w", d.name, err)
		}
	}
	return nil
}

func (r *run) restore(ctx context.Context, d drill, nth uint64) error {
	begun := time.Now()
	r.say("drill: restore an older copy of the %s", d.name)
	before := drillOrders(r.Seed+nth, ordersBefore, fmt.Sprintf("OLD%d", nth))
	after := drillOrders(r.Seed+nth+1<<32, ordersAfter, fmt.Sprintf("NEW%d", nth))
	r.askAll(ctx, before)
	pause(ctx, drillSettles/2) // some have ended by then
	if err := r.copyData(ctx, d); err != nil {
		return err
	}
	r.askAll(ctx, after)
	pause(ctx, drillSettles)
	for _, kind := range []string{stack.Receiver, stack.Worker, d.kind} {
		if err := r.stopAll(kind); err != nil {
			return err
		}
	}
	if err := r.putBack(ctx, d); err != nil {
		return err
	}
	outcome := drilled{Restored: d.name, Orders: len(before) + len(after)}
	all := slices.Concat(before, after)
	r.drillOrders = append(r.drillOrders, all...)
	if err := r.recover(ctx, d, all, &outcome); err != nil {
		return err
	}
	if err := r.judgeDrill(ctx, all, &outcome); err != nil {
		return err
	}
	outcome.Seconds = int(time.Since(begun) / time.Second)
	r.drilled = append(r.drilled, outcome)
	return nil
}

// drillOrders returns orders with a common prefix of their numbers, each with a scenario.
func drillOrders(seed uint64, count int, prefix string) []*started {
	orders := plan(seed, count, time.Second)
	for i, o := range orders {
		o.habit, o.request.Number = persistent, fmt.Sprintf("%s-%03d", prefix, i+1)
		named := drillScenarios[o.request.Kind]
		o.request.Details[sandbox.ScenarioMember] = named[i%len(named)]
	}
	return orders
}

// askAll requests orders one after the other, each until it is acknowledged.
func (r *run) askAll(ctx context.Context, orders []*started) {
	ctx, cancel := context.WithTimeout(ctx, drillWithin)
	defer cancel()
	for _, o := range orders {
		r.start(ctx, o)
	}
}

func (r *run) stopAll(kind string) error {
	for _, name := range r.stack.Names(kind) {
		if err := r.stack.Terminate(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) launchAll(ctx context.Context, kinds ...string) error {
	for _, kind := range kinds {
		for _, name := range r.stack.Names(kind) {
			if err := r.stack.Launch(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyData copies a process's data while the process is stopped.
func (r *run) copyData(ctx context.Context, d drill) error {
	if err := r.stopAll(d.kind); err != nil {
		return err
	}
	copied := r.copyOf(d)
	if err := os.MkdirAll(copied, 0o755); err != nil { //nolint:gosec // PostgreSQL's account enters it
		return err
	}
	files, err := r.dataOf(d)
	for _, file := range files {
		err = errors.Join(err, copyAll(ctx, file, copied))
	}
	return errors.Join(err, r.launchAll(ctx, d.kind))
}

func (r *run) copyOf(d drill) string { return filepath.Join(r.stack.Dir(), "copy-of-"+d.name) }

// dataOf returns the files of a process, with links resolved.
func (r *run) dataOf(d drill) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(r.stack.Dir(), d.data))
	for i := range found {
		if found[i], err = filepath.EvalSymlinks(found[i]); err != nil {
			return nil, err
		}
	}
	if err == nil && len(found) == 0 {
		err = fs.ErrNotExist
	}
	return found, err
}

// copyAll copies a file or a directory with its owners, into a directory.
func copyAll(ctx context.Context, from, into string) error {
	said, err := exec.CommandContext(ctx, "cp", "-pR", from, into).CombinedOutput() //nolint:gosec // files of our own
	if err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, said)
	}
	return nil
}

// putBack replaces a process's data by the copy, and starts the process.
func (r *run) putBack(ctx context.Context, d drill) error {
	files, err := r.dataOf(d)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.RemoveAll(file); err != nil {
			return err
		}
	}
	copies, err := filepath.Glob(filepath.Join(r.copyOf(d), "*"))
	for _, file := range copies {
		err = errors.Join(err, copyAll(ctx, file, filepath.Dir(files[0])))
	}
	return errors.Join(err, os.RemoveAll(r.copyOf(d)), r.launchAll(ctx, d.kind))
}

// recover follows docs/operations.md.
func (r *run) recover(ctx context.Context, d drill, orders []*started, outcome *drilled) error {
	if err := r.countGone(ctx, d, orders, outcome); err != nil {
		return err
	}
	for _, step := range d.steps {
		if _, err := r.program(ctx, stack.Worker, strings.Fields(step)...); err != nil {
			return err
		}
	}
	if err := r.launchAll(ctx, stack.Worker, stack.Receiver); err != nil {
		return err
	}
	// If the copy lacks a merchant's opening balance, it is booked first.
	if _, err := r.starter(ctx, "reconcile", "--json"); err != nil {
		r.say("%v", err)
	}
	if err := r.forget(ctx, orders, outcome); err != nil {
		return err
	}
	r.askAll(ctx, orders)
	deadline := time.Now().Add(drillWithin)
	for time.Now().Before(deadline) {
		adopted, err := r.adoptQueued(ctx)
		if err != nil {
			return err
		}
		outcome.Adopted += adopted
		if open, err := r.openOf(ctx, orders); err != nil {
			return err
		} else if open == 0 && adopted == 0 {
			return nil
		}
		if !pause(ctx, lookEvery) {
			return ctx.Err()
		}
	}
	return nil
}

// countGone counts the orders that the copy lacks.
func (r *run) countGone(ctx context.Context, d drill, orders []*started, outcome *drilled) error {
	for _, o := range orders {
		var gone bool
		if d.kind == stack.Postgres {
			_, err := r.books.Order(ctx, o.request.Key())
			if gone = errors.Is(err, ledger.ErrNotFound); err != nil && !gone {
				return err
			}
		} else {
			info, err := r.workflow(ctx, contract.WorkflowID(o.request.Key()))
			if gone = info == nil; err != nil {
				return err
			}
		}
		if gone {
			outcome.Gone++
		}
	}
	return nil
}

// forget deletes every third ended workflow from Temporal.
func (r *run) forget(ctx context.Context, orders []*started, outcome *drilled) error {
	for i, o := range orders {
		if i%3 != 0 {
			continue
		}
		info, err := r.workflow(ctx, contract.WorkflowID(o.request.Key()))
		if err != nil {
			return err
		}
		if info == nil || info.GetCloseTime() == nil {
			continue
		}
		_, err = r.stack.Temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: stack.Namespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: contract.WorkflowID(o.request.Key())},
		})
		var missing *serviceerror.NotFound
		if err != nil && !errors.As(err, &missing) {
			return err
		}
		outcome.Forgot++
		for there := true; there && pause(ctx, lookEvery/2); {
			info, err := r.workflow(ctx, contract.WorkflowID(o.request.Key()))
			if err != nil {
				return err
			}
			there = info != nil
		}
	}
	return nil
}

// findOrphans is the schedule that finds orders without a workflow.
const findOrphans = "find-orphans"

// adoptQueued triggers the schedule, and runs each adopt command of the queue.
func (r *run) adoptQueued(ctx context.Context) (adopted int, err error) {
	handle := r.stack.Temporal.ScheduleClient().GetHandle(ctx, findOrphans)
	if err := handle.Trigger(ctx, client.ScheduleTriggerOptions{}); err != nil {
		return 0, fmt.Errorf("trigger %s: %w", findOrphans, err)
	}
	pause(ctx, 4*lookEvery)
	queue, err := r.queue(ctx)
	if err != nil {
		return 0, err
	}
	for _, item := range queue {
		words := strings.Fields(item.Command)
		if len(words) < 2 || words[1] != "adopt" {
			continue
		}
		if said, err := r.starter(ctx, append(words[1:], "--by", "amina")...); err != nil {
			r.say("%s: %.300s", item.Command, said)
			continue
		}
		adopted++
	}
	return adopted, nil
}

// queued is an item of the queue.
type queued struct {
	Kind    string    `json:"kind"`
	Key     order.Key `json:"key"`
	Code    string    `json:"code"`
	Command string    `json:"command"`
}

func (r *run) queue(ctx context.Context) ([]queued, error) {
	said, err := r.starter(ctx, "queue", "--limit", "900", "--json")
	if err != nil {
		return nil, err
	}
	var document struct {
		Queue []queued `json:"queue"`
	}
	if err := json.Unmarshal(said, &document); err != nil {
		return nil, fmt.Errorf("the queue cannot be read: %w: %.200s", err, said)
	}
	return document.Queue, nil
}

// starter runs the operators' command line.
func (r *run) starter(ctx context.Context, arguments ...string) ([]byte, error) {
	return r.program(ctx, "starter", arguments...)
}

// program runs one of our programs, the worker with its own settings.
func (r *run) program(ctx context.Context, name string, arguments ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.scaled(commandWithin))
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(r.stack.Bin(), name), arguments...) //nolint:gosec // a program of ours
	cmd.Env = append(os.Environ(), r.stack.Environment()...)
	if name == stack.Worker {
		cmd.Env = append(cmd.Env, r.stack.WorkerEnvironment()...)
	}
	said, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return append(said, failed.Stderr...), fmt.Errorf("%s %s: %w: %.500s", name, strings.Join(arguments, " "), err, failed.Stderr)
	}
	return said, err
}

// compareTransactions compares every order with the gateway's record of it. The differences
// become discrepancies, which judge checks. The scenario hidden hides an order from the first
// queries, so a refund that no callback tells of is learned from a later one: the comparison is
// repeated while an order is hidden.
func (r *run) compareTransactions(ctx context.Context) {
	for range comparisons {
		if _, err := r.starter(ctx, "reconcile", "--transactions", "--json"); err != nil {
			r.say("%v", err) // a difference is an exit status, too
		}
		hidden, err := r.books.Discrepancies(ctx, ledger.DiscrepancyFilter{Code: codes.DiscrepancyNoRecord, Open: true, Limit: 1})
		if err != nil || len(hidden) == 0 {
			return
		}
		r.say("an order is hidden from queries: comparing again")
	}
}

// comparisons is more than the queries from which the scenario hides an order.
const comparisons = 5

// openOf counts the orders that have not ended and do not wait for a person.
func (r *run) openOf(ctx context.Context, orders []*started) (open int, err error) {
	for _, o := range orders {
		row, err := r.books.Order(ctx, o.request.Key())
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			open++
		case err != nil:
			return 0, err
		case !row.State.Terminal() && row.State != order.InReview:
			open++
		}
	}
	return open, nil
}

// judgeDrill checks that nothing was paid twice, that every order has ended or is in the
// queue, and that a balance which differs from the gateway's is in the queue.
func (r *run) judgeDrill(ctx context.Context, orders []*started, outcome *drilled) error {
	r.compareTransactions(ctx)
	if _, err := r.starter(ctx, "reconcile", "--json"); err != nil {
		r.say("%v", err) // a difference is an exit status, too
	}
	v, err := r.look(ctx)
	if err != nil {
		return err
	}
	queue, err := r.queue(ctx)
	if err != nil {
		return err
	}
	listed, drifting := make(map[order.Key]bool), make(map[string]bool)
	for _, item := range queue {
		listed[item.Key], drifting[item.Key.Merchant] = true, true
	}
	for _, o := range orders {
		r.judgeRestored(v, o, listed[o.request.Key()])
		if listed[o.request.Key()] {
			outcome.Listed++
		}
	}
	before, doubles := r.violations, r.doubles
	r.violations = nil
	if err := errors.Join(r.judgeGateway(ctx, v), r.judgeLedger(ctx, v), r.judgeBalances(ctx, v)); err != nil {
		return err
	}
	outcome.Doubles = r.doubles - doubles
	for _, found := range r.violations {
		// Violations of the run itself are reported already; a listed drift is no violation.
		if !slices.Contains(before, found) && !drifting[found.Order] {
			before = append(before, found)
		}
	}
	r.violations = before
	return nil
}

// judgeRestored checks one order after a restore.
func (r *run) judgeRestored(v view, o *started, listed bool) {
	key := o.request.Key()
	row, written := v.rows[key]
	booked := v.gateway[key]
	name := key.String()
	acknowledged, problem := o.known()
	if problem != "" {
		r.find(name, "after a restore: the repeated request was refused: %s", problem)
	}
	if acknowledged && !written && !listed {
		r.find(name, "after a restore: it was acknowledged, but is neither in the ledger nor in the queue")
	}
	if len(booked) > 1 {
		r.find(name, "after a restore: the gateway has %d orders with its number", len(booked))
	}
	if written && !row.State.Terminal() && !listed {
		r.find(name, "after a restore: it is %s and not in the queue", row.State)
	}
	state := movedThere(-1)
	if len(booked) > 0 {
		state = movedThere(booked[0].State)
	}
	if written && row.State.Terminal() && !listed && moved(row.State) != state {
		r.find(name, "after a restore: ours is %s, the gateway's is %v, and it is not in the queue", row.State, booked)
	}
}
