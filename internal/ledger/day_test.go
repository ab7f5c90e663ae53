package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// karachi is five hours ahead of UTC: its 2026-03-10 begins on 2026-03-09 at 19:00 UTC.
var karachi = mustZone("Asia/Karachi")

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// clock sets the clock of the ledger to a time in Karachi.
func (b *testBundle) clock(t testing.TB, text string) {
	t.Helper()
	now, err := time.ParseInLocation("2006-01-02 15:04:05.000", text, karachi)
	require.NoError(t, err)
	b.db.SetClock(func() time.Time { return now })
}

func (b *testBundle) day(t testing.TB, day order.Date) DayReport {
	t.Helper()
	report, err := b.Day(t.Context(), query(day))
	require.NoError(t, err)
	requireTies(t, report.DayFigures)
	return report
}

func query(day order.Date) DayQuery {
	return DayQuery{Merchant: merchant, Currency: "PKR", Day: day, Zone: karachi}
}

// requireTies demands that the figures of a day add up.
func requireTies(t testing.TB, f DayFigures) {
	t.Helper()
	sum := f.Opening.Minor()
	in, out := make(map[Account]int64), make(map[Account]int64)
	for _, m := range f.Movements {
		require.Positive(t, m.Count)
		sum += m.Effect.Minor()
		in[m.To] += m.Amount.Minor()
		out[m.From] += m.Amount.Minor()
	}
	require.Equal(t, f.Closing.Minor(), sum)
	var opening, closing, held int64
	for _, a := range f.Accounts {
		require.Equal(t, a.Closing.Minor(), a.Opening.Minor()+a.In.Minor()-a.Out.Minor(), a.Account)
		require.Equal(t, in[a.Account], a.In.Minor(), a.Account)
		require.Equal(t, out[a.Account], a.Out.Minor(), a.Account)
		opening, closing = opening+a.Opening.Minor(), closing+a.Closing.Minor()
		if a.Account.held() {
			held += a.Closing.Minor()
		}
	}
	require.Zero(t, opening)
	require.Zero(t, closing)
	require.Equal(t, f.Closing.Minor(), held)
	if f.Gateway != nil {
		require.Equal(t, f.Gateway.Difference.Minor(), f.Gateway.Closing.Minor()-f.Closing.Minor())
		require.Equal(t, f.Gateway.Closing.Minor(), f.Gateway.Balance.Minor()-f.Gateway.Between.Minor())
	}
}

// lines are the day's movements as texts.
func lines(f DayReport) (texts []string) {
	for _, m := range f.Movements {
		texts = append(texts, m.Kind+" "+string(m.Reason)+" "+m.Amount.Short()+" "+m.Effect.Short())
	}
	return texts
}

func corrections(f DayReport) (texts []string) {
	for _, c := range f.Corrections {
		text := c.Kind + " " + string(c.Reason) + " " + c.Effect.Short()
		if !c.Oldest.IsZero() {
			text += " since " + c.Oldest.In(karachi).Format("2006-01-02 15:04")
		}
		texts = append(texts, text)
	}
	return texts
}

func TestDay(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)

		first := b.day(t, "2026-03-10")
		require.Equal(t, "0", first.Opening.Short())
		require.Equal(t, "1098", first.Closing.Short())
		require.Equal(t, []string{
			"books opening_available 1000 1000", "deposit fee 2 -2", "deposit payment 100 100", "withdrawal reserve 300 0",
		}, lines(first))
		require.Empty(t, first.Corrections)
		require.Equal(t, DayTotal{1, pkr("2")}, first.Fees)

		second := b.day(t, "2026-03-11")
		require.Equal(t, first.Closing, second.Opening)
		require.Equal(t, []string{
			"adjustment adjust_fee 7 -7", "adjustment adjust_fee_refund 1 1", "deposit fee 3 -3", "deposit late_payment 50 50", "deposit refund 100 -100",
			"withdrawal fee 4 -4", "withdrawal payout 200 -200", "withdrawal release 100 0",
		}, lines(second))
		require.Equal(t, []string{
			"deposit refund -100 since 2026-03-10 12:00", "deposit late_payment 50 since 2026-03-10 23:59", "deposit fee -3 since 2026-03-10 23:59",
			"adjustment adjust_fee -7", "adjustment adjust_fee_refund 1",
		}, corrections(second))
		require.Equal(t, DayTotal{3, pkr("14")}, second.Fees)
		require.Equal(t, DayTotal{1, pkr("7")}, second.LateFees)
		require.Equal(t, DayTotal{1, pkr("1")}, second.FeesBack)
		require.Equal(t, DayTotal{2, pkr("-6")}, second.Adjustments)

		third := b.day(t, "2026-03-12")
		require.Equal(t, second.Closing, third.Opening)
		require.Empty(t, third.Movements)
		require.Equal(t, "835", third.Closing.Short())
		require.Equal(t, map[Account]string{
			AccountOpening: "-1000", AccountAvailable: "835", AccountPaidOut: "200", AccountReceived: "-50", AccountFees: "15",
		}, b.balances(t))
	})
}

