package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// maxParallelMerchants is how many merchants one comparison handles at once. The
// server limits the rate of gateway calls; this limits the activities that one
// comparison has open.
const maxParallelMerchants = 16

// forEachParallel calls do for each of n merchants, at most maxParallelMerchants
// at once. A gateway that does not answer delays only its own merchant. It returns
// when all calls have returned, or when the workflow was cancelled.
func forEachParallel(ctx workflow.Context, n int, do func(ctx workflow.Context, i int) error) error {
	var cancelled error
	places, group := workflow.NewSemaphore(ctx, maxParallelMerchants), workflow.NewWaitGroup(ctx)
	for i := range n {
		if cancelled = places.Acquire(ctx, 1); cancelled != nil {
			break
		}
		group.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			defer places.Release(1)
			if err := do(ctx, i); temporal.IsCanceledError(err) {
				cancelled = err
			}
		})
	}
	group.Wait(ctx)
	return cancelled
}
