package payouts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// If the ledger has an order, the ledger's state is used. Temporal may have been
// restored from an older copy, or may have another order under the number.
// Temporal's answer is used for the next step, and for whether a workflow drives
// the order.

// Source is where an order's state comes from.
type Source string

// The sources.
const (
	FromWorkflow Source = "workflow" // the order's workflow, because the ledger does not have the order or cannot be asked
	FromLedger   Source = "ledger"   // the ledger, whose state takes precedence
	FromList     Source = "list"     // Temporal's list, which lags and has fewer members
)

// Order is an order's state and where it comes from.
type Order struct {
	Order   order.View      `json:"order"`
	Source  Source          `json:"source"`
	Started *client.Started `json:"started,omitempty"` // by this use case
	Problem *order.Reason   `json:"problem,omitempty"` // why no workflow drives the order

	// Unrecorded: the order is adopted, and the audit entry of that is not confirmed.
	Unrecorded bool `json:"unrecorded,omitempty"`

	// LateFees are fees of the order that were learned late, beside its fee.
	LateFees []LateFee `json:"late_fees,omitempty"`

	ChangedAt  time.Time     `json:"changed_at,omitzero"` // when the state last changed, by the ledger
	Stood      time.Duration `json:"-"`                   // time since then
	LedgerAway bool          `json:"-"`                   // the ledger was not available
}

// LateFee is a fee of an order that was learned late.
type LateFee = ledger.LateFee

// NeedsPerson reports whether the order waits for a person.
func (o Order) NeedsPerson() bool { return rules.NeedsPerson(o.Order.Standing) }

// Status returns the state of an order and what happens next.
func (s *Service) Status(ctx context.Context, _ Actor, key order.Key) (Order, error) {
	known := s.record(ctx, key)
	if known.ended() {
		return s.withEnd(known.answer()), nil
	}
	orders, err := s.parts.Orders(ctx)
	switch {
	case known.found && err != nil:
		return known.next(notKnown(err)), nil
	case known.found:
		answer := s.drivenStatus(ctx, orders, known)
		if answer.Problem != nil { // or the order has ended meanwhile, and its workflow after it
			if now := s.record(ctx, key); now.ended() {
				return s.withEnd(now.answer()), nil
			}
		}
		return answer, nil
	case err != nil:
		return Order{}, err
	}
	return s.workflowStatus(ctx, orders, key, known)
}

// Wait waits for the end of an order and returns its state. The error is NO_ANSWER
// if the order is still open when the patience is over.
func (s *Service) Wait(ctx context.Context, actor Actor, key order.Key, patience time.Duration) (Order, error) {
	known := s.record(ctx, key)
	if known.ended() {
		return s.withEnd(known.answer()), nil
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Order{}, err
	}
	if !known.found {
		there, err := find(ctx, orders, key)
		if err != nil {
			return Order{}, err
		}
		if there.Squatted != "" {
			return Order{}, order.Refuse(order.CodeNumberSquatted, "%s", there.Squatted)
		}
	}
	return s.Await(ctx, actor, key, patience)
}

// Await is Wait for an order that the caller has just started.
func (s *Service) Await(ctx context.Context, actor Actor, key order.Key, patience time.Duration) (Order, error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Order{}, err
	}
	bounded, cancel := within(ctx, patience)
	defer cancel()
	view, err := orders.Wait(bounded, key)
	if order.CodeOf(err) == codes.DiscrepancyOrphan { // the workflow has ended, and the order may be open
		return s.Status(ctx, actor, key)
	}
	if err != nil && bounded.Err() != nil {
		return s.stillOpen(ctx, actor, key)
	}
	if err != nil {
		return Order{}, err
	}
	return s.preferLedger(ctx, Order{Order: view, Source: FromWorkflow})
}

