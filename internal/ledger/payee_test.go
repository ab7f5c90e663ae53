package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// supplier is a withdrawal to a wallet, with further members.
func supplier(number, amount, way string, details map[string]string) order.Request {
	r := request(order.Withdrawal, number, amount)
	r.Way, r.Details = way, details
	return r
}

const (
	accountMember = "customerAccountNumber"
	contactMember = "customerContact"
)

// A wallet that was paid before does not lend its name to another one, whatever
// members an order brings along.
func TestAKnownPayeeInDisguise(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		terms := policy(t, "rules:\n  - {kind: withdrawal, country: PK, new_beneficiary: approve}")
		known := map[string]string{accountMember: "03001111111", contactMember: "03001111111"}
		first := supplier("KNOWN", "100", "easypaisa", known)
		open(t, b, first)
		submit(t, b, first.Key(), accepted)
		settle(t, b, first.Key(), paid("100", "0"))
		require.Equal(t, order.Reserved, b.openOn(t, terms, supplier("AGAIN", "100", "easypaisa", known)).State)
		for i, details := range []map[string]string{
			{accountMember: "03009999999"},
			{accountMember: "03009999999", "walletId": "03001111111"},
			{accountMember: "03009999999", contactMember: "03001111111"},
			{accountMember: "03001111111", contactMember: "03009999999"},
			{contactMember: "03009999999", "walletId": "03001111111"},
			{"walletId": "03001111111"},
		} {
			o := b.openOn(t, terms, supplier(fmt.Sprint("DISGUISE-", i), "100", "easypaisa", details))
			require.Equal(t, order.AwaitingApproval, o.State, "%v", details)
		}
		require.Equal(t, order.AwaitingApproval, b.openOn(t, terms, supplier("WALLET", "100", "jazzcash", known)).State, "the same number at another wallet")
		require.Equal(t, order.AwaitingApproval, b.openOn(t, terms, supplier("BANK", "100", "HBL", known)).State, "the same number at another bank")
		b.clean(t)
	})
}

// One wallet under many spellings is one wallet: the day's limit counts them
// together. The door refuses most of the spellings before.
func TestOneWalletUnderManySpellings(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		terms := policy(t, "rules:\n  - {kind: withdrawal, country: PK, per_beneficiary_day: {refuse_above: 3000}}")
		total := 0
		for i, details := range []map[string]string{
			{accountMember: "03001234567"}, {contactMember: "03001234567"}, {accountMember: "+923001234567"}, {accountMember: "00923001234567"},
			{accountMember: "0300.1234567"}, {accountMember: "0300\u200b1234567"}, {accountMember: "０３００１２３４５６７"}, {accountMember: "3001234567"},
		} {
			o := b.openOn(t, terms, supplier(fmt.Sprint("SPELL-", i), "1500", "easypaisa", details))
			if o.State == order.Reserved {
				total += 1500
			}
		}
		require.Equal(t, 3000, total)
		total = 0
		for i, way := range []string{"KEENU", "KEENU Bank", "KEENU – IMD and 1IBFT Screen Addition"} {
			o := b.openOn(t, terms, supplier(fmt.Sprint("WAY-", i), "1500", way, map[string]string{accountMember: "0012345678"}))
			if o.State == order.Reserved {
				total += 1500
			}
		}
		require.Equal(t, 3000, total, "three codes of one bank")
		b.clean(t)
	})
}
