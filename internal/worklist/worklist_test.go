package worklist

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const merchant = "M1700000001"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func pkr(text string) money.Amount {
	amount, err := money.Parse(text, "PKR")
	if err != nil {
		panic(err)
	}
	return amount
}

func anOrder(kind order.Kind, number, amount string, state order.State, reason string) *order.Order {
	return &order.Order{
		Request: order.Request{
			Kind: kind, Merchant: merchant, Number: number, Country: "PK", Way: "JAZZCASH", Amount: pkr(amount), RequestedBy: "tests",
		},
		Standing:    order.Standing{State: state, Reason: order.Reason{Text: reason}},
		Fingerprint: "0123456789abcdef", ApproveBefore: noon.Add(2 * time.Hour), CreatedAt: noon,
	}
}

// said is the three sentences of an item.
type said struct{ text, do, command string }

func TestSayOrders(t *testing.T) {
	t.Parallel()
	unasked := anOrder(order.Withdrawal, "W1", "50", order.AwaitingFunds, "short")
	unasked.AskFirst = noon
	for name, test := range map[string]struct {
		due  ledger.Due
		want said
	}{
		"approval": {
			ledger.Due{Kind: ledger.QueueApproval, Order: anOrder(order.Withdrawal, "W 1", "50", order.AwaitingApproval, "the amount is 50.00 PKR and needs approval above 0.00 PKR")},
			said{
				"withdrawal of 50.00 PKR waits for approval until 2026-03-01 14:00 UTC: the amount is 50.00 PKR and needs approval above 0.00 PKR",
				"look at it (starter status 'W 1' --merchant M1700000001), then approve it or reject it; tests, who requested it, may not approve",
				"starter approve 'W 1' --merchant M1700000001 --fingerprint 01234567",
			},
		},
		"review": {
			ledger.Due{Kind: ledger.QueueReview, Order: anOrder(order.Withdrawal, "W1", "100", order.InReview, "no proof within 5m0s")},
			said{
				"withdrawal of 100.00 PKR is in review: no proof within 5m0s",
				"find out its outcome at the gateway, and resolve it with the proof",
				"starter resolve W1 --merchant M1700000001 --state STATE [--fee FEE] --why WHY --evidence PROOF",
			},
		},
		"review, proposed": {
			ledger.Due{
				Kind: ledger.QueueReview, Order: anOrder(order.Withdrawal, "W1", "100", order.InReview, "no proof within 5m0s"),
				Proposal: &order.Resolution{State: order.Succeeded, By: "amina", Evidence: "ticket of amina", Fee: pkr("2")},
			},
			said{
				"withdrawal of 100.00 PKR is in review: no proof within 5m0s; amina proposes succeeded, fee 2.00 PKR (ticket of amina)",
				"check the proof. If you are neither amina nor the requester (tests), confirm it with the same resolution, or replace it with a different one (--replace)",
				"starter resolve W1 --merchant M1700000001 --state succeeded --fee 2.00 --why WHY --evidence PROOF",
			},
		},
		"review, proposed in part": {
			ledger.Due{
				Kind: ledger.QueueReview, Order: anOrder(order.Deposit, "D1", "100", order.InReview, "no proof"),
				Proposal: &order.Resolution{State: order.PartiallyPaid, By: "amina", Evidence: "ticket 7", Paid: pkr("40"), Fee: pkr("40")},
			},
			said{
				"deposit of 100.00 PKR is in review: no proof; amina proposes partially_paid with 40.00 PKR, fee 40.00 PKR (ticket 7)",
				"check the proof. If you are neither amina nor the requester (tests), confirm it with the same resolution, or replace it with a different one (--replace)",
				"starter resolve D1 --merchant M1700000001 --state partially_paid --paid 40.00 --fee 40.00 --whole-fee --why WHY --evidence PROOF",
			},
		},
		"unknown": {
			ledger.Due{Kind: ledger.QueueUnknown, Order: anOrder(order.Deposit, "D1", "7", order.Unknown, "no answer in time")},
			said{
				"it is not known whether the gateway has the deposit of 7.00 PKR: no answer in time",
				"nothing yet: the gateway is asked until there is proof. If you cannot wait, have it asked at once",
				"starter poll D1 --merchant M1700000001",
			},
		},
		"unsent": {
			ledger.Due{Kind: ledger.QueueUnsent, Order: anOrder(order.Deposit, "D1", "1", order.Submitting, "connection refused")},
			said{
				"the deposit of 1.00 PKR has not been sent yet: connection refused",
				"see that a worker runs that has the merchant and its key and reaches the gateway. Then the order is sent by itself; it may be cancelled until then. To have it tried at once, ask",
				"starter poll D1 --merchant M1700000001",
			},
		},
		"unsent, not tried": {
			ledger.Due{Kind: ledger.QueueUnsent, Order: anOrder(order.Deposit, "D1", "1", order.Created, "")},
			said{
				"the deposit of 1.00 PKR has not been sent yet: no worker has tried",
				"see that a worker runs that has the merchant and its key and reaches the gateway. Then the order is sent by itself; it may be cancelled until then. To have it tried at once, ask",
				"starter poll D1 --merchant M1700000001",
			},
		},
		"funds in the books": {
			ledger.Due{Kind: ledger.QueueFunds, Order: anOrder(order.Withdrawal, "W1", "50", order.AwaitingFunds, "the available balance of 29.00 PKR does not cover 50.00 PKR")},
			said{
				"the books' available balance does not cover the withdrawal of 50.00 PKR: the available balance of 29.00 PKR does not cover 50.00 PKR",
				"pay money in at the gateway and have two persons book it as a top-up; the order then goes on by itself, or fails at its deadline",
				"starter adjust propose REF --merchant M1700000001 --kind top_up --amount AMOUNT --why WHY --evidence PROOF",
			},
		},
		"funds at the gateway": {
			ledger.Due{Kind: ledger.QueueFunds, Order: anOrder(order.Withdrawal, "W1", "60", order.Unknown, "the gateway has 5.00 PKR")},
			said{
				"the merchant's balance at the gateway does not cover the withdrawal of 60.00 PKR: the gateway has 5.00 PKR",
				"pay money in at the gateway and have two persons book it as a top-up; the order is then sent again under its number, or fails at its deadline",
				"starter adjust propose REF --merchant M1700000001 --kind top_up --amount AMOUNT --why WHY --evidence PROOF",
			},
		},
		"unasked": {
			ledger.Due{Kind: ledger.QueueFunds, Order: unasked},
			said{
				"the books' available balance does not cover the withdrawal of 50.00 PKR: short; the gateway may have the order from a create that is not recorded, and is being queried",
				"wait for the answer, which the order's workflow gets by itself. Until then it is not ended. If the gateway does not answer, correct the connection or the merchant's key, and have it asked at once",
				"starter poll W1 --merchant M1700000001",
			},
		},
	} {
		item := Say(test.due)
		require.Equal(t, test.want, said{item.Text, item.Do, item.Command}, name)
		requireOneAdvice(t, item)
		if test.due.Order != nil {
			require.Equal(t, "tests", item.RequestedBy, name)
		}
	}
}

