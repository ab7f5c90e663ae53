package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// properties lists the properties of docs/safety.md that are checked at the end of a
// world. P7 for forged callbacks, and P6 for a world in which nothing happens any more, are
// checked while the world runs.
var properties = []struct {
	name  string
	judge func(*judge, *results)
}{
	{"P1", (*judge).oneOrderAtMost},
	{"P2", (*judge).oursIsTheirs},
	{"P3", (*judge).proofOfEveryEnd},
	{"P4", (*judge).alongTheTable},
	{"P5", (*judge).moneyAddsUp},
	{"P6", (*judge).everyOrderEnds},
	{"P7", (*judge).callbacksInAnyOrder},
	{"P10", (*judge).comparedAsItIs},
	{"P13", (*judge).noWorkflowStuck},
}

// judge collects the violations of one property.
type judge struct {
	property string
	found    []Violation
}

func (c *results) judge(property string, by func(*judge, *results)) []Violation {
	j := &judge{property: property}
	by(j, c)
	return j.found
}

// require adds a violation of an order if a condition does not hold, and returns the
// condition. The format describes the violation.
func (j *judge) require(holds bool, o record, format string, values ...any) bool {
	if !holds {
		sentence := fmt.Sprintf("%s: ", o.request) + fmt.Sprintf(format, values...)
		j.found = append(j.found, Violation{j.property, o.Number, sentence})
	}
	return holds
}

// books adds a violation of the whole ledger if a condition does not hold.
func (j *judge) books(holds bool, format string, values ...any) {
	if !holds {
		j.found = append(j.found, Violation{Property: j.property, Sentence: fmt.Sprintf(format, values...)})
	}
}

// P1: for each order number the gateway has at most one order that moves money, and none
// for an order that we refused.
func (j *judge) oneOrderAtMost(c *results) {
	j.books(c.audit.DoublePayments == 0, "%d double payments: %v", c.audit.DoublePayments, c.audit.Doubles)
	j.books(len(c.audit.Problems) == 0, "the gateway's records do not add up: %v", c.audit.Problems)
	ours := make(map[string]bool)
	for _, o := range c.orders {
		ours[o.Number] = true
	}
	for _, booked := range c.book.Orders {
		j.books(ours[booked.Number], "the gateway has an order %q that was never requested", booked.Number)
	}
	for _, o := range c.orders {
		j.require(len(o.booked) <= 1, o, "the gateway has %d orders with its number", len(o.booked))
		j.require(o.wire.unasked == 0, o, "sent again without a query before, %d times", o.wire.unasked)
		creates := o.wire.creates - o.wire.forgotten
		j.require(creates <= len(o.submissions), o, "sent without a stored attempt: %d creates, %d attempts", creates, len(o.submissions))
		refused := slices.Contains([]string{
			order.CodeInsufficientFunds, codes.LimitOrder, order.CodeRejected, order.CodeApprovalTooLate,
		}, o.row.Reason.Code)
		if refused {
			j.require(creates == 0, o, "sent %d times, although we refused it: %s", creates, o.row.Reason.Code)
		}
		cancelled := o.row.Reason.Code == order.CodeCancelled
		if cancelled {
			j.require(o.nothingSent(), o, "cancelled, although the gateway may have received a create: %+v", o.submissions)
		}
		if refused || cancelled || o.row.Reason.Code == order.CodeRefusedHere || o.row.Reason.Code == order.CodeGatewayRefused || o.row.Reason.Code == order.CodeGatewayShort {
			j.require(len(o.booked) == 0, o, "the gateway has it, although it is refused: %s", o.row.Reason.Code)
		}
	}
}

// nothingSent reports whether the gateway accepted no create of the order: each create
// was not sent, or refused with an error that affects every call.
func (r record) nothingSent() bool {
	return !slices.ContainsFunc(r.submissions, func(s ledger.Submission) bool {
		return s.Outcome != ledger.Unsent && s.Outcome != ledger.Paused
	})
}

