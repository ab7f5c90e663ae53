package main

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/version"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func read[T any](t *testing.T, args ...string) T {
	t.Helper()
	got := setup(t).run(t.Context(), append(args, "--json")...)
	require.Equal(t, exitDone, got.code, got.out)
	var document T
	require.NoError(t, json.Unmarshal([]byte(got.out), &document))
	return document
}

func TestCountries(t *testing.T) {
	t.Parallel()
	document := read[countriesDocument](t, "countries")
	require.Len(t, document.Countries, len(tarspay.Countries()))
	for _, c := range document.Countries {
		if c.Code == "TH" {
			require.Equal(t, "THB", c.Currency)
			require.Equal(t, "THA", c.GatewayCurrency)
			require.True(t, c.Documented)
			require.Positive(t, c.WithdrawalWays)
			require.Equal(t, []string{"history"}, c.Calls)
		}
	}
	people := setup(t).run(t.Context(), "countries")
	require.Contains(t, people.out, "THB (gateway: THA)")
	require.Regexp(t, `(?m)^EG .* 2 +none documented$`, people.out)
	require.Regexp(t, `(?m)^TR .* no orders +no orders$`, people.out)
}

func TestWays(t *testing.T) {
	t.Parallel()
	kinds := func(document payouts.CountryWays) []order.Kind {
		var found []order.Kind
		for _, d := range document.Directions {
			found = append(found, d.Kind)
		}
		return found
	}
	both := read[payouts.CountryWays](t, "ways", "--country", "vn")
	require.Equal(t, []order.Kind{order.Deposit, order.Withdrawal}, kinds(both))
	require.Equal(t, kinds(both), kinds(read[payouts.CountryWays](t, "ways", "--country", "VN", "--deposit", "--withdraw")))
	require.Equal(t, []order.Kind{order.Deposit}, kinds(read[payouts.CountryWays](t, "ways", "--country", "VN", "--deposit")))
	out := read[payouts.CountryWays](t, "ways", "--country", "VN", "--withdraw")
	require.Equal(t, []order.Kind{order.Withdrawal}, kinds(out))
	require.NotEmpty(t, out.Directions[0].Ways)

	kenya := read[payouts.CountryWays](t, "ways", "--country", "KE")
	require.Equal(t, amount(t, "500000", "KES"), kenya.Directions[0].DailyCap)
	require.Equal(t, "customer", kenya.Directions[0].DailyCapPer)
	require.Contains(t, setup(t).run(t.Context(), "ways", "--country", "KE").out, "at most 300000 KES a day per person, which the gateway counts\n")
	require.Equal(t, 500, both.Directions[0].PayableSeconds)
	for country, payable := range map[string]string{"VN": "8m20s", "PK": "24h", "BD": "30m", "IN": "30m", "MY": "30m"} { // computed from the pages' samples
		require.Contains(t, setup(t).run(t.Context(), "ways", "--country", country).out, "payable for "+payable+"\n")
	}
	require.Contains(t, setup(t).run(t.Context(), "ways", "--country", "MX").out, "at 7-ELEVEN, Soriana")
	require.Contains(t, setup(t).run(t.Context(), "ways", "--country", "EG").out, "note: the page of the payout (EN/199)")

	for _, profile := range tarspay.Countries() { // no profile breaks the tables
		got := setup(t).run(t.Context(), "ways", "--country", profile.Code)
		require.Equal(t, exitDone, got.code)
		for _, way := range append(profile.Ways(tarspay.DirectionDeposit), profile.Ways(tarspay.DirectionWithdrawal)...) {
			require.Contains(t, got.out, way.Code)
		}
	}
}

