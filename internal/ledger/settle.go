package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Settlement is the effect of a finding on an order.
type Settlement struct {
	Order       order.Order // after the finding
	Moved       bool        // this call changed its state
	Discrepancy string      // code of the finding's discrepancy, opened now or before; empty: none
}

// Settle applies a finding in one transaction, as rules.DecideOrder says: it changes
// the order's state by compare-and-set, audits each change with the finding as
// proof, books the transfers, and stores the gateway id.
//
//	withdrawal succeeded        in_flight -> paid_out  amount; in_flight -> available expected fee; available -> fees  fee
//	withdrawal failed           in_flight -> available amount and expected fee
//	withdrawal refunded         paid_out -> available  amount; the fee stays charged
//	deposit succeeded, in part  received -> available  paid; available -> fees  fee
//	deposit refunded            available -> received  paid, whole, in part or late; the fee stays charged
//	deposit paid after expiry   as succeeded; its state stays and a discrepancy opens
//
// If the fee is impossible for the amount, the payment is booked without a fee,
// and an codes.DiscrepancyFee opens. Of a fee with fractions of a minor unit, the
// whole minor units are booked, and the fraction is added to fee_rest of the
// books.
//
// The same finding twice has no second effect. A finding with another gateway id,
// or with an amount that the order cannot have, only opens an
// codes.DiscrepancyMismatch. A finding whose gateway id another order has opens an
// codes.DiscrepancyShared; an order that may be at the gateway becomes in_review.
//
// Errors: ErrNotFound; ErrState when the verdict is impossible for this kind of
// order; an *order.Refusal with order.CodeEvidenceMissing for an operator's
// finding without the person's name or evidence.
func (l *Ledger) Settle(ctx context.Context, key order.Key, finding rules.Finding) (Settlement, error) {
	return l.settleWith(ctx, key, finding, "")
}

// SettleCallback is Settle for the finding of a callback of the inbox. It marks the callback
// done in the same transaction, unless there is an error.
func (l *Ledger) SettleCallback(ctx context.Context, key order.Key, finding rules.Finding, callbackID string) (Settlement, error) {
	return l.settleWith(ctx, key, finding, callbackID)
}

func (l *Ledger) settleWith(ctx context.Context, key order.Key, finding rules.Finding, callbackID string) (Settlement, error) {
	finding.Evidence, finding.By, finding.Reason.Text = sanitizeText(finding.Evidence), sanitizeText(finding.By), sanitizeText(finding.Reason.Text)
	finding.GatewayID = sanitizeKey(finding.GatewayID)
	if err := checkFinding(finding); err != nil {
		return Settlement{}, fmt.Errorf("ledger: settle %s: %w", key, err)
	}
	var settlement Settlement
	err := l.inLocked(ctx, key, finding.GatewayID, func(t tx, h *held) (err error) {
		if callbackID != "" {
			h.also = append(h.also, func() []write { return []write{t.handled(callbackID)} })
		}
		settlement, err = t.settle(ctx, h, finding, "", "")
		settlement.Order = h.Order
		return err
	})
	if err != nil {
		return Settlement{}, fmt.Errorf("ledger: settle %s: %w", key, err)
	}
	return settlement, nil
}

// checkFinding checks that a finding has a known source, and that an operator's
// finding has the person's name and evidence.
func checkFinding(finding rules.Finding) error {
	switch finding.Source {
	case rules.FromQuery, rules.FromCallback:
		return nil
	case rules.FromOperator:
		if finding.By == "" || finding.Evidence == "" {
			return order.Refuse(codes.EvidenceMissing, "an operator's finding says who found it and on what proof")
		}
		return nil
	}
	return fmt.Errorf("a finding has a source, not %q", finding.Source)
}

