package ledger

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// One order of the gateway belongs to one of ours. Whoever names it for another
// one opens a discrepancy that names both; nothing is booked, and what is
// reserved stays reserved.
func TestAGatewayOrderBelongsToOneOrder(t *testing.T) {
	t.Parallel()
	says := func(verdict rules.Verdict, source rules.Source) func(*testBundle, order.Key) error {
		return func(b *testBundle, key order.Key) error {
			finding := verdicts[verdict]
			finding.Source, finding.Verdict, finding.GatewayID = source, verdict, "G1"
			if source == rules.FromOperator {
				finding.By, finding.Evidence = "amina", "ticket 7"
			}
			_, err := b.Settle(t.Context(), key, finding)
			return err
		}
	}
	answers := func(b *testBundle, key order.Key) error {
		_, err := b.CompleteSubmission(t.Context(), key, 1, Answer{Outcome: Accepted, GatewayID: "G1", Instructions: &order.Instructions{PayURL: "https://pay.test/other"}})
		return err
	}
	roads := map[string]struct {
		from  order.State
		kinds []order.Kind
		name  func(*testBundle, order.Key) error
		to    order.State
	}{
		"create's answer":     {order.Submitting, bothKinds, answers, order.InReview},
		"query, paid":         {order.Unknown, bothKinds, says(rules.Paid, rules.FromQuery), order.InReview},
		"query, pending":      {order.Unknown, bothKinds, says(rules.Pending, rules.FromQuery), order.InReview},
		"query, failed":       {order.Unknown, bothKinds, says(rules.Unpaid, rules.FromQuery), order.InReview},
		"callback, paid":      {order.Submitting, bothKinds, says(rules.Paid, rules.FromCallback), order.InReview},
		"callback, returned":  {order.Submitting, bothKinds, says(rules.Returned, rules.FromCallback), order.InReview},
		"in review":           {order.InReview, bothKinds, says(rules.Paid, rules.FromQuery), order.InReview},
		"operator's finding":  {order.InReview, bothKinds, says(rules.Paid, rules.FromOperator), order.InReview},
		"not sent":            {order.Reserved, []order.Kind{order.Withdrawal}, says(rules.Paid, rules.FromCallback), order.Reserved},
		"after a failure":     {order.Failed, bothKinds, says(rules.Paid, rules.FromQuery), order.Failed},
		"after it expired":    {order.Expired, []order.Kind{order.Deposit}, says(rules.Paid, rules.FromCallback), order.Expired},
		"returned, comparing": {order.Expired, []order.Kind{order.Deposit}, says(rules.Returned, rules.FromQuery), order.Expired},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for name, road := range roads {
			for _, kind := range road.kinds {
				stands := b.at(t, kind, road.from)
				owner := request(order.Deposit, "owner", "100")
				owner.Merchant = stands.Merchant
				open(t, b, owner)
				submit(t, b, owner.Key(), accepted)
				if stands.GatewayID != "" {
					require.NoError(t, b.exec("UPDATE orders SET gateway_id = '' WHERE merchant = ? AND number = ?", stands.Merchant, stands.Number))
				}
				balances := b.balancesOf(t, stands.Merchant)
				require.NoError(t, road.name(b, stands.Key()), name)
				require.NoError(t, road.name(b, stands.Key()), name)
				o, err := b.Order(t.Context(), stands.Key())
				require.NoError(t, err)
				require.Equal(t, road.to, o.State, name)
				require.Empty(t, o.GatewayID, name)
				require.Nil(t, o.Instructions, name)
				require.Equal(t, balances, b.balancesOf(t, stands.Merchant), name)
				require.Equal(t, []string{codes.DiscrepancyShared}, b.discrepancies(t, stands.Key()), name)
				found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: stands.Merchant})
				require.NoError(t, err)
				require.Contains(t, found[0].Detail, "order owner", name)
				require.Contains(t, found[0].Detail, "order "+stands.Number, name)
				if road.from != road.to {
					require.Equal(t, codes.DiscrepancyShared, o.Reason.Code, name)
				}
				key, err := b.GatewayOrder(t.Context(), stands.Merchant, "G1")
				require.NoError(t, err)
				require.Equal(t, owner.Key(), key)
			}
		}
		_, err := b.GatewayOrder(t.Context(), merchant, "nobody's")
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}

var bothKinds = []order.Kind{order.Deposit, order.Withdrawal}

