package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The commands of this group call the gateway themselves, with the merchant's
// key. They never create an order: that is for the workflows, which write down
// an attempt before they make it.

// callsGateway is what the help of every command of the group ends with.
const callsGateway = `

The gateway is called directly, with the merchant's key: PAYOUTS_GATEWAY_URL and
PAYOUTS_KEY_DIR (or PAYOUTS_PRIVATE_KEYS) as for the worker.`

// callerFlags say for which merchant the gateway is called.
type callerFlags struct{ merchant, country string }

func (s *starter) addCaller(cmd *cobra.Command, f *callerFlags) {
	cmd.Flags().StringVar(&f.merchant, "merchant", "", "merchant number; not needed when PAYOUTS_MERCHANTS has one of a country that has this call")
	cmd.Flags().StringVar(&f.country, "country", "", "two letters; not needed when PAYOUTS_MERCHANTS has the merchant")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "country", countryNames)
}

// caller is a merchant that the gateway is called for.
type caller struct {
	*tarspay.Client
	profile *tarspay.Profile
}

// caller finds the merchant that a call is made for, and the call's path if
// that is a setting. The error is an *order.Invalid, a Refusal with
// NO_SUCH_ENDPOINT or ENDPOINT_OFF, or that of the settings.
func (s *starter) caller(operation tarspay.Operation, flags callerFlags, wrong problems) (caller, error) {
	settings, err := s.settings()
	if err != nil {
		return caller{}, err
	}
	merchant, profile := flags.choose(settings.Merchants, operation, &wrong)
	if profile != nil && !profile.HasEndpoint(operation) {
		return caller{}, order.Refuse(codeNoEndpoint, "%s", lacking(profile, operation))
	}
	if len(wrong) > 0 {
		return caller{}, &order.Invalid{Problems: wrong}
	}
	if err := switchedOn(operation, settings.Access); err != nil {
		return caller{}, err
	}
	client, err := dialGateway(settings, merchant)
	return caller{client, profile}, err
}

// choose is the merchant that is named, or the only one of a country that has
// the call. The profile is nil when the country is not known.
func (f callerFlags) choose(merchants config.MerchantList, operation tarspay.Operation, wrong *problems) (string, *tarspay.Profile) {
	country := strings.ToUpper(f.country)
	configured := merchants.Countries()[f.merchant]
	if country == "" && configured != "" {
		country = configured
	}
	profile, known := tarspay.Country(country)
	switch {
	case country != "" && !known:
		wrong.add(order.ProblemCountry, "country", "%s", noSuchCountry(f.country))
		return "", nil
	case configured != "" && configured != country:
		wrong.add(order.CodeUnknownMerchant, "merchant", "merchant %s is configured for %s, not for the country given", f.merchant, configured)
		return "", nil
	case f.merchant != "" && country == "":
		wrong.add(codeMissing, "country", "--country is needed: PAYOUTS_MERCHANTS does not have the merchant")
		return "", nil
	case f.merchant != "":
		return f.merchant, profile
	}
	candidates := slices.DeleteFunc(slices.Clone(merchants), func(m config.Merchant) bool {
		its, known := tarspay.Country(m.Country)
		return !known || !its.HasEndpoint(operation) || country != "" && country != m.Country
	})
	switch len(candidates) {
	case 1:
		profile, _ = tarspay.Country(candidates[0].Country)
		return candidates[0].Number, profile
	case 0:
		wrong.add(codeMissing, "merchant", "--merchant is needed: PAYOUTS_MERCHANTS has none of a country with this call, which is in %s", having(operation))
	default:
		wrong.add(codeMissing, "merchant", "--merchant is needed: one of %s", strings.Join(candidates.Numbers(), ", "))
	}
	return "", profile
}

// callNames are the extra calls in words.
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

