package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// ErrNoOrder means the book has no such order.
var ErrNoOrder = errors.New("sandbox: no such order")

// plan enters what will happen to an order. The lock is held.
func (g *Gateway) plan(o *order, p plan) {
	o.StepSerial++
	o.Steps = g.steps(o, p.path)
	if len(o.Steps) > 0 {
		o.StepAt = g.clock.now().Add(o.Steps[0].Wait)
		g.awaitStep(o)
	}
	g.save(o)
}

// planOf is the plan of an order's scenario. The lock is held.
func (g *Gateway) planOf(o *order) plan {
	p, err := parseScenario(o.Scenario, o.Direction)
	if err != nil {
		// The text was valid when the order was created; only a state file of another version
		// can have an invalid one.
		g.log.Warn("scenario not known, the order goes on as usual", "id", o.ID, "scenario", o.Scenario)
	}
	return p
}

// steps turns a path into moves with times.
func (g *Gateway) steps(o *order, path []transition) []step {
	if path == nil {
		path = []transition{{state: tarspay.StateSucceeded, wait: 1}}
	}
	if len(path) > 0 && path[0].state == tarspay.StateCreated {
		return nil
	}
	delay := g.scaled(g.options.Delay)
	var steps []step
	begun := time.Duration(0)
	if o.State == tarspay.StateCreated && (len(path) == 0 || !path[0].expiry) {
		begun = delay / 2
		steps = append(steps, step{State: tarspay.StateInProgress, Wait: begun})
	}
	for _, h := range path {
		s := step{State: h.state, Wait: time.Duration(h.wait)*delay - begun, Part: h.part, Notice: time.Duration(h.notice) * delay}
		if h.expiry {
			s.Wait = o.ExpiresAt.Sub(g.clock.now())
		}
		if h.state == tarspay.StateTimedOut && !h.expiry {
			o.ExpiresAt = g.clock.now().Add(s.Wait + begun)
		}
		steps, begun = append(steps, s), 0
	}
	return steps
}

// awaitStep enters the order's next move. The lock is held.
func (g *Gateway) awaitStep(o *order) {
	serial := o.StepSerial
	g.at(o.StepAt, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if o.StepSerial == serial {
			for _, d := range g.takeStep(o) {
				g.awaitSend(d)
			}
		}
	})
}

// takeStep makes the order's next move, enters the one after it, and returns
// the callbacks the move causes. The lock is held.
func (g *Gateway) takeStep(o *order) []*Delivery {
	s := o.Steps[0]
	o.Steps = o.Steps[1:]
	if len(o.Steps) > 0 {
		// Counted from when this move was due: a clock that jumps ahead makes
		// all moves that lie in between.
		o.StepAt = o.StepAt.Add(o.Steps[0].Wait)
		g.awaitStep(o)
	}
	deliveries, err := g.move(o, s.State, o.share(g.book.accounts[o.Merchant], s.Part), s.Notice)
	if err != nil {
		g.log.Warn("planned move not made", "id", o.ID, "why", err)
	}
	return deliveries
}

// share returns a percentage of an order's amount in minor units; 0 means the whole amount. A
// part is neither zero nor the whole amount, if that is possible.
func (o *order) share(a *account, percent int) int64 {
	whole, step := o.Amount.Minor(), a.profile.Step()
	if percent == 0 {
		return whole
	}
	part := whole / 100 * int64(percent)
	part += whole % 100 * int64(percent) / 100
	return min(max(part-part%step, step), whole-step)
}

// move brings an order to a state and returns the callbacks that tell of it,
// held back for a while if asked. The lock is held.
func (g *Gateway) move(o *order, state tarspay.State, paid int64, held time.Duration) ([]*Delivery, error) {
	if err := g.book.move(o, state, paid, g.clock.now()); err != nil {
		return nil, err
	}
	g.log.Info("order moved", "merchant", o.Merchant, "number", o.Number, "id", o.ID, "state", state.String())
	var deliveries []*Delivery
	if g.callsBack(o, state) {
		deliveries = g.announce(o, held)
	}
	g.save(o)
	return deliveries, nil
}

