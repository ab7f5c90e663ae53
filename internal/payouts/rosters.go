package payouts

import (
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// RosterInForce returns the last of the stored rosters. All must have come into force as
// rosters do: each has an entry in the installation's audit, and each but the first was
// signed by two admins of the one before it. Whoever has a worker's database login can
// store a roster of their own.
//
// The error is an *order.Refusal with ROSTER_UNKNOWN. Nothing is decided about the first
// roster, which nobody signs: see boot.RosterInForce.
func RosterInForce(stored []ledger.Roster) (ledger.Roster, error) {
	var last ledger.Roster
	review := newProofs("", stored)
	for _, r := range stored {
		if r.Since.IsZero() {
			return ledger.Roster{}, unrecordedRoster(r.Hash)
		}
		if refusal := review.Roster(r.Hash, r.Since); refusal != nil {
			return ledger.Roster{}, refusal
		}
		last = r
	}
	return last, nil
}

func unrecordedRoster(hash string) *order.Refusal {
	return order.Refuse(authority.CodeRosterUnknown, "the roster %s is stored in the ledger, and the audit does not have it: it never came into force", hash)
}
