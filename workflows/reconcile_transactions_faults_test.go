package workflows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// embedded is a shop on SQLite.
func embedded(t *testing.T) *shop {
	t.Helper()
	return openShop(t, tables.SQLite(t))
}

// many settles so many withdrawals of Vietnam's, more than a page holds.
func (s *shop) many(n int) {
	s.t.Helper()
	for range n {
		s.settled(order.Withdrawal, vietnam, "", "success")
	}
	s.pass(lag + time.Minute)
}

var onlyVietnam = contract.ReconcileTransactionsInput{Merchants: []string{vietnam}}

// History whose pages shift is read again, from its first page, until they stand
// still.
func TestAHistoryThatShiftsIsReadAgain(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.elsewhere(s.request(order.Withdrawal, vietnam, "no-order", "success")) // on the last page
	s.many(60)
	require.NoError(t, s.gateway.Switch(vietnam, "shifting-history", true))
	result := s.reconcile(onlyVietnam, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { require.NoError(t, s.gateway.Switch(vietnam, "shifting-history", false)) }, 30*time.Second)
	})
	m := of(t, result, vietnam)
	require.Empty(t, m.Problem)
	require.Equal(t, 61, m.Rows, "each counted once")
	require.Equal(t, []string{codes.DiscrepancyNoOrder + " no-order"}, s.found())
	upTo, err := s.books.Reconciled(t.Context(), vietnam)
	require.NoError(t, err)
	require.Equal(t, m.To, upTo)
}

// History that never stands still is not taken for whole: what was not compared
// is compared the next time.
func TestAHistoryThatNeverStandsStill(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.many(60)
	require.NoError(t, s.gateway.Switch(vietnam, "shifting-history", true))
	m := of(t, s.reconcile(onlyVietnam), vietnam)
	require.Contains(t, m.Problem, activities.ErrorShifting)
	require.Equal(t, contract.HistoryUnread, m.History)
	require.Zero(t, m.Windows)
	upTo, err := s.books.Reconciled(t.Context(), vietnam)
	require.NoError(t, err)
	require.Zero(t, upTo)
	require.NoError(t, s.gateway.Switch(vietnam, "shifting-history", false))
	m = of(t, s.reconcile(onlyVietnam), vietnam)
	require.Empty(t, m.Problem)
	require.Equal(t, 60, m.Rows)
	require.Equal(t, 60, m.Asked)
}

// A page that fails in the middle is asked for again, that page alone.
func TestAPageThatFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.many(110)
	var calls, failed atomic.Int64
	s.before = func(r *http.Request) int {
		if r.URL.Path == tarspay.PathHistory && calls.Add(1) == 2 {
			failed.Add(1)
			return http.StatusBadGateway
		}
		return 0
	}
	m := of(t, s.reconcile(onlyVietnam), vietnam)
	require.Empty(t, m.Problem)
	require.EqualValues(t, 1, failed.Load())
	require.EqualValues(t, 4, calls.Load(), "three pages, one of them twice")
	require.Equal(t, 110, m.Rows)
	require.Empty(t, s.found())
}

// A worker that dies leaves its heartbeat behind; the next one reads on, and
// what the dead one has written down already is not written again.
func TestAWorkerThatDiesHalfWay(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.many(60)
	s.elsewhere(s.request(order.Withdrawal, vietnam, "no-order", "success")) // on the second page
	s.many(50)
	window := activities.TransactionWindow{Merchant: vietnam, From: s.now().Add(-24 * time.Hour), To: s.now().Add(-lag)}
	var pages []string
	s.tamper = func(r *http.Request, answer []byte) []byte {
		var page struct {
			Data struct{ Current int }
		}
		require.NoError(t, json.Unmarshal(answer, &page))
		pages = append(pages, fmt.Sprint(page.Data.Current))
		return answer
	}
	var broken atomic.Bool
	s.before = func(*http.Request) int {
		if broken.Load() && len(pages) == 2 {
			return http.StatusBadGateway
		}
		return 0
	}
	// attempt is one of a worker's; its first report is the only one that is
	// certain to arrive before the worker dies.
	attempt := func(heartbeat converter.EncodedValues) (converter.EncodedValues, error) {
		suite := testsuite.WorkflowTestSuite{}
		suite.SetLogger(silence())
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(s.activity)
		var reported converter.EncodedValues
		if heartbeat != nil {
			var progress any
			require.NoError(t, heartbeat.Get(&progress))
			env.SetHeartbeatDetails(progress)
		}
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			if reported == nil {
				reported = details
			}
		})
		_, err := env.ExecuteActivity(s.activity.ReadHistory, window)
		return reported, err
	}
	broken.Store(true)
	first, err := attempt(nil) // page 2 is read, and not told
	require.Error(t, err)
	require.NotNil(t, first)
	broken.Store(false)
	_, err = attempt(first)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2", "2", "3"}, pages)
	require.Equal(t, []string{codes.DiscrepancyNoOrder + " no-order"}, s.found())
	trail, err := s.books.Audit(t.Context(), order.Key{Merchant: vietnam, Number: "no-order"})
	require.NoError(t, err)
	require.Len(t, trail, 1)
}

