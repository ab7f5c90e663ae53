package callback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// signalTimeout bounds one call to Temporal. A callback that cannot be passed
// on within it waits in the inbox for the sweep.
const signalTimeout = 2 * time.Second

// idPart is how much of an inbox id goes into a late callback's workflow id.
const idPart = 16

// Temporal is the part of client.Client that deliveries need.
type Temporal interface {
	// SignalWorkflow tells a running workflow; NotFound if there is none.
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	// DescribeWorkflowExecution says whether a workflow runs; NotFound if there is
	// none.
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	// ExecuteWorkflow starts a workflow.
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

// Outcome is what became of one attempt to deliver a callback.
type Outcome string

// The outcomes.
const (
	Signalled Outcome = "signalled" // the order's workflow has it
	Diverted  Outcome = "late"      // the order had ended: a late-callback workflow has it
	Unmatched Outcome = "unmatched" // there is no such order
	Waiting   Outcome = "waiting"   // Temporal or the ledger may be away: the sweep tries again
	Refused   Outcome = "refused"   // it cannot be passed on, for a reason of its own: the sweep tries again, and the queue has it
	Orphaned  Outcome = "orphaned"  // the order is open and its workflow is gone: the sweep tries again
	Busy      Outcome = "busy"      // somebody else is delivering it, or has done so: nothing is to be done now
)

// Deliverer takes callbacks from the inbox to whoever acts on them. A callback
// is delivered at least once; whoever gets it deals with repetitions. It is
// safe for concurrent use, by several processes too.
type Deliverer struct {
	ledger   *ledger.Ledger
	temporal Temporal
	metrics  *Metrics
	log      *slog.Logger

	batch    int          // callbacks that one sweep reads, besides those that are stuck
	stuck    atomic.Int64 // callbacks that the last whole sweep could not deliver for reasons of their own
	mutex    sync.Mutex
	inFlight map[string]struct{}    // inbox ids being delivered by this process
	orphans  map[order.Key]struct{} // orders that have been warned of
}

// NewDeliverer makes a deliverer.
func NewDeliverer(l *ledger.Ledger, temporal Temporal, metrics *Metrics, log *slog.Logger) *Deliverer {
	return &Deliverer{
		ledger: l, temporal: temporal, metrics: metrics, log: log,
		batch:    sweepBatch,
		inFlight: make(map[string]struct{}),
		orphans:  make(map[order.Key]struct{}),
	}
}

// Deliver passes one stored callback on and marks it in the inbox. Whatever
// goes wrong is logged and leaves the callback pending.
func (d *Deliverer) Deliver(ctx context.Context, id string, key order.Key) Outcome {
	if !d.claim(id) {
		return Busy
	}
	defer d.release(id)
	return d.attempt(ctx, id, key)
}

// redeliver delivers a callback that was read a while ago, unless somebody has
// been faster since.
func (d *Deliverer) redeliver(ctx context.Context, entry ledger.InboxEntry) Outcome {
	if !d.claim(entry.ID) {
		return Busy
	}
	defer d.release(entry.ID)
	if now, err := d.ledger.Callback(ctx, entry.ID); err == nil && now.Status != entry.Status {
		return Busy
	}
	switch {
	case entry.Damaged():
		return d.told(ctx, entry.ID, entry.Key(), Refused, errors.New(entry.Problem))
	case entry.Status == ledger.Signalled:
		return d.followUp(ctx, entry)
	case entry.Status == ledger.Late:
		return d.followUpLate(ctx, entry)
	}
	return d.attempt(ctx, entry.ID, entry.Key())
}

// followUp sees to a callback that was signalled before its order ended and that
// nobody acted on. While the workflow runs it may still read it; a second signal
// would only make its history longer, with every sweep. Once it has ended
// without, the callback came too late.
func (d *Deliverer) followUp(ctx context.Context, entry ledger.InboxEntry) Outcome {
	row, err := d.ledger.Order(ctx, entry.Key())
	if err != nil {
		return d.told(ctx, entry.ID, entry.Key(), Waiting, fmt.Errorf("read the order: %w", err))
	}
	looking, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	described, err := d.temporal.DescribeWorkflowExecution(looking, contract.WorkflowID(row.Key()), "")
	var missing *serviceerror.NotFound
	switch {
	case err != nil && !errors.As(err, &missing):
		return d.told(ctx, entry.ID, entry.Key(), held(err), fmt.Errorf("look at the order's workflow: %w", err))
	case err == nil && driven(described.GetWorkflowExecutionInfo()):
		return Busy
	}
	outcome, err := d.divert(ctx, entry.ID, entry.Key())
	return d.told(ctx, entry.ID, entry.Key(), outcome, err)
}

// driven reports whether the workflow that has the order's id runs and is one
// that drives orders: another one reads no callback.
func driven(info *workflowpb.WorkflowExecutionInfo) bool {
	return info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING && contract.HolderOf(info).Kind() != ""
}

// followUpLate sees to a late callback that nobody has acted on for a while. Its
// workflow may still ask the gateway; one that was terminated, or lost with an
// older copy of Temporal's database, is started again.
func (d *Deliverer) followUpLate(ctx context.Context, entry ledger.InboxEntry) Outcome {
	row, err := d.ledger.Order(ctx, entry.Key())
	if err != nil {
		return d.told(ctx, entry.ID, entry.Key(), Waiting, fmt.Errorf("read the order: %w", err))
	}
	if !row.State.Terminal() { // an older copy of the ledger: its workflow acts on it
		return d.attempt(ctx, entry.ID, entry.Key())
	}
	looking, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	described, err := d.temporal.DescribeWorkflowExecution(looking, lateID(row.Key(), entry.ID), "")
	var missing *serviceerror.NotFound
	switch {
	case err != nil && !errors.As(err, &missing):
		return d.told(ctx, entry.ID, entry.Key(), held(err), fmt.Errorf("look at the late callback's workflow: %w", err))
	case err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		if err := d.ledger.MarkCallback(ctx, entry.ID, ledger.Late); err != nil {
			return d.told(ctx, entry.ID, entry.Key(), Waiting, err)
		}
		return Busy
	}
	if err := d.startLate(ctx, row, entry.ID, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE); err != nil {
		return d.told(ctx, entry.ID, entry.Key(), held(err), fmt.Errorf("start the late callback's workflow again: %w", err))
	}
	d.log.Warn("A late callback is acted on again, because its workflow is gone", "order", entry.Key().String(), "callback", entry.ID)
	outcome, err := d.mark(ctx, entry.ID, ledger.Late, Diverted)
	return d.told(ctx, entry.ID, entry.Key(), outcome, err)
}

func (d *Deliverer) attempt(ctx context.Context, id string, key order.Key) Outcome {
	outcome, err := d.deliver(ctx, id, key)
	return d.told(ctx, id, key, outcome, err)
}

// told logs and counts what became of an attempt. What fails for a reason of its
// own is put before a person; so is what fails while others are passed on, which
// the sweep sees.
func (d *Deliverer) told(ctx context.Context, id string, key order.Key, outcome Outcome, err error) Outcome {
	if err != nil {
		d.log.Warn("A callback waits in the inbox", "order", key.String(), "callback", id, "error", err)
	}
	if outcome == Refused && err != nil {
		d.trouble(ctx, id, err.Error())
	}
	d.metrics.delivery(outcome)
	return outcome
}

// trouble notes why a callback cannot be passed on. If even that fails, it is
// noted the next time.
func (d *Deliverer) trouble(ctx context.Context, id, why string) {
	if err := d.ledger.ProblemCallback(ctx, id, why); err != nil {
		d.log.Warn("It could not be noted why a callback waits", "callback", id, "error", err)
	}
}

func (d *Deliverer) deliver(ctx context.Context, id string, key order.Key) (Outcome, error) {
	row, err := d.ledger.Order(ctx, key)
	if errors.Is(err, ledger.ErrNotFound) {
		d.log.Warn("A callback speaks of an order that does not exist", "order", key.String(), "callback", id)
		return d.mark(ctx, id, ledger.Unmatched, Unmatched)
	}
	if err != nil {
		return Waiting, fmt.Errorf("read the order: %w", err)
	}
	err = d.signal(ctx, row, id)
	var closed *serviceerror.NotFound
	if errors.As(err, &closed) {
		return d.divert(ctx, id, key)
	}
	if err != nil {
		return held(err), fmt.Errorf("signal the order's workflow: %w", err)
	}
	d.log.Info("Callback signalled", "order", key.String(), "state", row.State, "callback", id)
	return d.mark(ctx, id, ledger.Signalled, Signalled)
}

// signal addresses the workflow by the kind that the ledger has, because a
// callback's word alone chooses nothing.
func (d *Deliverer) signal(ctx context.Context, row order.Order, id string) error {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	started := time.Now()
	err := d.temporal.SignalWorkflow(ctx, contract.WorkflowID(row.Key()), "", contract.CallbackSignal, contract.CallbackSignalInput{ID: id})
	d.metrics.signal(time.Since(started))
	return err
}

// divert deals with a callback whose order has no open workflow. The order is
// read once more, because it may have ended since it was read.
func (d *Deliverer) divert(ctx context.Context, id string, key order.Key) (Outcome, error) {
	row, err := d.ledger.Order(ctx, key)
	if err != nil {
		return Waiting, fmt.Errorf("read the order again: %w", err)
	}
	if !row.State.Terminal() {
		d.warnOrphan(row)
		return Orphaned, nil
	}
	if err := d.startLate(ctx, row, id, enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE); err != nil {
		return held(err), fmt.Errorf("start the late callback's workflow: %w", err)
	}
	d.log.Info("Callback came after the order's end", "order", key.String(), "state", row.State, "callback", id)
	return d.mark(ctx, id, ledger.Late, Diverted)
}

// lateID is the id of the workflow that judges a late callback.
func lateID(key order.Key, id string) string {
	return fmt.Sprintf("late:%s:%s:%s", key.Merchant, key.Number, id[:min(idPart, len(id))])
}

// startLate starts the workflow that judges a late callback, once per
// callback: a second start finds the first. Only when that is known to be gone
// may another one follow it.
func (d *Deliverer) startLate(ctx context.Context, row order.Order, id string, again enums.WorkflowIdReusePolicy) error {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	key := row.Key()
	options := client.StartWorkflowOptions{
		ID:                       lateID(key, id),
		TaskQueue:                contract.Queue,
		WorkflowIDReusePolicy:    again,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            fmt.Sprintf("callback after the end of %s %s", row.Kind, key.Number),
	}
	input := contract.LateCallbackInput{Kind: row.Kind, Key: key, CallbackID: id}
	_, err := d.temporal.ExecuteWorkflow(ctx, options, contract.LateCallbackType, input)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) {
		return nil
	}
	return err
}

