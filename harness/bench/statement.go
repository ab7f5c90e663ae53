package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// importStatement has bin/starter import a statement of the transactions of a day, and
// watches the worker's memory meanwhile.
func (r *rig) importStatement(ctx context.Context, path, merchant string, day time.Time) (reconcileLine, error) {
	line := reconcileLine{Bench: "reconcile", place: place{Server: Embedded, Ledger: onSQLite}, Source: "statement", Rows: r.options.Records}
	if err := writeExport(path, merchant, line.Rows, day); err != nil {
		return line, err
	}
	var err error
	if line.IdleRSS, err = r.workerMemory(ctx); err != nil {
		return line, err
	}
	line.PeakRSS = line.IdleRSS
	starter := exec.CommandContext(ctx, filepath.Join(r.stack.Bin(), "starter"), //nolint:gosec // G204: a program of ours
		"--json", "statement", "import", path, "--merchant", merchant, "--country", "VN", "--wait", "--timeout", "3h")
	starter.Env = append(os.Environ(), r.stack.Environment()...)
	var out, said strings.Builder
	starter.Stdout, starter.Stderr = &out, &said
	began := time.Now()
	if err := starter.Start(); err != nil {
		return line, err
	}
	if err := r.watched(ctx, &line.PeakRSS, starter.Wait); err != nil {
		return line, fmt.Errorf("starter: %w: %s%s", err, out.String(), said.String())
	}
	line.PerS = digits(float64(line.Rows) / time.Since(began).Seconds())
	if used, is := starter.ProcessState.SysUsage().(*syscall.Rusage); is {
		line.StarterRSS = digits(float64(used.Maxrss) / (1 << 10))
	}
	return line, allCompared(out.String(), line.Rows)
}

// allCompared returns an error unless every line was compared, and nothing was asked about.
func allCompared(answer string, rows int) error {
	var found struct{ Statement payouts.Statement }
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		return fmt.Errorf("read %q: %w", answer, err)
	}
	s := found.Statement
	if s.State != order.StatementMatched || s.Matched != rows || s.Compared != rows || s.Asked+s.Absent > 0 {
		return fmt.Errorf("the statement went wrong: %+v", s)
	}
	return nil
}

// writeExport writes the transactions of writeTrade as the portal would.
func writeExport(path, merchant string, n int, day time.Time) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	_, err = fmt.Fprintln(buffer, "mchNo,payOrderId,mchOrderNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt,payerName")
	for i := range n {
		at := day.Add(24 * time.Hour / time.Duration(n) * time.Duration(i))
		_, failed := fmt.Fprintf(buffer, "%s,%s,%s,2,2,VND,%d,%d,%d,%d,NGUYEN VAN A\n", merchant, tradeID(i), tradeNumber(i), tradeAmount, tradeAmount, tradeFee, at.Unix())
		err = errors.Join(err, failed)
	}
	return errors.Join(err, buffer.Flush())
}
