package client

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// StoreStatementPage has a worker store some lines of a statement. It does not wait: no
// worker need run. A page that is stored again stays as it is. number is the page's, from 1.
func (c *Client) StoreStatementPage(ctx context.Context, number int, page contract.StatementPage) error {
	return c.startStatement(ctx, contract.StatementPageID(page.Statement.Merchant, page.Statement.ID, number),
		fmt.Sprintf("lines of statement %s", page.Statement.ID), contract.StatementPageType, page)
}

// AwaitStatementPage waits until a worker has stored a page of a statement.
func (c *Client) AwaitStatementPage(ctx context.Context, s order.Statement, number int) error {
	err := c.temporal.GetWorkflow(ctx, contract.StatementPageID(s.Merchant, s.ID, number), "").Get(ctx, nil)
	if err != nil && ctx.Err() != nil {
		return order.Refuse(CodeNoAnswer, "statement %s is under way, and not all of it is stored. The same file again is safe. Does a worker run?", s.ID)
	}
	if err != nil {
		return unreachable("wait for a page of the statement", err)
	}
	return nil
}

// CompareStatement has a worker compare a statement once all of it is stored. It does not
// wait: no worker need run. A statement that is being compared goes on.
func (c *Client) CompareStatement(ctx context.Context, s order.Statement) error {
	return c.startStatement(ctx, contract.StatementWorkflowID(s.Merchant, s.ID), fmt.Sprintf("statement %s of %d lines", s.ID, s.Lines), contract.StatementType, s)
}

func (c *Client) startStatement(ctx context.Context, id, summary, workflowType string, input any) error {
	_, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID: id, TaskQueue: contract.Queue, StaticSummary: summary,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, // the ledger may be an older copy
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, workflowType, input)
	if err != nil {
		return unreachable("import the statement", err)
	}
	return nil
}
