package chaos

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const merchant = "M1700000001"

func pkr(t *testing.T, text string) money.Amount {
	t.Helper()
	amount, err := money.Parse(text, "PKR")
	require.NoError(t, err)
	return amount
}

// says is what a judge found, a line for each.
func says(r *run) string {
	var lines []string
	for _, found := range r.violations {
		lines = append(lines, found.Order+": "+found.Says)
	}
	return strings.Join(lines, "\n")
}

func TestOursIsTheirs(t *testing.T) {
	t.Parallel()
	const none = tarspay.State(-1)
	for _, test := range []struct {
		ours  order.State
		their tarspay.State
		finds string
	}{
		{order.Succeeded, tarspay.StateSucceeded, ""},
		{order.Failed, tarspay.StateFailed, ""},
		{order.Failed, none, ""},
		{order.Refunded, tarspay.StateRefunded, ""},
		{order.InReview, tarspay.StateInProgress, ""},
		{order.InReview, none, ""},
		{order.Succeeded, tarspay.StateFailed, "ours is succeeded"},
		{order.Succeeded, none, "ours is succeeded"},
		{order.Failed, tarspay.StateSucceeded, "ours is failed"},
		{order.Succeeded, tarspay.StateRefunded, "ours is succeeded"},
		{order.Failed, tarspay.StateInProgress, "may still pay it"},
		{order.InReview, tarspay.StateSucceeded, "in review although the gateway has decided"},
	} {
		t.Run(string(test.ours)+"/"+test.their.String(), func(t *testing.T) {
			t.Parallel()
			row := order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: merchant, Number: "1", Amount: pkr(t, "10")}}
			row.State = test.ours
			theirs := sandbox.Order{Direction: tarspay.DirectionWithdrawal, State: test.their}
			if test.ours == order.Succeeded {
				row.Paid, row.Fee, row.GatewayID = row.Amount, pkr(t, "1"), "P1"
				theirs.Paid, theirs.Fee, theirs.ID = row.Paid, row.Fee, row.GatewayID
			}
			v := view{gateway: map[order.Key][]sandbox.Order{}}
			if test.their != none {
				v.gateway[row.Key()] = []sandbox.Order{theirs}
			}
			r := &run{}
			r.compare(v, row, "success")
			if test.finds == "" {
				require.Empty(t, says(r))
			} else {
				require.Contains(t, says(r), test.finds)
			}
		})
	}
}

func TestTwoOrdersOfOneNumberAreFound(t *testing.T) {
	t.Parallel()
	row := order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: merchant, Number: "1"}}
	row.State, row.GatewayID = order.Succeeded, "P1"
	theirs := sandbox.Order{ID: "P1", Direction: tarspay.DirectionWithdrawal, State: tarspay.StateSucceeded}
	r := &run{}
	r.compare(view{gateway: map[order.Key][]sandbox.Order{row.Key(): {theirs, theirs}}}, row, "success")
	require.Equal(t, merchant+"/1: the gateway has 2 orders with its number (success)", says(r))
}

func TestAnotherSumIsFound(t *testing.T) {
	t.Parallel()
	row := order.Order{Request: order.Request{Kind: order.Deposit, Merchant: merchant, Number: "1"}}
	row.State, row.GatewayID, row.Paid, row.Fee = order.PartiallyPaid, "P1", pkr(t, "5"), pkr(t, "1")
	theirs := sandbox.Order{
		ID: "P1", Direction: tarspay.DirectionDeposit, State: tarspay.StatePartial, Paid: pkr(t, "5.01"), Fee: row.Fee, Scenario: "partial",
	}
	r := &run{}
	r.compare(view{gateway: map[order.Key][]sandbox.Order{row.Key(): {theirs}}}, row, "")
	require.Contains(t, says(r), "ours paid 5.00 PKR")
}

func TestDiscrepancyIsFound(t *testing.T) {
	t.Parallel()
	row := order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: merchant, Number: "1"}}
	row.State = order.Failed
	r := &run{}
	r.compare(view{disagreed: map[order.Key][]ledger.Discrepancy{row.Key(): {{Code: codes.DiscrepancyPaidAfterEnd}}}}, row, "fail")
	require.Contains(t, says(r), codes.DiscrepancyPaidAfterEnd)

	late := ledger.Discrepancy{Code: codes.DiscrepancyNotInLedger}
	r = &run{}
	r.compare(view{disagreed: map[order.Key][]ledger.Discrepancy{row.Key(): {late}}}, row, "fail")
	require.Contains(t, says(r), codes.DiscrepancyNotInLedger)
	late.ClosedAt = time.Now()
	r = &run{}
	r.compare(view{disagreed: map[order.Key][]ledger.Discrepancy{row.Key(): {late}}}, row, "fail")
	require.Empty(t, says(r), "the order has reached the ledger")

	row.State = order.InReview
	unseen := ledger.Discrepancy{Code: codes.DiscrepancyNoRecord}
	r = &run{}
	r.compare(view{disagreed: map[order.Key][]ledger.Discrepancy{row.Key(): {unseen}}}, row, "hidden:3")
	require.Contains(t, says(r), codes.DiscrepancyNoRecord, "no comparison has found the order")
	unseen.ClosedAt = time.Now()
	r = &run{}
	r.compare(view{disagreed: map[order.Key][]ledger.Discrepancy{row.Key(): {unseen}}}, row, "hidden:3")
	require.Empty(t, says(r), "the gateway hid the order from the first comparisons' queries")
	r.compare(view{disagreed: map[order.Key][]ledger.Discrepancy{row.Key(): {unseen}}}, row, "success")
	require.Contains(t, says(r), codes.DiscrepancyNoRecord)
}

