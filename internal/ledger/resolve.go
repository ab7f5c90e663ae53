package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Resolve ends an order in review with the state that a person decided on
// evidence. It books the same transfers as Settle.
//
// With twoPersons the first resolution is stored as a proposal. It is audited,
// nothing else changes, and pending is true. A resolution of another person with
// the same state and amounts is carried out, with the evidence of both. One of the
// same person is refused with SAME_PERSON. A resolution with another state or
// amount replaces the proposal of the same person; another person's is refused with
// PROPOSAL_DIFFERS unless it says that it replaces it. With an authority, a proposal that
// does not count is refused with FIRST_PERSON_UNPROVEN, or replaced. The person who
// requested the order may do neither.
//
// It is performed or refused, audited and repeated like the other actions, see
// actions.go.
func (l *Ledger) Resolve(ctx context.Context, key order.Key, r order.Resolution, twoPersons bool) (o order.Order, refusal *order.Refusal, pending bool, err error) {
	return l.resolveAs(ctx, key, r, r, twoPersons)
}

// resolveAs is Resolve. asked is the resolution as it came, with its signature.
func (l *Ledger) resolveAs(ctx context.Context, key order.Key, asked order.Action, r order.Resolution, twoPersons bool) (
	o order.Order, refusal *order.Refusal, pending bool, err error,
) {
	r.By, r.Why, r.Evidence = sanitizeText(r.By), sanitizeText(r.Why), sanitizeText(r.Evidence)
	a := action{
		entry: entry{action: ActionResolve, actor: r.By, evidence: r.Evidence, mark: r.ID, reason: personReason(order.CodeResolved, r.Why)},
		permit: func(_ tx, h *held) *order.Refusal {
			return rules.PermitResolution(r, h.Order, twoPersons)
		},
	}
	a.do = func(t tx, ctx context.Context, h *held, e entry) error {
		pending = false // the transaction may be retried
		if !twoPersons {
			return t.resolve(ctx, h, r, e)
		}
		first, proposed, err := t.proposal(ctx, h)
		if err != nil {
			return err
		}
		confirms, refusal := false, (*order.Refusal)(nil)
		if proposed {
			confirms, refusal = rules.Second(r, first)
			unproven, err := t.requireFirst(ctx, h.firstResolution(first))
			switch {
			case err != nil:
				return err
			case unproven == nil:
			case r.Replace || rules.SamePerson(r.By, first.By):
				confirms, refusal = false, nil // it takes the proposal's place
			default:
				refusal = unproven
			}
		}
		switch {
		case refusal != nil:
			return refusal
		case confirms:
			return t.resolve(ctx, h, mergeResolutions(first, r), e)
		default:
			pending = true
			return t.propose(ctx, h, r, replaced(first, proposed), e)
		}
	}
	result, err := l.act(ctx, key, asked, a)
	if err != nil {
		return order.Order{}, nil, false, err
	}
	if result.done == ActionPropose { // repeated
		pending = result.order.State == order.InReview
	}
	return result.order, result.refusal, pending, nil
}

// resolve applies the resolution. PermitResolution has checked that it fits the order. asked
// has the mark and the envelope for the audit.
func (t tx) resolve(ctx context.Context, h *held, r order.Resolution, asked entry) error {
	finding, err := rules.ResolutionFinding(r, h.Request, h.GatewayID)
	if err != nil {
		return err
	}
	finding.Evidence, finding.By, finding.Reason.Text = sanitizeText(finding.Evidence), sanitizeText(finding.By), sanitizeText(finding.Reason.Text)
	settlement, err := t.settle(ctx, h, finding, asked.mark, asked.envelope)
	if err == nil && !settlement.Moved {
		err = fmt.Errorf("%w: the resolution amounts to %s", ErrState, settlement.Discrepancy)
	}
	return err
}

// firstResolution is the proposal, as its row has it, by the first of the two persons.
func (h *held) firstResolution(stored order.Resolution) firstAct {
	o := h.Order
	return firstAct{
		key: h.Key(), chains: []string{chainOrder}, actions: []AuditAction{ActionPropose}, about: aboutResolution, by: stored.By,
		did: "has proposed " + rules.Outcome(stored), anew: "propose it anew in its place (--replace); then another person confirms it",
		permit: func(a Authority, who order.Who, at time.Time) *order.Refusal {
			text, err := json.Marshal(who.Proof)
			signed, misread := order.ReadSigned(text)
			if err != nil || misread != nil {
				return order.Refuse(order.CodeInvalidRequest, "the signed envelope cannot be read")
			}
			proposed, is := signed.Action.(order.Resolution)
			if !is || !sameProposal(proposed, stored, o.Amount.Currency()) {
				return order.Refuse(envelope.CodeOtherOrder, "what %s has signed is not what is on record", stored.By)
			}
			signed.Done = who.Proof.Done
			_, refusal := a.Permit(signed, o, at)
			return refusal
		},
	}
}