// stillOpen returns the error NO_ANSWER of an order that has not ended in the time
// to wait, with its state and what happens next. It returns the order itself if the
// order has ended meanwhile.
func (s *Service) stillOpen(ctx context.Context, actor Actor, key order.Key) (Order, error) {
	answer := s.soon(ctx, actor, key)
	if answer.Order.State.Terminal() {
		return answer, nil
	}
	return Order{}, StillOpen(key, answer, s.parts.Ask)
}

// StillOpen returns the refusal NO_ANSWER_YET for an order that has not ended in the time to
// wait. ask is Parts.Ask.
func StillOpen(key order.Key, stands Order, ask func(UseCase, order.Key) string) *order.Refusal {
	return order.Refuse(client.CodeNoAnswer, "order %s is still under way%s. Look again with: %s", key, stands.stands(), ask(UseWait, key))
}

// soon returns an order if somebody answers soon, or the zero Order.
func (s *Service) soon(ctx context.Context, actor Actor, key order.Key) Order {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := s.Status(ctx, actor, key)
	if err != nil {
		return Order{}
	}
	return answer
}

// stands returns the state of an order and what happens next, as the end of a sentence, or
// "" for the zero Order: ": it is reserved. Next: It is sent".
func (o Order) stands() string {
	if o.Order.State == "" {
		return ""
	}
	text := ": it is " + string(o.Order.State)
	if next := strings.TrimSuffix(o.Order.Next, "."); next != "" {
		text += ". Next: " + next
	}
	if o.Problem != nil {
		text += ". Problem: " + o.Problem.Text
	}
	return text
}

// record is an order in the ledger.
type record struct {
	row   order.Order
	found bool
	late  []LateFee
	at    time.Time // time of the lookup
	unset bool      // no ledger is configured
	err   error     // the ledger is not available
}

// record reads an order from the ledger, if a ledger is configured.
func (s *Service) record(ctx context.Context, key order.Key) (known record) {
	known.err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		row, err := l.Order(ctx, key)
		known.row, known.found, known.at = row, err == nil, s.parts.Now()
		if err == nil && row.Paid.IsPositive() {
			known.late, err = l.LateFees(ctx, key)
		}
		return err
	})
	switch {
	case order.CodeOf(known.err) == CodeNoLedger:
		return record{unset: true}
	case errors.Is(known.err, ledger.ErrNotFound):
		return record{}
	}
	return known
}

func (r record) ended() bool { return r.found && r.row.State.Terminal() }

// answer returns the order as the ledger has it.
func (r record) answer() Order {
	answer := Order{
		Order: r.row.View(r.row.Standing), Source: FromLedger, LateFees: r.late, ChangedAt: r.row.UpdatedAt, Stood: r.at.Sub(r.row.UpdatedAt),
	}
	return answer
}

func (r record) next(text string) Order {
	answer := r.answer()
	answer.Order.Next = text
	return answer
}

// notKnown is what happens next if Temporal cannot be asked.
func notKnown(err error) string { return "Not known: " + Explain(err).Message + "." }

// drivenStatus returns an open order of the ledger with the status of its
// workflow.
func (s *Service) drivenStatus(ctx context.Context, orders Orders, known record) Order {
	answer, key := known.answer(), known.row.Key()
	there, err := find(ctx, orders, key)
	switch {
	case order.CodeOf(err) == order.CodeOrderNotFound:
		answer.Problem = s.undriven(key, "Temporal has no workflow of it")
	case err != nil:
		return known.next(notKnown(err))
	case there.Squatted != "":
		answer.Problem = &order.Reason{Code: order.CodeNumberSquatted, Text: there.Squatted}
	case !there.Open:
		answer.Problem = s.undriven(key, "its last run is "+strings.ToLower(there.Status))
	default:
		s.addNext(ctx, orders, known, &answer)
	}
	return answer
}

// undriven returns the problem of an order that no workflow drives.
func (s *Service) undriven(key order.Key, why string) *order.Reason {
	return &order.Reason{
		Code: codes.DiscrepancyOrphan,
		Text: fmt.Sprintf("no workflow drives the order: %s; let one go on with it: %s", why, s.parts.Ask(UseAdopt, key)),
	}
}

