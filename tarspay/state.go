package tarspay

import (
	"slices"
	"strconv"
)

// Direction tells money in from money out; its numbers are the gateway's
// bizType.
type Direction int

// The two directions.
const (
	DirectionDeposit    Direction = 1 // bizType 1: collection, money in
	DirectionWithdrawal Direction = 2 // bizType 2: payout, money out
)

// String is "deposit", "withdrawal", or the number of anything else.
func (d Direction) String() string {
	switch d {
	case DirectionDeposit:
		return "deposit"
	case DirectionWithdrawal:
		return "withdrawal"
	}
	return "direction " + strconv.Itoa(int(d))
}

// State is the gateway's number for where an order stands (ENdoc/6511992,
// ALL/3095258). A number outside the table decodes and is not Documented.
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

// StateMeaning is what a state says on one side.
type StateMeaning struct {
	// Documented is whether any page lists the state for this direction.
	Documented bool
	// Final is whether the gateway ends here by itself. A success may still be
	// refunded, and a deposit may still be rescued after it failed or timed
	// out (trx or UTR supplement).
	Final bool
	// Paid is whether payAmount counts. In every other state it does not: the
	// gateway's own failure callback carries a full payAmount.
	Paid bool
	// CalledBack is whether a callback list names the state. The others are
	// found by asking only.
	CalledBack bool
	// Text is the meaning in words.
	Text string
}

// StateInfo is one row of the state table.
type StateInfo struct {
	State      State
	Name       string
	Deposit    StateMeaning
	Withdrawal StateMeaning
}

var stateTable = []StateInfo{
	{StateCreated, "created",
		StateMeaning{Documented: true, Text: "order created; a cashier order waits for the payer to choose"},
		StateMeaning{Documented: true, Text: "order created"}},
	{StateInProgress, "in progress",
		StateMeaning{Documented: true, Text: "payment in progress"},
		StateMeaning{Documented: true, Text: "payout in progress"}},
	{StateSucceeded, "succeeded",
		StateMeaning{Documented: true, Final: true, Paid: true, CalledBack: true, Text: "paid in full"},
		StateMeaning{Documented: true, Final: true, Paid: true, CalledBack: true, Text: "paid out"}},
	{StateFailed, "failed",
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "failed"},
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "failed, nothing was paid out"}},
	{StateCancelled, "cancelled",
		StateMeaning{Documented: true, Final: true, Text: "cancelled (query tables only)"},
		StateMeaning{Text: "not documented for a payout"}},
	{StateRefunded, "refunded",
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "refunded to the payer"},
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "returned: the beneficiary did not keep the money"}},
	{StateTimedOut, "timed out",
		StateMeaning{Documented: true, Final: true, Text: "expired unpaid; never called back; a late payment may still be supplemented"},
		StateMeaning{Text: "not documented for a payout"}},
	{StateQueued, "queued",
		StateMeaning{Documented: true, Text: "queued (query tables only)"},
		StateMeaning{Text: "not documented for a payout"}},
	{StateRejected, "rejected",
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "rejected, equals failure; listed for deposits by older pages only"},
		StateMeaning{Documented: true, Final: true, CalledBack: true, Text: "rejected, equals failure"}},
	{StatePartial, "partially paid",
		StateMeaning{Documented: true, Final: true, Paid: true, CalledBack: true, Text: "paid less than ordered; whether it can still become a success is undocumented"},
		StateMeaning{Text: "not documented for a payout"}},
}

// States is the whole documented table, in the order of its numbers.
func States() []StateInfo { return slices.Clone(stateTable) }

// Documented reports whether any page lists the state for any direction.
func (s State) Documented() bool { return s >= 0 && int(s) < len(stateTable) }

// Meaning is what the state says for the direction. For a state or direction
// outside the table it is undocumented and not final: keep asking, decide
// nothing.
func (s State) Meaning(direction Direction) StateMeaning {
	if !s.Documented() {
		return StateMeaning{Text: "not documented"}
	}
	switch direction {
	case DirectionDeposit:
		return stateTable[s].Deposit
	case DirectionWithdrawal:
		return stateTable[s].Withdrawal
	}
	return StateMeaning{Text: "not documented"}
}

// Final reports whether the gateway ends here by itself; see StateMeaning.
func (s State) Final(direction Direction) bool { return s.Meaning(direction).Final }

// Paid reports whether payAmount counts: success, and partial payment, which
// exists for deposits only.
func (s State) Paid() bool { return s == StateSucceeded || s == StatePartial }

// String is the name in words, "state 42" for an undocumented number.
func (s State) String() string {
	if !s.Documented() {
		return "state " + strconv.Itoa(int(s))
	}
	return stateTable[s].Name
}
