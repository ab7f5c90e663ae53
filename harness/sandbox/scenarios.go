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

// ScenarioMember is the member of a create that names what will happen to the
// order. Like every member it is signed.
const ScenarioMember = "sandboxScenario"

// Aspect is the part of an order's life that a scenario decides. Scenarios of
// different aspects combine.
type Aspect string

// The aspects.
const (
	AspectCreate   Aspect = "create"   // what becomes of the create call
	AspectEnd      Aspect = "end"      // which states the order passes through
	AspectCallback Aspect = "callback" // which callbacks are sent
	AspectQuery    Aspect = "query"    // what queries are told
)

// Scenario is one row of the table of what can happen to an order.
//
// A create chooses it by the member sandboxScenario ("fail", "hidden:5",
// "lost-answer,fail,duplicate-callback:4") or, without one, by the last three
// digits before the point of its amount.
type Scenario struct {
	Name   string `json:"name"`
	Digits string `json:"digits,omitempty"` // "" has none
	Aspect Aspect `json:"aspect"`
	// Directions are the kinds of order it applies to.
	Directions []tarspay.Direction `json:"directions"`
	// Argument is what the number after the colon means, "" if it takes none,
	// and Default is its value when there is no colon.
	Argument string `json:"argument,omitempty"`
	Default  int    `json:"default,omitempty"`
	Sentence string `json:"sentence"`

	plan func(argument int) plan
}

// plan is what will happen to one order. A nil part means the default.
type plan struct {
	create *strike
	path   []hop
	notice *notice
	query  *query
	// unnoticed: the payer pays at once and the gateway does not notice.
	unnoticed bool
}

// hop is a state an order goes to. Waits are in units of Options.Delay.
type hop struct {
	state  tarspay.State
	wait   int
	expiry bool // waits for the end of the country's time to pay instead
	part   int  // percent paid, 0 for all of it
	notice int  // how long the callback of this state is held back
}

// Paths without an end: one that never leaves its first state, and one that
// goes to 1 and no further.
var (
	stayCreated    = []hop{{state: tarspay.StateCreated}}
	stayInProgress = []hop{}
)

// notice describes the callbacks of an order.
type notice struct {
	silent       bool
	undocumented bool          // states that only other countries' pages list, too
	early        bool          // before the create is answered
	copies       int           // how often each is sent, 0 is once
	wait         time.Duration // before the first
	again        time.Duration // one more, so long after the end
	falsehood    falsehood     // sent before the genuine one
}

// query describes the answers to queries of an order.
type query struct {
	hidden    int    // so many queries find nothing
	strike    strike // fault of the first queries
	textState bool   // state as text
}

// moment is when a fault happens.
type moment int

const (
	beforeBooking moment = iota // nothing is done
	afterBooking                // the order is booked, and the answer is faulty
	lateBooking                 // no answer, and it is done later
)

// wire is the effect of a fault on the answer.
type wire int

const (
	wireWhole       wire = iota // nothing
	wireDrop                    // the connection ends without an answer
	wireStall                   // the answer comes after the client's timeout
	wireStatus                  // an HTTP status and no envelope
	wireCode                    // an envelope with a code of the gateway's
	wireHTML                    // a page for people
	wireTruncated               // half of the answer
	wireContentType             // the right answer as text/plain
	wireTypes                   // an envelope of the wrong shape
	wireSign                    // an envelope whose sign verifies nothing
	wireEmpty                   // no body
	wireHuge                    // ten megabytes
	wireEndless                 // no end in sight
)

