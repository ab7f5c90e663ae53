package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// closes closes a day as a person, with the figures as they stand, and demands the code.
func (b *testBundle) closes(t testing.TB, day order.Date, by, code string) DayReport {
	t.Helper()
	seen, err := b.Day(t.Context(), query(day))
	ref := order.DayRef{Merchant: merchant, Currency: "PKR", Day: day, Zone: karachi.String(), Hash: seen.Hash}
	if code == "" {
		require.NoError(t, err)
	}
	return b.closesAs(t, ref, order.Who{By: by}, code)
}

func (b *testBundle) closesAs(t testing.TB, ref order.DayRef, who order.Who, code string) DayReport {
	t.Helper()
	closed, refusal, err := b.CloseDay(t.Context(), ref, who)
	require.NoError(t, err)
	if code == "" {
		require.Nil(t, refusal)
		return closed
	}
	require.NotNil(t, refusal, code)
	require.Equal(t, code, refusal.Code, refusal.Text)
	return closed
}

func TestCloseDay(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		open := b.day(t, "2026-03-10")
		require.Nil(t, open.Closed)

		closed := b.closes(t, "2026-03-10", "amina", "")
		require.Equal(t, open.DayFigures, closed.DayFigures)
		require.Equal(t, &DayClosing{By: "amina", At: moment(closed.Closed.At.UnixMilli())}, closed.Closed)
		require.Equal(t, closed, b.day(t, "2026-03-10"))
		require.Equal(t, "2026-03-14 09:00", closed.Closed.At.In(karachi).Format("2006-01-02 15:04"))

		// A later day begins with what was booked since, closed or not.
		later := b.day(t, "2026-03-12")
		require.Equal(t, "835", later.Opening.Short())
		require.Empty(t, later.Previous)

		// The same person's repetition changes nothing; another person's is refused.
		again := b.closes(t, "2026-03-10", "Amina", "")
		require.True(t, again.Closed.Repeated)
		b.closes(t, "2026-03-10", "bilal", CodeDayClosed)

		second := b.day(t, "2026-03-11")
		require.Equal(t, closed.Hash, second.Previous)
		require.Equal(t, closed.Closing, second.Opening)
		b.closes(t, "2026-03-11", "bilal", "")
		require.Equal(t, []string{
			"amina: close_day", "bilal: close_day refused DAY_CLOSED", "bilal: close_day",
		}, only(b.trail(t, order.Key{Merchant: merchant}), "close_day"))
		b.clean(t)
	})
}

// only returns the lines of an audit that are about an action.
func only(lines []string, action string) (found []string) {
	for _, line := range lines {
		var by, what, rest string
		if n, _ := fmt.Sscanf(line, "%s %s %s", &by, &what, &rest); n >= 2 && what == action {
			found = append(found, line)
		}
	}
	return found
}

func TestCloseDayRefuses(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		hash := b.day(t, "2026-03-11").Hash
		ref := order.DayRef{Merchant: merchant, Currency: "PKR", Day: "2026-03-11", Zone: karachi.String(), Hash: hash}
		with := func(change func(*order.DayRef)) order.DayRef {
			changed := ref
			change(&changed)
			return changed
		}
		amina := order.Who{By: "amina"}
		b.closesAs(t, ref, order.Who{}, order.CodeWhoMissing)
		b.closesAs(t, ref, order.Who{By: System}, order.CodeWhoMissing)
		b.closesAs(t, with(func(r *order.DayRef) { r.Hash = "00" + hash[2:] }), amina, CodeDayChanged)
		b.closesAs(t, with(func(r *order.DayRef) { r.Zone = "Asia/Dhaka" }), amina, CodeDayChanged)
		b.closesAs(t, with(func(r *order.DayRef) { r.Zone = "Karachi" }), amina, CodeDayZone)
		b.closesAs(t, with(func(r *order.DayRef) { r.Zone = "" }), amina, CodeDayZone)
		b.closesAs(t, with(func(r *order.DayRef) { r.Day = "11.3.2026" }), amina, order.CodeDate)
		b.closesAs(t, with(func(r *order.DayRef) { r.Day = "2026-03-14" }), amina, CodeDayNotOver)
		b.closesAs(t, with(func(r *order.DayRef) { r.Day = "2026-03-15" }), amina, CodeDayFuture)
		b.closesAs(t, with(func(r *order.DayRef) { r.Day = "2026-03-09" }), amina, CodeDayBooks)
		b.closesAs(t, with(func(r *order.DayRef) { r.Currency = "VND" }), amina, "BOOKS_CLOSED")
		b.SetZones(map[string]string{merchant: "Asia/Dhaka"})
		b.closesAs(t, ref, amina, CodeDayZone)
		b.SetZones(map[string]string{merchant: "Asia/Karachi"})
		require.Nil(t, b.day(t, "2026-03-11").Closed)

		b.closesAs(t, ref, amina, "")
		b.closes(t, "2026-03-10", "amina", CodeDayOrder) // before the first that was closed
		b.closes(t, "2026-03-13", "amina", CodeDayOrder) // a gap
		b.SetZones(nil)
		b.closesAs(t, with(func(r *order.DayRef) { r.Day, r.Zone = "2026-03-12", "Asia/Dhaka" }), amina, CodeDayZone)
		b.closes(t, "2026-03-12", "amina", "")
		b.clean(t)
	})
}

