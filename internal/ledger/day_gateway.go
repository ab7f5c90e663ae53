package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
)

// readCorrections reads the part of the movements that belongs to earlier days.
//
// Only a refund and a payment after the expiry, with its fee, are booked after an
// order's end. A refund is compared with the payment that it undoes, and a payment
// after the expiry with the entry of the expiry in the audit.
func (d *dayReader) readCorrections(ctx context.Context) error {
	const columns = "o.kind AS kind, %[1]s.reason, %[1]s.from_account, %[1]s.to_account, COUNT(*) AS n, CAST(SUM(%[1]s.amount) AS BIGINT) AS amount, "
	const day = " WHERE t.id > ? AND t.id <= ? AND t.at >= ? AND t.at < ? AND t.merchant = ? AND t.currency = ? AND t.reason = "
	const group = " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
	const expired = ` JOIN orders o ON o.id = t.order_id
		JOIN audit a ON a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND a.after_state = 'expired' AND a.before_state <> 'expired'`
	from := d.From.UnixMilli()
	var all []transferSum
	for _, query := range []string{
		"SELECT " + fmt.Sprintf(columns, "t") + `MIN(p.at) AS oldest FROM transfers t JOIN orders o ON o.id = t.order_id
			JOIN transfers p ON p.order_id = t.order_id AND p.reason IN ('payout', 'payment', 'late_payment')` + day + "'refund' AND p.at < ?" + group,
		"SELECT " + fmt.Sprintf(columns, "t") + "MIN(a.at) AS oldest FROM transfers t" + expired + day + "'late_payment' AND a.at < ?" + group,
		"SELECT " + fmt.Sprintf(columns, "f") + "MIN(a.at) AS oldest FROM transfers t JOIN transfers f ON f.order_id = t.order_id AND f.reason = 'fee'" +
			expired + day + "'late_payment' AND a.at < ?" + group,
	} {
		var sums []transferSum
		if err := d.List(ctx, &sums, query, append(d.within(), from)...); err != nil {
			return err
		}
		all = append(all, sums...)
	}
	for _, sum := range d.sums {
		if sum.Reason == AdjustFee.Reason() || sum.Reason == AdjustFeeRefund.Reason() {
			all = append(all, sum)
		}
	}
	d.Corrections = make([]Correction, len(all))
	for i, sum := range all {
		d.Corrections[i] = Correction{
			Kind: sum.Kind, Reason: sum.Reason, Count: sum.Count, Amount: d.read.of(sum.Amount), Effect: d.read.of(sum.effect()), Oldest: moment(sum.Oldest),
		}
	}
	return nil
}

// readGateway reads the gateway's balance at the end of the day. Of several
// comparisons it takes one that proves something, and then the one nearest to the end.
func (d *dayReader) readGateway(ctx context.Context) error {
	var rows []snapshotRow
	err := d.List(ctx, &rows, "SELECT "+snapshotColumns+" FROM snapshots WHERE merchant = ? AND currency = ? AND at >= ? AND at <= ? ORDER BY id",
		d.Merchant, d.Currency, d.end.Add(-SnapshotTolerance).UnixMilli(), d.end.Add(SnapshotTolerance).UnixMilli())
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		d.GatewayUnknown = fmt.Sprintf("the gateway's balance was not read within %d minutes of the end of the day", int(SnapshotTolerance.Minutes()))
		return nil
	}
	end := d.end.UnixMilli()
	best := slices.MinFunc(rows, func(a, b snapshotRow) int {
		if settled := compareBool(a.Verdict == order.Unsettled, b.Verdict == order.Unsettled); settled != 0 {
			return settled
		}
		return int(max(a.At-end, end-a.At) - max(b.At-end, end-b.At))
	})
	balance, booked := best.GatewayAvailable+best.GatewayFrozen, best.LedgerAvailable+best.LedgerInFlight
	between := booked - d.Closing.Minor()
	g := &DayGateway{
		At: moment(best.At), Snapshot: best.ID,
		Balance: d.read.of(balance), Between: d.read.of(between), Closing: d.read.of(balance - between), Difference: d.read.of(best.Drift),
		Unexplained: d.read.of(0), SentWithdrawals: d.read.of(best.SentWithdrawalAmount), SentDeposits: d.read.of(best.SentDepositAmount),
	}
	if reconcile.Balance(best.Drift, best.SentWithdrawalAmount, best.SentDepositAmount, best.FeeRest) == order.Drifting {
		g.Unexplained = g.Difference
	}
	d.Gateway = g
	return nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// readDiscrepancies counts the discrepancies that were open at the end of the day.
func (d *dayReader) readDiscrepancies(ctx context.Context) error {
	d.Discrepancies = []order.DiscrepancyCount{}
	return d.List(ctx, &d.Discrepancies, `
		SELECT code, COUNT(*) AS open FROM discrepancies WHERE merchant = ? AND at < ? AND (closed_at = 0 OR closed_at >= ?)
		GROUP BY code ORDER BY code`, d.Merchant, d.end.UnixMilli(), d.end.UnixMilli())
}
