package commandline

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// columns is how wide help may be.
const columns = 80

func init() {
	cobra.AddTemplateFunc("wrap", Wrap)
	cobra.AddTemplateFunc("columns", func() int { return columns })
}

// Wrap breaks lines that are too long for a terminal. A paragraph is filled
// anew; a line that is indented is continued under its last column.
func Wrap(text string) string {
	var wrapped strings.Builder
	var paragraph []string
	flush := func() {
		tooLong := slices.ContainsFunc(paragraph, func(line string) bool { return utf8.RuneCountInString(line) > columns })
		if tooLong {
			fill(&wrapped, 0, strings.Fields(strings.Join(paragraph, " ")))
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
		wrapped.WriteString(continued(line) + "\n")
	}
	flush()
	return strings.TrimRight(wrapped.String(), "\n")
}

// lastColumn finds where the text of a row begins, after its name.
var lastColumn = regexp.MustCompile(`^ *(\S+(?: \S+)* {2,})*`)

// continued breaks one indented line.
func continued(line string) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	head := lastColumn.FindString(line)
	var out strings.Builder
	out.WriteString(head)
	hang := utf8.RuneCountInString(head)
	fill(&out, hang, strings.Fields(line[len(head):]))
	return strings.TrimRight(head+strings.TrimLeft(out.String()[len(head):], " "), "\n")
}

// fill writes words in lines, each indented.
func fill(out *strings.Builder, indent int, words []string) {
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

const helpTemplate = `{{with (or .Long .Short)}}{{. | wrap}}{{end}}

{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// usageTemplate is cobra's, made to fit: the commands come in their groups, then
// flags and help topics.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{if .HasParent}}{{else}} [flags]{{end}}{{else}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if not .AllChildCommandsHaveGroup}}

{{if .Groups}}Other commands:{{else}}Commands:{{end}}{{range $cmds}}{{if (and (eq .GroupID "") (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasHelpSubCommands}}

Explained with {{.CommandPath}} help TOPIC:{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped columns | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsagesWrapped columns | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

{{.CommandPath}} COMMAND --help explains a command.{{end}}
`
