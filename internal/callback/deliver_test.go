package callback

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Callbacks that come while Temporal is away are answered OK and delivered by
// a sweep: these, once each, and no others. The sweep may be another process.
func TestTemporalAwayThenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.open(t, order.Withdrawal, "before", 10)
	b.post(t, success(before))
	b.answers(away)
	want := make(map[string]string)
	for i := range 20 {
		row := b.open(t, order.Withdrawal, fmt.Sprintf("W-%d", i), 10)
		status, answer := b.post(t, success(row))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "OK", answer)
		require.Equal(t, ledger.Stored, b.entry(t, row).Status)
		want[contract.WorkflowID(row.Key())] = b.entry(t, row).ID
	}
	require.Len(t, b.signals(), 1)
	require.Equal(t, 20, b.metric(t, "payouts_callback_deliveries_total", "waiting"))

	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 20}, swept, "Temporal is still away")

	b.answers(nil)
	restarted := NewDeliverer(b.ledger, b.recorder, b.metrics, b.log)
	swept, err = restarted.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 20, Delivered: 20}, swept)
	got := make(map[string]string)
	for _, s := range b.signals()[1:] {
		got[s.workflow] = s.callback
	}
	require.Equal(t, want, got)
	require.Len(t, b.signals(), 21)

	swept, err = restarted.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{}, swept)
	require.Len(t, b.signals(), 21)
}

// A sweep gives up on the first sign that Temporal is away instead of trying
// everything.
func TestSweepStopsWhenTemporalIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.answers(away)
	for i := range 50 {
		b.store(t, b.open(t, order.Withdrawal, fmt.Sprintf("W-%d", i), 10))
	}
	_, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, b.calls(), 2*sweepWorkers)
}

// A Temporal that hangs costs the gateway two seconds, and is away.
func TestTemporalHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 10)
	id := b.store(t, row)
	b.answers(hangs)
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		outcome := classify(b.signal(t.Context(), row, id))
		require.Equal(t, Waiting, outcome)
		require.Equal(t, signalTimeout, time.Since(started))
	})
	require.Equal(t, ledger.Stored, b.entry(t, row).Status)
}

func TestLateCallback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", beyondBalance)
	require.Equal(t, order.Failed, row.State)
	b.answers(closed)

	status, answer := b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", answer)
	entry := b.entry(t, row)
	require.Equal(t, ledger.Late, entry.Status)
	require.Empty(t, b.signals())

	require.Len(t, b.starts(), 1)
	started := b.starts()[0]
	require.Equal(t, "LateCallback", started.name)
	require.Equal(t, "late:M1700000001:W-1:"+entry.ID[:16], started.options.ID)
	require.Equal(t, "payouts", started.options.TaskQueue)
	require.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, started.options.WorkflowIDReusePolicy)
	require.Equal(t, contract.LateCallbackInput{Kind: order.Withdrawal, Key: row.Key(), CallbackID: entry.ID}, started.input)
	require.Equal(t, 1, b.metric(t, "payouts_callback_deliveries_total", "late"))
}

// A crash between the start of the late callback's workflow and the mark in
// the inbox makes the sweep start it again, which finds it started.
func TestLateCallbackAlreadyStarted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", beyondBalance)
	b.store(t, row)
	b.answers(func(ctx context.Context, workflowID string) error {
		if strings.HasPrefix(workflowID, "late:") {
			return serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "run")
		}
		return closed(ctx, workflowID)
	})
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
	require.Equal(t, ledger.Late, b.entry(t, row).Status)
}

// The order ends between the look at it and the signal.
func TestOrderEndsMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Deposit, "D-1", 10)
	id := b.store(t, row)
	b.answers(func(ctx context.Context, workflowID string) error {
		if workflowID == contract.WorkflowID(row.Key()) {
			b.fail(t, row)
		}
		return closed(ctx, workflowID)
	})
	require.Equal(t, Diverted, b.Deliver(t.Context(), id, row.Key()))
	require.Equal(t, ledger.Late, b.entry(t, row).Status)
}

// A workflow that has the order's id and drives no order is signalled like the
// order's, and reads nothing: it keeps no callback from being acted on.
func TestASquatterKeepsNoCallback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Deposit, "D-1", 10)
	status, _ := b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	b.fail(t, row)
	b.ledger.SetClock(func() time.Time { return time.Now().Add(time.Minute) }) // long enough to have been read
	b.queue = "nobodys"
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
	require.Equal(t, ledger.Late, b.entry(t, row).Status)
	require.Len(t, b.starts(), 1)
}

