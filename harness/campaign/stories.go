package campaign

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Story is an order that we learn about from callbacks only. The order passes through its
// states at the gateway. After the last state, callbacks for the states arrive, in any
// number and order, at least one of them for the last state.
type Story struct {
	Name  string    `json:"name"`
	Moves []int     `json:"moves"` // when the order enters each state
	Told  []Telling `json:"told"`
}

// Telling is one callback.
type Telling struct {
	Move int `json:"move"` // index of the state that it reports
	At   int `json:"at"`
}

// storyOutcome lists the states of a story at the gateway, and the expected end and
// balances of our order.
type storyOutcome struct {
	kind   order.Kind
	moves  []tarspay.State
	paid   string // amount of a part payment
	end    order.State
	counts []int64 // available, paid out, received, fees: rupees of an order of 1000
}

// storyAmount is the amount of a story's order, in rupees.
const storyAmount = 1000

// stories lists the stories by name.
var stories = map[string]storyOutcome{
	"withdrawal-paid":     {order.Withdrawal, []tarspay.State{tarspay.StateSucceeded}, "", order.Succeeded, []int64{-1010, 1000, 0, 10}},
	"withdrawal-failed":   {order.Withdrawal, []tarspay.State{tarspay.StateFailed}, "", order.Failed, []int64{0, 0, 0, 0}},
	"withdrawal-rejected": {order.Withdrawal, []tarspay.State{tarspay.StateRejected}, "", order.Failed, []int64{0, 0, 0, 0}},
	"withdrawal-refunded": {order.Withdrawal, []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded}, "", order.Refunded, []int64{-10, 0, 0, 10}},
	"deposit-paid":        {order.Deposit, []tarspay.State{tarspay.StateSucceeded}, "", order.Succeeded, []int64{990, 0, -1000, 10}},
	"deposit-part":        {order.Deposit, []tarspay.State{tarspay.StatePartial}, "300", order.PartiallyPaid, []int64{297, 0, -300, 3}},
	"deposit-failed":      {order.Deposit, []tarspay.State{tarspay.StateFailed}, "", order.Failed, []int64{0, 0, 0, 0}},
	"deposit-refunded":    {order.Deposit, []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded}, "", order.Refunded, []int64{-10, 0, 0, 10}},
}

func (s Story) check() error {
	p, known := stories[s.Name]
	if !known || len(s.Moves) != len(p.moves) {
		return fmt.Errorf("there is no story %q of %d moves", s.Name, len(s.Moves))
	}
	for _, t := range s.Told {
		if t.Move < 0 || t.Move >= len(s.Moves) || t.At < s.Moves[len(s.Moves)-1] {
			return fmt.Errorf("story %q: the callback at %d is before the story's last state", s.Name, t.At)
		}
	}
	return nil
}

// scheduleStory schedules a story's states and callbacks.
func (w *world) scheduleStory(l *trackedOrder) {
	p := stories[l.Story.Name]
	told := make([]posted, len(p.moves))
	for i, state := range p.moves {
		w.schedule(after(l.Story.Moves[i])+l.phase, func() { told[i] = w.moveAndHold(l.Number, state, p.paid) })
	}
	for _, t := range l.Story.Told {
		w.schedule(after(t.At)+l.phase, func() {
			w.count()
			if code := w.deliver(told[t.Move]); code != http.StatusOK {
				w.addViolation("P7", l.Number, "a genuine callback was answered %d", code)
			}
		})
	}
}

// moveAndHold changes an order's state at the gateway, and returns the callback for it
// without sending it.
func (w *world) moveAndHold(number string, state tarspay.State, paid string) posted {
	_, err := w.gateway.Move(merchant, number, state, paid)
	w.mustApply(err, number)
	w.mutex.Lock()
	w.hold, w.held = number, nil
	w.mutex.Unlock()
	_, err = w.gateway.Trigger(merchant, number, "")
	w.mustApply(err, number)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.hold = ""
	return append(w.held, posted{})[0]
}

