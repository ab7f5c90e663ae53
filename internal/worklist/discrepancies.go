package worklist

import (
	"maps"
	"slices"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Explanation is what a discrepancy's code means and what a person does about it.
type Explanation struct{ Means, Do string }

// discrepancies has all codes. docs/operations.md is written from it.
var discrepancies = map[string]Explanation{
	order.DiscrepancyPaidUnsent: {
		"the gateway speaks of an order that we have written down and never sent",
		"ask the gateway who made it: somebody else uses the number, or the key. Cancel ours until that is clear; then close it",
	},
	order.DiscrepancyPaidAfterEnd: {
		"the gateway says paid, and we had ended the order unpaid",
		"have the gateway confirm it in writing. Our books do not have the payment, and the balances drift by it: book it with starter adjust, correction_out for a withdrawal and correction_in for a deposit, then close it",
	},
	order.DiscrepancyLatePayment: {
		"a deposit was paid after it had expired; it is credited, the order stays expired until the gateway returns the payment",
		"look at the order: unless it is refunded by now, tell whoever waits for the deposit that it was paid after all. Then close it",
	},
	order.DiscrepancyUnpaidPaid: {
		"the gateway says not paid, and we have its proof that it was",
		"ask the gateway which of its words is true. Nothing has been booked back; if the money came back, book it with starter adjust, then close it",
	},
	order.DiscrepancyReturned: {
		"the gateway says paid and returned, and we had ended the order unpaid",
		"ask the gateway what moved. Nothing has been booked: what did not come back, a fee perhaps, is booked with starter adjust, then close it",
	},
	order.DiscrepancyPaidAgain: {
		"the gateway, being asked, says paid of an order that it had returned and we have booked back",
		"ask the gateway whether the money came back. If it did not, book it with starter adjust, correction_out for a withdrawal and correction_in for a deposit, then close it",
	},
	order.DiscrepancyShared: {
		"the gateway names one of its orders for two of ours; it belongs to the other one, and nothing is booked for this one",
		"ask the gateway which of the two it made, and whether it has another one for this number. Resolve the order with its proof if it is in review; then close it",
	},
	order.DiscrepancyFee: {
		"paid, and the fee that the gateway names cannot be: negative, above the amount, or no plain number; none is booked",
		"ask the gateway what it kept and book it with starter adjust, fee; then close it",
	},
	order.DiscrepancyAmount: {
		"the gateway says another amount than the one we have its proof of",
		"ask the gateway which amount moved. Nothing has been booked; book the difference with starter adjust once it is sure, then close it",
	},
	order.DiscrepancyMismatch: {
		"a genuine message about the order whose members are not the order's",
		"compare them with the gateway: a message about another order, or an order that was changed there. The order is asked about meanwhile; then close it",
	},
	order.DiscrepancyOrphan: {
		"the order is open and no workflow drives it: it was terminated, or lost",
		"adopt the order; that closes the discrepancy",
	},
	order.DiscrepancyNotInLedger: {
		"Temporal has a workflow of the order, and the ledger does not have the order: an older copy of the ledger was restored, the workflow was ended before its first step, or it waits where no worker of ours serves it",
		"look at the workflow in Temporal, then adopt the order: that writes it down from the workflow's input, asks the gateway before anything is sent, and closes the discrepancy",
	},
	order.DiscrepancyBalance: {
		"of a merchant: the gateway writes its balance in a way that cannot be held exactly",
		"show it to the gateway's support (starter balance). The merchant's first orders wait for the opening balance and go on by themselves once it can be read; then close it",
	},
	order.DiscrepancyUnconfirmed: {
		"a callback says that the money was returned, or came after the end, and the gateway, being asked for a day, does not",
		"ask the gateway whether it did. Nothing has been booked for it; if the money moved, book it with starter adjust, then close it",
	},
	order.DiscrepancyNoOrder: {
		"the gateway has a record of an order that we do not have",
		"find out who made it: a person at the gateway's console, another system with the same key, or somebody who should not have the key. Money that moved is booked with starter adjust, then close it",
	},
	order.DiscrepancyNoRecord: {
		"we have proof that the order was paid, and the gateway, being asked, has no such order",
		"show the gateway the proof (starter show) and ask what became of the order. Nothing has been booked back; then close it",
	},
	order.DiscrepancyRecord: {
		"the gateway's record of the order says another amount, fee, currency or direction",
		"compare both with the bank's slip or the gateway's statement. A fee that differs is booked with starter adjust, fee or fee_refund; then close it",
	},
	order.DiscrepancyState: {
		"the gateway's history ends the order otherwise than we do, and its answer to a query does not",
		"ask the gateway which of its two words is true. Nothing has been booked; book with starter adjust what proves to have moved, then close it",
	},
	order.DiscrepancySecond: {
		"the gateway has a second order under the order's number",
		"ask the gateway at once how that came about, and whether both were paid: a second payment is booked with starter adjust, correction_out for a withdrawal and correction_in for a deposit, then close it",
	},
	order.DiscrepancyOwnWithdrawal: {
		"the merchant took money out at the gateway, and nobody has booked it",
		"have two persons book it: starter adjust propose PAYORDERID --kind settlement, and its fee; it is then known. Close it",
	},
	order.DiscrepancyUnmatched: {
		"a genuine callback is about an order that we still do not have",
		"find out who made the order. It is matched by itself if it turns up here; else set the callback aside with starter set-aside, then close it",
	},
}

// Explain returns what a discrepancy's code means; empty for a code that is none.
func Explain(code string) Explanation { return discrepancies[code] }

// DiscrepancyCodes lists all codes of discrepancies.
func DiscrepancyCodes() []string { return slices.Sorted(maps.Keys(discrepancies)) }