// strike is one thing that goes wrong with a call.
type strike struct {
	when  moment
	wire  wire
	value int // the HTTP status or the gateway's code
	times int // it hits the first calls under an order number, 0 for all
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
	create("lost-request", "101", strike{beforeBooking, wireDrop, 0, 1}, "creates lost",
		"the connection breaks before the order is booked"),
	create("lost-answer", "102", strike{afterBooking, wireDrop, 0, 1}, "answers lost",
		"the order is booked and the connection breaks before the answer"),
	create("slow-answer", "103", strike{afterBooking, wireStall, 0, 1}, "answers delayed",
		"the order is booked and the answer comes after the client has given up"),
	create("late-booking", "104", strike{lateBooking, wireStall, 0, 1}, "creates delayed",
		"no answer, and the order is booked some time after the client has given up"),
	create("system-error", "105", strike{afterBooking, wireCode, codeSystemError, 1}, "answers",
		"code -1, and the order is booked"),
	create("system-error-unbooked", "106", strike{beforeBooking, wireCode, codeSystemError, 1}, "answers",
		"code -1, and nothing is booked"),
	create("channel-error", "107", strike{afterBooking, wireCode, codeChannel, 1}, "answers",
		"code 5003013, and the order is booked"),
	create("channel-error-unbooked", "108", strike{beforeBooking, wireCode, codeChannel, 1}, "answers",
		"code 5003013, and nothing is booked"),
	create("status-error", "109", strike{afterBooking, wireCode, codeOrderStatus, 1}, "answers",
		"code 5003010 in its first meaning (order status error): the order is booked"),
	create("status-error-unbooked", "112", strike{beforeBooking, wireCode, codeOrderStatus, 1}, "answers",
		"code 5003010 in its second meaning (creating the payout failed): nothing is booked"),
	create("remote-error", "113", strike{afterBooking, wireCode, codeRemoteClient, 1}, "answers",
		"code 500323, and the order is booked"),
	create("exists-answer", "114", strike{afterBooking, wireCode, codeDuplicate, 1}, "answers",
		"code 5003011 on the very create that booked the order"),
	create("unknown-code", "116", strike{afterBooking, wireCode, codeUndocumented, 1}, "answers",
		"a code that is in no table, and the order is booked"),
	create("http-429", "117", strike{afterBooking, wireStatus, http.StatusTooManyRequests, 1}, "answers",
		"HTTP 429 although the order is booked"),
	create("http-500", "118", strike{afterBooking, wireStatus, http.StatusInternalServerError, 1}, "answers",
		"HTTP 500 although the order is booked"),
	create("http-502", "119", strike{afterBooking, wireStatus, http.StatusBadGateway, 1}, "answers",
		"HTTP 502 although the order is booked"),
	create("http-503", "121", strike{afterBooking, wireStatus, http.StatusServiceUnavailable, 1}, "answers",
		"HTTP 503 although the order is booked"),
	create("http-429-unbooked", "122", strike{beforeBooking, wireStatus, http.StatusTooManyRequests, 1}, "answers",
		"HTTP 429, and nothing is booked"),
	create("http-500-unbooked", "124", strike{beforeBooking, wireStatus, http.StatusInternalServerError, 1}, "answers",
		"HTTP 500, and nothing is booked"),
	create("http-502-unbooked", "126", strike{beforeBooking, wireStatus, http.StatusBadGateway, 1}, "answers",
		"HTTP 502, and nothing is booked"),
	create("http-503-unbooked", "127", strike{beforeBooking, wireStatus, http.StatusServiceUnavailable, 1}, "answers",
		"HTTP 503, and nothing is booked"),
	create("html", "128", strike{afterBooking, wireHTML, 0, 1}, "answers",
		"a page in HTML instead of the answer; the order is booked"),
	create("truncated", "129", strike{afterBooking, wireTruncated, 0, 1}, "answers",
		"half of the answer; the order is booked"),
	create("wrong-content-type", "131", strike{afterBooking, wireContentType, 0, 1}, "answers",
		"the right answer, declared as text/plain"),
	create("wrong-types", "132", strike{afterBooking, wireTypes, 0, 1}, "answers",
		"an answer whose code is text and whose data is a list; the order is booked"),
	create("wrong-sign", "133", strike{afterBooking, wireSign, 0, 1}, "answers",
		"the right answer with a sign that verifies nothing"),
	create("empty-answer", "134", strike{afterBooking, wireEmpty, 0, 1}, "answers",
		"HTTP 200 without a body; the order is booked"),
	create("huge-answer", "136", strike{afterBooking, wireHuge, 0, 1}, "answers",
		"an answer of ten megabytes; the order is booked"),
	create("endless-answer", "137", strike{afterBooking, wireEndless, 0, 1}, "answers",
		"an answer that does not end; the order is booked"),
	create("key-expired", "138", strike{beforeBooking, wireCode, codeKeyExpired, 0}, "",
		"code 5003006, every time; nothing is booked"),
	create("ip-refused", "139", strike{beforeBooking, wireCode, codeAddress, 0}, "",
		"code 5003007, every time; nothing is booked"),
	create("merchant-disabled", "141", strike{beforeBooking, wireCode, codeDisabled, 0}, "",
		"code 5003003, every time; nothing is booked"),
	{Name: "balance-short", Digits: "142", Aspect: AspectCreate, Directions: withdrawals,
		Sentence: "code 5004006 whatever the balance is; nothing is booked",
		plan:     func(int) plan { return plan{create: &strike{beforeBooking, wireCode, codeBalance, 0}} }},
	{Name: "refuse", Digits: "143", Aspect: AspectCreate, Directions: both, Argument: "code", Default: codeNoChannel,
		Sentence: "the create is refused with a code of your choice; nothing is booked",
		plan:     func(n int) plan { return plan{create: &strike{beforeBooking, wireCode, n, 0}} }},
}

