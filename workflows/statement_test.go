package workflows_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// exportedLine is a line of the portal's export, by the names of the profile gateway.
type exportedLine map[string]string

var exportedColumns = []string{"mchNo", "payOrderId", "mchOrderNo", "bizType", "state", "currency", "orderAmount", "amount", "mchFeeAmount", "createdAt"}

// export writes the gateway's orders of a merchant as its portal would, each line changed
// by change; false leaves it out.
func (s *shop) export(merchant string, change func(o sandbox.Order, l exportedLine) bool) string {
	s.t.Helper()
	profile, _ := tarspay.Country(s.merchant[merchant])
	var file bytes.Buffer
	out := csv.NewWriter(&file)
	require.NoError(s.t, out.Write(exportedColumns))
	for _, o := range s.gateway.Book().Orders {
		if o.Merchant != merchant {
			continue
		}
		settled, fee := o.Amount, o.Fee
		var err error
		if o.State.Paid() {
			settled = o.Paid
		}
		if o.Direction == tarspay.DirectionDeposit && o.State.Paid() {
			settled, err = o.Paid.Sub(fee)
			require.NoError(s.t, err)
		}
		line := exportedLine{
			"mchNo": merchant, "payOrderId": o.ID, "mchOrderNo": o.Number, "bizType": strconv.Itoa(int(o.Direction)), "state": strconv.Itoa(int(o.State)),
			"currency": profile.GatewayCurrency, "orderAmount": o.Amount.Short(), "amount": settled.Short(), "mchFeeAmount": fee.Short(),
			"createdAt": strconv.FormatInt(o.CreatedAt.Unix(), 10),
		}
		if change != nil && !change(o, line) {
			continue
		}
		var cells []string
		for _, column := range exportedColumns {
			cells = append(cells, line[column])
		}
		require.NoError(s.t, out.Write(cells))
	}
	out.Flush()
	require.NoError(s.t, out.Error())
	return file.String()
}

// stored checks a file and stores its lines, some at a time.
func (s *shop) stored(merchant, file string, page int) order.Statement {
	s.t.Helper()
	country, _ := tarspay.Country(s.merchant[merchant])
	profile, err := statement.BuiltIn("gateway")
	require.NoError(s.t, err)
	checked, err := statement.Check(strings.NewReader(file), int64(len(file)), statement.Options{Merchant: merchant, Country: country, Profile: profile, Now: s.now()})
	require.NoError(s.t, err)
	imported := checked.Statement
	imported.ImportedBy = "amina"
	next := contract.StatementPage{Statement: imported}
	send := func() {
		env := s.world()
		env.ExecuteWorkflow(contract.StatementPageType, next)
		require.NoError(s.t, env.GetWorkflowError())
		next.Lines = nil
	}
	for line, err := range checked.Lines() {
		require.NoError(s.t, err)
		if next.Lines = append(next.Lines, line); len(next.Lines) == page {
			send()
		}
	}
	send()
	return imported
}

// world has the real activities and workflows at the shop's time.
func (s *shop) world() *testsuite.TestWorkflowEnvironment {
	env := environment()
	env.SetTestTimeout(3 * time.Minute)
	env.SetStartTime(s.now())
	workflows.Register(env)
	env.RegisterActivity(s.activity)
	env.RegisterActivity(s.ours)
	return env
}

// matched compares a stored statement to its end.
func (s *shop) matched(imported order.Statement) ledger.StatementRecord {
	s.t.Helper()
	env := s.world()
	s.follow(env.Now)
	env.ExecuteWorkflow(contract.StatementType, imported)
	at := env.Now()
	s.follow(func() time.Time { return at })
	require.NoError(s.t, env.GetWorkflowError())
	var state order.StatementState
	require.NoError(s.t, env.GetWorkflowResult(&state))
	require.Equal(s.t, order.StatementMatched, state)
	found, err := s.books.Statement(s.t.Context(), imported.ID)
	require.NoError(s.t, err)
	require.Equal(s.t, found.Lines, found.Matched)
	return found
}

func (s *shop) imported(merchant, file string) ledger.StatementRecord {
	return s.matched(s.stored(merchant, file, 100))
}

// A statement that says what the gateway's books say is no difference, in a country with a
// history and in one without.
func TestAStatementThatAgrees(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *shop) {
		s.trade(2)
		s.pass(lag)
		for _, merchant := range []string{pakistan, vietnam} {
			found := s.imported(merchant, s.export(merchant, nil))
			require.Empty(t, s.found())
			require.Positive(t, found.Compared)
			require.Equal(t, ledger.StatementCounts{Compared: found.Compared}, found.StatementCounts, "nothing was asked about")
		}
		s.sound()
	})
}

