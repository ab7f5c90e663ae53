package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What two persons do is in a row after the first one, and done after the second one. A
// process's database login can write such a row, with any name, and an entry of the audit,
// too, but it can make neither the seal of a worker nor the signature of a person. So, with
// an authority, the first person is the one whose entry in the audit is sealed and signed
// for exactly what the row says, and whom the authority would still permit it. Without an
// authority it is the one whom the row names.

// The states that the audit has of a stop that two persons end.
const (
	stopInForce order.State = "stopped"
	stopEnded   order.State = "resumed"
)

// firstAccepted begins, in the evidence of a closing, the name of the first person.
const firstAccepted = ": first accepted by "

// What two persons do to an order, in TwoPersons.
const (
	aboutApproval   = "approval"
	aboutResolution = "resolution"
)

// TwoPersons returns the entry's part in what two persons do, and what they do it to: a
// text that is unique in the entry's chain.
func (e AuditEntry) TwoPersons() (part rules.Part, about string) {
	if e.Refused {
		return rules.PartAlone, ""
	}
	about, _, _ = strings.Cut(e.Evidence, ":")
	switch e.Action {
	case ActionProposeAdjustment, ActionAcceptDiscrepancy:
		return rules.PartFirst, about
	case ActionConfirmAdjustment:
		return rules.PartSecond, about
	case ActionRejectAdjustment, ActionWorkDiscrepancy, ActionStop:
		return rules.PartWithdrawn, about
	case ActionResume:
		return secondIf(e.After == stopEnded, rules.PartFirst), about
	case ActionCloseDiscrepancy:
		return secondIf(strings.Contains(e.Evidence, firstAccepted), rules.PartWithdrawn), about
	case ActionApprove:
		return secondIf(e.After != e.Before, rules.PartFirst), aboutApproval
	case ActionPropose:
		return rules.PartFirst, aboutResolution
	case ActionResolve:
		return secondIf(strings.Contains(e.Actor, twoNames), rules.PartWithdrawn), aboutResolution
	default:
		return rules.PartAlone, ""
	}
}

// secondIf returns PartSecond if it is the second person's entry.
func secondIf(is bool, otherwise rules.Part) rules.Part {
	if is {
		return rules.PartSecond
	}
	return otherwise
}

// firstAct is what the first of two persons did, as its row has it.
type firstAct struct {
	key     order.Key // of the chains that may have the entry
	chains  []string
	actions []AuditAction // of the entry, and of those that withdraw it
	mark    string        // begins the entry's mark; empty: it is not asked
	about   string        // see AuditEntry.TwoPersons

	by   string // the name in the row
	did  string // "has proposed …"
	anew string // how another first person begins
	// permit asks the authority as if the first person did now what the row says. who has
	// the id, the time and the reason of the entry.
	permit func(a Authority, who order.Who, at time.Time) *order.Refusal
}

// requireFirst refuses what a second person does if the first one's act does not count.
func (t tx) requireFirst(ctx context.Context, first firstAct) (*order.Refusal, error) {
	if t.authority == nil {
		return nil, nil
	}
	rows, err := t.entriesOf(ctx, first.key, first.chains, first.mark, first.actions...)
	if err != nil {
		return nil, err
	}
	fault := errors.New("no entry of it stands in the audit")
	for _, row := range rows {
		part, about := row.twoPersons()
		if about != first.about {
			continue
		}
		if part == rules.PartFirst {
			fault = t.countFirst(row, first)
		}
		break // the newest entry decides: it took the place of what is older, or took it back
	}
	if fault == nil {
		return nil, nil
	}
	return order.Refuse(codes.FirstUnproven, "%s %s, and that does not count: %v; %s", first.by, first.did, fault, first.anew), nil
}

// countFirst returns why an entry does not prove what the row says of the first person.
func (t tx) countFirst(row storedRow, first firstAct) error {
	signed, _, err := row.genuine()
	if err != nil {
		return err
	}
	if row.Actor != first.by {
		return fmt.Errorf("the audit says that %s did it", row.Actor)
	}
	proof, err := signed.Proof()
	if err != nil {
		return err
	}
	proof.Done = moment(row.At)
	refusal := first.permit(t.authority, order.Who{ID: signed.Envelope.ID, By: first.by, Why: row.Text, Proof: &proof}, t.At)
	return asError(refusal)
}

