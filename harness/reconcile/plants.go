package reconcile

import (
	"context"
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// drift is the class of a balance that differs. It is a verdict, and no discrepancy on record.
const drift = "BALANCE_DRIFTS"

// plant is one planted discrepancy.
type plant struct {
	kind     kind
	merchant string
	number   string // as the discrepancy names it; empty: it is of the merchant
	about    string // the gateway id, or the callback's id
	request  order.Request
}

func (p *plant) key() order.Key { return order.Key{Merchant: p.merchant, Number: p.number} }

func (p *plant) String() string { return p.kind.code + " " + p.merchant + " " + p.number }

// kind is one way to make a discrepancy.
type kind struct {
	name      string
	code      string
	merchants []string // that can have it; it is found on the road of each
	direction order.Kind
	scenario  string // an order of it is taken to its end first; empty: none
	apply     func(context.Context, *world, *plant) error
	line      func(exportedLine) bool // what is changed in a statement; false leaves the line out
	// repair makes both sides agree, or not enough so. nil: nothing is repaired.
	repair func(context.Context, *world, *plant) error
	ends   order.DiscrepancyState // after the repair; empty: open
}

var (
	everywhere = []string{listed, queried, stated}
	told       = []string{listed, queried} // the gateway itself told of the orders before a statement does
)

// kinds are all that comparing balances, transactions and statements can find.
var kinds = joined(ofRecords, ofStates, ofStatements, ofBalances)

func joined(all ...[]kind) (kinds []kind) {
	for _, some := range all {
		kinds = append(kinds, some...)
	}
	return kinds
}

// small says that the kind is of merchants without orders, each its own.
func (k kind) small() bool { return len(k.merchants) == 0 }

var ofRecords = []kind{
	{name: "no-order", code: codes.DiscrepancyNoOrder, merchants: []string{listed, stated}, direction: order.Withdrawal,
		apply: onlyThere("success"), repair: bookIt, ends: order.DiscrepancyHealed},
	{name: "no-order-failed", code: codes.DiscrepancyNoOrder, merchants: []string{listed, stated}, direction: order.Deposit, apply: onlyThere("fail")},
	{name: "no-record", code: codes.DiscrepancyNoRecord, merchants: told, direction: order.Withdrawal,
		apply: onlyHere, repair: createIt, ends: order.DiscrepancyHealed},
	// A line of a statement proves no payment to us, and nobody asks the gateway about an order that is in it.
	{name: "no-record-stated", code: codes.DiscrepancyNoRecord, merchants: []string{stated}, direction: order.Deposit, apply: onlyHere, repair: createIt},
	{name: "fee", code: codes.DiscrepancyRecord, merchants: told, direction: order.Withdrawal,
		apply: bookedAs(func(r *order.Request, fee *money.Amount) { *fee = amountIn("3", r.Country) }), repair: bookFee, ends: order.DiscrepancyAccepted},
	{name: "fee-left", code: codes.DiscrepancyRecord, merchants: everywhere, direction: order.Withdrawal,
		apply: bookedAs(func(r *order.Request, fee *money.Amount) { *fee = amountIn("3", r.Country) })},
	{name: "amount", code: codes.DiscrepancyRecord, merchants: everywhere, direction: order.Deposit,
		apply: bookedAs(func(r *order.Request, _ *money.Amount) { r.Amount = amountIn("9000", r.Country) })},
	{name: "currency", code: codes.DiscrepancyRecord, merchants: everywhere, direction: order.Deposit, apply: bookedInBaht},
	{name: "direction", code: codes.DiscrepancyRecord, merchants: []string{listed, stated}, direction: order.Deposit,
		apply: bookedAs(func(r *order.Request, _ *money.Amount) { r.Kind = order.Withdrawal })},
	{name: "paid", code: codes.DiscrepancyRecord, merchants: everywhere, direction: order.Deposit, scenario: "partial:30",
		apply: paysPart("1000"), repair: paysWhatItPaid, ends: order.DiscrepancyHealed},
	{name: "twice", code: codes.DiscrepancySecond, merchants: []string{listed, stated}, direction: order.Withdrawal, scenario: "success", apply: createAgain},
	{name: "own-withdrawal", code: codes.DiscrepancyOwnWithdrawal, merchants: []string{listed}, apply: takeOut, repair: bookSettlement, ends: order.DiscrepancyHealed},
	{name: "stray", code: codes.DiscrepancyUnmatched, merchants: told, direction: order.Deposit, apply: strayCallback, repair: haveItsOrder, ends: order.DiscrepancyHealed},
}

var ofStates = []kind{
	// That the gateway takes its word back heals nothing that a person was told to look at.
	{name: "paid-after-end", code: codes.DiscrepancyPaidAfterEnd, merchants: everywhere, direction: order.Withdrawal, scenario: "fail",
		apply: moves(tarspay.StateSucceeded), repair: moves(tarspay.StateFailed)},
	{name: "amount-contradicts", code: codes.DiscrepancyAmount, merchants: everywhere, direction: order.Deposit, scenario: "success",
		apply: paysPart("2000"), repair: moves(tarspay.StateSucceeded)},
	{name: "unpaid-after-success", code: codes.DiscrepancyUnpaidPaid, merchants: everywhere, direction: order.Withdrawal, scenario: "success",
		apply: moves(tarspay.StateFailed), repair: moves(tarspay.StateSucceeded, tarspay.StateRefunded), ends: order.DiscrepancyHealed},
	{name: "unpaid-left", code: codes.DiscrepancyUnpaidPaid, merchants: everywhere, direction: order.Deposit, scenario: "success", apply: moves(tarspay.StateFailed)},
	{name: "late", code: codes.DiscrepancyLatePayment, merchants: []string{listed}, direction: order.Deposit, scenario: "expire",
		apply: moves(tarspay.StateSucceeded), repair: moves(tarspay.StateRefunded), ends: order.DiscrepancyHealed},
	{name: "late-left", code: codes.DiscrepancyLatePayment, merchants: []string{listed}, direction: order.Deposit, scenario: "expire", apply: moves(tarspay.StateSucceeded)},
	{name: "returned-after-end", code: codes.DiscrepancyReturned, merchants: told, direction: order.Withdrawal, scenario: "fail",
		apply: moves(tarspay.StateSucceeded, tarspay.StateRefunded)},
	{name: "paid-after-refund", code: codes.DiscrepancyPaidAgain, merchants: told, direction: order.Withdrawal, scenario: "refund", apply: moves(tarspay.StateSucceeded)},
	{name: "never-sent", code: codes.DiscrepancyPaidUnsent, merchants: []string{listed, stated}, direction: order.Deposit, apply: neverSent},
	{name: "history-lies", code: codes.DiscrepancyState, merchants: []string{listed}, direction: order.Withdrawal, scenario: "fail",
		apply: lies(true), repair: lies(false), ends: order.DiscrepancyHealed},
	{name: "history-lies-on", code: codes.DiscrepancyState, merchants: []string{listed}, direction: order.Withdrawal, scenario: "fail", apply: lies(true)},
}

var ofStatements = []kind{
	{name: "line-fee", code: codes.DiscrepancyStatement, merchants: told, direction: order.Withdrawal, scenario: "success",
		line: says("mchFeeAmount", "1"), repair: nextLineIsRight, ends: order.DiscrepancyHealed},
	{name: "line-fee-left", code: codes.DiscrepancyStatement, merchants: told, direction: order.Withdrawal, scenario: "success", line: says("mchFeeAmount", "1")},
	// The gateway itself told of another fee, so a line that has ours explains nothing.
	{name: "fee-stated-as-ours", code: codes.DiscrepancyRecord, merchants: told, direction: order.Withdrawal,
		apply: bookedAs(func(r *order.Request, fee *money.Amount) { *fee = amountIn("3", r.Country) }), line: says("mchFeeAmount", "3")},
	{name: "line-amount", code: codes.DiscrepancyRecord, merchants: []string{stated}, direction: order.Deposit, scenario: "success",
		line: says("orderAmount", "9"), repair: nextLineIsRight, ends: order.DiscrepancyHealed},
	{name: "line-amount-left", code: codes.DiscrepancyRecord, merchants: []string{stated}, direction: order.Deposit, scenario: "success", line: says("orderAmount", "9")},
	{name: "line-state", code: codes.DiscrepancyStatement, merchants: everywhere, direction: order.Withdrawal, scenario: "fail",
		line: says("state", "2"), repair: nextLineIsRight, ends: order.DiscrepancyHealed},
	{name: "line-state-left", code: codes.DiscrepancyStatement, merchants: everywhere, direction: order.Deposit, scenario: "success", line: says("state", "3")},
	{name: "line-missing", code: codes.DiscrepancyStatement, merchants: everywhere, direction: order.Withdrawal, scenario: "success",
		line: func(exportedLine) bool { return false }, repair: nextLineIsRight, ends: order.DiscrepancyHealed},
	{name: "line-missing-left", code: codes.DiscrepancyStatement, merchants: everywhere, direction: order.Deposit, scenario: "success",
		line: func(exportedLine) bool { return false }},
	{name: "unproven", code: codes.DiscrepancyUnproven, merchants: everywhere, direction: order.Withdrawal, apply: inReview, line: says("state", "2")},
	{name: "unproven-proved", code: codes.DiscrepancyUnproven, merchants: told, direction: order.Withdrawal, apply: inReview, line: says("state", "2"),
		repair: proveIt, ends: order.DiscrepancyHealed},
}

var ofBalances = []kind{
	{name: "paid-in", code: drift, apply: fund(false), repair: bookTopUp, ends: order.DiscrepancyHealed},
	{name: "taken-out", code: drift, apply: fund(true)},
	{name: "no-amount", code: codes.DiscrepancyBalance, apply: balanceLies(true), repair: balanceLies(false), ends: order.DiscrepancyHealed},
	{name: "no-amount-left", code: codes.DiscrepancyBalance, apply: balanceLies(true)},
}

func says(column, value string) func(exportedLine) bool {
	return func(l exportedLine) bool { l[column] = value; return true }
}

// nextLineIsRight: the next statement has the line as the gateway has the order.
func nextLineIsRight(context.Context, *world, *plant) error { return nil }

func moves(states ...tarspay.State) func(context.Context, *world, *plant) error {
	return func(_ context.Context, w *world, p *plant) error { return w.moved(p, "", states...) }
}

func paysPart(paid string) func(context.Context, *world, *plant) error {
	return func(_ context.Context, w *world, p *plant) error {
		return w.moved(p, paid, tarspay.StateInProgress, tarspay.StatePartial)
	}
}

func paysWhatItPaid(ctx context.Context, w *world, p *plant) error {
	o, err := w.books.Order(ctx, p.key())
	if err != nil {
		return err
	}
	return w.moved(p, o.Paid.Short(), tarspay.StateInProgress, tarspay.StatePartial)
}

func lies(on bool) func(context.Context, *world, *plant) error {
	return func(_ context.Context, w *world, p *plant) error { w.setLie(p.number, on); return nil }
}

func balanceLies(on bool) func(context.Context, *world, *plant) error {
	return func(_ context.Context, w *world, p *plant) error {
		p.number = ""
		w.setLie(p.merchant, on)
		return nil
	}
}

func onlyThere(scenario string) func(context.Context, *world, *plant) error {
	return func(ctx context.Context, w *world, p *plant) (err error) {
		p.request.Details[sandbox.ScenarioMember] = scenario
		p.about, err = w.elsewhere(ctx, p.request)
		return err
	}
}

// bookIt books the order that only the gateway had, as the gateway has it.
func bookIt(ctx context.Context, w *world, p *plant) error {
	return w.alone(ctx, p.request, p.about, w.fee(p.request))
}

func onlyHere(ctx context.Context, w *world, p *plant) error {
	return w.alone(ctx, p.request, "", w.fee(p.request))
}

// createIt has the gateway have the order that only we had.
func createIt(ctx context.Context, w *world, p *plant) error {
	_, err := w.elsewhere(ctx, p.request)
	return err
}

// bookedAs makes an order at the gateway and books it with something changed.
func bookedAs(change func(r *order.Request, fee *money.Amount)) func(context.Context, *world, *plant) error {
	return func(ctx context.Context, w *world, p *plant) error {
		id, err := w.elsewhere(ctx, p.request)
		if err != nil {
			return err
		}
		r, fee := p.request, w.fee(p.request)
		change(&r, &fee)
		return w.alone(ctx, r, id, fee)
	}
}

// bookedInBaht books an order in a currency that is not the merchant's.
func bookedInBaht(ctx context.Context, w *world, p *plant) error {
	none := amountIn("0", "TH")
	if err := w.books.OpenBooks(ctx, p.merchant, none, none); err != nil {
		return err
	}
	return bookedAs(func(r *order.Request, fee *money.Amount) { r.Amount, *fee = amountIn(r.Amount.Short(), "TH"), none })(ctx, w, p)
}

func createAgain(ctx context.Context, w *world, p *plant) error {
	if err := w.gateway.Switch(p.merchant, "no-duplicate-guard", true); err != nil {
		return err
	}
	if _, err := w.elsewhere(ctx, p.request); err != nil {
		return err
	}
	return w.gateway.Switch(p.merchant, "no-duplicate-guard", false)
}

func neverSent(ctx context.Context, w *world, p *plant) error {
	if _, _, err := w.books.OpenOrder(ctx, p.request, ledger.Terms{}); err != nil {
		return err
	}
	_, err := w.elsewhere(ctx, p.request)
	return err
}

// inReview makes an order whose end nobody can prove.
func inReview(ctx context.Context, w *world, p *plant) error {
	p.request.Details[sandbox.ScenarioMember] = "stuck-created"
	if _, err := w.elsewhere(ctx, p.request); err != nil {
		return err
	}
	if err := w.submitted(ctx, p.request, ledger.Answer{Outcome: ledger.Ambiguous}); err != nil {
		return err
	}
	_, err := w.books.Review(ctx, p.key(), order.Reason{Code: order.CodeNoProof, Text: "no proof"})
	return err
}

// proveIt has the gateway pay the order in review, and its workflow book that.
func proveIt(ctx context.Context, w *world, p *plant) error {
	if err := w.moved(p, "", tarspay.StateSucceeded); err != nil {
		return err
	}
	return w.step(ctx, p.request)
}

func strayCallback(ctx context.Context, w *world, p *plant) error {
	id, _, err := w.books.StoreCallback(ctx, tarspay.Callback{
		Direction: tarspay.DirectionDeposit, Merchant: p.merchant, OrderNumber: p.number, Currency: p.request.Amount.Currency(),
		OrderAmount: p.request.Amount.Short(), PayAmount: p.request.Amount.Short(), GatewayID: "P-" + p.number, State: tarspay.StateSucceeded,
	}, nil, "", nil)
	if err != nil {
		return err
	}
	p.about = id
	return w.books.MarkCallback(ctx, id, ledger.Unmatched)
}

// haveItsOrder makes the order of a callback, and hands the callback over.
func haveItsOrder(ctx context.Context, w *world, p *plant) error {
	id, err := w.elsewhere(ctx, p.request)
	if err == nil {
		err = w.alone(ctx, p.request, id, w.fee(p.request))
	}
	if err == nil {
		err = w.books.MarkCallback(ctx, p.about, ledger.Done)
	}
	return err
}

// takeOut takes the merchant's own money out. The discrepancy has the gateway id as its number.
func takeOut(ctx context.Context, w *world, p *plant) error {
	if _, err := w.gateway.Fund(p.merchant, p.request.Amount.Short(), true); err != nil {
		return err
	}
	page, err := w.clients[p.merchant].History(ctx, tarspay.HistoryRequest{Kind: tarspay.HistoryOwnWithdrawal})
	if err != nil {
		return err
	}
	for _, r := range page.Records { // the newest has the largest id
		if len(r.GatewayID) > len(p.about) || r.GatewayID > p.about {
			p.about = r.GatewayID
		}
	}
	p.number = p.about
	return nil
}

func fund(out bool) func(context.Context, *world, *plant) error {
	return func(_ context.Context, w *world, p *plant) error {
		_, err := w.gateway.Fund(p.merchant, p.request.Amount.Short(), out)
		p.about = p.request.Amount.String()
		if out {
			p.about = "-" + p.about
		}
		return err
	}
}

func bookSettlement(ctx context.Context, w *world, p *plant) error {
	return w.adjust(ctx, ledger.Adjustment{Merchant: p.merchant, Ref: p.about, Kind: ledger.AdjustSettlement, Amount: p.request.Amount})
}

func bookTopUp(ctx context.Context, w *world, p *plant) error {
	return w.adjust(ctx, ledger.Adjustment{Merchant: p.merchant, Ref: "TOP-UP", Kind: ledger.AdjustTopUp, Amount: p.request.Amount})
}

// bookFee books the difference of a fee, which closes its discrepancy.
func bookFee(ctx context.Context, w *world, p *plant) error {
	found, err := w.books.Discrepancies(ctx, ledger.DiscrepancyFilter{Merchant: p.merchant, Number: p.number})
	if err != nil {
		return err
	}
	if len(found) != 1 || !strings.HasSuffix(found[0].Mark, " fee") {
		return fmt.Errorf("%s has %d discrepancies, and none of them alone is about its fee", p.number, len(found))
	}
	kind, known := found[0].BookingKind()
	if !known {
		return fmt.Errorf("the difference of %s is unknown", p.number)
	}
	return w.adjust(ctx, ledger.Adjustment{Merchant: p.merchant, Ref: ledger.BookingRef(found[0].ID), Kind: kind, Amount: found[0].Stake})
}

// adjust books an adjustment by two persons.
func (w *world) adjust(ctx context.Context, a ledger.Adjustment) error {
	a.By, a.Why, a.Evidence = "amina", "the gateway shows it", "ticket 4711"
	_, refusal, err := w.books.ProposeAdjustment(ctx, a)
	if err == nil && refusal == nil {
		_, refusal, err = w.books.ConfirmAdjustment(ctx, a.Merchant, a.Ref, order.Who{By: "bilal"})
	}
	if err == nil && refusal != nil {
		err = refusal
	}
	return err
}