// sameProposal reports whether a proposal was stored as it was signed.
func sameProposal(signed, stored order.Resolution, currency string) bool {
	same := func(a, b money.Amount) bool {
		return a.Minor() == b.Minor() && (a.Minor() == 0 || a.Currency() == currency && b.Currency() == currency)
	}
	return signed.State == stored.State && same(signed.Paid, stored.Paid) && same(signed.Fee, stored.Fee) &&
		signed.By == stored.By && signed.Why == stored.Why && signed.Evidence == stored.Evidence
}

// twoNames stands between the names of two persons who have resolved an order.
const twoNames = " and "

// mergeResolutions merges two equal resolutions of two persons.
func mergeResolutions(first, second order.Resolution) order.Resolution {
	result := second
	result.By = truncateHalf(first.By) + twoNames + truncateHalf(second.By)
	if first.Why != second.Why {
		result.Why = truncateHalf(first.Why) + "; " + truncateHalf(second.Why)
	}
	if first.Evidence != second.Evidence {
		result.Evidence = truncateHalf(first.Evidence) + "; " + truncateHalf(second.Evidence)
	}
	return result
}

// truncateHalf truncates a text so that two texts fit into one column.
func truncateHalf(text string) string {
	if len(text) > maxText/3 {
		text = strings.ToValidUTF8(text[:maxText/3], "") + "…"
	}
	return text
}

// replaced says for the audit which proposal a new one takes the place of.
func replaced(first order.Resolution, proposed bool) string {
	if !proposed {
		return ""
	}
	return ", in place of what " + truncateHalf(first.By) + " proposed (" + rules.Outcome(first) + ")"
}

// propose stores a resolution until another person confirms it. replaced, and the mark and
// the envelope of asked, are for the audit.
func (t tx) propose(ctx context.Context, h *held, r order.Resolution, replaced string, asked entry) error {
	_, err := t.Put(ctx, `
		INSERT INTO proposals (order_id, state, paid, fee, actor, why, evidence, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (order_id) DO UPDATE SET state = excluded.state, paid = excluded.paid, fee = excluded.fee,
			actor = excluded.actor, why = excluded.why, evidence = excluded.evidence, at = excluded.at`,
		h.id, r.State, r.Paid.Minor(), r.Fee.Minor(), r.By, h.key.Seal("proposals.why", r.Why), h.key.Seal("proposals.evidence", r.Evidence), t.At.UnixMilli())
	if err != nil {
		return err
	}
	return t.note(ctx, h, entry{
		action: ActionPropose, actor: r.By, source: rules.FromOperator, evidence: r.Evidence, mark: asked.mark, envelope: asked.envelope,
		reason: personReason(order.CodeResolved, rules.Outcome(r)+replaced+": "+r.Why),
	})
}

// proposal returns the stored proposal, if there is one.
func (t tx) proposal(ctx context.Context, h *held) (r order.Resolution, proposed bool, err error) {
	var row proposalRow
	err = t.Get(ctx, &row, "SELECT state, paid, fee, actor, why, evidence, at FROM proposals WHERE order_id = ?"+t.ForUpdate, h.id)
	if errors.Is(err, sql.ErrNoRows) {
		return order.Resolution{}, false, nil
	}
	if err != nil {
		return order.Resolution{}, false, err
	}
	// A text that does not decrypt proves nothing, and must not keep persons from resolving.
	r, err = row.resolution(h.Amount.Currency(), rowTexts{key: h.key}.orDamaged())
	return r, true, err
}

type proposalRow struct {
	State    order.State `db:"state"`
	Paid     int64       `db:"paid"`
	Fee      int64       `db:"fee"`
	Actor    string      `db:"actor"`
	Why      string      `db:"why"`
	Evidence string      `db:"evidence"`
	At       int64       `db:"at"`
}

func (p proposalRow) resolution(currency string, texts rowTexts) (order.Resolution, error) {
	err := texts.openAll(map[string]*string{"proposals.why": &p.Why, "proposals.evidence": &p.Evidence})
	if err != nil {
		return order.Resolution{}, err
	}
	read := amounts{currency: currency}
	r := order.Resolution{State: p.State, By: p.Actor, Why: p.Why, Evidence: p.Evidence}
	for _, amount := range []struct {
		minor int64
		into  *money.Amount
	}{{p.Paid, &r.Paid}, {p.Fee, &r.Fee}} {
		if amount.minor != 0 {
			*amount.into = read.of(amount.minor)
		}
	}
	return r, read.err
}
