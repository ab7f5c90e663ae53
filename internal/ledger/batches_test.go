package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// batchOf returns a batch of so many rows of 100.
func batchOf(rows int) (order.Batch, []order.BatchRow) {
	first := request(order.Withdrawal, "W1", "100")
	digest := order.NewBatchDigest(first.Merchant)
	var page []order.BatchRow
	for seq := range rows {
		r := request(order.Withdrawal, fmt.Sprintf("W%d", seq+1), "100")
		digest.Add(r.Fingerprint())
		page = append(page, order.BatchRow{Seq: seq + 1, Line: seq + 2, Request: r})
	}
	sum := digest.Sum()
	return order.Batch{
		Merchant: first.Merchant, ID: sum[:order.BatchIDDigits], Fingerprint: sum, Name: "salaries.csv", Columns: []string{"number", "way"},
		Rows: rows, Totals: []money.Amount{pkr(fmt.Sprint(100 * rows))}, RequestedBy: "amina",
	}, page
}

// batchRef names the batch of one row.
func batchRef() order.BatchRef {
	b, _ := batchOf(1)
	return order.BatchRef{Merchant: b.Merchant, Batch: b.ID}
}

func (b *testBundle) stores(t *testing.T, batch order.Batch, rows []order.BatchRow) {
	t.Helper()
	refusal, err := b.StoreBatchPage(t.Context(), batch, rows)
	require.NoError(t, err)
	require.Nil(t, refusal)
}

func (b *testBundle) readies(t *testing.T, id string) order.BatchState {
	t.Helper()
	state, err := b.MakeBatchReady(t.Context(), id, func() {})
	require.NoError(t, err)
	return state
}

// begins returns the numbers of the begun rows.
func (b *testBundle) begins(t *testing.T, id string, window, most int) ([]int, BatchProgress) {
	t.Helper()
	rows, progress, err := b.BeginBatchRows(t.Context(), id, window, most)
	require.NoError(t, err)
	var seqs []int
	for _, row := range rows {
		require.Equal(t, fmt.Sprintf("W%d", row.Seq), row.Request.Number)
		seqs = append(seqs, row.Seq)
	}
	return seqs, progress
}

func (b *testBundle) records(t *testing.T, id string, outcome RowOutcome, seqs ...int) {
	t.Helper()
	var results []RowResult
	for _, seq := range seqs {
		r := RowResult{Seq: seq, Outcome: outcome}
		if outcome == RowRefused {
			r.Reason = order.Reason{Code: order.CodeOrderConflict, Text: "other content"}
		}
		results = append(results, r)
	}
	require.NoError(t, b.RecordBatchRows(t.Context(), id, results))
}

