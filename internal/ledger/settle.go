package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Settlement is what a finding did to an order.
type Settlement struct {
	Order       order.Order // as it now stands
	Moved       bool        // its state changed, now
	Discrepancy string      // code of the discrepancy that the finding amounts to, now or again; empty: none
}

// Settle acts on a finding as order.Decide says, in one transaction: it takes
// the order along the path by compare-and-set, writes the history with the
// finding as proof, books what follows, and fills in the gateway's id.
//
//	withdrawal succeeded        in_flight -> paid_out  amount; available -> fees  fee
//	withdrawal failed           in_flight -> available amount
//	withdrawal refunded         paid_out -> available  amount; the fee stays charged
//	deposit succeeded, in part  received -> available  paid; available -> fees  fee
//	deposit refunded            available -> received  paid, whole, in part or late; the fee stays charged
//	deposit paid after expiry   as succeeded; its state stays and a discrepancy opens
//
// A fee that no order of the amount can have is not booked, and opens an
// order.DiscrepancyFee; the payment is. Of one that is finer than the currency the
// whole minor units are booked, and the rest is kept with the books.
//
// The same finding twice has no second effect. A finding that names another
// gateway id or an amount that cannot be the order's opens a
// order.DiscrepancyMismatch and does nothing else. One that names a gateway id
// that belongs to another order of ours opens an order.DiscrepancyShared, and an
// order that may be at the gateway becomes in_review.
//
// Errors: ErrNotFound; ErrState when the verdict cannot befall this kind of
// order; an *order.Refusal with order.CodeEvidenceMissing for an operator's
// finding without who or proof.
func (l *Ledger) Settle(ctx context.Context, key order.Key, finding order.Finding) (Settlement, error) {
	finding.Evidence, finding.By, finding.Reason.Text = fit(finding.Evidence), fit(finding.By), fit(finding.Reason.Text)
	finding.GatewayID = fitKey(finding.GatewayID)
	if err := standsFor(finding); err != nil {
		return Settlement{}, fmt.Errorf("ledger: settle %s: %w", key, err)
	}
	var settlement Settlement
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		settlement, err = t.settle(ctx, &h, finding, "")
		settlement.Order = h.Order
		return err
	})
	if err != nil {
		return Settlement{}, fmt.Errorf("ledger: settle %s: %w", key, err)
	}
	return settlement, nil
}

// standsFor demands that somebody stands for the finding.
func standsFor(finding order.Finding) error {
	switch finding.Source {
	case order.FromQuery, order.FromCallback:
		return nil
	case order.FromOperator:
		if finding.By == "" || finding.Evidence == "" {
			return order.Refuse(order.CodeEvidenceMissing, "an operator's finding says who found it and on what proof")
		}
		return nil
	}
	return fmt.Errorf("a finding has a source, not %q", finding.Source)
}

// settle does it to an order that is locked. The mark is of the operator's
// action that it is part of.
func (t tx) settle(ctx context.Context, h *held, finding order.Finding, mark string) (Settlement, error) {
	finding = finding.Believe(h.Amount)
	if owner, err := t.ownerOf(ctx, h, finding.GatewayID); err != nil || owner != "" {
		if err != nil {
			return Settlement{}, err
		}
		return t.share(ctx, h, finding.GatewayID, owner)
	}
	if differing := mismatch(h.Order, finding); len(differing) > 0 {
		return t.disagree(ctx, h, finding, order.DiscrepancyMismatch,
			"the finding does not fit the order: "+strings.Join(differing, ", "))
	}
	effect := h.Decide(finding)
	switch {
	case effect.Known:
		return Settlement{Discrepancy: effect.Discrepancy}, nil
	case !effect.Moves() && effect.Discrepancy != "":
		return t.disagree(ctx, h, finding, effect.Discrepancy, h.contradiction(finding))
	}
	found := h.GatewayID == "" && finding.GatewayID != ""
	if found {
		h.GatewayID = finding.GatewayID
	}
	if !effect.Moves() {
		if found {
			return Settlement{}, t.update(ctx, h, h.State)
		}
		return Settlement{}, nil
	}
	transfers, err := t.take(ctx, h, effect, finding, mark)
	if err == nil && finding.FeeDoubt {
		err = t.discrepancy(ctx, h, order.DiscrepancyFee, finding.FeeText,
			fmt.Sprintf("the %s names a fee of %s on %s; the payment is booked and no fee", finding.Source, finding.FeeText, h.Amount))
	}
	if err != nil {
		return Settlement{}, err
	}
	return Settlement{Moved: len(effect.Path) > 0, Discrepancy: effect.Discrepancy}, t.bookAll(ctx, *h, transfers)
}

// take takes the order where an effect leads, and returns what is to be booked.
func (t tx) take(ctx context.Context, h *held, effect order.Effect, finding order.Finding, mark string) ([]Transfer, error) {
	var transfers []Transfer
	if effect.Credit {
		credited, err := t.credit(ctx, h, finding, effect.Discrepancy)
		if err != nil {
			return nil, err
		}
		transfers = credited
	}
	for _, to := range effect.Path {
		if to == order.Succeeded || to == order.PartiallyPaid {
			h.pay(finding)
		}
		transfers = append(transfers, endTransfers(h.Order, to)...)
		h.Reason = finding.Reason
		e := entry{
			action: ActionSettle, actor: finding.By, source: finding.Source, evidence: finding.Evidence, reason: h.told(to), mark: mark,
		}
		if finding.Source == order.FromOperator {
			e.action = ActionResolve
		}
		if err := t.move(ctx, h, to, e); err != nil {
			return nil, err
		}
	}
	return transfers, nil
}

