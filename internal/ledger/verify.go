package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
)

// Verify checks that the whole ledger is consistent: see package verify, verifyDays for
// the closed days, and verifyStops for the stops. It reads every order, transfer and adjustment.
func (l *Ledger) Verify(ctx context.Context) (verify.Report, error) {
	rules := verify.Rules{Accounts: texts(Accounts()), Holding: holdingStates, Counted: countedStates}
	for _, move := range adjustmentMoves {
		rules.Adjustments = append(rules.Adjustments, verify.Adjustment{
			Kind: string(move.Kind), Reason: string(move.Kind.Reason()), From: string(move.From), To: string(move.To),
		})
	}
	report, err := verify.Run(ctx, l.db, rules)
	if err != nil {
		return report, err
	}
	now, err := l.db.Now(ctx)
	if err == nil {
		err = l.db.View(ctx, func(s *sqldb.Tx) error {
			t := tx{Tx: s, private: private{l.private.ring, true}}
			days, err := t.verifyDays(ctx, now)
			if err != nil {
				return err
			}
			stops, err := t.verifyStops(ctx)
			report.Violations = append(append(report.Violations, days...), stops...)
			return err
		})
	}
	if err != nil {
		return verify.Report{}, fmt.Errorf("ledger: verify the closed days and the stops: %w", err)
	}
	return report, nil
}
