package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// stated is paid as a line of a statement.
func stated() Match {
	m := paid()
	m.Record = FromStatement(order.StatementLine{
		GatewayID: "P1", Number: "W1", Kind: tarspay.HistoryWithdrawal, State: tarspay.StateSucceeded, Currency: "PKR",
		Amount: 10000, Paid: 10000, Fee: 200, At: noon.Add(-2 * time.Hour),
	})
	return m
}

// A line of a statement is compared like a record of the gateway. If the gateway itself
// told what we have, it is the statement that differs.
func TestCompareStatement(t *testing.T) {
	t.Parallel()
	same := func(m *Match) {
		signed := m.Record
		m.Signed = &signed
	}
	differs := func(code, number, mark, detail string) Comparison {
		return Comparison{Differences: []Difference{{
			Key: order.Key{Merchant: "M1", Number: number}, Code: code, Mark: mark, Detail: detail, Currency: "PKR", Stake: 10000,
		}}}
	}
	delta := func(c Comparison, delta int64) Comparison {
		c.Differences[0].Stake, c.Differences[0].Delta = max(delta, -delta), delta
		return c
	}
	agreed := func(id string) Comparison {
		return Comparison{Compared: 1, Agreed: []Agreement{{Key: order.Key{Merchant: "M1", Number: "W1"}, GatewayID: id}}}
	}
	weak := agreed("P1")
	weak.Agreed[0].Weak = true
	ended := func(c Comparison) Comparison {
		c.Compared = 1
		return c
	}
	for name, test := range map[string]struct {
		change func(*Match)
		want   Comparison
	}{
		"equal":            {func(*Match) {}, agreed("P1")},
		"as the gateway":   {same, weak},
		"without id":       {func(m *Match) { m.GatewayID = "" }, agreed("without id")},
		"fee is not told":  {func(m *Match) { m.Fee = Unstated }, agreed("P1")},
		"paid is not told": {func(m *Match) { m.Paid = Unstated }, agreed("P1")},
		"not decided":      {func(m *Match) { m.State, m.Paid = tarspay.StateInProgress, 0 }, ended(Comparison{})},
		"fee":              {func(m *Match) { m.Fee = 201 }, ended(delta(differs("RECORD_DIFFERS", "W1", "P1 fee", "gateway order P1: fee: 2.01 PKR in the statement, 2.00 PKR here"), 1))},
		"fee, and the gateway told ours": {func(m *Match) { same(m); m.Fee = 201 },
			ended(delta(differs("STATEMENT_DIFFERS", "W1", "P1 fee", "gateway order P1: fee: 2.01 PKR in the statement, 2.00 PKR here, as the gateway itself told"), 1))},
		"fee, and the gateway told neither": {func(m *Match) { same(m); m.Fee, m.Signed.Fee = 201, 300 },
			ended(delta(differs("RECORD_DIFFERS", "W1", "P1 fee", "gateway order P1: fee: 2.01 PKR in the statement, 2.00 PKR here"), 1))},
		"amount without id":      {func(m *Match) { m.GatewayID, m.Amount = "", 1 }, ended(delta(differs("RECORD_DIFFERS", "W1", "without id amount", "amount: 0.01 PKR in the statement, 100.00 PKR here"), -9999))},
		"another end":            {func(m *Match) { same(m); m.State, m.Paid = tarspay.StateFailed, 0 }, ended(Comparison{Doubtful: []order.Key{{Merchant: "M1", Number: "W1"}}})},
		"in review":              {func(m *Match) { m.Order.State, m.Order.Paid = order.InReview, 0 }, Comparison{Doubtful: []order.Key{{Merchant: "M1", Number: "W1"}}}},
		"in review, not decided": {func(m *Match) { m.Order.State, m.State = order.InReview, tarspay.StateInProgress }, Comparison{}},
		"open":                   {func(m *Match) { m.Order.State = order.Submitted }, Comparison{Doubtful: []order.Key{{Merchant: "M1", Number: "W1"}}}},
		"open, not decided":      {func(m *Match) { m.Order.State, m.State = order.Submitted, tarspay.StateInProgress }, Comparison{}},
		"no order":               {func(m *Match) { m.Order = nil }, differs("RECORD_WITHOUT_ORDER", "W1", "P1 state succeeded", "gateway order P1: the statement has a withdrawal of 100.00 PKR that we do not have: succeeded")},
		"own withdrawal, fee not told": {func(m *Match) { m.Kind, m.Number, m.Order, m.Fee = tarspay.HistoryOwnWithdrawal, "", nil, Unstated },
			differs(codes.DiscrepancyOwnWithdrawal, "P1", "P1", "gateway order P1: the merchant took 100.00 PKR out at the gateway, fee an amount that is not told")},
	} {
		m := stated()
		test.change(&m)
		require.Equal(t, test.want, Compare([]Match{m}, noon.Add(-24*time.Hour), noon), name)
	}
}
