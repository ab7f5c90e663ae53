// Package client is how finance systems start orders and read them: a thin,
// typed layer over the Temporal client.
//
// Starting is idempotent by order number. The same number with the same
// content is the same order and returns it; with other content it is a
// conflict, and nothing is started.
package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of refusals that come from here. Those of package order come through
// unchanged.
const (
	CodeTemporalUnreachable = "TEMPORAL_UNREACHABLE" // Temporal did not answer; asking again with the same number is safe
	CodeNoAnswer            = "NO_ANSWER_YET"        // the order is under way and its answer is not there yet
	CodeTemporalRefused     = "TEMPORAL_REFUSED"     // Temporal does not take what it was asked; asking the same again does not help
	CodeUnreadable          = order.CodeUnreadable   // what Temporal keeps of the order is encrypted with a key that is not at hand
)

// Client starts, reads and steers orders.
type Client struct {
	temporal temporalclient.Client
	data     converter.DataConverter
}

// New makes a client over a Temporal client. The caller keeps the latter and
// closes it.
func New(temporal temporalclient.Client) *Client {
	return &Client{temporal: temporal, data: converter.GetDefaultDataConverter()}
}

// Reading is the same client over a Temporal client that was dialled with a data
// converter of its own, such as one that encrypts: Temporal's client does not
// say which it has, and some of what it returns is read here.
func (c *Client) Reading(data converter.DataConverter) *Client {
	return &Client{temporal: c.temporal, data: data}
}

// Started says which workflow drives an order.
type Started struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Existing   bool   `json:"existing"` // the order was there before
}

// Start begins an order and returns at once, worker or not. The error is an
// *order.Invalid, or an *order.Refusal with ORDER_CONFLICT when the number
// belongs to an order with other content, NUMBER_SQUATTED when the order's id
// belongs to a workflow that drives no order, or TEMPORAL_UNREACHABLE.
func (c *Client) Start(ctx context.Context, request order.Request) (Started, error) {
	if err := request.Validate(nil); err != nil {
		return c.repeated(ctx, request, err)
	}
	started, err := c.start(ctx, request, startOptions(request))
	if errors.Is(err, errFree) {
		started, err = c.start(ctx, request, anew(startOptions(request)))
	}
	return started, contested(request, err)
}

func (c *Client) start(ctx context.Context, request order.Request, options temporalclient.StartWorkflowOptions) (Started, error) {
	// Refusing a running workflow of the same id, and looking at it, costs a
	// call for the repetition only; using it silently would cost one always.
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	run, err := c.temporal.ExecuteWorkflow(ctx, options, contract.WorkflowType(request.Kind), request)
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

// contested is the error of a number that was free, and that somebody else has
// used for what is no order, too, since.
func contested(request order.Request, err error) error {
	if errors.Is(err, errFree) {
		return order.Refuse(order.CodeOrderBusy, "somebody else starts the number %s with what is no order; find out who, and ask again", request.Number)
	}
	return err
}

// anew are the options of an order whose number was used for what is no order.
func anew(options temporalclient.StartWorkflowOptions) temporalclient.StartWorkflowOptions {
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	return options
}

// StartDeposit begins a deposit and waits until its create has an outcome, in
// one round trip: the view holds the payment instructions. It needs a worker.
// When the context ends first the refusal is NO_ANSWER_YET: the order is under
// way, and the same call again picks it up. Otherwise the errors are those of
// Start.
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
		view, started, err = c.startDeposit(ctx, request, anew(startOptions(request)))
	}
	return view, started, contested(request, err)
}

