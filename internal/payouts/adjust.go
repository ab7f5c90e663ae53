package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Adjustments book money that moved at the gateway without an order. One person
// proposes an adjustment and a second person confirms it. The ledger decides and
// audits.

// Adjustment is an adjustment as the ledger has it.
type Adjustment = ledger.AdjustmentRecord

// AdjustmentFilter selects adjustments of a listing.
type AdjustmentFilter = ledger.AdjustmentFilter

// Proposal is an adjustment to propose.
type Proposal struct {
	Key      order.Key // the merchant, and the reference that the proposer chooses
	Kind     string    // one of AdjustmentKinds
	Amount   money.Amount
	Why      string
	Evidence string
}

// ProposeAdjustment proposes to book money that moved. Nothing is booked until
// another person confirms it. The same content under the same reference is the
// same proposal.
func (s *Service) ProposeAdjustment(ctx context.Context, actor Actor, p Proposal) (Adjustment, error) {
	if err := CheckReference(p.Key); err != nil {
		return Adjustment{}, err
	}
	content := order.AdjustmentProposal{AdjustmentRef: adjustmentRef(p.Key), Kind: p.Kind, Amount: p.Amount, Evidence: p.Evidence}
	who, err := s.whoAdjusts(actor, p.Why, envelope.ActionProposeAdjustment, content)
	if err != nil {
		return Adjustment{}, err
	}
	return actOnBooks[Adjustment](ctx, s, UseAdjustments, merchantOf(p.Key), order.BookAction{Who: who, ProposeAdjustment: &content})
}

func adjustmentRef(key order.Key) order.AdjustmentRef {
	return order.AdjustmentRef{Merchant: key.Merchant, Ref: key.Number}
}

// merchantOf returns the key of the merchant's own audit.
func merchantOf(key order.Key) order.Key { return order.Key{Merchant: key.Merchant} }

// ConfirmAdjustment books what another person has proposed. The key is the merchant and
// the adjustment's reference.
func (s *Service) ConfirmAdjustment(ctx context.Context, actor Actor, key order.Key) (Adjustment, error) {
	if err := CheckReference(key); err != nil {
		return Adjustment{}, err
	}
	content, who, err := s.decides(ctx, actor, "", envelope.ActionConfirmAdjustment, key)
	if err != nil {
		return Adjustment{}, err
	}
	return actOnBooks[Adjustment](ctx, s, UseAdjustments, merchantOf(key), order.BookAction{Who: who, ConfirmAdjustment: &content.AdjustmentRef})
}

// RejectAdjustment ends an adjustment without booking it. The proposer may reject
// it too.
func (s *Service) RejectAdjustment(ctx context.Context, actor Actor, key order.Key, why string) (Adjustment, error) {
	if err := CheckReference(key); err != nil {
		return Adjustment{}, err
	}
	content, who, err := s.decides(ctx, actor, why, envelope.ActionRejectAdjustment, key)
	if err != nil {
		return Adjustment{}, err
	}
	return actOnBooks[Adjustment](ctx, s, UseAdjustments, merchantOf(key), order.BookAction{Who: who, RejectAdjustment: &content.AdjustmentRef})
}

// AdjustmentPage is a page of adjustments, the newest first.
type AdjustmentPage struct {
	Adjustments []Adjustment `json:"adjustments"`
	More        bool         `json:"more"` // there are more than the limit
}

// Adjustments lists adjustments, the newest first.
func (s *Service) Adjustments(ctx context.Context, _ Actor, filter AdjustmentFilter) (found AdjustmentPage, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found.Adjustments, found.More, err = page(filter.Limit, func(limit int) ([]Adjustment, error) {
			filter.Limit = limit
			return l.Adjustments(ctx, filter)
		})
		if err == nil && len(found.Adjustments) == 0 {
			err = s.checkMerchant(ctx, l, filter.Merchant)
		}
		return err
	})
	return found, err
}

// AdjustmentProposed is the state of an adjustment that waits for a second person.
const AdjustmentProposed = ledger.AdjustmentProposed

// AdjustmentKinds lists the kinds of adjustments with a text for each.
func AdjustmentKinds() []ledger.AdjustmentMove { return ledger.AdjustmentKinds() }

// AdjustFee is the kind of a fee that the gateway kept.
const AdjustFee = ledger.AdjustFee