func TestSayWhatIsNoOrder(t *testing.T) {
	t.Parallel()
	breaker := &ledger.Breaker{Merchant: "M2", Since: noon, Reason: order.Reason{Code: order.CodeGatewayPaused, Text: "the key has expired"}}
	callback := &ledger.InboxEntry{
		ID:       "c1",
		Callback: tarspay.Callback{Direction: tarspay.DirectionWithdrawal, State: tarspay.StateSucceeded, OrderAmount: "3.00", Currency: "PKR"},
	}
	problem := *callback
	problem.Problem = "the workflow takes no more signals"
	const mend = "correct the merchant's key, address or status; one order is tried now and then, and once the gateway accepts it, all are sent. To see whether the gateway answers, compare the balances"
	const look = "check that Temporal and the order's workflow run; the delivery is retried by itself. If the callback can never be delivered, query the order at the gateway and set the callback aside"
	for name, test := range map[string]struct {
		due  ledger.Due
		want said
	}{
		"breaker": {
			ledger.Due{Kind: ledger.QueueBreaker, Key: order.Key{Merchant: "M2"}, Breaker: breaker},
			said{
				"the gateway refused every call of the merchant, and no order has been tried since: the key has expired",
				"correct the merchant's key, address or status. No order waits; the next one is tried, and if the gateway accepts it, this item ends. To see whether the gateway answers, compare the balances",
				"starter reconcile --merchant M2",
			},
		},
		"breaker, orders wait": {
			ledger.Due{Kind: ledger.QueueBreaker, Key: order.Key{Merchant: "M2"}, Breaker: breaker, Waiting: 7},
			said{"no order of the merchant is sent, because the gateway refuses every call: the key has expired; 7 orders wait to be sent", mend, "starter reconcile --merchant M2"},
		},
		"callback of no order": {
			ledger.Due{Kind: ledger.QueueCallback, Key: order.Key{Merchant: merchant, Number: "stray"}, ID: "c1", Code: ledger.CodeUnmatched, Callback: callback},
			said{
				"the gateway reports a withdrawal that we do not have: succeeded, 3.00 PKR",
				"find out who made the order (starter show stray --merchant M1700000001); it is matched by itself if it turns up here. If it never will, say why and set it aside",
				"starter set-aside c1 --why WHY",
			},
		},
		"callback with a problem": {
			ledger.Due{Kind: ledger.QueueCallback, ID: "c1", Code: ledger.CodeUndelivered, Callback: &problem},
			said{"a callback cannot be delivered: the workflow takes no more signals; the gateway reports a withdrawal, succeeded", look, "starter set-aside c1 --why WHY"},
		},
		"callback that waits": {
			ledger.Due{Kind: ledger.QueueCallback, ID: "c1", Code: ledger.CodeUndelivered, Callback: callback},
			said{"a callback cannot be delivered: it has not been delivered since it was received; the gateway reports a withdrawal, succeeded", look, "starter set-aside c1 --why WHY"},
		},
		"adjustment": {
			ledger.Due{Kind: ledger.QueueAdjustment, Key: order.Key{Merchant: merchant}, ID: "A1", Adjustment: &ledger.AdjustmentRecord{
				Adjustment: ledger.Adjustment{Merchant: merchant, Ref: "A1", Kind: ledger.AdjustTopUp, Amount: pkr("30"), By: "amina", Why: "as the bank says", Evidence: "slip A1"},
			}},
			said{
				"amina proposes to book 30.00 PKR as top_up, because the merchant paid money in at the gateway (slip A1): as the bank says",
				"check the proof and confirm it, if you are not amina, or reject it",
				"starter adjust confirm A1 --merchant M1700000001",
			},
		},
		"webhook": {
			ledger.Due{Kind: ledger.QueueWebhook, ID: "we_1", Waiting: 3, Webhook: &ledger.Webhook{
				ID: "we_1", URL: "https://pay.example.com/hook", FailingSince: noon, Problem: "it answered 500",
			}},
			said{
				"nothing is sent to webhook endpoint we_1 (https://pay.example.com/hook): every try has failed since 2026-03-01 12:00 UTC, the last one because it answered 500; 3 events wait, and all later ones",
				"have the receiver mended, send it a test event (starter webhook test we_1), and enable it: it then gets everything that it has not got. If nobody needs it any more, disable it (starter webhook disable we_1)",
				"starter webhook enable we_1",
			},
		},
		"the gateway has less": {
			ledger.Due{Kind: ledger.QueueDrift, Key: order.Key{Merchant: merchant}, ID: merchant, Drift: drift(t, -2000)},
			said{
				"when they were last compared, the gateway had 20.00 PKR less than the books, and no open order explained it",
				"find it in the merchant's statement at the gateway's console (the gateway has no transaction history for the country), among the orders that end otherwise there (starter reconcile --transactions --merchant M1700000001), or among the orders that a person resolved: one may not have been paid as resolved. An adjustment may have been booked without the money. What belongs to no order is booked as an adjustment by two persons (starter adjust); then compare again",
				"starter reconcile --merchant M1700000001",
			},
		},
		"the gateway has more": {
			ledger.Due{Kind: ledger.QueueDrift, Key: order.Key{Merchant: merchant}, ID: merchant, Drift: drift(t, 700)},
			said{
				"when they were last compared, the gateway had 7.00 PKR more than the books, and no open order explained it",
				"find it in the merchant's statement at the gateway's console (the gateway has no transaction history for the country), among the orders that end otherwise there (starter reconcile --transactions --merchant M1700000001), or among the orders that a person resolved: one may not have been paid as resolved. An adjustment may have been booked without the money. What belongs to no order is booked as an adjustment by two persons (starter adjust); then compare again",
				"starter reconcile --merchant M1700000001",
			},
		},
	} {
		item := Say(test.due)
		require.Equal(t, test.want, said{item.Text, item.Do, item.Command}, name)
		requireOneAdvice(t, item)
	}
}

