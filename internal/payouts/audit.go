package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
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

// AuditEvidence is what an audit is verified with, besides itself.
type AuditEvidence = ledger.AuditEvidence

// AuditReport is what VerifyAudit found. The audit is whole if nothing is broken.
type AuditReport struct {
	Chains       int                 `json:"chains"`
	Entries      int                 `json:"entries"`
	SealsChecked bool                `json:"seals_checked"`
	Broken       []ledger.AuditBreak `json:"broken"`
	More         int                 `json:"more,omitempty"` // number of breaks that are not in Broken
}

// VerifyAudit reads the whole audit and checks that no entry was changed, put in
// or taken out. It sets no deadline, because its duration grows with the audit.
func (s *Service) VerifyAudit(ctx context.Context, _ Actor, evidence AuditEvidence) (AuditReport, error) {
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	report, err := l.VerifyAudit(ctx, evidence)
	return AuditReport{
		Chains: report.Orders, Entries: report.Entries, SealsChecked: evidence.Keys != nil,
		Broken: append([]ledger.AuditBreak{}, report.Broken...), More: report.More,
	}, err
}