// A gateway that does not have the endpoint is told apart from one whose
// history is empty; either way every order is asked about.
func TestNoHistoryIsNotAnEmptyHistory(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{0: contract.HistoryRead, http.StatusNotFound: contract.HistoryNone} {
		s := embedded(t)
		s.many(3)
		s.before = func(r *http.Request) int {
			if r.URL.Path == tarspay.PathHistory {
				return status
			}
			return 0
		}
		s.tamper = func(r *http.Request, answer []byte) []byte {
			if r.URL.Path == tarspay.PathHistory {
				return []byte(`{"code":0,"msg":"SUCCESS","data":{"current":1,"pages":0,"total":0,"records":[]}}`)
			}
			return answer
		}
		m := of(t, s.reconcile(onlyVietnam), vietnam)
		require.Empty(t, m.Problem)
		require.Equal(t, want, m.History)
		require.Zero(t, m.Rows)
		require.Equal(t, 3, m.Asked)
		require.Empty(t, s.found(), "what no history lists may be there all the same")
	}
}

// The history's word alone books nothing: a query decides, and where it sides
// with us the gateway contradicts itself.
func TestTheHistoryIsNoProof(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	o := s.settled(order.Withdrawal, vietnam, "doubted", "fail")
	s.many(1)
	s.tamper = func(r *http.Request, answer []byte) []byte {
		if r.URL.Path != tarspay.PathHistory {
			return answer
		}
		return bytes.Replace(answer, []byte(`"state":3`), []byte(`"state":2`), 1)
	}
	m := of(t, s.reconcile(onlyVietnam), vietnam)
	require.Equal(t, []string{codes.DiscrepancyState + " doubted"}, s.found())
	require.Equal(t, []order.DiscrepancyCount{{Code: codes.DiscrepancyState, Open: 1}}, m.Findings)
	require.Equal(t, 3, m.Asked, "the doubted one twice")
	after, err := s.books.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, o, after)
	s.sound()
}

// A refused key ends a merchant's comparison at once, a gateway that is away
// after some patience; the other merchant's goes on.
func TestAMerchantWhoCannotBeAsked(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"ip-refused": activities.ErrorPaused, "outage": activities.ErrorAway} {
		s := embedded(t)
		s.settled(order.Deposit, pakistan, "", "success")
		s.many(2)
		require.NoError(t, s.gateway.Switch(vietnam, name, true))
		result := s.reconcile(contract.ReconcileTransactionsInput{})
		vn, pk := of(t, result, vietnam), of(t, result, pakistan)
		require.Contains(t, vn.Problem, want+": ")
		require.Zero(t, vn.Windows)
		require.Empty(t, pk.Problem)
		require.Equal(t, 1, pk.Asked)
	}
}

// One order on which the gateway gives no answer does not keep the others from
// being asked about.
func TestAnOrderWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.settled(order.Withdrawal, pakistan, "broken", "success")
	lost := s.settled(order.Withdrawal, pakistan, "after-it", "success")
	_, err := s.gateway.Move(pakistan, lost.Number, tarspay.StateRefunded, "")
	require.NoError(t, err)
	s.pass(lag + time.Minute)
	s.tamper = func(_ *http.Request, answer []byte) []byte {
		if bytes.Contains(answer, []byte(`"broken"`)) {
			return []byte("<html>")
		}
		return answer
	}
	m := of(t, s.reconcile(contract.ReconcileTransactionsInput{Merchants: []string{pakistan}}), pakistan)
	require.Empty(t, m.Problem)
	require.Equal(t, []int{1, 1, 1}, []int{m.Asked, m.Unanswered, m.Settled})
}