// verbs has the word in an item's advice for each command that an item prints.
var verbs = map[string]string{
	"adjust confirm": "confirm", "adjust propose": "book", "adopt": "adopt", "approve": "approve", "close-discrepancy": "close",
	"poll": "ask", "reconcile": "compare", "webhook": "enable", "resolve": "resol", "set-aside": "set", "stop": "stop", "resume": "resume",
}

// requireOneAdvice requires that an item's advice tells of its command.
func requireOneAdvice(t *testing.T, item Item) {
	t.Helper()
	words := strings.Fields(item.Command)
	name := words[1]
	if name == "adjust" {
		name += " " + words[2]
	}
	require.NotEmpty(t, verbs[name], item.Command)
	require.Contains(t, strings.ToLower(item.Do), verbs[name], "the advice is for another command than %s", item.Command)
}

func TestDriftNamesTheHistoryOfACountryThatHasOne(t *testing.T) {
	t.Parallel()
	amount, err := money.Minor(500, "THB")
	require.NoError(t, err)
	item := Say(ledger.Due{Kind: ledger.QueueDrift, Key: order.Key{Merchant: "M2"}, ID: "M2", Drift: amount})
	require.Equal(t, "find it in the gateway's history (starter transactions --merchant M2), or among the orders that a person resolved: one may not have been paid as resolved. An adjustment may have been booked without the money. "+
		"What belongs to no order is booked as an adjustment by two persons (starter adjust); then compare again", item.Do)
}

