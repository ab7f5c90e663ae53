package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeDiscrepancyNotFound says that there is no discrepancy of the id.
const CodeDiscrepancyNotFound = "DISCREPANCY_NOT_FOUND"

// SetTwoPersonClose sets which stakes need two persons to close a discrepancy. Call it before any other use of the ledger.
func (l *Ledger) SetTwoPersonClose(needed func(stake money.Amount) bool) { l.twoPersonClose = needed }

// needsTwo reports whether two persons close the discrepancy.
func (l *Ledger) needsTwo(d Discrepancy) bool {
	if d.Code == codes.DiscrepancyOrphan || d.Code == codes.DiscrepancyNotInLedger {
		return false // no money differs
	}
	return l.twoPersonClose != nil && d.Stake.IsPositive() && l.twoPersonClose(d.Stake)
}

// WorkDiscrepancy records a person's step on an open discrepancy, and returns the
// discrepancy. It is audited, done or refused.
//
// The refusal's codes are WHO_MISSING, WHY_MISSING, TEXT_TOO_LONG, DISCREPANCY_CLOSED and
// DISCREPANCY_NOT_FOUND. The last one is not audited.
func (l *Ledger) WorkDiscrepancy(ctx context.Context, work order.DiscrepancyWork, who order.Who) (Discrepancy, *order.Refusal, error) {
	return l.onDiscrepancy(ctx, work.Discrepancy, who, ActionWorkDiscrepancy, func(t tx, row *discrepancyRow, e *entry) (*order.Refusal, error) {
		e.evidence += ": " + workedEvidence(work)
		if refusal := row.requireOpen(); refusal != nil {
			return refusal, nil
		}
		row.State, row.AcceptedBy, row.WaitUntil = work.Step.State(), "", 0
		row.Said, row.SaidBy = sanitizeText(who.Why), sanitizeText(who.By)
		switch work.Step {
		case order.StepAssign:
			row.Assignee = sanitizeText(work.To)
		case order.StepWait:
			if work.Days > 0 {
				row.WaitUntil = waitUntil(t.At.UnixMilli(), work.Days)
			}
		case order.StepReopen:
			row.Assignee = ""
		case order.StepExplain:
		}
		return nil, t.putDiscrepancy(ctx, *row)
	})
}

// What the evidence of a step says after the step.
const (
	assignedTo = "assign to "
	waitsLong  = "wait without end"
	waitsDay   = "wait 1 day"
	waitsDays  = "wait %d days"
)

// workedEvidence is what the evidence of a step says after the discrepancy.
func workedEvidence(work order.DiscrepancyWork) string {
	switch {
	case work.Step == order.StepAssign:
		return assignedTo + sanitizeText(work.To)
	case work.Step != order.StepWait:
		return string(work.Step)
	case work.Days == 1:
		return waitsDay
	case work.Days > 1:
		return fmt.Sprintf(waitsDays, work.Days)
	}
	return waitsLong
}

// waitUntil returns until when a discrepancy waits that was told so at a time, in milliseconds.
func waitUntil(at int64, days int) int64 { return moment(at).AddDate(0, 0, days).UnixMilli() }

// CloseDiscrepancy closes a discrepancy that a person has dealt with, with the
// reason, and returns it. It is audited, done or refused. If two persons are needed, the
// first one's call leaves it open, in the state accepting. With an authority it is signed.
//
// The refusal's codes are WHO_MISSING, WHY_MISSING, TEXT_TOO_LONG, SAME_PERSON,
// FIRST_PERSON_UNPROVEN, DISCREPANCY_CLOSED, DISCREPANCY_NOT_FOUND and those of the
// authority. DISCREPANCY_NOT_FOUND is not audited.
func (l *Ledger) CloseDiscrepancy(ctx context.Context, id int64, who order.Who) (Discrepancy, *order.Refusal, error) {
	return l.onDiscrepancy(ctx, id, who, ActionCloseDiscrepancy, func(t tx, row *discrepancyRow, e *entry) (*order.Refusal, error) {
		refusal := row.requireOpen()
		d := row.discrepancy()
		two := l.needsTwo(d)
		if refusal == nil && two && row.AcceptedBy != "" && rules.SamePerson(row.AcceptedBy, who.By) {
			refusal = order.Refuse(codes.SamePerson, "%s has accepted discrepancy %d; another person must accept it, too", row.AcceptedBy, id)
		}
		if refusal == nil {
			e.envelope, refusal = l.permitted(who.Proof, func(a Authority) (string, *order.Refusal) {
				return a.PermitDiscrepancy(who, d.Ref(), d.Stake, two, t.At)
			})
			if refusal == nil && two && row.AcceptedBy != "" {
				var err error
				if refusal, err = t.requireFirst(ctx, row.first()); err != nil {
					return nil, err
				}
				if refusal == nil {
					e.evidence += firstAccepted + row.AcceptedBy
				}
			}
			e.mark = l.unproved(refusal, e.mark)
		}
		switch {
		case refusal != nil:
			return refusal, nil
		case two && row.AcceptedBy == "":
			e.action = ActionAcceptDiscrepancy
			row.State, row.AcceptedBy, row.Said, row.SaidBy = order.DiscrepancyAccepting, sanitizeText(who.By), sanitizeText(who.Why), sanitizeText(who.By)
		default:
			row.State, row.ClosedAt, row.ClosedBy, row.ClosedWhy = order.DiscrepancyAccepted, t.At.UnixMilli(), sanitizeText(who.By), sanitizeText(who.Why)
		}
		return nil, t.putDiscrepancy(ctx, *row)
	})
}

