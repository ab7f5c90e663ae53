package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Adjustment is money that moved at the gateway and belongs to no order. A
// person proposes to book it and another one confirms it.
type Adjustment struct {
	Merchant string         `json:"merchant"`
	Ref      string         `json:"ref"` // chosen by the caller, unique per merchant: at most 64 letters, digits, hyphens, underscores
	Kind     AdjustmentKind `json:"kind"`
	Amount   money.Amount   `json:"amount"` // above zero
	By       string         `json:"by"`
	Why      string         `json:"why"`      // one sentence
	Evidence string         `json:"evidence"` // the proof: a bank slip, a statement line, a ticket of the gateway
	ID       string         `json:"-"`        // idempotency key of the proposal; not stored with the adjustment
	Proof    *order.Proof   `json:"-"`        // signature of the proposal; the audit has it
}

// AdjustmentKind says which money moved.
type AdjustmentKind string

// The kinds.
const (
	AdjustTopUp          AdjustmentKind = "top_up"
	AdjustSettlement     AdjustmentKind = "settlement"
	AdjustFee            AdjustmentKind = "fee"
	AdjustFeeRefund      AdjustmentKind = "fee_refund"
	AdjustFrozenPaid     AdjustmentKind = "frozen_paid"
	AdjustFrozenReturned AdjustmentKind = "frozen_returned"
	AdjustCorrectionIn   AdjustmentKind = "correction_in"
	AdjustCorrectionOut  AdjustmentKind = "correction_out"
)

// AdjustmentMove is the transfer that a kind of adjustment books.
type AdjustmentMove struct {
	Kind AdjustmentKind `json:"kind"`
	From Account        `json:"from"`
	To   Account        `json:"to"`
	Text string         `json:"text"` // what happened, one sentence
}

var adjustmentMoves = []AdjustmentMove{
	{AdjustTopUp, AccountSettled, AccountAvailable, "the merchant paid money in at the gateway"},
	{AdjustSettlement, AccountAvailable, AccountSettled, "the gateway paid money out to the merchant's bank"},
	{AdjustFee, AccountAvailable, AccountFees, "the gateway kept a fee that was learned of later"},
	{AdjustFeeRefund, AccountFees, AccountAvailable, "the gateway gave a fee back"},
	{AdjustFrozenPaid, AccountInFlight, AccountPaidOut, "what was frozen when the books were opened has been paid out"},
	{AdjustFrozenReturned, AccountInFlight, AccountAvailable, "what was frozen when the books were opened has come back"},
	{AdjustCorrectionIn, AccountSuspense, AccountAvailable, "the gateway has more than the books, and nobody knows why yet"},
	{AdjustCorrectionOut, AccountAvailable, AccountSuspense, "the gateway has less than the books, and nobody knows why yet"},
}

// AdjustmentKinds returns all kinds and what they book. The transfer's reason is
// "adjust_" and the kind. An adjustment may make available negative, because the
// money has already left. frozen_paid and frozen_returned together cannot exceed
// the frozen amount of the opening.
func AdjustmentKinds() []AdjustmentMove { return append([]AdjustmentMove(nil), adjustmentMoves...) }

// Reason returns the reason of the kind's transfer.
func (k AdjustmentKind) Reason() TransferReason { return TransferReason(adjustPrefix + k) }

const adjustPrefix = "adjust_"

// move returns what the kind books. known is false if there is no such kind.
func (k AdjustmentKind) move() (move AdjustmentMove, known bool) {
	for _, move := range adjustmentMoves {
		if move.Kind == k {
			return move, true
		}
	}
	return AdjustmentMove{}, false
}

// AdjustmentState is the state of an adjustment.
type AdjustmentState string

// The states of an adjustment. Booked and rejected are final.
const (
	AdjustmentProposed AdjustmentState = "proposed" // waits for a second person
	AdjustmentBooked   AdjustmentState = "booked"
	AdjustmentRejected AdjustmentState = "rejected" // or withdrawn
)

