package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestOpenWithdrawal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "150", "20")
		r := request(order.Withdrawal, "W1", "100")
		before := time.Now().UTC().Truncate(time.Millisecond)

		o := open(t, b, r)
		require.Equal(t, order.Reserved, o.State)
		require.Equal(t, r, o.Request)
		require.Equal(t, r.Fingerprint(), o.Fingerprint)
		require.Equal(t, o.CreatedAt, o.UpdatedAt)
		require.WithinRange(t, o.CreatedAt, before, time.Now())

		read, err := b.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, o, read)
		require.Equal(t, map[Account]string{
			AccountOpening: "-170", AccountAvailable: "50", AccountInFlight: "120",
		}, b.balances(t))
		require.Equal(t, []string{"reserve available -> in_flight 100.00 PKR"}, b.transfers(t, r.Key()))
		require.Equal(t, []string{"created -> reserved (opening)"}, b.steps(t, r.Key()))
		b.clean(t)
	})
}

func TestOpenWithdrawalTakesTheLastRupeeAndNotOneMore(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100", "0")
		require.Equal(t, order.Reserved, open(t, b, request(order.Withdrawal, "W1", "99.99")).State)

		short := open(t, b, request(order.Withdrawal, "W2", "0.02"))
		require.Equal(t, order.Failed, short.State)
		require.Equal(t, order.Reason{
			Code: order.CodeInsufficientFunds, Text: "the available balance of 0.01 PKR does not cover 0.02 PKR",
		}, short.Reason)
		require.Empty(t, b.transfers(t, short.Key()))
		require.Equal(t, []string{"created -> failed (opening) INSUFFICIENT_FUNDS"}, b.steps(t, short.Key()))

		require.Equal(t, order.Reserved, open(t, b, request(order.Withdrawal, "W3", "0.01")).State)
		require.Equal(t, map[Account]string{AccountOpening: "-100", AccountInFlight: "100"}, b.balances(t))

		again, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, "W2", "0.02"), Terms{})
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		require.Equal(t, short, again)
		b.clean(t)
	})
}

func TestOpenDeposit(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "0", "0")
		r := request(order.Deposit, "D1", "100")
		r.ReturnURL = "https://shop.example/back"
		o := open(t, b, r)
		require.Equal(t, order.Created, o.State)
		require.Equal(t, r, o.Request)
		require.Empty(t, b.transfers(t, r.Key()))
		require.Empty(t, b.steps(t, r.Key()))
		require.Empty(t, b.balances(t))
		b.clean(t)
	})
}

func TestOpenWithClosedBooksWritesNothing(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		inVND, err := money.Minor(1000, "VND")
		require.NoError(t, err)
		require.NoError(t, b.OpenBooks(t.Context(), merchant, inVND, inVND)) // another currency's
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("500"), pkr("0")))

		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			o, opening, err := b.OpenOrder(t.Context(), request(kind, "X-"+string(kind), "100"), Terms{})
			require.NoError(t, err)
			require.Equal(t, BooksClosed, opening)
			require.Zero(t, o.State)
		}
		orders, err := b.Orders(t.Context(), Filter{})
		require.NoError(t, err)
		require.Empty(t, orders)
		_, err = b.Balances(t.Context(), merchant, "PKR")
		require.ErrorIs(t, err, ErrNotFound)

		b.books(t, "100", "0")
		open(t, b, request(order.Withdrawal, "X-withdrawal", "100"))
		open(t, b, request(order.Deposit, "X-deposit", "100"))
		b.clean(t)
	})
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		stands := submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G1"})
		balances := b.balances(t)

		same := r
		same.RequestedBy = "somebody else"
		same.Details = map[string]string{"customerName": "Ayesha Example", "customerAccountNumber": "03000000000", "email": ""}
		o, opening, err := b.OpenOrder(t.Context(), same, Terms{})
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		require.Equal(t, stands, o)

		for name, change := range map[string]func(*order.Request){
			"amount": func(r *order.Request) { r.Amount = pkr("100.01") },
			"kind":   func(r *order.Request) { r.Kind = order.Deposit },
			"detail": func(r *order.Request) { r.Details = map[string]string{"customerAccountNumber": "03000000001"} },
		} {
			other := r
			change(&other)
			o, opening, err := b.OpenOrder(t.Context(), other, Terms{})
			require.NoError(t, err, name)
			require.Equal(t, Conflict, opening, name)
			require.Equal(t, stands, o, name)
		}
		require.Equal(t, balances, b.balances(t))
		require.Len(t, b.transfers(t, r.Key()), 1)

		elsewhere := r
		elsewhere.Merchant = "M2"
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("100"), pkr("0")))
		require.Equal(t, order.Reserved, open(t, b, elsewhere).State) // a number belongs to its merchant
		b.clean(t)
	})
}

func TestOpenRefusesWhatIsNoOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		good := request(order.Withdrawal, "W1", "100")
		for name, change := range map[string]func(*order.Request){
			"no kind":     func(r *order.Request) { r.Kind = "" },
			"no merchant": func(r *order.Request) { r.Merchant = "" },
			"no number":   func(r *order.Request) { r.Number = "" },
			"no amount":   func(r *order.Request) { r.Amount = money.Amount{} },
			"zero":        func(r *order.Request) { r.Amount = pkr("0") },
			"negative":    func(r *order.Request) { r.Amount = pkr("-1") },
		} {
			r := good
			change(&r)
			_, _, err := b.OpenOrder(t.Context(), r, Terms{})
			require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err), name)
		}
		orders, err := b.Orders(t.Context(), Filter{})
		require.NoError(t, err)
		require.Empty(t, orders)
	})
}

func TestConcurrentWithdrawalsNeverReserveTheSameMoneyTwice(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		states := make([]order.State, 200)
		together(len(states), func(i int) {
			o, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, fmt.Sprintf("W%03d", i), "10"), Terms{})
			if err == nil && opening == Opened {
				states[i] = o.State
			}
		})
		count := make(map[order.State]int)
		for _, state := range states {
			count[state]++
		}
		require.Equal(t, map[order.State]int{order.Reserved: 100, order.Failed: 100}, count)
		require.Equal(t, map[Account]string{AccountOpening: "-1000", AccountInFlight: "1000"}, b.balances(t))
		b.clean(t)
	})
}

func TestConcurrentOpensOfOneNumberWriteOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		openings := make([]Opening, 60)
		together(len(openings), func(i int) {
			r := request(order.Withdrawal, "W1", "10")
			if i%3 == 0 {
				r.Amount = pkr("11")
			}
			_, openings[i], _ = b.OpenOrder(t.Context(), r, Terms{})
		})
		count := make(map[Opening]int)
		for _, opening := range openings {
			count[opening]++
		}
		o, err := b.Order(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
		require.NoError(t, err)
		same, other := 39, 20
		if o.Amount == pkr("11") {
			same, other = 19, 40
		}
		require.Equal(t, map[Opening]int{Opened: 1, Existing: same, Conflict: other}, count)
		require.Len(t, b.transfers(t, o.Key()), 1)
		b.clean(t)
	})
}

func TestWithdrawalsThatComeShortWhileFundsArrive(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "0", "0")
		const deposits = 30
		for i := range deposits {
			r := request(order.Deposit, fmt.Sprint("D", i), "10")
			open(t, b, r)
			submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: fmt.Sprint("G", i)})
		}
		var lock sync.Mutex
		reserved, reasons := 0, make(map[string]bool)
		together(3*deposits, func(i int) {
			if i%3 == 0 {
				_, err := b.Settle(t.Context(), order.Key{Merchant: merchant, Number: fmt.Sprint("D", i/3)}, paid("10", "0"))
				require.NoError(t, err)
				return
			}
			o, _, err := b.OpenOrder(t.Context(), request(order.Withdrawal, fmt.Sprint("W", i), "10"), Terms{})
			require.NoError(t, err)
			lock.Lock()
			defer lock.Unlock()
			if o.State == order.Reserved {
				reserved++
			} else {
				reasons[o.Reason.Text] = true
			}
		})
		left := b.balances(t)
		require.Equal(t, fmt.Sprint(reserved*10), or(left[AccountInFlight], "0"))
		require.Equal(t, fmt.Sprint(deposits*10-reserved*10), or(left[AccountAvailable], "0"))
		require.NotContains(t, reasons, "the available balance of 10.00 PKR does not cover 10.00 PKR")
		b.clean(t)
	})
}

