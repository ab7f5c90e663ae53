package tarspay

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // machines may have no time zones

	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/money"
)

// countryFile is the file format of a profile. Amounts are text in major units. A
// fact without a confidence has that of the part that contains it, and
// "documented" if that has none.
type countryFile struct {
	Code            string       `yaml:"code"`
	Name            string       `yaml:"name"`
	Currency        string       `yaml:"currency"`
	GatewayCurrency string       `yaml:"gateway_currency"`
	TimeZone        string       `yaml:"time_zone"`
	Undocumented    bool         `yaml:"undocumented"`
	Note            string       `yaml:"note"`
	Amount          amountFile   `yaml:"amount"`
	Phone           phoneFile    `yaml:"phone"`
	IBANLength      int          `yaml:"iban_length"`
	Deposit         sideFile     `yaml:"deposit"`
	Withdrawal      sideFile     `yaml:"withdrawal"`
	Callback        callbackFile `yaml:"callback"`
	Endpoints       []struct {
		Operation Operation `yaml:"operation"`
		factFile  `yaml:",inline"`
	} `yaml:"endpoints"`
}

// factFile says how well a fact is known, and from which source.
type factFile struct {
	Confidence Confidence `yaml:"confidence"`
	Source     string     `yaml:"source"`
	Note       string     `yaml:"note"`
}

type amountFile struct {
	Decimals int `yaml:"decimals"`
	factFile `yaml:",inline"`
}

type phoneFile struct {
	Prefix string `yaml:"prefix"`
	Trunk  string `yaml:"trunk"`
	Mobile string `yaml:"mobile"`
}

type callbackFile struct {
	Deposit    []State `yaml:"deposit"`
	Withdrawal []State `yaml:"withdrawal"`
	factFile   `yaml:",inline"`
}

type sideFile struct {
	Undocumented   bool        `yaml:"undocumented"`
	WaysComplete   bool        `yaml:"ways_complete"`
	WaysAreBanks   bool        `yaml:"ways_are_banks"`
	ReturnURL      bool        `yaml:"return_url_required"`
	Ways           []wayFile   `yaml:"ways"`
	Fields         []fieldFile `yaml:"fields"`
	FieldsComplete bool        `yaml:"fields_complete"`
	Payee          []payeeFile `yaml:"payee"`
	DailyCap       struct {
		Amount string `yaml:"amount"`
		Per    string `yaml:"per"`
	} `yaml:"daily_cap"`
	Expiry struct {
		Seconds  int `yaml:"seconds"`
		factFile `yaml:",inline"`
	} `yaml:"expiry"`
	factFile `yaml:",inline"`
}

type wayFile struct {
	Code         string   `yaml:"code"`
	Name         string   `yaml:"name"`
	Names        []string `yaml:"names"` // instead of name, where the page lists the code more than once
	Kind         string   `yaml:"kind"`
	Min          string   `yaml:"min"`
	Max          string   `yaml:"max"`
	Amounts      []string `yaml:"amounts"`
	Closed       bool     `yaml:"closed"`
	ConfusedWith []string `yaml:"confused_with"`
	SameAs       string   `yaml:"same_as"`
	IBAN         string   `yaml:"iban"`
	Accepts      []string `yaml:"accepts"`
	factFile     `yaml:",inline"`
}

// payeeFile says which members name the payee or payer, for ways of some kinds.
type payeeFile struct {
	Kinds    []string `yaml:"kinds"`
	Members  []string `yaml:"members"`
	Form     Form     `yaml:"form"`
	Written  []string `yaml:"written"`
	Rule     string   `yaml:"rule"`
	Bank     string   `yaml:"bank"`
	factFile `yaml:",inline"`
}

type fieldFile struct {
	Name           string   `yaml:"name"`
	Required       bool     `yaml:"required"`
	RequiredFor    []string `yaml:"required_for"`
	RequiredUnless []string `yaml:"required_unless"`
	OmitFor        []string `yaml:"omit_for"`
	Pattern        string   `yaml:"pattern"`
	Rule           string   `yaml:"rule"`
	Values         []string `yaml:"values"`
	factFile       `yaml:",inline"`
}

