package main

import (
	"cmp"
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/shell"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The ledger decides whether an action on an order is allowed, and records it in
// the same transaction. So these commands send an action without an actor or a
// reason too: the ledger refuses it, and the audit has the attempt. Only actions
// that cannot be sent at all are refused here.

// actor is the flags for the person who acts and the reason.
type actor struct{ by, why string }

func (s *starter) addActor(cmd *cobra.Command, a *actor, why string) {
	s.addBy(cmd, &a.by)
	cmd.Flags().StringVar(&a.why, "why", "", why)
	s.complete(cmd, "why", func(*cobra.Command) []string { return nil })
}

func (s *starter) addBy(cmd *cobra.Command, by *string) {
	s.addNamed(cmd, "by", by, "who does it; for the record")
}

// addNamed adds a flag that names who acts.
func (s *starter) addNamed(cmd *cobra.Command, flag string, by *string, says string) {
	*by = s.user
	cmd.Flags().Var(named{by, &s.claimed}, flag, says)
	s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
}

// named is the value of such a flag. It notes that the flag was given.
type named struct{ name, claimed *string }

func (n named) String() string {
	if n.name == nil { // package pflag makes an empty one
		return ""
	}
	return *n.name
}

func (n named) Set(name string) error {
	*n.name, *n.claimed = name, name
	return nil
}

func (named) Type() string { return "string" }

// recorded returns who is on record for what was done: who acts, or whom the API key stands
// for if nobody has signed.
func (s *starter) recorded(by string) string {
	if s.door == nil || s.hasSigned {
		return by
	}
	return cmp.Or(s.door.Caller(), by)
}

// act does an action on an order and prints what was done, by whom and why, and the
// order afterwards. more is further lines after what was done.
func (s *starter) act(done string, who actor, do func(useCases) (payouts.Order, error), more ...string) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	document, err := do(service)
	if err != nil {
		return err
	}
	s.warnAway(document)
	s.show(document, func(w io.Writer) {
		s.writeDone(w, done, who)
		for _, line := range more {
			printf(w, "%s\n", line)
		}
		writeOrder(w, document)
	})
	return nil
}

// writeDone prints an action that was done, who did it, and why.
func (s *starter) writeDone(w io.Writer, done string, who actor) {
	if by := s.recorded(who.by); by != "" {
		done += " by " + by
	}
	if who.why != "" {
		done += ": " + who.why
	}
	printf(w, "%s\n", printable(done))
}

// actionKey returns the key of an action's order. wrong is the problems of other
// flags. The error is an *order.Invalid.
func (s *starter) actionKey(ctx context.Context, merchant, number string, wrong problems) (order.Key, error) {
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

// orderArguments returns the arguments that name an order on a command line.
func orderArguments(key order.Key) string {
	return shellWord(key.Number) + " --merchant " + shellWord(key.Merchant)
}

// shellWord quotes a value as one word for a shell.
func shellWord(value string) string { return shell.Word(value) }
