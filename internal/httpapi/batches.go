package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Content types of files.
const (
	typeCSV  = "text/csv"
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

func (d *door) registerBatches(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "get-batch-template", Method: http.MethodGet, Path: "/v1/countries/{country}/batch-template", Tags: []string{"batches"},
		Summary:     "The header of a country's file of payouts",
		Description: "As CSV, or with Accept of a workbook as .xlsx, in which columns are text and a sheet explains them.",
		Responses:   fileResponses("The template."),
	}, d.getTemplate)
	d.registerUploads(api)
}

// fileResponses documents an answer that is a file.
func fileResponses(text string) map[string]*huma.Response {
	file := fileBody()
	return map[string]*huma.Response{"200": {Description: text, Content: map[string]*huma.MediaType{typeCSV: file, typeXLSX: file}}}
}

// fileBody documents a body that is a file.
func fileBody() *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
}

// fileAnswer is a file.
type fileAnswer struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// fileFormat returns the format that a caller accepts: CSV unless it asks for a workbook.
func fileFormat(accept string) (format batch.Format, contentType string) {
	if strings.Contains(accept, typeXLSX) {
		return batch.XLSX, typeXLSX
	}
	return batch.CSV, typeCSV + "; charset=utf-8"
}

type templateInput struct {
	CountryPath
	Accept string `header:"Accept" doc:"text/csv, or the type of .xlsx." maxLength:"200"`
}

func (d *door) getTemplate(_ context.Context, _ Caller, input *templateInput) (*fileAnswer, error) {
	profile, err := input.profile()
	if err != nil {
		return nil, err
	}
	format, contentType := fileFormat(input.Accept)
	var file bytes.Buffer
	err = batch.WriteTemplate(&file, profile, format)
	return &fileAnswer{contentType, "attachment; filename=payouts-" + profile.Code + "." + string(format), file.Bytes()}, err
}

// BatchPath names a batch.
type BatchPath struct {
	ID string `path:"id" doc:"The batch's id." maxLength:"64"`
}

// Limits of an upload.
const (
	uploadTime = 40 * time.Second // for the file to arrive, and again for the ledger to have it
	maxListed  = 1000             // faults in an answer
)

type uploadInput struct {
	Merchant    string   `query:"merchant" required:"true" doc:"The gateway's merchant number. A file is of one merchant." maxLength:"32"`
	Country     string   `query:"country" doc:"ISO 3166, two letters. Without it, the merchant's country." maxLength:"2"`
	Name        string   `query:"name" doc:"The name of the file, for people." maxLength:"200"`
	Check       bool     `query:"check" doc:"Only check the file; nothing is stored."`
	Rows        int      `query:"rows" minimum:"0" doc:"A control count: the file is refused if it has another number of rows."`
	Total       []string `query:"total" doc:"A control total, such as PKR=12345.00: the file is refused if it sums up to something else."`
	ContentType string   `header:"Content-Type" doc:"text/csv, the type of .xlsx, or application/json." maxLength:"200"`
	FileInput
}

// uploaded is a batch, or what a check found.
type uploaded struct {
	Status   int
	Location string `header:"Location" doc:"The batch."`
	Body     payouts.Batch
}

type batchesInput struct {
	Merchant string   `query:"merchant" doc:"Of this merchant; without it, of all that you act for." maxLength:"32"`
	State    []string `query:"state" doc:"Any of these states: storing, running, paused, cancelled, completed, broken."`
	PageInput
}

