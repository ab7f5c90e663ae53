package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
)

// maxDefault bounds a default in a table for the terminal, in bytes.
const maxDefault = 36

// Table writes the settings of a process's struct for people at a terminal:
// variable, default, unit and meaning. It is what --help shows.
func Table(w io.Writer, spec any) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row(table, "VARIABLE", "DEFAULT", "UNIT", "MEANING")
	for _, s := range settings(reflect.TypeOf(spec)) {
		value := s.preset()
		if len(value) > maxDefault {
			value = value[:8] + "…" + value[len(value)-8:]
		}
		row(table, s.variable, value, s.field.Tag.Get("unit"), s.field.Tag.Get("desc"))
	}
	return table.Flush()
}

// Markdown writes the same table for the documentation.
func Markdown(w io.Writer, spec any) error {
	lines := []string{"| variable | default | unit | meaning |", "|---|---|---|---|"}
	for _, s := range settings(reflect.TypeOf(spec)) {
		cells := []string{"`" + s.variable + "`", s.preset(), s.field.Tag.Get("unit"), s.field.Tag.Get("desc")}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// preset is what a table says of a setting that is left out.
func (s setting) preset() string {
	if s.required {
		return "required"
	}
	return s.field.Tag.Get("default")
}

func row(w io.Writer, cells ...string) {
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
}
