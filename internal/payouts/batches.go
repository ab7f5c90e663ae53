package payouts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// StoredBatch is a batch as the ledger has it.
type StoredBatch = ledger.BatchRecord

// CodeBatchNotFound is ledger.CodeBatchNotFound.
const CodeBatchNotFound = ledger.CodeBatchNotFound

// Batch is a batch with the counts of its rows.
type Batch struct {
	StoredBatch
	Counts []BatchCount `json:"counts" nullable:"false"`
	// Existing says that the batch was there before. Only SubmitBatch sets it.
	Existing bool `json:"existing,omitempty"`
}

// BatchCount counts the rows of a batch that have one state.
type BatchCount struct {
	State  RowState     `json:"state"`
	Rows   int          `json:"rows"`
	Amount money.Amount `json:"amount"`
}

// RowState is the state of a row's order, or one of the constants.
type RowState string

// The states of rows whose order the ledger does not have.
const (
	RowWaiting    RowState = "waiting"     // its order is not started yet
	RowNotStarted RowState = "not_started" // the batch ended before
	RowBegun      RowState = "starting"
	RowRefused    RowState = "refused" // no order was started
)

// KnownRowState reports whether rows can have the state.
func KnownRowState(s RowState) bool {
	return slices.Contains([]RowState{RowWaiting, RowNotStarted, RowBegun, RowRefused}, s) || slices.Contains(order.States(), order.State(s))
}

// Ended reports whether nothing of the row changes any more, except by a refund.
func (s RowState) Ended() bool {
	return s == RowNotStarted || s == RowRefused || order.State(s).Terminal()
}

// stateOfRow returns the state of a row that has no order in the ledger.
func stateOfRow(batch order.BatchState, outcome ledger.RowOutcome) RowState {
	switch {
	case outcome == ledger.RowRefused:
		return RowRefused
	case outcome != ledger.RowWaiting:
		return RowBegun
	case batch.Ended():
		return RowNotStarted
	}
	return RowWaiting
}

// Limits of a page of rows on the way to the ledger. Temporal takes payloads of 2 MB.
// Where a page ends depends on the rows' content only, so that a file that is sent again
// has the same pages.
const (
	pageRows  = 250
	pageBytes = 512 << 10
	rowExtra  = 2 << 10 // for the requester and the signature
)

// submitPause is the pause between two looks whether a batch is stored.
const submitPause = 200 * time.Millisecond

// SubmitBatch stores a batch and lets it run. The same batch again is the same batch. A
// worker stores it; nothing runs before all of it is stored. Each row is signed if the
// actor signs, and has the actor as its requester. The error is an *order.Refusal with
// NO_ANSWER_YET if the ledger does not have it when the patience is over: the same call
// again is safe.
func (s *Service) SubmitBatch(ctx context.Context, actor Actor, b order.Batch, rows iter.Seq2[order.BatchRow, error], patience time.Duration) (Batch, error) {
	found, err := s.Batch(ctx, actor, b.ID)
	switch {
	case err == nil && found.Fingerprint != b.Fingerprint:
		return Batch{}, order.Refuse(ledger.CodeBatchDifferent, "the id %s belongs to a batch with other content", b.ID)
	case err == nil && found.State != order.BatchStoring:
		found.Existing = true
		return found, s.driveAgain(ctx, found)
	case err != nil && order.CodeOf(err) != ledger.CodeBatchNotFound:
		return Batch{}, err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Batch{}, err
	}
	ctx, cancel := within(ctx, patience)
	defer cancel()
	b.RequestedBy = actor.Name
	if err := s.storeBatch(ctx, orders, actor, b, rows); err != nil {
		return Batch{}, err
	}
	if err := orders.DriveBatch(ctx, b); err != nil {
		return Batch{}, err
	}
	return s.awaitStored(ctx, actor, b)
}

