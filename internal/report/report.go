// Package report writes a merchant's day for people and for programs: as a table, CSV,
// a workbook of Excel, or one page of HTML. All of them show the same figures, which
// package ledger adds up from its transfers.
//
// It reads nothing and decides nothing.
package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
)

// Day is a merchant's day in one currency.
type Day = ledger.DayReport

// Section is a table of a day. Its first column says what a row is about.
type Section struct {
	Name    string // for programs: stable
	Title   string // for people
	Columns []Column
	Rows    []Row
	Empty   string // what is said if there are no rows
}

// Column is a column of figures.
type Column struct{ Name, Title string }

// Row is what the figures of a row are about.
type Row struct {
	Name  string // for programs: stable
	Title string // for people
	Cells []Cell
	Sum   bool // it is a sum of the rows above
}

// Cell is a figure, or a text.
type Cell struct {
	Text   string
	Amount *money.Amount // nil: the cell is a text or a count
	Count  *int64
}

// String returns the cell for programs: amounts without separators and currency.
func (c Cell) String() string {
	switch {
	case c.Amount != nil:
		return c.Amount.Number()
	case c.Count != nil:
		return strconv.FormatInt(*c.Count, 10)
	}
	return c.Text
}

// Shown returns the cell for people: amounts with separators of thousands.
func (c Cell) Shown() string {
	if c.Amount != nil {
		return grouped(c.Amount.Number())
	}
	return c.String()
}

// Number reports whether the cell is a figure.
func (c Cell) Number() bool { return c.Amount != nil || c.Count != nil }

// grouped writes commas between the thousands of a number.
func grouped(number string) string {
	sign := ""
	if rest, below := strings.CutPrefix(number, "-"); below {
		sign, number = "-", rest
	}
	whole, decimals, has := strings.Cut(number, ".")
	var parts []string
	for len(whole) > 3 {
		parts = append([]string{whole[len(whole)-3:]}, parts...)
		whole = whole[:len(whole)-3]
	}
	number = sign + strings.Join(append([]string{whole}, parts...), ",")
	if has {
		number += "." + decimals
	}
	return number
}

func amount(a money.Amount) Cell { return Cell{Amount: &a} }
func count(n int64) Cell         { return Cell{Count: &n} }
func text(t string) Cell         { return Cell{Text: t} }

// Sections returns the tables of a day, in the order in which people read them.
func Sections(d Day) []Section {
	sections := []Section{balance(d), movements(d), fees(d), corrections(d)}
	if len(d.OfOrders) > 0 {
		sections = append(sections, lateFees(d))
	}
	return append(sections, gateway(d), accounts(d), discrepancies(d), closing(d))
}

// Title says which day it is.
func Title(d Day) string {
	return fmt.Sprintf("%s of merchant %s in %s", d.Day, d.Merchant, d.Currency)
}

// Frame says when the day begins and ends.
func Frame(d Day) string {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		zone = time.UTC
	}
	const form = "2006-01-02 15:04 -07:00"
	frame := fmt.Sprintf("from %s to %s, time zone %s", d.From.In(zone).Format(form), d.To.In(zone).Format(form), d.Zone)
	if !d.Until.IsZero() {
		frame += "; the day is not over: the figures are those until " + d.Until.In(zone).Format("2006-01-02 15:04:05 -07:00")
	}
	return frame
}

var amountColumn = []Column{{"amount", "amount"}}

func balance(d Day) Section {
	moved, err := d.Closing.Sub(d.Opening)
	if err != nil {
		moved = money.Amount{}
	}
	s := Section{Name: "balance", Title: "Balance: available and in flight", Columns: amountColumn, Rows: []Row{
		{Name: "opening", Title: "opening balance", Cells: []Cell{amount(d.Opening)}},
		{Name: "moved", Title: "sum of the movements", Cells: []Cell{amount(moved)}},
		{Name: "closing", Title: "closing balance", Cells: []Cell{amount(d.Closing)}, Sum: true},
	}}
	return s
}