// endTransfers are what an order books when it arrives at a state. Paid and
// Fee are set before.
func endTransfers(o order.Order, to order.State) []Transfer {
	fee := Transfer{Reason: ReasonFee, From: AccountAvailable, To: AccountFees, Amount: o.Fee}
	if o.Kind == order.Withdrawal {
		switch to {
		case order.Succeeded:
			return []Transfer{{Reason: ReasonPayout, From: AccountInFlight, To: AccountPaidOut, Amount: o.Amount}, fee}
		case order.Failed:
			return []Transfer{{Reason: ReasonRelease, From: AccountInFlight, To: AccountAvailable, Amount: o.Amount}}
		case order.Refunded:
			return []Transfer{{Reason: ReasonRefund, From: AccountPaidOut, To: AccountAvailable, Amount: o.Amount}}
		default: // no end, or one without a reservation
			return nil
		}
	}
	switch to {
	case order.Succeeded, order.PartiallyPaid:
		return []Transfer{{Reason: ReasonPayment, From: AccountReceived, To: AccountAvailable, Amount: o.Paid}, fee}
	case order.Refunded:
		return []Transfer{{Reason: ReasonRefund, From: AccountAvailable, To: AccountReceived, Amount: o.Paid}}
	default: // nothing came in
		return nil
	}
}

// credit is what a payer paid after the deposit had expired. The state stays, for
// the time being; the discrepancy tells a person.
func (t tx) credit(ctx context.Context, h *held, finding order.Finding, discrepancy string) ([]Transfer, error) {
	h.pay(finding)
	if err := t.update(ctx, h, h.State); err != nil {
		return nil, err
	}
	if _, err := t.disagree(ctx, h, finding, discrepancy, sentence(h.State, finding)+"; credited "+h.Paid.String()); err != nil {
		return nil, err
	}
	return []Transfer{
		{Reason: ReasonLatePayment, From: AccountReceived, To: AccountAvailable, Amount: h.Paid},
		{Reason: ReasonFee, From: AccountAvailable, To: AccountFees, Amount: h.Fee},
	}, nil
}

// pay notes what a finding proves to have moved, and what the gateway kept.
func (h *held) pay(finding order.Finding) {
	h.Paid, h.Fee = moved(h.Order, finding)
	h.FeeText, h.rest = fitKey(finding.FeeText), finding.FeeRest
}

// told is the reason of a step to an end, for the audit: without another one, that
// the fee is finer than what is booked.
func (h *held) told(to order.State) order.Reason {
	if h.Reason.Code != "" || h.rest == 0 || (to != order.Succeeded && to != order.PartiallyPaid) {
		return h.Reason
	}
	return order.Reason{
		Code: order.CodeFeeFiner,
		Text: fmt.Sprintf("the gateway's fee is %s; %s is booked, and the rest is a difference between its balance and ours", h.FeeText, h.Fee),
	}
}

// disagree opens a discrepancy and leaves the order alone.
func (t tx) disagree(ctx context.Context, h *held, finding order.Finding, code, detail string) (Settlement, error) {
	mark := finding.Evidence
	if mark == "" {
		mark = fingerprint(string(finding.Verdict), finding.GatewayID, finding.Paid.String(), finding.Fee.String())
	}
	return Settlement{Discrepancy: code}, t.discrepancy(ctx, h, code, mark, detail)
}

// moved is what a finding proves to have moved. A finding that names no
// amounts (an operator's, or a payment that was returned before we heard of
// it) means the order's own and no fee.
func moved(o order.Order, finding order.Finding) (paid, fee money.Amount) {
	paid, fee = finding.Paid, finding.Fee
	nothing, _ := o.Amount.Sub(o.Amount)
	if paid == (money.Amount{}) {
		paid = o.Amount
	}
	if fee == (money.Amount{}) {
		fee = nothing
	}
	return paid, fee
}

// mismatch lists what in a finding cannot be said of the order.
func mismatch(o order.Order, finding order.Finding) []string {
	var differing []string
	if o.GatewayID != "" && finding.GatewayID != "" && o.GatewayID != finding.GatewayID {
		differing = append(differing, "payOrderId")
	}
	if finding.Verdict != order.Paid && finding.Verdict != order.PartPaid {
		return differing
	}
	paid, _ := moved(o, finding)
	whole, err := paid.Compare(o.Amount)
	full := finding.Verdict == order.Paid
	if err != nil || (full && whole != 0) || (!full && (whole >= 0 || !paid.IsPositive())) {
		differing = append(differing, "payAmount")
	}
	return differing
}

// contradiction says what of an order a finding contradicts.
func (h *held) contradiction(finding order.Finding) string {
	text := sentence(h.State, finding)
	if h.Paid.IsPositive() && finding.Paid.IsPositive() && finding.Paid != h.Paid {
		text += fmt.Sprintf("; %s is booked, and it says %s", h.Paid, finding.Paid)
	}
	return text
}

// sentence says what is contradicted.
func sentence(state order.State, finding order.Finding) string {
	return fmt.Sprintf("the order is %s and the %s says %s", state, finding.Source, finding.Verdict)
}

func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}
