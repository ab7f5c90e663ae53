package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// refusedAttempt is a row of the table of refused attempts.
type refusedAttempt struct{ tried, answer string }

func (d *demo) recordRefusal(tried, answer string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.attempts = append(d.attempts, refusedAttempt{tried, answer})
}

// sendInvalidRequests makes the attempts that must be refused.
func (d *demo) sendInvalidRequests(ctx context.Context) error {
	return errors.Join(d.startTwice(ctx), d.makeMistakes(ctx), d.changeAfterSigning(ctx), d.askAsStranger(ctx))
}

// changeAfterSigning starts an order with the signature of another amount. It is
// refused and never recorded.
func (d *demo) changeAfterSigning(ctx context.Context) error {
	request := d.roles[0].request
	request.Number = "CHANGED-1"
	changed, err := d.stack.Sign(request)
	if err != nil {
		return err
	}
	if changed.Amount, err = request.Amount.Add(request.Amount); err != nil {
		return err
	}
	if _, err := d.stack.Orders.Start(ctx, changed); err != nil {
		return err
	}
	view, err := d.stack.Orders.Wait(ctx, request.Key())
	d.expect(err == nil && view.Unrecorded && strings.Contains(view.Reason.Text, envelope.CodeOtherOrder),
		"an order whose amount was changed after it was signed must be refused; it was %+v, %v", view, err)
	d.recordRefusal("an amount changed after the start was signed", envelope.CodeOtherOrder)
	return ctx.Err()
}

// startTwice starts an order that exists. With the same content it gets the first
// order, with other content a conflict.
func (d *demo) startTwice(ctx context.Context) error {
	request := d.roles[0].request
	if _, err := d.ledgerShows(ctx, request.Key(), func(order.Order) bool { return true }); err != nil {
		return err
	}
	again, err := d.stack.Orders.Start(ctx, request)
	d.expect(err == nil && again.Existing && again.WorkflowID == contract.WorkflowID(request.Key()),
		"starting %s twice must return the first order; it returned %+v, %v", request.Number, again, err)
	d.recordRefusal("the same order again", "the first order, "+again.WorkflowID)

	other := request
	if other.Amount, err = other.Amount.Add(request.Amount); err != nil {
		return err
	}
	_, err = d.stack.Orders.Start(ctx, other)
	d.expect(order.CodeOf(err) == order.CodeOrderConflict, "another amount under the number %s must be a conflict; it was %v", request.Number, err)
	d.recordRefusal("the same number with another amount", order.CodeOf(err))
	return ctx.Err()
}

// makeMistakes sends requests. Each breaks one rule.
func (d *demo) makeMistakes(ctx context.Context) error {
	i := slices.IndexFunc(d.roles, func(r *role) bool { return r.kind == order.Withdrawal && r.country == "TH" })
	good := d.roles[i].request
	for n, m := range mistakes {
		spoilt := good
		spoilt.Number = fmt.Sprintf("MISTAKE-%d", n+1)
		spoilt.Details = maps.Clone(good.Details)
		m.spoil(&spoilt)
		_, err := d.stack.Orders.Start(ctx, spoilt)
		d.expectRefusal(m.shows, m.code, err)
	}
	for _, t := range typos {
		_, err := order.ParseAmount(t.text, good.Country)
		d.expectRefusal(fmt.Sprintf("the amount %q", t.text), t.code, err)
	}
	return ctx.Err()
}

// expectRefusal checks that a request was refused with a code.
func (d *demo) expectRefusal(tried, code string, err error) {
	var invalid *order.Invalid
	var codes []string
	if errors.As(err, &invalid) {
		for _, problem := range invalid.Problems {
			codes = append(codes, problem.Code)
		}
	}
	d.expect(slices.Contains(codes, code), "%s must be refused with %s; it was %v", tried, code, err)
	d.recordRefusal(tried, strings.Join(codes, " "))
}

// forge sends a callback that says an open order was paid. Every member is right,
// but the signature is by an unknown key.
func (d *demo) forge(ctx context.Context, r *role) error {
	row, err := d.ledgerShows(ctx, r.request.Key(), func(o order.Order) bool { return o.GatewayID != "" })
	if err != nil {
		return err
	}
	private, _, err := tarspay.GenerateKey()
	if err != nil {
		return err
	}
	stranger, err := tarspay.NewSigner(private)
	if err != nil {
		return err
	}
	profile, _ := tarspay.Country(row.Country)
	body, signature := tarspay.EncodeCallback(tarspay.Callback{
		Direction: row.Kind.Direction(), Currency: profile.GatewayCurrency, Fee: "0", Merchant: row.Merchant,
		OrderNumber: row.Number, OrderAmount: row.Amount.Short(), PayAmount: row.Amount.Short(),
		GatewayID: row.GatewayID, State: tarspay.StateSucceeded,
	}, stranger)
	status, answer, err := post(ctx, d.stack.Addresses.Receiver, body, signature)
	if err != nil {
		return err
	}
	d.expect(status == http.StatusUnauthorized && strings.Contains(answer, callback.CodeSignature),
		"a forged callback must be refused with 401 %s; it was answered %d %s", callback.CodeSignature, status, answer)
	d.recordRefusal("a forged callback for "+row.Number, fmt.Sprintf("%d %s", status, callback.CodeSignature))
	return nil
}

// post posts a callback as the gateway does.
func post(ctx context.Context, address string, body []byte, signature string) (status int, answer string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(tarspay.HeaderCallbackSignature, signature)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return response.StatusCode, string(text), err
}

// forgeriesCounted reads the receiver's count of callbacks that it refused for
// their signature.
func (d *demo) forgeriesCounted(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.stack.Addresses.Admin+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	line := fmt.Sprintf("payouts_callbacks_total{code=%q} ", callback.CodeSignature)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), line); found {
			var count int
			_, err := fmt.Sscan(value, &count)
			return count, err
		}
	}
	return 0, errors.Join(errors.New("the receiver does not count refused callbacks"), lines.Err())
}