func TestBanks(t *testing.T) {
	t.Parallel()
	document := read[payouts.CountryBanks](t, "banks", "--country", "TH")
	require.True(t, document.Complete)
	require.Len(t, document.Banks, len(mustCountry(t, "TH").Withdrawal.Ways))
	for _, b := range document.Banks {
		require.Equal(t, "wayCode", b.Member)
		if b.Code == "TMB" { // listed twice by the gateway: both names are shown
			require.Len(t, b.Names, 2)
		}
	}
	people := setup(t).run(t.Context(), "banks", "--country", "TH")
	require.Contains(t, people.out, "TMB Bank Plc / Tokyo Mitsubishi Bank")

	none := setup(t).run(t.Context(), "banks", "--country", "TR")
	require.Equal(t, exitDone, none.code)
	require.Contains(t, none.out, "no table of banks is documented")
}

func TestCodes(t *testing.T) {
	t.Parallel()
	document := read[codesDocument](t, "codes")
	require.Len(t, document.Codes, len(tarspay.ErrorCodes()))
	people := setup(t).run(t.Context(), "codes")
	for _, c := range document.Codes {
		require.True(t, c.Documented)
		require.Contains(t, people.out, c.Code)
		one := read[codesDocument](t, "codes", c.Code)
		require.Equal(t, []gatewayCode{c}, one.Codes)
	}
	require.Equal(t, "-1", read[codesDocument](t, "codes", "-1").Codes[0].Code, "it looks like a flag")
	require.Equal(t, "5003021", read[codesDocument](t, "codes", "500321").Codes[0].Code, "the other spelling")
	require.Equal(t, tarspay.ClassDuplicate, read[codesDocument](t, "codes", "5003011").Codes[0].Classes.CreateWithdrawal)
	require.Contains(t, read[codesDocument](t, "codes", "0").Codes[0].Meaning, "not paid yet")
	require.Equal(t, "5003014", read[codesDocument](t, "codes", "MERCHANT_FEE_CONFIG_NOT_INIT").Codes[0].Code)
	require.Len(t, read[codesDocument](t, "codes", "You have not bound or opened the API Key").Codes, 2)
	unknown := read[codesDocument](t, "codes", "5003016").Codes[0]
	require.False(t, unknown.Documented)
	require.Equal(t, tarspay.ClassAmbiguous, unknown.Classes.CreateDeposit)

	for _, args := range [][]string{{planted[0]}, {"-" + planted[1]}, {"1", "2"}, {"12345678901"}, {"-1", "2"}} {
		got := setup(t).run(t.Context(), append([]string{"codes"}, args...)...)
		require.Equal(t, exitUsage, got.code, args)
		require.NotContains(t, got.errs, args[0])
	}
}

// A code that is in no page is explained as the client takes it.
func TestUnknownCodeIsExplainedAsItIsTaken(t *testing.T) {
	t.Parallel()
	signer, err := tarspay.NewSigner(strings.Repeat("1", 64))
	require.NoError(t, err)
	client, err := tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{Transport: always(`{"code":5003016}`)})
	require.NoError(t, err)
	_, create := client.CreateWithdrawal(t.Context(), tarspay.CreateRequest{OrderNumber: "1", Way: "w", Amount: "1", Currency: "PKR", NotifyURL: "http://x.test"})
	_, query := client.QueryWithdrawal(t.Context(), tarspay.Reference{OrderNumber: "1"})
	_, balance := client.Balance(t.Context())
	_, history := client.History(t.Context(), tarspay.HistoryRequest{})
	explained := explainCode("5003016").Classes
	require.Equal(t, explained.CreateWithdrawal, tarspay.ClassOf(create))
	require.Equal(t, explained.Query, tarspay.ClassOf(query))
	require.Equal(t, explained.Balance, tarspay.ClassOf(balance))
	require.Equal(t, explained.Other, tarspay.ClassOf(history))
}

// always answers every call with the same body.
type always string

func (a always) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

