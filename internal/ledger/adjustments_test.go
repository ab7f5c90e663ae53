package ledger

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func adjustment(ref string, kind AdjustmentKind, amount string) Adjustment {
	return Adjustment{Merchant: merchant, Ref: ref, Kind: kind, Amount: pkr(amount), By: "amina", Why: "as the bank says", Evidence: "slip " + ref}
}

// propose proposes and demands that it is not refused.
func propose(t testing.TB, b *testBundle, a Adjustment) AdjustmentRecord {
	t.Helper()
	record, refusal, err := b.ProposeAdjustment(t.Context(), a)
	require.NoError(t, err)
	require.Nil(t, refusal)
	return record
}

// adjusted proposes and confirms.
func adjusted(t testing.TB, b *testBundle, a Adjustment) AdjustmentRecord {
	t.Helper()
	propose(t, b, a)
	record, refusal, err := b.ConfirmAdjustment(t.Context(), a.Merchant, a.Ref, who("bilal", ""))
	require.NoError(t, err)
	require.Nil(t, refusal)
	return record
}

var theMerchant = order.Key{Merchant: merchant}

func TestAdjustmentsMoveMoney(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind     AdjustmentKind
		reason   TransferReason
		balances map[Account]string // after 30, of 1000 available and 50 frozen
	}{
		{AdjustTopUp, "adjust_top_up", map[Account]string{AccountSettled: "-30", AccountAvailable: "1030", AccountInFlight: "50"}},
		{AdjustSettlement, "adjust_settlement", map[Account]string{AccountSettled: "30", AccountAvailable: "970", AccountInFlight: "50"}},
		{AdjustFee, "adjust_fee", map[Account]string{AccountFees: "30", AccountAvailable: "970", AccountInFlight: "50"}},
		{AdjustFeeRefund, "adjust_fee_refund", map[Account]string{AccountFees: "-30", AccountAvailable: "1030", AccountInFlight: "50"}},
		{AdjustFrozenPaid, "adjust_frozen_paid", map[Account]string{AccountPaidOut: "30", AccountAvailable: "1000", AccountInFlight: "20"}},
		{AdjustFrozenReturned, "adjust_frozen_returned", map[Account]string{AccountAvailable: "1030", AccountInFlight: "20"}},
		{AdjustCorrectionIn, "adjust_correction_in", map[Account]string{AccountSuspense: "-30", AccountAvailable: "1030", AccountInFlight: "50"}},
		{AdjustCorrectionOut, "adjust_correction_out", map[Account]string{AccountSuspense: "30", AccountAvailable: "970", AccountInFlight: "50"}},
	}
	require.Len(t, AdjustmentKinds(), len(tests))
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		for i, test := range tests {
			move := AdjustmentKinds()[i]
			require.Equal(t, test.kind, move.Kind)
			require.NotEmpty(t, move.Text)
			a := adjustment("A-1", test.kind, "30")
			a.Merchant = "MA" + string(test.kind)
			require.NoError(t, b.OpenBooks(t.Context(), a.Merchant, pkr("1000"), pkr("50")))
			before := b.balancesOf(t, a.Merchant)

			proposed := propose(t, b, a)
			require.Equal(t, AdjustmentRecord{Adjustment: a, State: AdjustmentProposed, ProposedAt: now}, proposed)
			require.Equal(t, before, b.balancesOf(t, a.Merchant), "a proposal moves nothing")

			now = now.Add(time.Minute)
			want := proposed
			want.State, want.DecidedBy, want.DecidedAt = AdjustmentBooked, "bilal", now
			for _, want.Repeated = range []bool{false, true} { // booked once
				record, refusal, err := b.ConfirmAdjustment(t.Context(), a.Merchant, a.Ref, who("bilal", ""))
				require.NoError(t, err)
				require.Nil(t, refusal)
				require.Equal(t, want, record)
				require.Equal(t, test.balances, b.balancesOf(t, a.Merchant), test.kind)
			}
			require.Equal(t, want, propose(t, b, a), "the proposal again")
			var row transferRow
			require.NoError(t, b.db.Get(t.Context(), &row,
				"SELECT reason, from_account, to_account, amount, at FROM transfers WHERE merchant = ? AND adjustment_id IS NOT NULL", a.Merchant))
			require.Equal(t, transferRow{Reason: test.reason, From: move.From, To: move.To, Amount: 3000, At: now.UnixMilli()}, row)

			entries, err := b.Audit(t.Context(), order.Key{Merchant: a.Merchant})
			require.NoError(t, err)
			require.Len(t, entries, 3)
			require.Equal(t, []string{"system: open_books", "amina: propose_adjustment >proposed", "bilal: confirm_adjustment proposed>booked"},
				b.trail(t, order.Key{Merchant: a.Merchant}))
			for _, e := range entries[1:] {
				require.Equal(t, "adjustment A-1: "+string(test.kind)+" 30.00 PKR: slip A-1", e.Evidence)
				require.Equal(t, rules.FromOperator, e.Source)
			}
			require.Equal(t, "as the bank says", entries[1].Reason.Text)
		}
		b.clean(t)
	})
}

