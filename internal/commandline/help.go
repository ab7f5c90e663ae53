package commandline

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func init() {
	cobra.AddTemplateFunc("columns", func(cmd *cobra.Command) int { return columnsFor(cmd.OutOrStdout()) })
	cobra.AddTemplateFunc("wrap", func(cmd *cobra.Command, text string) string { return Wrap(text, columnsFor(cmd.OutOrStdout())) })
	cobra.AddTemplateFunc("row", func(cmd *cobra.Command, name, text string) string {
		return entry(name, text, columnsFor(cmd.OutOrStdout()))
	})
}

// Wrap breaks lines that are longer than so many columns. A paragraph is refilled. An indented
// line continues under its last column.
func Wrap(text string, columns int) string {
	var wrapped strings.Builder
	var paragraph []string
	flush := func() {
		tooLong := slices.ContainsFunc(paragraph, func(line string) bool { return utf8.RuneCountInString(line) > columns })
		if tooLong {
			fill(&wrapped, 0, columns, strings.Fields(strings.Join(paragraph, " ")))
		} else {
			for _, line := range paragraph {
				wrapped.WriteString(line + "\n")
			}
		}
		paragraph = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n ")
		if line != "" && line[0] != ' ' {
			paragraph = append(paragraph, line)
			continue
		}
		flush()
		wrapped.WriteString(continued(line, columns) + "\n")
	}
	flush()
	return strings.TrimRight(wrapped.String(), "\n")
}

// If fewer than leastText columns are left beside a name, its text starts on the next line,
// indented.
const (
	leastText    = 20
	narrowIndent = 6
)

// lastColumn finds where the text of a row begins, after its name.
var lastColumn = regexp.MustCompile(`^ *(\S+(?: \S+)* {2,})*`)

// continued breaks one indented line.
func continued(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	head := lastColumn.FindString(line)
	var out strings.Builder
	hang := utf8.RuneCountInString(head)
	if hang > columns-leastText {
		fill(&out, narrowIndent, columns, strings.Fields(line[len(head):]))
		return strings.TrimRight(head, " ") + "\n" + strings.TrimRight(out.String(), "\n")
	}
	out.WriteString(head)
	fill(&out, hang, columns, strings.Fields(line[len(head):]))
	return strings.TrimRight(head+strings.TrimLeft(out.String()[len(head):], " "), "\n")
}

// entry is a row of a list: a name that is padded, and a text that goes on under
// itself.
func entry(name, text string, columns int) string {
	if line := "  " + name + " " + text; utf8.RuneCountInString(line) <= columns {
		return line
	}
	var out strings.Builder
	hang := utf8.RuneCountInString(name) + 3
	if hang > columns-leastText {
		fill(&out, narrowIndent, columns, strings.Fields(text))
		return "  " + strings.TrimRight(name, " ") + "\n" + strings.TrimRight(out.String(), "\n")
	}
	fill(&out, hang, columns, strings.Fields(text))
	return "  " + name + " " + strings.TrimSpace(out.String())
}

// fill writes words in lines, each indented.
func fill(out *strings.Builder, indent, columns int, words []string) {
	width := 0
	for _, word := range words {
		length := utf8.RuneCountInString(word)
		switch {
		case width == 0:
			out.WriteString(strings.Repeat(" ", indent))
			width = indent
		case width+1+length > columns:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			width = indent
		default:
			out.WriteString(" ")
			width++
		}
		out.WriteString(word)
		width += length
	}
	out.WriteString("\n")
}

const helpTemplate = `{{wrap . (or .Long .Short)}}

{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// usageTemplate is cobra's, made to fit: the commands come in their groups, then
// flags and help topics.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{if .HasParent}}{{else}} [flags]{{end}}{{else}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help")))}}
{{row . (rpad .Name .NamePadding) .Short}}{{end}}{{end}}{{end}}{{if not .AllChildCommandsHaveGroup}}

{{if .Groups}}Other commands:{{else}}Commands:{{end}}{{range $cmds}}{{if (and (eq .GroupID "") (or .IsAvailableCommand (eq .Name "help")))}}
{{row . (rpad .Name .NamePadding) .Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasHelpSubCommands}}

Explained with {{.CommandPath}} help TOPIC:{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
{{row . (rpad .Name .NamePadding) .Short}}{{end}}{{end}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped (columns .) | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsagesWrapped (columns .) | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

{{wrap . (printf "%s COMMAND --help explains a command." .CommandPath)}}{{end}}
`
