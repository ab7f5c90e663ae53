package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) balanceCommand() *cobra.Command {
	var merchants []string
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "Each merchant's balances in the ledger",
		Long: `Prints every account of every merchant from the ledger, and the gateway's balance
as it was when the two were last compared. PAYOUTS_DATABASE_URL says where the
ledger is.

A merchant's accounts sum to zero: what is available and in flight came from the
opening balance and from payers (received), and went to beneficiaries (paid_out),
fees and settlements; suspense is what nobody has explained yet.

--json: {"balances":[{"merchant","currency","accounts":{"available",…},"snapshot"}]},
where snapshot is as of starter reconcile, and absent before the first comparison.`,
		Example: `  starter balance
  starter balance --merchant M1700000001 --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.balance(cmd.Context(), merchants) },
	}
	s.addMerchants(cmd, &merchants)
	return cmd
}

func (s *starter) addMerchants(cmd *cobra.Command, merchants *[]string) {
	cmd.Flags().StringSliceVar(merchants, "merchant", nil, "only this merchant number; repeat for more (default: all that are configured)")
	s.complete(cmd, "merchant", s.merchantNames)
}

// balancesDocument is {"balances":[…]}.
type balancesDocument struct {
	Balances []payouts.Balance `json:"balances"`
}

func (s *starter) balance(ctx context.Context, merchants []string) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	balances, unopened, err := service.Balances(ctx, s.self(), merchants)
	if err != nil {
		return flagged(err)
	}
	for _, merchant := range unopened {
		s.note("%s has no books yet: they are opened with its first order or reconciliation", printable(merchant))
	}
	s.show(balancesDocument{balances}, func(w io.Writer) { writeBalances(w, balances) })
	return nil
}

func writeBalances(w io.Writer, balances []payouts.Balance) {
	if len(balances) == 0 {
		printf(w, "no books\n")
		return
	}
	head := []string{"MERCHANT", "CURRENCY"}
	for _, account := range payouts.Accounts() {
		head = append(head, strings.ToUpper(string(account)))
	}
	var rows [][]string
	var snapshots []order.Snapshot
	for _, b := range balances {
		row := []string{b.Merchant, b.Currency}
		for _, account := range payouts.Accounts() {
			row = append(row, b.Accounts[account].Number())
		}
		rows = append(rows, row)
		if b.Snapshot != nil {
			snapshots = append(snapshots, *b.Snapshot)
		}
	}
	table(w, head, rows)
	printf(w, "each row sums to zero: opening and received, where the money came from, are below zero\n")
	if len(snapshots) > 0 {
		printf(w, "\nlast compared with the gateway:\n")
		writeSnapshots(w, snapshots)
	}
}

func writeSnapshots(w io.Writer, snapshots []order.Snapshot) {
	var rows [][]string
	for _, s := range snapshots {
		rows = append(rows, []string{
			s.Merchant, s.Currency, s.GatewayTotal().Number(), s.LedgerTotal().Number(), s.Drift.Number(), string(s.Verdict), moment(s.At),
		})
	}
	table(w, []string{"MERCHANT", "CURRENCY", "GATEWAY", "LEDGER", "DRIFT", "VERDICT", "AT"}, rows)
}
