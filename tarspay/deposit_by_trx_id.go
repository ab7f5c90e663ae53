package tarspay

import (
	"cmp"
	"context"
)

// PathDepositByTrxID finds a Brazilian deposit by its PIX id (EN/225).
const PathDepositByTrxID = "/api/orderInfo/trxId"

// DepositByTrxID finds a deposit by the end-to-end id of its PIX payment, like
// "E0000000020231214031156667989769". The answer is cut off on the page and
// taken to be that of QueryDeposit; ClassNotFound when there is none.
func (c *Client) DepositByTrxID(ctx context.Context, trxID string) (OrderStatus, error) {
	const operation = OperationDepositByTrxID
	data, err := c.call(ctx, request{operation: operation, path: PathDepositByTrxID, members: map[string]any{"trxId": trxID}})
	if err != nil {
		return OrderStatus{}, err
	}
	if data == nil {
		return OrderStatus{}, notFound(operation)
	}
	status, err := readOrderStatus(data)
	if err = cmp.Or(err, match("mchNo", c.merchant, status.Merchant)); err != nil {
		return OrderStatus{}, protocol(operation, err)
	}
	return status, nil
}
