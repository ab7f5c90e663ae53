package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// properties are those of docs/safety.md that a world at rest is judged by.
// What a property says of moments (P7 of forgeries, P6 of a world that stands
// still) is judged while the world lives.
var properties = []struct {
	name  string
	judge func(*judge, *chronicle)
}{
	{"P1", (*judge).oneOrderAtMost},
	{"P2", (*judge).oursIsTheirs},
	{"P3", (*judge).proofOfEveryEnd},
	{"P4", (*judge).alongTheTable},
	{"P5", (*judge).moneyAddsUp},
	{"P6", (*judge).everyOrderEnds},
	{"P7", (*judge).callbacksInAnyOrder},
	{"P10", (*judge).comparedAsItIs},
	{"P13", (*judge).nothingStands},
}

// judge collects what violates one property.
type judge struct {
	property string
	found    []Violation
}

func (c *chronicle) judge(property string, by func(*judge, *chronicle)) []Violation {
	j := &judge{property: property}
	by(j, c)
	return j.found
}

// that demands something of an order, and reports whether it holds. What is
// said in the format is the case if it does not.
func (j *judge) that(holds bool, o record, format string, values ...any) bool {
	if !holds {
		sentence := fmt.Sprintf("%s: ", o.request) + fmt.Sprintf(format, values...)
		j.found = append(j.found, Violation{j.property, o.Number, sentence})
	}
	return holds
}

// books demands something of the books as a whole.
func (j *judge) books(holds bool, format string, values ...any) {
	if !holds {
		j.found = append(j.found, Violation{Property: j.property, Sentence: fmt.Sprintf(format, values...)})
	}
}

// P1: at most one order with effect in the gateway's book per order number,
// none for refused intents.
func (j *judge) oneOrderAtMost(c *chronicle) {
	j.books(c.audit.DoublePayments == 0, "%d double payments: %v", c.audit.DoublePayments, c.audit.Doubles)
	j.books(len(c.audit.Problems) == 0, "the gateway's book does not add up: %v", c.audit.Problems)
	ours := make(map[string]bool)
	for _, o := range c.orders {
		ours[o.Number] = true
	}
	for _, booked := range c.book.Orders {
		j.books(ours[booked.Number], "an order is booked under %q, which nobody asked for", booked.Number)
	}
	for _, o := range c.orders {
		j.that(len(o.booked) <= 1, o, "%d orders are booked under its number", len(o.booked))
		j.that(o.wire.unasked == 0, o, "sent again without a question, %d times", o.wire.unasked)
		creates := o.wire.creates - o.wire.forgotten
		j.that(creates <= len(o.submissions), o, "sent without a row: %d creates, %d rows", creates, len(o.submissions))
		refused := slices.Contains([]string{
			order.CodeInsufficientFunds, order.CodeLimitOrder, order.CodeRejected, order.CodeApprovalTooLate,
		}, o.row.Reason.Code)
		if refused {
			j.that(creates == 0, o, "sent %d times, and it is refused: %s", creates, o.row.Reason.Code)
		}
		cancelled := o.row.Reason.Code == order.CodeCancelled
		if cancelled {
			j.that(o.nothingLeft(), o, "it is cancelled, and a create may have been taken: %+v", o.submissions)
		}
		if refused || cancelled || o.row.Reason.Code == order.CodeRefusedHere || o.row.Reason.Code == order.CodeGatewayRefused || o.row.Reason.Code == order.CodeGatewayShort {
			j.that(len(o.booked) == 0, o, "it is booked, and it is refused: %s", o.row.Reason.Code)
		}
	}
}

// nothingLeft reports whether no create of an order can have been taken: each
// was answered with what refuses every call, or never left.
func (r record) nothingLeft() bool {
	return !slices.ContainsFunc(r.submissions, func(s ledger.Submission) bool {
		return s.Outcome != ledger.Unsent && s.Outcome != ledger.Paused
	})
}

