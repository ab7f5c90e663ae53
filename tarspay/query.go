package tarspay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Paths of the order queries (ALL/3095258, EN/214).
const (
	PathQueryDeposit    = "/api/payInInfo"
	PathQueryWithdrawal = "/api/payOutInfo"
)

// Reference names an order. The gateway takes exactly one of its two numbers. The
// merchant's number is sent if it is set, because it is known before a create is
// sent; otherwise the gateway's. If both are set, the other one must agree with
// the answer.
type Reference struct {
	OrderNumber string // mchOrderNo
	GatewayID   string // payOrderId
}

// OrderStatus is the gateway's answer to a query. Amounts are the gateway's text,
// in its currency. Some samples have an empty OrderNumber.
type OrderStatus struct {
	GatewayID   string // payOrderId
	Merchant    string // mchNo
	OrderNumber string // mchOrderNo
	OrderAmount string // what was asked for
	PayAmount   string // the paid amount; valid only if State.Paid
	Currency    string // the gateway's code
	Fee         string // the merchant's fee
	State       State
	// Extra are members no page describes, as they came.
	Extra map[string]json.RawMessage
}

// QueryDeposit queries a deposit. ClassNotFound is described at
// Options.NotFoundCodes.
func (c *Client) QueryDeposit(ctx context.Context, reference Reference) (OrderStatus, error) {
	return c.query(ctx, request{operation: OperationQueryDeposit, path: PathQueryDeposit}, reference)
}

// QueryWithdrawal queries a withdrawal.
func (c *Client) QueryWithdrawal(ctx context.Context, reference Reference) (OrderStatus, error) {
	return c.query(ctx, request{operation: OperationQueryWithdrawal, path: PathQueryWithdrawal}, reference)
}

func (c *Client) query(ctx context.Context, r request, reference Reference) (OrderStatus, error) {
	r.members = reference.members()
	data, err := c.call(ctx, r)
	if err != nil {
		return OrderStatus{}, err
	}
	if data == nil {
		return OrderStatus{}, notFound(r.operation)
	}
	status, err := readOrderStatus(data)
	err = cmp.Or(err,
		match("mchNo", c.merchant, status.Merchant),
		match("mchOrderNo", reference.OrderNumber, status.OrderNumber),
		match("payOrderId", reference.GatewayID, status.GatewayID))
	if err != nil {
		return OrderStatus{}, protocol(r.operation, err)
	}
	return status, nil
}

// members returns the number that is sent.
func (r Reference) members() map[string]any {
	if r.OrderNumber == "" {
		return map[string]any{"payOrderId": r.GatewayID}
	}
	return map[string]any{"mchOrderNo": r.OrderNumber}
}

// notFound returns the error for an accepted query without data, which we take for
// "no such order".
func notFound(operation Operation) *Error {
	e := protocol(operation, errors.New("accepted, but there is no data"))
	e.Class = ClassNotFound
	return e
}

func readOrderStatus(data json.RawMessage) (OrderStatus, error) {
	members, err := readObject(data)
	if err != nil {
		return OrderStatus{}, fmt.Errorf("data: %w", err)
	}
	f := fields{members: members}
	status := OrderStatus{
		GatewayID:   f.text("payOrderId"),
		Merchant:    f.text("mchNo"),
		OrderNumber: f.text("mchOrderNo"),
		OrderAmount: f.text("orderAmount"),
		PayAmount:   f.text("payAmount"),
		Currency:    f.text("currency"),
		Fee:         f.text("fee"),
		State:       f.state("state"),
	}
	status.Extra = f.rest()
	return status, f.err
}
