// Package worklist writes texts for people from the ledger's data: the items that
// need a person, with what to do and a command, and the story of an order. It
// reads and writes no data.
package worklist

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/internal/shell"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Item is something that needs a person.
type Item struct {
	Since       time.Time        `json:"since"`
	Kind        ledger.QueueKind `json:"kind"`
	Key         order.Key        `json:"key"`                    // without a number: the merchant
	ID          string           `json:"id,omitempty"`           // argument of its command, see ledger.QueueKind
	Code        string           `json:"code,omitempty"`         // stable
	RequestedBy string           `json:"requested_by,omitempty"` // of an order: who requested it
	Text        string           `json:"text"`                   // the problem, in a sentence
	Do          string           `json:"do"`                     // what to do about it
	Command     string           `json:"command"`                // a command of the starter; the person replaces the words in capitals
}

// Say returns the item for what is due.
func Say(due ledger.Due) Item {
	item := Item{Since: due.Since, Kind: due.Kind, Key: due.Key, ID: due.ID, Code: due.Code}
	if due.Order != nil {
		item.RequestedBy = due.Order.RequestedBy
		sayOrder(&item, due, *due.Order)
	} else {
		sayOther(&item, due)
	}
	return item
}

// sayOrder fills in an item about an order that waits.
func sayOrder(item *Item, due ledger.Due, o order.Order) {
	at := shell.Word(o.Number) + " --merchant " + shell.Word(o.Merchant)
	switch due.Kind {
	case ledger.QueueApproval:
		item.Text = fmt.Sprintf("%s of %s waits for approval until %s: %s", o.Kind, o.Amount, saytime.Say(o.ApproveBefore), o.Reason.Text)
		item.Do = fmt.Sprintf("look at it (starter status %s), then approve it or reject it; %s, who requested it, may not approve", at, o.RequestedBy)
		item.Command = "starter approve " + at + " --fingerprint " + rules.ShortFingerprint(o.Fingerprint)
	case ledger.QueueReview:
		item.Text = fmt.Sprintf("%s of %s is in review: %s", o.Kind, o.Amount, o.Reason.Text)
		item.Do = "find out its outcome at the gateway, and resolve it with the proof"
		decision := "STATE [--fee FEE]"
		if p := due.Proposal; p != nil {
			item.Text += fmt.Sprintf("; %s proposes %s (%s)", p.By, rules.Outcome(*p), p.Evidence)
			item.Do = fmt.Sprintf("check the proof. If you are neither %s nor the requester (%s), confirm it with the same resolution, or replace it with a different one (--replace)", p.By, o.RequestedBy)
			decision = sameDecision(o, *p)
		}
		item.Command = "starter resolve " + at + " --state " + decision + " --why WHY --evidence PROOF"
	case ledger.QueueUnknown:
		item.Text = fmt.Sprintf("it is not known whether the gateway has the %s of %s: %s", o.Kind, o.Amount, o.Reason.Text)
		item.Do = "nothing yet: the gateway is asked until there is proof. If you cannot wait, have it asked at once"
		item.Command = "starter poll " + at
	case ledger.QueueUnsent:
		item.Text = fmt.Sprintf("the %s of %s has not been sent yet: %s", o.Kind, o.Amount, cmp.Or(o.Reason.Text, "no worker has tried"))
		item.Do = "see that a worker runs that has the merchant and its key and reaches the gateway. Then the order is sent by itself; it may be cancelled until then. To have it tried at once, ask"
		item.Command = "starter poll " + at
		if o.State == order.Scheduled {
			item.Text = fmt.Sprintf("the time of the %s of %s has come, and it was not released", o.Kind, o.Amount)
			item.Do = "see that a worker runs. Then the order is released by itself; it may be cancelled until it is sent. Look at it"
			item.Command = "starter status " + at
		}
	case ledger.QueueFunds:
		sayFunds(item, o)
	default: // of no order: sayOther
	}
	if rules.Unasked(o) {
		item.Text += "; the gateway may have the order from a create that is not recorded, and is being queried"
		item.Do = "wait for the answer, which the order's workflow gets by itself. Until then it is not ended. " +
			"If the gateway does not answer, correct the connection or the merchant's key, and have it asked at once"
		item.Command = "starter poll " + at
	}
}

// sameDecision returns the flags after --state that confirm a proposal.
func sameDecision(o order.Order, p order.Resolution) string {
	text := string(p.State)
	if p.State == order.PartiallyPaid {
		text += " --paid " + p.Paid.Number()
	}
	if p.Fee.IsPositive() {
		text += " --fee " + p.Fee.Number()
	}
	if rules.KeepsAll(p, o.Request) {
		text += " --whole-fee"
	}
	return text
}