// driveAgain has a batch driven that has not ended, in case nobody drives it.
func (s *Service) driveAgain(ctx context.Context, b Batch) error {
	if b.State.Ended() {
		return nil
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return err
	}
	return orders.DriveBatch(ctx, b.Batch)
}

// storeBatch sends the rows in pages.
func (s *Service) storeBatch(ctx context.Context, orders Orders, actor Actor, b order.Batch, rows iter.Seq2[order.BatchRow, error]) error {
	page, size, number := contract.BatchPage{Batch: b}, 0, 0
	send := func() error {
		number++
		err := orders.StoreBatchPage(ctx, number, page)
		page.Rows, size = nil, 0
		return err
	}
	for row, err := range rows {
		if err != nil {
			return fmt.Errorf("read the rows again: %w", err)
		}
		text, err := json.Marshal(row.Request)
		if err != nil {
			return fmt.Errorf("read row %d: %w", row.Seq, err)
		}
		if size += len(text) + rowExtra; size > pageBytes || len(page.Rows) == pageRows {
			if err := send(); err != nil {
				return err
			}
			size = len(text) + rowExtra
		}
		if row.Request, err = s.request(actor, row.Request); err != nil {
			return err
		}
		page.Rows = append(page.Rows, row)
	}
	return send()
}

// awaitStored waits until the ledger has all of a batch.
func (s *Service) awaitStored(ctx context.Context, actor Actor, b order.Batch) (Batch, error) {
	for {
		found, err := s.Batch(ctx, actor, b.ID)
		switch {
		case err == nil && found.State == order.BatchBroken:
			return Batch{}, order.Refuse(ledger.CodeBatchBroken, "what was stored of batch %s is not the file; none of it runs", b.ID)
		case err == nil && found.State != order.BatchStoring:
			return found, nil
		case err != nil && order.CodeOf(err) != ledger.CodeBatchNotFound && ctx.Err() == nil:
			return Batch{}, err
		}
		select {
		case <-ctx.Done():
			return Batch{}, order.Refuse(client.CodeNoAnswer, "batch %s is under way to the ledger, and not all of it is there yet. The same file again is safe. Does a worker run?", b.ID)
		case <-time.After(submitPause):
		}
	}
}

// Batch returns a batch with its counts. The error is BATCH_NOT_FOUND if there is none.
func (s *Service) Batch(ctx context.Context, _ Actor, id string) (Batch, error) {
	var found Batch
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		if found.StoredBatch, err = l.Batch(ctx, id); err == nil {
			found.Counts, err = countBatch(ctx, l, found.StoredBatch)
		}
		return err
	})
	return found, noBatch(err)
}

// noBatch gives a batch that is not there its code.
func noBatch(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return order.Refuse(ledger.CodeBatchNotFound, "there is no batch of that id")
	}
	return err
}

func countBatch(ctx context.Context, l Ledger, b ledger.BatchRecord) ([]BatchCount, error) {
	found, err := l.BatchCounts(ctx, b.ID)
	counts := []BatchCount{}
	for _, c := range found {
		state := RowState(c.State)
		if state == "" {
			state = stateOfRow(b.State, c.Row)
		}
		i := slices.IndexFunc(counts, func(other BatchCount) bool {
			return other.State == state && other.Amount.Currency() == c.Amount.Currency()
		})
		if i < 0 {
			counts = append(counts, BatchCount{state, c.Rows, c.Amount})
			continue
		}
		sum, overflow := counts[i].Amount.Add(c.Amount)
		if counts[i].Rows += c.Rows; overflow == nil {
			counts[i].Amount = sum
		}
	}
	return counts, err
}

// Ended reports how many rows have ended, of how many.
func (b Batch) Ended() (ended, all int) {
	for _, c := range b.Counts {
		if all += c.Rows; c.State.Ended() {
			ended += c.Rows
		}
	}
	return ended, all
}

// BatchFilter selects batches of a listing.
type BatchFilter = ledger.BatchFilter

