// Package codes has the catalogue of our stable codes, the class of each, and the
// constants of those codes that a finance system does not decide by. Those that it
// decides by are in package order.
//
// It imports nothing of ours.
package codes

import (
	"slices"
	"strings"
	"sync"
)

// Entry describes one of our stable codes.
type Entry struct {
	Code  string
	Class Class
	Means string // a sentence without capital and full stop
	Do    string // a sentence like Means, or "" if there is nothing to do
}

// Group has the codes of one subject, sorted.
type Group struct {
	Name    string // of the table in the documents
	Title   string
	Entries []Entry
}

// Catalogue has all our stable codes, by subject. Exit status, HTTP status and the
// tables of codes in the documents are derived from it. The gateway's codes are in
// package tarspay.
//
// TestCatalogue fails if a code is used and not here, or here and not used.
var Catalogue = []Group{
	{"requests", "What is wrong with a request", []Entry{
		{"AMOUNT_NOT_A_NUMBER", ClassInvalid, "the amount is no plain number", "write digits, and one dot before decimals"},
		{"AMOUNT_NOT_OFFERED", ClassInvalid, "the way has other face values", "choose one that the message lists"},
		{"AMOUNT_NOT_POSITIVE", ClassInvalid, "the amount is not above zero", "give one above zero, without a sign"},
		{"AMOUNT_PRECISION", ClassInvalid, "the amount has more decimals than the currency or the gateway takes", "write fewer decimals; the message says how many"},
		{"AMOUNT_TOO_LARGE", ClassInvalid, "the amount is above what the way or a setting allows", "pay less, or raise PAYOUTS_MAX_AMOUNT if that is the limit"},
		{"AMOUNT_TOO_SMALL", ClassInvalid, "the amount is below what the way takes", "see starter ways"},
		{"DIRECTION_UNDOCUMENTED", ClassInvalid, "no page of the gateway describes such an order in the country", "ask the gateway's support"},
		{"FIELD_TOO_LONG", ClassInvalid, "a member is too long", "shorten it"},
		{"INVALID_REQUEST", ClassInvalid, "the request breaks a rule; the problems say which", "correct what the problems name and send the same number again"},
		{"MALFORMED_FIELD", ClassInvalid, "a member is not written as the country requires", "correct it; the message says how it is written"},
		{"MERCHANT_MALFORMED", ClassInvalid, "the merchant number has another form", "give the gateway's number: letters and digits, at most 32"},
		{"MISSING_FIELD", ClassInvalid, "a member that the country requires is missing", "give it; the problem names it"},
		{"NOT_BEFORE_TOO_FAR", ClassInvalid, "the order is to be sent more than a year from now", "give a time within a year"},
		{"ORDER_NUMBER_MALFORMED", ClassInvalid, "the order number has another form", "use letters, digits, hyphen and underscore, at most 64"},
		{"RESERVED_FIELD", ClassInvalid, "a member is set from the order itself", "leave it out"},
		{"RETURN_URL_MALFORMED", ClassInvalid, "the return URL is missing, or is no whole http or https address", "give one, on a deposit only"},
		{"TEXT_TOO_LONG", ClassInvalid, "a text of an action is too long", "shorten it: a name and an id have at most 200 bytes, every other text 1,500"},
		{"TOO_MANY_FIELDS", ClassInvalid, "there are too many members", "send fewer"},
		{"TWO_PAYEES", ClassInvalid, "two members name two accounts", "give the same in each, or leave out all but one"},
		{"UNKNOWN_BANK", ClassInvalid, "the country has no such bank or wallet", "see starter banks; codes are taken exactly as written"},
		{"UNKNOWN_COUNTRY", ClassInvalid, "there is no such country", "see starter countries"},
		{"UNKNOWN_FIELD", ClassInvalid, "no member has this name", "correct the name; the message says which there are"},
		{"UNKNOWN_KIND", ClassInvalid, "the kind is neither deposit nor withdrawal", "give one of the two"},
		{"UNKNOWN_WAY", ClassInvalid, "the country has no such way", "see starter ways; codes are taken exactly as written"},
		{"UNWANTED_FIELD", ClassInvalid, "a member must be left out for this way", "leave it out"},
		{"WAY_CLOSED", ClassInvalid, "the way is out of service", "choose another one"},
		{"WEBHOOK_TYPE_UNKNOWN", ClassInvalid, "there is no such type of event", "give an order's kind and its new state, such as withdrawal.succeeded, or batch. and its new state, or discrepancy.opened or discrepancy.closed"},
		{"WEBHOOK_URL_MALFORMED", ClassInvalid, "the URL of a webhook endpoint is no whole URL, or has a user or a fragment", "give an https URL without them"},
		{"WEBHOOK_URL_NOT_HTTPS", ClassInvalid, "the URL of a webhook endpoint is not https", "give an https URL; for development, PAYOUTS_WEBHOOK_ALLOW_PRIVATE permits http"},
		{"WEBHOOK_URL_PRIVATE", ClassInvalid, "the URL of a webhook endpoint names an address that is not public", "give a public one; for development, PAYOUTS_WEBHOOK_ALLOW_PRIVATE permits addresses of this machine and of private networks"},
		{"WRONG_CURRENCY", ClassInvalid, "the country takes another currency", "give the amount in the currency that the message names"},
	}},
	{"batches", "What is wrong with a file of payouts", []Entry{
		{"BATCH_CELLS", ClassInvalid, "a row has another number of cells than the header", "correct the row: a cell with a separator in it stands in quotes"},
		{"BATCH_CELL_NOT_TEXT", ClassInvalid, "a cell is a number, a date or the like, and may have lost digits", "format the column as text and take the value from its source again"},
		{"BATCH_COLUMN_MISSING", ClassInvalid, "a column that every file has is missing", "take the header of the country's template: starter batch template"},
		{"BATCH_COLUMN_REPEATED", ClassInvalid, "two columns have one name", "keep one"},
		{"BATCH_COLUMN_UNKNOWN", ClassInvalid, "no column of the country has this name", "take the header of the country's template: starter batch template"},
		{"BATCH_EMPTY", ClassInvalid, "the file has no row", "check which file it is"},
		{"BATCH_ENCODING", ClassInvalid, "the text of the file is in another encoding", "save it as CSV in UTF-8"},
		{"BATCH_FORMULA", ClassInvalid, "a cell is a formula", "paste its value as text"},
		{"BATCH_HIDDEN", ClassInvalid, "a row with content, or a column of it, is hidden", "show everything and look at it"},
		{"BATCH_INVALID", ClassInvalid, "the file has faults; nothing was done", "correct every fault and send the file again"},
		{"BATCH_MERGED_CELLS", ClassInvalid, "cells of the sheet are merged", "take the merging away"},
		{"BATCH_NUMBER_CONFLICT", ClassInvalid, "two rows have one order number and differ", "give each payment its own number"},
		{"BATCH_OTHER_COUNTRY", ClassInvalid, "a row is of another country than the merchant", "put it into a file of the merchant of that country"},
		{"BATCH_OTHER_MERCHANT", ClassInvalid, "a row is of another merchant", "put it into a file of that merchant"},
		{"BATCH_ROW_REPEATED", ClassInvalid, "two rows are the same", "leave one out"},
		{"BATCH_SEVERAL_SHEETS", ClassInvalid, "two visible sheets of the workbook have content", "keep one"},
		{"BATCH_TOO_LARGE", ClassInvalid, "the file has more rows or bytes than are taken", "divide it"},
		{"BATCH_TOTAL_DIFFERS", ClassInvalid, "a control total or the number of rows is not that of the file", "find out which of the two is right before you go on"},
		{"BATCH_TWO_HEADERS", ClassInvalid, "a row repeats the header", "keep one header"},
		{"BATCH_UNREADABLE", ClassInvalid, "the file is not of its format, or breaks off", "save it anew as CSV in UTF-8, .xlsx or JSON"},
	}},
	{"refusals", "What a refusal means", []Entry{
		{"ADJUSTMENT_CONFLICT", ClassConflict, "the reference belongs to another adjustment", "see starter adjust list; a new adjustment needs a new reference"},
		{"ADJUSTMENT_DECIDED", ClassConflict, "the adjustment has been booked or rejected before", "see starter adjust list; a new adjustment needs a new reference"},
		{"ADJUSTMENT_INVALID", ClassRefused, "merchant, reference, kind or amount of the adjustment is wrong", "correct what the message names, such as an amount that is not above zero"},
		{"ADJUSTMENT_NOT_FOUND", ClassNotFound, "there is no adjustment of that reference", "see starter adjust list"},
		{"ALREADY_SUBMITTED", ClassConflict, "the gateway may have the order", "wait for its end, or, after a restore, for the gateway's answer"},
		{"APPROVAL_TOO_LATE", ClassConflict, "nobody approved in time", "request the payment again, under a new number"},
		{"BATCH_BROKEN", ClassConflict, "what was stored of the batch is not what its id says; none of it runs", "find out who wrote the rest of it; send the rows in another sequence, which is another batch"},
		{"BATCH_DIFFERENT", ClassConflict, "the id belongs to a batch with other content", "send the rows in another sequence, which is another batch"},
		{"BATCH_ENDED", ClassConflict, "no further row of the batch is started", "nothing; send what is left as another file"},
		{"BATCH_NOT_FOUND", ClassNotFound, "there is no batch of that id", "see starter batch list"},
		{"BATCH_NOT_READY", ClassConflict, "the batch is still being stored", "try again in a moment"},
		{"BOOKS_CLOSED", ClassConflict, "the merchant has no books in that currency", "run starter reconcile: the first comparison of balances books the merchant's opening balance"},
		{"CALLBACK_NOT_FOUND", ClassNotFound, "there is no callback of that id", "see starter queue"},
		{"CALLBACK_NOT_UNMATCHED", ClassConflict, "the callback has an order, or was set aside before", "nothing"},
		{"DISCREPANCY_CLOSED", ClassConflict, "somebody has closed the discrepancy before", "nothing"},
		{"DISCREPANCY_NOT_FOUND", ClassNotFound, "there is no discrepancy of that id", "see starter discrepancies"},
		{"EVIDENCE_MISSING", ClassRefused, "the resolution names no proof", "add the missing flag"},
		{"FEE_NOT_CONFIRMED", ClassRefused, "a fee is as large as what was paid", "give the fee that the proof names, or confirm it with --whole-fee"},
		{"FEE_OUT_OF_BOUNDS", ClassRefused, "a fee is more than what moved", "give the fee that the proof names"},
		{"FINGERPRINT_MISMATCH", ClassConflict, "the approval is for other content", "look at the order again; approve the fingerprint that it shows"},
		{"FROZEN_EXCEEDED", ClassRefused, "the amount is more than the rest of the frozen amount of the opening", "look at starter balance and give what is left at most"},
		{"NOT_AN_END", ClassRefused, "an order of this kind cannot end in that state", "name a final state that it can have"},
		{"NOT_AWAITING_APPROVAL", ClassConflict, "the order is in another state", "see starter status"},
		{"NOT_IN_REVIEW", ClassConflict, "the order is in another state", "see starter status"},
		{"NOT_POSSIBLE", ClassConflict, "the state table does not allow it in the order's state", "see starter status"},
		{"NOT_RESTORED", ClassConflict, "no restore of the ledger is open", "nothing: there is none to end"},
		{"NOT_SUBMITTED", ClassConflict, "the order waits for an approval and was not sent: there is nothing to query", "approve or reject it"},
		{"NUMBER_SQUATTED", ClassConflict, "a workflow that drives no order has the order's workflow id: it is of another type, or on a task queue that no worker serves. Nothing was started", "find out who started it, delete it (`temporal workflow delete --workflow-id ID`) and repeat the request under the same number"},
		{"ORDER_BUSY", ClassRetry, "Temporal accepts no message for the order at the moment; nothing was done", "try again. If this persists, find out who sends the order so many messages"},
		{"ORDER_CONFLICT", ClassConflict, "the number belongs to an order with other content", "look at that order first; use another number only for another payment"},
		{"ORDER_ENDED", ClassConflict, "the order has ended; this action is no longer possible", "look at the order: starter show"},
		{"ORDER_NOT_FOUND", ClassNotFound, "there is no such order", "check number and merchant"},
		{"PROPOSAL_DIFFERS", ClassConflict, "another person has proposed to resolve the order otherwise; that proposal stands", "look at starter queue, which has the command that confirms the proposal; or replace it with --replace"},
		{"SAME_PERSON", ClassForbidden, "another person has to do it", "have somebody act who is not the requester, and not the first of two"},
		{"STOP_ENDED", ClassConflict, "two persons have resumed it before", "nothing"},
		{"STOP_NOT_FOUND", ClassNotFound, "nothing is stopped there", "see starter queue, which lists all stops"},
		{"WEBHOOK_EVENT_UNKNOWN", ClassNotFound, "there is no such event to send again from", "give the id of an event as GET /v1/events lists it, or a time"},
		{"WEBHOOK_NOT_FOUND", ClassNotFound, "there is no such webhook endpoint", "see starter webhook list, or GET /v1/webhook-endpoints"},
		{"WEBHOOK_TOO_MANY", ClassRefused, "there are as many webhook endpoints as there may be", "disable one that nobody needs"},
		{"WHO_MISSING", ClassRefused, "the action does not say who acts", "add the missing flag; the name `system` is reserved"},
		{"WHY_MISSING", ClassRefused, "the action does not say why", "add the missing flag"},
		{"WORKFLOW_RUNNING", ClassConflict, "a workflow drives the order", "there is nothing to adopt"},
	}},
	{GroupReasons, "Why an order is in its state", []Entry{
		{"APPROVED", ClassTold, "a second person approved it", "nothing"},
		{"CALLBACK_DAMAGED", ClassFinding, "the inbox has the callback, and it cannot be decoded", "find out who changed the database; the order queries the gateway"},
		{"CALLBACK_FOREIGN", ClassTold, "the callback is another order's", "find out who sent the signal; it is ignored"},
		{"CALLBACK_UNKNOWN", ClassTold, "the inbox has no callback of that id", "find out who sent the signal; it is ignored"},
		{"CANCELLED", ClassTold, "it was withdrawn before anything was sent", "nothing"},
		{"EXPIRED", ClassTold, "the payer did not pay in time", "request the payment again, under a new number, if it is still wanted"},
		{"FEE_FINER_THAN_CURRENCY", ClassTold, "the gateway's fee has more decimals than the currency; whole minor units are booked", "nothing"},
		{"FOUND_AT_GATEWAY", ClassTold, "the gateway has an order for which no create is recorded", "nothing: the order goes on with it"},
		{"GATEWAY_FAILED", ClassTold, "the gateway accepted the order and it failed there", "request the payment again, under a new number, if it is still wanted"},
		{"GATEWAY_PAUSED", ClassUnavailable, "the gateway refuses every call of the merchant: key, address, signature or merchant", "correct the merchant's key, address or status at the gateway"},
		{"GATEWAY_REFUSED", ClassRefused, "the gateway refused it for certain", "correct what the gateway's code names, then request the payment again, under a new number; starter codes explains the code"},
		{"GATEWAY_REFUSED_PROBABLY", ClassTold, "the gateway refused the create, but its answer is no proof", "nothing: the gateway is queried first"},
		{"GATEWAY_SHORT", ClassRefused, "the merchant's balance at the gateway does not cover it", "pay money in at the gateway. An order that has failed is requested again under a new number"},
		{"GATEWAY_UNKNOWN", ClassUnknown, "a call was sent and its outcome is not known", "nothing for an order: the gateway is queried until there is proof. Check the outcome before you repeat a supplement"},
		{"GATEWAY_UNREACHABLE", ClassUnavailable, "the gateway could not be reached", "check the connection; what was not sent is sent by itself"},
		{"INSUFFICIENT_FUNDS", ClassRefused, "the ledger's available balance does not cover it", "pay money in at the gateway and have two persons book it as a top-up. An order that has failed is requested again under a new number"},
		{"INTERNAL_FAULT", ClassInternal, "a mistake of ours", "report it; the worker's log has it"},
		{"LEDGER_AWAY", ClassUnavailable, "the ledger does not answer, or cannot be used", "see that the database runs; the workflow goes on by itself"},
		{"LEDGER_ROW_MISSING", ClassFinding, "the ledger has no row of an open order", "adopt the order: starter adopt"},
		{"LIMIT_BENEFICIARY_DAY", ClassRefused, "with it, the day's total for the beneficiary is above a limit of the policy", "request it on another day, under a new number; while an order waits, a second person may approve it"},
		{"LIMIT_COUNTRY_DAY", ClassRefused, "with it, the day's total is above what the country allows one person", "request it on another day, under a new number"},
		{"LIMIT_MERCHANT_DAY", ClassRefused, "with it, the day's total of the merchant is above a limit of the policy", "request it on another day, under a new number; while an order waits, a second person may approve it"},
		{"LIMIT_ORDER", ClassRefused, "the order's amount is above a limit of the policy", "request a smaller amount under a new number; while an order waits, a second person may approve it"},
		{"NEW_BENEFICIARY", ClassRefused, "it is the first payment ever to this beneficiary", "have a second person approve it"},
		{"NO_PROOF", ClassFinding, "the horizon passed without proof", "find out its outcome at the gateway, and resolve it with the proof"},
		{"ORDER_NUMBER_TWIN", ClassConflict, "another order's number differs only in case", "choose a number that differs in more"},
		{"OTHER_WORKER", ClassTold, "this worker lacks a merchant, a key or a profile that another one has", "nothing: the other one takes the order"},
		{"REFUNDED", ClassTold, "it was paid, then returned", "nothing"},
		{"REFUSED_HERE", ClassRefused, "a check of our own refused to send the create; the gateway was not asked", "correct what the message names, or cancel the order"},
		{"REJECTED", ClassTold, "a second person refused it", "nothing"},
		{"REQUESTER_MISSING", ClassRefused, "an order that needs approval does not say who requested it", "request it again under a new number, and say who requests it"},
		{"RESOLVED", ClassTold, "an operator decided, with evidence", "nothing"},
		{"SIGNAL_MALFORMED", ClassTold, "a callback signal does not name a callback of the inbox", "find out who sent it; it is ignored"},
		{"SIGNAL_UNKNOWN", ClassTold, "a signal has a name that orders do not know", "find out who sent it; it is ignored"},
		{"START_UNSIGNED", ClassTold, "the start is not signed, and there is a roster", "have two persons approve the order"},
		{"SUM_TOO_LARGE", ClassRefused, "the order would overflow a total of the merchant's books", "ask who maintains the program"},
		{"UNKNOWN_MERCHANT", ClassRefused, "the merchant is not configured", "add the merchant to PAYOUTS_MERCHANTS of a worker, then start the same number again"},
		{"WITHDRAWALS_STOPPED", ClassUnavailable, "a person has stopped the merchant's, the country's or all withdrawals", "nothing for the order: it is sent when two persons have resumed them; starter queue says who stopped them and why"},
	}},
	{GroupDiscrepancies, "Discrepancies", []Entry{
		{"AMOUNT_CONTRADICTION", ClassFinding, "the gateway reports another amount than the one that it proved before", "ask the gateway which amount moved. Nothing has been booked; book the difference with starter adjust once it is sure, then close it"},
		{"BALANCE_UNREADABLE", ClassFinding, "about a merchant: the gateway's balance cannot be stored exactly", "show it to the gateway's support (starter balance). The merchant's first orders wait for the opening balance and go on by themselves once it can be read; then close it"},
		{"CALLBACK_WITHOUT_ORDER", ClassFinding, "a verified callback is about an order that we still do not have", "find out who made the order. The callback is matched by itself if the order appears here; otherwise set it aside with starter set-aside, then close the discrepancy"},
		{"FEE_UNBELIEVABLE", ClassFinding, "the payment is booked without a fee, because the gateway's fee is impossible: negative, above the amount, or no plain number", "ask the gateway which fee it kept and book it with starter adjust, fee; then close it"},
		{"FIELDS_MISMATCH", ClassFinding, "a verified message about the order has fields that differ from the order's", "compare them with the gateway: the message may be about another order, or the order was changed there. The order is queried meanwhile; then close it"},
		{"GATEWAY_ORDER_SHARED", ClassFinding, "the gateway gives this order the gateway id of another one of our orders; nothing is booked for this one", "ask the gateway which of the two it made, and whether it has another one for this number. Resolve the order with its proof if it is in review; then close it"},
		{"LATE_PAYMENT", ClassFinding, "a deposit was paid after it had expired; it is credited, the order stays expired until the gateway returns the payment", "look at the order: unless it is refunded by now, tell whoever waits for the deposit that it was paid after all. Then close it"},
		{"NUMBER_USED_TWICE", ClassFinding, "the gateway has a second order under the order's number", "ask the gateway at once why there are two, and whether both were paid: a second payment is booked with starter adjust, correction_out for a withdrawal and correction_in for a deposit, then close it"},
		{"ORDER_NOT_IN_LEDGER", ClassFinding, "Temporal has a workflow of the order, and the ledger does not have the order: an older copy of the ledger was restored, the workflow was ended before its first step, or no worker of ours serves its task queue", "look at the workflow in Temporal, then adopt the order: that stores it from the workflow's input, queries the gateway before anything is sent, and closes the discrepancy. If the order reaches the ledger by itself, the discrepancy is closed by itself"},
		{"OWN_WITHDRAWAL", ClassFinding, "the merchant took money out at the gateway, and nobody has booked it", "have two persons book it: starter adjust propose PAYORDERID --kind settlement, and its fee; it is then known. Close it"},
		{"PAID_AFTER_END", ClassFinding, "the gateway says paid, and our order had ended as unpaid", "have the gateway confirm it in writing. Our books do not have the payment, and the balances drift by it: book it with starter adjust, correction_out for a withdrawal and correction_in for a deposit, then close it"},
		{"PAID_AFTER_REFUND", ClassFinding, "a query says paid for an order whose refund we have booked", "ask the gateway whether the money came back. If it did not, book it with starter adjust, correction_out for a withdrawal and correction_in for a deposit, then close it"},
		{"PAID_WITHOUT_RECORD", ClassFinding, "we have proof that the order was paid, and a query finds no such order at the gateway", "show the gateway the proof (starter show) and ask what happened to the order. Nothing has been booked back; then close it"},
		{"PAID_WITHOUT_SUBMISSION", ClassFinding, "the gateway has an order that the ledger has recorded and never sent", "ask the gateway who made it: somebody else uses the number, or the key. Cancel ours until that is clear; then close it"},
		{"RECORD_DIFFERS", ClassFinding, "the gateway's record of the order has another amount, fee, currency or direction", "compare both with the bank's slip or the gateway's statement. A fee that differs is booked with starter adjust, fee or fee_refund; then close it"},
		{"RECORD_WITHOUT_ORDER", ClassFinding, "the gateway has a record of an order that we do not have", "find out who made it: a person at the gateway's console, another system with the same key, or somebody who should not have the key. Money that moved is booked with starter adjust, then close it"},
		{"REFUND_UNCONFIRMED", ClassFinding, "a callback reports a refund, or came after the order's end, and queries did not confirm it for a day", "ask the gateway whether the money moved. Nothing has been booked for it; if the money moved, book it with starter adjust, then close it"},
		{"RETURNED_AFTER_END", ClassFinding, "the gateway says paid and then refunded, and our order had ended as unpaid", "ask the gateway what moved. Nothing has been booked: if a part did not come back, such as a fee, book it with starter adjust, then close it"},
		{"STATE_DIFFERS", ClassFinding, "the gateway's history has another final state than our order, and its answer to a query does not contradict ours", "ask the gateway which of the two is true. Nothing has been booked; book with starter adjust what proves to have moved, then close it"},
		{"UNPAID_AFTER_SUCCESS", ClassFinding, "the gateway says not paid, and we have its proof that the order was paid", "ask the gateway which of the two is true. Nothing has been booked back; if the money came back, book it with starter adjust, then close it"},
		{"WORKFLOW_MISSING", ClassFinding, "the order is open and no workflow drives it: it was terminated, or lost", "adopt the order; that closes the discrepancy"},
	}},
	{"queue", "In the queue without a code of their own", []Entry{
		{"ADJUSTMENT_PROPOSED", ClassFinding, "an adjustment waits for a second person", "check the proof and confirm it, or reject it"},
		{"BALANCE_DRIFT", ClassFinding, "the gateway's balance and the books differ, and no open order explains it", "find it in the gateway's history; what belongs to no order is booked as an adjustment by two persons"},
		{"CALLBACK_UNDELIVERED", ClassFinding, "a callback cannot be delivered", "see which workflow has the order's workflow id; the delivery is retried by itself"},
		{"CALLBACK_UNMATCHED", ClassFinding, "a callback is for an order that we do not have", "find out who made the order; it is matched by itself if it turns up here"},
		{"ORDER_UNSENT", ClassFinding, "an order could be sent, and has not been sent for a long time", "see that a worker runs that has the merchant and its key and reaches the gateway"},
		{"WEBHOOK_PAUSED", ClassFinding, "a webhook endpoint is paused, because every try failed for a day", "have the receiver mended, and enable the endpoint"},
	}},
	{"books", "What a check of the books finds", []Entry{
		{"ADJUSTMENT_DIFFERS_FROM_TRANSFER", ClassFinding, "an adjustment is not what was booked for it", "stop the workers and compare with a backup"},
		{"BALANCE_DIFFERS_FROM_TRANSFERS", ClassFinding, "an account's balance is not the sum of its transfers", "stop the workers and compare with a backup"},
		{"BOOKS_DO_NOT_BALANCE", ClassFinding, "the transfers of a currency do not sum to zero", "stop the workers and compare with a backup"},
		{"DAY_TOTAL_DIFFERS_FROM_ORDERS", ClassFinding, "a day's total is not that of its orders", "stop the workers and compare with a backup"},
		{"FEE_DIFFERS_FROM_TRANSFERS", ClassFinding, "an order's fee is not what was booked for it", "stop the workers and compare with a backup"},
		{"FROZEN_OVERDRAWN", ClassFinding, "more was booked out than the frozen amount of the opening", "stop the workers and compare with a backup"},
		{"GATEWAY_ID_SHARED", ClassFinding, "two orders have the same gateway id", "ask the gateway which of the two it made"},
		{"HISTORY_DOES_NOT_LEAD_TO_STATE", ClassFinding, "an order's audit does not lead to its state", "stop the workers and compare with a backup"},
		{"IN_FLIGHT_DIFFERS_FROM_RESERVATIONS", ClassFinding, "the balance in flight is not the sum of the reservations", "stop the workers and compare with a backup"},
		{"PAYMENT_DIFFERS_FROM_STATE", ClassFinding, "the transfers of an order do not fit its state", "stop the workers and compare with a backup"},
		{"RESERVATION_DIFFERS_FROM_STATE", ClassFinding, "the reservation of an order does not fit its state", "stop the workers and compare with a backup"},
		{"SUBMISSIONS_MISSING", ClassFinding, "an attempt to send an order is not recorded", "stop the workers and compare with a backup"},
		{"TRANSFER_IN_WRONG_BOOKS", ClassFinding, "a transfer is in the books of another merchant than its order", "stop the workers and compare with a backup"},
	}},
	{"ledger", "The ledger", []Entry{
		{"LEDGER_BEHIND", ClassRetry, "the ledger has the order in an earlier state, because an older copy was restored", "nothing: the workflow asks the gateway"},
		{"LEDGER_BUSY", ClassRetry, "the database is reachable, but did not finish in time", "try again"},
		{"LEDGER_FILE_MISSING", ClassInvalid, "there is no SQLite file of that name", "correct PAYOUTS_DATABASE_URL; the worker makes a new one"},
		{"LEDGER_NOT_PERMITTED", ClassUnavailable, "the login of the process lacks a right in the ledger's database", "check the login's role, and run worker migrate --roles"},
		{"LEDGER_NOT_SET", ClassInvalid, "the command reads the ledger, and none is configured", "set PAYOUTS_DATABASE_URL as for the worker"},
		{"LEDGER_READ_ONLY", ClassUnavailable, "the database refuses writes, for example because it is a standby", "name the primary server"},
		{"LEDGER_SCHEMA_FOREIGN", ClassInvalid, "the database has tables that our migrations did not make; nothing was changed", "name a database of its own"},
		{"LEDGER_SCHEMA_OUTDATED", ClassUnavailable, "the database must be migrated first", "run worker migrate of this version"},
		{"LEDGER_SUM_TOO_LARGE", ClassRefused, "a total would overflow; nothing was written", "ask who maintains the program"},
		{"LEDGER_UNREACHABLE", ClassUnavailable, "the database does not answer, or refuses the login", "see that it runs, and who may log in"},
		{"LEDGER_URL_INVALID", ClassInvalid, "the database URL has neither of the two forms", "write postgres://user:password@host/name or sqlite:path/to/file.db"},
	}},
	{"settings", "Settings", []Entry{
		{"ADDRESS_IN_USE", ClassInvalid, "another program listens at an address of a setting", "stop that program, or set the setting that the message names to another address"},
		{"ADDRESS_UNUSABLE", ClassInvalid, "this machine cannot listen at an address of a setting", "set the setting that the message names to an address of this machine, with a port that the user may use"},
		{"CODEC_TOKEN_MISSING", ClassInvalid, "the codec server would decrypt for other machines without a token", "set PAYOUTS_CODEC_TOKEN, or listen on this machine only"},
		{"CONNECTION_UNENCRYPTED", ClassInvalid, "others could read or change the traffic, such as a notify URL with plain http", "use https or TLS, or accept it in PAYOUTS_ALLOW_INSECURE"},
		{"DOOR_KEY_MISSING", ClassInvalid, "there is a roster, and the api has no key to sign for its callers", "make one with ssh-keygen and set PAYOUTS_API_KEY_FILE"},
		{"FILE_OPEN_TO_OTHERS", ClassInvalid, "a file of keys, of an address or of a policy can be written by others, or replaced through a directory above it", "take the rights away from others"},
		{"INVALID_SETTINGS", ClassInvalid, "a setting is missing or not valid", "correct what the message names; --help lists the settings"},
		{"LEDGER_NOT_ENCRYPTED", ClassInvalid, "the connection to a database on another machine may be unencrypted", "use sslmode=verify-full, or accept it in PAYOUTS_ALLOW_INSECURE"},
		{"NOTIFY_URL_NOT_SERVED", ClassInvalid, "the receiver does not answer at the notify URL", "use the receiver's path"},
		{"POLICY_INVALID", ClassInvalid, "the approval policy cannot be applied", "correct the file at the line that the message names"},
		{"ROSTER_MISSING", ClassInvalid, "the api would let other machines act under any name, or the installation has used a roster and this process names none", "set PAYOUTS_ROSTER_FILE"},
		{"SETTING_UNKNOWN", ClassInvalid, "a variable begins with `PAYOUTS_` and belongs to no process (variables that Kubernetes sets for services are ignored)", "correct its name, or remove it"},
	}},
	{"commands", "The command line", []Entry{
		{"ENDPOINT_OFF", ClassInvalid, "the call's path is in no page of the gateway, and not set", "ask the gateway's support for the path and set it"},
		{"FILE_EXISTS", ClassConflict, "keygen does not overwrite a file", "name another file"},
		{"FINGERPRINT_MISSING", ClassInvalid, "nothing was approved: the order was shown", "look at it, and approve it with its fingerprint"},
		{"GATEWAY_ANSWER", ClassUnavailable, "the gateway's answer does not have the documented shape", "try again; show it to the gateway's support if it stays so"},
		{"GATEWAY_NOT_FOUND", ClassNotFound, "the gateway knows no such order, payment or certificate", "check the number and the merchant"},
		{"HISTORY_SHIFTED", ClassRetry, "records moved between the pages of the gateway's history", "ask again, for a shorter time"},
		{"MISSING_FLAG", ClassInvalid, "a flag that the command needs is missing", "add it"},
		{"NO_SUCH_ENDPOINT", ClassInvalid, "the gateway does not have the call in the country", "see starter countries"},
		{"OUTPUT_LOST", ClassInternal, "standard output could not be written; the command itself was executed", "look before you repeat it"},
		{"UNEXPECTED", ClassInternal, "an error that has no code of its own", "report it with its message"},
		{"USAGE", ClassInvalid, "the command line cannot be read", "see --help of the command"},
	}},
	{"temporal", "Temporal", []Entry{
		{"GATEWAY_QUERY", ClassRetry, "a query got no usable answer", "nothing: it is asked again"},
		{"GATEWAY_WITHOUT_HISTORY", ClassTold, "the gateway has no history in the country", "nothing: each order is asked about instead"},
		{"HISTORY_SHIFTING", ClassRetry, "the history kept changing while it was read", "nothing: it is read again"},
		{"NO_ANSWER_YET", ClassUnknown, "the order is open and has no answer yet", "ask again: starter status; the same number is safe"},
		{"PAYLOADS_UNREADABLE", ClassInvalid, "the data in Temporal is encrypted, and no configured key decrypts it", "set PAYOUTS_PAYLOAD_KEYS as the worker has it"},
		{"PENDING", ClassRetry, "the gateway has not decided", "nothing: it is asked again"},
		{"TEMPORAL_NOT_READY", ClassUnavailable, "Temporal's namespace does not exist, or does not have our search attributes", "start a worker; check TEMPORAL_NAMESPACE"},
		{"TEMPORAL_REFUSED", ClassRefused, "Temporal refuses the call; the message has its reason", "do not repeat it unchanged: the same call again will be refused, too"},
		{"TEMPORAL_UNREACHABLE", ClassUnavailable, "Temporal did not answer", "try again; the same number is safe"},
	}},
	{"callbacks", "What the receiver answers", []Entry{
		{"ACCEPTED", ClassTold, "the callback was stored", "nothing"},
		{"CALLBACK_CONTENT_TYPE", ClassMedia, "a callback is JSON by its header", "send application/json"},
		{"CALLBACK_FOREIGN_MERCHANT", ClassForbidden, "it is for a merchant that is not ours", "add the merchant to PAYOUTS_MERCHANTS if it is"},
		{"CALLBACK_INCOMPLETE", ClassIncomplete, "the body did not arrive whole and in time", "send it again"},
		{"CALLBACK_MALFORMED", ClassInvalid, "the gateway signed it, and it is no callback as documented", "show it to the gateway's support"},
		{"CALLBACK_METHOD", ClassMethod, "a callback is posted", "post it"},
		{"CALLBACK_NOT_SIGNED", ClassUnauthenticated, "the signature header is missing", "find out who sends it"},
		{"CALLBACK_SIGNATURE", ClassUnauthenticated, "the signature is not the gateway's", "compare PAYOUTS_GATEWAY_PUBLIC_KEY with the gateway's console; else somebody forges callbacks"},
		{"CALLBACK_TOO_LARGE", ClassTooLarge, "a callback is at most 64 KiB long", "find out who sends it"},
		{"DUPLICATE", ClassTold, "the callback was stored before", "nothing"},
		{"RECEIVER_BUSY", ClassRetry, "too many callbacks arrive at once", "nothing: the gateway sends it again"},
		{"STORE_UNAVAILABLE", ClassUnavailable, "the callback could not be stored", "see that the database runs; the gateway sends it again"},
	}},
	{"codec", "What the codec server answers", []Entry{
		{"CODEC_BODY_CUT_SHORT", ClassInvalid, "the request did not arrive whole", "send it again"},
		{"CODEC_HOST", ClassMisdirected, "the server is asked under a name that is not its own", "add the name to PAYOUTS_CODEC_HOSTS"},
		{"CODEC_REMOTE", ClassForbidden, "no token is set, and the caller is on another machine", "set PAYOUTS_CODEC_TOKEN"},
		{"CODEC_TOKEN", ClassUnauthenticated, "the token is missing or wrong", "send the token that PAYOUTS_CODEC_TOKEN has"},
		{"CODEC_TOO_LARGE", ClassTooLarge, "a request has too many bytes or payloads", "ask for fewer payloads"},
	}},
	{"api", "What the HTTP door answers", []Entry{
		{"API_ADDRESS", ClassInvalid, "the address of the api cannot be used", "give --api a URL such as https://payouts.example.com; http is for this machine alone"},
		{"API_ANSWER", ClassUnavailable, "what answers at the address of the api is not our api", "check --api, and the proxy before the api"},
		{"API_HOST", ClassMisdirected, "without a roster, the api is asked under a name that is not this machine's", "ask it as localhost, or give it a roster"},
		{"API_KEY_MISSING", ClassUnauthenticated, "the request has no API key", "send it as Authorization: Bearer"},
		{"API_UNREACHABLE", ClassUnavailable, "the api does not answer; what was asked for may be done", "see that it runs; the same command again is safe"},
		{"CURSOR_FOREIGN", ClassInvalid, "the cursor is no cursor, or is of another list", "begin again without it, and change no other parameter from page to page"},
		{"DOOR_KEY_UNUSABLE", ClassUnavailable, "the api cannot sign for its callers with its key", "put the key's public half into the roster, in a system with door: true"},
		{"EVENTS_RESTORED", ClassConflict, "the list of events is not the one that was read before, because an older copy of the ledger was restored", "ask for the events from a time before the restore; a repeated id is the same event"},
		{"FORM_FOREIGN", ClassForbidden, "the form does not come from a page of the session", "look at the page again, and use its form"},
		{"IDEMPOTENCY_KEY_DIFFERS", ClassInvalid, "Idempotency-Key is not the order number", "send the order number, or leave the header out"},
		{"LOG_IN_NEEDED", ClassUnauthenticated, "nobody is logged in, or the session is over", "log in"},
		{"LOG_IN_REFUSED", ClassUnauthenticated, "the log-in does not prove who it was", "log in again; if it stays, compare the settings of the api with those of the provider"},
		{"NOT_JSON", ClassMedia, "a body is JSON by its header, and so is the answer", "send application/json"},
		{"NOT_THROUGH_API", ClassInvalid, "the api does not have the command", "run it without --api, where the ledger and Temporal can be reached"},
		{"NO_SUCH_METHOD", ClassMethod, "the path takes other methods", "see GET /"},
		{"NO_SUCH_PATH", ClassNotFound, "there is nothing at the path", "see GET /"},
		{"OIDC_UNREACHABLE", ClassUnavailable, "the OIDC provider does not answer", "try again; if it stays, see that the api reaches PAYOUTS_OIDC_ISSUER"},
		{"RATE_LIMITED", ClassRate, "the caller sends too many requests, or waits for too many orders at once", "wait as Retry-After says and send it again"},
		{"REQUEST_INCOMPLETE", ClassIncomplete, "the body did not arrive whole, or not in time", "send it again"},
		{"REQUEST_TOO_LARGE", ClassTooLarge, "the body is too large", "send less"},
	}},
	{"roster", "The roster and its keys", []Entry{
		{"ABOVE_ACTOR_LIMIT", ClassForbidden, "the amount is above the actor's limit", "have somebody act with a higher limit"},
		{"ACTOR_UNKNOWN", ClassUnauthenticated, "the roster does not have the name or subject", "use the name that the roster has"},
		{"KEY_EXPIRED", ClassUnauthenticated, "the key is not valid at that time", "use a newer key"},
		{"KEY_UNKNOWN", ClassUnauthenticated, "nobody in the roster has the key", "use the key that the roster has"},
		{"MERCHANT_NOT_ALLOWED", ClassForbidden, "the actor does not act for the merchant", "have somebody act who does"},
		{"OWN_SIGNATURE_NEEDED", ClassForbidden, "above a limit, a door may not sign for a person", "sign it with a key of your own"},
		{"ROLE_MISSING", ClassForbidden, "the actor does not have the role", "have somebody act who has it"},
		{"ROSTER_ADMINS_MISSING", ClassInvalid, "there are fewer than two admins who can sign the next roster", "name two"},
		{"ROSTER_EXPIRY_MALFORMED", ClassInvalid, "it is no time, or none where one is needed", "give a time"},
		{"ROSTER_KEY_IN_CLEAR", ClassInvalid, "the file contains a secret", "remove it and make a new one: it is known to others by now"},
		{"ROSTER_KEY_MALFORMED", ClassInvalid, "a line or value is no key", "give a public key of SSH, or a hash of a token"},
		{"ROSTER_KEY_MISSING", ClassInvalid, "the entry has nothing that identifies the actor", "give a key"},
		{"ROSTER_KEY_TAKEN", ClassInvalid, "another actor has the key, id or subject", "give each actor a key of their own"},
		{"ROSTER_LIMIT_MALFORMED", ClassInvalid, "it is no amount, or a role that needs one has none", "give an amount with its currency"},
		{"ROSTER_MALFORMED", ClassInvalid, "it is not YAML, or has an unknown or repeated member, or a value of another type", "correct the line that the message names"},
		{"ROSTER_MERCHANT_MALFORMED", ClassInvalid, "it is no merchant number, or a role that needs one has none", "give the merchant's number"},
		{"ROSTER_NAME_MALFORMED", ClassInvalid, "a name has other characters, or is reserved", "choose another name"},
		{"ROSTER_NAME_TAKEN", ClassInvalid, "two names are the same, or look alike", "choose another name"},
		{"ROSTER_NOT_NEXT", ClassConflict, "it does not name the roster in force as the one that it replaces", "write it anew from the roster in force"},
		{"ROSTER_NOT_SIGNED", ClassForbidden, "fewer than two admins of the roster in force have signed it", "have two admins sign it"},
		{"ROSTER_ROLE_MISPLACED", ClassInvalid, "only people may have the role", "take it away from the system"},
		{"ROSTER_ROLE_UNKNOWN", ClassInvalid, "there is no such role", "give one that the message lists"},
		{"ROSTER_UNKNOWN", ClassFinding, "the audit names a roster that is not stored, or was not in force", "find out who changed the database"},
		{"ROSTER_UNREADABLE", ClassInvalid, "the file cannot be read, is too large, or others may change it", "correct the file's place and rights"},
		{"SIGNATURE_MALFORMED", ClassInvalid, "it is not one armored SSH signature", "sign it with ssh-keygen -Y sign"},
		{"SIGNATURE_NAMESPACE", ClassUnauthenticated, "it was made for another purpose", "sign what is asked for"},
		{"SIGNATURE_WRONG", ClassUnauthenticated, "it does not fit these bytes", "sign exactly what is sent"},
	}},
	{"envelopes", "Signed actions", []Entry{
		{"ENVELOPE_EXPIRED", ClassForbidden, "the signed action has expired", "make the action anew"},
		{"ENVELOPE_FOREIGN", ClassForbidden, "the signed action is of another installation", "make it here"},
		{"ENVELOPE_LIST_DIFFERS", ClassConflict, "the list is not the one that was signed", "sign the list that is sent"},
		{"ENVELOPE_MALFORMED", ClassInvalid, "a member of the signed action is missing, not of this action, or of another form", "make the action anew"},
		{"ENVELOPE_NOT_CANONICAL", ClassInvalid, "the bytes of the signed action are not the canonical ones", "sign exactly what is printed"},
		{"ENVELOPE_NOT_NEEDED", ClassInvalid, "the action is not signed", "send it without a signature"},
		{"ENVELOPE_OTHER_CONTENT", ClassConflict, "the signed action is for another order, or for other content", "look at the order again and make the action anew"},
		{"ENVELOPE_TOO_EARLY", ClassForbidden, "the signed action was issued in the future", "correct the clock of the machine that made it"},
		{"ROSTER_NOT_SET", ClassRefused, "the action is signed, and the installation has no roster", "send it without a signature, or give the worker a roster"},
		{"SIGNATURE_NEEDED", ClassForbidden, "with a roster, the action is signed", "set PAYOUTS_ORIGIN for starter and sign with your key, or use starter sign and starter act"},
		{"SIGNER_NOT_ACTOR", ClassForbidden, "the key does not belong to the actor", "sign with a key of the actor"},
		{"SIGNING_KEY_UNUSABLE", ClassInvalid, "the key file cannot be read, is open to others, or needs its device", "correct its rights, or put the device in"},
		{"SSH_AGENT_AWAY", ClassUnavailable, "no SSH agent answers", "start one, or name a key file"},
		{"SSH_AGENT_LACKS_KEY", ClassInvalid, "the SSH agent does not have the key, or has several", "add the key, or name the one that is meant"},
	}},
	{"personal", "Encrypted personal data", []Entry{
		{"DATA_DAMAGED", ClassInvalid, "personal data does not decrypt", "find out who changed the row, or moved it"},
		{"DATA_KEY_MALFORMED", ClassInvalid, "a line of a file of data keys is no key", "correct the line"},
		{"DATA_KEY_MISSING", ClassInvalid, "the file of data keys is missing, or has no key", "make one, or name the right file"},
		{"DATA_KEY_OPEN", ClassInvalid, "others can read or write the file of data keys", "take the rights away from others"},
		{"DATA_KEY_RETIRED", ClassInvalid, "the first data key in the file was replaced (worker rekey)", "put a newer key first in PAYOUTS_DATA_KEY_FILE"},
		{"DATA_KEY_UNKNOWN", ClassInvalid, "personal data is encrypted with a data key that the process does not have", "add the key to PAYOUTS_DATA_KEY_FILE"},
		{"ERASE_COPY_IN_TEMPORAL", ClassRefused, "Temporal still has a run with data of the order", "wait until the time that the message names, or delete the run"},
		{"ERASE_IN_CLEAR", ClassRefused, "data of the order was stored without encryption, so no key of it can be destroyed", "nothing: it stays in the ledger"},
		{"ERASE_OPEN", ClassRefused, "the order has not ended, or something about it is open", "deal with what the message names"},
		{"ERASE_TEMPORAL_UNASKED", ClassUnavailable, "Temporal does not say what it has of the order; nothing was erased", "see that Temporal answers, and repeat"},
		{"ERASE_TOO_EARLY", ClassRefused, "the order ended less than PAYOUTS_PERSONAL_DATA_RETENTION ago", "wait until the time that the message names"},
		{"ERASURES_FILE_NOT_SET", ClassRefused, "after a restore nobody would know what was erased; nothing was erased", "set PAYOUTS_ERASURES_FILE for the worker"},
		{"ORDER_ERASED", ClassConflict, "the number belongs to an order that has ended and whose personal data was erased; nothing is sent", "look at the state that stands; use another number for another order"},
	}},
	{"seals", "Seals of the audit", []Entry{
		{"AUDIT_CHAIN_BROKEN", ClassFinding, "an audit entry was changed, put in or taken out, or an order's content was changed", "find out who changed the database; compare it with a backup"},
		{"AUDIT_CHECKPOINTS_CONTRADICT", ClassFinding, "two checkpoints cannot both be true", "find out who changed the database; keep both checkpoints as evidence"},
		{"AUDIT_CHECKPOINT_FOREIGN", ClassInvalid, "the checkpoint is of another installation", "give one of this installation"},
		{"AUDIT_CHECKPOINT_MALFORMED", ClassInvalid, "it is no checkpoint", "give the checkpoint as it was published"},
		{"AUDIT_CHECKPOINT_MISSING", ClassNotFound, "no checkpoint of the audit was made yet, or the last one is older than the entries", "give a worker PAYOUTS_AUDIT_KEY_FILE, and wait for PAYOUTS_CHECKPOINT_EVERY"},
		{"AUDIT_CHECKPOINT_UNSIGNED", ClassFinding, "no key that is known here has signed the checkpoint", "add the public key if it is one of ours; else do not trust the checkpoint"},
		{"AUDIT_ENTRY_REMOVED", ClassFinding, "an audit entry is gone", "find out who changed the database; compare it with a backup"},
		{"AUDIT_ENTRY_REPLACED", ClassFinding, "an audit entry differs from the one that was added to the tree", "find out who changed the database; compare it with a backup"},
		{"AUDIT_ENTRY_UNPLACED", ClassFinding, "an audit entry is as old as those of a checkpoint, and no checkpoint covers it", "find out who changed the database; compare it with a backup"},
		{"AUDIT_KEY_MALFORMED", ClassInvalid, "a line of a key file is no key", "correct the line"},
		{"AUDIT_KEY_MISSING", ClassInvalid, "the key file is missing, or has no key", "make one, or name the right file"},
		{"AUDIT_KEY_OPEN", ClassInvalid, "others can read or write the key file", "take the rights away from others"},
		{"AUDIT_PROOF_MALFORMED", ClassInvalid, "it is no proof", "give the proof as it was made"},
		{"AUDIT_PROOF_WRONG", ClassFinding, "it does not prove what it is given for", "do not trust it; make the proof anew"},
		{"AUDIT_REWRITTEN", ClassFinding, "the audit entries are not those that a checkpoint covers", "find out who changed the database; compare it with a backup"},
		{"AUDIT_SEAL_KEY_UNKNOWN", ClassFinding, "a seal was made with a key that is not known here", "add the public key if it is one of ours; else find out who wrote the entry"},
		{"AUDIT_SEAL_MISSING", ClassFinding, "an audit entry has no seal", "find out who wrote it: a process without PAYOUTS_AUDIT_KEY_FILE, or nobody of ours"},
		{"AUDIT_SEAL_WRONG", ClassFinding, "a seal does not fit its entry, or is none", "find out who changed the database"},
		{"AUDIT_TAIL_CUT", ClassFinding, "there are fewer audit entries than a checkpoint covers", "find out who changed the database; compare it with a backup"},
	}},
}

// GroupDiscrepancies is the name of the group of discrepancies.
const GroupDiscrepancies = "discrepancies"

// Lookup returns a code's entry.
func Lookup(code string) (Entry, bool) {
	entry, known := byCode()[code]
	return entry, known
}

// Of returns the entries of the group with the name.
func Of(group string) []Entry {
	i := slices.IndexFunc(Catalogue, func(g Group) bool { return g.Name == group })
	if i < 0 {
		return nil
	}
	return Catalogue[i].Entries
}

// looksLikeCode reports whether a text has the form of our codes.
func looksLikeCode(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

var byCode = sync.OnceValue(func() map[string]Entry {
	codes := make(map[string]Entry)
	for _, group := range Catalogue {
		for _, entry := range group.Entries {
			codes[entry.Code] = entry
		}
	}
	return codes
})

// GroupReasons is the name of the group of an order's reasons.
const GroupReasons = "reasons"
