package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

const stopJSON = `
--json: {"stop":{"id","merchant","country","all","at","by","why","resume_proposed_by",
"resumed_by","resumed_at"}}. Of merchant, country and all, one is there.`

func (s *starter) stopCommand() *cobra.Command {
	return s.stopping(&cobra.Command{
		Use:   "stop (--merchant MERCHANT | --country COUNTRY | --all) --why WHY",
		Short: "Stop the withdrawals of a merchant, of a country, or all",
		Long: `Stops withdrawals: from now on no create of theirs is sent to the gateway. New ones are
taken and wait. One that was being sent at this moment may still reach the gateway. What
the gateway has goes on being asked about, and is booked. Deposits go on. Deadlines of
approvals and funds go on, too.

One person stops; two resume (starter resume). The stop is in starter queue until then. A
stop that is repeated takes back what the first of the two proposed. A worker does it, and
it is audited: starter audit --merchant MERCHANT, or --installation.
` + stopJSON,
		Example: `  starter stop --all --why "the finance system was broken into" --by amina
  starter stop --country PK --why "the bank's day off is not planned for" --by amina`,
	}, useCases.Stop)
}

func (s *starter) resumeCommand() *cobra.Command {
	return s.stopping(&cobra.Command{
		Use:   "resume (--merchant MERCHANT | --country COUNTRY | --all) --why WHY",
		Short: "Resume withdrawals that were stopped; two persons do it",
		Long: `Ends a stop (starter stop). The first person's command is a proposal; another person's
command ends the stop, and the withdrawals that wait are sent within about a minute
(PAYOUTS_BREAKER_PROBE of the worker). With a roster both sign, with the role approve; a
stop of a country or of all needs persons who act for all merchants.

Stops of other scopes stay: a withdrawal is sent when none is in force for it. It is
audited, done or refused. SAME_PERSON: the first person cannot be the second, too.
` + stopJSON,
		Example: `  starter resume --all --why "the passwords are changed" --by amina
  starter resume --all --why "checked" --by bilal`,
	}, useCases.Resume)
}

// stopping completes a command whose action is on a scope.
func (s *starter) stopping(
	cmd *cobra.Command, act func(useCases, context.Context, payouts.Actor, order.StopScope, string) (payouts.Stop, error),
) *cobra.Command {
	var who actor
	var scope order.StopScope
	cmd.Args, cmd.ValidArgsFunction = commandline.NoArguments, cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if refusal := (order.BookAction{Stop: &scope}).Check(); refusal != nil {
			return usage("%s needs one of --merchant, --country and --all", cmd.Name())
		}
		service, err := s.useCases()
		if err != nil {
			return err
		}
		stop, err := act(service, cmd.Context(), s.by(who.by), scope, who.why)
		if err != nil {
			return err
		}
		s.show(stopDocument{stop}, func(w io.Writer) { writeStop(w, stop) })
		return nil
	}
	s.addActor(cmd, &who, "why, in a sentence")
	flags := cmd.Flags()
	flags.StringVar(&scope.Merchant, "merchant", "", "of this merchant number")
	flags.StringVar(&scope.Country, "country", "", "of this country")
	flags.BoolVar(&scope.All, "all", false, "of everybody")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "country", countryNames)
	return cmd
}

// stopDocument is {"stop":{…}}.
type stopDocument struct {
	Stop payouts.Stop `json:"stop"`
}

func writeStop(w io.Writer, stop payouts.Stop) {
	state := "in force: no withdrawal of it is sent"
	switch {
	case stop.EndedBy != "":
		state = "resumed: what waits is sent"
	case stop.Proposer != "":
		state = "in force until another person resumes, too"
	}
	describe(w, "stop of "+stop.StopScope.String(), []fact{
		{"state", state}, {"since", moment(stop.At)}, {"by", stop.By}, {"why", stop.Why},
		{"resume proposed by", stop.Proposer}, {"resumed by", stop.EndedBy}, {"resumed at", moment(stop.EndedAt)},
	})
}
