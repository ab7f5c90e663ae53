package payouts

import (
	"context"
	"errors"
	"slices"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Adopted is an order that a workflow drives again.
type Adopted struct {
	Order   order.View     `json:"order"`
	Started client.Started `json:"started"`
	Closed  []int64        `json:"closed"` // discrepancies about the missing workflow, which are closed now

	Unrecorded bool `json:"-"` // the audit entry of the adoption is not confirmed
	NotClosed  bool `json:"-"` // a discrepancy about the missing workflow is still open
}

// Adopt starts a workflow for an open order that has none. The workflow continues
// from the state in the ledger. If the ledger does not have the order, it is
// recorded first, from the input of its workflow. Adopt closes the discrepancies
// about the missing workflow. client.Adopt lists what is refused.
func (s *Service) Adopt(ctx context.Context, actor Actor, key order.Key) (Adopted, error) {
	if err := CheckKey(key); err != nil {
		return Adopted{}, err
	}
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return Adopted{}, err
	}
	about, err := orphanDiscrepancies(ctx, l, key)
	if err != nil {
		return Adopted{}, err
	}
	adopted, err := s.adopt(ctx, key, func(seen order.View) (order.Action, error) {
		return s.signed(actor, order.Adoption{By: actor.Name}, target{view: seen})
	})
	if err != nil {
		return adopted, err
	}
	adopted.Closed, err = s.closeOrphan(ctx, l, actor, key, about)
	adopted.NotClosed = err != nil
	return adopted, nil
}

// adopt is Adopt with the adoption of an order as the actor sees it. It closes no
// discrepancies: closing is an action of its own, which is signed by itself.
func (s *Service) adopt(ctx context.Context, key order.Key, adoption func(seen order.View) (order.Action, error)) (Adopted, error) {
	if err := CheckKey(key); err != nil {
		return Adopted{}, err
	}
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return Adopted{}, err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Adopted{}, err
	}
	row, err := adoptee(ctx, l, key)
	if err != nil {
		return Adopted{}, err
	}
	if row.Hidden != "" {
		return Adopted{}, unreadable(key.String(), row.Hidden, "a workflow is started with what can be read")
	}
	seen := row.View(row.Standing)
	if row.State == "" { // only the number is known
		seen.Fingerprint = ""
	}
	todo, err := adoption(seen)
	if err != nil {
		return Adopted{}, err
	}
	adopting, cancel := within(ctx, callTime)
	defer cancel()
	started, err := orders.Adopt(adopting, row, todo)
	if err != nil && started.RunID == "" {
		return Adopted{}, late(adopting, err, "nobody answered for order %s; it may still be adopted: look with %s. Does a worker run?", key, s.parts.Ask(UseAudit, key))
	}
	adopted := Adopted{Started: started, Unrecorded: err != nil}
	if row.State == "" { // it is recorded by now
		if row, err = adoptee(ctx, l, key); err != nil {
			return Adopted{}, err
		}
	}
	adopted.Order = row.View(row.Standing)
	adopted.Order.Next = nextStep[row.State]
	return adopted, nil
}

// adoptee returns the order as the ledger has it. If the ledger does not have it,
// the state is "" and the attempt is still audited.
func adoptee(ctx context.Context, l Ledger, key order.Key) (order.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	row, err := l.Order(ctx, key)
	if errors.Is(err, ledger.ErrNotFound) {
		return order.Order{Request: order.Request{Merchant: key.Merchant, Number: key.Number}}, nil
	}
	return row, err
}

// nextStep is the next step of an open order that a workflow drives, by state.
var nextStep = map[order.State]string{
	order.Created:          "It is sent to the gateway.",
	order.AwaitingApproval: "It waits for a second person.",
	order.Scheduled:        "It waits for its time.",
	order.AwaitingFunds:    "It waits for funds.",
	order.Reserved:         "It is sent to the gateway.",
	order.Submitting:       "The gateway is asked about it, and it is sent only if the gateway does not have it.",
	order.Unknown:          "The gateway is asked about it, and it is sent again only if the gateway does not have it.",
	order.Submitted:        "It waits for the gateway's callback, and then the gateway is asked.",
	order.InReview:         "It waits for a person, who resolves it with evidence; the gateway is still asked now and then.",
}

// closeOrphan closes the open ones of the discrepancies about the missing workflow. It
// returns the ids of all that are closed now: the ledger closes some when it gets the
// order.
func (s *Service) closeOrphan(ctx context.Context, l Ledger, actor Actor, key order.Key, about []int64) ([]int64, error) {
	open, err := orphanDiscrepancies(ctx, l, key)
	if err != nil {
		return []int64{}, err
	}
	return CloseOrphans(about, open, func(id int64, why string) error {
		_, err := s.CloseDiscrepancy(ctx, actor, id, why)
		return err
	})
}

// CloseOrphans closes discrepancies about an order that no workflow drove and that is
// adopted. about were open before, and open are so still. It returns the ids of all that are
// closed now.
func CloseOrphans(about, open []int64, closeOne func(id int64, why string) error) ([]int64, error) {
	closed := []int64{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(about, open)))) {
		if slices.Contains(open, id) {
			if err := closeOne(id, "the order is adopted"); err != nil && order.CodeOf(err) != codes.AlreadyClosed {
				return closed, err
			}
		}
		closed = append(closed, id)
	}
	return closed, nil
}

// OrphanCodes are the codes of discrepancies that say that no workflow drives the order, or
// that the ledger does not have it.
var OrphanCodes = []string{codes.DiscrepancyOrphan, codes.DiscrepancyNotInLedger}

// orphanDiscrepancies returns the ids of the open discrepancies that say that no workflow
// drives the order, or that the ledger does not have it.
func orphanDiscrepancies(ctx context.Context, l Ledger, key order.Key) (ids []int64, err error) {
	for _, code := range OrphanCodes {
		open, err := openOf(ctx, l, key, code)
		if err != nil {
			return nil, err
		}
		for _, d := range open {
			ids = append(ids, d.ID)
		}
	}
	return ids, nil
}

func openOf(ctx context.Context, l Ledger, key order.Key, code string) ([]Discrepancy, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return l.Discrepancies(ctx, ledger.DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number, Code: code, Open: true})
}