// P2: ours succeeded if and only if the gateway's book says paid; ours failed,
// rejected, cancelled or expired implies that the book says not paid and that
// it can no longer become paid through us. Where the gateway has taken its own
// word back, a discrepancy says so.
func (j *judge) oursIsTheirs(c *chronicle) {
	for _, o := range c.orders {
		paid, afterAll := o.paid()
		switch o.row.State {
		case order.Succeeded, order.PartiallyPaid, order.Refunded:
			if !j.that(paid, o, "it is %s, and the gateway's book says not paid", o.row.State) {
				break
			}
			want := map[order.State]tarspay.State{
				order.Succeeded: tarspay.StateSucceeded, order.PartiallyPaid: tarspay.StatePartial, order.Refunded: tarspay.StateRefunded,
			}[o.row.State]
			j.that(o.booked[0].State == want, o, "it is %s, and the gateway's book says %s", o.row.State, o.booked[0].State)
		case order.Expired:
			j.unpaid(o, paid, afterAll, order.DiscrepancyLatePayment)
		default:
			j.that(o.row.State.Terminal(), o, "it has not ended: %s", o.row.State)
			j.unpaid(o, paid, afterAll, order.DiscrepancyPaidAfterEnd)
		}
		j.that(!o.wire.lastCreate.Add(c.plan.ahead(0)).Truncate(time.Millisecond).After(o.end().At), o, "sent at %s, after its end at %s", o.wire.lastCreate, o.end().At)
		if o.row.State == order.Refunded || o.lost {
			continue // it may have been returned, or cancelled, when no workflow drove it any more
		}
		j.that(o.row.State == o.view.State, o, "it is %s, and its workflow said %s", o.row.State, o.view.State)
		if o.first.State != "" {
			j.that(o.first.State == o.view.State, o, "its workflow said %s, and run once more %s", o.first.State, o.view.State)
		}
	}
}

// unpaid demands of an order that ended without payment that the gateway's book
// says so too, or that the gateway had said so before it paid, and that a
// discrepancy tells of that and of nothing else.
func (j *judge) unpaid(o record, paid, afterAll bool, code string) {
	j.that(paid == afterAll, o, "it is %s (%s), and the gateway's book says paid", o.row.State, o.row.Reason.Code)
	j.that(paid == o.has(code), o, "that it is %s and the gateway paid is %t; that a discrepancy %s says so is %t", o.row.State, paid, code, o.has(code))
}

// P3: no terminal state without proof on record.
func (j *judge) proofOfEveryEnd(c *chronicle) {
	for _, o := range c.orders {
		for _, step := range o.steps {
			if step.To.Terminal() {
				j.proved(c.plan, o, step)
			}
		}
	}
}

// happened is whether the gateway's book has had an order, at some time, where
// a step to an end says that it was.
func (r record) happened(step ledger.Step) (says []tarspay.State, happened bool) {
	says = map[order.State][]tarspay.State{
		order.Succeeded: {tarspay.StateSucceeded}, order.PartiallyPaid: {tarspay.StatePartial}, order.Refunded: {tarspay.StateRefunded},
		order.Expired: {tarspay.StateTimedOut}, order.Failed: {tarspay.StateFailed, tarspay.StateRejected, tarspay.StateCancelled},
	}[step.To]
	if step.To == order.Succeeded && step.Reason.Code == order.CodeRefunded { // on the way: a part may have been paid, which nobody told us of
		says = append(says, tarspay.StatePartial)
	}
	for _, booked := range r.booked {
		for _, m := range booked.Movements {
			happened = happened || slices.Contains(says, m.State)
		}
	}
	return says, happened
}

// proved demands what a step to an end must rest on.
func (j *judge) proved(plan Plan, o record, step ledger.Step) {
	says, happened := o.happened(step)
	name := fmt.Sprintf("%s by %s, %s %s", step.To, step.Source, step.Evidence, step.Reason.Code)
	switch step.Source {
	case order.FromCallback:
		i := slices.IndexFunc(o.callbacks, func(e ledger.InboxEntry) bool { return e.ID == step.Evidence })
		if j.that(i >= 0, o, "%s: there is no such callback", name) {
			j.that(slices.Contains(says, o.callbacks[i].Callback.State), o, "%s: the callback says %s", name, o.callbacks[i].Callback.State)
		}
		j.that(happened, o, "%s: the gateway's book knows nothing of it", name)
		j.that(!slices.Contains([]order.State{order.Failed, order.Expired, order.Refunded}, step.To), o, "%s: released without asking", name)
	case order.FromQuery:
		if step.Reason.Code == order.CodeGatewayRefused || step.Reason.Code == order.CodeGatewayShort { // probably refused, and not there
			j.that(len(o.booked) == 0, o, "%s: it is booked", name)
			return
		}
		j.that(happened, o, "%s: the gateway's book knows nothing of it", name)
	case order.FromOperator:
		j.byPersons(plan, o, step, name, happened)
	case ledger.FromSubmission:
		j.that(step.To == order.Failed, o, "%s: a create proves a failure only", name)
		j.that(len(o.submissions) > 0 && o.submissions[len(o.submissions)-1].Outcome == ledger.Refused, o, "%s: the last create was not refused", name)
		j.that(len(o.booked) == 0, o, "%s: it is booked", name)
	case ledger.FromOpening, ledger.FromFunds, ledger.FromDeadline:
		j.that(len(o.submissions) == 0, o, "%s: it was sent before", name)
		j.that(step.Reason.Code != "", o, "%s: no reason is given", name)
	default:
		j.that(false, o, "%s: this is no proof", name)
	}
}

