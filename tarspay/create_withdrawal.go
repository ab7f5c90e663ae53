package tarspay

import (
	"context"
	"encoding/json"
)

// Withdrawal is the answer to CreateWithdrawal: accepted, not paid out. The
// gateway says no more than the two numbers (EN/207, 213).
type Withdrawal struct {
	GatewayID   string // payOrderId
	OrderNumber string // mchOrderNo
	// Extra are members no page describes, as they came.
	Extra map[string]json.RawMessage
}

// CreateWithdrawal creates a payout (EN/169, 181, 187, 207, 213, 219).
func (c *Client) CreateWithdrawal(ctx context.Context, r CreateRequest) (Withdrawal, error) {
	const operation = OperationCreateWithdrawal
	members, err := r.members()
	if err != nil {
		return Withdrawal{}, refused(operation, err)
	}
	data, err := c.call(ctx, request{operation: operation, path: PathCreateWithdrawal, members: members})
	if err != nil {
		return Withdrawal{}, err
	}
	f, gatewayID, echoed, err := created(data, r.OrderNumber)
	if err != nil {
		return Withdrawal{}, protocol(operation, err)
	}
	if echoed == "" {
		echoed = r.OrderNumber
	}
	return Withdrawal{GatewayID: gatewayID, OrderNumber: echoed, Extra: f.rest()}, nil
}
