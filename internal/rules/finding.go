package rules

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Source says where a finding comes from.
type Source string

// The sources, in the order in which they may be trusted.
const (
	FromQuery    Source = "query"    // we asked the gateway
	FromCallback Source = "callback" // the gateway told us, signed
	FromOperator Source = "operator" // a person, with evidence
)

// Verdict is the outcome that a source reports for an order.
type Verdict string

// The verdicts.
const (
	Pending  Verdict = "pending"  // the gateway has the order and has not decided
	Paid     Verdict = "paid"     // the whole amount moved
	PartPaid Verdict = "partpaid" // deposit: less than the amount moved
	Unpaid   Verdict = "unpaid"   // failed, rejected or cancelled at the gateway: nothing moved
	Lapsed   Verdict = "lapsed"   // deposit: the time to pay is over
	Returned Verdict = "returned" // paid, then given back
	Unclear  Verdict = "unclear"  // a state that is not documented for this kind of order
)

// Finding is what one source reports about one order, after each field was compared
// with the order.
type Finding struct {
	Source    Source       `json:"source"`
	Verdict   Verdict      `json:"verdict"`
	GatewayID string       `json:"gateway_id,omitempty"`
	Paid      money.Amount `json:"paid,omitzero"`       // set for Paid and PartPaid only
	Fee       money.Amount `json:"fee,omitzero"`        // set for Paid, PartPaid and Returned only
	FeeText   string       `json:"fee_text,omitempty"`  // the fee as the gateway wrote it, if Fee is not exactly that
	FeeRest   int64        `json:"fee_rest,omitempty"`  // the part of the fee that rounding cut off, in millionths of a minor unit
	FeeDoubt  bool         `json:"fee_doubt,omitempty"` // the reported fee is impossible, and Fee is zero
	Reason    order.Reason `json:"reason,omitzero"`
	Evidence  string       `json:"evidence,omitempty"` // callback: inbox id; operator: the gateway's proof
	By        string       `json:"by,omitempty"`       // operator: who
	Seal      []byte       `json:"seal,omitempty"`     // query: by the worker that asked; package ledger makes and checks it
}

// ReleasesMoney reports whether acting on the finding would release or return money.
// Such a finding is acted on only if it comes from a query or from an operator.
func (f Finding) ReleasesMoney() bool {
	return f.Verdict == Unpaid || f.Verdict == Lapsed || f.Verdict == Returned
}

// Mismatch is the error of an answer or callback that does not fit the order: another
// merchant, amount, currency, kind or gateway id. It must not be booked.
type Mismatch struct {
	Fields []string // the gateway's names of the members that differ
}

// Error names the members, never their values.
func (m *Mismatch) Error() string {
	return "the gateway's answer does not fit the order: " + strings.Join(m.Fields, ", ")
}

// StatusFinding checks the gateway's answer to a query against the order.
// The error is a *Mismatch.
func StatusFinding(o order.Order, status tarspay.OrderStatus) (Finding, error) {
	check := checker{order: o}
	check.text("mchNo", status.Merchant, o.Merchant)
	check.text("mchOrderNo", status.OrderNumber, o.Number)
	check.amounts(status.GatewayID, status.Currency, status.OrderAmount)
	return check.finding(FromQuery, status.State, status.PayAmount, status.Fee, status.GatewayID, "")
}

// CallbackFinding checks a verified callback against the order.
// The error is a *Mismatch.
func CallbackFinding(o order.Order, callback tarspay.Callback) (Finding, error) {
	check := checker{order: o}
	check.same("bizType", callback.Direction == o.Kind.Direction())
	check.same("mchNo", callback.Merchant == o.Merchant)
	check.same("mchOrderNo", callback.OrderNumber == o.Number)
	check.amounts(callback.GatewayID, callback.Currency, callback.OrderAmount)
	return check.finding(FromCallback, callback.State, callback.PayAmount, callback.Fee, callback.GatewayID, callback.FailReason)
}

// Judge translates a gateway state for a kind of order.
func Judge(kind order.Kind, state tarspay.State) Verdict {
	switch state {
	case tarspay.StateCreated, tarspay.StateInProgress, tarspay.StateQueued:
		return Pending
	case tarspay.StateSucceeded:
		return Paid
	case tarspay.StateFailed, tarspay.StateRejected:
		return Unpaid
	case tarspay.StateCancelled:
		if kind == order.Deposit {
			return Unpaid
		}
	case tarspay.StateRefunded:
		return Returned
	case tarspay.StateTimedOut:
		if kind == order.Deposit {
			return Lapsed
		}
	case tarspay.StatePartial:
		if kind == order.Deposit {
			return PartPaid
		}
	}
	return Unclear
}