// addNext asks the workflow that drives an order what happens next.
func (s *Service) addNext(ctx context.Context, orders Orders, known record, answer *Order) {
	asking, cancel := within(ctx, askTime)
	defer cancel()
	row := known.row
	view, err := orders.Order(asking, row.Key())
	switch {
	case err != nil:
		answer.Order.Next = "Not known: no worker answers for the order's workflow."
	case row.Hidden == "" && view.Fingerprint != answer.Order.Fingerprint:
		answer.Problem = &order.Reason{
			Code: order.CodeOrderConflict,
			Text: "the workflow that runs under the number was started with other content than the ledger has; terminate it, and adopt the order",
		}
	case view.State != row.State:
		answer.Order.Next = fmt.Sprintf("Its workflow has it as %s, and goes on from what the ledger says once it hears anything: %s",
			view.State, s.parts.Ask(UsePoll, row.Key()))
	case view.Reason.Code == codes.WithdrawalsStopped:
		answer.Order.Next = s.stopped(ctx, row.Key(), view.Next)
	default:
		answer.Order.Next = s.next(answer.Order, view.Next)
	}
}

// stopped returns what an order waits for that a stop held back when its workflow last
// tried to send it. Since then the stop may have ended, or another one begun.
func (s *Service) stopped(ctx context.Context, key order.Key, told string) string {
	_ = s.inLedger(ctx, func(ctx context.Context, l Ledger) error { // without an answer, what was told stands
		stop, _, err := l.HeldBack(ctx, key)
		switch {
		case err != nil:
		case stop == nil:
			told = "Payouts are resumed. The order is sent at its next try, within about a minute."
		default:
			told = rules.WaitsForResumption(stop.Text())
		}
		return err
	})
	return told
}

// next returns what happens next to an open order: what its workflow has told, or else
// the next step of its state. Of an order that waits for an approval it also returns
// how to approve it.
func (s *Service) next(view order.View, told string) string {
	if told == "" {
		told = nextStep[view.State]
	}
	if view.State == order.AwaitingApproval {
		told += " Look at it, and approve it: " + s.parts.Ask(UseApprove, view.Key())
	}
	return told
}

// notWritten is how long a workflow may run without its order in the ledger before
// this is a problem.
const notWritten = time.Minute

// workflowStatus returns an order as its workflow has it, because the ledger does
// not have the order or is not available.
func (s *Service) workflowStatus(ctx context.Context, orders Orders, key order.Key, known record) (Order, error) {
	there, err := find(ctx, orders, key)
	if order.CodeOf(err) == order.CodeOrderNotFound && known.err != nil {
		return Order{}, known.err
	}
	if err != nil {
		return Order{}, err
	}
	if there.Squatted != "" {
		return Order{}, order.Refuse(order.CodeNumberSquatted, "%s", there.Squatted)
	}
	answer := Order{Order: rowView(there), Source: FromList}
	died := !there.Open && there.Status != statusCompleted
	if !died {
		answer = askWorkflow(ctx, orders, there, answer)
	}
	young := there.Open && s.parts.Now().Sub(there.StartedAt) < notWritten
	switch {
	case known.err != nil:
		away := Explain(known.err)
		answer.Problem = &order.Reason{Code: away.Code, Text: "the ledger, which decides, cannot be asked: " + away.Message}
	case known.unset && died:
		answer.Problem = s.undriven(key, "its last run is "+strings.ToLower(there.Status))
	case known.unset, young, rules.Unwritten(answer.Order.Standing):
	case there.Open && answer.Order.Reason.Code == codes.BooksClosed: // it is not to be in the ledger yet
	default:
		answer.Problem = &order.Reason{
			Code: codes.DiscrepancyNotInLedger,
			Text: "Temporal has a workflow of the order, and the ledger does not have the order; write it down from the workflow's input: " + s.parts.Ask(UseAdopt, key),
		}
	}
	if at, refused := s.refusedStarts(ctx, key.Number)[key]; refused && rules.Unwritten(answer.Order.Standing) {
		answer.ChangedAt, answer.Stood = at, s.parts.Now().Sub(at)
	}
	return s.withEnd(answer), nil
}

