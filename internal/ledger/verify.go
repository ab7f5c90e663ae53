package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
)

// Verify checks that the whole ledger is consistent: see package verify, verifyDays for
// the closed days, verifyStops, verifyDiscrepancies, verifyAdjustments, verifyBooks and
// verifyOrders. It reads every order, transfer, adjustment, discrepancy and attempt.
func (l *Ledger) Verify(ctx context.Context) (verify.Report, error) {
	rules := verify.Rules{Accounts: texts(Accounts()), Holding: holdingStates, Counted: countedStates}
	for _, move := range adjustmentMoves {
		rules.Adjustments = append(rules.Adjustments, verify.Adjustment{
			Kind: string(move.Kind), Reason: string(move.Kind.Reason()), From: string(move.From), To: string(move.To),
		})
	}
	for _, move := range transferMoves {
		rules.Moves = append(rules.Moves, verify.Move{Owner: move.owner, Reason: string(move.Reason), From: string(move.From), To: string(move.To)})
	}
	report, err := verify.Run(ctx, l.db, rules)
	if err != nil {
		return report, err
	}
	now, err := l.db.Now(ctx)
	if err == nil {
		err = l.db.View(ctx, func(s *sqldb.Tx) error {
			t := tx{Tx: s, private: private{l.private.ring, true}}
			for _, check := range []func(context.Context) ([]verify.Violation, error){
				func(ctx context.Context) ([]verify.Violation, error) { return t.verifyDays(ctx, now) },
				t.verifyStops, t.verifyDiscrepancies, t.verifyAdjustments, t.verifyBooks, t.verifyOrders,
			} {
				found, err := check(ctx)
				if err != nil {
					return err
				}
				report.Violations = append(report.Violations, found...)
			}
			return nil
		})
	}
	if err != nil {
		return verify.Report{}, fmt.Errorf("ledger: compare the tables with the audit: %w", err)
	}
	return report, nil
}
