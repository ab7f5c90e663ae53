package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// endsInItsRow ends the stop that is in force, as the worker's login may.
const endsInItsRow = "UPDATE stops SET proposer = 'bilal', ended_by = 'amina', ended_at = at + 1 WHERE ended_at = 0"

// stops stops a scope, or stops it again.
func (o *office) stops(scope order.StopScope) ledger.Stop {
	o.t.Helper()
	stop, refusal, err := o.StopPayouts(o.t.Context(), scope, order.Who{By: "chen", Why: "broken into"})
	require.NoError(o.t, err)
	require.Nil(o.t, refusal)
	return stop
}

// resumes has persons resume a stop, signed.
func (o *office) resumes(stop ledger.Stop, persons ...string) {
	o.t.Helper()
	for _, by := range persons {
		_, refusal, err := o.ResumePayouts(o.t.Context(), stop.ID, o.proves(by, "all is well", func(who order.Who) envelope.Envelope {
			return envelope.Resume(who, stop.StopScope, stop.ID, installation, o.now(), time.Hour)
		}))
		require.NoError(o.t, err)
		require.Nil(o.t, refusal)
	}
}

// pretends has a process resume a stop that asks for no signature.
func (o *office) pretends(l *ledger.Ledger, stop ledger.Stop, persons ...string) {
	o.t.Helper()
	for _, by := range persons {
		_, refusal, err := l.ResumePayouts(o.t.Context(), stop.ID, order.Who{By: by, Why: "all is well"})
		require.NoError(o.t, err)
		require.Nil(o.t, refusal)
	}
}

// reserved is an order that is ready to be sent.
func (o *office) reserved(number string) order.Key {
	o.t.Helper()
	return o.opens(o.signs(o.request(number, ""), "chen", same)).Key()
}

// held returns what holds an order back.
func held(t *testing.T, l *ledger.Ledger, key order.Key) *ledger.Stop {
	t.Helper()
	stop, breaker, err := l.HeldBack(t.Context(), key)
	require.NoError(t, err)
	require.False(t, breaker)
	return stop
}

// isHeld demands that a stop holds an order back although its row has ended.
func (o *office) isHeld(key order.Key, why string) {
	t := o.t
	t.Helper()
	found := held(t, o.Ledger, key)
	require.NotNil(t, found)
	require.False(t, found.EndedAt.IsZero())
	require.Contains(t, found.Unproven, why)
	_, err := o.NextSubmission(t.Context(), key, 0)
	require.ErrorContains(t, err, "a stop of the order has ended, and that was not proved yet")
	attempts, err := o.Submissions(t.Context(), key)
	require.NoError(t, err)
	require.Empty(t, attempts)
	require.Equal(t, order.Reserved, o.row(key).State, "it stays as it was")
}

// Whoever has the worker's database login ends a stop in its row, alone or with entries of the
// audit. It holds back as before, and a person is told. It is stopped again and resumed.
func TestAStopOfItsRowAloneHoldsBack(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		key := o.reserved("W-1")
		for _, scope := range []order.StopScope{{Merchant: "M1"}, {Country: "PK"}, {All: true}} {
			stop := o.stops(scope)
			o.writes(endsInItsRow)
			o.isHeld(key, "no entry stands in the audit that amina resumed them")
			again := o.stops(scope)
			require.NotEqual(t, stop.ID, again.ID)
			require.Empty(t, held(t, o.Ledger, key).Unproven, "a stop in force is told first")
			o.resumes(again, "bilal", "amina")
			require.Nil(t, held(t, o.Ledger, key), "two persons have resumed the scope since")
		}
		for name, try := range map[string]struct {
			persons func(stop ledger.Stop)
			why     string
		}{
			"no seals": {func(stop ledger.Stop) { o.pretends(o.stranger(), stop, "fara", "erin") }, seal.CodeSealMissing},
			"a proposal without a seal": {func(stop ledger.Stop) {
				o.pretends(o.stranger(), stop, "fara")
				o.pretends(o.stranger(ledger.SealWith(keys)), stop, "erin")
			}, seal.CodeSealMissing},
			"another person's proposal": {func(stop ledger.Stop) {
				o.resumes(stop, "bilal")
				o.writes("UPDATE stops SET proposer = 'fara' WHERE ended_at = 0")
				o.pretends(o.stranger(ledger.SealWith(keys)), stop, "bilal")
			}, "the entry before it in the audit is not that fara proposed to resume"},
			"a proposal that was taken back": {func(stop ledger.Stop) {
				o.resumes(stop, "bilal")
				o.stops(order.StopScope{Merchant: "M1"})
				o.writes("UPDATE stops SET proposer = 'bilal' WHERE ended_at = 0")
				o.pretends(o.stranger(ledger.SealWith(keys)), stop, "amina")
			}, "the entry before it in the audit is not that bilal proposed to resume"},
			"another stop's entries": {func(stop ledger.Stop) {
				o.resumes(stop, "amina", "bilal")
				o.stops(order.StopScope{Merchant: "M1"})
				o.writes("UPDATE stops SET proposer = 'amina', ended_by = 'bilal', ended_at = (SELECT MAX(ended_at) FROM stops) WHERE ended_at = 0")
			}, "no entry stands in the audit that bilal resumed them"},
			"no proposal": {func(stop ledger.Stop) {
				o.writes("UPDATE stops SET proposer = 'bilal' WHERE ended_at = 0")
				o.pretends(o.stranger(ledger.SealWith(keys)), stop, "amina")
			}, "the entry before it in the audit is not that bilal proposed to resume"},
		} {
			t.Log(name)
			try.persons(o.stops(order.StopScope{Merchant: "M1"}))
			o.isHeld(key, try.why)
			o.resumes(o.stops(order.StopScope{Merchant: "M1"}), "amina", "bilal")
			require.Nil(t, held(t, o.Ledger, key), name)
		}
		o.isSent(key, 0)
	})
}

