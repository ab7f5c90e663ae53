package pages

import (
	"context"
	"net/http"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// listView is the orders that wait for a person.
type listView struct {
	Batches []batchView
	Orders  []waiting
	Next    string   // the page after this one; empty if there is none
	Refusal *problem // why nothing can wait for the person
}

// waiting is an order that waits for a person.
type waiting struct {
	payouts.OrderRow
	Age  string
	Sign bool // it needs the signature of a key
}

// Limits of a page of the list.
const (
	maxRows = 50
	maxRead = 2000 // orders that are looked at for one page
	chunk   = 200
)

// list shows what waits for the person.
func (p *Pages) list(w http.ResponseWriter, r *http.Request, v visitor) {
	answer := view{Title: "Orders that wait for you", Person: v.name(), Form: v.session.Form, Done: v.session.Done}
	after := order.Key{Merchant: r.URL.Query().Get("merchant"), Number: r.URL.Query().Get("number")}
	found, err := p.waits(r.Context(), v, after)
	if err != nil {
		p.sendProblem(w, r, err, "list", answer)
		return
	}
	answer.List = found
	if len(found.Orders) > 0 && !after.WellFormed() {
		found.Batches, err = p.batches(r.Context(), v)
	}
	if err != nil {
		p.sendProblem(w, r, err, "list", answer)
		return
	}
	p.send(w, r, http.StatusOK, "list", answer)
}

// waits returns the orders that wait for the person, the oldest first: those of the
// person's merchants that the person has neither requested nor approved, up to the
// person's limits.
func (p *Pages) waits(ctx context.Context, v visitor, after order.Key) (*listView, error) {
	found := &listView{}
	merchants := v.caller.Merchants
	asked := ""
	if len(merchants) > 0 {
		asked = merchants[0]
	}
	if refusal := v.caller.May(roster.Approve, asked); refusal != nil {
		found.Refusal = explain(refusal)
		return found, nil
	}
	if after.WellFormed() {
		if refusal := v.may(roster.Read, after); refusal != nil {
			return nil, refusal
		}
	} else {
		after = order.Key{}
	}
	filter := payouts.OrderFilter{
		Merchants: merchants, States: []order.State{order.AwaitingApproval}, Open: true, OldestFirst: true, After: after, Limit: chunk,
	}
	for read := 0; ; read += chunk {
		page, err := p.Service.Orders(ctx, v.caller.Actor, filter)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Orders {
			mine, err := p.waitsFor(ctx, v, row)
			if err != nil {
				return nil, err
			}
			if mine != nil {
				found.Orders = append(found.Orders, *mine)
			}
			filter.After = row.Key()
			if len(found.Orders) == maxRows {
				found.Next = nextPath(filter.After)
				return found, nil
			}
		}
		if !page.More {
			return found, nil
		}
		if read+chunk >= maxRead {
			found.Next = nextPath(filter.After)
			return found, nil
		}
	}
}

func nextPath(after order.Key) string {
	return Root + "?merchant=" + after.Merchant + "&number=" + after.Number
}

// waitsFor returns the order if it waits for the person, or nil.
func (p *Pages) waitsFor(ctx context.Context, v visitor, row payouts.OrderRow) (*waiting, error) {
	one := &waiting{OrderRow: row, Age: age(p.Now().Sub(row.ChangedAt))}
	if rules.SamePerson(v.name(), row.RequestedBy) {
		return nil, nil //nolint:nilnil // it waits for somebody else
	}
	if refusal := v.may(roster.Approve, row.Key(), row.Amount); refusal != nil {
		if one.Sign = refusal.Code == roster.CodeOwnSignatureNeeded; !one.Sign {
			return nil, nil //nolint:nilnil // it waits for somebody with a higher limit
		}
	}
	done, err := p.approved(ctx, v, row.View)
	if err != nil || done {
		return nil, err
	}
	return one, nil
}

// approved reports whether the person has approved the order, which then waits for
// another one. An entry of the audit that the person has not signed hides nothing.
func (p *Pages) approved(ctx context.Context, v visitor, o order.View) (bool, error) {
	if o.Reason.Code != codes.Unsigned {
		return false, nil // one approval is enough
	}
	entries, err := p.Service.Audit(ctx, v.caller.Actor, o.Key())
	for _, e := range entries {
		if string(e.Action) == order.ActionApprove && rules.SamePerson(e.Actor, v.name()) && p.Keys.Approved(e, o, p.Now()) {
			return true, err
		}
	}
	return false, err
}
