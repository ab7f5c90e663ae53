package bench

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Queues and names of the floor.
const (
	floorQueue        = "floor"
	floorSecondQueue  = "floor-second"
	floorSignal       = "done"
	floorActivityTime = 10 * time.Second
)

// floor is the cheapest workflow of an order's shape: a local activity, an
// activity on a second queue, a wait for a signal with a timer running, a
// local activity. None of them does anything. It is what Temporal itself
// costs.
type floor struct {
	client client.Client
	first  worker.Worker
	second worker.Worker
}

func newFloor(c client.Client) (*floor, error) {
	f := &floor{
		client: c,
		// The same settings as package worker's.
		first: worker.New(c, floorQueue, worker.Options{DisableRegistrationAliasing: true}),
		second: worker.New(c, floorSecondQueue, worker.Options{
			DisableRegistrationAliasing: true, DisableWorkflowWorker: true, TaskQueueActivitiesPerSecond: 100_000,
		}),
	}
	f.first.RegisterWorkflow(floorWorkflow)
	f.first.RegisterActivity(nothing)
	f.second.RegisterActivity(f.callBack)
	if err := f.first.Start(); err != nil {
		return nil, fmt.Errorf("start the floor: %w", err)
	}
	if err := f.second.Start(); err != nil {
		return nil, fmt.Errorf("start the floor: %w", err)
	}
	return f, nil
}

func (f *floor) stop() {
	f.second.Stop()
	f.first.Stop()
}

func nothing(context.Context) error { return nil }

// callBack stands for the create: it returns at once, and a signal comes when
// a callback would.
func (f *floor) callBack(_ context.Context, id string) error {
	time.AfterFunc(settle, func() {
		// A signal that is lost shows as a workflow that waits for its timer.
		_ = f.client.SignalWorkflow(context.Background(), id, "", floorSignal, id)
	})
	return nil
}

func floorWorkflow(ctx workflow.Context, id string) (string, error) {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: floorActivityTime})
	if err := workflow.ExecuteLocalActivity(local, nothing).Get(ctx, nil); err != nil {
		return "", err
	}
	second := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: floorSecondQueue, StartToCloseTimeout: floorActivityTime})
	var f *floor
	if err := workflow.ExecuteActivity(second, f.callBack, id).Get(ctx, nil); err != nil {
		return "", err
	}
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(workflow.NewTimer(ctx, time.Minute), func(workflow.Future) {})
	selector.AddReceive(workflow.GetSignalChannel(ctx, floorSignal), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.Select(ctx)
	return id, workflow.ExecuteLocalActivity(local, nothing).Get(ctx, nil)
}

// run drives one floor workflow to its end.
func (f *floor) run(ctx context.Context, id string) error {
	run, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: floorQueue}, floorWorkflow, id)
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}
