package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Opening is the result of OpenOrder.
type Opening string

// The results of OpenOrder.
const (
	Opened      Opening = "opened"       // the order was inserted now
	Existing    Opening = "existing"     // the order exists with the same content
	Gone        Opening = "gone"         // the order exists and was erased; of its content only kind, country, way and amount can be compared, and are the same
	Conflict    Opening = "conflict"     // the number belongs to an order with different content
	Twin        Opening = "twin"         // another order's number differs only in case; a gateway may treat both as the same
	BooksClosed Opening = "books_closed" // the merchant has no open books in the currency: call OpenBooks, then try again
)

// Sources of changes of state, beside the sources of findings.
const (
	FromOpening    rules.Source = "opening"    // OpenOrder: the balance decided
	FromSubmission rules.Source = "submission" // an attempt of a create, which is the evidence
	FromReview     rules.Source = "review"     // Review: time passed without proof
	FromFunds      rules.Source = "funds"      // Reserve, FailFunds: the balance decided
	FromDeadline   rules.Source = "deadline"   // RejectUnanswered: time passed without an approval
	FromSchedule   rules.Source = "schedule"   // Release: the time of a scheduled order has come
	FromBatch      rules.Source = "batch"      // every order of a batch has ended

	FromErasures      rules.Source = "erasures"      // EraseAgain: the order was erased before an older copy was restored
	FromConfiguration rules.Source = "configuration" // RecordPolicy: a worker started with the policy; no order changes
)

// Terms are the settings with which an order is opened. With the zero Terms there
// is no policy, and a withdrawal that the balance does not cover fails.
type Terms struct {
	Policy        *rules.Policy
	WaitForFunds  bool          // a withdrawal that the balance does not cover waits for funds
	FundsDeadline time.Duration // how long it waits, counted from the opening
	Horizon       time.Duration // how long the outcome is queried, counted from the first create; then the order goes to review
	Run           string        // run ID of the workflow that opens the order; a later run calls Reopen
	AskFirst      bool          // the order may have been sent before: query the gateway before its first create
	ExpectedFee   money.Amount  // of a withdrawal: the fee on top that the gateway is expected to charge; zero if none is known
}

// OpenOrder inserts an order, once per merchant and number. Its state follows from
// the policy's ruling:
//
//	refused         rejected; nothing is reserved
//	needs approval  awaiting_approval; nothing is reserved
//	pass            a deposit: created
//	                a withdrawal: reserved, its amount and the fee that is expected
//	                moved from available to in_flight in the same transaction; when
//	                the balance does not cover both, awaiting_funds or failed with
//	                order.CodeInsufficientFunds, as the terms say
//
// The expected fee is on record from then on. The policy and the limits do not count it.
//
// An order that passes and whose NotBefore is ahead, by the ledger's clock, is scheduled:
// nothing is reserved. Its opening is judged without the day's totals; Release judges
// them. A NotBefore more than a year ahead is refused.
//
// The policy's facts are read and the order is inserted under one lock of the
// books. So concurrent orders cannot exceed a daily limit together.
//
// If the order would overflow a total of the books, it is rejected with
// order.CodeSumTooLarge.
//
// Unless the Opening is Opened, nothing was written. For Existing, Gone,
// Conflict and Twin the returned order is the existing one. The error for an invalid request is
// an *order.Refusal with order.CodeInvalidRequest.
func (l *Ledger) OpenOrder(ctx context.Context, request order.Request, terms Terms) (order.Order, Opening, error) {
	l.refresh()
	request, err := l.requested(ctx, request, terms)
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	row, err := newOrderRow(request)
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	if l.authority != nil && request.Proof == nil {
		row.Approvals = 2
	}
	row.Horizon, row.Run, row.mayBeSent = terms.Horizon.Milliseconds(), sanitizeText(terms.Run), terms.AskFirst
	if terms.WaitForFunds && row.Kind == order.Withdrawal {
		row.WaitsForFunds, row.fundsDeadline = 1, terms.FundsDeadline
	}
	if fee := terms.ExpectedFee; row.Kind == order.Withdrawal && fee.IsPositive() {
		if more, err := fee.Compare(request.Amount); err != nil || more > 0 {
			return order.Order{}, "", fmt.Errorf("ledger: open %s: a fee of %s cannot be expected of %s", request.Key(), fee, request.Amount)
		}
		row.ExpectedFee = fee.Minor()
	}
	row.evidence = row.opened(terms.Policy)
	opened, opening, err := l.open(ctx, row, request, terms.Policy)
	var unusable *Error
	if errors.As(err, &unusable) && unusable.Code == CodeSum {
		opened, opening, err = l.openWith(ctx, row, tx.openOverflow)
	}
	if err != nil {
		return order.Order{}, "", fmt.Errorf("ledger: open %s: %w", request.Key(), err)
	}
	return opened, opening, nil
}

