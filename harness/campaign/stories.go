package campaign

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Story is a life at the gateway of which nothing but callbacks tells us: its
// states come about one after the other, and when all have, the callbacks that
// tell of them come, in any number and order, the last one's among them.
type Story struct {
	Name  string    `json:"name"`
	Moves []int     `json:"moves"` // when each state comes about
	Told  []Telling `json:"told"`
}

// Telling is one callback.
type Telling struct {
	Move int `json:"move"` // which state it tells of
	At   int `json:"at"`
}

// plot of a story: the states at the gateway, how ours ends, and what has
// moved then.
type plot struct {
	kind   order.Kind
	moves  []tarspay.State
	paid   string // of a part payment
	end    order.State
	counts []int64 // available, paid out, received, fees: rupees of an order of 1000
}

// storyAmount is what an order of a story is about, in rupees.
const storyAmount = 1000

// plots are what can befall an order at the gateway.
var plots = map[string]plot{
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
	p, known := plots[s.Name]
	if !known || len(s.Moves) != len(p.moves) {
		return fmt.Errorf("there is no story %q of %d moves", s.Name, len(s.Moves))
	}
	for _, t := range s.Told {
		if t.Move < 0 || t.Move >= len(s.Moves) || t.At < s.Moves[len(s.Moves)-1] {
			return fmt.Errorf("story %q: what is told at %d has not come about", s.Name, t.At)
		}
	}
	return nil
}

// perform plays a story to its order, and what is told of it.
func (w *world) perform(l *life) {
	p := plots[l.Story.Name]
	told := make([]posted, len(p.moves))
	for i, state := range p.moves {
		w.later(after(l.Story.Moves[i])+l.phase, func() { told[i] = w.bring(l.Number, state, p.paid) })
	}
	for _, t := range l.Story.Told {
		w.later(after(t.At)+l.phase, func() {
			w.count()
			if code := w.deliver(told[t.Move]); code != http.StatusOK {
				w.accuse("P7", l.Number, "a genuine callback was answered %d", code)
			}
		})
	}
}

// bring moves an order at the gateway, and returns the callback that tells of
// it without sending it.
func (w *world) bring(number string, state tarspay.State, paid string) posted {
	_, err := w.gateway.Move(merchant, number, state, paid)
	w.can(err, number)
	w.mutex.Lock()
	w.hold, w.held = number, nil
	w.mutex.Unlock()
	_, err = w.gateway.Trigger(merchant, number, "")
	w.can(err, number)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.hold = ""
	return append(w.held, posted{})[0]
}

// asTold demands of an order with a story that it ended as the story says, and
// that this is what has moved.
func (j *judge) asTold(o record) {
	p := plots[o.Story.Name]
	j.that(o.row.State == p.end, o, "%s: it ended %s", o.Story.Name, o.row.State)
	j.that(len(o.discrepancies) == 0, o, "%s: discrepancies are open: %v", o.Story.Name, o.discrepancies)
	moved := make(map[ledger.Account]int64)
	for _, transfer := range o.transfers {
		moved[transfer.From] -= transfer.Amount.Minor()
		moved[transfer.To] += transfer.Amount.Minor()
	}
	accounts := []ledger.Account{ledger.AccountAvailable, ledger.AccountPaidOut, ledger.AccountReceived, ledger.AccountFees}
	for i, account := range accounts {
		j.that(moved[account] == 100*p.counts[i], o, "%s: %s has moved by %d", o.Story.Name, account, moved[account])
	}
	j.that(moved[ledger.AccountInFlight] == 0, o, "%s: %d are in flight", o.Story.Name, moved[ledger.AccountInFlight])
}

// falsehoods are the false callbacks, by the sandbox's names, with the code
// that the receiver refuses each with; "": it verifies, and does not fit its
// order or is not confirmed.
var falsehoods = map[string]string{
	"unsigned-callback": callback.CodeNotSigned, "wrong-signature": callback.CodeSignature, "other-key": callback.CodeSignature,
	"foreign-signature": callback.CodeSignature, "malformed-callback": callback.CodeMalformed, "huge-callback": callback.CodeTooLarge,
	"slow-callback": callback.CodeIncomplete, "changed-merchant": callback.CodeForeignMerchant,
	"unknown-order": "", "changed-amount": "", "changed-currency": "", "changed-id": "", "false-failure": "",
}

// forge sends every false callback about every order. What does not verify
// changes nothing but its counter, there and then.
func (w *world) forge() {
	names := slices.Sorted(maps.Keys(falsehoods))
	for _, l := range w.lives {
		w.forged = append(w.forged, w.standing(l))
		before := w.everything()
		for _, name := range names {
			code := falsehoods[name]
			counted := w.counted(code)
			_, err := w.gateway.Trigger(merchant, l.Number, name)
			w.can(err, l.Number)
			w.count()
			now := w.everything()
			if code != "" && now != before {
				w.accuse("P7", l.Number, "%s: the ledger held %s and holds %s", name, before, now)
			}
			if code != "" && w.counted(code) != counted+1 {
				w.accuse("P7", l.Number, "%s: the counter of %s went from %d to %d", name, code, counted, w.counted(code))
			}
			before = now
		}
	}
}

// unmoved demands that no order stands otherwise than before the forgeries, nor
// has moved anything.
func (w *world) unmoved() {
	for i, l := range w.lives {
		if now := w.standing(l); now != w.forged[i] {
			w.accuse("P7", l.Number, "before false callbacks it stood %s, and an hour later %s", w.forged[i], now)
		}
	}
}

// standing is where an order stands, and what it has moved.
func (w *world) standing(l *life) string {
	row, err := w.books.Order(w.ctx, l.request.Key())
	w.must(err, l.Number, "the order cannot be read")
	transfers, err := w.books.Transfers(w.ctx, l.request.Key())
	w.must(err, l.Number, "its transfers cannot be read")
	row.Instructions = nil
	return fmt.Sprintf("%+v %+v", row.Standing, transfers)
}

// everything is what the ledger holds, counted.
func (w *world) everything() string {
	inbox, err := w.books.InboxCounts(w.ctx)
	w.must(err, "", "the inbox cannot be counted")
	verification, err := w.books.Verify(w.ctx)
	w.must(err, "", "the books cannot be verified")
	audit, err := w.books.VerifyAudit(w.ctx)
	w.must(err, "", "the audit cannot be verified")
	discrepancies, err := w.books.Discrepancies(w.ctx, ledger.DiscrepancyFilter{Limit: ledger.MaxPage})
	w.must(err, "", "discrepancies cannot be listed")
	balances, err := w.books.Balances(w.ctx, merchant, currency)
	w.must(err, "", "balances cannot be read")
	return fmt.Sprint(inbox, verification, audit, len(discrepancies), balances)
}

// counted is how many callbacks were answered with a code.
func (w *world) counted(code string) int {
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
