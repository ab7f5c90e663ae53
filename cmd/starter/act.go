package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
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

// act does something to an order and prints how the order stands then. done says
// what was done.
func (s *starter) act(done string, do func(*payouts.Service) (payouts.Order, error)) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	document, err := do(service)
	if err != nil {
		return err
	}
	s.showDone(done, document)
	return nil
}

// showDone prints what was done to an order, and then the order.
func (s *starter) showDone(done string, document orderDocument) {
	s.warnAway(document)
	s.show(document, func(w io.Writer) {
		printf(w, "%s\n", done)
		writeOrder(w, document)
	})
}

// deedKey names the order of a deed; wrong is what else cannot be sent. The
// error is an *order.Invalid.
func (s *starter) deedKey(ctx context.Context, merchant, number string, wrong problems) (order.Key, error) {
	key, err := s.key(ctx, merchant, number)
	wrong.merge(err)
	if err == nil {
		wrong.merge(payouts.CheckKey(key))
	}
	if len(wrong) > 0 {
		return order.Key{}, &order.Invalid{Problems: wrong}
	}
	return key, err
}

// orderArguments name an order on a command line.
func orderArguments(key order.Key) string {
	return shellWord(key.Number) + " --merchant " + shellWord(key.Merchant)
}

// shellWord writes a value as one word of a shell.
func shellWord(value string) string { return shell.Word(value) }
