package tarspay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// PathBalance is the balance query (ALL/3095258, EN/189, 221, 229).
const PathBalance = "/api/balanceInfo"

// Balance is what the gateway holds for a merchant number. There is no
// currency in the answer: a merchant number has one.
type Balance struct {
	Merchant  string // mchNo
	Available string // availableAmount, text as the gateway writes it
	Frozen    string // frozenAmount: held for payouts under way
	// Extra are members no page describes, as they came.
	Extra map[string]json.RawMessage
}

// Balance asks for the merchant's balance.
func (c *Client) Balance(ctx context.Context) (Balance, error) {
	const operation = OperationBalance
	data, err := c.call(ctx, request{operation: operation, path: PathBalance})
	if err != nil {
		return Balance{}, err
	}
	balance, err := readBalance(data)
	if err == nil {
		err = match("mchNo", c.merchant, balance.Merchant)
	}
	if err != nil {
		return Balance{}, protocol(operation, err)
	}
	return balance, nil
}

func readBalance(data json.RawMessage) (Balance, error) {
	if data == nil {
		return Balance{}, errors.New("accepted, but there is no data")
	}
	members, err := readObject(data)
	if err != nil {
		return Balance{}, fmt.Errorf("data: %w", err)
	}
	f := fields{members: members}
	balance := Balance{
		Merchant:  f.text("mchNo"),
		Available: f.text("availableAmount"),
		Frozen:    f.text("frozenAmount"),
	}
	if balance.Available == "" || balance.Frozen == "" {
		f.wrong("availableAmount or frozenAmount", "an amount")
	}
	balance.Extra = f.rest()
	return balance, f.err
}
