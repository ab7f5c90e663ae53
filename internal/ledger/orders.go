package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Order reads an order. ErrNotFound if there is none of that key.
func (l *Ledger) Order(ctx context.Context, key order.Key) (order.Order, error) {
	o, _, err := l.order(ctx, key)
	return o, err
}

// OrderAndSubmissions reads an order and its attempts, as Order and Submissions do.
func (l *Ledger) OrderAndSubmissions(ctx context.Context, key order.Key) (order.Order, []Submission, error) {
	o, attempts, err := l.order(ctx, key)
	if err != nil || attempts == 0 {
		return o, nil, err
	}
	submissions, err := l.Submissions(ctx, key)
	return o, submissions, err
}

// order reads an order and the number of its attempts.
func (l *Ledger) order(ctx context.Context, key order.Key) (order.Order, int, error) {
	var row orderRow
	err := l.db.Get(ctx, &row, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND number = ?", sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return order.Order{}, 0, fmt.Errorf("ledger: %w", missing(err, "order %s", key))
	}
	o, err := l.private.order(row)
	return o, row.Attempts, err
}

// held is an order whose row is locked until the transaction ends.
type held struct {
	order.Order
	id       int64
	key      *vault.Key // nil: the order is in clear
	run      string     // run ID of the workflow that drives it
	attempts int
	erasedAt int64  // milliseconds; 0: never
	entries  int64  // number of its audit entries
	head     []byte // hash of its last audit entry
	counted  int64  // amount that this transaction adds to the day's total
	rest     int64  // unbooked fraction of fees that this transaction adds, in millionths of a minor unit
	// also returns what is written together with the next change of the row.
	also []func() []write
	// asked is the gateway id that lockFor looked for, and owner the number of another order
	// that has it, or "".
	asked, owner string
	// overdraws allows a reservation that makes available negative, because the
	// gateway already has the order.
	overdraws bool
}

// lockOrder reads an order and locks its row until the transaction ends.
func (t tx) lockOrder(ctx context.Context, key order.Key) (held, error) {
	var row orderRow
	query := "SELECT " + orderColumns + " FROM orders WHERE merchant = ? AND number = ?" + t.ForUpdate
	if err := t.Get(ctx, &row, query, sanitizeKey(key.Merchant), sanitizeKey(key.Number)); err != nil {
		return held{}, missing(err, "order %s", key)
	}
	row, err := t.open(row)
	if err != nil {
		return held{}, err
	}
	return row.held()
}

