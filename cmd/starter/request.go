package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// orderFlags are the flags of an order's request.
type orderFlags struct {
	merchant, number, country, way, amount string
	name, account, phone, email            string
	fields, metadata                       []string
	returnURL, notBefore                   string
	requestedBy                            string
}

func (f *orderFlags) add(s *starter, cmd *cobra.Command, kind order.Kind) {
	flags := cmd.Flags()
	flags.StringVar(&f.merchant, "merchant", "", "merchant number; not needed when PAYOUTS_MERCHANTS has one for the country")
	flags.StringVar(&f.number, "number", "", "order number, chosen by you once per payment: repeating it never pays twice")
	flags.StringVar(&f.country, "country", "", "two letters, see starter countries; not needed when PAYOUTS_MERCHANTS has the merchant")
	flags.StringVar(&f.way, "way", "", "the gateway's code of the wallet, bank or method, see starter ways")
	flags.StringVar(&f.amount, "amount", "", "in the country's currency, such as 1500; starter countries says where it may have decimals")
	whose := "the beneficiary's"
	if kind == order.Deposit {
		whose = "the payer's"
		flags.StringVar(&f.returnURL, "return-url", "", "where the payer's browser goes after paying")
	}
	flags.StringVar(&f.name, "name", "", whose+" name (customerName)")
	flags.StringVar(&f.account, "account", "", whose+" account or wallet number (customerAccountNumber)")
	flags.StringVar(&f.phone, "phone", "", whose+" phone (customerContact)")
	flags.StringVar(&f.email, "email", "", whose+" e-mail address (customerEmail)")
	flags.StringArrayVar(&f.fields, "field", nil, "any other member by the gateway's name, as `key=value`: walletId=…, ifsc=…; repeat as needed")
	flags.StringVar(&f.notBefore, "not-before", "", "send it at this time at the earliest, such as 2026-12-24T09:00:00Z, or 2026-12-24T09:00 in the local time zone; at most a year ahead")
	flags.StringArrayVar(&f.metadata, "metadata", nil, "your own, as `key=value`: shown with the order, and starter list is filtered by it; repeat as needed")
	s.addNamed(cmd, "requested-by", &f.requestedBy, "who asks for it; for the record")
}

// request returns the request of the flags and the settings. The error is an
// *order.Invalid with every problem. It repeats no personal value.
func (f orderFlags) request(kind order.Kind, settings config.Starter) (order.Request, error) {
	var wrong problems
	request := order.Request{
		Kind: kind, Number: f.number, Way: f.way, ReturnURL: f.returnURL, RequestedBy: f.requestedBy,
		Details: f.details(&wrong), Metadata: metadataOf(f.metadata, &wrong),
		NotBefore: wrong.future("not-before", f.notBefore, time.Local), //nolint:gosmopolitan // the user's, as in what is printed
	}
	request.Merchant, request.Country = f.parties(settings.Merchants, &wrong)
	wrong.need("number", f.number, "--number is needed: choose it once per payment; the same number again never pays twice")
	wrong.need("way", f.way, "--way is needed")
	wrong.need("amount", f.amount, "--amount is needed")
	request.Amount = wrong.amount("amount", f.amount, request.Country)
	wrong.merge(request.Validate(order.Limits(settings.MaxAmount)))
	wrong.nameWays(request.Country)
	if len(wrong) > 0 {
		return order.Request{}, &order.Invalid{Problems: wrong}
	}
	return request, nil
}