// The look at the balance that follows a short reservation may find that funds
// have arrived: then nothing is written as failed.
func TestShortOnlyWhileItIsShort(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100", "0")
		row, err := newOrderRow(request(order.Withdrawal, "W1", "100"))
		require.NoError(t, err)
		_, _, err = b.openWith(t.Context(), row, tx.openShort)
		require.ErrorIs(t, err, errEnough)
		_, err = b.Order(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
		require.ErrorIs(t, err, ErrNotFound)
	})
}

func TestOpenBooks(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "150", "20")
		b.books(t, "999", "999") // once
		require.Equal(t, map[Account]string{AccountOpening: "-170", AccountAvailable: "150", AccountInFlight: "20"}, b.balances(t))

		for name, balance := range map[string][2]money.Amount{
			"M-zero": {pkr("0"), pkr("0")},
			"M-owes": {pkr("-5.50"), pkr("2")},
		} {
			require.NoError(t, b.OpenBooks(t.Context(), name, balance[0], balance[1]))
			balances, err := b.Balances(t.Context(), name, "PKR")
			require.NoError(t, err)
			require.Equal(t, balance[0], balances[AccountAvailable], name)
			require.Equal(t, balance[1], balances[AccountInFlight], name)
			sum, err := balance[0].Add(balance[1])
			require.NoError(t, err)
			require.Equal(t, -sum.Minor(), balances[AccountOpening].Minor(), name)
		}
		vnd, err := money.Minor(1, "VND")
		require.NoError(t, err)
		require.ErrorIs(t, b.OpenBooks(t.Context(), "M3", pkr("1"), vnd), money.ErrMismatch)
		require.ErrorIs(t, b.OpenBooks(t.Context(), "M3", pkr("1"), pkr("-1")), money.ErrRange)
		_, err = b.Balances(t.Context(), "M3", "PKR")
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}

func TestConcurrentOpenBooksOpenOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		failures := make([]error, 20)
		together(len(failures), func(i int) {
			failures[i] = b.OpenBooks(t.Context(), merchant, pkr(fmt.Sprint(100+i)), pkr("1"))
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		b.clean(t) // balances of one, transfers of one
	})
}

func TestOrderNotFound(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx, nobody := t.Context(), order.Key{Merchant: merchant, Number: "NOBODY"}
		_, err := b.Order(ctx, nobody)
		require.ErrorIs(t, err, ErrNotFound)
		require.EqualError(t, err, "ledger: not in the ledger: order M1700000001/NOBODY")
		_, err = b.NextSubmission(ctx, nobody, 0)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = b.CompleteSubmission(ctx, nobody, 1, Answer{Outcome: Accepted})
		require.ErrorIs(t, err, ErrNotFound)
		_, err = b.Settle(ctx, nobody, paid("1", "0"))
		require.ErrorIs(t, err, ErrNotFound)
		_, err = b.Review(ctx, nobody, order.Reason{Code: order.CodeNoProof})
		require.ErrorIs(t, err, ErrNotFound)
		require.Empty(t, b.transfers(t, nobody))
		require.Empty(t, b.steps(t, nobody))
		submissions, err := b.Submissions(ctx, nobody)
		require.NoError(t, err)
		require.Empty(t, submissions)
	})
}