// checker collects the members in which an answer differs from its order.
type checker struct {
	order  order.Order
	fields []string
}

func (c *checker) same(field string, ok bool) {
	if !ok {
		c.fields = append(c.fields, field)
	}
}

// text compares a member that is empty in some samples of the gateway.
func (c *checker) text(field, got, want string) { c.same(field, got == "" || got == want) }

func (c *checker) amounts(gatewayID, currency, orderAmount string) {
	c.same("payOrderId", GatewayIDFits(gatewayID) && (c.order.GatewayID == "" || c.order.GatewayID == gatewayID))
	profile, known := tarspay.Country(c.order.Country)
	c.same("country", known)
	if !known {
		return
	}
	c.same("currency", currency == profile.GatewayCurrency || currency == c.order.Amount.Currency())
	amount, err := profile.ParseAmount(orderAmount)
	c.same("orderAmount", err == nil && amount == c.order.Amount)
}

// maxGatewayID bounds a gateway id, in bytes. Those seen have 20.
const maxGatewayID = 128

// GatewayIDFits reports whether a text can be an order id of the gateway: visible
// characters in valid UTF-8, of a bounded length.
func GatewayIDFits(text string) bool {
	visible := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != utf8.RuneError }
	return text != "" && len(text) <= maxGatewayID && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !visible(r) })
}

func (c *checker) finding(source Source, state tarspay.State, paid, fee, gatewayID, failReason string) (Finding, error) {
	f := Finding{Source: source, Verdict: Judge(c.order.Kind, state), GatewayID: gatewayID}
	switch f.Verdict {
	case Paid, PartPaid:
		f.Paid = c.payment(paid)
		f.keep(ReadFee(fee, f.bearer(c.order.Amount)))
		c.paid(f)
	case Unpaid:
		f.Reason = order.Reason{Code: order.CodeGatewayFailed, Text: fmt.Sprintf("the gateway says %s", state)}
		if failReason != "" {
			f.Reason.Text += ": " + clean(failReason)
		}
	case Lapsed:
		f.Reason = order.Reason{Code: order.CodeExpired, Text: "the payer did not pay in time"}
	case Returned:
		// The order was paid before, whether or not we learned of it. The fee was
		// charged then and is not returned.
		f.keep(ReadFee(fee, c.order.Amount))
		f.Reason = order.Reason{Code: order.CodeRefunded, Text: "the gateway says that it was refunded"}
	case Unclear:
		c.fields = append(c.fields, "state")
	case Pending:
	}
	if len(c.fields) > 0 {
		return Finding{}, &Mismatch{Fields: c.fields}
	}
	return f, nil
}

// paid requires that the paid amount is the order's. A part payment must be above
// zero and below it.
func (c *checker) paid(f Finding) {
	if f.Paid.Currency() == "" {
		return // already noted
	}
	whole, err := f.Paid.Compare(c.order.Amount)
	if f.Verdict == Paid {
		c.same("payAmount", err == nil && whole == 0)
		return
	}
	c.same("payAmount", err == nil && whole < 0 && f.Paid.IsPositive())
}

// payment reads the paid amount. It must be exact: another amount proves nothing.
func (c *checker) payment(text string) money.Amount {
	profile, known := tarspay.Country(c.order.Country)
	if !known {
		return money.Amount{}
	}
	amount, err := profile.ParseAmount(text)
	if err != nil || amount.Minor() < 0 {
		c.same("payAmount", false)
		return money.Amount{}
	}
	return amount
}

// bearer returns the amount that bounds a fee: of a part payment the paid amount,
// otherwise the order's.
func (f Finding) bearer(whole money.Amount) money.Amount {
	if f.Verdict == PartPaid && f.Paid.IsPositive() {
		return f.Paid
	}
	return whole
}

// keep sets the fee of the finding. A wrong fee never prevents booking the payment.
func (f *Finding) keep(fee Fee) {
	f.Fee, f.FeeText, f.FeeRest, f.FeeDoubt = fee.Amount, fee.Text, fee.Rest, !fee.Believed
}

// Believe returns the finding for booking: a fee that is impossible for the amount is
// replaced by zero and marked with FeeDoubt.
func (f Finding) Believe(of money.Amount) Finding {
	if f.Fee == (money.Amount{}) || bearable(f.Fee, f.bearer(of)) {
		return f
	}
	f.FeeText, f.FeeRest, f.FeeDoubt, f.Fee = f.Fee.Number(), 0, true, money.Amount{}
	return f
}

// maxReason bounds how much of the gateway's free text is stored, in bytes.
const maxReason = 200

// clean makes the gateway's free text safe to store: one line, of bounded length.
// Digits become "#", because the text may hold account or phone numbers.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '#'
		case r < ' ':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}
