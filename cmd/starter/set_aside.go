package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) setAsideCommand() *cobra.Command {
	var who actor
	cmd := &cobra.Command{
		Use:   "set-aside CALLBACK --why WHY",
		Short: "Be done with a callback that nobody can act on",
		Long: `Takes a callback off the queue: one of an order that we do not have, when a person has
found out who made the order, or one that cannot be passed on (CALLBACK_UNDELIVERED),
when a person has asked the gateway about the order. It moves no money, and the callback
does not come back if the gateway repeats it. It is written to the ledger directly and
audited, done or refused; the id is that of starter queue.

A callback that has an order and can be passed on, or was dealt with before, is refused
with CALLBACK_NOT_UNMATCHED.

--json: {"callback":{"id","key":{"merchant","number"},"status","received","first_at",
"last_at"}}, where status is done and received is how many times it came.`,
		Example:           `  starter set-aside 5f1c…09 --why "made by the old system, ticket 4711" --by amina`,
		Args:              commandline.Exactly("callback's id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !numberShape.MatchString(args[0]) {
				return &order.Invalid{Problems: []order.Problem{{
					Code: codeUsage, Field: "id", Message: "a callback's id is 64 letters and digits: starter queue lists them",
				}}}
			}
			return s.setAside(cmd.Context(), args[0], who)
		},
	}
	s.addActor(cmd, &who, "why, in a sentence")
	return cmd
}

// callbackDocument is {"callback":{…}}.
type callbackDocument struct {
	Callback callbackView `json:"callback"`
}

// callbackView is a callback without what it says: that may name people.
type callbackView struct {
	ID       string             `json:"id"`
	Key      order.Key          `json:"key"`
	Status   ledger.InboxStatus `json:"status"`
	Received int                `json:"received"`
	FirstAt  time.Time          `json:"first_at"`
	LastAt   time.Time          `json:"last_at"`
}

func (s *starter) setAside(ctx context.Context, id string, who actor) error {
	return s.inLedger(ctx, func(ctx context.Context, l books) error {
		entry, refusal, err := l.SetCallbackAside(ctx, id, who.by, who.why)
		if errors.Is(err, ledger.ErrNotFound) {
			return order.Refuse(codeNoCallback, "there is no callback %s", id)
		}
		if err != nil {
			return err
		}
		if refusal != nil {
			return refusal
		}
		view := callbackView{entry.ID, entry.Key(), entry.Status, entry.Received, entry.FirstAt, entry.LastAt}
		s.show(callbackDocument{view}, func(w io.Writer) { writeCallback(w, view) })
		return nil
	})
}

func writeCallback(w io.Writer, c callbackView) {
	describe(w, "callback "+c.Key.String(), []fact{
		{"id", c.ID}, {"status", string(c.Status)}, {"since", moment(c.FirstAt)}, {"came last", moment(c.LastAt)}, {"times", strconv.Itoa(c.Received)},
	})
}
