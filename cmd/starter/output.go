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
	"github.com/tarspay-payouts/orchestrator/order"
)

// output is standard output. It knows how wide the terminal is, 0 if it is none, and
// keeps what went wrong with writing for the end of the run: nobody who writes to it
// needs to look.
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

// show prints the result of a command: the document for machines, or what
// people writes for people.
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

// note tells people something on the side; machines read standard output only.
func (s *starter) note(format string, values ...any) { printf(s.errs, format+"\n", values...) }

// People are told that something goes on after a moment, and then now and then.
const (
	tellFirst = 2 * time.Second
	tellEvery = 10 * time.Second
)

// tellWaiting tells people, on the side, that a long wait goes on, until the
// result is called.
func (s *starter) tellWaiting(what string, most time.Duration) (done func()) {
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
				s.note("%s: %s of at most %s", what, time.Since(begun).Round(time.Second), most)
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

// table prints rows under a head, in columns. On a terminal that is too narrow for
// them the widest column is broken under itself or, where it has no room for that,
// each row is a paragraph.
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
	align(w, broken(all, widest, room))
}

// columnGap is how far apart columns are.
const columnGap = 2

// leastRoom is how many columns of the terminal a broken column of a table needs.
const leastRoom = 15

// roomFor finds the widest column of a table, and how wide it may be on a terminal.
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

// broken breaks the cells of one column of a table into lines of so many columns.
func broken(rows [][]string, column, room int) (lines [][]string) {
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

// fact is a line of a description; it is left out when it has no value.
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

// printable keeps text from elsewhere, such as the gateway's, from steering
// the terminal or breaking the columns.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, text)
}

// moment writes a time for people.
func moment(t time.Time) string { return commandline.Moment(t) }

// localTimes writes the times of a text of ours in the reader's time zone. It is
// not for what a person wrote, which is shown as it stands.
func localTimes(text string) string { return order.InZone(text, time.Local) }

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// count writes a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
