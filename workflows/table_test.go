package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// What must become of an order, written down: where it stands, what a callback
// says of it, what the gateway answers when it is asked. The test below tries
// every combination, and takes none of it from the code that decides.

// Where an order stands, beside its states: doubtful is order.Unknown after a
// refusal that is only probable, credited is order.Expired and paid late.
const (
	doubtful = "doubtful"
	credited = "credited"
)

// words are what the gateway's state numbers 0 to 9 say of an order.
var words = map[order.Kind]string{
	order.Deposit:    "pending pending paid unpaid unpaid   returned lapsed   pending unpaid part",
	order.Withdrawal: "pending pending paid unpaid nonsense returned nonsense pending unpaid nonsense",
}

// heard is what a callback does to an order before the gateway is asked:
//
//	–        nothing
//	state    the order ends there, or goes on from there
//	ask      nothing before the gateway is asked; when the order has ended then,
//	         the callback is heard once more
//	CODE     a discrepancy opens
//	credit   the payment is credited, and the state stays
//
// Whoever has nothing at the gateway yet is not asked about.
const heard = `
                   pending                   paid                      part                      unpaid                    lapsed                    returned                  nonsense
created            PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   ask+FIELDS_MISMATCH
awaiting_approval  PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   ask+FIELDS_MISMATCH
scheduled          PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   ask+FIELDS_MISMATCH
awaiting_funds     PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   ask+FIELDS_MISMATCH
reserved           PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   PAID_WITHOUT_SUBMISSION   ask+FIELDS_MISMATCH
submitting         submitted                 succeeded                 partially_paid            ask                       ask                       ask                       ask+FIELDS_MISMATCH
unknown            submitted                 succeeded                 partially_paid            ask                       ask                       ask                       ask+FIELDS_MISMATCH
doubtful           submitted                 succeeded                 partially_paid            ask                       ask                       ask                       ask+FIELDS_MISMATCH
submitted          –                         succeeded                 partially_paid            ask                       ask                       ask                       ask+FIELDS_MISMATCH
in_review          –                         succeeded                 partially_paid            ask                       ask                       ask                       ask+FIELDS_MISMATCH
succeeded          –                         –                         AMOUNT_CONTRADICTION      UNPAID_AFTER_SUCCESS      UNPAID_AFTER_SUCCESS      ask                       FIELDS_MISMATCH
partially_paid     –                         AMOUNT_CONTRADICTION      –                         UNPAID_AFTER_SUCCESS      UNPAID_AFTER_SUCCESS      ask                       FIELDS_MISMATCH
failed             –                         PAID_AFTER_END            PAID_AFTER_END            –                         –                         RETURNED_AFTER_END        FIELDS_MISMATCH
rejected           –                         PAID_AFTER_END            PAID_AFTER_END            –                         –                         RETURNED_AFTER_END        FIELDS_MISMATCH
cancelled          –                         PAID_AFTER_END            PAID_AFTER_END            –                         –                         RETURNED_AFTER_END        FIELDS_MISMATCH
expired            –                         credit+LATE_PAYMENT       credit+LATE_PAYMENT       –                         –                         ask                       FIELDS_MISMATCH
credited           –                         –                         AMOUNT_CONTRADICTION      UNPAID_AFTER_SUCCESS      UNPAID_AFTER_SUCCESS      ask                       FIELDS_MISMATCH
refunded           –                         –                         –                         –                         –                         –                         FIELDS_MISMATCH
`

// asked is what the gateway's answer does to an order that it is asked about:
// those that may be there and have not ended, and one that was paid, or may have
// been, and that a callback says was returned. An order is absent when it is not
// found within the grace, and gone when the grace is over. Of a payment that is
// credited the gateway is asked once more, and says the same.
const asked = `
                pending             paid                                    part                                    unpaid              lapsed              returned               nonsense            absent              gone
submitting      submitted           succeeded                               partially_paid                          failed              expired             refunded               in_review           –                   submitted
unknown         submitted           succeeded                               partially_paid                          failed              expired             refunded               in_review           –                   submitted
doubtful        submitted           succeeded                               partially_paid                          failed              expired             refunded               in_review           –                   failed
submitted       –                   succeeded                               partially_paid                          failed              expired             refunded               in_review           –                   –
in_review       –                   succeeded                               partially_paid                          failed              expired             refunded               –                   –                   –
succeeded       REFUND_UNCONFIRMED  REFUND_UNCONFIRMED                      REFUND_UNCONFIRMED                      REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  refunded               REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED
partially_paid  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED                      REFUND_UNCONFIRMED                      REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  refunded               REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED
expired         REFUND_UNCONFIRMED  credit+LATE_PAYMENT+REFUND_UNCONFIRMED  credit+LATE_PAYMENT+REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  refunded+LATE_PAYMENT  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED
credited        REFUND_UNCONFIRMED  REFUND_UNCONFIRMED                      REFUND_UNCONFIRMED                      REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  refunded               REFUND_UNCONFIRMED  REFUND_UNCONFIRMED  REFUND_UNCONFIRMED
`

