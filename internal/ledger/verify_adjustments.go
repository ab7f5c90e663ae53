package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyAdjustments compares every adjustment with the audit: who proposed it, when and with
// which kind, amount and evidence, and who confirmed or rejected it and when. The audit has no
// proposal, confirmation or rejection of an adjustment that is not in the table. Of an entry
// that cannot be read, the text is not compared.
//
// The seals and the signatures of the entries are verified by VerifyAudit.
func (t tx) verifyAdjustments(ctx context.Context) (found []verify.Violation, err error) {
	var rows []adjustmentRow
	if err := t.List(ctx, &rows, "SELECT "+adjustmentColumns+" FROM adjustments ORDER BY id"); err != nil {
		return nil, err
	}
	entries, err := t.auditedOfMerchants(ctx, ActionProposeAdjustment, ActionConfirmAdjustment, ActionRejectAdjustment)
	if err != nil {
		return nil, err
	}
	differs := func(merchant, currency, format string, args ...any) {
		found = append(found, verify.Violation{
			Code: verify.BrokenAdjustmentAudit, Key: order.Key{Merchant: merchant}, Currency: currency, Detail: fmt.Sprintf(format, args...),
		})
	}
	unmatched := make(map[adjustmentName][]auditRow)
	for _, e := range entries {
		name := adjustmentNamed(e)
		unmatched[name] = append(unmatched[name], e)
	}
	for i := range rows {
		row := &rows[i]
		var wrong []string
		var fault *vault.Fault
		switch err := t.openAdjustment(row); {
		case errors.As(err, &fault):
			wrong = append(wrong, fault.Text)
		case err != nil:
			return nil, err
		}
		name, unread := adjustmentName{sanitizeKey(row.Merchant), row.Ref}, adjustmentName{sanitizeKey(row.Merchant), ""}
		for _, did := range row.acts() {
			if !take(unmatched, name, did.isIn) && !take(unmatched, unread, did.isIn) {
				wrong = append(wrong, "the audit does not say who "+did.what+" it, or not at that time or with that content")
			}
		}
		for _, e := range unmatched[name] {
			wrong = append(wrong, fmt.Sprintf("the audit has %s by %s, and the table does not", e.Action, e.Actor))
		}
		delete(unmatched, name)
		if len(wrong) > 0 {
			differs(row.Merchant, row.Currency, "adjustment %s: %s", row.Ref, strings.Join(wrong, "; "))
		}
	}
	for _, e := range entries {
		if name := adjustmentNamed(e); name.ref != "" && take(unmatched, name, func(left auditRow) bool { return left.Seq == e.Seq }) {
			differs(e.Merchant, "", "the audit has %s of adjustment %s, and there is no such adjustment", e.Action, name.ref)
		}
	}
	return found, nil
}

type adjustmentName struct{ merchant, ref string }

// adjustmentNamed returns the adjustment that an entry is about. The reference is "" if the
// entry cannot be read.
func adjustmentNamed(e auditRow) adjustmentName {
	about, named := strings.CutPrefix(e.Evidence, adjustmentPrefix)
	ref, _, _ := strings.Cut(about, ":")
	if !named {
		ref = ""
	}
	return adjustmentName{e.Merchant, ref}
}

// take removes the first entry of a name that satisfies the condition. It returns false if
// none does.
func take(from map[adjustmentName][]auditRow, name adjustmentName, is func(auditRow) bool) bool {
	at := slices.IndexFunc(from[name], is)
	if at >= 0 {
		from[name] = slices.Delete(from[name], at, at+1)
	}
	return at >= 0
}

// adjustmentAct is what a row says that somebody did.
type adjustmentAct struct {
	what     string
	action   AuditAction
	actor    string
	at       int64
	evidence string // "" if it cannot be read
}

// acts returns what the row says was done.
func (r *adjustmentRow) acts() []adjustmentAct {
	evidence := adjustmentEvidence(r.Ref, r.text())
	if r.hidden {
		evidence = ""
	}
	acts := []adjustmentAct{{"proposed", ActionProposeAdjustment, r.Actor, r.ProposedAt, evidence}}
	switch r.State {
	case AdjustmentProposed:
	case AdjustmentBooked:
		acts = append(acts, adjustmentAct{"confirmed", ActionConfirmAdjustment, r.DecidedBy, r.DecidedAt, evidence})
	case AdjustmentRejected:
		acts = append(acts, adjustmentAct{"rejected", ActionRejectAdjustment, r.DecidedBy, r.DecidedAt, evidence})
	}
	return acts
}

// isIn reports whether an entry says the same.
func (a adjustmentAct) isIn(e auditRow) bool {
	return e.Action == a.action && e.Actor == a.actor && e.At == a.at && (e.Evidence == a.evidence || a.evidence == "" || hidden(e.instead.evidence))
}
