package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) checkAccountCommand() *cobra.Command {
	var from callerFlags
	var request tarspay.AccountCheckRequest
	cmd := &cobra.Command{
		Use:   "check-account --way WAY --account ACCOUNT --name NAME",
		Short: "Whether an account belongs to a name (" + payouts.Having(tarspay.OperationAccountCheck) + ")",
		Long: `Asks the gateway whether an account or wallet belongs to a name, before money is
sent there. The comparison is strict: a part of the name does not match. The name
that the gateway has is never printed. Exit code 4 when they do not match.

No page of the gateway shows the path of this: ask its support and set
PAYOUTS_ACCOUNT_CHECK_PATH; until then it is off.

--json: {"matches"}.` + callsGateway,
		Example: `  starter check-account --country VN --way VCB --account "$ACCOUNT" --name "$NAME"
  starter check-account --way MOMO --account "$WALLET" --name "$NAME" --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.checkAccount(cmd.Context(), from, request) },
	}
	s.addCaller(cmd, &from)
	cmd.Flags().StringVar(&request.Way, "way", "", "the gateway's code of the bank or wallet, see starter banks")
	cmd.Flags().StringVar(&request.AccountNumber, "account", "", "account or wallet number")
	cmd.Flags().StringVar(&request.UserName, "name", "", "the name it should belong to")
	s.complete(cmd, "way", wayNames(order.Withdrawal))
	for _, flag := range []string{"account", "name"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
	return cmd
}

// accountDocument is {"matches":…}.
type accountDocument struct {
	Matches bool `json:"matches"`
}

func (s *starter) checkAccount(ctx context.Context, from callerFlags, request tarspay.AccountCheckRequest) error {
	var wrong problems
	wrong.need("way", request.Way, "--way is needed: see starter banks")
	wrong.need("account", request.AccountNumber, "--account is needed: the account or wallet number")
	wrong.need("name", request.UserName, "--name is needed: the name it should belong to")
	c, err := s.caller(tarspay.OperationAccountCheck, from, wrong)
	if err != nil {
		return err
	}
	defer c.CloseIdle()
	matches, err := c.AccountMatches(ctx, request)
	if err != nil {
		return err
	}
	s.show(accountDocument{matches}, func(w io.Writer) {
		if matches {
			printf(w, "the account belongs to the name\n")
			return
		}
		printf(w, "the account does not belong to the name as given\n")
	})
	if !matches {
		return outcome(exitOtherwise)
	}
	return nil
}