// settle is Settle for a locked order. mark and proof are the ID and the proof of
// the operator's action, or empty.
func (t tx) settle(ctx context.Context, h *held, finding rules.Finding, mark, proof string) (Settlement, error) {
	finding = finding.Believe(h.Amount)
	if owner, err := t.ownerOf(ctx, h, finding.GatewayID); err != nil || owner != "" {
		if err != nil {
			return Settlement{}, err
		}
		return t.reviewSharedID(ctx, h, finding.GatewayID, owner)
	}
	if differing := mismatch(h.Order, finding); len(differing) > 0 {
		return t.openContradiction(ctx, h, finding, codes.DiscrepancyMismatch,
			"the finding does not fit the order: "+strings.Join(differing, ", "))
	}
	effect := rules.DecideOrder(h.Order, finding)
	switch {
	case effect.Known:
		return Settlement{Discrepancy: effect.Discrepancy}, nil
	case !effect.Moves() && effect.Discrepancy != "":
		return t.openContradiction(ctx, h, finding, effect.Discrepancy, h.contradiction(finding))
	}
	found := h.GatewayID == "" && finding.GatewayID != ""
	if found {
		h.GatewayID = finding.GatewayID
	}
	if !effect.Moves() {
		if found {
			return Settlement{}, t.fillIn(ctx, h)
		}
		return Settlement{}, nil
	}
	transfers, err := t.applyEffect(ctx, h, effect, finding, entry{mark: mark, envelope: proof})
	if err == nil && finding.FeeDoubt {
		err = t.discrepancy(ctx, h, codes.DiscrepancyFee, finding.FeeText,
			fmt.Sprintf("the %s names a fee of %s on %s; the payment is booked and no fee", finding.Source, finding.FeeText, h.Amount))
	}
	if err != nil {
		return Settlement{}, err
	}
	return Settlement{Moved: len(effect.Path) > 0, Discrepancy: effect.Discrepancy}, t.bookAll(ctx, *h, transfers)
}

// bookWith books the transfers together with the next change of the order's row. Nothing
// that locks may follow: see tx.
func (t tx) bookWith(h *held, transfers []Transfer) {
	h.also = append(h.also, func() []write {
		writes := t.booking(*h, transfers)
		h.counted, h.rest = 0, 0
		return writes
	})
}

// applyEffect applies an effect to the order, and returns the transfers to book. e
// has the mark and the proof for the audit.
func (t tx) applyEffect(ctx context.Context, h *held, effect rules.Effect, finding rules.Finding, e entry) ([]Transfer, error) {
	var transfers []Transfer
	if h.State == order.InReview && h.Kind == order.Withdrawal {
		missing, err := t.missingReservation(ctx, h)
		if err != nil {
			return nil, err
		}
		transfers = missing
	}
	if effect.Credit {
		credited, err := t.credit(ctx, h, finding, effect.Discrepancy)
		if err != nil {
			return nil, err
		}
		transfers = append(transfers, credited...)
	}
	for i, to := range effect.Path {
		if to == order.Succeeded || to == order.PartiallyPaid {
			h.setPaid(finding)
		}
		transfers = append(transfers, endTransfers(h.Order, to)...)
		h.Reason = finding.Reason
		e.action, e.actor, e.source, e.evidence, e.reason = ActionSettle, finding.By, finding.Source, finding.Evidence, h.auditReason(to)
		if finding.Source == rules.FromOperator {
			e.action = ActionResolve
		}
		if i == len(effect.Path)-1 && !finding.FeeDoubt && to != order.Refunded { // both may write more
			t.bookWith(h, transfers)
			transfers = nil
		}
		if err := t.move(ctx, h, to, e); err != nil {
			return nil, err
		}
	}
	return transfers, nil
}

// endTransfers returns the transfers of an order that reaches a state. Paid and
// Fee must be set before.
func endTransfers(o order.Order, to order.State) []Transfer {
	fee := Transfer{Reason: ReasonFee, From: AccountAvailable, To: AccountFees, Amount: o.Fee}
	if o.Kind == order.Withdrawal {
		switch to {
		case order.Succeeded:
			return []Transfer{
				{Reason: ReasonPayout, From: AccountInFlight, To: AccountPaidOut, Amount: o.Amount},
				{Reason: ReasonFeeRelease, From: AccountInFlight, To: AccountAvailable, Amount: o.ExpectedFee}, fee,
			}
		case order.Failed:
			return []Transfer{{Reason: ReasonRelease, From: AccountInFlight, To: AccountAvailable, Amount: o.Reservation()}}
		case order.Refunded:
			return []Transfer{{Reason: ReasonRefund, From: AccountPaidOut, To: AccountAvailable, Amount: o.Amount}}
		default: // not a final state, or one without a reservation
			return nil
		}
	}
	switch to {
	case order.Succeeded, order.PartiallyPaid:
		return []Transfer{{Reason: ReasonPayment, From: AccountReceived, To: AccountAvailable, Amount: o.Paid}, fee}
	case order.Refunded:
		return []Transfer{{Reason: ReasonRefund, From: AccountAvailable, To: AccountReceived, Amount: o.Paid}}
	default: // nothing was paid
		return nil
	}
}

