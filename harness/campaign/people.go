package campaign

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// plot enters in the agenda what the plan says of people, of the gateway as a
// whole and of the end.
func (w *world) plot() {
	for _, s := range w.plan.Spells {
		w.later(after(s.From), func() { w.cast(s, true) })
		w.later(after(s.To), func() { w.cast(s, false) })
	}
	for _, l := range w.lives {
		for i, e := range l.Events {
			// People come between the moments of orders, so that they meet nobody.
			w.later(after(e.At)+l.phase+w.gap()/2, func() { w.do(l, i, e) })
		}
		for _, loss := range l.Losses {
			w.later(after(loss.At)+l.phase+w.gap()/2, func() { w.lose(l) })
			w.later(after(loss.Back)+l.phase+w.gap()/2, func() { w.env.SignalWorkflow(signalAdopt, l.Number) })
		}
		if l.Story != nil {
			w.perform(l)
		}
		w.later(heal+l.phase, func() { w.heal(l) })
		w.later(tell+l.phase, func() { w.tell(l) })
	}
	w.plotOlder()
	if w.plan.Forge > 0 {
		w.later(after(w.plan.Forge), w.forge)
		w.later(after(w.plan.Forge)+time.Hour, w.unmoved)
	}
	for _, at := range w.plan.Compare {
		w.later(after(at), func() { w.env.SignalWorkflow(signalCompare, nil) })
	}
	if len(w.plan.Compare) > 0 {
		w.later(compared, func() { w.env.SignalWorkflow(signalCompare, nil) })
	}
	w.later(heal, w.relent)
}

// gap is what lies between the phases of two orders.
func (w *world) gap() time.Duration {
	if w.plan.Together {
		return 0
	}
	return (time.Second / time.Duration(len(w.lives)+1)).Truncate(2 * time.Millisecond)
}

// do is what somebody does to an order; i tells their updates apart.
func (w *world) do(l *life, i int, e Event) {
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
		if w.plan.Policy { // one person's word would do without, and this one's is false
			w.act(l, id, order.ActionResolve, resolution(order.Succeeded, "amina"))
		}
	case DoClash:
		w.clash(l, e.What)
	case DoLie:
		w.count()
		_, _ = w.gateway.Trigger(merchant, l.Number, e.What) // there may be no such order yet
	case DoRepeat:
		w.repeat(l)
	case DoMove:
		_, err := w.gateway.Move(merchant, l.Number, tarspay.StateSucceeded, "")
		w.can(err, l.Number)
	case DoReturn:
		w.count()
		_, _ = w.gateway.Move(merchant, l.Number, tarspay.StateRefunded, "") // it may not be paid
	case DoBare:
		w.env.SignalWorkflow(signalBare, bare{l.Number, e.What, id})
	case DoOdd:
		w.odd(l, e.What)
	case DoJunk:
		w.throw(l, id, e.What)
	}
}

// unheard is an update that nobody waits for.
type unheard struct{}

func (unheard) Accept()             {}
func (unheard) Reject(error)        {}
func (unheard) Complete(any, error) {}

// act sends an operator's update to an order's workflow, if it runs.
func (w *world) act(l *life, id, name string, argument any) {
	w.mutex.Lock()
	running := w.running[contract.WorkflowID(l.request.Key())]
	w.mutex.Unlock()
	if !running {
		return // the environment cannot bear an update to one that is about to start
	}
	_ = w.env.UpdateWorkflowByID(contract.WorkflowID(l.request.Key()), name, id, unheard{}, argument)
}

func resolution(state order.State, by string) order.Resolution {
	return order.Resolution{State: state, By: by, Why: "support confirmed it", Evidence: "ticket 4711"}
}

