package campaign

import (
	"context"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// Signals of mainWorkflow.
const (
	signalLate = "late" // a callback came after its order's end
	signalStop = "stop" // the calls do not end: stop the world

	signalAdopt   = "adopt"   // an operator adopts an order
	signalBare    = "bare"    // an operator acts on an order that no workflow drives
	signalCompare = "compare" // the schedules are due

	signalRestored = "restored" // an older copy of the ledger was restored
)

// mainWorkflow starts each order at its time, and a workflow for each late callback. It
// returns at the end of the world.
func (w *world) mainWorkflow(ctx workflow.Context) error {
	living := 0
	begin := func(run func(workflow.Context)) {
		living++
		workflow.Go(ctx, func(ctx workflow.Context) {
			run(ctx)
			living--
		})
	}
	for _, l := range w.orders {
		begin(func(ctx workflow.Context) {
			// Relative to the world's beginning: on a busy machine this coroutine starts later.
			start := w.begun.Add(after(l.Start) + l.phase)
			if l.err = workflow.Sleep(ctx, start.Sub(workflow.Now(ctx))); l.err == nil {
				w.drive(ctx, l, l.Again)
			}
		})
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var input contract.LateCallbackInput
			workflow.GetSignalChannel(ctx, signalLate).Receive(ctx, &input)
			begin(func(ctx workflow.Context) {
				err := workflow.ExecuteChildWorkflow(ctx, contract.LateCallbackType, input).Get(ctx, nil)
				w.must(err, input.Key.Number, "the workflow of a late callback failed")
			})
		}
	})
	w.handleSignals(ctx, begin)
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, signalStop).Receive(ctx, nil)
		w.stopped = true
	})
	if _, err := workflow.AwaitWithTimeout(ctx, quiet, func() bool { return w.stopped }); err != nil {
		return err
	}
	_, err := workflow.AwaitWithTimeout(ctx, time.Hour, func() bool { return w.stopped || living == 0 })
	return err
}

// drive runs an order's workflow until it ends or is terminated.
func (w *world) drive(ctx workflow.Context, l *trackedOrder, again bool) {
	l.lost = false
	l.err = w.runOrder(ctx, l, again)
	if isLost(l.err) {
		l.err, l.lost = nil, true
		return
	}
	l.ended = l.err == nil
}

func (w *world) runOrder(ctx workflow.Context, l *trackedOrder, again bool) error {
	name := contract.WorkflowType(l.request.Kind)
	id := contract.WorkflowID(l.request.Key())
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id})
	child := workflow.ExecuteChildWorkflow(ctx, name, l.request)
	var started workflow.Execution
	if err := child.GetChildWorkflowExecution().Get(ctx, &started); err != nil {
		return err
	}
	run := w.began(id, started.RunID)
	w.setRunning(id, true)
	err := child.Get(ctx, &l.view)
	w.ended(run, err)
	w.setRunning(id, false)
	if err != nil || !again {
		return err
	}
	l.first = l.view
	if err := workflow.Sleep(ctx, time.Minute); err != nil || w.drives(l) {
		return err
	}
	return w.runOrder(ctx, l, false)
}

func (w *world) setRunning(id string, running bool) {
	w.mutex.Lock()
	w.running[id] = running
	w.mutex.Unlock()
	w.wakeSweep()
}

// idleSweeps is how many sweeps must find nothing before sweeping pauses. A callback that
// was signalled to a workflow as it ended is found some seconds later.
const idleSweeps = 2

// maxEmptySweeps bounds the pause between sweeps. Each sweep that delivers nothing,
// because no workflow drives the order, doubles the pause. Any event resets it.
const maxEmptySweeps = idleSweeps + 6

// wakeSweep resumes sweeping the inbox every minute, after a callback came or a workflow
// started or ended. It may be called on any goroutine.
func (w *world) wakeSweep() {
	w.mutex.Lock()
	w.sweepsLeft, w.emptySweeps = idleSweeps, 0
	w.mutex.Unlock()
	w.env.RegisterDelayedCallback(w.scheduleSweep, 0)
}

func (w *world) scheduleSweep() {
	if w.sweepScheduled {
		return
	}
	w.sweepScheduled = true
	w.mutex.Lock()
	wait := time.Minute << max(min(w.emptySweeps, maxEmptySweeps)-idleSweeps, 0)
	w.mutex.Unlock()
	now := w.env.Now()
	w.env.RegisterDelayedCallback(w.sweep, now.Truncate(time.Minute).Add(wait).Sub(now))
}

