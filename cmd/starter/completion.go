package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// complete registers values of a flag for completion in the shell. Text after a
// tab is the value's description.
func (s *starter) complete(cmd *cobra.Command, flag string, values func(*cobra.Command) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		var fitting []string
		for _, value := range values(cmd) {
			if len(value) >= len(typed) && strings.EqualFold(value[:len(typed)], typed) {
				fitting = append(fitting, value)
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is not there: every test would see it
	}
}

// completeOrder registers values for an order's flags. It turns completion to file
// names off for the other flags.
func (s *starter) completeOrder(cmd *cobra.Command, kind order.Kind) {
	s.complete(cmd, "country", countryNames)
	s.complete(cmd, "way", wayNames(kind))
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "field", memberNames(kind))
	for _, flag := range []string{"number", "amount", "name", "account", "phone", "email", "timeout"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
}

func (s *starter) merchantNames(*cobra.Command) []string {
	settings, err := s.settings()
	if err != nil {
		return nil
	}
	var names []string
	for _, m := range settings.Merchants {
		names = append(names, m.Number+"\t"+m.Country)
	}
	return names
}

func countryNames(*cobra.Command) []string {
	var names []string
	for _, profile := range tarspay.Countries() {
		if profile.Documented {
			names = append(names, profile.Code+"\t"+profile.Name)
		}
	}
	return names
}

// wayNames returns the ways of the country on the command line.
func wayNames(kind order.Kind) func(*cobra.Command) []string {
	return func(cmd *cobra.Command) []string {
		var names []string
		for _, way := range typedSide(cmd, kind).Ways {
			if !way.Closed {
				names = append(names, way.Code+"\t"+strings.TrimSpace(nameText(way.Code, way.Names)+" "+way.Kind))
			}
		}
		return names
	}
}

func memberNames(kind order.Kind) func(*cobra.Command) []string {
	return func(cmd *cobra.Command) []string {
		var names []string
		for _, field := range typedSide(cmd, kind).Fields {
			if _, has := memberFlags[field.Name]; !has {
				names = append(names, field.Name+"=\t"+field.Rule)
			}
		}
		return names
	}
}

func typedSide(cmd *cobra.Command, kind order.Kind) tarspay.Side {
	country, err := cmd.Flags().GetString("country")
	profile, known := tarspay.Country(strings.ToUpper(country))
	if err != nil || !known {
		return tarspay.Side{}
	}
	return profile.Side(kind.Direction())
}

func kindNames() []string { return []string{string(order.Deposit), string(order.Withdrawal)} }

func stateNames(states []order.State) []string {
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	return names
}
