package statement

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// columns are the columns of a file.
type columns struct {
	names []string      // of the header
	at    map[field]int // where a field is
}

// name returns the name of a field's column, or the field.
func (c *columns) name(f field) string {
	if c != nil {
		if at, has := c.at[f]; has {
			return c.names[at]
		}
	}
	return string(f)
}

// head reads the header. Without faults, columns are set.
func (c *checker) head(r sheet.Row) {
	before := c.faults.Count
	cols := &columns{at: make(map[field]int)}
	if r.Blank() {
		c.wrong(r.Line, "", CodeMissing, "the first row is blank; it must have the names of the columns")
		return
	}
	meant := make(map[string]field)
	for f, names := range c.options.Profile.columns {
		for _, name := range names {
			meant[folded(name)] = f
		}
	}
	for i, one := range r.Cells {
		cols.names = append(cols.names, strings.TrimSpace(one.Text))
		f, known := meant[folded(one.Text)]
		if !known {
			continue
		}
		if other, twice := cols.at[f]; twice {
			c.wrong(r.Line, sheet.Column(i), CodeTwice, "this column and %s are both the %s of the profile %s; keep one", sheet.Column(other), f, c.options.Profile.Name)
			continue
		}
		cols.at[f] = i
	}
	for _, f := range fields {
		if names := c.options.Profile.columns[f]; len(names) > 0 {
			if _, has := cols.at[f]; !has {
				c.wrong(r.Line, names[0], CodeMissing, "no column has the name %s, which the profile %s has for the %s; if the portal has renamed it, correct the profile",
					strings.Join(names, " or "), c.options.Profile.Name, f)
			}
		}
	}
	if c.faults.Count == before {
		c.columns = cols
	}
}

// row is a row whose cells can be told apart.
type row struct {
	*checker
	sheet.Row
}

// cell returns the cell of a field, without blanks around its text. It is empty if the file
// has no such column.
func (r row) cell(f field) (sheet.Cell, bool) {
	at, has := r.columns.at[f]
	if !has || at >= len(r.Cells) {
		return sheet.Cell{}, has
	}
	one := r.Cells[at]
	one.Text = strings.Trim(one.Text, " \t\u00a0\u202f\ufeff")
	return one, true
}

func (r row) wrong(f field, code, format string, values ...any) {
	r.checker.wrong(r.Line, r.columns.name(f), code, format, values...)
}

// line checks a row. ok is false if it is wrong.
func (c *checker) line(raw sheet.Row) (line order.StatementLine, ok bool) {
	before := c.faults.Count
	r := row{c, raw}
	if !r.fits() {
		return line, false
	}
	line.Currency = c.options.Country.Currency
	r.checkMerchant()
	r.checkCurrency()
	line.GatewayID, line.Number = r.reference(fieldGatewayID), r.reference(fieldNumber)
	if line.GatewayID == "" && line.Number == "" && c.faults.Count == before {
		r.wrong(fieldGatewayID, CodeReference, "the line has neither a gateway id nor an order number; take sums and remarks out of the file")
	}
	line.At = r.time()
	line.State = r.state()
	line.Kind = r.kind()
	r.amounts(&line)
	return line, c.faults.Count == before
}

// fits refuses a row with other cells than the header, a second header and a formula.
func (r row) fits() bool {
	names, same := r.columns.names, 0
	for _, at := range r.columns.at {
		if at < len(r.Cells) && strings.EqualFold(strings.TrimSpace(r.Cells[at].Text), names[at]) {
			same++
		}
	}
	beyond := len(r.Cells) > len(names) && slices.ContainsFunc(r.Cells[len(names):], func(one sheet.Cell) bool { return one.Text != "" || one.Formula })
	before := r.faults.Count
	switch {
	case same > 1:
		r.checker.wrong(r.Line, "", CodeTwoHeaders, "the line repeats the header; a file has one header")
	case r.Exact && len(r.Cells) != len(names):
		r.checker.wrong(r.Line, "", CodeCells, "the line has %d cells, and the header has %d; if it is the last line, the file may break off", len(r.Cells), len(names))
	case beyond:
		r.checker.wrong(r.Line, sheet.Column(len(names)), CodeCells, "the line has cells beyond the header's %d", len(names))
	}
	for _, f := range fields {
		if one, _ := r.cell(f); one.Formula || strings.HasPrefix(one.Text, "=") {
			r.wrong(f, CodeFormula, "the cell is a formula; paste its value")
		}
	}
	return r.faults.Count == before
}

