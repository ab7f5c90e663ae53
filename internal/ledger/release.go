package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A scheduled order is on record from its opening on, and approved then if it needs an
// approval. Its funds and the limits of the day are decided at its time, by Release. The
// ledger's clock says when that is.

// openScheduled inserts an order whose time is ahead. The policy judges it without the
// totals of a day. errDue if its time has come. errBooksClosed as for other orders, so that
// the books are open at its time.
func (t tx) openScheduled(ctx context.Context, row orderRow, request order.Request, policy *rules.Policy, needs rules.Needs) (orderRow, Opening, error) {
	if row.NotBefore == 0 {
		return row, "", errDue
	}
	books, err := t.books(ctx, row.Merchant, row.Currency, "")
	if err != nil {
		return row, "", err
	}
	facts, err := t.facts(ctx, row, books, rules.Needs{KnownBeneficiary: needs.KnownBeneficiary})
	if err != nil {
		return row, "", err
	}
	row.State = order.Scheduled
	if ruling := row.judge(policy, request, withoutTotals(facts)); ruling.Verdict != rules.Pass {
		row.applyRuling(ruling, t.At, policy)
	}
	return t.write(ctx, row)
}

// withoutTotals returns the facts without the totals of the day.
func withoutTotals(facts rules.Facts) rules.Facts {
	facts.BeneficiaryDay, facts.MerchantDay = money.Amount{}, money.Amount{}
	return facts
}

// Release releases a scheduled order whose time has come. From then on it counts for the
// limits of that day. The policy judges it as at an opening, with the totals of that day:
//
//	refused         rejected
//	needs approval  awaiting_approval, with a new deadline; an order that persons have
//	                approved is not asked about again for what does not depend on the totals
//	pass            a deposit: created
//	                a withdrawal: reserved; when the balance does not cover it,
//	                awaiting_funds or failed, as the terms of its opening say
//
// The deadline for funds is as long after the release as it was to be after the order's
// time. Before its time, Release changes nothing and returns the time left. It does not
// release an order that the gateway may have before the gateway was queried
// (rules.Unasked). Any other order is returned unchanged. With an authority, an order whose
// state the audit does not prove waits for an approval in place of passing: see unproven.
// ErrNotFound if there is no order of the key; ErrSealUnknown.
func (l *Ledger) Release(ctx context.Context, key order.Key, policy *rules.Policy) (o order.Order, left time.Duration, err error) {
	l.refresh()
	o, err = l.change(ctx, key, func(t tx, h *held) (err error) {
		left, err = t.release(ctx, h, policy)
		return err
	})
	var unusable *Error
	if errors.As(err, &unusable) && unusable.Code == CodeSum {
		o, err = l.change(ctx, key, func(t tx, h *held) error { return t.releaseOverflow(ctx, h) })
	}
	return o, left, err
}

func (t tx) release(ctx context.Context, h *held, policy *rules.Policy) (left time.Duration, err error) {
	if h.State != order.Scheduled {
		return 0, nil
	}
	if left := h.ReleaseAt.Sub(t.At); left > 0 || rules.Unasked(h.Order) {
		return max(left, 0), nil
	}
	books, err := t.books(ctx, h.Merchant, h.Amount.Currency(), t.ForUpdate)
	if err != nil {
		return 0, err
	}
	ruling, err := t.judgeRelease(ctx, h, books, policy)
	if err != nil {
		return 0, err
	}
	to := order.Created
	h.Reason = ruling.Reason()
	h.Reason.Text = sanitizeText(h.Reason.Text)
	switch {
	case ruling.Verdict == rules.Refused:
		to = order.Rejected
	case ruling.Verdict == rules.NeedsApproval:
		to, h.ApproveBefore = order.AwaitingApproval, t.At.Add(policy.ApprovalDeadline())
	case h.Kind == order.Withdrawal:
		to, h.Reason = h.funded(books.Available)
	}
	return 0, t.releaseTo(ctx, h, to, policy.ID())
}

// judgeRelease returns the policy's ruling on a scheduled order at its time. One that passes
// and is not proved needs an approval. The books are locked.
func (t tx) judgeRelease(ctx context.Context, h *held, books booksState, policy *rules.Policy) (rules.Ruling, error) {
	facts, err := t.facts(ctx, orderRow{
		Merchant: h.Merchant, Kind: h.Kind, Currency: h.Amount.Currency(), Beneficiary: rules.Beneficiary(h.Request), CreatedAt: t.At.UnixMilli(),
	}, books, policy.Needs(h.Request))
	if err != nil {
		return rules.Ruling{}, err
	}
	ruling := policy.Judge(h.Request, facts)
	if ruling.Verdict == rules.NeedsApproval {
		counted, err := t.approvals(ctx, h)
		if err == nil && counted.enough() {
			ruling = ruling.WithoutAsked(policy.Judge(h.Request, withoutTotals(facts)))
		}
		if err != nil {
			return rules.Ruling{}, err
		}
	}
	if ruling.Verdict != rules.Pass {
		return ruling, nil
	}
	unproven, err := t.unproven(ctx, h)
	if unproven.Code != "" {
		ruling = rules.Ruling{Verdict: rules.NeedsApproval, Reasons: []order.Reason{unproven}}
	}
	return ruling, err
}

// releaseOverflow rejects a scheduled order whose amount would overflow a total of the
// merchant's books.
func (t tx) releaseOverflow(ctx context.Context, h *held) error {
	if h.State != order.Scheduled || h.ReleaseAt.After(t.At) || rules.Unasked(h.Order) {
		return nil
	}
	h.Reason = order.Reason{Code: codes.SumTooLarge, Text: "with it, a sum of the merchant's books would be larger than can be held"}
	return t.releaseTo(ctx, h, order.Rejected, "")
}

// releaseTo moves a scheduled order whose time has come to a state, and books its
// reservation.
func (t tx) releaseTo(ctx context.Context, h *held, to order.State, policy string) error {
	e := entry{action: ActionRelease, source: FromSchedule, reason: h.Reason}
	if policy != "" {
		e.evidence = "policy " + policy
	}
	if err := t.move(ctx, h, to, e); err != nil {
		return err
	}
	if err := t.markReleased(ctx, h); err != nil {
		return err
	}
	return t.bookAll(ctx, *h, reservation(h.Order))
}

// markReleased records that a scheduled order is released, in the state that it has now.
// From now on it counts for the limits of this day. The caller must call bookAll last.
func (t tx) markReleased(ctx context.Context, h *held) error {
	if h.WaitsForFunds {
		h.FundsBefore = t.At.Add(h.FundsBefore.Sub(h.ReleaseAt))
	}
	if h.ReleasedAt = t.At; h.counts(h.State) {
		h.counted += h.Amount.Minor()
	}
	_, err := t.Put(ctx, "UPDATE orders SET released_at = ?, approve_before = ?, funds_before = ? WHERE id = ? AND released_at = 0",
		t.At.UnixMilli(), unixMilli(h.ApproveBefore), unixMilli(h.FundsBefore), h.id)
	return err
}

// unreleased reports whether the order is to be sent at a time, and was not released.
func (h *held) unreleased() bool { return !h.ReleaseAt.IsZero() && h.ReleasedAt.IsZero() }

// counts reports whether the order counts for daily limits in a state. A scheduled order
// counts from its release on.
func (h *held) counts(state order.State) bool { return counts(state) && !h.unreleased() }

// countsFrom returns the time on whose day the order counts for daily limits.
func (h *held) countsFrom() time.Time {
	if h.ReleasedAt.IsZero() {
		return h.CreatedAt
	}
	return h.ReleasedAt
}