// parties finds the merchant of the country, or the country of the merchant.
func (f orderFlags) parties(merchants config.MerchantList, wrong *problems) (merchant, country string) {
	merchant, country = f.merchant, strings.ToUpper(f.country)
	if len(merchants) == 1 && merchant == "" && country == "" {
		return merchants[0].Number, merchants[0].Country
	}
	configured := merchants.Countries()[merchant]
	_, known := tarspay.Country(country)
	switch {
	case country == "" && configured != "":
		country = configured
	case country == "":
		wrong.add(payouts.CodeMissing, "country", "--country is needed: see starter countries")
	case !known:
		wrong.add(order.ProblemCountry, "country", "%s", payouts.NoSuchCountry(f.country))
	case configured != "" && configured != country:
		wrong.add(order.CodeUnknownMerchant, "merchant", "merchant %s is configured for %s, not for the country given", merchant, configured)
	}
	if merchant != "" {
		return merchant, country
	}
	switch candidates := merchants.Of(country); {
	case country != "" && !known && configured == "": // that is told
	case country == "" || len(merchants) == 0:
		wrong.add(payouts.CodeMissing, "merchant", "--merchant is needed: PAYOUTS_MERCHANTS %s", listed(merchants.Numbers()))
	case len(candidates) == 1:
		return candidates[0], country
	case len(candidates) == 0:
		wrong.add(payouts.CodeMissing, "merchant", "--merchant is needed: PAYOUTS_MERCHANTS has none for the country")
	default:
		wrong.add(payouts.CodeMissing, "merchant", "--merchant is needed: the country has %s", strings.Join(candidates, ", "))
	}
	return "", country
}

// warnOfWay warns of a way that the country's incomplete list does not have. The way is
// not repeated, because it may be a misplaced value.
func (s *starter) warnOfWay(request order.Request) {
	profile, known := tarspay.Country(request.Country)
	direction := tarspay.DirectionWithdrawal
	if request.Kind == order.Deposit {
		direction = tarspay.DirectionDeposit
	}
	if !known || profile.Side(direction).WaysComplete {
		return
	}
	if _, listed := profile.Way(direction, request.Way); !listed {
		s.note("warning: this --way is none that is known of %s; the list is incomplete, so the gateway decides. See starter ways --country %s", profile.Name, profile.Code)
	}
}

// listed says which merchants the settings have.
func listed(numbers []string) string {
	if len(numbers) == 0 {
		return "is not set"
	}
	return "lists " + strings.Join(numbers, ", ")
}

// memberFlags are the members with their own flag.
var memberFlags = map[string]string{
	"customerName": "name", "customerAccountNumber": "account", "customerContact": "phone", "customerEmail": "email",
}

// memberName is the shape of a name that is safe to repeat.
var memberName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)

// details returns the country's members by the gateway's names.
func (f orderFlags) details(wrong *problems) map[string]string {
	details := make(map[string]string)
	set := func(name, value string) {
		if _, twice := details[name]; twice {
			wrong.add(codeUsage, name, "%s is given twice", name)
		}
		details[name] = value
	}
	given := map[string]string{"name": f.name, "account": f.account, "phone": f.phone, "email": f.email}
	for member, flag := range memberFlags {
		if given[flag] != "" {
			set(member, given[flag])
		}
	}
	for i, field := range f.fields {
		name, value, _ := strings.Cut(field, "=")
		if !memberName.MatchString(name) || value == "" {
			wrong.add(codeUsage, "field", "--field is written key=value with the gateway's name of the member as key; number %d is not", i+1)
			continue
		}
		set(name, value)
	}
	return details
}

// localLayouts are how a time without a zone is written.
var localLayouts = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly}

