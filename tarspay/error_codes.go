package tarspay

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// Scope says whether a code concerns one request or every call.
type Scope string

// The scopes.
const (
	ScopeOrder     Scope = "order"      // this request only
	ScopeEveryCall Scope = "every_call" // every call of the merchant: alarm and pause, do not fail orders one by one
)

// Confidence says how well a fact is known.
type Confidence string

// The grades of confidence.
const (
	Verified   Confidence = "verified"   // checked by signature or arithmetic
	Documented Confidence = "documented" // stated on a public page
	Observed   Confidence = "observed"   // seen in a public integration or a sample only
	Inferred   Confidence = "inferred"   // concluded, stated nowhere
	Unknown    Confidence = "unknown"    // nobody outside the gateway knows
)

// Classes holds the class of a code for each kind of call.
type Classes struct {
	CreateDeposit    Class `yaml:"create_deposit"`
	CreateWithdrawal Class `yaml:"create_withdrawal"`
	Query            Class `yaml:"query"` // deposits, withdrawals, trx and UTR
	Balance          Class `yaml:"balance"`
	Other            Class `yaml:"other"` // history, checks, certificates, supplements
}

// ErrorCode is one row of the gateway's error table (ENdoc/6511992, the same
// in ALL/3095258), with our classes.
type ErrorCode struct {
	// Code is the seven-digit spelling, or "-1".
	Code string `yaml:"code"`
	// Spellings are other forms the pages print: 500321 for 5003021.
	Spellings []string `yaml:"spellings"`
	// Meaning is what the pages say, in words; two meanings where they list
	// the code twice.
	Meaning string  `yaml:"meaning"`
	Scope   Scope   `yaml:"scope"`
	Classes Classes `yaml:"classes"`
	// Confirm is whether a rejection is only probable: ask for the order by its
	// number before money is released.
	Confirm bool `yaml:"confirm"`
	// Short is whether a create was refused because the merchant's balance does
	// not cover it: the same create may be taken once it does.
	Short bool `yaml:"short"`
	// Way is whether the code refuses the order's way. For many withdrawals the way
	// is the bank's code.
	Way bool `yaml:"way"`
	// Action says what to do about the code.
	Action string `yaml:"action"`
	// Confidence is that of the classes; the codes themselves are documented.
	Confidence Confidence `yaml:"confidence"`
	Source     string     `yaml:"source"`
	// Messages are what the gateway says in msg, as one page quotes it
	// (ALL/3095258). That they come with this code is inferred: no page shows both.
	Messages []string `yaml:"messages"`
}

//go:embed error_codes.yaml
var errorCodesFile []byte

var errorTable = sync.OnceValue(func() map[string]ErrorCode {
	var rows []ErrorCode
	mustDecodeYAML("error_codes.yaml", errorCodesFile, &rows)
	table := make(map[string]ErrorCode)
	for _, row := range rows {
		for _, spelling := range append([]string{row.Code}, row.Spellings...) {
			if _, twice := table[spelling]; twice {
				panic("tarspay: error_codes.yaml: " + spelling + " stands there twice")
			}
			table[spelling] = row
		}
	}
	return table
})

// ErrorCodes is the gateway's error table in ascending order of its codes,
// each code once.
func ErrorCodes() []ErrorCode {
	var rows []ErrorCode
	for spelling, row := range errorTable() {
		if spelling == row.Code {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b ErrorCode) int { return strings.Compare(a.Code, b.Code) })
	return rows
}

// LookupErrorCode finds a code in either spelling.
func LookupErrorCode(code string) (ErrorCode, bool) {
	row, ok := errorTable()[code]
	return row, ok
}

// leastMessage is the minimum of letters with which FindMessage searches.
const leastMessage = 4

// FindMessage returns the codes with a message that contains the text, or that the
// text contains. It ignores case, blanks and punctuation.
func FindMessage(text string) []ErrorCode {
	wanted := bare(text)
	if len(wanted) < leastMessage {
		return nil
	}
	return slices.DeleteFunc(ErrorCodes(), func(row ErrorCode) bool {
		return !slices.ContainsFunc(row.Messages, func(message string) bool {
			return strings.Contains(bare(message), wanted) || strings.Contains(wanted, bare(message))
		})
	})
}

// Class returns the class of the code for the operation.
func (c ErrorCode) Class(operation Operation) Class {
	switch operation {
	case OperationCreateDeposit:
		return c.Classes.CreateDeposit
	case OperationCreateWithdrawal:
		return c.Classes.CreateWithdrawal
	case OperationQueryDeposit, OperationQueryWithdrawal, OperationDepositByTrxID, OperationTrxQuery, OperationUTRQuery:
		return c.Classes.Query
	case OperationBalance:
		return c.Classes.Balance
	default:
		return c.Classes.Other
	}
}

// classOfCode returns the class of any code other than 0. A code outside the table
// proves nothing: it is ambiguous for a call that changes something, and
// unavailable for others. It never means not found.
func classOfCode(code string, operation Operation) Class {
	if known, ok := LookupErrorCode(code); ok {
		return known.Class(operation)
	}
	if operation.changes() {
		return ClassAmbiguous
	}
	return ClassUnavailable
}
