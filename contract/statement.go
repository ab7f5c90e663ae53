package contract

import (
	"strconv"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Workflow types of statements.
const (
	StatementType     = "Statement"     // compares a statement; its input is an order.Statement
	StatementPageType = "StatementPage" // stores some lines of a statement; its input is a StatementPage
)

// StatementPage is some lines of a statement, at most order.StatementPageLines.
type StatementPage struct {
	Statement order.Statement       `json:"statement"`
	Lines     []order.StatementLine `json:"lines"`
}

// StatementWorkflowID returns the id of the workflow that compares a statement.
func StatementWorkflowID(merchant, id string) string { return "statement:" + merchant + ":" + id }

// StatementPageID returns the id of the workflow that stores a page of a statement.
func StatementPageID(merchant, id string, page int) string {
	return "statement-page:" + merchant + ":" + id + ":" + strconv.Itoa(page)
}
