package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// ScenarioMember is the member of a create that names the order's scenario. Like
// every member it is signed.
const ScenarioMember = "sandboxScenario"

// Aspect is what a scenario decides about an order. Scenarios of different aspects
// combine.
type Aspect string

// The aspects.
const (
	AspectCreate   Aspect = "create"   // the fault of the create call
	AspectEnd      Aspect = "end"      // which states the order passes through
	AspectCallback Aspect = "callback" // which callbacks are sent
	AspectQuery    Aspect = "query"    // the answers to queries
)

// Scenario is one row of the table of scenarios.
//
// A create selects it by the member sandboxScenario ("fail", "hidden:5",
// "lost-answer,fail,duplicate-callback:4") or, without one, by the last three
// digits before the point of its amount.
type Scenario struct {
	Name   string `json:"name"`
	Digits string `json:"digits,omitempty"` // "": cannot be selected by an amount
	Aspect Aspect `json:"aspect"`
	// Directions are the kinds of order that can have the scenario.
	Directions []tarspay.Direction `json:"directions"`
	// Argument is the meaning of the number after the colon, "" if the scenario
	// takes none. Default is the number if none is given.
	Argument string `json:"argument,omitempty"`
	Default  int    `json:"default,omitempty"`
	Sentence string `json:"sentence"`

	plan func(argument int) plan
}

// plan is the scenario of one order, by aspect. Nil means the default.
type plan struct {
	create *callFault
	path   []transition
	notice *notice
	query  *query
	// unnoticed: the payer pays at once and the gateway does not notice.
	unnoticed bool
}

// transition is a state that an order goes to. Waits are in units of
// Options.Delay.
type transition struct {
	state  tarspay.State
	wait   int
	expiry bool // waits until the country's time to pay is over instead
	part   int  // percent paid, 0: all
	notice int  // delay of the callback of this state
}

// Paths of orders that never end: stayCreated stays in state 0, stayInProgress in
// state 1.
var (
	stayCreated    = []transition{{state: tarspay.StateCreated}}
	stayInProgress = []transition{}
)

// notice describes the callbacks of an order.
type notice struct {
	silent       bool
	undocumented bool          // also states that only other countries' pages list
	early        bool          // sent before the create is answered
	copies       int           // how often each is sent, 0: once
	wait         time.Duration // delay of the first send
	again        time.Duration // delay of one more send after the end, 0: none
	falsehood    falsehood     // defect of a callback sent before the genuine one
}

// query describes the answers to queries of an order.
type query struct {
	hidden    int       // the first queries, this many, find nothing
	fault     callFault // fault of the first queries
	textState bool      // state as text
}

// moment is when a fault happens, relative to the booking.
type moment int

const (
	beforeBooking moment = iota // the order is not booked
	afterBooking                // the order is booked, then the answer is faulty
	lateBooking                 // no answer, and the order is booked later
)

// wire is the effect of a fault on the answer.
type wire int

const (
	wireWhole       wire = iota // no effect
	wireDrop                    // the connection ends without an answer
	wireStall                   // the answer comes after the client's timeout
	wireStatus                  // an HTTP status without an envelope
	wireCode                    // an envelope with an error code
	wireHTML                    // an HTML page
	wireTruncated               // only half of the answer
	wireContentType             // the right answer as text/plain
	wireTypes                   // an envelope of the wrong shape
	wireSign                    // an envelope with an invalid sign
	wireEmpty                   // no body
	wireHuge                    // ten megabytes
	wireEndless                 // a body that never ends
)

// callFault is a fault of a call.
type callFault struct {
	when  moment
	wire  wire
	value int // the HTTP status or the gateway's code
	times int // how many calls under an order number have it, 0: all
}

var (
	both        = []tarspay.Direction{tarspay.DirectionDeposit, tarspay.DirectionWithdrawal}
	deposits    = []tarspay.Direction{tarspay.DirectionDeposit}
	withdrawals = []tarspay.Direction{tarspay.DirectionWithdrawal}
)

