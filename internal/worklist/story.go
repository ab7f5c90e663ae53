package worklist

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Happening is one line of an order's story.
type Happening struct {
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	By   string    `json:"by,omitempty"` // the person, if a person did it
	Text string    `json:"text"`         // a sentence without payers' and beneficiaries' data; remarks of operators are unchanged
}

// EventKind is the kind of an event.
type EventKind string

// The kinds of events. Events of the same time are sorted in this order.
const (
	EventRequest     EventKind = "request"
	EventCallback    EventKind = "callback"
	EventAttempt     EventKind = "attempt"
	EventMove        EventKind = "move"        // its state changed
	EventDecision    EventKind = "decision"    // of a person, done or refused
	EventDiscrepancy EventKind = "discrepancy" // opened
	EventTransfer    EventKind = "transfer"
)

// eventRanks sorts events of the same time, so that an effect comes after its
// cause.
var eventRanks = map[EventKind]int{
	EventRequest: 0, EventCallback: 1, EventAttempt: 2, EventMove: 3, EventDecision: 3, EventDiscrepancy: 4, EventTransfer: 5,
}

// Tell returns the events of an order, oldest first: its request, callbacks,
// attempts, audit entries, discrepancies, transfers and fees learned late.
func Tell(story ledger.Story) []Happening {
	var events []Happening
	if o := story.Order; o != nil {
		events = append(events, Happening{
			At: o.CreatedAt, Kind: EventRequest, By: o.RequestedBy,
			Text: fmt.Sprintf("%s of %s requested, in %s by %s", o.Kind, o.Amount, o.Country, o.Way),
		})
	}
	for _, e := range story.Callbacks {
		events = append(events, Happening{At: e.FirstAt, Kind: EventCallback, Text: tellCallback(e)})
	}
	for _, s := range story.Submissions {
		attempt := "attempt " + strconv.Itoa(s.Attempt)
		events = append(events, Happening{At: s.StartedAt, Kind: EventAttempt, Text: attempt + " to send it begins"})
		if s.Outcome != "" {
			events = append(events, Happening{At: s.EndedAt, Kind: EventAttempt, Text: attempt + " ends: " + say(string(s.Outcome), s.Reason)})
		}
	}
	events = append(events, tellAudit(story.Audit)...)
	for _, d := range slices.Backward(story.Discrepancies) {
		events = append(events, Happening{At: d.At, Kind: EventDiscrepancy, Text: fmt.Sprintf("discrepancy %d: %s: %s", d.ID, d.Code, d.Detail)})
	}
	for _, t := range story.Transfers {
		events = append(events, Happening{At: t.At, Kind: EventTransfer, Text: fmt.Sprintf("%s: %s → %s %s", t.Reason, t.From, t.To, t.Amount)})
	}
	for _, fee := range story.LateFees {
		events = append(events, Happening{
			At: fee.At, Kind: EventTransfer, By: fee.By, Text: fmt.Sprintf("%s %s of this order, learned late: adjustment %s", fee.Kind.Reason(), fee.Amount, fee.Ref),
		})
	}
	slices.SortStableFunc(events, func(a, b Happening) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(eventRanks[a.Kind], eventRanks[b.Kind]))
	})
	return events
}

func tellCallback(e ledger.InboxEntry) string {
	times := ""
	if e.Received > 1 {
		times = fmt.Sprintf(", received %d times until %s", e.Received, saytime.Say(e.LastAt))
	}
	c := e.Callback
	return fmt.Sprintf("the gateway says %s of its order %s (%s of %s %s, fee %s)%s: %s",
		c.State, c.GatewayID, cmp.Or(c.PayAmount, "nothing"), c.OrderAmount, c.Currency, cmp.Or(c.Fee, "unknown"), times, e.Status)
}

func tellAudit(entries []ledger.AuditEntry) []Happening {
	var events []Happening
	for _, e := range entries {
		if e.Action == ledger.ActionDiscrepancy {
			continue // the discrepancy has its own event
		}
		event := Happening{At: e.At, Kind: EventMove, Text: sayEntry(e)}
		if e.Source == rules.FromOperator {
			event.Kind, event.By = EventDecision, e.Actor
			if door := doorOf(e); door != "" {
				event.Text += " (logged in at " + door + ", which signed)"
			}
		}
		events = append(events, event)
	}
	return events
}

// doorOf returns the system that signed for the actor of an entry, or "".
func doorOf(e ledger.AuditEntry) string {
	var proof struct {
		Door string `json:"door"`
	}
	if json.Unmarshal([]byte(e.Envelope), &proof) != nil {
		return "" // there is none, or it is encrypted
	}
	return proof.Door
}

// sayEntry returns an audit entry as a sentence.
func sayEntry(e ledger.AuditEntry) string {
	switch {
	case e.Refused:
		return fmt.Sprintf("%s refused: %s: %s", e.Action, e.Reason.Code, e.Reason.Text)
	case e.Action == ledger.ActionOpen:
		return say("opened as "+string(e.After), e.Reason)
	case e.Before == e.After:
		return say(string(e.Action), e.Reason)
	}
	behind := strings.TrimSpace(string(e.Source) + " " + e.Evidence)
	if e.Source == rules.FromOperator {
		behind = string(e.Action)
	}
	text := fmt.Sprintf("%s → %s (%s)", e.Before, e.After, behind)
	if e.Paid.IsPositive() {
		text += fmt.Sprintf(", paid %s, fee %s", e.Paid, e.Fee)
	}
	return say(text, e.Reason)
}

func say(text string, reason order.Reason) string {
	if words := strings.TrimSpace(reason.Code + " " + reason.Text); words != "" {
		text += ": " + words
	}
	return text
}
