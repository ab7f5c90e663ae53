package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Where an order stands is the ledger's to say, wherever the ledger has the
// order: Temporal may have been restored from an older copy, or have another
// order under the number by now. Temporal says what happens next, and whether a
// workflow drives the order at all.

// record is what the ledger has of an order.
type record struct {
	row   order.Order
	found bool
	at    time.Time // when it was asked
	unset bool      // there is no ledger to ask
	err   error     // the ledger could not be asked
}

// record asks the ledger, if there is one.
func (s *starter) record(ctx context.Context, key order.Key) record {
	l, hangUp, err := s.ledger(ctx)
	if errors.Is(err, errNoLedger) {
		return record{unset: true}
	}
	if err != nil {
		return record{err: err}
	}
	defer hangUp()
	reading, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	row, err := l.Order(reading, key)
	if errors.Is(err, ledger.ErrNotFound) {
		return record{}
	}
	return record{row: row, at: s.now(), found: err == nil, err: err}
}

func (r record) ended() bool { return r.found && r.row.State.Terminal() }

// document is the ledger's word.
func (r record) document() orderDocument {
	document := orderDocument{Order: r.row.View(r.row.Standing), Source: sourceLedger, ChangedAt: r.row.UpdatedAt, stood: r.at.Sub(r.row.UpdatedAt)}
	if r.ended() {
		document.Order.Next = orderEnded
	}
	return document
}

const orderEnded = "Nothing: the order has ended."

// status says where an order stands.
func (s *starter) status(ctx context.Context, key order.Key) (orderDocument, error) {
	known := s.record(ctx, key)
	if known.ended() {
		return known.document(), nil
	}
	temporal, hangUp, err := s.temporal(ctx)
	if err == nil {
		defer hangUp()
	}
	switch {
	case known.found && err != nil:
		document := known.document()
		document.Order.Next = "Not known: Temporal does not answer."
		return document, nil
	case known.found:
		return s.drivenStatus(ctx, temporal, known), nil
	case err != nil:
		return orderDocument{}, err
	}
	return s.workflowStatus(ctx, temporal, key, known)
}

// drivenStatus adds to the ledger's word what Temporal knows of an open order.
func (s *starter) drivenStatus(ctx context.Context, temporal orders, known record) orderDocument {
	document, row := known.document(), known.row
	looking, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	there, err := temporal.Find(looking, row.Key())
	switch {
	case order.CodeOf(err) == order.CodeOrderNotFound:
		document.Problem = undriven(row.Key(), "Temporal has no workflow of it")
	case err != nil:
		document.Order.Next = "Not known: Temporal does not answer."
	case there.Squatted != "":
		document.Problem = &order.Reason{Code: order.CodeNumberSquatted, Text: there.Squatted}
	case !there.Open:
		document.Problem = undriven(row.Key(), "its last run is "+strings.ToLower(there.Status))
	default:
		s.addNext(ctx, temporal, known, &document)
	}
	return document
}

// undriven is the problem of an order that no workflow drives.
func undriven(key order.Key, why string) *order.Reason {
	return &order.Reason{
		Code: order.DiscrepancyOrphan,
		Text: fmt.Sprintf("no workflow drives the order: %s; let one go on with it: starter adopt %s", why, orderArguments(key)),
	}
}

// addNext asks the workflow that drives an order what happens next.
func (s *starter) addNext(ctx context.Context, temporal orders, known record, document *orderDocument) {
	asking, cancel := within(ctx, askTime)
	defer cancel()
	row := known.row
	view, err := temporal.Order(asking, row.Key())
	switch {
	case err != nil:
		document.Order.Next = "Not known: no worker answers for the order's workflow."
	case view.Fingerprint != document.Order.Fingerprint:
		document.Problem = &order.Reason{
			Code: order.CodeOrderConflict,
			Text: "the workflow that runs under the number was started with other content than the ledger has; terminate it, and adopt the order",
		}
	case view.State != row.State:
		document.Order.Next = fmt.Sprintf("Its workflow has it as %s, and goes on from what the ledger says once it hears anything: starter poll %s",
			view.State, orderArguments(row.Key()))
	default:
		document.Order.Next = view.Next
	}
}

// notWritten is how long an order's workflow may run before the ledger has the
// order, without anybody being told.
const notWritten = time.Minute