// transfersOf are all transfers of an order, and its state.
func (s *shop) transfersOf(key order.Key) string {
	s.t.Helper()
	o, err := s.books.Order(s.t.Context(), key)
	require.NoError(s.t, err)
	transfers, err := s.books.Transfers(s.t.Context(), key)
	require.NoError(s.t, err)
	return fmt.Sprint(o.State, o.Paid, o.Fee, transfers)
}

// Each planted difference is found once and under its class, in a statement that is
// compared in pieces. A line moves no money: only the gateway's answer does.
func TestAStatementThatDiffers(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *shop) {
		s.settled(order.Withdrawal, pakistan, "agrees", "success")
		said := s.settled(order.Withdrawal, pakistan, "said-paid", "fail")
		moved := s.settled(order.Withdrawal, pakistan, "refunded", "success")
		s.settled(order.Deposit, pakistan, "said-failed", "success")
		s.settled(order.Withdrawal, pakistan, "fee", "success")
		s.settled(order.Deposit, pakistan, "amount", "success")
		s.settled(order.Withdrawal, pakistan, "left-out", "success")
		s.elsewhere(s.request(order.Deposit, pakistan, "no-order", "success"))
		s.alone(s.request(order.Withdrawal, pakistan, "no-record", ""), "P1000", amountOf(t, "0", "PK"))
		s.pass(3 * lag)
		s.settled(order.Withdrawal, pakistan, "last", "success")
		_, err := s.gateway.Move(pakistan, "refunded", tarspay.StateRefunded, "")
		require.NoError(t, err)
		s.pass(3 * lag)
		before := s.transfersOf(said.Key())
		file := s.export(pakistan, func(o sandbox.Order, l exportedLine) bool {
			switch o.Number {
			case "agrees": // older than all others, so that the statement begins before them
				l["createdAt"] = strconv.FormatInt(o.CreatedAt.Add(-3*lag).Unix(), 10)
			case "said-paid":
				l["state"] = "2"
			case "said-failed":
				l["state"] = "3"
			case "fee":
				l["mchFeeAmount"] = "1"
			case "amount":
				l["orderAmount"] = "9"
			case "left-out":
				return false
			}
			return true
		})
		want := []string{
			codes.DiscrepancyNoRecord + " no-record", codes.DiscrepancyRecord + " amount", codes.DiscrepancyRecord + " fee", codes.DiscrepancyNoOrder + " no-order",
			codes.DiscrepancyStatement + " left-out", codes.DiscrepancyStatement + " said-failed", codes.DiscrepancyStatement + " said-paid",
		}
		found := s.imported(pakistan, file)
		require.ElementsMatch(t, want, s.found())
		require.Equal(t, ledger.StatementCounts{Compared: found.Compared, Asked: 5, Settled: 1, Absent: 2}, found.StatementCounts)
		require.Equal(t, before, s.transfersOf(said.Key()), "a line alone moves no money")
		o, err := s.books.Order(t.Context(), moved.Key())
		require.NoError(t, err)
		require.Equal(t, order.Refunded, o.State, "the gateway's answer does")

		// The same lines again, as another file, find nothing new.
		s.imported(pakistan, file+"\n")
		require.ElementsMatch(t, want, s.found())
		s.sound()
	})
}

// What the gateway itself told is not replaced by a statement.
func TestAStatementAgainstTheHistory(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	o := s.settled(order.Withdrawal, vietnam, "", "success")
	s.pass(lag + time.Minute)
	s.reconcile(onlyVietnam)
	require.Empty(t, s.found())
	s.imported(vietnam, s.export(vietnam, func(_ sandbox.Order, l exportedLine) bool {
		l["mchFeeAmount"] = "7"
		return true
	}))
	require.Equal(t, []string{codes.DiscrepancyStatement + " " + o.Number}, s.found())
	s.pass(time.Hour)
	s.reconcile(onlyVietnam)
	require.Equal(t, []string{codes.DiscrepancyStatement + " " + o.Number}, s.found(), "the gateway's record is as it was")
}

