package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Books has the activities that write the ledger. They run as local activities:
// they are short and idempotent, and Temporal retries them while the database is
// away.
type Books struct {
	ledger   *ledger.Ledger
	settings Settings
}

// NewBooks returns the ledger's activities.
func NewBooks(l *ledger.Ledger, settings Settings) *Books {
	return &Books{ledger: l, settings: settings}
}

// Plan holds the settings that an order's workflow needs. The workflow records
// them when the order is opened, so a later change of the configuration does not
// affect it.
type Plan struct {
	Horizon       time.Duration `json:"horizon"`        // how long to look for proof before the order goes to review
	CallbackGrace time.Duration `json:"callback_grace"` // how long to wait for a callback before polling
	Attempt       time.Duration `json:"attempt"`        // the longest that one activity attempt may take

	// The time until the recorded deadlines, by the ledger's clock. Zero: the
	// deadline has passed.
	ApprovalLeft time.Duration `json:"approval_left,omitempty"` // then an unapproved order is rejected
	FundsLeft    time.Duration `json:"funds_left,omitempty"`    // then a withdrawal without funds fails
	ReleaseLeft  time.Duration `json:"release_left,omitempty"`  // then a scheduled order is released
}

// plan returns the plan of an order that the ledger has.
func (b *Books) plan(ctx context.Context, row order.Order) (Plan, error) {
	now, err := b.ledger.Now(ctx)
	return b.planAt(row, now), err
}

// planAt returns the plan of an order at a time of the ledger.
func (b *Books) planAt(row order.Order, now time.Time) Plan {
	return Plan{
		Horizon: b.settings.horizon(row), CallbackGrace: b.settings.CallbackGrace, Attempt: b.settings.attempt(),
		ApprovalLeft: max(row.ApproveBefore.Sub(now), 0), FundsLeft: max(b.settings.fundsBefore(row).Sub(now), 0),
		ReleaseLeft: max(row.ReleaseAt.Sub(now), 0),
	}
}

// Opened is the outcome of opening an order.
type Opened struct {
	BooksClosed bool           `json:"books_closed,omitempty"` // nothing was written: the merchant's opening balance must be booked first
	Elsewhere   order.Reason   `json:"elsewhere,omitzero"`     // nothing was written: this worker lacks something that another one has
	Standing    order.Standing `json:"standing"`
	Sent        bool           `json:"sent,omitempty"`    // the gateway may have a create of the order
	Unasked     bool           `json:"unasked,omitempty"` // the gateway must be queried before the order is ended
	Plan        Plan           `json:"plan,omitzero"`
}

// Open returns the standing and plan of an order. If the ledger does not have the
// order, Open validates the request again, writes the order and reserves a
// withdrawal's funds, in one transaction. It returns a request that breaks a rule
// or takes another order's number as rejected, and writes nothing.
//
// An order that the ledger has is not validated again: it may be at the gateway.
func (b *Books) Open(ctx context.Context, request order.Request) (Opened, error) {
	// A workflow with another id could drive the order a second time.
	if id := activity.GetInfo(ctx).WorkflowExecution.ID; id != contract.WorkflowID(request.Key()) {
		return rejected(order.Reason{
			Code: order.CodeInvalidRequest, Text: "the id of this order's workflow must be " + contract.WorkflowID(request.Key()),
		}), nil
	}
	row, opening, err := b.ledger.FindOrder(ctx, request)
	if err == nil && opening == "" {
		if refusal := b.checkRequest(request); refusal != nil {
			return b.refusedOrElsewhere(ctx, request, refusal.Reason)
		}
		terms := b.settings.terms(request)
		terms.Run = activity.GetInfo(ctx).WorkflowExecution.RunID
		row, opening, err = b.ledger.OpenOrder(ctx, request, terms)
		var refused *order.Refusal
		if errors.As(err, &refused) { // its signature
			return b.refusedOrElsewhere(ctx, request, refused.Reason)
		}
	}
	if err != nil {
		return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
	}
	if opening == ledger.Twin {
		return rejected(order.Reason{
			Code: order.CodeNumberTwin,
			Text: "order " + row.Number + " is on record, and the number " + request.Number + " differs from it only in upper and lower case; use another number",
		}), nil
	}
	if opening == ledger.Conflict {
		return rejected(rules.OtherContent(request.Key()).Reason), nil
	}
	if err := b.noteRepeat(ctx, row, request); err != nil {
		return Opened{}, err
	}
	if opening == ledger.Gone {
		return b.lookErased(ctx, row)
	}
	if opening == ledger.BooksClosed {
		return Opened{BooksClosed: true, Plan: Plan{Attempt: b.settings.attempt()}}, nil
	}
	if opening == ledger.Existing { // perhaps by an earlier attempt of this run
		row, err = b.ledger.Reopen(ctx, row.Key(), activity.GetInfo(ctx).WorkflowExecution.RunID)
		if err != nil {
			return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
		}
	}
	if opening == ledger.Opened { // nothing has happened since
		return Opened{Standing: row.Standing, Unasked: rules.Unasked(row), Plan: b.planAt(row, row.CreatedAt)}, nil
	}
	return b.look(ctx, row)
}

