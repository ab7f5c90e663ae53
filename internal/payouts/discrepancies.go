package payouts

import (
	"context"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Discrepancy is a difference between the ledger and the gateway.
type Discrepancy = ledger.Discrepancy

// DiscrepancyFilter selects discrepancies of a listing.
type DiscrepancyFilter = ledger.DiscrepancyFilter

// DiscrepancyPage is a page of discrepancies, the newest first.
type DiscrepancyPage struct {
	Discrepancies []Discrepancy `json:"discrepancies"`
	More          bool          `json:"more"` // there are more than the limit
}

// DiscrepancyStory is a discrepancy with what a person needs to deal with it.
type DiscrepancyStory struct {
	Discrepancy
	AgeSeconds int64             `json:"age_seconds"` // since it was opened, until it was closed
	Means      string            `json:"means"`       // what the code says
	Next       string            `json:"next"`        // what to do; empty once it is closed
	OrderState order.State       `json:"order_state,omitempty"`
	Steps      []DiscrepancyStep `json:"steps"` // what was done about it, oldest first
}

// DiscrepancyStep is an entry of the audit about a discrepancy.
type DiscrepancyStep struct {
	At      time.Time          `json:"at"`
	By      string             `json:"by"`
	Action  ledger.AuditAction `json:"action"`
	What    string             `json:"what,omitempty"` // of work: the step, and to whom or for how long
	Text    string             `json:"text,omitempty"`
	Refused bool               `json:"refused,omitempty"`
}

// Discrepancies lists differences between the ledger and the gateway, the newest
// first.
func (s *Service) Discrepancies(ctx context.Context, _ Actor, filter DiscrepancyFilter) (found DiscrepancyPage, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found.Discrepancies, found.More, err = page(filter.Limit, func(limit int) ([]Discrepancy, error) {
			filter.Limit = limit
			return l.Discrepancies(ctx, filter)
		})
		if err == nil && len(found.Discrepancies) == 0 {
			err = s.checkMerchant(ctx, l, filter.Merchant)
		}
		return err
	})
	return found, err
}

// Discrepancy returns a discrepancy with what was done about it and what to do next. The
// error is DISCREPANCY_NOT_FOUND.
func (s *Service) Discrepancy(ctx context.Context, _ Actor, id int64) (told DiscrepancyStory, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		if told.Discrepancy, err = discrepancyOf(ctx, l, id); err != nil {
			return err
		}
		d, end := told.Discrepancy, s.parts.Now()
		if !d.ClosedAt.IsZero() {
			end = d.ClosedAt
		}
		told.AgeSeconds = int64(end.Sub(d.At) / time.Second)
		told.Means, told.Next = worklist.Explain(d.Code).Means, worklist.NextOf(d)
		row, err := adoptee(ctx, l, d.Key)
		if err != nil {
			return err
		}
		told.OrderState = row.State
		entries, err := l.Audit(ctx, d.Key)
		told.Steps = stepsOf(d, entries)
		return err
	})
	return told, err
}

func discrepancyOf(ctx context.Context, l Ledger, id int64) (Discrepancy, error) {
	found, err := l.Discrepancies(ctx, DiscrepancyFilter{ID: id, Limit: 1})
	if err == nil && len(found) == 0 {
		return Discrepancy{}, order.Refuse(ledger.CodeDiscrepancyNotFound, "there is no discrepancy %d", id)
	}
	if err != nil {
		return Discrepancy{}, err
	}
	return found[0], nil
}

// stepsOf picks the entries of the audit that are about the discrepancy.
func stepsOf(d Discrepancy, entries []ledger.AuditEntry) []DiscrepancyStep {
	steps := []DiscrepancyStep{}
	for _, e := range entries {
		what, is := strings.CutPrefix(e.Evidence, d.Ref().Named())
		if d.OpenedBy(e) {
			what, is = "", true
		}
		if !is || what != "" && what[0] != ':' {
			continue
		}
		steps = append(steps, DiscrepancyStep{
			At: e.At, By: e.Actor, Action: e.Action, What: strings.TrimPrefix(what, ": "), Text: e.Reason.Text, Refused: e.Refused,
		})
	}
	return steps
}