// readProfile reads one country's file. An error names the file and the line
// of every mistake.
func readProfile(name string, data []byte) (*Profile, error) {
	var file countryFile
	if err := decodeYAML(name, data, &file); err != nil {
		return nil, err
	}
	r := profileReader{name: name, file: file}
	if err := yaml.Unmarshal(data, &r.root); err != nil {
		return nil, fmt.Errorf("tarspay: %s: %w", name, err)
	}
	profile := r.profile()
	if len(r.mistakes) > 0 {
		return nil, errors.Join(r.mistakes...)
	}
	return profile, nil
}

// profileReader converts a file to a profile and collects mistakes with their
// lines.
type profileReader struct {
	name     string
	file     countryFile
	root     yaml.Node
	mistakes []error
}

func (r *profileReader) profile() *Profile {
	f := r.file
	if want := strings.TrimSuffix(path.Base(r.name), ".yaml"); f.Code != want || len(f.Code) != 2 {
		r.mistake(at("code"), "the code must be two letters and name the file")
	}
	if f.Name == "" {
		r.mistake(at("name"), "the name is missing")
	}
	digits, err := money.Decimals(f.Currency)
	if err != nil {
		r.mistake(at("currency"), "the currency must be an ISO 4217 code")
	}
	if (f.GatewayCurrency == "") != f.Undocumented {
		r.mistake(at("gateway_currency"), "the gateway's currency code is needed, unless the country is undocumented")
	}
	if f.Amount.Decimals != 0 && f.Amount.Decimals != digits {
		r.mistake(at("amount", "decimals"), "decimals must be 0 or the %d of the currency", digits)
	}
	zone, err := time.LoadLocation(f.TimeZone)
	if err != nil || f.TimeZone == "" || f.TimeZone == "Local" {
		r.mistake(at("time_zone"), "the time zone must be an IANA name, like Asia/Karachi")
	}
	profile := &Profile{
		TimeZone: zone,
		Code:     f.Code, Name: f.Name, Currency: f.Currency, GatewayCurrency: f.GatewayCurrency,
		Documented: !f.Undocumented, Note: f.Note,
		Phone: r.phone(f.Phone), IBANLength: f.IBANLength,
		Deposit:    r.side("deposit", f.Deposit),
		Withdrawal: r.side("withdrawal", f.Withdrawal),
	}
	amount := r.fact(at("amount"), f.Amount.factFile, factFile{})
	profile.Amount = AmountRule{Decimals: f.Amount.Decimals, Confidence: amount.Confidence, Source: amount.Source, Note: amount.Note}
	callback := r.fact(at("callback"), f.Callback.factFile, factFile{})
	profile.CallbackStates = CallbackStates{
		Deposit: f.Callback.Deposit, Withdrawal: f.Callback.Withdrawal,
		Confidence: callback.Confidence, Source: callback.Source,
	}
	for _, state := range slices.Concat(f.Callback.Deposit, f.Callback.Withdrawal) {
		if !state.Documented() {
			r.mistake(at("callback"), "%s is not in the table", state)
		}
	}
	for i, endpoint := range f.Endpoints {
		if !endpoint.Operation.extra() {
			r.mistake(at("endpoints", i), "no such extra endpoint")
		}
		fact := r.fact(at("endpoints", i), endpoint.factFile, factFile{})
		profile.Endpoints = append(profile.Endpoints, Endpoint{endpoint.Operation, fact.Confidence, fact.Source, fact.Note})
	}
	return profile
}

func (r *profileReader) side(name string, f sideFile) Side {
	fact := r.fact(at(name), f.factFile, factFile{})
	expiry := r.fact(at(name, "expiry"), f.Expiry.factFile, fact)
	side := Side{
		Documented:   !f.Undocumented && !r.file.Undocumented,
		WaysComplete: f.WaysComplete, WaysAreBanks: f.WaysAreBanks, ReturnURLRequired: f.ReturnURL,
		FieldsComplete: f.FieldsComplete,
		DailyCapPer:    f.DailyCap.Per, Expiry: time.Duration(f.Expiry.Seconds) * time.Second,
		ExpiryConfidence: expiry.Confidence, ExpirySource: expiry.Source,
		Confidence: fact.Confidence, Source: fact.Source, Note: fact.Note,
	}
	if f.DailyCap.Amount != "" {
		side.DailyCap = r.amount(at(name, "daily_cap", "amount"), f.DailyCap.Amount)
	}
	if f.WaysComplete && len(f.Ways) == 0 {
		r.mistake(at(name, "ways_complete"), "a complete list cannot be empty")
	}
	seen := make(map[string]bool)
	for i, way := range f.Ways {
		if seen[way.Code] {
			r.mistake(at(name, "ways", i), "%s is listed twice; give one row both names", way.Code)
		}
		seen[way.Code] = true
		side.Ways = append(side.Ways, r.way(at(name, "ways", i), way, fact))
	}
	clear(seen)
	for i, field := range f.Fields {
		if seen[field.Name] || isCoreMember(field.Name) {
			r.mistake(at(name, "fields", i), "%s is listed twice or is a common member", field.Name)
		}
		seen[field.Name] = true
		side.Fields = append(side.Fields, r.field(at(name, "fields", i), field, fact, side))
	}
	for i, rule := range f.Payee {
		side.Payee = append(side.Payee, r.payee(at(name, "payee", i), rule, fact, side))
	}
	r.sameBanks(name, side)
	return side
}

