package workflows_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
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
		approved = w.answered(t, workflows.ApproveUpdate, order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
	}, time.Minute)
	w.RegisterDelayedCallback(func() {
		proposed = w.answered(t, workflows.ResolveUpdate, resolution(order.Failed)) // amina
	}, 80*time.Hour)
	w.RegisterDelayedCallback(func() {
		noted = w.answered(t, workflows.NoteUpdate, order.Note{By: "chen", Text: "support is asked"})
	}, 81*time.Hour)
	w.RegisterDelayedCallback(func() {
		second := resolution(order.Failed)
		second.By = "chen"
		resolved = w.answered(t, workflows.ResolveUpdate, second)
	}, 82*time.Hour)
	w.drive(r)
	require.Equal(t, order.Reserved, approved.State)
	require.Equal(t, "The order goes on.", approved.Next)
	require.Contains(t, proposed.Next, "A second person has to confirm what amina proposed")
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
			{workflows.NoteUpdate, "", order.Note{By: "chen", Text: "known to us"}},
			{workflows.ApproveUpdate, order.CodeFingerprintMismatch, order.Approval{By: "chen", Fingerprint: "other"}},
			{workflows.RejectUpdate, "", order.Rejection{By: "chen", Why: "not ours"}},
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
