package workflows_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// answered sends an update and keeps what it is told.
func (w *world) answered(t *testing.T, name string, argument any) *order.View {
	t.Helper()
	var view order.View
	w.updates++
	w.UpdateWorkflow(name, strconv.Itoa(w.updates), &updateResult{
		accepted: func() {}, rejected: func(err error) { require.NoError(t, err) },
		completed: func(value any, err error) {
			require.NoError(t, err)
			view = value.(order.View)
		},
	}, argument)
	return &view
}

// Who acts is told what happens next, not what the order waited for before.
func TestAnActionSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	r.Details["sandboxScenario"] = "stuck"
	var approved, proposed, noted, resolved *order.View
	w.RegisterDelayedCallback(func() {
		approved = w.answered(t, order.ActionApprove, order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
	}, time.Minute)
	w.RegisterDelayedCallback(func() {
		proposed = w.answered(t, order.ActionResolve, resolution(order.Failed)) // amina
	}, 80*time.Hour)
	w.RegisterDelayedCallback(func() {
		noted = w.answered(t, order.ActionNote, order.Note{By: "chen", Text: "support is asked"})
	}, 81*time.Hour)
	w.RegisterDelayedCallback(func() {
		second := resolution(order.Failed)
		second.By = "chen"
		resolved = w.answered(t, order.ActionResolve, second)
	}, 82*time.Hour)
	w.drive(r)
	require.Equal(t, order.Reserved, approved.State)
	require.Equal(t, "The order continues.", approved.Next)
	require.Contains(t, proposed.Next, "A second person has to confirm what amina proposed (failed): resolve the order to the same state and amounts.")
	require.Equal(t, proposed.Next, noted.Next, "a note leaves the proposal as it is")
	require.Equal(t, "Nothing: the order has ended.", resolved.Next)
}

// A reset delivers the updates of the history again. Whoever asked without an
// id of their own is not heard twice.
func TestAnUpdateThatIsDeliveredAgainActsOnce(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	// One after the other at first; the second time each is known by its id.
	deliver := func(w *world, apart time.Duration) {
		for id, update := range []struct {
			name, code string
			argument   any
		}{
			{order.ActionNote, "", order.Note{By: "chen", Text: "known to us"}},
			{order.ActionApprove, codes.FingerprintMismatch, order.Approval{By: "chen", Fingerprint: "other"}},
			{order.ActionReject, "", order.Rejection{By: "chen", Why: "not ours"}},
		} {
			check := func(err error) { require.Equal(t, update.code, codeOf(err), update.name) }
			w.RegisterDelayedCallback(func() {
				w.UpdateWorkflow(update.name, strconv.Itoa(id), &updateResult{
					accepted: func() {}, rejected: check, completed: func(_ any, err error) { check(err) },
				}, update.argument)
			}, time.Duration(id+1)*apart)
		}
	}
	deliver(w, time.Minute)
	require.Equal(t, order.Rejected, w.drive(r).State)
	next := w.again()
	deliver(next, 0)
	require.Equal(t, order.Rejected, next.drive(r).State)
	refused, done := w.audited(r.Key(), "chen")
	require.Equal(t, 1, refused)
	require.Equal(t, 2, done)
}

// An action that was done before the order ended, and is heard of afterwards,
// does not bring the order back.
func TestOldNewsIsPassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "stuck")
	settled := make(chan struct{})
	w.SetOnLocalActivityCompletedListener(func(_ *activity.Info, result converter.EncodedValue, _ error) {
		var applied activities.Applied // the callback, once more, when all is over
		if result.Get(&applied) == nil && applied.Standing.State == order.Failed {
			close(settled)
		}
	})
	books := activities.NewBooks(w.books, activities.Settings{})
	w.OnActivity(books.Act, mock.Anything, mock.Anything, mock.Anything).Return(
		func(ctx context.Context, key order.Key, action contract.Action) (contract.Acted, error) {
			acted, err := books.Act(ctx, key, action)
			_, moved := w.gateway.Move(merchant, r.Number, tarspay.StateFailed, "") // and a callback says so
			require.NoError(t, moved)
			w.gateway.AdvanceTo(w.Now().Add(time.Second))
			<-settled
			return acted, err
		})
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionNote, "", order.Note{By: "chen", Text: "support is asked"})
	}, 80*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeGatewayFailed, view.Reason.Code)
}