// statusCompleted is Temporal's status of a workflow that ended by itself.
const statusCompleted = "Completed"

// askWorkflow queries an order's workflow, or reads the result of an ended
// workflow, which needs no worker.
func askWorkflow(ctx context.Context, orders Orders, there client.Row, listed Order) Order {
	asking, cancel := within(ctx, askTime)
	defer cancel()
	ask := orders.Order
	if !there.Open {
		ask = orders.Wait
	}
	view, err := ask(asking, there.Key())
	if err != nil {
		return listed
	}
	return Order{Order: view, Source: FromWorkflow}
}

// unrecorded returns the refusal for a number that the ledger does not have, with
// what Temporal knows of it.
func (s *Service) unrecorded(ctx context.Context, actor Actor, key order.Key) error {
	return order.Refuse(order.CodeOrderNotFound, "nothing is on record of order %s%s", key, s.WorkflowKnows(ctx, actor, key))
}

// WorkflowKnows returns what Temporal knows of a number that the ledger does not
// have, as the end of a sentence. It returns "" if Temporal knows nothing or does
// not answer.
func (s *Service) WorkflowKnows(ctx context.Context, _ Actor, key order.Key) string {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return ""
	}
	there, err := find(ctx, orders, key)
	if err != nil || there.Squatted != "" || there.WorkflowID == "" {
		return ""
	}
	view := askWorkflow(ctx, orders, there, Order{Order: rowView(there)}).Order
	if !rules.Unwritten(view.Standing) {
		return "; Temporal has a workflow of it: " + s.parts.Ask(UseStatus, key)
	}
	text := fmt.Sprintf("; its workflow ended as %s before anything was written down: %s (%s)", view.State, view.Reason.Text, view.Reason.Code)
	if view.Reason.Code != order.CodeNumberTwin { // the other order's number stays
		text += ". Once that is mended, the same number may be started again"
	}
	return text
}

// preferLedger replaces a workflow's answer by the ledger's, if the ledger has the
// order. It keeps the answer of a refused request, because another order may have
// the number.
func (s *Service) preferLedger(ctx context.Context, answer Order) (Order, error) {
	told := answer.Order
	if rules.Unwritten(told.Standing) {
		return s.withEnd(answer), nil
	}
	known := s.record(ctx, told.Key())
	answer.LedgerAway = known.err != nil
	if !known.found {
		return s.withEnd(answer), nil
	}
	by := known.answer()
	if by.Order.Hidden == "" && told.Fingerprint != "" && told.Fingerprint != by.Order.Fingerprint {
		return Order{}, order.Refuse(order.CodeOrderConflict,
			"the number %s belongs to an order with other content in the ledger: look at it with %s", told.Number, s.parts.Ask(UseStatus, told.Key()))
	}
	if told.Reason.Code == codes.OrderErased { // the ledger does not know that it was requested again
		by.Order.Reason = told.Reason
	}
	answer.Order, answer.Source, answer.ChangedAt, answer.Stood = by.Order, by.Source, by.ChangedAt, by.Stood
	if !known.ended() && told.State == by.Order.State {
		answer.Order.Next = s.next(answer.Order, told.Next)
	}
	if !known.ended() && told.State.Terminal() {
		answer.Problem = s.undriven(told.Key(), "its workflow has ended, and the ledger has the order open")
	}
	return s.withEnd(answer), nil
}

// rowView returns an order with the members of Temporal's list.
func rowView(row client.Row) order.View {
	return order.View{
		Kind: row.Kind, Merchant: row.Merchant, Number: row.Number, Country: row.Country, Amount: row.Amount,
		Standing: order.Standing{State: row.State, GatewayID: row.GatewayID},
	}
}

// find looks an order of either kind up in Temporal.
func find(ctx context.Context, orders Orders, key order.Key) (client.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return orders.Find(ctx, key)
}