// judged is a run whose ledger is a real one, with one withdrawal that is on
// its way.
func judged(t *testing.T) (*run, order.Order) {
	t.Helper()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = books.Close() })
	require.NoError(t, books.Migrate(t.Context()))
	require.NoError(t, books.OpenBooks(t.Context(), merchant, pkr(t, "1000"), pkr(t, "0")))
	row, _, err := books.OpenOrder(t.Context(), order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: "CHAOS-1", Country: "PK", Way: "easypaisa", Amount: pkr(t, "100"),
		Details: ways[order.Withdrawal]["PK"].details,
	}, ledger.Terms{})
	require.NoError(t, err)
	_, err = books.NextSubmission(t.Context(), row.Key(), 0)
	require.NoError(t, err)
	row, err = books.CompleteSubmission(t.Context(), row.Key(), 1, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P1"})
	require.NoError(t, err)
	return &run{books: books}, row
}

// An order that was never acknowledged and is not in the ledger is named; it
// has no state to be counted under.
func TestOrdersThatWereNeverAcknowledgedAreNamed(t *testing.T) {
	t.Parallel()
	r, row := judged(t)
	var out bytes.Buffer
	r.out, r.states, r.begun = &out, make(map[order.State]int), time.Now()
	r.tally(row.Key(), row, true, true)
	r.tally(order.Key{Merchant: merchant, Number: "CHAOS-2"}, order.Order{}, false, false)
	r.tally(order.Key{Merchant: merchant, Number: "CHAOS-3"}, order.Order{}, false, true) // lost: a violation names it
	require.NoError(t, r.report())
	var line struct {
		States         map[order.State]int `json:"states"`
		Unacknowledged []string            `json:"unacknowledged"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, map[order.State]int{order.Submitted: 1}, line.States)
	require.Equal(t, []string{merchant + "/CHAOS-2"}, line.Unacknowledged)
}

func TestMoneyIsWeighed(t *testing.T) {
	t.Parallel()
	r, row := judged(t)
	v := view{rows: map[order.Key]order.Order{row.Key(): row}}
	v.book.Merchants = []sandbox.MerchantBook{{Merchant: merchant, Country: "PK", Available: pkr(t, "899"), Frozen: pkr(t, "101")}}
	require.NoError(t, r.judgeBalances(t.Context(), v))
	require.Empty(t, says(r), "both sums are equal")

	v.book.Merchants[0].Available = pkr(t, "799")
	require.NoError(t, r.judgeBalances(t.Context(), v))
	require.Contains(t, says(r), "available and in_flight sum to 100000 minor units, the gateway's available and frozen to 90000")

	r.violations = nil
	row.State = order.Failed
	v.rows[row.Key()] = row
	require.NoError(t, r.judgeBalances(t.Context(), v))
	require.Contains(t, says(r), "10000 minor units are in flight, but the open withdrawals sum to 0")
}

func TestCreateWithoutRowIsFound(t *testing.T) {
	t.Parallel()
	r, row := judged(t)
	v := view{gateway: map[order.Key][]sandbox.Order{row.Key(): {{CreatesReceived: 1}}}}
	require.NoError(t, r.judgeRecord(t.Context(), v, row))
	require.Empty(t, says(r))
	v.gateway[row.Key()][0].CreatesReceived = 2
	require.NoError(t, r.judgeRecord(t.Context(), v, row))
	require.Equal(t, row.Key().String()+": 2 creates reached the gateway, but 1 attempts are stored", says(r))
}

func TestEndWithoutHistoryIsFound(t *testing.T) {
	t.Parallel()
	r, row := judged(t)
	row.State = order.Succeeded // and nobody has settled it
	require.NoError(t, r.judgeRecord(t.Context(), view{}, row))
	require.Contains(t, says(r), "its history ends with submitted, but it is succeeded")
}

func TestUnreadCallbackIsFound(t *testing.T) {
	t.Parallel()
	r, row := judged(t)
	store := func(number string) string {
		id, _, err := r.books.StoreCallback(t.Context(), tarspay.Callback{Merchant: merchant, OrderNumber: number, GatewayID: "P1"}, nil, "", nil)
		require.NoError(t, err)
		return id
	}
	id := store(row.Number)
	require.NoError(t, r.judgeInbox(t.Context(), view{}))
	require.Contains(t, says(r), "1 callbacks were stored and not handled: they are stored")

	r.violations = nil
	require.NoError(t, r.books.MarkCallback(t.Context(), id, ledger.Done))
	require.NoError(t, r.books.MarkCallback(t.Context(), store("unknown-to-everybody"), ledger.Unmatched))
	require.NoError(t, r.judgeInbox(t.Context(), view{}))
	require.Empty(t, says(r), "the gateway made that order up")

	require.NoError(t, r.books.MarkCallback(t.Context(), store("CHAOS-2"), ledger.Unmatched))
	require.NoError(t, r.judgeInbox(t.Context(), view{}))
	require.Contains(t, says(r), "CHAOS-2: a callback for an order of ours was not matched")
}

func TestLedgerIsAsked(t *testing.T) {
	t.Parallel()
	r, _ := judged(t)
	require.NoError(t, r.judgeLedger(t.Context(), view{}))
	require.Empty(t, says(r))
}
