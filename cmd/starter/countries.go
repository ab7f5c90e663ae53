package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) countriesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "countries",
		Short: "The countries the gateway serves",
		Long: `Lists the countries, with the currency that amounts are in, how many ways of paying
are known, and the gateway's calls that not every country has.

--json: {"countries":[{"code","name","currency","gateway_currency","decimals",
"documented","deposit_ways","withdrawal_ways","calls","note"}]}.`,
		Example:           "  starter countries",
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			document := countriesDocument{Countries: []country{}}
			for _, profile := range tarspay.Countries() {
				document.Countries = append(document.Countries, countryOf(profile))
			}
			s.show(document, func(w io.Writer) { writeCountries(w, document.Countries) })
			return nil
		},
	}
}

// countriesDocument is {"countries":[…]}.
type countriesDocument struct {
	Countries []country `json:"countries"`
}

type country struct {
	Code            string   `json:"code"`
	Name            string   `json:"name"`
	Currency        string   `json:"currency"`
	GatewayCurrency string   `json:"gateway_currency,omitempty"`
	Decimals        int      `json:"decimals"`   // that an amount may have
	Documented      bool     `json:"documented"` // orders are taken
	DepositWays     int      `json:"deposit_ways"`
	WithdrawalWays  int      `json:"withdrawal_ways"`
	Calls           []string `json:"calls"` // that only some countries have
	Note            string   `json:"note,omitempty"`
}

func countryOf(p *tarspay.Profile) country {
	c := country{
		Code: p.Code, Name: p.Name, Currency: p.Currency, GatewayCurrency: p.GatewayCurrency,
		Decimals: p.Amount.Decimals, Documented: p.Documented,
		DepositWays: len(p.Deposit.Ways), WithdrawalWays: len(p.Withdrawal.Ways),
		Calls: []string{}, Note: p.Note,
	}
	for _, endpoint := range p.Endpoints {
		c.Calls = append(c.Calls, string(endpoint.Operation))
	}
	return c
}

func writeCountries(w io.Writer, countries []country) {
	var rows [][]string
	for _, c := range countries {
		currency := c.Currency
		if c.GatewayCurrency != "" && c.GatewayCurrency != c.Currency {
			currency += " (gateway: " + c.GatewayCurrency + ")"
		}
		rows = append(rows, []string{c.Code, c.Name, currency, strconv.Itoa(c.Decimals), c.ways(c.DepositWays), c.ways(c.WithdrawalWays), strings.Join(c.Calls, ", ")})
	}
	table(w, []string{"CODE", "NAME", "CURRENCY", "DECIMALS", "DEPOSIT WAYS", "WITHDRAWAL WAYS", "OWN CALLS"}, rows)
}

// ways returns the number of ways as text. A country without documented ways still takes
// orders, with a way that the caller knows; a country that is not documented takes none.
func (c country) ways(n int) string {
	switch {
	case !c.Documented:
		return "no orders"
	case n == 0:
		return "none documented"
	}
	return strconv.Itoa(n)
}
