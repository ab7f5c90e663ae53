package main

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) waysCommand() *cobra.Command {
	var country countryFlag
	var deposits, withdrawals bool
	cmd := &cobra.Command{
		Use:   "ways COUNTRY",
		Short: "The ways of paying in a country, with limits and members",
		Long: `Lists the gateway's ways of paying in a country, both directions unless one is
chosen, with their limits, and the members that an order has beside the amount.
Codes are taken exactly as written.

--json: {"country","directions":[{"kind","documented","complete","ways":[{"code",
"names","kind","min","max","amounts","accepts","closed","confidence","note"}],
"members":[{"name","required","required_for","required_unless","omit_for","rule",
"values","confidence","note"}],"daily_cap","daily_cap_per","payable_seconds",
"note"}]}, where accepts are the shops that take the payment, and the gateway counts
the daily cap.`,
		Example: `  starter ways VN
  starter ways --country PK --withdraw --json`,
		RunE: func(_ *cobra.Command, args []string) error {
			profile, err := country.profile(args)
			if err != nil {
				return err
			}
			kinds := []order.Kind{order.Deposit, order.Withdrawal}
			if deposits != withdrawals {
				kinds = slices.DeleteFunc(kinds, func(kind order.Kind) bool { return deposits != (kind == order.Deposit) })
			}
			document := payouts.Ways(profile, kinds...)
			s.show(document, func(w io.Writer) { writeWays(w, document) })
			return nil
		},
	}
	country.add(s, cmd)
	cmd.Flags().BoolVar(&deposits, "deposit", false, "only ways to pay in")
	cmd.Flags().BoolVar(&withdrawals, "withdraw", false, "only ways to pay out")
	return cmd
}

func writeWays(w io.Writer, document payouts.CountryWays) {
	for i, d := range document.Directions {
		if i > 0 {
			printf(w, "\n")
		}
		writeDirection(w, document.Country, d)
	}
}

func writeDirection(w io.Writer, country string, d payouts.Direction) {
	switch {
	case len(d.Ways) == 0:
		printf(w, "%s %s: no ways are documented\n", country, d.Kind)
	case d.Complete:
		printf(w, "%s %s: %s\n", country, d.Kind, count(len(d.Ways), "way", "ways"))
	default:
		printf(w, "%s %s: %s known, others are passed on as written\n", country, d.Kind, count(len(d.Ways), "way", "ways"))
	}
	if len(d.Ways) > 0 {
		var rows [][]string
		for _, way := range d.Ways {
			rows = append(rows, []string{way.Code, nameText(way.Code, way.Names), way.Kind, limitText(way.Min), limitText(way.Max), remark(way)})
		}
		table(w, []string{"WAY", "NAME", "KIND", "MIN", "MAX", "REMARK"}, rows)
	}
	if len(d.Members) > 0 {
		var rows [][]string
		for _, m := range d.Members {
			rows = append(rows, []string{m.Name, needText(m), memberRule(m), m.Note})
		}
		printf(w, "\n")
		table(w, []string{"MEMBER", "NEEDED", "RULE", "NOTE"}, rows)
	}
	if d.DailyCap.IsPositive() {
		printf(w, "at most %s a day per %s, which the gateway counts\n", d.DailyCap.Short()+" "+d.DailyCap.Currency(), d.DailyCapPer)
	}
	if d.PayableSeconds > 0 {
		printf(w, "payable for %s\n", lasting(time.Duration(d.PayableSeconds)*time.Second))
	}
	if d.Note != "" {
		printf(w, "note: %s\n", printable(d.Note))
	}
}

// nameText returns a way's names, without its code.
func nameText(code string, names []string) string {
	if text := strings.Join(names, " / "); text != code {
		return text
	}
	return ""
}

func limitText(amount money.Amount) string {
	if amount.Currency() == "" {
		return "-"
	}
	return amount.Short()
}

func remark(w payouts.Way) string {
	var parts []string
	if w.Closed {
		parts = append(parts, "out of service")
	}
	if len(w.Amounts) > 0 {
		var faces []string
		for _, amount := range w.Amounts {
			faces = append(faces, amount.Short())
		}
		parts = append(parts, "only "+strings.Join(faces, ", "))
	}
	if len(w.Accepts) > 0 {
		parts = append(parts, "at "+strings.Join(w.Accepts, ", "))
	}
	if w.Note != "" {
		parts = append(parts, w.Note)
	}
	return strings.Join(parts, "; ")
}

func needText(m payouts.Member) string {
	var parts []string
	switch {
	case m.Required:
		parts = append(parts, "always")
	case len(m.RequiredFor) > 0:
		parts = append(parts, "for "+strings.Join(m.RequiredFor, ", "))
	case len(m.RequiredUnless) > 0:
		parts = append(parts, "but for "+strings.Join(m.RequiredUnless, ", "))
	}
	if len(m.OmitFor) > 0 {
		parts = append(parts, "never for "+strings.Join(m.OmitFor, ", "))
	}
	if len(parts) == 0 {
		return "no"
	}
	return strings.Join(parts, "; ")
}

func memberRule(m payouts.Member) string {
	if m.Rule == "" && len(m.Values) > 0 {
		return "one of " + strings.Join(m.Values, ", ")
	}
	return m.Rule
}

// lasting returns a duration without units that are 0: 24h, 30m, 8m20s.
func lasting(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
