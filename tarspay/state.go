package tarspay

import (
	"slices"
	"strconv"
)

// Direction is money in or money out. Its numbers are the gateway's bizType.
type Direction int

// The two directions.
const (
	DirectionDeposit    Direction = 1 // bizType 1: collection, money in
	DirectionWithdrawal Direction = 2 // bizType 2: payout, money out
)

// String returns "deposit", "withdrawal", or the number of any other direction.
func (d Direction) String() string {
	switch d {
	case DirectionDeposit:
		return "deposit"
	case DirectionWithdrawal:
		return "withdrawal"
	}
	return "direction " + strconv.Itoa(int(d))
}

// State is the gateway's number of an order's state (ENdoc/6511992, ALL/3095258).
// A number outside the table can be decoded; Documented is false for it.
type State int

// The documented states.
const (
	StateCreated    State = 0
	StateInProgress State = 1
	StateSucceeded  State = 2
	StateFailed     State = 3
	StateCancelled  State = 4
	StateRefunded   State = 5
	StateTimedOut   State = 6
	StateQueued     State = 7
	StateRejected   State = 8
	StatePartial    State = 9
)

// StateMeaning is the meaning of a state for one direction.
type StateMeaning struct {
	// Documented is whether any page lists the state for this direction.
	Documented bool
	// Final is whether the gateway does not leave the state by itself. A success
	// may still be refunded. A failed or expired deposit may still become paid by
	// a trx or UTR supplement.
	Final bool
	// Paid is whether payAmount is the paid amount. In every other state it is
	// not: the gateway's own failure callback has a full payAmount.
	Paid bool
	// CalledBack is whether a documented list of callbacks has the state. Other
	// states are found only by a query.
	CalledBack bool
	// Text is the meaning in words.
	Text string
	// Confidence says how well the meaning is known. Whether a state is final is
	// inferred for all of them: no page says so.
	Confidence Confidence
}

// StateInfo is one row of the gateway's table of states.
type StateInfo struct {
	State      State
	Name       string
	Deposit    StateMeaning
	Withdrawal StateMeaning
}

var stateTable = []StateInfo{
	{StateCreated, "created",
		StateMeaning{Documented: true, Text: "order created; a cashier order waits for the payer to choose", Confidence: Documented},
		StateMeaning{Documented: true, Text: "order created", Confidence: Documented}},
	{StateInProgress, "in progress",
		StateMeaning{Documented: true, Text: "payment in progress", Confidence: Documented},
		StateMeaning{Documented: true, Text: "payout in progress", Confidence: Documented}},
	{StateSucceeded, "succeeded",
		StateMeaning{Documented: true, Final: true, Paid: true, CalledBack: true, Text: "paid in full", Confidence: Documented},
		StateMeaning{Documented: true, Final: true, Paid: true, CalledBack: true, Text: "paid out", Confidence: Documented}},
	{StateFailed, "failed",
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "failed", Confidence: Documented},
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "failed, nothing was paid out", Confidence: Documented}},
	{StateCancelled, "cancelled",
		StateMeaning{Documented: true, Final: true, Text: "cancelled (query tables only)", Confidence: Documented},
		StateMeaning{Text: "not documented for a payout", Confidence: Unknown}},
	{StateRefunded, "refunded",
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "refunded, say the pages; to whom is not said. It is taken for money that went back to the payer", Confidence: Inferred},
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "refunded, say the pages; where the money went they do not say. It is taken for money that the beneficiary did not keep", Confidence: Inferred}},
	{StateTimedOut, "timed out",
		StateMeaning{Documented: true, Final: true, Text: "expired unpaid; never called back; a late payment may still be supplemented", Confidence: Documented},
		StateMeaning{Text: "not documented for a payout", Confidence: Unknown}},
	{StateQueued, "queued",
		StateMeaning{Documented: true, Text: "queued (query tables only)", Confidence: Documented},
		StateMeaning{Text: "not documented for a payout", Confidence: Unknown}},
	{StateRejected, "rejected",
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "rejected, equals failure; listed for deposits by older pages only", Confidence: Documented},
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "rejected, equals failure", Confidence: Documented}},
	{StatePartial, "partially paid",
		StateMeaning{Documented: true, Final: true, Paid: true, CalledBack: true, Text: "paid less than ordered; whether it can still become a success is undocumented", Confidence: Documented},
		StateMeaning{Text: "not documented for a payout", Confidence: Unknown}},
}

// States returns the documented states, in the order of their numbers.
func States() []StateInfo { return slices.Clone(stateTable) }

// Documented reports whether any page lists the state for any direction.
func (s State) Documented() bool { return s >= 0 && int(s) < len(stateTable) }

// Meaning returns the meaning of the state for the direction. A state or direction
// outside the table is undocumented and not final: the caller must query again and
// decide nothing.
func (s State) Meaning(direction Direction) StateMeaning {
	if !s.Documented() {
		return StateMeaning{Text: "not documented", Confidence: Unknown}
	}
	switch direction {
	case DirectionDeposit:
		return stateTable[s].Deposit
	case DirectionWithdrawal:
		return stateTable[s].Withdrawal
	}
	return StateMeaning{Text: "not documented", Confidence: Unknown}
}

// Final reports whether the gateway does not leave the state by itself; see
// StateMeaning.
func (s State) Final(direction Direction) bool { return s.Meaning(direction).Final }

// Paid reports whether payAmount is the paid amount: after a success, or a partial
// payment of a deposit.
func (s State) Paid() bool { return s == StateSucceeded || s == StatePartial }

// String returns the name in words, or "state 42" for an undocumented number.
func (s State) String() string {
	if !s.Documented() {
		return "state " + strconv.Itoa(int(s))
	}
	return stateTable[s].Name
}
