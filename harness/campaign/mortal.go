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

// signalLost has an order's workflow end at once, as if it were terminated.
const signalLost = "campaign: lost"

// typeLost is the type of the error that a lost workflow ends with.
const typeLost = "CAMPAIGN_LOST"

// mortal stands around every workflow and activity of ours: it lets a workflow
// be lost, ends the activities of a run that is lost as a server would, and
// gives activities a client of Temporal.
type mortal struct {
	interceptor.WorkerInterceptorBase
	w *world
}

// InterceptWorkflow puts orders' workflows where they may be lost.
func (m *mortal) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	if !drivesOrder(workflow.GetInfo(ctx).WorkflowExecution.ID) {
		return next
	}
	return &mortalWorkflow{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, w: m.w}
}

// drivesOrder reports whether a workflow id is an order's.
func drivesOrder(id string) bool {
	return strings.HasPrefix(id, contract.OrderPrefix)
}

type mortalWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	w          *world
	coroutines sync.WaitGroup // of this workflow, that run or are blocked
}

// Init counts the workflow's coroutines.
func (m *mortalWorkflow) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return m.Next.Init(&countedCoroutines{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, m})
}

// ExecuteUpdate counts the coroutine that handles an update.
func (m *mortalWorkflow) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	m.coroutines.Add(1)
	defer m.coroutines.Done()
	return m.Next.ExecuteUpdate(ctx, in)
}

type countedCoroutines struct {
	interceptor.WorkflowOutboundInterceptorBase
	of *mortalWorkflow
}

// Go starts a coroutine that counts from its first step to its last.
func (c *countedCoroutines) Go(ctx workflow.Context, name string, f func(ctx workflow.Context)) workflow.Context {
	return c.Next.Go(ctx, name, func(ctx workflow.Context) {
		c.of.coroutines.Add(1)
		defer c.of.coroutines.Done()
		f(ctx)
	})
}

// ExecuteWorkflow runs until the workflow has ended or is lost.
func (m *mortalWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (result any, err error) {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	ended, lost := false, false
	workflow.Go(ctx, func(ctx workflow.Context) {
		result, err = m.Next.ExecuteWorkflow(ctx, in)
		ended = true
	})
	workflow.Go(apart, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, signalLost).Receive(ctx, nil)
		lost = true
	})
	if waiting := workflow.Await(apart, func() bool { return ended || lost }); waiting != nil {
		return nil, waiting
	}
	if ended {
		return result, err
	}
	m.w.mutex.Lock()
	m.w.dead[workflow.GetInfo(ctx).WorkflowExecution.RunID] = true
	m.w.mutex.Unlock()
	return nil, temporal.NewApplicationErrorWithCause("it was terminated", typeLost, &parting{&m.coroutines})
}

// parting is the cause of a lost workflow's end.
type parting struct{ coroutines *sync.WaitGroup }

// Error says nothing: who needs it asks for its coroutines.
func (*parting) Error() string { return "" }

// exitPatience bounds the wait for a lost workflow's coroutines. They need a moment.
const exitPatience = 10 * time.Second

// partings holds the test environment up until a lost workflow's coroutines have
// exited. The environment exits them on a goroutine of its own and goes on: an
// activity's result that it delivers meanwhile is a data race with a blocked
// coroutine that takes its callbacks back. It converts the workflow's error
// after it has told the coroutines to exit, and before it goes on.
type partings struct{ converter.FailureConverter }

// ErrorToFailure converts an error, after its workflow's coroutines have exited.
func (p partings) ErrorToFailure(err error) *failurepb.Failure {
	var lost *parting
	if errors.As(err, &lost) {
		exited := make(chan struct{})
		go func() {
			defer close(exited)
			lost.coroutines.Wait()
		}()
		select {
		case <-exited:
		case <-time.After(exitPatience): // one that blocks while it exits is not waited for
		}
	}
	return p.FailureConverter.ErrorToFailure(err)
}

// isLost reports whether a workflow ended because it was lost.
func isLost(err error) bool {
	var failed *temporal.ApplicationError
	return errors.As(err, &failed) && failed.Type() == typeLost
}

// InterceptActivity gives every activity a client, and ends those that nobody
// waits for any more.
func (m *mortal) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &mortalActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, m.w}
}

type mortalActivity struct {
	interceptor.ActivityInboundInterceptorBase
	w *world
}

// Init puts the world's client in the place of a server's.
func (m *mortalActivity) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return m.Next.Init(withClient(outbound, outbound.GetClient, &lookout{w: m.w}))
}

// ExecuteActivity makes an attempt, unless its run is lost.
func (m *mortalActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	m.w.mutex.Lock()
	dead := m.w.dead[activity.GetInfo(ctx).WorkflowExecution.RunID]
	m.w.mutex.Unlock()
	if dead {
		return nil, temporal.NewNonRetryableApplicationError("its run was terminated", typeLost, nil)
	}
	return m.Next.ExecuteActivity(ctx, in)
}

// withClient is an interceptor that gives activities another client. The type
// of a client is the SDK's own there, and has no name for others: it is that of
// what GetClient returns.
func withClient[C any](outbound interceptor.ActivityOutboundInterceptor, _ func(context.Context) C, another client.Client) *clientOfWorld[C] {
	given, _ := another.(C)
	return &clientOfWorld[C]{interceptor.ActivityOutboundInterceptorBase{Next: outbound}, given}
}

type clientOfWorld[C any] struct {
	interceptor.ActivityOutboundInterceptorBase
	client C
}

// GetClient is Temporal, as an activity sees it.
func (c *clientOfWorld[C]) GetClient(context.Context) C { return c.client }

// lookout is the part of a client that activities need.
type lookout struct {
	client.Client
	w *world
}

// DescribeWorkflowExecution says whether a workflow runs.
func (l *lookout) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	l.w.mutex.Lock()
	defer l.w.mutex.Unlock()
	return l.w.described(id)
}

// ListWorkflow lists the orders' workflows, running and ended, that started
// before the time that the query names.
func (l *lookout) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
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

// began notes that a workflow of an order runs.
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

// ended notes how a workflow of an order ended.
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