func (r row) checkMerchant() {
	if one, has := r.cell(fieldMerchant); has && one.Text != r.options.Merchant {
		r.wrong(fieldMerchant, CodeForeign, "the line is of another merchant than %s; a statement is of one", r.options.Merchant)
	}
}

func (r row) checkCurrency() {
	held := r.options.Country
	one, has := r.cell(fieldCurrency)
	if has && !strings.EqualFold(one.Text, held.Currency) && !strings.EqualFold(one.Text, held.GatewayCurrency) {
		r.wrong(fieldCurrency, CodeCurrency, "the line is in another currency than %s, which merchant %s holds", held.Currency, r.options.Merchant)
	}
}

// longNumber is the most digits of a number that a spreadsheet keeps.
const longNumber = 15

// reference reads a gateway id or an order number.
func (r row) reference(f field) string {
	one, _ := r.cell(f)
	if f == fieldNumber {
		one.Text = strings.TrimPrefix(one.Text, "'") // a spreadsheet's mark of a text
	}
	switch {
	case one.Text == "":
	case one.Other || mangled.MatchString(one.Text) || one.Number && (len(one.Text) > longNumber || !digitsOnly(one.Text)):
		r.wrong(f, CodeReference, "a spreadsheet has turned this into a number and lost digits; export the file again and do not save it in a spreadsheet")
	case !rules.GatewayIDFits(one.Text):
		r.wrong(f, CodeReference, "this is too long, or has blanks or signs that no %s has", f)
	}
	return one.Text
}

// skew is how far the gateway's clock may be ahead.
const skew = 5 * time.Minute

// oldest is before the first order of the gateway.
var oldest = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

func (r row) time() time.Time {
	one, _ := r.cell(fieldTime)
	p := r.options.Profile
	var at time.Time
	err := errNoTime
	switch {
	case one.Number:
		at, err = p.excelTime(one.Text, r.Since1904)
	case one.Other:
		at, err = time.ParseInLocation("2006-01-02T15:04:05", one.Text, p.zone)
	case one.Text != "":
		at, err = p.readTime(one.Text)
	}
	switch {
	case errors.Is(err, errTwoTimes):
		r.wrong(fieldTime, CodeAmbiguous, "%v; keep the form of the profile that the portal uses", err)
	case err != nil:
		r.wrong(fieldTime, CodeTime, "the time is missing, or has none of the forms of the profile %s", p.Name)
	case at.Before(oldest):
		r.wrong(fieldTime, CodeTime, "the time is in the year %d; check the form of the times in the profile", at.Year())
	case at.After(r.options.Now.Add(skew)):
		r.wrong(fieldTime, CodeFuture, "the time %s is in the future; check the time zone of the profile, which is %s", at.UTC().Format(time.RFC3339), p.zone)
	}
	return at.UTC().Truncate(time.Millisecond)
}

func (r row) state() tarspay.State {
	one, has := r.cell(fieldState)
	if !has {
		return stateNames[r.options.Profile.state]
	}
	state, known := r.options.Profile.states[folded(one.Text)]
	if !known {
		r.wrong(fieldState, CodeState, "the profile %s does not have this word for a state; add it under states", r.options.Profile.Name)
	}
	return state
}

// kind returns 0 if the sign of the amount tells it.
func (r row) kind() tarspay.HistoryKind {
	one, has := r.cell(fieldKind)
	if !has {
		return kindNames[r.options.Profile.kind]
	}
	kind, known := r.options.Profile.kinds[folded(one.Text)]
	if !known {
		r.wrong(fieldKind, CodeKind, "the profile %s does not have this word for a kind; add it under kinds", r.options.Profile.Name)
	}
	return kind
}

