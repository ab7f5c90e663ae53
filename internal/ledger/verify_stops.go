package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyStops compares every stop with the audit: who stopped payouts and when, who proposed
// to resume them, and who did and when. The audit has no stop and no resumption of a stop that
// is not in the table. Of an entry that cannot be read, the scope is not compared.
//
// The seals and the signatures of the entries are verified by VerifyAudit.
func (t tx) verifyStops(ctx context.Context) (found []verify.Violation, err error) {
	var rows []stopRow
	if err := t.List(ctx, &rows, "SELECT "+stopColumns+" FROM stops ORDER BY id"); err != nil {
		return nil, err
	}
	entries, err := t.auditedOfMerchants(ctx, ActionStop, ActionResume)
	if err != nil {
		return nil, err
	}
	differs := func(merchant, format string, args ...any) {
		found = append(found, verify.Violation{Code: verify.BrokenStop, Key: order.Key{Merchant: merchant}, Detail: fmt.Sprintf(format, args...)})
	}
	for _, row := range rows {
		for _, what := range row.unsaid(entries) {
			differs(row.Merchant, "%s: the audit does not say who %s, or not at that time", row.name(), what)
		}
	}
	for _, e := range entries {
		if !hidden(e.instead.evidence) && !slices.ContainsFunc(rows, func(r stopRow) bool { return r.isIn(e) }) {
			differs(e.Merchant, "the audit has %s of %s, and there is no such stop", e.Action, e.Evidence)
		}
	}
	return found, nil
}

// unsaid returns what the row says and no entry does.
func (r stopRow) unsaid(entries []auditRow) (what []string) {
	said := func(action AuditAction, by string, at int64) bool {
		return slices.ContainsFunc(entries, func(e auditRow) bool {
			return e.Action == action && e.Actor == by && (at == anyTime || e.At == at) && r.isIn(e)
		})
	}
	if !said(ActionStop, r.Actor, r.At) {
		what = append(what, "stopped payouts")
	}
	if r.Proposer != "" && !said(ActionResume, r.Proposer, anyTime) {
		what = append(what, "proposed to resume them")
	}
	if r.EndedAt != 0 && !said(ActionResume, r.EndedBy, r.EndedAt) {
		what = append(what, "resumed them")
	}
	return what
}

// anyTime is the time of a proposal, which the row does not have.
const anyTime = -1

// isIn reports whether the entry is about the stop.
func (r stopRow) isIn(e auditRow) bool {
	return e.Merchant == sanitizeKey(r.Merchant) && (e.Evidence == r.name() || hidden(e.instead.evidence))
}
