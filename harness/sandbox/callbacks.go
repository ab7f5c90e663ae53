package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Limits of callbacks.
const (
	maxSending      = 32  // callbacks under way at once
	maxDeliveries   = 256 // callbacks of one order
	maxAnswerBytes  = 128 // what is read of a receiver's answer
	hugeBodyBytes   = 8 << 20
	unknownNumber   = "unknown-to-everybody"
	unknownMerchant = "M0000000000"
)

// falsehood is what is wrong with a callback; "" is a genuine one.
type falsehood string

// The falsehoods. A scenario sends one, once, before the genuine callback.
const (
	genuine          falsehood = ""
	unsigned         falsehood = "unsigned-callback"
	wrongSignature   falsehood = "wrong-signature"
	otherKey         falsehood = "other-key"
	foreignSignature falsehood = "foreign-signature"
	unknownOrder     falsehood = "unknown-order"
	changedAmount    falsehood = "changed-amount"
	changedCurrency  falsehood = "changed-currency"
	changedMerchant  falsehood = "changed-merchant"
	changedID        falsehood = "changed-id"
	falseFailure     falsehood = "false-failure"
	malformed        falsehood = "malformed-callback"
	hugeBody         falsehood = "huge-callback"
	slowBody         falsehood = "slow-callback"
)

var falsehoods = []falsehood{
	unsigned, wrongSignature, otherKey, foreignSignature, unknownOrder, changedAmount, changedCurrency,
	changedMerchant, changedID, falseFailure, malformed, hugeBody, slowBody,
}

// FalseCallbacks are the names that Trigger takes: what can be wrong with a callback.
func FalseCallbacks() []string {
	var names []string
	for _, f := range falsehoods {
		names = append(names, string(f))
	}
	return names
}

// Delivery is one callback and what has become of it.
type Delivery struct {
	Serial    int           `json:"serial"` // within its order
	Merchant  string        `json:"merchant"`
	Number    string        `json:"number"`
	ID        string        `json:"id"`              // payOrderId of the order it belongs to
	Falsehood string        `json:"false,omitempty"` // what is wrong with it, "" for a genuine one
	State     tarspay.State `json:"state"`           // what it says
	URL       string        `json:"url"`
	Body      string        `json:"body"`
	Signature string        `json:"signature"`
	Sends     []Send        `json:"sends,omitempty"`
	Heard     bool          `json:"heard"`             // it was answered OK
	Over      bool          `json:"over"`              // it will not be sent again
	NextAt    time.Time     `json:"next_at,omitzero"`  // when it is sent next
	MaxSends  int           `json:"max_sends"`         // when the gateway gives up
	Follows   int           `json:"follows,omitempty"` // it waits until the delivery of this serial is over

	order *order
}

// Send is one attempt to deliver a callback.
type Send struct {
	At     time.Time `json:"at"`
	Status int       `json:"status,omitempty"` // HTTP, 0 if there was no answer
	Answer string    `json:"answer,omitempty"` // the first bytes of it
	Error  string    `json:"error,omitempty"`
}

// announce makes the callbacks of the state an order is in. They are entered
// in the order; sending them is the caller's. The lock is held.
func (g *Gateway) announce(o *order, held time.Duration) []*Delivery {
	n := g.planOf(o).notice
	if n == nil {
		n = &notice{}
	}
	if n.silent {
		return nil
	}
	at := g.clock.now().Add(held + g.scaled(n.wait))
	var deliveries []*Delivery
	follows := 0
	if n.falsehood != genuine {
		d := g.enter(o, n.falsehood, at)
		d.MaxSends = 1
		deliveries, follows = append(deliveries, d), d.Serial
	}
	for range max(n.copies, 1) {
		d := g.enter(o, genuine, at)
		d.Follows = follows
		deliveries = append(deliveries, d)
	}
	if n.again > 0 {
		deliveries = append(deliveries, g.enter(o, genuine, at.Add(g.scaled(n.again))))
	}
	return deliveries
}

