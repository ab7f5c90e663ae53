package main

import (
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) codesCommand() *cobra.Command {
	var minusOne bool
	cmd := &cobra.Command{
		Use:   "codes [CODE | MESSAGE]",
		Short: "Explain our codes and the gateway's, and what to do",
		Long: `Explains a code, or lists them all. Ours are words, such as ORDER_CONFLICT: what each
means, its class, its exit code and HTTP status, and what to do. The gateway's are
numbers, in either spelling: what the pages say, what it proves for each kind of call,
whether it is one order's problem or everyone's, and what to do.

Classes of the gateway's: rejected and auth mean that nothing was created; ambiguous and unavailable
on a create mean that an order may exist and is asked for by its number; duplicate
means that one exists. A code that is in no page is ambiguous on a create.

In place of a code, what the gateway said finds the codes it may have come with, as
far as its pages quote it.

--json: {"codes":[{"code","spellings","documented","meaning","messages","scope",
"classes":{"create_deposit","create_withdrawal","query","balance","other"},"confirm",
"action","confidence"}]}, where scope is order or every_call, and confirm means that the
refusal is probable only: the order is asked for before money is released. Ours are in
"own":[{"code","class","exit","http","meaning","action"}].`,
		Example: `  starter codes ORDER_CONFLICT
  starter codes 5003010
  starter codes -1
  starter codes MERCHANT_FEE_CONFIG_NOT_INIT
  starter codes --json`,
		Args:              commandline.AtMostOne("code or message"),
		ValidArgsFunction: completeCodes,
		RunE: func(_ *cobra.Command, args []string) error {
			if minusOne {
				args = append(args, "-1")
			}
			return s.codes(args)
		},
	}
	// The gateway's -1 looks like a flag, so it is one.
	cmd.Flags().BoolVarP(&minusOne, "system-error", "1", false, "")
	_ = cmd.Flags().MarkHidden("system-error")
	return cmd
}

