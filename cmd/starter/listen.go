package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) listenCommand() *cobra.Command {
	flags := eventFlags{follow: true, limit: payouts.MaxPage}
	var to string
	cmd := &cobra.Command{
		Use:   "listen --forward-to URL",
		Short: "Send events to a receiver on this machine, to develop it",
		Long: `Follows the events from now on, and sends each to a URL, signed as workers sign webhooks
with a secret that is printed first. No endpoint is registered, and what fails is not
tried again. It ends when it is interrupted.

--json: {"secret"} on one line, and then one line for each event: {"event","sent"}, where
sent is {"event_id","delivered","status","why","answer","took_ms"}.`,
		Example:           "  starter listen --forward-to http://127.0.0.1:3000/hook --events withdrawal.succeeded",
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.listen(cmd.Context(), to, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&to, "forward-to", "", "where to, such as http://127.0.0.1:3000/hook")
	f.StringVar(&flags.merchant, "merchant", "", "only of this merchant number")
	f.StringSliceVar(&flags.types, "events", nil, "only these types, such as withdrawal.succeeded")
	s.complete(cmd, "forward-to", func(*cobra.Command) []string { return nil })
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "events", func(*cobra.Command) []string { return payouts.EventTypes() })
	return cmd
}

// listening is the first line of listen --json, and forwarded the others.
type listening struct {
	Secret string `json:"secret"`
}

type forwarded struct {
	Event payouts.Event         `json:"event"`
	Sent  payouts.WebhookTested `json:"sent"`
}

func (s *starter) listen(ctx context.Context, to string, flags eventFlags) error {
	if to == "" {
		return usage("--forward-to is needed: the URL of the receiver, such as http://127.0.0.1:3000/hook")
	}
	filter, _, err := flags.filter(s.now())
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	forwarder, err := payouts.NewForwarder(to)
	if err != nil {
		return flagged(err)
	}
	defer forwarder.Close()
	if filter.After, err = service.LastEventPlace(ctx, s.self()); err != nil {
		return err
	}
	s.show(listening{forwarder.Secret}, func(w io.Writer) {
		printf(w, "events are sent to %s, signed with %s\n", printable(to), forwarder.Secret)
	})
	return s.followEvents(ctx, service, filter, func(event payouts.Event) bool {
		sent, err := forwarder.Send(ctx, event)
		if err != nil {
			return false // only the end of the context is an error here
		}
		s.show(forwarded{event, sent}, func(w io.Writer) {
			printf(w, "%s  %s  %s  %s\n", moment(event.At), event.Number, event.Type, testedText(sent))
		})
		return true
	})
}
