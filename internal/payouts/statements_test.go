package payouts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// statementOrders stores statements like a worker, or does nothing.
type statementOrders struct {
	Orders
	books  *ledger.Ledger
	away   bool
	spoils bool // it stores something else
	pages  []int
	waited []int // for these pages
}

func (o *statementOrders) AwaitStatementPage(_ context.Context, _ order.Statement, number int) error {
	o.waited = append(o.waited, number)
	return nil
}

func (o *statementOrders) StoreStatementPage(ctx context.Context, number int, page contract.StatementPage) error {
	o.pages = append(o.pages, len(page.Lines))
	if o.away {
		return nil
	}
	if o.spoils {
		page.Lines[0].Amount++
	}
	refusal, err := o.books.StoreStatementPage(ctx, page.Statement, page.Lines)
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}

func (o *statementOrders) CompareStatement(ctx context.Context, s order.Statement) error {
	if o.away {
		return nil
	}
	_, err := o.books.MakeStatementReady(ctx, s.ID, func() {})
	return err
}

// manyLines is a statement of so many lines.
func manyLines(file string, count int) (order.Statement, iter.Seq2[order.StatementLine, error]) {
	line := func(i int) order.StatementLine {
		return order.StatementLine{
			Seq: i, Line: i + 1, GatewayID: fmt.Sprintf("P%d", i), Kind: tarspay.HistoryDeposit, State: tarspay.StateFailed, Currency: "PKR", Amount: 5,
			Fee: order.StatementUnstated, At: noon,
		}
	}
	s := order.Statement{Merchant: merchant, Profile: "generic", File: strings.Repeat(file, 64)}
	s.Fingerprint = order.StatementFingerprint(merchant, "p", s.File)
	s.ID = s.Fingerprint[:order.StatementIDDigits]
	digest := order.NewStatementDigest()
	for i := range count {
		s.Count(line(i + 1))
		digest.Add(line(i + 1))
	}
	s.Content = digest.Sum()
	return s, func(yield func(order.StatementLine, error) bool) {
		for i := range count {
			if !yield(line(i+1), nil) {
				return
			}
		}
	}
}

// A statement is sent in pages, once, in the name of who imports it.
func TestImportStatement(t *testing.T) {
	t.Parallel()
	b := setup(t)
	orders := &statementOrders{books: b.ledger}
	b.parts.Orders = func(context.Context) (Orders, error) { return orders, nil }
	service, amina := New(b.parts), Actor{Name: "amina"}
	s, lines := manyLines("a", order.StatementPageLines+1)

	orders.away = true
	_, err := service.ImportStatement(t.Context(), amina, s, lines, time.Millisecond)
	require.Equal(t, client.CodeNoAnswer, order.CodeOf(err))
	orders.away, orders.pages = false, nil
	found, err := service.ImportStatement(t.Context(), amina, s, lines, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []int{order.StatementPageLines, 1}, orders.pages)
	require.Equal(t, []any{order.StatementMatching, "amina", false}, []any{found.State, found.ImportedBy, found.Existing})
	found, err = service.ImportStatement(t.Context(), Actor{Name: "dana"}, s, lines, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []any{"amina", true}, []any{found.ImportedBy, found.Existing})
	require.Len(t, orders.pages, 2, "it is stored once")
	require.NoError(t, b.ledger.RecordMatched(t.Context(), s.ID, s.Lines, ledger.StatementCounts{}, true))
	found, err = service.ImportStatement(t.Context(), amina, s, lines, time.Minute)
	require.NoError(t, err)
	require.Equal(t, order.StatementMatched, found.State)

	taken := s
	taken.Fingerprint = s.ID + strings.Repeat("0", 48)
	_, err = service.ImportStatement(t.Context(), amina, taken, lines, time.Minute)
	require.Equal(t, ledger.CodeStatementConflict, order.CodeOf(err))

	orders.spoils = true
	broken, lines := manyLines("b", 3)
	for range 2 {
		_, err = service.ImportStatement(t.Context(), amina, broken, lines, time.Minute)
		require.Equal(t, ledger.CodeStatementBroken, order.CodeOf(err))
	}
	torn, _ := manyLines("c", 3)
	_, err = service.ImportStatement(t.Context(), amina, torn, func(yield func(order.StatementLine, error) bool) {
		yield(order.StatementLine{}, errors.New("the disk is gone"))
	}, time.Minute)
	require.ErrorContains(t, err, "the disk is gone")

	orders.spoils, orders.waited = false, nil
	large, lines := manyLines("d", (pagesAtOnce+1)*order.StatementPageLines+1)
	_, err = service.ImportStatement(t.Context(), amina, large, lines, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, orders.waited, "some pages are under way at once")

	page, err := service.Statements(t.Context(), amina, StatementFilter{Limit: 1})
	require.NoError(t, err)
	require.True(t, page.More)
	_, err = service.Statement(t.Context(), amina, torn.ID)
	require.Equal(t, CodeStatementNotFound, order.CodeOf(err))
}
