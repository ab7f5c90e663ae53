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
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// signalTimeout limits one call to Temporal. A callback that is not delivered in
// that time stays in the inbox for the sweep.
const signalTimeout = 2 * time.Second

// idPart is the number of characters of an inbox id in a late callback's workflow
// id.
const idPart = 16

// Temporal is the part of client.Client that deliveries need.
type Temporal interface {
	// SignalWorkflow signals a running workflow. The error is NotFound if there is
	// none.
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	// DescribeWorkflowExecution describes a workflow. The error is NotFound if
	// there is none.
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	// ExecuteWorkflow starts a workflow.
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

// Outcome is the result of one attempt to deliver a callback.
type Outcome string

// The outcomes.
const (
	Signalled Outcome = "signalled" // the order's workflow has it
	Diverted  Outcome = "late"      // the order had ended: a late-callback workflow has it
	Unmatched Outcome = "unmatched" // there is no such order
	Waiting   Outcome = "waiting"   // Temporal or the ledger may be away: the sweep tries again
	Refused   Outcome = "refused"   // this callback alone cannot be delivered: the sweep tries again, and the operators' queue lists it
	Orphaned  Outcome = "orphaned"  // the order is open and its workflow is gone: the sweep tries again
	Busy      Outcome = "busy"      // another request or process delivers it, or has delivered it: nothing is to do
)

// Deliverer delivers callbacks from the inbox to workflows. It delivers a callback
// at least once, and the workflows accept repetitions. It is safe for concurrent
// use, also by several processes.
type Deliverer struct {
	ledger   *ledger.Ledger
	temporal Temporal
	metrics  *Metrics
	log      *slog.Logger

	batch    int          // callbacks that one sweep reads, in addition to stuck
	stuck    atomic.Int64 // callbacks that the last complete sweep could not deliver although it delivered others
	mutex    sync.Mutex
	inFlight map[string]struct{}    // inbox ids being delivered by this process, and those of unmarked
	unmarked []string               // inbox ids that were signalled, and wait for markAll
	marks    atomic.Bool            // Run calls markAll
	orphans  map[order.Key]struct{} // orders that have been warned of
}

// NewDeliverer returns a deliverer.
func NewDeliverer(l *ledger.Ledger, temporal Temporal, metrics *Metrics, log *slog.Logger) *Deliverer {
	return &Deliverer{
		ledger: l, temporal: temporal, metrics: metrics, log: log,
		batch:    sweepBatch,
		inFlight: make(map[string]struct{}),
		orphans:  make(map[order.Key]struct{}),
	}
}

// Deliver delivers one stored callback. It marks it in the inbox, unless Run marks it later.
// After an error, which it logs, the callback stays pending.
func (d *Deliverer) Deliver(ctx context.Context, id string, key order.Key) Outcome {
	if !d.claim(id) {
		return Busy
	}
	outcome, err := d.deliver(ctx, id, key)
	marked := outcome == Signalled && d.markLater(id)
	if !marked {
		defer d.release(id)
	}
	if outcome == Signalled && !marked {
		outcome, err = d.mark(ctx, id, ledger.Signalled, Signalled)
	}
	return d.record(ctx, id, key, outcome, err)
}

// redeliver delivers a callback that was read earlier, unless another process has
// delivered it since.
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
		return d.record(ctx, entry.ID, entry.Key(), Refused, errors.New(entry.Problem))
	case entry.Status == ledger.Signalled:
		return d.followUp(ctx, entry)
	case entry.Status == ledger.Late:
		return d.followUpLate(ctx, entry)
	}
	return d.attempt(ctx, entry.ID, entry.Key())
}

// followUp handles a callback that was signalled before its order ended and that
// the workflow has not applied. While the workflow runs it may still apply it, and
// a second signal would only make its history longer. If the workflow has ended
// without applying it, the callback is handled as a late one.
func (d *Deliverer) followUp(ctx context.Context, entry ledger.InboxEntry) Outcome {
	row, err := d.ledger.Order(ctx, entry.Key())
	if err != nil {
		return d.record(ctx, entry.ID, entry.Key(), Waiting, fmt.Errorf("read the order: %w", err))
	}
	looking, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	described, err := d.temporal.DescribeWorkflowExecution(looking, contract.WorkflowID(row.Key()), "")
	var missing *serviceerror.NotFound
	switch {
	case err != nil && !errors.As(err, &missing):
		return d.record(ctx, entry.ID, entry.Key(), classify(err), fmt.Errorf("describe the order's workflow: %w", err))
	case err == nil && driven(described.GetWorkflowExecutionInfo()):
		return Busy
	}
	outcome, err := d.divert(ctx, entry.ID, entry.Key())
	return d.record(ctx, entry.ID, entry.Key(), outcome, err)
}

// driven reports whether the workflow that has the order's id runs and drives
// orders. Another workflow would not read the callback.
func driven(info *workflowpb.WorkflowExecutionInfo) bool {
	return info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING && contract.HolderOf(info).Kind() != ""
}

