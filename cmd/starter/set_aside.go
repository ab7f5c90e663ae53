package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) setAsideCommand() *cobra.Command {
	var who actor
	cmd := &cobra.Command{
		Use:   "set-aside CALLBACK --why WHY",
		Short: "Take a callback off the queue that cannot be processed",
		Long: `Takes a callback off the queue: one of an order that we do not have, when a person has
found out who made the order, or one that cannot be passed on (CALLBACK_UNDELIVERED),
when a person has asked the gateway about the order. It moves no money, and the callback
does not come back if the gateway repeats it. A worker does it, and it is audited, done
or refused; the id is that of starter queue.

A callback that has an order and can be passed on, or was dealt with before, is refused
with CALLBACK_NOT_UNMATCHED.

--json: {"callback":{"id","key":{"merchant","number"},"status","received","first_at",
"last_at"},"by","why"}, where status is done and received is how many times it came.`,
		Example:           `  starter set-aside 5f1c…09 --why "made by the old system, ticket 4711" --by amina`,
		Args:              commandline.Exactly("callback's id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !order.IsNumber(args[0]) {
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

// callbackDocument is {"callback":{…},"by":…,"why":…}.
type callbackDocument struct {
	Callback payouts.Callback `json:"callback"`
	By       string           `json:"by"`
	Why      string           `json:"why"`
}

func (s *starter) setAside(ctx context.Context, id string, who actor) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	callback, err := service.SetCallbackAside(ctx, s.by(who.by), id, who.why)
	if err != nil {
		return err
	}
	s.show(callbackDocument{callback, s.recorded(who.by), who.why}, func(w io.Writer) {
		s.writeDone(w, "set aside", who)
		writeCallback(w, callback)
	})
	return nil
}

func writeCallback(w io.Writer, c payouts.Callback) {
	describe(w, "callback "+c.Key.String(), []fact{
		{"id", c.ID}, {"status", string(c.Status)}, {"since", moment(c.FirstAt)}, {"came last", moment(c.LastAt)}, {"times", strconv.Itoa(c.Received)},
	})
}
