package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeTemporalNotReady means that Temporal does not find its namespace, or that the
// namespace does not know our search attributes, which a worker registers when it
// starts. A server that cannot read its own database does not find the namespace
// either, so the same call may succeed later. Nothing was started.
const CodeTemporalNotReady = "TEMPORAL_NOT_READY"

// MaxRows is the maximum of rows that one List returns.
const MaxRows = 1000

const (
	usualRows = 20
	pageRows  = 200
	deadRows  = 200 // the maximum of dead runs for which one List checks whether a later run exists

	idsPerQuery = 50
)

// Filter selects the orders to list. An empty member does not filter.
type Filter struct {
	Kind        order.Kind
	State       order.State
	Country     string
	Merchant    string
	NeedsReview bool // only those that wait for a person
	Open        bool // only those that have not ended
	Limit       int  // the maximum of rows; 0 means 20
}

// Row is an order in Temporal's list of workflows. The list may lag by a moment.
// Its State is updated only when the state matters to an operator: an order
// without problems is "created" until it ends. Client.Order returns the current
// state.
type Row struct {
	Kind        order.Kind   `json:"kind"`
	Merchant    string       `json:"merchant"`
	Number      string       `json:"number"`
	Country     string       `json:"country,omitempty"`
	Amount      money.Amount `json:"amount,omitzero"`
	State       order.State  `json:"state,omitempty"`
	NeedsReview bool         `json:"needs_review"`
	GatewayID   string       `json:"gateway_id,omitempty"`
	Open        bool         `json:"open"`
	Status      string       `json:"status"` // of the workflow: Running, Completed, Terminated, …
	WorkflowID  string       `json:"workflow_id"`
	RunID       string       `json:"run_id"`
	StartedAt   time.Time    `json:"started_at"`
	EndedAt     time.Time    `json:"ended_at,omitzero"`
	// Squatted says why the workflow that has the order's id drives no order;
	// empty if it drives the order.
	Squatted string `json:"squatted,omitempty"`
}

// Key returns the order's key.
func (r Row) Key() order.Key { return order.Key{Merchant: r.Merchant, Number: r.Number} }

// List returns the orders that match the filter, the newest first. If more match
// than the limit allows, it prefers open orders, because that is the only sort
// order that every Temporal store supports. It needs no worker.
//
// A run that was terminated or failed is left out if a later run drives the order,
// after an adoption or a reset. If there is no later run, it is listed: no
// workflow drives the order.
//
// The error is an *order.Refusal with TEMPORAL_UNREACHABLE or
// TEMPORAL_NOT_READY.
func (c *Client) List(ctx context.Context, filter Filter) ([]Row, error) {
	limit := min(cmp.Or(max(filter.Limit, 0), usualRows), MaxRows)
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: filter.query()}
	rows, dead := []Row{}, 0
	for len(rows) < limit {
		request.PageSize = int32(min(limit-len(rows), pageRows)) //nolint:gosec // between 1 and 200
		page, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, unreachable("list the orders", err)
		}
		for _, info := range page.GetExecutions() {
			row, ok := rowOf(info)
			if ok && row.dead() && dead < deadRows {
				dead++
				if ok, err = c.latest(ctx, row); err != nil {
					return nil, err
				}
			}
			if ok {
				rows = append(rows, row)
			}
		}
		request.NextPageToken = page.GetNextPageToken()
		if len(request.NextPageToken) == 0 {
			break
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return b.StartedAt.Compare(a.StartedAt) })
	return rows, nil
}

// dead reports whether the run ended without completing.
func (r Row) dead() bool {
	return !r.Open && r.Status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED.String()
}

// latest reports whether no other run came after the row's.
func (c *Client) latest(ctx context.Context, row Row) (bool, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, row.WorkflowID, "")
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) { // deleted after it was listed
		return true, nil
	}
	if err != nil {
		return false, unreachable("describe the latest run of order "+row.Key().String(), err)
	}
	return described.GetWorkflowExecutionInfo().GetExecution().GetRunId() == row.RunID, nil
}

// Latest returns the latest run of each workflow in Temporal's list, by workflow
// id. It leaves out ids that are not in the list.
func (c *Client) Latest(ctx context.Context, ids []string) (map[string]Row, error) {
	found := make(map[string]Row, len(ids))
	for some := range slices.Chunk(ids, idsPerQuery) {
		quoted := make([]string, len(some))
		for i, id := range some {
			quoted[i] = quote(id)
		}
		request := &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowId IN (" + strings.Join(quoted, ", ") + ")", PageSize: pageRows}
		for {
			page, err := c.temporal.ListWorkflow(ctx, request)
			if err != nil {
				return nil, unreachable("list the workflows of the orders", err)
			}
			for _, info := range page.GetExecutions() {
				row, ok := rowOf(info)
				if before, known := found[row.WorkflowID]; ok && (!known || before.StartedAt.Before(row.StartedAt)) {
					found[row.WorkflowID] = row
				}
			}
			if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
				break
			}
		}
	}
	return found, nil
}

