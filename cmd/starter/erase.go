package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) eraseCommand() *cobra.Command {
	var merchant string
	var who actor
	cmd := &cobra.Command{
		Use:   "erase NUMBER --why WHY",
		Short: "Erase the personal data of an order that has ended",
		Long: `Destroys the keys that encrypt the personal data of an order, of its callbacks and of
its audit. Nobody can read it afterwards. State, amounts and times stay, and the audit
stays whole. The number is never paid again. The payee is unknown afterwards: the policy
takes the next payment to it for the first one. Backups keep the data until they expire.

The order must have ended more than PAYOUTS_PERSONAL_DATA_RETENTION ago (a setting of the
worker), have no open discrepancy and no callback that is not handled, and Temporal must
have no run of it any more. Otherwise the refusal says what is in the way, or from when on
it may be erased: ERASE_OPEN, ERASE_TOO_EARLY, ERASE_COPY_IN_TEMPORAL. A worker does it,
and it is audited, done or refused. With a roster it is signed, with the role admin.

--json: {"erased":{"merchant","number","state","at","by","why"}}.`,
		Example:           `  starter erase INV-1 --why "retention is over" --by amina`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.actionKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			erased, err := service.Erase(cmd.Context(), s.by(who.by), key, who.why)
			if err != nil {
				return err
			}
			s.show(erasedDocument{erased}, func(w io.Writer) {
				s.writeDone(w, "erased", who)
				describe(w, "order "+erased.Number, []fact{
					{"merchant", erased.Merchant}, {"state", string(erased.State)}, {"erased at", moment(erased.At)},
				})
			})
			return nil
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addActor(cmd, &who, "why, in a sentence without personal data")
	return cmd
}

// erasedDocument is {"erased":{…}}.
type erasedDocument struct {
	Erased payouts.Erased `json:"erased"`
}