// AdjustmentRecord is an adjustment with its state.
type AdjustmentRecord struct {
	Adjustment
	State      AdjustmentState `json:"state"`
	ProposedAt time.Time       `json:"proposed_at"`
	DecidedBy  string          `json:"decided_by,omitempty"`
	DecidedAt  time.Time       `json:"decided_at,omitzero"` // zero while it is proposed
	DecidedWhy string          `json:"decided_why,omitempty"`
	Repeated   bool            `json:"repeated,omitempty"` // the action was done before, by another call: nothing changed
}

// Codes of refusals of adjustments, beside those of package order. They are
// stable.
const (
	CodeAdjustmentInvalid  = "ADJUSTMENT_INVALID"   // merchant, reference, kind or amount
	CodeAdjustmentConflict = "ADJUSTMENT_CONFLICT"  // another adjustment has the reference
	CodeAdjustmentNotFound = "ADJUSTMENT_NOT_FOUND" // no adjustment of that reference
	CodeAdjustmentDecided  = "ADJUSTMENT_DECIDED"   // it is already booked or rejected
	CodeFrozenExceeded     = "FROZEN_EXCEEDED"      // more than the rest of the frozen amount of the opening
)

// ProposeAdjustment stores an adjustment that a person proposes. Nothing is booked
// until another person confirms it. A repetition with the same reference and
// content returns the stored adjustment in its current state.
//
// Every proposal, confirmation and rejection of an adjustment is audited in the
// merchant's chain, done or refused. The codes are WHO_MISSING, WHY_MISSING,
// EVIDENCE_MISSING, TEXT_TOO_LONG, ADJUSTMENT_INVALID, ADJUSTMENT_CONFLICT,
// BOOKS_CLOSED, FROZEN_EXCEEDED and FEE_OUT_OF_BOUNDS.
func (l *Ledger) ProposeAdjustment(ctx context.Context, a Adjustment) (AdjustmentRecord, *order.Refusal, error) {
	a.By, a.Why, a.Evidence = sanitizeText(a.By), sanitizeText(a.Why), sanitizeText(a.Evidence)
	return l.adjust(ctx, adjusting{
		merchant: a.Merchant, ref: a.Ref, action: ActionProposeAdjustment, who: order.Who{ID: a.ID, By: a.By, Why: a.Why, Proof: a.Proof}, what: a.text(),
		permit:   func(*adjustmentRow) *order.Refusal { return a.permit() },
		seen:     func(*adjustmentRow) order.AdjustmentProposal { return a.proposal() },
		repeated: func(stored adjustmentRow) bool { return stored.hasContent(a) },
		do: func(t tx, ctx context.Context, stored *adjustmentRow) error {
			return t.proposeAdjustment(ctx, stored, a)
		},
	})
}

// ConfirmAdjustment books an adjustment that another person has proposed, once. If
// the same person repeats it, it returns the booked adjustment. If its reference is the
// BookingRef of a discrepancy, that is closed.
//
// The codes are WHO_MISSING, ADJUSTMENT_NOT_FOUND, ADJUSTMENT_DECIDED,
// SAME_PERSON, FIRST_PERSON_UNPROVEN, FROZEN_EXCEEDED and FEE_OUT_OF_BOUNDS.
func (l *Ledger) ConfirmAdjustment(ctx context.Context, merchant, ref string, who order.Who) (AdjustmentRecord, *order.Refusal, error) {
	by := sanitizeText(who.By)
	record, refusal, err := l.adjust(ctx, adjusting{
		merchant: merchant, ref: ref, action: ActionConfirmAdjustment, who: order.Who{ID: who.ID, By: by, Why: sanitizeText(who.Why), Proof: who.Proof}, seen: (*adjustmentRow).proposal,
		first: (*adjustmentRow).first,
		permit: func(stored *adjustmentRow) *order.Refusal {
			if refusal := requirePerson("a confirmation", by, "confirmed"); refusal != nil {
				return refusal
			}
			return stored.requireOtherPerson(by)
		},
		repeated: func(stored adjustmentRow) bool {
			return stored.State == AdjustmentBooked && rules.SamePerson(stored.DecidedBy, by)
		},
		do: func(t tx, ctx context.Context, stored *adjustmentRow) error {
			return t.bookAdjustment(ctx, stored, by)
		},
	})
	if err == nil && refusal == nil {
		err = l.closeBooked(ctx, record)
	}
	return record, refusal, err
}

