package campaign

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Spans of a plan, in seconds.
const (
	minute = 60
	hour   = 60 * minute
)

// lot draws a plan.
type lot struct {
	*rand.Rand
	plan Plan
}

func newLot(seed, stream uint64) *lot {
	return &lot{Rand: rand.New(rand.NewPCG(seed, stream)), plan: Plan{Seed: seed}}
}

// between is a time between two.
func (d *lot) between(from, to int) int { return from + d.IntN(to-from) }

// oneIn is true once in so many times.
func (d *lot) oneIn(n int) bool { return d.IntN(n) == 0 }

// Crowd is the plan of many orders whose gateway does everything that it can do
// wrong, each thing now and then. A strict one has a gateway that takes a number
// twice.
func Crowd(seed uint64, orders int, strict bool) Plan {
	d := newLot(seed, 1)
	d.plan.Balance, d.plan.Policy, d.plan.Wait, d.plan.Unguarded = 10_000, true, true, strict
	d.plan.Rates = sandbox.EveryFault(12)
	for _, name := range forEverybody {
		d.plan.Rates[name] = 3
	}
	d.keepable()
	for i := range orders {
		d.invent(i)
	}
	for _, name := range []string{"outage", "key-expired", "rate-limited", "signature-refused"} {
		d.spell(name, 3*hour, minute, 20*minute)
	}
	d.spell(SpellDrain, hour, 10*minute, 10*hour)
	d.drawMore()
	return d.plan
}

// forEverybody are faults that hold all orders of the merchant back.
var forEverybody = []string{"key-expired", "ip-refused", "merchant-disabled"}

// heavy are faults of many megabytes, which cost a world more than all others
// together.
var heavy = []string{"huge-answer", "endless-answer", "huge-callback"}

// keepable leaves out what no house can keep a promise against: a gateway that
// hides orders beyond the grace and takes a number twice pays twice, whatever
// we do; and until an order knows its own payOrderId there is nothing to compare
// another one with.
func (d *lot) keepable() {
	delete(d.plan.Rates, "changed-id")
	if d.plan.Unguarded {
		delete(d.plan.Rates, "hidden")
	}
}

// spell adds one that begins by a time and lasts for a while.
func (d *lot) spell(name string, by, shortest, longest int) {
	from := d.between(0, by)
	d.plan.Spells = append(d.plan.Spells, Spell{Name: name, From: from, To: from + d.between(shortest, longest)})
}

// Draw is the plan of a small world, all of it drawn from the seed: a few
// orders with many faults each. Most worlds are of every kind of order and
// fault; some tell stories (see Story), and in some everything false is said at
// once.
func Draw(seed uint64) Plan {
	d := newLot(seed, 2)
	switch {
	case d.oneIn(8):
		d.drawStories()
	case d.oneIn(16):
		d.drawForgeries()
	default:
		d.drawWorld()
	}
	return d.plan
}

func (d *lot) drawWorld() {
	d.plan.Balance = []int64{1_000, 4_000, 10_000, 10_000, 1_000_000}[d.IntN(5)]
	d.plan.Policy, d.plan.Wait, d.plan.ConfirmAll = d.oneIn(2), d.oneIn(2), d.oneIn(3)
	d.plan.Patient, d.plan.Unguarded, d.plan.Together = d.oneIn(10), d.oneIn(3), d.oneIn(10)
	d.drawRates()
	d.keepable()
	for i := range 1 + d.IntN(4) {
		d.invent(i)
	}
	d.drawSpells()
	d.drawMore()
}

// drawRates has the gateway do everything wrong now and then, or a few things
// often, or nothing.
func (d *lot) drawRates() {
	d.plan.Rates = make(map[string]int)
	switch d.IntN(5) {
	case 0:
	case 1:
		d.plan.Rates = sandbox.EveryFault([]int{12, 30, 60}[d.IntN(3)])
	default:
		names := sandbox.FaultNames()
		for range d.between(1, 9) {
			d.plan.Rates[names[d.IntN(len(names))]] = d.between(50, 700)
		}
	}
	for _, name := range slices.Concat(forEverybody, heavy) {
		if rate, drawn := d.plan.Rates[name]; drawn {
			d.plan.Rates[name] = min(rate, 10)
		}
	}
	for _, name := range []string{PostLost, PostUnanswered} {
		if d.oneIn(4) {
			if d.plan.Posts == nil {
				d.plan.Posts = make(map[string]int)
			}
			d.plan.Posts[name] = d.between(50, 900)
		}
	}
}

