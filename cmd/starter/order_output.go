package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// orderDocument is {"order":{…},"source":…}, with "started" if the command started
// the order.
type orderDocument = payouts.Order

// trouble returns the exit code of a document with a problem, nil without a
// problem.
func trouble(d orderDocument) error {
	if d.Problem == nil {
		return nil
	}
	if exitOf(d.Problem.Code) == exitUnreachable {
		return outcome(exitUnreachable)
	}
	return outcome(exitUnderWay) // nothing says that the order is over
}

// endExit returns the exit code of an order that the command started or waited
// for: for an end without success, or for a problem.
func endExit(d orderDocument) error {
	if state := d.Order.State; state.Terminal() && state != order.Succeeded {
		return outcome(exitOtherwise)
	}
	return trouble(d)
}

// startedDocument is {"started":{…}}.
type startedDocument struct {
	Started client.Started `json:"started"`
}

func writeStarted(w io.Writer, request order.Request, started client.Started) {
	if started.Existing {
		writeExisting(w, request)
	} else {
		printf(w, "%s %s of %s started\n", request.Kind, request.Key(), request.Amount)
	}
	printf(w, "look at it with: starter status %s --merchant %s\n", request.Number, request.Merchant)
}

// writeExisting prints that the order existed already.
func writeExisting(w io.Writer, request order.Request) {
	printf(w, "%s %s of %s was there already, with the same content; nothing new was started\n", request.Kind, request.Key(), request.Amount)
}

// feeText returns the booked fee, and the gateway's fee if it differs.
func feeText(s order.Standing) string {
	if s.FeeText == "" {
		return amountText(s.Fee)
	}
	return amountText(s.Fee) + " (the gateway says " + s.FeeText + ")"
}

func writeOrder(w io.Writer, document orderDocument) {
	o := document.Order
	facts := []fact{
		{"state", string(o.State)},
		{"since", since(document)},
		{"reason", reasonText(o.Reason)},
		{"amount", amountText(o.Amount)},
		{"paid", amountText(o.Paid)},
		{"fee", feeText(o.Standing)},
		{"expected fee", amountText(o.ExpectedFee)},
		{"late fee", lateFeesText(document.LateFees)},
		{"country", o.Country},
		{"way", o.Way},
		{payeeName(o.Kind), o.Payee},
		{"requested by", o.RequestedBy},
		{"not before", whenSet(o.NotBefore)},
		{"metadata", metadataText(o.Metadata)},
		{"content", o.Hidden},
		{"gateway id", o.GatewayID},
	}
	if !o.State.Terminal() {
		facts = append(facts, instructionFacts(o.Instructions)...)
	}
	facts = append(facts, fact{"next", localTimes(o.Next)})
	if document.Problem != nil {
		facts = append(facts, fact{"problem", reasonText(*document.Problem)})
	}
	facts = append(facts, fact{"told by", toldBy[document.Source]})
	describe(w, string(o.Kind)+" "+o.Key().String(), facts)
}

// lateFeesText returns the fees of an order that were learned late; "" for none.
func lateFeesText(fees []payouts.LateFee) string {
	var texts []string
	for _, fee := range fees {
		text := fee.Amount.String()
		if fee.Back() {
			text += " given back"
		}
		texts = append(texts, text+" ("+fee.Ref+", "+moment(fee.At)+")")
	}
	return strings.Join(texts, "; ")
}

// whenSet returns a time; "" for none.
func whenSet(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return moment(at)
}

// metadataText returns metadata in one line, sorted by key.
func metadataText(metadata map[string]string) string {
	var entries []string
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		entries = append(entries, key+"="+metadata[key])
	}
	return strings.Join(entries, ", ")
}

// since returns when the state last changed, and how long ago.
func since(d orderDocument) string {
	if d.ChangedAt.IsZero() {
		return ""
	}
	return moment(d.ChangedAt) + ", " + roughly(d.Stood) + " ago"
}

// roughly returns a duration in its two largest units: 3d4h, 2h5m, 40s.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", max(d, 0)/time.Second)
}

// payeeName returns the name of the payee's role.
func payeeName(kind order.Kind) string {
	if kind == order.Deposit {
		return "paid by"
	}
	return "pays"
}

var toldBy = map[payouts.Source]string{
	payouts.FromLedger:   "the ledger",
	payouts.FromWorkflow: "the order's workflow",
	payouts.FromList:     "Temporal's list, which may lag: no worker answers for the order itself",
}

func instructionFacts(i *order.Instructions) []fact {
	if i == nil {
		return nil
	}
	data := i.PayData
	if data != "" && i.PayDataType != "" {
		data += " (" + i.PayDataType + ")"
	}
	return []fact{
		{"pay at", i.PayURL},
		{"pay with", data},
		{"account", i.AccountNumber},
		{"account name", i.AccountName},
		{"bank", i.Bank},
		{"phone", i.Phone},
		{"code", i.PayCode},
		{"ways", payWays(i.PayWays)},
		{"pay until", moment(i.ExpiresAt)},
	}
}

// payWays returns the codes of the ways that a payer may choose from.
func payWays(ways []order.PayWay) string {
	codes := make([]string, len(ways))
	for i, way := range ways {
		codes[i] = way.Way
	}
	return strings.Join(codes, ", ")
}

// amountText returns "1500.00 PKR", or "" for an unknown amount.
func amountText(amount money.Amount) string {
	if amount.Currency() == "" {
		return ""
	}
	return amount.String()
}

func reasonText(reason order.Reason) string {
	if reason.Code == "" {
		return reason.Text
	}
	return strings.TrimSpace(reason.Text + " (" + reason.Code + ")")
}