// held is what an order of 100 has done to the accounts, by where it stands
// now. What is not listed has moved nothing. A part payment is 40; the fee is
// 2, of a part payment 1.
var held = map[order.Kind]map[string]map[ledger.Account]int64{
	order.Withdrawal: {
		"reserved":   {ledger.AccountAvailable: -100, ledger.AccountInFlight: 100},
		"submitting": {ledger.AccountAvailable: -100, ledger.AccountInFlight: 100},
		"unknown":    {ledger.AccountAvailable: -100, ledger.AccountInFlight: 100},
		"submitted":  {ledger.AccountAvailable: -100, ledger.AccountInFlight: 100},
		"in_review":  {ledger.AccountAvailable: -100, ledger.AccountInFlight: 100},
		"succeeded":  {ledger.AccountAvailable: -102, ledger.AccountPaidOut: 100, ledger.AccountFees: 2},
		"refunded":   {ledger.AccountAvailable: -2, ledger.AccountFees: 2},
	},
	order.Deposit: {
		"succeeded":      {ledger.AccountAvailable: 98, ledger.AccountReceived: -100, ledger.AccountFees: 2},
		"partially_paid": {ledger.AccountAvailable: 39, ledger.AccountReceived: -40, ledger.AccountFees: 1},
		"refunded":       {ledger.AccountAvailable: -2, ledger.AccountFees: 2},
		"credit paid":    {ledger.AccountAvailable: 98, ledger.AccountReceived: -100, ledger.AccountFees: 2},
		"credit part":    {ledger.AccountAvailable: 39, ledger.AccountReceived: -40, ledger.AccountFees: 1},
		"refunded part":  {ledger.AccountAvailable: -1, ledger.AccountFees: 1},
	},
}

// Gateway's answers beside its states.
const (
	notFound = -1 // within the grace
	longGone = -2 // after it
	unheard  = -3 // no callback
)

func TestTheWholeTable(t *testing.T) {
	t.Parallel()
	const callbacks, answers = 8, 12
	for kind, states := range map[order.Kind]int{order.Deposit: 16, order.Withdrawal: 14} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := newOracle(t)
			tried := 0
			for stands := range o.heard {
				if !befalls(kind, stands) {
					continue
				}
				for _, callback := range []int{unheard, 1, 2, 3, 5, 6, 8, 9} {
					tried += o.tryAnswers(kind, stands, callback)
				}
			}
			require.Equal(t, states*callbacks*answers, tried)
			o.add()
		})
	}
}

// tryAnswers tries all the gateway's answers after one callback. Where the
// gateway is not asked at all, one stands for all of them.
func (o *oracle) tryAnswers(kind order.Kind, stands string, callback int) int {
	o.t.Helper()
	tried := 0
	for answer := longGone; answer <= 9; answer++ {
		o.calls = 0
		o.try(kind, stands, callback, answer)
		tried++
		if o.calls == 0 {
			require.Equal(o.t, longGone, answer, "asked, depending on the answer")
			return 9 - longGone + 1
		}
	}
	return tried
}

// befalls reports whether an order of a kind can stand somewhere.
func befalls(kind order.Kind, stands string) bool {
	if kind == order.Deposit {
		return stands != "reserved" && stands != "awaiting_funds"
	}
	// A withdrawal is reserved in the transaction that opens it.
	return stands != "created" && stands != "partially_paid" && stands != "expired" && stands != credited
}

