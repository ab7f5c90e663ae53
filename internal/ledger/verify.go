package ledger

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
)

// Verify checks that the whole ledger is consistent, as of one moment: see package
// verify. It reads every order, transfer and adjustment.
func (l *Ledger) Verify(ctx context.Context) (verify.Report, error) {
	rules := verify.Rules{Accounts: texts(Accounts()), Holding: holdingStates, Counted: countedStates}
	for _, move := range adjustmentMoves {
		rules.Adjustments = append(rules.Adjustments, verify.Adjustment{
			Kind: string(move.Kind), Reason: string(move.Kind.Reason()), From: string(move.From), To: string(move.To),
		})
	}
	return verify.Run(ctx, l.db, rules)
}
