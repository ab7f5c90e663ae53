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

// generator makes a plan at random.
type generator struct {
	*rand.Rand
	plan Plan
}

func newLot(seed, stream uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, stream)), plan: Plan{Seed: seed}}
}

// between returns a number from from, below to.
func (d *generator) between(from, to int) int { return from + d.IntN(to-from) }

// oneIn is true with probability 1/n.
func (d *generator) oneIn(n int) bool { return d.IntN(n) == 0 }

// Crowd returns a plan of many orders, with each fault of the gateway at a low rate. If
// strict is true, the gateway accepts a number twice.
func Crowd(seed uint64, orders int, strict bool) Plan {
	d := newLot(seed, 1)
	d.plan.Balance, d.plan.Policy, d.plan.Wait, d.plan.Unguarded = 10_000, true, true, strict
	d.plan.Rates = sandbox.EveryFault(12)
	for _, name := range merchantFaults {
		d.plan.Rates[name] = 3
	}
	d.removeUnprovable()
	for i := range orders {
		d.addOrder(i)
	}
	for _, name := range []string{"outage", "key-expired", "rate-limited", "signature-refused"} {
		d.addSpell(name, 3*hour, minute, 20*minute)
	}
	d.addSpell(SpellDrain, hour, 10*minute, 10*hour)
	d.drawMore()
	d.drawFee()
	return d.plan
}

// merchantFaults are faults that pause all orders of the merchant.
var merchantFaults = []string{"key-expired", "ip-refused", "merchant-disabled"}

// hugeFaults send many megabytes. They take more time than all other faults together.
var hugeFaults = []string{"huge-answer", "endless-answer", "huge-callback"}

// removeUnprovable removes faults against which no program could keep the properties. A
// gateway that hides an order for longer than the grace and accepts a number twice pays
// twice. And as long as an order has no payOrderId, a wrong one cannot be detected.
func (d *generator) removeUnprovable() {
	delete(d.plan.Rates, "changed-id")
	if d.plan.Unguarded {
		delete(d.plan.Rates, "hidden")
	}
}

// addSpell adds a spell that begins before by and lasts from shortest to longest.
func (d *generator) addSpell(name string, by, shortest, blockingFaults int) {
	from := d.between(0, by)
	d.plan.Spells = append(d.plan.Spells, Spell{Name: name, From: from, To: from + d.between(shortest, blockingFaults)})
}

// Draw returns the plan of a small world for a seed: a few orders with many faults each.
// Most plans mix all kinds of orders and faults. Some have stories (see Story), and some
// send every forged callback at once.
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
	d.drawFee()
	return d.plan
}

// drawFee selects the fee that is expected: none, what the sandbox charges, more, or less.
// It is drawn last, so that a seed's orders and faults do not depend on it.
func (d *generator) drawFee() {
	d.plan.Fee = []string{"", "", "1%", "1%", "3%+5", "0.5%:round=down"}[d.IntN(6)]
}

func (d *generator) drawWorld() {
	d.plan.Balance = []int64{1_000, 4_000, 10_000, 10_000, 1_000_000}[d.IntN(5)]
	d.plan.Policy, d.plan.Wait, d.plan.ConfirmAll = d.oneIn(2), d.oneIn(2), d.oneIn(3)
	d.plan.Patient, d.plan.Unguarded, d.plan.Together = d.oneIn(10), d.oneIn(3), d.oneIn(10)
	d.drawRates()
	d.removeUnprovable()
	for i := range 1 + d.IntN(4) {
		d.addOrder(i)
	}
	d.drawSpells()
	d.drawMore()
}