// A callback that its workflow has been told of is not told again and again while
// the workflow runs, though the order has ended: each signal would be an event of
// its history. When the workflow has ended without it, it came too late.
func TestASignalledCallbackIsFollowedUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Deposit, "D-1", 10)
	status, _ := b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	require.Len(t, b.signals(), 1)
	b.fail(t, row)
	b.ledger.SetClock(func() time.Time { return time.Now().Add(time.Minute) }) // long enough to have been read
	for range 3 {
		swept, err := b.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, Swept{Pending: 1}, swept)
	}
	require.Len(t, b.signals(), 1)
	require.Equal(t, ledger.Signalled, b.entry(t, row).Status)

	b.answers(func(context.Context, string) error { return serviceerror.NewUnavailable("away") })
	_, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, ledger.Signalled, b.entry(t, row).Status)

	b.answers(func(ctx context.Context, workflowID string) error {
		if workflowID == contract.WorkflowID(row.Key()) {
			return closed(ctx, workflowID)
		}
		return nil
	})
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
	require.Equal(t, ledger.Late, b.entry(t, row).Status)
	require.Len(t, b.starts(), 1)
	require.Len(t, b.signals(), 1)
}

// An order that is open and has no workflow: somebody terminated it. The
// callback waits, a person is told once, and a workflow that comes back gets
// it.
func TestOrphan(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 10)
	b.answers(closed)
	status, answer := b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", answer)
	for range 3 {
		swept, err := b.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, Swept{Pending: 1}, swept)
	}
	require.Equal(t, ledger.Stored, b.entry(t, row).Status)
	require.Empty(t, b.starts())
	require.Equal(t, 1, strings.Count(b.logs.String(), "was the workflow terminated?"))
	require.Equal(t, 4, b.metric(t, "payouts_callback_deliveries_total", "orphaned"))

	b.answers(nil)
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
}

// Callbacks that cannot be delivered for reasons of their own do not keep the
// sweep from those behind them.
func TestStuckCallbacksHideNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.batch = 2
	b.answers(func(_ context.Context, workflowID string) error {
		switch {
		case strings.Contains(workflowID, "orphan"):
			return serviceerror.NewNotFound("not there")
		case strings.Contains(workflowID, "full"):
			return serviceerror.NewInvalidArgument("exceeded workflow execution limit for signal events")
		}
		return nil
	})
	for i := range 3 {
		b.store(t, b.open(t, order.Withdrawal, fmt.Sprintf("orphan-%d", i), 10))
		b.store(t, b.open(t, order.Withdrawal, fmt.Sprintf("full-%d", i), 10))
	}
	last := b.open(t, order.Withdrawal, "W-1", 10)
	b.store(t, last)
	for range 4 {
		_, err := b.Sweep(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, ledger.Signalled, b.entry(t, last).Status)
	require.Len(t, b.signals(), 1)
	require.Positive(t, b.metric(t, "payouts_callback_deliveries_total", "refused"))
}

// Two receivers sweep at once: every callback is delivered at least once,
// nothing goes wrong, and nothing is left.
func TestTwoSweepsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 30 {
		b.store(t, b.open(t, order.Withdrawal, fmt.Sprintf("W-%d", i), 10))
	}
	second := NewDeliverer(b.ledger, b.recorder, b.metrics, b.log)
	var sweeping sync.WaitGroup
	errs := make(chan error, 2)
	for _, d := range []*Deliverer{b.Deliverer, second} {
		sweeping.Go(func() {
			_, err := d.Sweep(t.Context())
			errs <- err
		})
	}
	sweeping.Wait()
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	distinct := make(map[string]bool)
	for _, s := range b.signals() {
		distinct[s.workflow] = true
	}
	require.Len(t, distinct, 30)
	pending, err := b.ledger.PendingCallbacks(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Empty(t, pending)
}

// A delivery under way is not repeated by a sweep of the same process.
func TestDeliveryUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 10)
	id := b.store(t, row)
	entered, proceed := make(chan struct{}), make(chan struct{})
	b.answers(func(context.Context, string) error {
		close(entered)
		<-proceed
		return nil
	})
	outcome := make(chan Outcome)
	go func() { outcome <- b.Deliver(t.Context(), id, row.Key()) }()
	<-entered
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1}, swept)
	require.Equal(t, Busy, b.Deliver(t.Context(), id, row.Key()))
	close(proceed)
	require.Equal(t, Signalled, <-outcome)
	require.Len(t, b.signals(), 1)
}

