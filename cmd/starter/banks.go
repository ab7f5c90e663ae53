package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) banksCommand() *cobra.Command {
	var country countryFlag
	cmd := &cobra.Command{
		Use:   "banks COUNTRY",
		Short: "The banks and wallets a withdrawal can go to",
		Long: `Lists the banks and wallets that a withdrawal in a country can go to. Give the
code exactly as written: as --way, or where the table says so as a --field.

--json: {"country","complete","banks":[{"code","names","kind","member","closed",
"note"}]}, where member is wayCode or the field that the code goes to.`,
		Example: `  starter banks TH
  starter banks --country PK --json`,
		RunE: func(_ *cobra.Command, args []string) error {
			profile, err := country.profile(args)
			if err != nil {
				return err
			}
			document := payouts.Banks(profile)
			s.show(document, func(w io.Writer) { writeBanks(w, document) })
			return nil
		},
	}
	country.add(s, cmd)
	return cmd
}

func writeBanks(w io.Writer, document payouts.CountryBanks) {
	if len(document.Banks) == 0 {
		printf(w, "%s: no table of banks is documented; see starter ways --country %s\n", document.Country, document.Country)
		return
	}
	var rows [][]string
	for _, b := range document.Banks {
		where := "--way"
		if b.Member != "wayCode" {
			where = "--field " + b.Member + "="
		}
		note := b.Note
		if b.Closed {
			note = strings.TrimSuffix("out of service; "+note, "; ")
		}
		rows = append(rows, []string{b.Code, nameText(b.Code, b.Names), b.Kind, where, note})
	}
	table(w, []string{"CODE", "NAME", "KIND", "GIVE IT AS", "NOTE"}, rows)
	if !document.Complete {
		printf(w, "the gateway's table is not complete here; other codes are passed on as written\n")
	}
}
