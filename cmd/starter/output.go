package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/tarspay-payouts/orchestrator/cmd/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
)

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
	if err := commandline.WriteJSON(s.out, document, ""); err != nil {
		printf(s.errs, "error: the result cannot be written: %v\n", err)
	}
}

// note tells people something on the side; machines read standard output only.
func (s *starter) note(format string, values ...any) { printf(s.errs, format+"\n", values...) }

// tellEvery is how often people are told that something goes on.
const tellEvery = 10 * time.Second

// tellWaiting tells people, on the side, that a long wait goes on, until the
// result is called.
func (s *starter) tellWaiting(what string, most time.Duration) (done func()) {
	begun := time.Now()
	again := time.NewTicker(tellEvery)
	ended, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		for {
			select {
			case <-ended:
				return
			case <-again.C:
				s.note("%s: %s of at most %s", what, time.Since(begun).Round(time.Second), most)
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

// table prints rows under a head, in columns.
func table(w io.Writer, head []string, rows [][]string) {
	align(w, append([][]string{head}, rows...))
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
	columns := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
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