// FindOrder returns the order with the request's number. The Opening is Existing, Gone
// or Conflict, or empty if there is no such order.
func (l *Ledger) FindOrder(ctx context.Context, request order.Request) (order.Order, Opening, error) {
	existing, err := l.Order(ctx, request.Key())
	switch {
	case errors.Is(err, ErrNotFound):
		return order.Order{}, "", nil
	case err != nil:
		return order.Order{}, "", err
	}
	return existing, openingOf(existing, request), nil
}

// openingOf returns whether a request is that of an order of its number.
func openingOf(existing order.Order, request order.Request) Opening {
	there := existing.Request
	switch {
	case existing.Hidden == Erased && there.Kind == request.Kind && there.Country == request.Country && there.Way == request.Way && there.Amount == request.Amount:
		return Gone
	case existing.Fingerprint != request.Fingerprint():
		return Conflict
	}
	return Existing
}

func (l *Ledger) open(ctx context.Context, row orderRow, request order.Request, policy *rules.Policy) (order.Order, Opening, error) {
	needs := policy.Needs(request)
	if !request.NotBefore.IsZero() {
		opened, opening, err := l.openWith(ctx, row, func(t tx, ctx context.Context, row orderRow) (orderRow, Opening, error) {
			return t.openScheduled(ctx, row, request, policy, needs)
		})
		if !errors.Is(err, errDue) {
			return opened, opening, err
		}
		row.due = 0 // its time has come, also if the next transaction's clock is behind
	}
	if needs.Any() {
		return l.openWith(ctx, row, func(t tx, ctx context.Context, row orderRow) (orderRow, Opening, error) {
			return t.openLimited(ctx, row, request, policy, needs)
		})
	}
	if ruling := row.judge(policy, request, rules.Facts{}); ruling.Verdict != rules.Pass {
		return l.openWith(ctx, row, func(t tx, ctx context.Context, row orderRow) (orderRow, Opening, error) {
			row.applyRuling(ruling, t.At, policy)
			return t.write(ctx, row)
		})
	}
	if row.Kind == order.Deposit {
		return l.openWith(ctx, row, tx.openDeposit)
	}
	// Funds may arrive between the failed reservation and the read of the balance.
	// Then try again.
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

// opened returns the evidence of the opening: the fingerprint, the policy and the expected
// fee.
func (r *orderRow) opened(policy *rules.Policy) string {
	evidence := r.Fingerprint
	if id := policy.ID(); id != "" {
		evidence += " policy " + id
	}
	return evidence + r.feeEvidence()
}

// feeEvidence is what the evidence of the opening says of the expected fee; "" if there is
// none.
func (r *orderRow) feeEvidence() string {
	if r.ExpectedFee == 0 {
		return ""
	}
	read := amounts{currency: r.Currency}
	return feeMark + read.of(r.ExpectedFee).Number()
}

// feeMark is before the expected fee in the evidence of an opening.
const feeMark = " fee "

// openTries is the most tries.
const openTries = 10

// Errors that roll the transaction back.
var (
	errShort       = errors.New("the available balance does not cover it")
	errEnough      = errors.New("the available balance covers it after all")
	errBooksClosed = errors.New("the books are not open")
	errDue         = errors.New("the order's time has come")
)

// opener opens an order within a transaction. It returns the stored row.
type opener func(tx, context.Context, orderRow) (orderRow, Opening, error)

func (l *Ledger) openWith(ctx context.Context, row orderRow, open opener) (order.Order, Opening, error) {
	var result orderRow
	var opening Opening
	key, err := l.private.ring.NewKey(orderSubject(row.Merchant, row.Number))
	if err != nil {
		return order.Order{}, "", err
	}
	row.key, row.DataKey = key, key.Stored()
	err = l.inTx(ctx, func(t tx) (err error) {
		row.CreatedAt, row.UpdatedAt = t.At.UnixMilli(), t.At.UnixMilli()
		if err := row.start.CheckNotBefore(t.At); err != nil {
			return order.Refuse(order.CodeInvalidRequest, "%v", err)
		}
		if row.NotBefore = 0; row.due > row.CreatedAt {
			row.NotBefore = row.due
		}
		if row.WaitsForFunds != 0 {
			row.FundsBefore = max(row.CreatedAt, row.NotBefore) + row.fundsDeadline.Milliseconds()
		}
		if row.AskFirst = 0; row.mayBeSent {
			row.AskFirst = row.CreatedAt
		}
		proof, refusal := l.permitStart(row.start, t.At)
		if refusal != nil {
			return refusal
		}
		row.proof = proof
		result, opening, err = open(t, ctx, row)
		return err
	})
	if errors.Is(err, errBooksClosed) {
		return order.Order{}, BooksClosed, nil
	}
	if err != nil {
		return order.Order{}, "", err
	}
	if opening == Opened { // as it was written, in clear
		opened, err := result.order()
		return opened, opening, err
	}
	existing, err := l.private.order(result)
	return existing, opening, err
}

// requested returns the request as it is opened. The requester of a signed request
// is its signer. An order that the gateway may have is recorded even if its
// signature is refused by now: as one that is not signed.
func (l *Ledger) requested(ctx context.Context, request order.Request, terms Terms) (order.Request, error) {
	if request.Proof == nil {
		return request, nil
	}
	if request.RequestedBy == "" {
		request.RequestedBy = request.Proof.By()
	}
	if !terms.AskFirst {
		return request, nil
	}
	at, err := l.Now(ctx)
	if _, refusal := l.permitStart(request, at); refusal != nil {
		request.Proof = nil
	}
	return request, err
}

// permitStart returns the proof of a signed start; it is empty if the start is not
// signed.
func (l *Ledger) permitStart(request order.Request, at time.Time) (string, *order.Refusal) {
	if request.Proof == nil {
		return "", nil
	}
	if l.authority == nil {
		return "", noRoster()
	}
	proof, refusal := l.authority.PermitStart(request, at)
	if refusal != nil {
		return "", order.Refuse(order.CodeInvalidRequest, "the signature of the start is refused: %s: %s", refusal.Code, refusal.Text)
	}
	return proof, nil
}

// openDeposit inserts a deposit as created.
func (t tx) openDeposit(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State = order.Created
	return t.write(ctx, row)
}

// openReserved inserts a withdrawal as reserved, without reading the balance.
// errShort if the balance does not cover it.
func (t tx) openReserved(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State = order.Reserved
	return t.write(ctx, row)
}

// openUncountable inserts an order whose amount would overflow a total of the
// merchant's books. The order is rejected, so nothing is booked and no limit
// counts it.
func (t tx) openOverflow(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	row.State, row.ReasonCode = order.Rejected, codes.SumTooLarge
	row.ReasonText = "with it, a sum of the merchant's books would be larger than can be held"
	return t.write(ctx, row)
}

// openShort inserts a withdrawal that the balance does not cover. errEnough if the
// balance covers it now.
func (t tx) openShort(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	books, err := t.books(ctx, row.Merchant, row.Currency, "")
	if err != nil {
		return row, "", err
	}
	if row.applyFunds(books.Available); row.State == order.Reserved {
		return row, "", errEnough
	}
	return t.write(ctx, row)
}

// openLimited inserts an order whose ruling depends on daily limits or on the
// beneficiary. It locks the books first: see tx.
func (t tx) openLimited(ctx context.Context, row orderRow, request order.Request, policy *rules.Policy, needs rules.Needs) (orderRow, Opening, error) {
	books, err := t.books(ctx, row.Merchant, row.Currency, t.ForUpdate)
	if err != nil {
		return row, "", err
	}
	facts, err := t.facts(ctx, row, books, needs)
	if err != nil {
		return row, "", err
	}
	ruling := row.judge(policy, request, facts)
	switch {
	case ruling.Verdict != rules.Pass:
		row.applyRuling(ruling, t.At, policy)
	case row.Kind == order.Deposit:
		row.State = order.Created
	default:
		row.applyFunds(books.Available)
	}
	return t.write(ctx, row)
}

// judge returns the policy's ruling. An unsigned order that passes needs an approval.
func (r *orderRow) judge(policy *rules.Policy, request order.Request, facts rules.Facts) rules.Ruling {
	ruling := policy.Judge(request, facts)
	if ruling.Verdict == rules.Pass && r.Approvals > 1 {
		ruling.Verdict = rules.NeedsApproval
		ruling.Reasons = []order.Reason{{Code: codes.Unsigned, Text: "the start is not signed: two persons must approve the order"}}
	}
	return ruling
}

// applyRuling sets the row's state and reason from a ruling other than Pass.
func (r *orderRow) applyRuling(ruling rules.Ruling, at time.Time, policy *rules.Policy) {
	reason := ruling.Reason()
	r.ReasonCode, r.ReasonText = reason.Code, sanitizeText(reason.Text)
	r.State = order.Rejected
	if ruling.Verdict == rules.NeedsApproval {
		r.State = order.AwaitingApproval
		r.ApproveBefore = at.Add(policy.ApprovalDeadline()).UnixMilli()
	}
}

// applyFunds sets a withdrawal's state and reason from the available balance.
func (r *orderRow) applyFunds(available int64) {
	r.State, r.ReasonCode, r.ReasonText = order.Reserved, "", ""
	if available >= r.Amount+r.ExpectedFee {
		return
	}
	r.State = order.Failed
	if r.WaitsForFunds != 0 {
		r.State = order.AwaitingFunds
	}
	read := amounts{currency: r.Currency}
	r.ReasonCode = order.CodeInsufficientFunds
	r.ReasonText = fmt.Sprintf("the available balance of %s does not cover %s", read.of(available), read.of(r.Amount))
	if r.ExpectedFee > 0 {
		r.ReasonText += fmt.Sprintf(" and the expected fee of %s", read.of(r.ExpectedFee))
	}
}

// write inserts the row, its first audit entry and its reservation. If the number
// is taken, it writes nothing and returns the existing row.
func (t tx) write(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	if err := t.keepOpenUnasked(ctx, &row); err != nil {
		return row, "", err
	}
	h, err := row.held()
	if err != nil {
		return row, "", err
	}
	first := h.link(entry{
		action: ActionOpen, actor: h.RequestedBy, source: FromOpening, evidence: row.evidence, reason: h.Reason, envelope: row.proof,
	}, "", t.At.UnixMilli())
	row.AuditEntries, row.AuditHead = h.entries, h.head
	row, opening, told, err := t.insertOrder(ctx, row)
	if err != nil || opening != Opened {
		return row, opening, err
	}
	h.id = row.ID
	if err := t.writeMetadata(ctx, h.id, row.start); err != nil {
		return row, "", err
	}
	if h.counts(h.State) {
		h.counted = row.Amount
	}
	writes := []write{t.auditWrite(first)}
	if told {
		err := t.putAll(ctx, writes...)
		if err == nil {
			err = t.closeNotInLedger(ctx, &h)
		}
		if err != nil {
			return row, "", err
		}
		writes = nil
	}
	return row, Opened, t.putAll(ctx, append(writes, t.booking(h, reservation(h.Order))...)...)
}

// keepOpenUnasked keeps an order open that would end at its opening, if the gateway
// may have the order. It ends after the gateway was queried. An order that the
// policy refuses gets a deadline in the past, so that nobody can approve it.
func (t tx) keepOpenUnasked(ctx context.Context, row *orderRow) error {
	if row.State != order.Failed && (row.State != order.Rejected || row.ReasonCode == codes.SumTooLarge) {
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

// reservation returns the transfer of an order that becomes reserved; none in any
// other state.
func reservation(o order.Order) []Transfer {
	if o.State != order.Reserved {
		return nil
	}
	return []Transfer{{Reason: ReasonReserve, From: AccountAvailable, To: AccountInFlight, Amount: o.Reservation()}}
}

// insertOrder inserts the row, or returns the existing row with its number. told says that
// there is an open discrepancy of the number.
func (t tx) insertOrder(ctx context.Context, row orderRow) (stored orderRow, opening Opening, told bool, err error) {
	var written []struct {
		ID       int64 `db:"id"`
		AskFirst int64 `db:"ask_first"`
		Told     bool  `db:"told"`
	}
	err = t.PutRows(ctx, &written, `
		INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, beneficiary, data_key, folded, approvals,
			state, reason_code, reason_text, approve_before, waits_for_funds, funds_before, horizon, not_before, expected_fee,
			run, ask_first, audit_entries, audit_head, created_at, updated_at)
		VALUES (:merchant, :number, :kind, :country, :way, :currency, :amount, :fingerprint, :request, :beneficiary, :data_key, :folded, :approvals,
			:state, :reason_code, :reason_text, :approve_before, :waits_for_funds, :funds_before, :horizon, :not_before, :expected_fee,
			:run, CASE WHEN CAST(:ask_first AS BIGINT) > 0 THEN CAST(:ask_first AS BIGINT) ELSE `+restoredAt+` END, :audit_entries, :audit_head, :created_at, :updated_at)
		ON CONFLICT DO NOTHING RETURNING id, ask_first,
			EXISTS (SELECT 1 FROM discrepancies d WHERE d.merchant = orders.merchant AND d.number = orders.number AND d.closed_at = 0) AS told`, t.sealed(row))
	if err != nil {
		return row, "", false, err
	}
	if len(written) == 1 {
		row.ID, row.AskFirst = written[0].ID, written[0].AskFirst
		return row, Opened, written[0].Told, nil
	}
	row, opening, err = t.existing(ctx, row)
	return row, opening, false, err
}

// existing returns the order with the row's number, or with one that differs in capitals.
func (t tx) existing(ctx context.Context, row orderRow) (orderRow, Opening, error) {
	var existing orderRow
	err := t.Get(ctx, &existing, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND number = ?", row.Merchant, row.Number)
	if errors.Is(err, sql.ErrNoRows) {
		err = t.Get(ctx, &existing, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND folded = ? AND folded <> ''", row.Merchant, row.Folded)
		return existing, Twin, err
	}
	if err != nil {
		return row, "", err
	}
	o, err := t.order(existing)
	if err != nil {
		return row, "", err
	}
	return existing, openingOf(o, row.start), nil
}

// booksState is the part of the books that rulings and reservations need.
type booksState struct {
	Available      int64 `db:"available"`
	Day            int64 `db:"day"`
	DayWithdrawals int64 `db:"day_withdrawals"`
	DayDeposits    int64 `db:"day_deposits"`
}

// books reads a merchant's books. lock is t.ForUpdate to lock the row, or empty.
// errBooksClosed if there are none.
func (t tx) books(ctx context.Context, merchant, currency, lock string) (booksState, error) {
	var state booksState
	err := t.Get(ctx, &state, "SELECT available, day, day_withdrawals, day_deposits FROM books WHERE merchant = ? AND currency = ?"+lock,
		merchant, currency)
	if errors.Is(err, sql.ErrNoRows) {
		err = errBooksClosed
	}
	return state, err
}

// facts reads the facts that a policy needs. The caller has locked the books.
func (t tx) facts(ctx context.Context, row orderRow, books booksState, needs rules.Needs) (rules.Facts, error) {
	read := amounts{currency: row.Currency}
	var facts rules.Facts
	day := dayOf(row.CreatedAt)
	if books.Day >= day { // otherwise this is the day's first order
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
	payees := t.ring.Payees(row.Beneficiary)
	theirs := "merchant = ? AND beneficiary IN (" + placeholders(len(payees)) + ") AND beneficiary <> ''"
	who := []any{row.Merchant}
	for _, payee := range payees {
		who = append(who, payee)
	}
	ofDay := append(slices.Clone(who), day*dayLength, row.Currency)
	// An order counts on the day of its opening, a scheduled one on the day of its release.
	err := t.Get(ctx, &found, `
		SELECT CAST(COALESCE((SELECT SUM(amount) FROM orders WHERE `+theirs+` AND created_at >= ? AND currency = ? AND not_before = 0 AND `+countedStates+`), 0)
				+ COALESCE((SELECT SUM(amount) FROM orders WHERE `+theirs+` AND released_at >= ? AND released_at > 0 AND currency = ? AND `+countedStates+`), 0) AS BIGINT) AS day,
			CASE WHEN EXISTS (SELECT 1 FROM orders WHERE `+theirs+` AND state = 'succeeded') THEN 1 ELSE 0 END AS known`,
		slices.Concat(ofDay, ofDay, who)...)
	facts.BeneficiaryDay, facts.KnownBeneficiary = read.of(found.Day), found.Known == 1
	return facts, errors.Join(err, read.err)
}

// dayLength is one day in milliseconds.
const dayLength = 24 * 60 * 60 * 1000

// dayOf returns the day (UTC, counted from 1970) of a time in milliseconds.
func dayOf(milliseconds int64) int64 { return milliseconds / dayLength }

// countedStates is the SQL condition for orders that count for daily limits: all
// but those that ended without a payment.
const countedStates = "state NOT IN ('failed', 'rejected', 'expired', 'cancelled')"

func counts(state order.State) bool {
	switch state {
	case order.Failed, order.Rejected, order.Expired, order.Cancelled:
		return false
	default:
		return true
	}
}
