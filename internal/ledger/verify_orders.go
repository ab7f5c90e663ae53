package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyOrders compares the reason and the attempts of every order with its audit, a page of
// orders at a time:
//   - its reason is that of the newest entry that has set one. While it is sent, it may be that of
//     an attempt, which changed no state
//   - an attempt began, and ended with the outcome and the reason, as the entries about it say.
//     The first one has an entry
//   - the entries are about attempts that are there
//
// What no entry says is not compared: the beginning of a later attempt, if the order was
// submitting already; the end of one whose answer changed no state; the text of a reason that is
// not in the entry. Of what cannot be read, the texts are not compared.
//
// The seals of the entries are verified by VerifyAudit.
func (t tx) verifyOrders(ctx context.Context) (found []verify.Violation, err error) {
	for last := int64(0); ; {
		page, err := t.comparedOrders(ctx, last)
		if err != nil || len(page) == 0 || len(found) >= maxBreaks {
			return found, err
		}
		for _, o := range page {
			found = append(found, o.violations()...)
		}
		last = page[len(page)-1].ID
	}
}

// comparedPage is the most orders that verifyOrders holds in memory.
const comparedPage = 500

// comparedOrder is an order with what its reason and its attempts are compared with.
type comparedOrder struct {
	orderRow
	attempts []submissionRow
	entries  []auditRow // those that were done and set a reason, or are about an attempt; oldest first
	instead  string     // what stands for the reason's text if it cannot be read
	unread   string     // why the texts do not decrypt; empty: they do, or cannot be read
}

// comparedOrders reads the next orders after the one with that id, decrypted.
func (t tx) comparedOrders(ctx context.Context, after int64) ([]*comparedOrder, error) {
	var rows []orderRow
	err := t.List(ctx, &rows, `SELECT id, merchant, number, currency, state, reason_code, reason_text, data_key, erased_at
		FROM orders WHERE id > ? ORDER BY id LIMIT ?`, after, comparedPage)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	page, byID := make([]*comparedOrder, len(rows)), make(map[int64]*comparedOrder, len(rows))
	for i, row := range rows {
		page[i] = &comparedOrder{orderRow: row}
		byID[row.ID] = page[i]
	}
	if err := t.comparedWith(ctx, after, rows[len(rows)-1].ID, byID); err != nil {
		return nil, err
	}
	for _, o := range page {
		o.decrypt(t.private)
	}
	return page, nil
}

// comparedWith reads the attempts and the entries of the orders after one id, up to another.
func (t tx) comparedWith(ctx context.Context, after, last int64, orders map[int64]*comparedOrder) error {
	var attempts []struct {
		submissionRow
		OrderID int64 `db:"order_id"`
	}
	err := t.List(ctx, &attempts, `SELECT order_id, attempt, started_at, ended_at, outcome, reason_code, reason_text
		FROM submissions WHERE order_id > ? AND order_id <= ? ORDER BY order_id, attempt`, after, last)
	if err != nil {
		return err
	}
	for _, a := range attempts {
		orders[a.OrderID].attempts = append(orders[a.OrderID].attempts, a.submissionRow)
	}
	var entries []struct {
		auditRow
		OrderID int64 `db:"order_id"`
	}
	args := []any{after, last, outcomeDone}
	for _, action := range comparedActions {
		args = append(args, action)
	}
	err = t.List(ctx, &entries, `SELECT o.id AS order_id, a.seq, a.at, a.actor, a.action, a.evidence, a.before_state, a.after_state, a.code, a.text
		FROM orders o JOIN audit a ON a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order'
		WHERE o.id > ? AND o.id <= ? AND a.outcome = ? AND a.action IN (`+placeholders(len(comparedActions))+`) ORDER BY o.id, a.seq`, args...)
	for _, e := range entries {
		orders[e.OrderID].entries = append(orders[e.OrderID].entries, e.auditRow)
	}
	return err
}

// comparedActions are those that set an order's reason, or are about an attempt.
var comparedActions = []AuditAction{
	ActionOpen, ActionSubmit, ActionAnswer, ActionHold, ActionSettle, ActionResolve, ActionReview, ActionRelease, ActionReserve,
	ActionFunds, ActionUnanswered, ActionApprove, ActionReject, ActionCancel, ActionFind,
}

// decrypt decrypts what is compared. What does not decrypt becomes damaged.
func (o *comparedOrder) decrypt(p private) {
	texts, err := p.orderTexts(o.Merchant, o.Number, o.DataKey, o.ErasedAt)
	if err != nil {
		o.unread, texts = err.Error(), rowTexts{}
	}
	texts = texts.orDamaged()
	open := func(column string, text *string) (instead string) {
		plain, instead, _ := texts.read(column, *text) // damaged stands for it
		*text = cmp.Or(instead, plain)
		return instead
	}
	o.instead = open("reason_text", &o.ReasonText)
	for i := range o.attempts {
		o.attempts[i].instead = open("submissions.reason_text", &o.attempts[i].ReasonText)
	}
	for i := range o.entries {
		_ = o.entries[i].open(texts) // it returns no error, as there is something instead
	}
}

func (o *comparedOrder) violations() (found []verify.Violation) {
	differs := func(code, format string, args ...any) {
		found = append(found, verify.Violation{
			Code: code, Key: order.Key{Merchant: o.Merchant, Number: o.Number}, Currency: o.Currency, Detail: fmt.Sprintf(format, args...),
		})
	}
	if o.unread != "" {
		differs(verify.BrokenReason, "the order cannot be read: %s", o.unread)
		return found
	}
	if wrong := o.wrongReason(); wrong != "" {
		differs(verify.BrokenReason, "the %s of the order's reason is not what the audit says", wrong)
	}
	for _, wrong := range o.wrongAttempts() {
		differs(verify.BrokenSubmission, "%s", wrong)
	}
	return found
}

