package codes

// Codes of reasons and refusals beside those of package order. They are part of the
// interface: scripts may switch on them, so they are never renamed.
const (
	SumTooLarge         = "SUM_TOO_LARGE"            // the order would overflow a total of the merchant's books
	GatewayDoubt        = "GATEWAY_REFUSED_PROBABLY" // the gateway refused the create, but its answer is no proof: it is queried first
	Found               = "FOUND_AT_GATEWAY"         // the gateway has an order for which no create is recorded
	Mismatch            = "FIELDS_MISMATCH"          // the gateway's answer does not fit the order
	FeeBounds           = "FEE_OUT_OF_BOUNDS"        // the fee is larger than the amount that moved
	FeeUnconfirmed      = "FEE_NOT_CONFIRMED"        // a fee as large as the payment needs a confirmation
	FeeFiner            = "FEE_FINER_THAN_CURRENCY"  // the gateway's fee has more decimals than the currency; whole minor units are booked
	NotInReview         = "NOT_IN_REVIEW"            // resolve is for orders in review only
	EvidenceMissing     = "EVIDENCE_MISSING"         // a resolution needs a name, a reason and the gateway's proof
	NotAnEnd            = "NOT_AN_END"               // a resolution needs a terminal state that the state table allows
	NotAwaitingApproval = "NOT_AWAITING_APPROVAL"    // approve and reject are for orders that wait for approval
	FingerprintMismatch = "FINGERPRINT_MISMATCH"     // the approval is for other content
	SamePerson          = "SAME_PERSON"              // the second person must be another one
	FirstUnproven       = "FIRST_PERSON_UNPROVEN"    // what the first of two persons did does not count
	ProposalDiffers     = "PROPOSAL_DIFFERS"         // the second resolution is not what the first person proposed
	Unsigned            = "START_UNSIGNED"           // there is a roster and the start is not signed: two persons approve the order
	WithdrawalsStopped  = "WITHDRAWALS_STOPPED"      // a person has stopped the merchant's, the country's or all withdrawals
	BooksClosed         = "BOOKS_CLOSED"             // the merchant has no books in that currency, or no opening balance yet
	NotSubmitted        = "NOT_SUBMITTED"            // nothing was sent, so there is nothing to query
	OrderErased         = "ORDER_ERASED"             // the number belongs to an order that has ended and was erased: nothing is sent
	WorkflowRunning     = "WORKFLOW_RUNNING"         // a workflow drives the order: it cannot be adopted
	Approved            = "APPROVED"                 // a second person approved it
	Impossible          = "NOT_POSSIBLE"             // the state table does not allow it in the order's state
	AlreadyClosed       = "DISCREPANCY_CLOSED"       // it is closed already
	OtherWorker         = "OTHER_WORKER"             // this worker lacks a merchant, a key or a profile that another worker has; the other one takes the order
	RowMissing          = "LEDGER_ROW_MISSING"       // the ledger has no row of an open order
	LedgerAway          = "LEDGER_AWAY"              // the ledger does not answer, or cannot be used
	Fault               = "INTERNAL_FAULT"           // an error in this program; see the worker's log
	Unreadable          = "PAYLOADS_UNREADABLE"      // the data is encrypted, and no configured key decrypts it
	SignalMalformed     = "SIGNAL_MALFORMED"         // a callback signal that does not name a callback of the inbox
	SignalUnknown       = "SIGNAL_UNKNOWN"           // a signal with an unknown name
	CallbackUnknown     = "CALLBACK_UNKNOWN"         // the inbox has no callback of that id
	CallbackForeign     = "CALLBACK_FOREIGN"         // the callback is another order's
	CallbackDamaged     = "CALLBACK_DAMAGED"         // the inbox has the callback, and it cannot be decoded
	FindingUnproven     = "FINDING_UNPROVEN"         // what is said to be the gateway's answer was not sealed by a worker
	CallbackUnproven    = "CALLBACK_UNPROVEN"        // the inbox has the callback, and no signature of the gateway verifies it
	StopUnproven        = "STOP_UNPROVEN"            // a stop has ended in its row, and the audit does not prove it: it holds back; a discrepancy of the merchant, too
	OrderUnproven       = "ORDER_UNPROVEN"           // the audit does not prove that the order stands where its row says, or is approved
)

