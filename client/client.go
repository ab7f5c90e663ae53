// Package client starts, reads and controls orders. Finance systems use it. It is
// a typed layer over the Temporal client.
//
// Starting is idempotent by order number. The same number with the same
// content is the same order and returns it; with other content it is a
// conflict, and nothing is started.
package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of refusals by this package. Refusals with codes of package order are
// returned unchanged.
const (
	CodeTemporalUnreachable = "TEMPORAL_UNREACHABLE" // Temporal did not answer; it is safe to repeat the call with the same number
	CodeNoAnswer            = "NO_ANSWER_YET"        // the order is in progress; its answer has not come yet
	CodeTemporalRefused     = "TEMPORAL_REFUSED"     // Temporal refuses the call; repeating it does not help
	CodeUnreadable          = codes.Unreadable       // the order's data in Temporal is encrypted with a key that this client does not have
)

// Client starts, reads and controls orders.
type Client struct {
	temporal temporalclient.Client
	data     converter.DataConverter
	eager    temporalclient.Client // starts orders in this process; nil: temporal starts them
}

// New returns a client that uses a Temporal client. The caller closes the Temporal
// client.
func New(temporal temporalclient.Client) *Client {
	return &Client{temporal: temporal, data: converter.GetDefaultDataConverter()}
}

// Reading returns a client that reads payloads with a data converter. Pass the
// converter that the Temporal client was dialled with, if it has one, such as one
// that encrypts: the Temporal client does not expose it.
func (c *Client) Reading(data converter.DataConverter) *Client {
	return &Client{temporal: c.temporal, data: data, eager: c.eager}
}

// StartingEagerly returns a client that starts orders through another Temporal client,
// which a worker of this process uses for the queue of orders. If that worker has a free
// slot, Temporal gives it the first task of the order in the answer to the start.
// Otherwise, and for deposits, the order starts as usual.
func (c *Client) StartingEagerly(with temporalclient.Client) *Client {
	return &Client{temporal: c.temporal, data: c.data, eager: with}
}

// Started says which workflow drives an order.
type Started struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Existing   bool   `json:"existing"` // the order existed before
}

// Start starts an order and returns at once. It needs no running worker. The error
// is an *order.Invalid, or an *order.Refusal with ORDER_CONFLICT when the number
// belongs to an order with other content, NUMBER_SQUATTED when the order's id
// belongs to a workflow that drives no order, or TEMPORAL_UNREACHABLE. If somebody
// other than the requester repeats an order, the audit notes it.
func (c *Client) Start(ctx context.Context, request order.Request) (Started, error) {
	if err := request.Validate(nil); err != nil {
		return c.repeated(ctx, request, err)
	}
	started, err := c.start(ctx, request, startOptions(request))
	if errors.Is(err, errFree) {
		started, err = c.start(ctx, request, reuseWorkflowID(startOptions(request)))
	}
	return started, contested(request, err)
}

func (c *Client) start(ctx context.Context, request order.Request, options temporalclient.StartWorkflowOptions) (Started, error) {
	// With the policy FAIL, only a repeated start costs a second call. With
	// USE_EXISTING, every start would.
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	starter := c.temporal
	if c.eager != nil {
		starter, options.EnableEagerStart = c.eager, true
	}
	run, err := starter.ExecuteWorkflow(ctx, options, contract.WorkflowType(request.Kind), request)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		started, _, err := c.existing(ctx, request)
		return started, err
	}
	if err != nil {
		return Started{}, unreachable("start the order", err)
	}
	return Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// contested turns errFree into the error of a number that another process has used
// for an invalid start since it was free.
func contested(request order.Request, err error) error {
	if errors.Is(err, errFree) {
		return order.Refuse(order.CodeOrderBusy, "another client starts workflows with number %s that are no valid orders; find it, then repeat the call", request.Number)
	}
	return err
}

