package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"github.com/tarspay-payouts/orchestrator/order"
)

// ink colours text if the output is a terminal.
type ink bool

func inkFor(w io.Writer) ink {
	file, ok := w.(*os.File)
	return ink(ok && isatty.IsTerminal(file.Fd()) && wantsColour(os.Getenv))
}

// wantsColour reports whether the environment allows colours.
func wantsColour(environment func(string) string) bool {
	return environment("NO_COLOR") == "" && environment("TERM") != "dumb"
}

func (i ink) green(text string) string  { return i.paint("32", text) }
func (i ink) yellow(text string) string { return i.paint("33", text) }
func (i ink) red(text string) string    { return i.paint("31", text) }
func (i ink) bold(text string) string   { return i.paint("1", text) }

func (i ink) paint(colour, text string) string {
	if !i {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// cell is a table cell: its text and colour.
type cell struct {
	text  string
	paint func(string) string // nil: no colour
	right bool
}

func text(values ...string) []cell {
	cells := make([]cell, len(values))
	for i, value := range values {
		cells[i].text = value
	}
	return cells
}

// table prints rows in columns; the first row is the heading.
func (i ink) table(w io.Writer, rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for n, c := range row {
			if n == len(widths) {
				widths = append(widths, 0)
			}
			widths[n] = max(widths[n], utf8.RuneCountInString(c.text))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for k, c := range row {
			gap := strings.Repeat(" ", widths[k]-utf8.RuneCountInString(c.text))
			shown := c.text
			if c.paint != nil {
				shown = c.paint(shown)
			}
			if n == 0 {
				shown = i.bold(shown)
			}
			if c.right {
				line.WriteString(gap + shown + "  ")
			} else {
				line.WriteString(shown + gap + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(w)
}

// shownPlain is how many plain orders the table lists at most.
const shownPlain = 5

// report prints the tables, the failed expectations and the summary. The error is
// errBroken if an expectation failed.
func (d *demo) report() error {
	fmt.Fprintln(d.out)
	d.ink.table(d.out, d.orderRows())
	if more := d.orders - shownPlain; more > 0 {
		fmt.Fprintf(d.out, "and %d more plain orders\n\n", more)
	}
	fmt.Fprintf(d.out, "and FILE-001 to FILE-%03d, the rows of a file of payouts: %d of %d %s\n\n",
		fileRows, d.countFile(fileScene.want.state), fileRows, fileScene.want.state)
	refused := [][]cell{text("TRIED", "ANSWER")}
	// They are recorded as they end, in another order each time.
	slices.SortFunc(d.attempts, func(a, b refusedAttempt) int { return strings.Compare(a.tried, b.tried) })
	for _, attempt := range d.attempts {
		refused = append(refused, text(attempt.tried, attempt.answer))
	}
	d.ink.table(d.out, refused)
	d.ink.table(d.out, d.balanceRows())
	if err := d.printDays(); err != nil {
		return err
	}
	for _, sentence := range d.broken {
		fmt.Fprintln(d.out, d.ink.red("broken: ")+sentence)
	}
	line, err := json.Marshal(d.summary())
	if err != nil {
		return err
	}
	fmt.Fprintln(d.out, string(line))
	if len(d.broken) > 0 {
		return errBroken
	}
	return nil
}

func (d *demo) orderRows() [][]cell {
	rows := [][]cell{text("ORDER", "KIND", "COUNTRY", "AMOUNT", "STATE", "FOUND BY", "PAID AT GATEWAY", "FEE", "WHAT IT SHOWS")}
	rows[0][3].right, rows[0][7].right = true, true
	for _, r := range d.roles[:len(scenes)+min(d.orders, shownPlain)] {
		state := cell{text: string(r.row.State), paint: d.ink.yellow}
		if r.row.State == order.Succeeded {
			state.paint = d.ink.green
		}
		if r.row.State != r.want.state {
			state.paint = d.ink.red
		}
		row := text(r.request.Number, string(r.kind), r.country)
		row = append(row, cell{text: r.request.Amount.String(), right: true}, state,
			cell{text: string(r.source)}, cell{text: times(r.paid)}, cell{text: fee(r.row), right: true}, cell{text: r.shows})
		rows = append(rows, row)
	}
	return rows
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	default:
		return fmt.Sprintf("%d times", n)
	}
}

// fee is "" for an order without a fee.
func fee(row order.Order) string {
	if row.Fee.IsZero() {
		return ""
	}
	return row.Fee.Number()
}

func (d *demo) balanceRows() [][]cell {
	rows := [][]cell{text("MERCHANT", "COUNTRY", "GATEWAY", "LEDGER", "DRIFT", "VERDICT")}
	for i := 2; i < 5; i++ {
		rows[0][i].right = true
	}
	countries := d.stack.Merchants.Countries()
	for _, s := range d.balance.Snapshots {
		verdict := cell{text: string(s.Verdict), paint: d.ink.green}
		if s.Verdict != order.Agreed {
			verdict.paint = d.ink.red
		}
		row := text(s.Merchant, countries[s.Merchant])
		rows = append(rows, append(row, cell{text: s.GatewayTotal().String(), right: true},
			cell{text: s.LedgerTotal().String(), right: true}, cell{text: s.Drift.String(), right: true}, verdict))
	}
	return rows
}

// countFile counts the rows of the file whose order is in a state.
func (d *demo) countFile(state order.State) (count int) {
	for _, r := range d.rowsOfFile() {
		if r.row.State == state {
			count++
		}
	}
	return count
}

// summary is the demo's last line.
type summary struct {
	Demo           string  `json:"demo"`
	Orders         int     `json:"orders"`
	Terminal       int     `json:"terminal"`
	DoublePayments int     `json:"double_payments"`
	LedgerSum      int64   `json:"ledger_sum"`
	Drift          string  `json:"drift"`
	ForgedRefused  int     `json:"forged_refused"`
	OverHTTP       int     `json:"over_http"`        // orders that were started at the api, without those of the file
	BatchRows      int     `json:"batch_rows"`       // of the file that were paid
	Delivered      int     `json:"events_delivered"` // to the webhook receiver, each counted once
	Scheduled      int     `json:"scheduled"`        // orders that waited for their time
	Broken         int     `json:"broken"`           // number of failed expectations
	Seconds        float64 `json:"seconds"`
	Engine         string  `json:"engine"`
}

func (d *demo) summary() summary {
	s := summary{
		Demo: "summary", Orders: len(d.roles), DoublePayments: d.audit.DoublePayments, LedgerSum: d.sum,
		Drift: d.drift(), ForgedRefused: d.forged, Delivered: d.delivered, BatchRows: d.countFile(order.Succeeded), Broken: len(d.broken), Engine: "sqlite",
		Seconds: float64(time.Since(d.begun).Milliseconds()/100) / 10,
	}
	if d.databaseURL != "" {
		s.Engine = "postgres"
	}
	for _, r := range d.roles {
		if r.row.State.Terminal() {
			s.Terminal++
		}
		if r.via == overHTTP {
			s.OverHTTP++
		}
		if r.notSent {
			s.Scheduled++
		}
	}
	return s
}
