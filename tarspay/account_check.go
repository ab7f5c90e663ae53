package tarspay

import (
	"context"
	"encoding/json"
	"fmt"
)

// AccountCheckRequest asks whether an account belongs to a name. All members
// are required.
type AccountCheckRequest struct {
	AccountNumber string // bank card or MoMo number
	Way           string // a payout code of Vietnam
	UserName      string
}

// AccountCheck is the answer. Only the whole name matches, not a part of it.
type AccountCheck struct {
	Matches    bool
	ActualName string // personal data; given only when it does not match
	Extra      map[string]json.RawMessage
}

// CheckAccount asks whether a Vietnamese account belongs to a name
// (ALL/3095254). Its path is in no page: set Options.AccountCheckPath, or the
// error is ErrNoPath.
func (c *Client) CheckAccount(ctx context.Context, r AccountCheckRequest) (AccountCheck, error) {
	const operation = OperationAccountCheck
	data, err := c.call(ctx, request{operation: operation, path: c.options.AccountCheckPath, members: map[string]any{
		"accountNumber": r.AccountNumber,
		"wayCode":       r.Way,
		"userName":      r.UserName,
	}})
	if err != nil {
		return AccountCheck{}, err
	}
	answer, err := readObject(data)
	if err != nil {
		return AccountCheck{}, protocol(operation, fmt.Errorf("data: %w", err))
	}
	f := fields{members: answer}
	check := AccountCheck{Matches: f.boolean("result"), ActualName: f.text("actualUserName")}
	check.Extra = f.rest()
	if f.err != nil {
		return AccountCheck{}, protocol(operation, f.err)
	}
	return check, nil
}