func (c *Client) startDeposit(
	ctx context.Context, request order.Request, options temporalclient.StartWorkflowOptions,
) (order.View, Started, error) {
	// A workflow that has the id is looked at before it is told anything: it may
	// be one that no worker of ours will ever answer for.
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	operation := c.temporal.NewWithStartWorkflowOperation(options, contract.DepositType, request)
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, temporalclient.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: operation,
		UpdateOptions: temporalclient.UpdateWorkflowOptions{
			// A new one each time: whoever asks again is told where the order
			// stands by now.
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
	if err != nil {
		return order.View{}, started, updateError(ctx, request.Key(), err)
	}
	return view, started, nil
}

// existingDeposit asks the workflow that has the deposit's id, once it is known
// to be the deposit's.
func (c *Client) existingDeposit(ctx context.Context, request order.Request) (order.View, Started, error) {
	started, there, err := c.existing(ctx, request)
	if err != nil {
		return order.View{}, Started{}, err
	}
	if there.running {
		view, err := c.update(ctx, request.Key(), contract.InstructionsUpdate, request.Fingerprint())
		if order.CodeOf(err) != order.CodeTerminal { // else it has ended since
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

// Order reads where an order stands. It needs a worker.
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

// An order that is just being handed on to a new run of its workflow takes no
// message; it does so again within a moment.
const (
	busyTries = 5
	busyPause = 200 * time.Millisecond
)

func (c *Client) update(ctx context.Context, key order.Key, name string, argument any) (order.View, error) {
	id := uuid.NewString() // of all tries: a run that was thrown away may have acted, and the ledger knows it by its id
	for try := 1; ; try++ {
		view, err := c.updateOnce(ctx, id, key, name, argument)
		if order.CodeOf(err) != order.CodeOrderBusy || try == busyTries {
			return view, err
		}
		select {
		case <-ctx.Done():
			return view, err
		case <-time.After(time.Duration(try) * busyPause):
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
	if errors.As(err, &notFound) { // Temporal says the same of an order that has ended
		described, missing := c.temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(key), "")
		if missing == nil && described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return order.View{}, order.Refuse(order.CodeOrderBusy, "order %s is just being handed on; ask again in a moment", key)
		}
		if missing == nil {
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
// report, which may take hours: the comparison goes on when the context ends.
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
		return order.Refuse(CodeTemporalRefused, "could not %s: Temporal does not let this client do it; check its credentials and the namespace", what)
	case errors.As(err, &exhausted):
		return order.Refuse(order.CodeOrderBusy, "could not %s: Temporal is at a limit (%s); ask again in a moment", what, exhausted.Message)
	}
	return order.Refuse(CodeTemporalUnreachable, "could not %s, Temporal did not answer; asking again with the same number is safe", what)
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
		return order.Refuse(order.DiscrepancyOrphan, "no workflow drives order %s: its last run ended without a result; what became of the order is in the ledger", key)
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return order.Refuse(CodeNoAnswer, "order %s is under way and its answer is not there yet", key)
	}
	return unreachable("read order "+key.String(), err)
}

// unreadable recognises payloads that cannot be decrypted; nil for any other
// error.
func unreadable(key order.Key, err error) error {
	var unknown *contract.UnknownKey
	if errors.As(err, &unknown) || errors.Is(err, contract.ErrDamaged) || errors.Is(err, converter.ErrEncodingIsNotSupported) {
		return cannotRead(key)
	}
	return nil
}

func cannotRead(key order.Key) *order.Refusal {
	return order.Refuse(CodeUnreadable, "what Temporal keeps of order %s is encrypted, and no key at hand reads it; set PAYOUTS_PAYLOAD_KEYS as the worker has it", key)
}

// updateError turns a refusal of the workflow back into what it was.
func updateError(ctx context.Context, key order.Key, err error) error {
	var application *temporal.ApplicationError
	if errors.As(err, &application) && application.Type() != "" {
		return &order.Refusal{Reason: order.Reason{Code: application.Type(), Text: trimCode(application)}}
	}
	var moving *serviceerror.WorkflowNotReady // its run is being ended, or its task was thrown away
	if errors.As(err, &moving) {
		return order.Refuse(order.CodeOrderBusy, "order %s is just being handed on; ask again in a moment", key)
	}
	var full *serviceerror.FailedPrecondition
	if errors.As(err, &full) {
		return order.Refuse(order.CodeOrderBusy,
			"order %s has heard as many messages as a workflow takes (%s); nothing was done. Look at who sends them; it hears again once its workflow has gone on as a new run, or act after it has been terminated and adopted", key, full.Message)
	}
	var late *temporalclient.WorkflowUpdateServiceTimeoutOrCanceledError
	if errors.As(err, &late) {
		return order.Refuse(CodeNoAnswer, "order %s is under way and its answer is not there yet", key)
	}
	return readError(ctx, key, err)
}

// trimCode takes the code off a message that begins with it.
func trimCode(err *temporal.ApplicationError) string {
	prefix := err.Type() + ": "
	if text := err.Message(); len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):]
	}
	return err.Message()
}