func drift(t *testing.T, minor int64) money.Amount {
	t.Helper()
	amount, err := money.Minor(minor, "PKR")
	require.NoError(t, err)
	return amount
}

func TestSayDiscrepancies(t *testing.T) {
	t.Parallel()
	say := func(code string) Item {
		d := ledger.Discrepancy{ID: 12, Key: order.Key{Merchant: merchant, Number: "W1"}, Code: code, Detail: "the gateway tells of it", At: noon}
		return Say(ledger.Due{Since: d.At, Kind: ledger.QueueDiscrepancy, Key: d.Key, ID: "12", Code: code, Discrepancy: &d})
	}
	require.Equal(t, Item{
		Since: noon, Kind: ledger.QueueDiscrepancy, Key: order.Key{Merchant: merchant, Number: "W1"}, ID: "12", Code: codes.DiscrepancyPaidUnsent,
		Text:    "our records and the gateway's differ: the gateway tells of it",
		Do:      Explain(codes.DiscrepancyPaidUnsent).Do,
		Command: "starter close-discrepancy 12 --why WHY",
	}, say(codes.DiscrepancyPaidUnsent))
	require.Equal(t, "settle it with the gateway, then close it and say why", say("NEW").Do)
	require.Equal(t, "withdrawals are held back: the gateway tells of it", say(codes.StopUnproven).Text)
	for _, code := range DiscrepancyCodes() {
		requireOneAdvice(t, say(code))
	}
	for _, code := range []string{codes.DiscrepancyOrphan, codes.DiscrepancyNotInLedger} {
		require.Equal(t, "starter adopt W1 --merchant M1700000001", say(code).Command)
	}
}
