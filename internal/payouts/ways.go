package payouts

import (
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// CountryWays is the ways of paying in a country.
type CountryWays struct {
	Country    string      `json:"country"`
	Directions []Direction `json:"directions"`
}

// Direction is the ways of paying in, or out, in a country.
type Direction struct {
	Kind       order.Kind `json:"kind"`
	Documented bool       `json:"documented"`
	Complete   bool       `json:"complete"` // Ways has all ways
	Ways       []Way      `json:"ways"`
	Members    []Member   `json:"members"`

	DailyCap       money.Amount `json:"daily_cap,omitzero"`
	DailyCapPer    string       `json:"daily_cap_per,omitempty"`   // customer or person
	PayableSeconds int          `json:"payable_seconds,omitempty"` // how long an order can be paid
	Note           string       `json:"note,omitempty"`
}

// Way is a way of paying.
type Way struct {
	Code       string             `json:"code"`
	Names      []string           `json:"names"`
	Kind       string             `json:"kind"`
	Min        money.Amount       `json:"min,omitzero"`
	Max        money.Amount       `json:"max,omitzero"`
	Amounts    []money.Amount     `json:"amounts,omitempty"` // the only possible amounts
	Accepts    []string           `json:"accepts,omitempty"` // shops that take the payment
	Closed     bool               `json:"closed"`
	Confidence tarspay.Confidence `json:"confidence"`
	Note       string             `json:"note,omitempty"`
}

// Member is a member of an order other than the amount.
type Member struct {
	Name           string             `json:"name"`
	Required       bool               `json:"required"`
	RequiredFor    []string           `json:"required_for,omitempty"`
	RequiredUnless []string           `json:"required_unless,omitempty"`
	OmitFor        []string           `json:"omit_for,omitempty"`
	Rule           string             `json:"rule,omitempty"`
	Values         []string           `json:"values,omitempty"`
	Confidence     tarspay.Confidence `json:"confidence"`
	Note           string             `json:"note,omitempty"`
}

// Ways returns the gateway's ways of paying in a country, with their limits and members.
func Ways(profile *tarspay.Profile, kinds ...order.Kind) CountryWays {
	ways := CountryWays{Country: profile.Code, Directions: []Direction{}}
	for _, kind := range kinds {
		ways.Directions = append(ways.Directions, directionOf(profile, kind))
	}
	return ways
}

func directionOf(profile *tarspay.Profile, kind order.Kind) Direction {
	side := profile.Side(kind.Direction())
	d := Direction{
		Kind: kind, Documented: side.Documented, Complete: side.WaysComplete, Ways: []Way{}, Members: []Member{}, Note: side.Note,
		DailyCap: side.DailyCap, DailyCapPer: side.DailyCapPer, PayableSeconds: int(side.Expiry / time.Second),
	}
	for _, w := range side.Ways {
		d.Ways = append(d.Ways, wayOf(w))
	}
	for _, f := range side.Fields {
		d.Members = append(d.Members, Member{
			Name: f.Name, Required: f.Required, RequiredFor: f.RequiredFor, RequiredUnless: f.RequiredUnless, OmitFor: f.OmitFor,
			Rule: f.Rule, Values: f.Values, Confidence: f.Confidence, Note: f.Note,
		})
	}
	return d
}

func wayOf(w tarspay.Way) Way {
	return Way{
		Code: w.Code, Names: append([]string{}, w.Names...), Kind: w.Kind, Min: w.Min, Max: w.Max, Amounts: slices.Clone(w.Amounts),
		Accepts: slices.Clone(w.Accepts),
		Closed:  w.Closed, Confidence: w.Confidence, Note: w.Note,
	}
}
