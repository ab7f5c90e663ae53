package workflows_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// handedOn runs an order until its run is full, and gives what the next one is
// begun with.
func (w *world) handedOn(r order.Request) *workflow.ContinueAsNewError {
	w.t.Helper()
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: w.id(r)})
	w.TestWorkflowEnvironment.ExecuteWorkflow(typeOf(r), r)
	require.True(w.t, w.IsWorkflowCompleted(), "the run did not end")
	var next *workflow.ContinueAsNewError
	require.ErrorAs(w.t, w.GetWorkflowError(), &next)
	require.Equal(w.t, typeOf(r), next.WorkflowType.Name)
	require.Len(w.t, next.Input.GetPayloads(), 2)
	return next
}

func typeOf(r order.Request) string {
	if r.Kind == order.Deposit {
		return contract.DepositType
	}
	return contract.WithdrawalType
}

// goesOn begins the next run in a world of its own, and lets the order end there.
func (w *world) goesOn(r order.Request, from *workflow.ContinueAsNewError) order.View {
	w.t.Helper()
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: w.id(r)})
	require.NoError(w.t, w.SetMemoOnStart(map[string]any{workflows.ContinuedMemo: true}))
	payloads := from.Input.GetPayloads()
	w.TestWorkflowEnvironment.ExecuteWorkflow(from.WorkflowType.Name, converter.NewRawValue(payloads[0]), converter.NewRawValue(payloads[1]))
	require.True(w.t, w.IsWorkflowCompleted())
	require.NoError(w.t, w.GetWorkflowError())
	var view order.View
	require.NoError(w.t, w.GetWorkflowResult(&view))
	return view
}

// fill has the server find the run long enough, and somebody speak to the order.
func (w *world) fill(after time.Duration) {
	w.RegisterDelayedCallback(func() {
		w.SetContinueAsNewSuggested(true)
		w.TestWorkflowEnvironment.SignalWorkflow("anything", nil)
	}, after)
}

// Wherever an order waits when its run is full, it goes on there in the next one
// and ends as it would have; its deadlines stay, and nobody has adopted it.
func TestAFullRunGoesOnInTheNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world  func(*testing.T) *world
		kind   order.Kind
		script string
		amount string
		full   time.Duration
		state  order.State // at the end
		lasts  time.Duration
	}{
		"approval":   {guarded, order.Withdrawal, "success", "", 10 * time.Hour, order.Rejected, 24 * time.Hour},
		"funds":      {patient, order.Withdrawal, "success", "10000000", 30 * time.Minute, order.Failed, time.Hour},
		"callback":   {plain, order.Withdrawal, "stuck", "", 5 * time.Second, order.InReview, 2 * time.Hour},
		"poll":       {plain, order.Deposit, "stuck,silent", "", time.Hour, order.InReview, 2 * time.Hour},
		"unknown":    {plain, order.Withdrawal, "lost-answer,hidden:9999,silent", "", time.Hour, order.InReview, 2 * time.Hour},
		"at gateway": {patient, order.Withdrawal, "balance-short", "", 30 * time.Minute, order.Failed, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.world(t)
			r := request(t, c.kind, c.script)
			r.RequestedBy = "bilal"
			if c.amount != "" {
				var err error
				r.Amount, err = order.ParseAmount(c.amount, "PK")
				require.NoError(t, err)
			}
			began := w.Now()
			w.fill(c.full)
			from := w.handedOn(r)
			require.Less(t, w.Now().Sub(began), c.full+time.Minute)

			next := w.again()
			stood := time.Duration(0)
			if c.state == order.InReview {
				next.RegisterDelayedCallback(func() { next.resolves(r) }, 10*time.Hour)
			}
			view := next.goesOn(r, from)
			steps, err := w.books.History(t.Context(), r.Key())
			require.NoError(t, err)
			for _, step := range steps {
				if step.To == c.state {
					stood = step.At.Sub(began)
				}
			}
			require.InDelta(t, c.lasts.Minutes(), stood.Minutes(), 12, "its deadline")
			if c.state != order.InReview {
				require.Equal(t, c.state, view.State)
			}
			trail, err := w.books.Audit(t.Context(), r.Key())
			require.NoError(t, err)
			for _, entry := range trail {
				require.NotEqual(t, ledger.ActionAdopt, entry.Action)
			}
			w.balanced()
		})
	}
}

// resolves ends an order in review.
func (w *world) resolves(r order.Request) {
	w.t.Helper()
	row, err := w.books.Order(w.t.Context(), r.Key())
	require.NoError(w.t, err)
	require.Equal(w.t, order.InReview, row.State)
	_, moved := w.gateway.Move(merchant, r.Number, tarspay.StateFailed, "")
	require.NoError(w.t, moved)
}

