package payouts

import "github.com/tarspay-payouts/orchestrator/order"

// Codes of this package's refusals. They are stable. Refusals of the packages
// order, client and ledger keep their codes.
const (
	CodeNoLedger       = "LEDGER_NOT_SET"    // the use case reads the ledger, and none is configured
	CodeNoEndpoint     = "NO_SUCH_ENDPOINT"  // the gateway does not have the call in the country
	CodeEndpointOff    = "ENDPOINT_OFF"      // the call's path is in no page and not set
	CodeGatewayNone    = "GATEWAY_NOT_FOUND" // the gateway knows no such order, payment or certificate
	CodeGatewayAnswer  = "GATEWAY_ANSWER"    // the gateway's answer does not have the documented shape
	CodeHistoryShifted = "HISTORY_SHIFTED"   // records moved between the pages of the history
	CodeMissing        = "MISSING_FLAG"      // of a problem: the caller must give it
	CodeUnexpected     = "UNEXPECTED"
)

// ErrNoLedger is the error if the settings have no ledger.
var ErrNoLedger = order.Refuse(CodeNoLedger,
	"this reads the ledger: set PAYOUTS_DATABASE_URL, or PAYOUTS_DATABASE_URL_FILE, as for the worker")