// RejectAdjustment ends an adjustment without booking it. The proposer may reject
// it, too. If the same person repeats it, it returns the rejected adjustment.
//
// The codes are WHO_MISSING, WHY_MISSING, ADJUSTMENT_NOT_FOUND and
// ADJUSTMENT_DECIDED.
func (l *Ledger) RejectAdjustment(ctx context.Context, merchant, ref string, who order.Who) (AdjustmentRecord, *order.Refusal, error) {
	by, why := sanitizeText(who.By), sanitizeText(who.Why)
	return l.adjust(ctx, adjusting{
		merchant: merchant, ref: ref, action: ActionRejectAdjustment, who: order.Who{ID: who.ID, By: by, Why: why, Proof: who.Proof}, seen: (*adjustmentRow).proposal,
		permit: func(stored *adjustmentRow) *order.Refusal {
			if refusal := requirePerson("a rejection", by, why); refusal != nil {
				return refusal
			}
			return stored.requireProposed()
		},
		repeated: func(stored adjustmentRow) bool {
			return stored.State == AdjustmentRejected && rules.SamePerson(stored.DecidedBy, by)
		},
		do: func(t tx, ctx context.Context, stored *adjustmentRow) error {
			return t.decideAdjustment(ctx, stored, AdjustmentRejected, by, why)
		},
	})
}

// AdjustmentFilter picks adjustments. The zero value picks all.
type AdjustmentFilter struct {
	Merchant string
	Ref      string
	Open     bool // in state proposed
	Limit    int  // at most MaxPage; 0: 100
}

// Adjustments lists adjustments, newest first.
func (l *Ledger) Adjustments(ctx context.Context, filter AdjustmentFilter) ([]AdjustmentRecord, error) {
	var where conditions
	where.equal("merchant", filter.Merchant)
	where.equal("ref", filter.Ref)
	if filter.Open {
		where.add("state = 'proposed'")
	}
	rows, err := l.adjustments(ctx, where, "id DESC", filter.Limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list adjustments: %w", err)
	}
	return rows, nil
}