// lacking says that a country has no such call.
func lacking(profile *tarspay.Profile, operation tarspay.Operation) string {
	if !profile.Documented {
		return fmt.Sprintf("%s: %s", profile.Name, profile.Note)
	}
	return fmt.Sprintf("%s: the gateway's pages describe no %s here; there is one in %s", profile.Name, callNames[operation], having(operation))
}

// having lists the countries with a call: "Thailand and Vietnam".
func having(operation tarspay.Operation) string {
	var names []string
	for _, profile := range tarspay.Countries() {
		if profile.HasEndpoint(operation) {
			names = append(names, profile.Name)
		}
	}
	return strings.Join(names, " and ")
}

// switchedOn refuses a call whose path is in no page and not set.
func switchedOn(operation tarspay.Operation, access config.Access) error {
	for _, off := range []struct {
		operation      tarspay.Operation
		path, variable string
	}{
		{tarspay.OperationAccountCheck, access.AccountCheckPath, "PAYOUTS_ACCOUNT_CHECK_PATH"},
		{tarspay.OperationUTRSupplement, access.UTRSupplementPath, "PAYOUTS_UTR_SUPPLEMENT_PATH"},
	} {
		if off.operation == operation && off.path == "" {
			return order.Refuse(codeEndpointOff, "the %s is off: no page of the gateway shows its path; ask its support and set %s",
				callNames[operation], off.variable)
		}
	}
	return nil
}

// dialGateway makes a merchant's client. The error is that of the settings.
func dialGateway(settings config.Starter, merchant string) (*tarspay.Client, error) {
	key, err := settings.PrivateKey(merchant)
	if err != nil {
		return nil, err
	}
	client, err := boot.Gateway(settings.Access, merchant, key)
	if err != nil {
		return nil, &config.Error{Problems: []config.Problem{{Variable: "PAYOUTS_…", Text: "cannot be used: " + err.Error()}}}
	}
	return client, nil
}

// explainCall says of a failed call what it proves and what to do.
func explainCall(e *tarspay.Error) (code, text string, exit int) {
	what := callNames[e.Operation]
	if what == "" {
		what = strings.ReplaceAll(string(e.Operation), "_", " ")
	}
	switch {
	case e.OutcomeUnknown():
		return order.CodeGatewayUnknown, what + ": whether the gateway did it is not known (" + because(e) + "); look at the order before you repeat it", exitUnderWay
	case e.NotSent && e.Class == tarspay.ClassRejected:
		return order.CodeInvalidRequest, what + ": " + because(e) + "; nothing was sent", exitUsage
	}
	switch e.Class {
	case tarspay.ClassRejected, tarspay.ClassDuplicate:
		return order.CodeGatewayRefused, what + ": the gateway refuses it: " + because(e), exitRefused
	case tarspay.ClassAuth:
		return order.CodeGatewayPaused, what + ": the gateway refuses every call of this merchant: " + because(e), exitUnreachable
	case tarspay.ClassNotFound:
		return codeGatewayNone, what + ": the gateway knows nothing of it", exitNotFound
	case tarspay.ClassUnavailable, tarspay.ClassRateLimited:
		return codeUnreached, what + ": the gateway cannot say just now: " + because(e), exitUnreachable
	default:
		return codeGatewayAnswer, what + ": the gateway's answer does not have the documented shape: " + because(e), exitUnreachable
	}
}

// because is the code with its meaning and what to do about it, or the HTTP
// status and the cause. Nothing of it comes from the gateway's free text, which
// may hold personal data.
func because(e *tarspay.Error) string {
	known, documented := tarspay.LookupErrorCode(e.Code)
	var parts []string
	switch {
	case documented:
		parts = append(parts, "code "+e.Code+", "+known.Meaning+". "+strings.TrimSuffix(known.Action, "."))
	case e.Code != "" && e.Code != acceptedCode:
		parts = append(parts, "code "+e.Code+", which is not documented")
	case e.HTTPStatus >= 300:
		parts = append(parts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ", ")
}

// acceptedCode is the gateway's code of success.
const acceptedCode = "0"