// The database keeps closed days as they are, and their chain without gaps.
func TestClosedDaysAreGuarded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		b.closes(t, "2026-03-10", "amina", "")
		require.ErrorContains(t, b.exec("UPDATE closed_days SET closed_by = 'bilal'"), "never changes")
		require.ErrorContains(t, b.exec("DELETE FROM closed_days"), "are kept")
		if b.onPostgres() {
			require.ErrorContains(t, b.exec("TRUNCATE closed_days"), "are kept")
		}
		const insert = "INSERT INTO closed_days (" + closedColumns + ") SELECT merchant, currency, '2026-03-12', zone, begins + %d, ends + %d, figures, hash, %s, 'x', closed_at, '' FROM closed_days"
		const dayLong = 24 * 3600 * 1000
		require.ErrorContains(t, b.exec(fmt.Sprintf(insert, 2*dayLong, 2*dayLong, "hash")), "after the day before")
		require.ErrorContains(t, b.exec(fmt.Sprintf(insert, dayLong, dayLong, "''")), "after the day before")
		require.NoError(t, b.exec(fmt.Sprintf(insert, dayLong, dayLong, "hash")))
	})
}

// A transfer that somebody adds to a closed day shows in its report.
func TestClosedDayIsCompared(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		closed := b.closes(t, "2026-03-10", "amina", "")
		require.NoError(t, b.exec("INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) "+
			"SELECT order_id, merchant, currency, 'planted', 'available', 'settled', 100, at FROM transfers WHERE reason = 'payment'"))
		found := b.day(t, "2026-03-10")
		require.Equal(t, closed.DayFigures, found.DayFigures)
		require.Equal(t, []string{"opening", "movements", "accounts"}, found.Closed.Changed)
	})
}

// What concerns a closed day later is a correction of the day in which it is booked.
func TestClosedDayIsCorrectedLater(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.clock(t, "2026-03-10 12:00:00.000")
		b.books(t, "1000", "0")
		w1 := request(order.Withdrawal, "W1", "200")
		open(t, b, w1)
		submit(t, b, w1.Key(), Answer{Outcome: Accepted, GatewayID: "GW1"})
		settle(t, b, w1.Key(), found("GW1", rules.Paid, "200", "4"))
		b.clock(t, "2026-03-11 09:00:00.000")
		closed := b.closes(t, "2026-03-10", "amina", "")
		settle(t, b, w1.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned, GatewayID: "GW1"})
		b.clock(t, "2026-03-12 09:00:00.000")
		require.Equal(t, closed, b.day(t, "2026-03-10"))
		next := b.day(t, "2026-03-11")
		require.Equal(t, closed.Closing, next.Opening)
		require.Equal(t, []string{"withdrawal refund 200 since 2026-03-10 12:00"}, corrections(next))
	})
}

