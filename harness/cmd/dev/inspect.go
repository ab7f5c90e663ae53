package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// result is the result of an order, in the ledger and in the gateway's records.
type result struct {
	row     order.Order
	source  rules.Source // of the proof it ended on
	booked  int          // orders that the gateway booked under its number
	creates int          // creates that reached the gateway
	paid    int          // how often the gateway moved its money
	sent    time.Time    // when the gateway booked it; zero: never
}

// findings are the results that are not about a single order.
type findings struct {
	audit   sandbox.Audit
	sum     int64 // of all accounts of the ledger, in minor units
	balance contract.ReconcileBalancesResult
	forged  int
	// delivered is the number of events that the webhook receiver took, each counted once.
	delivered int
}

// inspect reads the ledger and the gateway's records at the end, and compares every order with
// what its scene expects.
func (d *demo) inspect(ctx context.Context) error {
	book, err := d.stack.Gateway.Book(ctx)
	if err != nil {
		return err
	}
	gateway := make(map[order.Key][]sandbox.Order)
	for _, o := range book.Orders {
		key := order.Key{Merchant: o.Merchant, Number: o.Number}
		gateway[key] = append(gateway[key], o)
	}
	for _, unbooked := range book.Unbooked {
		key := order.Key{Merchant: unbooked.Merchant, Number: unbooked.Number}
		gateway[key] = append(gateway[key], sandbox.Order{CreatesReceived: unbooked.CreatesReceived})
	}
	for _, r := range d.roles {
		if err := d.readResult(ctx, r, gateway[r.request.Key()]); err != nil {
			return err
		}
		d.compareEnd(r)
		delete(gateway, r.request.Key())
	}
	for key := range gateway {
		d.expect(false, "%s reached the gateway and must not have been sent", key)
	}
	return d.checkMoney(ctx)
}

func (d *demo) readResult(ctx context.Context, r *role, gateway []sandbox.Order) (err error) {
	if r.row, err = d.books.Order(ctx, r.request.Key()); err != nil {
		return err
	}
	steps, err := d.books.History(ctx, r.request.Key())
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		r.source = steps[len(steps)-1].Source
	}
	for _, o := range gateway {
		r.creates = o.CreatesReceived
		r.booked += min(o.CreatesBooked, 1)
		r.paid += len(o.PaidAt)
		r.sent = o.CreatedAt
	}
	return nil
}

// compareEnd compares an order's end with the end that its scene expects. If the
// worker was killed, the source and the number of creates may differ; the state,
// the reason and the money must still be right.
func (d *demo) compareEnd(r *role) {
	number, want := r.request.Number, r.want
	d.expect(r.row.State == want.state, "%s must end %s and is %s (%s)", number, want.state, r.row.State, r.row.Reason.Text)
	d.expect(r.row.Reason.Code == want.code, "%s must end with reason %q and has %q (%s)", number, want.code, r.row.Reason.Code, r.row.Reason.Text)
	d.expect(r.paid == want.paid, "%s: the gateway must move its money %d times and did %d times", number, want.paid, r.paid)
	if r.after > 0 {
		d.expect(r.notSent, "%s must be scheduled before its time", number)
		d.expect(!r.sent.Before(r.request.NotBefore), "%s must not be sent before %s and was sent at %s", number, r.request.NotBefore, r.sent)
	}
	d.expect(r.booked <= 1, "%s: the gateway booked %d orders under one number", number, r.booked)
	if d.killWorker {
		return
	}
	d.expect(want.source == "" || r.source == want.source, "%s must be settled by a %s and was settled by a %s", number, want.source, r.source)
	d.expect(r.creates == want.creates, "%s: %d creates must reach the gateway and %d did", number, want.creates, r.creates)
}

// checkMoney checks double payments, the ledger's sums and the balances.
func (d *demo) checkMoney(ctx context.Context) (err error) {
	if d.audit, err = d.stack.Gateway.Audit(ctx); err != nil {
		return err
	}
	if err := d.addUp(ctx); err != nil {
		return err
	}
	if d.balance, err = d.stack.Orders.ReconcileBalances(ctx); err != nil {
		return err
	}
	if d.forged, err = d.forgeriesCounted(ctx); err != nil {
		return err
	}
	d.expect(d.audit.DoublePayments == 0, "%d payments left the gateway twice: %v", d.audit.DoublePayments, d.audit.Doubles)
	d.expect(len(d.audit.Problems) == 0, "the sums of the gateway's records are wrong: %v", d.audit.Problems)
	d.expect(d.audit.Open == 0, "%d orders are still open at the gateway", d.audit.Open)
	d.expect(len(d.balance.Snapshots) == len(d.stack.Merchants), "the balances of %d merchants were compared, not of %d: the gateway did not answer for %v",
		len(d.balance.Snapshots), len(d.stack.Merchants), d.balance.Unreachable)
	for _, s := range d.balance.Snapshots {
		d.expect(s.Verdict == order.Agreed && s.Drift.IsZero(), "the ledger's balance of %s differs from the gateway's by %s (%s)", s.Merchant, s.Drift, s.Verdict)
	}
	forgeries := 0
	for _, r := range d.roles {
		if r.forge {
			forgeries++
		}
	}
	d.expect(d.forged == forgeries, "%d forged callbacks must be counted and %d were", forgeries, d.forged)
	return nil
}

// addUp runs the ledger's own check and adds up its accounts.
func (d *demo) addUp(ctx context.Context) error {
	verified, err := d.books.Verify(ctx)
	if err != nil {
		return err
	}
	d.expect(verified.Clean(), "the ledger's check found violations: %+v", verified.Violations)
	d.expect(verified.Orders == len(d.roles), "the ledger holds %d orders and %d were started", verified.Orders, len(d.roles))
	for _, m := range d.stack.Merchants {
		profile, _ := tarspay.Country(m.Country)
		accounts, err := d.books.Balances(ctx, m.Number, profile.Currency)
		if err != nil {
			return err
		}
		for _, balance := range accounts {
			d.sum += balance.Minor()
		}
	}
	d.expect(d.sum == 0, "the accounts of the ledger add up to %d minor units and must add up to 0", d.sum)
	return nil
}

// drift returns the differences between the ledger and the gateway: "0.00", or one per
// merchant that differs.
func (d *demo) drift() string {
	var drifting []string
	for _, s := range d.balance.Snapshots {
		if !s.Drift.IsZero() {
			drifting = append(drifting, s.Merchant+" "+s.Drift.String())
		}
	}
	if len(drifting) == 0 {
		return "0.00"
	}
	return fmt.Sprint(slices.Sorted(slices.Values(drifting)))
}
