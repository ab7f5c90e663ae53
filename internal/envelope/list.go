package envelope

import (
	"cmp"
	"encoding/hex"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// MaxItems is the most orders of a list.
const MaxItems = 100_000

// maxPath is the most hashes of a proof in a list of MaxItems.
const maxPath = 17

// Item is one order of a list.
type Item struct {
	Merchant    string       `json:"merchant"`
	Number      string       `json:"number"`
	Fingerprint string       `json:"fingerprint"`
	Amount      money.Amount `json:"amount"`
	Requester   string       `json:"requester,omitempty"` // not in the list of a start
}

// List describes many orders in an envelope.
type List struct {
	Count  int            `json:"count"`
	Totals []money.Amount `json:"totals"` // one per currency, sorted by currency
	Root   string         `json:"root"`   // of the Merkle tree over the items, in hex
}

// NewList returns the list of the items, which may be in any order. The codes are
// ENVELOPE_MALFORMED, also for a repeated order, and SUM_TOO_LARGE.
func NewList(items []Item) (List, *order.Refusal) {
	if len(items) == 0 || len(items) > MaxItems {
		return List{}, malformed("a list has 1 to %d orders", MaxItems)
	}
	sorted := sortItems(items)
	totals := make(map[string]money.Amount)
	for i, item := range sorted {
		if refusal := item.check(); refusal != nil {
			return List{}, refusal
		}
		if i > 0 && item.Key() == sorted[i-1].Key() {
			return List{}, malformed("order %s is in the list twice", item.Key())
		}
		if refusal := addTotal(totals, item.Amount); refusal != nil {
			return List{}, refusal
		}
	}
	root, err := tlog.TreeHash(int64(len(sorted)), treeOf(sorted))
	if err != nil {
		panic("envelope: a tree in memory cannot fail to be read: " + err.Error())
	}
	list := List{Count: len(sorted), Root: hex.EncodeToString(root[:])}
	for _, total := range totals {
		list.Totals = append(list.Totals, total)
	}
	slices.SortFunc(list.Totals, func(a, b money.Amount) int { return cmp.Compare(a.Currency(), b.Currency()) })
	return list, nil
}

func addTotal(totals map[string]money.Amount, amount money.Amount) *order.Refusal {
	sum, there := totals[amount.Currency()]
	if !there {
		totals[amount.Currency()] = amount
		return nil
	}
	sum, err := sum.Add(amount)
	if err != nil {
		return order.Refuse(codes.SumTooLarge, "the sum of the list is larger than can be held; make several lists")
	}
	totals[amount.Currency()] = sum
	return nil
}

// Holds refuses items that are not exactly the list's. The code is
// ENVELOPE_LIST_DIFFERS.
func (l List) Holds(items []Item) *order.Refusal {
	made, refusal := NewList(items)
	if refusal != nil || made.Count != l.Count || made.Root != l.Root || !slices.Equal(made.Totals, l.Totals) {
		return order.Refuse(CodeListDiffers, "the orders are not the ones that were signed: %d then, %d now, or one of them differs", l.Count, len(items))
	}
	return nil
}

// Listed is an item with the proof that it is in a list. It says all that can be
// verified of it without the other items.
type Listed struct {
	Item
	Index  int      `json:"index"`  // among the items, sorted by merchant and number, from 0
	Hashes []string `json:"hashes"` // the audit path of RFC 6962, in hex
}

// ListedItems returns the items of a list, sorted, each with its proof.
func ListedItems(items []Item) iter.Seq[Listed] {
	return func(yield func(Listed) bool) {
		sorted := sortItems(items)
		tree := treeOf(sorted)
		for i, item := range sorted {
			path, err := tlog.ProveRecord(int64(len(sorted)), int64(i), tree)
			if err != nil {
				panic("envelope: a tree in memory cannot fail to be read: " + err.Error())
			}
			listed := Listed{Item: item, Index: i, Hashes: make([]string, len(path))}
			for i, hash := range path {
				listed.Hashes[i] = hex.EncodeToString(hash[:])
			}
			if !yield(listed) {
				return
			}
		}
	}
}

// Has refuses an item that its proof does not show to be in the list. The code is
// ENVELOPE_LIST_DIFFERS.
func (l List) Has(item Listed) *order.Refusal {
	differs := order.Refuse(CodeListDiffers, "order %s is not in the list that was signed", item.Key())
	root, ok := hashOf(l.Root)
	path := make(tlog.RecordProof, len(item.Hashes))
	for i, text := range item.Hashes {
		hash, whole := hashOf(text)
		path[i], ok = hash, ok && whole
	}
	if !ok || tlog.CheckRecord(path, int64(l.Count), root, int64(item.Index), tlog.RecordHash(canonical(item.Item))) != nil {
		return differs
	}
	return nil
}

func hashOf(text string) (hash tlog.Hash, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Hash{}, false
	}
	return tlog.Hash(raw), true
}

// Key returns the key of the order.
func (i Item) Key() order.Key { return order.Key{Merchant: i.Merchant, Number: i.Number} }

func (i Item) check() *order.Refusal {
	switch {
	case !i.Key().WellFormed():
		return malformed("an order of the list has no merchant or no number of the right form")
	case !hashForm.MatchString(i.Fingerprint):
		return malformed("order %s of the list has no whole fingerprint", i.Key())
	case !i.Amount.IsPositive() || !i.Amount.Within(money.Most):
		return malformed("order %s of the list has no amount of an order", i.Key())
	}
	return Envelope{Requester: i.Requester}.checkTexts()
}

func sortItems(items []Item) []Item {
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Number, b.Number))
	})
	return sorted
}

// treeOf returns the Merkle tree of sorted items, in memory.
func treeOf(sorted []Item) tlog.HashReader {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i, item := range sorted {
		hashes, err := tlog.StoredHashes(int64(i), canonical(item), reader)
		if err != nil {
			panic("envelope: a tree in memory cannot fail to be read: " + err.Error())
		}
		stored = append(stored, hashes...)
	}
	return reader
}

// checkList checks the form of a list; its content is checked against the items.
func (e Envelope) checkList() *order.Refusal {
	if e.List == nil {
		return nil
	}
	if e.List.Count < 1 || e.List.Count > MaxItems || !hashForm.MatchString(e.List.Root) || len(e.List.Totals) == 0 {
		return malformed("list must have a count of 1 to %d, totals, and a root of 64 digits 0 to 9 and a to f", MaxItems)
	}
	for i, total := range e.List.Totals {
		if !total.IsPositive() || (i > 0 && e.List.Totals[i-1].Currency() >= total.Currency()) {
			return malformed("list.totals must be above zero, one per currency, sorted by currency")
		}
	}
	return nil
}
