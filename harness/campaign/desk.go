package campaign

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What is done with workflows of their own: adoptions, actions on orders that
// no workflow drives, and what the schedules start.

// bare is an operator's action on an order that no workflow drives.
type bare struct {
	Number string
	What   string // the update's name
	ID     string
}

// attend has whatever comes to the desk done.
func (w *world) attend(ctx workflow.Context, begin func(func(workflow.Context))) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var number string
			workflow.GetSignalChannel(ctx, signalAdopt).Receive(ctx, &number)
			begin(func(ctx workflow.Context) { w.adopt(ctx, w.lifeOf(number), begin) })
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var action bare
			workflow.GetSignalChannel(ctx, signalBare).Receive(ctx, &action)
			begin(func(ctx workflow.Context) { w.actWithout(ctx, w.lifeOf(action.Number), action.ID, action.What) })
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, signalRestored).Receive(ctx, nil)
		begin(func(ctx workflow.Context) { w.regain(ctx, begin) })
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for n := 0; ; n++ {
			workflow.GetSignalChannel(ctx, signalCompare).Receive(ctx, nil)
			begin(func(ctx workflow.Context) { w.compare(ctx, n) })
		}
	})
}

func (w *world) lifeOf(number string) *life {
	return w.lives[slices.IndexFunc(w.lives, func(l *life) bool { return l.Number == number })]
}

// lose terminates an order's workflow, if it runs.
func (w *world) lose(l *life) {
	if w.drives(l) {
		w.count()
		_ = w.env.SignalWorkflowByID(contract.WorkflowID(l.request.Key()), signalLost, nil)
	}
}

// drives reports whether a workflow drives an order.
func (w *world) drives(l *life) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.running[contract.WorkflowID(l.request.Key())]
}

// adopt is what an operator does who finds an order in the queue that no
// workflow drives, as starter adopt does it. One whose row was never written is
// started with the input that its workflow had.
func (w *world) adopt(ctx workflow.Context, l *life, begin func(func(workflow.Context))) {
	if w.untilThere(ctx) != nil {
		return
	}
	if !l.lost {
		return // there was nothing to lose
	}
	w.lookForOrphans(ctx, l.Number+" is to be adopted")
	row, err := w.books.Order(w.ctx, l.request.Key())
	if err == nil && row.State.Terminal() {
		return // an action without a workflow has ended it
	}
	if err == nil || !slices.Contains(unmended, withoutRow) {
		w.queued(l)
	}
	if !l.lost || w.drives(l) {
		return
	}
	begin(func(ctx workflow.Context) { w.drive(ctx, l, false) })
	w.actWithout(ctx, l, l.Number+" is adopted", "adopted")
}

// queued demands that an order that no workflow drives is in the queue.
func (w *world) queued(l *life) {
	items, err := w.books.NeedsPerson(w.ctx, time.Minute, ledger.MaxPage)
	w.must(err, l.Number, "the queue cannot be read")
	if !slices.ContainsFunc(items, func(item ledger.QueueItem) bool { return item.Key == l.request.Key() }) {
		w.accuse("P13", l.Number, "its workflow was terminated, and the queue does not have it")
	}
}

// actWithout is an operator's action in a workflow of its own.
func (w *world) actWithout(ctx workflow.Context, l *life, id, what string) {
	action := l.action(what)
	if what == writtenDown {
		action = w.adoptedFrom(l)
	}
	if action.Action != nil && action.Action.Name() != order.ActionAdopt && w.drives(l) {
		return // it would have been an update
	}
	w.acting[id] = l.Number
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "act:" + id})
	input := contract.OperatorActionInput{Key: l.request.Key(), Action: action}
	err := workflow.ExecuteChildWorkflow(ctx, contract.OperatorActionType, input).Get(ctx, nil)
	if err != nil {
		w.accuse("P13", l.Number, "the action %s without a workflow failed: %v", what, err)
	}
	delete(w.acting, id)
}

// action is what an operator does to an order.
func (l *life) action(what string) contract.Action {
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

// bareActions are what an operator may do to an order that no workflow drives;
// "" is an action that is none.
var bareActions = []string{
	order.ActionApprove, order.ActionReject, order.ActionCancel, order.ActionNote, order.ActionPoll, "",
}

// compare is what the schedules do.
func (w *world) compare(ctx workflow.Context, n int) {
	var balances contract.ReconcileBalancesResult
	w.schedule(ctx, contract.ReconcileBalancesType, n, &balances, contract.ReconcileBalancesInput{})
	w.report = &balances
	w.schedule(ctx, contract.ReconcileTransactionsType, n, nil, contract.ReconcileTransactionsInput{})
	w.lookForOrphans(ctx, fmt.Sprint(n))
}

func (w *world) lookForOrphans(ctx workflow.Context, when string) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: contract.FindOrphansType + " " + when})
	if err := workflow.ExecuteChildWorkflow(ctx, contract.FindOrphansType).Get(ctx, nil); err != nil {
		w.accuse(nothingFails, "", "%s failed: %v", contract.FindOrphansType, err)
	}
}

func (w *world) schedule(ctx workflow.Context, name string, n int, result, input any) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: fmt.Sprintf("%s %d", name, n)})
	if err := workflow.ExecuteChildWorkflow(ctx, name, input).Get(ctx, result); err != nil {
		w.accuse(nothingFails, "", "%s failed: %v", name, err)
	}
}

// junk is what may reach an order's workflow that it cannot make anything of.
// A name with a slash is an update's and says what is wrong with it.
var junk = []string{
	"signal-text", "signal-number", "signal-list", "signal-nothing", "signal-bytes", "signal-no-id", "signal-unknown-id",
	"signal-foreign-id", "signal-other",
	"update/none", "update/" + order.ActionApprove, "update/" + order.ActionReject, "update/" + order.ActionCancel,
	"update/" + order.ActionResolve, "update/" + order.ActionNote, "update/" + order.ActionPoll,
	"update/" + contract.InstructionsUpdate,
}

// throw sends an order's workflow something that it cannot make anything of.
func (w *world) throw(l *life, id, what string) {
	if !w.drives(l) {
		return
	}
	w.count()
	if name, is := updateOf(what); is {
		_ = w.env.UpdateWorkflowByID(contract.WorkflowID(l.request.Key()), name, id, unheard{}, []int{4, 2})
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
		argument = contract.CallbackSignalInput{ID: w.foreign(l)}
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

// foreign is the id of a callback of another order; "" if there is none.
func (w *world) foreign(l *life) string {
	for _, other := range w.lives {
		if other == l {
			continue
		}
		if theirs, err := w.books.Callbacks(w.ctx, other.request.Key()); err == nil && len(theirs) > 0 {
			return theirs[0].ID
		}
	}
	return ""
}
