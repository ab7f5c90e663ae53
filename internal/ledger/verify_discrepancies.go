package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyDiscrepancies compares every discrepancy with the audit. Its row says what its
// entries say, one after the other: what it is about, when it was opened last and with which
// detail and stake, who deals with it, what was said last and by whom, until when it waits,
// who accepted it first, and who closed it, when and why. The audit has no entry of a
// discrepancy that is not in the table.
//
// What some entries do not say is not compared:
//   - an opening with a mark that leaves no room for it: the stake, its currency and the delta
//   - a closing by an adjustment: its two persons. The adjustment has them
//
// If an entry cannot be read that may be of the discrepancy, because it was erased or there is
// no key, each thing that the row says must be in some entry: see unproven.
//
// The seals and the signatures of the entries are verified by VerifyAudit.
func (t tx) verifyDiscrepancies(ctx context.Context) (found []verify.Violation, err error) {
	var rows []discrepancyRow
	if err = t.List(ctx, &rows, "SELECT "+discrepancyColumns+" FROM discrepancies ORDER BY id"); err != nil {
		return nil, err
	}
	entries, err := t.auditedDiscrepancies(ctx)
	if err != nil {
		return nil, err
	}
	booked, err := t.bookedDiscrepancies(ctx)
	differs := func(merchant, number, format string, args ...any) {
		found = append(found, verify.Violation{
			Code: verify.BrokenDiscrepancy, Key: order.Key{Merchant: merchant, Number: number}, Detail: fmt.Sprintf(format, args...),
		})
	}
	byKey := make(map[order.Key][]*auditedDiscrepancy)
	for i := range entries {
		key := order.Key{Merchant: entries[i].Merchant, Number: entries[i].Number}
		byKey[key] = append(byKey[key], &entries[i])
	}
	for _, row := range rows {
		t.readDiscrepancy(&row)
		audited := row.among(byKey[order.Key{Merchant: row.Merchant, Number: row.Number}])
		wrong := row.wrong(audited, booked[bookedRef(row.Merchant, BookingRef(row.ID))])
		if len(wrong) > 0 {
			differs(row.Merchant, row.Number, "discrepancy %d: the audit does not say the same of: %s", row.ID, strings.Join(wrong, ", "))
		}
	}
	for _, e := range entries {
		if !e.has && !hidden(e.instead.evidence) {
			differs(e.Merchant, e.Number, "the audit has %s of %s %s, and there is no such discrepancy", e.Action, e.Code, e.Evidence)
		}
	}
	return found, err
}

// auditedDiscrepancy is an entry about a discrepancy.
type auditedDiscrepancy struct {
	auditRow
	DataKey  string `db:"data_key"`
	ErasedAt int64  `db:"erased_at"`
	has      bool   // the discrepancy is in the table
}

// auditedDiscrepancies reads the entries of what was done about discrepancies, decrypted, in
// the sequence in which they were written.
func (t tx) auditedDiscrepancies(ctx context.Context) (entries []auditedDiscrepancy, err error) {
	err = t.List(ctx, &entries, "SELECT "+auditColumnsOfA+`,
			COALESCE(o.data_key, c.data_key, '') AS data_key, COALESCE(o.erased_at, c.erased_at, 0) AS erased_at
		FROM audit a
		LEFT JOIN orders o ON a.chain = 'order' AND o.merchant = a.merchant AND o.number = a.number
		LEFT JOIN chains c ON a.chain = 'other' AND c.merchant = a.merchant AND c.number = a.number
		WHERE a.outcome = ? AND a.action IN (?, ?, ?, ?) ORDER BY a.id`,
		outcomeDone, ActionDiscrepancy, ActionWorkDiscrepancy, ActionAcceptDiscrepancy, ActionCloseDiscrepancy)
	for i := range entries {
		e := &entries[i]
		texts, fault := t.entryTexts(e.Chain, e.Merchant, e.Number, e.DataKey, e.ErasedAt)
		if fault != nil {
			texts = rowTexts{} // VerifyAudit reports it
		}
		if err == nil {
			err = e.open(texts.orDamaged())
		}
	}
	return entries, err
}