// drawRates selects the rates: all faults at a low rate, a few at a high rate, or none.
func (d *generator) drawRates() {
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
	for _, name := range slices.Concat(merchantFaults, hugeFaults) {
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

// drawSpells adds spells, early enough to affect the orders.
func (d *generator) drawSpells() {
	for _, name := range []string{
		"outage", "key-expired", "rate-limited", "signature-refused", "merchant-disabled", "ip-refused", "lying-balance",
		SpellDeaf, SpellTemporal,
	} {
		if d.oneIn(6) {
			d.addSpell(name, 2*hour, minute, []int{20 * minute, 3 * hour}[d.IntN(2)])
		}
	}
	drained := d.oneIn(4)
	if drained {
		d.addSpell(SpellDrain, 2*hour, 10*minute, 10*hour)
	}
	// The opening balance must be right, so unopened excludes faults of the balance.
	forgedCallbacks := drained || d.plan.Rates["lying-balance"] > 0 ||
		slices.ContainsFunc(d.plan.Spells, func(s Spell) bool { return s.Name == "lying-balance" })
	d.plan.Unopened = !forgedCallbacks && d.oneIn(4)
}

// drawMore adds faults of workflows, workers and the ledger. It uses a random stream of its
// own, so that a change here does not change the rest of a seed's plan.
func (d *generator) drawMore() {
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
		d.addSpell(SpellLedger, 2*hour, 5, []int{minute, 20 * minute, 3 * hour}[d.IntN(3)])
	}
	if d.oneIn(10) { // a spell that is longer than the horizon
		name := blockingFaults[d.IntN(len(blockingFaults))]
		d.plan.Spells = append(d.plan.Spells, Spell{Name: name, From: d.between(0, 2*hour), To: d.between(27*hour, 33*hour)})
	}
	for i := range d.plan.Orders {
		d.drawDisturbances(&d.plan.Orders[i])
	}
	if d.plan.Unguarded && !d.plan.Unopened && d.oneIn(5) {
		d.drawOlder()
	}
	d.leaveOut()
}

// drawOlder adds a restore of an older copy of the ledger, around the time when one of the
// orders is sent. No order's workflow is run a second time then.
func (d *generator) drawOlder() {
	p := &d.plan
	copied := max(p.Orders[d.IntN(len(p.Orders))].Start+d.between(-10*minute, []int{2, 20 * minute}[d.IntN(2)]), 1)
	lost := copied + d.between(1, []int{10 * minute, 3 * hour}[d.IntN(2)])
	p.Older = &Older{Copied: copied, Lost: lost, Restored: lost + d.between(minOutage, []int{10 * minute, hour}[d.IntN(2)])}
	for i := range p.Orders {
		p.Orders[i].Again = false
	}
}

// leaveOut removes the excluded elements from a plan.
func (d *generator) leaveOut() {
	p := &d.plan
	if slices.Contains(excluded, comparing) {
		p.Compare = nil
	}
	if slices.Contains(excluded, skews) {
		p.Skew = nil
	}
	if slices.Contains(excluded, olderCopies) {
		p.Older = nil
	}
	p.Spells = slices.DeleteFunc(p.Spells, func(s Spell) bool {
		return slices.Contains(excluded, s.Name) || slices.Contains(excluded, longerThanHorizon) && s.To-s.From > 20*hour
	})
	for i := range p.Orders {
		o := &p.Orders[i]
		if slices.Contains(excluded, losses) {
			o.Losses = nil
		}
		if slices.Contains(excluded, unheards) {
			o.Unheard = nil
		}
		o.Events = slices.DeleteFunc(o.Events, func(e Event) bool {
			return slices.Contains(excluded, e.Do) || slices.Contains(excluded, e.Do+"/"+e.What)
		})
	}
}

// excluded names elements that are removed from plans, because they reveal a bug that is
// known and not fixed yet. It is empty unless somebody works on such a bug.
var excluded = []string{}

// Further values of excluded, besides actions and spells.
const (
	longerThanHorizon = "longer-than-horizon" // spells that last longer than the horizon
	withoutRow        = "without-row"         // the check that the queue shows an order that the ledger lacks
	losses            = "losses"
	unheards          = "unheard"
	comparing         = "compare"
	skews             = "skew"
	olderCopies       = "older"
)

// blockingFaults are faults of the merchant that may last longer than the horizon.
var blockingFaults = []string{"key-expired", "ip-refused", "merchant-disabled", "signature-refused"}

// drawDisturbances adds terminations of an order's workflow, ledger failures, and messages
// and actions besides the usual ones.
func (d *generator) drawDisturbances(o *Order) {
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

// preferredScenarios are scenarios that the rates would select too seldom.
var preferredScenarios = map[order.Kind][]string{
	order.Withdrawal: {
		"stuck,silent", "stuck-created,silent", "flip", "refund", "out-of-order", "late-booking,silent-success", "lost-request:3",
		"balance-short", "refuse", "reject", "lost-answer,fail", "early-callback", "exists-answer", "lost-answer,query-error:9,silent-success",
	},
	order.Deposit: {
		"stuck,silent", "flip", "refund", "partial:40", "expire", "paid-after-expiry", "cancel", "lost-answer,partial:10",
		"unnoticed", "early-callback,refund", "late-booking",
	},
}

// addOrder adds an order with its events.
func (d *generator) addOrder(i int) {
	o := Order{
		Number: fmt.Sprintf("P-%03d", i), Kind: []order.Kind{order.Withdrawal, order.Deposit}[d.IntN(2)],
		Amount: 500 + d.Int64N(2500), Start: d.between(minute, 2*hour), Again: d.oneIn(8),
		Heal: []tarspay.State{tarspay.StateSucceeded, tarspay.StateFailed, tarspay.StateRejected, tarspay.StateTimedOut}[d.IntN(4)],
		Told: d.oneIn(2),
	}
	if d.oneIn(6) {
		o.Amount = 3001 + d.Int64N(6500)
	}
	if named := preferredScenarios[o.Kind]; d.oneIn(4) {
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
	d.addApproval(&o)
	for range d.IntN(3) {
		d.addEvent(&o)
	}
	d.plan.Orders = append(d.plan.Orders, o)
}

// addApproval adds the events that approve or reject an order, if the plan has a policy.
func (d *generator) addApproval(o *Order) {
	if !d.plan.Policy {
		return
	}
	later := d.between(1, 7*hour)
	half := o.Start + later/2
	switch d.IntN(8) {
	case 0: // neither approved nor rejected
	case 1:
		o.Events = append(o.Events, Event{At: o.Start + later, Do: DoReject})
	default:
		o.Events = append(o.Events,
			Event{At: half, Do: DoApprove, What: "requester"}, Event{At: half, Do: DoApprove, What: "other"},
			Event{At: o.Start + later, Do: DoApprove})
	}
}

// forgedCallbacks are the forged callbacks that events may send. The one with a wrong
// payOrderId is left out: see removeUnprovable.
var forgedCallbacks = slices.DeleteFunc(slices.Sorted(maps.Keys(forgedCodes)), func(name string) bool { return name == "changed-id" })

// addEvent adds one event to an order.
func (d *generator) addEvent(o *Order) {
	at := o.Start + d.between(0, 10*minute)
	if d.oneIn(3) {
		at = o.Start + d.between(0, 30*hour)
	}
	lie := forgedCallbacks[d.IntN(len(forgedCallbacks))]
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

// Stories returns a plan with a number of orders for each story. For a day no order is
// queried, so only callbacks report their states.
func Stories(seed uint64, each int) Plan {
	d := newLot(seed, 7)
	d.plan.Balance, d.plan.Policy, d.plan.Wait, d.plan.Patient = 1_000_000, true, true, true
	for _, name := range slices.Sorted(maps.Keys(stories)) {
		for i := range each {
			d.addStory(name, i)
		}
	}
	return d.plan
}

func (d *generator) drawStories() {
	d.plan.Balance, d.plan.Patient = 1_000_000, true
	d.plan.Policy, d.plan.Wait, d.plan.ConfirmAll = d.oneIn(2), d.oneIn(2), d.oneIn(3)
	names := slices.Sorted(maps.Keys(stories))
	for i := range 1 + d.IntN(4) {
		d.addStory(names[d.IntN(len(names))], i)
	}
}

// startGap is the time between the starts of independent orders, in seconds. With less, the
// next order could start while a slow activity of the previous one runs.
const startGap = 10

// addStory adds an order with a story. The last state gets at least one callback, each
// other state none or several, in any order. The create may be answered or not.
func (d *generator) addStory(name string, i int) {
	p := stories[name]
	o := Order{
		Number: fmt.Sprintf("%s-%d", name, i), Kind: p.kind, Amount: storyAmount, Start: minute + startGap*(i%4),
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

// Forgeries returns a plan with orders in several states, for each of which every forged
// callback is sent.
func Forgeries() Plan {
	p := Plan{Balance: 1_000_000, Policy: true, Wait: true, Forge: hour}
	for _, scenario := range []string{"stuck", "success", "fail", "refund"} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			start := minute + startGap*len(p.Orders)
			o := Order{Number: string(kind) + "-" + scenario, Kind: kind, Amount: 1500, Start: start, Scenario: scenario}
			if scenario == "stuck" {
				o.Events = []Event{{At: 2*hour + minute, Do: DoMove}}
			}
			p.Orders = append(p.Orders, o)
		}
	}
	return p
}

func (d *generator) drawForgeries() {
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