// byPersons demands what an end must rest on that people made.
func (j *judge) byPersons(plan Plan, o record, step ledger.Step, name string, happened bool) {
	j.that(step.By != "", o, "%s: nobody's name is given", name)
	if step.To == order.Rejected || step.To == order.Cancelled {
		j.that(o.nothingLeft(), o, "%s: it was sent before", name)
		return
	}
	if step.From == order.AwaitingApproval { // approved, and then the balance did not cover it
		j.that(len(o.submissions) == 0, o, "%s: it was sent before", name)
		j.that(o.row.Reason.Code == order.CodeInsufficientFunds, o, "%s: its reason is %q", name, o.row.Reason.Code)
		return
	}
	if plan.Policy {
		j.that(twoPersons(step.By), o, "%s: by %q alone", name, step.By)
	}
	j.that(step.Evidence != "", o, "%s: no evidence is given", name)
	absent := step.To == order.Failed && len(o.booked) == 0 // the evidence says so
	j.that(happened || absent, o, "%s: the gateway's book knows nothing of it", name)
}

// P4: states only ever move along the table, and ends stick.
func (j *judge) alongTheTable(c *chronicle) {
	j.books(len(c.broken) == 0, "the audit's chain is broken: %v", c.broken)
	for _, o := range c.orders {
		state := order.Created
		for _, step := range o.steps {
			j.that(step.From == state, o, "it moved from %s, and stood %s", step.From, state)
			j.that(order.CanMove(o.request.Kind, step.From, step.To), o, "it moved from %s to %s", step.From, step.To)
			if step.From.Terminal() {
				paid := step.From == order.Succeeded || step.From == order.PartiallyPaid || step.From == order.Expired
				j.that(paid && step.To == order.Refunded, o, "it left its end, %s, for %s", step.From, step.To)
			}
			state = step.To
		}
		j.that(o.row.State == state, o, "it is %s, and its history ends with %s", o.row.State, state)
	}
}

// P5: transfers sum to zero; no reservation outlives its order; once all is
// quiet, what is available and in flight is what the gateway's book has
// available and frozen, but for what the gateway did after it had said that it
// would not.
func (j *judge) moneyAddsUp(c *chronicle) {
	j.books(len(c.verification.Violations) == 0, "the books do not verify: %v", c.verification.Violations)
	sum := int64(0)
	for _, balance := range c.balances {
		sum += balance
	}
	j.books(sum == 0, "transfers sum to %d", sum)
	j.books(c.balances[ledger.AccountInFlight] == 0, "%d are in flight, and no order is", c.balances[ledger.AccountInFlight])
	theirs := c.book.Merchants[0].Available.Minor() + c.book.Merchants[0].Frozen.Minor()
	for _, o := range c.orders {
		if len(o.booked) == 0 || !o.has(order.DiscrepancyPaidAfterEnd) {
			continue
		}
		for _, moved := range o.booked[0].Movements {
			theirs -= moved.Available + moved.Frozen
		}
	}
	if c.closed { // no order came so far as to need them
		theirs -= c.book.Merchants[0].Opening.Minor()
	}
	ours := c.balances[ledger.AccountAvailable]
	j.books(ours == theirs, "we have %d available, and the gateway's book, but for what it took back, %d", ours, theirs)
}

// P6: when the gateway is honest in the end, every order has ended or waits for
// a person within a bound, and none waits when all is told.
func (j *judge) everyOrderEnds(c *chronicle) {
	for _, o := range c.orders {
		bound := approval + funds + horizon + time.Hour + c.plan.heldUp(o.Order)
		j.that(o.ended || o.lost || o.err != nil, o, "its workflow still runs")
		j.that(o.row.State.Terminal(), o, "it has not ended: %s", o.row.State)
		i := slices.IndexFunc(o.steps, func(s ledger.Step) bool { return s.To.Terminal() || s.To == order.InReview })
		if j.that(i >= 0, o, "it neither ended nor waited for a person") {
			took := o.steps[i].At.Sub(o.row.CreatedAt) - o.unsent()
			j.that(took <= bound, o, "it took %s until it ended or waited for a person", took)
		}
		for _, entry := range o.callbacks {
			j.that(entry.Status == ledger.Done, o, "callback %s is %s: nobody acted on it", entry.ID, entry.Status)
		}
	}
}