// A sweep that has read a callback before somebody else delivered it does not
// deliver it again.
func TestSweepIsSlower(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 10)
	b.store(t, row)
	read, err := b.ledger.PendingCallbacks(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Equal(t, Signalled, b.Deliver(t.Context(), read[0].ID, row.Key()))
	require.Equal(t, Swept{Pending: 1}, b.deliverAll(t.Context(), read))
	require.Len(t, b.signals(), 1)
}

// Whoever acted on the callback was faster than our mark: it stays done.
func TestMarkNeverGoesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 10)
	id := b.store(t, row)
	b.answers(func(ctx context.Context, _ string) error { return b.ledger.MarkCallback(ctx, id, ledger.Done) })
	require.Equal(t, Signalled, b.Deliver(t.Context(), id, row.Key()))
	require.Equal(t, ledger.Done, b.entry(t, row).Status)
}

// What is there at the start is worked off batch after batch, without waiting
// for the next tick.
func TestRunWorksOffABacklog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.batch = 2
	want := make(map[string]bool)
	for i := range 5 {
		row := b.open(t, order.Withdrawal, fmt.Sprintf("W-%d", i), 10)
		b.store(t, row)
		want[contract.WorkflowID(row.Key())] = true
	}
	got, stop := b.run(t, time.Hour)
	for range 5 {
		delete(want, <-got)
	}
	require.Empty(t, want)
	stop()
}

func TestRunSweepsAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, stop := b.run(t, time.Millisecond)
	for _, number := range []string{"first", "second"} {
		b.store(t, b.open(t, order.Withdrawal, number, 10))
		require.Equal(t, "order:M1700000001:"+number, <-got)
	}
	stop()
}

// run sweeps until stop is called, and gives the workflows that are signalled.
func (b *testBundle) run(t *testing.T, every time.Duration) (got chan string, stop func()) {
	t.Helper()
	got = make(chan string)
	b.answers(func(ctx context.Context, workflowID string) error {
		select {
		case got <- workflowID:
		case <-ctx.Done():
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx, every) })
	return got, func() { cancel(); running.Wait() }
}

// While Run marks, a signalled callback is marked with others, once, and is not signalled
// again; one that was handled by then needs no mark. When Run has ended, nothing is left.
func TestSignalledCallbacksAreMarkedTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, stop := b.run(t, time.Hour)
	b.answers(nil)
	require.Eventually(t, b.marks.Load, 5*time.Second, time.Millisecond)
	post := func(number string) order.Order {
		row := b.open(t, order.Withdrawal, number, 10)
		status, _ := b.post(t, success(row))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, ledger.Stored, b.entry(t, row).Status)
		return row
	}
	handled, first, second := post("W-1"), post("W-2"), post("W-3")
	require.NoError(t, b.ledger.MarkCallback(t.Context(), b.entry(t, handled).ID, ledger.Done))
	require.Equal(t, Busy, b.Deliver(t.Context(), b.entry(t, first).ID, first.Key()), "it waits for its mark")
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, swept.Delivered)

	stop()
	require.Equal(t, ledger.Done, b.entry(t, handled).Status)
	for _, row := range []order.Order{first, second} {
		require.Equal(t, ledger.Signalled, b.entry(t, row).Status)
	}
	require.Len(t, b.signals(), 3)
	last := b.open(t, order.Withdrawal, "W-4", 10)
	b.post(t, success(last))
	require.Equal(t, ledger.Signalled, b.entry(t, last).Status, "nobody marks it later")
}

// store puts a callback into the inbox as if nobody had delivered it.
func (b *testBundle) store(t testing.TB, row order.Order) string {
	t.Helper()
	id, fresh, err := b.ledger.StoreCallback(t.Context(), success(row), []byte("{}"), "", nil)
	require.NoError(t, err)
	require.True(t, fresh)
	return id
}

// fail ends an order: the gateway refuses its create.
func (b *testBundle) fail(t testing.TB, row order.Order) {
	t.Helper()
	submission, err := b.ledger.NextSubmission(t.Context(), row.Key(), 0)
	require.NoError(t, err)
	ended, err := b.ledger.CompleteSubmission(t.Context(), row.Key(), submission.Attempt, ledger.Answer{
		Outcome: ledger.Refused, Reason: order.Reason{Code: order.CodeGatewayRefused, Text: "refused"},
	})
	require.NoError(t, err)
	require.True(t, ended.State.Terminal())
}

