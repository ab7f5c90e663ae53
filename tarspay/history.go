package tarspay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// PathHistory is the transaction history (ALL/3095258, ALL/3095254): described
// by the older pages of Thailand and Vietnam, absent from the newer menus.
const PathHistory = "/api/transInfo"

// MaxHistoryPageSize is the most records the gateway puts on a page.
const MaxHistoryPageSize = 50

// maxHistoryPages bounds HistoryAll, in case the gateway never reports a last page.
const maxHistoryPages = 100_000

// ErrHistoryShifted means that the number of records changed while their pages
// were being read: some may have been missed. Read again.
var ErrHistoryShifted = errors.New("history changed while it was being read")

// HistoryKind is the bizType of a history record; orders have the first two.
type HistoryKind int

// The kinds of history records.
const (
	HistoryAny            HistoryKind = 0 // in a request: all kinds
	HistoryDeposit        HistoryKind = 1
	HistoryWithdrawal     HistoryKind = 2
	HistoryUSDTWithdrawal HistoryKind = 3 // the merchant's own, in USDT
	HistoryOwnWithdrawal  HistoryKind = 4 // the merchant's own
)

// HistoryRequest selects records. The gateway lists ended orders only. Choose a
// To in the past, so that new records do not shift the pages.
type HistoryRequest struct {
	Kind     HistoryKind
	From, To time.Time // sent as Unix seconds; zero is open
	Page     int       // from 1; 0 is 1
	PageSize int       // 0 is MaxHistoryPageSize
}

// HistoryPage is one page of records.
type HistoryPage struct {
	Records []HistoryRecord
	Page    int // this page, from 1
	Pages   int // how many there are
	Total   int // records on all of them
	// Extra are the paging library's own members: hitCount, orders and others.
	Extra map[string]json.RawMessage
}

// HistoryRecord is one ended transaction. Amounts are the gateway's text.
type HistoryRecord struct {
	Kind        HistoryKind
	GatewayID   string // payOrderId
	OrderNumber string // mchOrderNo
	Merchant    string // mchNo
	State       State  // 2, 3, 8 or 9
	Currency    string // the gateway's code
	OrderAmount string // what was asked for
	// Amount is by how much the merchant's balance changed: of a deposit, the
	// amount less the fee; of a payout or withdrawal, the amount, to which the fee
	// comes in addition.
	Amount      string
	Fee         string // mchFeeAmount
	CreatedAt   time.Time
	SucceededAt time.Time // zero if it never did
	Way         string    // payWay
	WayType     string    // payWayType
	// The payer or payee; personal data.
	PayerName, BankName, BankCard, Phone string
	// Extra are mchName and members no page describes.
	Extra map[string]json.RawMessage
}

// History reads one page.
func (c *Client) History(ctx context.Context, r HistoryRequest) (HistoryPage, error) {
	const operation = OperationHistory
	members, err := r.members()
	if err != nil {
		return HistoryPage{}, refused(operation, err)
	}
	data, err := c.call(ctx, request{operation: operation, path: PathHistory, members: members})
	if err != nil {
		return HistoryPage{}, err
	}
	page, err := readHistoryPage(data)
	if err != nil {
		return HistoryPage{}, protocol(operation, err)
	}
	for _, record := range page.Records {
		if err := match("mchNo", c.merchant, record.Merchant); err != nil {
			return HistoryPage{}, protocol(operation, err)
		}
	}
	return page, nil
}