// reuseWorkflowID returns options that start an order whose workflow id was used by an
// invalid start.
func reuseWorkflowID(options temporalclient.StartWorkflowOptions) temporalclient.StartWorkflowOptions {
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	return options
}

// StartDeposit starts a deposit and waits until its create has an outcome, in one
// round trip. The view holds the payment instructions. It needs a running worker.
// If the context ends first, it returns the refusal NO_ANSWER_YET: the order is in
// progress, and the same call again returns its answer. The other errors are those
// of Start.
func (c *Client) StartDeposit(ctx context.Context, request order.Request) (order.View, Started, error) {
	if err := request.Validate(nil); err != nil {
		if _, err := c.repeated(ctx, request, err); err != nil {
			return order.View{}, Started{}, err
		}
		view, started, err := c.existingDeposit(ctx, request)
		return view, started, contested(request, err)
	}
	view, started, err := c.startDeposit(ctx, request, startOptions(request))
	if errors.Is(err, errFree) {
		view, started, err = c.startDeposit(ctx, request, reuseWorkflowID(startOptions(request)))
	}
	return view, started, contested(request, err)
}

func (c *Client) startDeposit(
	ctx context.Context, request order.Request, options temporalclient.StartWorkflowOptions,
) (order.View, Started, error) {
	// The conflict policy FAIL, because a workflow that already has the id may be
	// one that none of our workers ever answers for: existingDeposit checks it
	// first.
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	operation := c.temporal.NewWithStartWorkflowOperation(options, contract.DepositType, request)
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, temporalclient.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: operation,
		UpdateOptions: temporalclient.UpdateWorkflowOptions{
			// A new id for each call, so that a repeated call returns the current
			// view.
			UpdateID:     uuid.NewString(),
			UpdateName:   contract.InstructionsUpdate,
			Args:         []any{request.Fingerprint()},
			WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
		},
	})
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		return c.existingDeposit(ctx, request)
	}
	started := Started{WorkflowID: options.ID}
	var view order.View
	if err == nil {
		started.RunID = handle.RunID()
		err = handle.Get(ctx, &view)
	}
	var lost *serviceerror.NotFound
	if errors.As(err, &lost) { // Temporal or the worker was lost before the update was accepted: the order is there, the update is not
		view, started, err := c.existingDeposit(ctx, request)
		started.Existing = false
		return view, started, err
	}
	if err != nil {
		return order.View{}, started, updateError(ctx, request.Key(), err)
	}
	return view, started, nil
}

// existingDeposit checks that the workflow that has the deposit's id is the
// deposit's, and gets the answer from it.
func (c *Client) existingDeposit(ctx context.Context, request order.Request) (order.View, Started, error) {
	started, there, err := c.existing(ctx, request)
	if err != nil {
		return order.View{}, Started{}, err
	}
	if there.running {
		view, err := c.update(ctx, request.Key(), contract.InstructionsUpdate, request.Fingerprint())
		if order.CodeOf(err) != order.CodeTerminal { // otherwise it has ended meanwhile
			return view, started, err
		}
	}
	view, err := c.Wait(ctx, request.Key())
	return view, started, err
}

// Wait blocks until the order has ended.
func (c *Client) Wait(ctx context.Context, key order.Key) (order.View, error) {
	var view order.View
	err := c.temporal.GetWorkflow(ctx, contract.WorkflowID(key), "").Get(ctx, &view)
	if err != nil {
		return order.View{}, readError(ctx, key, err)
	}
	return view, nil
}

// Order returns the current view of an order. It needs a running worker.
func (c *Client) Order(ctx context.Context, key order.Key) (order.View, error) {
	value, err := c.temporal.QueryWorkflow(ctx, contract.WorkflowID(key), "", contract.OrderQuery)
	if err != nil {
		return order.View{}, readError(ctx, key, err)
	}
	var view order.View
	if err := value.Get(&view); err != nil {
		return order.View{}, readError(ctx, key, err)
	}
	return view, nil
}

