package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// results holds the records at the end of a world.
type results struct {
	plan         Plan
	orders       []record
	book         sandbox.Book
	audit        sandbox.Audit
	balances     map[ledger.Account]int64 // minor units
	closed       bool                     // no order booked the opening balance
	verification verify.Report
	broken       []ledger.AuditBreak
	violations   []Violation // found while the world ran
	faults       int
	compared     *contract.ReconcileBalancesResult // nil: never
}

// record holds all records of one order.
type record struct {
	*trackedOrder
	row           order.Order
	steps         []ledger.Step
	submissions   []ledger.Submission
	callbacks     []ledger.InboxEntry
	discrepancies []ledger.Discrepancy
	booked        []sandbox.Order // the gateway's orders with its number
	wire          traffic
	transfers     []ledger.Transfer
}

// results reads the records.
func (w *world) results() *results {
	out := &results{plan: w.plan, book: w.gateway.Book(), audit: w.gateway.Audit(), balances: make(map[ledger.Account]int64)}
	balances, err := w.books.Balances(w.ctx, merchant, currency)
	if out.closed = w.plan.Unopened && errors.Is(err, ledger.ErrNotFound); !out.closed {
		w.must(err, "", "balances cannot be read")
	}
	for account, balance := range balances {
		out.balances[account] = balance.Minor()
	}
	out.verification, err = w.books.Verify(w.ctx)
	w.must(err, "", "the books cannot be verified")
	out.broken = w.verifyAudit().Broken
	for _, l := range w.orders {
		out.orders = append(out.orders, w.record(l))
	}
	for _, o := range out.book.Orders {
		out.faults += len(slices.DeleteFunc(strings.Split(o.Scenario, ","), func(part string) bool { return part == "success" }))
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	out.violations, out.compared = w.violations, w.report
	out.faults += w.faults
	return out
}

func (w *world) record(l *trackedOrder) record {
	r := record{trackedOrder: l, booked: w.gateway.Orders(merchant, l.Number)}
	w.mutex.Lock()
	if t := w.wire[l.Number]; t != nil {
		r.wire = *t
	}
	w.mutex.Unlock()
	key := l.request.Key()
	var err error
	r.row, err = w.books.Order(w.ctx, key)
	w.must(err, l.Number, "the order cannot be read")
	r.steps, err = w.books.History(w.ctx, key)
	w.must(err, l.Number, "its history cannot be read")
	r.submissions, err = w.books.Submissions(w.ctx, key)
	w.must(err, l.Number, "its submissions cannot be read")
	r.transfers, err = w.books.Transfers(w.ctx, key)
	w.must(err, l.Number, "its transfers cannot be read")
	r.callbacks, err = w.books.Callbacks(w.ctx, key)
	w.must(err, l.Number, "its callbacks cannot be read")
	r.discrepancies, err = w.books.Discrepancies(w.ctx, ledger.DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number})
	w.must(err, l.Number, "its discrepancies cannot be read")
	return r
}

// report checks the properties.
func (c *results) report() Report {
	r := Report{Orders: len(c.orders), Faults: c.faults, Violations: c.violations, Ends: make(map[string]order.State)}
	for _, judged := range properties {
		r.Violations = append(r.Violations, c.judge(judged.name, judged.judge)...)
	}
	digest := sha256.New()
	for _, o := range c.orders {
		r.Ends[o.Number] = o.row.State
		o.row.Instructions = nil
		_, _ = fmt.Fprintf(digest, "%+v\n%+v\n%+v\n%+v\n%d %d\n", o.row.Standing, o.steps, o.submissions, o.transfers, o.wire.creates, len(o.callbacks))
	}
	r.Digest = hex.EncodeToString(digest.Sum(nil)[:8])
	return r
}

// end returns the step that ended the order: its last step, not counting a refund.
func (r record) end() ledger.Step {
	steps := slices.DeleteFunc(slices.Clone(r.steps), func(s ledger.Step) bool { return s.To == order.Refunded })
	if len(steps) == 0 {
		return ledger.Step{}
	}
	return steps[len(steps)-1]
}

func (r record) has(code string) bool {
	return slices.ContainsFunc(r.discrepancies, func(d ledger.Discrepancy) bool { return d.Code == code })
}

// paid reports whether the gateway ever paid the order (even if it returned the payment
// later), and whether it had reported it unpaid before.
func (r record) paid() (paid, afterAll bool) {
	for _, booked := range r.booked {
		ended := false
		for _, m := range booked.Movements {
			ended = ended || m.State.Final(booked.Direction) && !m.State.Paid()
			afterAll = afterAll || ended && m.State.Paid()
		}
		paid = paid || len(booked.PaidAt) > 0
	}
	return paid, afterAll
}