// oracle is one ledger with many orders, and a gateway that answers what it is
// told to.
type oracle struct {
	t            *testing.T
	heard, asked map[string]map[string]string // state, word: effect
	books        *ledger.Ledger
	acts         *activities.Books
	gateway      *activities.Gateway
	approving    *rules.Policy
	refusing     *rules.Policy

	now    time.Time
	order  order.Request // the one that is tried
	answer int           // what the gateway says of it
	calls  int           // how often it has been asked or told
	number int
	total  map[ledger.Account]int64 // what all orders must have done to the accounts
}

// poor is a merchant without money.
const poor = "M1700000002"

func newOracle(t *testing.T) *oracle {
	t.Helper()
	o := &oracle{t: t, heard: readTable(heard), asked: readTable(asked), total: make(map[ledger.Account]int64)}
	o.now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return o.now }
	books, err := ledger.Open(t.Context(), tables.SQLite(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	books.SetClock(clock)
	require.NoError(t, books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	require.NoError(t, books.OpenBooks(t.Context(), poor, pkr(0), pkr(0)))
	o.books = books

	settings := activities.Settings{
		Merchants: map[string]string{merchant: "PK", poor: "PK"}, NotifyURL: "http://receiver.test/", GatewayTimeout: 15 * time.Second,
		NotFoundGrace: time.Minute, PollLadder: config.Ladder{time.Second}, RetryLadder: config.Ladder{time.Second}, ReviewPoll: time.Hour,
		Verifier: verifierOf(t, platform(t).PublicKey()),
	}
	private, _, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	client, err := tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{Clock: clock, Transport: carry(o.serve)})
	require.NoError(t, err)
	o.acts = activities.NewBooks(books, settings)
	o.gateway = activities.NewGateway(map[string]*tarspay.Client{merchant: client}, books, settings)
	o.approving, err = rules.ParsePolicy([]byte(`rules: [{country: PK, per_order: {approve_above: "50"}}]`), "approving")
	require.NoError(t, err)
	o.refusing, err = rules.ParsePolicy([]byte(`rules: [{country: PK, per_order: {refuse_above: "50"}}]`), "refusing")
	require.NoError(t, err)
	return o
}

func pkr(rupees int64) money.Amount {
	amount, err := money.Minor(100*rupees, "PKR")
	if err != nil {
		panic(err)
	}
	return amount
}

func readTable(text string) map[string]map[string]string {
	table := make(map[string]map[string]string)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	columns := strings.Fields(lines[0])
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		table[cells[0]] = make(map[string]string)
		for i, column := range columns {
			table[cells[0]][column] = cells[i+1]
		}
	}
	return table
}

// word is what a state, or its absence, says of an order.
func word(kind order.Kind, state int) string {
	switch state {
	case notFound:
		return "absent"
	case longGone:
		return "gone"
	default:
		return strings.Fields(words[kind])[state]
	}
}

// expectation is what must have become of an order.
type expectation struct {
	kind          order.Kind
	state         string
	credited      string // word of the payment that was credited to an order that had ended
	part          bool   // what was returned was a part payment
	discrepancies []string
	claimed       bool // what the callback says waits for an answer
}

// expect reads the two tables, in turn.
func (o *oracle) expect(kind order.Kind, stands string, callback, answer int) expectation {
	e := expectation{kind: kind, state: stands}
	if stands == credited {
		e.credited, e.discrepancies = "paid", []string{codes.DiscrepancyLatePayment}
	}
	if callback != unheard {
		o.hear(&e, word(kind, callback))
	}
	said, open := word(kind, answer), !e.ended()
	if effects, can := o.asked[e.state]; can && (e.claimed || open) {
		e.take(effects[said], said)
	}
	if e.claimed && e.ended() && open {
		if o.hear(&e, word(kind, callback)); e.claimed {
			e.take(o.asked[e.state][said], said)
		}
	}
	e.claimed = e.claimed && !e.ended()
	switch e.state {
	case doubtful:
		e.state = string(order.Unknown)
	case credited:
		e.state = string(order.Expired)
	}
	return e
}

func (e *expectation) ended() bool { return e.state == credited || order.State(e.state).Terminal() }

// hear is what a callback does.
func (o *oracle) hear(e *expectation, said string) {
	e.claimed = false
	e.take(o.heard[e.state][said], said)
}