// What is gone at the gateway is gone, whether or not our books cover it.
func TestAdjustmentsMayOverdrawWhatIsAvailable(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10", "0")
		adjusted(t, b, adjustment("A1", AdjustSettlement, "20"))
		adjusted(t, b, adjustment("A2", AdjustFee, "5"))
		adjusted(t, b, adjustment("A3", AdjustCorrectionOut, "7"))
		require.Equal(t, map[Account]string{AccountAvailable: "-22", AccountSettled: "20", AccountFees: "5", AccountSuspense: "7"},
			b.balancesOf(t, merchant))
		adjusted(t, b, adjustment("A4", AdjustTopUp, "122")) // and a withdrawal may go
		require.Equal(t, order.Reserved, open(t, b, request(order.Withdrawal, "W1", "100")).State)
		b.clean(t)
	})
}

func TestRefusedAdjustments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Adjustment)
		code   string
	}{
		{"by nobody", func(a *Adjustment) { a.By = " " }, order.CodeWhoMissing},
		{"by the system", func(a *Adjustment) { a.By = "System" }, order.CodeWhoMissing},
		{"without why", func(a *Adjustment) { a.Why = "\t" }, order.CodeWhyMissing},
		{"without proof", func(a *Adjustment) { a.Evidence = " " }, codes.EvidenceMissing},
		{"of nobody's", func(a *Adjustment) { a.Merchant = "" }, CodeAdjustmentInvalid},
		{"without reference", func(a *Adjustment) { a.Ref = "" }, CodeAdjustmentInvalid},
		{"reference with blanks", func(a *Adjustment) { a.Ref = "A 1" }, CodeAdjustmentInvalid},
		{"reference of two lines", func(a *Adjustment) { a.Ref = "A1\n" }, CodeAdjustmentInvalid},
		{"long reference", func(a *Adjustment) { a.Ref = strings.Repeat("x", 65) }, CodeAdjustmentInvalid},
		{"no kind", func(a *Adjustment) { a.Kind = "" }, CodeAdjustmentInvalid},
		{"unknown kind", func(a *Adjustment) { a.Kind = "gift" }, CodeAdjustmentInvalid},
		{"no amount", func(a *Adjustment) { a.Amount = money.Amount{} }, CodeAdjustmentInvalid},
		{"nothing", func(a *Adjustment) { a.Amount = pkr("0") }, CodeAdjustmentInvalid},
		{"below zero", func(a *Adjustment) { a.Amount = pkr("-1") }, CodeAdjustmentInvalid},
		{"without books", func(a *Adjustment) { a.Merchant = "M2" }, codes.BooksClosed},
		{"without books in the currency", func(a *Adjustment) { a.Amount = amount(5, "VND") }, codes.BooksClosed},
		{"more than was frozen", func(a *Adjustment) { a.Kind, a.Amount = AdjustFrozenPaid, pkr("50.01") }, CodeFrozenExceeded},
		{"more than was frozen comes back", func(a *Adjustment) { a.Kind, a.Amount = AdjustFrozenReturned, pkr("51") }, CodeFrozenExceeded},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "50")
		balances := b.balances(t)
		for _, test := range tests {
			a := adjustment("A1", AdjustTopUp, "30")
			test.change(&a)
			trail := b.trail(t, order.Key{Merchant: a.Merchant})
			record, refusal, err := b.ProposeAdjustment(t.Context(), a)
			require.NoError(t, err, test.name)
			require.NotNil(t, refusal, test.name)
			require.Equal(t, test.code, refusal.Code, test.name)
			require.Equal(t, AdjustmentRecord{}, record, test.name)
			actor := a.By
			if actor == " " {
				actor = "nobody"
			}
			require.Equal(t, append(trail, actor+": propose_adjustment refused "+test.code), b.trail(t, order.Key{Merchant: a.Merchant}), test.name)
		}
		all, err := b.Adjustments(t.Context(), AdjustmentFilter{})
		require.NoError(t, err)
		require.Empty(t, all)
		require.Equal(t, balances, b.balances(t))
		b.clean(t)
	})
}