// drawSpells has something go wrong with everything for a while, early enough
// for it to meet the orders.
func (d *lot) drawSpells() {
	for _, name := range []string{
		"outage", "key-expired", "rate-limited", "signature-refused", "merchant-disabled", "ip-refused", "lying-balance",
		SpellDeaf, SpellTemporal,
	} {
		if d.oneIn(6) {
			d.spell(name, 2*hour, minute, []int{20 * minute, 3 * hour}[d.IntN(2)])
		}
	}
	drained := d.oneIn(4)
	if drained {
		d.spell(SpellDrain, 2*hour, 10*minute, 10*hour)
	}
	// What the gateway says of the balance when the books are opened must be so.
	lies := drained || d.plan.Rates["lying-balance"] > 0 ||
		slices.ContainsFunc(d.plan.Spells, func(s Spell) bool { return s.Name == "lying-balance" })
	d.plan.Unopened = !lies && d.oneIn(4)
}

// drawMore adds what befalls workflows, workers and the ledger. It is drawn from
// a stream of its own: what else a seed draws stays as it was.
func (d *lot) drawMore() {
	d.Rand = rand.New(rand.NewPCG(d.plan.Seed, 3))
	if d.oneIn(3) {
		for range 1 + d.IntN(2) {
			d.plan.Compare = append(d.plan.Compare, d.between(2*hour, 58*hour))
		}
	}
	if d.oneIn(4) {
		for range 3 {
			d.plan.Skew = append(d.plan.Skew, d.between(-4*minute, 4*minute))
		}
	}
	if d.oneIn(6) {
		d.spell(SpellLedger, 2*hour, 5, []int{minute, 20 * minute, 3 * hour}[d.IntN(3)])
	}
	if d.oneIn(10) { // longer than any horizon
		name := longest[d.IntN(len(longest))]
		d.plan.Spells = append(d.plan.Spells, Spell{Name: name, From: d.between(0, 2*hour), To: d.between(27*hour, 33*hour)})
	}
	for i := range d.plan.Orders {
		d.disturb(&d.plan.Orders[i])
	}
	if d.plan.Unguarded && !d.plan.Unopened && d.oneIn(5) {
		d.drawOlder()
	}
	d.leaveOut()
}

// drawOlder has an older copy of the ledger restored, around the time at which
// one of the orders is sent. No order is asked for once more then.
func (d *lot) drawOlder() {
	p := &d.plan
	copied := max(p.Orders[d.IntN(len(p.Orders))].Start+d.between(-10*minute, []int{2, 20 * minute}[d.IntN(2)]), 1)
	lost := copied + d.between(1, []int{10 * minute, 3 * hour}[d.IntN(2)])
	p.Older = &Older{Copied: copied, Lost: lost, Restored: lost + d.between(emptied, []int{10 * minute, hour}[d.IntN(2)])}
	for i := range p.Orders {
		p.Orders[i].Again = false
	}
}

// leaveOut takes what is unmended out of a plan.
func (d *lot) leaveOut() {
	p := &d.plan
	if slices.Contains(unmended, comparing) {
		p.Compare = nil
	}
	if slices.Contains(unmended, skews) {
		p.Skew = nil
	}
	if slices.Contains(unmended, olderCopies) {
		p.Older = nil
	}
	p.Spells = slices.DeleteFunc(p.Spells, func(s Spell) bool {
		return slices.Contains(unmended, s.Name) || slices.Contains(unmended, longerThanHorizon) && s.To-s.From > 20*hour
	})
	for i := range p.Orders {
		o := &p.Orders[i]
		if slices.Contains(unmended, losses) {
			o.Losses = nil
		}
		if slices.Contains(unmended, unheards) {
			o.Unheard = nil
		}
		o.Events = slices.DeleteFunc(o.Events, func(e Event) bool {
			return slices.Contains(unmended, e.Do) || slices.Contains(unmended, e.Do+"/"+e.What)
		})
	}
}

// unmended names what is drawn and left out, because it shows a fault that is
// known and not mended yet. It is empty unless somebody is mending.
var unmended = []string{}

// What unmended may name besides deeds and spells.
const (
	longerThanHorizon = "longer-than-horizon" // spells that last longer than any order looks for proof
	withoutRow        = "without-row"         // that an order is in the queue whose row was never written
	losses            = "losses"
	unheards          = "unheard"
	comparing         = "compare"
	skews             = "skew"
	olderCopies       = "older"
)

// longest are what may hold a merchant back for longer than any order looks for
// proof.
var longest = []string{"key-expired", "ip-refused", "merchant-disabled", "signature-refused"}

