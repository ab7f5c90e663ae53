package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
)

// output is standard output, with the width of the terminal, 0 if it is not a
// terminal. It keeps the first write error for the end of the run, so that callers
// need not check.
type output struct {
	io.Writer
	columns int
	lost    error
}

func (o *output) Write(text []byte) (int, error) {
	_, err := o.Writer.Write(text)
	o.lost = cmp.Or(o.lost, err)
	return len(text), nil
}

// show prints the result of a command: the document with --json, else what the
// function people writes.
func (s *starter) show(document any, people func(io.Writer)) {
	if s.json {
		s.write(document)
		return
	}
	people(s.out)
}

// write prints one JSON document on one line.
func (s *starter) write(document any) {
	if err := commandline.WriteJSON(s.out, document, ""); err != nil && s.lost == nil {
		s.lost = err
	}
}

// note prints a message to standard error. Programs read standard output only.
func (s *starter) note(format string, values ...any) { printf(s.errs, format+"\n", values...) }

// How soon and how often tellWaiting prints.
const (
	tellFirst = 2 * time.Second
	tellEvery = 10 * time.Second
)

// short returns a duration in whole seconds, without units that are zero: 10m, 1m30s.
func short(d time.Duration) string {
	text := d.Round(time.Second).String()
	if whole, cut := strings.CutSuffix(text, "m0s"); cut {
		text = whole + "m"
	}
	if whole, cut := strings.CutSuffix(text, "h0m"); cut {
		text = whole + "h"
	}
	return text
}

// constantly returns a function that returns the text.
func constantly(text string) func() string { return func() string { return text } }

// tellWaiting prints to standard error that a wait continues, until the returned
// function is called.
func (s *starter) tellWaiting(what func() string, most time.Duration) (done func()) {
	begun := time.Now()
	again := time.NewTimer(tellFirst)
	ended, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		for {
			select {
			case <-ended:
				return
			case <-again.C:
				s.note("%s: %s of at most %s", what(), short(min(time.Since(begun), most)), short(most))
				again.Reset(tellEvery)
			}
		}
	}()
	return func() {
		again.Stop()
		close(ended)
		<-told
	}
}

func printf(w io.Writer, format string, values ...any) { fmt.Fprintf(w, format, values...) }

// table prints rows in columns, under a head. If the terminal is too narrow, it
// wraps the widest column. If that does not fit either, it prints each row as a
// paragraph.
func table(w io.Writer, head []string, rows [][]string) {
	all := append([][]string{head}, rows...)
	screen, is := w.(*output)
	if !is || screen.columns == 0 {
		align(w, all)
		return
	}
	widest, room := roomFor(all, screen.columns)
	if room < max(leastRoom, longestWord(all, widest)) {
		writeParagraphs(w, head, rows)
		return
	}
	align(w, wrapColumn(all, widest, room))
}

// columnGap is the number of blanks between columns.
const columnGap = 2

// leastRoom is the least width of a wrapped column.
const leastRoom = 15

// roomFor returns the widest column of a table, and how wide it may be on the
// terminal.
func roomFor(rows [][]string, columns int) (widest, room int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for n, cell := range row {
			widths[n] = max(widths[n], utf8.RuneCountInString(cell))
		}
	}
	room = columns - columnGap*(len(widths)-1)
	for n, width := range widths {
		room -= width
		if width > widths[widest] {
			widest = n
		}
	}
	return widest, room + widths[widest]
}

func longestWord(rows [][]string, column int) (length int) {
	for _, row := range rows {
		for word := range strings.FieldsSeq(row[column]) {
			length = max(length, utf8.RuneCountInString(word))
		}
	}
	return length
}

func writeParagraphs(w io.Writer, head []string, rows [][]string) {
	for i, row := range rows {
		if i > 0 {
			printf(w, "\n")
		}
		var facts [][]string
		for n, cell := range row {
			if cell != "" {
				facts = append(facts, []string{head[n], cell})
			}
		}
		align(w, facts)
	}
}

// wrapColumn wraps the cells of one column to a width.
func wrapColumn(rows [][]string, column, room int) (lines [][]string) {
	for _, row := range rows {
		row = slices.Clone(row)
		var part string
		for word := range strings.FieldsSeq(row[column]) {
			if part != "" && utf8.RuneCountInString(part)+1+utf8.RuneCountInString(word) > room {
				row[column] = part
				lines, row, part = append(lines, row), make([]string, len(row)), ""
			}
			part = strings.TrimLeft(part+" "+word, " ")
		}
		row[column] = part
		lines = append(lines, row)
	}
	return lines
}

// fact is a line of a description. It is left out if it has no value.
type fact struct{ name, value string }

func describe(w io.Writer, title string, facts []fact) {
	printf(w, "%s\n", printable(title))
	var rows [][]string
	for _, f := range facts {
		if f.value != "" {
			rows = append(rows, []string{"  " + f.name, f.value})
		}
	}
	align(w, rows)
}

// align prints cells in columns, without blanks at the ends of lines.
func align(w io.Writer, rows [][]string) {
	var text strings.Builder
	columns := tabwriter.NewWriter(&text, 0, 0, columnGap, ' ', 0)
	for _, row := range rows {
		for _, cell := range row {
			printf(columns, "%s\t", printable(cell))
		}
		printf(columns, "\n")
	}
	_ = columns.Flush() // a strings.Builder takes everything
	for line := range strings.Lines(text.String()) {
		printf(w, "%s\n", strings.TrimRight(line, " \n"))
	}
}

// printable removes control characters from text of other systems, such as the
// gateway's, because they could control the terminal or break columns.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, text)
}

// moment returns a time for people.
func moment(t time.Time) string { return commandline.Moment(t) }

// localTimes changes the times in a text of ours to the reader's time zone. Do not
// use it for texts of people, which are shown unchanged.
func localTimes(text string) string { return saytime.InZone(text, time.Local) }

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// count returns a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
