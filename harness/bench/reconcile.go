package bench

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

type reconcileLine struct {
	Bench string `json:"bench"`
	place
	Source  string  `json:"source"`     // history or statement
	Rows    int     `json:"rows"`       // records of the gateway's history, or lines of the statement, each beside its order
	PerS    float64 `json:"rows_per_s"` // read over HTTP or from the file, kept and compared; the rate limit is off
	PeakRSS float64 `json:"peak_rss_mb"`
	IdleRSS float64 `json:"idle_rss_mb"` // before the first page
	// StarterRSS is the peak of the starter that imports a statement.
	StarterRSS float64 `json:"starter_peak_rss_mb,omitempty"`
}

// reconcile compares many transactions of a day, on a separate stack whose gateway and ledger
// have them from the start: by the gateway's history, and by a statement.
func (r *rig) reconcile(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "payouts-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	if r.options.Source != bySource[1] { // the gateway is not asked about the lines of a statement that agree
		if err := writeTrade(filepath.Join(dir, "gateway.jsonl"), r.stack.Merchant("VN"), r.options.Records, day); err != nil {
			return err
		}
	}
	own, err := stack.Start(ctx, stack.Options{Bin: r.options.Bin, Dir: dir, Progress: r.options.Progress, ReadyWithin: readTrade, Settings: map[string]string{
		"PAYOUTS_RECONCILE_LAG":      "0s",
		"PAYOUTS_RECONCILE_LOOKBACK": "0s", // the history is measured, without a query for each order
		"PAYOUTS_RECONCILE_RATE":     "100000",
		"PAYOUTS_LOG_LEVEL":          "error",
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.Stop()) }()
	merchant := own.Merchant("VN")
	if _, err := own.Orders.ReconcileBalances(ctx, merchant); err != nil { // books the opening balance
		return err
	}
	if err := bookTrade(ctx, filepath.Join(dir, "ledger.db"), merchant, r.options.Records, day); err != nil {
		return err
	}
	with := &rig{options: r.options, stack: own}
	for _, source := range bySource {
		if r.options.Source != "" && r.options.Source != source {
			continue
		}
		measure := with.compare
		if source == bySource[1] {
			measure = func(ctx context.Context, merchant string, day time.Time) (reconcileLine, error) {
				return with.importStatement(ctx, filepath.Join(dir, "statement.csv"), merchant, day)
			}
		}
		line, err := measure(ctx, merchant, day)
		if err != nil {
			return err
		}
		if err := r.out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// readTrade is how long a sandbox may take to read a state file of a million orders.
const readTrade = 15 * time.Minute

// bySource are the sources of the records that are compared.
var bySource = []string{"history", "statement"}

// compare has the transactions of a day compared and watches the worker's
// memory meanwhile.
func (r *rig) compare(ctx context.Context, merchant string, day time.Time) (reconcileLine, error) {
	line := reconcileLine{Bench: "reconcile", place: place{Server: Embedded, Ledger: onSQLite}, Source: "history"}
	var err error
	if line.IdleRSS, err = r.workerMemory(ctx); err != nil {
		return line, err
	}
	line.PeakRSS = line.IdleRSS
	var result contract.ReconcileTransactionsResult
	began := time.Now()
	err = r.watched(ctx, &line.PeakRSS, func() (err error) {
		result, err = r.stack.Orders.ReconcileTransactions(ctx, contract.ReconcileTransactionsInput{
			Merchants: []string{merchant}, From: day, To: day.AddDate(0, 0, 1),
		})
		return err
	})
	if err != nil {
		return line, err
	}
	m := result.Merchants[0]
	if m.Rows != r.options.Records || m.Compared != m.Rows || len(m.Findings) > 0 || m.Problem != "" {
		return line, fmt.Errorf("the comparison went wrong: %+v", m)
	}
	line.Rows, line.PerS = m.Rows, digits(float64(m.Rows)/time.Since(began).Seconds())
	return line, nil
}

// tradeAmount is what each order of the day was of, in dong, and its fee.
const (
	tradeAmount = 50_000
	tradeFee    = 500
)

// tradeID and tradeNumber are those of the n-th order of the day.
func tradeID(n int) string     { return fmt.Sprintf("P2%018d", n) }
func tradeNumber(n int) string { return fmt.Sprintf("trade-%d", n) }

// writeTrade writes the state file of a sandbox that has paid so many
// withdrawals, spread over a day.
func writeTrade(path, merchant string, n int, day time.Time) (err error) {
	amount, err := money.Minor(tradeAmount, "VND")
	if err != nil {
		return err
	}
	fee, err := money.Minor(tradeFee, "VND")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	lines := json.NewEncoder(buffer)
	for i := range n {
		at := day.Add(24 * time.Hour / time.Duration(n) * time.Duration(i))
		o := sandbox.Order{
			ID: tradeID(i), Merchant: merchant, Number: tradeNumber(i), Direction: tarspay.DirectionWithdrawal, Way: "VCB",
			Amount: amount, Fee: fee, Paid: amount, State: tarspay.StateSucceeded, Scenario: "success",
			CreatedAt: at, ChangedAt: at, PaidAt: []time.Time{at},
		}
		if err := lines.Encode(map[string]any{"order": o}); err != nil {
			return err
		}
	}
	return buffer.Flush()
}

// bookTrade writes the same orders into a ledger's tables directly, as ended long before the
// day, so that they are not queried.
func bookTrade(ctx context.Context, path, merchant string, n int, day time.Time) (err error) {
	database, err := sql.Open("sqlite", path+"?_busy_timeout=60000&_txlock=immediate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	at := day.AddDate(0, 0, -30).UnixMilli()
	_, err = database.ExecContext(ctx, `
		WITH RECURSIVE trade(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM trade WHERE n + 1 < ?)
		INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, state, gateway_id, paid, fee,
			attempts, created_at, updated_at)
		SELECT ?, 'trade-' || n, 'withdrawal', 'VN', 'VCB', 'VND', ?, 'bench', '{}', 'succeeded', printf('P2%018d', n), ?, ?, 1, ?, ? FROM trade`,
		n, merchant, tradeAmount, tradeAmount, tradeFee, at, at)
	return err
}