// P2: our order is succeeded if and only if the gateway's order is paid. If ours failed,
// or was rejected, cancelled or expired, the gateway's is not paid, and no create of ours
// can still make it paid. If the gateway paid after it had reported a failure, there is a
// discrepancy.
func (j *judge) oursIsTheirs(c *results) {
	for _, o := range c.orders {
		paid, afterAll := o.paid()
		switch o.row.State {
		case order.Succeeded, order.PartiallyPaid, order.Refunded:
			if !j.require(paid, o, "it is %s, but the gateway did not pay it", o.row.State) {
				break
			}
			want := map[order.State]tarspay.State{
				order.Succeeded: tarspay.StateSucceeded, order.PartiallyPaid: tarspay.StatePartial, order.Refunded: tarspay.StateRefunded,
			}[o.row.State]
			j.require(o.booked[0].State == want, o, "it is %s, but at the gateway it is %s", o.row.State, o.booked[0].State)
		case order.Expired:
			j.unpaid(o, paid, afterAll, codes.DiscrepancyLatePayment)
		default:
			j.require(o.row.State.Terminal(), o, "it has not ended: %s", o.row.State)
			j.unpaid(o, paid, afterAll, codes.DiscrepancyPaidAfterEnd)
		}
		j.require(!o.wire.lastCreate.Add(c.plan.ahead(0)).Truncate(time.Millisecond).After(o.end().At), o, "sent at %s, after its end at %s", o.wire.lastCreate, o.end().At)
		if o.row.State == order.Refunded || o.lost {
			continue // the last change may have been made without a workflow
		}
		j.require(o.row.State == o.view.State, o, "it is %s, but its workflow returned %s", o.row.State, o.view.State)
		if o.first.State != "" {
			j.require(o.first.State == o.view.State, o, "its workflow returned %s, and in its second run %s", o.first.State, o.view.State)
		}
	}
}

// unpaid checks an order that ended without payment: the gateway did not pay it, or paid
// it after it had reported it unpaid. In the second case only, there is a discrepancy with
// the code.
func (j *judge) unpaid(o record, paid, afterAll bool, code string) {
	j.require(paid == afterAll, o, "it is %s (%s), but the gateway paid it", o.row.State, o.row.Reason.Code)
	j.require(paid == o.has(code), o, "it is %s; paid by the gateway: %t; has a discrepancy %s: %t", o.row.State, paid, code, o.has(code))
}

// P3: every terminal state has its proof on record.
func (j *judge) proofOfEveryEnd(c *results) {
	for _, o := range c.orders {
		for _, step := range o.steps {
			if step.To.Terminal() {
				j.proved(c.plan, o, step)
			}
		}
	}
}

// happened returns the gateway's states that fit a step to an end, and whether the
// gateway's order was ever in one of them.
func (r record) happened(step ledger.Step) (says []tarspay.State, happened bool) {
	says = map[order.State][]tarspay.State{
		order.Succeeded: {tarspay.StateSucceeded}, order.PartiallyPaid: {tarspay.StatePartial}, order.Refunded: {tarspay.StateRefunded},
		order.Expired: {tarspay.StateTimedOut}, order.Failed: {tarspay.StateFailed, tarspay.StateRejected, tarspay.StateCancelled},
	}[step.To]
	if step.To == order.Succeeded && step.Reason.Code == order.CodeRefunded { // a step before a refund: the gateway may have paid a part without telling us
		says = append(says, tarspay.StatePartial)
	}
	for _, booked := range r.booked {
		for _, m := range booked.Movements {
			happened = happened || slices.Contains(says, m.State)
		}
	}
	return says, happened
}

// proved checks the proof of a step to an end.
func (j *judge) proved(plan Plan, o record, step ledger.Step) {
	says, happened := o.happened(step)
	name := fmt.Sprintf("%s by %s, %s %s", step.To, step.Source, step.Evidence, step.Reason.Code)
	switch step.Source {
	case rules.FromCallback:
		i := slices.IndexFunc(o.callbacks, func(e ledger.InboxEntry) bool { return e.ID == step.Evidence })
		if j.require(i >= 0, o, "%s: there is no such callback", name) {
			j.require(slices.Contains(says, o.callbacks[i].Callback.State), o, "%s: the callback says %s", name, o.callbacks[i].Callback.State)
		}
		j.require(happened, o, "%s: this did not happen at the gateway", name)
		j.require(!slices.Contains([]order.State{order.Failed, order.Expired, order.Refunded}, step.To), o, "%s: released without a query", name)
	case rules.FromQuery:
		if step.Reason.Code == order.CodeGatewayRefused || step.Reason.Code == order.CodeGatewayShort { // probably refused, and not found by a query
			j.require(len(o.booked) == 0, o, "%s: the gateway has the order", name)
			return
		}
		j.require(happened, o, "%s: this did not happen at the gateway", name)
	case rules.FromOperator:
		j.byPersons(plan, o, step, name, happened)
	case ledger.FromSubmission:
		j.require(step.To == order.Failed, o, "%s: the answer to a create can only prove a failure", name)
		j.require(len(o.submissions) > 0 && o.submissions[len(o.submissions)-1].Outcome == ledger.Refused, o, "%s: the last create was not refused", name)
		j.require(len(o.booked) == 0, o, "%s: the gateway has the order", name)
	case ledger.FromOpening, ledger.FromSchedule, ledger.FromFunds, ledger.FromDeadline:
		j.require(len(o.submissions) == 0, o, "%s: it was sent before", name)
		j.require(step.Reason.Code != "", o, "%s: no reason is given", name)
	default:
		j.require(false, o, "%s: this source is no proof", name)
	}
}