// onDiscrepancy locks a discrepancy, performs an action on it or refuses it, and audits
// which. The entry, which do may change, is added to the chain.
func (l *Ledger) onDiscrepancy(
	ctx context.Context, id int64, who order.Who, name AuditAction, do func(t tx, row *discrepancyRow, e *entry) (*order.Refusal, error),
) (Discrepancy, *order.Refusal, error) {
	var row discrepancyRow
	var refusal *order.Refusal
	l.refresh()
	err := l.inTx(ctx, func(t tx) error {
		const read = "SELECT " + discrepancyColumns + " FROM discrepancies WHERE id = ?"
		if err := t.Get(ctx, &row, read, id); err != nil {
			return missing(err, "discrepancy %d", id)
		}
		var err error
		refusal, err = t.onBooks(ctx, row.discrepancy().Key, strconv.FormatInt(id, 10), entry{
			action: name, actor: who.By, mark: who.ID, evidence: order.DiscrepancyRef{Discrepancy: id}.Named(), reason: order.Reason{Code: row.Code, Text: who.Why},
		}, func(_ bool, e *entry) (*order.Refusal, error) {
			if refusal := rules.PermitNote((order.Note{By: who.By, Text: who.Why}), order.Order{}); refusal != nil {
				return refusal, nil
			}
			if err := t.Get(ctx, &row, read+t.ForUpdate, id); err != nil {
				return nil, err
			}
			if err := t.openDiscrepancy(&row); err != nil {
				return nil, err
			}
			return do(t, &row, e)
		})
		if err != nil || refusal != nil {
			return err
		}
		if err := t.Get(ctx, &row, read, id); err != nil {
			return err
		}
		return t.openDiscrepancy(&row)
	})
	if errors.Is(err, ErrNotFound) {
		return Discrepancy{}, order.Refuse(CodeDiscrepancyNotFound, "there is no discrepancy %d", id), nil
	}
	if err != nil {
		return Discrepancy{}, nil, fmt.Errorf("ledger: %s %d: %w", name, id, err)
	}
	return row.discrepancy(), refusal, nil
}

// first is what the first of the two persons did who accept the discrepancy. Its order may
// have come into the ledger between the two.
func (r *discrepancyRow) first() firstAct {
	d, said := r.discrepancy(), r.Said
	return firstAct{
		key: d.Key, chains: []string{chainOrder, chainOther}, actions: []AuditAction{ActionAcceptDiscrepancy, ActionWorkDiscrepancy, ActionCloseDiscrepancy},
		about: d.Ref().Named(), by: r.AcceptedBy,
		did: "has accepted " + d.Ref().Named(), anew: "reopen it, which takes that back; then two persons accept it",
		permit: func(a Authority, who order.Who, at time.Time) *order.Refusal {
			who.Why = said
			_, refusal := a.PermitDiscrepancy(who, d.Ref(), d.Stake, true, at)
			return refusal
		},
	}
}

func (r *discrepancyRow) requireOpen() *order.Refusal {
	if r.ClosedAt == 0 {
		return nil
	}
	return order.Refuse(codes.AlreadyClosed, "discrepancy %d has been closed already", r.ID)
}

// putDiscrepancy stores how a locked discrepancy stands. Its texts are in clear.
func (t tx) putDiscrepancy(ctx context.Context, row discrepancyRow) error {
	texts, err := t.texts(discrepancySubject(row.ID), row.DataKey, row.DataKey == "")
	if err != nil {
		return err
	}
	key := texts.key
	if key == nil {
		if key, err = t.ring.NewKey(discrepancySubject(row.ID)); err != nil {
			return err
		}
	}
	_, err = t.Put(ctx, `UPDATE discrepancies SET state = ?, assignee = ?, said = ?, said_by = ?, wait_until = ?, accepted_by = ?,
			closed_at = ?, closed_by = ?, closed_why = ?, data_key = ?, reminded_at = ? WHERE id = ?`,
		row.State, row.Assignee, key.Seal("said", row.Said), row.SaidBy, row.WaitUntil, row.AcceptedBy,
		row.ClosedAt, row.ClosedBy, key.Seal("closed_why", row.ClosedWhy), key.Stored(), t.At.UnixMilli(), row.ID)
	return err
}

