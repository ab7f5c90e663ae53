package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// closingFlags are the flags of the closing of a day.
type closingFlags struct {
	actor
	merchant, currency, day, hash string
}

func (s *starter) reportCloseCommand() *cobra.Command {
	var flags closingFlags
	cmd := &cobra.Command{
		Use:   "close --day YYYY-MM-DD --merchant M --hash HASH",
		Short: "Close a day with the figures that you have seen",
		Long: `Closes a merchant's day: its figures never change again. The hash is that of starter
report; its first 8 digits are enough. If the figures are others by now, the closing is
refused with DAY_CHANGED.

Days are closed one after the other, without a gap; the first may be any day since the
books were opened. What is booked later belongs to a later day, and its report shows it
as a correction. A worker closes the day, and it is audited, done or refused. With a
roster it is signed, with the role adjust.

--json: {"day":{…}}, as one of the days of starter report, with closed: {"by","at",
"proof","changed","repeated"}, where repeated is true if the same person had closed it
before.`,
		Example:           `  starter report close --day 2026-11-29 --merchant M1700000001 --hash 4be1c09d --by amina`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			closing, err := flags.closing(s)
			if err != nil {
				return err
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			day, err := service.CloseDay(cmd.Context(), s.by(flags.by), closing)
			if err != nil {
				return flagged(err)
			}
			s.show(dayDocument{day}, func(w io.Writer) {
				s.writeDone(w, "closed", flags.actor)
				writeDays(w, []payouts.DayReport{day})
			})
			return nil
		},
	}
	s.addMerchant(cmd, &flags.merchant)
	cmd.Flags().StringVar(&flags.day, "day", "", "the day, as `YYYY-MM-DD`")
	cmd.Flags().StringVar(&flags.currency, "currency", "", "the currency, when it is not that of the merchant's country")
	cmd.Flags().StringVar(&flags.hash, "hash", "", "the hash of the figures, of starter report; its first 8 digits are enough")
	s.addActor(cmd, &flags.actor, "a remark for the record")
	for _, flag := range []string{"day", "currency", "hash"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
	return cmd
}

// dayDocument is {"day":{…}}.
type dayDocument struct {
	Day payouts.DayReport `json:"day"`
}

// closing returns what is closed. The error is an *order.Invalid with every problem.
func (f *closingFlags) closing(s *starter) (payouts.Closing, error) {
	key, err := s.merchantKey(f.merchant)
	var wrong problems
	wrong.merge(err)
	wrong.need("day", f.day, "--day is needed: the day, as YYYY-MM-DD")
	wrong.need("hash", f.hash, "--hash is needed: the hash of the figures that you have seen; starter report prints it")
	closing := payouts.Closing{Merchant: key.Merchant, Currency: strings.ToUpper(f.currency), Hash: f.hash, Why: f.why}
	if f.day != "" {
		day, refusal := order.ParseDate(f.day)
		if refusal != nil {
			wrong.add(refusal.Code, "day", "--day: %s", refusal.Text)
		}
		closing.Day = day
	}
	if len(wrong) > 0 {
		return payouts.Closing{}, &order.Invalid{Problems: wrong}
	}
	return closing, err
}
