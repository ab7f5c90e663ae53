package activities

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// valueStarter is a Temporal that has values. A number is started once.
type valueStarter struct {
	started map[string]int
	errs    map[string]error // by number
	views   map[string]order.View
}

func (v *valueStarter) Start(_ context.Context, r order.Request) (client.Started, error) {
	if err := v.errs[r.Number]; err != nil {
		return client.Started{}, err
	}
	v.started[r.Number]++
	return client.Started{Existing: v.started[r.Number] > 1}, nil
}

func (v *valueStarter) Find(_ context.Context, key order.Key) (client.Row, error) {
	view, ended := v.views[key.Number]
	if !ended && v.started[key.Number] == 0 {
		return client.Row{}, order.Refuse(order.CodeOrderNotFound, "no order %s", key)
	}
	return client.Row{Open: !ended, State: view.State}, nil
}

func (v *valueStarter) Wait(_ context.Context, key order.Key) (order.View, error) {
	return v.views[key.Number], nil
}

// batchBundle is a ledger with a batch of rows that is ready to run.
func batchBundle(t *testing.T, rows int) (*Books, *valueStarter, string, func(time.Duration)) {
	t.Helper()
	l, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	require.NoError(t, l.Migrate(t.Context()))
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	l.SetClock(func() time.Time { return now })
	amount, err := money.Parse("100", "PKR")
	require.NoError(t, err)
	total, err := money.Minor(amount.Minor()*int64(rows), "PKR")
	require.NoError(t, err)
	digest := order.NewBatchDigest("M1")
	var page []order.BatchRow
	for i := range rows {
		r := order.Request{Kind: order.Withdrawal, Merchant: "M1", Number: fmt.Sprint("N", i+1), Country: "PK", Way: "HBL", Amount: amount, Details: map[string]string{"customerAccountNumber": "12"}}
		digest.Add(r.Fingerprint())
		page = append(page, order.BatchRow{Seq: i + 1, Line: i + 2, Request: r})
	}
	sum := digest.Sum()
	b := NewBooks(l, Settings{BatchWindow: 1000})
	refusal, err := b.StoreBatchPage(t.Context(), contract.BatchPage{Rows: page, Batch: order.Batch{
		Merchant: "M1", ID: sum[:order.BatchIDDigits], Fingerprint: sum, Columns: []string{"number"}, Rows: rows, Totals: []money.Amount{total},
	}})
	require.NoError(t, err)
	require.Nil(t, refusal)
	state, err := l.MakeBatchReady(t.Context(), sum[:order.BatchIDDigits], func() {})
	require.NoError(t, err)
	require.Equal(t, order.BatchRunning, state)
	return b, &valueStarter{started: map[string]int{}, errs: map[string]error{}, views: map[string]order.View{}}, sum[:order.BatchIDDigits],
		func(by time.Duration) { now = now.Add(by) }
}

// A step that is lost amidst is repeated. Each row is one order, and what was refused says
// why.
func TestStepBatch(t *testing.T) {
	t.Parallel()
	b, orders, id, _ := batchBundle(t, 60)
	away := order.Refuse(client.CodeTemporalUnreachable, "away")
	orders.errs["N30"], orders.errs["N3"] = away, order.Refuse(order.CodeOrderConflict, "other content")
	beats := 0
	_, err := b.stepBatch(t.Context(), orders, id, func() { beats++ })
	require.ErrorIs(t, err, away)
	require.Equal(t, 30, beats)
	require.Len(t, orders.started, 28, "25 and 4, without the one that was refused")
	orders.errs["N30"] = nil
	step, err := b.stepBatch(t.Context(), orders, id, func() {})
	require.NoError(t, err)
	require.Equal(t, contract.BatchStep{State: order.BatchRunning, Open: 59, Unwritten: 59}, step)
	require.Len(t, orders.started, 59)
	for number, times := range orders.started {
		require.Equal(t, 1, times, number)
	}
	counts, err := b.ledger.BatchCounts(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, ledger.RowRefused, counts[0].Row)
	require.Equal(t, 1, counts[0].Rows)
}

// A workflow that refuses an order without recording it makes the row refused.
func TestUnrecordedRow(t *testing.T) {
	t.Parallel()
	b, orders, id, wait := batchBundle(t, 2)
	step := func() contract.BatchStep {
		t.Helper()
		step, err := b.stepBatch(t.Context(), orders, id, func() {})
		require.NoError(t, err)
		return step
	}
	require.Equal(t, 2, step().Unwritten)
	orders.views["N1"] = order.View{Unrecorded: true, Standing: order.Standing{State: order.Rejected, Reason: order.Reason{Code: order.CodeUnknownMerchant, Text: "no worker has it"}}}
	require.Equal(t, 2, step().Unwritten, "it may still be under way")
	wait(unwrittenAge)
	require.Equal(t, 1, step().Unwritten)
	rows, err := b.ledger.BatchRows(t.Context(), ledger.BatchRowFilter{Batch: id})
	require.NoError(t, err)
	require.Equal(t, order.CodeUnknownMerchant, rows[0].Reason.Code)
	require.Equal(t, ledger.RowStarted, rows[1].Outcome)
	orders.views["N2"] = orders.views["N1"]
	require.Equal(t, 0, step().Unwritten)
	require.Equal(t, order.BatchCompleted, step().State)
}

// Only an answer refuses a row. All else is tried again.
func TestAnswersToStarts(t *testing.T) {
	t.Parallel()
	for code, answer := range map[string]bool{
		order.CodeOrderConflict: true, order.CodeNumberSquatted: true, order.CodeInvalidRequest: true,
		order.CodeOrderBusy: false, client.CodeTemporalUnreachable: false, client.CodeTemporalNotReady: false, client.CodeTemporalRefused: false,
		codes.Unreadable: false,
	} {
		require.Equal(t, answer, isAnswer(order.Refuse(code, "x")), code)
	}
	require.False(t, isAnswer(errors.New("broken pipe")))
	invalid := &order.Invalid{Problems: []order.Problem{{Code: order.ProblemNumber, Message: "no number"}}}
	require.True(t, isAnswer(invalid))
	require.Equal(t, order.ProblemNumber, reasonOf(invalid).Code)
}
