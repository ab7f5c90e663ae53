package commandline

import (
	"io"
	"os"
	"strconv"
)

// How wide help is: as wide as a page, and narrower on a narrow terminal.
const (
	pageColumns = 80
	leastPage   = 30 // below it nothing gets more readable
)

// TerminalColumns is how many columns a terminal has: what COLUMNS says, or the terminal
// itself. It is 0 if the output is not a terminal or its width is unknown.
func TerminalColumns(w io.Writer) int {
	file, is := w.(*os.File)
	if !is {
		return 0
	}
	shown := terminalColumns(file)
	if said := environmentColumns(); shown > 0 && said > 0 {
		return said
	}
	return shown
}

func environmentColumns() int {
	n, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// columnsFor is how wide help is on an output. COLUMNS applies to every output, because it was
// exported on purpose.
func columnsFor(w io.Writer) int {
	n := TerminalColumns(w)
	if n == 0 {
		n = environmentColumns()
	}
	if n == 0 {
		return pageColumns
	}
	return max(min(n, pageColumns), leastPage)
}
