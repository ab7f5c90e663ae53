package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CheckpointAudit makes a checkpoint of the audit, appends it to the file of the
// settings, logs it, and returns it as a signed note. Any worker that has the audit's
// key may run it, any number of times.
func (b *Books) CheckpointAudit(ctx context.Context) (note string, err error) {
	made, err := b.ledger.MakeCheckpoint(ctx, func(added int) { activity.RecordHeartbeat(ctx, added) })
	switch code := order.CodeOf(err); {
	case code == seal.CodeKeyMissing: // another worker has it
		return "", later(code, err.Error(), b.settings.otherWorkerPause(ctx))
	case code == seal.CodeTailCut:
		return "", nonRetryable(code, err)
	case err != nil:
		return "", err
	}
	if err := appendCheckpoint(b.settings.CheckpointFile, made); err != nil {
		return "", fmt.Errorf("PAYOUTS_CHECKPOINT_FILE: %w", err)
	}
	activity.GetLogger(ctx).Info("The audit has a checkpoint", "entries", made.Size, "checkpoint", made.Note)
	return made.Note, nil
}

// appendCheckpoint appends a checkpoint, below a line with its time, unless the file ends
// with it. An empty path, and -, name no file.
func appendCheckpoint(path string, made ledger.Checkpoint) (err error) {
	if path == "" || path == "-" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644) //nolint:gosec // others may read it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	line := fmt.Appendf(nil, "# %s\n%s", made.At.Format(time.RFC3339), made.Note)
	info, err := file.Stat()
	if err != nil {
		return err
	}
	end := make([]byte, min(int64(len(line)), info.Size()))
	if _, err := file.ReadAt(end, info.Size()-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(end, line) {
		return nil
	}
	if _, err := file.Write(line); err != nil {
		return err
	}
	return file.Sync()
}
