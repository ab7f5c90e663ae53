package payouts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeStatementNotFound is ledger.CodeStatementNotFound.
const CodeStatementNotFound = ledger.CodeStatementNotFound

// StoredStatement is a statement as the ledger has it.
type StoredStatement = ledger.StatementRecord

// Statement is a statement that is looked at.
type Statement struct {
	StoredStatement
	// Existing says that the statement was there before. Only ImportStatement sets it.
	Existing bool `json:"existing,omitempty"`
}

// StatementFilter selects statements of a listing.
type StatementFilter = ledger.StatementFilter

// StatementList is a page of statements, the newest first.
type StatementList struct {
	Statements []StoredStatement `json:"statements" nullable:"false"`
	More       bool              `json:"more"`
}

// ImportStatement stores a statement and has it compared. The same file again is the same
// statement. A worker stores it; nothing is compared before all of it is stored. It waits
// until it is stored. The error is an *order.Refusal with
// NO_ANSWER_YET when the patience is over: the same call again is safe.
func (s *Service) ImportStatement(
	ctx context.Context, actor Actor, imported order.Statement, lines iter.Seq2[order.StatementLine, error], patience time.Duration,
) (Statement, error) {
	found, err := s.Statement(ctx, actor, imported.ID)
	switch {
	case err == nil && found.Fingerprint != imported.Fingerprint:
		return Statement{}, order.Refuse(ledger.CodeStatementConflict, "the id %s belongs to a statement with other content", imported.ID)
	case err == nil && found.State.Ended():
		found.Existing = true
		return found, brokenStatement(found)
	case err != nil && order.CodeOf(err) != CodeStatementNotFound:
		return Statement{}, err
	}
	existing := err == nil && found.State != order.StatementStoring
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Statement{}, err
	}
	ctx, cancel := within(ctx, patience)
	defer cancel()
	imported.ImportedBy = actor.Name
	if !existing {
		if err := storeStatement(ctx, orders, imported, lines); err != nil {
			return Statement{}, err
		}
	}
	if err := orders.CompareStatement(ctx, imported); err != nil {
		return Statement{}, err
	}
	found, err = s.awaitStatement(ctx, actor, imported)
	found.Existing = existing
	return found, err
}

// pagesAtOnce is how many pages of a statement are under way at once, so that neither
// Temporal nor a worker holds a large statement in memory.
const pagesAtOnce = 8

// storeStatement sends the lines in pages.
func storeStatement(ctx context.Context, orders Orders, imported order.Statement, lines iter.Seq2[order.StatementLine, error]) error {
	page, number := contract.StatementPage{Statement: imported}, 0
	send := func() error {
		if number++; number > pagesAtOnce {
			if err := orders.AwaitStatementPage(ctx, imported, number-pagesAtOnce); err != nil {
				return err
			}
		}
		err := orders.StoreStatementPage(ctx, number, page)
		page.Lines = page.Lines[:0]
		return err
	}
	for line, err := range lines {
		if err != nil {
			return fmt.Errorf("read the lines again: %w", err)
		}
		if page.Lines = append(page.Lines, line); len(page.Lines) == order.StatementPageLines {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(page.Lines) == 0 {
		return nil
	}
	return send()
}

// awaitStatement waits until the ledger has all of a statement.
func (s *Service) awaitStatement(ctx context.Context, actor Actor, imported order.Statement) (Statement, error) {
	for {
		found, err := s.Statement(ctx, actor, imported.ID)
		switch {
		case err == nil && found.State != order.StatementStoring:
			return found, brokenStatement(found)
		case err != nil && order.CodeOf(err) != CodeStatementNotFound && ctx.Err() == nil:
			return Statement{}, err
		}
		select {
		case <-ctx.Done():
			return Statement{}, order.Refuse(client.CodeNoAnswer, "statement %s is under way and goes on. The same file again is safe. Does a worker run?", imported.ID)
		case <-time.After(submitPause):
		}
	}
}

// brokenStatement refuses a statement of which something else was stored.
func brokenStatement(found Statement) error {
	if found.State != order.StatementBroken {
		return nil
	}
	return order.Refuse(ledger.CodeStatementBroken, "what was stored of statement %s is not the file; nothing of it was compared", found.ID)
}

// Statement returns a statement. The error is STATEMENT_NOT_FOUND if there is none.
func (s *Service) Statement(ctx context.Context, _ Actor, id string) (Statement, error) {
	var found Statement
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		found.StoredStatement, err = l.Statement(ctx, id)
		return err
	})
	return found, noStatement(err)
}

// Statements lists statements, the newest first.
func (s *Service) Statements(ctx context.Context, _ Actor, filter StatementFilter) (StatementList, error) {
	var found StatementList
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		found.Statements, found.More, err = page(filter.Limit, func(limit int) ([]StoredStatement, error) {
			filter.Limit = limit
			return l.Statements(ctx, filter)
		})
		return err
	})
	return found, noStatement(err)
}

// noStatement gives a statement that is not there its code.
func noStatement(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return order.Refuse(CodeStatementNotFound, "there is no statement of that id")
	}
	return err
}
