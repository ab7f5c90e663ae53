package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// The page has no script, and loads nothing: its Content-Security-Policy forbids both.
//
//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// shownReport is a day as the page shows it.
type shownReport struct {
	Merchant, Currency, Date string
	Title, Frame             string
	Notes                    []shownNote
	Sections                 []shownSection
	Bars                     []bar
	Height, Zero             int64
}

// shownNote is a sentence that people must not miss.
type shownNote struct{ Class, Text string }

type shownSection struct {
	Section
	Wide bool // it has more columns than fit on a phone
	Rows []shownRow
}

type shownRow struct {
	Row
	Cells []shownCell
}

type shownCell struct {
	Cell
	Column
	Minor string // the amount in minor units, for programs
}

// Title returns the column's title: Cell has none.
func (c shownCell) Title() string { return c.Column.Title }

// Name returns the column's name.
func (c shownCell) Name() string { return c.Column.Name }

// phoneColumns is how many columns of figures fit on a phone.
const phoneColumns = 2

func writeHTML(w io.Writer, days []Day) error {
	shown := make([]shownReport, len(days))
	for i, d := range days {
		shown[i] = shownReport{
			Merchant: d.Merchant, Currency: d.Currency, Date: string(d.Day), Title: Title(d), Frame: Frame(d), Notes: notes(d), Sections: shownSections(d),
		}
		shown[i].draw(d)
	}
	return page.Execute(w, shown)
}

func shownSections(d Day) []shownSection {
	var sections []shownSection
	for _, s := range Sections(d) {
		section := shownSection{Section: s, Wide: len(s.Columns) > phoneColumns}
		for _, row := range s.Rows {
			cells := make([]shownCell, len(row.Cells))
			for i, cell := range row.Cells {
				cells[i] = shownCell{Cell: cell, Column: s.Columns[i]}
				if cell.Amount != nil {
					cells[i].Minor = strconv.FormatInt(cell.Amount.Minor(), 10)
				}
			}
			section.Rows = append(section.Rows, shownRow{row, cells})
		}
		sections = append(sections, section)
	}
	return sections
}

// notes returns what a reader must know before the figures.
func notes(d Day) []shownNote {
	var all []shownNote
	if !d.Until.IsZero() {
		all = append(all, shownNote{"warn", "The day is not over. These figures change until " + d.To.Format(time.RFC3339) + "."})
	}
	switch {
	case d.Closed != nil && len(d.Closed.Changed) > 0:
		all = append(all, shownNote{"warn", "The ledger does not give the figures that were closed: " + strings.Join(d.Closed.Changed, ", ") + "."})
	case d.Closed != nil:
		all = append(all, shownNote{"good", "Closed by " + d.Closed.By + " at " + d.Closed.At.Format(time.RFC3339) + ". The transfers still give these figures."})
	}
	switch g := d.Gateway; {
	case g == nil:
		all = append(all, shownNote{"warn", "The gateway's closing balance is unknown: " + d.GatewayUnknown + "."})
	case !g.Unexplained.IsZero():
		all = append(all, shownNote{"warn", "The gateway's closing balance differs by " + grouped(g.Unexplained.Number()) + " " + d.Currency + ", and nothing explains it."})
	default:
		all = append(all, shownNote{"good", "The gateway's closing balance agrees, as far as orders under way allow."})
	}
	open := 0
	for _, c := range d.Discrepancies {
		open += c.Open
	}
	if open > 0 {
		all = append(all, shownNote{"warn", fmt.Sprintf("Discrepancies open at the end of the day: %d.", open)})
	}
	return all
}

// bar is one bar of the drawing. All lengths are in units of its view box.
type bar struct {
	Label, Value, Class string
	X, Y, Width, LabelY int64
}

// Lengths of the drawing.
const (
	drawingWidth = 360
	barHeight    = 26
	barTop       = 14
	labelTop     = 11
)

// draw draws the way from the opening to the closing balance: a bar for each movement
// that changes the balance, which begins where the one before ended.
func (r *shownReport) draw(d Day) {
	type step struct {
		label, value, class string
		from, to            int64
	}
	at := d.Opening.Minor()
	steps := []step{{"opening balance", grouped(d.Opening.Number()), "held", 0, at}}
	least, most := min(0, at), max(0, at)
	for _, m := range d.Movements {
		effect := m.Effect.Minor()
		if effect == 0 {
			continue
		}
		class := "in"
		if effect < 0 {
			class = "out"
		}
		steps = append(steps, step{movementTitle(m.Kind, m.Reason), grouped(m.Effect.Number()), class, at, at + effect})
		at += effect
		least, most = min(least, at), max(most, at)
	}
	steps = append(steps, step{"closing balance", grouped(d.Closing.Number()), "held", 0, d.Closing.Minor()})
	for i, s := range steps {
		left, right := place(min(s.from, s.to), least, most), place(max(s.from, s.to), least, most)
		y := int64(i) * barHeight
		r.Bars = append(r.Bars, bar{s.label, s.value, s.class, left, y + barTop, max(right-left, 1), y + labelTop})
	}
	r.Height, r.Zero = int64(len(steps))*barHeight, place(0, least, most)
}

// place returns where a value is on a drawing that begins at least and ends at most.
func place(value, least, most int64) int64 {
	span := new(big.Int).Sub(big.NewInt(most), big.NewInt(least))
	if span.Sign() == 0 {
		return 0
	}
	along := new(big.Int).Sub(big.NewInt(value), big.NewInt(least))
	along.Mul(along, big.NewInt(drawingWidth))
	return along.Quo(along, span).Int64()
}