// threeDays books on two days, at their first and last moments, too. The clock ends two
// days later.
func threeDays(t *testing.T, b *testBundle) {
	t.Helper()
	b.clock(t, "2026-03-10 00:00:00.000")
	b.books(t, "1000", "0")
	b.clock(t, "2026-03-10 12:00:00.000")
	d1, d2, w1, w2 := request(order.Deposit, "D1", "100"), request(order.Deposit, "D2", "50"), request(order.Withdrawal, "W1", "200"), request(order.Withdrawal, "W2", "100")
	for _, r := range []order.Request{d1, d2} {
		open(t, b, r)
		submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + r.Number})
	}
	settle(t, b, d1.Key(), found("GD1", rules.Paid, "100", "2"))
	b.clock(t, "2026-03-10 23:59:59.999")
	settle(t, b, d2.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Lapsed, GatewayID: "GD2"})
	for _, r := range []order.Request{w1, w2} {
		open(t, b, r)
	}
	b.clock(t, "2026-03-11 00:00:00.000")
	for _, r := range []order.Request{w1, w2} {
		submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + r.Number})
	}
	settle(t, b, w1.Key(), found("GW1", rules.Paid, "200", "4"))
	settle(t, b, w2.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, GatewayID: "GW2"})
	settle(t, b, d2.Key(), found("GD2", rules.Paid, "50", "3"))
	settle(t, b, d1.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned, GatewayID: "GD1"})
	for kind, amount := range map[AdjustmentKind]string{AdjustFee: "7", AdjustFeeRefund: "1"} {
		bookAdjusted(t, b, kind, amount)
	}
	b.clock(t, "2026-03-14 09:00:00.000")
}

func found(gatewayID string, verdict rules.Verdict, amount, fee string) rules.Finding {
	return rules.Finding{Source: rules.FromQuery, Verdict: verdict, GatewayID: gatewayID, Paid: pkr(amount), Fee: pkr(fee)}
}

func bookAdjusted(t *testing.T, b *testBundle, kind AdjustmentKind, amount string) {
	t.Helper()
	_, refusal, err := b.ProposeAdjustment(t.Context(), Adjustment{
		Merchant: merchant, Ref: string(kind), Kind: kind, Amount: pkr(amount), By: "amina", Why: "learned late", Evidence: "statement line 4",
	})
	require.NoError(t, err)
	require.Nil(t, refusal)
	_, refusal, err = b.ConfirmAdjustment(t.Context(), merchant, string(kind), order.Who{By: "bilal"})
	require.NoError(t, err)
	require.Nil(t, refusal)
}

func TestDayRefuses(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.clock(t, "2026-03-10 12:00:00.000")
		b.books(t, "1000", "0")
		b.clock(t, "2026-03-12 00:00:59.999")
		for _, test := range []struct {
			query DayQuery
			code  string
		}{
			{query("2026-03-09"), CodeDayBooks},
			{query("2026-03-11"), CodeDayNotOver}, // a transaction of that day may not be committed yet
			{query("2026-03-12"), CodeDayNotOver},
			{query("2026-03-13"), CodeDayFuture},
			{DayQuery{Merchant: merchant, Currency: "PKR", Day: "2026-03-13", Zone: karachi, SoFar: true}, CodeDayFuture},
			{DayQuery{Merchant: merchant, Currency: "VND", Day: "2026-03-10", Zone: karachi}, codes.BooksClosed},
			{DayQuery{Merchant: "M0", Currency: "PKR", Day: "2026-03-10", Zone: karachi}, codes.BooksClosed},
		} {
			_, err := b.Day(t.Context(), test.query)
			var refusal *order.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.code, refusal.Reason.Code, test.query.Day)
		}
		b.clock(t, "2026-03-12 00:01:00.000")
		require.Equal(t, "1000", b.day(t, "2026-03-11").Closing.Short())
	})
}