// A batch runs when all of it is stored, some rows at a time, and is completed when every
// order has ended.
func TestBatchRuns(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return noon })
		b.books(t, "10000", "0")
		batch, rows := batchOf(5)
		require.Equal(t, order.BatchStoring, b.readies(t, batch.ID))
		b.stores(t, batch, rows[:3])
		require.Equal(t, order.BatchStoring, b.readies(t, batch.ID), "rows are missing")
		begun, _ := b.begins(t, batch.ID, 3, 10)
		require.Empty(t, begun, "nothing runs before all of it is stored")
		b.stores(t, batch, rows[2:])
		require.Equal(t, order.BatchRunning, b.readies(t, batch.ID))
		b.stores(t, batch, rows)
		require.Equal(t, order.BatchRunning, b.readies(t, batch.ID))

		begun, progress := b.begins(t, batch.ID, 3, 2)
		require.Equal(t, []int{1, 2}, begun)
		require.Equal(t, BatchProgress{order.BatchRunning, 3, 2}, progress)
		again, _ := b.begins(t, batch.ID, 2, 2)
		require.Equal(t, begun, again, "what was begun is returned until it is recorded")
		open(t, b, rows[0].Request)
		b.records(t, batch.ID, RowStarted, 1, 2)
		b.records(t, batch.ID, RowRefused, 2)
		begun, _ = b.begins(t, batch.ID, 3, 10)
		require.Equal(t, []int{3, 4}, begun, "the window has three")
		b.records(t, batch.ID, RowStarted, 3, 4)
		open(t, b, rows[2].Request)
		open(t, b, rows[3].Request)

		found, err := b.Batch(t.Context(), batch.ID)
		require.NoError(t, err)
		require.Equal(t, batch, found.Batch)
		counts, err := b.BatchCounts(t.Context(), batch.ID)
		require.NoError(t, err)
		require.Equal(t, []BatchCount{
			{"", RowWaiting, 1, pkr("100")}, {"", RowRefused, 1, pkr("100")}, {order.Reserved, "", 3, pkr("300")},
		}, counts)

		for _, seq := range []int{1, 3, 4} {
			submit(t, b, rows[seq-1].Request.Key(), Answer{Outcome: Accepted, GatewayID: fmt.Sprint("P", seq)})
			settle(t, b, rows[seq-1].Request.Key(), paid("100", "2"))
		}
		begun, _ = b.begins(t, batch.ID, 3, 10)
		require.Equal(t, []int{5}, begun)
		b.records(t, batch.ID, RowStarted, 5)
		open(t, b, rows[4].Request)
		_, progress = b.begins(t, batch.ID, 3, 10)
		require.Equal(t, BatchProgress{order.BatchRunning, 0, 1}, progress)
		submit(t, b, rows[4].Request.Key(), Answer{Outcome: Refused, Reason: order.Reason{Code: order.CodeGatewayRefused, Text: "no"}})
		_, progress = b.begins(t, batch.ID, 3, 10)
		require.Equal(t, BatchProgress{order.BatchCompleted, 0, 0}, progress)

		page, err := b.BatchRows(t.Context(), BatchRowFilter{Batch: batch.ID})
		require.NoError(t, err)
		require.Len(t, page, 5)
		for i, row := range page {
			require.Equal(t, rows[i].Request, row.Request)
			require.Equal(t, rows[i].Line, row.Line)
		}
		require.Equal(t, order.Succeeded, page[0].Order.State)
		require.Equal(t, order.Reason{Code: order.CodeOrderConflict, Text: "other content"}, page[1].Reason)
		page, err = b.BatchRows(t.Context(), BatchRowFilter{Batch: batch.ID, States: []order.State{order.Succeeded}, After: 1, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, 3, page[0].Seq)
		var texts []string
		require.NoError(t, b.pool().Select(&texts, "SELECT request FROM batch_rows WHERE request <> ''"))
		require.Len(t, texts, 1, "the content of a started row is with its order, and erased with it")
		require.NotContains(t, texts[0], "customer")

		var actions []string
		entries, err := b.Audit(t.Context(), order.Key{Merchant: batch.Merchant})
		require.NoError(t, err)
		for _, entry := range entries {
			actions = append(actions, string(entry.Action)+" "+entry.Actor)
		}
		require.Equal(t, []string{"open_books " + System, "batch amina", "batch_completed " + System}, actions)
		require.Equal(t, []string{"batch.running " + batch.ID, "batch.completed " + batch.ID}, b.batchEvents(t))
		b.clean(t)
	})
}

// batchEvents returns the events about batches. They are of a merchant and of no order.
func (b *testBundle) batchEvents(t *testing.T) (told []string) {
	t.Helper()
	_, _, err := b.NewRelay().Round(t.Context())
	require.NoError(t, err)
	events, err := b.Events(t.Context(), EventFilter{})
	require.NoError(t, err)
	for _, event := range events {
		if event.Batch != nil {
			require.Equal(t, "batch."+string(event.Batch.State), event.Type)
			require.Contains(t, BatchEventTypes(), event.Type)
			require.Empty(t, event.Number)
			require.NotEmpty(t, event.Merchant)
			require.Nil(t, event.Order)
			told = append(told, event.Type+" "+event.Batch.ID)
		}
	}
	return told
}

// A batch whose rows are not those of its id never runs.
func TestBrokenBatch(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for name, change := range map[string]func(*order.Batch, []order.BatchRow){
			"other payee": func(_ *order.Batch, rows []order.BatchRow) {
				rows[1].Request.Details = map[string]string{"customerAccountNumber": "03000000001"}
			},
			"other amount": func(_ *order.Batch, rows []order.BatchRow) { rows[1].Request.Amount = pkr("101") },
			"other total":  func(b *order.Batch, _ []order.BatchRow) { b.Totals = []money.Amount{pkr("301")} },
			"sequence":     func(_ *order.Batch, rows []order.BatchRow) { rows[0].Seq, rows[1].Seq = 2, 1 },
		} {
			b := setup(t)
			batch, rows := batchOf(3)
			change(&batch, rows)
			b.stores(t, batch, rows)
			require.Equal(t, order.BatchBroken, b.readies(t, batch.ID), name)
			require.Equal(t, []string{"batch.broken " + batch.ID}, b.batchEvents(t), name)
			begun, _ := b.begins(t, batch.ID, 10, 10)
			require.Empty(t, begun, name)
			_, refusal, err := b.ResumeBatch(t.Context(), order.BatchRef{Merchant: batch.Merchant, Batch: batch.ID}, who("amina", "w"))
			require.NoError(t, err)
			require.Equal(t, CodeBatchEnded, refusal.Code)
		}
		b := setup(t)
		batch, rows := batchOf(3)
		b.stores(t, batch, rows[:1])
		other := batch
		other.Rows = 2
		refusal, err := b.StoreBatchPage(t.Context(), other, rows[:2])
		require.NoError(t, err)
		require.Equal(t, CodeBatchDifferent, refusal.Code)
		foreign := slices.Clone(rows)
		foreign[0].Request.Merchant = "M2"
		refusal, err = b.StoreBatchPage(t.Context(), batch, foreign)
		require.NoError(t, err)
		require.Equal(t, order.CodeInvalidRequest, refusal.Code)
	})
}