// sameBanks checks that same_as names a way that has no same_as itself.
func (r *profileReader) sameBanks(name string, side Side) {
	for i, way := range side.Ways {
		if way.SameAs != "" && !slices.ContainsFunc(side.Ways, func(w Way) bool { return w.Code == way.SameAs && w.SameAs == "" }) {
			r.mistake(at(name, "ways", i), "same_as must name a way of this side that has no same_as itself, and %s is not one", way.SameAs)
		}
	}
}

func (r *profileReader) phone(f phoneFile) PhoneRule {
	rule := PhoneRule{Prefix: f.Prefix, Trunk: f.Trunk}
	if f.Prefix != "" && !eachByte(f.Prefix, isDigit) || f.Trunk != "" && f.Trunk != "0" {
		r.mistake(at("phone"), "the prefix is digits, and the trunk is 0 or nothing")
	}
	if f.Mobile != "" {
		mobile, err := regexp.Compile("^" + f.Mobile + "$")
		if err != nil {
			r.mistake(at("phone", "mobile"), "the pattern must be a regular expression")
		}
		rule.Mobile = mobile
	}
	return rule
}

// forms of an account, and ways of writing a phone number.
var (
	forms        = []Form{FormPhone, FormAccount, FormUPI, FormPIX}
	phoneWritten = []string{"trunk", "bare", "prefix"}
)

func (r *profileReader) payee(where place, f payeeFile, inherited factFile, side Side) PayeeRule {
	fact := r.fact(where, f.factFile, inherited)
	has := func(name string) bool { return side.has(name) }
	if len(f.Members) == 0 || slices.ContainsFunc(f.Members, func(name string) bool { return !has(name) || holds(name) == "" }) {
		r.mistake(where, "the members must be members of this side that members.yaml lists")
	}
	if f.Bank != "" && f.Bank != bankIsWay && (!has(f.Bank) || holds(f.Bank) != holdsBank) {
		r.mistake(where.to("bank"), "bank must be %q or a member of this side that names a bank", bankIsWay)
	}
	for _, written := range f.Written {
		if !slices.Contains(phoneWritten, written) || f.Form != FormPhone {
			r.mistake(where.to("written"), "only a phone is written %s", strings.Join(phoneWritten, ", "))
		}
	}
	if !slices.Contains(forms, f.Form) || f.Rule == "" {
		r.mistake(where, "an account has a form, one of %v, and the rule in words", forms)
	}
	return PayeeRule{
		Kinds: f.Kinds, Members: f.Members, Form: f.Form, Written: f.Written, Rule: f.Rule, Bank: f.Bank,
		Confidence: fact.Confidence, Source: fact.Source, Note: fact.Note,
	}
}

// wayKinds are the kinds of payment a way can be.
var wayKinds = []string{"cashier", "bank", "ewallet", "qr", "va", "upi", "store", "card"}