func TestStates(t *testing.T) {
	t.Parallel()
	document := read[statesDocument](t, "states")
	require.Len(t, document.States, len(tarspay.States()))
	one := read[statesDocument](t, "states", "6")
	require.Equal(t, document.States[6:7], one.States)
	require.False(t, one.States[0].Deposit.CalledBack)
	require.False(t, one.States[0].Withdrawal.Documented)
	unknown := setup(t).run(t.Context(), "states", "42")
	require.Equal(t, exitDone, unknown.code)
	require.Contains(t, unknown.out, "state 42")
	require.Contains(t, unknown.out, "an order in this state is queried until its state changes")
	for _, wrong := range []string{planted[0], "succeeded", "-1", "99999"} {
		require.Equal(t, exitUsage, setup(t).run(t.Context(), "states", wrong).code, wrong)
	}
	require.Equal(t, exitUsage, setup(t).run(t.Context(), "states", "1", "2").code)
}

func TestNoSuchCountry(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"ways", "banks"} {
		got := setup(t).run(t.Context(), command, "--country", "XX")
		require.Equal(t, exitUsage, got.code)
		require.Equal(t, "error: there is no such country: see starter countries (UNKNOWN_COUNTRY)\n", got.errs)
		got = setup(t).run(t.Context(), command)
		require.Equal(t, exitUsage, got.code)
		require.Equal(t, "error: --country is needed: see starter countries (MISSING_FLAG)\n", got.errs)
	}
}

func mustCountry(t *testing.T, code string) *tarspay.Profile {
	t.Helper()
	profile, known := tarspay.Country(code)
	require.True(t, known)
	return profile
}

// Completion is asked the way a shell asks it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		has  []string
		not  []string
	}{
		"commands":              {[]string{""}, []string{"withdraw\t", "keygen\t", "completion\t"}, nil},
		"countries":             {[]string{"withdraw", "--country", ""}, []string{"PK\tPakistan\n", "VN\tVietnam\n"}, []string{"TR\t"}},
		"countries in small":    {[]string{"withdraw", "--country", "p"}, []string{"PK\tPakistan\n", "PH\t"}, []string{"VN"}},
		"ways of the country":   {[]string{"withdraw", "--country", "PK", "--way", "eas"}, []string{"easypaisa\tEasypaisa ewallet\n"}, []string{"jazzcash"}},
		"ways of the direction": {[]string{"deposit", "--country", "TH", "--way", ""}, []string{"PROMPTPAY\tqr\n"}, []string{"KBANK"}},
		"ways without country":  {[]string{"withdraw", "--way", ""}, nil, []string{"easypaisa"}},
		"closed ways":           {[]string{"deposit", "--country", "VN", "--way", ""}, []string{"VCB\t"}, []string{"VIB"}},
		"members":               {[]string{"deposit", "--country", "VN", "--field", ""}, []string{"serial="}, []string{"customerName"}},
		"states to list":        {[]string{"list", "--state", ""}, []string{"in_review\n", "submitted\n"}, []string{"paused"}},
		"states to resolve":     {[]string{"resolve", "--state", ""}, []string{"succeeded\n", "failed\n"}, []string{"cancelled", "in_review"}},
		"kinds":                 {[]string{"list", "--kind", ""}, []string{"deposit\n", "withdrawal\n"}, nil},
		"merchants":             {[]string{"status", "--merchant", ""}, []string{merchant + "\tPK\n"}, nil},
		"banks":                 {[]string{"banks", "--country", "T"}, []string{"TH\tThailand\n"}, nil},
		"gateway codes":         {[]string{"codes", "50030"}, []string{"5003010\torder status error", "5003011\t"}, []string{"5004006", "-1"}},
		"ways to check":         {[]string{"check-account", "--country", "VN", "--way", "V"}, []string{"VCB\tVietcombank"}, []string{"TCB"}},
		"kinds of transactions": {[]string{"transactions", "--kind", "o"}, []string{"own-withdrawal\n"}, []string{"deposit\n"}},
		"numbers are no files":  {[]string{"status", ""}, []string{":4\n"}, nil},
		"keys are files":        {[]string{"keygen", ""}, []string{":0\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := setup(t).run(t.Context(), append([]string{"__complete"}, test.args...)...)
			require.Equal(t, exitDone, got.code)
			for _, want := range test.has {
				require.Contains(t, got.out, want)
			}
			for _, unwanted := range test.not {
				require.NotContains(t, got.out, unwanted)
			}
		})
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		got := setup(t).run(t.Context(), "completion", shell)
		require.Equal(t, exitDone, got.code)
		require.Contains(t, got.out, "starter")
	}
}