// A workflow accepts no message while it moves to a new run, or while the worker that
// had its task is lost and the task has not timed out. So an update is repeated for
// about twenty seconds.
const (
	busyTries    = 15
	busyPause    = 200 * time.Millisecond // more with each try
	busyMaxPause = 2 * time.Second
)

func (c *Client) update(ctx context.Context, key order.Key, name string, argument any) (order.View, error) {
	id := uuid.NewString() // the same id for all tries: a run that was reset may have executed the action; the ledger executes an id once
	for try := 1; ; try++ {
		view, err := c.updateOnce(ctx, id, key, name, argument)
		if order.CodeOf(err) != order.CodeOrderBusy || try == busyTries {
			return view, err
		}
		select {
		case <-ctx.Done():
			return view, err
		case <-time.After(min(time.Duration(try)*busyPause, busyMaxPause)):
		}
	}
}

func (c *Client) updateOnce(ctx context.Context, id string, key order.Key, name string, argument any) (order.View, error) {
	handle, err := c.temporal.UpdateWorkflow(ctx, temporalclient.UpdateWorkflowOptions{
		UpdateID:     id,
		WorkflowID:   contract.WorkflowID(key),
		UpdateName:   name,
		Args:         []any{argument},
		WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
	})
	var view order.View
	if err == nil {
		err = handle.Get(ctx, &view)
	}
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) { // Temporal returns NotFound also for a workflow that has ended
		described, describing := c.temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(key), "")
		switch {
		case describing != nil: // also if Temporal was lost between the two calls: the order may be there
			err = describing
		case described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
			return order.View{}, order.Refuse(order.CodeOrderBusy, "order %s accepts no message just now: it moves to a new run, or its worker was lost; ask again in a moment", key)
		default:
			return order.View{}, order.Refuse(order.CodeTerminal, "order %s has ended", key)
		}
	}
	if err != nil {
		return order.View{}, updateError(ctx, key, err)
	}
	return view, nil
}

// ReconcileBalances compares balances now and waits for the report.
func (c *Client) ReconcileBalances(ctx context.Context, merchants ...string) (contract.ReconcileBalancesResult, error) {
	var result contract.ReconcileBalancesResult
	run, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID:            fmt.Sprintf("reconcile-balances:demand:%d", time.Now().UnixNano()),
		TaskQueue:     contract.Queue,
		StaticSummary: "balances compared on demand",
	}, contract.ReconcileBalancesType, contract.ReconcileBalancesInput{Merchants: merchants})
	if err != nil {
		return result, unreachable("start the reconciliation", err)
	}
	if err := run.Get(ctx, &result); err != nil {
		return result, fmt.Errorf("reconcile balances: %w", err)
	}
	return result, nil
}

// ReconcileTransactions compares transactions one by one now and waits for the
// report, which may take hours. The comparison continues if the context ends.
func (c *Client) ReconcileTransactions(ctx context.Context, input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, error) {
	var result contract.ReconcileTransactionsResult
	run, err := c.temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID:            fmt.Sprintf("reconcile-transactions:demand:%d", time.Now().UnixNano()),
		TaskQueue:     contract.Queue,
		StaticSummary: "transactions compared on demand",
	}, contract.ReconcileTransactionsType, input)
	if err != nil {
		return result, unreachable("start the reconciliation", err)
	}
	if err := run.Get(ctx, &result); err != nil {
		return result, fmt.Errorf("reconcile transactions: %w", err)
	}
	return result, nil
}

func startOptions(request order.Request) temporalclient.StartWorkflowOptions {
	return temporalclient.StartWorkflowOptions{
		ID:                    contract.WorkflowID(request.Key()),
		TaskQueue:             contract.Queue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: contract.SearchAttributes(request),
		StaticSummary:         contract.Summary(request),
	}
}

