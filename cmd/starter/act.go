package main

import (
	"context"
	"io"
	"regexp"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/shell"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What every command has in common by which a person does something to an
// order. Whether it may be done is decided by the ledger, in the transaction
// that does it and writes it down: here nothing is refused that the audit
// should know of, not even a deed that says not who does it, or why. Only what
// cannot be sent at all stops here.

// actor is who acts, and why.
type actor struct{ by, why string }

func (s *starter) addActor(cmd *cobra.Command, a *actor, why string) {
	s.addBy(cmd, &a.by)
	cmd.Flags().StringVar(&a.why, "why", "", why)
	s.complete(cmd, "why", func(*cobra.Command) []string { return nil })
}

func (s *starter) addBy(cmd *cobra.Command, by *string) {
	cmd.Flags().StringVar(by, "by", s.user, "who does it; for the record")
	s.complete(cmd, "by", func(*cobra.Command) []string { return nil })
}

// target is the order that something is done to, as far as it is known.
type target struct {
	view  order.View
	found bool // somebody knows it; else the kind and the country are guesses
}

// deed does something to an order.
type deed func(context.Context, orders, target) (order.View, error)

// act does something to an order, in whatever state it is, and says how it
// stands then, and whether a workflow drives it.
func (s *starter) act(ctx context.Context, key order.Key, do deed) (document orderDocument, driven bool, err error) {
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return orderDocument{}, false, err
	}
	defer hangUp()
	at, err := s.target(ctx, temporal, key)
	if err != nil {
		return orderDocument{}, false, err
	}
	acting, cancel := within(ctx, callTime)
	defer cancel()
	view, err := do(acting, temporal, at)
	if err != nil {
		return orderDocument{}, false, late(acting, err, "order %s did not answer; it may still do as told: look with starter status. Does a worker run?", key)
	}
	if view.Fingerprint != "" {
		document, err = s.decided(ctx, orderDocument{Order: view, Source: sourceWorkflow})
		return document, true, err
	}
	return orderDocument{Order: at.stands(view.Standing), Source: sourceLedger}, false, nil
}

// showDone prints what was done to an order, and then the order.
func (s *starter) showDone(done string, document orderDocument) {
	s.show(document, func(w io.Writer) {
		printf(w, "%s\n", done)
		writeOrder(w, document)
	})
}

// stands is the order as the ledger says, because no workflow drives it.
func (t target) stands(standing order.Standing) order.View {
	view := t.view
	view.Standing = standing
	view.Next = orderEnded
	if !t.found {
		view.Kind, view.Country = "", ""
	}
	if !standing.State.Terminal() {
		view.Next = "Nothing: no workflow drives the order. Let one go on with it: starter adopt " + orderArguments(view.Key())
	}
	return view
}

// target looks for an order wherever one may be known, in the ledger first. An
// order that nobody knows is a target, too: whoever tries to do something to it
// leaves a trace.
func (s *starter) target(ctx context.Context, temporal orders, key order.Key) (target, error) {
	known := s.record(ctx, key)
	if known.found {
		return target{view: known.document().Order, found: true}, nil
	}
	row, err := s.find(ctx, temporal, key)
	if err == nil {
		return target{view: rowView(row), found: true}, nil
	}
	if order.CodeOf(err) != order.CodeOrderNotFound {
		return target{}, err
	}
	if known.err != nil {
		return target{}, known.err
	}
	settings, err := s.settings()
	return target{view: order.View{
		Kind: order.Withdrawal, Merchant: key.Merchant, Number: key.Number, Country: settings.Merchants.Countries()[key.Merchant],
	}}, err
}

// numberShape is what an order number looks like. Whatever else stands in its
// place may be a person's name, and a deed leaves a trace of the number.
var numberShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// deedKey names the order of a deed; wrong is what else cannot be sent. The
// error is an *order.Invalid.
func (s *starter) deedKey(ctx context.Context, merchant, number string, wrong problems) (order.Key, error) {
	key, err := s.key(ctx, merchant, number)
	wrong.merge(err)
	if err == nil && (!numberShape.MatchString(key.Number) || !numberShape.MatchString(key.Merchant)) {
		wrong.add(order.ProblemNumber, "number", "order and merchant numbers are letters, digits, hyphen and underscore")
	}
	if len(wrong) > 0 {
		return order.Key{}, &order.Invalid{Problems: wrong}
	}
	return key, err
}

// once tells this run's deed from every other: should it be heard twice, it is
// done once.
func once() string { return uuid.NewString() }

// orderArguments name an order on a command line.
func orderArguments(key order.Key) string {
	return shellWord(key.Number) + " --merchant " + shellWord(key.Merchant)
}

// shellWord writes a value as one word of a shell.
func shellWord(value string) string { return shell.Word(value) }
