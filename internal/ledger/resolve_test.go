package ledger

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

func resolution(by string, state order.State) order.Resolution {
	return order.Resolution{State: state, By: by, Why: by + " looked it up", Evidence: "ticket of " + by}
}

// resolve demands that the resolution is not refused.
func resolve(t testing.TB, b *testBundle, key order.Key, r order.Resolution, two bool) (o order.Order, pending bool) {
	t.Helper()
	o, refusal, pending, err := b.Resolve(t.Context(), key, r, two)
	require.NoError(t, err)
	require.Nil(t, refusal)
	return o, pending
}

func TestResolveByOne(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, test := range []struct {
			kind  order.Kind
			state order.State
			books string
		}{
			{order.Withdrawal, order.Succeeded, "succeeded"},
			{order.Withdrawal, order.Failed, "failed"},
			{order.Deposit, order.Succeeded, "succeeded"},
			{order.Deposit, order.PartiallyPaid, "partially_paid"},
			{order.Deposit, order.Failed, "failed"},
			{order.Deposit, order.Expired, "expired"},
		} {
			o := b.at(t, test.kind, order.InReview)
			r := resolution("amina", test.state)
			switch test.state {
			case order.Succeeded:
				r.Fee = pkr("2")
			case order.PartiallyPaid:
				r.Paid, r.Fee = pkr("40"), pkr("1")
			default:
			}
			o, pending := resolve(t, b, o.Key(), r, false)
			require.False(t, pending)
			require.Equal(t, test.state, o.State)
			require.Equal(t, settled[test.kind][test.books], b.balancesOf(t, o.Merchant))
			require.Equal(t, order.Reason{Code: order.CodeResolved, Text: "resolved by amina: amina looked it up"}, o.Reason)
			trail := b.trail(t, o.Key())
			require.Equal(t, "amina: resolve in_review>"+string(test.state)+" RESOLVED", trail[len(trail)-1])
		}
		b.clean(t)
	})
}

func TestResolveByTwo(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		stands := b.at(t, order.Withdrawal, order.InReview)
		key, balances := stands.Key(), b.balancesOf(t, stands.Merchant)
		first := resolution("amina", order.Failed)
		first.ID = "update-1"

		for range 2 { // the second is a retry
			o, pending := resolve(t, b, key, first, true)
			require.True(t, pending)
			require.Equal(t, stands, o)
		}
		refused := func(r order.Resolution, code string) {
			t.Helper()
			o, refusal, pending, err := b.Resolve(t.Context(), key, r, true)
			require.NoError(t, err)
			require.Equal(t, code, refusal.Code)
			require.False(t, pending)
			require.Equal(t, stands, o)
			require.Equal(t, balances, b.balancesOf(t, key.Merchant))
		}
		refused(resolution(" AMINA ", order.Failed), codes.SamePerson)
		refused(resolution("Tests", order.Failed), codes.SamePerson) // who requested it

		// Another end is refused, and the proposal stands, unless it says that it replaces it.
		other := resolution("bilal", order.Succeeded)
		refused(other, codes.ProposalDiffers)
		refused(resolution("amina", order.Failed), codes.SamePerson)
		other.Replace = true
		o, pending := resolve(t, b, key, other, true)
		require.True(t, pending)
		require.Equal(t, stands, o)
		refused(resolution("bilal", order.Succeeded), codes.SamePerson)
		_, pending = resolve(t, b, key, resolution("bilal", order.Failed), true) // changed their mind
		require.True(t, pending)

		last := resolution("amina", order.Failed)
		last.ID = "update-2"
		for range 2 {
			o, pending = resolve(t, b, key, last, true)
			require.False(t, pending)
			require.Equal(t, order.Failed, o.State)
		}
		require.Equal(t, settled[order.Withdrawal]["failed"], b.balancesOf(t, key.Merchant))
		entries, err := b.Audit(t.Context(), key)
		require.NoError(t, err)
		end := entries[len(entries)-1]
		require.Equal(t, ActionResolve, end.Action)
		require.Equal(t, "bilal and amina", end.Actor)
		require.Equal(t, "ticket of bilal; ticket of amina", end.Evidence)
		require.Equal(t, "resolved by bilal and amina: bilal looked it up; amina looked it up", end.Reason.Text)
		require.Equal(t, []string{
			"amina: propose RESOLVED",
			" AMINA : resolve refused SAME_PERSON",
			"Tests: resolve refused SAME_PERSON",
			"bilal: resolve refused PROPOSAL_DIFFERS",
			"amina: resolve refused SAME_PERSON",
			"bilal: propose RESOLVED",
			"bilal: resolve refused SAME_PERSON",
			"bilal: propose RESOLVED",
			"bilal and amina: resolve in_review>failed RESOLVED",
		}, b.trail(t, key)[4:])

		_, refusal, _, err := b.Resolve(t.Context(), key, resolution("bilal", order.Succeeded), true)
		require.NoError(t, err)
		require.Equal(t, order.CodeTerminal, refusal.Code)
		b.clean(t)
	})
}

