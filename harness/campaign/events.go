package campaign

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// schedulePlan schedules the plan's spells and events, and the end of the world.
func (w *world) schedulePlan() {
	for _, s := range w.plan.Spells {
		w.schedule(after(s.From), func() { w.setSpell(s, true) })
		w.schedule(after(s.To), func() { w.setSpell(s, false) })
	}
	for _, l := range w.orders {
		for i, e := range l.Events {
			// Between the offsets of two orders, so that events do not coincide with orders.
			w.schedule(after(e.At)+l.phase+w.gap()/2, func() { w.do(l, i, e) })
		}
		for _, loss := range l.Losses {
			w.schedule(after(loss.At)+l.phase+w.gap()/2, func() { w.terminate(l) })
			w.schedule(after(loss.Back)+l.phase+w.gap()/2, func() { w.env.SignalWorkflow(signalAdopt, l.Number) })
		}
		if l.Story != nil {
			w.scheduleStory(l)
		}
		w.schedule(heal+l.phase, func() { w.heal(l) })
		w.schedule(tell+l.phase, func() { w.tell(l) })
	}
	w.scheduleOlder()
	if w.plan.Forge > 0 {
		w.schedule(after(w.plan.Forge), w.forge)
		w.schedule(after(w.plan.Forge)+time.Hour, w.checkForgeries)
	}
	for _, at := range w.plan.Compare {
		w.schedule(after(at), func() { w.env.SignalWorkflow(signalCompare, nil) })
	}
	if len(w.plan.Compare) > 0 {
		w.schedule(compared, func() { w.env.SignalWorkflow(signalCompare, nil) })
	}
	w.schedule(heal, w.stopFaults)
}

// gap returns the time between the offsets of two orders.
func (w *world) gap() time.Duration {
	if w.plan.Together {
		return 0
	}
	return (time.Second / time.Duration(len(w.orders)+1)).Truncate(2 * time.Millisecond)
}

// do executes an event. The index i is part of the update's id.
func (w *world) do(l *trackedOrder, i int, e Event) {
	id := fmt.Sprintf("%s/%d", l.Number, i)
	switch e.Do {
	case DoCrash:
		w.crash(l, e.What == "after")
	case DoApprove:
		a := order.Approval{By: "amina", Fingerprint: l.request.Fingerprint()}
		switch e.What {
		case "requester":
			a.By = "Payroll "
		case "other":
			a.Fingerprint = "another"
		}
		w.act(l, id, order.ActionApprove, a)
	case DoReject:
		w.act(l, id, order.ActionReject, order.Rejection{By: "amina", Why: "not known"})
	case DoCancel:
		w.act(l, id, order.ActionCancel, order.Cancellation{By: "bilal", Why: "paid by hand"})
	case DoPoll:
		w.act(l, id, order.ActionPoll, order.Poll{By: "bilal"})
	case DoResolve:
		if w.plan.Policy { // without a policy one person's false resolution would succeed
			w.act(l, id, order.ActionResolve, resolution(order.Succeeded, "amina"))
		}
	case DoClash:
		w.clash(l, e.What)
	case DoLie:
		w.count()
		_, _ = w.gateway.Trigger(merchant, l.Number, e.What) // fails if the gateway has no such order yet
	case DoRepeat:
		w.repeat(l)
	case DoMove:
		_, err := w.gateway.Move(merchant, l.Number, tarspay.StateSucceeded, "")
		w.mustApply(err, l.Number)
	case DoReturn:
		w.count()
		_, _ = w.gateway.Move(merchant, l.Number, tarspay.StateRefunded, "") // fails if the order is not paid
	case DoBare:
		w.env.SignalWorkflow(signalBare, directAction{l.Number, e.What, id})
	case DoOdd:
		w.postOddCallback(l, e.What)
	case DoJunk:
		w.sendJunk(l, id, e.What)
	}
}

// ignoredUpdate ignores the result of an update.
type ignoredUpdate struct{}

func (ignoredUpdate) Accept()             {}
func (ignoredUpdate) Reject(error)        {}
func (ignoredUpdate) Complete(any, error) {}

// act sends an operator's update to an order's workflow, if it runs.
func (w *world) act(l *trackedOrder, id, name string, argument any) {
	w.mutex.Lock()
	running := w.running[contract.WorkflowID(l.request.Key())]
	w.mutex.Unlock()
	if !running {
		return // the environment panics on an update to a workflow that is about to start
	}
	_ = w.env.UpdateWorkflowByID(contract.WorkflowID(l.request.Key()), name, id, ignoredUpdate{}, argument)
}

func resolution(state order.State, by string) order.Resolution {
	return order.Resolution{State: state, By: by, Why: "support confirmed it", Evidence: "ticket 4711", Replace: true}
}

// clash requests an order's number again, with other content.
func (w *world) clash(l *trackedOrder, what string) {
	if _, err := w.books.Order(w.ctx, l.request.Key()); err != nil {
		return // the order does not exist yet, or the ledger fails
	}
	other := l.request
	other.Amount = rupees(l.Amount + 1)
	if what == "details" {
		other.Amount, other.Details = l.request.Amount, maps.Clone(l.request.Details)
		other.Details["customerAccountNumber"], other.Details["customerContact"] = "03007654321", "03007654321"
	}
	want := ledger.Conflict
	if what == "case" {
		other, want = l.request, ledger.Twin
		if other.Number = strings.ToUpper(l.Number); other.Number == l.Number {
			other.Number = strings.ToLower(l.Number)
		}
	}
	_, opening, err := w.books.OpenOrder(w.ctx, other, w.terms(l.Order))
	w.must(err, l.Number, "the number cannot be requested again")
	if opening != want {
		w.addViolation("P1", l.Number, "a request of its number with another %s was answered %s", what, opening)
	}
}