type batchList struct {
	Batches []payouts.StoredBatch `json:"batches" nullable:"false"`
	Next    string                `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

type rowsInput struct {
	BatchPath
	State []string `query:"state" doc:"Any of these states: those of orders, and waiting, starting, refused, not_started."`
	After int      `query:"after" minimum:"0" doc:"Without a cursor: after the row with this seq."`
	PageInput
}

type rowList struct {
	Rows []payouts.BatchRow `json:"rows" nullable:"false"`
	Next string             `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

type changeInput struct {
	BatchPath
	Body struct {
		Why string `json:"why" doc:"Why, in a sentence." maxLength:"1500"`
	}
}

type resultInput struct {
	BatchPath
	Accept string `header:"Accept" doc:"text/csv, or the type of .xlsx." maxLength:"200"`
}

func (d *door) registerUploads(api huma.API) {
	file := fileBody()
	operation(api, huma.Operation{
		OperationID: "upload-batch", Method: http.MethodPost, Path: "/v1/batches", Tags: []string{"batches"},
		Summary: "Pay out what a file lists",
		Description: "Checks every row, stores the file and lets it run. BATCH_INVALID lists everything that is wrong, by line and column, and nothing is stored. " +
			"The same rows again are the same batch. NO_ANSWER_YET: no worker has stored all of it yet; the same file again is safe.",
		RequestBody:   &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{typeCSV: file, typeXLSX: file}},
		Responses:     map[string]*huma.Response{"200": answered[payouts.Batch](api, "The batch was there already, or the file was only checked.")},
		DefaultStatus: http.StatusCreated,
	}, d.uploadBatch)
	// After the registration: huma itself would read a body that may be JSON, and parse it.
	api.OpenAPI().Paths["/v1/batches"].Post.RequestBody.Content["application/json"] = file
	operation(api, huma.Operation{
		OperationID: "list-batches", Method: http.MethodGet, Path: "/v1/batches", Tags: []string{"batches"},
		Summary: "Batches, the newest first",
	}, d.listBatches)
	operation(api, huma.Operation{
		OperationID: "get-batch", Method: http.MethodGet, Path: "/v1/batches/{id}", Tags: []string{"batches"},
		Summary: "A batch with the counts of its rows",
	}, d.getBatch)
	operation(api, huma.Operation{
		OperationID: "list-batch-rows", Method: http.MethodGet, Path: "/v1/batches/{id}/rows", Tags: []string{"batches"},
		Summary: "The rows of a batch, in the sequence of the file",
	}, d.listBatchRows)
	operation(api, huma.Operation{
		OperationID: "get-batch-result", Method: http.MethodGet, Path: "/v1/batches/{id}/result", Tags: []string{"batches"},
		Summary: "The file of results",
		Description: "The same columns and rows, with state, code, reason, gateway_id, fee, paid and ended_at added. It has whom each row pays, so it needs the role request. " +
			"A cell that would begin a formula has an apostrophe before it.",
		Responses: fileResponses("The file."),
	}, d.getBatchResult)
	for _, change := range []struct {
		name, summary string
		do            changing
	}{
		{"pause", "Start no further row until the batch is resumed", (*payouts.Service).PauseBatch},
		{"resume", "Start rows of a paused batch again", (*payouts.Service).ResumeBatch},
		{"cancel", "Start no further row, for ever; orders that were started go on", (*payouts.Service).CancelBatch},
	} {
		operation(api, huma.Operation{
			OperationID: change.name + "-batch", Method: http.MethodPost, Path: "/v1/batches/{id}/" + change.name, Tags: []string{"batches"}, Summary: change.summary,
		}, d.changeBatch(change.do))
	}
}

// changing pauses, resumes or cancels a batch.
type changing func(s *payouts.Service, ctx context.Context, actor payouts.Actor, id, why string) (payouts.Batch, error)

func (d *door) uploadBatch(ctx context.Context, caller Caller, input *uploadInput) (*uploaded, error) {
	if refusal := caller.acts(roster.Request, order.Key{Merchant: input.Merchant}); refusal != nil {
		return nil, refusal // before anything is said about the merchant
	}
	kind, _, _ := strings.Cut(input.ContentType, ";")
	if !slices.Contains([]string{typeCSV, typeXLSX, "application/json"}, strings.TrimSpace(strings.ToLower(kind))) {
		return nil, refuse(CodeMediaType, "a batch is "+typeCSV+", application/json or "+typeXLSX)
	}
	options, err := d.batchOptions(caller, input)
	if err != nil {
		return nil, err
	}
	file, err := input.store(batch.MaxBytes)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	checked, err := batch.Check(file, file.Size(), options)
	if err != nil {
		return nil, faultsProblem(err)
	}
	b := checked.Batch(input.Name)
	if input.Check {
		b.RequestedBy = caller.Actor.Name
		return &uploaded{Status: http.StatusOK, Body: payouts.Batch{StoredBatch: payouts.StoredBatch{Batch: b}, Counts: []payouts.BatchCount{}}}, nil
	}
	stored, err := caller.service.SubmitBatch(ctx, caller.Actor, b, checked.Numbered(), uploadTime)
	if err != nil {
		return nil, err
	}
	answer := &uploaded{Status: http.StatusCreated, Location: "/v1/batches/" + stored.ID, Body: stored}
	if stored.Existing {
		answer.Status = http.StatusOK
	}
	return answer, nil
}

// batchOptions returns what a file is checked for.
func (d *door) batchOptions(caller Caller, input *uploadInput) (batch.Options, error) {
	o := batch.Options{Merchant: input.Merchant, Rows: input.Rows}
	country, err := d.countryOf(input.Merchant, input.Country)
	if err != nil {
		return o, err
	}
	o.Country = country.Code
	for _, text := range input.Total {
		total, err := batch.ParseTotal(text)
		if err != nil {
			return o, invalid("total", "is written as PKR=12345.00: the currency, and digits without separators")
		}
		o.Totals = append(o.Totals, total)
	}
	o.Permit = func(r order.Request) *order.Refusal {
		return caller.acts(roster.Request, order.Key{Merchant: r.Merchant}, r.Amount)
	}
	return o, nil
}

// countryOf returns the country of a file's merchant.
func (d *door) countryOf(merchant, given string) (*tarspay.Profile, error) {
	configured := d.Countries[merchant]
	country, known := tarspay.Country(cmp.Or(given, configured))
	if !known {
		return nil, refuse(tarspay.ViolationCountry, "the merchant's country is not known here: give it as country; GET /v1/countries lists them")
	}
	if configured != "" && configured != country.Code {
		return nil, refuse(batch.CodeOtherPlace, "merchant "+merchant+" is of "+configured)
	}
	return country, nil
}