// held tells a Temporal that is away from one that refuses this one callback.
func held(err error) Outcome {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	if errors.As(err, &unavailable) || errors.As(err, &late) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Waiting
	}
	return Refused
}

func (d *Deliverer) mark(ctx context.Context, id string, status ledger.InboxStatus, outcome Outcome) (Outcome, error) {
	if err := d.ledger.MarkCallback(ctx, id, status); err != nil {
		return Waiting, fmt.Errorf("mark the callback %s: %w", status, err)
	}
	return outcome, nil
}

// maxOrphans bounds the memory of warnings; past it, they are repeated.
const maxOrphans = 10_000

// warnOrphan says once per order that somebody must look.
func (d *Deliverer) warnOrphan(row order.Order) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if _, warned := d.orphans[row.Key()]; warned {
		return
	}
	if len(d.orphans) >= maxOrphans {
		clear(d.orphans)
	}
	d.orphans[row.Key()] = struct{}{}
	d.log.Warn("A callback waits for an order that has not ended and has no open workflow; was the workflow terminated?",
		"order", row.Key().String(), "state", row.State, "workflow", contract.WorkflowID(row.Key()))
}

func (d *Deliverer) claim(id string) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if _, taken := d.inFlight[id]; taken {
		return false
	}
	d.inFlight[id] = struct{}{}
	return true
}

func (d *Deliverer) release(id string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.inFlight, id)
}