// noteRepeat audits that somebody else requests an order that the ledger has and Temporal
// has forgotten. Package client does it while Temporal has the order's workflow.
func (b *Books) noteRepeat(ctx context.Context, row order.Order, request order.Request) error {
	if row.RequestedBy == "" || request.RequestedBy == "" || rules.SamePerson(row.RequestedBy, request.RequestedBy) {
		return nil
	}
	key := row.Key()
	note := order.BookAction{Who: order.Who{ID: contract.RepeatID(key, request.RequestedBy), By: request.RequestedBy}, Repeat: &key}
	if _, _, err := b.ledger.ActOnBooks(ctx, note); err != nil { // a name that is refused stops no order
		return fmt.Errorf("note the repetition of %s: %w", key, err)
	}
	return nil
}

// lookErased returns where an order stands that was erased, for a request that may be a
// repetition. Nothing is sent for it.
func (b *Books) lookErased(ctx context.Context, row order.Order) (Opened, error) {
	opened, err := b.look(ctx, row)
	opened.Standing.Reason = order.Reason{
		Code: codes.OrderErased,
		Text: "order " + row.Number + " ended as " + string(row.State) + ", and its personal data was erased: nothing is sent. If this is another order, use another number",
	}
	return opened, err
}

// Look returns what Open returns for an order that the ledger has.
func (b *Books) Look(ctx context.Context, key order.Key) (Opened, error) {
	row, err := b.ledger.Order(ctx, key)
	if err != nil {
		return Opened{}, fmt.Errorf("look at %s: %w", key, permanent(err))
	}
	return b.look(ctx, row)
}

func (b *Books) look(ctx context.Context, row order.Order) (Opened, error) {
	plan, err := b.plan(ctx, row)
	if err != nil {
		return Opened{}, fmt.Errorf("look at %s: %w", row.Key(), err)
	}
	attempts, err := b.ledger.Submissions(ctx, row.Key())
	if err != nil {
		return Opened{}, fmt.Errorf("look at %s: %w", row.Key(), err)
	}
	return Opened{Standing: row.Standing, Sent: ledger.Sent(attempts), Unasked: rules.Unasked(row), Plan: plan}, nil
}

// checkRequest returns why this worker does not open the order. It checks the
// merchant first, because the rules depend on the merchant's country.
func (b *Books) checkRequest(request order.Request) *order.Refusal {
	if country, known := b.settings.Merchants[request.Merchant]; !known || country != request.Country {
		return order.Refuse(order.CodeUnknownMerchant, "merchant %s is not configured for %s", request.Merchant, request.Country)
	}
	if err := request.Validate(b.settings.Limits); err != nil {
		return order.Refuse(order.CodeInvalidRequest, "%v", err)
	}
	return nil
}

// refusedOrElsewhere rejects a request, unless another worker may accept it: a
// worker that has the merchant, or a newer profile of the country.
func (b *Books) refusedOrElsewhere(ctx context.Context, request order.Request, refusal order.Reason) (Opened, error) {
	lacks := ""
	if refusal.Code == order.CodeUnknownMerchant {
		served, err := b.ledger.OtherWorkerHas(ctx, request.Merchant, request.Country)
		if err != nil {
			return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
		}
		if served {
			lacks = "merchant " + request.Merchant
		}
	} else {
		newest, err := b.ledger.NewestProfile(ctx, request.Country)
		if err != nil {
			return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
		}
		profile, known := tarspay.Country(request.Country)
		if newest != "" && (!known || profile.Sum != newest) {
			lacks = "the newest profile of " + request.Country
		}
	}
	if lacks == "" {
		return rejected(refusal), nil
	}
	return Opened{Elsewhere: order.Reason{Code: codes.OtherWorker, Text: "this worker lacks " + lacks + ", which another worker has"}}, nil
}

// OpenElsewhere is Open for an order that another worker has to open. It runs as
// an ordinary activity, so any worker may take an attempt. A worker that lacks the
// same thing returns a retryable error.
func (b *Books) OpenElsewhere(ctx context.Context, request order.Request) (Opened, error) {
	opened, err := b.Open(ctx, request)
	if err == nil && opened.Elsewhere.Code != "" {
		return Opened{}, later(opened.Elsewhere.Code, opened.Elsewhere.Text, b.settings.otherWorkerPause(ctx))
	}
	return opened, err
}