// moves names movements for people.
var moves = map[string]string{
	"deposit payment":         "deposits paid",
	"deposit late_payment":    "deposits paid after they had expired",
	"deposit fee":             "fees on deposits",
	"deposit refund":          "deposits given back to payers",
	"withdrawal reserve":      "reserved for withdrawals",
	"withdrawal release":      "reservations released",
	"withdrawal fee_release":  "expected fees of withdrawals released",
	"withdrawal payout":       "withdrawals paid out",
	"withdrawal fee":          "fees on withdrawals",
	"withdrawal refund":       "withdrawals that came back",
	"books opening_available": "books opened: available",
	"books opening_frozen":    "books opened: frozen for earlier orders",
}

func movementTitle(kind string, reason ledger.TransferReason) string {
	if title, known := moves[kind+" "+string(reason)]; known {
		return title
	}
	for _, move := range ledger.AdjustmentKinds() {
		if move.Kind.Reason() == reason {
			return strings.ReplaceAll(string(move.Kind), "_", " ") + ", booked by two persons"
		}
	}
	return kind + " " + string(reason)
}

func movements(d Day) Section {
	s := Section{
		Name: "movements", Title: "Movements", Empty: "Nothing moved.",
		Columns: []Column{{"count", "number"}, {"amount", "amount"}, {"effect", "effect on the balance"}},
	}
	var number int64
	effect, err := d.Closing.Sub(d.Opening)
	if err != nil {
		effect = money.Amount{}
	}
	for _, m := range d.Movements {
		number += m.Count
		s.Rows = append(s.Rows, Row{
			Name: m.Kind + " " + string(m.Reason), Title: movementTitle(m.Kind, m.Reason), Cells: []Cell{count(m.Count), amount(m.Amount), amount(m.Effect)},
		})
	}
	if len(s.Rows) > 0 {
		s.Rows = append(s.Rows, Row{Name: "sum", Title: "sum", Cells: []Cell{count(number), text(""), amount(effect)}, Sum: true})
	}
	return s
}

func fees(d Day) Section {
	row := func(name, title string, total ledger.DayTotal) Row {
		return Row{Name: name, Title: title, Cells: []Cell{count(total.Count), amount(total.Amount)}}
	}
	return Section{
		Name: "fees", Title: "Fees and adjustments", Columns: []Column{{"count", "number"}, {"amount", "amount"}},
		Rows: []Row{
			row("fees", "fees kept by the gateway", d.Fees),
			row("late_fees", "of them learned late", d.LateFees),
			row("fees_back", "fees given back", d.FeesBack),
			row("adjustments", "adjustments, effect on the balance", d.Adjustments),
		},
	}
}

func corrections(d Day) Section {
	s := Section{
		Name: "corrections", Title: "Corrections of earlier days, part of the movements", Empty: "No movement of the day belongs to an earlier one.",
		Columns: []Column{{"count", "number"}, {"effect", "effect on the balance"}, {"oldest", "oldest order ended"}},
	}
	for _, c := range d.Corrections {
		oldest := "of no order"
		if !c.Oldest.IsZero() {
			oldest = shownDay(d, c.Oldest)
		}
		s.Rows = append(s.Rows, Row{
			Name: c.Kind + " " + string(c.Reason), Title: movementTitle(c.Kind, c.Reason), Cells: []Cell{count(c.Count), amount(c.Effect), text(oldest)},
		})
	}
	return s
}

// lateFees are the fees learned late that belong to orders.
func lateFees(d Day) Section {
	s := Section{
		Name: "late_fees_of_orders", Title: "Fees learned late, by order, part of the fees",
		Columns: []Column{{"amount", "amount"}, {"ref", "adjustment"}, {"by", "booked by"}},
	}
	for _, fee := range d.OfOrders {
		title := "order " + fee.Number
		if fee.Back() {
			title += ", given back"
		}
		s.Rows = append(s.Rows, Row{Name: string(fee.Kind) + " " + fee.Number, Title: title, Cells: []Cell{amount(fee.Amount), text(fee.Ref), text(fee.By)}})
	}
	return s
}

