package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// paid is a withdrawal that ended an hour before noon, and the gateway's record of it.
func paid() Match {
	return Match{
		Merchant: "M1",
		Record: Record{
			GatewayID: "P1", Number: "W1", Kind: tarspay.HistoryWithdrawal, State: tarspay.StateSucceeded, Currency: "PKR",
			Amount: 10000, Paid: 10000, Fee: 200, CreatedAt: noon.Add(-2 * time.Hour), Source: Listed,
		},
		Order: &Order{
			Kind: order.Withdrawal, State: order.Succeeded, GatewayID: "P1", Currency: "PKR",
			Amount: 10000, Paid: 10000, Fee: 200, UpdatedAt: noon.Add(-time.Hour),
		},
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	differs := func(code, mark, detail string) Comparison {
		return Comparison{Differences: []Difference{{
			Key: order.Key{Merchant: "M1", Number: "W1"}, Code: code, Mark: mark, Detail: detail, Currency: "PKR", Stake: 10000,
		}}}
	}
	ended := func(c Comparison) Comparison {
		c.Compared = 1
		return c
	}
	// stake returns the comparison with another stake, and the difference if an amount differs.
	stake := func(c Comparison, currency string, stake, delta int64) Comparison {
		c.Differences[0].Currency, c.Differences[0].Stake, c.Differences[0].Delta = currency, stake, delta
		return c
	}
	agreed := Comparison{Agreed: []Agreement{{Key: order.Key{Merchant: "M1", Number: "W1"}, GatewayID: "P1"}}}
	ownAgreed := Comparison{Agreed: []Agreement{{Key: order.Key{Merchant: "M1", Number: "P1"}, GatewayID: "P1"}}}
	doubtful := Comparison{Doubtful: []order.Key{{Merchant: "M1", Number: "W1"}}}
	own := func(m *Match) { m.Kind, m.Number, m.Order = tarspay.HistoryOwnWithdrawal, "", nil }
	for name, test := range map[string]struct {
		change func(*Match)
		want   Comparison
	}{
		"equal":                      {func(*Match) {}, ended(agreed)},
		"direction":                  {func(m *Match) { m.Kind = tarspay.HistoryDeposit }, ended(differs("RECORD_DIFFERS", "P1 direction", "gateway order P1: direction: deposit at the gateway, withdrawal here"))},
		"currency":                   {func(m *Match) { m.Currency = "VND" }, ended(stake(differs("RECORD_DIFFERS", "P1 currency", "gateway order P1: currency: VND at the gateway, PKR here"), "VND", 10000, 0))},
		"amount":                     {func(m *Match) { m.Amount = Unreadable }, ended(stake(differs("RECORD_DIFFERS", "P1 amount", "gateway order P1: amount: an amount that cannot be read at the gateway, 100.00 PKR here"), "", 0, 0))},
		"a larger amount":            {func(m *Match) { m.Amount = 10001 }, ended(stake(differs("RECORD_DIFFERS", "P1 amount", "gateway order P1: amount: 100.01 PKR at the gateway, 100.00 PKR here"), "PKR", 1, 1))},
		"paid":                       {func(m *Match) { m.Paid = 9900 }, ended(stake(differs("RECORD_DIFFERS", "P1 paid", "gateway order P1: paid: 99.00 PKR at the gateway, 100.00 PKR here"), "PKR", 100, -100))},
		"fee":                        {func(m *Match) { m.Fee = 201 }, ended(stake(differs("RECORD_DIFFERS", "P1 fee", "gateway order P1: fee: 2.01 PKR at the gateway, 2.00 PKR here"), "PKR", 1, 1))},
		"a fee that nobody can read": {func(m *Match) { m.Fee, m.Order.FeeText = Unreadable, "1,5" }, ended(agreed)},
		"another end":                {func(m *Match) { m.State, m.Paid = tarspay.StateFailed, 0 }, ended(doubtful)},
		"open here":                  {func(m *Match) { m.Order.State, m.Amount = order.Submitted, 1 }, Comparison{}},
		"not sent here":              {func(m *Match) { m.Order.State, m.Order.GatewayID = order.Reserved, "" }, doubtful},
		"ended just now":             {func(m *Match) { m.Order.UpdatedAt, m.Amount = noon, 1 }, Comparison{}},
		"second order":               {func(m *Match) { m.Order.GatewayID = "P0" }, differs("NUMBER_USED_TWICE", "P1", "gateway order P1: the gateway has a second order of this number, a withdrawal of 100.00 PKR: succeeded")},
		"second record":              {func(m *Match) { m.Order.GatewayID, m.Earlier = "", 1 }, differs("NUMBER_USED_TWICE", "P1", "gateway order P1: the gateway has a second order of this number, a withdrawal of 100.00 PKR: succeeded")},
		"no order":                   {func(m *Match) { m.Order = nil }, differs("RECORD_WITHOUT_ORDER", "P1 state succeeded", "gateway order P1: the gateway has a withdrawal of 100.00 PKR that we do not have: succeeded")},
		"no order, before the books": {func(m *Match) { m.Order, m.CreatedAt = nil, noon.Add(-25*time.Hour) }, Comparison{}},
		"own withdrawal, booked":     {func(m *Match) { own(m); m.Booked = true }, ownAgreed},
		"own withdrawal, not paid":   {func(m *Match) { own(m); m.State = tarspay.StateFailed }, ownAgreed},
		"own withdrawal": {own, Comparison{Differences: []Difference{{
			Key: order.Key{Merchant: "M1", Number: "P1"}, Code: codes.DiscrepancyOwnWithdrawal, Mark: "P1",
			Detail: "gateway order P1: the merchant took 100.00 PKR out at the gateway, fee 2.00 PKR", Currency: "PKR", Stake: 10000,
		}}}},
	} {
		m := paid()
		test.change(&m)
		require.Equal(t, test.want, Compare([]Match{m}, noon.Add(-24*time.Hour), noon), name)
	}
	m := paid()
	m.Order = nil
	require.Equal(t, Comparison{}, Compare([]Match{m}, time.Time{}, noon), "no books")
}

func TestRecordsOfSources(t *testing.T) {
	t.Parallel()
	profile, known := tarspay.Country("PK")
	require.True(t, known)
	withdrawal := Record{
		GatewayID: "P1", Number: "W1", Kind: tarspay.HistoryWithdrawal, State: tarspay.StateSucceeded, Currency: "PKR", Amount: 10000, Paid: 10000, Fee: 200,
	}
	listed, answered := withdrawal, withdrawal
	listed.Source, listed.CreatedAt, answered.Source = Listed, noon, Answered
	require.Equal(t, listed, FromHistory(profile, tarspay.HistoryRecord{
		GatewayID: "P1", OrderNumber: "W1", Kind: tarspay.HistoryWithdrawal, State: tarspay.StateSucceeded, Currency: profile.GatewayCurrency,
		OrderAmount: "100.00", Amount: "100.00", Fee: "2", CreatedAt: noon,
	}))
	require.Equal(t, answered, FromAnswer(profile, order.Order{Request: order.Request{Kind: order.Withdrawal, Number: "W1"}}, tarspay.OrderStatus{
		GatewayID: "P1", State: tarspay.StateSucceeded, Currency: profile.GatewayCurrency, OrderAmount: "100.00", PayAmount: "100.00", Fee: "2",
	}))

	// The history counts what a deposit paid without the fee.
	deposit := FromHistory(profile, tarspay.HistoryRecord{
		GatewayID: "P2", OrderNumber: "D1", Kind: tarspay.HistoryDeposit, State: tarspay.StateSucceeded, OrderAmount: "100.00", Amount: "98.00", Fee: "2",
	})
	require.EqualValues(t, 10000, deposit.Paid)
	require.EqualValues(t, Unreadable, FromHistory(profile, tarspay.HistoryRecord{OrderAmount: "1,5"}).Amount)
}
