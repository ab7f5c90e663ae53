package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) depositByTrxCommand() *cobra.Command {
	var from callerFlags
	cmd := &cobra.Command{
		Use:   "deposit-by-trx TRXID",
		Short: "The deposit that a PIX payment belongs to (" + payouts.Having(tarspay.OperationDepositByTrxID) + ")",
		Long: `Finds the deposit of a PIX payment by its end-to-end id, the E… on the payer's
receipt, and says where the gateway has it.

--json: {"deposit":{"merchant","number","gateway_id","state","state_name","currency",
"ordered","paid","fee"}}. Amounts are the gateway's text; paid counts in the states
2 and 9 only and is left out in the others.` + callsGateway,
		Example:           `  starter deposit-by-trx E0000000020260504156667989769`,
		Args:              commandline.Exactly("trxId"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.depositByTrx(cmd.Context(), from, args[0])
		},
	}
	s.addCaller(cmd, &from)
	return cmd
}

// depositDocument is {"deposit":{…}}.
type depositDocument struct {
	Deposit payouts.GatewayDeposit `json:"deposit"`
}

func (s *starter) depositByTrx(ctx context.Context, from callerFlags, id string) error {
	c, err := s.caller(tarspay.OperationDepositByTrxID, from, needID("trxId", id))
	if err != nil {
		return err
	}
	defer c.CloseIdle()
	d, err := c.DepositOf(ctx, id)
	if err != nil {
		return err
	}
	s.show(depositDocument{d}, func(w io.Writer) {
		describe(w, "deposit "+d.Merchant+"/"+d.Number, []fact{
			{"gateway id", d.GatewayID}, {"state", d.StateName}, {"ordered", d.Ordered}, {"paid", d.Paid}, {"fee", d.Fee},
			{"currency", d.Currency},
		})
	})
	return nil
}