func (r *profileReader) way(where place, f wayFile, inherited factFile) Way {
	fact := r.fact(where, f.factFile, inherited)
	way := Way{
		Code: f.Code, Names: f.Names, Kind: f.Kind, Closed: f.Closed, ConfusedWith: f.ConfusedWith, Accepts: f.Accepts, SameAs: f.SameAs, IBAN: f.IBAN,
		Confidence: fact.Confidence, Source: fact.Source, Note: f.Note,
	}
	if f.Name != "" {
		way.Names = append([]string{f.Name}, way.Names...)
	}
	if len(way.Names) == 0 {
		way.Names = []string{f.Code}
	}
	if f.Code == "" || !isSafeWay(f.Code) {
		r.mistake(where, "the code is missing or not printable text")
	}
	if !slices.Contains(wayKinds, f.Kind) {
		r.mistake(where, "the kind must be one of %s", strings.Join(wayKinds, ", "))
	}
	if f.Min != "" {
		way.Min = r.amount(where.to("min"), f.Min)
	}
	if f.Max != "" {
		way.Max = r.amount(where.to("max"), f.Max)
	}
	if below(way.Max, way.Min) {
		r.mistake(where.to("max"), "the largest amount is below the smallest")
	}
	for _, text := range f.Amounts {
		way.Amounts = append(way.Amounts, r.amount(where.to("amounts"), text))
	}
	return way
}

func (r *profileReader) field(where place, f fieldFile, inherited factFile, side Side) Field {
	fact := r.fact(where, f.factFile, inherited)
	field := Field{
		Name: f.Name, Required: f.Required, RequiredFor: f.RequiredFor, RequiredUnless: f.RequiredUnless,
		OmitFor: f.OmitFor, Rule: f.Rule, Values: f.Values,
		Confidence: fact.Confidence, Source: fact.Source, Note: f.Note,
	}
	if !eachByte(f.Name, isKeyByte) {
		r.mistake(where, "the name is missing or malformed")
	}
	if (f.Pattern == "") != (f.Rule == "") {
		r.mistake(where, "a pattern and its rule in words belong together")
	}
	if f.Pattern != "" {
		pattern, err := regexp.Compile(f.Pattern)
		if err != nil || !strings.HasPrefix(f.Pattern, "^") || !strings.HasSuffix(f.Pattern, "$") {
			r.mistake(where.to("pattern"), "the pattern must be a regular expression from ^ to $")
		}
		field.Pattern = pattern
	}
	conditions := 0
	for _, list := range [][]string{f.RequiredFor, f.RequiredUnless, f.OmitFor} {
		if len(list) > 0 {
			conditions++
		}
		for _, code := range list {
			if !slices.ContainsFunc(side.Ways, func(way Way) bool { return way.Code == code }) {
				r.mistake(where, "%s is not a way of this side", code)
			}
		}
	}
	if f.Required && conditions > 0 || len(f.RequiredFor) > 0 && len(f.RequiredUnless) > 0 {
		r.mistake(where, "the conditions contradict each other")
	}
	return field
}

// fact fills missing values of a fact from the part that contains it.
func (r *profileReader) fact(where place, own, inherited factFile) factFile {
	if own.Confidence == "" {
		own.Confidence = inherited.Confidence
	}
	if own.Confidence == "" {
		own.Confidence = Documented
	}
	if own.Source == "" {
		own.Source = inherited.Source
	}
	switch own.Confidence {
	case Verified, Documented, Observed:
		if own.Source == "" && !r.file.Undocumented {
			r.mistake(where, "a fact that is %s needs its source", own.Confidence)
		}
	case Inferred, Unknown:
	default:
		r.mistake(where, "no such confidence")
	}
	return own
}

func (r *profileReader) amount(where place, text string) money.Amount {
	amount, err := money.Parse(text, r.file.Currency)
	if err != nil || !amount.IsPositive() {
		r.mistake(where, "must be an amount above zero in %s", r.file.Currency)
	}
	return amount
}

// place is a path through the file: keys and indexes.
type place []any

func at(steps ...any) place { return steps }

func (p place) to(step any) place { return append(p[:len(p):len(p)], step) }

func (r *profileReader) mistake(where place, format string, values ...any) {
	r.mistakes = append(r.mistakes, fmt.Errorf("tarspay: %s:%d: %s", r.name, r.line(where), fmt.Sprintf(format, values...)))
}

// line returns the line of the place, or of its nearest parent in the file.
func (r *profileReader) line(where place) int {
	node := &r.root
	if len(node.Content) > 0 {
		node = node.Content[0]
	}
	for _, step := range where {
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return node.Line
}

func child(node *yaml.Node, step any) *yaml.Node {
	if index, ok := step.(int); ok {
		if node.Kind == yaml.SequenceNode && index < len(node.Content) {
			return node.Content[index]
		}
		return nil
	}
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == step {
			return node.Content[i+1]
		}
	}
	return nil
}