var endScenarios = []Scenario{
	end("success", "", both, "paid, and a callback says so; what happens when nothing else is chosen",
		hop{state: tarspay.StateSucceeded, wait: 1}),
	{Name: "silent-success", Digits: "201", Aspect: AspectEnd, Directions: both,
		Sentence: "paid, and no callback ever says so",
		plan: func(int) plan {
			return plan{path: []hop{{state: tarspay.StateSucceeded, wait: 1}}, notice: &notice{silent: true}}
		}},
	end("fail", "202", both, "accepted, then state 3; the callback carries the full payAmount and a fee all the same",
		hop{state: tarspay.StateFailed, wait: 1}),
	{Name: "silent-fail", Digits: "203", Aspect: AspectEnd, Directions: both,
		Sentence: "accepted, then state 3 without a callback",
		plan: func(int) plan {
			return plan{path: []hop{{state: tarspay.StateFailed, wait: 1}}, notice: &notice{silent: true}}
		}},
	end("reject", "204", withdrawals, "accepted, then state 8",
		hop{state: tarspay.StateRejected, wait: 1}),
	end("cancel", "206", deposits, "accepted, then state 4, which is never called back",
		hop{state: tarspay.StateCancelled, wait: 1}),
	end("stuck", "207", both, "state 1 for ever", stayInProgress...),
	end("stuck-created", "208", both, "state 0 for ever", stayCreated...),
	end("queued", "209", deposits, "state 7 for a while, then paid",
		hop{state: tarspay.StateQueued, wait: 1}, hop{state: tarspay.StateSucceeded, wait: 2}),
	end("flip", "211", both, "state 3, called back, and then state 2, called back: a failure that was none",
		hop{state: tarspay.StateFailed, wait: 1}, hop{state: tarspay.StateSucceeded, wait: 2}),
	end("refund", "212", both, "paid, and afterwards refunded (5)",
		hop{state: tarspay.StateSucceeded, wait: 1}, hop{state: tarspay.StateRefunded, wait: 2}),
	end("out-of-order", "213", both, "paid, then refunded, and the refund's callback comes first",
		hop{state: tarspay.StateSucceeded, wait: 1, notice: 3}, hop{state: tarspay.StateRefunded, wait: 1}),
	{Name: "partial", Digits: "214", Aspect: AspectEnd, Directions: deposits, Argument: "percent paid", Default: defaultPart,
		Sentence: "the payer pays a part (9)",
		plan: func(n int) plan {
			return plan{path: []hop{{state: tarspay.StatePartial, wait: 1, part: n}}}
		}},
	end("expire", "216", deposits, "not paid in time (6), which is never called back",
		hop{state: tarspay.StateTimedOut, wait: 1}),
	end("paid-after-expiry", "217", deposits, "expired (6), and paid after all",
		hop{state: tarspay.StateTimedOut, wait: 1}, hop{state: tarspay.StateSucceeded, wait: 2}),
	end("cashier", "218", deposits,
		"nothing happens until somebody acts on the cashier page or submits the payment's number; expires with the country's time to pay",
		hop{state: tarspay.StateTimedOut, expiry: true}),
	{Name: "unnoticed", Digits: "219", Aspect: AspectEnd, Directions: deposits,
		Sentence: "the payer has paid and nobody noticed: a supplement with the payment's number (trx_id in the book) pays it; else it expires",
		plan: func(int) plan {
			return plan{path: []hop{{state: tarspay.StateTimedOut, expiry: true}}, unnoticed: true}
		}},
}

