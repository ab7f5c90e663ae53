package tarspay

import "context"

// PathUTRQuery asks about a payer's UTR in India (EN/167; the page is marked
// as in development).
const PathUTRQuery = "/api/utrQuery"

// QueryUTR asks whether the payment with a UTR can be put on an order.
func (c *Client) QueryUTR(ctx context.Context, utr, orderNumber string) (Payment, error) {
	return c.queryPayment(ctx, "utr", utr, request{operation: OperationUTRQuery, path: PathUTRQuery,
		members: map[string]any{"utr": utr, "mchOrderNo": orderNumber}})
}