// unsent is how long an order waited, without a horizon, before a create was sent
// that the gateway may have heard: as long as the gateway was at fault, it may
// not have answered what is asked first.
func (r record) unsent() time.Duration {
	for _, s := range r.submissions {
		if s.Outcome != ledger.Unsent && s.Outcome != ledger.Paused {
			return min(s.StartedAt.Sub(r.row.CreatedAt), heal)
		}
	}
	return 0
}

// P7: any multiset and ordering of genuine callbacks gives the same final
// state, and the same money.
func (j *judge) callbacksInAnyOrder(c *chronicle) {
	for _, o := range c.orders {
		if o.Story != nil {
			j.asTold(o)
		}
	}
}

// heldUp is how much longer an order may take because nothing could be done:
// no call was let through, the ledger was away, or no workflow drove it.
func (p Plan) heldUp(o Order) time.Duration {
	var held time.Duration
	for _, s := range p.Spells {
		held += after(s.To - s.From)
	}
	if p.Older != nil {
		held += after(p.Older.Restored-p.Older.Copied) + time.Hour
	}
	for _, loss := range o.Losses {
		held += after(loss.Back - loss.At)
	}
	return held + time.Duration(len(o.Unheard))*unwritten
}

// P10: comparing balances at last finds what differs, and comparing
// transactions reports nothing that the gateway's book does not bear out.
func (j *judge) comparedAsItIs(c *chronicle) {
	if len(c.plan.Compare) == 0 || c.closed {
		return
	}
	if c.compared == nil || len(c.compared.Snapshots) != 1 {
		j.books(false, "balances were not compared at last: %+v", c.compared)
		return
	}
	ours := c.balances[ledger.AccountAvailable] + c.balances[ledger.AccountInFlight]
	theirs := c.book.Merchants[0].Available.Minor() + c.book.Merchants[0].Frozen.Minor()
	drift := c.compared.Snapshots[0].Drift.Minor()
	j.books(drift == theirs-ours, "the last comparison says that balances differ by %d, and they do by %d", drift, theirs-ours)
	j.books((len(c.compared.Drifting) > 0) == (drift != 0), "balances differ by %d, and the last comparison reports %v", drift, c.compared.Drifting)
	for _, o := range c.orders {
		j.that(len(o.Losses) > 0 || c.plan.Older != nil || !o.has(order.DiscrepancyOrphan), o, "it never lacked a workflow, and a discrepancy says so")
		j.that(c.plan.Older != nil || !o.has(order.DiscrepancyNoOrder), o, "it is ours, and a discrepancy says that it is nobody's")
		j.that(len(o.booked) > 1 || !o.has(order.DiscrepancySecond), o, "its number was used once, and a discrepancy says twice")
		if o.settledOnce() {
			j.that(!o.has(order.DiscrepancyRecord), o, "the gateway's record is as ours, and a discrepancy says that it differs: %v", o.discrepancies)
			j.that(!o.has(order.DiscrepancyState), o, "the gateway's state is as ours, and a discrepancy says that it differs: %v", o.discrepancies)
		}
	}
}

// settledOnce reports whether the gateway has ended an order once and for all,
// and ours has what it has.
func (r record) settledOnce() bool {
	ends := 0
	for _, booked := range r.booked {
		for _, m := range booked.Movements {
			if m.State.Final(booked.Direction) {
				ends++
			}
		}
	}
	return ends == 1 && len(r.booked) == 1 && r.row.Paid == r.booked[0].Paid && r.row.GatewayID == r.booked[0].ID
}

// P13: no order's workflow fails, and none that has ended leaves its order
// open.
func (j *judge) nothingStands(c *chronicle) {
	for _, o := range c.orders {
		j.that(o.err == nil, o, "its workflow failed: %v", o.err)
		j.that(!o.ended || o.row.State.Terminal(), o, "its workflow has ended, and it is %s", o.row.State)
		j.that(!o.lost || o.row.State.Terminal(), o, "no workflow drives it, and it is %s", o.row.State)
	}
}

// twoPersons reports whether a name is that of a person who proposed and
// another one who confirmed.
func twoPersons(by string) bool {
	first, second, both := strings.Cut(by, " and ")
	return both && first != "" && second != "" && !order.SamePerson(first, second)
}