func TestOrders(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("1000"), pkr("0")))
		var newest []string
		for i := range 7 {
			r := request(order.Withdrawal, fmt.Sprint("W", i), "10")
			if i%2 == 1 {
				r.Merchant = "M2"
			}
			open(t, b, r)
			newest = append([]string{r.Number}, newest...)
		}
		deposit := request(order.Deposit, "D1", "10")
		deposit.Country = "BD"
		open(t, b, deposit)
		newest = append([]string{"D1"}, newest...)
		key := func(merchant, number string) order.Key { return order.Key{Merchant: merchant, Number: number} }
		submit(t, b, key(merchant, "W0"), Answer{Outcome: Refused, Reason: order.Reason{Code: order.CodeGatewayRefused}})
		submit(t, b, key("M2", "W1"), Answer{Outcome: Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown}})
		_, err := b.Review(t.Context(), key("M2", "W1"), order.Reason{Code: order.CodeNoProof, Text: "nothing for a day"})
		require.NoError(t, err)

		for name, test := range map[string]struct {
			filter Filter
			want   []string
		}{
			"all":          {Filter{}, newest},
			"kind":         {Filter{Kind: order.Deposit}, []string{"D1"}},
			"merchant":     {Filter{Merchant: "M2"}, []string{"W5", "W3", "W1"}},
			"country":      {Filter{Country: "BD"}, []string{"D1"}},
			"states":       {Filter{States: []order.State{order.Failed, order.InReview}}, []string{"W1", "W0"}},
			"open":         {Filter{Open: true}, newest[:7]},
			"open, mine":   {Filter{Open: true, Merchant: merchant, Kind: order.Withdrawal}, []string{"W6", "W4", "W2"}},
			"review":       {Filter{NeedsReview: true}, []string{"W1"}},
			"limit":        {Filter{Limit: 2}, newest[:2]},
			"page":         {Filter{Limit: 3, After: key("M2", "W5")}, []string{"W4", "W3", "W2"}},
			"last page":    {Filter{After: key(merchant, "W0")}, []string{}},
			"since always": {Filter{Since: time.Now().Add(-time.Hour)}, newest},
			"since later":  {Filter{Since: time.Now().Add(time.Hour)}, []string{}},
		} {
			orders, err := b.Orders(t.Context(), test.filter)
			require.NoError(t, err, name)
			numbers := make([]string, len(orders))
			for i, o := range orders {
				numbers[i] = o.Number
			}
			require.Equal(t, test.want, numbers, name)
		}
		_, err = b.Orders(t.Context(), Filter{After: key(merchant, "NOBODY")})
		require.ErrorIs(t, err, ErrNotFound)
	})
}

// The filter and the rule are one: both say which orders wait for a person.
func TestOrdersThatNeedAPerson(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		for number, answer := range map[string]Answer{
			"PAUSED":  {Outcome: Paused, Reason: order.Reason{Code: order.CodeGatewayPaused}},
			"UNKNOWN": {Outcome: Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown}},
			"AWAY":    {Outcome: Unsent, Reason: order.Reason{Code: order.CodeGatewayAway}},
			"THERE":   {Outcome: Accepted, GatewayID: "P1"},
			"REFUSED": {Outcome: Refused, Reason: order.Reason{Code: order.CodeGatewayRefused}},
		} {
			r := request(order.Withdrawal, number, "10")
			open(t, b, r)
			submit(t, b, r.Key(), answer)
		}
		_, opening, err := b.OpenOrder(t.Context(), request(order.Withdrawal, "FUNDS", "5000"), Terms{WaitForFunds: true})
		require.NoError(t, err)
		require.Equal(t, Opened, opening)
		_, err = b.Review(t.Context(), request(order.Withdrawal, "UNKNOWN", "10").Key(), order.Reason{Code: order.CodeNoProof, Text: "nothing for a day"})
		require.NoError(t, err)

		all, err := b.Orders(t.Context(), Filter{})
		require.NoError(t, err)
		var want, have []string
		for _, o := range all {
			if rules.NeedsPerson(o.Standing) {
				want = append(want, o.Number)
			}
		}
		needing, err := b.Orders(t.Context(), Filter{NeedsReview: true})
		require.NoError(t, err)
		for _, o := range needing {
			have = append(have, o.Number)
		}
		require.ElementsMatch(t, []string{"PAUSED", "FUNDS", "UNKNOWN"}, want)
		require.Equal(t, want, have)
	})
}

func TestOrdersArePagedWithoutGapsOrRepetitions(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		const all = 25 // many within one millisecond
		together(all, func(i int) {
			_, _, _ = b.OpenOrder(t.Context(), request(order.Deposit, fmt.Sprint("D", i), "10"), Terms{})
		})
		listed := func(oldestFirst bool) (numbers []string) {
			var after order.Key
			for {
				page, err := b.Orders(t.Context(), Filter{Limit: 4, OldestFirst: oldestFirst, After: after})
				require.NoError(t, err)
				for _, o := range page {
					numbers = append(numbers, o.Number)
					after = o.Key()
				}
				if len(page) < 4 {
					return numbers
				}
			}
		}
		newest, oldest := listed(false), listed(true)
		slices.Reverse(oldest)
		require.Equal(t, newest, oldest)
		slices.Sort(newest)
		require.Len(t, slices.Compact(newest), all)
	})
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{-1: 100, 0: 100, 1: 1, 1000: 1000, 1001: 1000} {
		require.Equal(t, want, pageSize(limit))
	}
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := b.OpenOrder(ctx, request(order.Withdrawal, "W1", "10"), Terms{})
		require.ErrorIs(t, err, context.Canceled)
		_, err = b.Order(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}