// Codes of the gateway that the sandbox answers, and defaults of arguments.
const (
	codeSystemError   = -1
	codeParameter     = 5003001
	codeMerchant      = 5003002
	codeDisabled      = 5003003
	codeUncertified   = 5003004
	codeKey           = 5003005
	codeKeyExpired    = 5003006
	codeAddress       = 5003007
	codeSignature     = 5003008
	codeWay           = 5003009
	codeOrderStatus   = 5003010
	codeDuplicate     = 5003011
	codeURL           = 5003012
	codeChannel       = 5003013
	codeNoChannel     = 5003015
	codeQueryDeposit  = 5003018
	codeQueryPayout   = 5003020
	codeAmount        = 500321
	codeRemoteClient  = 500323
	codeWrongWay      = 500327
	codeBalance       = 5004006
	codeUndocumented  = 5009999
	defaultCopies     = 3
	defaultHidden     = 3
	defaultPart       = 50
	defaultBadQueries = 2
)

var table = slices.Concat(createScenarios, endScenarios, callbackScenarios, queryScenarios)

var createScenarios = []Scenario{
	create("lost-request", "101", callFault{beforeBooking, wireDrop, 0, 1}, "creates lost",
		"the connection breaks before the order is booked"),
	create("lost-answer", "102", callFault{afterBooking, wireDrop, 0, 1}, "answers lost",
		"the order is booked and the connection breaks before the answer"),
	create("slow-answer", "103", callFault{afterBooking, wireStall, 0, 1}, "answers delayed",
		"the order is booked, and the answer comes after the client's timeout"),
	create("late-booking", "104", callFault{lateBooking, wireStall, 0, 1}, "creates delayed",
		"no answer, and the order is booked some time after the client's timeout"),
	create("system-error", "105", callFault{afterBooking, wireCode, codeSystemError, 1}, "answers",
		"code -1, and the order is booked"),
	create("system-error-unbooked", "106", callFault{beforeBooking, wireCode, codeSystemError, 1}, "answers",
		"code -1, and nothing is booked"),
	create("channel-error", "107", callFault{afterBooking, wireCode, codeChannel, 1}, "answers",
		"code 5003013, and the order is booked"),
	create("channel-error-unbooked", "108", callFault{beforeBooking, wireCode, codeChannel, 1}, "answers",
		"code 5003013, and nothing is booked"),
	create("status-error", "109", callFault{afterBooking, wireCode, codeOrderStatus, 1}, "answers",
		"code 5003010 in its first meaning (order status error): the order is booked"),
	create("status-error-unbooked", "112", callFault{beforeBooking, wireCode, codeOrderStatus, 1}, "answers",
		"code 5003010 in its second meaning (creating the payout failed): nothing is booked"),
	create("remote-error", "113", callFault{afterBooking, wireCode, codeRemoteClient, 1}, "answers",
		"code 500323, and the order is booked"),
	create("exists-answer", "114", callFault{afterBooking, wireCode, codeDuplicate, 1}, "answers",
		"code 5003011 on the create that booked the order"),
	create("unknown-code", "116", callFault{afterBooking, wireCode, codeUndocumented, 1}, "answers",
		"an undocumented code, and the order is booked"),
	create("http-429", "117", callFault{afterBooking, wireStatus, http.StatusTooManyRequests, 1}, "answers",
		"HTTP 429, and the order is booked"),
	create("http-500", "118", callFault{afterBooking, wireStatus, http.StatusInternalServerError, 1}, "answers",
		"HTTP 500, and the order is booked"),
	create("http-502", "119", callFault{afterBooking, wireStatus, http.StatusBadGateway, 1}, "answers",
		"HTTP 502, and the order is booked"),
	create("http-503", "121", callFault{afterBooking, wireStatus, http.StatusServiceUnavailable, 1}, "answers",
		"HTTP 503, and the order is booked"),
	create("http-429-unbooked", "122", callFault{beforeBooking, wireStatus, http.StatusTooManyRequests, 1}, "answers",
		"HTTP 429, and nothing is booked"),
	create("http-500-unbooked", "124", callFault{beforeBooking, wireStatus, http.StatusInternalServerError, 1}, "answers",
		"HTTP 500, and nothing is booked"),
	create("http-502-unbooked", "126", callFault{beforeBooking, wireStatus, http.StatusBadGateway, 1}, "answers",
		"HTTP 502, and nothing is booked"),
	create("http-503-unbooked", "127", callFault{beforeBooking, wireStatus, http.StatusServiceUnavailable, 1}, "answers",
		"HTTP 503, and nothing is booked"),
	create("html", "128", callFault{afterBooking, wireHTML, 0, 1}, "answers",
		"a page in HTML instead of the answer; the order is booked"),
	create("truncated", "129", callFault{afterBooking, wireTruncated, 0, 1}, "answers",
		"half of the answer; the order is booked"),
	create("wrong-content-type", "131", callFault{afterBooking, wireContentType, 0, 1}, "answers",
		"the right answer, declared as text/plain"),
	create("wrong-types", "132", callFault{afterBooking, wireTypes, 0, 1}, "answers",
		"an answer whose code is text and whose data is a list; the order is booked"),
	create("wrong-sign", "133", callFault{afterBooking, wireSign, 0, 1}, "answers",
		"the right answer with an invalid sign"),
	create("empty-answer", "134", callFault{afterBooking, wireEmpty, 0, 1}, "answers",
		"HTTP 200 without a body; the order is booked"),
	create("huge-answer", "136", callFault{afterBooking, wireHuge, 0, 1}, "answers",
		"an answer of ten megabytes; the order is booked"),
	create("endless-answer", "137", callFault{afterBooking, wireEndless, 0, 1}, "answers",
		"an answer that does not end; the order is booked"),
	create("key-expired", "138", callFault{beforeBooking, wireCode, codeKeyExpired, 0}, "",
		"code 5003006 on every create; nothing is booked"),
	create("ip-refused", "139", callFault{beforeBooking, wireCode, codeAddress, 0}, "",
		"code 5003007 on every create; nothing is booked"),
	create("merchant-disabled", "141", callFault{beforeBooking, wireCode, codeDisabled, 0}, "",
		"code 5003003 on every create; nothing is booked"),
	{Name: "balance-short", Digits: "142", Aspect: AspectCreate, Directions: withdrawals,
		Sentence: "code 5004006 for any balance; nothing is booked",
		plan:     func(int) plan { return plan{create: &callFault{beforeBooking, wireCode, codeBalance, 0}} }},
	{Name: "refuse", Digits: "143", Aspect: AspectCreate, Directions: both, Argument: "code", Default: codeNoChannel,
		Sentence: "the create is refused with the given code; nothing is booked",
		plan:     func(n int) plan { return plan{create: &callFault{beforeBooking, wireCode, n, 0}} }},
}