// asError returns a refusal as an error, nil for none.
func asError(refusal *order.Refusal) error {
	if refusal == nil {
		return nil
	}
	return refusal
}

// storedRow is an entry with what shows whether a worker has written it.
type storedRow struct {
	auditRow
	Previous []byte `db:"previous"` // hash of the entry before it
	forged   error  // nil: its hash and its seal are right
}

// twoPersons is AuditEntry.TwoPersons.
func (r *auditRow) twoPersons() (rules.Part, string) {
	e, _ := r.entry("", nil) // without amounts
	return e.TwoPersons()
}

// entriesOf reads the entries of chains that were done and have one of the actions, the
// newest first, decrypted. Those of an order are newer than what was noted about its number
// before it was opened. Their marks begin with mark.
func (t tx) entriesOf(ctx context.Context, key order.Key, chains []string, mark string, actions ...AuditAction) ([]storedRow, error) {
	key = sanitizeOrderKey(key)
	args := []any{len(mark), mark}
	for _, action := range actions {
		args = append(args, action)
	}
	rows, err := t.storedRows(ctx, key, chains, "substr(a.mark, 1, ?) = ? AND a.action IN ("+placeholders(len(actions))+")", args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	texts := make(map[string]rowTexts)
	for _, chain := range chains {
		if texts[chain], err = t.chainTexts(ctx, key.Merchant, key.Number, chain); err != nil {
			return nil, err
		}
	}
	return rows, t.openRows(ctx, rows, texts)
}

// storedRows reads the entries of chains that were done and meet the condition, the newest
// first, as they are stored. Those of an order are newer than the others.
func (t tx) storedRows(ctx context.Context, key order.Key, chains []string, where string, args ...any) ([]storedRow, error) {
	of := []any{key.Merchant, key.Number, outcomeDone}
	for _, chain := range chains {
		of = append(of, chain)
	}
	var rows []storedRow
	err := t.List(ctx, &rows, "SELECT "+auditColumnsOfA+`, p.hash AS previous
		FROM audit a
		LEFT JOIN audit p ON p.merchant = a.merchant AND p.number = a.number AND p.chain = a.chain AND p.seq = a.seq - 1
		WHERE a.merchant = ? AND a.number = ? AND a.outcome = ? AND a.chain IN (`+placeholders(len(chains))+`) AND (`+where+`)
		ORDER BY CASE a.chain WHEN '`+chainOrder+`' THEN 0 ELSE 1 END, a.seq DESC`, append(of, args...)...)
	public := t.keys.Public()
	for i := range rows {
		rows[i].forged = rows[i].check(public)
	}
	return rows, err
}

// openRows decrypts entries, with the texts of each chain.
func (t tx) openRows(ctx context.Context, rows []storedRow, texts map[string]rowTexts) error {
	var referred []string
	for i := range rows {
		if err := rows[i].open(texts[rows[i].Chain].orDamaged()); err != nil {
			return err
		}
		if hash := rows[i].decisionOf(); hash != "" {
			referred = append(referred, hash)
		}
	}
	return t.expandAll(ctx, rows, referred)
}

// expandAll puts the signed envelopes of decisions into the entries that refer to them.
func (t tx) expandAll(ctx context.Context, rows []storedRow, referred []string) error {
	if len(referred) == 0 {
		return nil
	}
	known, err := t.decisions(ctx, referred...)
	for i := range rows {
		rows[i].expand(known)
	}
	return err
}

// check returns why the stored entry is not one that a worker has written. Without keys, an
// entry needs no seal.
func (r *storedRow) check(keys *seal.Public) error {
	if !r.follows(r.Seq-1, r.Previous) {
		return errors.New("its entry in the audit is not what was written")
	}
	if keys == nil {
		return nil
	}
	return keys.Check(r.Hash, r.Seal)
}

// genuine returns the envelope of an entry that a worker has written, and of one about an
// order of a list the order's place in it. The signature is not verified yet.
func (r *storedRow) genuine() (signed envelope.Signed, item *envelope.Listed, err error) {
	var proof struct {
		envelope.Signed
		Item *envelope.Listed `json:"item"`
	}
	switch {
	case r.forged != nil:
		return signed, nil, r.forged
	case r.Envelope == "":
		return signed, nil, errors.New("its entry in the audit is not signed")
	case json.Unmarshal([]byte(r.Envelope), &proof) != nil:
		return signed, nil, errors.New("the signature in the audit cannot be read")
	}
	return proof.Signed, proof.Item, nil
}

// approvals are the approvals of an order that count.
type approvals struct {
	needed  int
	by      []string // persons
	ignored string   // why the last one that does not count does not; empty: each counts
}

// approvals reads who has approved the order. With an authority, an approval counts that is
// sealed and signed, and that the authority would still permit; and an order whose start
// does not count so is approved by two persons, as one whose start is not signed.
func (t tx) approvals(ctx context.Context, h *held) (approvals, error) {
	rows, err := t.history(ctx, h)
	if err != nil {
		return approvals{}, err
	}
	return t.countApprovals(ctx, h, rows)
}

// countApprovals is approvals of an order with that history.
func (t tx) countApprovals(ctx context.Context, h *held, rows []storedRow) (approvals, error) {
	counted := approvals{needed: max(1, h.Approvals)}
	if err := t.openRows(ctx, rows, map[string]rowTexts{chainOrder: {key: h.key}}); err != nil {
		return counted, err
	}
	opened := t.authority == nil
	for _, row := range slices.Backward(rows) {
		if row.Action != ActionOpen && row.Action != ActionApprove {
			continue
		}
		opened = opened || row.Action == ActionOpen
		var fault error
		if t.authority != nil {
			fault = t.countOnOrder(row, h.Order)
		}
		switch {
		case row.Action == ActionOpen && fault != nil && counted.needed == 1:
			counted.needed, counted.ignored = 2, fmt.Sprintf("; the start by %s does not count: %v", row.Actor, fault)
		case row.Action == ActionOpen:
		case fault != nil:
			counted.ignored = fmt.Sprintf("; the approval of %s does not count: %v", row.Actor, fault)
		case !counted.has(row.Actor):
			counted.by = append(counted.by, row.Actor)
		}
	}
	if !opened {
		counted.needed, counted.ignored = 2, "; the audit does not have the order's opening"
	}
	return counted, nil
}

func (a approvals) has(name string) bool {
	return slices.ContainsFunc(a.by, func(by string) bool { return rules.SamePerson(by, name) })
}

// enough reports whether as many persons have approved the order as must.
func (a approvals) enough() bool { return len(a.by) >= a.needed }

// countOnOrder returns why the entry of a start or an approval does not count.
func (t tx) countOnOrder(row storedRow, o order.Order) error {
	signed, item, err := row.genuine()
	if err != nil {
		return err
	}
	if signed.Envelope.By != row.Actor {
		return fmt.Errorf("%s signed it", signed.Envelope.By)
	}
	if row.Action == ActionOpen {
		proof, err := signed.Proof()
		if err != nil {
			return err
		}
		proof.Done = moment(row.At)
		request := o.Request
		request.Proof = &proof
		_, refusal := t.authority.PermitStart(request, t.At)
		return asError(refusal)
	}
	action, err := actionOf(signed, item)
	if err != nil {
		return err
	}
	if action.Name() != order.ActionApprove {
		return fmt.Errorf("%s is no approval", action.Name())
	}
	action.Done = moment(row.At)
	_, refusal := t.authority.Permit(action, o, t.At)
	return asError(refusal)
}

func actionOf(signed envelope.Signed, item *envelope.Listed) (order.Signed, error) {
	if item != nil {
		return signed.ActionOn(*item)
	}
	return signed.Action()
}