// take takes the effects of what was said.
func (e *expectation) take(effects, said string) {
	for effect := range strings.SplitSeq(effects, "+") {
		switch effect {
		case "ask":
			e.claimed = true
		case "credit":
			e.credited = said
		default:
			e.become(effect)
		}
	}
}

// become takes one effect. A discrepancy opens once.
func (e *expectation) become(effect string) {
	switch {
	case effect == "–" || slices.Contains(e.discrepancies, effect):
	case effect == strings.ToUpper(effect):
		e.discrepancies = append(e.discrepancies, effect)
	default:
		e.part = e.part || e.state == "partially_paid" && effect == "refunded"
		e.state = effect
	}
}

// accounts is what the order must have done to them.
func (e *expectation) accounts() map[ledger.Account]int64 {
	switch {
	case e.part:
		return held[e.kind]["refunded part"]
	case e.credited != "" && e.state != "refunded":
		return held[e.kind]["credit "+e.credited]
	}
	return held[e.kind][e.state]
}

// try brings an order where it is to stand, lets it hear the callback, asks
// the gateway as its workflow would, and compares.
func (o *oracle) try(kind order.Kind, stands string, callback, answer int) {
	o.t.Helper()
	name := fmt.Sprintf("%s %s, callback %d, answer %d", kind, stands, callback, answer)
	o.bring(kind, stands)
	o.answer = answer
	id := ""
	if callback != unheard {
		id, _ = stores(o.t, o.books, o.callback(callback))
	}
	if answer == longGone {
		o.now = o.now.Add(time.Hour)
	}
	o.live(id)

	want := o.expect(kind, stands, callback, answer)
	require.Equal(o.t, want.state, string(o.standing().State), name)
	require.ElementsMatch(o.t, want.discrepancies, o.discrepancies(), name)
	require.Equal(o.t, nonZero(want.accounts()), o.accounts(), name)
	for account, rupees := range want.accounts() {
		o.total[account] += rupees
	}
	if id != "" {
		entry, err := o.books.Callback(o.t.Context(), id)
		require.NoError(o.t, err, name)
		require.Equal(o.t, want.claimed, entry.Status != ledger.Done, name)
	}
}

// bring opens a new order and takes it where it is to stand.
func (o *oracle) bring(kind order.Kind, stands string) {
	o.t.Helper()
	ctx := o.t.Context()
	o.number++
	o.order = request(o.t, kind, "")
	o.order.Number, o.order.RequestedBy, o.order.Amount = fmt.Sprintf("N-%d", o.number), "payroll", pkr(100)
	terms := ledger.Terms{}
	switch stands {
	case "awaiting_approval":
		terms.Policy = o.approving
	case "scheduled":
		o.order.NotBefore = o.now.Add(24 * time.Hour)
	case "rejected":
		terms.Policy = o.refusing
	case "awaiting_funds":
		terms.WaitForFunds = true
		o.order.Merchant = poor
	}
	_, opening, err := o.books.OpenOrder(ctx, o.order, terms)
	require.NoError(o.t, err)
	require.Equal(o.t, ledger.Opened, opening)
	o.send(stands)
	state := order.State(stands)
	switch stands {
	case doubtful:
		state = order.Unknown
	case credited:
		state = order.Expired
	}
	require.Equal(o.t, state, o.standing().State)
}