// disturb adds what befalls an order's workflow, and what is done without it.
func (d *lot) disturb(o *Order) {
	soonOrLate := func() int {
		return o.Start + d.between(0, []int{2, minute, 30 * minute, 30 * hour}[d.IntN(4)])
	}
	if d.oneIn(5) {
		at := soonOrLate()
		o.Losses = append(o.Losses, Loss{At: at, Back: at + d.between(2*minute, []int{20 * minute, 5 * hour}[d.IntN(2)])})
	}
	if d.oneIn(8) {
		o.Unheard = append(o.Unheard, 1)
	}
	if d.oneIn(6) {
		o.Events = append(o.Events, Event{At: soonOrLate() + hour, Do: DoReturn})
	}
	for range d.IntN(3) {
		if d.oneIn(2) {
			o.Events = append(o.Events, Event{At: soonOrLate(), Do: DoBare, What: bareActions[d.IntN(len(bareActions))]})
		}
	}
	if d.oneIn(8) {
		o.Events = append(o.Events, Event{At: soonOrLate(), Do: DoClash, What: "case"})
	}
	for range d.IntN(3) {
		if d.oneIn(3) {
			o.Events = append(o.Events, Event{At: soonOrLate() + hour/2, Do: DoOdd, What: oddities[d.IntN(len(oddities))]})
		}
	}
	for range d.IntN(4) {
		if d.oneIn(2) {
			o.Events = append(o.Events, Event{At: soonOrLate(), Do: DoJunk, What: junk[d.IntN(len(junk))]})
		}
	}
}

// scenes are lives that are worth having oftener than they are drawn.
var scenes = map[order.Kind][]string{
	order.Withdrawal: {
		"stuck,silent", "stuck-created,silent", "flip", "refund", "out-of-order", "late-booking,silent-success", "lost-request:3",
		"balance-short", "refuse", "reject", "lost-answer,fail", "early-callback", "exists-answer", "lost-answer,query-error:9,silent-success",
	},
	order.Deposit: {
		"stuck,silent", "flip", "refund", "partial:40", "expire", "paid-after-expiry", "cancel", "lost-answer,partial:10",
		"unnoticed", "early-callback,refund", "late-booking",
	},
}

// invent adds an order, and what people and others do to it.
func (d *lot) invent(i int) {
	o := Order{
		Number: fmt.Sprintf("P-%03d", i), Kind: []order.Kind{order.Withdrawal, order.Deposit}[d.IntN(2)],
		Amount: 500 + d.Int64N(2500), Start: d.between(minute, 2*hour), Again: d.oneIn(8),
		Heal: []tarspay.State{tarspay.StateSucceeded, tarspay.StateFailed, tarspay.StateRejected, tarspay.StateTimedOut}[d.IntN(4)],
		Told: d.oneIn(2),
	}
	if d.oneIn(6) {
		o.Amount = 3001 + d.Int64N(6500)
	}
	if named := scenes[o.Kind]; d.oneIn(4) {
		o.Scenario = named[d.IntN(len(named))]
	}
	if crashed := d.IntN(10); crashed < 2 {
		o.Events = append(o.Events, Event{At: o.Start - 2, Do: DoCrash, What: []string{"after", "before"}[crashed]})
	}
	for create := 1; d.oneIn(5); create++ {
		died := Death{Create: create, Sent: d.oneIn(2)}
		died.Late = !died.Sent && d.oneIn(2)
		o.Deaths = append(o.Deaths, died)
	}
	if d.oneIn(5) {
		o.Twins = append(o.Twins, 1+d.IntN(4))
	}
	d.decide(&o)
	for range d.IntN(3) {
		d.meddle(&o)
	}
	d.plan.Orders = append(d.plan.Orders, o)
}

// decide has somebody answer an order that needs approval.
func (d *lot) decide(o *Order) {
	if !d.plan.Policy {
		return
	}
	later := d.between(1, 7*hour)
	half := o.Start + later/2
	switch d.IntN(8) {
	case 0: // nobody answers
	case 1:
		o.Events = append(o.Events, Event{At: o.Start + later, Do: DoReject})
	default:
		o.Events = append(o.Events,
			Event{At: half, Do: DoApprove, What: "requester"}, Event{At: half, Do: DoApprove, What: "other"},
			Event{At: o.Start + later, Do: DoApprove})
	}
}

// lies are callbacks that somebody sends between the genuine ones. One with
// another payOrderId is left out: see keepable.
var lies = slices.DeleteFunc(slices.Sorted(maps.Keys(falsehoods)), func(name string) bool { return name == "changed-id" })