// followUpLate handles a late callback that has not been applied for a while. Its
// workflow may still query the gateway. If the workflow was terminated, or lost
// with an older copy of Temporal's database, followUpLate starts it again.
func (d *Deliverer) followUpLate(ctx context.Context, entry ledger.InboxEntry) Outcome {
	row, err := d.ledger.Order(ctx, entry.Key())
	if err != nil {
		return d.record(ctx, entry.ID, entry.Key(), Waiting, fmt.Errorf("read the order: %w", err))
	}
	if !row.State.Terminal() { // an older copy of the ledger was restored: the order's workflow handles the callback
		return d.attempt(ctx, entry.ID, entry.Key())
	}
	looking, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	described, err := d.temporal.DescribeWorkflowExecution(looking, lateID(row.Key(), entry.ID), "")
	var missing *serviceerror.NotFound
	switch {
	case err != nil && !errors.As(err, &missing):
		return d.record(ctx, entry.ID, entry.Key(), classify(err), fmt.Errorf("describe the late callback's workflow: %w", err))
	case err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		if err := d.ledger.MarkCallback(ctx, entry.ID, ledger.Late); err != nil {
			return d.record(ctx, entry.ID, entry.Key(), Waiting, err)
		}
		return Busy
	}
	if err := d.startLate(ctx, row, entry.ID, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE); err != nil {
		return d.record(ctx, entry.ID, entry.Key(), classify(err), fmt.Errorf("start the late callback's workflow again: %w", err))
	}
	d.log.Warn("A late callback's workflow is started again, because it is gone", "order", entry.Key().String(), "callback", entry.ID)
	outcome, err := d.mark(ctx, entry.ID, ledger.Late, Diverted)
	return d.record(ctx, entry.ID, entry.Key(), outcome, err)
}

func (d *Deliverer) attempt(ctx context.Context, id string, key order.Key) Outcome {
	outcome, err := d.deliver(ctx, id, key)
	if outcome == Signalled {
		outcome, err = d.mark(ctx, id, ledger.Signalled, Signalled)
	}
	return d.record(ctx, id, key, outcome, err)
}

// record logs and counts the outcome of an attempt. If this callback alone cannot
// be delivered, record lists it for a person. The sweep lists a callback that
// fails while others are delivered.
func (d *Deliverer) record(ctx context.Context, id string, key order.Key, outcome Outcome, err error) Outcome {
	if err != nil {
		d.log.Warn("A callback waits in the inbox", "order", key.String(), "callback", id, "error", err)
	}
	if outcome == Refused && err != nil {
		d.noteTrouble(ctx, id, err.Error())
	}
	d.metrics.delivery(outcome)
	return outcome
}

// noteTrouble stores why a callback cannot be delivered. If the ledger cannot
// store it, the next attempt does.
func (d *Deliverer) noteTrouble(ctx context.Context, id, why string) {
	if err := d.ledger.ProblemCallback(ctx, id, why); err != nil {
		d.log.Warn("The reason why a callback waits could not be stored", "callback", id, "error", err)
	}
}

// deliver does all but to mark a callback that was Signalled.
func (d *Deliverer) deliver(ctx context.Context, id string, key order.Key) (Outcome, error) {
	row, err := d.ledger.Order(ctx, key)
	if errors.Is(err, ledger.ErrNotFound) {
		d.log.Warn("A callback names an order that does not exist", "order", key.String(), "callback", id)
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
		return classify(err), fmt.Errorf("signal the order's workflow: %w", err)
	}
	d.log.Info("Callback signalled", "order", key.String(), "state", row.State, "callback", id)
	return Signalled, nil
}

// signal signals the order's workflow. It takes the order's key from the ledger,
// not from the callback.
func (d *Deliverer) signal(ctx context.Context, row order.Order, id string) error {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	started := time.Now()
	err := d.temporal.SignalWorkflow(ctx, contract.WorkflowID(row.Key()), "", contract.CallbackSignal, contract.CallbackSignalInput{ID: id})
	d.metrics.signal(time.Since(started))
	return err
}

// divert handles a callback whose order has no open workflow. It reads the order
// again, because the order may have ended meanwhile.
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
		return classify(err), fmt.Errorf("start the late callback's workflow: %w", err)
	}
	d.log.Info("Callback came after the order's end", "order", key.String(), "state", row.State, "callback", id)
	return d.mark(ctx, id, ledger.Late, Diverted)
}

// lateID returns the id of a late callback's workflow.
func lateID(key order.Key, id string) string {
	return fmt.Sprintf("late:%s:%s:%s", key.Merchant, key.Number, id[:min(idPart, len(id))])
}

// startLate starts a late callback's workflow, once per callback: a second start
// has no effect. The caller allows another start by the reuse policy only if the
// first workflow is known to be gone.
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

// classify returns Waiting if Temporal is unavailable, and Refused if Temporal
// refuses this callback.
func classify(err error) Outcome {
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

// maxOrphans limits the number of remembered warnings. Above it, warnings are
// repeated.
const maxOrphans = 10_000

// warnOrphan logs once per order that a person has to check its workflow.
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