func unreachable(what string, err error) error {
	if refusal := notReady(err); refusal != nil {
		return refusal
	}
	var invalid *serviceerror.InvalidArgument
	var exhausted *serviceerror.ResourceExhausted
	var forbidden *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &invalid):
		return order.Refuse(CodeTemporalRefused, "could not %s: Temporal refuses it (%s)", what, invalid.Message)
	case errors.As(err, &forbidden):
		return order.Refuse(CodeTemporalRefused, "could not %s: this client is not permitted to; check its credentials and the namespace", what)
	case errors.As(err, &exhausted):
		return order.Refuse(order.CodeOrderBusy, "could not %s: Temporal is at a limit (%s); ask again in a moment", what, exhausted.Message)
	}
	if strings.Contains(err.Error(), "connection refused") {
		return order.Refuse(CodeTemporalUnreachable, "could not %s: Temporal refused the connection; it is safe to repeat the call with the same number", what)
	}
	return order.Refuse(CodeTemporalUnreachable, "could not %s: Temporal did not answer; it is safe to repeat the call with the same number", what)
}

func readError(ctx context.Context, key order.Key, err error) error {
	if refusal := unreadable(key, err); refusal != nil {
		return refusal
	}
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return order.Refuse(order.CodeOrderNotFound, "no order %s", key)
	}
	var failed *temporal.WorkflowExecutionError
	if errors.As(err, &failed) {
		return order.Refuse(codes.DiscrepancyOrphan, "no workflow drives order %s: its last run ended without a result; look up the order in the ledger", key)
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return order.Refuse(CodeNoAnswer, "order %s is under way and its answer is not there yet", key)
	}
	return unreachable("read order "+key.String(), err)
}

// unreadable returns a refusal if the error is a payload that cannot be decrypted,
// and nil for any other error.
func unreadable(key order.Key, err error) error {
	if unreadablePayload(err) {
		return cannotRead(key)
	}
	return nil
}

// unreadablePayload reports whether the error is a payload that cannot be decrypted.
func unreadablePayload(err error) bool {
	var unknown *contract.UnknownKey
	return errors.As(err, &unknown) || errors.Is(err, contract.ErrDamaged) || errors.Is(err, converter.ErrEncodingIsNotSupported)
}

func cannotRead(key order.Key) *order.Refusal {
	return order.Refuse(CodeUnreadable, "the data of order %s in Temporal is encrypted with a key that this process does not have; set the worker's PAYOUTS_PAYLOAD_KEYS", key)
}

// updateError turns an error of an update into the refusal that the workflow
// returned.
func updateError(ctx context.Context, key order.Key, err error) error {
	var application *temporal.ApplicationError
	if errors.As(err, &application) && application.Type() != "" {
		return &order.Refusal{Reason: order.Reason{Code: application.Type(), Text: trimCode(application)}}
	}
	var moving *serviceerror.WorkflowNotReady // its run is ending, or its workflow task was discarded
	if errors.As(err, &moving) {
		return order.Refuse(order.CodeOrderBusy, "order %s accepts no message just now: it moves to a new run, or its worker was lost; ask again in a moment", key)
	}
	var full *serviceerror.FailedPrecondition
	if errors.As(err, &full) {
		return order.Refuse(order.CodeOrderBusy,
			"order %s has received as many messages as a workflow accepts (%s); the action was not executed. Find out who sends them. Repeat the action when the workflow has continued as a new run, or terminate the workflow and adopt the order", key, full.Message)
	}
	var late *temporalclient.WorkflowUpdateServiceTimeoutOrCanceledError
	if errors.As(err, &late) {
		return order.Refuse(CodeNoAnswer, "order %s is under way and its answer is not there yet", key)
	}
	return readError(ctx, key, err)
}

// trimCode removes the code from a message that begins with it.
func trimCode(err *temporal.ApplicationError) string {
	prefix := err.Type() + ": "
	if text := err.Message(); len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):]
	}
	return err.Message()
}