// Of two that are told of the same gateway order at one moment, one gets it.
func TestOfTwoAtOnceOneGetsTheGatewayOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		for round := range 5 {
			id := fmt.Sprint("G", round)
			var keys []order.Key
			for i := range 8 {
				r := request(order.Withdrawal, fmt.Sprint("W", round, "-", i), "100")
				open(t, b, r)
				submit(t, b, r.Key(), ambiguous)
				keys = append(keys, r.Key())
			}
			var succeeded, reviewed atomic.Int32
			together(len(keys), func(i int) {
				finding := paid("100", "2")
				finding.GatewayID = id
				s, err := b.Settle(t.Context(), keys[i], finding)
				switch {
				case err != nil:
				case s.Order.State == order.Succeeded:
					succeeded.Add(1)
				case s.Order.State == order.InReview && s.Discrepancy == codes.DiscrepancyShared:
					reviewed.Add(1)
				}
			})
			require.EqualValues(t, 1, succeeded.Load())
			require.EqualValues(t, len(keys)-1, reviewed.Load())
		}
		b.clean(t)
	})
}

// A text that can be no id of the gateway's is none, and is kept nowhere.
func TestAGatewayIDThatIsNone(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, id := range []string{"P1\x00", "P1\xff", "P 1", "P1\n", strings.Repeat("P", 5000)} {
			require.False(t, rules.GatewayIDFits(id))
			o := b.at(t, order.Withdrawal, order.Submitting)
			o, err := b.CompleteSubmission(t.Context(), o.Key(), 1, Answer{Outcome: Accepted, GatewayID: id})
			require.NoError(t, err)
			require.Equal(t, order.Submitted, o.State) // the gateway has it, under an id that a query will tell
			require.Empty(t, o.GatewayID)
			require.Equal(t, []string{codes.DiscrepancyMismatch}, b.discrepancies(t, o.Key()))

			callback := callbackFor(o.Request, id)
			callback.State = tarspay.StateSucceeded
			_, err = rules.CallbackFinding(o, callback)
			var mismatch *rules.Mismatch
			require.ErrorAs(t, err, &mismatch)
			require.Contains(t, mismatch.Fields, "payOrderId")
			_, err = b.Settle(t.Context(), o.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Pending, GatewayID: id})
			require.NoError(t, err) // whoever does not look: kept as far as it can be
			require.NoError(t, b.KeepRecords(t.Context(), o.Merchant, []reconcile.Record{{GatewayID: id, Number: id, Source: reconcile.Listed}}))
			_, err = b.CompareRecords(t.Context(), o.Merchant, []string{id}, o.UpdatedAt)
			require.NoError(t, err)
		}
		require.True(t, rules.GatewayIDFits("P1734517376779485186"))
		b.clean(t)
	})
}

// Numbers that differ in capitals only are one number to many a database: the
// second is refused, also when both come at once.
func TestNumbersThatDifferInCapitalsOnly(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("1000"), pkr("0")))
		first, second := request(order.Withdrawal, "INV-1a", "100"), request(order.Deposit, "inv-1A", "100")
		open(t, b, first)
		for _, twin := range []order.Request{second, request(order.Withdrawal, "INV-1A", "100")} {
			o, opening, err := b.OpenOrder(t.Context(), twin, Terms{})
			require.NoError(t, err)
			require.Equal(t, Twin, opening)
			require.Equal(t, first.Key(), o.Key())
			_, err = b.Order(t.Context(), twin.Key())
			require.ErrorIs(t, err, ErrNotFound)
		}
		_, opening, err := b.OpenOrder(t.Context(), first, Terms{})
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		second.Merchant = "M2" // another merchant's numbers are its own
		_, opening, err = b.OpenOrder(t.Context(), second, Terms{})
		require.NoError(t, err)
		require.Equal(t, Opened, opening)

		for round := range 5 {
			var opened, twins atomic.Int32
			together(8, func(i int) {
				number := fmt.Sprintf("r%d-%c", round, "abAB"[i%4])
				_, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, number, "100"), Terms{})
				switch {
				case err != nil:
				case opening == Opened:
					opened.Add(1)
				case opening == Twin:
					twins.Add(1)
				}
			})
			require.EqualValues(t, 2, opened.Load())
			require.EqualValues(t, 4, twins.Load()) // the others are the first's own repetitions
		}
		b.clean(t)
	})
}
