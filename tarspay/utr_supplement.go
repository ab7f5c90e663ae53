package tarspay

import "context"

// PathUTRSupplementGuess is the path of the UTR supplement if it is like
// Bangladesh's. No page confirms it, so it is not the default.
const PathUTRSupplementGuess = "/api/utrSupplement"

// SupplementUTR assigns the payment with a UTR to an order in India. Its path and
// members are undocumented. Set Options.UTRSupplementPath, or the error is
// ErrNoPath. The members are those of SupplementTrx, with utr in place of trxId.
func (c *Client) SupplementUTR(ctx context.Context, utr, orderNumber string) (SupplementResult, error) {
	return c.supplement(ctx, "utr", utr, orderNumber, request{operation: OperationUTRSupplement, path: c.options.UTRSupplementPath})
}