// The activity that sends tells why an order is held back, and opens one discrepancy of the
// merchant. The gateway is not called.
func TestAnUnprovenEndIsTold(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		stop := o.stops(order.StopScope{All: true})
		o.writes(endsInItsRow)
		for _, number := range []string{"W-1", "W-2"} {
			sending, err := o.submits(o.reserved(number))
			require.NoError(t, err)
			require.Equal(t, order.Reserved, sending.State)
			require.False(t, sending.Sent)
			require.Equal(t, codes.StopUnproven, sending.Reason.Code)
			require.Equal(t, "chen stopped all payouts: broken into; the row of stop 1 says that bilal and amina have resumed all payouts, and the audit does not prove that: "+
				"no entry stands in the audit that amina resumed them; stop it again, which takes that back; then two persons resume", sending.Reason.Text)
		}
		found, err := o.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, []any{codes.StopUnproven, order.Key{Merchant: "M1"}, "the row of stop 1 says that bilal and amina have resumed all payouts, and the audit does not prove that"},
			[]any{found[0].Code, found[0].Key, found[0].Detail})
		require.Equal(t, int64(1), stop.ID)
	})
}

// What two persons have resumed is sent: also by another worker, after one of the two was
// revoked, and while the stops of others are in force.
func TestResumedPayoutsAreSent(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		for _, scope := range []order.StopScope{{Merchant: "M1"}, {Country: "PK"}, {All: true}, {Merchant: "M1"}} {
			o.resumes(o.stops(scope), "fara", "bilal")
		}
		o.stops(order.StopScope{Country: "VN"})
		first, second := o.reserved("W-1"), o.reserved("W-2")
		require.Nil(t, held(t, o.Ledger, first))
		o.isSent(first, 0)
		o.replaces("amina", "bilal", "chen")
		other := o.anotherWorker(keys)
		_, err := other.NextSubmission(t.Context(), second, 0)
		require.ErrorContains(t, err, "was not proved yet", "it was not asked what holds the order back")
		require.Nil(t, held(t, other, second))
		_, err = other.NextSubmission(t.Context(), second, 0)
		require.NoError(t, err)
		require.Empty(t, o.broken(keys))
	})
}

// A stop that begins and ends in its row after it was asked what holds the order back.
func TestAStopThatEndsInItsRowMeanwhile(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		o.resumes(o.stops(order.StopScope{Merchant: "M1"}), "fara", "bilal")
		key := o.reserved("W-1")
		require.Nil(t, held(t, o.Ledger, key))
		o.stops(order.StopScope{Merchant: "M1"})
		o.writes(endsInItsRow)
		_, err := o.NextSubmission(t.Context(), key, 0)
		require.ErrorContains(t, err, "was not proved yet")
		o.isHeld(key, "no entry stands in the audit")
	})
}

// An end with the seal of a key that another worker has is left to that worker.
func TestAnEndWithAnUnknownSeal(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		private, _, err := seal.Generate(installation)
		require.NoError(t, err)
		keys, err := seal.ParseKeys([]byte(private), "audit.key")
		require.NoError(t, err)
		key := o.reserved("W-1")
		o.pretends(o.stranger(ledger.SealWith(keys)), o.stops(order.StopScope{All: true}), "fara", "bilal")
		_, _, err = o.HeldBack(t.Context(), key)
		require.ErrorIs(t, err, ledger.ErrSealUnknown)
		_, err = o.submits(key)
		var left *temporal.ApplicationError
		require.ErrorAs(t, err, &left)
		require.Equal(t, codes.OtherWorker, left.Type())
		require.Nil(t, held(t, o.anotherWorker(keys), key))
	})
}

// A worker without the audit's key asks for no seal: the signatures of both decide, and the
// roster in force.
func TestSignaturesDecideAboutStops(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		key := o.reserved("W-1")
		o.resumes(o.stops(order.StopScope{Merchant: "M1"}), "fara", "bilal")
		require.Nil(t, held(t, o.Ledger, key))
		o.replaces("amina", "bilal", "chen")
		found := held(t, o.anotherWorker(nil), key)
		require.NotNil(t, found)
		require.Contains(t, found.Unproven, "KEY_UNKNOWN")
		o.pretends(o.stranger(), o.stops(order.StopScope{Merchant: "M1"}), "fara", "erin")
		o.isHeld(key, "its entry in the audit is not signed")
		o.resumes(o.stops(order.StopScope{Merchant: "M1"}), "amina", "bilal")
		require.Nil(t, held(t, o.Ledger, key))
		o.isSent(key, 0)
	})
}
