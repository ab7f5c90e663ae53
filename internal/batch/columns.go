package batch

import (
	"slices"
	"strings"
	"unicode"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The columns that are not members of the country's own.
const (
	columnMerchant = "merchant"
	columnNumber   = "number"
	columnCountry  = "country"
	columnWay      = "way"
	columnAmount   = "amount"
	columnCurrency = "currency"
	columnTime     = "not_before"
)

// needed are the columns that every file has.
var needed = []string{columnNumber, columnWay, columnAmount}

// Columns returns the columns of a country's template: those that every order has, and
// the country's members by the gateway's names.
func Columns(profile *tarspay.Profile) []string {
	names := []string{columnNumber, columnCountry, columnWay, columnAmount}
	for _, field := range profile.Withdrawal.Fields {
		names = append(names, field.Name)
	}
	return names
}

// metadataPrefix begins the columns of an order's metadata: metadata.invoice.
const metadataPrefix = "metadata."

func metadataKey(column string) (key string, is bool) {
	key, is = strings.CutPrefix(column, metadataPrefix)
	return key, is && len(order.CheckMetadata("", key, "")) == 0
}

// has reports whether a file may have the column.
func (c *columns) has(name string) bool {
	_, metadata := metadataKey(name)
	return metadata || slices.Contains(c.known, name)
}

// columns are the columns of a file.
type columns struct {
	names []string // of the header; nil in JSON
	known []string // the names that a file may have
	used  map[string]bool
}

func newColumns(country string) *columns {
	c := &columns{known: []string{columnMerchant, columnCurrency, columnTime}, used: make(map[string]bool)}
	profile, known := tarspay.Country(country)
	if !known {
		profile = &tarspay.Profile{}
	}
	c.known = append(append(c.known, Columns(profile)...), tarspay.ScenarioMember)
	return c
}

// head reads the header. Without faults, columns are set.
func (c *checker) head(r record) {
	cols := newColumns(c.options.Country)
	before := c.faults.Count
	for i, one := range r.Cells {
		name := one.Text
		switch {
		case one.Formula:
			c.wrong(r.Line, sheet.Column(i), CodeFormula, "the header has a formula; write the name of the column")
		case name == "":
			c.wrong(r.Line, sheet.Column(i), CodeUnknown, "the column has no name")
		case !cols.has(name):
			c.unknownColumn(r.Line, i, name, cols.known)
		case cols.used[name]:
			c.wrong(r.Line, name, CodeTwice, "two columns have the name %s", name)
		}
		cols.used[name] = true
		cols.names = append(cols.names, name)
	}
	if r.Blank() {
		c.faults.Count, c.faults.Faults = before, c.faults.Faults[:min(before, len(c.faults.Faults))]
		c.wrong(r.Line, "", CodeMissing, "the first row is blank; it must have the names of the columns")
		return
	}
	for _, name := range needed {
		if !cols.used[name] {
			c.wrong(r.Line, name, CodeMissing, "there is no column %s; the first row has the names of the columns, as the country's template has them", name)
		}
	}
	if c.faults.Count == before {
		c.columns = cols
	}
}

// unknownColumn reports a column by its place. The name is repeated only if it looks
// like one: a file without a header has values there.
func (c *checker) unknownColumn(line, at int, name string, known []string) {
	bare := func(text string) string {
		return strings.ToLower(strings.Map(func(r rune) rune {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				return -1
			}
			return r
		}, text))
	}
	for _, meant := range known {
		if bare(meant) == bare(name) {
			c.wrong(line, sheet.Column(at), CodeUnknown, "no column has exactly this name; did you mean %s?", meant)
			return
		}
	}
	c.wrong(line, sheet.Column(at), CodeUnknown, "no column of the country has this name; there are %s", strings.Join(known[1:len(known)-1], ", "))
}
