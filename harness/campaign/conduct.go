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

// Signals of the workflow that starts all others.
const (
	signalLate = "late" // a callback came after its order's end
	signalStop = "stop" // it would go on for ever

	signalAdopt   = "adopt"   // somebody adopts an order
	signalBare    = "bare"    // somebody acts on an order that no workflow drives
	signalCompare = "compare" // the schedules are due

	signalRestored = "restored" // an older copy of the ledger is in its place
)

// conduct starts every order at its time, and a workflow for each callback that
// came too late, and waits until it is quiet.
func (w *world) conduct(ctx workflow.Context) error {
	living := 0
	begin := func(run func(workflow.Context)) {
		living++
		workflow.Go(ctx, func(ctx workflow.Context) {
			run(ctx)
			living--
		})
	}
	for _, l := range w.lives {
		begin(func(ctx workflow.Context) {
			// Counted from the world's beginning: on a busy machine this one begins later.
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
	w.attend(ctx, begin)
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

// drive lets an order's workflow live until it has ended or is lost.
func (w *world) drive(ctx workflow.Context, l *life, again bool) {
	l.lost = false
	l.err = w.live(ctx, l, again)
	if isLost(l.err) {
		l.err, l.lost = nil, true
		return
	}
	l.ended = l.err == nil
}

func (w *world) live(ctx workflow.Context, l *life, again bool) error {
	name := contract.WorkflowType(l.request.Kind)
	id := contract.WorkflowID(l.request.Key())
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id})
	child := workflow.ExecuteChildWorkflow(ctx, name, l.request)
	var started workflow.Execution
	if err := child.GetChildWorkflowExecution().Get(ctx, &started); err != nil {
		return err
	}
	run := w.began(id, started.RunID)
	w.set(id, true)
	err := child.Get(ctx, &l.view)
	w.ended(run, err)
	w.set(id, false)
	if err != nil || !again {
		return err
	}
	l.first = l.view
	if err := workflow.Sleep(ctx, time.Minute); err != nil || w.drives(l) {
		return err
	}
	return w.live(ctx, l, false)
}

func (w *world) set(id string, running bool) {
	w.mutex.Lock()
	w.running[id] = running
	w.mutex.Unlock()
	w.disturb()
}

// calm is how many sweeps must find nothing before the inbox is left alone:
// what was signalled to a workflow as it ended is found some seconds later.
const calm = 2

// maxFruitless bounds how seldom the inbox is swept of which nothing can be
// delivered, because no workflow drives its order: each sweep in vain doubles
// the wait, until something happens.
const maxFruitless = calm + 6

// disturb has the inbox swept every minute again, because something has come
// or ended. It may be called on any goroutine.
func (w *world) disturb() {
	w.mutex.Lock()
	w.restless, w.fruitless = calm, 0
	w.mutex.Unlock()
	w.env.RegisterDelayedCallback(w.rouse, 0)
}

func (w *world) rouse() {
	if w.roused {
		return
	}
	w.roused = true
	w.mutex.Lock()
	wait := time.Minute << max(min(w.fruitless, maxFruitless)-calm, 0)
	w.mutex.Unlock()
	now := w.env.Now()
	w.env.RegisterDelayedCallback(w.sweep, now.Truncate(time.Minute).Add(wait).Sub(now))
}

// sweep sweeps the inbox, and again a minute later unless it has come to rest.
func (w *world) sweep() {
	w.roused = false
	w.gateway.AdvanceTo(w.env.Now())
	w.mutex.Lock()
	w.sweeping, w.restless = true, w.restless-1
	w.mutex.Unlock()
	swept, err := w.deliverer.Sweep(w.ctx)
	if !w.away() {
		w.must(err, "", "the inbox cannot be swept")
	}
	w.mutex.Lock()
	if swept.Pending > 0 {
		w.restless = calm
	}
	if w.fruitless++; swept.Delivered > 0 {
		w.fruitless = 0
	}
	waiting, restless := w.waiting, w.restless > 0
	w.sweeping, w.waiting = false, nil
	w.mutex.Unlock()
	// A sweep delivers on several goroutines; their order is none.
	slices.SortFunc(waiting, func(a, b signal) int { return strings.Compare(a.id, b.id) })
	for _, s := range waiting {
		w.env.RegisterDelayedCallback(s.send, s.phase)
	}
	if restless {
		w.rouse()
	}
	w.arm()
}

// signal is something that the receiver says to Temporal.
type signal struct {
	id    string // of the callback
	phase time.Duration
	send  func()
}

// server is Temporal, as the receiver sees it.
type server world

// SignalWorkflow tells a running workflow. Its environment is for one
// goroutine; a workflow that ends meanwhile has not read the signal, as on a
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
	w.pass(signal{id: callback.ID, phase: w.phaseOf(id), send: func() { _ = w.env.SignalWorkflowByID(id, name, argument) }})
	return nil
}

// DescribeWorkflowExecution says whether a workflow runs.
func (s *server) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	w := (*world)(s)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.under[SpellTemporal] {
		return nil, serviceerror.NewUnavailable("away")
	}
	return w.described(id)
}

// described says whether a workflow runs. The lock is held.
func (w *world) described(id string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if !w.running[id] {
		return nil, serviceerror.NewNotFound("no such workflow is running")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Type:   &commonpb.WorkflowType{Name: w.typeOf(id)}, TaskQueue: contract.Queue,
	}}, nil
}

// typeOf is the type of an order's workflow.
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
		if w.plan.Older != nil { // the ledger may not know what that has done: it is looked after
			w.env.RegisterDelayedCallback(w.disturb, untold)
		}
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("started before", "", "")
	}
	w.late[options.ID] = true
	input, _ := arguments[0].(contract.LateCallbackInput)
	id := contract.WorkflowID(input.Key)
	w.pass(signal{id: input.CallbackID, phase: w.phaseOf(id), send: func() { w.env.SignalWorkflow(signalLate, input) }})
	return nil, nil //nolint:nilnil // nobody looks at the run
}

// pass sends a signal, at once or when the sweep is over. The lock is held.
func (w *world) pass(s signal) {
	if w.sweeping {
		w.waiting = append(w.waiting, s)
		return
	}
	w.env.RegisterDelayedCallback(s.send, 0)
}

// phaseOf is the place within a second of the order that a workflow drives.
func (w *world) phaseOf(id string) time.Duration { return w.drivenBy(id).phase }

// drivenBy is the life that a workflow drives; an empty one if it drives none.
func (w *world) drivenBy(id string) *life {
	for _, l := range w.lives {
		if contract.WorkflowID(l.request.Key()) == id {
			return l
		}
	}
	return new(life)
}
