package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) balanceCommand() *cobra.Command {
	var merchants []string
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "What the ledger says of each merchant's money",
		Long: `Prints every account of every merchant from the ledger, and the gateway's balance
as it was when the two were last compared. PAYOUTS_DATABASE_URL says where the
ledger is.

A merchant's accounts sum to zero: what is available and in flight came from the
opening balance and from payers (received), and went to beneficiaries (paid_out),
fees and settlements; suspense is what nobody has explained yet.

--json: {"balances":[{"merchant","currency","accounts":{"available",…},"snapshot"}]},
where snapshot is as of starter reconcile, or null.`,
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
	Balances []balance `json:"balances"`
}

// balance is a merchant's money in one currency.
type balance struct {
	Merchant string                          `json:"merchant"`
	Currency string                          `json:"currency"`
	Accounts map[ledger.Account]money.Amount `json:"accounts"`
	Snapshot *order.Snapshot                 `json:"snapshot"` // the latest comparison with the gateway; null before the first
}

func (s *starter) balance(ctx context.Context, merchants []string) error {
	settings, err := s.settings()
	if err != nil {
		return err
	}
	if len(merchants) == 0 {
		merchants = settings.Merchants.Numbers()
	}
	if len(merchants) == 0 {
		return &order.Invalid{Problems: []order.Problem{{
			Code: codeMissing, Field: "merchant", Message: "--merchant is needed: PAYOUTS_MERCHANTS is not set",
		}}}
	}
	l, hangUp, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	reading, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	document := balancesDocument{Balances: []balance{}}
	for _, merchant := range merchants {
		found, err := balancesOf(reading, l, merchant, currenciesOf(merchant, settings.Merchants))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			s.note("%s has no books yet: they are opened with its first order or reconciliation", printable(merchant))
		}
		document.Balances = append(document.Balances, found...)
	}
	s.show(document, func(w io.Writer) { writeBalances(w, document.Balances) })
	return nil
}

func balancesOf(ctx context.Context, l books, merchant string, currencies []string) ([]balance, error) {
	snapshots, err := l.Snapshots(ctx, merchant, len(currencies))
	if err != nil {
		return nil, err
	}
	var found []balance
	for _, currency := range currencies {
		accounts, err := l.Balances(ctx, merchant, currency)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b := balance{Merchant: merchant, Currency: currency, Accounts: accounts}
		latest := slices.IndexFunc(snapshots, func(s order.Snapshot) bool { return s.Currency == currency })
		if latest >= 0 {
			b.Snapshot = &snapshots[latest]
		}
		found = append(found, b)
	}
	return found, nil
}

// currenciesOf is the currency of a configured merchant's country, and all
// there are for another: the gateway gives a merchant number one country, but
// which it is only the worker may know.
func currenciesOf(merchant string, merchants config.MerchantList) []string {
	if profile, known := tarspay.Country(merchants.Countries()[merchant]); known {
		return []string{profile.Currency}
	}
	var currencies []string
	for _, profile := range tarspay.Countries() {
		currencies = append(currencies, profile.Currency)
	}
	slices.Sort(currencies)
	return slices.Compact(currencies)
}

func writeBalances(w io.Writer, balances []balance) {
	if len(balances) == 0 {
		printf(w, "no books\n")
		return
	}
	head := []string{"MERCHANT", "CURRENCY"}
	for _, account := range ledger.Accounts() {
		head = append(head, strings.ToUpper(string(account)))
	}
	var rows [][]string
	var snapshots []order.Snapshot
	for _, b := range balances {
		row := []string{b.Merchant, b.Currency}
		for _, account := range ledger.Accounts() {
			row = append(row, b.Accounts[account].Number())
		}
		rows = append(rows, row)
		if b.Snapshot != nil {
			snapshots = append(snapshots, *b.Snapshot)
		}
	}
	table(w, head, rows)
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