var callbackScenarios = []Scenario{
	callback("silent", "301", notice{silent: true}, "no callback at all"),
	callback("early-callback", "302", notice{early: true}, "the order ends and is called back before the create is answered"),
	{Name: "duplicate-callback", Digits: "303", Aspect: AspectCallback, Directions: both, Argument: "copies", Default: defaultCopies,
		Sentence: "each callback is sent several times at once, whatever the answer",
		plan:     func(n int) plan { return plan{notice: &notice{copies: n}} }},
	callback("late-callback", "304", notice{wait: time.Hour}, "the callback comes an hour late"),
	callback("repeated-callback", "306", notice{again: 24 * time.Hour}, "the callback comes, and comes again a day later"),
	callback("unsigned-callback", "307", notice{falsehood: unsigned}, "first a callback without a signature, then the right one"),
	callback("wrong-signature", "308", notice{falsehood: wrongSignature}, "first a callback whose signature is damaged, then the right one"),
	callback("other-key", "309", notice{falsehood: otherKey}, "first a callback signed by somebody else, then the right one"),
	callback("foreign-signature", "311", notice{falsehood: foreignSignature},
		"first a callback with a genuine signature of another order's, then the right one"),
	callback("unknown-order", "312", notice{falsehood: unknownOrder},
		"first a well signed callback about an order number that does not exist, then the right one"),
	callback("changed-amount", "313", notice{falsehood: changedAmount}, "first a well signed callback with other amounts, then the right one"),
	callback("changed-currency", "314", notice{falsehood: changedCurrency}, "first a well signed callback in another currency, then the right one"),
	callback("changed-merchant", "316", notice{falsehood: changedMerchant}, "first a well signed callback for another merchant, then the right one"),
	callback("changed-id", "317", notice{falsehood: changedID}, "first a well signed callback with another payOrderId, then the right one"),
	callback("false-failure", "322", notice{falsehood: falseFailure}, "first a well signed callback that says it failed, which no query confirms, then the right one"),
	callback("malformed-callback", "318", notice{falsehood: malformed}, "first a well signed callback that is not JSON, then the right one"),
	callback("huge-callback", "319", notice{falsehood: hugeBody}, "first a callback of eight megabytes, then the right one"),
	callback("slow-callback", "321", notice{falsehood: slowBody}, "first a callback whose body never ends, then the right one"),
	callback("undocumented-callback", "323", notice{undocumented: true},
		"states are called back, too, that the country's page does not list and another's does: 5 and 8 in Thailand and Vietnam"),
}

var queryScenarios = []Scenario{
	{Name: "hidden", Digits: "401", Aspect: AspectQuery, Directions: both, Argument: "queries", Default: defaultHidden,
		Sentence: "the order is booked, and so many queries do not find it",
		plan:     func(n int) plan { return plan{query: &query{hidden: n}} }},
	{Name: "query-error", Digits: "402", Aspect: AspectQuery, Directions: both, Argument: "queries", Default: defaultBadQueries,
		Sentence: "the first queries answer 5003018 (deposit) or 5003020 (withdrawal)",
		plan:     func(n int) plan { return plan{query: &query{strike: strike{beforeBooking, wireCode, 0, n}}} }},
	{Name: "query-http-500", Digits: "403", Aspect: AspectQuery, Directions: both, Argument: "queries", Default: defaultBadQueries,
		Sentence: "the first queries answer HTTP 500",
		plan: func(n int) plan {
			return plan{query: &query{strike: strike{beforeBooking, wireStatus, http.StatusInternalServerError, n}}}
		}},
	{Name: "text-state", Digits: "404", Aspect: AspectQuery, Directions: both,
		Sentence: "queries write the state as text, as the tables say and no sample shows",
		plan:     func(int) plan { return plan{query: &query{textState: true}} }},
}

// create makes the row of a strike. One that strikes a number of times takes
// that number as its argument.
func create(name, digits string, s strike, argument, sentence string) Scenario {
	return Scenario{
		Name: name, Digits: digits, Aspect: AspectCreate, Directions: both, Argument: argument, Default: s.times, Sentence: sentence,
		plan: func(n int) plan {
			struck := s
			struck.times = n
			return plan{create: &struck}
		},
	}
}

func end(name, digits string, directions []tarspay.Direction, sentence string, path ...hop) Scenario {
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

// Scenarios is the whole table.
func Scenarios() []Scenario { return slices.Clone(table) }

// maxArgument bounds the number after the colon; codes are the largest.
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
		whole.lay(row.plan(n))
	}
	return whole, nil
}

func (p *plan) lay(over plan) {
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

// digitsScenario is what the last three digits before the point of an amount
// choose, "" when they choose nothing or nothing for this direction.
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