// Every command explains itself and shows how it is used.
func TestHelp(t *testing.T) {
	t.Parallel()
	s := starter{}
	for _, command := range commandsOf(s.root()) {
		path := strings.Fields(command.CommandPath())
		require.NotEmpty(t, command.Short, path)
		require.NotEmpty(t, command.Long, path)
		got := setup(t).run(t.Context(), append(path[1:], "--help")...)
		require.Equal(t, exitDone, got.code)
		require.Equal(t, got.out, setup(t).run(t.Context(), append([]string{"help"}, path[1:]...)...).out)
		if !command.Runnable() || command.GroupID == "" && command.Parent() == command.Root() {
			continue // a topic, help or completion
		}
		require.Contains(t, command.Long, "--json: {", path)
		require.Contains(t, command.Example, command.CommandPath(), path)
		require.Contains(t, got.out, "Usage:")
	}
	require.Equal(t, exitDone, setup(t).run(t.Context()).code)
}

// The first page says what there is: a terminal of 24 lines and 80 columns shows
// the commands without scrolling back over a table of settings.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	pages := [][]string{{"--help"}}
	for _, command := range commandsOf((&starter{}).root()) {
		pages = append(pages, append(strings.Fields(command.CommandPath())[1:], "--help"))
	}
	for _, page := range pages {
		for line := range strings.Lines(setup(t).run(t.Context(), page...).out) {
			if strings.Contains(line, "{") || strings.Contains(line, `","`) || strings.HasPrefix(line, "  starter ") || strings.HasPrefix(line, "    --") {
				continue // JSON, and examples to copy, stay whole
			}
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, "%v: %s", page, line)
		}
	}
	first := setup(t).run(t.Context(), "--help").out
	require.NotContains(t, first, "PAYOUTS_")
	require.Less(t, strings.Index(first, "\nOrders:"), strings.Index(first, "\nFlags:"))
	require.Less(t, strings.Count(first[:strings.Index(first, "\nOrders:")], "\n"), 12)
}

// Words that are not known are errors that name the nearest one, for machines,
// too, wherever they stand.
func TestUnknownWords(t *testing.T) {
	t.Parallel()
	for line, message := range map[string]string{
		"compare":                      "there is no command compare; did you mean reconcile?",
		"aprove INV-1":                 "there is no command aprove; did you mean approve?",
		"frobnicate":                   "there is no command frobnicate; starter --help lists them",
		"Ayesha":                       "there is no such command; starter --help lists them",
		"help nope":                    "there is no help for nope; did you mean note?",
		"help adjust propos":           "there is no help for propos; did you mean propose?",
		"help adjust propose more":     "there is no help for more; starter adjust propose --help lists them",
		"completion fsh":               "the shell is one of bash, fish, powershell, zsh; did you mean fish?",
		"completion":                   "give exactly one shell; nothing was given",
		"adjust propos":                "there is no command propos; did you mean propose?",
		"trx quer":                     "there is no command quer; did you mean query?",
		"list --opne":                  "there is no flag --opne; did you mean --open?",
		"list PK":                      "unexpected argument: this command takes flags only; put quotes around a value that has spaces in it",
		"list --kind withdraw":         "--kind is one of deposit, withdrawal; did you mean withdrawal?",
		"list --state reviw":           "--state is one of ",
		"ways Pakistn":                 "there is no such country; did you mean PK (Pakistan)?",
		"ways XX":                      "there is no such country: see starter countries",
		"ways PK --country VN":         "the country is given twice; keep one",
		"ways PK VN":                   "give one country; 2 were given",
		"list --limit x":               "--limit does not take that value; it is a whole number",
		"status":                       "give exactly one order number; nothing was given",
		"transactions --kind deposits": "--kind is one of ",
	} {
		args := strings.Fields(line)
		people := setup(t).run(t.Context(), args...)
		require.Equal(t, exitUsage, people.code, line)
		require.Contains(t, people.errs, message, line)
		require.Empty(t, people.out, line)
		machines := setup(t).run(t.Context(), append(args, "--json")...)
		require.Equal(t, exitUsage, machines.code, line)
		require.Empty(t, machines.errs, line)
		var document failureDocument
		require.NoError(t, json.Unmarshal([]byte(machines.out), &document), line)
		require.NotEmpty(t, document.Error.Code, line)
		require.Contains(t, machines.out, strings.Trim(message, "?"), line)
	}
}

