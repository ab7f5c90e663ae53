package tarspay

import (
	"context"
	"encoding/json"
	"time"
)

// Deposit is the answer to CreateDeposit: accepted, not paid. The members that are
// set depend on country and way (EN/165, EN/203, EN/217).
type Deposit struct {
	GatewayID   string // payOrderId
	OrderNumber string // mchOrderNo
	Amount      string // as the gateway writes it
	Currency    string // the gateway's code
	State       State  // orderState: 0 a cashier order, 1 a direct one
	PayURL      string // a hosted page; its host is not stable, treat it as opaque
	PayData     string // account number, QR text or image link, wallet number, deep link
	PayDataType string // only "payurl" has been seen
	// ExpiresAt is the end of the order (expiredTime, Unix seconds), zero if
	// the gateway gave none.
	ExpiresAt time.Time
	// PayWays are the ways the payer may choose from, by kind ("bank",
	// "ewallet", "UPI"; the case varies).
	PayWays       map[string][]PayWay
	AccountName   string // the payee
	AccountNumber string // the payee's account
	Bank          string // typeBank: the payee's bank
	Phone         string // the payee's phone (Vietnam)
	CountryCode   string // lower case: "th", "pk"
	// Extra are all other members as they came: echoes of what was sent and
	// what no page describes. They may hold personal data.
	Extra map[string]json.RawMessage
}

// PayWay is one way a payer may choose on the gateway's own page.
type PayWay struct {
	Way         string // payWay
	Type        string // payWayType
	Code        string // payCode: QR data or the link of its image
	Logo        string // payWayLogo
	CountryCode string
	Extra       map[string]json.RawMessage // id, state, skipMode, createdAt, updatedAt: undocumented
}

// CreateDeposit creates a deposit (EN/159, 165, 179, 185, 191, 197, 203, 211, 217,
// 223, 231).
func (c *Client) CreateDeposit(ctx context.Context, r CreateRequest) (Deposit, error) {
	const operation = OperationCreateDeposit
	members, err := r.members()
	if err != nil {
		return Deposit{}, refused(operation, err)
	}
	data, err := c.call(ctx, request{operation: operation, path: PathCreateDeposit, members: members})
	if err != nil {
		return Deposit{}, err
	}
	deposit, err := readDeposit(data, r.OrderNumber)
	if err != nil {
		return Deposit{}, protocol(operation, err)
	}
	return deposit, nil
}

func readDeposit(data json.RawMessage, orderNumber string) (Deposit, error) {
	f, gatewayID, echoed, err := created(data, orderNumber)
	if err != nil {
		return Deposit{}, err
	}
	deposit := Deposit{
		GatewayID:     gatewayID,
		OrderNumber:   echoed,
		Amount:        f.text("amount"),
		Currency:      f.text("currency"),
		PayURL:        f.text("payUrl"),
		PayData:       f.text("payData"),
		PayDataType:   f.text("payDataType"),
		ExpiresAt:     f.seconds("expiredTime"),
		PayWays:       f.payWays("payWays"),
		AccountName:   f.text("accountName"),
		AccountNumber: f.text("accountNumber"),
		Bank:          f.text("typeBank"),
		Phone:         f.text("phone"),
		CountryCode:   f.text("countryCode"),
	}
	if state, present := f.looseInteger("orderState"); present {
		deposit.State = State(state)
	}
	if echoed == "" {
		deposit.OrderNumber = orderNumber
	}
	deposit.Extra = f.rest()
	return deposit, f.err
}

// payWays reads the object of arrays that samples show. An array, as in the
// tables, is grouped by payWayType.
func (f *fields) payWays(name string) map[string][]PayWay {
	raw := f.take(name)
	if raw == nil {
		return nil
	}
	ways := make(map[string][]PayWay)
	if raw[0] == '[' {
		for _, way := range f.payWayList(name, raw) {
			ways[way.Type] = append(ways[way.Type], way)
		}
		return ways
	}
	kinds, err := readObject(raw)
	if err != nil {
		f.wrong(name, "an object of arrays")
		return nil
	}
	for kind, list := range kinds {
		ways[kind] = f.payWayList(name, list)
	}
	return ways
}

func (f *fields) payWayList(name string, raw json.RawMessage) []PayWay {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		f.wrong(name, "an object of arrays")
		return nil
	}
	ways := make([]PayWay, 0, len(items))
	for _, item := range items {
		members, err := readObject(item)
		if err != nil {
			f.wrong(name, "an object of arrays of objects")
			return nil
		}
		w := fields{members: members}
		way := PayWay{
			Way:         w.text("payWay"),
			Type:        w.text("payWayType"),
			Code:        w.text("payCode"),
			Logo:        w.text("payWayLogo"),
			CountryCode: w.text("countryCode"),
		}
		way.Extra = w.rest()
		if w.err != nil {
			f.wrong(name, "made of ways with text members")
		}
		ways = append(ways, way)
	}
	return ways
}
