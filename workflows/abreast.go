package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// abreast is how many merchants are compared at once. The server limits the
// calls to the gateway anyway; this limits what one comparison has under way.
const abreast = 16

// sideBySide does something for each of n merchants, so many at once: one whose
// gateway does not answer holds up none of the others. It is over when all are
// done, or when the workflow was cancelled.
func sideBySide(ctx workflow.Context, n int, do func(ctx workflow.Context, i int) error) error {
	var cancelled error
	places, group := workflow.NewSemaphore(ctx, abreast), workflow.NewWaitGroup(ctx)
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
