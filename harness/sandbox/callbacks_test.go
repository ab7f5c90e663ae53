package sandbox_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestCallbackIsRepeatedUntilOK(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	answers := []struct {
		status int
		text   string
	}{
		{http.StatusInternalServerError, "OK"}, {http.StatusCreated, "OK"}, {http.StatusFound, "OK"}, {http.StatusOK, ""},
		{http.StatusOK, "ok"}, {http.StatusOK, `"OK"`}, {http.StatusOK, "OK\n"}, {http.StatusOK, `{"code":"OK"}`}, {http.StatusOK, "OK"},
	}
	b.receiver.answer = func(n int, _ received) (int, string) { return answers[n-1].status, answers[n-1].text }
	_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	b.gateway.Advance(48 * time.Hour)

	deliveries := b.gateway.Deliveries(pakistan, "W-1")
	require.Len(t, deliveries, 1)
	d := deliveries[0]
	require.True(t, d.Heard)
	require.True(t, d.Over)
	require.Zero(t, d.NextAt)
	require.Len(t, d.Sends, len(answers))
	at := start.Add(sandbox.DefaultDelay)
	for i, send := range d.Sends {
		require.Equal(t, at, send.At, "send %d", i+1)
		require.Equal(t, answers[i].status, send.Status)
		require.Equal(t, answers[i].text, send.Answer)
		at = at.Add(sandbox.DefaultCallbackSchedule[i])
	}
	for _, got := range b.receiver.got {
		require.Equal(t, d.Body, string(got.body))
		require.Equal(t, d.Signature, got.signature)
	}
	require.Zero(t, b.gateway.Audit().CallbacksUnheard)
}

func TestCallbackStopsAfterSixteenSends(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.receiver.answer = func(int, received) (int, string) { return http.StatusOK, "KO" }
	_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	b.gateway.Advance(30 * 24 * time.Hour)
	d := b.gateway.Deliveries(pakistan, "W-1")[0]
	require.Len(t, d.Sends, 16)
	require.True(t, d.Over)
	require.False(t, d.Heard)
	require.Len(t, b.receiver.got, 16)
	for i := 1; i < len(d.Sends)-1; i++ {
		require.Greater(t, d.Sends[i+1].At.Sub(d.Sends[i].At), d.Sends[i].At.Sub(d.Sends[i-1].At), "waits grow")
	}
	require.Equal(t, 1, b.gateway.Audit().CallbacksUnheard)
	_, more := b.gateway.Next()
	require.False(t, more, "nothing is left to happen")
}

func TestScheduleAndSpeed(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) {
		o.Speed = 10
		o.Delay = 10 * time.Second
		o.CallbackSchedule = []time.Duration{time.Second, time.Minute}
	})
	b.receiver.answer = func(n int, _ received) (int, string) {
		return http.StatusOK, map[bool]string{true: "OK"}[n == 4]
	}
	_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	b.gateway.Advance(time.Hour)
	var waits []time.Duration
	last := start
	for _, send := range b.gateway.Deliveries(pakistan, "W-1")[0].Sends {
		waits, last = append(waits, send.At.Sub(last)), send.At
	}
	require.Equal(t, []time.Duration{time.Second, 100 * time.Millisecond, 6 * time.Second, 6 * time.Second}, waits)
}

func TestTiming(t *testing.T) {
	t.Parallel()
	tests := map[string][]time.Duration{ // when callbacks come, after the create
		"success":           {2 * time.Second},
		"early-callback":    {0},
		"late-callback":     {time.Hour + 2*time.Second},
		"repeated-callback": {2 * time.Second, 24*time.Hour + 2*time.Second},
		"flip":              {2 * time.Second, 6 * time.Second},
		"refund":            {2 * time.Second, 6 * time.Second},
		"out-of-order":      {4 * time.Second, 8 * time.Second},
		"wrong-signature":   {2 * time.Second, 2 * time.Second},
	}
	for name, want := range tests {
		b := setup(t, nil)
		_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", name))
		require.NoError(t, err)
		b.gateway.Advance(72 * time.Hour)
		var got []time.Duration
		for _, d := range b.gateway.Deliveries(pakistan, "W-1") {
			require.Len(t, d.Sends, 1)
			got = append(got, d.Sends[0].At.Sub(start))
		}
		slices.Sort(got)
		require.Equal(t, want, got, name)
	}
}

func TestEarlyCallbackComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	answered := false
	b.receiver.answer = func(int, received) (int, string) {
		require.False(t, answered)
		o, err := b.gateway.Order(pakistan, "W-1")
		require.NoError(t, err, "a receiver may ask the gateway back")
		require.Equal(t, tarspay.StateSucceeded, o.State)
		return http.StatusOK, "OK"
	}
	_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", "early-callback"))
	answered = true
	require.NoError(t, err)
	require.Len(t, b.receiver.got, 1)
	b.gateway.Advance(time.Hour)
	require.Len(t, b.receiver.got, 1)
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", "stuck"))
	require.NoError(t, err)
	d, err := b.gateway.Trigger(pakistan, "W-1", "")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateCreated, d.State)
	require.True(t, d.Heard)
	d, err = b.gateway.Trigger(pakistan, "W-1", "other-key")
	require.NoError(t, err)
	require.Equal(t, 2, d.Serial)
	_, failed := b.callbacks()
	require.NoError(t, failed[0])
	require.ErrorIs(t, failed[1], tarspay.ErrSignature)

	_, err = b.gateway.Trigger(pakistan, "W-1", "miracle")
	require.ErrorContains(t, err, `"miracle"`)
	_, err = b.gateway.Trigger(pakistan, "W-2", "")
	require.ErrorIs(t, err, sandbox.ErrNoOrder)
	for range 254 {
		_, err = b.gateway.Trigger(pakistan, "W-1", "")
		require.NoError(t, err)
	}
	_, err = b.gateway.Trigger(pakistan, "W-1", "")
	require.ErrorContains(t, err, "too many callbacks")
}

func TestMoveByHand(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, pakistan)
	_, err := client.CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	o, err := b.gateway.Move(pakistan, "W-1", tarspay.StateFailed, "")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateFailed, o.State)
	b.gateway.Advance(time.Hour)
	o, err = b.gateway.Order(pakistan, "W-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateFailed, o.State, "what was planned no longer happens")
	require.Len(t, b.receiver.got, 1)

	for _, wrong := range []struct {
		state tarspay.State
		paid  string
		want  string
	}{
		{tarspay.StateFailed, "", "already"},
		{tarspay.StateRefunded, "", "only what was paid"},
		{tarspay.StatePartial, "10", "no state of a withdrawal"},
		{tarspay.StateSucceeded, "10", "do not make it"},
		{tarspay.StateSucceeded, "ten", "paid"},
		{tarspay.State(42), "", "no state"},
	} {
		_, err = b.gateway.Move(pakistan, "W-1", wrong.state, wrong.paid)
		require.ErrorContains(t, err, wrong.want)
	}
	_, err = b.gateway.Move(pakistan, "W-1", tarspay.StateSucceeded, "")
	require.NoError(t, err)
	_, err = b.gateway.Move(pakistan, "W-1", tarspay.StateRefunded, "")
	require.NoError(t, err)
	require.Equal(t, [2]string{"999985", "0"}, b.balance(t, pakistan))
	_, err = b.gateway.Move(pakistan, "W-9", tarspay.StateSucceeded, "")
	require.ErrorIs(t, err, sandbox.ErrNoOrder)

	_, err = client.CreateDeposit(t.Context(), deposit("D-1", "1500", "stuck"))
	require.NoError(t, err)
	o, err = b.gateway.Move(pakistan, "D-1", tarspay.StatePartial, "600")
	require.NoError(t, err)
	require.Equal(t, "600", o.Paid.Short())
	require.Equal(t, "6", o.Fee.Short())
	b.clean(t)
}

func TestSetScenario(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, pakistan)
	require.NoError(t, b.gateway.SetScenario(pakistan, "W-1", "lost-answer,fail"))
	_, err := client.CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", "success"))
	require.Equal(t, tarspay.ClassUnavailable, tarspay.ClassOf(err), "control wins over the member")
	b.gateway.Advance(time.Minute)
	o, err := b.gateway.Order(pakistan, "W-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateFailed, o.State)
	require.ErrorContains(t, b.gateway.SetScenario(pakistan, "W-1", "success"), "has ended")

	_, err = client.CreateWithdrawal(t.Context(), withdrawal("W-2", "1500", "stuck"))
	require.NoError(t, err)
	require.NoError(t, b.gateway.SetScenario(pakistan, "W-2", "reject"))
	b.gateway.Advance(time.Minute)
	o, err = b.gateway.Order(pakistan, "W-2")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateRejected, o.State)

	require.ErrorContains(t, b.gateway.SetScenario("M0", "W-3", "fail"), `"M0"`)
	require.ErrorContains(t, b.gateway.SetScenario(pakistan, "", "fail"), "number")
	require.ErrorContains(t, b.gateway.SetScenario(pakistan, "W-3", "miracle"), `"miracle"`)
}
