package tarspay

import (
	"context"
	"encoding/json"
)

// PathPayoutProof is the certificate of a Brazilian payout (EN/228).
const PathPayoutProof = "/api/payOutProof"

// PayoutProof is the certificate of a payout. No page shows the answer, so it is
// returned as it was received: an object, a text or a link.
type PayoutProof struct {
	Data json.RawMessage
}

// PayoutProof returns the certificate of a payout. The error is ClassNotFound if
// there is none.
func (c *Client) PayoutProof(ctx context.Context, reference Reference) (PayoutProof, error) {
	const operation = OperationPayoutProof
	data, err := c.call(ctx, request{operation: operation, path: PathPayoutProof, members: reference.members()})
	if err != nil {
		return PayoutProof{}, err
	}
	if data == nil {
		return PayoutProof{}, notFound(operation)
	}
	return PayoutProof{Data: data}, nil
}
