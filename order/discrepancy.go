package order

import (
	"fmt"
	"slices"
)

// DiscrepancyState says how a discrepancy stands.
type DiscrepancyState string

// The states of a discrepancy. Accepted and healed ones are closed. One that was healed is
// opened again if the difference is found again; one that persons accepted is not.
const (
	DiscrepancyOpen      DiscrepancyState = "open"      // nobody deals with it yet
	DiscrepancyAssigned  DiscrepancyState = "assigned"  // somebody deals with it
	DiscrepancyExplained DiscrepancyState = "explained" // the reason is known, and it still has to be settled
	DiscrepancyWaiting   DiscrepancyState = "waiting"   // the gateway was asked, and has not answered yet
	DiscrepancyAccepting DiscrepancyState = "accepting" // one person has accepted it, and another one must, too
	DiscrepancyAccepted  DiscrepancyState = "accepted"  // persons have closed it
	DiscrepancyHealed    DiscrepancyState = "healed"    // new evidence has closed it
)

// DiscrepancyStep is what a person does about a discrepancy that stays open.
type DiscrepancyStep string

// The steps.
const (
	StepAssign  DiscrepancyStep = "assign"  // to somebody, who deals with it
	StepExplain DiscrepancyStep = "explain" // why the difference is there
	StepWait    DiscrepancyStep = "wait"    // for an answer of the gateway
	StepReopen  DiscrepancyStep = "reopen"  // takes back an assignment, an explanation, or the first of two acceptances
)

// DiscrepancySteps returns all steps.
func DiscrepancySteps() []DiscrepancyStep {
	return []DiscrepancyStep{StepAssign, StepExplain, StepWait, StepReopen}
}

// State returns the state that the step leads to.
func (s DiscrepancyStep) State() DiscrepancyState {
	switch s {
	case StepAssign:
		return DiscrepancyAssigned
	case StepExplain:
		return DiscrepancyExplained
	case StepWait:
		return DiscrepancyWaiting
	case StepReopen:
	}
	return DiscrepancyOpen
}

// DiscrepancyWork is a step of the work on a discrepancy. The reason of an explanation is
// the explanation.
//
//	{"id":"…","by":"amina","why":"…","work_discrepancy":{"discrepancy":7,"step":"assign","to":"bilal"}}
type DiscrepancyWork struct {
	DiscrepancyRef
	Step DiscrepancyStep `json:"step"`
	To   string          `json:"to,omitempty"`   // of assign: who deals with it
	Days int             `json:"days,omitempty"` // of wait: so many days; 0: without an end
}

// MaxWaitDays is the most days that a discrepancy waits for the gateway before somebody is
// reminded.
const MaxWaitDays = 90

func (w DiscrepancyWork) check() *Refusal {
	switch {
	case !slices.Contains(DiscrepancySteps(), w.Step):
		return Refuse(CodeInvalidRequest, "a step is one of assign, explain, wait and reopen, not %q", w.Step)
	case (w.Step == StepAssign) != (w.To != ""):
		return Refuse(CodeInvalidRequest, "assign names whom, and no other step does")
	case w.Days != 0 && w.Step != StepWait, w.Days < 0, w.Days > MaxWaitDays:
		return Refuse(CodeInvalidRequest, "days are of the step wait, from 1 to %d; 0 is without an end", MaxWaitDays)
	}
	return firstTooLong(bounded{"to", w.To, MaxMark})
}

// DiscrepancySigned is what persons sign who close a discrepancy: which one, and its class.
type DiscrepancySigned struct {
	Key
	DiscrepancyRef
	Code string
}

// Named returns the discrepancy as the audit's evidence names it: "discrepancy 7".
func (r DiscrepancyRef) Named() string { return fmt.Sprintf("discrepancy %d", r.Discrepancy) }

// String returns the discrepancy as the signed envelope names it: "discrepancy 7
// RECORD_DIFFERS".
func (d DiscrepancySigned) String() string {
	return d.Named() + " " + d.Code
}