// sweep sweeps the inbox, and schedules the next sweep unless sweepsLeft is zero.
func (w *world) sweep() {
	w.sweepScheduled = false
	w.gateway.AdvanceTo(w.env.Now())
	w.mutex.Lock()
	w.sweeping, w.sweepsLeft = true, w.sweepsLeft-1
	w.mutex.Unlock()
	swept, err := w.deliverer.Sweep(w.ctx)
	if !w.ledgerAway() {
		w.must(err, "", "the inbox cannot be swept")
	}
	w.mutex.Lock()
	if swept.Pending > 0 {
		w.sweepsLeft = idleSweeps
	}
	if w.emptySweeps++; swept.Delivered > 0 {
		w.emptySweeps = 0
	}
	waiting, restless := w.waiting, w.sweepsLeft > 0
	w.sweeping, w.waiting = false, nil
	w.mutex.Unlock()
	// A sweep delivers on several goroutines, in any order.
	slices.SortFunc(waiting, func(a, b signal) int { return strings.Compare(a.id, b.id) })
	for _, s := range waiting {
		w.env.RegisterDelayedCallback(s.send, s.phase)
	}
	if restless {
		w.scheduleSweep()
	}
	w.scheduleGateway()
}

// signal is a signal or start that the receiver sends to Temporal.
type signal struct {
	id    string // of the callback
	phase time.Duration
	send  func()
}

// server implements the part of Temporal's client that the receiver uses.
type server world

// SignalWorkflow signals a running workflow. The signal is sent later, on the
// environment's goroutine. If the workflow ends before, the signal is lost, as on a
// server.
func (s *server) SignalWorkflow(_ context.Context, id, _, name string, argument any) error {
	w := (*world)(s)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.under[SpellTemporal] {
		return serviceerror.NewUnavailable("away")
	}
	if !w.running[id] {
		return serviceerror.NewNotFound("no such workflow is running")
	}
	callback, _ := argument.(contract.CallbackSignalInput)
	w.sendSignal(signal{id: callback.ID, phase: w.phaseOf(id), send: func() { _ = w.env.SignalWorkflowByID(id, name, argument) }})
	return nil
}

// DescribeWorkflowExecution describes a running workflow.
func (s *server) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	w := (*world)(s)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.under[SpellTemporal] {
		return nil, serviceerror.NewUnavailable("away")
	}
	return w.described(id)
}

// described returns the description of a running workflow, or NotFound. The caller holds
// the lock.
func (w *world) described(id string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if !w.running[id] {
		return nil, serviceerror.NewNotFound("no such workflow is running")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Type:   &commonpb.WorkflowType{Name: w.typeOf(id)}, TaskQueue: contract.Queue,
	}}, nil
}

// typeOf returns the type of an order's workflow.
func (w *world) typeOf(id string) string { return contract.WorkflowType(w.drivenBy(id).request.Kind) }

// ExecuteWorkflow starts the workflow of a late callback, once.
func (s *server) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, arguments ...any) (client.WorkflowRun, error) {
	w := (*world)(s)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.under[SpellTemporal] {
		return nil, serviceerror.NewUnavailable("away")
	}
	if w.late[options.ID] && options.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE {
		if w.plan.Older != nil { // the restored ledger may lack what that workflow did, so the callback is swept again later
			w.env.RegisterDelayedCallback(w.wakeSweep, lateCallbackCheck)
		}
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("started before", "", "")
	}
	w.late[options.ID] = true
	input, _ := arguments[0].(contract.LateCallbackInput)
	id := contract.WorkflowID(input.Key)
	w.sendSignal(signal{id: input.CallbackID, phase: w.phaseOf(id), send: func() { w.env.SignalWorkflow(signalLate, input) }})
	return nil, nil //nolint:nilnil // the receiver does not use the run
}

// sendSignal sends a signal at once, or at the end of a running sweep. The caller holds
// the lock.
func (w *world) sendSignal(s signal) {
	if w.sweeping {
		w.waiting = append(w.waiting, s)
		return
	}
	w.env.RegisterDelayedCallback(s.send, 0)
}

// phaseOf returns the offset within a second of the order that a workflow drives.
func (w *world) phaseOf(id string) time.Duration { return w.drivenBy(id).phase }

// drivenBy returns the order that a workflow drives; an empty order if it drives none.
func (w *world) drivenBy(id string) *trackedOrder {
	for _, l := range w.orders {
		if contract.WorkflowID(l.request.Key()) == id {
			return l
		}
	}
	return new(trackedOrder)
}