// readDiscrepancy decrypts what people said. What does not decrypt is what is wrong.
func (t tx) readDiscrepancy(row *discrepancyRow) {
	texts, fault := t.texts(discrepancySubject(row.ID), row.DataKey, row.DataKey == "")
	if fault != nil {
		texts = rowTexts{}
	}
	_ = row.open(texts.orDamaged()) // it returns no error, as there is something instead
}

// bookedRef names an adjustment of a merchant.
func bookedRef(merchant, ref string) order.Key { return order.Key{Merchant: merchant, Number: ref} }

// bookedDiscrepancies reads the adjustments that have booked what differed.
func (t tx) bookedDiscrepancies(ctx context.Context) (map[order.Key]adjustmentRow, error) {
	var rows []adjustmentRow
	err := t.List(ctx, &rows, "SELECT "+adjustmentColumns+" FROM adjustments WHERE state = 'booked' AND substr(ref, 1, ?) = ?", len(bookingPrefix), bookingPrefix)
	booked := make(map[order.Key]adjustmentRow, len(rows))
	for _, row := range rows {
		booked[bookedRef(row.Merchant, row.Ref)] = row
	}
	return booked, err
}

// among returns the entries that are about the discrepancy, or that may be and cannot be read.
func (r discrepancyRow) among(entries []*auditedDiscrepancy) (about []auditRow) {
	for _, e := range entries {
		if r.isIn(e.auditRow) {
			e.has = true
			about = append(about, e.auditRow)
		} else if hidden(e.instead.evidence) && e.Code == r.Code {
			about = append(about, e.auditRow)
		}
	}
	return about
}

// isIn reports whether the entry can be read and is about the discrepancy.
func (r discrepancyRow) isIn(e auditRow) bool {
	if e.Action == ActionDiscrepancy {
		opened, _ := openedBy(e.Evidence, r.Mark)
		return opened && e.Code == r.Code
	}
	named, _, _ := strings.Cut(e.Evidence, ":")
	return named == order.DiscrepancyRef{Discrepancy: r.ID}.Named()
}

// claim is something that a row says, and whether its entries say it.
type claim struct {
	name string
	said bool
}

func unsaid(claims ...claim) (names []string) {
	for _, c := range claims {
		if !c.said {
			names = append(names, c.name)
		}
	}
	return names
}

// wrong names what the row says, and its entries do not. Texts without a key here are not
// compared. booked is the adjustment that has
// booked what differed, if there is one.
func (r discrepancyRow) wrong(entries []auditRow, booked adjustmentRow) []string {
	if slices.ContainsFunc(entries, func(e auditRow) bool { return hidden(e.instead.evidence) || hidden(e.instead.text) }) {
		return r.unproven(entries, booked)
	}
	var told toldDiscrepancy
	for _, e := range entries {
		told = r.after(told, e, booked)
	}
	return unsaid(
		claim{"opening", r.At == told.At && r.Detail == told.Detail},
		claim{"stake", r.stakes() == told.atStake},
		claim{"state", r.State == told.State},
		claim{"assignee", r.Assignee == told.Assignee},
		claim{"explanation", r.SaidBy == told.SaidBy && (r.Said == told.Said || r.hidden)},
		claim{"wait", r.WaitUntil == told.WaitUntil},
		claim{"first person", r.AcceptedBy == told.AcceptedBy},
		claim{"closing", r.ClosedAt == told.ClosedAt && r.ClosedBy == told.ClosedBy && (r.ClosedWhy == told.ClosedWhy || r.hidden)},
	)
}

// toldDiscrepancy is a discrepancy as its entries have it.
type toldDiscrepancy struct {
	discrepancyRow
	atStake string
}

