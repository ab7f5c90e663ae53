package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Opening is what OpenOrder did.
type Opening string

// The openings.
const (
	Opened      Opening = "opened"       // written now
	Existing    Opening = "existing"     // written before, with the same content
	Conflict    Opening = "conflict"     // the number belongs to an order with other content
	Twin        Opening = "twin"         // another order's number differs in capitals only, which a gateway may take for one
	BooksClosed Opening = "books_closed" // the merchant's books in the currency are not open: OpenBooks, then try again
)

// Sources of changes of state that the ledger makes by itself, beside the
// sources of findings.
const (
	FromOpening    order.Source = "opening"    // OpenOrder: the balance decided
	FromSubmission order.Source = "submission" // a create; its attempt is the evidence
	FromReview     order.Source = "review"     // Review: time passed without proof
	FromFunds      order.Source = "funds"      // Reserve, FailFunds: the balance decided
	FromDeadline   order.Source = "deadline"   // RejectUnanswered: time passed without an approval

	FromConfiguration order.Source = "configuration" // RecordPolicy: a worker started with it; it changes no order
)

// Terms are what a request is opened on. The zero Terms have no policy and let
// a withdrawal that comes short fail.
type Terms struct {
	Policy        *order.Policy
	WaitForFunds  bool          // a withdrawal that the balance does not cover waits instead of failing
	FundsDeadline time.Duration // how long it waits, from its opening on
	Horizon       time.Duration // how long proof is looked for, from the first create on; then a person is asked
	Run           string        // of the workflow that opens it; another one Reopens it
	AskFirst      bool          // it may have been sent before: its first create asks the gateway first
}

// OpenOrder writes an order down, once per merchant and number, as the policy
// rules on it:
//
//	refused         rejected; nothing is reserved
//	needs approval  awaiting_approval; nothing is reserved
//	pass            a deposit: created
//	                a withdrawal: reserved, its amount moved from available to
//	                in_flight in the same transaction; when the balance does not
//	                cover it, awaiting_funds or failed with
//	                order.CodeInsufficientFunds, as the terms say
//
// What the policy needs to know is read, and the order written, while nobody
// else can open one under daily limits in the same books: orders that are
// opened together never pass a limit together.
//
// An order with which a sum of the books could not be held any more is rejected
// with order.CodeSumTooLarge.
//
// Unless the Opening is Opened, nothing was written; for Existing, Conflict and
// Twin the order is the one that is there. A request that was never valid
// is an *order.Refusal with order.CodeInvalidRequest.
func (l *Ledger) OpenOrder(ctx context.Context, request order.Request, terms Terms) (order.Order, Opening, error) {
	row, err := newOrderRow(request)
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	row.Horizon, row.Run, row.mayBeSent = terms.Horizon.Milliseconds(), fit(terms.Run), terms.AskFirst
	if terms.WaitForFunds && row.Kind == order.Withdrawal {
		row.WaitsForFunds, row.fundsDeadline = 1, terms.FundsDeadline
	}
	opened, opening, err := l.open(ctx, row, request, terms.Policy)
	var unusable *Error
	if errors.As(err, &unusable) && unusable.Code == CodeSum {
		opened, opening, err = l.openWith(ctx, row, tx.openUncountable)
	}
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	return opened, opening, nil
}

// FindOrder looks for an order that has a request's number. The Opening is Existing
// or Conflict, or empty when there is none.
func (l *Ledger) FindOrder(ctx context.Context, request order.Request) (order.Order, Opening, error) {
	there, err := l.Order(ctx, request.Key())
	switch {
	case errors.Is(err, ErrNotFound):
		return order.Order{}, "", nil
	case err != nil:
		return order.Order{}, "", err
	case there.Fingerprint != request.Fingerprint():
		return there, Conflict, nil
	}
	return there, Existing, nil
}

