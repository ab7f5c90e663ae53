package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/report"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerReports(api huma.API) {
	response := answered[payouts.DayReports](api, "The days.")
	for _, contentType := range reportTypes {
		response.Content[contentType] = fileBody()
	}
	operation(api, huma.Operation{
		OperationID: "get-day-report", Method: http.MethodGet, Path: "/v1/reports/day", Tags: []string{"books"},
		Summary: "A merchant's day in figures",
		Description: "JSON, or by Accept or the parameter format: CSV with a line for each figure, a workbook as .xlsx, or one page of HTML. " +
			"A day begins and ends in the merchant's time zone. DAY_NOT_OVER: it has not ended, or ended less than a minute ago.",
		Responses: map[string]*huma.Response{"200": response},
	}, d.getDayReport)
}

// typeHTML is the content type of a page.
const typeHTML = "text/html"

// reportTypes are the content types of a report that is a file.
var reportTypes = map[report.Format]string{report.CSV: typeCSV, report.XLSX: typeXLSX, report.HTML: typeHTML}

type dayReportInput struct {
	Day      string   `query:"day" required:"true" doc:"The day, as YYYY-MM-DD." maxLength:"10"`
	Merchant []string `query:"merchant,explode" doc:"Of these merchants; without it, of all that you act for." maxItems:"256"`
	Currency string   `query:"currency" doc:"When it is not that of the merchant's country." maxLength:"3"`
	SoFar    bool     `query:"so_far" doc:"Of a day that is not over, the figures until now."`
	Format   string   `query:"format" enum:"json,csv,xlsx,html" doc:"Instead of the header Accept."`
	Accept   string   `header:"Accept" doc:"application/json, text/csv, text/html, or the type of .xlsx." maxLength:"200"`
}

// format returns the format of a report, empty for JSON.
func (i *dayReportInput) format() report.Format {
	if i.Format != "" {
		return report.Format(strings.TrimSuffix(i.Format, "json"))
	}
	for _, format := range report.Formats() {
		if strings.Contains(i.Accept, reportTypes[format]) {
			return format
		}
	}
	return ""
}

func (d *door) getDayReport(ctx context.Context, caller Caller, input *dayReportInput) (*fileAnswer, error) {
	day, refusal := order.ParseDate(input.Day)
	if refusal != nil {
		return nil, refusal
	}
	asked := payouts.DayQuery{Day: day, Currency: strings.ToUpper(input.Currency), SoFar: input.SoFar}
	for _, merchant := range input.Merchant {
		if _, refusal := caller.mine(merchant); refusal != nil {
			return nil, refusal
		}
	}
	if asked.Merchants = input.Merchant; len(input.Merchant) == 0 {
		if asked.Merchants, refusal = caller.mine(""); refusal != nil {
			return nil, refusal
		}
	}
	found, err := caller.service.DayReports(ctx, caller.Actor, asked)
	if err != nil {
		return nil, err
	}
	format := input.format()
	if format == "" {
		text, err := json.Marshal(found)
		return &fileAnswer{ContentType: "application/json", Body: text}, err
	}
	var file bytes.Buffer
	err = report.Write(&file, format, found.Days)
	name := "attachment; filename=day-" + string(day) + "." + string(format)
	return &fileAnswer{reportTypes[format] + charset(format), name, file.Bytes()}, err
}

// charset returns what a content type of text says of its characters.
func charset(format report.Format) string {
	if format == report.XLSX {
		return ""
	}
	return "; charset=utf-8"
}