// shownDay returns the day of a moment where the merchant is.
func shownDay(d Day, at time.Time) string {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		zone = time.UTC
	}
	return at.In(zone).Format(time.DateOnly)
}

func gateway(d Day) Section {
	s := Section{Name: "gateway", Title: "The gateway's balance", Columns: amountColumn}
	if d.Gateway == nil {
		s.Empty = "Unknown: " + d.GatewayUnknown + "."
		return s
	}
	g := d.Gateway
	s.Rows = []Row{
		{Name: "balance", Title: "balance at the gateway at " + g.At.Format(time.RFC3339), Cells: []Cell{amount(g.Balance)}},
		{Name: "between", Title: "booked between the end of the day and then", Cells: []Cell{amount(g.Between)}},
		{Name: "closing", Title: "the gateway's closing balance", Cells: []Cell{amount(g.Closing)}, Sum: true},
		{Name: "ledger", Title: "the ledger's closing balance", Cells: []Cell{amount(d.Closing)}},
		{Name: "difference", Title: "difference", Cells: []Cell{amount(g.Difference)}, Sum: true},
		{Name: "unexplained", Title: "not explained by orders under way or fractions of fees", Cells: []Cell{amount(g.Unexplained)}},
		{Name: "sent_withdrawals", Title: "withdrawals under way then", Cells: []Cell{amount(g.SentWithdrawals)}},
		{Name: "sent_deposits", Title: "deposits under way then", Cells: []Cell{amount(g.SentDeposits)}},
	}
	return s
}

func accounts(d Day) Section {
	s := Section{
		Name: "accounts", Title: "Accounts of the ledger",
		Columns: []Column{{"opening", "opening"}, {"in", "in"}, {"out", "out"}, {"closing", "closing"}},
	}
	for _, a := range d.Accounts {
		s.Rows = append(s.Rows, Row{
			Name: string(a.Account), Title: strings.ReplaceAll(string(a.Account), "_", " "),
			Cells: []Cell{amount(a.Opening), amount(a.In), amount(a.Out), amount(a.Closing)},
		})
	}
	return s
}

func discrepancies(d Day) Section {
	s := Section{
		Name: "discrepancies", Title: "Discrepancies open at the end of the day", Empty: "No discrepancy was open.", Columns: []Column{{"open", "open"}},
	}
	for _, c := range d.Discrepancies {
		s.Rows = append(s.Rows, Row{Name: c.Code, Title: c.Code, Cells: []Cell{count(int64(c.Open))}})
	}
	return s
}

// closing says who has closed the day, and what may be compared with the ledger.
func closing(d Day) Section {
	row := func(name, title, value string) Row { return Row{Name: name, Title: title, Cells: []Cell{text(value)}} }
	s := Section{Name: "closing", Title: "Closing", Columns: []Column{{"value", "value"}}, Rows: []Row{row("hash", "hash of the figures", d.Hash)}}
	if d.Previous != "" {
		s.Rows = append(s.Rows, row("previous", "hash of the day before, as closed", d.Previous))
	}
	if d.Closed == nil {
		s.Rows = append(s.Rows, row("state", "state", "not closed"))
		return s
	}
	signed := "no: the installation has no roster"
	if len(d.Closed.Proof) > 0 {
		signed = "yes: the audit has the signature"
	}
	return Section{s.Name, s.Title, s.Columns, append(s.Rows,
		row("state", "state", "closed"), row("by", "closed by", d.Closed.By), row("at", "closed at", d.Closed.At.Format(time.RFC3339)),
		row("signed", "signed", signed), row("check", "compared with the transfers", Check(d)),
	), s.Empty}
}

// Check says whether the transfers still give the figures of a closed day.
func Check(d Day) string {
	if len(d.Closed.Changed) == 0 {
		return "equal"
	}
	return "DIFFERENT: " + strings.Join(d.Closed.Changed, ", ")
}
