package sandbox

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Faults is a seeded plan of faults. It selects a scenario for every order that names none;
// the digits of amounts are ignored.
//
// A selection depends only on the seed, the fault's name, the merchant, the order number, the
// operation and the ordinal of the call. So the same requests meet the same faults in any
// sequence, and switching one fault off does not change the others.
type Faults struct {
	Seed uint64 `json:"seed"`
	// Rates are the probabilities of faults, per thousand, by the name of a scenario or
	// drawable switch. A fault that is not listed is off.
	Rates map[string]int `json:"rates"`
}

// EveryFault is a plan's Rates with all that can be drawn at one rate, in a
// thousand.
func EveryFault(perThousand int) map[string]int {
	rates := make(map[string]int)
	for _, name := range FaultNames() {
		rates[name] = perThousand
	}
	return rates
}

// FaultNames lists what can be drawn: every scenario but success and cashier, and
// the switches that affect single calls.
func FaultNames() []string {
	var names []string
	for _, row := range table {
		if row.Name != "success" && row.Name != "cashier" {
			names = append(names, row.Name)
		}
	}
	for _, row := range switches {
		if row.drawable {
			names = append(names, row.Name)
		}
	}
	return names
}

func (f Faults) validate() error {
	known := FaultNames()
	for name, rate := range f.Rates {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no fault %q", name)
		}
		if rate < 0 || rate > 1000 {
			return errors.New("the rate of a fault is 0 to 1000")
		}
	}
	return nil
}

func (f Faults) on() bool { return len(f.Rates) > 0 }

// drawn reports whether a fault is selected.
func (f Faults) drawn(name string, place ...any) bool {
	rate := f.Rates[name]
	return rate > 0 && hash(append([]any{f.Seed, name}, place...)...)%1000 < uint64(rate)
}

// life selects the scenario of an order, without the faults of its create call: at most one
// per aspect.
func (f Faults) life(k key, direction tarspay.Direction) string {
	chosen := []string{"success"}
	taken := make(map[Aspect]bool)
	for _, row := range table {
		if row.Aspect == AspectCreate || taken[row.Aspect] || !slices.Contains(row.Directions, direction) {
			continue
		}
		if f.drawn(row.Name, k.merchant, k.number, "order") {
			chosen, taken[row.Aspect] = append(chosen, row.Name), true
		}
	}
	return strings.Join(chosen, ",")
}

// callFault selects the fault of the n-th call of an operation for an order
// number. Faults that make sense for a create only are selected for creates only.
func (f Faults) callFault(k key, operation tarspay.Operation, n int) callFault {
	if !f.on() {
		return callFault{}
	}
	for _, row := range createScenarios {
		fault := *row.plan(row.Default).create
		fault.times = 0
		creates := slices.ContainsFunc(row.Directions, func(d tarspay.Direction) bool { return operation == createOf(d) })
		if !creates && (isCreate(operation) || !fault.anyCall()) {
			continue
		}
		if f.drawn(row.Name, k.merchant, k.number, string(operation), n) {
			return fault
		}
	}
	return callFault{}
}

// anyCall reports whether a fault makes sense for calls that book nothing.
func (s callFault) anyCall() bool {
	if s.when == lateBooking {
		return false
	}
	if s.wire != wireCode {
		return true
	}
	switch s.value {
	case codeSystemError, codeDisabled, codeKeyExpired, codeAddress:
		return true
	}
	return false
}

// hash is a number that depends on the values and nothing else.
func hash(values ...any) uint64 {
	sum := fnv.New64a()
	for _, value := range values {
		fmt.Fprintf(sum, "%v\x00", value)
	}
	// FNV leaves the low bits of short texts close together; this spreads them
	// (the finalizer of splitmix64).
	h := sum.Sum64()
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Switch is a condition of a whole merchant that control turns on and off.
type Switch struct {
	Name     string `json:"name"`
	Sentence string `json:"sentence"`

	drawable bool // a fault plan may draw it for single calls
	refusal  int  // the code every call is answered with, if that is all it does
}

// The switches that do more than refuse.
const (
	switchOutage           = "outage"
	switchLyingBalance     = "lying-balance"
	switchShiftingHistory  = "shifting-history"
	switchNoDuplicateGuard = "no-duplicate-guard"
	switchRateLimited      = "rate-limited"
	switchKeyUnbound       = "key-unbound"
)

var switches = []Switch{
	{Name: "merchant-disabled", Sentence: "every call answers 5003003", refusal: codeDisabled},
	{Name: "not-certified", Sentence: "every call answers 5003004", refusal: codeUncertified},
	{Name: "key-expired", Sentence: "every call answers 5003006", refusal: codeKeyExpired},
	{Name: "ip-refused", Sentence: "every call answers 5003007", refusal: codeAddress},
	{Name: "signature-refused", Sentence: "every call answers 5003008", refusal: codeSignature},
	{Name: switchOutage, Sentence: "every call loses its connection before anything is done"},
	{Name: switchRateLimited, Sentence: "every call answers HTTP 429 before anything is done"},
	{Name: switchKeyUnbound, Sentence: "the key has no bound address: 15 days after this is switched on every call answers 5003006"},
	{Name: switchLyingBalance, Sentence: "the balance shows one unit more than there is", drawable: true},
	{Name: switchShiftingHistory, Sentence: "pages of the history after the first repeat a record, as if one had come in between", drawable: true},
	{Name: switchNoDuplicateGuard, Sentence: "an order number may be used again: a second create books a second order"},
}

// Switches is the table of switches.
func Switches() []Switch { return slices.Clone(switches) }

func isCreate(operation tarspay.Operation) bool {
	return operation == tarspay.OperationCreateDeposit || operation == tarspay.OperationCreateWithdrawal
}

func createOf(direction tarspay.Direction) tarspay.Operation {
	if direction == tarspay.DirectionDeposit {
		return tarspay.OperationCreateDeposit
	}
	return tarspay.OperationCreateWithdrawal
}
