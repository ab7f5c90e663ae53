package sheet

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a file. It repeats no personal value.
type Fault struct {
	Line    int    `json:"line,omitempty"`   // 0: the file as a whole
	Column  string `json:"column,omitempty"` // several names of one cause are joined with ", "
	Code    string `json:"code"`
	Message string `json:"message"`
}

// String returns the fault as a line of text.
func (f Fault) String() string {
	var at []string
	if f.Line > 0 {
		at = append(at, fmt.Sprintf("line %d", f.Line))
	}
	if f.Column != "" {
		at = append(at, f.Column)
	}
	if len(at) == 0 {
		return fmt.Sprintf("%s (%s)", f.Message, f.Code)
	}
	return fmt.Sprintf("%s: %s (%s)", strings.Join(at, ", "), f.Message, f.Code)
}

// Faults is the error of a file that is not right.
type Faults struct {
	Code   string // of the file as a whole
	Faults []Fault
	Count  int // of all; at most 10,000 are in the list
}

// Add adds a fault. The list has the first of them, at most so many.
func (f *Faults) Add(one Fault, most int) {
	if f.Count++; len(f.Faults) < most {
		f.Faults = append(f.Faults, one)
	}
}

// Error says how many faults there are, and the first.
func (f *Faults) Error() string {
	text := fmt.Sprintf("%s: %d faults", f.Code, f.Count)
	if f.Count == 1 {
		text = f.Code + ": 1 fault"
	}
	if len(f.Faults) > 0 {
		text += "; the first: " + f.Faults[0].String()
	}
	return text
}