func completeCodes(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	var fitting []string
	for _, row := range tarspay.ErrorCodes() {
		if strings.HasPrefix(row.Code, typed) {
			fitting = append(fitting, row.Code+"\t"+row.Meaning)
		}
	}
	for _, group := range codes.Catalogue {
		for _, entry := range group.Entries {
			if strings.HasPrefix(entry.Code, strings.ToUpper(typed)) {
				fitting = append(fitting, entry.Code+"\t"+entry.Means)
			}
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}

// codesDocument is {"codes":[…],"own":[…]}.
type codesDocument struct {
	Codes []gatewayCode `json:"codes"` // of the gateway
	Own   []ownCode     `json:"own"`
}

// ownCode is a code of the catalogue with the exit code and HTTP status of its
// class.
type ownCode struct {
	Code    string      `json:"code"`
	Class   codes.Class `json:"class"`
	Exit    int         `json:"exit"`
	HTTP    int         `json:"http"`
	Meaning string      `json:"meaning"`
	Action  string      `json:"action"`
}

func ownCodeOf(e codes.Entry) ownCode {
	return ownCode{Code: e.Code, Class: e.Class, Exit: e.Class.Exit(), HTTP: e.Class.HTTPStatus(), Meaning: e.Means, Action: e.Do}
}

type gatewayCode struct {
	Code       string             `json:"code"`
	Spellings  []string           `json:"spellings"`
	Documented bool               `json:"documented"`
	Meaning    string             `json:"meaning"`
	Messages   []string           `json:"messages"` // the gateway's messages for it; inferred
	Scope      tarspay.Scope      `json:"scope"`
	Classes    codeClasses        `json:"classes"`
	Confirm    bool               `json:"confirm"`
	Action     string             `json:"action"`
	Confidence tarspay.Confidence `json:"confidence"`
}

type codeClasses struct {
	CreateDeposit    tarspay.Class `json:"create_deposit"`
	CreateWithdrawal tarspay.Class `json:"create_withdrawal"`
	Query            tarspay.Class `json:"query"`
	Balance          tarspay.Class `json:"balance"`
	Other            tarspay.Class `json:"other"` // history, checks, certificates and supplements
}

// codeShape is the shape of the gateway's codes. Other texts are not repeated.
var codeShape = regexp.MustCompile(`^-?[0-9]{1,10}$`)

// ownShape is the shape of our codes.
var ownShape = regexp.MustCompile(`^[A-Za-z]+(_[A-Za-z0-9]+)+$`)

// ownNames returns our codes.
func ownNames() []string {
	var names []string
	for _, group := range codes.Catalogue {
		for _, entry := range group.Entries {
			names = append(names, entry.Code)
		}
	}
	return names
}

func (s *starter) codes(args []string) error {
	document := codesDocument{Codes: []gatewayCode{}, Own: []ownCode{}}
	if len(args) == 0 {
		s.listCodes(document)
		return nil
	}
	own, known := codes.Lookup(strings.ToUpper(args[0]))
	switch {
	case len(args) == 1 && known:
		document.Own = append(document.Own, ownCodeOf(own))
	case len(args) == 1 && codeShape.MatchString(args[0]):
		document.Codes = append(document.Codes, explainCode(args[0]))
	case len(args) == 1:
		for _, row := range tarspay.FindMessage(args[0]) {
			document.Codes = append(document.Codes, codeOf(row))
		}
	}
	if len(args) == 1 && len(document.Codes)+len(document.Own) == 0 && ownShape.MatchString(args[0]) {
		message := "there is no such code."
		if near := config.Nearest(strings.ToUpper(args[0]), ownNames()); near != "" {
			message = "there is no such code; did you mean " + near + "?"
		}
		return &order.Invalid{Problems: []order.Problem{{Code: codeUsage, Field: "code", Message: message + " starter codes lists them"}}}
	}
	if len(document.Codes)+len(document.Own) == 0 {
		return &order.Invalid{Problems: []order.Problem{{Code: codeUsage, Field: "code", Message: "give one code of ours, which is a word, one of the gateway, which is a number, or a message that its pages quote; starter codes lists them"}}}
	}
	s.show(document, func(w io.Writer) {
		for _, found := range document.Own {
			writeOwnCode(w, found)
		}
		for _, found := range document.Codes {
			writeCode(w, found)
		}
	})
	return nil
}

// listCodes lists all codes.
func (s *starter) listCodes(document codesDocument) {
	for _, row := range tarspay.ErrorCodes() {
		document.Codes = append(document.Codes, codeOf(row))
	}
	for _, group := range codes.Catalogue {
		for _, entry := range group.Entries {
			document.Own = append(document.Own, ownCodeOf(entry))
		}
	}
	s.show(document, func(w io.Writer) {
		writeCodes(w, document.Codes)
		printf(w, "\n")
		writeOwnCodes(w, document.Own)
	})
}

func writeOwnCodes(w io.Writer, codes []ownCode) {
	var rows [][]string
	for _, c := range codes {
		rows = append(rows, []string{c.Code, string(c.Class), strconv.Itoa(c.Exit), c.Meaning})
	}
	table(w, []string{"CODE", "CLASS", "EXIT", "MEANING"}, rows)
}

func writeOwnCode(w io.Writer, c ownCode) {
	describe(w, "code "+c.Code, []fact{
		{"meaning", c.Meaning}, {"what to do", c.Action}, {"class", string(c.Class)},
		{"exit code", exitText(c)}, {"HTTP status", strconv.Itoa(c.HTTP)},
	})
}

// exitText is the exit code of a refusal, and of an order that ended with the code where
// an order can.
func exitText(c ownCode) string {
	text := strconv.Itoa(c.Exit)
	if c.Exit == exitOtherwise || !slices.ContainsFunc(codes.Of(codes.GroupReasons), func(e codes.Entry) bool { return e.Code == c.Code }) {
		return text
	}
	return text + "; " + strconv.Itoa(exitOtherwise) + " of an order that ended with it otherwise than succeeded"
}

func codeOf(row tarspay.ErrorCode) gatewayCode {
	return gatewayCode{
		Code: row.Code, Spellings: append([]string{}, row.Spellings...), Documented: true, Meaning: row.Meaning, Messages: append([]string{}, row.Messages...), Scope: row.Scope,
		Classes: codeClasses(row.Classes), Confirm: row.Confirm, Action: row.Action, Confidence: row.Confidence,
	}
}

// explainCode returns a code's entry, or how the client handles an undocumented
// code.
func explainCode(code string) gatewayCode {
	if row, known := tarspay.LookupErrorCode(code); known {
		return codeOf(row)
	}
	if code == acceptedCode {
		return gatewayCode{
			Code: code, Spellings: []string{}, Messages: []string{}, Documented: true, Meaning: "accepted; of a create: accepted, not paid yet", Scope: tarspay.ScopeOrder,
			Action: "Nothing: the state says where the order stands.", Confidence: tarspay.Documented,
		}
	}
	const maybe, later = tarspay.ClassAmbiguous, tarspay.ClassUnavailable
	return gatewayCode{
		Code: code, Spellings: []string{}, Messages: []string{}, Meaning: "not documented by the gateway", Scope: tarspay.ScopeOrder,
		Classes: codeClasses{CreateDeposit: maybe, CreateWithdrawal: maybe, Query: later, Balance: later, Other: later},
		Action:  "Query the order by its number until there is proof, and ask the gateway's support what the code means.", Confidence: tarspay.Unknown,
	}
}

func writeCodes(w io.Writer, codes []gatewayCode) {
	var rows [][]string
	for _, c := range codes {
		rows = append(rows, []string{
			strings.Join(append([]string{c.Code}, c.Spellings...), ", "), c.Meaning, string(c.Classes.CreateDeposit),
			string(c.Classes.CreateWithdrawal), string(c.Classes.Query), whose[c.Scope],
		})
	}
	table(w, []string{"CODE", "MEANING", "CREATING A DEPOSIT", "A WITHDRAWAL", "QUERY", "CONCERNS"}, rows)
}

var whose = map[tarspay.Scope]string{tarspay.ScopeOrder: "this order", tarspay.ScopeEveryCall: "every call"}

func writeCode(w io.Writer, c gatewayCode) {
	describe(w, "code "+c.Code, []fact{
		{"also written", strings.Join(c.Spellings, ", ")},
		{"meaning", c.Meaning},
		{"it says", quotedMessages(c.Messages)},
		{"creating a deposit", proof(c.Classes.CreateDeposit)},
		{"creating a withdrawal", proof(c.Classes.CreateWithdrawal)},
		{"query of an order", proof(c.Classes.Query)},
		{"balance", proof(c.Classes.Balance)},
		{"other calls", proof(c.Classes.Other)},
		{"certain", map[bool]string{true: "probably; the order is asked for before money is released"}[c.Confirm]},
		{"concerns", whose[c.Scope]},
		{"what to do", c.Action},
		{"confidence", string(c.Confidence)},
	})
}

// quotedMessages returns the gateway's messages in quotes, marked as inferred.
func quotedMessages(messages []string) string {
	if len(messages) == 0 {
		return ""
	}
	return `"` + strings.Join(messages, `", "`) + `" (inferred: no page shows the code with it)`
}

// proof returns the meaning of a class, and the class.
func proof(class tarspay.Class) string {
	text, known := map[tarspay.Class]string{
		tarspay.ClassRejected:    "refused, nothing was created",
		tarspay.ClassAmbiguous:   "the order may exist",
		tarspay.ClassDuplicate:   "an order with this number exists",
		tarspay.ClassNotFound:    "there is no such order",
		tarspay.ClassAuth:        "every call is refused; nothing was created",
		tarspay.ClassRateLimited: "too many calls",
		tarspay.ClassUnavailable: "no answer to what was asked; try again",
		tarspay.ClassProtocol:    "does not belong there",
	}[class]
	if !known {
		return string(class)
	}
	return text + " (" + string(class) + ")"
}
