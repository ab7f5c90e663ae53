package client

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// StoreBatchPage has a worker store some rows of a batch. It does not wait: no worker
// need run. A page that is stored again stays as it is. number is the page's, from 1.
func (c *Client) StoreBatchPage(ctx context.Context, number int, page contract.BatchPage) error {
	_, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID: contract.BatchPageID(page.Batch.Merchant, page.Batch.ID, number), TaskQueue: contract.Queue,
		StaticSummary:            fmt.Sprintf("rows of batch %s", page.Batch.ID),
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, // the ledger may be an older copy
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, contract.BatchPageType, page)
	if err != nil {
		return unreachable("store a page of the batch", err)
	}
	return nil
}

// DriveBatch has a worker drive a batch, or look again at one that is driven. It does
// not wait: no worker need run.
func (c *Client) DriveBatch(ctx context.Context, b order.Batch) error {
	_, err := c.temporal.SignalWithStartWorkflow(ctx, contract.BatchWorkflowID(b.Merchant, b.ID), contract.BatchSignal, nil,
		temporalclient.StartWorkflowOptions{
			TaskQueue: contract.Queue, StaticSummary: fmt.Sprintf("batch %s of %d rows", b.ID, b.Rows),
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		}, contract.BatchType, b)
	if err != nil {
		return unreachable("start the batch", err)
	}
	return nil
}