var endScenarios = []Scenario{
	end("success", "", both, "paid and called back; the default",
		transition{state: tarspay.StateSucceeded, wait: 1}),
	{Name: "silent-success", Digits: "201", Aspect: AspectEnd, Directions: both,
		Sentence: "paid, without a callback",
		plan: func(int) plan {
			return plan{path: []transition{{state: tarspay.StateSucceeded, wait: 1}}, notice: &notice{silent: true}}
		}},
	end("fail", "202", both, "accepted, then state 3; the callback still has the full payAmount and a fee",
		transition{state: tarspay.StateFailed, wait: 1}),
	{Name: "silent-fail", Digits: "203", Aspect: AspectEnd, Directions: both,
		Sentence: "accepted, then state 3 without a callback",
		plan: func(int) plan {
			return plan{path: []transition{{state: tarspay.StateFailed, wait: 1}}, notice: &notice{silent: true}}
		}},
	end("reject", "204", withdrawals, "accepted, then state 8",
		transition{state: tarspay.StateRejected, wait: 1}),
	end("cancel", "206", deposits, "accepted, then state 4, which has no callback",
		transition{state: tarspay.StateCancelled, wait: 1}),
	end("stuck", "207", both, "stays in state 1", stayInProgress...),
	end("stuck-created", "208", both, "stays in state 0", stayCreated...),
	end("queued", "209", deposits, "state 7 for a while, then paid",
		transition{state: tarspay.StateQueued, wait: 1}, transition{state: tarspay.StateSucceeded, wait: 2}),
	end("flip", "211", both, "state 3 and its callback, then state 2 and its callback: reported as failed, but paid",
		transition{state: tarspay.StateFailed, wait: 1}, transition{state: tarspay.StateSucceeded, wait: 2}),
	end("refund", "212", both, "paid, then refunded (5)",
		transition{state: tarspay.StateSucceeded, wait: 1}, transition{state: tarspay.StateRefunded, wait: 2}),
	end("out-of-order", "213", both, "paid, then refunded; the refund's callback is sent first",
		transition{state: tarspay.StateSucceeded, wait: 1, notice: 3}, transition{state: tarspay.StateRefunded, wait: 1}),
	{Name: "partial", Digits: "214", Aspect: AspectEnd, Directions: deposits, Argument: "percent paid", Default: defaultPart,
		Sentence: "the payer pays only a part (9)",
		plan: func(n int) plan {
			return plan{path: []transition{{state: tarspay.StatePartial, wait: 1, part: n}}}
		}},
	end("expire", "216", deposits, "not paid in time (6), which has no callback",
		transition{state: tarspay.StateTimedOut, wait: 1}),
	end("paid-after-expiry", "217", deposits, "expired (6), then paid",
		transition{state: tarspay.StateTimedOut, wait: 1}, transition{state: tarspay.StateSucceeded, wait: 2}),
	end("cashier", "218", deposits,
		"waits for an action on the cashier page or for a submitted payment number; expires after the country's time to pay",
		transition{state: tarspay.StateTimedOut, expiry: true}),
	{Name: "unnoticed", Digits: "219", Aspect: AspectEnd, Directions: deposits,
		Sentence: "the payer has paid and the gateway did not notice: a supplement with the payment's number (trx_id in the records) makes it paid; else it expires",
		plan: func(int) plan {
			return plan{path: []transition{{state: tarspay.StateTimedOut, expiry: true}}, unnoticed: true}
		}},
}

