package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) approveCommand() *cobra.Command {
	var merchant string
	var flags approveFlags
	var list many
	cmd := &cobra.Command{
		Use:   "approve NUMBER --fingerprint FINGERPRINT | --list FILE --fingerprint FINGERPRINT",
		Short: "Approve an order or many, as a second person",
		Long: `Approves an order that waits for a second person. Whoever requested the order may not
approve it. The fingerprint says which content you approve: if the order has other
content, the approval is refused. The first eight digits are enough.

Without --fingerprint nothing is approved. The order is shown with its fingerprint, who
requested it and whom it pays, masked; the exit code is 2. Look at the order, then run
the command again with the fingerprint.
` + listHelp + `

--json: {"order","source"}, as of starter status; without --fingerprint also "error":
{"code","message","problems":[{"code","field","message"}]}.` + listHelpJSON,
		Example: `  starter approve INV-1
  starter approve INV-1 --fingerprint 4be1c09d --by amina
  starter approve --list monday.txt
  starter approve --list monday.txt --fingerprint 9f2c44d01b7ae310 --by amina`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if list.given() {
				list.root = flags.fingerprint
				return s.actOnList(cmd.Context(), &list, merchant, order.ActionApprove, "approved", flags.actor)
			}
			key, err := s.actionKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			return s.approve(cmd.Context(), key, flags)
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addActor(cmd, &flags.actor, "why, if there is something to say")
	list.add(s, cmd)
	cmd.Flags().StringVar(&flags.fingerprint, "fingerprint", "", "the order's fingerprint, or its first eight digits, or that of the list, or its first sixteen: what is approved")
	s.complete(cmd, "fingerprint", func(*cobra.Command) []string { return nil })
	return cmd
}

type approveFlags struct {
	actor
	fingerprint string
}

func (s *starter) approve(ctx context.Context, key order.Key, flags approveFlags) error {
	if flags.fingerprint == "" {
		return s.lookBeforeApproval(ctx, key)
	}
	return s.act("approved", flags.actor, func(service useCases) (payouts.Order, error) {
		return service.Approve(ctx, s.by(flags.by), key, flags.fingerprint, flags.why)
	})
}

// lookDocument is {"order":…,"source":…,"error":…}.
type lookDocument struct {
	orderDocument
	Error failure `json:"error"`
}

// lookBeforeApproval prints the order to approve, and approves nothing.
func (s *starter) lookBeforeApproval(ctx context.Context, key order.Key) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	document, err := service.Status(ctx, s.self(), key)
	if err != nil {
		return err
	}
	look := lookDocument{document, explain(refusedLook(document.Order))}
	s.show(look, func(w io.Writer) {
		writeOrder(w, document)
		if look.Error.Code == codeNoFingerprint {
			describe(w, "to be approved", []fact{{"fingerprint", rules.ShortFingerprint(document.Order.Fingerprint)}})
		}
		writeFailure(s.errs, look.Error)
	})
	return outcome(look.Error.exit)
}

// refusedLook returns why nothing was approved.
func refusedLook(view order.View) *order.Refusal {
	switch {
	case view.Hidden != "":
		return order.Refuse(vault.CodeKeyUnknown, "nothing was approved: the order is %s here; to look at it, set PAYOUTS_DATA_KEY_FILE", view.Hidden)
	case view.Fingerprint == "":
		return order.Refuse(client.CodeNoAnswer, "nothing was approved: the order's fingerprint is not known while no worker answers")
	case view.State != order.AwaitingApproval:
		return order.Refuse(codes.NotAwaitingApproval, "nothing was approved: order %s is %s; it does not wait for an approval", view.Key(), view.State)
	}
	return order.Refuse(codeNoFingerprint, "nothing was approved: look at the order. If it is right, somebody who did not request it approves it: starter approve %s --fingerprint %s --by WHO", orderArguments(view.Key()), rules.ShortFingerprint(view.Fingerprint))
}
