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

// Reference names an order. The gateway takes exactly one of its two numbers:
// the merchant's own is sent when it is given, because it is the one chosen
// before anything went out; the gateway's otherwise. The other one, if given,
// must agree with the answer.
type Reference struct {
	OrderNumber string // mchOrderNo
	GatewayID   string // payOrderId
}

// OrderStatus is where an order stands. Amounts are the gateway's text in its
// currency code. An empty OrderNumber has been seen in samples.
type OrderStatus struct {
	GatewayID   string // payOrderId
	Merchant    string // mchNo
	OrderNumber string // mchOrderNo
	OrderAmount string // what was asked for
	PayAmount   string // what was paid; counts only where State.Paid
	Currency    string // the gateway's code
	Fee         string // the merchant's fee
	State       State
	// Extra are members no page describes, as they came.
	Extra map[string]json.RawMessage
}

// QueryDeposit asks where a deposit stands. ClassNotFound is described at
// Options.NotFoundCodes.
func (c *Client) QueryDeposit(ctx context.Context, reference Reference) (OrderStatus, error) {
	return c.query(ctx, request{operation: OperationQueryDeposit, path: PathQueryDeposit}, reference)
}

// QueryWithdrawal asks where a withdrawal stands.
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

// members is the one number that is sent.
func (r Reference) members() map[string]any {
	if r.OrderNumber == "" {
		return map[string]any{"payOrderId": r.GatewayID}
	}
	return map[string]any{"mchOrderNo": r.OrderNumber}
}

// notFound is our reading of an accepted query without data.
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