// enter makes one callback of an order as it stands. The lock is held.
func (g *Gateway) enter(o *order, f falsehood, at time.Time) *Delivery {
	body, signature := g.compose(o, f)
	d := &Delivery{
		Serial: len(o.Deliveries) + 1, Merchant: o.Merchant, Number: o.Number, ID: o.ID, Falsehood: string(f),
		State: o.State, URL: o.NotifyURL, Body: string(body), Signature: signature, NextAt: at, MaxSends: MaxSends, order: o,
	}
	if f == falseFailure {
		d.State = tarspay.StateFailed
	}
	o.Deliveries = append(o.Deliveries, d)
	return d
}

// compose writes a callback of an order as it stands, true or false.
func (g *Gateway) compose(o *order, f falsehood) (body []byte, signature string) {
	paid, fee := o.told()
	c := tarspay.Callback{
		Direction: o.Direction, Currency: g.book.accounts[o.Merchant].profile.GatewayCurrency, FailReason: o.FailReason,
		Fee: fee.Short(), Merchant: o.Merchant, OrderNumber: o.Number, OrderAmount: o.Amount.Short(),
		PayAmount: paid.Short(), GatewayID: o.ID, State: o.State,
	}
	signer := g.platform
	switch f {
	case otherKey:
		signer = g.stranger
	case unknownOrder:
		c.OrderNumber, c.GatewayID = unknownNumber, neighbour(o.ID)
	case changedAmount:
		more := amount(o.Amount.Minor()+g.book.accounts[o.Merchant].profile.Step(), o.Amount).Short()
		c.OrderAmount, c.PayAmount = more, more
	case changedCurrency:
		c.Currency = "USD"
	case changedMerchant:
		c.Merchant = unknownMerchant
	case changedID:
		c.GatewayID = neighbour(o.ID)
	case falseFailure:
		c.State, c.FailReason = tarspay.StateFailed, "payment failed"
	case malformed:
		body = []byte("state=2&mchOrderNo=" + o.Number)
		return body, signer.Sign(body)
	default: // the signature or the sending is false, or nothing is
	}
	body, signature = tarspay.EncodeCallback(c, signer)
	switch f {
	case unsigned:
		signature = ""
	case wrongSignature:
		last := len(signature) - 1
		signature = signature[:last] + map[bool]string{true: "1", false: "0"}[signature[last] == '0']
	case foreignSignature:
		c.OrderNumber = unknownNumber
		_, signature = tarspay.EncodeCallback(c, signer)
	default: // it says something false, or nothing is
	}
	return body, signature
}

// neighbour is an order id next to another.
func neighbour(id string) string {
	n, err := strconv.ParseInt(strings.TrimPrefix(id, "P"), 10, 64)
	if err != nil {
		return "P1000000000000000000"
	}
	return "P" + strconv.FormatInt(n-1, 10)
}

// awaitSend schedules the next send of a callback. If the callback follows another one, it is
// scheduled when that one is finished. The lock is held.
func (g *Gateway) awaitSend(d *Delivery) {
	if d.Over || d.Follows > 0 && !d.order.Deliveries[d.Follows-1].Over {
		return
	}
	g.at(d.NextAt, func() { g.dispatch(d) })
}

// dispatch sends a callback: at once with a stepped clock, otherwise on one of
// a bounded number of goroutines.
func (g *Gateway) dispatch(d *Delivery) {
	if g.clock.stepped {
		g.send(d)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sending == maxSending {
		g.backlog = append(g.backlog, d)
		return
	}
	g.sending++
	g.running.Go(func() {
		for d := d; d != nil; d = g.nextInBacklog() {
			g.send(d)
		}
	})
}

// nextInBacklog returns the next callback to send; the goroutine ends on nil.
func (g *Gateway) nextInBacklog() *Delivery {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.backlog) == 0 || g.ctx.Err() != nil {
		g.sending--
		return nil
	}
	d := g.backlog[0]
	g.backlog = g.backlog[1:]
	return d
}