// repeat posts the last genuine callback of an order again.
func (w *world) repeat(l *trackedOrder) {
	w.mutex.Lock()
	heard := w.accepted[l.Number]
	w.mutex.Unlock()
	if len(heard) == 0 || w.ledgerAway() {
		return
	}
	w.count()
	if code := w.deliver(heard[len(heard)-1]); code != http.StatusOK {
		w.addViolation("P7", l.Number, "an accepted callback was answered %d when it was repeated", code)
	}
}

// terms returns the terms with which a worker opens an order.
func (w *world) terms(o Order) ledger.Terms {
	return ledger.Terms{Policy: w.policy, WaitForFunds: w.plan.Wait, ExpectedFee: w.plan.expectedFee(o)}
}

// crash leaves an order as a worker leaves it that dies before it sends the create, or
// after.
func (w *world) crash(l *trackedOrder, sent bool) {
	w.count()
	if w.ledgerAway() {
		return
	}
	row, _, err := w.books.OpenOrder(w.ctx, l.request, w.terms(l.Order))
	w.must(err, l.Number, "the order cannot be opened")
	if err != nil || !rules.Sendable(row.State) {
		return
	}
	_, err = w.books.NextSubmission(w.ctx, row.Key(), 0)
	w.must(err, l.Number, "the attempt cannot be stored")
	if err != nil || !sent {
		return
	}
	create := tarspay.CreateRequest{
		OrderNumber: row.Number, Way: row.Way, Amount: row.Amount.Short(), Currency: currency,
		NotifyURL: "http://receiver.test" + callback.Path, Fields: row.Details,
	}
	if row.Kind == order.Withdrawal {
		_, _ = w.client.CreateWithdrawal(w.ctx, create)
		return
	}
	_, _ = w.client.CreateDeposit(w.ctx, create)
}

// setSpell begins or ends a spell.
func (w *world) setSpell(s Spell, on bool) {
	if on {
		w.count()
	}
	switch s.Name {
	case SpellDeaf, SpellTemporal:
		w.mutex.Lock()
		w.under[s.Name] = on
		w.mutex.Unlock()
		w.wakeSweep()
	case SpellLedger:
		w.setLedgerAway(on)
	case SpellDrain:
		w.drain(on)
	default:
		w.mustApply(w.gateway.Switch(merchant, s.Name, on), "")
	}
}

// drain removes the merchant's balance at the gateway, or returns it. Meanwhile the
// ledger's balance covers orders that the gateway's does not.
func (w *world) drain(out bool) {
	if out {
		w.drained = w.gateway.Book().Merchants[0].Available
	}
	if !w.drained.IsPositive() {
		return
	}
	_, err := w.gateway.Fund(merchant, w.drained.Short(), out)
	w.mustApply(err, "")
}

// stopFaults ends the faults of the gateway and the network. Faults that were already
// selected for an order still happen.
func (w *world) stopFaults() {
	w.mutex.Lock()
	w.honest = true
	w.mutex.Unlock()
	w.mustApply(w.gateway.SetFaults(Plan{Seed: w.plan.Seed}.faults()), "")
}

// heal ends an order that is stuck at the gateway. If the plan says so (Told), two persons
// resolve the order before a query finds its end. An order that the gateway does not have
// is always resolved by two persons.
func (w *world) heal(l *trackedOrder) {
	ends := map[order.Kind]map[tarspay.State]order.State{
		order.Withdrawal: {tarspay.StateSucceeded: order.Succeeded, tarspay.StateFailed: order.Failed, tarspay.StateRejected: order.Failed},
		order.Deposit:    {tarspay.StateSucceeded: order.Succeeded, tarspay.StateFailed: order.Failed, tarspay.StateTimedOut: order.Expired},
	}
	w.giveUp(l, "heal")
	for _, booked := range w.gateway.Orders(merchant, l.Number) {
		state, possible := ends[l.Kind][l.Heal]
		if booked.State.Final(booked.Direction) || !possible {
			continue
		}
		moved, err := w.gateway.Move(merchant, l.Number, l.Heal, "")
		w.mustApply(err, l.Number)
		if l.Told {
			word := resolution(state, "")
			if state == order.Succeeded {
				word.Fee = moved.Fee // the evidence names the fee
			}
			w.resolve(l, "heal", word)
		}
	}
}

// giveUp lets two persons resolve an order as failed, if the gateway does not have it.
func (w *world) giveUp(l *trackedOrder, when string) {
	if len(w.gateway.Orders(merchant, l.Number)) == 0 {
		w.resolve(l, when, resolution(order.Failed, ""))
	}
}

// resolve resolves an order by two persons. The first one sends the resolution twice, which
// must not count as two persons.
func (w *world) resolve(l *trackedOrder, when string, word order.Resolution) {
	for i, by := range []string{"amina", "amina", "chen"} {
		word.By = by
		w.act(l, fmt.Sprintf("%s/%s/%d", l.Number, when, i), order.ActionResolve, word)
	}
}

// tell makes the gateway repeat the callback of an order's end. An order that has not
// ended there fails first.
func (w *world) tell(l *trackedOrder) {
	w.giveUp(l, "tell")
	for _, o := range w.gateway.Orders(merchant, l.Number) {
		var err error
		if !o.State.Final(o.Direction) {
			_, err = w.gateway.Move(merchant, o.Number, tarspay.StateFailed, "")
		} else if o.State.Meaning(o.Direction).CalledBack {
			_, err = w.gateway.Trigger(merchant, o.Number, "")
		}
		w.mustApply(err, l.Number)
	}
}
