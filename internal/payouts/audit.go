package payouts

import (
	"cmp"
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AuditEntry is one entry of the audit.
type AuditEntry = ledger.AuditEntry

// Audit returns the audit of an order: every action, also refused ones. A key
// without a number is the merchant. The zero key is the installation, with its
// approval policies and restores.
func (s *Service) Audit(ctx context.Context, actor Actor, key order.Key) (entries []AuditEntry, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found, err := l.Audit(ctx, key)
		if err != nil {
			return err
		}
		if len(found) == 0 && key.Number != "" {
			return s.unrecorded(ctx, actor, key)
		}
		if len(found) == 0 {
			if err := s.checkMerchant(ctx, l, key.Merchant); err != nil {
				return err
			}
		}
		entries = append([]AuditEntry{}, found...)
		return nil
	})
	return entries, err
}

// AuditPage is a page of a merchant's or the installation's audit, the oldest first.
type AuditPage struct {
	Entries []AuditEntry
	More    bool // there are more after the last one
}

// AuditPage returns what is on record of a merchant beside its orders, or of the installation
// if the merchant is empty, after the entry with the number.
func (s *Service) AuditPage(ctx context.Context, _ Actor, merchant string, after int64, limit int) (found AuditPage, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found.Entries, found.More, err = page(limit, func(limit int) ([]AuditEntry, error) { return l.AuditPage(ctx, merchant, after, limit) })
		if err == nil && len(found.Entries) == 0 {
			err = s.checkMerchant(ctx, l, merchant)
		}
		return err
	})
	return found, err
}

// AuditEvidence is what an audit is verified with, besides itself.
type AuditEvidence = ledger.AuditEvidence

// AuditReport is what VerifyAudit found. The audit is whole if nothing is broken.
type AuditReport struct {
	Chains       int                 `json:"chains"`
	Entries      int                 `json:"entries"`
	SealsChecked bool                `json:"seals_checked"`
	Signed       int                 `json:"signed"`           // number of entries whose signature was verified with the roster of its time
	Checkpoints  int                 `json:"checkpoints"`      // number of checkpoints that were given
	Covered      int64               `json:"covered"`          // number of entries, from the first, that are those of the checkpoints
	Hidden       int                 `json:"hidden,omitempty"` // number of entries whose content could not be read: it was erased, or there is no data key
	Broken       []ledger.AuditBreak `json:"broken"`
	More         int                 `json:"more,omitempty"` // number of breaks that are not in Broken
}

// VerifyAudit reads the whole audit and checks that no entry was changed, put in
// or taken out, also since the checkpoints of the evidence, and every signature with
// the roster that was in force. It also checks that the tables say what the audit says:
// see package verify. It sets no deadline, because its duration grows with the audit.
func (s *Service) VerifyAudit(ctx context.Context, _ Actor, evidence AuditEvidence) (AuditReport, error) {
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	origin := ""
	if evidence.Keys != nil {
		origin = evidence.Keys.Origin()
	}
	var review proofs
	evidence.Proofs = func(rosters []ledger.Roster) ledger.Proofs {
		review = newProofs(origin, rosters)
		return review
	}
	report, err := l.VerifyAudit(ctx, evidence)
	if err != nil {
		return AuditReport{}, err
	}
	tables, err := l.Verify(ctx)
	broken := append([]ledger.AuditBreak{}, report.Broken...)
	for _, hash := range review.Unnamed() {
		refusal := unrecordedRoster(hash)
		broken = append(broken, ledger.AuditBreak{Code: refusal.Code, Detail: refusal.Text})
	}
	for _, v := range tables.Violations {
		broken = append(broken, ledger.AuditBreak{Key: v.Key, Code: v.Code, Detail: v.Detail})
	}
	return AuditReport{
		Chains: report.Orders, Entries: report.Entries, SealsChecked: evidence.Keys != nil, Signed: report.Signed,
		Checkpoints: len(evidence.Checkpoints), Covered: report.Covered, Hidden: report.Hidden,
		Broken: broken, More: report.More,
	}, err
}

// proofs verifies the signatures of audit entries.
type proofs struct{ *authority.Review }

func newProofs(origin string, rosters []ledger.Roster) proofs {
	texts := make(map[string]authority.RosterText, len(rosters))
	for _, r := range rosters {
		texts[r.Hash] = authority.RosterText{Text: r.Text, Signatures: r.Signatures}
	}
	return proofs{authority.NewReview(origin, texts)}
}

// signedActions are the names of actions in an envelope, where they differ from those
// of the audit.
var signedActions = map[ledger.AuditAction]string{
	ledger.ActionOpen: envelope.ActionStart, ledger.ActionPropose: order.ActionResolve,
	ledger.ActionAcceptDiscrepancy: envelope.ActionCloseDiscrepancy,
}

// Check verifies the signature of an entry, and what two persons did.
func (p proofs) Check(e ledger.AuditEntry, genuine bool) *order.Refusal {
	part, about := e.TwoPersons()
	return p.Review.Check(authority.Entry{
		Key: e.Key, At: e.At, Actor: e.Actor, Action: cmp.Or(signedActions[e.Action], string(e.Action)),
		Decided: decided(e), Proof: e.Envelope, Evidence: e.Evidence,
		Genuine: genuine, Part: part, About: about, Approval: e.Action == ledger.ActionApprove,
	})
}

// decided reports whether a person has done what the entry says. Whoever writes entries
// chooses their source, so it is believed only where the program does the same by itself.
func decided(e ledger.AuditEntry) bool {
	switch e.Action {
	case ledger.ActionOpen:
		return false // the start of a request without a signature waits for two persons
	case ledger.ActionErase, ledger.ActionCloseDiscrepancy:
		return !e.Refused && (e.Source == rules.FromOperator || e.Actor != ledger.System)
	default:
		return !e.Refused
	}
}
