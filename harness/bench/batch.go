package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

type batchLine struct {
	Bench string `json:"bench"`
	place
	Rows      int     `json:"rows"`
	PerS      float64 `json:"rows_per_s"`       // from the upload until the batch is completed
	CheckRows int     `json:"check_rows"`       // of another file
	CheckPerS float64 `json:"check_rows_per_s"` // read and checked, on one core
	PeakRSS   float64 `json:"peak_rss_mb"`      // of the worker, while the batch runs
	IdleRSS   float64 `json:"idle_rss_mb"`      // before it
}

// batch checks a file of as many rows as a batch may have, and pays one with Options.Rows.
func (r *rig) batch(ctx context.Context) error {
	line := batchLine{Bench: "batch", place: r.place, Rows: r.options.Rows, CheckRows: batch.MaxRows}
	large, err := r.file(batch.MaxRows)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := batch.Check(bytes.NewReader(large), int64(len(large)), batch.Options{Merchant: r.stack.Merchant("PK"), Country: "PK"}); err != nil {
		return err
	}
	line.CheckPerS = digits(float64(line.CheckRows) / time.Since(began).Seconds())
	file, err := r.file(line.Rows)
	if err != nil {
		return err
	}
	if line.IdleRSS, err = r.workerMemory(ctx); err != nil {
		return err
	}
	line.PeakRSS = line.IdleRSS
	began = time.Now()
	var made payouts.Batch
	if err := r.ask(ctx, http.MethodPost, "/v1/batches?name=bench.csv&merchant="+r.stack.Merchant("PK"), "text/csv", file, &made); err != nil {
		return err
	}
	for made.State != order.BatchCompleted {
		if made.State.Ended() {
			return fmt.Errorf("the batch ended as %s", made.State)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		now, err := r.workerMemory(ctx)
		if err != nil {
			return err
		}
		line.PeakRSS = max(line.PeakRSS, now)
		if err := r.ask(ctx, http.MethodGet, "/v1/batches/"+made.ID, "", nil, &made); err != nil {
			return err
		}
	}
	line.PerS = digits(float64(line.Rows) / time.Since(began).Seconds())
	if len(made.Counts) != 1 || made.Counts[0].State != payouts.RowState(order.Succeeded) || made.Counts[0].Rows != line.Rows {
		return fmt.Errorf("the batch went wrong: %+v", made.Counts)
	}
	return r.out.Encode(line)
}

// file returns a file of new withdrawals.
func (r *rig) file(rows int) ([]byte, error) {
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	err := out.Write([]string{"number", "way", "amount", "customerName", "customerContact", "customerAccountNumber"})
	for range rows {
		o := r.request(order.Withdrawal, "success")
		err = errors.Join(err, out.Write([]string{
			o.Number, o.Way, o.Amount.Short(), o.Details["customerName"], o.Details["customerContact"], o.Details["customerAccountNumber"],
		}))
	}
	out.Flush()
	return text.Bytes(), errors.Join(err, out.Error())
}
