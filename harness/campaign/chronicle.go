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
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// chronicle is what is on record when a world has come to rest.
type chronicle struct {
	plan         Plan
	orders       []record
	book         sandbox.Book
	audit        sandbox.Audit
	balances     map[ledger.Account]int64 // minor units
	closed       bool                     // no order has opened the books
	verification ledger.Verification
	broken       []ledger.AuditBreak
	accused      []Violation // while the world lived
	faults       int
	compared     *contract.ReconcileBalancesResult // nil: never
}

// record is all that is known of one order.
type record struct {
	*life
	row           order.Order
	steps         []ledger.Step
	submissions   []ledger.Submission
	callbacks     []ledger.InboxEntry
	discrepancies []ledger.Discrepancy
	booked        []sandbox.Order // at the gateway
	wire          traffic
	transfers     []ledger.Transfer
}

// chronicle writes down what is on record.
func (w *world) chronicle() *chronicle {
	told := &chronicle{plan: w.plan, book: w.gateway.Book(), audit: w.gateway.Audit(), balances: make(map[ledger.Account]int64)}
	balances, err := w.books.Balances(w.ctx, merchant, currency)
	if told.closed = w.plan.Unopened && errors.Is(err, ledger.ErrNotFound); !told.closed {
		w.must(err, "", "balances cannot be read")
	}
	for account, balance := range balances {
		told.balances[account] = balance.Minor()
	}
	told.verification, err = w.books.Verify(w.ctx)
	w.must(err, "", "the books cannot be verified")
	report, err := w.books.VerifyAudit(w.ctx)
	w.must(err, "", "the audit cannot be verified")
	told.broken = report.Broken
	for _, l := range w.lives {
		told.orders = append(told.orders, w.record(l))
	}
	for _, o := range told.book.Orders {
		told.faults += len(slices.DeleteFunc(strings.Split(o.Scenario, ","), func(part string) bool { return part == "success" }))
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	told.accused, told.compared = w.accused, w.report
	told.faults += w.faults
	return told
}

func (w *world) record(l *life) record {
	r := record{life: l, booked: w.gateway.Orders(merchant, l.Number)}
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

// report judges what is on record.
func (c *chronicle) report() Report {
	r := Report{Orders: len(c.orders), Faults: c.faults, Violations: c.accused, Ends: make(map[string]order.State)}
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

// end is the step that ended the order: the last one but a refund.
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

// paid is whether money moved at the gateway for good or for a while, and
// whether the gateway had said before that none would.
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