// A late callback whose workflow was terminated, or lost, is acted on again; one
// whose workflow runs is left to it.
func TestALateCallbackWhoseWorkflowIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", beyondBalance)
	b.answers(closed)
	status, _ := b.post(t, success(row))
	require.Equal(t, http.StatusOK, status)
	require.Len(t, b.starts(), 1)
	at := time.Now()
	b.ledger.SetClock(func() time.Time { return at })
	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{}, swept, "it has just been started")

	at = at.Add(time.Hour)
	for range 2 {
		_, err = b.Sweep(t.Context()) // it runs
		require.NoError(t, err)
	}
	require.Len(t, b.starts(), 1)
	require.Equal(t, 3, b.calls(), "signalled, started, and looked at once, and left alone for a while")

	at = at.Add(time.Hour)
	b.answers(func(ctx context.Context, workflowID string) error {
		if strings.HasPrefix(workflowID, "late:") && b.calls() == 1 {
			return serviceerror.NewNotFound("no such workflow")
		}
		return closed(ctx, workflowID)
	})
	swept, err = b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
	require.Len(t, b.starts(), 2)
	again := b.starts()[1]
	require.Equal(t, b.starts()[0].options.ID, again.options.ID)
	require.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, again.options.WorkflowIDReusePolicy)
	require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, again.options.WorkflowIDConflictPolicy)
	require.Equal(t, ledger.Late, b.entry(t, row).Status)
}

// A callback that cannot be passed on holds none up, is not taken for Temporal
// being away, and says why.
func TestACallbackThatFailsAloneHoldsNothingUp(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"refused":  serviceerror.NewInvalidArgument("too large"),
		"too slow": serviceerror.NewDeadlineExceeded("too slow"),
		"away":     serviceerror.NewUnavailable("its shard is away"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.answers(func(_ context.Context, workflowID string) error {
				if strings.Contains(workflowID, "alone") {
					return failure
				}
				return nil
			})
			alone := b.open(t, order.Withdrawal, "alone", 10)
			b.store(t, alone)
			for i := range 50 {
				b.store(t, b.open(t, order.Withdrawal, fmt.Sprint("W-", i), 10))
			}
			swept, err := b.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, Swept{Pending: 51, Delivered: 50}, swept)
			entry := b.entry(t, alone)
			require.Equal(t, ledger.Stored, entry.Status)
			require.NotEmpty(t, entry.Problem)

			b.answers(nil)
			swept, err = b.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
			require.Empty(t, b.entry(t, alone).Problem)
		})
	}
}

// When Temporal is away nobody is told that callbacks cannot be passed on.
func TestTemporalAwayIsNoProblemOfTheCallbacks(t *testing.T) {
	t.Parallel()
	for _, pending := range []int{1, 30} {
		b := setup(t)
		b.answers(away)
		var rows []order.Order
		for i := range pending {
			row := b.open(t, order.Withdrawal, fmt.Sprint("W-", i), 10)
			b.store(t, row)
			rows = append(rows, row)
		}
		_, err := b.Sweep(t.Context())
		require.NoError(t, err)
		for _, row := range rows {
			require.Empty(t, b.entry(t, row).Problem)
		}
	}
}

// A number with text that no column takes is one of an order that we do not
// have: it is stored, and the callbacks behind it are passed on.
func TestANumberThatNoColumnTakes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 10)
	odd := success(row)
	for _, number := range []string{"W-1\x00", "\x00", "W-1\uFFFD", strings.Repeat("W", 4000)} {
		odd.OrderNumber = number
		status, answer := b.post(t, odd)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "OK", answer)
	}
	b.store(t, row)
	_, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, ledger.Signalled, b.entry(t, row).Status)
	counts, err := b.ledger.InboxCounts(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, counts[ledger.Unmatched])
	require.Zero(t, counts[ledger.Stored])
}

// The genuine callback of a failure may name no amounts: it is taken.
func TestFailuresThatNameNoAmounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "F-1", 10)
	bodies := 0
	for _, state := range []int{3, 5} {
		for _, members := range []string{`"fee":"","payAmount":"",`, `"fee":null,"payAmount":null,`, ``, `"fee":"10",`} {
			body := fmt.Appendf(nil, `{"bizType":2,"currency":"PKR",%s"mchNo":"M1700000001","mchOrderNo":"F-1","orderAmount":"10","payOrderId":"P1","state":%d}`, members, state)
			status, answer := b.send(t, b.request(t, body, b.signer.Sign(body)))
			require.Equal(t, http.StatusOK, status, string(body))
			require.Equal(t, "OK", answer)
			bodies++
		}
	}
	// Null, empty and absent say the same: one callback, told three times.
	require.Len(t, b.inbox(t, row.Key()), 4)
	require.Equal(t, 8, bodies)
}