// meddle does something to an order at some time.
func (d *lot) meddle(o *Order) {
	at := o.Start + d.between(0, 10*minute)
	if d.oneIn(3) {
		at = o.Start + d.between(0, 30*hour)
	}
	lie := lies[d.IntN(len(lies))]
	e := Event{At: at}
	switch d.IntN(7) {
	case 0:
		e.Do = DoCancel
	case 1:
		e.Do = DoPoll
	case 2:
		e.Do = DoResolve
	case 3, 4:
		e.Do, e.What = DoLie, lie
	case 5:
		e.Do = DoRepeat
	case 6:
		e.Do, e.What = DoClash, []string{"amount", "details"}[d.IntN(2)]
	}
	o.Events = append(o.Events, e)
}

// Stories is the plan of so many orders of each story, of which nothing but
// callbacks brings anything to light for a day.
func Stories(seed uint64, each int) Plan {
	d := newLot(seed, 7)
	d.plan.Balance, d.plan.Policy, d.plan.Wait, d.plan.Patient = 1_000_000, true, true, true
	for _, name := range slices.Sorted(maps.Keys(plots)) {
		for i := range each {
			d.story(name, i)
		}
	}
	return d.plan
}

func (d *lot) drawStories() {
	d.plan.Balance, d.plan.Patient = 1_000_000, true
	d.plan.Policy, d.plan.Wait, d.plan.ConfirmAll = d.oneIn(2), d.oneIn(2), d.oneIn(3)
	names := slices.Sorted(maps.Keys(plots))
	for i := range 1 + d.IntN(4) {
		d.story(names[d.IntN(len(names))], i)
	}
}

// apart is what lies between the starts of orders that need not meet, in seconds.
// Within one second a slow activity lets the next order's moment come.
const apart = 10

// story adds an order with one. The last thing that the gateway has to say is
// told; whatever else is, is told once or several times, in any order, whether
// or not the create was answered.
func (d *lot) story(name string, i int) {
	p := plots[name]
	o := Order{
		Number: fmt.Sprintf("%s-%d", name, i), Kind: p.kind, Amount: storyAmount, Start: minute + apart*(i%4),
		Scenario: []string{"stuck,silent", "stuck,silent,lost-answer", "stuck,silent,exists-answer"}[d.IntN(3)],
		Story:    &Story{Name: name},
	}
	at := d.between(2*minute, 10*minute)
	for n := range p.moves {
		times := d.IntN(4)
		if n == len(p.moves)-1 {
			times = max(times, 1)
		}
		o.Story.Moves = append(o.Story.Moves, at)
		o.Story.Told = append(o.Story.Told, slices.Repeat([]Telling{{Move: n}}, times)...)
		at += d.between(1, 30*minute)
	}
	told := o.Story.Told
	d.Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
	for i := range told {
		at += []int{0, 0, 1, minute, d.between(0, hour), d.between(0, 10*hour)}[d.IntN(6)]
		told[i].At = at
	}
	d.plan.Orders = append(d.plan.Orders, o)
}

// Forgeries is the plan of orders in every state about which everything false
// is said.
func Forgeries() Plan {
	p := Plan{Balance: 1_000_000, Policy: true, Wait: true, Forge: hour}
	for _, scenario := range []string{"stuck", "success", "fail", "refund"} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			start := minute + apart*len(p.Orders)
			o := Order{Number: string(kind) + "-" + scenario, Kind: kind, Amount: 1500, Start: start, Scenario: scenario}
			if scenario == "stuck" {
				o.Events = []Event{{At: 2*hour + minute, Do: DoMove}}
			}
			p.Orders = append(p.Orders, o)
		}
	}
	return p
}

func (d *lot) drawForgeries() {
	seed := d.plan.Seed
	d.plan = Forgeries()
	d.plan.Seed = seed
	d.plan.Policy, d.plan.Wait, d.plan.ConfirmAll = d.oneIn(2), d.oneIn(2), d.oneIn(3)
	d.Shuffle(len(d.plan.Orders), func(i, j int) { d.plan.Orders[i], d.plan.Orders[j] = d.plan.Orders[j], d.plan.Orders[i] })
	d.plan.Orders = d.plan.Orders[:1+d.IntN(3)]
	d.plan.Forge = d.between(10*minute, 2*hour)
	for i := range d.plan.Orders {
		if len(d.plan.Orders[i].Events) > 0 {
			d.plan.Orders[i].Events[0].At = d.plan.Forge + hour + minute
		}
	}
}