// What is open, or has ended within the lag, is none of the comparison's
// business; it is the next one's.
func TestWhatIsYoungIsLeftForTheNextTime(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.many(1)
	young := s.settled(order.Withdrawal, vietnam, "young", "fail")
	_, err := s.gateway.Move(vietnam, "young", tarspay.StateSucceeded, "")
	require.NoError(t, err)
	m := of(t, s.reconcile(onlyVietnam), vietnam)
	require.Equal(t, 1, m.Asked)
	require.Equal(t, s.now().Add(-lag).Truncate(time.Second).UTC(), m.To.UTC())
	require.Empty(t, s.found())
	s.pass(lag + time.Minute)
	m = of(t, s.reconcile(onlyVietnam), vietnam)
	require.Equal(t, []string{codes.DiscrepancyPaidAfterEnd + " " + young.Number}, s.found())
	require.Equal(t, 3, m.Asked, "it twice, because the history ends it otherwise, and the other one again")
}

// A refund that comes days after the success is found for as long as the
// lookback says.
func TestALateRefundIsFound(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	o := s.settled(order.Deposit, pakistan, "", "success")
	only := contract.ReconcileTransactionsInput{Merchants: []string{pakistan}}
	s.pass(lag + time.Minute)
	require.Equal(t, 1, of(t, s.reconcile(only), pakistan).Asked)
	s.pass(48 * time.Hour)
	_, err := s.gateway.Move(pakistan, o.Number, tarspay.StateRefunded, "")
	require.NoError(t, err)
	m := of(t, s.reconcile(only), pakistan)
	require.Equal(t, []int{1, 1}, []int{m.Asked, m.Settled})
	after, err := s.books.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, order.Refunded, after.State)
	s.pass(24*time.Hour + lag)
	require.Equal(t, 1, of(t, s.reconcile(only), pakistan).Asked, "it has changed since")
	s.pass(time.Hour)
	require.Zero(t, of(t, s.reconcile(only), pakistan).Asked, "it cannot change any more")
}

// Days that were missed are caught up, window by window; a span on demand is
// compared without a word on where the next one begins.
func TestMissedDaysAreCaughtUp(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.many(1)
	of(t, s.reconcile(onlyVietnam), vietnam)
	left, err := s.books.Reconciled(t.Context(), vietnam)
	require.NoError(t, err)
	for range 5 {
		s.many(1)
		s.pass(24*time.Hour - lag)
	}
	ended := s.now().Add(-lag)
	m := of(t, s.reconcile(contract.ReconcileTransactionsInput{Merchants: []string{vietnam}, From: s.now().Add(-36 * time.Hour)}), vietnam)
	require.Equal(t, 2, m.Windows)
	upTo, err := s.books.Reconciled(t.Context(), vietnam)
	require.NoError(t, err)
	require.Equal(t, left, upTo)
	m = of(t, s.reconcile(onlyVietnam), vietnam)
	require.Equal(t, left, m.From)
	require.Equal(t, 6, m.Windows)
	require.Equal(t, 5, m.Asked)
	upTo, err = s.books.Reconciled(t.Context(), vietnam)
	require.NoError(t, err)
	require.WithinDuration(t, ended, upTo, time.Minute)
}

// Who cannot be compared at all is told, too.
func TestMerchantsThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.merchant["M5"] = "TH"
	result := s.reconcile(contract.ReconcileTransactionsInput{Merchants: []string{"M9", "M5", "M5"}})
	require.Len(t, result.Merchants, 2)
	require.Contains(t, of(t, result, "M9").Problem, "is not configured")
	require.Contains(t, of(t, result, "M5").Problem, "books are not open")
}