// Ref names the discrepancy and its class for a signature.
func (d Discrepancy) Ref() order.DiscrepancySigned {
	return order.DiscrepancySigned{Key: d.Key, DiscrepancyRef: order.DiscrepancyRef{Discrepancy: d.ID}, Code: d.Code}
}

// heal closes open discrepancies of a locked order, because the ledger or the gateway has
// shown that the difference is gone. Each is audited.
func (t tx) heal(ctx context.Context, h *held, why string, healed ...string) error {
	return t.healKey(ctx, h.Key(), h, why, func(d discrepancyRow) bool { return slices.Contains(healed, d.Code) })
}

// healKey does the same for a key, whose order h is locked or, if it is nil, does not exist.
func (t tx) healKey(ctx context.Context, key order.Key, h *held, why string, gone func(discrepancyRow) bool) error {
	var rows []discrepancyRow
	err := t.List(ctx, &rows, "SELECT "+discrepancyColumns+` FROM discrepancies
		WHERE merchant = ? AND number = ? AND closed_at = 0 ORDER BY id`+t.ForUpdate, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !gone(row) {
			continue
		}
		_, err := t.Put(ctx, "UPDATE discrepancies SET state = ?, closed_at = ?, closed_by = ?, closed_why = ? WHERE id = ?",
			order.DiscrepancyHealed, t.At.UnixMilli(), System, why, row.ID)
		if err == nil {
			err = t.noteAbout(ctx, key, h, entry{
				action: ActionCloseDiscrepancy, evidence: row.discrepancy().Ref().Named(), reason: order.Reason{Code: row.Code, Text: why},
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// healUnlocked locks the order of the key, if there is one, and heals.
func (l *Ledger) healUnlocked(ctx context.Context, key order.Key, why string, gone func(discrepancyRow) bool) error {
	return l.inTx(ctx, func(t tx) error {
		h, err := t.lockIfThere(ctx, key)
		if err != nil {
			return err
		}
		return t.healKey(ctx, key, h, why, gone)
	})
}

// noteAbout adds an entry to the chain of a locked order, or of a key without an order.
func (t tx) noteAbout(ctx context.Context, key order.Key, h *held, e entry) error {
	if h == nil {
		return t.noteOther(ctx, key, e)
	}
	return t.note(ctx, h, e)
}

// Remind adds a reminder to the audit, which is an event, for each open discrepancy that
// nobody has worked on for that long, at most MaxPage. One that waits for the gateway is
// reminded of when its wait is over. It returns how many.
func (l *Ledger) Remind(ctx context.Context, after time.Duration) (count int, err error) {
	now, err := l.Now(ctx)
	var rows []discrepancyRow
	if err == nil {
		due := now.Add(-after).UnixMilli()
		err = l.db.List(ctx, &rows, "SELECT "+discrepancyColumns+` FROM discrepancies
			WHERE closed_at = 0 AND at <= ? AND reminded_at <= ? AND wait_until <= ? ORDER BY at, id LIMIT ?`, due, due, now.UnixMilli(), MaxPage)
	}
	for _, row := range rows {
		var done bool
		if done, err = l.remind(ctx, row, now); err != nil {
			break
		}
		if done {
			count++
		}
	}
	if err != nil {
		return count, fmt.Errorf("ledger: remind of discrepancies: %w", err)
	}
	return count, nil
}

// remind reminds of one discrepancy, unless somebody has worked on it since now.
func (l *Ledger) remind(ctx context.Context, row discrepancyRow, now time.Time) (done bool, err error) {
	d := row.discrepancy()
	text := fmt.Sprintf("%s since %s", d.State, d.At.Format(time.DateOnly))
	if d.Assignee != "" {
		text += "; " + d.Assignee + " deals with it"
	}
	err = l.inTx(ctx, func(t tx) error {
		h, err := t.lockIfThere(ctx, d.Key)
		if err != nil {
			return err
		}
		changed, err := t.Put(ctx, "UPDATE discrepancies SET reminded_at = ? WHERE id = ? AND closed_at = 0 AND reminded_at <= ?",
			max(t.At.UnixMilli(), now.UnixMilli()+1), row.ID, now.UnixMilli())
		if done = changed == 1; err != nil || !done {
			return err
		}
		return t.noteAbout(ctx, d.Key, h, entry{
			action: ActionRemindDiscrepancy, evidence: d.Ref().Named(), reason: order.Reason{Code: row.Code, Text: text},
		})
	})
	return done, err
}

// named reports whether the mark of a discrepancy names the gateway's record.
func named(mark, gatewayID string) bool {
	return mark == gatewayID || strings.HasPrefix(mark, gatewayID+" ")
}