// inLocked runs do in a transaction that locks the order, whose time is read with the
// order. gatewayID is the one that do may store, or empty: whose it is is read, too. do
// must not keep state between tries.
func (l *Ledger) inLocked(ctx context.Context, key order.Key, gatewayID string, do func(tx, *held) error) error {
	return l.inUndatedTx(ctx, func(t tx) error {
		var row struct {
			orderRow
			Clock int64  `db:"clock"`
			Owner string `db:"owner"`
		}
		err := t.Get(ctx, &row, "SELECT "+orderColumns+", "+t.Clock()+` AS clock,
			CASE WHEN gateway_id = '' THEN COALESCE((`+ownerByGatewayID+`), '') ELSE '' END AS owner
			FROM orders WHERE merchant = ? AND number = ?`+t.ForUpdate,
			sanitizeKey(key.Merchant), gatewayID, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
		if err != nil {
			return missing(err, "order %s", key)
		}
		t.At = moment(row.Clock)
		opened, err := t.open(row.orderRow)
		if err != nil {
			return err
		}
		h, err := opened.held()
		if err != nil {
			return err
		}
		h.asked, h.owner = gatewayID, row.Owner
		if err := do(t, &h); err != nil {
			return err
		}
		return t.putAll(ctx, h.others()...)
	})
}

// others returns what is to be written together with a change of the row, once.
func (h *held) others() []write {
	var writes []write
	for _, also := range h.also {
		writes = append(writes, also()...)
	}
	h.also = nil
	return writes
}

// lockIfThere is lockOrder for a key that may have no order: then it returns nil.
func (t tx) lockIfThere(ctx context.Context, key order.Key) (*held, error) {
	h, err := t.lockOrder(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &h, err
}

// fillIn writes to the order's row what was learned of it. An order that has ended ended when
// its last entry says so, not now.
func (t tx) fillIn(ctx context.Context, h *held) error {
	at := t.At
	if h.State.Terminal() {
		at = h.UpdatedAt
	}
	return t.updateAt(ctx, h, h.State, at)
}

// update writes h to the order's row, whose state must be from, and what is to be written
// together with it. It is a compare-and-set, although the row is locked.
func (t tx) update(ctx context.Context, h *held, from order.State, entries ...auditRow) error {
	return t.updateAt(ctx, h, from, t.At, entries...)
}

func (t tx) updateAt(ctx context.Context, h *held, from order.State, at time.Time, entries ...auditRow) error {
	instructions, err := encodeInstructions(h.Instructions)
	if err != nil {
		return err
	}
	row := statement(`
		UPDATE orders SET state = ?, gateway_id = ?, paid = ?, fee = ?, fee_text = ?, reason_code = ?, reason_text = ?,
			instructions = ?, attempts = ?, audit_entries = ?, audit_head = ?, updated_at = ?
		WHERE id = ? AND state = ?`,
		h.State, h.GatewayID, h.Paid.Minor(), h.Fee.Minor(), h.FeeText, h.Reason.Code, h.key.Seal("reason_text", h.Reason.Text),
		h.key.Seal("instructions", instructions), h.attempts, h.entries, h.head, at.UnixMilli(), h.id, from)
	row.check = func(updated int64) error {
		if updated != 1 {
			return fmt.Errorf("%w: order %s is not %s any more", ErrState, h.Key(), from)
		}
		return nil
	}
	writes := []write{row}
	for _, entry := range entries {
		writes = append(writes, t.auditWrite(entry))
	}
	if err := t.putAll(ctx, append(writes, h.others()...)...); err != nil {
		return err
	}
	h.UpdatedAt = at
	return nil
}

// move changes an order's state, if the state table allows it, and audits why. The
// caller must call bookAll last, which updates the day's total.
func (t tx) move(ctx context.Context, h *held, to order.State, e entry) error {
	from := h.State
	if !rules.CanMove(h.Kind, from, to) {
		return fmt.Errorf("%w: a %s does not go from %s to %s", ErrState, h.Kind, from, to)
	}
	h.State = to
	switch {
	case h.counts(from) && !h.counts(to):
		h.counted -= h.Amount.Minor()
	case !h.counts(from) && h.counts(to): // an expired deposit that was paid late and refunded
		h.counted += h.Amount.Minor()
	}
	err := t.record(ctx, h, from, e)
	if err == nil && to == order.Refunded {
		err = t.heal(ctx, h, "the order is refunded", healedByRefund...)
	}
	return err
}

// record writes h to the order's row, whose state must be from, with an audit
// entry.
func (t tx) record(ctx context.Context, h *held, from order.State, e entry) error {
	return t.update(ctx, h, from, h.link(e, from, t.At.UnixMilli()))
}

const orderColumns = `id, merchant, number, kind, country, way, currency, amount, fingerprint, request,
	state, gateway_id, paid, fee, fee_text, reason_code, reason_text, instructions, attempts,
	approve_before, waits_for_funds, funds_before, horizon, not_before, released_at, expected_fee, ask_first, approvals, run, data_key, erased_at, audit_entries, audit_head, created_at, updated_at`

type orderRow struct {
	ID            int64       `db:"id"`
	Merchant      string      `db:"merchant"`
	Number        string      `db:"number"`
	Kind          order.Kind  `db:"kind"`
	Country       string      `db:"country"`
	Way           string      `db:"way"`
	Currency      string      `db:"currency"`
	Amount        int64       `db:"amount"`
	Fingerprint   string      `db:"fingerprint"`
	Request       string      `db:"request"`
	State         order.State `db:"state"`
	GatewayID     string      `db:"gateway_id"`
	Paid          int64       `db:"paid"`
	Fee           int64       `db:"fee"`
	FeeText       string      `db:"fee_text"`
	ReasonCode    string      `db:"reason_code"`
	ReasonText    string      `db:"reason_text"`
	Instructions  string      `db:"instructions"`
	Attempts      int         `db:"attempts"`
	ApproveBefore int64       `db:"approve_before"`
	WaitsForFunds int         `db:"waits_for_funds"`
	FundsBefore   int64       `db:"funds_before"`
	Horizon       int64       `db:"horizon"`     // milliseconds
	NotBefore     int64       `db:"not_before"`  // of a scheduled order: when it is released; 0: it was not ahead at the opening
	ReleasedAt    int64       `db:"released_at"` // of a scheduled order: when it was released
	ExpectedFee   int64       `db:"expected_fee"`
	AskFirst      int64       `db:"ask_first"`
	Approvals     int         `db:"approvals"`
	Run           string      `db:"run"` // run ID of the workflow that drives it
	DataKey       string      `db:"data_key"`
	ErasedAt      int64       `db:"erased_at"`
	AuditEntries  int64       `db:"audit_entries"`
	AuditHead     []byte      `db:"audit_head"`
	CreatedAt     int64       `db:"created_at"`
	UpdatedAt     int64       `db:"updated_at"`

	key           *vault.Key    // nil: the row is in clear
	hidden        string        // Encrypted or Erased: the content cannot be read
	Beneficiary   string        `db:"beneficiary"` // written, never read back
	Folded        string        `db:"folded"`      // the number in lower case; never read back
	start         order.Request // with the proof
	evidence      string        // evidence of the opening's audit entry
	proof         string        // proof of the opening's audit entry
	fundsDeadline time.Duration // counted from the opening, of a scheduled order from its time
	due           int64         // when it may be sent, in milliseconds, rounded up; 0: at once
	mayBeSent     bool          // it may have been sent before its opening
}

func newOrderRow(request order.Request) (orderRow, error) {
	known := request.Kind == order.Deposit || request.Kind == order.Withdrawal
	if !known || request.Merchant == "" || request.Number == "" || !request.Amount.IsPositive() || !request.Amount.Within(money.Most) {
		return orderRow{}, order.Refuse(order.CodeInvalidRequest, "an order has a kind, a merchant, a number and an amount above zero and within bounds")
	}
	content := request
	content.Proof = nil // the audit has it
	text, err := json.Marshal(content)
	if err != nil {
		return orderRow{}, err
	}
	return orderRow{
		start: request, Approvals: 1, due: dueAt(request),
		Merchant: request.Merchant, Number: request.Number, Kind: request.Kind, Country: request.Country, Way: request.Way,
		Currency: request.Amount.Currency(), Amount: request.Amount.Minor(),
		Fingerprint: request.Fingerprint(), Request: string(text), Beneficiary: rules.Beneficiary(request), Folded: strings.ToLower(request.Number),
	}, nil
}

// dueAt returns when a request may be sent, in milliseconds: never before its NotBefore. 0
// if it has none.
func dueAt(request order.Request) int64 {
	if request.NotBefore.IsZero() {
		return 0
	}
	return request.NotBefore.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// order decodes the row. It is an error if the columns differ from the stored
// request.
func (r orderRow) order() (order.Order, error) {
	o := order.Order{
		Standing:    order.Standing{State: r.State, GatewayID: r.GatewayID, FeeText: r.FeeText, Reason: order.Reason{Code: r.ReasonCode, Text: r.ReasonText}},
		Fingerprint: r.Fingerprint, ApproveBefore: moment(r.ApproveBefore), WaitsForFunds: r.WaitsForFunds != 0,
		FundsBefore: moment(r.FundsBefore), Horizon: time.Duration(r.Horizon) * time.Millisecond, AskFirst: moment(r.AskFirst), Approvals: r.Approvals,
		ReleaseAt: moment(r.NotBefore), ReleasedAt: moment(r.ReleasedAt), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
	key := order.Key{Merchant: r.Merchant, Number: r.Number}
	if err := r.readRequest(&o); err != nil {
		return order.Order{}, fmt.Errorf("ledger: the request of order %s cannot be read: %w", key, err)
	}
	if o.Key() != key || o.Kind != r.Kind || o.Amount.Minor() != r.Amount || o.Amount.Currency() != r.Currency {
		return order.Order{}, fmt.Errorf("ledger: the row of order %s differs from its request", key)
	}
	read := amounts{currency: r.Currency}
	if r.Paid > 0 { // with a proved payment a fee of zero is a known fee
		o.Paid, o.Fee = read.of(r.Paid), read.of(r.Fee)
	}
	if r.ExpectedFee > 0 {
		o.ExpectedFee = read.of(r.ExpectedFee)
	}
	if read.err != nil {
		return order.Order{}, fmt.Errorf("ledger: order %s: %w", key, read.err)
	}
	if r.Instructions != "" {
		o.Instructions = new(order.Instructions)
		if err := json.Unmarshal([]byte(r.Instructions), o.Instructions); err != nil {
			return order.Order{}, fmt.Errorf("ledger: the instructions of order %s cannot be read: %w", key, err)
		}
	}
	return o, nil
}

// readRequest decodes the request and the fingerprint of a decrypted row.
func (r orderRow) readRequest(o *order.Order) (err error) {
	if o.Hidden = r.hidden; o.Hidden != "" {
		o.Fingerprint = ""
		o.Request, err = r.concealed()
		return err
	}
	if err := json.Unmarshal([]byte(r.Request), &o.Request); err != nil || !vault.Sealed(r.Fingerprint) {
		return err
	}
	if o.Fingerprint = o.Request.Fingerprint(); r.key.Salted(o.Fingerprint) != r.Fingerprint {
		return errors.New("its fingerprint is of other content")
	}
	return nil
}

func (r orderRow) held() (held, error) {
	o, err := r.order()
	return held{
		Order: o, key: r.key, id: r.ID, run: r.Run, attempts: r.Attempts, erasedAt: r.ErasedAt, entries: r.AuditEntries, head: r.AuditHead,
	}, err
}

func encodeInstructions(instructions *order.Instructions) (string, error) {
	if instructions == nil {
		return "", nil
	}
	text, err := json.Marshal(instructions)
	return string(text), err
}