// amounts reads the amounts of a line, as the records of the history have them.
func (r row) amounts(line *order.StatementLine) {
	before := r.faults.Count
	amount, told, negative := r.amount(fieldAmount)
	if line.Kind == 0 && r.options.Profile.kind == bySign {
		line.Kind = tarspay.HistoryDeposit
		if negative {
			line.Kind = tarspay.HistoryWithdrawal
		}
	}
	if negative && line.Kind == tarspay.HistoryDeposit && r.faults.Count == before {
		r.wrong(fieldAmount, CodeAmount, "the amount of a deposit is negative; a returned deposit has its own state")
	}
	moved, movedTold, _ := r.amount(fieldPaid)
	if _, has := r.cell(fieldSettled); has {
		moved, movedTold, _ = r.amount(fieldSettled)
	}
	if !told && movedTold {
		amount, told = moved, true // an own withdrawal may have no order amount
	}
	if !told && r.faults.Count == before {
		r.wrong(fieldAmount, CodeAmount, "the amount is missing")
	}
	if r.faults.Count > before {
		return
	}
	line.Amount = amount.Minor()
	line.Fee = r.fee(amount, moved, movedTold)
	line.Paid = r.paid(*line, moved, movedTold)
}

// paid returns what a line paid, before the fee.
func (r row) paid(line order.StatementLine, moved money.Amount, told bool) int64 {
	_, net := r.cell(fieldSettled)
	switch {
	case !line.State.Paid():
		return 0
	case !told && line.State == tarspay.StateSucceeded:
		return line.Amount
	case !told:
		return order.StatementUnstated
	case net && line.Kind == tarspay.HistoryDeposit && line.Fee < 0:
		return order.StatementUnstated
	case net && line.Kind == tarspay.HistoryDeposit:
		return moved.Minor() + line.Fee // both are at most money.Most
	}
	return moved.Minor()
}

// amount reads an amount without its sign. told is false if the cell is empty or a dash.
func (r row) amount(f field) (amount money.Amount, told, negative bool) {
	plain, negative, told := r.plain(f)
	if !told {
		return money.Amount{}, false, false
	}
	amount, err := money.ParseAnswer(plain, r.options.Country.Currency)
	switch {
	case errors.Is(err, money.ErrPrecision), errors.Is(err, money.ErrAmbiguous):
		r.wrong(f, CodeAmount, "the amount has more decimals than %s has; check the decimal separator of the profile", r.options.Country.Currency)
	case err != nil:
		r.wrong(f, CodeAmount, "the amount is larger than can be held")
	}
	return amount, err == nil, negative
}

// plain returns the digits of a field.
func (r row) plain(f field) (plain string, negative, told bool) {
	one, _ := r.cell(f)
	if one.Text == "" || one.Text == "-" || one.Text == "\u2013" {
		return "", false, false
	}
	var err error
	switch {
	case one.Other:
		err = errAmount
	case one.Number:
		plain, negative, err = excelAmount(one.Text)
	default:
		plain, negative, err = r.options.Profile.plainAmount(one.Text)
	}
	if err != nil {
		r.wrong(f, CodeAmount, "this is no amount, or its separators do not fit: the profile has %q before the decimals", string(r.options.Profile.decimal))
	}
	return plain, negative, err == nil
}

// fee returns a fee as an order books it.
func (r row) fee(amount, moved money.Amount, movedTold bool) int64 {
	plain, _, told := r.plain(fieldFee)
	if !told {
		return order.StatementUnstated
	}
	if more, err := moved.Compare(amount); movedTold && err == nil && more > 0 {
		amount = moved
	}
	fee := rules.ReadFee(plain, amount)
	if !fee.Believed {
		r.wrong(fieldFee, CodeAmount, "this is no fee of such an amount; check the decimal separator of the profile")
		return order.StatementUnstated
	}
	return fee.Amount.Minor()
}
