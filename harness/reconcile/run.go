// Package reconcile plants discrepancies of every class among many orders, has the
// workflows compare balances, transactions and statements, and checks that each one is
// found once and under its class, that nothing else is, and that exactly those heal that
// new evidence explains.
package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Options of a run.
type Options struct {
	Seed        uint64
	Orders      int       // made and taken to their ends, all outcomes
	Planted     int       // discrepancies; at least one of each kind
	DatabaseURL string    // an empty database; empty: a file of SQLite that is removed
	Progress    io.Writer // one line for each step; nil: none

	before func(step string, r *run) error // a test's own mistake; nil: none
}

// Summary is what a run prints.
type Summary struct {
	Test      string `json:"reconcile"`
	Seed      uint64 `json:"seed"`
	Ledger    string `json:"ledger"`
	Orders    int    `json:"orders"`
	Planted   int    `json:"planted"`
	Classes   int    `json:"classes"` // planted ones
	Kinds     int    `json:"kinds"`   // ways to make a discrepancy
	CleanOnes int    `json:"clean_found"`
	Found     int    `json:"found"` // once, under the class that was planted
	Missed    int    `json:"missed"`
	Invented  int    `json:"invented"` // found and not planted, or found again
	Healed    int    `json:"healed"`
	Booked    int    `json:"booked"`      // closed by an adjustment of two persons
	Open      int    `json:"open"`        // no evidence closes them
	Wrong     int    `json:"wrong_state"` // closed and not explained, or explained and not closed
	Faults    int    `json:"ledger_faults"`
	compared
	Seconds int `json:"seconds"`
}