// wrongReason names what of the order's reason no entry says; "" if all is right.
func (o *comparedOrder) wrongReason() string {
	if len(o.entries) == 0 {
		return "" // verify.BrokenHistory
	}
	var told toldReason
	for _, e := range o.entries {
		told = told.after(e)
	}
	sources := []toldReason{told}
	if o.State == order.Submitting || o.State == order.Unknown {
		sources[0].open = told.open || told.held // the balance was short again, and the text says of how much
		for _, a := range o.attempts {
			if a.ReasonCode != "" {
				sources = append(sources, toldReason{code: a.ReasonCode, text: toldText{a.ReasonText, a.instead}})
			}
		}
	}
	wrong := "code"
	for _, source := range sources {
		switch {
		case source.code != o.ReasonCode:
		case source.open || sameReasonText(toldText{o.ReasonText, o.instead}, source.text):
			return ""
		default:
			wrong = "text"
		}
	}
	return wrong
}

// toldText is the text of a reason, and what stands for it if it cannot be read.
type toldText struct{ text, instead string }

// sameReasonText reports whether two texts are the same, as far as both can be read. A damaged
// entry is reported by VerifyAudit.
func sameReasonText(has, told toldText) bool {
	return has.text == told.text || hidden(has.instead) || hidden(told.instead) || told.instead == damaged
}

// toldReason is an order's reason as its entries have it.
type toldReason struct {
	code string
	text toldText
	open bool // the entry does not have the text
	held bool // the entry holds the order until there are funds
}

// after returns the reason after one more entry.
func (told toldReason) after(e auditRow) toldReason {
	set := toldReason{code: e.Code, text: toldText{e.Text, e.instead.text}}
	switch e.Action {
	case ActionSubmit:
		return told
	case ActionHold:
		set.held = true
	case ActionReject, ActionCancel:
		if !hidden(e.instead.text) {
			set.text.text = by(entry{actor: e.Actor, reason: order.Reason{Text: e.Text}}).Text
		}
	case ActionApprove: // its reason is the person's
		set = toldReason{}
		switch {
		case e.Before == e.After:
			set = toldReason{code: codes.Unsigned, open: true}
		case e.After == order.AwaitingFunds || e.After == order.Failed:
			set = toldReason{code: order.CodeInsufficientFunds, open: true}
		}
	case ActionSettle, ActionResolve:
		if e.Code == codes.FeeFiner { // auditReason
			set = toldReason{}
		}
	default: // the entry has it
	}
	return set
}

// wrongAttempts says which attempts are not what the entries say of them.
func (o *comparedOrder) wrongAttempts() (wrong []string) {
	begun := make(map[int]bool)
	for _, e := range o.entries {
		number, is := attemptOf(e)
		if !is {
			continue
		}
		if number > len(o.attempts) || o.attempts[number-1].Attempt != number {
			wrong = append(wrong, fmt.Sprintf("the audit has %s of attempt %d, and there is no such attempt", e.Action, number))
			continue
		}
		begun[number] = begun[number] || e.Action == ActionSubmit || e.Action == ActionFind
		if unsaid := o.attempts[number-1].unsaid(e); len(unsaid) > 0 {
			wrong = append(wrong, fmt.Sprintf("of attempt %d, the audit does not say the same of: %s", number, strings.Join(unsaid, ", ")))
		}
	}
	unread := slices.ContainsFunc(o.entries, func(e auditRow) bool { return e.instead.evidence != "" })
	if len(o.attempts) > 0 && !begun[1] && !unread && len(o.entries) > 0 {
		wrong = append(wrong, "the audit does not say that attempt 1 began")
	}
	return wrong
}

// attemptOf returns the number of the attempt that an entry is about. is is false if it is about
// none, or cannot be read.
func attemptOf(e auditRow) (number int, is bool) {
	if !slices.Contains([]AuditAction{ActionSubmit, ActionAnswer, ActionHold, ActionFind}, e.Action) {
		return 0, false
	}
	text, is := strings.CutPrefix(e.Evidence, attemptMark)
	number, err := strconv.Atoi(text)
	return number, is && err == nil && number > 0
}

// unsaid names what of the attempt is not as the entry has it.
func (s submissionRow) unsaid(e auditRow) []string {
	began := claim{"beginning", s.StartedAt == e.At}
	ended := []claim{
		{"end", s.EndedAt == e.At}, {"outcome", s.Outcome == outcomeAfter[e.After]},
		{"reason", s.ReasonCode == e.Code && sameReasonText(toldText{s.ReasonText, s.instead}, toldText{e.Text, e.instead.text})},
	}
	switch e.Action {
	case ActionSubmit:
		return unsaid(began)
	case ActionAnswer:
		return unsaid(ended...)
	case ActionFind: // the gateway had it before: it is ambiguous
		ended[1].said = s.Outcome == Ambiguous
		return unsaid(append(ended, began)...)
	default:
		return nil
	}
}

// outcomeAfter are the outcomes of answers that changed the order's state, by that state.
var outcomeAfter = map[order.State]Outcome{order.Submitted: Accepted, order.Failed: Refused, order.Unknown: Ambiguous}