// A long span is compared in several runs, and the report is of all of them.
func TestALongSpanContinuesAsNew(t *testing.T) {
	t.Parallel()
	from, to := time.Unix(0, 0).UTC(), time.Unix(120*24*3600, 0).UTC()
	input := contract.ReconcileTransactionsInput{Merchants: []string{vietnam}, From: from, To: to, Going: &contract.TransactionsGoing{
		Left:   contract.TransactionSpan{Merchant: vietnam, From: from, To: to, History: true, Again: to},
		Report: contract.MerchantTransactions{Merchant: vietnam, From: from, To: from, History: contract.HistoryUnread},
	}}
	run := func(input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, *contract.ReconcileTransactionsInput) {
		env := environment()
		workflows.Register(env)
		env.RegisterActivity(gatewayActivities)
		env.RegisterActivity(bookActivities)
		env.OnActivity(gatewayActivities.ReadHistory, mock.Anything, mock.Anything).Return(contract.TransactionCounts{Rows: 2, Compared: 1}, nil)
		env.OnActivity(gatewayActivities.AskAboutEnded, mock.Anything, mock.Anything).Return(contract.TransactionCounts{Asked: 3}, nil)
		env.OnActivity(bookActivities.ReportUnmatched, mock.Anything, mock.Anything).Return(nil)
		env.OnActivity(bookActivities.CountFindings, mock.Anything, mock.Anything, mock.Anything).Return([]order.DiscrepancyCount{{Code: "X", Open: 1}}, nil)
		env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "reconcile-transactions:" + vietnam})
		env.ExecuteWorkflow(contract.ReconcileTransactionsType, input)
		var again *workflow.ContinueAsNewError
		if errors.As(env.GetWorkflowError(), &again) {
			next := new(contract.ReconcileTransactionsInput)
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, next))
			return contract.ReconcileTransactionsResult{}, next
		}
		require.NoError(t, env.GetWorkflowError())
		var result contract.ReconcileTransactionsResult
		require.NoError(t, env.GetWorkflowResult(&result))
		return result, nil
	}
	for runs := 1; ; runs++ {
		result, next := run(input)
		if next != nil {
			input = *next
			continue
		}
		require.Equal(t, 3, runs)
		require.Len(t, result.Merchants, 1)
		vn := of(t, result, vietnam)
		require.Equal(t, []int{120, 240, 120, 360}, []int{vn.Windows, vn.Rows, vn.Compared, vn.Asked})
		require.Equal(t, []order.DiscrepancyCount{{Code: "X", Open: 1}}, vn.Findings)
		require.Equal(t, to, vn.To.UTC())
		return
	}
}

// No name, account or telephone number of the history is kept or told.
func TestPeopleAreNotKept(t *testing.T) {
	t.Parallel()
	url := tables.SQLite(t)
	path := strings.TrimPrefix(url, "sqlite:")
	s := openShop(t, url)
	s.elsewhere(s.request(order.Withdrawal, vietnam, "no-order", "success"))
	s.many(2)
	var seen bool
	s.tamper = func(r *http.Request, answer []byte) []byte {
		seen = seen || r.URL.Path == tarspay.PathHistory && bytes.Contains(answer, []byte("Planted Person"))
		return answer
	}
	result := s.reconcile(onlyVietnam)
	require.True(t, seen, "the history names people")
	report, err := json.Marshal(result)
	require.NoError(t, err)
	all, err := s.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	details, err := json.Marshal(all)
	require.NoError(t, err)
	trail, err := s.books.Audit(t.Context(), all[0].Key)
	require.NoError(t, err)
	audit, err := json.Marshal(trail)
	require.NoError(t, err)
	for _, text := range []string{string(report), string(details), string(audit), everything(t, path, "gateway_records")} {
		require.NotEmpty(t, text)
		require.False(t, strings.Contains(text, "Planted") || strings.Contains(text, "03001234567"), text)
	}
}

// everything is all rows of a table of an SQLite file.
func everything(t *testing.T, path, table string) string {
	t.Helper()
	database, err := sqlx.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, database.Close()) }()
	rows, err := database.Queryx("SELECT * FROM " + table) //nolint:sqlclosecheck // it is closed two lines on
	require.NoError(t, err)
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		values, err := rows.SliceScan()
		require.NoError(t, err)
		fmt.Fprintln(&text, values...)
	}
	require.NoError(t, rows.Err())
	return text.String()
}