var callbackScenarios = []Scenario{
	callback("silent", "301", notice{silent: true}, "no callback"),
	callback("early-callback", "302", notice{early: true}, "the order ends, and its callback is sent before the create is answered"),
	{Name: "duplicate-callback", Digits: "303", Aspect: AspectCallback, Directions: both, Argument: "copies", Default: defaultCopies,
		Sentence: "each callback is sent several times at once, even if it is answered OK",
		plan:     func(n int) plan { return plan{notice: &notice{copies: n}} }},
	callback("late-callback", "304", notice{wait: time.Hour}, "the callback is sent an hour late"),
	callback("repeated-callback", "306", notice{again: 24 * time.Hour}, "the callback is sent, and sent again a day later"),
	callback("unsigned-callback", "307", notice{falsehood: unsigned}, "a callback without a signature, then the right one"),
	callback("wrong-signature", "308", notice{falsehood: wrongSignature}, "a callback with a damaged signature, then the right one"),
	callback("other-key", "309", notice{falsehood: otherKey}, "a callback signed with an unknown key, then the right one"),
	callback("foreign-signature", "311", notice{falsehood: foreignSignature},
		"a callback with the signature of another order's callback, then the right one"),
	callback("unknown-order", "312", notice{falsehood: unknownOrder},
		"a correctly signed callback for an order number that does not exist, then the right one"),
	callback("changed-amount", "313", notice{falsehood: changedAmount}, "a correctly signed callback with other amounts, then the right one"),
	callback("changed-currency", "314", notice{falsehood: changedCurrency}, "a correctly signed callback in another currency, then the right one"),
	callback("changed-merchant", "316", notice{falsehood: changedMerchant}, "a correctly signed callback for another merchant, then the right one"),
	callback("changed-id", "317", notice{falsehood: changedID}, "a correctly signed callback with another payOrderId, then the right one"),
	callback("false-failure", "322", notice{falsehood: falseFailure}, "a correctly signed callback with state 3, which no query confirms, then the right one"),
	callback("malformed-callback", "318", notice{falsehood: malformed}, "a correctly signed callback that is not JSON, then the right one"),
	callback("huge-callback", "319", notice{falsehood: hugeBody}, "a callback of eight megabytes, then the right one"),
	callback("slow-callback", "321", notice{falsehood: slowBody}, "a callback whose body never ends, then the right one"),
	callback("undocumented-callback", "323", notice{undocumented: true},
		"callbacks also for states that only other countries' pages list: 5 and 8 in Thailand and Vietnam"),
}

