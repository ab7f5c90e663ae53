package pages

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// batchView is a file of payouts, with the orders of it that one decision is about.
type batchView struct {
	payouts.StoredBatch
	Waiting int // its orders that wait for an approval
	Decided payouts.OrderList
	Age     string

	NoApprove *problem // why the person may not approve them
	NoReject  *problem // why the person may not reject them
	Command   string   // what a person with a key runs instead
	Why       string   // a reason that was typed before
}

// Limits of batches.
const (
	maxBatches  = 20  // on the list
	maxDecision = 250 // orders of one decision: each is a call, within the time of an answer
)

// decisionTime is how long a decision over the orders of a batch may take. What it has
// not reached then waits on.
const decisionTime = time.Minute

// waitingRows selects the rows whose orders wait for an approval.
var waitingRows = []payouts.RowState{payouts.RowState(order.AwaitingApproval)}

// batches returns the batches that have orders which wait for the person.
func (p *Pages) batches(ctx context.Context, v visitor) ([]batchView, error) {
	page, err := p.Service.Batches(ctx, v.caller.Actor, payouts.BatchFilter{
		Merchants: v.caller.Merchants, States: []order.BatchState{order.BatchRunning, order.BatchPaused, order.BatchCancelled}, Limit: maxBatches,
	})
	if err != nil {
		return nil, err
	}
	var found []batchView
	for _, stored := range page.Batches {
		if rules.SamePerson(v.name(), stored.RequestedBy) {
			continue
		}
		b, err := p.Service.Batch(ctx, v.caller.Actor, stored.ID)
		if err != nil {
			return nil, err
		}
		if one := p.viewOf(b); one.Waiting > 0 {
			found = append(found, one)
		}
	}
	return found, nil
}

func (p *Pages) viewOf(b payouts.Batch) batchView {
	one := batchView{StoredBatch: b.StoredBatch, Age: age(p.Now().Sub(b.CreatedAt))}
	for _, count := range b.Counts {
		if count.State == waitingRows[0] {
			one.Waiting += count.Rows
		}
	}
	return one
}

// showBatch shows a batch.
func (p *Pages) showBatch(w http.ResponseWriter, r *http.Request, v visitor) {
	answer, err := p.batchPage(r.Context(), v, r.PathValue("id"))
	if err != nil {
		p.failFor(w, r, v, err)
		return
	}
	p.send(w, r, http.StatusOK, "batch", answer)
}

// batchPage returns the page of a batch of the person's merchants.
func (p *Pages) batchPage(ctx context.Context, v visitor, id string) (view, error) {
	found, err := p.Service.Batch(ctx, v.caller.Actor, id)
	if err != nil {
		return view{}, err
	}
	if refusal := v.caller.May(roster.Read, found.Merchant); refusal != nil {
		if refusal.Code == roster.CodeMerchantNotAllowed {
			refusal = order.Refuse(payouts.CodeBatchNotFound, "there is no batch of that id")
		}
		return view{}, refusal
	}
	one := p.viewOf(found)
	if err := p.pick(ctx, v, &one); err != nil {
		return view{}, err
	}
	return view{Title: "Batch " + found.ID, Person: v.name(), Form: v.session.Form, Done: v.session.Done, Batch: &one}, nil
}

// pick chooses the orders of a decision: the first of the file that wait for the person.
func (p *Pages) pick(ctx context.Context, v visitor, one *batchView) error {
	var keys []order.Key
	for row, err := range p.Service.BatchResults(ctx, v.caller.Actor, one.ID, waitingRows...) {
		if err != nil {
			return err
		}
		done, err := p.approved(ctx, v, row.View)
		if err != nil {
			return err
		}
		if !done {
			keys = append(keys, row.Key())
		}
		if len(keys) == maxDecision {
			break
		}
	}
	if len(keys) == 0 {
		return nil
	}
	var err error
	if one.Decided, err = p.Service.PickOrders(ctx, v.caller.Actor, keys); err != nil {
		one.NoApprove = explain(err) // such as one that cannot be read here
		one.NoReject = one.NoApprove
		return nil
	}
	if refusal := v.caller.May(roster.Approve, one.Merchant); refusal != nil {
		one.NoApprove, one.NoReject = explain(refusal), explain(refusal)
		return nil
	}
	if refusal := v.caller.May(roster.Approve, one.Merchant, one.Decided.List.Totals...); refusal != nil {
		one.NoApprove = explain(refusal)
		if refusal.Code == roster.CodeOwnSignatureNeeded {
			one.Command = "starter approve --batch " + one.ID
		}
	}
	if rules.SamePerson(v.name(), one.RequestedBy) {
		one.NoApprove = explain(order.Refuse(codes.SamePerson, "you have requested the batch; another person must approve its orders"))
	}
	return nil
}

// approveBatch approves the orders that the form shows, with one signature.
func (p *Pages) approveBatch(w http.ResponseWriter, r *http.Request, v visitor) {
	p.decideBatch(w, r, v, order.ActionApprove, "approved")
}

// rejectBatch rejects the orders that the form shows, with one signature.
func (p *Pages) rejectBatch(w http.ResponseWriter, r *http.Request, v visitor) {
	p.decideBatch(w, r, v, order.ActionReject, "rejected")
}

// decideBatch makes one decision over orders of a batch. The form has the root of the
// list that it showed, so that what was seen is what is decided.
func (p *Pages) decideBatch(w http.ResponseWriter, r *http.Request, v visitor, action, done string) {
	answer, err := p.batchPage(r.Context(), v, r.PathValue("id"))
	if err != nil {
		p.failFor(w, r, v, err)
		return
	}
	b, why := answer.Batch, r.PostForm.Get("why")
	refused := b.NoReject
	if action == order.ActionApprove {
		refused = b.NoApprove
	}
	switch {
	case r.PostForm.Get("root") != b.Decided.List.Root:
		err = order.Refuse(codes.FingerprintMismatch, "the orders that wait are not the ones that the form showed: some may be decided already; nothing was done, look at those that are left")
	case refused != nil:
		err = order.Refuse(refused.Code, "%s", refused.Text)
	default:
		answer.Done, err = p.actOnBatch(r.Context(), v, b, payouts.ListAction{Name: action, Root: b.Decided.List.Root, Why: why}, done)
	}
	if err == nil {
		w.Header().Del("Set-Cookie") // a renewal
		p.sessions.tell(w, v.session, answer.Done)
		http.Redirect(w, r, Root+"/batches/"+b.ID, http.StatusSeeOther)
		return
	}
	told := answer.Done
	if again, failed := p.batchPage(r.Context(), v, b.ID); failed == nil { // as it stands now
		answer = again
	}
	answer.Done, answer.Batch.Why = told, why
	p.sendProblem(w, r, err, "batch", answer)
}

// actOnBatch makes the decision, and says what was done. The decision goes on when the
// browser has gone away. The error is that of an order that it did not reach.
func (p *Pages) actOnBatch(ctx context.Context, v visitor, b *batchView, action payouts.ListAction, done string) (told string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decisionTime)
	defer cancel()
	report, err := p.Service.ActOnList(ctx, v.caller.Actor, b.Decided, action, func(payouts.ListOutcome) {})
	if err != nil {
		return "", err
	}
	if count := report.Counts[payouts.ListDone]; count > 0 {
		told = fmt.Sprintf("You have %s %d of %d orders of batch %s.", done, count, b.Decided.List.Count, b.ID)
	}
	if report.Problem != nil {
		err = order.Refuse(report.Problem.Code, "%s", report.Problem.Message)
	}
	return told, err
}
