package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
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
}

// fileResponses documents an answer that is a file.
func fileResponses(text string) map[string]*huma.Response {
	file := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	return map[string]*huma.Response{"200": {Description: text, Content: map[string]*huma.MediaType{typeCSV: file, typeXLSX: file}}}
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