// CloseDiscrepancy closes a discrepancy that a person has dealt with, and returns
// it. It changes nothing else. If two persons are needed, the first one's call leaves it
// open, in the state accepting. The error is DISCREPANCY_NOT_FOUND if there is no
// discrepancy with the id.
func (s *Service) CloseDiscrepancy(ctx context.Context, actor Actor, id int64, why string) (Discrepancy, error) {
	ref := order.DiscrepancyRef{Discrepancy: id}
	if !actor.signs(envelope.ActionCloseDiscrepancy) {
		return actOnBooks[Discrepancy](ctx, s, UseDiscrepancies, order.Key{}, order.BookAction{Who: who(actor, why), CloseDiscrepancy: &ref})
	}
	var d Discrepancy
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		d, err = discrepancyOf(ctx, l, id)
		return err
	})
	if err != nil {
		return Discrepancy{}, err
	}
	acting, err := s.whoSigns(actor, why, envelope.ActionCloseDiscrepancy, func(who order.Who) envelope.Envelope {
		return envelope.CloseDiscrepancy(who, d.Ref(), d.Stake, actor.Signing.Origin, s.parts.Now(), signedLife)
	})
	if err != nil {
		return Discrepancy{}, err
	}
	return actOnBooks[Discrepancy](ctx, s, UseDiscrepancies, order.Key{}, order.BookAction{Who: acting, CloseDiscrepancy: &ref})
}

// WorkDiscrepancy records a step of the work on an open discrepancy, and returns it. The
// error is DISCREPANCY_NOT_FOUND if there is none with the id.
func (s *Service) WorkDiscrepancy(ctx context.Context, actor Actor, work order.DiscrepancyWork, why string) (Discrepancy, error) {
	action := order.BookAction{Who: who(actor, why), WorkDiscrepancy: &work}
	if refusal := action.Check(); refusal != nil {
		return Discrepancy{}, refusal
	}
	return actOnBooks[Discrepancy](ctx, s, UseDiscrepancies, order.Key{}, action)
}

// BookDiscrepancy books a fee that differs: the first person's call proposes the
// adjustment, another person's confirms it, and that closes the discrepancy. The code is
// DISCREPANCY_NOT_BOOKABLE if the discrepancy is about no fee.
func (s *Service) BookDiscrepancy(ctx context.Context, actor Actor, id int64, why, evidence string) (Adjustment, error) {
	var d Discrepancy
	var earlier []Adjustment
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		if d, err = discrepancyOf(ctx, l, id); err == nil {
			earlier, err = l.Adjustments(ctx, AdjustmentFilter{Merchant: d.Key.Merchant, Ref: ledger.BookingRef(id), Limit: 1})
		}
		return err
	})
	if err != nil {
		return Adjustment{}, err
	}
	kind, known := d.BookingKind()
	if !known {
		return Adjustment{}, order.Refuse(CodeNotBookable, "discrepancy %d (%s) is not about a fee; book what moved with starter adjust", id, d.Code)
	}
	key := order.Key{Merchant: d.Key.Merchant, Number: ledger.BookingRef(id)}
	if len(earlier) == 1 && earlier[0].State == AdjustmentProposed && earlier[0].By != actor.Name {
		return s.ConfirmAdjustment(ctx, actor, key)
	}
	return s.ProposeAdjustment(ctx, actor, Proposal{Key: key, Kind: string(kind), Amount: d.Stake, Why: why, Evidence: evidence})
}

// CodeNotBookable says that no command books what a discrepancy is about.
const CodeNotBookable = "DISCREPANCY_NOT_BOOKABLE"