// BatchPage is a page of batches, the newest first.
type BatchPage struct {
	Batches []ledger.BatchRecord `json:"batches" nullable:"false"`
	More    bool                 `json:"more"`
}

// Batches lists batches, the newest first.
func (s *Service) Batches(ctx context.Context, _ Actor, filter BatchFilter) (BatchPage, error) {
	var found BatchPage
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		found.Batches, found.More, err = page(filter.Limit, func(limit int) ([]ledger.BatchRecord, error) {
			filter.Limit = limit
			return l.Batches(ctx, filter)
		})
		return err
	})
	return found, noBatch(err)
}

// BatchRow is a row of a batch with what became of it.
type BatchRow struct {
	Seq  int `json:"seq"`  // from 1, in the sequence of the file
	Line int `json:"line"` // of the file
	order.View
	State   RowState  `json:"state"`
	EndedAt time.Time `json:"ended_at,omitzero"`

	Request order.Request `json:"-"` // with personal data
}

// Final returns the standing of the row, with the row's state.
func (r BatchRow) Final() order.Standing {
	standing := r.Standing
	standing.State = order.State(r.State)
	return standing
}

// BatchRowPage is a page of rows.
type BatchRowPage struct {
	Rows []BatchRow `json:"rows" nullable:"false"`
	More bool       `json:"more"`
}

// BatchRows lists rows of a batch after one of them, in the sequence of the file. With
// states, only rows that have one of them.
func (s *Service) BatchRows(ctx context.Context, _ Actor, id string, states []RowState, after, limit int) (BatchRowPage, error) {
	filters := rowFilters(id, states, after)
	var found BatchRowPage
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		b, err := l.Batch(ctx, id)
		if err != nil {
			return err
		}
		var all []ledger.BatchRow
		for _, filter := range filters {
			filter.Limit = limit + 1
			rows, err := l.BatchRows(ctx, filter)
			if err != nil {
				return err
			}
			all = append(all, rows...)
		}
		slices.SortFunc(all, func(a, b ledger.BatchRow) int { return a.Seq - b.Seq })
		found = BatchRowPage{Rows: []BatchRow{}, More: len(all) > limit}
		for _, row := range all[:min(len(all), limit)] {
			found.Rows = append(found.Rows, rowOf(b, row))
		}
		return nil
	})
	return found, noBatch(err)
}

// rowFilters returns what the ledger is asked: once for states of orders, and once for
// rows without an order.
func rowFilters(id string, states []RowState, after int) []ledger.BatchRowFilter {
	if len(states) == 0 {
		return []ledger.BatchRowFilter{{Batch: id, After: after}}
	}
	of := ledger.BatchRowFilter{Batch: id, After: after}
	without := of
	for _, state := range states {
		switch state {
		case RowWaiting, RowNotStarted:
			without.Outcomes = append(without.Outcomes, ledger.RowWaiting)
		case RowBegun:
			without.Outcomes = append(without.Outcomes, ledger.RowBegun, ledger.RowStarted)
		case RowRefused:
			without.Outcomes = append(without.Outcomes, ledger.RowRefused)
		default:
			of.States = append(of.States, order.State(state))
		}
	}
	var filters []ledger.BatchRowFilter
	if len(of.States) > 0 {
		filters = append(filters, of)
	}
	if len(without.Outcomes) > 0 {
		filters = append(filters, without)
	}
	return filters
}

func rowOf(b ledger.BatchRecord, row ledger.BatchRow) BatchRow {
	one := BatchRow{Seq: row.Seq, Line: row.Line, Request: row.Request, State: stateOfRow(b.State, row.Outcome)}
	if row.Order != nil {
		one.View, one.State = row.Order.View(row.Order.Standing), RowState(row.Order.State)
		if row.Order.State.Terminal() {
			one.EndedAt = row.Order.UpdatedAt
		}
		return one
	}
	one.View = row.Request.View(order.Standing{State: order.State(one.State), Reason: row.Reason})
	if one.Hidden = row.Hidden; one.Hidden != "" {
		one.Fingerprint = ""
	}
	return one
}

