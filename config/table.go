package config

import (
	"io"
	"reflect"
	"strings"
)

// Table writes the settings of a process's struct for a terminal: variable, unit
// and default on one line, the meaning below it. --help shows it and wraps the
// lines.
func Table(w io.Writer, spec any) error {
	var text strings.Builder
	for _, s := range settings(reflect.TypeOf(spec)) {
		text.WriteString("  " + s.variable + "=" + s.field.Tag.Get("unit"))
		switch value := s.preset(); {
		case s.required:
			text.WriteString(", required")
		case value != "":
			text.WriteString(", default " + value)
		}
		text.WriteString("\n      " + s.field.Tag.Get("desc") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Markdown writes the settings of several processes as a Markdown table.
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

// preset returns what a table shows as a setting's default.
func (s setting) preset() string {
	if s.required {
		return "required"
	}
	return s.field.Tag.Get("default")
}
