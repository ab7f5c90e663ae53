package httpapi

import (
	"net/http"
	"slices"
)

// statusesOf are the statuses of refusals that operations document, by groups. Every
// operation has those of asked, and one with a body those of sent. A test finds each, and no
// other.
var (
	asked = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusTooManyRequests}
	sent  = []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}

	statusesOf = []struct {
		statuses   []int
		operations []string
	}{
		{[]int{http.StatusInternalServerError, http.StatusServiceUnavailable}, []string{
			"create-withdrawal", "create-deposit", "get-order", "list-orders", "list-orders-csv", "get-order-story", "get-order-audit",
			"approve-order", "reject-order", "resolve-order", "cancel-order", "poll-order", "note-order", "act-signed",
			"upload-batch", "list-batches", "get-batch", "list-batch-rows", "get-batch-result", "pause-batch", "resume-batch", "cancel-batch",
			"import-statement", "list-statements", "get-statement", "list-audit", "list-adjustments", "list-stops", "act-on-books",
			"list-balances", "reconcile-balances", "reconcile-transactions", "get-transaction-reconciliation", "get-day-report", "list-discrepancies", "get-discrepancy", "work-discrepancy", "close-discrepancy", "list-queue", "list-events", "stream-events",
			"list-webhook-endpoints", "create-webhook-endpoint", "get-webhook-endpoint", "list-webhook-deliveries", "rotate-webhook-secret",
			"disable-webhook-endpoint", "enable-webhook-endpoint", "replay-webhook-endpoint", "test-webhook-endpoint",
		}},
		{[]int{http.StatusForbidden}, []string{
			"create-withdrawal", "create-deposit", "approve-order", "reject-order", "resolve-order", "cancel-order", "poll-order", "note-order", "act-signed",
			"upload-batch", "get-batch-result", "pause-batch", "resume-batch", "cancel-batch", "import-statement", "reconcile-balances", "reconcile-transactions", "work-discrepancy", "close-discrepancy", "list-queue",
			"list-audit", "list-stops", "act-on-books",
			"create-webhook-endpoint", "rotate-webhook-secret", "disable-webhook-endpoint", "enable-webhook-endpoint", "replay-webhook-endpoint",
			"test-webhook-endpoint",
		}},
		{[]int{http.StatusNotFound}, []string{
			"get-order", "get-order-story", "get-order-audit", "approve-order", "reject-order", "resolve-order", "cancel-order", "poll-order", "note-order",
			"act-signed", "get-transaction-reconciliation", "get-day-report", "get-batch", "list-batch-rows", "get-batch-result", "pause-batch", "resume-batch", "cancel-batch", "get-statement", "get-discrepancy", "work-discrepancy", "close-discrepancy", "act-on-books",
			"get-webhook-endpoint", "list-webhook-deliveries", "rotate-webhook-secret", "disable-webhook-endpoint", "enable-webhook-endpoint",
			"replay-webhook-endpoint", "test-webhook-endpoint",
		}},
		{[]int{http.StatusConflict}, []string{
			"create-withdrawal", "create-deposit", "approve-order", "reject-order", "resolve-order", "cancel-order", "poll-order", "note-order", "act-signed",
			"upload-batch", "pause-batch", "resume-batch", "cancel-batch", "import-statement", "work-discrepancy", "close-discrepancy", "act-on-books", "list-events", "stream-events", "get-day-report",
			"reconcile-transactions",
		}},
		{[]int{http.StatusUnprocessableEntity}, []string{ // a rule says no, or a merchant is not known to the caller
			"create-withdrawal", "create-deposit", "list-orders", "list-orders-csv", "approve-order", "reject-order", "resolve-order", "cancel-order",
			"poll-order", "note-order", "act-signed", "upload-batch", "list-batches", "import-statement", "list-statements", "list-balances", "reconcile-balances", "reconcile-transactions", "list-audit", "list-adjustments", "act-on-books", "list-discrepancies",
			"list-events", "stream-events", "create-webhook-endpoint", "get-day-report",
		}},
		{[]int{http.StatusGatewayTimeout}, []string{
			"create-deposit", "approve-order", "reject-order", "resolve-order", "cancel-order", "poll-order", "note-order", "act-signed", "upload-batch",
			"pause-batch", "resume-batch", "cancel-batch", "import-statement", "reconcile-balances", "reconcile-transactions", "get-transaction-reconciliation", "work-discrepancy", "close-discrepancy", "act-on-books",
		}},
	}
)

// refusalsOf returns the statuses of refusals of an operation.
func refusalsOf(operation string, hasBody bool) []int {
	statuses := append([]int{}, asked...)
	if hasBody {
		statuses = append(statuses, sent...)
	}
	for _, group := range statusesOf {
		if slices.Contains(group.operations, operation) {
			statuses = append(statuses, group.statuses...)
		}
	}
	return statuses
}