// future reads a time that may be ahead, in the user's zone if it has none. A local time that does not exist, or exists twice,
// because a clock is changed, is refused. It returns the zero time for "".
func (p *problems) future(field, text string, zone *time.Location) time.Time {
	if text == "" {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	for _, layout := range localLayouts {
		at, err := time.ParseInLocation(layout, text, zone)
		if err != nil {
			continue
		}
		for _, hours := range []time.Duration{-time.Hour, time.Hour} {
			if at.Add(hours).Format(layout) == text && layout != time.DateOnly || at.Format(layout) != text {
				p.add(codeUsage, field, "--%s is no moment, or two, of the local time zone, where clocks are changed then; give it with a zone, such as 2026-12-24T09:00:00Z", field)
				return time.Time{}
			}
		}
		return at
	}
	p.add(codeUsage, field, "--%s is a time such as 2026-12-24T09:00:00Z, or 2026-12-24T09:00 or 2026-12-24 in the local time zone", field)
	return time.Time{}
}

// metadataOf reads metadata, each entry as key=value.
func metadataOf(entries []string, wrong *problems) map[string]string {
	var metadata map[string]string
	for i, entry := range entries {
		key, value, _ := strings.Cut(entry, "=")
		_, twice := metadata[key]
		found := order.CheckMetadata("metadata", key, value)
		switch {
		case value == "":
			wrong.add(codeUsage, "metadata", "--metadata is written key=value; number %d is not", i+1)
		case twice:
			wrong.add(codeUsage, "metadata", "--metadata has a key twice; number %d repeats it", i+1)
		case len(found) > 0:
			*wrong = append(*wrong, found...)
		default:
			if metadata == nil {
				metadata = make(map[string]string)
			}
			metadata[key] = value
		}
	}
	return metadata
}

// problems collects the problems of a command's flags.
type problems []order.Problem

func (p *problems) add(code, field, format string, values ...any) {
	*p = append(*p, order.Problem{Code: code, Field: field, Message: fmt.Sprintf(format, values...)})
}

func (p *problems) need(field, value, message string) {
	if value == "" {
		p.add(payouts.CodeMissing, field, "%s", message)
	}
}

func (p *problems) has(field string) bool {
	return slices.ContainsFunc(*p, func(known order.Problem) bool { return known.Field == field })
}

// merge adds the problems of another check, each once. It leaves out fields that
// have a problem already.
func (p *problems) merge(err error) {
	var invalid *order.Invalid
	if !errors.As(err, &invalid) {
		return
	}
	said := slices.Clone(*p)
	for _, problem := range invalid.Problems {
		twice := slices.ContainsFunc(*p, func(known order.Problem) bool {
			return known.Field == problem.Field && known.Code == problem.Code
		})
		if !twice && !said.has(problem.Field) {
			problem.Message += flagHint(problem)
			*p = append(*p, problem)
		}
	}
}

// nameWays names the command that lists the ways, where the way is wrong.
func (p problems) nameWays(country string) {
	command := "starter ways"
	if _, known := tarspay.Country(country); known {
		command += " --country " + country
	}
	for i := range p {
		if p[i].Field == "way" {
			p[i].Message += "; see " + command
		}
	}
}

// flagHint returns which flag gives a member, if the member is missing or its flag
// has another name.
func flagHint(problem order.Problem) string {
	flag, has := memberFlags[problem.Field]
	var flags []string
	for name := range strings.SplitSeq(problem.Field, ", ") {
		if flag, has := memberFlags[name]; has {
			flags = append(flags, "--"+flag)
		}
	}
	switch {
	case problem.Code == tarspay.ViolationMissing && has:
		return ": give it with --" + flag
	case problem.Code == tarspay.ViolationMissing:
		return ": give it with --field " + problem.Field + "=…"
	case len(flags) > 0:
		return " (" + strings.Join(flags, ", ") + ")"
	}
	return ""
}

// amount reads an amount in the country's currency. If the text is invalid, it
// returns the smallest amount, so that the other checks can run. merge leaves out
// their problems about the amount.
func (p *problems) amount(field, text, country string) money.Amount {
	profile, known := tarspay.Country(country)
	if !known {
		return least("USD") // any: that the country is wrong is said by the request's check
	}
	if text != "" {
		amount, err := order.ParseAmount(text, country)
		if err == nil {
			return amount
		}
		var invalid *order.Invalid
		if errors.As(err, &invalid) {
			for _, problem := range invalid.Problems {
				p.add(problem.Code, field, "%s", namingFlag(field, problem.Message))
			}
		}
	}
	return least(profile.Currency)
}

// namingFlag makes a sentence about an amount name the flag that it was given with.
func namingFlag(flag, sentence string) string {
	if rest, about := strings.CutPrefix(sentence, "amount "); about {
		return "--" + flag + " " + rest
	}
	return "--" + flag + ": " + sentence
}

func least(currency string) money.Amount { return minor(1, currency) }

// none returns 0 of a currency.
func none(currency string) money.Amount { return minor(0, currency) }

// minor returns an amount in minor units, or the zero Amount if there is no such
// currency.
func minor(units int64, currency string) money.Amount {
	amount, err := money.Minor(units, currency)
	if err != nil {
		return money.Amount{}
	}
	return amount
}
