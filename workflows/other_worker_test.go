package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A merchant is added worker by worker. An order that comes to one that lacks the
// merchant, or a newer profile of its country, waits for another one, says so, and
// is paid.
func TestWhatAWorkerLacksAnotherOneDoes(t *testing.T) {
	t.Parallel()
	newer := ledger.Known{Profiles: map[string]string{"PK": "of a later release"}}
	for name, test := range map[string]struct {
		known ledger.Known
		less  func(*activities.Settings)
	}{
		"merchant": {ledger.Known{Merchants: map[string]string{merchant: "PK"}}, func(s *activities.Settings) { s.Merchants = nil }},
		"profile":  {newer, func(*activities.Settings) {}},
	} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				var whole activities.Settings
				w := newWorld(t, func(s *activities.Settings) {
					whole = *s
					test.less(s)
				})
				require.NoError(t, w.books.RecordKnown(t.Context(), test.known))
				require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
				r := request(t, kind, "success")
				if name == "profile" {
					r.Way = strings.ToUpper(r.Way) // which today's profile takes for a mistake
				}
				tries := 0
				books := activities.NewBooks(w.books, whole)
				lacking := whole
				test.less(&lacking)
				w.OnActivity(books.OpenElsewhere, mock.Anything, mock.Anything).Return(
					func(ctx context.Context, r order.Request) (activities.Opened, error) {
						tries++
						switch {
						case tries == 2:
							panic("a mistake of ours")
						case tries == 4:
							return activities.Opened{}, temporal.NewNonRetryableApplicationError("broken", "BROKEN", nil)
						case tries <= 5:
							return activities.NewBooks(w.books, lacking).OpenElsewhere(ctx, r)
						}
						r.Way = request(t, kind, "success").Way // as the newer worker would read it
						return books.OpenElsewhere(ctx, r)
					})
				var next string
				w.RegisterDelayedCallback(func() { next = w.view(t).Next }, time.Second)
				view := w.drive(r)
				require.Equal(t, order.Succeeded, view.State, view.Reason.Text)
				require.Equal(t, 6, tries)
				require.Contains(t, next, "The order waits for another worker")
				w.balanced()
			})
		}
	}
}

// What no worker has is refused at once.
func TestWhatNobodyHasIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.Merchants = nil })
	view := w.drive(request(t, order.Withdrawal, "success"))
	require.Equal(t, order.Rejected, view.State)
	require.Equal(t, order.CodeUnknownMerchant, view.Reason.Code)
}

// A worker without the merchant's key leaves the create to another one and
// writes no attempt.
func TestAWorkerWithoutTheKeyWritesNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "success")
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	_, opening, err := w.books.OpenOrder(t.Context(), r, ledger.Terms{})
	require.NoError(t, err)
	require.Equal(t, ledger.Opened, opening)
	without := activities.NewGateway(map[string]*tarspay.Client{}, w.books, activities.Settings{RetryLadder: config.Ladder{time.Minute}})
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(without)
	_, err = env.ExecuteActivity(without.Submit, r.Key())
	require.Equal(t, codes.OtherWorker, codeOf(err))
	_, err = env.ExecuteActivity(without.FindOut, activities.FindOutInput{Key: r.Key()})
	require.Equal(t, codes.OtherWorker, codeOf(err))
	_, err = env.ExecuteActivity(without.OpenBooks, merchant)
	require.Equal(t, codes.OtherWorker, codeOf(err))
	attempts, err := w.books.Submissions(t.Context(), r.Key())
	require.NoError(t, err)
	require.Empty(t, attempts)
}