// Two persons who say the same end and not the same amount have not agreed.
func TestTwoPersonsAgreeOnAmounts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := b.at(t, order.Deposit, order.InReview).Key()
		part := func(by, paid, fee string) order.Resolution {
			r := resolution(by, order.PartiallyPaid)
			r.Paid, r.Fee, r.Replace = pkr(paid), pkr(fee), true
			return r
		}
		for _, r := range []order.Resolution{part("amina", "40", "1"), part("bilal", "41", "1"), part("amina", "40", "2"), part("bilal", "40", "1")} {
			_, pending := resolve(t, b, key, r, true)
			require.True(t, pending)
		}
		entries, err := b.Audit(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, "partially_paid with 40.00 PKR, fee 2.00 PKR, in place of what bilal proposed (partially_paid with 41.00 PKR, fee 1.00 PKR): amina looked it up", entries[len(entries)-2].Reason.Text)

		o, pending := resolve(t, b, key, part("chand", "40", "1"), true)
		require.False(t, pending)
		require.Equal(t, order.PartiallyPaid, o.State)
		require.Equal(t, settled[order.Deposit]["partially_paid"], b.balancesOf(t, key.Merchant))
		b.clean(t)
	})
}

// Proof that comes while a proposal waits ends the order; the proposal with it.
func TestProofOvertakesAProposal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := b.at(t, order.Withdrawal, order.InReview).Key()
		resolve(t, b, key, resolution("amina", order.Failed), true)
		require.Equal(t, order.Succeeded, settle(t, b, key, paid("100", "2")).Order.State)
		o, refusal, pending, err := b.Resolve(t.Context(), key, resolution("bilal", order.Failed), true)
		require.NoError(t, err)
		require.Equal(t, order.CodeTerminal, refusal.Code)
		require.False(t, pending)
		require.Equal(t, order.Succeeded, o.State)
		items := b.needsPerson(t, 0)
		require.Empty(t, items)
		b.clean(t)
	})
}

func TestManyResolveAtOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for range 8 {
			key := b.at(t, order.Withdrawal, order.InReview).Key()
			var lock sync.Mutex
			count := make(map[string]int)
			together(8, func(i int) {
				o, refusal, pending, err := b.Resolve(background, key, resolution([]string{"amina", "bilal"}[i%2], order.Failed), true)
				lock.Lock()
				defer lock.Unlock()
				switch {
				case err != nil:
					count[err.Error()]++
				case refusal != nil:
					count[refusal.Code]++
				default:
					count[fmt.Sprint(o.State, " ", pending)]++
				}
			})
			require.Equal(t, 1, count["in_review true"], count)
			require.Equal(t, 1, count["failed false"], count)
			require.Equal(t, 6, count[codes.SamePerson]+count[order.CodeTerminal], count)
			require.Equal(t, settled[order.Withdrawal]["failed"], b.balancesOf(t, key.Merchant))
		}
		b.clean(t)
	})
}

// What two persons say fits the audit, however much each may say.
func TestLongResolutions(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := b.at(t, order.Withdrawal, order.InReview).Key()
		for _, by := range []string{"amina", "bilal"} {
			r := resolution(by, order.Failed)
			r.Evidence, r.Why = by+strings.Repeat("é", (order.MaxText-len(by))/2), by+strings.Repeat("x", order.MaxText-len(by))
			resolve(t, b, key, r, true)
		}
		entries, err := b.Audit(t.Context(), key)
		require.NoError(t, err)
		end := entries[len(entries)-1]
		require.LessOrEqual(t, len(end.Evidence), maxText)
		require.Regexp(t, "^aminaé+…; bilalé+…$", end.Evidence)
		b.clean(t)
	})
}
