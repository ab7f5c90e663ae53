package payouts

import (
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// CountryBanks is the banks and wallets for withdrawals in a country.
type CountryBanks struct {
	Country  string `json:"country"`
	Complete bool   `json:"complete"` // the list of ways has all ways of the country
	Banks    []Bank `json:"banks"`
}

// Bank is a bank or wallet.
type Bank struct {
	Code   string   `json:"code"`
	Names  []string `json:"names"`
	Kind   string   `json:"kind"`
	Member string   `json:"member"` // where the code goes: "wayCode", or a member of the country's own
	Closed bool     `json:"closed"`
	Note   string   `json:"note,omitempty"`
}

// bankKinds are the kinds of ways that are a bank or wallet.
var bankKinds = []string{"bank", "ewallet"}

// Banks returns the banks and wallets that a withdrawal in a country can go to.
func Banks(profile *tarspay.Profile) CountryBanks {
	return CountryBanks{Country: profile.Code, Complete: profile.Withdrawal.WaysComplete, Banks: banksOf(profile)}
}

func banksOf(profile *tarspay.Profile) []Bank {
	banks := []Bank{}
	for _, w := range profile.Withdrawal.Ways {
		if profile.Withdrawal.WaysAreBanks || slices.Contains(bankKinds, w.Kind) {
			banks = append(banks, Bank{
				Code: w.Code, Names: append([]string{}, w.Names...), Kind: w.Kind, Member: "wayCode", Closed: w.Closed, Note: w.Note,
			})
		}
	}
	for _, f := range profile.Withdrawal.Fields {
		if !strings.HasPrefix(f.Name, "bank") {
			continue
		}
		for _, value := range f.Values {
			banks = append(banks, Bank{Code: value, Names: []string{}, Kind: "bank", Member: f.Name, Note: f.Note})
		}
	}
	return banks
}