func TestDaySoFar(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.clock(t, "2026-03-10 12:00:00.000")
		b.books(t, "1000", "0")
		asked := query("2026-03-10")
		asked.SoFar = true
		figures, err := b.Day(t.Context(), asked)
		require.NoError(t, err)
		requireTies(t, figures.DayFigures)
		require.Equal(t, "2026-03-10T07:00:00Z", figures.Until.Format(time.RFC3339))
		require.Equal(t, "1000", figures.Closing.Short())
		b.clock(t, "2026-03-11 00:01:00.000")
		figures, err = b.Day(t.Context(), asked)
		require.NoError(t, err)
		require.Zero(t, figures.Until)
	})
}

// snapshot compares the balances at a time, with an answer of the gateway.
func (b *testBundle) snapshot(t *testing.T, at, available string) {
	t.Helper()
	b.clock(t, at)
	before, err := b.Booked(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	_, err = b.TakeSnapshot(t.Context(), merchant, pkr(available), pkr("0"), before)
	require.NoError(t, err)
}

func TestDayGateway(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.clock(t, "2026-03-10 12:00:00.000")
		b.books(t, "1000", "0")
		b.snapshot(t, "2026-03-10 23:44:59.999", "1000") // too early
		b.clock(t, "2026-03-12 09:00:00.000")
		unknown := b.day(t, "2026-03-10")
		require.Nil(t, unknown.Gateway)
		require.Equal(t, "the gateway's balance was not read within 15 minutes of the end of the day", unknown.GatewayUnknown)

		// A payment after midnight is in the gateway's balance and not in the day's.
		b.clock(t, "2026-03-11 00:00:05.000")
		d1 := request(order.Deposit, "D1", "100")
		open(t, b, d1)
		submit(t, b, d1.Key(), Answer{Outcome: Accepted, GatewayID: "GD1"})
		settle(t, b, d1.Key(), found("GD1", rules.Paid, "100", "0"))
		b.snapshot(t, "2026-03-11 00:00:10.000", "1095") // unsettled: seen once
		b.snapshot(t, "2026-03-11 00:00:20.000", "1095")
		b.clock(t, "2026-03-12 09:00:00.000")
		drifting := b.day(t, "2026-03-10").Gateway
		require.NotNil(t, drifting)
		require.Equal(t, []string{"1095", "100", "995", "-5", "-5"}, []string{
			drifting.Balance.Short(), drifting.Between.Short(), drifting.Closing.Short(), drifting.Difference.Short(), drifting.Unexplained.Short(),
		})
		require.Equal(t, "00:00:20", drifting.At.In(karachi).Format("15:04:05"))

		b.snapshot(t, "2026-03-11 00:05:00.000", "1100") // agrees, but is not the nearest that proves something
		b.clock(t, "2026-03-12 09:00:00.000")
		require.Equal(t, drifting, b.day(t, "2026-03-10").Gateway)
	})
}

func TestDayDiscrepancies(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.clock(t, "2026-03-10 12:00:00.000")
		b.books(t, "1000", "0")
		key := open(t, b, request(order.Deposit, "D1", "100")).Key()
		require.NoError(t, b.OpenDiscrepancy(t.Context(), key, codes.DiscrepancyMismatch, "first"))
		b.clock(t, "2026-03-11 12:00:00.000")
		require.NoError(t, b.OpenDiscrepancy(t.Context(), key, codes.DiscrepancyFee, "second"))
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Code: codes.DiscrepancyMismatch})
		require.NoError(t, err)
		_, refusal, err := b.CloseDiscrepancy(t.Context(), found[0].ID, order.Who{By: "amina", Why: "dealt with"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		b.clock(t, "2026-03-14 12:00:00.000")
		require.Equal(t, []order.DiscrepancyCount{{Code: codes.DiscrepancyMismatch, Open: 1}}, b.day(t, "2026-03-10").Discrepancies)
		require.Equal(t, []order.DiscrepancyCount{{Code: codes.DiscrepancyFee, Open: 1}}, b.day(t, "2026-03-11").Discrepancies)
		require.Equal(t, []order.DiscrepancyCount{{Code: codes.DiscrepancyFee, Open: 1}}, b.day(t, "2026-03-12").Discrepancies)
	})
}
