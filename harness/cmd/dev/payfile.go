package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// fileRows is the number of payouts in the demo's file.
const fileRows = 100

// fileScene is the payout of each row of the file.
var fileScene = scene{
	kind: order.Withdrawal, country: "PK", way: "easypaisa", amount: "1500", via: fromFile,
	shows: "a row of the file", want: paid(""),
}

// fileColumns are the columns of the file.
var fileColumns = []string{"number", "way", "amount", "customerName", "customerContact", "customerAccountNumber"}

// fault spoils a row of the file, and says how that is refused.
type fault struct {
	row          int // from 0
	column, code string
	spoil        func(lines [][]string, row int) // lines are the rows of the file, without its header
}

// faults are the wrong rows of the first file.
var faults = []fault{
	{9, "amount", order.ProblemAmountText, func(lines [][]string, row int) { lines[row][2] = "1.5E+3" }},
	{19, "customerAccountNumber", "MALFORMED_FIELD", func(lines [][]string, row int) { lines[row][5] = lines[row][5][1:] }},
	{29, "number", batch.CodeRepeated, func(lines [][]string, row int) { lines[row] = lines[row-1] }},
	{39, "way", "UNKNOWN_BANK", func(lines [][]string, row int) { lines[row][1] = "easypaissa" }},
	{49, "customerName", batch.CodeFormula, func(lines [][]string, row int) { lines[row][3] = "=" + lines[row][3] }},
}

// line is the line of the fault's row in the file.
func (f fault) line() int { return f.row + 2 }

// fileOf returns a file of payouts as CSV.
func fileOf(roles []*role, wrong ...fault) ([]byte, error) {
	lines := make([][]string, len(roles))
	for i, r := range roles {
		details := r.request.Details
		lines[i] = []string{
			r.request.Number, r.request.Way, r.request.Amount.Short(), details["customerName"], details["customerContact"], details["customerAccountNumber"],
		}
	}
	for _, f := range wrong {
		f.spoil(lines, f.row)
	}
	var text bytes.Buffer
	err := csv.NewWriter(&text).WriteAll(append([][]string{fileColumns}, lines...))
	return text.Bytes(), err
}

// rowsOfFile returns the roles that are rows of the file.
func (d *demo) rowsOfFile() []*role {
	i := slices.IndexFunc(d.roles, func(r *role) bool { return r.via == fromFile })
	return d.roles[i:]
}

// payFile sends a file with wrong rows, which is refused, and then the right one. It returns
// when every row has ended.
func (d *demo) payFile(ctx context.Context) error {
	roles := d.rowsOfFile()
	file := apiclient.Upload{Merchant: roles[0].request.Merchant, Name: "salaries.csv", Format: batch.CSV}
	if err := d.sendSpoiltFile(ctx, file, roles); err != nil {
		return err
	}
	var err error
	if file.Content, err = fileOf(roles); err != nil {
		return err
	}
	found, err := d.finance.UploadBatch(ctx, d.finance.actor, file)
	for order.CodeOf(err) == client.CodeNoAnswer && ctx.Err() == nil { // the worker does not run; the same file is the same batch
		found, err = d.finance.UploadBatch(ctx, d.finance.actor, file)
	}
	if err != nil {
		return err
	}
	again := time.NewTicker(readEvery)
	defer again.Stop()
	for !found.State.Ended() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the batch %s is still %s: %w", found.ID, found.State, context.Cause(ctx))
		case <-again.C:
		}
		if found, err = d.finance.Batch(ctx, d.finance.actor, found.ID); err != nil {
			return err
		}
	}
	d.expect(found.State == order.BatchCompleted, "the batch %s must be completed and is %s", found.ID, found.State)
	for _, r := range roles {
		d.end(r)
	}
	d.progress(fmt.Sprintf("the file of %d payouts has ended: %d rows were wrong at first, and nothing was paid until all were right", len(roles), len(faults)))
	return d.readResultFile(ctx, found.ID, roles)
}

// sendSpoiltFile sends the file with wrong rows. All of them must be named, and nothing of
// it stored.
func (d *demo) sendSpoiltFile(ctx context.Context, file apiclient.Upload, roles []*role) (err error) {
	if file.Content, err = fileOf(roles, faults...); err != nil {
		return err
	}
	_, err = d.finance.UploadBatch(ctx, d.finance.actor, file)
	var refused *batch.Faults
	if !errors.As(err, &refused) {
		d.expect(false, "a file with %d wrong rows must be refused; it was %v", len(faults), err)
		return ctx.Err()
	}
	d.expect(len(refused.Faults) == len(faults), "a file with %d wrong rows was refused for %d: %v", len(faults), len(refused.Faults), err)
	for i, f := range refused.Faults {
		d.expect(i < len(faults) && f.Line == faults[i].line() && f.Column == faults[i].column && f.Code == faults[i].code,
			"the file was refused for something else than its wrong rows: %v", f)
		d.recordRefusal(fmt.Sprintf("a file of %d payouts, line %d, %s", len(roles), f.Line, f.Column), f.Code)
	}
	stored, err := d.finance.Batches(ctx, d.finance.actor, payouts.BatchFilter{Limit: 1})
	if err != nil {
		return err
	}
	d.expect(len(stored.Batches) == 0, "a file with wrong rows was stored: %+v", stored.Batches)
	return nil
}

// readResultFile checks the file of results: a line for each row, in the sequence of the
// file.
func (d *demo) readResultFile(ctx context.Context, id string, roles []*role) error {
	var text bytes.Buffer
	if err := d.finance.WriteBatchResult(ctx, d.finance.actor, id, batch.CSV, &text); err != nil {
		return err
	}
	lines, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		return err
	}
	d.expect(len(lines) == len(roles)+1, "the file of results must have %d lines and has %d", len(roles)+1, len(lines))
	place := make(map[string]int)
	for i, name := range lines[0] {
		place[name] = i
	}
	for i, line := range lines[1:min(len(lines), len(roles)+1)] {
		number, state, gatewayID, amount := line[place["number"]], line[place["state"]], line[place["gateway_id"]], line[place["paid"]]
		d.expect(number == roles[i].request.Number && state == string(order.Succeeded) && gatewayID != "" && amount == roles[i].request.Amount.Number(),
			"the file of results has %q, %q, %q, %q for %s", number, state, gatewayID, amount, roles[i].request.Number)
	}
	return nil
}