// A country may stand alone where a command is about one country.
func TestWaysOfACountry(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"ways", "banks"} {
		want := setup(t).run(t.Context(), command, "--country", "PK")
		require.Equal(t, exitDone, want.code)
		require.Equal(t, want, setup(t).run(t.Context(), command, "PK"))
		require.Equal(t, want, setup(t).run(t.Context(), command, "pk", "--country", "PK"))
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	people := setup(t).run(t.Context(), "--version")
	require.Equal(t, exitDone, people.code)
	require.Regexp(t, `^starter \S+ .*schema \d+ go1\.\S+ \w+/\w+\n$`, people.out)
	machines := setup(t).run(t.Context(), "--version", "--json")
	var build version.Build
	require.NoError(t, json.Unmarshal([]byte(machines.out), &build))
	require.Equal(t, version.Read("starter"), build)
}

// Every member that a document has is in the help, and stays under its name.
func TestHelpNamesEveryMember(t *testing.T) {
	t.Parallel()
	var help strings.Builder
	for _, command := range commandsOf((&starter{}).root()) {
		help.WriteString(command.Long)
	}
	for _, document := range []any{
		startedDocument{}, orderDocument{}, payouts.List{}, balancesDocument{}, payouts.BalanceReport{}, payouts.TransactionReport{},
		countriesDocument{}, payouts.CountryWays{}, payouts.CountryBanks{}, keyDocument{}, codesDocument{}, statesDocument{},
		payouts.Transactions{}, accountDocument{}, certificateDocument{}, depositDocument{}, paymentDocument{}, supplementDocument{}, submittedDocument{},
		payouts.QueuePage{}, payouts.Story{}, auditDocument{}, payouts.AuditReport{}, payouts.DiscrepancyPage{}, discrepancyDocument{}, storyDocument{},
		lookDocument{}, payouts.Resolved{}, payouts.Adopted{}, adjustmentDocument{}, payouts.AdjustmentPage{}, callbackDocument{},
		doctorDocument{}, webhookSecretDocument{}, webhookStatusDocument{}, webhooksDocument{}, payouts.WebhookTested{}, payouts.WebhookDeliveryPage{}, listening{}, forwarded{},
	} {
		for _, name := range memberNamesOf(reflect.TypeOf(document)) {
			require.Contains(t, help.String(), `"`+name+`"`, "%T", document)
		}
	}
}

// commandsOf lists the commands and those under them.
func commandsOf(command *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, child := range command.Commands() {
		all = append(append(all, child), commandsOf(child)...)
	}
	return all
}

// memberNamesOf lists the JSON names of a type and of all it holds.
func memberNamesOf(kind reflect.Type) []string {
	switch kind.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Map:
		return memberNamesOf(kind.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var names []string
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name != "" {
			names = append(names, name)
		}
		names = append(names, memberNamesOf(field.Type)...)
	}
	return names
}