// storyEnd checks that an order with a story has the story's end and balances.
func (j *judge) storyEnd(o record) {
	p := stories[o.Story.Name]
	j.require(o.row.State == p.end, o, "%s: it ended %s", o.Story.Name, o.row.State)
	j.require(len(o.discrepancies) == 0, o, "%s: it has discrepancies: %v", o.Story.Name, o.discrepancies)
	moved := make(map[ledger.Account]int64)
	for _, transfer := range o.transfers {
		moved[transfer.From] -= transfer.Amount.Minor()
		moved[transfer.To] += transfer.Amount.Minor()
	}
	accounts := []ledger.Account{ledger.AccountAvailable, ledger.AccountPaidOut, ledger.AccountReceived, ledger.AccountFees}
	for i, account := range accounts {
		j.require(moved[account] == 100*p.counts[i], o, "%s: %s has moved by %d", o.Story.Name, account, moved[account])
	}
	j.require(moved[ledger.AccountInFlight] == 0, o, "%s: %d are in flight", o.Story.Name, moved[ledger.AccountInFlight])
}

// forgedCodes lists the forged callbacks by the sandbox's names, each with the code of the
// receiver's refusal. "" means that the callback verifies, but differs from its order or
// is not confirmed by a query.
var forgedCodes = map[string]string{
	"unsigned-callback": callback.CodeNotSigned, "wrong-signature": callback.CodeSignature, "other-key": callback.CodeSignature,
	"foreign-signature": callback.CodeSignature, "malformed-callback": callback.CodeMalformed, "huge-callback": callback.CodeTooLarge,
	"slow-callback": callback.CodeIncomplete, "changed-merchant": callback.CodeForeignMerchant,
	"unknown-order": "", "changed-amount": "", "changed-currency": "", "changed-id": "", "false-failure": "",
}

// forge sends every forged callback for every order. A callback that does not verify must
// increment its counter and change nothing else.
func (w *world) forge() {
	names := slices.Sorted(maps.Keys(forgedCodes))
	for _, l := range w.orders {
		w.forged = append(w.forged, w.orderState(l))
		before := w.ledgerSummary()
		for _, name := range names {
			code := forgedCodes[name]
			counted := w.counterOf(code)
			_, err := w.gateway.Trigger(merchant, l.Number, name)
			w.mustApply(err, l.Number)
			w.count()
			now := w.ledgerSummary()
			if code != "" && now != before {
				w.addViolation("P7", l.Number, "%s changed the ledger from %s to %s", name, before, now)
			}
			if code != "" && w.counterOf(code) != counted+1 {
				w.addViolation("P7", l.Number, "%s: the counter of %s went from %d to %d", name, code, counted, w.counterOf(code))
			}
			before = now
		}
	}
}

// checkForgeries checks that no order's state or transfers have changed since before the
// forged callbacks.
func (w *world) checkForgeries() {
	for i, l := range w.orders {
		if now := w.orderState(l); now != w.forged[i] {
			w.addViolation("P7", l.Number, "before the forged callbacks: %s, an hour later: %s", w.forged[i], now)
		}
	}
}

// orderState returns an order's state and transfers as text, to compare.
func (w *world) orderState(l *trackedOrder) string {
	row, err := w.books.Order(w.ctx, l.request.Key())
	w.must(err, l.Number, "the order cannot be read")
	transfers, err := w.books.Transfers(w.ctx, l.request.Key())
	w.must(err, l.Number, "its transfers cannot be read")
	row.Instructions = nil
	return fmt.Sprintf("%+v %+v", row.Standing, transfers)
}

// ledgerSummary returns the ledger's counts and balances as text, to compare.
func (w *world) ledgerSummary() string {
	inbox, err := w.books.InboxCounts(w.ctx)
	w.must(err, "", "the inbox cannot be counted")
	verification, err := w.books.Verify(w.ctx)
	w.must(err, "", "the books cannot be verified")
	audit := w.verifyAudit()
	discrepancies, err := w.books.Discrepancies(w.ctx, ledger.DiscrepancyFilter{Limit: ledger.MaxPage})
	w.must(err, "", "discrepancies cannot be listed")
	balances, err := w.books.Balances(w.ctx, merchant, currency)
	w.must(err, "", "balances cannot be read")
	return fmt.Sprint(inbox, verification, audit, len(discrepancies), balances)
}

// counterOf returns how many callbacks the metric counts for a code.
func (w *world) counterOf(code string) int {
	families, err := w.registry.Gather()
	w.must(err, "", "metrics cannot be gathered")
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "payouts_callbacks_total" && metric.GetLabel()[0].GetValue() == code {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	return 0
}
