package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

type importInput struct {
	Merchant    string `query:"merchant" required:"true" doc:"The gateway's merchant number. A statement is of one merchant." maxLength:"32"`
	Country     string `query:"country" doc:"ISO 3166, two letters. Without it, the merchant's country." maxLength:"2"`
	Profile     string `query:"profile" default:"gateway" doc:"How the file is written: gateway or generic." maxLength:"40"`
	ProfileText string `query:"profile_text" doc:"A profile of your own in YAML, in place of profile." maxLength:"16000"`
	Check       bool   `query:"check" doc:"Only check the file; nothing is stored."`
	ContentType string `header:"Content-Type" doc:"text/csv, or the type of .xlsx." maxLength:"200"`
	FileInput
}

// imported is a statement, with what the check of its file found.
type imported struct {
	Status   int
	Location string `header:"Location" doc:"The statement."`
	Body     importedStatement
}

type importedStatement struct {
	Statement     payouts.Statement `json:"statement"`
	Format        sheet.Format      `json:"format" doc:"csv or xlsx."`
	Totals        []statement.Total `json:"totals" nullable:"false" doc:"What the lines say was paid, by kind."`
	Repeated      []sheet.Fault     `json:"repeated" nullable:"false" doc:"Lines with the content of an earlier one, which are taken once; at most 1,000."`
	RepeatedCount int               `json:"repeated_count" doc:"The number of all of them."`
}

// StatementPath names a statement.
type StatementPath struct {
	ID string `path:"id" doc:"The statement's id." maxLength:"64"`
}

type statementsInput struct {
	Merchant string `query:"merchant" doc:"Of this merchant; without it, of all that you act for." maxLength:"32"`
	PageInput
}

type statementList struct {
	Statements []payouts.StoredStatement `json:"statements" nullable:"false"`
	Next       string                    `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

func (d *door) registerStatements(api huma.API) {
	file := fileBody()
	operation(api, huma.Operation{
		OperationID: "import-statement", Method: http.MethodPost, Path: "/v1/statements", Tags: []string{"statements"},
		Summary: "Compare what was exported from the gateway's portal",
		Description: "Checks every line, stores the file and has it compared with the orders. STATEMENT_INVALID lists everything that is wrong, by line and column, and nothing is stored. " +
			"A line moves no money; what differs becomes discrepancies. The same file again is the same statement. NO_ANSWER_YET: no worker has stored all of it yet; the same file again is safe.",
		RequestBody:   &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{typeCSV: file, typeXLSX: file}},
		Responses:     map[string]*huma.Response{"200": answered[importedStatement](api, "The statement was there already, or the file was only checked.")},
		DefaultStatus: http.StatusCreated,
	}, d.importStatement)
	operation(api, huma.Operation{
		OperationID: "list-statements", Method: http.MethodGet, Path: "/v1/statements", Tags: []string{"statements"},
		Summary: "Statements, the newest first",
	}, d.listStatements)
	operation(api, huma.Operation{
		OperationID: "get-statement", Method: http.MethodGet, Path: "/v1/statements/{id}", Tags: []string{"statements"},
		Summary: "A statement, and how far it is compared",
	}, d.getStatement)
}

func (d *door) importStatement(ctx context.Context, caller Caller, input *importInput) (*imported, error) {
	if refusal := caller.acts(roster.Operate, order.Key{Merchant: input.Merchant}); refusal != nil {
		return nil, refusal // before anything is said about the merchant
	}
	kind, _, _ := strings.Cut(input.ContentType, ";")
	if !slices.Contains([]string{typeCSV, typeXLSX}, strings.TrimSpace(strings.ToLower(kind))) {
		return nil, refuse(CodeMediaType, "a statement is "+typeCSV+" or "+typeXLSX)
	}
	options := statement.Options{Merchant: input.Merchant, Now: time.Now()}
	var err error
	if options.Country, err = d.countryOf(input.Merchant, input.Country); err != nil {
		return nil, err
	}
	if input.ProfileText != "" {
		options.Profile, err = statement.ParseProfile([]byte(input.ProfileText))
	} else {
		options.Profile, err = statement.BuiltIn(input.Profile)
	}
	if err != nil {
		return nil, err
	}
	file, err := input.store(statement.MaxUpload)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	checked, err := statement.Check(file, file.Size(), options)
	if err != nil {
		return nil, faultsProblem(err)
	}
	found := payouts.Statement{StoredStatement: payouts.StoredStatement{Statement: checked.Statement}}
	if !input.Check {
		if found, err = caller.service.ImportStatement(ctx, caller.Actor, checked.Statement, checked.Lines(), uploadTime); err != nil {
			return nil, err
		}
	}
	answer := &imported{Status: http.StatusOK, Body: importedStatement{
		Statement: found, Format: checked.Format, Totals: checked.Totals,
		Repeated: checked.Repeated.Faults[:min(len(checked.Repeated.Faults), maxListed)], RepeatedCount: checked.Repeated.Count,
	}}
	if !input.Check {
		answer.Location = "/v1/statements/" + found.ID
	}
	if !input.Check && !found.Existing {
		answer.Status = http.StatusCreated
	}
	return answer, nil
}

func (d *door) listStatements(ctx context.Context, caller Caller, input *statementsInput) (*answer[statementList], error) {
	merchants, refusal := caller.mine(input.Merchant)
	if refusal != nil {
		return nil, refusal
	}
	filter := payouts.StatementFilter{Merchants: merchants, Limit: input.Limit}
	cursor := newCursor("statements", input)
	if err := cursor.read(input.Cursor, &filter.After); err != nil {
		return nil, err
	}
	page, err := caller.service.Statements(ctx, caller.Actor, filter)
	if err != nil {
		return nil, err
	}
	list := &answer[statementList]{statementList{Statements: page.Statements}}
	if page.More {
		list.Body.Next = cursor.write(page.Statements[len(page.Statements)-1].ID)
	}
	return list, nil
}

// getStatement returns a statement. Another merchant's is not there.
func (d *door) getStatement(ctx context.Context, caller Caller, input *StatementPath) (*answer[payouts.Statement], error) {
	found, err := caller.service.Statement(ctx, caller.Actor, input.ID)
	if err != nil {
		return nil, err
	}
	if refusal := caller.acts(roster.Read, order.Key{Merchant: found.Merchant}); refusal != nil {
		return nil, refuse(payouts.CodeStatementNotFound, "there is no statement of that id")
	}
	return &answer[payouts.Statement]{found}, nil
}