// Run makes a run, and prints its summary as one line of JSON. The error names the seed and
// every difference.
func Run(ctx context.Context, out io.Writer, o Options) (err error) {
	if o.Planted < len(kinds) || o.Orders < 1 {
		return fmt.Errorf("there are %d kinds of discrepancies: plant at least one of each, among at least one order", len(kinds))
	}
	r := &run{Options: o, began: time.Now(), Summary: Summary{
		Test: "summary", Seed: o.Seed, Ledger: "postgres", Orders: o.Orders, Planted: o.Planted, Kinds: len(kinds),
	}}
	if o.DatabaseURL == "" || strings.HasPrefix(o.DatabaseURL, "sqlite:") {
		r.Ledger = "sqlite"
	}
	if o.DatabaseURL == "" {
		dir, err := os.MkdirTemp("", "payouts-planted-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		r.DatabaseURL = "sqlite:" + filepath.Join(dir, "ledger.db")
	}
	r.sow()
	if r.world, err = openWorld(ctx, r.DatabaseURL, o.Seed, r.small()); err == nil {
		err = errors.Join(r.steps(ctx), r.world.close())
	}
	if err != nil {
		return fmt.Errorf("seed %d: %w", o.Seed, errors.Join(r.differences(), err))
	}
	r.Summary.compared = r.world.compared
	r.Seconds = int(time.Since(r.began) / time.Second)
	if err := json.NewEncoder(out).Encode(r.Summary); err != nil {
		return err
	}
	if err := r.differences(); err != nil {
		return fmt.Errorf("seed %d: %w", o.Seed, err)
	}
	return nil
}

type run struct {
	Options
	Summary
	*world
	began  time.Time
	plants []*plant
	silent []order.Request // refunded at the gateway, without a word: no discrepancies
	wrong  []string
}

// fail counts and tells a difference, once however often it is seen.
func (r *run) fail(counter *int, format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	if slices.Contains(r.wrong, text) {
		return
	}
	*counter++
	r.wrong = append(r.wrong, text)
}

// differences is an error that tells the first differences, or nil.
func (r *run) differences() error {
	if len(r.wrong) == 0 {
		return nil
	}
	text := strings.Join(r.wrong[:min(len(r.wrong), maxTold)], "\n")
	if more := len(r.wrong) - maxTold; more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	return errors.New(text)
}

const maxTold = 40

func (r *run) say(what string) {
	if r.Progress != nil {
		_, _ = fmt.Fprintf(r.Progress, "%6.1fs %s\n", time.Since(r.began).Seconds(), what)
	}
}

// sow decides what is planted: the kinds in turn, each at its merchants in turn.
func (r *run) sow() {
	turns := make(map[string]int)
	first := rand.New(rand.NewPCG(r.Options.Seed, 20)) //nolint:gosec // a run is repeated by its seed
	for _, k := range kinds {
		turns[k.name] = first.IntN(len(everywhere))
	}
	classes := make(map[string]bool)
	for i := range r.Options.Planted {
		k := kinds[i%len(kinds)]
		p := &plant{kind: k, number: fmt.Sprintf("%s-%d", k.name, i)}
		if k.small() {
			p.merchant = fmt.Sprintf("M18%08d", i)
		} else {
			p.merchant = k.merchants[turns[k.name]%len(k.merchants)]
		}
		turns[k.name]++
		classes[k.code] = true
		r.plants = append(r.plants, p)
	}
	r.Classes = len(classes)
}

// small are the merchants whose balance differs, and as many whose balance does not.
func (r *run) small() (merchants []string) {
	for i, p := range r.plants {
		if p.kind.small() {
			merchants = append(merchants, p.merchant, fmt.Sprintf("M19%08d", i))
		}
	}
	return merchants
}

// The steps of a run.
const (
	making            = "making the orders"
	comparingAgreed   = "comparing what agrees"
	planting          = "planting"
	comparing         = "comparing"
	comparingAgain    = "comparing again, from the beginning"
	repairing         = "repairing"
	comparingRepaired = "comparing what is repaired"
	verifying         = "verifying the ledger"
)

func (r *run) steps(ctx context.Context) error {
	begin := r.now()
	steps := []struct {
		what string
		do   func() error
	}{
		{making, func() error { return r.trade(ctx, r.Options.Orders) }},
		{comparingAgreed, func() error { return r.clean(ctx) }},
		{planting, func() error { return r.plantAll(ctx) }},
		{comparing, func() error { return r.compare(ctx, time.Time{}, false) }},
		{comparingAgain, func() error { return r.compare(ctx, begin, true) }},
		{repairing, func() error { return r.repairAll(ctx) }},
		{comparingRepaired, func() error { return r.repaired(ctx, begin) }},
		{verifying, func() error { return r.verify(ctx) }},
	}
	for _, step := range steps {
		r.say(step.what)
		var err error
		if r.before != nil {
			err = r.before(step.what, r)
		}
		if err == nil {
			err = step.do()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// clean demands that nothing is found where both sides agree.
func (r *run) clean(ctx context.Context) error {
	balances, err := r.takeRoads(ctx, time.Time{}, nil, func() error { return nil })
	if err != nil {
		return err
	}
	for _, s := range balances.Snapshots {
		if s.Verdict != order.Agreed {
			r.fail(&r.CleanOnes, "nothing is planted, and the balance of %s is %s, by %s", s.Merchant, s.Verdict, s.Drift)
		}
	}
	for _, merchant := range balances.Unreachable {
		r.fail(&r.CleanOnes, "nothing is planted, and the balance of %s cannot be read", merchant)
	}
	found, err := r.found(ctx)
	for _, d := range found {
		r.fail(&r.CleanOnes, "nothing is planted, and this is found: %s", sayFound(d))
	}
	return err
}

// plantAll takes the orders that are to differ to their ends, and makes them differ.
func (r *run) plantAll(ctx context.Context) error {
	r.pass(3 * lag)
	var batch []order.Request
	for _, p := range r.plants {
		p.request = r.request(cmp.Or(p.kind.direction, order.Deposit), p.merchant, p.number, cmp.Or(p.kind.scenario, "success"))
		if p.kind.scenario != "" {
			batch = append(batch, p.request)
		}
	}
	for i := range len(r.plants) / 10 {
		r.silent = append(r.silent, r.request(order.Withdrawal, everywhere[i%len(everywhere)], fmt.Sprintf("silent-%d", i), "success"))
	}
	if err := r.settle(ctx, append(batch, r.silent...)); err != nil {
		return err
	}
	for _, refunded := range r.silent {
		if _, err := r.gateway.Move(refunded.Merchant, refunded.Number, tarspay.StateRefunded, ""); err != nil {
			return err
		}
	}
	for _, p := range r.plants {
		if p.kind.apply == nil {
			continue
		}
		if err := p.kind.apply(ctx, r.world, p); err != nil {
			return fmt.Errorf("plant %s: %w", p, err)
		}
	}
	r.pass(3 * lag)
	return r.trade(ctx, len(everywhere)*8) // a statement tells of what is missing between its first and its last line
}

// changes are what the statements say otherwise.
func (r *run) changes(but func(kind) bool) map[string]func(exportedLine) bool {
	changed := make(map[string]func(exportedLine) bool)
	for _, p := range r.plants {
		if p.kind.line != nil && !but(p.kind) {
			changed[p.number] = p.kind.line
		}
	}
	return changed
}

// compare demands that exactly what is planted is found, and all of it open. again says that
// all of it was found before: then it is open at every moment.
func (r *run) compare(ctx context.Context, from time.Time, again bool) error {
	open := func(*plant) order.DiscrepancyState { return order.DiscrepancyOpen }
	looked := func() error { return nil }
	if again {
		looked = func() error { return r.judge(ctx, open) }
	}
	balances, err := r.takeRoads(ctx, from, r.changes(func(kind) bool { return false }), looked)
	if err == nil {
		err = r.judge(ctx, open)
	}
	if err == nil {
		err = r.judgeSilent(ctx)
	}
	if err != nil {
		return err
	}
	return r.judgeBalances(ctx, balances, func(*plant) bool { return true })
}

// judgeSilent demands that a refund that nobody told of is booked.
func (r *run) judgeSilent(ctx context.Context) error {
	for _, request := range r.silent {
		o, err := r.books.Order(ctx, request.Key())
		if err != nil {
			return err
		}
		if o.State != order.Refunded {
			r.fail(&r.Missed, "order %s of %s is refunded at the gateway, and %s here", o.Number, o.Merchant, o.State)
		}
	}
	return nil
}

func (r *run) repairAll(ctx context.Context) error {
	for _, p := range r.plants {
		if p.kind.repair == nil {
			continue
		}
		if err := p.kind.repair(ctx, r.world, p); err != nil {
			return fmt.Errorf("repair %s: %w", p, err)
		}
	}
	return nil
}

// repaired demands that what is explained is closed, and everything else is open.
func (r *run) repaired(ctx context.Context, begin time.Time) error {
	right := r.changes(func(k kind) bool { return k.repair != nil })
	balances, err := r.takeRoads(ctx, begin, right, func() error { return nil })
	if err == nil {
		err = r.judge(ctx, func(p *plant) order.DiscrepancyState { return cmp.Or(p.kind.ends, order.DiscrepancyOpen) })
	}
	if err != nil {
		return err
	}
	return r.judgeBalances(ctx, balances, func(p *plant) bool { return p.kind.ends == "" })
}

// judge compares what is on record with what is planted, and counts.
func (r *run) judge(ctx context.Context, state func(*plant) order.DiscrepancyState) error {
	found, err := r.found(ctx)
	if err != nil {
		return err
	}
	left := make(map[string][]ledger.Discrepancy)
	r.Found, r.Healed, r.Booked, r.Open = 0, 0, 0, 0
	for _, d := range found {
		name := d.Code + " " + d.Key.Merchant + " " + d.Key.Number
		left[name] = append(left[name], d)
	}
	for _, p := range r.plants {
		name := p.String()
		switch {
		case p.kind.code == drift:
		case len(left[name]) == 0:
			r.fail(&r.Missed, "planted as %s and not found: %s", p.kind.name, p)
		default:
			r.count(p, left[name][0], state(p))
			left[name] = left[name][1:]
		}
	}
	for _, rest := range left {
		for _, d := range rest {
			r.fail(&r.Invented, "not planted, and found: %s", sayFound(d))
		}
	}
	return nil
}

// count counts a discrepancy that was planted and found.
func (r *run) count(p *plant, d ledger.Discrepancy, want order.DiscrepancyState) {
	r.Found++
	switch d.State {
	case order.DiscrepancyHealed:
		r.Healed++
	case order.DiscrepancyAccepted:
		r.Booked++
	default: // nobody works on it
		r.Open++
	}
	if d.State != want {
		r.fail(&r.Wrong, "planted as %s, and it is %s and not %s: %s", p.kind.name, d.State, want, sayFound(d))
	}
}

// judgeBalances compares the balances' verdicts with what is planted, and counts. differs
// says whether one still differs.
func (r *run) judgeBalances(ctx context.Context, result contract.ReconcileBalancesResult, differs func(*plant) bool) error {
	planted, unreadable := make(map[string]*plant), make(map[string]bool)
	for _, p := range r.plants {
		switch {
		case p.kind.code == drift:
			planted[p.merchant] = p
		case p.kind.small() && differs(p):
			unreadable[p.merchant] = true
		}
	}
	for _, merchant := range result.Unreachable {
		if !unreadable[merchant] {
			r.fail(&r.Invented, "the balance of %s cannot be read: %s", merchant, result.Problems[merchant])
		}
		delete(unreadable, merchant)
	}
	for merchant := range unreadable {
		r.fail(&r.Missed, "the balance of %s is no amount, and it was read", merchant)
	}
	for _, s := range result.Snapshots {
		if slices.Contains(everywhere, s.Merchant) {
			if err := r.judgeSum(ctx, s); err != nil {
				return err
			}
			continue
		}
		p := planted[s.Merchant]
		r.judgeDrift(s, p, p != nil && differs(p))
	}
	return nil
}

// judgeDrift judges the balance of a merchant without orders. p is what is planted in it, or
// nil.
func (r *run) judgeDrift(s order.Snapshot, p *plant, differs bool) {
	switch {
	case differs && (s.Verdict != order.Drifting || s.Drift.String() != p.about):
		r.fail(&r.Missed, "the balance of %s differs by %s, and it is %s, by %s", s.Merchant, p.about, s.Verdict, s.Drift)
	case differs:
		r.Found++
		r.Open++
	case s.Verdict != order.Agreed:
		r.fail(&r.Invented, "the balance of %s agrees, and it is %s, by %s", s.Merchant, s.Verdict, s.Drift)
	case p != nil:
		r.Found++
		r.Healed++
	}
}

// judgeSum compares the difference of a merchant with orders with both books.
func (r *run) judgeSum(ctx context.Context, s order.Snapshot) error {
	ours, err := r.books.Balances(ctx, s.Merchant, s.Currency)
	if err != nil {
		return err
	}
	for _, m := range r.gateway.Book().Merchants {
		if m.Merchant != s.Merchant {
			continue
		}
		differs := m.Available.Minor() + m.Frozen.Minor() - ours[ledger.AccountAvailable].Minor() - ours[ledger.AccountInFlight].Minor()
		if s.Drift.Minor() != differs {
			r.fail(&r.Missed, "the balance of %s differs by %d minor units, and %s is found", s.Merchant, differs, s.Drift)
		}
	}
	return nil
}

// found are all discrepancies on record.
func (r *run) found(ctx context.Context) (all []ledger.Discrepancy, err error) {
	filter := ledger.DiscrepancyFilter{Limit: ledger.MaxPage}
	for {
		page, err := r.books.Discrepancies(ctx, filter)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		filter.Before = page[len(page)-1].ID
	}
}

func sayFound(d ledger.Discrepancy) string {
	return fmt.Sprintf("%s %s %s (%s), %s: %s", d.Code, d.Key.Merchant, d.Key.Number, d.Mark, d.State, d.Detail)
}

// verify demands that the ledger and its audit agree with themselves.
func (r *run) verify(ctx context.Context) error {
	v, err := r.books.Verify(ctx)
	if err != nil {
		return err
	}
	audit, err := r.books.VerifyAudit(ctx, ledger.AuditEvidence{})
	if err != nil {
		return err
	}
	for _, violation := range v.Violations {
		r.fail(&r.Faults, "the ledger contradicts itself: %v", violation)
	}
	for _, broken := range audit.Broken {
		r.fail(&r.Faults, "the audit is broken: %v", broken)
	}
	return nil
}