// send makes one attempt and decides on the next. The lock is not held.
func (g *Gateway) send(d *Delivery) {
	attempt := Send{At: g.clock.now()}
	var err error
	attempt.Status, attempt.Answer, err = g.post(d)
	if g.ctx.Err() != nil {
		return // the sandbox is closing; the attempt proves nothing
	}
	if err != nil {
		attempt.Error = err.Error()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	d.Sends = append(d.Sends, attempt)
	d.Heard = attempt.Status == http.StatusOK && attempt.Answer == tarspay.CallbackAnswer
	d.Over = d.Heard || len(d.Sends) >= d.MaxSends
	d.NextAt = time.Time{}
	if !d.Over {
		schedule := g.options.CallbackSchedule
		wait := schedule[min(len(d.Sends), len(schedule))-1]
		d.NextAt = g.clock.now().Add(g.scaled(wait))
		g.awaitSend(d)
	}
	g.log.Info("callback sent", "merchant", d.Merchant, "number", d.Number, "state", d.State.String(), "false", d.Falsehood,
		"attempt", len(d.Sends), "status", attempt.Status, "heard", d.Heard)
	if d.Over {
		for _, other := range d.order.Deliveries {
			if other.Follows == d.Serial {
				g.awaitSend(other)
			}
		}
	}
	g.save(d.order)
}

// post carries a callback to its receiver.
func (g *Gateway) post(d *Delivery) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(g.ctx, g.options.CallbackTimeout)
	defer cancel()
	address, err := url.Parse(d.URL)
	if err != nil {
		return 0, "", errors.New("the address cannot be called")
	}
	request := (&http.Request{
		Method: http.MethodPost, URL: address, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(d.reader(ctx, g.clock.stepped)), ContentLength: int64(len(d.Body)),
	}).WithContext(ctx)
	if d.Falsehood == string(hugeBody) {
		request.ContentLength += hugeBodyBytes
	}
	if d.Signature != "" {
		request.Header.Set(tarspay.HeaderCallbackSignature, d.Signature)
	}
	// A transport, unlike a client, follows no redirects.
	response, err := g.callbacks.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	return response.StatusCode, string(text), err
}

// reader returns the body to send, changed as the callback's falsehood says. With a stepped
// clock, a body that never ends fails at once.
func (d *Delivery) reader(ctx context.Context, stepped bool) io.Reader {
	body := bytes.NewReader([]byte(d.Body))
	switch falsehood(d.Falsehood) {
	case hugeBody:
		return io.MultiReader(body, bytes.NewReader(bytes.Repeat([]byte(" "), hugeBodyBytes)))
	case slowBody:
		return io.MultiReader(io.LimitReader(body, int64(len(d.Body)/2)), never{ctx, stepped})
	default:
		return body
	}
}

// never is a body that sends no bytes.
type never struct {
	ctx     context.Context
	stepped bool
}

func (n never) Read([]byte) (int, error) {
	if n.stepped {
		return 0, context.DeadlineExceeded
	}
	<-n.ctx.Done()
	return 0, n.ctx.Err()
}

// Deliveries are the callbacks of an order, in the order in which they were
// made.
func (g *Gateway) Deliveries(merchant, number string) []Delivery {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Delivery
	for _, o := range g.book.byNumber[key{merchant, number}] {
		for _, d := range o.Deliveries {
			all = append(all, d.snapshot())
		}
	}
	return all
}

func (d *Delivery) snapshot() Delivery {
	copied := *d
	copied.Sends = slices.Clone(d.Sends)
	copied.order = nil
	return copied
}

// Trigger sends a callback of an order as it stands, by hand: a genuine one,
// or one with a falsehood by the name of its scenario. With a real clock it is
// on its way when Trigger returns; with a stepped one it has been sent once.
func (g *Gateway) Trigger(merchant, number, falsehoodName string) (Delivery, error) {
	f := falsehood(falsehoodName)
	if f != genuine && !slices.Contains(falsehoods, f) {
		return Delivery{}, fmt.Errorf("sandbox: there is no false callback %q", falsehoodName)
	}
	g.mu.Lock()
	o := g.book.find(key{merchant, number})
	if o == nil {
		g.mu.Unlock()
		return Delivery{}, ErrNoOrder
	}
	if len(o.Deliveries) >= maxDeliveries {
		g.mu.Unlock()
		return Delivery{}, errors.New("sandbox: the order has had too many callbacks")
	}
	d := g.enter(o, f, g.clock.now())
	if f != genuine {
		d.MaxSends = 1
	}
	g.save(o)
	g.mu.Unlock()
	g.dispatch(d)
	g.mu.Lock()
	defer g.mu.Unlock()
	return d.snapshot(), nil
}
