package payouts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// These use cases call the gateway directly, with the merchant's key. They never
// create an order. Only workflows create orders, because they record an attempt
// before they make it.

// Caller names the merchant that the gateway is called for. Both members are
// optional if the configuration leaves one choice.
type Caller struct{ Merchant, Country string }

// Call is a merchant's client with the profile of its country.
type Call struct {
	*tarspay.Client
	Profile *tarspay.Profile
}

// Call finds the merchant of a call. The error is an *order.Invalid,
// NO_SUCH_ENDPOINT, ENDPOINT_OFF, or that of the settings. The caller closes its
// idle connections.
func (s *Service) Call(_ Actor, operation tarspay.Operation, from Caller) (Call, error) {
	merchant, profile, problem := s.choose(operation, from)
	if profile != nil && !profile.HasEndpoint(operation) {
		return Call{}, order.Refuse(CodeNoEndpoint, "%s", lacking(profile, operation))
	}
	if problem != nil {
		return Call{}, &order.Invalid{Problems: []order.Problem{*problem}}
	}
	if err := switchedOn(operation, s.parts.Access); err != nil {
		return Call{}, err
	}
	client, err := s.parts.Gateway(merchant)
	return Call{client, profile}, err
}

// choose returns the named merchant, or the only merchant of a country that has
// the call. The profile is nil if the country is not known.
func (s *Service) choose(operation tarspay.Operation, from Caller) (string, *tarspay.Profile, *order.Problem) {
	country, configured := strings.ToUpper(from.Country), s.parts.Merchants.Countries()[from.Merchant]
	if country == "" {
		country = configured
	}
	profile, known := tarspay.Country(country)
	switch {
	case country != "" && !known:
		return "", nil, problem(order.ProblemCountry, "country", "%s", NoSuchCountry(from.Country))
	case configured != "" && configured != country:
		return "", profile, problem(order.CodeUnknownMerchant, "merchant", "merchant %s is configured for %s, not for the country given", from.Merchant, configured)
	case from.Merchant != "" && country == "":
		return "", nil, problem(CodeMissing, "country", "country is needed: PAYOUTS_MERCHANTS does not have the merchant")
	case from.Merchant != "":
		return from.Merchant, profile, nil
	}
	candidates := slices.DeleteFunc(slices.Clone(s.parts.Merchants), func(m config.Merchant) bool {
		its, known := tarspay.Country(m.Country)
		return !known || !its.HasEndpoint(operation) || country != "" && country != m.Country
	})
	switch len(candidates) {
	case 1:
		profile, _ = tarspay.Country(candidates[0].Country)
		return candidates[0].Number, profile, nil
	case 0:
		return "", profile, problem(CodeMissing, "merchant", "merchant is needed: PAYOUTS_MERCHANTS has none of a country with this call, which is in %s", Having(operation))
	}
	return "", profile, problem(CodeMissing, "merchant", "merchant is needed: one of %s", strings.Join(candidates.Numbers(), ", "))
}

func problem(code, field, format string, values ...any) *order.Problem {
	return &order.Problem{Code: code, Field: field, Message: fmt.Sprintf(format, values...)}
}

// callNames are the names of the extra calls for people.
var callNames = map[tarspay.Operation]string{
	tarspay.OperationHistory:        "transaction history",
	tarspay.OperationAccountCheck:   "account check",
	tarspay.OperationDepositByTrxID: "deposit by trxId",
	tarspay.OperationPayoutProof:    "payout certificate",
	tarspay.OperationTrxQuery:       "query of a trxId",
	tarspay.OperationTrxSupplement:  "supplement of a trxId",
	tarspay.OperationTrxSubmit:      "submission of a trxId",
	tarspay.OperationUTRQuery:       "query of a UTR",
	tarspay.OperationUTRSupplement:  "supplement of a UTR",
}

// lacking returns the message that a country does not have a call.
func lacking(profile *tarspay.Profile, operation tarspay.Operation) string {
	if !profile.Documented {
		return fmt.Sprintf("%s: %s", profile.Name, profile.Note)
	}
	return fmt.Sprintf("%s: the gateway's pages describe no %s here; there is one in %s", profile.Name, callNames[operation], Having(operation))
}

// Having lists the countries with a call: "Thailand and Vietnam".
func Having(operation tarspay.Operation) string {
	var names []string
	for _, profile := range tarspay.Countries() {
		if profile.HasEndpoint(operation) {
			names = append(names, profile.Name)
		}
	}
	return strings.Join(names, " and ")
}

// NoSuchCountry returns the message for an unknown country, with a suggestion if
// the text is a country's name.
func NoSuchCountry(typed string) string {
	var names []string
	codes := make(map[string]string)
	for _, profile := range tarspay.Countries() {
		names = append(names, profile.Name)
		codes[profile.Name] = profile.Code
	}
	if len(typed) > 2 { // two letters are too short for a suggestion
		if near := config.Nearest(typed, names); near != "" {
			return "there is no such country; did you mean " + codes[near] + " (" + near + ")?"
		}
	}
	return "there is no such country: see starter countries"
}

// switchedOn refuses a call whose path is undocumented and not set.
func switchedOn(operation tarspay.Operation, access config.Access) error {
	for _, off := range []struct {
		operation      tarspay.Operation
		path, variable string
	}{
		{tarspay.OperationAccountCheck, access.AccountCheckPath, "PAYOUTS_ACCOUNT_CHECK_PATH"},
		{tarspay.OperationUTRSupplement, access.UTRSupplementPath, "PAYOUTS_UTR_SUPPLEMENT_PATH"},
	} {
		if off.operation == operation && off.path == "" {
			return order.Refuse(CodeEndpointOff, "the %s is off: no page of the gateway shows its path; ask its support and set %s",
				callNames[operation], off.variable)
		}
	}
	return nil
}