// Where the gateway cannot be asked, what a line says is for two persons.
func TestAStatementThatNobodyCanVerify(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"ip-refused": 0, "outage": 0, "one broken answer": http.StatusBadGateway} {
		s := embedded(t)
		said := s.settled(order.Withdrawal, pakistan, "said-paid", "fail")
		s.settled(order.Withdrawal, pakistan, "agrees", "success")
		s.pass(lag + time.Minute)
		if status == 0 {
			require.NoError(t, s.gateway.Switch(pakistan, name, true))
		}
		s.before = func(*http.Request) int { return status }
		before := s.transfersOf(said.Key())
		found := s.imported(pakistan, s.export(pakistan, func(o sandbox.Order, l exportedLine) bool {
			l["state"] = "2"
			return true
		}))
		require.Equal(t, []string{codes.DiscrepancyUnproven + " said-paid"}, s.found(), name)
		require.Equal(t, 1, found.Unanswered, name)
		require.Equal(t, before, s.transfersOf(said.Key()), name)
		open, err := s.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: pakistan})
		require.NoError(t, err)
		require.Contains(t, open[0].Detail, "line 2 of statement "+found.ID+" says succeeded, and the order is failed here; the gateway could not be asked. ", name)
		require.Contains(t, open[0].Detail, "two persons", name)
	}
}

// An order in review of which a statement tells an end is proposed to two persons, unless
// the gateway now proves its end.
func TestAStatementOfAnOrderInReview(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	for _, number := range []string{"unproved", "proved"} {
		r := s.request(order.Withdrawal, pakistan, number, "stuck-created")
		_, _, err := s.books.OpenOrder(t.Context(), r, ledger.Terms{})
		require.NoError(t, err)
		s.elsewhere(r)
		_, err = s.books.NextSubmission(t.Context(), r.Key(), 0)
		require.NoError(t, err)
		_, err = s.books.CompleteSubmission(t.Context(), r.Key(), 1, ledger.Answer{Outcome: ledger.Ambiguous})
		require.NoError(t, err)
		_, err = s.books.Review(t.Context(), r.Key(), order.Reason{Code: order.CodeNoProof, Text: "no proof"})
		require.NoError(t, err)
	}
	s.pass(lag)
	_, err := s.gateway.Move(pakistan, "proved", tarspay.StateSucceeded, "")
	require.NoError(t, err)
	s.imported(pakistan, s.export(pakistan, func(_ sandbox.Order, l exportedLine) bool {
		l["state"] = "2"
		return true
	}))
	require.Equal(t, []string{codes.DiscrepancyUnproven + " unproved"}, s.found())
	open, err := s.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: pakistan})
	require.NoError(t, err)
	require.Contains(t, open[0].Detail, "Two persons may resolve it: starter resolve unproved --merchant "+pakistan+" --state succeeded")
}

// A line that ends an order which is under way here has its workflow ask the gateway, once
// for each line, whoever imports it again. A workflow that does not answer leaves a
// discrepancy.
func TestAStatementOfAnOpenOrder(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	r := s.request(order.Withdrawal, pakistan, "open", "stuck")
	_, _, err := s.books.OpenOrder(t.Context(), r, ledger.Terms{})
	require.NoError(t, err)
	s.elsewhere(r)
	_, err = s.books.NextSubmission(t.Context(), r.Key(), 0)
	require.NoError(t, err)
	_, err = s.books.CompleteSubmission(t.Context(), r.Key(), 1, ledger.Answer{Outcome: ledger.Ambiguous})
	require.NoError(t, err)
	var asked []order.Poll
	answers := true
	ask := func(ctx context.Context, key order.Key, poll order.Poll) (bool, error) {
		require.Equal(t, r.Key(), key)
		asked = append(asked, poll)
		if !answers {
			return false, nil
		}
		_, refusal, err := s.books.Poll(ctx, key, poll) // as its workflow does
		require.Nil(t, refusal)
		return true, err
	}
	s.activity = activities.NewGateway(s.clients, s.books, activities.Settings{Merchants: s.merchant, ReconcileLag: lag, Ask: ask})
	says := func(state string, more string) ledger.StatementRecord {
		return s.imported(pakistan, s.export(pakistan, func(_ sandbox.Order, l exportedLine) bool {
			l["state"] = state
			return true
		})+more)
	}
	require.Equal(t, 1, says("2", "").Asked)
	require.Len(t, asked, 1)
	require.Equal(t, "amina", asked[0].By, "who imported it")
	other := pakistan + ",PX1,foreign,1,3,PKR,100,100,0," + strconv.FormatInt(s.now().Unix(), 10) + "\n"
	require.Equal(t, 1, says("2", other).Asked, "another statement with the same line")
	require.Len(t, asked, 1, "its workflow was asked about that line")
	require.Equal(t, 0, says("1", "").Asked, "it has not ended there either")
	require.Equal(t, 1, says("3", "").Asked)
	require.Len(t, asked, 2)
	require.NotEqual(t, asked[0].ID, asked[1].ID)
	require.Equal(t, []string{codes.DiscrepancyNoOrder + " foreign"}, s.found())

	answers = false
	require.Equal(t, 1, says("8", "").Unanswered)
	require.Len(t, asked, 3)
	require.ElementsMatch(t, []string{codes.DiscrepancyNoOrder + " foreign", codes.DiscrepancyUnproven + " open"}, s.found())
	open, err := s.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: pakistan, Code: codes.DiscrepancyUnproven})
	require.NoError(t, err)
	require.Contains(t, open[0].Detail, "Ask again: starter poll open --merchant "+pakistan)
	o, err := s.books.Order(t.Context(), r.Key())
	require.NoError(t, err)
	require.Equal(t, order.Unknown, o.State, "a line moves nothing")
}