// One reference is one adjustment; the same again is no second one.
func TestAdjustmentsAreProposedOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "50")
		a := adjustment("A1", AdjustFrozenPaid, "50")
		first := propose(t, b, a)
		again := a
		again.By = " Amina"
		repeated := first
		repeated.Repeated = true
		require.Equal(t, repeated, propose(t, b, again))
		again.ID = "another call"
		require.Equal(t, repeated, propose(t, b, again))
		for name, change := range map[string]func(*Adjustment){
			"amount":   func(a *Adjustment) { a.Amount = pkr("40") },
			"kind":     func(a *Adjustment) { a.Kind = AdjustTopUp },
			"currency": func(a *Adjustment) { a.Amount = amount(5000, "VND") },
			"why":      func(a *Adjustment) { a.Why = "x" },
			"evidence": func(a *Adjustment) { a.Evidence = "x" },
			"by":       func(a *Adjustment) { a.By = "bilal" },
		} {
			other := a
			change(&other)
			record, refusal, err := b.ProposeAdjustment(t.Context(), other)
			require.NoError(t, err, name)
			require.NotNil(t, refusal, name)
			require.Equal(t, CodeAdjustmentConflict, refusal.Code, name)
			require.Equal(t, first, record, name)
		}
		require.Equal(t, "amina: propose_adjustment >proposed", b.trail(t, theMerchant)[1])
		require.Len(t, b.trail(t, theMerchant), 1+7)
		arrivesTwice := adjustment("A7", AdjustTopUp, "5")
		arrivesTwice.ID = "one call"
		require.False(t, propose(t, b, arrivesTwice).Repeated)
		require.False(t, propose(t, b, arrivesTwice).Repeated, "one call that arrives twice is no repetition")
		elsewhere := a // a reference is the merchant's
		elsewhere.Merchant = "M2"
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("0"), pkr("50")))
		require.Equal(t, AdjustmentProposed, propose(t, b, elsewhere).State)
		b.clean(t)
	})
}