// A person pauses, resumes and cancels. What was begun is started; nothing else is.
func TestBatchChanges(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		batch, rows := batchOf(4)
		b.stores(t, batch, rows)
		ref := order.BatchRef{Merchant: batch.Merchant, Batch: batch.ID}
		change := func(a order.BookAction, by, why, code string) order.BatchState {
			t.Helper()
			a.Who = order.Who{By: by, Why: why}
			record, refusal, err := b.ActOnBooks(t.Context(), a)
			require.NoError(t, err)
			require.Equal(t, code, codeOfRefusal(refusal))
			changed, _ := record.(BatchRecord)
			return changed.State
		}
		pause, resume, cancel := order.BookAction{PauseBatch: &ref}, order.BookAction{ResumeBatch: &ref}, order.BookAction{CancelBatch: &ref}
		change(pause, "dana", "look", CodeBatchNotReady)
		require.Equal(t, order.BatchRunning, b.readies(t, batch.ID))
		change(pause, "", "look", order.CodeWhoMissing)
		change(pause, "dana", "", order.CodeWhyMissing)
		change(order.BookAction{PauseBatch: &order.BatchRef{Merchant: "M2", Batch: batch.ID}}, "dana", "look", CodeBatchNotFound)
		begun, _ := b.begins(t, batch.ID, 10, 1)
		require.Equal(t, []int{1}, begun)
		require.Equal(t, order.BatchPaused, change(pause, "dana", "look", ""))
		begun, _ = b.begins(t, batch.ID, 10, 10)
		require.Equal(t, []int{1}, begun, "it was begun before the pause")
		b.records(t, batch.ID, RowStarted, 1)
		begun, progress := b.begins(t, batch.ID, 10, 10)
		require.Empty(t, begun)
		require.Equal(t, BatchProgress{order.BatchPaused, 3, 1}, progress)
		unwritten, err := b.UnwrittenBatchRows(t.Context(), batch.ID, -time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, unwritten, 1)

		require.Equal(t, order.BatchRunning, change(resume, "dana", "seen", ""))
		begun, _ = b.begins(t, batch.ID, 10, 1)
		require.Equal(t, []int{2}, begun)
		require.Equal(t, order.BatchCancelled, change(cancel, "dana", "wrong month", ""))
		begun, _ = b.begins(t, batch.ID, 10, 10)
		require.Equal(t, []int{2}, begun)
		b.records(t, batch.ID, RowStarted, 2)
		begun, progress = b.begins(t, batch.ID, 10, 10)
		require.Empty(t, begun)
		require.Equal(t, BatchProgress{order.BatchCancelled, 2, 2}, progress)
		require.Equal(t, order.BatchCancelled, change(cancel, "dana", "again", ""))
		change(resume, "dana", "after all", CodeBatchEnded)
		require.Error(t, b.exec("UPDATE batches SET state = 'running' WHERE id = ?", batch.ID))
		require.Error(t, b.exec("UPDATE batch_rows SET outcome = '' WHERE batch = ?", batch.ID))
		require.Error(t, b.exec("UPDATE batch_rows SET amount = 1 WHERE batch = ?", batch.ID))
		require.Error(t, b.exec("DELETE FROM batch_rows WHERE batch = ?", batch.ID))
		require.Error(t, b.exec("DELETE FROM batches WHERE id = ?", batch.ID))

		require.Equal(t, []string{
			"batch.running " + batch.ID, "batch.paused " + batch.ID, "batch.running " + batch.ID, "batch.cancelled " + batch.ID,
		}, b.batchEvents(t), "what was refused, and what changed nothing, is no event")
		refused, done := 0, 0
		entries, err := b.Audit(t.Context(), order.Key{Merchant: batch.Merchant})
		require.NoError(t, err)
		for _, entry := range entries {
			if entry.Refused {
				refused++
			} else {
				done++
			}
		}
		require.Equal(t, 4, refused)
		require.Equal(t, 5, done)
		listed, err := b.Batches(t.Context(), BatchFilter{Merchants: []string{batch.Merchant}, States: []order.BatchState{order.BatchCancelled}})
		require.NoError(t, err)
		require.Equal(t, []string{batch.ID}, []string{listed[0].ID})
		require.Equal(t, "dana", listed[0].ChangedBy)
		_, err = b.Batch(t.Context(), "0000000000000000")
		require.ErrorIs(t, err, ErrNotFound)
		_, err = b.Batches(t.Context(), BatchFilter{After: "0000000000000000"})
		require.ErrorIs(t, err, ErrNotFound)
		listed, err = b.Batches(t.Context(), BatchFilter{After: batch.ID})
		require.NoError(t, err)
		require.Empty(t, listed)
	})
}
