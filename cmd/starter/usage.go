package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// usage returns the error of a command line that cannot be read. Its text must
// repeat no value.
func usage(format string, values ...any) error { return commandline.Misused(format, values...) }

// countryFlag is --country, which may also be an argument: ways PK.
type countryFlag struct{ code string }

func (c *countryFlag) add(s *starter, cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.code, "country", "", "two letters, see starter countries")
	s.complete(cmd, "country", countryNames)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("give one country; %d were given", len(args))
		}
		return nil
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(countryNames(nil), func(name string) bool {
			return !strings.HasPrefix(name, strings.ToUpper(typed))
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

// profile returns the named country. The error is an *order.Invalid, or one of
// usage.
func (c *countryFlag) profile(args []string) (*tarspay.Profile, error) {
	code := c.code
	if len(args) == 1 {
		if code != "" && !strings.EqualFold(code, args[0]) {
			return nil, usage("the country is given twice; keep one")
		}
		code = args[0]
	}
	var wrong problems
	wrong.need("country", code, "--country is needed: see starter countries")
	profile, known := tarspay.Country(strings.ToUpper(code))
	if known {
		return profile, nil
	}
	if code != "" {
		wrong.add(order.ProblemCountry, "country", "%s", payouts.NoSuchCountry(code))
	}
	return nil, &order.Invalid{Problems: wrong}
}
