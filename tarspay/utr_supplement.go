package tarspay

import "context"

// PathUTRSupplementGuess is where the UTR supplement is by symmetry with
// Bangladesh's. No page confirms it, so it is not the default.
const PathUTRSupplementGuess = "/api/utrSupplement"

// SupplementUTR puts the payment with a UTR on an order in India. Path and
// members are in no page: set Options.UTRSupplementPath, or the error is
// ErrNoPath; the members are those of SupplementTrx with utr for trxId.
func (c *Client) SupplementUTR(ctx context.Context, utr, orderNumber string) (SupplementResult, error) {
	return c.supplement(ctx, "utr", utr, orderNumber, request{operation: OperationUTRSupplement, path: c.options.UTRSupplementPath})
}
