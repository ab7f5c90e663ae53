package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Opening is what OpenOrder did.
type Opening string

// The openings.
const (
	Opened      Opening = "opened"       // written now
	Existing    Opening = "existing"     // written before, with the same content
	Conflict    Opening = "conflict"     // the number belongs to an order with other content
	BooksClosed Opening = "books_closed" // the merchant's books in the currency are not open: OpenBooks, then try again
)

// Sources of changes of state that the ledger makes by itself, beside the
// sources of findings.
const (
	FromOpening    order.Source = "opening"    // OpenOrder: the balance decided
	FromSubmission order.Source = "submission" // a create; its attempt is the evidence
	FromReview     order.Source = "review"     // Review: time passed without proof
)

// Terms are what a request is opened on. The zero Terms have no policy and let
// a withdrawal that comes short fail.
type Terms struct {
	Policy       *order.Policy
	WaitForFunds bool // a withdrawal that the balance does not cover waits instead of failing
}

// OpenOrder writes an order down, once per merchant and number. A withdrawal
// is opened as reserved, its amount moved from available to in_flight in the
// same transaction; when the balance does not cover it, as failed with
// order.CodeInsufficientFunds and nothing moved. A deposit is opened as
// created.
//
// Unless the Opening is Opened, nothing was written; for Existing and
// Conflict the order is the one that is there. A request that was never valid
// is an *order.Refusal with order.CodeInvalidRequest.
func (l *Ledger) OpenOrder(ctx context.Context, request order.Request, _ Terms) (order.Order, Opening, error) {
	row, err := newOrderRow(request)
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	opened, opening, err := l.open(ctx, row)
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	return opened, opening, nil
}

func (l *Ledger) open(ctx context.Context, row orderRow) (order.Order, Opening, error) {
	if row.Kind == order.Deposit {
		return l.openWith(ctx, row, tx.openDeposit)
	}
	// Between a reservation that came short and the look at the balance that
	// says by how much, funds may arrive: then try once more.
	for range collisions {
		opened, opening, err := l.openWith(ctx, row, tx.openReserved)
		if !errors.Is(err, errShort) {
			return opened, opening, err
		}
		opened, opening, err = l.openWith(ctx, row, tx.openShort)
		if !errors.Is(err, errEnough) {
			return opened, opening, err
		}
	}
	return order.Order{}, "", errEnough
}

// Findings that end a transaction which must not be kept.
var (
	errShort       = errors.New("the available balance does not cover it")
	errEnough      = errors.New("the available balance covers it after all")
	errBooksClosed = errors.New("the books are not open")
)

// opener is one way of opening an order within a transaction. It returns the
// row that is then there.
type opener func(tx, context.Context, orderRow) (orderRow, Opening, error)

func (l *Ledger) openWith(ctx context.Context, row orderRow, open opener) (order.Order, Opening, error) {
	var result orderRow
	var opening Opening
	err := l.inTx(ctx, func(t tx) (err error) {
		row.CreatedAt, row.UpdatedAt = t.at.UnixMilli(), t.at.UnixMilli()
		result, opening, err = open(t, ctx, row)
		return err
	})
	if errors.Is(err, errBooksClosed) {
		return order.Order{}, BooksClosed, nil
	}
	if err != nil {
		return order.Order{}, "", err
	}
	opened, err := result.order()
	return opened, opening, err
}

// openDeposit writes down an order that holds no money yet.
func (t tx) openDeposit(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State = order.Created
	row, opening, err := t.insertOrder(ctx, row)
	if err != nil || opening != Opened {
		return row, opening, err
	}
	_, err = t.available(ctx, row)
	return row, Opened, err
}

// openReserved is a withdrawal's common road, optimistic and short.
func (t tx) openReserved(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State = order.Reserved
	row, opening, err := t.insertOrder(ctx, row)
	if err != nil || opening != Opened {
		return row, opening, err
	}
	h, err := row.held()
	if err != nil {
		return row, "", err
	}
	if err := t.record(ctx, h.id, Step{From: order.Created, To: order.Reserved, Source: FromOpening}); err != nil {
		return row, "", err
	}
	reserve := Transfer{Reason: ReasonReserve, From: AccountAvailable, To: AccountInFlight, Amount: h.Amount}
	return row, Opened, t.bookAll(ctx, h, []Transfer{reserve})
}

// openShort writes down a withdrawal that the balance does not cover.
func (t tx) openShort(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	available, err := t.available(ctx, row)
	if err != nil {
		return row, "", err
	}
	if available >= row.Amount {
		return row, "", errEnough
	}
	read := amounts{currency: row.Currency}
	reason := order.Reason{
		Code: order.CodeInsufficientFunds,
		Text: fmt.Sprintf("the available balance of %s does not cover %s", read.of(available), read.of(row.Amount)),
	}
	row.State, row.ReasonCode, row.ReasonText = order.Failed, reason.Code, reason.Text
	row, opening, err := t.insertOrder(ctx, row)
	if err != nil || opening != Opened {
		return row, opening, err
	}
	err = t.record(ctx, row.ID, Step{From: order.Created, To: order.Failed, Source: FromOpening, Reason: reason})
	return row, Opened, err
}

// insertOrder inserts the row, or finds the one that has its number.
func (t tx) insertOrder(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	var ids []int64
	err := t.putRows(ctx, &ids, `
		INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request,
			state, reason_code, reason_text, created_at, updated_at)
		VALUES (:merchant, :number, :kind, :country, :way, :currency, :amount, :fingerprint, :request,
			:state, :reason_code, :reason_text, :created_at, :updated_at)
		ON CONFLICT (merchant, number) DO NOTHING RETURNING id`, row)
	if err != nil {
		return row, "", err
	}
	if len(ids) == 1 {
		row.ID = ids[0]
		return row, Opened, nil
	}
	var there orderRow
	err = t.get(ctx, &there, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND number = ?", row.Merchant, row.Number)
	if err != nil {
		return row, "", err
	}
	if there.Fingerprint != row.Fingerprint {
		return there, Conflict, nil
	}
	return there, Existing, nil
}

// available is the merchant's available balance, or errBooksClosed.
func (t tx) available(ctx context.Context, row orderRow) (int64, error) {
	var found []int64
	err := t.list(ctx, &found, "SELECT available FROM books WHERE merchant = ? AND currency = ?", row.Merchant, row.Currency)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, errBooksClosed
	}
	return found[0], nil
}
