package pages

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

// orderView is one order.
type orderView struct {
	order.View
	Events []worklist.Happening
	ID     string // of the action that the forms of this page do
	Why    string // a reason that was typed before

	Waits     bool     // for an approval
	NoApprove *problem // why the person may not approve it
	NoReject  *problem // why the person may not reject it
	Command   string   // what a person with a key runs instead
}

// show shows an order.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, v visitor) {
	answer, err := p.orderPage(r.Context(), v, keyOf(r))
	if err != nil {
		p.failFor(w, r, v, err)
		return
	}
	p.send(w, r, http.StatusOK, "order", answer)
}

// failFor is fail for a person who is logged in.
func (p *Pages) failFor(w http.ResponseWriter, r *http.Request, v visitor, err error) {
	p.sendProblem(w, r, err, "problem", view{Title: "This did not work", Person: v.name(), Form: v.session.Form})
}

// orderPage returns the page of an order of the person's merchants.
func (p *Pages) orderPage(ctx context.Context, v visitor, key order.Key) (view, error) {
	if !key.WellFormed() {
		return view{}, notThere(key)
	}
	if refusal := v.may(roster.Read, key); refusal != nil {
		return view{}, refusal
	}
	story, err := p.Service.Story(ctx, v.caller.Actor, key)
	if err != nil {
		return view{}, err
	}
	if story.Order == nil {
		return view{}, notThere(key)
	}
	shown := &orderView{View: *story.Order, Events: story.Events, ID: uuid.NewString()}
	if err := p.offer(ctx, v, shown); err != nil {
		return view{}, err
	}
	return view{
		Title: kindNames[shown.Kind] + " " + shown.Number, Person: v.name(), Form: v.session.Form, Done: v.session.Done, Order: shown,
	}, nil
}

var kindNames = map[order.Kind]string{order.Deposit: "Deposit", order.Withdrawal: "Withdrawal"}

// offer says what the person may do about an order.
func (p *Pages) offer(ctx context.Context, v visitor, o *orderView) error {
	if o.Waits = o.State == order.AwaitingApproval; !o.Waits {
		return nil
	}
	if refusal := v.may(roster.Approve, o.Key()); refusal != nil {
		o.NoApprove, o.NoReject = explain(refusal), explain(refusal)
		return nil
	}
	done, err := p.approved(ctx, v, o.View)
	if err != nil {
		return err
	}
	refusal := v.may(roster.Approve, o.Key(), o.Amount)
	switch {
	case o.Hidden != "":
		o.NoApprove = &problem{Text: "its content is " + o.Hidden + " here, and nobody decides about what cannot be read"}
		o.NoReject = o.NoApprove
	case rules.SamePerson(v.name(), o.RequestedBy):
		o.NoApprove = explain(order.Refuse(codes.SamePerson, "you have requested it; another person must approve it"))
	case done:
		o.NoApprove = explain(order.Refuse(codes.SamePerson, "you have approved it; another person must approve it, too"))
	case refusal != nil:
		o.NoApprove = explain(refusal)
		if refusal.Code == roster.CodeOwnSignatureNeeded {
			o.Command = "starter approve " + o.Number + " --merchant " + o.Merchant + " --fingerprint " + short(o.Fingerprint)
		}
	}
	return nil
}

// approve approves what the form shows.
func (p *Pages) approve(w http.ResponseWriter, r *http.Request, v visitor) {
	p.decide(w, r, v, "approved", func(ctx context.Context, actor payouts.Actor, o order.View, why string) error {
		if refusal := v.may(roster.Approve, o.Key(), o.Amount); refusal != nil {
			return refusal
		}
		_, err := p.Service.Approve(ctx, actor, o.Key(), o.Fingerprint, why)
		return err
	})
}

// reject rejects what the form shows.
func (p *Pages) reject(w http.ResponseWriter, r *http.Request, v visitor) {
	p.decide(w, r, v, "rejected", func(ctx context.Context, actor payouts.Actor, o order.View, why string) error {
		_, err := p.Service.Reject(ctx, actor, o.Key(), why)
		return err
	})
}

// decide does an action on the order of a form. The form has the fingerprint of what it
// showed, and the id of the action: sent twice, it does it once.
func (p *Pages) decide(
	w http.ResponseWriter, r *http.Request, v visitor, done string, do func(context.Context, payouts.Actor, order.View, string) error,
) {
	answer, err := p.orderPage(r.Context(), v, keyOf(r))
	if err != nil {
		p.failFor(w, r, v, err)
		return
	}
	o, why := answer.Order, r.PostForm.Get("why")
	id, malformed := uuid.Parse(r.PostForm.Get("id"))
	refusal := v.may(roster.Approve, o.Key())
	switch {
	case refusal != nil:
		err = refusal
	case malformed != nil:
		err = order.Refuse(CodeFormForeign, "the form has no id; look at the order again")
	case o.Hidden == "" && r.PostForm.Get("fingerprint") != o.Fingerprint:
		err = order.Refuse(codes.FingerprintMismatch, "the order is not the one that the form showed; nothing was done")
	default:
		actor := v.caller.Actor
		actor.ActionID = id.String()
		err = do(r.Context(), actor, o.View, why)
	}
	if err == nil {
		w.Header().Del("Set-Cookie") // a renewal
		p.sessions.tell(w, v.session, "You have "+done+" order "+o.Number+".")
		http.Redirect(w, r, pathOf(o.Key()), http.StatusSeeOther)
		return
	}
	if again, failed := p.orderPage(r.Context(), v, o.Key()); failed == nil { // as it stands now
		answer = again
	}
	answer.Done, answer.Order.Why = "", why
	p.sendProblem(w, r, err, "order", answer)
}
