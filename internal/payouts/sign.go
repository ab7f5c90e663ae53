package payouts

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Signing is how an actor signs.
type Signing struct {
	Origin string // names the installation
	Key    envelope.Signer
	Apart  bool // the key only writes what is to be signed: nothing is sent
}

// signedLife is how long a signed action may be under way.
const signedLife = 24 * time.Hour

// signs reports whether the actor signs actions of the name.
func (a Actor) signs(action string) bool { return a.Signing != nil && envelope.Needed(action) }

// Signs reports whether the actor signs the action itself.
func (a Actor) Signs(action order.Action) bool { return a.signs(action.Name()) }

// Sign returns the action as an envelope that the actor has signed, for an order as the
// actor sees it. The refusal says why an action is not fit to be signed, such as one
// without a reason.
func (a Actor) Sign(action order.Action, view order.View, at time.Time) (envelope.Signed, *order.Refusal, error) {
	if view.Hidden != "" {
		return envelope.Signed{}, nil, unreadable(view.Number, view.Hidden, "what cannot be read is not signed")
	}
	approval, is := action.(order.Approval)
	if is && !rules.BeginsFingerprint(approval.Fingerprint, view.Fingerprint) {
		return envelope.Signed{}, order.Refuse(codes.FingerprintMismatch, "the approval is for other content than order %s has; look at the order again and approve at least eight digits of its fingerprint", view.Number), nil
	}
	o := order.Order{Fingerprint: view.Fingerprint, Request: order.Request{
		Merchant: view.Merchant, Number: view.Number, Amount: view.Amount, RequestedBy: view.RequestedBy,
	}}
	e, refusal := envelope.Of(action, o, a.Signing.Origin, at, signedLife)
	if refusal != nil {
		return envelope.Signed{}, refusal, nil
	}
	signed, err := envelope.Sign(e, a.Signing.Key)
	return signed, nil, err
}

// signed returns the action with the actor's signature. An actor without a key, and an
// action that needs no signature, leave it unsigned. So does an action that is not fit to
// be signed: the worker refuses it and audits that.
func (s *Service) signed(actor Actor, action order.Action, at target) (order.Action, error) {
	if !actor.Signs(action) {
		return action, nil
	}
	signed, refusal, err := actor.Sign(action, at.view, s.parts.Now())
	if err != nil {
		return nil, err
	}
	if refusal == nil {
		return signed.Action()
	}
	if actor.Signing.Apart {
		return nil, refusal
	}
	return action, nil
}

// request returns the request as the actor makes it, signed if the actor signs.
func (s *Service) request(actor Actor, request order.Request) (order.Request, error) {
	request.RequestedBy = actor.Name
	if err := request.CheckNotBefore(s.parts.Now()); err != nil {
		return request, err
	}
	if !actor.signs(envelope.ActionStart) {
		return request, nil
	}
	e := envelope.Start(request, actor.Signing.Origin, s.parts.Now(), envelope.MaxLife) // no worker may run for days; a repetition is the same order
	signed, err := envelope.Sign(e, actor.Signing.Key)
	if err != nil {
		return request, err
	}
	proof, err := signed.Proof()
	request.Proof = &proof
	return request, err
}

// whoAdjusts returns the actor with a reason and an id, and with a signature of an action on
// an adjustment if the actor signs.
func (s *Service) whoAdjusts(actor Actor, why, action string, a order.AdjustmentProposal) (order.Who, error) {
	return s.whoSigns(actor, why, action, func(who order.Who) envelope.Envelope {
		return envelope.Adjustment(action, who, a, actor.Signing.Origin, s.parts.Now(), signedLife)
	})
}

// whoSigns returns the actor with a reason and an id, and with the signature of the
// envelope if the actor signs the action.
func (s *Service) whoSigns(actor Actor, why, action string, of func(order.Who) envelope.Envelope) (order.Who, error) {
	who := order.Who{ID: NewActionID(), By: actor.Name, Why: why}
	if !actor.signs(action) {
		return who, nil
	}
	e := of(who)
	if e.Check() != nil {
		return who, nil //nolint:nilerr // unsigned: the worker refuses it and audits that
	}
	signed, err := envelope.Sign(e, actor.Signing.Key)
	if err != nil {
		return who, err
	}
	proof, err := signed.Proof()
	who.Proof = &proof
	return who, err
}

// proposed returns an adjustment as it is on record, to be signed. An actor who does
// not sign needs only its reference.
func (s *Service) proposed(ctx context.Context, actor Actor, action string, key order.Key) (order.AdjustmentProposal, error) {
	content := order.AdjustmentProposal{AdjustmentRef: adjustmentRef(key)}
	if !actor.signs(action) {
		return content, nil
	}
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found, err := l.Adjustments(ctx, AdjustmentFilter{Merchant: key.Merchant, Ref: key.Number, Limit: 1})
		if err == nil && len(found) == 0 {
			return order.Refuse(ledger.CodeAdjustmentNotFound, "there is no adjustment of that merchant and reference")
		}
		if err == nil {
			content.Kind, content.Amount, content.Evidence = string(found[0].Kind), found[0].Amount, found[0].Evidence
		}
		return err
	})
	return content, err
}

// decides returns an adjustment as it is on record, and who decides about it.
func (s *Service) decides(ctx context.Context, actor Actor, why, action string, key order.Key) (order.AdjustmentProposal, order.Who, error) {
	content, err := s.proposed(ctx, actor, action, key)
	if err != nil {
		return content, order.Who{}, err
	}
	who, err := s.whoAdjusts(actor, why, action, content)
	return content, who, err
}

// ActSigned does an action on an order that was signed elsewhere.
func (s *Service) ActSigned(ctx context.Context, signed envelope.Signed) (Order, error) {
	action, err := signed.Action()
	if err != nil {
		return Order{}, err
	}
	key := order.Key{Merchant: signed.Envelope.Merchant, Number: signed.Envelope.Number}
	if action.Name() == order.ActionAdopt {
		adopted, err := s.adopt(ctx, key, func(order.View) (order.Action, error) { return action, nil })
		return Order{Order: adopted.Order, Source: FromLedger, Started: &adopted.Started, Unrecorded: adopted.Unrecorded}, err
	}
	answer, _, err := s.act(ctx, Actor{}, key, func(target) (order.Action, error) { return action, nil })
	return answer, err
}

// ActSignedItem does the action of a signed decision over a list on one of its orders.
func (s *Service) ActSignedItem(ctx context.Context, signed envelope.Signed, item envelope.Listed) (Order, error) {
	action, err := signed.ActionOn(item)
	if err != nil {
		return Order{}, err
	}
	answer, _, err := s.act(ctx, Actor{}, item.Key(), func(target) (order.Action, error) { return action, nil })
	return answer, err
}
