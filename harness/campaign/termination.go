package campaign

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// signalLost makes an order's workflow end at once, like a termination.
const signalLost = "campaign: lost"

// typeLost is the error type with which a terminated workflow ends.
const typeLost = "CAMPAIGN_LOST"

// worldInterceptor intercepts every workflow and activity. It lets an order's workflow be
// terminated, fails the activities of a terminated run as a server would, and gives
// activities a Temporal client.
type worldInterceptor struct {
	interceptor.WorkerInterceptorBase
	w *world
}

// InterceptWorkflow makes orders' workflows terminable.
func (m *worldInterceptor) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	if !drivesOrder(workflow.GetInfo(ctx).WorkflowExecution.ID) {
		return next
	}
	return &terminableWorkflow{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, w: m.w}
}

// drivesOrder reports whether a workflow id is that of an order.
func drivesOrder(id string) bool {
	return strings.HasPrefix(id, contract.OrderPrefix)
}

type terminableWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	w          *world
	coroutines sync.WaitGroup // of this workflow that have not exited
}

// Init counts the workflow's coroutines.
func (m *terminableWorkflow) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return m.Next.Init(&countedCoroutines{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, m})
}

// ExecuteUpdate counts the coroutine that handles an update.
func (m *terminableWorkflow) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	m.coroutines.Add(1)
	defer m.coroutines.Done()
	return m.Next.ExecuteUpdate(ctx, in)
}

type countedCoroutines struct {
	interceptor.WorkflowOutboundInterceptorBase
	of *terminableWorkflow
}

// Go starts a coroutine and counts it until it exits.
func (c *countedCoroutines) Go(ctx workflow.Context, name string, f func(ctx workflow.Context)) workflow.Context {
	return c.Next.Go(ctx, name, func(ctx workflow.Context) {
		c.of.coroutines.Add(1)
		defer c.of.coroutines.Done()
		f(ctx)
	})
}

// ExecuteWorkflow returns when the workflow has ended or is terminated.
func (m *terminableWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (result any, err error) {
	startGap, _ := workflow.NewDisconnectedContext(ctx)
	ended, lost := false, false
	workflow.Go(ctx, func(ctx workflow.Context) {
		result, err = m.Next.ExecuteWorkflow(ctx, in)
		ended = true
	})
	workflow.Go(startGap, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, signalLost).Receive(ctx, nil)
		lost = true
	})
	if waiting := workflow.Await(startGap, func() bool { return ended || lost }); waiting != nil {
		return nil, waiting
	}
	if ended {
		return result, err
	}
	m.w.mutex.Lock()
	m.w.dead[workflow.GetInfo(ctx).WorkflowExecution.RunID] = true
	m.w.mutex.Unlock()
	return nil, temporal.NewApplicationErrorWithCause("it was terminated", typeLost, &terminationCause{&m.coroutines})
}

// terminationCause is the cause of a terminated workflow's error. It carries the
// workflow's coroutines to exitConverter.
type terminationCause struct{ coroutines *sync.WaitGroup }

// Error returns an empty text.
func (*terminationCause) Error() string { return "" }

// exitPatience bounds the wait for a terminated workflow's coroutines.
const exitPatience = 10 * time.Second

// exitConverter blocks the test environment until the coroutines of a terminated workflow
// have exited. The environment makes them exit on another goroutine and continues. If it
// then delivers an activity's result, that is a data race with a coroutine that removes
// its callbacks. The environment converts the workflow's error after it has told the
// coroutines to exit and before it continues, so the converter can wait.
type exitConverter struct{ converter.FailureConverter }

// ErrorToFailure converts an error. If the error is a termination, it first waits for the
// workflow's coroutines.
func (p exitConverter) ErrorToFailure(err error) *failurepb.Failure {
	var lost *terminationCause
	if errors.As(err, &lost) {
		exited := make(chan struct{})
		go func() {
			defer close(exited)
			lost.coroutines.Wait()
		}()
		select {
		case <-exited:
		case <-time.After(exitPatience): // a coroutine that blocks while it exits
		}
	}
	return p.FailureConverter.ErrorToFailure(err)
}

// isLost reports whether a workflow ended because it was terminated.
func isLost(err error) bool {
	var failed *temporal.ApplicationError
	return errors.As(err, &failed) && failed.Type() == typeLost
}

// InterceptActivity gives every activity a client, and fails those of terminated runs.
func (m *worldInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &worldActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, m.w}
}

type worldActivity struct {
	interceptor.ActivityInboundInterceptorBase
	w *world
}

// Init replaces the client by the world's.
func (m *worldActivity) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return m.Next.Init(withClient(outbound, outbound.GetClient, &activityClient{w: m.w}))
}

// ExecuteActivity executes an attempt, unless its run was terminated.
func (m *worldActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	m.w.mutex.Lock()
	dead := m.w.dead[activity.GetInfo(ctx).WorkflowExecution.RunID]
	m.w.mutex.Unlock()
	if dead {
		return nil, temporal.NewNonRetryableApplicationError("its run was terminated", typeLost, nil)
	}
	return m.Next.ExecuteActivity(ctx, in)
}

// withClient returns an interceptor whose GetClient returns another client. The client's
// type is internal to the SDK and cannot be named here, so it is inferred from GetClient.
func withClient[C any](outbound interceptor.ActivityOutboundInterceptor, _ func(context.Context) C, another client.Client) *clientOfWorld[C] {
	given, _ := another.(C)
	return &clientOfWorld[C]{interceptor.ActivityOutboundInterceptorBase{Next: outbound}, given}
}

type clientOfWorld[C any] struct {
	interceptor.ActivityOutboundInterceptorBase
	client C
}

// GetClient returns the world's client.
func (c *clientOfWorld[C]) GetClient(context.Context) C { return c.client }

// activityClient implements the methods of a client that activities use.
type activityClient struct {
	client.Client
	w *world
}

// DescribeWorkflowExecution describes a running workflow.
func (l *activityClient) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	l.w.mutex.Lock()
	defer l.w.mutex.Unlock()
	return l.w.described(id)
}

// ListWorkflow lists the orders' workflows, running and ended, that started
// before the time that the query names.
func (l *activityClient) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	_, before, _ := strings.Cut(request.GetQuery(), "StartTime < '")
	before, _, _ = strings.Cut(before, "'")
	until, err := time.Parse(time.RFC3339Nano, before)
	if err != nil {
		return nil, serviceerror.NewInvalidArgument("the query names no time: " + request.GetQuery())
	}
	l.w.mutex.Lock()
	defer l.w.mutex.Unlock()
	listed := new(workflowservice.ListWorkflowExecutionsResponse)
	for _, run := range l.w.runs {
		if run.GetStartTime().AsTime().Before(until) {
			listed.Executions = append(listed.Executions, run)
		}
	}
	return listed, nil
}

// began records that an order's workflow has started.
func (w *world) began(id, run string) *workflowpb.WorkflowExecutionInfo {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: run}, StartTime: timestamppb.New(w.env.Now()),
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, Type: &commonpb.WorkflowType{Name: w.typeOf(id)}, TaskQueue: contract.Queue,
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.runs = append(w.runs, info)
	return info
}

// ended records how an order's workflow ended.
func (w *world) ended(info *workflowpb.WorkflowExecutionInfo, err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	switch {
	case err == nil:
		info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	case isLost(err):
		info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	default:
		info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	}
}