// RefuseStart audits that a workflow was started with an input that is no order.
// The entry goes to the audit of the merchant that the workflow id names, if that
// merchant is configured, and otherwise to the installation's audit.
func (b *Books) RefuseStart(ctx context.Context, reason order.Reason) error {
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	var merchant string
	if key, ok := contract.ParseWorkflowID(id); ok && b.settings.Merchants[key.Merchant] != "" {
		merchant = key.Merchant
	}
	if err := b.ledger.RefuseStart(ctx, merchant, id, reason); err != nil {
		return fmt.Errorf("note that %s is no order: %w", id, err)
	}
	return nil
}

func rejected(reason order.Reason) Opened {
	return Opened{Standing: order.Standing{State: order.Rejected, Reason: reason}}
}

// Applied is the result of applying a callback.
type Applied struct {
	Standing order.Standing `json:"standing"`
	Ask      bool           `json:"ask,omitempty"` // the gateway has to confirm the callback: query it now
}

// ApplyCallback compares a callback of the inbox with its order, field by field,
// and applies it. A success settles the order. A callback that would release
// money, or that does not match the order, is not booked: Ask is set, the callback
// stays pending, and it is applied again after the gateway's answer.
//
// Whoever has the receiver's database login can write callbacks into the inbox. One whose
// stored signature is not the gateway's only hints that there is something to ask: nothing
// is booked on it, and the audit has CALLBACK_UNPROVEN.
//
// The id comes from a signal, which any client of Temporal can send. An id that
// names no callback of this order is ignored and audited.
func (b *Books) ApplyCallback(ctx context.Context, key order.Key, callbackID string) (Applied, error) {
	row, err := b.ledger.Order(ctx, key)
	if err != nil {
		return Applied{}, fmt.Errorf("read %s: %w", key, permanent(err))
	}
	applied := Applied{Standing: row.Standing}
	entry, strange, err := b.readCallback(ctx, key, callbackID)
	if err != nil {
		return Applied{}, fmt.Errorf("read callback of %s: %w", key, err)
	}
	if strange.Code != "" {
		return applied, b.Ignore(ctx, key, strange)
	}
	finding, err := rules.CallbackFinding(row, entry.Callback)
	proven := entry.Proven(b.settings.Verifier)
	if !proven && entry.Hidden == "" {
		finding.GatewayID = "" // neither stored nor compared with those of other orders
		if err := b.Ignore(ctx, key, order.Reason{Code: codes.CallbackUnproven, Text: "no signature of the gateway verifies a callback of the inbox; the gateway's answer decides"}); err != nil {
			return Applied{}, err
		}
	}
	ask := false
	if err == nil {
		if ask, err = b.mustAsk(ctx, row, finding, proven); err != nil {
			return Applied{}, fmt.Errorf("read whose order the callback of %s names: %w", key, err)
		}
	}
	var mismatch *rules.Mismatch
	switch {
	case errors.As(err, &mismatch):
		applied.Ask = !row.State.Terminal()
		err = b.ledger.OpenDiscrepancy(ctx, key, codes.DiscrepancyMismatch, "callback "+callbackID+": "+mismatch.Error())
	case err != nil:
		return Applied{}, err
	case ask:
		applied.Ask = true
	default:
		finding.Evidence = callbackID
		settlement, settled := b.ledger.SettleCallback(ctx, key, finding, callbackID)
		applied.Standing, err = b.standingAfter(ctx, key, "settle", settlement.Order, settled)
		if settled == nil {
			return applied, err // the callback is marked, too
		}
	}
	if err != nil {
		return Applied{}, fmt.Errorf("apply callback to %s: %w", key, err)
	}
	if applied.Ask {
		return applied, nil // stays pending: it is applied again after the query
	}
	if err := b.ledger.MarkCallback(ctx, callbackID, ledger.Done); err != nil {
		return Applied{}, fmt.Errorf("mark callback of %s: %w", key, err)
	}
	return applied, nil
}

// readCallback reads an order's callback from the inbox, or returns why it is to
// be ignored.
func (b *Books) readCallback(ctx context.Context, key order.Key, callbackID string) (ledger.InboxEntry, order.Reason, error) {
	if callbackID == "" {
		return ledger.InboxEntry{}, order.Reason{
			Code: codes.Unreadable, Text: "a callback signal is encrypted with a key that this worker does not have; the gateway's answer decides",
		}, nil
	}
	entry, err := b.ledger.Callback(ctx, callbackID)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return entry, order.Reason{Code: codes.CallbackUnknown, Text: "a signal names a callback that is not in the inbox"}, nil
	case errors.Is(err, ledger.ErrDamaged):
		return entry, order.Reason{Code: codes.CallbackDamaged, Text: "the inbox has a callback that cannot be read; the gateway's answer decides"}, nil
	case err != nil:
		return entry, order.Reason{}, err
	case entry.Key() != key:
		return entry, order.Reason{Code: codes.CallbackForeign, Text: "a signal names a callback of another order"}, nil
	}
	return entry, order.Reason{}, nil
}

