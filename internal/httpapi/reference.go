package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (d *door) registerReference(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "list-merchants", Method: http.MethodGet, Path: "/v1/merchants", Tags: []string{"reference"},
		Summary: "Who you are, and the merchants that are configured here and that you act for",
	}, d.listMerchants)
	operation(api, huma.Operation{
		OperationID: "list-countries", Method: http.MethodGet, Path: "/v1/countries", Tags: []string{"reference"},
		Summary: "The gateway's countries",
	}, d.listCountries)
	operation(api, huma.Operation{
		OperationID: "get-ways", Method: http.MethodGet, Path: "/v1/countries/{country}/ways", Tags: []string{"reference"},
		Summary:     "A country's ways of paying, and the members that an order has",
		Description: "Enough to build a form from.",
	}, d.getWays)
	operation(api, huma.Operation{
		OperationID: "get-banks", Method: http.MethodGet, Path: "/v1/countries/{country}/banks", Tags: []string{"reference"},
		Summary: "The banks and wallets that a withdrawal can go to",
	}, d.getBanks)
}

type merchantRow struct {
	Merchant string `json:"merchant" doc:"The gateway's merchant number." example:"M1700000001"`
	Country  string `json:"country" doc:"ISO 3166, two letters." example:"PK"`
	Currency string `json:"currency" doc:"ISO 4217." example:"PKR"`
}

type merchantList struct {
	Caller    string        `json:"caller" doc:"Whom the API key stands for: who is recorded for what you do." example:"billing"`
	Merchants []merchantRow `json:"merchants" nullable:"false"`
}

func (d *door) listMerchants(_ context.Context, caller Caller, _ *struct{}) (*answer[merchantList], error) {
	list := merchantList{Caller: caller.Actor.Name, Merchants: []merchantRow{}}
	for _, number := range slices.Sorted(maps.Keys(d.Countries)) {
		profile, known := tarspay.Country(d.Countries[number])
		if known && (caller.Merchants == nil || slices.Contains(caller.Merchants, number)) {
			list.Merchants = append(list.Merchants, merchantRow{number, profile.Code, profile.Currency})
		}
	}
	return &answer[merchantList]{list}, nil
}

type countryRow struct {
	Code     string `json:"code" doc:"ISO 3166, two letters." example:"PK"`
	Name     string `json:"name" example:"Pakistan"`
	Currency string `json:"currency" doc:"ISO 4217." example:"PKR"`
}

type countryList struct {
	Countries []countryRow `json:"countries" nullable:"false"`
}

func (d *door) listCountries(context.Context, Caller, *struct{}) (*answer[countryList], error) {
	list := countryList{Countries: []countryRow{}}
	for _, profile := range tarspay.Countries() {
		list.Countries = append(list.Countries, countryRow{profile.Code, profile.Name, profile.Currency})
	}
	return &answer[countryList]{list}, nil
}

// CountryPath names a country.
type CountryPath struct {
	Country string `path:"country" doc:"ISO 3166, two letters." maxLength:"2"`
}

func (p CountryPath) profile() (*tarspay.Profile, error) {
	profile, known := tarspay.Country(p.Country)
	if !known {
		return nil, refuse(tarspay.ViolationCountry, "there is no country "+p.Country+" at the gateway; GET /v1/countries lists them")
	}
	return profile, nil
}

func (d *door) getWays(_ context.Context, _ Caller, input *CountryPath) (*answer[payouts.CountryWays], error) {
	profile, err := input.profile()
	if err != nil {
		return nil, err
	}
	return &answer[payouts.CountryWays]{payouts.Ways(profile, order.Deposit, order.Withdrawal)}, nil
}

func (d *door) getBanks(_ context.Context, _ Caller, input *CountryPath) (*answer[payouts.CountryBanks], error) {
	profile, err := input.profile()
	if err != nil {
		return nil, err
	}
	return &answer[payouts.CountryBanks]{payouts.Banks(profile)}, nil
}