// Find returns the workflow that has an order's id. It needs no worker. The error
// is an *order.Refusal with ORDER_NOT_FOUND, also when Temporal's retention has
// deleted the workflow, or TEMPORAL_UNREACHABLE.
func (c *Client) Find(ctx context.Context, key order.Key) (Row, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(key), "")
	var notFound *serviceerror.NotFound
	if err != nil && !errors.As(err, &notFound) {
		return Row{}, unreachable("look for order "+key.String(), err)
	}
	row, ok := rowOf(described.GetWorkflowExecutionInfo())
	if err != nil || !ok {
		return Row{}, order.Refuse(order.CodeOrderNotFound, "no order %s", key)
	}
	return row, nil
}

// query returns the filter as a visibility query of Temporal.
func (f Filter) query() string {
	terms := []string{
		"WorkflowType IN (" + quote(contract.DepositType) + ", " + quote(contract.WithdrawalType) + ")",
		// A run that continued as a new one is superseded by that one.
		"ExecutionStatus != " + quote(enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW.String()),
	}
	equal := func(attribute temporal.SearchAttributeKeyKeyword, value string) {
		if value != "" {
			terms = append(terms, attribute.GetName()+" = "+quote(value))
		}
	}
	equal(contract.AttributeKind, string(f.Kind))
	equal(contract.AttributeState, string(f.State))
	equal(contract.AttributeCountry, f.Country)
	equal(contract.AttributeMerchant, f.Merchant)
	if f.NeedsReview {
		terms = append(terms, contract.AttributeNeedsReview.GetName()+" = true")
	}
	if f.Open {
		terms = append(terms, "ExecutionStatus = "+quote(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING.String()))
	}
	return strings.Join(terms, " AND ")
}

// quote returns any value as a quoted literal.
func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}

// rowOf returns the row of a list entry, and false if it has no order's workflow
// id.
func rowOf(info *workflowpb.WorkflowExecutionInfo) (Row, bool) {
	id := info.GetExecution().GetWorkflowId()
	key, ok := contract.ParseWorkflowID(id)
	if !ok {
		return Row{}, false
	}
	fields := info.GetSearchAttributes().GetIndexedFields()
	holder := contract.HolderOf(info)
	row := Row{
		Kind: holder.Kind(), Merchant: key.Merchant, Number: key.Number,
		Country:     attribute[string](fields, contract.AttributeCountry),
		State:       order.State(attribute[string](fields, contract.AttributeState)),
		NeedsReview: attribute[bool](fields, contract.AttributeNeedsReview),
		GatewayID:   attribute[string](fields, contract.AttributeGatewayID),
		Open:        info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Status:      info.GetStatus().String(),
		WorkflowID:  id,
		RunID:       info.GetExecution().GetRunId(),
		StartedAt:   info.GetStartTime().AsTime(),
	}
	if refusal := holder.Refuse(key); refusal != nil {
		row.Squatted = refusal.Text
	}
	if info.GetCloseTime() != nil {
		row.EndedAt = info.GetCloseTime().AsTime()
	}
	currency := attribute[string](fields, contract.AttributeCurrency)
	if amount, err := money.Minor(attribute[int64](fields, contract.AttributeAmount), currency); err == nil {
		row.Amount = amount
	}
	return row, true
}

// attribute returns a search attribute, or the zero value if it is not set. A
// workflow that was not started by this package has none before its first step.
func attribute[T any](fields map[string]*commonpb.Payload, key temporal.SearchAttributeKey) T {
	var value T
	if payload := fields[key.GetName()]; payload != nil {
		if err := converter.GetDefaultDataConverter().FromPayload(payload, &value); err != nil {
			var none T
			return none
		}
	}
	return value
}

// notReady returns a refusal if the namespace is missing, or lacks our search
// attributes. It returns nil for any other error. Temporal servers word the second
// error in several ways.
func notReady(err error) error {
	var missing *serviceerror.NamespaceNotFound
	if errors.As(err, &missing) {
		return order.Refuse(CodeTemporalNotReady,
			"Temporal does not find the namespace %q; repeat the call: a server that is starting or overloaded says this, too; else check TEMPORAL_NAMESPACE",
			missing.Namespace)
	}
	var invalid *serviceerror.InvalidArgument
	if errors.As(err, &invalid) && strings.Contains(invalid.Message, "search attribute") {
		return order.Refuse(CodeTemporalNotReady,
			"Temporal's namespace does not know our search attributes yet; start a worker, which registers them")
	}
	return nil
}
