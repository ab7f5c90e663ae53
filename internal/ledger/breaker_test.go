package ledger

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		key := order.Reason{Code: order.CodeGatewayPaused, Text: "the key has expired"}

		_, open, err := b.Breaker(ctx, merchant)
		require.NoError(t, err)
		require.False(t, open)
		claimed, wait, err := b.ClaimProbe(ctx, merchant, time.Hour)
		require.NoError(t, err)
		require.False(t, claimed, "nothing is open")
		require.Zero(t, wait)

		require.NoError(t, b.Trip(ctx, merchant, key, time.Minute))
		now = noon.Add(30 * time.Second)
		require.NoError(t, b.Trip(ctx, merchant, order.Reason{Code: order.CodeGatewayPaused, Text: "another order"}, time.Hour))
		require.NoError(t, b.Trip(ctx, "M2", key, time.Minute))
		want := Breaker{Merchant: merchant, Since: noon, Reason: key, ProbeAt: noon.Add(time.Minute)}
		found, open, err := b.Breaker(ctx, merchant)
		require.NoError(t, err)
		require.True(t, open)
		require.Equal(t, want, found)
		all, err := b.Breakers(ctx)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, []Breaker{want, {Merchant: "M2", Since: now, Reason: key, ProbeAt: now.Add(time.Minute)}}, all)

		claim := func(pause, wait time.Duration) bool {
			t.Helper()
			claimed, left, err := b.ClaimProbe(ctx, merchant, pause)
			require.NoError(t, err)
			require.Equal(t, wait, left)
			return claimed
		}
		now = noon.Add(time.Minute - time.Millisecond)
		require.False(t, claim(2*time.Minute, time.Millisecond), "too early")
		now = noon.Add(time.Minute)
		require.False(t, claim(0, 0), "a claim moves the next probe on")
		require.True(t, claim(time.Minute, time.Minute))
		require.False(t, claim(time.Minute, time.Minute), "somebody has it")
		now = noon.Add(2 * time.Minute)
		require.True(t, claim(2*time.Minute, 2*time.Minute))

		for range 2 {
			require.NoError(t, b.Reset(ctx, merchant))
		}
		_, open, err = b.Breaker(ctx, merchant)
		require.NoError(t, err)
		require.False(t, open)
		require.NoError(t, b.Trip(ctx, merchant, key, 0)) // it may trip again at once
		require.Equal(t, []string{
			"system: trip GATEWAY_PAUSED", "system: reset", "system: trip GATEWAY_PAUSED",
		}, b.trail(t, order.Key{Merchant: merchant}))
		b.clean(t)
	})
}

func TestAProbeIsClaimedOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for range 10 {
			require.NoError(t, b.Trip(t.Context(), merchant, order.Reason{Code: order.CodeGatewayPaused}, 0))
			var claimed, failed atomic.Int32
			together(24, func(int) {
				mine, _, err := b.ClaimProbe(background, merchant, time.Hour)
				if mine {
					claimed.Add(1)
				}
				if err != nil {
					failed.Add(1)
				}
			})
			require.Zero(t, failed.Load())
			require.EqualValues(t, 1, claimed.Load())
			require.NoError(t, b.Reset(t.Context(), merchant))
		}
	})
}

// Trips and resets of one merchant at once leave one whole chain.
func TestBreakersTrippedAtOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		var failed atomic.Int32
		together(40, func(i int) {
			var err error
			if i%4 == 0 {
				err = b.Reset(background, merchant)
			} else {
				err = b.Trip(background, merchant, order.Reason{Code: order.CodeGatewayPaused}, time.Minute)
			}
			if err != nil {
				failed.Add(1)
			}
		})
		require.Zero(t, failed.Load())
		for i, line := range b.trail(t, order.Key{Merchant: merchant}) { // in turn, however they met
			require.Equal(t, []string{"system: trip GATEWAY_PAUSED", "system: reset"}[i%2], line)
		}
		b.clean(t)
	})
}