// A worker that dies leaves its heartbeat behind. The next one goes on after it, and every
// difference is found once.
func TestAStatementWhoseWorkerDies(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	var want []string
	for i := range 4 {
		number := fmt.Sprintf("said-%d", i)
		s.settled(order.Withdrawal, pakistan, number, "fail")
		want = append(want, codes.DiscrepancyStatement+" "+number)
	}
	s.pass(lag + time.Minute)
	file := s.export(pakistan, func(_ sandbox.Order, l exportedLine) bool {
		l["state"] = "2"
		return true
	})
	// attempt is one of a worker's. Its first report is the only one that is certain to
	// arrive before the worker dies.
	calls, most := 0, 100
	s.before = func(*http.Request) int {
		if calls++; calls > most {
			return http.StatusBadGateway
		}
		return 0
	}
	attempt := func(id string, heartbeat any) (reported map[string]any, err error) {
		suite := testsuite.WorkflowTestSuite{}
		suite.SetLogger(silence())
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(s.activity)
		if heartbeat != nil {
			env.SetHeartbeatDetails(heartbeat)
		}
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			if reported == nil {
				require.NoError(t, details.Get(&reported))
			}
		})
		calls = 0
		_, err = env.ExecuteActivity(s.activity.MatchStatement, id)
		return reported, err
	}
	imported := s.stored(pakistan, file, 2)
	require.NoError(t, readied(s, imported.ID))
	most = 2
	first, err := attempt(imported.ID, nil) // two are asked about, and that is not told
	require.Error(t, err)
	require.Len(t, first["doubtful"], 4)
	most = 100
	_, err = attempt(imported.ID, first)
	require.NoError(t, err)
	require.Equal(t, 4, calls)
	require.Equal(t, want, s.found())
	found, err := s.books.Statement(t.Context(), imported.ID)
	require.NoError(t, err)
	require.Equal(t, []any{order.StatementMatched, 4, 4}, []any{found.State, found.Asked, found.Matched})

	// With a newer report it goes on there.
	other := s.stored(pakistan, file+"\n", 2)
	require.NoError(t, readied(s, other.ID))
	first["doubtful"] = first["doubtful"].([]any)[3:]
	_, err = attempt(other.ID, first)
	require.NoError(t, err)
	require.Equal(t, 1, calls)
	require.Equal(t, want, s.found())
}

func readied(s *shop, id string) error {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence())
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(s.ours)
	_, err := env.ExecuteActivity(s.ours.ReadyStatement, id)
	return err
}

// A statement waits until all of it is stored, and no input fails its workflows.
func TestStatementWorkflows(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	s.settled(order.Withdrawal, pakistan, "", "success")
	s.pass(lag + time.Minute)
	file := s.export(pakistan, nil)
	imported := s.stored(pakistan, file, 100)
	missing := imported
	missing.ID = "0000000000000000"
	env := s.world()
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	env.ExecuteWorkflow(contract.StatementType, missing)
	require.ErrorContains(t, env.GetWorkflowError(), "canceled")
	for _, name := range []string{contract.StatementType, contract.StatementPageType} {
		env := s.world()
		env.ExecuteWorkflow(name, []int{1})
		require.NoError(t, env.GetWorkflowError(), name)
	}
	require.Equal(t, order.StatementMatched, s.matched(imported).State)
	require.Equal(t, order.StatementMatched, s.matched(imported).State, "again")

	// A failure that no retry ends shows, and the statement is tried again.
	var gateway *activities.Gateway
	env = s.world()
	other := s.stored(pakistan, file+"\n", 100)
	env.OnActivity(gateway.MatchStatement, mock.Anything, other.ID).Return(order.StatementState(""), temporal.NewNonRetryableApplicationError("lost", "LOST", nil))
	env.SetContinueAsNewSuggested(true)
	env.ExecuteWorkflow(contract.StatementType, other)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &again)
}
