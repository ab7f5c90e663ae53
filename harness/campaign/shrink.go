package campaign

import (
	"maps"
	"slices"
	"strings"
)

// Bounds of reducing a plan.
const (
	maxTries    = 600 // worlds that are run
	shrinkTries = 2   // runs of one plan, because a world is not always deterministic
)

// shrink reduces a plan while it still violates the property. It removes orders, faults,
// scenarios, spells, deaths and events one by one, and resets settings to their defaults.
func shrink(plan Plan, violates func(Plan) bool) Plan {
	tries := 0
	still := func(p Plan) bool {
		for range shrinkTries {
			if tries++; tries > maxTries {
				return false
			}
			if violates(p) {
				return true
			}
		}
		return false
	}
	for smaller := true; smaller; {
		smaller = false
		for i := 0; ; {
			candidates := plan.reduced()
			if i >= len(candidates) {
				break
			}
			if still(candidates[i]) {
				plan, smaller = candidates[i], true
				continue // the next candidate is now at the same index
			}
			i++
		}
	}
	return plan
}

// clone returns a deep copy.
func (p Plan) clone() Plan {
	p.Orders = slices.Clone(p.Orders)
	for i, o := range p.Orders {
		p.Orders[i].Deaths, p.Orders[i].Twins, p.Orders[i].Events = slices.Clone(o.Deaths), slices.Clone(o.Twins), slices.Clone(o.Events)
		p.Orders[i].Unheard, p.Orders[i].Losses = slices.Clone(o.Unheard), slices.Clone(o.Losses)
		if o.Story != nil {
			story := *o.Story
			story.Moves, story.Told = slices.Clone(story.Moves), slices.Clone(story.Told)
			p.Orders[i].Story = &story
		}
	}
	p.Compare, p.Skew = slices.Clone(p.Compare), slices.Clone(p.Skew)
	p.Rates, p.Posts, p.Spells = maps.Clone(p.Rates), maps.Clone(p.Posts), slices.Clone(p.Spells)
	return p
}

// reduced returns the plans that lack one element of p, the largest reductions first.
func (p Plan) reduced() []Plan {
	var plans []Plan
	less := func(change func(*Plan)) {
		smaller := p.clone()
		change(&smaller)
		plans = append(plans, smaller)
	}
	if len(p.Orders) > 1 {
		for i := range p.Orders {
			less(func(p *Plan) { p.Orders = p.Orders[i : i+1] })
		}
	}
	if len(p.Rates) > 1 {
		less(func(p *Plan) { p.Rates = nil })
		less(func(p *Plan) { p.keepRates(true) })
		less(func(p *Plan) { p.keepRates(false) })
	}
	if len(p.Spells) > 1 {
		less(func(p *Plan) { p.Spells = nil })
	}
	if len(p.Orders) > 1 {
		for i := range p.Orders {
			less(func(p *Plan) { p.Orders = slices.Delete(p.Orders, i, i+1) })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Rates)) {
		less(func(p *Plan) { delete(p.Rates, name) })
	}
	for _, name := range slices.Sorted(maps.Keys(p.Posts)) {
		less(func(p *Plan) { delete(p.Posts, name) })
	}
	for i := range p.Spells {
		less(func(p *Plan) { p.Spells = slices.Delete(p.Spells, i, i+1) })
	}
	for i := range p.Orders {
		p.Orders[i].reduced(func(change func(*Order)) { less(func(p *Plan) { change(&p.Orders[i]) }) })
	}
	for _, setting := range []func(*Plan) *bool{
		func(p *Plan) *bool { return &p.Together }, func(p *Plan) *bool { return &p.Unopened },
		func(p *Plan) *bool { return &p.ConfirmAll }, func(p *Plan) *bool { return &p.Policy },
		func(p *Plan) *bool { return &p.Wait }, func(p *Plan) *bool { return &p.Patient },
		func(p *Plan) *bool { return &p.Unguarded },
	} {
		if *setting(&p) {
			less(func(p *Plan) { *setting(p) = false })
		}
	}
	if p.Fee != "" {
		less(func(p *Plan) { p.Fee = "" })
	}
	for i := range p.Compare {
		less(func(p *Plan) { p.Compare = slices.Delete(p.Compare, i, i+1) })
	}
	if len(p.Skew) > 0 {
		less(func(p *Plan) { p.Skew = nil })
	}
	if p.Older != nil {
		less(func(p *Plan) { p.Older = nil })
	}
	if p.Forge > 0 {
		less(func(p *Plan) { p.Forge = 0 })
	}
	return plans
}

// keepRates removes every second fault: those at even positions, or at odd ones.
func (p *Plan) keepRates(second bool) {
	for i, name := range slices.Sorted(maps.Keys(p.Rates)) {
		if (i%2 == 1) != second {
			delete(p.Rates, name)
		}
	}
}

// reduced calls less with each possible reduction of an order. A story keeps its moves and
// the callback of its last one, because its expected end depends on them.
func (o Order) reduced(less func(func(*Order))) {
	if len(o.Events) > 1 {
		less(func(o *Order) { o.Events = nil })
	}
	for i := range o.Events {
		less(func(o *Order) { o.Events = slices.Delete(o.Events, i, i+1) })
	}
	for i := range o.Deaths {
		less(func(o *Order) { o.Deaths = slices.Delete(o.Deaths, i, i+1) })
	}
	for i := range o.Twins {
		less(func(o *Order) { o.Twins = slices.Delete(o.Twins, i, i+1) })
	}
	for i := range o.Unheard {
		less(func(o *Order) { o.Unheard = slices.Delete(o.Unheard, i, i+1) })
	}
	for i := range o.Losses {
		less(func(o *Order) { o.Losses = slices.Delete(o.Losses, i, i+1) })
	}
	if o.Story != nil {
		for i, told := range o.Story.Told {
			if told.Move < len(o.Story.Moves)-1 {
				less(func(o *Order) { o.Story.Told = slices.Delete(o.Story.Told, i, i+1) })
			}
		}
	} else if o.Scenario != "" {
		less(func(o *Order) { o.Scenario = "" })
		parts := strings.Split(o.Scenario, ",")
		for i := range parts {
			if len(parts) > 1 {
				less(func(o *Order) { o.Scenario = strings.Join(slices.Delete(slices.Clone(parts), i, i+1), ",") })
			}
		}
	}
	if o.Again {
		less(func(o *Order) { o.Again = false })
	}
	if o.Told {
		less(func(o *Order) { o.Told = false })
	}
	if o.Heal != 0 {
		less(func(o *Order) { o.Heal = 0 })
	}
}