// byPersons checks an end that people decided.
func (j *judge) byPersons(plan Plan, o record, step ledger.Step, name string, happened bool) {
	j.require(step.By != "", o, "%s: no person is named", name)
	if step.To == order.Rejected || step.To == order.Cancelled {
		j.require(o.nothingSent(), o, "%s: it was sent before", name)
		return
	}
	if step.From == order.AwaitingApproval { // approved, but the balance did not cover it
		j.require(len(o.submissions) == 0, o, "%s: it was sent before", name)
		j.require(o.row.Reason.Code == order.CodeInsufficientFunds, o, "%s: its reason is %q", name, o.row.Reason.Code)
		return
	}
	if plan.Policy {
		j.require(twoPersons(step.By), o, "%s: by %q alone", name, step.By)
	}
	j.require(step.Evidence != "", o, "%s: no evidence is given", name)
	absent := step.To == order.Failed && len(o.booked) == 0 // the gateway does not have the order, and two persons said so
	j.require(happened || absent, o, "%s: this did not happen at the gateway", name)
}

// P4: states change only as the state table allows; a terminal state changes only to
// refunded.
func (j *judge) alongTheTable(c *results) {
	j.books(len(c.broken) == 0, "the audit's chain is broken: %v", c.broken)
	for _, o := range c.orders {
		state := order.Created
		for _, step := range o.steps {
			j.require(step.From == state, o, "a step begins at %s, but the state was %s", step.From, state)
			j.require(rules.CanMove(o.request.Kind, step.From, step.To), o, "it moved from %s to %s", step.From, step.To)
			if step.From.Terminal() {
				paid := step.From == order.Succeeded || step.From == order.PartiallyPaid || step.From == order.Expired
				j.require(paid && step.To == order.Refunded, o, "it changed from the terminal state %s to %s", step.From, step.To)
			}
			state = step.To
		}
		j.require(o.row.State == state, o, "it is %s, but its history ends with %s", o.row.State, state)
	}
}

// P5: transfers sum to zero; no reservation remains after its order ended; at the end,
// available and in_flight equal the gateway's available and frozen balance, except for
// payments that the gateway made after it had reported the order unpaid.
func (j *judge) moneyAddsUp(c *results) {
	j.books(len(c.verification.Violations) == 0, "the books do not verify: %v", c.verification.Violations)
	sum := int64(0)
	for _, balance := range c.balances {
		sum += balance
	}
	j.books(sum == 0, "transfers sum to %d", sum)
	for _, o := range c.orders {
		fee := c.plan.expectedFee(o.Order)
		j.require(o.row.ExpectedFee == fee, o, "a fee of %s is expected, and %s should be", o.row.ExpectedFee, fee)
		for _, transfer := range o.transfers {
			j.require(transfer.Reason != ledger.ReasonReserve || transfer.Amount == o.row.Reservation(), o, "%s is reserved", transfer.Amount)
		}
	}
	j.books(c.balances[ledger.AccountInFlight] == 0, "%d are in flight, but no order is", c.balances[ledger.AccountInFlight])
	theirs := c.book.Merchants[0].Available.Minor() + c.book.Merchants[0].Frozen.Minor()
	for _, o := range c.orders {
		if len(o.booked) == 0 || !o.has(codes.DiscrepancyPaidAfterEnd) {
			continue
		}
		for _, moved := range o.booked[0].Movements {
			theirs -= moved.Available + moved.Frozen
		}
	}
	if c.closed { // no order booked the opening balance
		theirs -= c.book.Merchants[0].Opening.Minor()
	}
	ours := c.balances[ledger.AccountAvailable]
	j.books(ours == theirs, "we have %d available, and the gateway's book, but for what it took back, %d", ours, theirs)
}

