package batch

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// row checks a row. ok is false if it is wrong.
func (c *checker) row(r record) (row Row, ok bool) {
	before := c.faults.Count
	values, fit := c.values(r)
	if !fit {
		c.unsure = true
		return Row{}, false
	}
	request := order.Request{
		Kind: order.Withdrawal, Merchant: c.options.Merchant, Number: values[columnNumber], Country: c.options.Country,
		Way: values[columnWay], Details: make(map[string]string),
	}
	if country := values[columnCountry]; country != "" && country != request.Country {
		request.Country = country
		if c.options.Country != "" {
			c.wrong(r.Line, columnCountry, CodeOtherPlace, "merchant %s is of %s; a row of another country needs its own merchant", c.options.Merchant, c.options.Country)
		}
	}
	if merchant := values[columnMerchant]; merchant != "" && merchant != c.options.Merchant {
		c.wrong(r.Line, columnMerchant, CodeForeign, "the row is of another merchant than %s; a batch is of one", c.options.Merchant)
	}
	for name, value := range values {
		key, metadata := metadataKey(name)
		switch {
		case value == "" || c.common(name):
		case metadata:
			if request.Metadata == nil {
				request.Metadata = make(map[string]string)
			}
			request.Metadata[key] = value
		default:
			request.Details[name] = value
		}
	}
	c.schedule(r.Line, &request, values[columnTime])
	wrongAmount := c.amount(r.Line, &request, values[columnAmount], values[columnCurrency])
	c.validate(r.Line, request, wrongAmount)
	if c.again {
		return Row{r.Line, request}, true
	}
	if request.Number != "" {
		c.once(r.Line, request)
	}
	if !wrongAmount {
		c.add(r.Line, request)
	}
	if c.faults.Count == before && c.options.Permit != nil {
		if refusal := c.options.Permit(request); refusal != nil {
			c.wrong(r.Line, columnAmount, refusal.Code, "%s", refusal.Text)
		}
	}
	return Row{r.Line, request}, c.faults.Count == before
}

func (c *checker) common(name string) bool {
	return slices.Contains([]string{columnMerchant, columnNumber, columnCountry, columnWay, columnAmount, columnCurrency, columnTime}, name)
}

// values returns the row's texts by column. fit is false if the row has none that can
// be told apart.
func (c *checker) values(r record) (values map[string]string, fit bool) {
	names := r.names
	if names == nil {
		if names = c.columns.names; !c.fits(r, names) {
			return nil, false
		}
	}
	values = make(map[string]string, len(names))
	for i, one := range r.Cells {
		if i >= len(names) {
			break
		}
		name := names[i]
		if !c.columns.has(name) { // in JSON
			c.wrong(r.Line, "", CodeUnknown, "an object has a member that no column of the country has; there are %s",
				strings.Join(c.columns.known[1:len(c.columns.known)-1], ", "))
			continue
		}
		c.columns.used[name] = true
		switch {
		case one.Formula || strings.HasPrefix(one.Text, "="):
			c.wrong(r.Line, name, CodeFormula, "the cell is a formula; paste its value as text")
		case one.Other:
			c.wrong(r.Line, name, CodeNotText, "the cell is a date, a truth value, an error or a list; write text")
		case one.Number && name != columnAmount:
			c.wrong(r.Line, name, CodeNotText, "the cell is a number, so leading zeros and long digits may be lost; format the column as text and take the value from its source again")
		}
		values[name] = one.Text
	}
	return values, true
}

// fits refuses a row with other cells than the header, and a second header.
func (c *checker) fits(r record, names []string) bool {
	same := 0
	for i, one := range r.Cells {
		if i < len(names) && one.Text == names[i] {
			same++
		}
	}
	beyond := len(r.Cells) > len(names) && slices.ContainsFunc(r.Cells[len(names):], func(one sheet.Cell) bool { return one.Text != "" || one.Formula })
	switch {
	case same > 1:
		c.wrong(r.Line, "", CodeTwoHeaders, "the row repeats the header; a file has one header")
	case r.Exact && len(r.Cells) != len(names):
		c.wrong(r.Line, "", CodeCells, "the row has %d cells, and the header has %d", len(r.Cells), len(names))
	case beyond:
		c.wrong(r.Line, sheet.Column(len(names)), CodeCells, "the row has cells beyond the header's %d", len(names))
	default:
		return true
	}
	return false
}

// schedule reads when the row is paid at the earliest.
func (c *checker) schedule(line int, request *order.Request, text string) {
	if text == "" {
		return
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.wrong(line, columnTime, tarspay.ViolationMalformed, "not_before is written as 2026-12-24T09:00:00Z, with the time zone")
		return
	}
	request.NotBefore = at
}

// amount reads the row's amount. If it is wrong, the request gets a small one, so that
// the other checks can run.
func (c *checker) amount(line int, request *order.Request, text, currency string) (wrong bool) {
	profile, known := tarspay.Country(request.Country)
	if !known {
		request.Amount = least("USD")
		return true // that the country is wrong is said by the request's check
	}
	if currency != "" && currency != profile.Currency {
		c.wrong(line, columnCurrency, tarspay.ViolationCurrency, "%s takes %s; a row in another currency needs a merchant of its country", profile.Name, profile.Currency)
	}
	amount, err := order.ParseAmount(text, request.Country)
	if err == nil {
		request.Amount = amount
		return false
	}
	c.unsure = true
	request.Amount = least(profile.Currency)
	var invalid *order.Invalid
	if errors.As(err, &invalid) {
		for _, problem := range invalid.Problems {
			c.wrong(line, columnAmount, problem.Code, "%s", problem.Message)
		}
	}
	return true
}

func least(currency string) money.Amount {
	amount, _ := money.Minor(1, currency) // of a currency that there is
	return amount
}

// validate reports what is wrong with the request.
func (c *checker) validate(line int, request order.Request, wrongAmount bool) {
	var invalid *order.Invalid
	if c.again || !errors.As(request.Validate(c.options.Limits), &invalid) {
		return
	}
	for _, problem := range invalid.Problems {
		if wrongAmount && (problem.Field == columnAmount || problem.Field == "currency") {
			continue
		}
		c.wrong(line, problem.Field, problem.Code, "%s", problem.Message)
	}
}
