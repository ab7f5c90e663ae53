package workflows

import "go.temporal.io/sdk/workflow"

// ContinuedMemo is the memo by which a test tells a workflow that it goes on from
// an earlier run: the test environment knows no such runs.
const ContinuedMemo = "continued in a test"

// MaxUpdates and MaxSignals are what one run takes.
const (
	MaxUpdates = maxUpdates
	MaxSignals = maxSignals
)

func init() {
	asItIs := continued
	continued = func(ctx workflow.Context) bool {
		_, told := workflow.GetInfo(ctx).Memo.GetFields()[ContinuedMemo]
		return told || asItIs(ctx)
	}
}