// BatchResults iterates over all rows of a batch. With states, only over rows that have
// one of them.
func (s *Service) BatchResults(ctx context.Context, actor Actor, id string, states ...RowState) iter.Seq2[BatchRow, error] {
	return func(yield func(BatchRow, error) bool) {
		after := 0
		for {
			page, err := s.BatchRows(ctx, actor, id, states, after, resultPage)
			if err != nil {
				yield(BatchRow{}, err)
				return
			}
			for _, row := range page.Rows {
				if after = row.Seq; !yield(row, nil) {
					return
				}
			}
			if !page.More {
				return
			}
		}
	}
}

// resultPage is how many rows are read at once.
const resultPage = 500

// PauseBatch starts no further row until the batch is resumed.
func (s *Service) PauseBatch(ctx context.Context, actor Actor, id, why string) (Batch, error) {
	return s.changeBatch(ctx, actor, id, why, func(a *order.BookAction, ref *order.BatchRef) { a.PauseBatch = ref })
}

// ResumeBatch starts rows again. It also has a batch driven that nobody drives.
func (s *Service) ResumeBatch(ctx context.Context, actor Actor, id, why string) (Batch, error) {
	return s.changeBatch(ctx, actor, id, why, func(a *order.BookAction, ref *order.BatchRef) { a.ResumeBatch = ref })
}

// CancelBatch starts no further row, for ever. Orders that were started go on.
func (s *Service) CancelBatch(ctx context.Context, actor Actor, id, why string) (Batch, error) {
	return s.changeBatch(ctx, actor, id, why, func(a *order.BookAction, ref *order.BatchRef) { a.CancelBatch = ref })
}

func (s *Service) changeBatch(ctx context.Context, actor Actor, id, why string, set func(*order.BookAction, *order.BatchRef)) (Batch, error) {
	found, err := s.Batch(ctx, actor, id)
	if err != nil {
		return Batch{}, err
	}
	action := order.BookAction{Who: who(actor, why)}
	set(&action, &order.BatchRef{Merchant: found.Merchant, Batch: found.ID})
	if _, err := actOnBooks[ledger.BatchRecord](ctx, s, UseBatch, order.Key{Number: id}, action); err != nil {
		return Batch{}, err
	}
	orders, err := s.parts.Orders(ctx)
	if err == nil {
		err = orders.DriveBatch(ctx, found.Batch)
	}
	if err != nil {
		return Batch{}, err
	}
	return s.Batch(ctx, actor, id)
}

// PickBatch is PickOrders for the orders of a batch that have one of the states.
func (s *Service) PickBatch(ctx context.Context, actor Actor, id string, states ...RowState) (OrderList, error) {
	views, err := s.batchViews(ctx, actor, id, states)
	if err != nil {
		return OrderList{}, err
	}
	return NewOrderList(views)
}

// Unsent are the states of orders that were not sent.
var Unsent = []RowState{RowState(order.Created), RowState(order.Scheduled), RowState(order.AwaitingApproval), RowState(order.AwaitingFunds), RowState(order.Reserved)}

// PickUnsent is PickBatch for the orders that were not sent. found is false if there is
// none.
func (s *Service) PickUnsent(ctx context.Context, actor Actor, id string) (list OrderList, found bool, err error) {
	views, err := s.batchViews(ctx, actor, id, Unsent)
	if err != nil || len(views) == 0 {
		return OrderList{}, false, err
	}
	list, err = NewOrderList(views)
	return list, true, err
}

func (s *Service) batchViews(ctx context.Context, actor Actor, id string, states []RowState) (views []order.View, err error) {
	for row, err := range s.BatchResults(ctx, actor, id, states...) {
		if err != nil {
			return nil, err
		}
		if views = append(views, row.View); len(views) > envelope.MaxItems {
			break // NewOrderList refuses so many
		}
	}
	return views, nil
}