// HistoryAll reads all pages from r.Page on and yields each record once. A newer
// record may push one to the next page; that repetition is skipped. A failed page
// ends the sequence with its error. If the number of records changed meanwhile,
// the sequence ends with ErrHistoryShifted.
func (c *Client) HistoryAll(ctx context.Context, r HistoryRequest) iter.Seq2[HistoryRecord, error] {
	return func(yield func(HistoryRecord, error) bool) {
		before := make(map[string]bool)
		first := -1
		for r.Page = max(r.Page, 1); r.Page <= maxHistoryPages; r.Page++ {
			page, err := c.History(ctx, r)
			if err != nil {
				yield(HistoryRecord{}, err)
				return
			}
			if first < 0 {
				first = page.Total
			}
			now := make(map[string]bool, len(page.Records))
			for _, record := range page.Records {
				identity := fmt.Sprintf("%d/%s/%d", record.Kind, record.GatewayID, record.State)
				now[identity] = true
				if !before[identity] && !yield(record, nil) {
					return
				}
			}
			if len(page.Records) == 0 || r.Page >= page.Pages {
				if page.Total != first {
					yield(HistoryRecord{}, ErrHistoryShifted)
				}
				return
			}
			before = now
		}
		yield(HistoryRecord{}, protocol(OperationHistory, fmt.Errorf("more than %d pages", maxHistoryPages)))
	}
}

func (r HistoryRequest) members() (map[string]any, error) {
	if r.Page < 0 || r.PageSize < 0 || r.PageSize > MaxHistoryPageSize {
		return nil, fmt.Errorf("%w: pages count from 1 and hold at most %d records", ErrRequest, MaxHistoryPageSize)
	}
	if r.Kind < HistoryAny || r.Kind > HistoryOwnWithdrawal {
		return nil, fmt.Errorf("%w: no such kind of record", ErrRequest)
	}
	members := map[string]any{"pageNumber": max(r.Page, 1), "pageSize": MaxHistoryPageSize}
	if r.PageSize > 0 {
		members["pageSize"] = r.PageSize
	}
	if r.Kind != HistoryAny {
		members["bizType"] = int(r.Kind)
	}
	if !r.From.IsZero() {
		members["startTime"] = r.From.Unix()
	}
	if !r.To.IsZero() {
		members["endTime"] = r.To.Unix()
	}
	return members, nil
}

func readHistoryPage(data json.RawMessage) (HistoryPage, error) {
	if data == nil {
		return HistoryPage{}, errors.New("accepted, but there is no data")
	}
	members, err := readObject(data)
	if err != nil {
		return HistoryPage{}, fmt.Errorf("data: %w", err)
	}
	f := fields{members: members}
	raw := f.take("records")
	var page HistoryPage
	for _, count := range []struct {
		name   string
		target *int
	}{{"current", &page.Page}, {"pages", &page.Pages}, {"total", &page.Total}} {
		value, present := f.looseInteger(count.name)
		if !present || value < 0 {
			f.wrong(count.name, "a count")
		}
		*count.target = value
	}
	page.Extra = f.rest()
	var items []json.RawMessage
	if f.err == nil && json.Unmarshal(raw, &items) != nil {
		f.wrong("records", "an array")
	}
	if f.err != nil {
		return HistoryPage{}, f.err
	}
	for _, item := range items {
		record, err := readHistoryRecord(item)
		if err != nil {
			return HistoryPage{}, err
		}
		page.Records = append(page.Records, record)
	}
	return page, nil
}

func readHistoryRecord(item json.RawMessage) (HistoryRecord, error) {
	members, err := readObject(item)
	if err != nil {
		return HistoryRecord{}, fmt.Errorf("record: %w", err)
	}
	f := fields{members: members}
	kind, _ := f.looseInteger("bizType")
	record := HistoryRecord{
		Kind:        HistoryKind(kind),
		GatewayID:   f.text("payOrderId"),
		OrderNumber: f.text("mchOrderNo"),
		Merchant:    f.text("mchNo"),
		State:       f.state("state"),
		Currency:    f.text("currency"),
		OrderAmount: f.text("orderAmount"),
		Amount:      f.text("amount"),
		Fee:         f.text("mchFeeAmount"),
		CreatedAt:   f.seconds("createdAt"),
		SucceededAt: f.seconds("successTime"),
		Way:         f.text("payWay"),
		WayType:     f.text("payWayType"),
		PayerName:   f.text("payerName"),
		BankName:    f.text("bankName"),
		BankCard:    f.text("bankCard"),
		Phone:       f.text("mobilePhone"),
	}
	if record.GatewayID == "" {
		f.wrong("payOrderId", "there")
	}
	record.Extra = f.rest()
	return record, f.err
}