// P6: if the gateway's faults stop, every order ends or waits for a person within a bounded
// time. At the end of the world, after heal and tell, every order has ended.
func (j *judge) everyOrderEnds(c *results) {
	for _, o := range c.orders {
		bound := approval + funds + horizon + time.Hour + c.plan.delays(o.Order)
		j.require(o.ended || o.lost || o.err != nil, o, "its workflow still runs")
		j.require(o.row.State.Terminal(), o, "it has not ended: %s", o.row.State)
		i := slices.IndexFunc(o.steps, func(s ledger.Step) bool { return s.To.Terminal() || s.To == order.InReview })
		if j.require(i >= 0, o, "it neither ended nor went to review") {
			took := o.steps[i].At.Sub(o.row.CreatedAt) - o.unsentTime()
			j.require(took <= bound, o, "it took %s until it ended or went to review", took)
		}
		for _, entry := range o.callbacks {
			j.require(entry.Status == ledger.Done, o, "callback %s is %s: it was not handled", entry.ID, entry.Status)
		}
	}
}

// unsentTime returns how long the order waited before the first create that the gateway
// may have received. That wait has no horizon. It may last until heal, because the query
// before the create may fail until then.
func (r record) unsentTime() time.Duration {
	for _, s := range r.submissions {
		if s.Outcome != ledger.Unsent && s.Outcome != ledger.Paused {
			return min(s.StartedAt.Sub(r.row.CreatedAt), heal)
		}
	}
	return 0
}

// P7: genuine callbacks in any number and order give the same final state and the same
// transfers.
func (j *judge) callbacksInAnyOrder(c *results) {
	for _, o := range c.orders {
		if o.Story != nil {
			j.storyEnd(o)
		}
	}
}

// delays returns how much longer an order may take because of spells, ledger failures, and
// times without a workflow.
func (p Plan) delays(o Order) time.Duration {
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
	return held + time.Duration(len(o.Unheard))*answerLossTime
}

// P10: the last comparison of balances finds the difference, and the comparison of
// transactions reports no difference that does not exist.
func (j *judge) comparedAsItIs(c *results) {
	if len(c.plan.Compare) == 0 || c.closed {
		return
	}
	if c.compared == nil || len(c.compared.Snapshots) != 1 {
		j.books(false, "the last comparison of balances is missing: %+v", c.compared)
		return
	}
	ours := c.balances[ledger.AccountAvailable] + c.balances[ledger.AccountInFlight]
	theirs := c.book.Merchants[0].Available.Minor() + c.book.Merchants[0].Frozen.Minor()
	drift := c.compared.Snapshots[0].Drift.Minor()
	j.books(drift == theirs-ours, "the last comparison reports a difference of %d, but the balances differ by %d", drift, theirs-ours)
	j.books((len(c.compared.Drifting) > 0) == (drift != 0), "balances differ by %d, but the last comparison reports %v", drift, c.compared.Drifting)
	for _, o := range c.orders {
		j.require(len(o.Losses) > 0 || c.plan.Older != nil || !o.has(codes.DiscrepancyOrphan), o, "a discrepancy says that it lacks a workflow, but it always had one")
		j.require(c.plan.Older != nil || !o.has(codes.DiscrepancyNoOrder), o, "a discrepancy says that we do not have the order, but we do")
		j.require(len(o.booked) > 1 || !o.has(codes.DiscrepancySecond), o, "a discrepancy says that its number was used twice, but it was used once")
		if o.settledOnce() {
			j.require(!o.has(codes.DiscrepancyRecord), o, "a discrepancy says that the gateway's record differs, but it does not: %v", o.discrepancies)
			j.require(!o.has(codes.DiscrepancyState), o, "a discrepancy says that the gateway's state differs, but it does not: %v", o.discrepancies)
		}
	}
}

// settledOnce reports whether the gateway ended the order exactly once, with the amount
// and id that our order has.
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

// P13: no order's workflow fails, and no order is open after its workflow ended.
func (j *judge) noWorkflowStuck(c *results) {
	for _, o := range c.orders {
		j.require(o.err == nil, o, "its workflow failed: %v", o.err)
		j.require(!o.ended || o.row.State.Terminal(), o, "its workflow has ended, but it is %s", o.row.State)
		j.require(!o.lost || o.row.State.Terminal(), o, "no workflow drives it, but it is %s", o.row.State)
	}
}

// twoPersons reports whether a name is "first and second", with two different persons.
func twoPersons(by string) bool {
	first, second, both := strings.Cut(by, " and ")
	return both && first != "" && second != "" && !rules.SamePerson(first, second)
}