// send takes an opened order on.
func (o *oracle) send(stands string) {
	o.t.Helper()
	ctx, key := o.t.Context(), o.order.Key()
	switch stands {
	case "created", "reserved", "awaiting_approval", "scheduled", "awaiting_funds", "rejected":
		return
	case "cancelled":
		_, refusal, err := o.books.Cancel(ctx, key, order.Cancellation{By: "amina", Why: "a test"})
		require.NoError(o.t, err)
		require.Nil(o.t, refusal)
		return
	}
	attempt, err := o.books.NextSubmission(ctx, key, 0)
	require.NoError(o.t, err)
	answer := ledger.Answer{Outcome: ledger.Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown}}
	switch stands {
	case "submitting":
		return
	case doubtful:
		answer.Reason.Code = codes.GatewayDoubt
	case "submitted", "in_review":
		answer = ledger.Answer{Outcome: ledger.Accepted, GatewayID: o.gatewayID()}
	case "failed":
		answer = ledger.Answer{Outcome: ledger.Refused, Reason: order.Reason{Code: order.CodeGatewayRefused}}
	}
	_, err = o.books.CompleteSubmission(ctx, key, attempt.Attempt, answer)
	require.NoError(o.t, err)
	findings := map[string][]rules.Finding{
		"succeeded":      {{Verdict: rules.Paid, Paid: pkr(100), Fee: pkr(2)}},
		"partially_paid": {{Verdict: rules.PartPaid, Paid: pkr(40), Fee: pkr(1)}},
		"expired":        {{Verdict: rules.Lapsed}},
		credited:         {{Verdict: rules.Lapsed}, {Verdict: rules.Paid, Paid: pkr(100), Fee: pkr(2)}},
		"refunded":       {{Verdict: rules.Paid, Paid: pkr(100), Fee: pkr(2)}, {Verdict: rules.Returned}},
	}
	for _, finding := range findings[stands] {
		finding.Source, finding.GatewayID = rules.FromQuery, o.gatewayID()
		_, err := o.books.Settle(ctx, key, finding)
		require.NoError(o.t, err)
	}
	if stands == "in_review" {
		_, err := o.books.Review(ctx, key, order.Reason{Code: order.CodeNoProof})
		require.NoError(o.t, err)
	}
}

// live does what the order's workflow and that of a late callback do, up to the
// gateway's first answer and what follows from it.
func (o *oracle) live(callbackID string) {
	o.t.Helper()
	before := o.standing().State
	claimed := callbackID != "" && o.apply(callbackID)
	if claimed && before.Terminal() {
		o.confirm(callbackID)
		return
	}
	o.ask(o.standing().State)
	if claimed && o.standing().State.Terminal() && o.apply(callbackID) {
		o.confirm(callbackID)
	}
}

// apply lets the order hear the callback, and reports whether it is not done
// with.
func (o *oracle) apply(callbackID string) bool {
	o.t.Helper()
	applied, err := o.acts.ApplyCallback(o.t.Context(), o.order.Key(), callbackID)
	require.NoError(o.t, err)
	return applied.Ask
}

// ask asks about an order that may be at the gateway and has not ended.
func (o *oracle) ask(state order.State) {
	o.t.Helper()
	ctx, key := o.t.Context(), o.order.Key()
	var value converter.EncodedValue
	var err error
	switch state {
	case order.Submitting, order.Unknown:
		if _, err = runActivity(o.gateway.FindOut, activities.FindOutInput{Key: key, Sent: true}); err == nil {
			return
		}
	case order.Submitted, order.InReview:
		value, err = runActivity(o.gateway.Poll, activities.PollInput{Key: key, InReview: state == order.InReview})
	default:
		return
	}
	var failure *temporal.ApplicationError
	switch {
	case err == nil:
		var finding rules.Finding
		require.NoError(o.t, value.Get(&finding))
		_, err = o.acts.Settle(ctx, key, finding)
		require.NoError(o.t, err)
	case errors.As(err, &failure) && failure.NonRetryable():
		require.Equal(o.t, activities.ErrorMismatch, failure.Type())
		_, err = o.acts.Review(ctx, key, order.Reason{Code: codes.Mismatch})
		require.NoError(o.t, err)
	default: // asked again later
		require.ErrorAs(o.t, err, &failure)
	}
}

// confirm asks about an order that has ended, until a day is over, and again
// when the answer has booked something else than the callback says.
func (o *oracle) confirm(callbackID string) {
	o.t.Helper()
	ctx, key := o.t.Context(), o.order.Key()
	for {
		value, err := runActivity(o.gateway.Confirm, activities.ConfirmInput{Key: key, Last: true}) // it has been asked for a day
		require.NoError(o.t, err)
		var answer activities.Confirmed
		require.NoError(o.t, value.Get(&answer))
		if !answer.Confirmed {
			require.NoError(o.t, o.acts.Unconfirmed(ctx, key, callbackID))
			return
		}
		_, err = o.acts.Settle(ctx, key, answer.Finding)
		require.NoError(o.t, err)
		if !o.apply(callbackID) {
			return
		}
	}
}

// runActivity makes one attempt of an activity.
func runActivity(activity, input any) (converter.EncodedValue, error) {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	return env.ExecuteActivity(activity, input)
}

