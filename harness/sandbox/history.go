package sandbox

import (
	"cmp"
	"slices"
	"sort"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// history answers ended orders, page by page, the newest first.
//
// Which time startTime and endTime mean is undocumented; here it is the
// order's creation. A refunded order stays listed as the success it was,
// because 5 is not among the states the history knows. What a merchant took out
// itself is listed without an order number.
func (g *Gateway) history(c *call) (any, *refusal) {
	page, numbered := c.integer("pageNumber")
	size, sized := c.integer("pageSize")
	if !numbered || !sized || page < 1 || page > maxPages || size < 1 || size > tarspay.MaxHistoryPageSize {
		return nil, refuse(codeParameter, "pageNumber from 1 and pageSize up to %d", tarspay.MaxHistoryPageSize)
	}
	listed := c.account.listed.find(c)
	total, from := int64(len(listed)), (page-1)*size
	if g.switched(c, switchShiftingHistory) {
		// As if one more record had been added with each page.
		total, from = total+page-1, from-(page-1)
	}
	records := []map[string]any{}
	for i := from; i < min(from+size, int64(len(listed))); i++ {
		records = append(records, g.record(listed[len(listed)-1-int(i)]))
	}
	return map[string]any{
		"current": page, "size": size, "total": total, "pages": (total + size - 1) / size, "records": records,
		"hitCount": false, "searchCount": true, "optimizeCountSql": true, "orders": []any{},
	}, nil
}

// maxPages bounds the page number, so that no offset overflows.
const maxPages = 1_000_000

// listing is an index of what a merchant's history lists: by bizType, sorted by creation. Under
// everyKind it has the records of all types. So a page costs two binary searches and its records.
type listing map[int64][]*order

const everyKind = -1

// find are the records that a history call asks for, the oldest first.
func (l listing) find(c *call) []*order {
	kind, filtered := c.integer("bizType")
	if !filtered {
		kind = everyKind
	}
	found := l[kind]
	if end, ended := c.integer("endTime"); ended {
		found = found[:sort.Search(len(found), func(i int) bool { return found[i].CreatedAt.Unix() > end })]
	}
	if start, started := c.integer("startTime"); started {
		found = found[sort.Search(len(found), func(i int) bool { return found[i].CreatedAt.Unix() >= start }):]
	}
	return found
}

// update adds an order that the history lists, and removes one that it does not list.
func (l listing) update(o *order) {
	for _, kind := range []int64{everyKind, int64(o.Direction)} {
		at, found := slices.BinarySearchFunc(l[kind], o, func(a, b *order) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		switch listed := o.recordState() != 0; {
		case listed && !found:
			l[kind] = slices.Insert(l[kind], at, o)
		case !listed && found:
			l[kind] = slices.Delete(l[kind], at, at+1)
		}
	}
}

// recordState is the state a history shows, 0 for an order it does not list.
func (o *order) recordState() tarspay.State {
	switch o.State {
	case tarspay.StateSucceeded, tarspay.StateFailed, tarspay.StateRejected, tarspay.StatePartial:
		return o.State
	case tarspay.StateRefunded:
		return tarspay.StateSucceeded
	default:
		return 0
	}
}

// record is one line of the history: amount is what was settled, net of the
// fee for a deposit and without it for a withdrawal.
func (g *Gateway) record(o *order) map[string]any {
	a, settled, fee, succeeded := g.book.accounts[o.Merchant], int64(0), int64(0), int64(0)
	if len(o.PaidAt) > 0 {
		settled, fee = o.settled(), o.Fee.Minor()
		succeeded = o.PaidAt[len(o.PaidAt)-1].Unix()
	}
	way, _ := a.profile.Way(o.Direction, o.Way)
	return map[string]any{
		"amount": a.text(settled), "orderAmount": o.Amount.Short(), "mchFeeAmount": a.text(fee), "currency": a.profile.GatewayCurrency,
		"bizType": int(o.Direction), "createdAt": o.CreatedAt.Unix(), "successTime": succeeded, "state": int(o.recordState()),
		"mchNo": o.Merchant, "mchName": "Sandbox merchant " + o.Merchant, "mchOrderNo": o.Number, "payOrderId": o.ID,
		"payWay": o.Way, "payWayType": way.Kind, "payerName": o.Party.Name, "bankCard": o.Party.Account,
		"bankName": o.Party.Bank, "mobilePhone": o.Party.Phone,
	}
}

// settled is what a paid order moved, in minor units.
func (o *order) settled() int64 {
	if o.Direction == tarspay.DirectionWithdrawal {
		return o.Amount.Minor()
	}
	paid := o.Paid.Minor()
	if o.State == tarspay.StateRefunded {
		paid = o.Amount.Minor()
	}
	return paid - o.Fee.Minor()
}