func (l *Ledger) open(ctx context.Context, row orderRow, request order.Request, policy *order.Policy) (order.Order, Opening, error) {
	row.evidence = request.Fingerprint()
	if id := policy.ID(); id != "" {
		row.evidence += " policy " + id
	}
	needs := policy.Needs(request)
	if needs.Any() {
		return l.openWith(ctx, row, func(t tx, ctx context.Context, row orderRow) (orderRow, Opening, error) {
			return t.openLimited(ctx, row, request, policy, needs)
		})
	}
	if ruling := policy.Judge(request, order.Facts{}); ruling.Verdict != order.Pass {
		return l.openWith(ctx, row, func(t tx, ctx context.Context, row orderRow) (orderRow, Opening, error) {
			row.rule(ruling, t.At, policy)
			return t.write(ctx, row)
		})
	}
	if row.Kind == order.Deposit {
		return l.openWith(ctx, row, tx.openDeposit)
	}
	// Between a reservation that came short and the look at the balance that
	// says by how much, funds may arrive: then try once more.
	for range openTries {
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

// openTries is how often the balance may change between the two.
const openTries = 10

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
		row.CreatedAt, row.UpdatedAt = t.At.UnixMilli(), t.At.UnixMilli()
		if row.WaitsForFunds != 0 {
			row.FundsBefore = t.At.Add(row.fundsDeadline).UnixMilli()
		}
		if row.AskFirst = 0; row.mayBeSent {
			row.AskFirst = row.CreatedAt
		}
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
	return t.write(ctx, row)
}

// openReserved is a withdrawal's common road, optimistic and short.
func (t tx) openReserved(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State = order.Reserved
	return t.write(ctx, row)
}

// openUncountable writes down an order whose amount cannot be added to the
// merchant's sums. It moves nothing and counts for nothing.
func (t tx) openUncountable(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State, row.ReasonCode = order.Rejected, order.CodeSumTooLarge
	row.ReasonText = "with it, a sum of the merchant's books would be larger than can be held"
	return t.write(ctx, row)
}

// openShort writes down a withdrawal that the balance does not cover.
func (t tx) openShort(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	books, err := t.books(ctx, row.Merchant, row.Currency, "")
	if err != nil {
		return row, "", err
	}
	if row.fund(books.Available); row.State == order.Reserved {
		return row, "", errEnough
	}
	return t.write(ctx, row)
}

// openLimited is the road of an order that daily limits or its beneficiary
// decide on. It locks the books first: see tx.
func (t tx) openLimited(ctx context.Context, row orderRow, request order.Request, policy *order.Policy, needs order.Needs) (orderRow, Opening, error) {
	books, err := t.books(ctx, row.Merchant, row.Currency, t.ForUpdate)
	if err != nil {
		return row, "", err
	}
	facts, err := t.facts(ctx, row, books, needs)
	if err != nil {
		return row, "", err
	}
	ruling := policy.Judge(request, facts)
	switch {
	case ruling.Verdict != order.Pass:
		row.rule(ruling, t.At, policy)
	case row.Kind == order.Deposit:
		row.State = order.Created
	default:
		row.fund(books.Available)
	}
	return t.write(ctx, row)
}

// rule stands the row as a ruling that does not let it pass says.
func (r *orderRow) rule(ruling order.Ruling, at time.Time, policy *order.Policy) {
	reason := ruling.Reason()
	r.ReasonCode, r.ReasonText = reason.Code, fit(reason.Text)
	r.State = order.Rejected
	if ruling.Verdict == order.NeedsApproval {
		r.State = order.AwaitingApproval
		r.ApproveBefore = at.Add(policy.ApprovalDeadline()).UnixMilli()
	}
}

// fund stands the row of a withdrawal as the available balance says.
func (r *orderRow) fund(available int64) {
	r.State, r.ReasonCode, r.ReasonText = order.Reserved, "", ""
	if available >= r.Amount {
		return
	}
	r.State = order.Failed
	if r.WaitsForFunds != 0 {
		r.State = order.AwaitingFunds
	}
	read := amounts{currency: r.Currency}
	r.ReasonCode = order.CodeInsufficientFunds
	r.ReasonText = fmt.Sprintf("the available balance of %s does not cover %s", read.of(available), read.of(r.Amount))
}

// write inserts the row as it stands, begins its audit and books what follows,
// unless its number is taken.
func (t tx) write(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	if err := t.holdUnasked(ctx, &row); err != nil {
		return row, "", err
	}
	h, err := row.held()
	if err != nil {
		return row, "", err
	}
	first := h.link(entry{
		action: ActionOpen, actor: h.RequestedBy, source: FromOpening, evidence: row.evidence, reason: h.Reason,
	}, "", t.At.UnixMilli())
	row.AuditEntries, row.AuditHead = h.entries, h.head
	row, opening, err := t.insertOrder(ctx, row)
	if err != nil || opening != Opened {
		return row, opening, err
	}
	if err := t.insertAudit(ctx, first); err != nil {
		return row, "", err
	}
	h.id = row.ID
	if counts(h.State) {
		h.counted = row.Amount
	}
	return row, Opened, t.bookAll(ctx, h, reservation(h.Order))
}

// holdUnasked keeps an order open that would end at its opening, if the gateway may
// have it: it ends so once the gateway was asked. Nobody can approve one that the
// policy refuses.
func (t tx) holdUnasked(ctx context.Context, row *orderRow) error {
	if row.State != order.Failed && (row.State != order.Rejected || row.ReasonCode == order.CodeSumTooLarge) {
		return nil
	}
	since := row.AskFirst
	if since == 0 {
		var err error
		if since, err = t.restored(ctx); err != nil || since == 0 {
			return err
		}
	}
	if row.State == order.Failed {
		row.State = order.AwaitingFunds
		return nil
	}
	row.State, row.ApproveBefore = order.AwaitingApproval, row.CreatedAt-1
	return nil
}

// reservation is what an order sets aside when it becomes reserved.
func reservation(o order.Order) []Transfer {
	if o.State != order.Reserved {
		return nil
	}
	return []Transfer{{Reason: ReasonReserve, From: AccountAvailable, To: AccountInFlight, Amount: o.Amount}}
}

// insertOrder inserts the row, or finds the one that has its number.
func (t tx) insertOrder(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	var written []struct {
		ID       int64 `db:"id"`
		AskFirst int64 `db:"ask_first"`
	}
	err := t.PutRows(ctx, &written, `
		INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, beneficiary, folded,
			state, reason_code, reason_text, approve_before, waits_for_funds, funds_before, horizon,
			run, ask_first, audit_entries, audit_head, created_at, updated_at)
		VALUES (:merchant, :number, :kind, :country, :way, :currency, :amount, :fingerprint, :request, :beneficiary, :folded,
			:state, :reason_code, :reason_text, :approve_before, :waits_for_funds, :funds_before, :horizon,
			:run, CASE WHEN CAST(:ask_first AS BIGINT) > 0 THEN CAST(:ask_first AS BIGINT) ELSE `+restoredAt+` END, :audit_entries, :audit_head, :created_at, :updated_at)
		ON CONFLICT DO NOTHING RETURNING id, ask_first`, row)
	if err != nil {
		return row, "", err
	}
	if len(written) == 1 {
		row.ID, row.AskFirst = written[0].ID, written[0].AskFirst
		return row, Opened, nil
	}
	var there orderRow
	err = t.Get(ctx, &there, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND number = ?", row.Merchant, row.Number)
	if errors.Is(err, sql.ErrNoRows) {
		err = t.Get(ctx, &there, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND folded = ? AND folded <> ''", row.Merchant, row.Folded)
		return there, Twin, err
	}
	if err != nil {
		return row, "", err
	}
	if there.Fingerprint != row.Fingerprint {
		return there, Conflict, nil
	}
	return there, Existing, nil
}

// booksState is what a ruling and a reservation look at.
type booksState struct {
	Available      int64 `db:"available"`
	Day            int64 `db:"day"`
	DayWithdrawals int64 `db:"day_withdrawals"`
	DayDeposits    int64 `db:"day_deposits"`
}

// books reads a merchant's books, locked when lock says so; errBooksClosed if
// there are none.
func (t tx) books(ctx context.Context, merchant, currency, lock string) (booksState, error) {
	var state booksState
	err := t.Get(ctx, &state, "SELECT available, day, day_withdrawals, day_deposits FROM books WHERE merchant = ? AND currency = ?"+lock,
		merchant, currency)
	if errors.Is(err, sql.ErrNoRows) {
		err = errBooksClosed
	}
	return state, err
}

// facts are what a policy needs to know. The books are locked.
func (t tx) facts(ctx context.Context, row orderRow, books booksState, needs order.Needs) (order.Facts, error) {
	read := amounts{currency: row.Currency}
	var facts order.Facts
	if books.Day >= dayOf(row.CreatedAt) { // else this is the day's first
		facts.MerchantDay = read.of(books.DayWithdrawals)
		if row.Kind == order.Deposit {
			facts.MerchantDay = read.of(books.DayDeposits)
		}
	}
	if row.Beneficiary == "" || (!needs.BeneficiaryDay && !needs.KnownBeneficiary) {
		return facts, read.err
	}
	var found struct {
		Day   int64 `db:"day"`
		Known int   `db:"known"`
	}
	const theirs = "merchant = ? AND beneficiary = ? AND beneficiary <> ''"
	err := t.Get(ctx, &found, `
		SELECT CAST(COALESCE((SELECT SUM(amount) FROM orders WHERE `+theirs+` AND created_at >= ? AND currency = ? AND `+countedStates+`), 0) AS BIGINT) AS day,
			CASE WHEN EXISTS (SELECT 1 FROM orders WHERE `+theirs+` AND state = 'succeeded') THEN 1 ELSE 0 END AS known`,
		row.Merchant, row.Beneficiary, dayOf(row.CreatedAt)*dayLength, row.Currency, row.Merchant, row.Beneficiary)
	facts.BeneficiaryDay, facts.KnownBeneficiary = read.of(found.Day), found.Known == 1
	return facts, errors.Join(err, read.err)
}

// dayLength is a day in the milliseconds that times are kept in.
const dayLength = 24 * 60 * 60 * 1000

// dayOf is the day (UTC, since 1970) of a time in milliseconds.
func dayOf(milliseconds int64) int64 { return milliseconds / dayLength }

// countedStates is the condition of an order that counts for daily limits:
// all but those that ended without any money moved.
const countedStates = "state NOT IN ('failed', 'rejected', 'expired', 'cancelled')"

func counts(state order.State) bool {
	switch state {
	case order.Failed, order.Rejected, order.Expired, order.Cancelled:
		return false
	default:
		return true
	}
}