// callsBack reports whether the state of an order is called back: its country's
// page lists it, or another country's does and the order's scenario wants it all
// the same.
func (g *Gateway) callsBack(o *order, state tarspay.State) bool {
	if !state.Meaning(o.Direction).CalledBack {
		return false
	}
	if n := g.planOf(o).notice; n != nil && n.undocumented {
		return true
	}
	listed := g.book.accounts[o.Merchant].profile.CallbackStates
	if o.Direction == tarspay.DirectionDeposit {
		return slices.Contains(listed.Deposit, state)
	}
	return slices.Contains(listed.Withdrawal, state)
}

// sendEarly ends an order that is to be called back before its create is
// answered, and waits until its callbacks have been sent once. The lock is not
// held.
func (g *Gateway) sendEarly(c *call) {
	if c.order == nil || !isCreate(c.operation.name) || c.planned.notice == nil || !c.planned.notice.early {
		return
	}
	var deliveries []*Delivery
	g.mu.Lock()
	for o := c.order; len(o.Steps) > 0 && o.open(); {
		o.StepSerial++ // what was entered for the step is stale
		deliveries = append(deliveries, g.takeStep(o)...)
	}
	g.mu.Unlock()
	for _, d := range deliveries {
		g.send(d)
	}
}

// Move brings an order to a state by hand; what was planned for it no longer
// happens. Paid is the amount that moved, in the country's currency: for a
// partial payment only, "" otherwise. The callback goes out as usual.
func (g *Gateway) Move(merchant, number string, state tarspay.State, paid string) (Order, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.book.find(key{merchant, number})
	if o == nil {
		return Order{}, ErrNoOrder
	}
	if err := g.moveByHand(o, state, paid); err != nil {
		return Order{}, err
	}
	return g.book.snapshot(o), nil
}

func (g *Gateway) moveByHand(o *order, state tarspay.State, paid string) error {
	minor := o.Amount.Minor()
	if paid != "" {
		parsed, err := parseMoney(g.book.accounts[o.Merchant].profile, paid)
		if err != nil {
			return fmt.Errorf("sandbox: paid: %w", err)
		}
		minor = parsed.Minor()
	}
	serial := o.StepSerial
	o.StepSerial++
	deliveries, err := g.move(o, state, minor, 0)
	if err != nil {
		o.StepSerial = serial
		return fmt.Errorf("sandbox: %w", err)
	}
	o.Steps = nil
	for _, d := range deliveries {
		g.awaitSend(d)
	}
	g.save(o)
	return nil
}

// SetScenario chooses what will happen to an order. If the number is not
// booked yet, the scenario counts when it is; if the order has not ended, what
// was planned for it is replaced.
func (g *Gateway) SetScenario(merchant, number, scenario string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.book.accounts[merchant] == nil {
		return fmt.Errorf("sandbox: there is no merchant %q", merchant)
	}
	k := key{merchant, number}
	o := g.book.find(k)
	if o == nil {
		return g.preset(k, scenario)
	}
	if !o.open() {
		return fmt.Errorf("sandbox: the order has ended (%s); move it instead", o.State)
	}
	p, err := parseScenario(scenario, o.Direction)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	o.Scenario = scenario
	g.plan(o, p)
	return nil
}

// preset keeps a scenario for a number that is yet to come. The lock is held.
func (g *Gateway) preset(k key, scenario string) error {
	if k.number == "" || len(k.number) > maxNumberBytes {
		return errors.New("sandbox: the order number is missing or too long")
	}
	_, deposit := parseScenario(scenario, tarspay.DirectionDeposit)
	if _, withdrawal := parseScenario(scenario, tarspay.DirectionWithdrawal); withdrawal != nil && deposit != nil {
		return fmt.Errorf("sandbox: %w", withdrawal)
	}
	t := g.book.triesOf(k)
	t.Preset = scenario
	g.journal.write(record{Merchant: k.merchant, Number: k.number, Tries: t})
	return nil
}
