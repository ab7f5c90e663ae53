package workflows_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// P10 for statements: of many orders some differ in the statement, at random. Each
// difference is found once, under its class, and nothing else is; what the gateway
// confirms is booked; nothing else changes. The seed is printed.
func TestP10PlantedInAStatement(t *testing.T) {
	t.Parallel()
	const orders, each = 1000, 5
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := embedded(t)
	s.settled(order.Withdrawal, pakistan, "first", "success") // the statement's time begins before all others
	s.pass(2 * lag)
	paid, failed, deposits := s.outcome(orders)
	s.pass(2 * lag)
	s.settled(order.Withdrawal, pakistan, "last", "success")
	s.pass(2 * lag)

	planted := make(map[string]func(exportedLine) bool)
	var want []string
	pick := func(from *[]string, code string, change func(exportedLine) bool) (numbers []string) {
		for range each {
			i := random.IntN(len(*from))
			number := (*from)[i]
			*from = append((*from)[:i], (*from)[i+1:]...)
			planted[number] = change
			numbers = append(numbers, number)
			if code != "" {
				want = append(want, code+" "+number)
			}
		}
		return numbers
	}
	set := func(column, value string) func(exportedLine) bool {
		return func(l exportedLine) bool { l[column] = value; return true }
	}
	pick(&paid, codes.DiscrepancyRecord, set("mchFeeAmount", "1"))
	pick(&paid, codes.DiscrepancyRecord, set("orderAmount", "7"))
	pick(&paid, codes.DiscrepancyRecord, set("bizType", "1"))
	pick(&paid, codes.DiscrepancyStatement, set("state", "3"))
	pick(&deposits, codes.DiscrepancyStatement, set("state", "8"))
	pick(&failed, codes.DiscrepancyStatement, set("state", "2"))
	pick(&paid, codes.DiscrepancyStatement, func(exportedLine) bool { return false })
	pick(&paid, codes.DiscrepancySecond, set("payOrderId", ""))
	refunded := pick(&paid, "", func(exportedLine) bool { return true })
	for _, number := range refunded {
		_, err := s.gateway.Move(pakistan, number, tarspay.StateRefunded, "")
		require.NoError(t, err)
	}
	for i := range each {
		number := fmt.Sprintf("foreign-%d", i)
		s.elsewhere(s.request(order.Deposit, pakistan, number, "success"))
		want = append(want, codes.DiscrepancyNoOrder+" "+number)
	}
	s.pass(lag)
	second := 0
	found := s.imported(pakistan, s.export(pakistan, func(o sandbox.Order, l exportedLine) bool {
		if o.Number == "first" {
			l["createdAt"] = strconv.FormatInt(o.CreatedAt.Add(-3*lag).Unix(), 10)
		}
		change, is := planted[o.Number]
		if !is {
			return true
		}
		keep := change(l)
		if l["payOrderId"] == "" {
			second++
			l["payOrderId"] = fmt.Sprintf("PX%d", second)
		}
		return keep
	}))
	require.ElementsMatch(t, want, s.found())
	require.Equal(t, each, found.Settled, "exactly the refunds that the gateway confirms")
	for _, number := range refunded {
		o, err := s.books.Order(t.Context(), order.Key{Merchant: pakistan, Number: number})
		require.NoError(t, err)
		require.Equal(t, order.Refunded, o.State)
	}
	s.sound()
}

// outcome settles so many orders and returns the numbers of paid withdrawals, of failed
// withdrawals, and of paid deposits.
func (s *shop) outcome(count int) (paid, failed, deposits []string) {
	for i := range count {
		switch number := fmt.Sprintf("O-%d", i); {
		case i%10 == 0:
			s.settled(order.Withdrawal, pakistan, number, "fail")
			failed = append(failed, number)
		case i%10 < 4:
			s.settled(order.Deposit, pakistan, number, "success")
			deposits = append(deposits, number)
		default:
			s.settled(order.Withdrawal, pakistan, number, "success")
			paid = append(paid, number)
		}
	}
	return paid, failed, deposits
}
