package campaign

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// This file runs child workflows other than orders: adoptions, operators' actions on
// orders without a workflow, and the workflows of the schedules.

// directAction is an operator's action on an order that no workflow drives.
type directAction struct {
	Number string
	What   string // the update's name
	ID     string
}

// handleSignals starts a coroutine for each signal of mainWorkflow.
func (w *world) handleSignals(ctx workflow.Context, begin func(func(workflow.Context))) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var number string
			workflow.GetSignalChannel(ctx, signalAdopt).Receive(ctx, &number)
			begin(func(ctx workflow.Context) { w.adopt(ctx, w.orderByNumber(number), begin) })
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var action directAction
			workflow.GetSignalChannel(ctx, signalBare).Receive(ctx, &action)
			begin(func(ctx workflow.Context) {
				w.actWithoutWorkflow(ctx, w.orderByNumber(action.Number), action.ID, action.What)
			})
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, signalRestored).Receive(ctx, nil)
		begin(func(ctx workflow.Context) { w.recoverOrders(ctx, begin) })
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for n := 0; ; n++ {
			workflow.GetSignalChannel(ctx, signalCompare).Receive(ctx, nil)
			begin(func(ctx workflow.Context) { w.compare(ctx, n) })
		}
	})
}

func (w *world) orderByNumber(number string) *trackedOrder {
	return w.orders[slices.IndexFunc(w.orders, func(l *trackedOrder) bool { return l.Number == number })]
}

// terminate ends an order's workflow as a termination does, if it runs.
func (w *world) terminate(l *trackedOrder) {
	if w.drives(l) {
		w.count()
		_ = w.env.SignalWorkflowByID(contract.WorkflowID(l.request.Key()), signalLost, nil)
	}
}

// drives reports whether a workflow drives an order.
func (w *world) drives(l *trackedOrder) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.running[contract.WorkflowID(l.request.Key())]
}

// adopt adopts an order whose workflow was terminated, as starter adopt does, after
// checking that the queue shows it. If the ledger has no row of the order, the new
// workflow gets the input of the old one.
func (w *world) adopt(ctx workflow.Context, l *trackedOrder, begin func(func(workflow.Context))) {
	if w.awaitLedger(ctx) != nil {
		return
	}
	if !l.lost {
		return // its workflow was not running when it should have been terminated
	}
	w.lookForOrphans(ctx, l.Number+" is to be adopted")
	row, err := w.books.Order(w.ctx, l.request.Key())
	if err == nil && row.State.Terminal() {
		return // an action without a workflow has ended the order
	}
	if err == nil || !slices.Contains(excluded, withoutRow) {
		w.requireQueued(l)
	}
	if !l.lost || w.drives(l) {
		return
	}
	begin(func(ctx workflow.Context) { w.drive(ctx, l, false) })
	w.actWithoutWorkflow(ctx, l, l.Number+" is adopted", "adopted")
}

// requireQueued records a violation if an order without a workflow is not in the queue.
func (w *world) requireQueued(l *trackedOrder) {
	items, err := w.books.NeedsPerson(w.ctx, time.Minute, ledger.MaxPage)
	w.must(err, l.Number, "the queue cannot be read")
	if !slices.ContainsFunc(items, func(item ledger.Due) bool { return item.Key == l.request.Key() }) {
		w.addViolation("P13", l.Number, "its workflow was terminated, and the queue does not have it")
	}
}

// actWithoutWorkflow runs an operator's action on an order without a workflow.
func (w *world) actWithoutWorkflow(ctx workflow.Context, l *trackedOrder, id, what string) {
	action := l.action(what)
	if what == adoptMissing {
		action = w.adoptionFromInput(l)
	}
	if action.Action != nil && action.Action.Name() != order.ActionAdopt && w.drives(l) {
		return // with a running workflow, the client would send an update instead
	}
	w.acting[id] = l.Number
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "act:" + id})
	input := contract.OperatorActionInput{Key: l.request.Key(), Action: action}
	err := workflow.ExecuteChildWorkflow(ctx, contract.OperatorActionType, input).Get(ctx, nil)
	if err != nil {
		w.addViolation("P13", l.Number, "the action %s without a workflow failed: %v", what, err)
	}
	delete(w.acting, id)
}