var queryScenarios = []Scenario{
	{Name: "hidden", Digits: "401", Aspect: AspectQuery, Directions: both, Argument: "queries", Default: defaultHidden,
		Sentence: "the order is booked, and the first queries do not find it",
		plan:     func(n int) plan { return plan{query: &query{hidden: n}} }},
	{Name: "query-error", Digits: "402", Aspect: AspectQuery, Directions: both, Argument: "queries", Default: defaultBadQueries,
		Sentence: "the first queries answer 5003018 (deposit) or 5003020 (withdrawal)",
		plan:     func(n int) plan { return plan{query: &query{fault: callFault{beforeBooking, wireCode, 0, n}}} }},
	{Name: "query-http-500", Digits: "403", Aspect: AspectQuery, Directions: both, Argument: "queries", Default: defaultBadQueries,
		Sentence: "the first queries answer HTTP 500",
		plan: func(n int) plan {
			return plan{query: &query{fault: callFault{beforeBooking, wireStatus, http.StatusInternalServerError, n}}}
		}},
	{Name: "text-state", Digits: "404", Aspect: AspectQuery, Directions: both,
		Sentence: "queries return the state as text, as the gateway's tables say but no sample shows",
		plan:     func(int) plan { return plan{query: &query{textState: true}} }},
}

// create returns the row of a create fault. A fault of the first calls takes their
// number as its argument.
func create(name, digits string, s callFault, argument, sentence string) Scenario {
	return Scenario{
		Name: name, Digits: digits, Aspect: AspectCreate, Directions: both, Argument: argument, Default: s.times, Sentence: sentence,
		plan: func(n int) plan {
			fault := s
			fault.times = n
			return plan{create: &fault}
		},
	}
}

func end(name, digits string, directions []tarspay.Direction, sentence string, path ...transition) Scenario {
	return Scenario{
		Name: name, Digits: digits, Aspect: AspectEnd, Directions: directions, Sentence: sentence,
		plan: func(int) plan { return plan{path: path} },
	}
}

func callback(name, digits string, n notice, sentence string) Scenario {
	return Scenario{
		Name: name, Digits: digits, Aspect: AspectCallback, Directions: both, Sentence: sentence,
		plan: func(int) plan { return plan{notice: &n} },
	}
}

// Scenarios returns the whole table.
func Scenarios() []Scenario { return slices.Clone(table) }

// maxArgument is the largest number after the colon. The largest arguments are
// codes.
const maxArgument = 9_999_999

// parseScenario reads "name", "name:7" and lists of them, and merges the plans. If two decide
// the same aspect, the later one counts.
func parseScenario(text string, direction tarspay.Direction) (plan, error) {
	var whole plan
	for part := range strings.SplitSeq(text, ",") {
		name, argument, given := strings.Cut(strings.TrimSpace(part), ":")
		i := slices.IndexFunc(table, func(s Scenario) bool { return s.Name == name })
		if i < 0 {
			return plan{}, fmt.Errorf("there is no scenario %q", name)
		}
		row := table[i]
		if !slices.Contains(row.Directions, direction) {
			return plan{}, fmt.Errorf("scenario %q is not for a %s", name, direction)
		}
		n := row.Default
		if given {
			var err error
			if n, err = strconv.Atoi(argument); err != nil || row.Argument == "" || n < 1 || n > maxArgument {
				return plan{}, fmt.Errorf("scenario %q does not take %q", name, argument)
			}
		}
		whole.merge(row.plan(n))
	}
	return whole, nil
}

func (p *plan) merge(over plan) {
	if over.create != nil {
		p.create = over.create
	}
	if over.path != nil {
		p.path, p.unnoticed = over.path, over.unnoticed
	}
	if over.notice != nil {
		p.notice = over.notice
	}
	if over.query != nil {
		p.query = over.query
	}
}

// digitsScenario returns the scenario of the last three digits before the point of
// an amount, "" if they select none for this direction.
func digitsScenario(amount string, direction tarspay.Direction) string {
	whole, _, _ := strings.Cut(amount, ".")
	if len(whole) >= 3 {
		digits := whole[len(whole)-3:]
		for _, row := range table {
			if row.Digits == digits && slices.Contains(row.Directions, direction) {
				return row.Name
			}
		}
	}
	return ""
}