// What only the run knew is known to the next one.
func TestWhatOnlyTheRunKnew(t *testing.T) {
	t.Parallel()
	policy, err := rules.ParsePolicy([]byte("two_person_resolve: true\n"), "policy.yaml")
	require.NoError(t, err)
	w := newWorld(t, func(s *activities.Settings) { s.Policy, s.WithdrawalHorizon = policy, 2*time.Hour })
	r := request(t, order.Withdrawal, "stuck,silent")
	r.RequestedBy = "bilal"
	w.RegisterDelayedCallback(func() { w.update(t, order.ActionResolve, "", resolution(order.Failed)) }, 3*time.Hour)
	w.fill(4 * time.Hour)
	from := w.handedOn(r)

	next := w.again()
	next.RegisterDelayedCallback(func() {
		value, err := next.QueryWorkflow(contract.OrderQuery)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, value.Get(&view))
		require.Equal(t, order.InReview, view.State)
		require.Contains(t, view.Next, "what amina proposed (failed): ")
		second := resolution(order.Failed)
		second.By = "chen"
		next.update(t, order.ActionResolve, "", second)
	}, time.Minute)
	require.Equal(t, order.Failed, next.goesOn(r, from).State)
	require.Equal(t, map[string]int{codes.SignalUnknown: 1}, w.ignored(r.Key()), "ignored once over both runs")
}

// A callback that came too late for the run is acted on by the next one.
func TestUnreadCallbacksAreTakenAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "stuck,silent")
	w.RegisterDelayedCallback(func() {
		_, err := w.gateway.Move(merchant, r.Number, tarspay.StateSucceeded, "")
		require.NoError(t, err)
		w.SetContinueAsNewSuggested(true)
		w.hears(t, r, tarspay.StateSucceeded)
	}, 5*time.Second)
	from := w.handedOn(r)
	next := w.again()
	began := next.Now()
	require.Equal(t, order.Succeeded, next.goesOn(r, from).State)
	require.Less(t, next.Now().Sub(began), 5*time.Second, "by the callback, not by asking")
	callbacks, err := w.books.Callbacks(t.Context(), r.Key())
	require.NoError(t, err)
	require.Len(t, callbacks, 1)
	require.Equal(t, ledger.Done, callbacks[0].Status)
}

// Whoever starts an order may not hand anything on: a run that Temporal did not
// continue knows what the ledger knows.
func TestNobodyElseHandsAnythingOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "success")
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: w.id(r)})
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.WithdrawalType, r, map[string]any{
		"standing": map[string]any{"state": "succeeded"}, "plan": map[string]any{"horizon": 1, "attempt": 1}, "sent": true,
	})
	require.NoError(t, w.GetWorkflowError())
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
}

// A run takes so many messages and no more, whatever they are.
func TestARunTakesSoManyMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most  int // that one run takes
		speak func(w *world, i int)
	}{
		"updates": {workflows.MaxUpdates, func(w *world, i int) {
			w.UpdateWorkflow(order.ActionNote, "note "+strconv.Itoa(i), &updateResult{
				accepted: func() {}, completed: func(any, error) {}, rejected: func(error) {},
			}, order.Note{By: "chen", Text: "again"})
		}},
		"signals": {workflows.MaxSignals, func(w *world, i int) {
			w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, i)
		}},
		"unknown callbacks": {workflows.MaxSignals, func(w *world, i int) {
			id := strconv.FormatInt(int64(i), 16)
			w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, contract.CallbackSignalInput{ID: strings.Repeat("0", 64-len(id)) + id})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := guarded(t)
			r := requested(t, order.Withdrawal)
			const together = 10 // as many updates as Temporal lets be under way
			var speak func(i int)
			speak = func(i int) {
				for j := range together {
					c.speak(w, i+j)
				}
				if i += together; i < c.most {
					w.RegisterDelayedCallback(func() { speak(i) }, time.Second)
				}
			}
			w.RegisterDelayedCallback(func() { speak(0) }, time.Hour)
			from := w.handedOn(r)
			for _, payload := range from.Input.GetPayloads() {
				require.Less(t, len(payload.GetData()), 100_000)
			}
			next := w.again()
			next.RegisterDelayedCallback(func() {
				next.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
			}, time.Minute)
			require.Equal(t, order.Succeeded, next.goesOn(r, from).State)
		})
	}
}

// An action that is under way is answered before the run ends; one that comes
// then is told to ask again.
func TestActionsWhileARunEnds(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	spoils := &saboteur{now: w.Now, called: "Act", fault: fault{calls: 1, fail: func() error { return errors.New("the database is away") }}}
	w.sabotaged(spoils)
	answered, late := 0, ""
	w.RegisterDelayedCallback(func() {
		w.UpdateWorkflow(order.ActionNote, "early", &updateResult{
			accepted: func() {}, rejected: func(err error) { require.NoError(t, err) },
			completed: func(_ any, err error) {
				require.NoError(t, err)
				answered++
			},
		}, order.Note{By: "chen", Text: "known to us"})
	}, time.Hour)
	w.fill(time.Hour + 100*time.Millisecond)
	w.RegisterDelayedCallback(func() {
		w.UpdateWorkflow(order.ActionNote, "late", &updateResult{
			accepted: func() {}, rejected: func(err error) { late = codeOf(err) }, completed: func(any, error) {},
		}, order.Note{By: "chen", Text: "and more"})
	}, time.Hour+200*time.Millisecond)
	w.handedOn(r)
	require.Equal(t, 1, answered)
	require.Equal(t, order.CodeOrderBusy, late)
	_, done := w.audited(r.Key(), "chen")
	require.Equal(t, 1, done)
}