// action is what an operator does to an order.
func (l *trackedOrder) action(what string) contract.Action {
	switch what {
	case order.ActionApprove:
		return contract.Action{Action: order.Approval{By: "amina", Fingerprint: l.request.Fingerprint()}}
	case order.ActionReject:
		return contract.Action{Action: order.Rejection{By: "amina", Why: "not known"}}
	case order.ActionCancel:
		return contract.Action{Action: order.Cancellation{By: "bilal", Why: "paid by hand"}}
	case order.ActionNote:
		return contract.Action{Action: order.Note{By: "bilal", Text: "asked about it"}}
	case order.ActionPoll:
		return contract.Action{Action: order.Poll{By: "bilal"}}
	case "adopted":
		return contract.Action{Action: order.Adoption{By: "chen", Run: "the one that was started"}}
	}
	return contract.Action{}
}

// bareActions are the actions on an order that no workflow drives. "" is an invalid
// action.
var bareActions = []string{
	order.ActionApprove, order.ActionReject, order.ActionCancel, order.ActionNote, order.ActionPoll, "",
}

// compare runs the workflows of the three schedules.
func (w *world) compare(ctx workflow.Context, n int) {
	var balances contract.ReconcileBalancesResult
	w.runScheduled(ctx, contract.ReconcileBalancesType, n, &balances, contract.ReconcileBalancesInput{})
	w.report = &balances
	w.runScheduled(ctx, contract.ReconcileTransactionsType, n, nil, contract.ReconcileTransactionsInput{})
	w.lookForOrphans(ctx, fmt.Sprint(n))
}

func (w *world) lookForOrphans(ctx workflow.Context, when string) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: contract.FindOrphansType + " " + when})
	if err := workflow.ExecuteChildWorkflow(ctx, contract.FindOrphansType).Get(ctx, nil); err != nil {
		w.addViolation(nothingFails, "", "%s failed: %v", contract.FindOrphansType, err)
	}
}

func (w *world) runScheduled(ctx workflow.Context, name string, n int, result, input any) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: fmt.Sprintf("%s %d", name, n)})
	if err := workflow.ExecuteChildWorkflow(ctx, name, input).Get(ctx, result); err != nil {
		w.addViolation(nothingFails, "", "%s failed: %v", name, err)
	}
}

// junk lists invalid messages to an order's workflow. "update/x" is an update with the
// name x and an argument of the wrong type; the others are signals.
var junk = []string{
	"signal-text", "signal-number", "signal-list", "signal-nothing", "signal-bytes", "signal-no-id", "signal-unknown-id",
	"signal-foreign-id", "signal-other",
	"update/none", "update/" + order.ActionApprove, "update/" + order.ActionReject, "update/" + order.ActionCancel,
	"update/" + order.ActionResolve, "update/" + order.ActionNote, "update/" + order.ActionPoll,
	"update/" + contract.InstructionsUpdate,
}

// sendJunk sends an invalid message to an order's workflow.
func (w *world) sendJunk(l *trackedOrder, id, what string) {
	if !w.drives(l) {
		return
	}
	w.count()
	if name, is := updateOf(what); is {
		_ = w.env.UpdateWorkflowByID(contract.WorkflowID(l.request.Key()), name, id, ignoredUpdate{}, []int{4, 2})
		return
	}
	name, argument := contract.CallbackSignal, any(nil)
	switch what {
	case "signal-text":
		argument = "callback"
	case "signal-number":
		argument = 42
	case "signal-list":
		argument = []string{"a", "b"}
	case "signal-bytes":
		argument = []byte{0xff, 0xfe}
	case "signal-no-id":
		argument = map[string]any{"id": 42}
	case "signal-unknown-id":
		argument = contract.CallbackSignalInput{ID: "nowhere"}
	case "signal-foreign-id":
		argument = contract.CallbackSignalInput{ID: w.foreignCallback(l)}
	case "signal-other":
		name, argument = "no such signal", 42
	}
	_ = w.env.SignalWorkflowByID(contract.WorkflowID(l.request.Key()), name, argument)
}

func updateOf(what string) (name string, is bool) {
	if len(what) > len("update/") && what[:len("update/")] == "update/" {
		return what[len("update/"):], true
	}
	return "", false
}

// foreignCallback returns the id of a callback of another order; "" if there is none.
func (w *world) foreignCallback(l *trackedOrder) string {
	for _, other := range w.orders {
		if other == l {
			continue
		}
		if theirs, err := w.books.Callbacks(w.ctx, other.request.Key()); err == nil && len(theirs) > 0 {
			return theirs[0].ID
		}
	}
	return ""
}
