package tarspay

import (
	"context"
	"encoding/json"
	"fmt"
)

// PathTrxQuery queries a payer's transaction in Bangladesh (EN/205; the page is
// marked as in development).
const PathTrxQuery = "/api/trxQuery"

// Supplement says whether a payment without an order can be assigned to one.
type Supplement int

// The gateway's answers.
const (
	SupplementImpossible Supplement = 0
	SupplementPossible   Supplement = 1
	// SupplementUnsupported: contact the gateway's operations (India only).
	SupplementUnsupported Supplement = 2
)

// Payment is the gateway's answer about a payer's transaction.
type Payment struct {
	Supplement Supplement // status
	Message    string     // "not paid"; free text
	ID         string     // trxId or utr
	Amount     string     // the gateway's text
	UsedBy     string     // mchOrderNo of another order that used it already
	Extra      map[string]json.RawMessage
}

// QueryTrx queries a payer's transaction id, as the wallet shows it.
func (c *Client) QueryTrx(ctx context.Context, trxID string) (Payment, error) {
	return c.queryPayment(ctx, "trxId", trxID, request{operation: OperationTrxQuery, path: PathTrxQuery,
		members: map[string]any{"trxId": trxID}})
}

// queryPayment is the common part of the trx and the UTR query.
func (c *Client) queryPayment(ctx context.Context, idName, id string, r request) (Payment, error) {
	data, err := c.call(ctx, r)
	if err != nil {
		return Payment{}, err
	}
	if data == nil {
		return Payment{}, notFound(r.operation)
	}
	answer, err := readObject(data)
	if err != nil {
		return Payment{}, protocol(r.operation, fmt.Errorf("data: %w", err))
	}
	f := fields{members: answer}
	status, present := f.looseInteger("status")
	if !present {
		f.wrong("status", "there")
	}
	payment := Payment{
		Supplement: Supplement(status),
		Message:    f.text("message"),
		ID:         f.text(idName),
		Amount:     f.text("amount"),
		UsedBy:     f.text("mchOrderNo"),
	}
	payment.Extra = f.rest()
	if f.err == nil {
		f.err = match(idName, id, payment.ID)
	}
	if f.err != nil {
		return Payment{}, protocol(r.operation, f.err)
	}
	return payment, nil
}
