package tarspay

import (
	"context"
	"fmt"
)

// PathTrxSubmit is the path of SubmitTrx for one order and transaction
// (tarspay-en.apifox.cn/api-418707020, Bangladesh; marked as in development).
func PathTrxSubmit(gatewayID, trxID string) string { return "/api/bd/" + gatewayID + "/" + trxID }

// SubmitTrx sends the payer's transaction id to the gateway. It is needed when the
// merchant shows its own cashier page: without it no callback comes. The request
// has no body. The page shows no headers for it; we sign it without members, like
// every call that is not public.
func (c *Client) SubmitTrx(ctx context.Context, gatewayID, trxID string) error {
	const operation = OperationTrxSubmit
	for _, part := range []struct{ name, value string }{{"payOrderId", gatewayID}, {"trxId", trxID}} {
		if len(part.value) > maxOrderNumberBytes || !eachByte(part.value, func(b byte) bool { return isDigit(b) || isLetter(b) }) {
			return refused(operation, fmt.Errorf("%w: %s must be 1 to %d letters and digits", ErrRequest, part.name, maxOrderNumberBytes))
		}
	}
	_, err := c.call(ctx, request{operation: operation, path: PathTrxSubmit(gatewayID, trxID), bodiless: true})
	return err
}