// Codes of discrepancies between our books and what the gateway says.
const (
	DiscrepancyPaidUnsent   = "PAID_WITHOUT_SUBMISSION" // the gateway reports an order that we never sent
	DiscrepancyPaidAfterEnd = "PAID_AFTER_END"          // paid, although we had ended it unpaid
	DiscrepancyLatePayment  = "LATE_PAYMENT"            // deposit paid after it expired: credited
	DiscrepancyUnpaidPaid   = "UNPAID_AFTER_SUCCESS"    // the gateway reports a failure of an order that is booked as paid or credited
	DiscrepancyReturned     = "RETURNED_AFTER_END"      // paid and returned, although we had ended it unpaid; nothing is booked
	DiscrepancyPaidAgain    = "PAID_AFTER_REFUND"       // a query says paid, but the order is booked as returned
	DiscrepancyShared       = "GATEWAY_ORDER_SHARED"    // the gateway's order belongs to another order in the ledger
	DiscrepancyFee          = "FEE_UNBELIEVABLE"        // paid, but the reported fee is impossible; no fee is booked
	DiscrepancyAmount       = "AMOUNT_CONTRADICTION"    // the reported amount differs from the booked one
	DiscrepancyMismatch     = "FIELDS_MISMATCH"         // a verified message whose members differ from the order
	DiscrepancyOrphan       = "WORKFLOW_MISSING"        // open in the ledger, but no workflow drives it: adopt it
	DiscrepancyNotInLedger  = "ORDER_NOT_IN_LEDGER"     // Temporal has a workflow of the order, but the ledger does not have the order
	DiscrepancyUnconfirmed  = "REFUND_UNCONFIRMED"      // a callback reports a refund or a late payment that queries do not confirm

	DiscrepancyBalance = "BALANCE_UNREADABLE" // of a merchant: its balance at the gateway cannot be read as an exact amount

	// Discrepancies found by comparing transactions.
	DiscrepancyNoOrder       = "RECORD_WITHOUT_ORDER"   // the gateway has a record of an order that we do not have
	DiscrepancyNoRecord      = "PAID_WITHOUT_RECORD"    // booked as paid, but the gateway has no such order
	DiscrepancyRecord        = "RECORD_DIFFERS"         // amount, fee, currency or direction of the record differ from the order
	DiscrepancyState         = "STATE_DIFFERS"          // the history has another final state than the order, but a query has not
	DiscrepancySecond        = "NUMBER_USED_TWICE"      // the gateway has a second order of the same number
	DiscrepancyOwnWithdrawal = "OWN_WITHDRAWAL"         // the merchant withdrew money at the gateway, and it is not booked
	DiscrepancyStatement     = "STATEMENT_DIFFERS"      // a statement contradicts what the gateway itself told about the order
	DiscrepancyUnproven      = "STATEMENT_UNPROVEN"     // a statement contradicts the order, and the gateway could not be asked
	DiscrepancyUnmatched     = "CALLBACK_WITHOUT_ORDER" // a callback of an order that the ledger does not have
)

// Codes of the reasons of a ruling.
const (
	LimitOrder          = "LIMIT_ORDER"           // the order's own amount
	LimitBeneficiaryDay = "LIMIT_BENEFICIARY_DAY" // with it, the day's total for the beneficiary
	LimitMerchantDay    = "LIMIT_MERCHANT_DAY"    // with it, the day's total of the merchant
	LimitCountryDay     = "LIMIT_COUNTRY_DAY"     // with it, the day's total above what the country allows one person
	NewBeneficiary      = "NEW_BENEFICIARY"       // the first payment ever to this beneficiary
	RequesterMissing    = "REQUESTER_MISSING"     // an order that needs approval says who requested it
)