func (o *oracle) standing() order.Standing {
	o.t.Helper()
	row, err := o.books.Order(o.t.Context(), o.order.Key())
	require.NoError(o.t, err)
	return row.Standing
}

func (o *oracle) discrepancies() []string {
	o.t.Helper()
	found, err := o.books.Discrepancies(o.t.Context(), ledger.DiscrepancyFilter{Merchant: o.order.Merchant, Number: o.order.Number})
	require.NoError(o.t, err)
	codes := make([]string, len(found))
	for i, discrepancy := range found {
		codes[i] = discrepancy.Code
	}
	return codes
}

// accounts is what the order has done to them, in rupees.
func (o *oracle) accounts() map[ledger.Account]int64 {
	o.t.Helper()
	transfers, err := o.books.Transfers(o.t.Context(), o.order.Key())
	require.NoError(o.t, err)
	moved := make(map[ledger.Account]int64)
	for _, transfer := range transfers {
		moved[transfer.From] -= transfer.Amount.Minor() / 100
		moved[transfer.To] += transfer.Amount.Minor() / 100
	}
	return nonZero(moved)
}

func nonZero(accounts map[ledger.Account]int64) map[ledger.Account]int64 {
	kept := make(map[ledger.Account]int64)
	for account, rupees := range accounts {
		if rupees != 0 {
			kept[account] = rupees
		}
	}
	return kept
}

// add adds all orders up.
func (o *oracle) add() {
	o.t.Helper()
	balances, err := o.books.Balances(o.t.Context(), merchant, "PKR")
	require.NoError(o.t, err)
	o.total[ledger.AccountOpening] -= 1_000_000
	o.total[ledger.AccountAvailable] += 1_000_000
	for account, balance := range balances {
		require.Equal(o.t, pkr(o.total[account]), balance, account)
	}
	verification, err := o.books.Verify(context.WithoutCancel(o.t.Context()))
	require.NoError(o.t, err)
	require.Empty(o.t, verification.Violations)
	require.Equal(o.t, o.number, verification.Orders)
}

func (o *oracle) gatewayID() string { return fmt.Sprintf("P%d", o.number) }

// callback is what the gateway's callback says of the order: a failure names
// the whole amount and a fee, as the published one does.
func (o *oracle) callback(state int) tarspay.Callback {
	paid, fee := "100", "2"
	if state == int(tarspay.StatePartial) {
		paid, fee = "40", "1"
	}
	return tarspay.Callback{
		Direction: o.order.Kind.Direction(), Currency: "PKR", Fee: fee, Merchant: o.order.Merchant, OrderNumber: o.order.Number,
		OrderAmount: "100", PayAmount: paid, GatewayID: o.gatewayID(), State: tarspay.State(state),
	}
}

// serve is the gateway.
func (o *oracle) serve(r *http.Request) (*http.Response, error) {
	o.calls++
	data := map[string]any{"mchOrderNo": o.order.Number, "payOrderId": o.gatewayID()}
	switch {
	case !asks(r): // it takes the create
	case o.answer < 0:
		data = nil
	default:
		c := o.callback(o.answer)
		data["mchNo"], data["orderAmount"], data["payAmount"] = c.Merchant, c.OrderAmount, c.PayAmount
		data["fee"], data["currency"], data["state"] = c.Fee, c.Currency, o.answer
	}
	body, err := json.Marshal(map[string]any{"code": 0, "msg": "SUCCESS", "data": data})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)),
	}, nil
}

// asks reports whether a call asks about an order.
func asks(r *http.Request) bool {
	return r.URL.Path == tarspay.PathQueryDeposit || r.URL.Path == tarspay.PathQueryWithdrawal
}

// Every state of ours has its row, and nothing else has one.
func TestTheTablesAreWhole(t *testing.T) {
	t.Parallel()
	want := []string{doubtful, credited}
	for _, state := range order.States() {
		want = append(want, string(state))
	}
	var got []string
	for state, row := range readTable(heard) {
		got = append(got, state)
		for said, effect := range row {
			require.True(t, slices.Contains(want, effect) || strings.Contains("– ask credit", strings.Split(effect, "+")[0]) ||
				effect == strings.ToUpper(effect), "%s %s: %s", state, said, effect)
		}
	}
	require.ElementsMatch(t, want, got)
}
