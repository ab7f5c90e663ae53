package tarspay

import "context"

// PathUTRQuery queries a payer's UTR in India (EN/167; the page is marked as in
// development).
const PathUTRQuery = "/api/utrQuery"

// QueryUTR queries whether the payment with a UTR can be assigned to an order.
func (c *Client) QueryUTR(ctx context.Context, utr, orderNumber string) (Payment, error) {
	return c.queryPayment(ctx, "utr", utr, request{operation: OperationUTRQuery, path: PathUTRQuery,
		members: map[string]any{"utr": utr, "mchOrderNo": orderNumber}})
}