// workflowStatus is the word of an order's workflow, because the ledger has no
// such order, or cannot be asked.
func (s *starter) workflowStatus(ctx context.Context, temporal orders, key order.Key, known record) (orderDocument, error) {
	there, err := s.find(ctx, temporal, key)
	if order.CodeOf(err) == order.CodeOrderNotFound && known.err != nil {
		return orderDocument{}, known.err
	}
	if err != nil {
		return orderDocument{}, err
	}
	if there.Squatted != "" {
		return orderDocument{}, order.Refuse(order.CodeNumberSquatted, "%s", there.Squatted)
	}
	document := orderDocument{Order: rowView(there), Source: sourceList}
	died := !there.Open && there.Status != statusCompleted
	if !died {
		document = s.askWorkflow(ctx, temporal, there, document)
	}
	young := there.Open && s.now().Sub(there.StartedAt) < notWritten
	switch {
	case known.err != nil:
		f := explain(known.err)
		document.Problem = &order.Reason{Code: f.Code, Text: "the ledger, which decides, cannot be asked: " + f.Message}
	case known.unset && died:
		document.Problem = undriven(key, "its last run is "+strings.ToLower(there.Status))
	case known.unset, young, document.Order.Unwritten():
	default:
		document.Problem = &order.Reason{
			Code: order.DiscrepancyNotInLedger,
			Text: "Temporal has a workflow of the order, and the ledger does not have the order; write it down from the workflow's input: starter adopt " + orderArguments(key),
		}
	}
	return document, nil
}

// statusCompleted is the workflow's status of one that came to its end by itself.
const statusCompleted = "Completed"

// askWorkflow asks an order's workflow itself, or reads its result, for which no
// worker is needed.
func (s *starter) askWorkflow(ctx context.Context, temporal orders, there client.Row, listed orderDocument) orderDocument {
	asking, cancel := within(ctx, askTime)
	defer cancel()
	ask := temporal.Order
	if !there.Open {
		ask = temporal.Wait
	}
	view, err := ask(asking, there.Key())
	if err != nil {
		return listed
	}
	return orderDocument{Order: view, Source: sourceWorkflow}
}

// unrecorded refuses a number that the ledger knows nothing of, and says what its
// workflow knows.
func (s *starter) unrecorded(ctx context.Context, key order.Key) error {
	return order.Refuse(order.CodeOrderNotFound, "nothing is on record of order %s%s", key, s.workflowKnows(ctx, key))
}

// workflowKnows says what Temporal knows of a number that the ledger does not have,
// for the end of a sentence; "" if it knows nothing, or does not answer.
func (s *starter) workflowKnows(ctx context.Context, key order.Key) string {
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return ""
	}
	defer hangUp()
	there, err := s.find(ctx, temporal, key)
	if err != nil || there.Squatted != "" || there.WorkflowID == "" {
		return ""
	}
	view := s.askWorkflow(ctx, temporal, there, orderDocument{Order: rowView(there)}).Order
	if !view.Unwritten() {
		return "; Temporal has a workflow of it: starter status " + orderArguments(key)
	}
	return fmt.Sprintf("; its workflow ended as %s before anything was written down: %s. Once that is mended, the same number may be started again",
		view.State, reasonText(view.Reason))
}

// decided puts the ledger's word in the place of a workflow's, if the ledger has
// the order. A request that was refused is none, although its number may be.
func (s *starter) decided(ctx context.Context, document orderDocument) (orderDocument, error) {
	told := document.Order
	if told.Unwritten() {
		return document, nil
	}
	known := s.record(ctx, told.Key())
	if known.err != nil {
		s.note("warning: the ledger, which decides, cannot be asked; this is the word of the order's workflow")
	}
	if !known.found {
		return document, nil
	}
	by := known.document()
	if told.Fingerprint != "" && told.Fingerprint != by.Order.Fingerprint {
		return orderDocument{}, order.Refuse(order.CodeOrderConflict,
			"the number %s belongs to an order with other content in the ledger: look at it with starter status %s", told.Number, orderArguments(told.Key()))
	}
	document.Order, document.Source, document.ChangedAt, document.stood = by.Order, by.Source, by.ChangedAt, by.stood
	if !known.ended() && told.State == by.Order.State {
		document.Order.Next = told.Next
	}
	if !known.ended() && told.State.Terminal() {
		document.Problem = undriven(told.Key(), "its workflow has ended, and the ledger has the order open")
	}
	return document, nil
}

// rowView is what the list tells of an order.
func rowView(row client.Row) order.View {
	return order.View{
		Kind: row.Kind, Merchant: row.Merchant, Number: row.Number, Country: row.Country, Amount: row.Amount,
		Standing: order.Standing{State: row.State, GatewayID: row.GatewayID},
	}
}

// find looks an order up, whichever kind it is.
func (s *starter) find(ctx context.Context, temporal orders, key order.Key) (client.Row, error) {
	finding, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return temporal.Find(finding, key)
}
