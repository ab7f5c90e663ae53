package envelope

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func items(t *testing.T) []Item {
	t.Helper()
	return []Item{
		{"M1001", "W-2", fingerprint, amount(t, "100", "PKR"), "bilal"},
		{"M1001", "W-1", fingerprint, amount(t, "250.5", "PKR"), "bilal"},
		{"M1002", "W-1", fingerprint, amount(t, "70", "VND"), "billing"},
	}
}

func TestNewList(t *testing.T) {
	t.Parallel()
	list, refusal := NewList(items(t))
	require.Nil(t, refusal)
	assert.Equal(t, 3, list.Count)
	assert.Equal(t, []money.Amount{amount(t, "350.5", "PKR"), amount(t, "70", "VND")}, list.Totals)

	// The root by hand, as RFC 6962 says: 00 before a leaf, 01 before a node.
	leaf := func(merchant, number, value, currency, requester string) [32]byte {
		return sha256.Sum256([]byte("\x00" + fmt.Sprintf(`{"amount":{"currency":"%s","value":"%s"},"fingerprint":"%s","merchant":"%s","number":"%s","requester":"%s"}`,
			currency, value, fingerprint, merchant, number, requester)))
	}
	node := func(left, right [32]byte) [32]byte {
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
	root := node(node(leaf("M1001", "W-1", "250.50", "PKR", "bilal"), leaf("M1001", "W-2", "100.00", "PKR", "bilal")), leaf("M1002", "W-1", "70", "VND", "billing"))
	assert.Equal(t, hex.EncodeToString(root[:]), list.Root)

	reversed := items(t)
	slices.Reverse(reversed)
	again, refusal := NewList(reversed)
	require.Nil(t, refusal)
	assert.Equal(t, list, again)
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	huge, err := money.Minor(money.Most, "PKR")
	require.NoError(t, err)
	var sums []Item
	for i := range 10_000 {
		sums = append(sums, Item{"M1001", fmt.Sprint(i), fingerprint, huge, ""})
	}
	for name, c := range map[string]struct {
		items []Item
		code  string
	}{
		"nothing":        {nil, CodeMalformed},
		"an order twice": {append(items(t), items(t)[0]), CodeMalformed},
		"too many":       {make([]Item, MaxItems+1), CodeMalformed},
		"no amount":      {[]Item{{"M1001", "W-1", fingerprint, money.Amount{}, ""}}, CodeMalformed},
		"no fingerprint": {[]Item{{"M1001", "W-1", "", amount(t, "1", "PKR"), ""}}, CodeMalformed},
		"no number":      {[]Item{{"M1001", "", fingerprint, amount(t, "1", "PKR"), ""}}, CodeMalformed},
		"a sum too big":  {sums, codes.SumTooLarge},
	} {
		_, refusal := NewList(c.items)
		assert.Equal(t, c.code, codeOf(refusal), name)
	}
}

func TestListHolds(t *testing.T) {
	t.Parallel()
	list, refusal := NewList(items(t))
	require.Nil(t, refusal)
	assert.Nil(t, list.Holds(items(t)))
	for name, change := range map[string]func([]Item) []Item{
		"one less":          func(items []Item) []Item { return items[:2] },
		"another amount":    func(items []Item) []Item { items[0].Amount = amount(t, "100.01", "PKR"); return items },
		"another content":   func(items []Item) []Item { items[0].Fingerprint = "0" + fingerprint[1:]; return items },
		"another requester": func(items []Item) []Item { items[0].Requester = "amina"; return items },
	} {
		assert.Equal(t, CodeListDiffers, codeOf(list.Holds(change(items(t)))), name)
	}
	altered := list
	altered.Totals = []money.Amount{amount(t, "1", "PKR"), amount(t, "70", "VND")}
	assert.Equal(t, CodeListDiffers, codeOf(altered.Holds(items(t))), "totals")
	altered = list
	altered.Count = 2
	assert.Equal(t, CodeListDiffers, codeOf(altered.Holds(items(t))), "count")
}

func TestListedItems(t *testing.T) {
	t.Parallel()
	var many []Item
	for i := range 37 {
		many = append(many, Item{"M1001", fmt.Sprintf("W-%d", i), fingerprint, amount(t, "10", "PKR"), "bilal"})
	}
	list, refusal := NewList(many)
	require.Nil(t, refusal)
	listed := slices.Collect(ListedItems(many))
	require.Len(t, listed, 37)
	for i, item := range listed {
		assert.Contains(t, many, item.Item)
		assert.Nil(t, list.Has(item))

		other := item
		other.Amount = amount(t, "11", "PKR")
		assert.Equal(t, CodeListDiffers, codeOf(list.Has(other)))
		other = item
		other.Item = listed[(i+1)%len(listed)].Item
		assert.Equal(t, CodeListDiffers, codeOf(list.Has(other)))
	}
	hashes := listed[0].Hashes
	for _, broken := range []Listed{{}, {Index: -1, Hashes: hashes}, {Index: 99, Hashes: hashes}, {Hashes: []string{"x"}}} {
		broken.Item = listed[0].Item
		assert.Equal(t, CodeListDiffers, codeOf(list.Has(broken)))
	}
}

// A proof of the largest list is small enough to be sent for each of its orders.
func TestTheLargestList(t *testing.T) {
	t.Parallel()
	many := make([]Item, MaxItems)
	for i := range many {
		many[i] = Item{"M1700000001", fmt.Sprintf("PAYROLL-2026-11-%06d", i), fingerprint, amount(t, "10", "PKR"), "bilal"}
	}
	list, refusal := NewList(many)
	require.Nil(t, refusal)
	e := approval(t)
	asList(&e, list)
	s := signed(t, e, signerOf(t, "amina"))
	for item := range ListedItems(many) {
		require.Nil(t, list.Has(item))
		action, err := s.ActionOn(item)
		require.NoError(t, err)
		sent, err := json.Marshal(action)
		require.NoError(t, err)
		assert.Len(t, item.Hashes, maxPath)
		assert.Less(t, len(sent), 2600)
		back, refusal := ReadItem(action.Item)
		require.Nil(t, refusal)
		assert.Equal(t, item, back)
		approves, _ := order.Plain(action)
		assert.Equal(t, order.Approval{ID: e.ID, By: "amina", Fingerprint: fingerprint, Why: e.Reason}, approves)

		item.Hashes = append(item.Hashes, item.Hashes[0])
		long, err := json.Marshal(item)
		require.NoError(t, err)
		_, refusal = ReadItem(long)
		assert.Equal(t, CodeListDiffers, codeOf(refusal))
		break
	}
}