// clash asks for an order's number once more, for an order with other content.
func (w *world) clash(l *life, what string) {
	if _, err := w.books.Order(w.ctx, l.request.Key()); err != nil {
		return // not there yet: it would be the first; or nothing can be read
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
	_, opening, err := w.books.OpenOrder(w.ctx, other, ledger.Terms{Policy: w.policy, WaitForFunds: w.plan.Wait})
	w.must(err, l.Number, "the number cannot be asked for once more")
	if opening != want {
		w.accuse("P1", l.Number, "its number was asked for with another %s, and that was %s", what, opening)
	}
}

// repeat posts the last genuine callback about an order once more.
func (w *world) repeat(l *life) {
	w.mutex.Lock()
	heard := w.heard[l.Number]
	w.mutex.Unlock()
	if len(heard) == 0 || w.away() {
		return
	}
	w.count()
	if code := w.deliver(heard[len(heard)-1]); code != http.StatusOK {
		w.accuse("P7", l.Number, "a callback that was taken before was answered %d when it came again", code)
	}
}

// crash leaves an order as a worker does that dies on the way to the gateway,
// or on the way back.
func (w *world) crash(l *life, sent bool) {
	w.count()
	if w.away() {
		return
	}
	row, _, err := w.books.OpenOrder(w.ctx, l.request, ledger.Terms{Policy: w.policy, WaitForFunds: w.plan.Wait})
	w.must(err, l.Number, "the order cannot be opened")
	if err != nil || !row.State.Sendable() {
		return
	}
	_, err = w.books.NextSubmission(w.ctx, row.Key(), 0)
	w.must(err, l.Number, "the attempt cannot be written down")
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

// cast begins or ends a spell.
func (w *world) cast(s Spell, on bool) {
	if on {
		w.count()
	}
	switch s.Name {
	case SpellDeaf, SpellTemporal:
		w.mutex.Lock()
		w.under[s.Name] = on
		w.mutex.Unlock()
		w.disturb()
	case SpellLedger:
		w.hide(on)
	case SpellDrain:
		w.drain(on)
	default:
		w.can(w.gateway.Switch(merchant, s.Name, on), "")
	}
}

// drain takes the merchant's money out of the gateway, or brings it back: our
// ledger covers meanwhile what the gateway does not.
func (w *world) drain(out bool) {
	if out {
		w.drained = w.gateway.Book().Merchants[0].Available
	}
	if !w.drained.IsPositive() {
		return
	}
	_, err := w.gateway.Fund(merchant, w.drained.Short(), out)
	w.can(err, "")
}

// relent makes the gateway and the wire honest. What orders have drawn stays
// with them.
func (w *world) relent() {
	w.mutex.Lock()
	w.honest = true
	w.mutex.Unlock()
	w.can(w.gateway.SetFaults(Plan{Seed: w.plan.Seed}.faults()), "")
}

// heal ends an order that is stuck at the gateway. Of some two persons tell our
// side, before a question does; of one that the gateway does not have they
// always do.
func (w *world) heal(l *life) {
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
		w.can(err, l.Number)
		if l.Told {
			word := resolution(state, "")
			if state == order.Succeeded {
				word.Fee = moved.Fee // the evidence names it
			}
			w.resolve(l, "heal", word)
		}
	}
}

// giveUp has two persons end an order that the gateway does not have, if it
// waits for a person.
func (w *world) giveUp(l *life, when string) {
	if len(w.gateway.Orders(merchant, l.Number)) == 0 {
		w.resolve(l, when, resolution(order.Failed, ""))
	}
}

// resolve is how two persons end an order: one says so, once too often, and
// then the other.
func (w *world) resolve(l *life, when string, word order.Resolution) {
	for i, by := range []string{"amina", "amina", "chen"} {
		word.By = by
		w.act(l, fmt.Sprintf("%s/%s/%d", l.Number, when, i), order.ActionResolve, word)
	}
}

// tell has the gateway say once more how an order ended.
func (w *world) tell(l *life) {
	w.giveUp(l, "tell")
	for _, o := range w.gateway.Orders(merchant, l.Number) {
		var err error
		if !o.State.Final(o.Direction) {
			_, err = w.gateway.Move(merchant, o.Number, tarspay.StateFailed, "")
		} else if o.State.Meaning(o.Direction).CalledBack {
			_, err = w.gateway.Trigger(merchant, o.Number, "")
		}
		w.can(err, l.Number)
	}
}