func (l *Ledger) adjustments(ctx context.Context, where conditions, by string, limit int) ([]AdjustmentRecord, error) {
	var rows []adjustmentRow
	err := l.db.List(ctx, &rows, "SELECT "+adjustmentColumns+" FROM adjustments"+where.sql()+" ORDER BY "+by+" LIMIT ?",
		append(where.args, pageSize(limit))...)
	if err != nil {
		return nil, err
	}
	records := make([]AdjustmentRecord, len(rows))
	for i, row := range rows {
		if err = l.private.openAdjustment(&row); err != nil {
			return nil, err
		}
		if records[i], err = row.record(); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// adjusting is one person's proposal, confirmation or rejection of an adjustment.
type adjusting struct {
	merchant, ref string
	action        AuditAction
	who           order.Who
	what          string // text of the adjustment for the audit; empty: that of the stored row

	seen     func(*adjustmentRow) order.AdjustmentProposal   // what the person has signed
	permit   func(*adjustmentRow) *order.Refusal             // checks the stored row; it is empty if there is none
	first    func(*adjustmentRow) firstAct                   // what another person has done before; nil: nothing
	repeated func(adjustmentRow) bool                        // reports whether the row already has the result of this action
	do       func(tx, context.Context, *adjustmentRow) error // the error may be an *order.Refusal
}

// adjust performs or refuses the action, and audits which. A repetition returns
// the stored adjustment and is not audited. Record.Repeated is true unless the
// repetition has the ID of the first call.
func (l *Ledger) adjust(ctx context.Context, request adjusting) (AdjustmentRecord, *order.Refusal, error) {
	var stored adjustmentRow
	var refusal *order.Refusal
	again := false
	proof := ""
	merchant, ref := sanitizeText(request.merchant), sanitizeText(request.ref) // typed by a person
	l.refresh()
	err := l.inTx(ctx, func(t tx) (err error) {
		refusal, again = nil, false
		if stored, err = t.lockAdjustment(ctx, merchant, ref); err != nil {
			return err
		}
		mark := bookMark(request.action, ref, request.who.ID)
		var repeated bool
		if repeated, refusal, err = t.repeated(ctx, order.Key{Merchant: merchant}, mark); err != nil || repeated {
			return err
		}
		if again = stored.ID != 0 && request.repeated(stored); again {
			return nil
		}
		before := stored.State
		if refusal = request.permit(&stored); refusal == nil {
			proof, refusal = l.permitted(request.who.Proof, func(a Authority) (string, *order.Refusal) {
				return a.PermitAdjustment(string(request.action), request.who, request.seen(&stored), t.At)
			})
		}
		if refusal == nil && request.first != nil {
			if refusal, err = t.requireFirst(ctx, request.first(&stored)); err != nil {
				return err
			}
		}
		if mark = l.unproved(refusal, mark); refusal == nil {
			if err := request.do(t, ctx, &stored); err != nil && !errors.As(err, &refusal) {
				return err
			}
		}
		e := entry{
			action: request.action, actor: request.who.By, mark: mark, source: rules.FromOperator, evidence: adjustmentEvidence(ref, cmp.Or(request.what, stored.text())),
			reason: personReason("", request.who.Why), before: order.State(before), after: order.State(stored.State),
			envelope: proof,
		}
		e.refuse(refusal)
		return t.noteOther(ctx, order.Key{Merchant: merchant}, e)
	})
	if errors.Is(err, errReferenceTaken) {
		return l.adjust(ctx, request) // the row exists now
	}
	if err != nil {
		return AdjustmentRecord{}, nil, fmt.Errorf("ledger: %s %s of %s: %w", request.action, ref, merchant, err)
	}
	if stored.ID == 0 {
		return AdjustmentRecord{}, refusal, nil
	}
	record, err := stored.record()
	record.Repeated = again
	return record, refusal, err
}

// errReferenceTaken: a concurrent transaction inserted the same reference.
var errReferenceTaken = errors.New("the reference has been taken meanwhile")

// permit refuses an adjustment whose own fields are invalid.
func (a Adjustment) permit() *order.Refusal {
	if refusal := requirePerson("an adjustment", a.By, a.Why); refusal != nil {
		return refusal
	}
	if refusal := order.TooLong("evidence", a.Evidence, order.MaxText); refusal != nil {
		return refusal
	}
	_, known := a.Kind.move()
	switch {
	case strings.TrimSpace(a.Evidence) == "":
		return order.Refuse(codes.EvidenceMissing, "an adjustment names its proof: a bank slip, a statement line, a ticket of the gateway")
	case a.Merchant == "":
		return order.Refuse(CodeAdjustmentInvalid, "an adjustment names its merchant")
	case !order.IsNumber(a.Ref):
		return order.Refuse(CodeAdjustmentInvalid, "an adjustment's reference is 1 to 64 letters, digits, hyphens and underscores")
	case !known:
		return order.Refuse(CodeAdjustmentInvalid, "an adjustment is one of %s", strings.Join(adjustmentNames(), ", "))
	case !a.Amount.IsPositive():
		return order.Refuse(CodeAdjustmentInvalid, "an adjustment's amount is above zero; what moved the other way is another kind")
	case !a.Amount.Within(money.Most):
		return order.Refuse(CodeAdjustmentInvalid, "an adjustment's amount is larger than any that is taken")
	}
	return nil
}

func adjustmentNames() []string {
	names := make([]string, len(adjustmentMoves))
	for i, move := range adjustmentMoves {
		names[i] = string(move.Kind)
	}
	return names
}

// proposal returns the content of the adjustment.
func (a Adjustment) proposal() order.AdjustmentProposal {
	return order.AdjustmentProposal{
		AdjustmentRef: order.AdjustmentRef{Merchant: a.Merchant, Ref: a.Ref}, Kind: string(a.Kind), Amount: a.Amount, Evidence: a.Evidence,
	}
}

// text returns the kind, the amount and the evidence, for the audit.
func (a Adjustment) text() string { return fmt.Sprintf("%s %s: %s", a.Kind, a.Amount, a.Evidence) }

// requirePerson refuses an action whose person or reason is missing or too long.
func requirePerson(what, by, why string) *order.Refusal {
	if refusal := cmp.Or(order.TooLong("by", by, order.MaxName), order.TooLong("why", why, order.MaxText)); refusal != nil {
		return refusal
	}
	if strings.TrimSpace(by) == "" || rules.SamePerson(by, System) {
		return order.Refuse(order.CodeWhoMissing, "%s says who makes it", what)
	}
	if strings.TrimSpace(why) == "" {
		return order.Refuse(order.CodeWhyMissing, "%s says why, in a sentence", what)
	}
	return nil
}

// proposeAdjustment inserts a proposal. It refuses a reference that another
// adjustment has.
func (t tx) proposeAdjustment(ctx context.Context, stored *adjustmentRow, a Adjustment) error {
	if stored.ID != 0 {
		return order.Refuse(CodeAdjustmentConflict, "reference %s belongs to another adjustment: %s by %s; use another reference",
			stored.Ref, stored.text(), stored.Actor)
	}
	row := adjustmentRow{
		Merchant: a.Merchant, Ref: a.Ref, Currency: a.Amount.Currency(), Kind: a.Kind, Amount: a.Amount.Minor(),
		Actor: a.By, Why: a.Why, Evidence: a.Evidence, ProposedAt: t.At.UnixMilli(), State: AdjustmentProposed,
	}
	_, err := t.books(ctx, row.Merchant, row.Currency, "")
	if errors.Is(err, errBooksClosed) {
		return order.Refuse(codes.BooksClosed, "merchant %s has no books in %s; they are opened with the gateway's balance", row.Merchant, row.Currency)
	}
	if err != nil {
		return err
	}
	if err := t.checkAmount(ctx, row); err != nil {
		return err
	}
	if row.key, err = t.ring.NewKey(adjustmentSubject(row.Merchant, row.Ref)); err != nil {
		return err
	}
	sealed := row
	sealed.Why, sealed.Evidence, sealed.DataKey = row.key.Seal("why", row.Why), row.key.Seal("evidence", row.Evidence), row.key.Stored()
	var ids []int64
	err = t.PutRows(ctx, &ids, `
		INSERT INTO adjustments (merchant, ref, currency, kind, amount, actor, why, evidence, data_key, proposed_at, state)
		VALUES (:merchant, :ref, :currency, :kind, :amount, :actor, :why, :evidence, :data_key, :proposed_at, :state)
		ON CONFLICT (merchant, ref) DO NOTHING RETURNING id`, sealed)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return errReferenceTaken
	}
	row.ID = ids[0]
	*stored = row
	return nil
}

// bookAdjustment books the transfer. It locks the books' row first, so that the
// limits of checkAmount still hold when it books.
func (t tx) bookAdjustment(ctx context.Context, row *adjustmentRow, by string) error {
	if _, err := t.books(ctx, row.Merchant, row.Currency, t.ForUpdate); err != nil {
		return err
	}
	if err := t.checkAmount(ctx, *row); err != nil {
		return err
	}
	if err := t.decideAdjustment(ctx, row, AdjustmentBooked, by, ""); err != nil {
		return err
	}
	record, err := row.record()
	if err != nil {
		return err
	}
	move, _ := row.Kind.move()
	base := transferRow{AdjustmentID: &row.ID, Merchant: row.Merchant, Currency: row.Currency}
	booked, err := t.bookAs(ctx, base, held{}, []Transfer{{Reason: row.Kind.Reason(), From: move.From, To: move.To, Amount: record.Amount}})
	if err == nil && booked != 1 {
		err = fmt.Errorf("adjustment %s has moved its money before", row.Ref)
	}
	return err
}

// decideAdjustment sets a proposal's final state. It is a compare-and-set,
// although the row is locked.
func (t tx) decideAdjustment(ctx context.Context, row *adjustmentRow, state AdjustmentState, by, why string) error {
	decided, err := t.Put(ctx, `
		UPDATE adjustments SET state = ?, decided_by = ?, decided_at = ?, decided_why = ? WHERE id = ? AND state = 'proposed'`,
		state, by, t.At.UnixMilli(), row.key.Seal("decided_why", why), row.ID)
	if err == nil && decided != 1 {
		err = fmt.Errorf("%w: adjustment %s is not proposed any more", ErrState, row.Ref)
	}
	row.State, row.DecidedBy, row.DecidedAt, row.DecidedWhy = state, by, t.At.UnixMilli(), why
	return err
}

// checkAmount refuses an adjustment that takes more than the books allow for its kind.
func (t tx) checkAmount(ctx context.Context, row adjustmentRow) error {
	if err := t.checkFrozen(ctx, row); err != nil {
		return err
	}
	return t.checkFee(ctx, row)
}

// checkFee refuses a fee, or a refund of a fee, that is larger than all turnover in
// the books. The available balance is no bound, because it may be negative until a
// top-up is booked.
func (t tx) checkFee(ctx context.Context, row adjustmentRow) error {
	if row.Kind != AdjustFee && row.Kind != AdjustFeeRefund {
		return nil
	}
	var volume int64
	err := t.Get(ctx, &volume, `
		SELECT ABS(opening) + ABS(received) + ABS(paid_out) + ABS(settled) + ABS(suspense) FROM books WHERE merchant = ? AND currency = ?`,
		row.Merchant, row.Currency)
	if err != nil || row.Amount <= volume {
		return err
	}
	read := amounts{currency: row.Currency}
	return order.Refuse(codes.FeeBounds, "a fee of %s is more than the %s that ever moved in the merchant's books: it cannot have been kept of them",
		read.of(row.Amount), read.of(volume))
}

// checkFrozen refuses an adjustment larger than the rest of the frozen amount of
// the opening. The balance of in_flight is no bound, because it also holds the
// reservations of orders.
func (t tx) checkFrozen(ctx context.Context, row adjustmentRow) error {
	if move, _ := row.Kind.move(); move.From != AccountInFlight {
		return nil
	}
	var left int64
	err := t.Get(ctx, &left, `
		SELECT CAST(COALESCE((SELECT SUM(amount) FROM transfers
				WHERE merchant = ? AND currency = ? AND reason = 'opening_frozen' AND order_id IS NULL AND adjustment_id IS NULL), 0) -
			COALESCE((SELECT SUM(amount) FROM adjustments
				WHERE merchant = ? AND currency = ? AND kind IN ('frozen_paid', 'frozen_returned') AND state = 'booked'), 0) AS BIGINT)`,
		row.Merchant, row.Currency, row.Merchant, row.Currency)
	if err != nil {
		return err
	}
	if row.Amount > left {
		read := amounts{currency: row.Currency}
		return order.Refuse(CodeFrozenExceeded, "%s is more than the %s that are left of what was frozen when the books were opened",
			read.of(row.Amount), read.of(left))
	}
	return nil
}

// lockAdjustment reads an adjustment and locks its row. The row is empty if there
// is none.
func (t tx) lockAdjustment(ctx context.Context, merchant, ref string) (adjustmentRow, error) {
	var row adjustmentRow
	err := t.Get(ctx, &row, "SELECT "+adjustmentColumns+" FROM adjustments WHERE merchant = ? AND ref = ?"+t.ForUpdate, merchant, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return adjustmentRow{}, nil
	}
	return row, errors.Join(err, t.openAdjustment(&row))
}

func adjustmentSubject(merchant, ref string) vault.Subject {
	return vault.Subject{Table: "adjustments", Merchant: merchant, Number: ref}
}

// openAdjustment decrypts a row. The row keeps its key.
func (p private) openAdjustment(row *adjustmentRow) error {
	texts, err := p.texts(adjustmentSubject(row.Merchant, row.Ref), row.DataKey, false)
	if err == nil {
		row.key = texts.key
		row.hidden = texts.hidden
		err = texts.openAll(map[string]*string{"why": &row.Why, "evidence": &row.Evidence, "decided_why": &row.DecidedWhy})
	}
	return err
}

const adjustmentColumns = `id, merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at,
	state, decided_by, decided_at, decided_why, data_key`

type adjustmentRow struct {
	ID         int64           `db:"id"`
	Merchant   string          `db:"merchant"`
	Ref        string          `db:"ref"`
	Currency   string          `db:"currency"`
	Kind       AdjustmentKind  `db:"kind"`
	Amount     int64           `db:"amount"`
	Actor      string          `db:"actor"`
	Why        string          `db:"why"`
	Evidence   string          `db:"evidence"`
	ProposedAt int64           `db:"proposed_at"`
	State      AdjustmentState `db:"state"`
	DecidedBy  string          `db:"decided_by"`
	DecidedAt  int64           `db:"decided_at"`
	DecidedWhy string          `db:"decided_why"`
	DataKey    string          `db:"data_key"`

	key    *vault.Key // nil: the row is in clear
	hidden bool       // this process does not have the key
}

// requireProposed refuses a row that is empty or not in state proposed.
func (r *adjustmentRow) requireProposed() *order.Refusal {
	switch {
	case r.ID == 0:
		return order.Refuse(CodeAdjustmentNotFound, "there is no adjustment of that merchant and reference")
	case r.State != AdjustmentProposed:
		return order.Refuse(CodeAdjustmentDecided, "adjustment %s was %s by %s at %s", r.Ref, r.State, r.DecidedBy, saytime.Say(moment(r.DecidedAt)))
	}
	return nil
}

// requireOtherPerson refuses a confirmation by the proposer.
func (r *adjustmentRow) requireOtherPerson(by string) *order.Refusal {
	if refusal := r.requireProposed(); refusal != nil {
		return refusal
	}
	if rules.SamePerson(by, r.Actor) {
		return order.Refuse(codes.SamePerson, "%s has proposed adjustment %s; another person must confirm it", r.Actor, r.Ref)
	}
	return nil
}

// first is the proposal, by the first of the two persons.
func (r *adjustmentRow) first() firstAct {
	content, why := r.proposal(), r.Why
	return firstAct{
		key: order.Key{Merchant: r.Merchant}, chains: []string{chainOther}, actions: []AuditAction{ActionProposeAdjustment},
		mark: bookMarks(ActionProposeAdjustment, r.Ref), about: "adjustment " + r.Ref, by: r.Actor,
		did: "has proposed adjustment " + r.Ref, anew: "reject it, and let somebody propose it under another reference",
		permit: func(a Authority, who order.Who, at time.Time) *order.Refusal {
			who.Why = why
			_, refusal := a.PermitAdjustment(string(ActionProposeAdjustment), who, content, at)
			return refusal
		},
	}
}

// hasContent reports whether the row has the content of a.
func (r *adjustmentRow) hasContent(a Adjustment) bool {
	return r.Kind == a.Kind && r.Amount == a.Amount.Minor() && r.Currency == a.Amount.Currency() &&
		r.Why == a.Why && r.Evidence == a.Evidence && rules.SamePerson(r.Actor, a.By)
}

// proposal returns the content of the stored adjustment.
func (r *adjustmentRow) proposal() order.AdjustmentProposal {
	read := amounts{currency: r.Currency}
	return Adjustment{Merchant: r.Merchant, Ref: r.Ref, Kind: r.Kind, Amount: read.of(r.Amount), Evidence: r.Evidence}.proposal()
}

// adjustmentEvidence returns what the audit says of an adjustment.
func adjustmentEvidence(ref, text string) string { return adjustmentPrefix + ref + ": " + text }

// adjustmentPrefix is before the reference of an adjustment in the evidence of an entry.
const adjustmentPrefix = "adjustment "

// text returns the text of the stored adjustment, for the audit.
func (r *adjustmentRow) text() string {
	record, err := r.record()
	if err != nil {
		return "not on record"
	}
	return record.Adjustment.text()
}

func (r *adjustmentRow) record() (AdjustmentRecord, error) {
	read := amounts{currency: r.Currency}
	record := AdjustmentRecord{
		Adjustment: Adjustment{
			Merchant: r.Merchant, Ref: r.Ref, Kind: r.Kind, Amount: read.of(r.Amount), By: r.Actor, Why: r.Why, Evidence: r.Evidence,
		},
		State: r.State, ProposedAt: moment(r.ProposedAt), DecidedBy: r.DecidedBy, DecidedAt: moment(r.DecidedAt), DecidedWhy: r.DecidedWhy,
	}
	if read.err != nil {
		return AdjustmentRecord{}, fmt.Errorf("ledger: adjustment %s of %s: %w", r.Ref, r.Merchant, read.err)
	}
	return record, nil
}
