package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// checkpointPatience limits one checkpoint. The first one of an old ledger adds every
// entry of its audit. The schedule starts the next.
const checkpointPatience = time.Hour

// CheckpointAudit makes a checkpoint of the audit, and returns it as a signed note. It
// runs on a schedule.
func CheckpointAudit(ctx workflow.Context) (string, error) {
	var note string
	making := forBooks(ctx, "sign a checkpoint of the audit", checkpointPatience)
	err := workflow.ExecuteActivity(making, books.CheckpointAudit).Get(ctx, &note)
	if err == nil {
		workflow.SetCurrentDetails(ctx, "```\n"+note+"```\n")
	}
	return note, err
}
