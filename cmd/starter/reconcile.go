package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) reconcileCommand() *cobra.Command {
	var merchants []string
	var transactions transactionsFlags
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare balances or transactions with the gateway, now",
		Long: `Asks the gateway for its balances, compares them with the ledger's and prints both.
The same runs on a schedule.

Verdicts: agreed; unsettled, when orders that were sent explain the difference, or it
has been seen once only; drift, when nothing does and two looks, one after the other,
show the same. Drift is exit code 4. A balance that could
not be asked is exit code 6.

--json: {"snapshots":[{"id","merchant","currency","at","gateway_available",
"gateway_frozen","ledger_available","ledger_in_flight","open_withdrawals",
"open_withdrawal_amount","open_deposits","open_deposit_amount","sent_withdrawal_amount",
"sent_deposit_amount","fee_rest","drift","verdict"}],"drifting":[…],"unreachable":[…],
"problems":{…}}: the two lists have merchant numbers, and problems says by merchant
number why its balance could not be asked. fee_rest is what fees were finer than is booked,
in millionths of a minor unit.
` + transactionsHelp,
		Example: `  starter reconcile
  starter reconcile --merchant M1700000001 --merchant M1700000002 --json
  starter reconcile --transactions --merchant M1700000003 --from 2026-05-01 --to 2026-06-01`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			input, err := transactions.input(merchants, s.now())
			if err != nil {
				return err
			}
			if !transactions.on {
				return s.reconcile(cmd.Context(), merchants, timeout)
			}
			if !cmd.Flags().Changed("timeout") {
				timeout = transactionsTime
			}
			return s.reconcileTransactions(cmd.Context(), input, timeout)
		},
	}
	s.addMerchants(cmd, &merchants)
	transactions.add(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", reconcileTime, "how long to wait for the report; --transactions: "+transactionsTime.String()+" unless it is given")
	return cmd
}

func (s *starter) reconcile(ctx context.Context, merchants []string, timeout time.Duration) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	defer s.tellWaiting(constantly("comparing balances (a difference is looked at twice, some seconds apart, to tell drift from an order under way)"), timeout)()
	report, err := service.ReconcileBalances(ctx, s.self(), merchants, timeout)
	if err != nil {
		return err
	}
	s.show(report, func(w io.Writer) { writeReconciliation(w, report) })
	switch { // a drift that was seen weighs more than a balance that was not
	case len(report.Drifting) > 0:
		return outcome(exitOtherwise)
	case len(report.Unreachable) > 0:
		return outcome(exitUnreachable)
	}
	return nil
}

func writeReconciliation(w io.Writer, document payouts.BalanceReport) {
	if len(document.Snapshots) > 0 {
		writeSnapshots(w, document.Snapshots)
	}
	for _, merchant := range document.Unreachable {
		printf(w, "%s could not be asked (%s)", printable(merchant), order.CodeGatewayAway)
		if why := document.Problems[merchant]; why != "" {
			printf(w, ": %s", printable(why))
		}
		printf(w, "\n")
	}
	if len(document.Snapshots)+len(document.Unreachable) == 0 {
		printf(w, "no merchants\n")
	}
}
