package ledger

import (
	"context"
	"encoding/json"
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

// OpenOrder writes an order down, once per merchant and number. A withdrawal
// is opened as reserved, its amount moved from available to in_flight in the
// same transaction; when the balance does not cover it, as failed with
// order.CodeInsufficientFunds and nothing moved. A deposit is opened as
// created.
//
// Unless the Opening is Opened, nothing was written; for Existing and
// Conflict the order is the one that is there. A request that was never valid
// is an *order.Refusal with order.CodeInvalidRequest.
func (l *Ledger) OpenOrder(ctx context.Context, request order.Request) (order.Order, Opening, error) {
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

func (l *Ledger) openWith(ctx context.Context, row orderRow, open func(tx, context.Context, orderRow) (orderRow, Opening, error)) (order.Order, Opening, error) {
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

// Order reads an order. ErrNotFound if there is none of that key.
func (l *Ledger) Order(ctx context.Context, key order.Key) (order.Order, error) {
	var row orderRow
	err := l.get(ctx, &row, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND number = ?", key.Merchant, key.Number)
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: %w", missing(err, "order %s", key))
	}
	return row.order()
}

// held is an order whose row is locked until the transaction ends.
type held struct {
	order.Order
	id       int64
	attempts int
}

// lockOrder reads an order and keeps everyone else from changing it.
func (t tx) lockOrder(ctx context.Context, key order.Key) (held, error) {
	var row orderRow
	query := "SELECT " + orderColumns + " FROM orders WHERE merchant = ? AND number = ?" + t.forUpdate
	if err := t.get(ctx, &row, query, key.Merchant, key.Number); err != nil {
		return held{}, missing(err, "order %s", key)
	}
	return row.held()
}

// update writes the standing of an order that stands in state from: a
// compare-and-set, although the row is locked.
func (t tx) update(ctx context.Context, h *held, from order.State) error {
	instructions, err := encodeInstructions(h.Instructions)
	if err != nil {
		return err
	}
	updated, err := t.put(ctx, `
		UPDATE orders SET state = ?, gateway_id = ?, paid = ?, fee = ?, reason_code = ?, reason_text = ?,
			instructions = ?, attempts = ?, updated_at = ?
		WHERE id = ? AND state = ?`,
		h.State, h.GatewayID, h.Paid.Minor(), h.Fee.Minor(), h.Reason.Code, h.Reason.Text,
		instructions, h.attempts, t.at.UnixMilli(), h.id, from)
	if err != nil {
		return err
	}
	if updated != 1 {
		return fmt.Errorf("%w: order %s is not %s any more", ErrState, h.Key(), from)
	}
	h.UpdatedAt = t.at
	return nil
}

// move takes an order along one line of the table and writes down why.
func (t tx) move(ctx context.Context, h *held, step Step) error {
	step.From = h.State
	if !order.CanMove(h.Kind, step.From, step.To) {
		return fmt.Errorf("%w: a %s does not go from %s to %s", ErrState, h.Kind, step.From, step.To)
	}
	h.State = step.To
	if err := t.update(ctx, h, step.From); err != nil {
		return err
	}
	return t.record(ctx, h.id, step)
}

const orderColumns = `id, merchant, number, kind, country, way, currency, amount, fingerprint, request,
	state, gateway_id, paid, fee, reason_code, reason_text, instructions, attempts, created_at, updated_at`

type orderRow struct {
	ID           int64       `db:"id"`
	Merchant     string      `db:"merchant"`
	Number       string      `db:"number"`
	Kind         order.Kind  `db:"kind"`
	Country      string      `db:"country"`
	Way          string      `db:"way"`
	Currency     string      `db:"currency"`
	Amount       int64       `db:"amount"`
	Fingerprint  string      `db:"fingerprint"`
	Request      string      `db:"request"`
	State        order.State `db:"state"`
	GatewayID    string      `db:"gateway_id"`
	Paid         int64       `db:"paid"`
	Fee          int64       `db:"fee"`
	ReasonCode   string      `db:"reason_code"`
	ReasonText   string      `db:"reason_text"`
	Instructions string      `db:"instructions"`
	Attempts     int         `db:"attempts"`
	CreatedAt    int64       `db:"created_at"`
	UpdatedAt    int64       `db:"updated_at"`
}

func newOrderRow(request order.Request) (orderRow, error) {
	known := request.Kind == order.Deposit || request.Kind == order.Withdrawal
	if !known || request.Merchant == "" || request.Number == "" || !request.Amount.IsPositive() {
		return orderRow{}, order.Refuse(order.CodeInvalidRequest, "an order has a kind, a merchant, a number and an amount above zero")
	}
	text, err := json.Marshal(request)
	if err != nil {
		return orderRow{}, err
	}
	return orderRow{
		Merchant: request.Merchant, Number: request.Number, Kind: request.Kind, Country: request.Country, Way: request.Way,
		Currency: request.Amount.Currency(), Amount: request.Amount.Minor(),
		Fingerprint: request.Fingerprint(), Request: string(text),
	}, nil
}

// order puts the order together and checks that its columns and its request
// tell the same.
func (r orderRow) order() (order.Order, error) {
	o := order.Order{
		Standing:    order.Standing{State: r.State, GatewayID: r.GatewayID, Reason: order.Reason{Code: r.ReasonCode, Text: r.ReasonText}},
		Fingerprint: r.Fingerprint, CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
	key := order.Key{Merchant: r.Merchant, Number: r.Number}
	if err := json.Unmarshal([]byte(r.Request), &o.Request); err != nil {
		return order.Order{}, fmt.Errorf("ledger: the request of order %s cannot be read: %w", key, err)
	}
	if o.Key() != key || o.Kind != r.Kind || o.Amount.Minor() != r.Amount || o.Amount.Currency() != r.Currency {
		return order.Order{}, fmt.Errorf("ledger: the row of order %s differs from its request", key)
	}
	if r.Paid > 0 { // proved: from here on a fee of zero is a fee, too
		read := amounts{currency: r.Currency}
		o.Paid, o.Fee = read.of(r.Paid), read.of(r.Fee)
		if read.err != nil {
			return order.Order{}, fmt.Errorf("ledger: order %s: %w", key, read.err)
		}
	}
	if r.Instructions != "" {
		o.Instructions = new(order.Instructions)
		if err := json.Unmarshal([]byte(r.Instructions), o.Instructions); err != nil {
			return order.Order{}, fmt.Errorf("ledger: the instructions of order %s cannot be read: %w", key, err)
		}
	}
	return o, nil
}

func (r orderRow) held() (held, error) {
	o, err := r.order()
	return held{Order: o, id: r.ID, attempts: r.Attempts}, err
}

func encodeInstructions(instructions *order.Instructions) (string, error) {
	if instructions == nil {
		return "", nil
	}
	text, err := json.Marshal(instructions)
	return string(text), err
}