// sayFunds fills in an item about an order that lacks money, in the ledger or at
// the gateway.
func sayFunds(item *Item, o order.Order) {
	where, next := "the merchant's balance at the gateway", "the order is then sent again under its number, or fails at its deadline"
	if o.State == order.AwaitingFunds {
		where, next = "the books' available balance", "the order then goes on by itself, or fails at its deadline"
	}
	item.Text = fmt.Sprintf("%s does not cover the %s of %s: %s", where, o.Kind, o.Amount, o.Reason.Text)
	item.Do = "pay money in at the gateway and have two persons book it as a top-up; " + next
	item.Command = "starter adjust propose REF --merchant " + shell.Word(o.Merchant) + " --kind top_up --amount AMOUNT --why WHY --evidence PROOF"
}

// sayOther fills in an item that is not about an order.
func sayOther(item *Item, due ledger.Due) {
	id, merchant := shell.Word(due.ID), " --merchant "+shell.Word(due.Key.Merchant)
	switch {
	case due.Discrepancy != nil:
		sayDiscrepancy(item, *due.Discrepancy)
	case due.Breaker != nil:
		sayBreaker(item, due)
	case due.Stop != nil:
		sayStop(item, *due.Stop, due.Waiting)
	case due.Webhook != nil:
		sayWebhook(item, *due.Webhook, due.Waiting)
	case due.Callback != nil:
		sayCallback(item, due.Code, *due.Callback)
	case due.Adjustment != nil:
		a := *due.Adjustment
		item.Text = fmt.Sprintf("%s proposes to book %s as %s, because %s (%s): %s", a.By, a.Amount, a.Kind, moved(a.Kind), a.Evidence, a.Why)
		item.Do = fmt.Sprintf("check the proof and confirm it, if you are not %s, or reject it", a.By)
		item.Command = "starter adjust confirm " + id + merchant
	default:
		item.Text = fmt.Sprintf("when they were last compared, the gateway had %s than the books, and no open order explained it", moreOrLess(due.Drift))
		item.Do = "find it " + whereTransactionsAre(due) + ", or among the orders that a person resolved: one may not have been paid as resolved. An adjustment may have been booked without the money. What belongs to no order is booked as an adjustment by two persons (starter adjust); then compare again"
		item.Command = "starter reconcile" + merchant
	}
}

// unsent says how many orders wait.
func unsent(count int) string {
	if count == 1 {
		return "1 order waits to be sent"
	}
	return fmt.Sprintf("%d orders wait to be sent", count)
}

// sayBreaker fills in an item about a merchant whose calls the gateway refuses. Only a
// create shows that it takes creates again.
func sayBreaker(item *Item, due ledger.Due) {
	if due.Waiting == 0 {
		item.Text = "the gateway refused every call of the merchant, and no order has been tried since: " + due.Breaker.Reason.Text
		item.Do = "correct the merchant's key, address or status. No order waits; the next one is tried, and if the gateway accepts it, this item ends. "
	} else {
		item.Text = fmt.Sprintf("no order of the merchant is sent, because the gateway refuses every call: %s; %s", due.Breaker.Reason.Text, unsent(due.Waiting))
		item.Do = "correct the merchant's key, address or status; one order is tried now and then, and once the gateway accepts it, all are sent. "
	}
	item.Do += "To see whether the gateway answers, compare the balances"
	item.Command = "starter reconcile --merchant " + shell.Word(due.Key.Merchant)
}

// whereTransactionsAre says where a person finds what moved in a merchant's country.
func whereTransactionsAre(due ledger.Due) string {
	merchant := " --merchant " + shell.Word(due.Key.Merchant)
	for _, country := range tarspay.Countries() {
		if country.Currency == due.Drift.Currency() && country.HasEndpoint(tarspay.OperationHistory) {
			return "in the gateway's history (starter transactions" + merchant + ")"
		}
	}
	return "in the merchant's statement at the gateway's console (the gateway has no transaction history for the country), among the orders that end otherwise there (starter reconcile --transactions" + merchant + ")"
}

// sayStop fills in an item about a stop.
func sayStop(item *Item, s ledger.Stop, waiting int) {
	item.Text = "payouts are stopped: " + s.Text()
	if waiting > 0 {
		item.Text += "; " + unsent(waiting)
	}
	item.Do = "when the reason is gone, two persons resume; what is at the gateway goes on meanwhile"
	if s.Proposer != "" {
		item.Text += "; " + s.Proposer + " proposes to resume"
		item.Do = "if the reason is gone and you are not " + s.Proposer + ", resume, too; otherwise stop again, which takes the proposal back"
	}
	item.Command = "starter resume " + stopFlag(s.StopScope) + " --why WHY"
}