// faultsProblem returns what is wrong with a file as a problem.
func faultsProblem(err error) error {
	var wrong *sheet.Faults
	if !errors.As(err, &wrong) {
		return err
	}
	p := newProblem(wrong.Code, fmt.Sprintf("the file has %d faults; nothing was stored", wrong.Count))
	for _, fault := range wrong.Faults[:min(len(wrong.Faults), maxListed)] {
		p.Errors = append(p.Errors, fieldProblem{Code: fault.Code, Line: fault.Line, Field: fault.Column, Detail: fault.Message})
	}
	return p
}

func (d *door) listBatches(ctx context.Context, caller Caller, input *batchesInput) (*answer[batchList], error) {
	merchants, refusal := caller.mine(input.Merchant)
	if refusal != nil {
		return nil, refusal
	}
	filter := payouts.BatchFilter{Merchants: merchants, Limit: input.Limit}
	for _, state := range input.State {
		filter.States = append(filter.States, order.BatchState(state))
	}
	cursor := newCursor("batches", input)
	if err := cursor.read(input.Cursor, &filter.After); err != nil {
		return nil, err
	}
	page, err := caller.service.Batches(ctx, caller.Actor, filter)
	if err != nil {
		return nil, err
	}
	list := &answer[batchList]{batchList{Batches: page.Batches}}
	if page.More {
		list.Body.Next = cursor.write(page.Batches[len(page.Batches)-1].ID)
	}
	return list, nil
}

// batchFor returns a batch that the caller acts for in the role. Another merchant's is not
// there.
func (d *door) batchFor(ctx context.Context, caller Caller, role roster.Role, id string) (payouts.Batch, error) {
	found, err := caller.service.Batch(ctx, caller.Actor, id)
	if err != nil {
		return found, err
	}
	refusal := caller.acts(role, order.Key{Merchant: found.Merchant})
	switch {
	case refusal == nil:
		return found, nil
	case refusal.Code == order.CodeUnknownMerchant:
		return found, refuse(payouts.CodeBatchNotFound, "there is no batch of that id")
	}
	return found, refusal
}

func (d *door) getBatch(ctx context.Context, caller Caller, input *BatchPath) (*answer[payouts.Batch], error) {
	found, err := d.batchFor(ctx, caller, roster.Read, input.ID)
	return &answer[payouts.Batch]{found}, err
}

func (d *door) listBatchRows(ctx context.Context, caller Caller, input *rowsInput) (*answer[rowList], error) {
	if _, err := d.batchFor(ctx, caller, roster.Read, input.ID); err != nil {
		return nil, err
	}
	states := make([]payouts.RowState, len(input.State))
	for i, state := range input.State {
		if states[i] = payouts.RowState(state); !payouts.KnownRowState(states[i]) {
			return nil, invalid("state", "has no state %q", state)
		}
	}
	after := input.After
	cursor := newCursor("batch rows", input)
	if err := cursor.read(input.Cursor, &after); err != nil {
		return nil, err
	}
	page, err := caller.service.BatchRows(ctx, caller.Actor, input.ID, states, after, input.Limit)
	if err != nil {
		return nil, err
	}
	list := &answer[rowList]{rowList{Rows: page.Rows}}
	if page.More {
		list.Body.Next = cursor.write(page.Rows[len(page.Rows)-1].Seq)
	}
	return list, nil
}

func (d *door) getBatchResult(ctx context.Context, caller Caller, input *resultInput) (*fileAnswer, error) {
	found, err := d.batchFor(ctx, caller, roster.Request, input.ID)
	if err != nil {
		return nil, err
	}
	format, contentType := fileFormat(input.Accept)
	var file bytes.Buffer
	err = batch.WriteResult(&file, format, found.Columns, results(caller.service.BatchResults(ctx, caller.Actor, input.ID)))
	return &fileAnswer{contentType, "attachment; filename=batch-" + found.ID + "." + string(format), file.Bytes()}, err
}

// results returns rows as the file of results has them.
func results(rows iter.Seq2[payouts.BatchRow, error]) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for row, err := range rows {
			if !yield(batch.Result{Request: row.Request, Hidden: row.Hidden, Standing: row.Final(), EndedAt: row.EndedAt}, err) {
				return
			}
		}
	}
}

func (d *door) changeBatch(do changing) func(context.Context, Caller, *changeInput) (*answer[payouts.Batch], error) {
	return func(ctx context.Context, caller Caller, input *changeInput) (*answer[payouts.Batch], error) {
		if _, err := d.batchFor(ctx, caller, roster.Request, input.ID); err != nil {
			return nil, err
		}
		changed, err := do(caller.service, ctx, caller.Actor, input.ID, input.Body.Why)
		return &answer[payouts.Batch]{changed}, err
	}
}