// credit applies a payment of an expired deposit, and returns the transfers to
// book. The state does not change. A discrepancy tells a person about the payment.
func (t tx) credit(ctx context.Context, h *held, finding rules.Finding, discrepancy string) ([]Transfer, error) {
	h.setPaid(finding)
	if err := t.update(ctx, h, h.State); err != nil {
		return nil, err
	}
	if _, err := t.openContradiction(ctx, h, finding, discrepancy, sentence(h.State, finding)+"; credited "+h.Paid.String()); err != nil {
		return nil, err
	}
	return []Transfer{
		{Reason: ReasonLatePayment, From: AccountReceived, To: AccountAvailable, Amount: h.Paid},
		{Reason: ReasonFee, From: AccountAvailable, To: AccountFees, Amount: h.Fee},
	}, nil
}

// setPaid sets the paid amount and the fee from a finding.
func (h *held) setPaid(finding rules.Finding) {
	h.Paid, h.Fee = moved(h.Order, finding)
	h.FeeText, h.rest = sanitizeKey(finding.FeeText), finding.FeeRest
}

// auditReason returns the audit reason of a change to the state. If the order has no reason
// and only a part of its fee is booked, the reason says so.
func (h *held) auditReason(to order.State) order.Reason {
	if h.Reason.Code != "" || h.rest == 0 || (to != order.Succeeded && to != order.PartiallyPaid) {
		return h.Reason
	}
	return order.Reason{
		Code: codes.FeeFiner,
		Text: fmt.Sprintf("the gateway's fee is %s; %s is booked, and the rest is a difference between its balance and ours", h.FeeText, h.Fee),
	}
}

// openContradiction opens a discrepancy and does not change the order.
func (t tx) openContradiction(ctx context.Context, h *held, finding rules.Finding, code, detail string) (Settlement, error) {
	mark := finding.Evidence
	if mark == "" {
		mark = fingerprint(string(finding.Verdict), finding.GatewayID, finding.Paid.String(), finding.Fee.String())
	}
	return Settlement{Discrepancy: code}, t.discrepancy(ctx, h, code, mark, detail)
}

// moved returns the paid amount and the fee of a finding. If the finding has no
// amounts, they are the order's amount and no fee. That is so for an operator's
// finding, and for a payment that was refunded before we received a finding.
func moved(o order.Order, finding rules.Finding) (paid, fee money.Amount) {
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

// mismatch lists the gateway's fields in which a finding contradicts the order.
func mismatch(o order.Order, finding rules.Finding) []string {
	var differing []string
	if o.GatewayID != "" && finding.GatewayID != "" && o.GatewayID != finding.GatewayID {
		differing = append(differing, "payOrderId")
	}
	if finding.Verdict != rules.Paid && finding.Verdict != rules.PartPaid {
		return differing
	}
	paid, _ := moved(o, finding)
	whole, err := paid.Compare(o.Amount)
	full := finding.Verdict == rules.Paid
	if err != nil || (full && whole != 0) || (!full && (whole >= 0 || !paid.IsPositive())) {
		differing = append(differing, "payAmount")
	}
	return differing
}

// contradiction describes how a finding contradicts an order.
func (h *held) contradiction(finding rules.Finding) string {
	text := sentence(h.State, finding)
	if h.Paid.IsPositive() && finding.Paid.IsPositive() && finding.Paid != h.Paid {
		text += fmt.Sprintf("; %s is booked, and it says %s", h.Paid, finding.Paid)
	}
	return text
}

// sentence describes a state and the finding that contradicts it.
func sentence(state order.State, finding rules.Finding) string {
	return fmt.Sprintf("the order is %s and the %s says %s", state, finding.Source, finding.Verdict)
}

func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}