func TestAnotherPersonConfirms(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		first := propose(t, b, adjustment("A1", AdjustSettlement, "30"))
		balances := b.balances(t)
		refuse := func(by, ref, code string, stands AdjustmentRecord) {
			t.Helper()
			record, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, ref, who(by, ""))
			require.NoError(t, err)
			require.NotNil(t, refusal)
			require.Equal(t, code, refusal.Code)
			require.Equal(t, stands, record)
		}
		for _, by := range []string{"amina", "AMINA ", "\tAmina"} {
			refuse(by, "A1", codes.SamePerson, first)
		}
		refuse("", "A1", order.CodeWhoMissing, first)
		refuse("system", "A1", order.CodeWhoMissing, first)
		refuse("bilal", "A2", CodeAdjustmentNotFound, AdjustmentRecord{})
		require.Equal(t, balances, b.balances(t))

		booked, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, "A1", who("bilal", ""))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, AdjustmentBooked, booked.State)
		balances = b.balances(t)
		refuse("amina", "A1", CodeAdjustmentDecided, booked)
		refuse("omar", "A1", CodeAdjustmentDecided, booked)
		record, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, "A1", who("Bilal", ""))
		require.NoError(t, err)
		require.Nil(t, refusal)
		again := booked
		again.Repeated = true
		require.Equal(t, again, record)
		_, refusal, err = b.RejectAdjustment(t.Context(), merchant, "A1", who("bilal", "too late"))
		require.NoError(t, err)
		require.Equal(t, CodeAdjustmentDecided, refusal.Code)
		require.Equal(t, balances, b.balances(t))
		require.Equal(t, []string{
			"amina: propose_adjustment >proposed",
			"amina: confirm_adjustment refused SAME_PERSON", "AMINA : confirm_adjustment refused SAME_PERSON",
			"\tAmina: confirm_adjustment refused SAME_PERSON",
			"nobody: confirm_adjustment refused WHO_MISSING", "system: confirm_adjustment refused WHO_MISSING",
			"bilal: confirm_adjustment refused ADJUSTMENT_NOT_FOUND",
			"bilal: confirm_adjustment proposed>booked",
			"amina: confirm_adjustment refused ADJUSTMENT_DECIDED", "omar: confirm_adjustment refused ADJUSTMENT_DECIDED",
			"bilal: reject_adjustment refused ADJUSTMENT_DECIDED",
		}, b.trail(t, theMerchant)[1:])
		entries, err := b.Audit(t.Context(), theMerchant)
		require.NoError(t, err)
		require.Equal(t, [2]order.State{"proposed", "proposed"}, [2]order.State{entries[2].Before, entries[2].After})
		require.Equal(t, "adjustment A2: not on record", entries[7].Evidence)
		b.clean(t)
	})
}

func TestRejectAdjustment(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		balances := b.balances(t)
		for i, by := range []string{"bilal", "amina"} { // a second person; or who proposed it withdraws it
			a := adjustment(fmt.Sprint("A", i), AdjustSettlement, "30")
			propose(t, b, a)
			for _, test := range []struct{ by, why, code string }{
				{"", "x", order.CodeWhoMissing}, {by, " ", order.CodeWhyMissing},
			} {
				record, refusal, err := b.RejectAdjustment(t.Context(), merchant, a.Ref, who(test.by, test.why))
				require.NoError(t, err)
				require.Equal(t, test.code, refusal.Code)
				require.Equal(t, AdjustmentProposed, record.State)
			}
			for range 2 {
				record, refusal, err := b.RejectAdjustment(t.Context(), merchant, a.Ref, who(by, "no such slip"))
				require.NoError(t, err)
				require.Nil(t, refusal)
				require.Equal(t, AdjustmentRejected, record.State)
				require.Equal(t, [2]string{by, "no such slip"}, [2]string{record.DecidedBy, record.DecidedWhy})
			}
			_, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, a.Ref, who("omar", ""))
			require.NoError(t, err)
			require.Equal(t, CodeAdjustmentDecided, refusal.Code)
		}
		_, refusal, err := b.RejectAdjustment(t.Context(), merchant, "A9", who("omar", "x"))
		require.NoError(t, err)
		require.Equal(t, CodeAdjustmentNotFound, refusal.Code)
		trail := b.trail(t, theMerchant)[1:] // after the opening of the books
		require.Equal(t, []string{
			"amina: propose_adjustment >proposed", "nobody: reject_adjustment refused WHO_MISSING", "bilal: reject_adjustment refused WHY_MISSING",
			"bilal: reject_adjustment proposed>rejected", "omar: confirm_adjustment refused ADJUSTMENT_DECIDED",
		}, trail[:5])
		require.Equal(t, "omar: reject_adjustment refused ADJUSTMENT_NOT_FOUND", trail[10])
		require.Equal(t, balances, b.balances(t))
		b.clean(t)
	})
}

