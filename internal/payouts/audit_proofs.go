package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Checkpoint is a signed checkpoint of the audit.
type Checkpoint = ledger.Checkpoint

// Checkpoint returns the newest checkpoint of the audit. The error is an
// *order.Refusal with AUDIT_CHECKPOINT_MISSING if there is none.
func (s *Service) Checkpoint(ctx context.Context, _ Actor) (last Checkpoint, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		last, err = l.LastCheckpoint(ctx)
		return err
	})
	return last, err
}

// ProveAudit proves the audit entries of an order under the newest checkpoint. The
// error is an *order.Refusal with AUDIT_CHECKPOINT_MISSING if it covers none of them.
func (s *Service) ProveAudit(ctx context.Context, actor Actor, key order.Key) (proofs ledger.AuditProofs, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		proofs, err = l.ProveAudit(ctx, key)
		switch {
		case err != nil:
			return err
		case len(proofs.Entries) == 0 && proofs.Newer == 0:
			return s.unrecorded(ctx, actor, key)
		case len(proofs.Entries) == 0:
			return order.Refuse(ledger.CodeCheckpointMissing, "every entry of %s is newer than the last checkpoint; wait for the next one", key)
		}
		return nil
	})
	return proofs, err
}
