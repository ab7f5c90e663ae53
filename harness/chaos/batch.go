package chaos

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// BatchOptions configure a run of RunBatch. The zero value is the default.
type BatchOptions struct {
	Seed     uint64 // of the moments when the worker is killed
	Rows     int    // 0: 1000
	Bin      string // directory of the binaries; see stack.Options
	Keep     bool   // keep logs and databases of a run without violations, too
	Progress io.Writer
}

// Sizes and bounds of a batch.
const (
	batchRows   = 1000
	batchKills  = 5
	batchAmount = 1000 // of each row, in rupees
	batchRate   = 2    // rows per second, the least on any machine
	batchLeast  = 5 * time.Minute
	memorySlack = 40 // megabytes by which the peak of the last third may exceed that of the first; and a quarter
)

// batchSummary is the last line of a run.
type batchSummary struct {
	Chaos      string   `json:"chaos"`
	Seed       uint64   `json:"seed"`
	Seconds    int      `json:"seconds"`
	Rows       int      `json:"rows"`
	RowsPerMin int      `json:"rows_per_min"`
	Kills      int      `json:"kills"`       // of the worker, while the batch ran
	Orders     int      `json:"orders"`      // at the gateway
	Doubles    int      `json:"doubles"`     // by the gateway's records
	Results    int      `json:"results"`     // rows of the file of results with an end
	PeakRSS    [3]int64 `json:"peak_rss_mb"` // of the worker, in each third of the rows
	LedgerSum  int64    `json:"ledger_sum"`
	Violations int      `json:"violations"`
}

// batchRun is the state of a run.
type batchRun struct {
	BatchOptions
	judgement
	line  batchSummary
	stack *stack.Stack
	door  door
	begun time.Time
}

// RunBatch pays a file of many rows, and kills the worker five times meanwhile. It prints a
// line of JSON for each violation, and a summary as the last line. It returns ErrViolated if
// there was a violation.
func RunBatch(ctx context.Context, out io.Writer, options BatchOptions) (err error) {
	if options.Rows == 0 {
		options.Rows = batchRows
	}
	if options.Progress == nil {
		options.Progress = io.Discard
	}
	merchant := sandbox.Merchant{Number: merchants[0].Number, Country: "PK", Balance: strconv.Itoa(2 * batchAmount * options.Rows)}
	running, err := stack.Start(ctx, stack.Options{
		Bin: options.Bin, OwnDatabase: true, API: true, Merchants: []sandbox.Merchant{merchant}, Progress: options.Progress,
	})
	if err != nil {
		return err
	}
	b := &batchRun{BatchOptions: options, stack: running, door: door{running.Addresses.API}, begun: time.Now()}
	b.line = batchSummary{Chaos: "batch", Seed: options.Seed, Rows: options.Rows}
	defer func() {
		if b.Keep || err != nil && ctx.Err() == nil {
			running.Keep()
			b.say("logs and databases are kept in %s", running.Dir())
		}
		err = errors.Join(err, running.Stop())
	}()
	within := max(batchLeast, time.Duration(options.Rows)*time.Second/batchRate)
	timed, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("the batch did not end within %s", within))
	defer cancel()
	if err := b.pay(timed, merchant.Number); err != nil {
		return errors.Join(err, context.Cause(timed))
	}
	return b.report(out)
}