// sayWebhook fills in an item about a webhook endpoint that is paused.
func sayWebhook(item *Item, w ledger.Webhook, failed int) {
	item.Text = fmt.Sprintf("nothing is sent to webhook endpoint %s (%s): every try has failed since %s, the last one because %s", w.ID, w.URL, saytime.Say(w.FailingSince), w.Problem)
	if failed > 0 {
		item.Text += fmt.Sprintf("; %d events wait, and all later ones", failed)
	}
	item.Do = "have the receiver mended, send it a test event (starter webhook test " + shell.Word(w.ID) + "), and enable it: it then gets everything that it has not got. If nobody needs it any more, disable it (starter webhook disable " + shell.Word(w.ID) + ")"
	item.Command = "starter webhook enable " + shell.Word(w.ID)
}

// stopFlag returns the flag of starter stop and starter resume for a scope.
func stopFlag(s order.StopScope) string {
	switch {
	case s.Merchant != "":
		return "--merchant " + shell.Word(s.Merchant)
	case s.Country != "":
		return "--country " + shell.Word(s.Country)
	}
	return "--all"
}

func sayDiscrepancy(item *Item, d ledger.Discrepancy) {
	item.Text = "our records and the gateway's differ: " + d.Detail
	if d.Code == codes.StopUnproven {
		item.Text = "withdrawals are held back: " + d.Detail
	}
	if d.Stake.IsPositive() {
		item.Text += " (" + d.Stake.String() + " at stake)"
	}
	switch d.State {
	case order.DiscrepancyAssigned:
		item.Text += "; " + d.Assignee + " deals with it"
	case order.DiscrepancyExplained:
		item.Text += "; explained by " + d.SaidBy + ": " + d.Said
	case order.DiscrepancyWaiting:
		item.Text += "; waits for the gateway: " + d.Said
	case order.DiscrepancyAccepting:
		item.Text += "; " + d.AcceptedBy + " has accepted it: " + d.Said
	case order.DiscrepancyOpen, order.DiscrepancyAccepted, order.DiscrepancyHealed:
	}
	item.Do = NextOf(d)
	item.Command = "starter close-discrepancy " + shell.Word(item.ID) + " --why WHY"
	if d.Code == codes.DiscrepancyOrphan || d.Code == codes.DiscrepancyNotInLedger {
		item.Command = "starter adopt " + shell.Word(d.Key.Number) + " --merchant " + shell.Word(d.Key.Merchant)
	}
}

// NextOf returns what a person does next about a discrepancy; empty once it is closed.
func NextOf(d ledger.Discrepancy) string {
	if !d.ClosedAt.IsZero() {
		return ""
	}
	next := cmp.Or(Explain(d.Code).Do, "settle it with the gateway, then close it and say why")
	if d.State == order.DiscrepancyWaiting && !d.WaitUntil.IsZero() {
		return "wait for the gateway's answer until " + saytime.Say(d.WaitUntil) + "; then: " + next
	}
	if d.State == order.DiscrepancyWaiting {
		return "wait for the gateway's answer; then: " + next
	}
	if d.State == order.DiscrepancyAccepting {
		return "if you agree and are not " + d.AcceptedBy + ", close it, too; otherwise reopen it"
	}
	if _, bookable := d.BookingKind(); bookable {
		return "have two persons book the difference, which closes it: starter discrepancy fee " + strconv.FormatInt(d.ID, 10)
	}
	return next
}

func sayCallback(item *Item, code string, e ledger.InboxEntry) {
	c := e.Callback
	item.Command = "starter set-aside " + shell.Word(item.ID) + " --why WHY"
	if code == ledger.CodeUnmatched {
		item.Text = fmt.Sprintf("the gateway reports a %s that we do not have: %s, %s %s", c.Direction, c.State, c.OrderAmount, c.Currency)
		item.Do = "find out who made the order (starter show " + shell.Word(item.Key.Number) + " --merchant " + shell.Word(item.Key.Merchant) +
			"); it is matched by itself if it turns up here. If it never will, say why and set it aside"
		return
	}
	item.Text = fmt.Sprintf("a callback cannot be delivered: %s; the gateway reports a %s, %s",
		cmp.Or(e.Problem, "it has not been delivered since it was received"), c.Direction, c.State)
	item.Do = "check that Temporal and the order's workflow run; the delivery is retried by itself. If the callback can never be delivered, query the order at the gateway and set the callback aside"
}

// moved returns the text of an adjustment's kind.
func moved(kind ledger.AdjustmentKind) string {
	for _, move := range ledger.AdjustmentKinds() {
		if move.Kind == kind {
			return move.Text
		}
	}
	return ""
}

// moreOrLess returns a difference as text: "2.00 PKR more".
func moreOrLess(drift money.Amount) string {
	word := " more"
	if drift.Minor() < 0 {
		word = " less"
		if positive, err := money.Minor(-drift.Minor(), drift.Currency()); err == nil {
			drift = positive
		}
	}
	return drift.String() + word
}