// Ignore audits a message that an order's workflow ignores.
func (b *Books) Ignore(ctx context.Context, key order.Key, reason order.Reason) error {
	if err := b.ledger.Ignore(ctx, key, reason); err != nil {
		return fmt.Errorf("note what %s ignores: %w", key, err)
	}
	return nil
}

// mustAsk reports whether the gateway has to confirm a callback before it is
// booked: each that is not proven. It returns false for a callback that does not
// change the order, and for one that names a gateway order of another order in the
// ledger: nothing is booked on either, and at most a discrepancy opens.
func (b *Books) mustAsk(ctx context.Context, row order.Order, finding rules.Finding, proven bool) (bool, error) {
	if !rules.DecideOrder(row, finding).Moves() || (!finding.ReleasesMoney() && !b.settings.ConfirmAll && proven) {
		return false, nil
	}
	shared, err := sharedOrder(ctx, b.ledger, row, finding)
	return !shared, err
}

// Unconfirmed opens a discrepancy for a callback that reports a refund or a late
// payment which the gateway does not confirm. The id comes from Temporal: one that names no
// callback of this order is ignored and audited.
func (b *Books) Unconfirmed(ctx context.Context, key order.Key, callbackID string) error {
	_, strange, err := b.readCallback(ctx, key, callbackID)
	if err != nil {
		return fmt.Errorf("read callback of %s: %w", key, err)
	}
	if strange.Code != "" {
		return b.Ignore(ctx, key, strange)
	}
	if err := b.ledger.OpenDiscrepancy(ctx, key, codes.DiscrepancyUnconfirmed, "callback "+callbackID); err != nil {
		return fmt.Errorf("note the unconfirmed callback of %s: %w", key, err)
	}
	if err := b.ledger.MarkCallback(ctx, callbackID, ledger.Done); err != nil {
		return fmt.Errorf("mark callback of %s: %w", key, err)
	}
	return nil
}

// Settle books a finding once: the state and the money in one transaction. It comes from
// Temporal, where everybody with rights in the namespace may have written it, so one that
// no worker has sealed is not booked. See ledger.SealFinding.
func (b *Books) Settle(ctx context.Context, key order.Key, finding rules.Finding) (order.Standing, error) {
	if unproven := b.ledger.CheckFinding(key, finding); unproven != nil {
		return b.unproven(ctx, key, unproven)
	}
	settlement, err := b.ledger.Settle(ctx, key, finding)
	return b.standingAfter(ctx, key, "settle", settlement.Order, err)
}

// unproven audits a finding that no worker has sealed, and returns where the order stands.
// Its workflow asks the gateway again.
func (b *Books) unproven(ctx context.Context, key order.Key, why error) (order.Standing, error) {
	reason := order.Reason{
		Code: codes.FindingUnproven, Text: "no worker has sealed what is said to be the gateway's answer (" + why.Error() + "); the gateway is asked again",
	}
	if err := b.Ignore(ctx, key, reason); err != nil {
		return order.Standing{}, err
	}
	row, err := b.ledger.Order(ctx, key)
	return b.standingAfter(ctx, key, "settle", row, err)
}

// Review moves the order to review, where a person decides. The reservation stays.
func (b *Books) Review(ctx context.Context, key order.Key, reason order.Reason) (order.Standing, error) {
	row, err := b.ledger.Review(ctx, key, reason)
	return b.standingAfter(ctx, key, "review", row, err)
}

// standingAfter returns the order's standing after a change. If the state table
// does not allow the change, it returns the current standing and no error: a retry
// would be refused again.
func (b *Books) standingAfter(ctx context.Context, key order.Key, change string, row order.Order, err error) (order.Standing, error) {
	if errors.Is(err, ledger.ErrState) {
		activity.GetLogger(ctx).Error("The order's state does not allow the change", "change", change, "order", key.String(), "error", err)
		row, err = b.ledger.Order(ctx, key)
	}
	if err != nil {
		return order.Standing{}, fmt.Errorf("%s %s: %w", change, key, permanent(err))
	}
	return row.Standing, nil
}

// permanent marks an error as non-retryable if the order's row is missing. The
// cause is a bug or a wrong database.
func permanent(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return nonRetryable(ErrorMissing, err)
	}
	return err
}