// What was frozen at the opening ends once, although more is in flight: the
// reservations of orders are not touched.
func TestFrozenEndsOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "50")
		open(t, b, request(order.Withdrawal, "W1", "500"))
		for _, ref := range []string{"A1", "A2", "A3"} { // each fits by itself
			propose(t, b, adjustment(ref, AdjustFrozenReturned, "30"))
		}
		adjusted(t, b, adjustment("A1", AdjustFrozenReturned, "30"))
		record, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, "A2", who("bilal", ""))
		require.NoError(t, err)
		require.Equal(t, &order.Refusal{Reason: order.Reason{
			Code: CodeFrozenExceeded, Text: "30.00 PKR is more than the 20.00 PKR that are left of what was frozen when the books were opened",
		}}, refusal)
		require.Equal(t, AdjustmentProposed, record.State)
		adjusted(t, b, adjustment("A4", AdjustFrozenPaid, "20"))
		_, refusal, err = b.ProposeAdjustment(t.Context(), adjustment("A5", AdjustFrozenPaid, "0.01"))
		require.NoError(t, err)
		require.Equal(t, CodeFrozenExceeded, refusal.Code)
		require.Equal(t, map[Account]string{AccountAvailable: "530", AccountInFlight: "500", AccountPaidOut: "20"}, b.balancesOf(t, merchant))
		b.clean(t)
	})
}

// Of many who confirm at once one books, and the money moves once.
func TestConcurrentConfirmsMoveTheMoneyOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "50")
		propose(t, b, adjustment("A1", AdjustSettlement, "30"))
		propose(t, b, adjustment("A2", AdjustTopUp, "7"))
		var booked, same atomic.Int32
		together(20, func(i int) {
			record, refusal, err := b.ConfirmAdjustment(background, merchant, "A1", who(fmt.Sprint("person ", i), ""))
			switch {
			case err != nil:
				panic(err)
			case refusal == nil:
				booked.Add(1)
			case refusal.Code != CodeAdjustmentDecided || record.State != AdjustmentBooked:
				panic(refusal)
			}
			if _, refusal, err := b.ConfirmAdjustment(background, merchant, "A2", who("bilal", "")); err == nil && refusal == nil {
				same.Add(1)
			}
		})
		require.EqualValues(t, 1, booked.Load())
		require.EqualValues(t, 20, same.Load(), "the same person again")
		require.Equal(t, map[Account]string{AccountAvailable: "977", AccountInFlight: "50", AccountSettled: "23"}, b.balancesOf(t, merchant))

		// Of what was frozen only one can have all.
		for i := range 20 {
			propose(t, b, adjustment(fmt.Sprint("F", i), AdjustFrozenPaid, "50"))
		}
		booked.Store(0)
		together(20, func(i int) {
			_, refusal, err := b.ConfirmAdjustment(background, merchant, fmt.Sprint("F", i), who("bilal", ""))
			if err != nil || (refusal != nil && refusal.Code != CodeFrozenExceeded) {
				panic(fmt.Sprint(err, refusal))
			}
			if refusal == nil {
				booked.Add(1)
			}
		})
		require.EqualValues(t, 1, booked.Load())
		require.Equal(t, map[Account]string{AccountAvailable: "977", AccountSettled: "23", AccountPaidOut: "50"}, b.balancesOf(t, merchant))
		b.clean(t)
	})
}