// A year of days, closed one by one: every closing is the next opening, and the sum of all
// days is the balance. The zone changes its clocks twice in the year.
func TestYearOfDays(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		const year = 365
		cairo := mustZone("Africa/Cairo")
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		day := order.Date("2025-01-01")
		from, _ := day.Bounds(cairo)
		b.db.SetClock(func() time.Time { return from.Add(-time.Hour) })
		b.books(t, "100000", "500")
		sum, previous := pkr("100500").Minor(), DayReport{}
		hours := make(map[time.Duration]int)
		for n := range year {
			from, to := day.Bounds(cairo)
			hours[to.Sub(from)/time.Hour]++
			b.someDay(t, random, n, from, to)
			b.db.SetClock(func() time.Time { return to.Add(time.Minute) })
			asked := DayQuery{Merchant: merchant, Currency: "PKR", Day: day, Zone: cairo}
			seen, err := b.Day(t.Context(), asked)
			require.NoError(t, err)
			requireTies(t, seen.DayFigures)
			report := b.closesAs(t, order.DayRef{Merchant: merchant, Currency: "PKR", Day: day, Zone: cairo.String(), Hash: seen.Hash}, order.Who{By: "amina"}, "")
			require.Equal(t, seen.DayFigures, report.DayFigures)
			if n > 0 {
				require.Equal(t, previous.Closing, report.Opening, day)
				require.Equal(t, previous.Hash, report.Previous, day)
				for i, account := range report.Accounts {
					require.Equal(t, previous.Accounts[i].Closing, account.Opening, day)
				}
			}
			for _, m := range report.Movements {
				sum += m.Effect.Minor()
			}
			previous, day = report, day.Plus(1)
		}
		require.Equal(t, 1, hours[23])
		require.Equal(t, 1, hours[25])
		balances, err := b.Balances(t.Context(), merchant, "PKR")
		require.NoError(t, err)
		require.Equal(t, balances[AccountAvailable].Minor()+balances[AccountInFlight].Minor(), sum)
		for _, account := range previous.Accounts {
			require.Equal(t, balances[account.Account], account.Closing)
		}
		b.clean(t)
	})
}

// someDay books one to four orders at random moments of a day, its first and its last
// among them.
func (b *testBundle) someDay(t *testing.T, random *rand.Rand, n int, from, to time.Time) {
	t.Helper()
	moments := []time.Time{from, to.Add(-time.Millisecond), from.Add(time.Duration(random.Int64N(int64(to.Sub(from))))), from.Add(to.Sub(from) / 2)}
	for i := range 1 + random.IntN(3) {
		at := moments[random.IntN(len(moments))]
		b.db.SetClock(func() time.Time { return at })
		kind := []order.Kind{order.Deposit, order.Withdrawal}[random.IntN(2)]
		amount, fee := fmt.Sprint(1+random.IntN(400)), fmt.Sprint(random.IntN(2))
		r := request(kind, fmt.Sprintf("Y-%d-%d", n, i), amount)
		open(t, b, r)
		submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + r.Number})
		verdict := []rules.Verdict{rules.Paid, rules.Paid, rules.Unpaid}[random.IntN(3)]
		if verdict == rules.Unpaid {
			settle(t, b, r.Key(), rules.Finding{Source: rules.FromQuery, Verdict: verdict, GatewayID: "G" + r.Number})
			continue
		}
		settle(t, b, r.Key(), found("G"+r.Number, verdict, amount, fee))
		if random.IntN(5) == 0 {
			settle(t, b, r.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned, GatewayID: "G" + r.Number})
		}
	}
}

// Two persons close a day at the same moment: one of them has closed it.
func TestDayIsClosedOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		hash := b.day(t, "2026-03-10").Hash
		ref := order.DayRef{Merchant: merchant, Currency: "PKR", Day: "2026-03-10", Zone: karachi.String(), Hash: hash}
		const persons = 8
		codes := make([]string, persons)
		var running sync.WaitGroup
		for i := range persons {
			running.Go(func() {
				_, refusal, err := b.CloseDay(t.Context(), ref, order.Who{By: fmt.Sprintf("person %d", i)})
				switch {
				case err != nil:
					codes[i] = err.Error()
				case refusal != nil:
					codes[i] = refusal.Code
				}
			})
		}
		running.Wait()
		slices.Sort(codes)
		require.Equal(t, append([]string{""}, slices.Repeat([]string{CodeDayClosed}, persons-1)...), codes)
		b.clean(t)
	})
}