func (b *batchRun) say(format string, values ...any) {
	fmt.Fprintf(b.Progress, "%7.2fs  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, values...))
}

// pay uploads the file, kills the worker while the batch runs, and judges the result.
func (b *batchRun) pay(ctx context.Context, merchant string) error {
	file, err := batchFile(b.Rows)
	if err != nil {
		return err
	}
	text, err := b.door.ask(ctx, http.MethodPost, "/v1/batches?name=chaos.csv&merchant="+merchant, "text/csv", file)
	if err != nil {
		return fmt.Errorf("upload the file: %w", err)
	}
	var made payouts.Batch
	if err := json.Unmarshal(text, &made); err != nil {
		return err
	}
	b.say("a batch of %d rows runs", b.Rows)
	if made, err = b.attend(ctx, made); err != nil {
		return err
	}
	took := time.Since(b.begun)
	b.line.Seconds, b.line.RowsPerMin = int(took/time.Second), b.Rows*int(time.Minute/time.Millisecond)/int(took/time.Millisecond+1)
	b.say("the batch is %s", made.State)
	return b.judge(ctx, made, merchant)
}

// batchFile returns a file of payouts.
func batchFile(rows int) ([]byte, error) {
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	err := out.Write([]string{"number", "way", "amount", "customerName", "customerContact", "customerAccountNumber"})
	for n := range rows {
		account := fmt.Sprintf("0300%07d", n)
		err = errors.Join(err, out.Write([]string{rowNumber(n), "easypaisa", strconv.Itoa(batchAmount), "Chaos Khan", account, account}))
	}
	out.Flush()
	return text.Bytes(), errors.Join(err, out.Error())
}

// rowNumber is the number of the n-th row's order.
func rowNumber(n int) string { return fmt.Sprintf("ROW-%06d", n+1) }

// batchLook is the pause between two looks at a batch.
const batchLook = 200 * time.Millisecond

// attend watches the batch until it has ended, and kills the worker each time when a sixth
// more of the rows has ended, or somewhat later.
func (b *batchRun) attend(ctx context.Context, batch payouts.Batch) (payouts.Batch, error) {
	random := rand.New(rand.NewPCG(b.Seed, seedBatch))
	sixth := b.Rows / (batchKills + 1)
	next := sixth/2 + random.IntN(sixth/2+1)
	for {
		text, err := b.door.ask(ctx, http.MethodGet, "/v1/batches/"+batch.ID, "", nil)
		if err != nil {
			return batch, err
		}
		if err := json.Unmarshal(text, &batch); err != nil {
			return batch, err
		}
		if batch.State.Ended() {
			return batch, nil
		}
		ended := 0
		for _, count := range batch.Counts {
			if count.State.Ended() {
				ended += count.Rows
			}
		}
		memory, err := stack.Memory(ctx, b.stack.Addresses.Worker)
		if err != nil {
			return batch, err
		}
		third := min(2, 3*ended/b.Rows)
		b.line.PeakRSS[third] = max(b.line.PeakRSS[third], memory>>20)
		if b.line.Kills < batchKills && ended >= next {
			if err := b.kill(ctx, ended); err != nil {
				return batch, err
			}
			next = b.line.Kills*sixth + sixth/2 + random.IntN(sixth/2+1)
		}
		if !pause(ctx, batchLook) {
			return batch, ctx.Err()
		}
	}
}

func (b *batchRun) kill(ctx context.Context, ended int) error {
	if err := b.stack.Kill(stack.Worker); err != nil {
		return err
	}
	b.line.Kills++
	b.say("killed the worker; %d rows have ended", ended)
	return b.stack.Launch(ctx, stack.Worker)
}

// judge compares the rows with the gateway's book, the ledger, and the file of results.
func (b *batchRun) judge(ctx context.Context, batch payouts.Batch, merchant string) error {
	if batch.State != order.BatchCompleted {
		b.find(batch.ID, "the batch is %s", batch.State)
	}
	if b.line.Kills < batchKills {
		b.find(batch.ID, "the worker was killed %d times, not %d: the batch was too fast", b.line.Kills, batchKills)
	}
	book, err := b.stack.Gateway.Book(ctx)
	if err != nil {
		return err
	}
	b.compareBook(book, merchant)
	text, err := b.door.ask(ctx, http.MethodGet, "/v1/batches/"+batch.ID+"/result", "", nil)
	if err != nil {
		return err
	}
	b.compareResult(text)
	b.compareMemory()
	return b.judgeBooks(ctx, merchant)
}

// compareBook checks that the gateway has one paid order for each row.
func (b *batchRun) compareBook(book sandbox.Book, merchant string) {
	booked := make(map[string]int)
	for _, o := range book.Orders {
		booked[o.Number]++
		if o.State != tarspay.StateSucceeded || len(o.PaidAt) != 1 {
			b.find(o.Number, "the gateway's order is %s and was paid %d times", o.State, len(o.PaidAt))
		}
	}
	b.line.Orders = len(book.Orders)
	for n := range b.Rows {
		if number := rowNumber(n); booked[number] != 1 {
			b.find(order.Key{Merchant: merchant, Number: number}.String(), "the gateway has %d orders with its number", booked[number])
		}
		delete(booked, rowNumber(n))
	}
	for number := range booked {
		b.find(number, "the gateway has an order that is no row")
	}
}

// compareResult checks that the file of results has each row with its end, in sequence.
func (b *batchRun) compareResult(file []byte) {
	lines, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(lines) == 0 {
		b.find("", "the file of results cannot be read: %v", err)
		return
	}
	state := -1
	for i, name := range lines[0] {
		if name == "state" {
			state = i
		}
	}
	if state < 0 || len(lines) != b.Rows+1 {
		b.find("", "the file of results has %d rows and the columns %v", len(lines)-1, lines[0])
		return
	}
	for n, line := range lines[1:] {
		if line[0] != rowNumber(n) || line[state] != string(order.Succeeded) {
			b.find(rowNumber(n), "its row of the results is %v", line)
			continue
		}
		b.line.Results++
	}
}

// compareMemory checks that the worker's memory does not grow with the rows that are done.
func (b *batchRun) compareMemory() {
	if first, last := b.line.PeakRSS[0], b.line.PeakRSS[2]; last > first+first/4+memorySlack {
		b.find("", "the worker had at most %v MB in the first third of the rows, and %v MB in the last", first, last)
	}
}

// judgeBooks reports what the gateway's audit and the ledger's self-check find.
func (b *batchRun) judgeBooks(ctx context.Context, merchant string) (err error) {
	audit, err := b.stack.Gateway.Audit(ctx)
	if err != nil {
		return err
	}
	b.line.Doubles = audit.DoublePayments
	for _, name := range audit.Doubles {
		b.find(name, "paid twice, by the gateway's records")
	}
	books, err := ledger.Open(ctx, b.stack.DatabaseURL(), ledger.SealWith(b.stack.AuditKeys()), ledger.EncryptWith(b.stack.DataKeys()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	verified, err := books.Verify(ctx)
	if err != nil {
		return err
	}
	for _, broken := range verified.Violations {
		b.find(broken.Key.String(), "the ledger contradicts itself: %s %s", broken.Code, broken.Detail)
	}
	accounts, err := books.Balances(ctx, merchant, "PKR")
	for _, balance := range accounts {
		b.line.LedgerSum += balance.Minor()
	}
	if b.line.LedgerSum != 0 {
		b.find(merchant, "its accounts sum to %d minor units, not to 0", b.line.LedgerSum)
	}
	return err
}

// report prints the violations and the summary.
func (b *batchRun) report(out io.Writer) error {
	lines := json.NewEncoder(out)
	for _, found := range b.violations {
		err := lines.Encode(struct {
			Chaos string `json:"chaos"`
			violation
			Seed uint64 `json:"seed"`
		}{"violation", found, b.Seed})
		if err != nil {
			return err
		}
	}
	b.line.Violations = len(b.violations)
	if err := lines.Encode(b.line); err != nil {
		return err
	}
	if b.line.Violations > 0 {
		return fmt.Errorf("%w: %d violations with seed %d", ErrViolated, b.line.Violations, b.Seed)
	}
	return nil
}