func TestConcurrentProposalsAreOne(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		for round := range 10 {
			var proposed, conflicts atomic.Int32
			together(20, func(i int) {
				a := adjustment(fmt.Sprint("A", round), AdjustTopUp, fmt.Sprint(1+i%2))
				record, refusal, err := b.ProposeAdjustment(background, a)
				switch {
				case err != nil:
					panic(err)
				case record.Ref != a.Ref:
					panic("an answer without the adjustment")
				case refusal == nil:
					proposed.Add(1)
				case refusal.Code == CodeAdjustmentConflict:
					conflicts.Add(1)
				}
			})
			require.Equal(t, [2]int32{10, 10}, [2]int32{proposed.Load(), conflicts.Load()})
			require.Len(t, b.trail(t, theMerchant), 1+(round+1)*(1+10), "a repetition is no second proposal")
			all, err := b.Adjustments(t.Context(), AdjustmentFilter{})
			require.NoError(t, err)
			require.Len(t, all, round+1)
		}
		b.clean(t)
	})
}

func TestListingAdjustments(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("0"), pkr("0")))
		for i := range 4 {
			propose(t, b, adjustment(fmt.Sprint("A", i), AdjustTopUp, "1"))
		}
		other := adjustment("A9", AdjustTopUp, "1")
		other.Merchant = "M2"
		propose(t, b, other)
		adjusted(t, b, adjustment("A3", AdjustTopUp, "1"))
		_, _, err := b.RejectAdjustment(t.Context(), merchant, "A1", who("bilal", "no"))
		require.NoError(t, err)
		for _, test := range []struct {
			filter AdjustmentFilter
			want   string
		}{
			{AdjustmentFilter{}, "A9 A3 A2 A1 A0"},
			{AdjustmentFilter{Merchant: merchant}, "A3 A2 A1 A0"},
			{AdjustmentFilter{Open: true}, "A9 A2 A0"},
			{AdjustmentFilter{Merchant: merchant, Open: true, Limit: 1}, "A2"},
			{AdjustmentFilter{Merchant: "M3"}, ""},
		} {
			records, err := b.Adjustments(t.Context(), test.filter)
			require.NoError(t, err)
			refs := make([]string, len(records))
			for i, record := range records {
				refs[i] = record.Ref
			}
			require.Equal(t, test.want, strings.Join(refs, " "))
		}
	})
}

// A fee that is more than ever moved cannot have been kept, neither when it is
// proposed nor when it is booked; a person's fee on an order has its own bound.
func TestFeesHaveBounds(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "900", "100")
		for i, test := range []struct {
			kind   AdjustmentKind
			amount string
			code   string
		}{
			{AdjustFee, "1000", ""}, {AdjustFee, "1000.01", codes.FeeBounds}, {AdjustFeeRefund, "99999", codes.FeeBounds},
			{AdjustFeeRefund, "1000", ""}, {AdjustTopUp, "99999", ""}, {AdjustCorrectionOut, "99999", ""},
		} {
			a := adjustment(fmt.Sprint("A", i), test.kind, test.amount)
			_, refusal, err := b.ProposeAdjustment(t.Context(), a)
			require.NoError(t, err)
			if test.code == "" {
				require.Nil(t, refusal, "%s %s", test.kind, test.amount)
			} else {
				require.Equal(t, test.code, refusal.Code, "%s %s", test.kind, test.amount)
			}
		}
		require.NoError(t, b.exec("INSERT INTO adjustments (merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at, state) "+
			"SELECT merchant, 'old', currency, 'fee', 9999900, actor, 'w', 'e', proposed_at, 'proposed' FROM adjustments WHERE ref = 'A0'"))
		_, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, "old", who("bilal", ""))
		require.NoError(t, err)
		require.Equal(t, codes.FeeBounds, refusal.Code)

		o := b.at(t, order.Withdrawal, order.InReview)
		r := resolution("amina", order.Succeeded)
		r.Fee = pkr("100.01")
		o, refusal, _, err = b.Resolve(t.Context(), o.Key(), r, false)
		require.NoError(t, err)
		require.Equal(t, codes.FeeBounds, refusal.Code)
		require.Equal(t, order.InReview, o.State)
		b.unguard(t)
		require.NoError(t, b.exec("DELETE FROM adjustments WHERE ref = 'old'")) // nobody proposed it
		b.clean(t)
	})
}