// after returns how the discrepancy stands after one more entry. What the entry does not say
// is as the row has it.
func (r discrepancyRow) after(told toldDiscrepancy, e auditRow, booked adjustmentRow) toldDiscrepancy {
	_, what, _ := strings.Cut(e.Evidence, ": ")
	switch e.Action {
	case ActionDiscrepancy:
		_, stakes := openedBy(e.Evidence, r.Mark)
		if stakes == "" && openedEvidence(r.difference()) == r.Mark {
			stakes = r.stakes() // the mark leaves no room for it
		}
		told = toldDiscrepancy{discrepancyRow{At: e.At, Detail: e.Text, State: order.DiscrepancyOpen}, stakes}
	case ActionWorkDiscrepancy:
		told.State, told.Said, told.SaidBy, told.AcceptedBy, told.WaitUntil = stepOf(what).State(), e.Text, e.Actor, "", 0
		r.afterStep(&told, what, e.At)
	case ActionAcceptDiscrepancy:
		told.State, told.AcceptedBy, told.Said, told.SaidBy = order.DiscrepancyAccepting, e.Actor, e.Text, e.Actor
	case ActionCloseDiscrepancy:
		told.State, told.ClosedAt, told.ClosedBy, told.ClosedWhy = order.DiscrepancyAccepted, e.At, e.Actor, e.Text
		if e.Actor == System && strings.HasPrefix(what, adjustmentPrefix) {
			told.AcceptedBy, told.ClosedBy = booked.Actor, booked.DecidedBy
		} else if e.Actor == System {
			told.State = order.DiscrepancyHealed
		}
	default: // it is not read
	}
	return told
}

// stepOf returns the step that an entry's evidence names.
func stepOf(what string) order.DiscrepancyStep {
	step, _, _ := strings.Cut(what, " ")
	return order.DiscrepancyStep(step)
}

// afterStep adds to whom a step has assigned the discrepancy, and until when it waits.
func (r discrepancyRow) afterStep(told *toldDiscrepancy, what string, at int64) {
	switch stepOf(what) {
	case order.StepAssign:
		told.Assignee = strings.TrimPrefix(what, assignedTo)
	case order.StepReopen:
		told.Assignee = ""
	case order.StepWait:
		var days int
		read, err := fmt.Sscanf(what, waitsDays, &days)
		switch {
		case what == waitsDay:
			told.WaitUntil = waitUntil(at, 1)
		case err == nil && read == 1:
			told.WaitUntil = waitUntil(at, days)
		}
	case order.StepExplain:
	}
}

// unproven is wrong if entries cannot be read: of these, action, actor and time are known.
// They need not be about this discrepancy, and which was the last one that is about it is not
// known.
func (r discrepancyRow) unproven(entries []auditRow, booked adjustmentRow) []string {
	said := func(by string, at int64, actions ...AuditAction) bool {
		return slices.ContainsFunc(entries, func(e auditRow) bool {
			return slices.Contains(actions, e.Action) && e.Actor == by && (at == anyTime || e.At == at)
		})
	}
	byTwo := r.State == order.DiscrepancyAccepted && booked.ID != 0 && r.AcceptedBy == booked.Actor && r.ClosedBy == booked.DecidedBy
	return unsaid(
		claim{"opening", said(System, r.At, ActionDiscrepancy)},
		claim{"state", (r.State == order.DiscrepancyOpen || r.SaidBy != "" || r.ClosedAt > 0) && (r.State == order.DiscrepancyHealed) == (r.ClosedBy == System)},
		claim{"explanation", r.SaidBy == "" || said(r.SaidBy, anyTime, ActionWorkDiscrepancy, ActionAcceptDiscrepancy)},
		claim{"first person", r.AcceptedBy == "" || byTwo || said(r.AcceptedBy, anyTime, ActionAcceptDiscrepancy)},
		claim{"closing", r.ClosedAt == 0 || said(r.ClosedBy, r.ClosedAt, ActionCloseDiscrepancy) || byTwo && said(System, r.ClosedAt, ActionCloseDiscrepancy)},
	)
}
