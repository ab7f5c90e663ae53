package rules

// Part is the part of an entry of the audit in what two persons do.
type Part string

// The parts.
const (
	PartAlone     Part = ""          // nothing that two persons do, or one person does it
	PartFirst     Part = "first"     // one person has done it, and another one must
	PartSecond    Part = "second"    // another person has done it, too
	PartWithdrawn Part = "withdrawn" // what the first person did does not count any more
)
