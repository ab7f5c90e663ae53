package tarspay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
)

// PathTrxSupplement assigns a payer's transaction to an unpaid order (EN/206,
// Bangladesh; the page is marked as in development).
const PathTrxSupplement = "/api/trxSupplement"

// SupplementResult is the answer to a supplement.
type SupplementResult struct {
	Done        bool   // status 1; any other status is a failure
	Message     string // free text
	OrderNumber string // mchOrderNo
	GatewayID   string // payOrderId
	ID          string // trxId or utr
	Extra       map[string]json.RawMessage
}

// SupplementTrx assigns the payment with a transaction id to an order that the
// gateway does not know as paid. It can change the order's state: after
// Error.OutcomeUnknown query the order.
func (c *Client) SupplementTrx(ctx context.Context, trxID, orderNumber string) (SupplementResult, error) {
	return c.supplement(ctx, "trxId", trxID, orderNumber, request{operation: OperationTrxSupplement, path: PathTrxSupplement})
}

// supplement is the common part of the trx and the UTR supplement.
func (c *Client) supplement(ctx context.Context, idName, id, orderNumber string, r request) (SupplementResult, error) {
	r.members = map[string]any{idName: id, "mchOrderNo": orderNumber}
	data, err := c.call(ctx, r)
	if err != nil {
		return SupplementResult{}, err
	}
	answer, err := readObject(data)
	if err != nil {
		return SupplementResult{}, protocol(r.operation, fmt.Errorf("data: %w", err))
	}
	f := fields{members: answer}
	status, present := f.looseInteger("status")
	if !present {
		f.wrong("status", "there")
	}
	result := SupplementResult{
		Done:        status == 1,
		Message:     f.text("message"),
		OrderNumber: f.text("mchOrderNo"),
		GatewayID:   f.text("payOrderId"),
		ID:          f.text(idName),
	}
	result.Extra = f.rest()
	err = cmp.Or(f.err, match("mchOrderNo", orderNumber, result.OrderNumber), match(idName, id, result.ID))
	if err != nil {
		return SupplementResult{}, protocol(r.operation, err)
	}
	return result, nil
}
